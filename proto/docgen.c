/* SPDX-License-Identifier: MIT */
/*
 * docgen.c - the build-time program that writes the generated parts of sockd-protocol(7),
 * sockd-symbols(7) and sockctl(1).
 *
 * Copies standard input to standard output. A line that is @METHODS@, @SUMMARIES@,
 * @OBJECTS@, @ERRORS@ or @SYMBOLS@ alone is replaced by mdoc text made from the tables.
 * Exit status: 0, or 1 when reading or writing fails.
 */
#include <config.h>

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "proto/error.h"
#include "proto/table.h"

enum { LINE_WIDTH = 76 };

static void put_word(const char *word, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (word[i] == '\\')
            fputs("\\e", stdout);
        else
            putchar(word[i]);
    }
}

static bool ends_sentence(const char *word, size_t size)
{
    while (size && (word[size - 1] == ')' || word[size - 1] == '"'))
        size--;
    return size && strchr(".?!", word[size - 1]);
}

/* Running text: lines of bounded length, a new one for each sentence, as mdoc wants it.
 */
static void put_paragraph(const char *text, size_t size)
{
    size_t column = 0;

    for (size_t at = 0; at < size;) {
        const char *word = text + at;
        size_t length = 0;

        while (at + length < size && word[length] != ' ')
            length++;
        if (column && column + 1 + length > LINE_WIDTH) {
            putchar('\n');
            column = 0;
        }
        if (column)
            putchar(' ');
        else if (word[0] == '.' || word[0] == '\'')
            fputs("\\&", stdout);
        put_word(word, length);
        column += length + (column ? 1 : 0);
        at += length + 1;
        if (ends_sentence(word, length) && at < size) {
            putchar('\n');
            column = 0;
        }
    }
    putchar('\n');
}

/* Paragraphs, with an empty line between them. */
static void put_text(const char *text)
{
    while (*text) {
        const char *end = strstr(text, "\n\n");

        put_paragraph(text, end ? (size_t)(end - text) : strlen(text));
        if (!end)
            break;
        puts(".Pp");
        text = end + 2;
    }
}

/* Help texts begin in lower case and have no full stop, for lists; here they are
 * sentences. */
static void put_help(const char *help)
{
    char text[1024];
    size_t size = (size_t)snprintf(text, sizeof(text) - 1, "%s", help);

    if (size >= sizeof(text) - 1)
        size = sizeof(text) - 2;
    if (text[strcspn(text, " ") - 1] !=
        ':') /* a word that is explained stays as it is written */
        text[0] = (char)toupper((unsigned char)text[0]);
    if (size && !ends_sentence(text, size))
        text[size++] = '.';
    put_paragraph(text, size);
}

static void put_default(const struct param_row *row)
{
    size_t size = strlen(row->preset);

    fputs("; default ", stdout);
    if (row->preset[0] == '"')
        put_word(row->preset + 1, size - 2);
    else
        put_word(row->preset, size);
}

static void put_params(const struct command *command)
{
    char wanted[256];

    if (command->n_params == 0)
        return;
    puts(".Pp\nParameters:\n.Bl -tag -width Ds");
    for (unsigned i = 0; i < command->n_params; i++) {
        const struct param_row *row = &command->params[i];

        printf(".It Cm %s Pq %s", row->name, row->required ? "required" : "optional");
        if (row->preset)
            put_default(row);
        putchar('\n');
        put_help(row->help);
        value_describe(row, wanted, sizeof(wanted));
        put_help(wanted);
    }
    puts(".El");
}

static void put_members(const struct result_row *rows, unsigned n)
{
    puts(".Bl -tag -width Ds");
    for (unsigned i = 0; i < n; i++) {
        if (rows[i].type == VALUE_INCLUDE)
            printf(".It members of Em %s\n", rows[i].spec);
        else if (rows[i].type == VALUE_OBJECT || rows[i].type == VALUE_OBJECTS)
            printf(".It Cm %s Pq %s Em %s\n", rows[i].name,
                   rows[i].type == VALUE_OBJECT ? "object" : "list of", rows[i].spec);
        else
            printf(".It Cm %s Pq %s\n", rows[i].name, value_type_name(rows[i].type));
        put_help(rows[i].help);
    }
    puts(".El");
}

