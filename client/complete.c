/* SPDX-License-Identifier: MIT */
/*
 * complete.c - what can stand at the end of a command line that is being typed.
 *
 * Goes by the rows of the table and the verbs. The one thing asked of the daemon is which
 * handles there are: by the command named list-KINDs, where the table has one.
 */
#include <config.h>
#include "client/complete.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/args.h"
#include "client/memory.h"
#include "client/problem.h"
#include "client/session.h"
#include "client/settings.h"
#include "client/verbs.h"
#include "client/words.h"
#include "proto/value.h"

/* A shell must not hang because the daemon does. */
static const double daemon_seconds = 1;

struct completion {
    const char *typed;  /* the last word, as far as it is there */
    const char *before; /* stands before each candidate: "--type=" */
    struct settings settings;
};

static void offer(const struct completion *completion, const char *word)
{
    if (strncmp(word, completion->typed, strlen(completion->typed)) == 0)
        (void)printf("%s%s\n", completion->before, word);
}

static void offer_words(const struct completion *completion, const char *spec)
{
    const char *word;
    size_t size;

    for (unsigned i = 0; (word = value_word(spec, i, &size)); i++) {
        char *copy = memory_need(strndup(word, size));

        offer(completion, copy);
        free(copy);
    }
}

/* Handles of this kind that exist now, and with `by_name` their names. */
static void offer_handles(const struct completion *completion, const char *kind,
                          bool by_name)
{
    struct problem problem = {0};
    char method[64], list_name[64];

    (void)snprintf(method, sizeof(method), "list-%ss", kind);
    (void)snprintf(list_name, sizeof(list_name), "%ss", kind);
    const struct command *command = table_find(method, strlen(method));
    struct session *session =
        command ? session_open(&completion->settings, &problem) : NULL;
    json_t *params = memory_need(json_object());
    json_t *result =
        session ? session_call_json(session, method, params, &problem) : NULL;
    size_t i;
    const json_t *item;

    json_array_foreach(json_object_get(result, list_name), i, item)
    {
        char text[32];

        (void)snprintf(text, sizeof(text), "%lld",
                       (long long)json_integer_value(json_object_get(item, kind)));
        offer(completion, text);
        if (json_is_string(json_object_get(item, "name")) && by_name)
            offer(completion, json_string_value(json_object_get(item, "name")));
    }
    json_decref(result);
    json_decref(params);
    session_close(session);
    problem_fini(&problem);
}

static bool is_file(const struct param_row *row)
{
    size_t size = strlen(row->name);
    bool is_named = strcmp(row->name, "file") == 0 || strcmp(row->name, "socket") == 0 ||
                    (size > 4 && strstr(row->name + size - 4, "file")) ||
                    strstr(row->name, "filename");

    return row->type == VALUE_FILE || (row->type == VALUE_STRING && is_named);
}

static bool has_handle(const struct param_row *row)
{
    return row->type == VALUE_HANDLE || row->type == VALUE_HANDLES ||
           row->type == VALUE_REFERENCE || row->type == VALUE_REFERENCES;
}

static void offer_values(const struct completion *completion, const struct param_row *row)
{
    if (row->type == VALUE_ENUM || row->type == VALUE_NAMES || row->type == VALUE_SWITCH)
        offer_words(completion, row->spec);
    else if (row->type == VALUE_BOOL)
        offer_words(completion, "true|false");
    else if (row->type == VALUE_IPV6)
        offer_words(completion, "true|false|ipv6");
    else if (has_handle(row) && row->spec)
        offer_handles(completion, row->spec,
                      row->type == VALUE_REFERENCE || row->type == VALUE_REFERENCES);
    else if (is_file(row))
        (void)puts(":files");
}

static void offer_option(const struct completion *completion, const struct param_row *row)
{
    char text[128];

    (void)snprintf(text, sizeof(text), "--%s", row->name);
    offer(completion, text);
    (void)snprintf(text, sizeof(text), "--no-%s", row->name);
    /* The negative form of what is off anyway is no use. */
    if (args_is_negatable(row) && !(row->preset && strcmp(row->preset, "false") == 0))
        offer(completion, text);
}

/* But those of a name that `hidden_by` has, too. */
static void offer_options(const struct completion *completion,
                          const struct command *command, const struct command *hidden_by)
{
    for (unsigned i = 0; command && i < command->n_params; i++) {
        const struct param_row *row = &command->params[i];

        if (!row->is_word &&
            !(hidden_by && args_row(hidden_by, row->name, strlen(row->name))))
            offer_option(completion, row);
    }
}

/* But those that a parameter of the command hides. */
static void offer_settings(const struct completion *completion, const struct args *args)
{
    const struct setting_row *setting;
    bool is_negated;

    for (size_t i = 0; (setting = settings_at(i)); i++) {
        const char *name = setting->row.name;
        char text[128];

        if (args &&
            args_find_option(args, name, strlen(name), &is_negated) != &setting->row)
            continue;
        (void)snprintf(text, sizeof(text), "--%s", name);
        offer(completion, text);
    }
}

