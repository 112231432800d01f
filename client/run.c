/* SPDX-License-Identifier: MIT */
/*
 * run.c - one command line from its words to its exit status.
 *
 * Knows no command of the daemon by name, but for the two that lead into a raw stream:
 * the library has a function of its own for each of them.
 */
#include <config.h>
#include "client/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/args.h"
#include "client/columns.h"
#include "client/draft.h"
#include "client/help.h"
#include "client/memory.h"
#include "client/output.h"
#include "client/problem.h"
#include "client/relay.h"
#include "client/remote.h"
#include "client/session.h"
#include "client/verbs.h"
#include "client/words.h"

enum {
    /* Of standard input in one call. As base64 it fits well into one message. */
    PIECE_SIZE = 512 * 1024,
};

/* ---- Connections
 * -------------------------------------------------------------------------- */

struct session *run_session(struct context *context, struct problem *problem)
{
    if (!context->session) {
        context->session = session_open(&context->settings, problem);
        if (context->session && context->has_prompt)
            session_cancel_on_interrupt(context->session);
    }
    return context->session;
}

struct session *run_new_session(struct context *context, struct problem *problem)
{
    return session_open(&context->settings, problem);
}

/* ---- Output
 * ------------------------------------------------------------------------------- */

bool run_flush(struct problem *problem)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    return problem_system(problem, errno, "standard output");
}

bool run_print_json(const char *text, struct problem *problem)
{
    (void)puts(text); /* run_flush() sees a failure */
    return run_flush(problem);
}

/* Is `name` a kind of handle, such as "socket"? Members of such a name tell of an object.
 */
static bool is_handle_kind(const char *name)
{
    for (unsigned i = 0; i < PARAM_COUNT; i++) {
        const struct param_row *row = table_param((enum param_id)i);

        if (row->type == VALUE_HANDLE && row->spec && strcmp(row->spec, name) == 0)
            return true;
    }
    return false;
}

const json_t *run_handle_of(const json_t *result)
{
    for (unsigned i = 0; i < PARAM_COUNT; i++) {
        const struct param_row *row = table_param((enum param_id)i);
        const json_t *value = row->type == VALUE_HANDLE && row->spec
                                  ? json_object_get(result, row->spec)
                                  : NULL;

        if (json_is_integer(value))
            return value;
    }
    return NULL;
}

struct new_handle {
    const json_t *result, *params;
    const char *kind; /* NULL: none found */
    json_int_t handle;
};

static void look_for_handle(const struct result_row *row, void *state)
{
    struct new_handle *found = state;
    const json_t *value = json_object_get(found->result, row->name);

    if (row->type == VALUE_HANDLE && json_is_integer(value) &&
        is_handle_kind(row->name) &&
        json_integer_value(value) !=
            json_integer_value(json_object_get(found->params, row->name))) {
        found->kind = row->name;
        found->handle = json_integer_value(value);
    }
}

/* A new object ends with this program, which is not what most people expect. */
static void tell_of_new_handle(const struct context *context,
                               const struct command *command, const json_t *params,
                               const json_t *result)
{
    struct new_handle found = {.result = result, .params = params};

    if (context->is_shell || context->settings.is_held ||
        json_object_get(params, "lease"))
        return;
    output_each_row(command->results, command->n_results, look_for_handle, &found);
    if (found.kind)
        (void)fprintf(
            stderr,
            "sockctl: note: %s %lld belongs to this control connection and ends with it "
            "now; keep it with --hold, or work on it within \"sockctl shell\"\n",
            found.kind, (long long)found.handle);
}

static int print_result(struct context *context, const struct command *command,
                        const json_t *params, const char *text, struct problem *problem)
{
    json_t *result = session_parse(text, problem);
    int status = STATUS_OK;

    if (!result)
        return problem->status;
    json_decref(context->last);
    context->last = result;
    if (context->is_quiet)
        return STATUS_OK;
    if (context->settings.is_json) {
        (void)puts(text); /* run_flush() sees a failure */
        status = STATUS_OK;
    } else if (json_is_null(result)) {
        status = STATUS_END;
    } else {
        FILE *notes = context->settings.is_verbose ||
                              (isatty(STDERR_FILENO) && isatty(STDOUT_FILENO))
                          ? stderr
                          : NULL;

        status = output_result(stdout, notes, command, result);
    }
    if (!run_flush(problem))
        return problem->status;
    tell_of_new_handle(context, command, params, result);
    return status;
}

int run_call(struct context *context, const struct command *command, const json_t *params,
             struct problem *problem)
{
    struct session *session = run_session(context, problem);
    char *text = NULL;

    if (!session || !session_call(session, command->name, params, &text, problem))
        return problem->status;
    int status = print_result(context, command, params, text, problem);

    free(text);
    if (context->settings.is_held && !context->is_shell && !problem->status &&
        !session_hold(session, problem))
        return problem->status;
    return status;
}

/* ---- Standard input
 * ----------------------------------------------------------------------- */

