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
#include "proto/error.h"
#include "proto/place.h"

static const struct param_row rows[] = {
    VERB_WORD("listen", VALUE_STRING, true,
              "where to listen: PORT, HOST:PORT, [IPV6]:PORT, or the file name of a "
              "socket, with a / in it"),
    VERB_WORD("connect", VALUE_STRINGS, true,
              "where to connect to, in the same form; of several the first that takes "
              "the connection"),
    VERB_OPTION("tls-certificate", VALUE_FILE, "file", NULL,
                "connections that arrive speak TLS: their PEM file, the certificate, its "
                "chain, and the key unless --tls-key has it"),
    VERB_OPTION("tls-key", VALUE_FILE, "file", NULL,
                "PEM file of the key of --tls-certificate"),
    VERB_OPTION("tls-client-ca", VALUE_FILE, "file", NULL,
                "connections that arrive need a certificate, of these authorities"),
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

/* Which of the options above are which parameters of the two contexts. */
static const struct {
    const char *option, *parameter;
    bool is_server;
} tls_options[] = {
    {"tls-certificate", "certificate", true},
    {"tls-key", "key", true},
    {"tls-client-ca", "ca-file", true},
    {"tls-ca", "ca-file", false},
    {"tls-server-name", "server-name", false},
    {"tls-own-certificate", "certificate", false},
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

/* The parameters of a context; new reference. */
static json_t *context_params(const json_t *words, bool is_server)
{
    json_t *params = memory_need(json_object());

    for (size_t i = 0; i < sizeof(tls_options) / sizeof(tls_options[0]); i++) {
        json_t *value = json_object_get(words, tls_options[i].option);
        if (value && tls_options[i].is_server == is_server)
            (void)json_object_set(params, tls_options[i].parameter, value);
    }
    if (is_server && json_object_get(words, "tls-client-ca"))
        (void)json_object_set_new(params, "verify", json_string("required"));
    if (!is_server && json_is_true(json_object_get(words, "tls-no-verify")))
        (void)json_object_set_new(params, "verify", json_false());
    return params;
}

/* Makes one of the contexts, if it is wanted, and puts it into the parameters of the
 * tunnel. False: *problem. */
static bool add_context(struct session *session, json_t *params, const json_t *words,
                        bool is_server, struct problem *problem)
{
    json_t *own = context_params(words, is_server), *made = NULL;
    bool is_wanted = is_server ? json_object_get(words, "tls-certificate") != NULL
                               : json_is_true(json_object_get(words, "tls-connect"));
    bool is_good = true;

    if (is_wanted) {
        made = session_call_json(
            session, is_server ? "make-ssl-server-context" : "make-ssl-client-context",
            own, problem);
        is_good = made != NULL;
        if (made)
            (void)json_object_set(params, is_server ? "server-context" : "client-context",
                                  json_object_get(made, "context"));
    } else if (json_object_size(own) > 0) {
        (void)problem_usage(problem, "tunnel: an option of TLS wants %s",
                            is_server ? "--tls-certificate" : "--tls-connect");
        is_good = false;
    }
    json_decref(made);
    json_decref(own);
    return is_good;
}

static int run_tunnel(struct context *context, struct args *args, struct problem *problem)
{
    json_t *params = args->borrowed_params[0];
    struct session *session = set_places(params, args->params, problem)
                                  ? run_new_session(context, problem)
                                  : NULL;
    bool is_good = session && add_context(session, params, args->params, true, problem) &&
                   add_context(session, params, args->params, false, problem);
    json_t *made =
        is_good ? session_call_json(session, "make-tunnel", params, problem) : NULL;

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
                    "listens. With --tls-certificate those who connect speak TLS, with "
                    "--tls-connect the targets do. For tunnels that stay write sections "
                    "[tunnel NAME] into "
                    "the configuration of the daemon, see sockd.conf(5).",
                VERB_ROWS(rows)},
    .borrows = {"make-tunnel"},
    .run = run_tunnel,
};
