/* SPDX-License-Identifier: MIT */
/*
 * args.c - words of the command line to parameters, by the PARAM rows.
 */
#include <config.h>
#include "client/args.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "client/columns.h"
#include "client/draft.h"
#include "client/files.h"
#include "client/memory.h"
#include "client/problem.h"
#include "client/settings.h"
#include "proto/error.h"
#include "proto/text.h"
#include "proto/value.h"

/* One run over the words. Owner: the stack. */
struct parser {
    struct args *args;
    struct settings *settings;
    const struct word *words;
    size_t n, at;
    struct problem *problem;
};

const struct param_row *args_row(const struct command *command, const char *name,
                                 size_t size)
{
    for (unsigned i = 0; i < command->n_params; i++)
        if (strlen(command->params[i].name) == size &&
            memcmp(command->params[i].name, name, size) == 0)
            return &command->params[i];
    return NULL;
}

bool args_is_flag(const struct param_row *row)
{
    return row->type == VALUE_BOOL || row->type == VALUE_IPV6;
}

bool args_is_negatable(const struct param_row *row)
{
    const char *word;
    size_t size;

    for (unsigned i = 0;
         row->type == VALUE_SWITCH && (word = value_word(row->spec, i, &size)) != NULL;
         i++)
        if (size == strlen("false") && memcmp(word, "false", size) == 0)
            return true;
    return args_is_flag(row);
}

bool args_is_list(const struct param_row *row)
{
    return row->type == VALUE_HANDLES || row->type == VALUE_STRINGS ||
           row->type == VALUE_REFERENCES || row->type == VALUE_NAMES ||
           row->type == VALUE_ENDPOINTS || row->type == VALUE_OBJECTS;
}

static bool is_option(const struct word *word)
{
    return word->size > 1 && word->text[0] == '-';
}

static bool owns(const struct command *command, const struct param_row *row)
{
    return command && args_row(command, row->name, strlen(row->name)) == row;
}

static json_t *params_of(struct args *args, const struct param_row *row)
{
    if (owns(args->command, row))
        return args->params;
    for (size_t i = 0; i < ARGS_BORROWED; i++)
        if (owns(args->borrowed[i], row))
            return args->borrowed_params[i];
    return NULL;
}

static const struct param_row *find(const struct args *args, const char *name,
                                    size_t size)
{
    const struct param_row *row =
        args->command ? args_row(args->command, name, size) : NULL;

    for (size_t i = 0; !row && i < ARGS_BORROWED && args->borrowed[i]; i++) {
        row = args_row(args->borrowed[i], name, size);
        if (row && row->is_word)
            row = NULL;
    }
    return row ? row : settings_find(name, size);
}

const struct param_row *args_find_option(const struct args *args, const char *name,
                                         size_t size, bool *is_negated)
{
    const struct param_row *row = find(args, name, size);

    *is_negated = false;
    if (!row && size > 3 && memcmp(name, "no-", 3) == 0) {
        row = find(args, name + 3, size - 3);
        if (row && !args_is_negatable(row))
            row = NULL;
        *is_negated = row != NULL;
    }
    return row;
}

/* How people call a parameter: --name for an option, NAME for a word. For the caller to
 * free(). */
static char *label(const struct param_row *row)
{
    struct draft text = {0};

    draft_add_string(&text, row->is_word ? "" : "--");
    for (const char *c = row->name; *c; c++)
        draft_add_char(&text, row->is_word ? (char)toupper((unsigned char)*c) : *c);
    return draft_take(&text);
}

static bool bad_value(struct parser *parser, const struct param_row *row,
                      const char *text)
{
    char wanted[256];
    char *name = label(row);
    char *shown = columns_visible(text, strlen(text));

    value_describe(row, wanted, sizeof(wanted));
    (void)problem_usage(parser->problem, "%s wants %s, not \"%s\"", name, wanted, shown);
    free(name);
    free(shown);
    return false;
}

/* ---- Data
 * --------------------------------------------------------------------------------- */

static const struct param_row *encoding_row(const struct command *command)
{
    const struct param_row *row = args_row(command, "encoding", strlen("encoding"));

    return row && row->type == VALUE_ENUM ? row : NULL;
}

static json_t *base64_json(const void *bytes, size_t size)
{
    size_t out_size = text_base64_size(size);
    char *out = memory_new(out_size + 1);

    text_base64_encode(bytes, size, out);
    json_t *json = json_stringn(out, out_size);
    free(out);
    return memory_need(json);
}

