/* SPDX-License-Identifier: MIT */
/*
 * help.c - usage and help, from the rows of the table and of the verbs.
 */
#include <config.h>
#include "client/help.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "client/args.h"
#include "client/columns.h"
#include "client/draft.h"
#include "client/memory.h"
#include "client/settings.h"
#include "client/verbs.h"
#include "proto/value.h"

enum { LINE_WIDTH = 79, OPTION_INDENT = 2, TEXT_INDENT = 6 };

void help_wrapped(FILE *out, const char *text, int indent)
{
    size_t room = (size_t)(LINE_WIDTH - indent);

    while (*text) {
        size_t size = strcspn(text, "\n");
        size_t taken = size;

        if (size > room) {
            taken = room;
            while (taken > 0 && text[taken] != ' ')
                taken--;
            if (taken == 0) /* one word longer than a line */
                taken = strcspn(text, " \n");
        }
        if (taken)
            (void)fprintf(out, "%*s%.*s\n", indent, "", (int)taken, text);
        else
            (void)putc('\n', out);
        text += taken;
        if (*text == ' ' || *text == '\n')
            text++;
    }
}

static void add_upper(struct draft *line, const char *name)
{
    for (; *name; name++)
        draft_add_char(line, (char)toupper((unsigned char)*name));
}

static bool has_options(const struct command *command)
{
    for (unsigned i = 0; i < command->n_params; i++)
        if (!command->params[i].is_word)
            return true;
    return false;
}

char *help_usage(const struct command *command)
{
    struct draft line = {0};

    draft_printf(&line, "sockctl %s", command->name);
    if (has_options(command))
        draft_add_string(&line, " [OPTIONS]");
    for (unsigned i = 0; i < command->n_params; i++) {
        const struct param_row *row = &command->params[i];

        if (!row->is_word && !row->required)
            continue;
        draft_add_string(&line, row->required ? " " : " [");
        if (!row->is_word)
            draft_printf(&line, "--%s ", row->name);
        add_upper(&line, row->name);
        draft_add_string(&line, args_is_list(row) && row->is_word ? "..." : "");
        draft_add_string(&line, row->required ? "" : "]");
    }
    return draft_take(&line);
}

/* "--type WHAT", "--[no-]nodelay", "SOCKET": how a parameter is given. */
static char *row_label(const struct param_row *row, char letter)
{
    struct draft line = {0};

    if (row->is_word) {
        add_upper(&line, row->name);
        draft_add_string(&line, args_is_list(row) ? "..." : "");
        return draft_take(&line);
    }
    if (letter)
        draft_printf(&line, "-%c, ", letter);
    if (row->type == VALUE_IPV6)
        draft_printf(&line, "--[no-]%s, --%s=ipv6", row->name, row->name);
    else if (args_is_flag(row))
        draft_printf(&line, letter ? "--%s" : "--[no-]%s", row->name);
    else {
        draft_printf(&line, args_is_negatable(row) ? "--no-%s, --%s " : "--%s ",
                     row->name, row->name);
        add_upper(&line, value_type_name(row->type));
    }
    return draft_take(&line);
}

static void write_row(FILE *out, const struct param_row *row, char letter,
                      bool is_setting)
{
    char *label = row_label(row, is_setting && !letter ? 0 : letter);
    struct draft text = {0};
    char wanted[256];

    draft_add_string(&text, row->help);
    if (!args_is_flag(row) && !is_setting) {
        value_describe(row, wanted, sizeof(wanted));
        draft_printf(&text, ". Takes %s", wanted);
    }
    if (row->preset && strcmp(row->preset, "[]") != 0)
        draft_printf(&text, ". Default: %s", row->preset);
    (void)fprintf(out, "%*s%s%s\n", OPTION_INDENT, "", label,
                  row->required && !row->is_word ? " (required)" : "");
    help_wrapped(out, text.data, TEXT_INDENT);
    draft_fini(&text);
    free(label);
}

