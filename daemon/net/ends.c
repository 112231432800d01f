/* SPDX-License-Identifier: MIT */
/*
 * ends.c - two look-ups, and what they found.
 *
 * Called by make-socket and dial.c; calls the resolver. Thread: the loop that began.
 */
#include <config.h>
#include "daemon/net/ends.h"

#include "daemon/net/connector.h"
#include "daemon/net/endpoint.h"

static void add_address(struct end_lookup *lookup, const struct sockaddr_storage *address)
{
    struct sockaddr_storage *place = &lookup->addresses[lookup->n++];

    *place = *address;
    endpoint_set_port(place, lookup->port);
    if (lookup->has_scope) {
        endpoint_set_scope(place, lookup->scope_id);
    }
}

static void looked_up(struct resolve *resolve, const struct resolve_answer *answer,
                      const struct error *error)
{
    struct end_lookup *lookup = (struct end_lookup *)resolve;
    struct ends *ends = lookup->ends;

    if (error != NULL) {
        ends->done(ends, error);
        return;
    }
    for (unsigned i = 0; i < answer->n; i++) {
        add_address(lookup, &answer->addresses[i]);
    }
    if (--ends->n_lookups == 0) {
        ends->done(ends, NULL);
    }
}

static void look_up(struct ends *ends, struct end_lookup *lookup, const struct end *end,
                    const struct resolve_plan *how)
{
    struct sockaddr_storage address;

    lookup->ends = ends;
    lookup->port = end->port;
    if (!end->has_host) {
        return;
    }
    if (end->name == NULL) {
        (void)endpoint_from_ip(&address, &end->ip, 0);
        add_address(lookup, &address);
        return;
    }
    struct resolve_plan plan = *how;

    plan.name = end->name;
    plan.family = end->family;
    ends->n_lookups++;
    resolve_start(&lookup->resolve, &plan, -1, looked_up);
}

bool ends_look_up(struct ends *ends, const struct end *local, const struct end *remote,
                  const struct resolve_plan *how,
                  void (*done)(struct ends *ends, const struct error *error))
{
    ends->done = done;
    look_up(ends, &ends->local, local, how);
    look_up(ends, &ends->remote, remote, how);
    return ends->n_lookups == 0;
}

void ends_cancel(struct ends *ends)
{
    resolve_cancel(&ends->local.resolve);
    resolve_cancel(&ends->remote.resolve);
}

void ends_plan_locals(const struct ends *ends, const struct end *local,
                      struct connector_plan *connector)
{
    connector->is_local_host = local->has_host;
    for (unsigned i = 0; i < ends->local.n; i++) {
        const struct sockaddr_storage *address = &ends->local.addresses[i];
        struct sockaddr_storage *place =
            &connector->locals[address->ss_family == AF_INET6];
        if (place->ss_family == 0) {
            *place = *address;
        }
    }
    if (!local->has_host && local->port != 0) {
        (void)endpoint_any(&connector->locals[0], false, local->port);
        (void)endpoint_any(&connector->locals[1], true, local->port);
    }
}