static void offer_commands(const struct completion *completion)
{
    const struct verb *verb;

    for (size_t i = 0; (verb = verbs_at(i)); i++)
        if (verbs_find(verb->command.name))
            offer(completion, verb->command.name);
    for (unsigned i = 0; i < COMMAND_COUNT; i++)
        offer(completion, table_command((enum command_id)i)->name);
}

/* The option that takes the next word as its value: "--type" but not "--type=x". NULL:
 * none. */
static const struct param_row *open_option(const struct args *args,
                                           const struct word *word)
{
    bool is_negated;

    if (strncmp(word->text, "--", 2) != 0 || strchr(word->text, '='))
        return word->size == 2 && word->text[0] == '-'
                   ? settings_find_letter(word->text[1])
                   : NULL;
    const struct param_row *row =
        args_find_option(args, word->text + 2, word->size - 2, &is_negated);

    return row && !args_is_flag(row) ? row : NULL;
}

/* Reads past the options at `*at`, which are settings. */
static void skip_settings(struct completion *completion, const struct words *words,
                          size_t *at)
{
    struct args none = {0};
    struct problem problem = {0};

    while (*at + 1 < words->n && words->items[*at].text[0] == '-') {
        const struct param_row *row = open_option(&none, &words->items[*at]);

        if (row && !args_is_flag(row)) {
            if (*at + 2 < words->n)
                (void)settings_set(&completion->settings, row, words->items[*at + 1].text,
                                   &problem);
            (*at)++;
        }
        (*at)++;
    }
    problem_fini(&problem);
}

/* The row that the last of the words behind the command fills, if it is no option. */
static const struct param_row *next_word_row(const struct args *args,
                                             const struct word *words, size_t n)
{
    const struct command *command = args->command;
    size_t n_words = 0;

    for (size_t i = 0; i + 1 < n; i++) {
        if (words[i].text[0] != '-' || words[i].size == 1)
            n_words++;
        else if (open_option(args, &words[i]))
            i++;
    }
    for (unsigned i = 0; i < command->n_params; i++) {
        if (!command->params[i].is_word)
            continue;
        if (n_words == 0 || args_is_list(&command->params[i]))
            return &command->params[i];
        n_words--;
    }
    return NULL;
}

/* "--type=str": the values of that option. */
static void complete_equals(struct completion *completion, const struct args *args)
{
    const char *equals = strchr(completion->typed, '=');
    size_t size = (size_t)(equals - completion->typed);
    bool is_negated;
    const struct param_row *row =
        args_find_option(args, completion->typed + 2, size - 2, &is_negated);
    char *before = memory_need(strndup(completion->typed, size + 1));

    completion->before = before;
    completion->typed = equals + 1;
    if (row)
        offer_values(completion, row);
    free(before);
}

static void complete_arguments(struct completion *completion, const struct args *args,
                               const struct word *words, size_t n)
{
    const struct param_row *row = n >= 2 ? open_option(args, &words[n - 2]) : NULL;

    if (row) {
        offer_values(completion, row);
    } else if (strncmp(completion->typed, "--", 2) == 0 &&
               strchr(completion->typed, '=')) {
        complete_equals(completion, args);
    } else if (completion->typed[0] == '-') {
        offer_options(completion, args->command, NULL);
        for (size_t i = 0; i < ARGS_BORROWED; i++)
            offer_options(completion, args->borrowed[i], args->command);
        offer_settings(completion, args);
    } else {
        row = next_word_row(args, words, n);
        if (row && strcmp(row->name, "command") == 0)
            offer_commands(completion);
        else if (row)
            offer_values(completion, row);
    }
}

static void complete_words(struct completion *completion, const struct words *words)
{
    size_t at = 1; /* behind the name of the program */

    skip_settings(completion, words, &at);
    if (at >= words->n) { /* the value of a setting is being typed */
        const struct param_row *row =
            settings_find_letter(words->items[words->n - 2].text[1]);

        if (words->items[words->n - 2].text[1] == '-')
            row = settings_find(words->items[words->n - 2].text + 2,
                                words->items[words->n - 2].size - 2);
        if (row)
            offer_values(completion, row);
        return;
    }
    const struct word *name = &words->items[at];

    if (at + 1 == words->n) {
        if (name->text[0] == '-')
            offer_settings(completion, NULL);
        else
            offer_commands(completion);
        return;
    }
    const struct verb *verb = verbs_find(name->text);
    struct args args = {.command =
                            verb ? &verb->command : table_find(name->text, name->size)};

    verbs_borrow(verb, args.borrowed);
    if (args.command)
        complete_arguments(completion, &args, name + 1, words->n - at - 1);
}

int complete_line(const char *line)
{
    struct words words = {0};
    struct completion completion = {.before = ""};

    settings_init(&completion.settings);
    completion.settings.timeout = daemon_seconds;
    words_split_typed(&words, line, strlen(line));
    if (words.n >= 2) {
        completion.typed = words.items[words.n - 1].text;
        complete_words(&completion, &words);
    }
    settings_fini(&completion.settings);
    words_fini(&words);
    return fflush(stdout) == 0 ? STATUS_OK : STATUS_SYSTEM;
}
