/* SPDX-License-Identifier: MIT */
/*
 * problem.c - what went wrong, as one line for people, one JSON text for programs, one
 * exit status.
 *
 * Called by all of client/.
 */
#include <config.h>
#include "client/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/columns.h"
#include "client/draft.h"
#include "client/memory.h"

enum {
    CODE_INVALID_PARAMS = -32602,
    CODE_METHOD_NOT_FOUND = -32601,
    CODE_OWN_FIRST = -32000, /* codes of the daemon's own, downwards from here */
    CODE_OWN_LAST = -32099,
};

static bool set(struct problem *problem, int status, char *line, json_t *json)
{
    problem_fini(problem);
    problem->status = status;
    problem->line = line;
    problem->json = json;
    return false;
}

bool problem_usage(struct problem *problem, const char *format, ...)
{
    char *line = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&line, format, args) < 0)
        line = NULL;
    va_end(args);
    return set(problem, STATUS_USAGE, memory_need(line), NULL);
}

bool problem_system(struct problem *problem, int errnum, const char *format, ...)
{
    char *what = NULL;
    struct draft line = {0};
    va_list args;

    va_start(args, format);
    if (vasprintf(&what, format, args) < 0)
        what = NULL;
    va_end(args);
    draft_add_string(&line, memory_need(what));
    free(what);
    if (errnum)
        draft_printf(&line, ": %s", strerror(errnum));
    return set(problem, STATUS_SYSTEM, draft_take(&line), NULL);
}

void problem_prefix(struct problem *problem, const char *format, ...)
{
    char *prefix = NULL;
    struct draft line = {0};
    va_list args;

    va_start(args, format);
    if (vasprintf(&prefix, format, args) < 0)
        prefix = NULL;
    va_end(args);
    draft_add_string(&line, memory_need(prefix));
    draft_add_string(&line, problem->line ? problem->line : "failed");
    free(prefix);
    free(problem->line);
    problem->line = draft_take(&line);
}

int problem_status(json_int_t code)
{
    if (code <= CODE_OWN_FIRST && code >= CODE_OWN_LAST)
        return STATUS_ERROR + (int)(CODE_OWN_FIRST - code);
    if (code == CODE_INVALID_PARAMS || code == CODE_METHOD_NOT_FOUND)
        return STATUS_USAGE;
    return STATUS_PROTOCOL;
}

/* Adds ", NAME VALUE" for a member of the error's data, if it is there. */
static void add_detail(struct draft *line, const json_t *data, const char *name,
                       const char *label)
{
    const json_t *value = json_object_get(data, name);
    char *shown = value ? columns_cell_text(value) : NULL;

    if (shown && *shown)
        draft_printf(line, "; %s%s%s", label, *label ? " " : "", shown);
    free(shown);
}

bool problem_reply(struct problem *problem, const char *method, json_t *error)
{
    const json_t *data = json_object_get(error, "data");
    const char *identifier = json_string_value(json_object_get(data, "identifier"));
    const char *message = json_string_value(json_object_get(error, "message"));
    struct draft line = {0};

    if (method)
        draft_printf(&line, "%s: ", method);
    if (identifier)
        draft_printf(&line, "%s: ", identifier);
    if (message) {
        char *shown = columns_visible(message, strlen(message));

        draft_add_string(&line, shown);
        free(shown);
    } else {
        draft_add_string(&line, "the daemon gave no message");
    }
    /* Details that the message does not hold already. */
    static const char *const details[][2] = {
        {"parameter", "parameter"}, {"wanted", "wanted:"}, {"reason", "reason:"},
        {"rule", "rule"},           {"limit", "limit"},    {"errno", ""},
    };
    for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++) {
        const char *value = json_string_value(json_object_get(data, details[i][0]));

        /* The identifier says the same as errno, but for "unknown". */
        bool is_told = value && message && strstr(message, value);
        bool is_double = strcmp(details[i][0], "errno") == 0 && identifier &&
                         strcmp(identifier, "unknown") != 0;

        if (!is_told && !is_double)
            add_detail(&line, data, details[i][0], details[i][1]);
    }
    return set(problem,
               problem_status(json_integer_value(json_object_get(error, "code"))),
               draft_take(&line), error);
}

json_t *problem_object(const struct problem *problem)
{
    if (problem->json)
        return json_incref(problem->json);
    /* Made on this side: no code of the wire is right but that for wrong parameters. */
    json_t *object = json_object();
    json_t *message = json_string(problem->line ? problem->line : "");

    memory_need(object);
    if (problem->status == STATUS_USAGE)
        (void)json_object_set_new(object, "code", json_integer(CODE_INVALID_PARAMS));
    /* A line that quotes bytes of the command line need not be UTF-8. */
    (void)json_object_set_new(object, "message",
                              message ? message : json_string("see standard error"));
    return object;
}

int problem_report(const struct problem *problem, bool as_json)
{
    /* Results printed before must not appear behind the error on a terminal. */
    (void)fflush(stdout);
    (void)fprintf(stderr, "sockctl: %s\n", problem->line ? problem->line : "failed");
    if (as_json) {
        json_t *whole = json_pack("{s:o}", "error", problem_object(problem));
        char *text = memory_need(json_dumps(memory_need(whole), JSON_COMPACT));

        (void)puts(text); /* a failure to write shows when standard output is closed */
        free(text);
        json_decref(whole);
    }
    return problem->status;
}

void problem_fini(struct problem *problem)
{
    free(problem->line);
    json_decref(problem->json);
    *problem = (struct problem){0};
}