bool args_set_data(struct args *args, const struct param_row *row, const void *bytes,
                   size_t size, struct problem *problem)
{
    static const char *const encodings[] = {"base64", "utf-8"};
    const struct command *command = owns(args->command, row)       ? args->command
                                    : owns(args->borrowed[0], row) ? args->borrowed[0]
                                                                   : args->borrowed[1];
    json_t *params = params_of(args, row);
    const struct param_row *encoding = encoding_row(command);
    bool is_text = text_is_utf8(bytes, size);
    const char *given =
        encoding ? json_string_value(json_object_get(params, encoding->name)) : NULL;

    /* An encoding that the caller gave says how the data is written already. */
    if (given && strcmp(given, encodings[0]) == 0 && !is_text)
        return problem_usage(problem, "%s: this is not base64 text", row->name);
    if (is_text) {
        (void)json_object_set_new(params, row->name,
                                  memory_need(json_stringn(bytes, size)));
        return true;
    }
    if (given || !encoding)
        return problem_usage(problem, "%s: the bytes are not valid UTF-8%s", row->name,
                             given ? "; leave --encoding out to send them as they are"
                                   : "");
    (void)json_object_set_new(params, row->name, base64_json(bytes, size));
    (void)json_object_set_new(params, encoding->name, json_string(encodings[0]));
    return true;
}

/* ---- Values
 * ------------------------------------------------------------------------------- */

static json_t *make_value(struct parser *parser, const struct param_row *row,
                          const struct word *word)
{
    struct error error = {0};

    /* Text may hold NUL; for all other types that is never right. */
    if (row->type == VALUE_DATA || (row->type == VALUE_STRING && word->size)) {
        json_t *json = json_stringn(word->text, word->size);

        if (!json && row->type == VALUE_DATA)
            json = json_null(); /* not UTF-8: args_set_data() decides when all is known */
        if (!json)
            (void)bad_value(parser, row, word->text);
        return json;
    }
    if (row->type == VALUE_FILE)
        return files_read(row, word->text, parser->problem);
    json_t *json = strlen(word->text) == word->size
                       ? value_from_text(row, word->text, &error)
                       : NULL;
    if (!json)
        (void)bad_value(parser, row, word->text);
    return json;
}

static bool store(struct parser *parser, const struct param_row *row,
                  const struct word *word)
{
    json_t *params = params_of(parser->args, row);
    json_t *before = json_object_get(params, row->name);

    if (!params)
        return settings_set(parser->settings, row, word->text, parser->problem);
    if (before && !args_is_list(row)) {
        char *name = label(row);

        (void)problem_usage(parser->problem, "%s is given twice", name);
        free(name);
        return false;
    }
    if (row->type == VALUE_DATA && word->size == 1 && word->text[0] == '-') {
        if (parser->args->input)
            return problem_usage(parser->problem,
                                 "standard input can supply one value only");
        parser->args->input = row;
        parser->args->is_input_asked = true;
        /* Its place is taken, so that the next word goes to the next row. */
        (void)json_object_set_new(params, row->name, json_string(""));
        return true;
    }
    json_t *value = make_value(parser, row, word);
    if (!value)
        return false;
    if (before && json_is_array(before) && json_is_array(value)) {
        (void)json_array_extend(before, value);
        json_decref(value);
        return true;
    }
    (void)json_object_set_new(params, row->name, value);
    if (json_is_null(value))
        return args_set_data(parser->args, row, word->text, word->size, parser->problem);
    return true;
}

/* ---- Options and words
 * -------------------------------------------------------------------- */

static bool unknown_option(struct parser *parser, const struct word *word)
{
    char *shown = columns_visible(word->text, strcspn(word->text, "="));
    const struct command *command = parser->args->command;

    if (command)
        (void)problem_usage(parser->problem,
                            "%s: there is no option %s; see \"sockctl help %s\"",
                            command->name, shown, command->name);
    else
        (void)problem_usage(parser->problem,
                            "there is no option %s; see \"sockctl help\"", shown);
    free(shown);
    return false;
}

/* The value of an option that takes one: behind "=", or the next word. */
static bool take_value(struct parser *parser, const struct param_row *row,
                       const char *equals, const struct word *word)
{
    if (equals) {
        struct word value = {.text = word->text + (equals + 1 - word->text),
                             .size = word->size - (size_t)(equals + 1 - word->text)};

        return store(parser, row, &value);
    }
    if (parser->at == parser->n) {
        char wanted[256];

        value_describe(row, wanted, sizeof(wanted));
        return problem_usage(parser->problem, "--%s wants a value: %s", row->name,
                             wanted);
    }
    return store(parser, row, &parser->words[parser->at++]);
}

static bool take_long_option(struct parser *parser, const struct word *word)
{
    const char *name = word->text + 2;
    const char *equals = memchr(name, '=', word->size - 2);
    size_t size = equals ? (size_t)(equals - name) : word->size - 2;
    bool is_negated;
    const struct param_row *row = args_find_option(parser->args, name, size, &is_negated);

    if (!row)
        return unknown_option(parser, word);
    if (is_negated || (args_is_flag(row) && !equals)) {
        char yes[] = "true", no[] = "false";
        struct word value = is_negated ? (struct word){no, sizeof(no) - 1}
                                       : (struct word){yes, sizeof(yes) - 1};

        if (equals)
            return problem_usage(parser->problem, "--no-%s takes no value", row->name);
        return store(parser, row, &value);
    }
    return take_value(parser, row, equals, word);
}

