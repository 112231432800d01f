/* SPDX-License-Identifier: MIT */
/*
 * tls_verbs.c - what connect, serve, tunnel and cert have in common about TLS.
 */
#include <config.h>
#include "client/tls_verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/args.h"
#include "client/columns.h"
#include "client/draft.h"
#include "client/memory.h"
#include "client/problem.h"
#include "client/session.h"

/* Options that make-socket has for listeners only, and TLS for every stream. */
static void move_shared(struct args *args)
{
    const char *name;
    json_t *value;
    void *next;

    json_object_foreach_safe(args->borrowed_params[0], next, name, value)
    {
        const struct param_row *row = args_row(args->borrowed[1], name, strlen(name));

        if (row && !row->is_word) {
            (void)json_object_set(args->borrowed_params[1], name, value);
            (void)json_object_del(args->borrowed_params[0], name);
        }
    }
}

bool tls_verbs_take_options(struct args *args, bool is_client, struct problem *problem)
{
    if (is_client)
        move_shared(args);
    if (json_is_true(json_object_get(args->params, "tls")) ||
        json_object_size(args->borrowed_params[1]) == 0)
        return true;
    return problem_usage(
        problem, "%s: --%s is an option of TLS and wants --tls", args->command->name,
        json_object_iter_key(json_object_iter(args->borrowed_params[1])));
}

json_t *tls_verbs_connect(struct session *session, struct args *args, json_int_t socket,
                          struct problem *problem)
{
    json_t *handshake = memory_need(json_pack("{s:I}", "socket", socket));
    json_t *params = args->borrowed_params[1];
    json_t *made, *done = NULL;

    (void)json_object_set_new(params, "socket", json_integer(socket));
    made = session_call_json(session, args->borrowed[1]->name, params, problem);
    if (made)
        done = session_call_json(session, "ssl-do-handshake", handshake, problem);
    json_decref(made);
    json_decref(handshake);
    return done;
}

bool tls_verbs_listen(struct session *session, struct args *args, const char *name,
                      struct problem *problem)
{
    json_t *made;

    if (!json_is_true(json_object_get(args->params, "tls")))
        return true;
    made = session_call_json(session, args->borrowed[1]->name, args->borrowed_params[1],
                             problem);
    if (!made)
        return false;
    (void)json_object_set(args->borrowed_params[0], name,
                          json_object_get(made, "context"));
    json_decref(made);
    return true;
}

static void add(struct draft *text, const char *before, const json_t *value)
{
    char *shown = columns_cell_text(value);

    if (*shown)
        draft_printf(text, "%s%s", before, shown);
    free(shown);
}

char *tls_verbs_facts(const json_t *tls)
{
    struct draft text = {0};
    const char *version = json_string_value(json_object_get(tls, "version"));

    /* "tlsv1.3" is a keyword; people write it differently. */
    if (version && strncmp(version, "tlsv", 4) == 0)
        draft_printf(&text, "TLS %s",
                     strcmp(version, "tlsv1") == 0 ? "1.0" : version + 4);
    else
        draft_add_string(&text, "TLS");
    add(&text, ", ", json_object_get(tls, "cipher"));
    add(&text, ", ", json_object_get(tls, "group"));
    add(&text, ", ALPN ", json_object_get(tls, "alpn"));
    if (json_is_true(json_object_get(tls, "resumed")))
        draft_add_string(&text, ", resumed");
    return draft_take(&text);
}

void tls_verbs_tell(const json_t *description)
{
    const json_t *tls = json_object_get(description, "tls");
    char *facts = tls_verbs_facts(tls);

    if (json_is_object(tls))
        (void)fprintf(stderr, "sockctl: %s, the peer is %s\n", facts,
                      json_is_true(json_object_get(tls, "verified")) ? "verified"
                                                                     : "not verified");
    free(facts);
}
