/* SPDX-License-Identifier: MIT */
/*
 * verb_tunnel.c - tunnel: a tunnel from one place to another, for as long as the program
 * runs.
 *
 * Run by run.c; calls make-tunnel and holds the connection, with which the tunnel ends.
 */
#include <config.h>
#include "client/verbs.h"

#include <stdio.h>
#include <string.h>

#include "client/args.h"
#include "client/memory.h"
#include "client/problem.h"
#include "client/run.h"
#include "client/session.h"
#include "client/stream_verbs.h"
#include "client/tls_verbs.h"
#include "proto/error.h"
#include "proto/place.h"

static const struct param_row rows[] = {
    VERB_WORD("listen", VALUE_STRING, true,
              "where to listen: PORT, HOST:PORT, [IPV6]:PORT, or the file name of a "
              "socket, with a / in it"),
    VERB_WORD("connect", VALUE_STRINGS, true,
              "where to connect to, in the same form; of several the first that takes "
              "the connection"),
    VERB_OPTION("tls", VALUE_BOOL, NULL, "false",
                "those who connect speak TLS; the options of it want this"),
    VERB_OPTION("tls-connect", VALUE_BOOL, NULL, "false", "speak TLS to the targets"),
    VERB_OPTION("tls-ca", VALUE_FILE, "file", NULL,
                "authorities that the targets must have a certificate of; those of the "
                "system if absent; with --tls-connect"),
    VERB_OPTION("tls-server-name", VALUE_STRING, NULL, NULL,
                "name that the certificate of the targets must be for, instead of their "
                "host; with --tls-connect"),
    VERB_OPTION("tls-own-certificate", VALUE_FILE, "file", NULL,
                "PEM file, certificate and key, to show to the targets; with "
                "--tls-connect"),
    VERB_OPTION("tls-no-verify", VALUE_BOOL, NULL, "false",
                "take any certificate of the targets; with --tls-connect"),
};

/* Options above, and the parameters of a context that they are. */
static const struct {
    const char *option, *parameter;
} target_options[] = {
    {"tls-ca", "ca-file"},
    {"tls-server-name", "server-name"},
    {"tls-own-certificate", "certificate"},
};

/* The place as parameters of make-socket. New reference; NULL: *problem. */
static json_t *read_place(const char *text, bool is_listener, struct problem *problem)
{
    bool is_relative = strchr(text, '/') && *text != '/' && strncmp(text, "unix:", 5);
    json_t *path = is_relative ? memory_need(stream_verbs_file_name(text)) : NULL;
    struct error error;

    if (path)
        text = json_string_value(path);
    json_t *place = place_read(text, strlen(text), is_listener, &error);

    json_decref(path);
    if (!place)
        (void)problem_usage(problem, "tunnel: %s", error.message);
    return place;
}

static bool set_places(json_t *params, const json_t *words, struct problem *problem)
{
    json_t *listen =
        read_place(json_string_value(json_object_get(words, "listen")), true, problem);
    json_t *targets = memory_need(json_array()), *word;
    bool is_good = listen != NULL;
    size_t i;

    json_array_foreach(json_object_get(words, "connect"), i, word)
    {
        json_t *place =
            is_good ? read_place(json_string_value(word), false, problem) : NULL;
        is_good = place != NULL;
        if (place)
            (void)json_array_append_new(targets, place);
    }
    if (listen)
        (void)json_object_set_new(params, "listen", listen);
    (void)json_object_set_new(params, "connect", targets);
    return is_good;
}

/* The context that the targets are spoken to with, if that is wanted. False: *problem. */
static bool add_client_context(struct session *session, json_t *params,
                               const json_t *words, struct problem *problem)
{
    json_t *own = memory_need(json_object()), *made = NULL;
    bool is_wanted = json_is_true(json_object_get(words, "tls-connect"));

    for (size_t i = 0; i < sizeof(target_options) / sizeof(target_options[0]); i++) {
        json_t *value = json_object_get(words, target_options[i].option);
        if (value)
            (void)json_object_set(own, target_options[i].parameter, value);
    }
    if (json_is_true(json_object_get(words, "tls-no-verify")))
        (void)json_object_set_new(own, "verify", json_false());
    if (is_wanted)
        made = session_call_json(session, "make-ssl-client-context", own, problem);
    else if (json_object_size(own) > 0)
        (void)problem_usage(problem, "tunnel: an option of the targets wants "
                                     "--tls-connect");
    if (made)
        (void)json_object_set(params, "client-context", json_object_get(made, "context"));
    bool is_good = made != NULL || (!is_wanted && json_object_size(own) == 0);
    json_decref(made);
    json_decref(own);
    return is_good;
}

static int run_tunnel(struct context *context, struct args *args, struct problem *problem)
{
    json_t *params = args->borrowed_params[0];
    struct session *session = tls_verbs_take_options(args, false, problem) &&
                                      set_places(params, args->params, problem)
                                  ? run_new_session(context, problem)
                                  : NULL;
    json_t *made = session &&
                           tls_verbs_listen(session, args, "server-context", problem) &&
                           add_client_context(session, params, args->params, problem)
                       ? session_call_json(session, "make-tunnel", params, problem)
                       : NULL;

    if (made) {
        stream_verbs_tell("listening at", "local", json_object_get(made, "listener"));
        (void)session_hold(session, problem);
    }
    json_decref(made);
    session_close(session);
    return problem->status;
}

const struct verb verb_tunnel = {
    .command = {.name = "tunnel",
                .summary = "relay each connection to LISTEN to one of its own to CONNECT",
                .text =
                    "Makes a tunnel and keeps it until standard input ends, when that is "
                    "a terminal, a pipe or a socket, or until a signal comes; then its "
                    "connections end, too. A line on standard error tells where it "
                    "listens. For tunnels that stay write sections [tunnel NAME] into "
                    "the configuration of the daemon, see sockd.conf(5).\n\n"
                    "With --tls and --certificate those who connect have to speak TLS, "
                    "as with serve; --tls-connect has TLS spoken to the targets.",
                VERB_ROWS(rows)},
    .borrows = {"make-tunnel", "make-ssl-server-context"},
    .run = run_tunnel,
};
