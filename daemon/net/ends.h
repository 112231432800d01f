/* SPDX-License-Identifier: MIT */
/*
 * ends.h - the addresses of both ends of an Internet socket, looked up side by side.
 *
 * Called by whoever makes sockets: make-socket and dial.c. Thread: the loop that began.
 */
#ifndef SOCKD_NET_ENDS_H
#define SOCKD_NET_ENDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "daemon/net/resolver.h"
#include "proto/error.h"
#include "proto/value.h"

struct connector_plan;

/* One of them, as it was asked for. */
struct end {
    bool has_host;
    const char *name; /* to be looked up; NULL: `ip` is the address */
    struct value_ip ip;
    enum resolve_family family; /* of the look-up */
    bool has_port;
    uint16_t port;
};

/* One of them, as it was found. */
struct end_lookup {
    struct resolve resolve; /* first: the resolver hands this back */
    struct ends *ends;
    uint16_t port;
    bool has_scope; /* which takes the place of that of the address */
    uint32_t scope_id;
    struct sockaddr_storage *addresses; /* room for RESOLVER_MAX_ADDRESSES; with port */
    unsigned n;
};

/* Embedded by the asker, who says where the addresses go; all zero otherwise. */
struct ends {
    struct end_lookup local, remote;
    unsigned n_lookups; /* under way */
    void (*done)(struct ends *ends, const struct error *error);
};

/* Looks up both; `how` says in which way, but for name and family. True: all is known on
 * the spot. Else `done` runs later, when all is, or with the first error; the rest is
 * then left to ends_cancel(). */
bool ends_look_up(struct ends *ends, const struct end *local, const struct end *remote,
                  const struct resolve_plan *how,
                  void (*done)(struct ends *ends, const struct error *error));
/* `done` will not run any more. */
void ends_cancel(struct ends *ends);

/* Says the connector what to bind, by family: the first address of the local host in
 * each, or any with a port. */
void ends_plan_locals(const struct ends *ends, const struct end *local,
                      struct connector_plan *connector);

#endif