static bool may_read_input(struct context *context, struct problem *problem)
{
    return !context->input_is_script ||
           problem_usage(problem,
                         "standard input holds the commands, so it can't supply data");
}

/* Up to `size` bytes, less at the end only. -1: *problem. */
static ssize_t read_piece(char *buffer, size_t size, struct problem *problem)
{
    size_t taken = 0;

    while (taken < size) {
        ssize_t n = read(STDIN_FILENO, buffer + taken, size - taken);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            (void)problem_system(problem, errno, "standard input");
            return -1;
        }
        if (n == 0)
            break;
        taken += (size_t)n;
    }
    return (ssize_t)taken;
}

char *run_read_input(struct context *context, size_t *size, struct problem *problem)
{
    struct draft input = {0};
    char *buffer = memory_new(PIECE_SIZE);
    ssize_t n = may_read_input(context, problem) ? PIECE_SIZE : -1;

    while (n == PIECE_SIZE) {
        n = read_piece(buffer, PIECE_SIZE, problem);
        if (n > 0)
            draft_add(&input, buffer, (size_t)n);
    }
    free(buffer);
    *size = input.size;
    if (n >= 0)
        return draft_take(&input);
    draft_fini(&input);
    return NULL;
}

/* Text in base64 usually comes with line feeds, which the protocol does not take. */
static size_t without_line_feeds(char *text, size_t size)
{
    size_t kept = 0;

    for (size_t i = 0; i < size; i++)
        if (text[i] != '\n' && text[i] != '\r')
            text[kept++] = text[i];
    return kept;
}

static int call_with_input(struct context *context, struct args *args,
                           struct problem *problem)
{
    size_t size;
    char *input = run_read_input(context, &size, problem);
    const char *encoding = json_string_value(json_object_get(args->params, "encoding"));

    if (!input)
        return problem->status;
    if (encoding && strcmp(encoding, "base64") == 0)
        size = without_line_feeds(input, size);
    bool ok = args_set_data(args, args->input, input, size, problem);

    free(input);
    return ok ? run_call(context, args->command, args->params, problem) : problem->status;
}

/* Adds the numbers of the result before to those of this one. */
static void add_numbers(const struct command *command, json_t *sum, const json_t *result)
{
    for (unsigned i = 0; i < command->n_results; i++) {
        const char *name = command->results[i].name;
        json_int_t before = json_integer_value(json_object_get(sum, name));

        if (command->results[i].type == VALUE_INT)
            (void)json_object_set_new(
                sum, name,
                json_integer(before + json_integer_value(json_object_get(result, name))));
    }
}

