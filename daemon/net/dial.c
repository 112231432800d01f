/* SPDX-License-Identifier: MIT */
/*
 * dial.c - look-ups of both ends, then the connector.
 *
 * Called by tunnel_link.c; calls the resolver and the connector. Thread: the sock's home.
 */
#include <config.h>
#include "daemon/net/dial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/net/connector.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/sock.h"

/* The addresses of one end. */
struct lookup {
    struct resolve resolve; /* first: the resolver hands this back */
    struct dial *dial;
    const struct dial_end *end;
    struct sockaddr_storage *addresses; /* room for RESOLVER_MAX_ADDRESSES */
    unsigned n;
};

/* Owner: itself, until `done`. */
struct dial {
    struct dial **place;
    struct sock *sock;
    const struct dial_plan *plan;
    dial_done *done;
    void *arg;
    struct lookup remote, local;
    unsigned n_lookups; /* under way */
    struct timer limit; /* of the look-ups; the connector has its own */
    struct sockaddr_storage locals[RESOLVER_MAX_ADDRESSES];
    struct connector_plan connector;
};

void dial_plan_text(const struct dial_plan *plan, char text[DIAL_TEXT_SIZE])
{
    const struct dial_end *remote = &plan->remote;
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
    resolve_cancel(&dial->remote.resolve);
    resolve_cancel(&dial->local.resolve);
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

/* What to bind, by family: the first address of the local host in each, or any with a
 * port. */
static void plan_locals(struct dial *dial)
{
    struct connector_plan *connector = &dial->connector;
    const struct dial_end *local = &dial->plan->local;

    connector->is_local_host = local->has_host;
    for (unsigned i = 0; i < dial->local.n; i++) {
        struct sockaddr_storage *place =
            &connector->locals[dial->local.addresses[i].ss_family == AF_INET6];
        if (place->ss_family == 0) {
            *place = dial->local.addresses[i];
        }
    }
    if (!local->has_host && local->port != 0) {
        (void)endpoint_any(&connector->locals[0], false, local->port);
        (void)endpoint_any(&connector->locals[1], true, local->port);
    }
}

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
        connector->n_remotes = dial->remote.n; /* looked up into connector->remotes */
        plan_locals(dial);
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

static void add_address(struct lookup *lookup, const struct sockaddr_storage *address)
{
    const struct dial_plan *plan = lookup->dial->plan;
    struct sockaddr_storage *place = &lookup->addresses[lookup->n++];

    *place = *address;
    endpoint_set_port(place, lookup->end->port);
    if (lookup->end == &plan->remote && plan->has_scope) {
        endpoint_set_scope(place, plan->scope_id);
    }
}

static void looked_up(struct resolve *resolve, const struct resolve_answer *answer,
                      const struct error *error)
{
    struct lookup *lookup = (struct lookup *)resolve;
    struct dial *dial = lookup->dial;

    if (error != NULL) {
        finish(dial, error);
        return;
    }
    for (unsigned i = 0; i < answer->n; i++) {
        add_address(lookup, &answer->addresses[i]);
    }
    if (--dial->n_lookups == 0) {
        connect_sock(dial);
    }
}

static void look_up(struct dial *dial, struct lookup *lookup, const struct dial_end *end,
                    struct sockaddr_storage *addresses)
{
    struct sockaddr_storage address;
    struct resolve_plan plan = {.name = end->name,
                                .family = end->family,
                                .mode = RESOLVE_BY_DNS | RESOLVE_BY_CLIB,
                                .uid = dial->plan->who.uid};

    lookup->dial = dial;
    lookup->end = end;
    lookup->addresses = addresses;
    if (!end->has_host) {
        return;
    }
    if (end->name == NULL) {
        (void)endpoint_from_ip(&address, &end->ip, 0);
        add_address(lookup, &address);
        return;
    }
    dial->n_lookups++;
    resolve_start(&lookup->resolve, &plan, -1, looked_up);
}

void dial_start(struct dial **place, struct sock *sock, const struct dial_plan *plan,
                dial_done *done, void *arg)
{
    struct dial *dial = MEM_NEW(struct dial);

    CHECK_HOME(sock);
    *place = dial;
    dial->place = place;
    dial->sock = sock;
    dial->plan = plan;
    dial->done = done;
    dial->arg = arg;
    look_up(dial, &dial->local, &plan->local, dial->locals);
    look_up(dial, &dial->remote, &plan->remote, dial->connector.remotes);
    if (dial->n_lookups == 0) {
        connect_sock(dial);
    } else if (plan->timeout >= 0) {
        timer_start(&dial->limit, sock->loop, plan->timeout, time_is_up, dial);
    }
}