static void put_access(const struct command *command)
{
    static const char *const texts[] = {
        [ACCESS_QUERY] = "Everybody may use it.",
        [ACCESS_OWN] = "Users may use it on their own sockets, administrators on all.",
        [ACCESS_ANY] = "Everybody may use it; it shows what the caller may see.",
        [ACCESS_ADMIN] = "Only administrators may use it.",
    };

    puts(".Pp");
    puts(texts[command->access]);
    if (command->flags & COMMAND_WAITS)
        puts("It can wait, and be ended by\n.Cm cancel .");
    printf("Since version %s.\n", command->since);
}

static void put_methods(void)
{
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = table_command((enum command_id)i);

        printf(".Ss %s\n", command->name);
        put_help(command->summary);
        if (command->text[0]) {
            puts(".Pp");
            put_text(command->text);
        }
        put_params(command);
        if (command->n_results) {
            puts(".Pp\nResult:");
            put_members(command->results, command->n_results);
        } else {
            puts(".Pp\nThe result is an empty object.");
        }
        put_access(command);
    }
}

/* Each command with the words it takes on the command line, and its one line of summary.
 */
static void put_summaries(void)
{
    puts(".Bl -tag -width Ds -compact");
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = table_command((enum command_id)i);

        printf(".It Ic %s", command->name);
        for (unsigned p = 0; p < command->n_params; p++) {
            const struct param_row *row = &command->params[p];

            if (row->is_word)
                printf(row->required ? " Ar %s" : " Op Ar %s", row->name);
        }
        puts("");
        put_help(command->summary);
    }
    puts(".El");
}

static void put_objects(void)
{
    for (unsigned i = 0; i < OBJECT_COUNT; i++) {
        const struct object_row *object = table_object_row((enum object_id)i);

        printf(".Ss %s\n", object->name);
        put_help(object->help);
        put_members(object->fields, object->n_fields);
    }
}

static void put_errors(void)
{
    puts(".Bl -tag -width Ds");
    for (unsigned i = ERROR_NONE + 1; i < ERROR_COUNT; i++) {
        const struct error_row *row = error_row((enum error_id)i);

        printf(".It Er %s Pq %d\n", row->identifier, row->code);
        put_help(row->text);
        if (row->retryable)
            puts("Trying again may help.");
    }
    puts(".El");
}

/* ---- Documented symbols ---- */

static const struct symbol {
    const char *name, *package, *method, *how, *program, *title;
} symbols[] = {
#define SYMBOL(NAME, PACKAGE, METHOD, HOW, PROGRAM, TITLE)                               \
    {NAME, PACKAGE, METHOD, HOW, PROGRAM, TITLE},
#define RESERVED(NAME, PACKAGE, METHOD, HOW) {NAME, PACKAGE, METHOD, HOW, NULL, NULL},
#define LEFT_OUT(NAME, PACKAGE, WHY) {NAME, PACKAGE, NULL, WHY, NULL, NULL},
#include "proto/symbols.def"
};

static void put_symbol(const struct symbol *symbol)
{
    printf(".It %s Pq package %s\n", symbol->name, symbol->package);
    if (!symbol->method) {
        put_help(symbol->how);
        return;
    }
    printf("Method\n.Cm %s", symbol->method);
    printf(symbol->how[0] ? " :\n" : " .\n");
    if (symbol->how[0])
        put_help(symbol->how);
    if (!symbol->program) {
        puts("The name is reserved: this version does not have it yet.");
        return;
    }
    fputs("In C\n.Fn sockd_", stdout);
    for (const char *at = symbol->method; *at; at++)
        putchar(*at == '-' ? '_' : *at);
    printf(" ;\n.Ql sockctl %s .\n", symbol->method);
    printf("Test:\n.Pa %s.c ,\n.Dq %s .\n", symbol->program, symbol->title);
}

static void put_symbols(void)
{
    puts(".Bl -tag -width Ds");
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
        put_symbol(&symbols[i]);
    puts(".El");
}

static void put_section(const char *line)
{
    if (strcmp(line, "@METHODS@\n") == 0)
        put_methods();
    else if (strcmp(line, "@SUMMARIES@\n") == 0)
        put_summaries();
    else if (strcmp(line, "@OBJECTS@\n") == 0)
        put_objects();
    else if (strcmp(line, "@ERRORS@\n") == 0)
        put_errors();
    else if (strcmp(line, "@SYMBOLS@\n") == 0)
        put_symbols();
    else
        fputs(line, stdout);
}

int main(void)
{
    char line[1024];

    table_setup();
    while (fgets(line, sizeof(line), stdin))
        put_section(line);
    if (ferror(stdin) || fflush(stdout) || ferror(stdout)) {
        fputs("docgen: reading or writing failed\n", stderr);
        return 1;
    }
    return 0;
}