/* "k:keep,e:exec" */
static const struct param_row *find_letter(const struct args *args, char letter)
{
    const char *at = args->letters;

    while (at && *at) {
        size_t size = strcspn(at, ",");

        if (at[0] == letter)
            return find(args, at + 2, size - 2);
        at += size + (at[size] == ',');
    }
    return settings_find_letter(letter);
}

/* "-k", "-kv", "-sPATH" or "-s PATH". */
static bool take_letters(struct parser *parser, const struct word *word)
{
    for (size_t i = 1; i < word->size; i++) {
        const struct param_row *row = find_letter(parser->args, word->text[i]);
        char yes[] = "true";
        struct word value = {yes, sizeof(yes) - 1};

        if (!row)
            return unknown_option(parser, word);
        if (args_is_flag(row)) {
            if (!store(parser, row, &value))
                return false;
            continue;
        }
        /* The rest of the word, or the next one, is its value. */
        if (i + 1 < word->size)
            value = (struct word){.text = word->text + i + 1, .size = word->size - i - 1};
        else if (parser->at < parser->n)
            value = parser->words[parser->at++];
        else
            return problem_usage(parser->problem, "-%c wants a value", word->text[i]);
        return store(parser, row, &value);
    }
    return true;
}

static bool take_option(struct parser *parser, const struct word *word)
{
    return word->text[1] == '-' ? take_long_option(parser, word)
                                : take_letters(parser, word);
}

static bool take_word(struct parser *parser, const struct word *word)
{
    const struct command *command = parser->args->command;

    for (unsigned i = 0; i < command->n_params; i++) {
        const struct param_row *row = &command->params[i];

        if (row->is_word &&
            (args_is_list(row) || !json_object_get(parser->args->params, row->name)))
            return store(parser, row, word);
    }
    char *shown = columns_visible(word->text, word->size);

    (void)problem_usage(parser->problem,
                        "%s: the word \"%s\" is one too many; see \"sockctl help %s\"",
                        command->name, shown, command->name);
    free(shown);
    return false;
}

bool args_settings(struct settings *settings, const struct word *words, size_t n,
                   size_t *n_taken, struct problem *problem)
{
    struct args none = {0};
    struct parser parser = {
        .args = &none, .settings = settings, .words = words, .n = n, .problem = problem};

    while (parser.at < n && is_option(&words[parser.at])) {
        const struct word *word = &words[parser.at++];

        if (strcmp(word->text, "--") == 0)
            break;
        if (!take_option(&parser, word))
            return false;
    }
    *n_taken = parser.at;
    return true;
}

static bool check_required(struct parser *parser)
{
    struct args *args = parser->args;

    for (unsigned i = 0; i < args->command->n_params; i++) {
        const struct param_row *row = &args->command->params[i];

        if (!row->required || json_object_get(args->params, row->name))
            continue;
        if (row->type == VALUE_DATA && !args->input) {
            args->input = row;
            continue;
        }
        char wanted[256];
        char *name = label(row);

        value_describe(row, wanted, sizeof(wanted));
        (void)problem_usage(parser->problem,
                            "%s: %s is missing (%s); see \"sockctl help %s\"",
                            args->command->name, name, wanted, args->command->name);
        free(name);
        return false;
    }
    return true;
}

bool args_check_words(struct args *args, struct problem *problem)
{
    struct parser parser = {.args = args, .problem = problem};

    for (unsigned i = 0; i < args->command->n_params; i++) {
        const struct param_row *row = &args->command->params[i];
        const json_t *value = json_object_get(args->params, row->name);

        struct value_text text = {json_string_value(value), json_string_length(value)};
        unsigned index;

        if (value && row->type == VALUE_ENUM && !value_find_word(row->spec, text, &index))
            return bad_value(&parser, row, text.text);
    }
    return true;
}

bool args_parse(struct args *args, struct settings *settings, const struct word *words,
                size_t n, struct problem *problem)
{
    struct parser parser = {
        .args = args, .settings = settings, .words = words, .n = n, .problem = problem};
    bool has_options = true;

    args->params = memory_need(json_object());
    for (size_t i = 0; i < ARGS_BORROWED; i++)
        if (args->borrowed[i])
            args->borrowed_params[i] = memory_need(json_object());
    while (parser.at < n) {
        const struct word *word = &words[parser.at++];

        if (has_options && strcmp(word->text, "--") == 0)
            has_options = false;
        else if (has_options && is_option(word) ? !take_option(&parser, word)
                                                : !take_word(&parser, word))
            return false;
    }
    return settings->wants_help || check_required(&parser);
}

/* What came from files may be keys and passwords. */
static void wipe(const struct command *command, json_t *params)
{
    for (unsigned i = 0; params && i < command->n_params; i++) {
        const json_t *value = json_object_get(params, command->params[i].name);

        if (command->params[i].type == VALUE_FILE && json_is_string(value))
            explicit_bzero((void *)(uintptr_t)json_string_value(value),
                           json_string_length(value));
    }
    json_decref(params);
}

void args_fini(struct args *args)
{
    wipe(args->command, args->params);
    for (size_t i = 0; i < ARGS_BORROWED; i++)
        wipe(args->borrowed[i], args->borrowed_params[i]);
    *args = (struct args){0};
}