/* What there is to read, once there is something; 0 at the end. -1: *problem. */
static ssize_t read_some(char *buffer, size_t size, struct problem *problem)
{
    ssize_t n;

    do
        n = read(STDIN_FILENO, buffer, size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        (void)problem_system(problem, errno, "standard input");
    return n;
}

/* Sends one piece and adds what the answer says to *sum. */
static bool call_with_piece(struct session *session, struct args *args, const char *bytes,
                            size_t size, json_t *sum, struct problem *problem)
{
    /* Each piece decides for itself how it is written. */
    (void)json_object_del(args->params, "encoding");
    if (!args_set_data(args, args->input, bytes, size, problem))
        return false;
    json_t *result =
        session_call_json(session, args->command->name, args->params, problem);

    if (result)
        add_numbers(args->command, sum, result);
    json_decref(result);
    return result != NULL;
}

/* One call for each piece, so that input of any size, and without end, can be sent. */
static int call_in_pieces(struct context *context, struct args *args,
                          struct problem *problem)
{
    struct session *session =
        may_read_input(context, problem) ? run_session(context, problem) : NULL;
    char *buffer = memory_new(PIECE_SIZE);
    json_t *sum = memory_need(json_object());
    bool is_first = true;
    bool ok = session != NULL;

    while (ok) {
        ssize_t n = read_some(buffer, PIECE_SIZE, problem);

        if (n < 0 || (n == 0 && !is_first))
            break;
        ok = call_with_piece(session, args, buffer, (size_t)n, sum, problem);
        is_first = false;
    }
    free(buffer);
    char *text = memory_need(json_dumps(sum, JSON_COMPACT));
    int status = problem->status
                     ? problem->status
                     : print_result(context, args->command, args->params, text, problem);

    free(text);
    json_decref(sum);
    return status;
}

/* ---- Raw streams
 * -------------------------------------------------------------------------- */

void run_init_relay(const struct context *context, struct relay *relay)
{
    *relay = (struct relay){.in = STDIN_FILENO,
                            .out = STDOUT_FILENO,
                            .sends = !context->input_is_script,
                            /* Nobody types on when the peer is gone. */
                            .until = isatty(STDIN_FILENO) ? RELAY_PEER : RELAY_BOTH};
}

static bool becomes_stream(const struct args *args)
{
    return (args->command->flags & COMMAND_STREAMS) ||
           json_is_true(json_object_get(args->params, "attach"));
}

/* The connection becomes the stream: within the shell that is one of its own. */
static int run_stream(struct context *context, struct args *args, struct problem *problem)
{
    struct session *session = context->is_shell ? run_new_session(context, problem)
                                                : run_session(context, problem);
    json_int_t socket = json_integer_value(json_object_get(args->params, "socket"));
    const json_t *timeout = json_object_get(args->params, "timeout");
    const char *detach = json_string_value(json_object_get(args->params, "detach"));
    struct relay relay;
    int fd = -1;

    if (!session)
        return problem->status;
    if (args->command->id == COMMAND_ATTACH)
        fd = session_attach(session, socket, detach && strcmp(detach, "keep") == 0,
                            problem);
    else if (args->command->id == COMMAND_ACCEPT_CONNECTION)
        fd = session_accept(session, socket, timeout ? json_number_value(timeout) : -1,
                            NULL, problem);
    else
        (void)problem_usage(problem, "this sockctl can't take part in the stream of %s",
                            args->command->name);
    run_init_relay(context, &relay);
    bool ok = fd >= 0 && relay_run(&relay, fd, problem);

    if (context->is_shell)
        session_close(session);
    return ok ? STATUS_OK : problem->status;
}

/* ---- Command lines
 * ------------------------------------------------------------------------ */

static int run_parsed(struct context *context, struct args *args, struct problem *problem)
{
    if (becomes_stream(args))
        return run_stream(context, args, problem);
    if (!args->input)
        return run_call(context, args->command, args->params, problem);
    if (!args->is_input_asked && isatty(STDIN_FILENO)) {
        (void)problem_usage(
            problem, "%s: %s is missing; give it, or - to type it to standard input",
            args->command->name, args->input->name);
        return problem->status;
    }
    if ((args->command->flags & COMMAND_PIECES) &&
        !json_object_get(args->params, "encoding"))
        return call_in_pieces(context, args, problem);
    return call_with_input(context, args, problem);
}

static int run_found(struct context *context, const struct command *command,
                     const struct verb *verb, const struct word *words, size_t n,
                     struct problem *problem)
{
    struct args args = {.command = command, .letters = verb ? verb->letters : NULL};
    int status = STATUS_OK;

    verbs_borrow(verb, args.borrowed);

    if (!args_parse(&args, &context->settings, words, n, problem))
        status = problem->status;
    else if (context->settings.wants_help)
        help_command(stdout, command, args.borrowed);
    else if (verb && !args_check_words(&args, problem))
        status = problem->status;
    else
        status = verb ? verb->run(context, &args, problem)
                      : run_parsed(context, &args, problem);
    args_fini(&args);
    if (status == STATUS_OK && !run_flush(problem))
        status = problem->status;
    return status;
}

/* What kept the daemon from being asked stands in *problem. */
static void unknown_command(const char *name, struct problem *problem)
{
    char *shown = columns_visible(name, strlen(name));
    char *why = problem->line;

    problem->line = NULL;
    (void)problem_usage(
        problem,
        "there is no command \"%s\" here, and no daemon to ask for it (%s); see "
        "\"sockctl help\"",
        shown, why);
    free(shown);
    free(why);
}

/* The command of that name, be it of the table, a verb, or known to the daemon only. */
static int run_command(struct context *context, const struct word *words, size_t n,
                       struct problem *problem)
{
    const char *name = words[0].text;
    const struct command *command = table_find(name, words[0].size);
    const struct verb *verb = command ? NULL : verbs_find(name);
    struct remote remote = {0};

    if (verb)
        command = &verb->command;
    if (!command) {
        struct session *session = run_session(context, problem);

        if (!session)
            unknown_command(name, problem);
        else if (remote_find(&remote, session, name, problem))
            command = &remote.command;
    }
    int status = command ? run_found(context, command, verb, words + 1, n - 1, problem)
                         : problem->status;

    remote_fini(&remote);
    return status;
}

/* There is no command among the words. */
static int run_settings(const struct settings *settings, struct problem *problem)
{
    if (settings->wants_version)
        (void)puts("sockctl " PACKAGE_VERSION);
    else if (settings->wants_help)
        help_overview(stdout);
    else
        (void)problem_usage(problem, "a command is missing; see \"sockctl help\"");
    if (!problem->status)
        (void)run_flush(problem);
    return problem->status;
}

int run_words(struct context *context, const struct word *words, size_t n,
              struct problem *problem)
{
    struct settings before;
    size_t n_taken = 0;
    int status;

    /* Options hold for this line only. */
    settings_copy(&before, &context->settings);
    if (!args_settings(&context->settings, words, n, &n_taken, problem))
        status = problem->status;
    else if (n_taken == n || context->settings.wants_version)
        status = run_settings(&context->settings, problem);
    else
        status = run_command(context, words + n_taken, n - n_taken, problem);
    context->reports_json = context->settings.is_json;
    settings_fini(&context->settings);
    context->settings = before;
    return status;
}
