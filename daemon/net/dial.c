/* SPDX-License-Identifier: MIT */
/*
 * dial.c - look-ups of both ends, then the connector.
 *
 * Called by tunnel_link.c; calls the resolver and the connector. Thread: the sock's home.
 */
#include <config.h>
#include "daemon/net/dial.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/net/connector.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/sock.h"

/* Owner: itself, until `done`. */
struct dial {
    struct dial **place;
    struct sock *sock;
    const struct dial_plan *plan;
    dial_done *done;
    void *arg;
    struct ends ends;
    struct timer limit; /* of the look-ups; the connector has its own */
    struct sockaddr_storage locals[RESOLVER_MAX_ADDRESSES];
    struct connector_plan connector;
};

void dial_plan_text(const struct dial_plan *plan, char text[DIAL_TEXT_SIZE])
{
    const struct end *remote = &plan->remote;
    struct sockaddr_storage address;
    char place[ENDPOINT_TEXT_SIZE];

    if (plan->path != NULL) {
        (void)snprintf(text, DIAL_TEXT_SIZE, "%s", plan->path);
    } else if (remote->name != NULL) {
        (void)snprintf(text, DIAL_TEXT_SIZE, "%s:%u", remote->name, remote->port);
    } else {
        (void)endpoint_from_ip(&address, &remote->ip, remote->port);
        endpoint_text(&address, place);
        (void)snprintf(text, DIAL_TEXT_SIZE, "%s", place);
    }
}

static void free_dial(struct dial *dial)
{
    timer_stop(&dial->limit);
    ends_cancel(&dial->ends);
    *dial->place = NULL;
    free(dial);
}

void dial_stop(struct dial *dial)
{
    if (dial != NULL) {
        connector_stop(dial->sock);
        free_dial(dial);
    }
}

static void finish(struct dial *dial, const struct error *error)
{
    dial_done *done = dial->done;
    void *arg = dial->arg;
    struct error told;

    if (error != NULL) {
        told = *error;
    } else if (dial->plan->path != NULL) {
        dial->sock->remote_filename = mem_copy_text(dial->plan->path);
    }
    free_dial(dial);
    done(arg, error != NULL ? &told : NULL);
}

/* ---- The connection ---- */

static void connected(void *arg, const struct error *error) { finish(arg, error); }

/* All addresses are known. */
static void connect_sock(struct dial *dial)
{
    struct connector_plan *connector = &dial->connector;
    const struct dial_plan *plan = dial->plan;

    timer_stop(&dial->limit);
    if (plan->path != NULL) {
        CHECK(endpoint_from_path(&connector->remotes[0], plan->path));
        connector->n_remotes = 1;
    } else {
        connector->n_remotes =
            dial->ends.remote.n; /* looked up into connector->remotes */
        ends_plan_locals(&dial->ends, &plan->local, connector);
    }
    memcpy(connector->settings, plan->settings, sizeof connector->settings);
    connector->n_settings = plan->n_settings;
    connector->md5_key = plan->md5_key.text;
    connector->md5_size = (unsigned)plan->md5_key.size;
    connector->timeout = plan->timeout;
    connector->who = plan->who;
    connector_start(dial->sock, connector, connected, dial);
}

/* ---- Names ---- */

static void time_is_up(void *arg)
{
    struct error error;

    (void)error_set(&error, ERROR_CONNECTION_TIMED_OUT,
                    "the name was not found in the time for the connection");
    finish(arg, &error);
}

static void looked_up(struct ends *ends, const struct error *error)
{
    struct dial *dial =
        (struct dial *)(void *)((char *)ends - offsetof(struct dial, ends));

    if (error != NULL) {
        finish(dial, error);
    } else {
        connect_sock(dial);
    }
}

void dial_start(struct dial **place, struct sock *sock, const struct dial_plan *plan,
                dial_done *done, void *arg)
{
    struct dial *dial = MEM_NEW(struct dial);
    struct resolve_plan how = {.mode = RESOLVE_BY_DNS | RESOLVE_BY_CLIB,
                               .uid = plan->who.uid};

    CHECK_HOME(sock);
    *place = dial;
    dial->place = place;
    dial->sock = sock;
    dial->plan = plan;
    dial->done = done;
    dial->arg = arg;
    dial->ends.local.addresses = dial->locals;
    dial->ends.remote.addresses = dial->connector.remotes;
    dial->ends.remote.has_scope = plan->has_scope;
    dial->ends.remote.scope_id = plan->scope_id;
    if (ends_look_up(&dial->ends, &plan->local, &plan->remote, &how, looked_up)) {
        connect_sock(dial);
    } else if (plan->timeout >= 0) {
        timer_start(&dial->limit, sock->loop, plan->timeout, time_is_up, dial);
    }
}