/* Those that are words, or those that are not. */
static void write_rows(FILE *out, const char *heading, const struct command *command,
                       bool words, const struct command *hidden_by)
{
    bool is_first = true;

    for (unsigned i = 0; i < command->n_params; i++) {
        const struct param_row *row = &command->params[i];

        if (row->is_word != words)
            continue;
        if (hidden_by && args_row(hidden_by, row->name, strlen(row->name)))
            continue;
        if (is_first)
            (void)fprintf(out, "\n%s\n", heading);
        is_first = false;
        write_row(out, row, 0, false);
    }
}

static void write_results(FILE *out, const struct result_row *rows, unsigned n_rows)
{
    for (unsigned i = 0; i < n_rows; i++) {
        const struct result_row *row = &rows[i];
        const struct object_row *object =
            row->type == VALUE_INCLUDE ? table_object(row->spec) : NULL;

        if (object) {
            write_results(out, object->fields, object->n_fields);
            continue;
        }
        (void)fprintf(out, "%*s%s\n", OPTION_INDENT, "", row->name);
        help_wrapped(out, row->help, TEXT_INDENT);
    }
}

void help_command(FILE *out, const struct command *command,
                  const struct command *const *borrowed)
{
    char *usage = help_usage(command);

    (void)fprintf(out, "usage: %s\n\n", usage);
    help_wrapped(out, command->summary, 2);
    if (command->text && *command->text) {
        (void)putc('\n', out);
        help_wrapped(out, command->text, 2);
    }
    write_rows(out, "Words:", command, true, NULL);
    write_rows(out, "Options:", command, false, NULL);
    for (size_t i = 0; borrowed && i < ARGS_BORROWED && borrowed[i]; i++) {
        char heading[128];

        (void)snprintf(heading, sizeof(heading), "Options of %s:", borrowed[i]->name);
        write_rows(out, heading, borrowed[i], false, i > 0 ? borrowed[0] : command);
    }
    if (command->n_results > 0) {
        (void)fputs("\nResult:\n", out);
        write_results(out, command->results, command->n_results);
    }
    (void)fputs("\nThe options of sockctl itself are listed by \"sockctl help\".\n", out);
    free(usage);
}

static void write_summaries(FILE *out, const struct command *const *commands, size_t n)
{
    size_t width = 0;

    for (size_t i = 0; i < n; i++)
        if (strlen(commands[i]->name) > width)
            width = strlen(commands[i]->name);
    for (size_t i = 0; i < n; i++)
        (void)fprintf(out, "  %-*s  %s\n", (int)width, commands[i]->name,
                      commands[i]->summary);
}

void help_overview(FILE *out)
{
    const struct command **commands =
        memory_new((COMMAND_COUNT + 64) * sizeof(*commands));
    const struct verb *verb;
    const struct setting_row *setting;
    size_t n = 0;

    (void)fputs("usage: sockctl [OPTIONS] COMMAND [WORDS AND OPTIONS]\n\n", out);
    help_wrapped(
        out,
        "Talks to sockd, the daemon that owns sockets. Each run is one control "
        "connection: sockets end with the connection that made them, so work on them "
        "within \"sockctl shell\", or keep them with --hold.",
        2);
    (void)fputs("\nEveryday commands:\n", out);
    for (n = 0; (verb = verbs_at(n)) && n < 64; n++)
        commands[n] = &verb->command;
    write_summaries(out, commands, n);
    (void)fputs("\nCommands of the daemon:\n", out);
    for (n = 0; n < COMMAND_COUNT; n++)
        commands[n] = table_command((enum command_id)n);
    write_summaries(out, commands, n);
    (void)fputs("\nOptions:\n", out);
    for (n = 0; (setting = settings_at(n)); n++)
        write_row(out, &setting->row, setting->letter, true);
    (void)fputs(
        "\n\"sockctl help COMMAND\" explains one command; sockctl(1) is the manual.\n",
        out);
    free(commands);
}
