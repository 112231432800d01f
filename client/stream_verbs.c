/* SPDX-License-Identifier: MIT */
/*
 * stream_verbs.c - what connect and serve have in common.
 */
#include <config.h>
#include "client/stream_verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/columns.h"
#include "client/draft.h"
#include "client/memory.h"
#include "client/problem.h"
#include "client/relay.h"
#include "client/run.h"
#include "client/session.h"
#include "proto/error.h"

void stream_verbs_init_relay(const struct context *context, const json_t *params,
                             struct relay *relay)
{
    const char *until = json_string_value(json_object_get(params, "until"));

    run_init_relay(context, relay);
    if (json_is_false(json_object_get(params, "input")))
        relay->sends = false;
    if (until)
        relay->until = strcmp(until, "peer") == 0    ? RELAY_PEER
                       : strcmp(until, "input") == 0 ? RELAY_INPUT
                                                     : RELAY_BOTH;
}

/* A problem that looks like the reply it would have been. */
static bool fail(struct problem *problem, enum error_id id, const char *message)
{
    const struct error_row *row = error_row(id);

    problem_fini(problem);
    return problem_reply(
        problem, NULL,
        memory_need(json_pack("{s:i,s:s,s:{s:s,s:b}}", "code", row->code, "message",
                              message, "data", "identifier", row->identifier, "retryable",
                              row->retryable)));
}

/* Looks how the stream has ended. */
static bool judge_end(const json_t *description, struct problem *problem)
{
    const json_t *runtime = json_object_get(description, "runtime");
    const char *end = json_string_value(json_object_get(runtime, "end"));
    const char *identifier = json_string_value(
        json_object_get(json_object_get(runtime, "last-error"), "identifier"));

    if (!end || strcmp(end, "clean") == 0 || strcmp(end, "closed") == 0)
        return !problem->status;
    enum error_id id = identifier ? error_by_identifier(identifier) : ERROR_NONE;

    if (strcmp(end, "reset") == 0)
        return fail(problem, id != ERROR_NONE ? id : ERROR_CONNECTION_RESET,
                    "the connection broke before its end");
    if (strcmp(end, "truncated") == 0)
        return fail(problem, ERROR_SSL_ERROR,
                    "the stream was cut off: data may be missing");
    return fail(problem, id != ERROR_NONE ? id : ERROR_TIMEOUT,
                "the stream ended too early");
}

/* Nobody can tell how the stream has ended. */
static bool judge_silence(const struct problem *silence, struct problem *problem)
{
    if (silence->status == problem_status(error_row(ERROR_NO_SUCH_SOCKET)->code))
        return fail(problem, ERROR_SOCKET_CLOSED,
                    "the socket was closed from elsewhere: data may be missing");
    return problem_system(problem, 0, "the daemon has gone: data may be missing");
}

bool stream_verbs_copy(struct context *context, struct session *owner, json_int_t socket,
                       struct relay *relay, struct problem *problem)
{
    struct session *session = run_new_session(context, problem);
    int fd = session ? session_attach(session, socket, true, problem) : -1;

    if (fd < 0) {
        session_close(session);
        return false;
    }
    (void)relay_run(relay, fd, problem);
    session_close(session);

    /* Its place is behind that of the raw stream: the answer comes when all that was sent
     * is on its way. What it could fail with shows in the description. */
    struct problem ignored = {0}, silence = {0};
    json_t *params = memory_need(json_pack("{s:I}", "socket", socket));

    (void)session_call(owner, "finish-output", params, NULL, &ignored);
    json_t *description = session_call_json(owner, "describe-socket", params, &silence);
    bool ok =
        description ? judge_end(description, problem) : judge_silence(&silence, problem);

    json_decref(description);
    json_decref(params);
    problem_fini(&ignored);
    problem_fini(&silence);
    return ok;
}

json_t *stream_verbs_file_name(const char *name)
{
    while (strncmp(name, "./", 2) == 0)
        name += 2 + strspn(name + 2, "/");
    char *here = *name == '/' ? NULL : getcwd(NULL, 0);
    json_t *path = here ? json_sprintf("%s/%s", here, name) : json_string(name);

    free(here);
    return path;
}

void stream_verbs_tell(const char *what, const char *end, const json_t *description)
{
    static const struct {
        const char *suffix, *before;
    } parts[] = {{"-host", " "}, {"-port", " port "}, {"-filename", " "}};
    struct draft line = {0};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "%s%s", end, parts[i].suffix);
        char *text = columns_cell_text(json_object_get(description, name));

        if (*text)
            draft_printf(&line, "%s%s", parts[i].before, text);
        free(text);
    }
    (void)fprintf(stderr, "sockctl: %s%s (socket %lld)\n", what,
                  line.size ? line.data : " a peer without a name",
                  (long long)json_integer_value(json_object_get(description, "socket")));
    draft_fini(&line);
}
