/* SPDX-License-Identifier: MIT */
/*
 * verb_connect.c - connect: make a socket, attach to it, and copy standard input and
 * output.
 *
 * Run by run.c; calls make-socket and attach on a control connection of its own, which
 * thereby becomes the byte stream of the socket.
 */
#include <config.h>
#include "client/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/args.h"
#include "client/columns.h"
#include "client/memory.h"
#include "client/problem.h"
#include "client/relay.h"
#include "client/run.h"
#include "client/session.h"
#include "client/stream_verbs.h"
#include "client/tls_verbs.h"

static const struct param_row rows[] = {
    VERB_WORD("host", VALUE_STRING, true,
              "host to connect to: a name or an address. Without PORT: the file name of "
              "a socket"),
    VERB_WORD("port", VALUE_PORT, false,
              "port to connect to: a number or the name of a service"),
    TLS_VERB_OPTION,
    STREAM_VERB_OPTIONS,
};

/* Puts HOST and PORT, or the file name, into the parameters of make-socket. */
static bool set_destination(json_t *params, const json_t *words, struct problem *problem)
{
    json_t *host = json_object_get(words, "host");
    json_t *port = json_object_get(words, "port");

    if (!port && !strchr(json_string_value(host), '/'))
        return problem_usage(
            problem, "connect: PORT is missing (\"%s\" is no file name: that needs a /)",
            json_string_value(host));
    if (port) {
        (void)json_object_set(params, "remote-host", host);
        (void)json_object_set(params, "remote-port", port);
    } else {
        (void)json_object_set_new(params, "address-family", json_string("file"));
        (void)json_object_set_new(params, "remote-filename",
                                  stream_verbs_file_name(json_string_value(host)));
    }
    return true;
}

/* Speaks TLS, if that was asked for. */
static bool secure(struct context *context, struct session *session, struct args *args,
                   json_int_t socket, struct problem *problem)
{
    json_t *description;

    if (!json_is_true(json_object_get(args->params, "tls")))
        return true;
    description = tls_verbs_connect(session, args, socket, problem);
    if (description && context->settings.is_verbose)
        tls_verbs_tell(description);
    json_decref(description);
    return description != NULL;
}

static int run_connect(struct context *context, struct args *args,
                       struct problem *problem)
{
    json_t *params = args->borrowed_params[0];
    struct session *session = tls_verbs_take_options(args, true, problem) &&
                                      set_destination(params, args->params, problem)
                                  ? run_new_session(context, problem)
                                  : NULL;
    json_t *made =
        session ? session_call_json(session, "make-socket", params, problem) : NULL;
    struct relay relay;

    if (made) {
        json_int_t socket = json_integer_value(json_object_get(made, "socket"));

        if (context->settings.is_verbose)
            stream_verbs_tell("connected to", "remote", made);
        stream_verbs_init_relay(context, args->params, &relay);
        if (secure(context, session, args, socket, problem))
            (void)stream_verbs_copy(context, session, socket, &relay, problem);
    }
    json_decref(made);
    session_close(session);
    return problem->status;
}

const struct verb verb_connect = {
    .command = {.name = "connect",
                .summary = "connect to HOST PORT and copy standard input and output",
                .text = "Makes a socket and copies standard input to it and what it "
                        "receives to standard "
                        "output, bytes as they are. The end of the input ends this "
                        "direction only, and "
                        "the peer can still answer; the end of what the peer sends does "
                        "not keep the rest "
                        "of the input from being sent. --until chooses otherwise.\n\n"
                        "With --tls the handshake comes first, and a server whose "
                        "certificate is not good for HOST is an error.",
                VERB_ROWS(rows)},
    .borrows = {"make-socket", "make-ssl-client-stream"},
    .run = run_connect,
};
