/* SPDX-License-Identifier: MIT */
/*
 * verb_call.c - call: any method, with its parameters as JSON.
 *
 * Run by run.c. For methods and parameters that this build does not know, and for scripts
 * that have JSON already.
 */
#include <config.h>
#include "client/verbs.h"

#include <stdlib.h>
#include <string.h>

#include "client/args.h"
#include "client/memory.h"
#include "client/problem.h"
#include "client/run.h"
#include "client/session.h"

/* The parameters: the word, standard input for "-", else none. New reference; NULL:
 * *problem. */
static json_t *read_params(struct context *context, const json_t *given,
                           struct problem *problem)
{
    const char *text = given ? json_string_value(given) : "{}";
    char *input = NULL;
    json_error_t error;
    size_t size = strlen(text);

    if (strcmp(text, "-") == 0) {
        input = run_read_input(context, &size, problem);
        if (!input)
            return NULL;
        text = input;
    }
    json_t *params =
        json_loadb(text, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);

    if (!params)
        (void)problem_usage(problem, "call: PARAMS is not JSON: %s (column %d)",
                            error.text, error.column);
    free(input);
    return params;
}

static int run_call_verb(struct context *context, struct args *args,
                         struct problem *problem)
{
    const char *method = json_string_value(json_object_get(args->params, "method"));
    json_t *params =
        read_params(context, json_object_get(args->params, "params"), problem);
    struct session *session = params ? run_session(context, problem) : NULL;
    char *text = NULL;

    if (session && session_call(session, method, params, &text, problem)) {
        json_decref(context->last);
        context->last = session_parse(text, problem);
        if (!problem->status && !context->is_quiet)
            (void)run_print_json(text, problem);
    }
    free(text);
    json_decref(params);
    if (!problem->status && context->settings.is_held && !context->is_shell)
        (void)session_hold(session, problem);
    return problem->status;
}

static const struct param_row rows[] = {
    VERB_WORD("method", VALUE_STRING, true, "name of the method"),
    VERB_WORD(
        "params", VALUE_STRING, false,
        "its parameters, a JSON object; - reads it from standard input. Absent: none"),
};

const struct verb verb_call = {
    .command =
        {.name = "call",
         .summary = "call a method with parameters as JSON",
         .text = "Sends the parameters as they are and prints the result as one line of "
                 "JSON.",
         VERB_ROWS(rows)},
    .run = run_call_verb,
};
