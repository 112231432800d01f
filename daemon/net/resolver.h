/* SPDX-License-Identifier: MIT */
/*
 * resolver.h - host names to addresses and back, service names to ports; never blocks a
 * loop.
 *
 * Names go through the C library (getaddrinfo, getnameinfo) in a job thread, so
 * /etc/hosts and nsswitch.conf count. A look-up that is given up is forgotten here while
 * its job ends by itself.
 *
 * Thread: a struct resolve is touched by the loop that started it.
 */
#ifndef SOCKD_NET_RESOLVER_H
#define SOCKD_NET_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "daemon/base/loop.h"
#include "proto/error.h"

struct resolve_job;

enum { RESOLVER_MAX_ADDRESSES = 32 };

enum resolve_family { RESOLVE_ANY, RESOLVE_V4, RESOLVE_V6 };

struct resolve_answer {
    struct sockaddr_storage
        addresses[RESOLVER_MAX_ADDRESSES]; /* port 0, best first (RFC 6724) */
    unsigned n;
    char *name; /* resolve_name_start(): the host name; NULL: the address has none */
};

/* One look-up. Embedded by the asker; all zero is an idle one. */
struct resolve {
    struct resolve_job *job; /* NULL: idle */
    struct timer timer;
    /* `answer` is valid during the call only; NULL when `error` is set. */
    void (*done)(struct resolve *resolve, const struct resolve_answer *answer,
                 const struct error *error);
};

typedef void resolve_done(struct resolve *resolve, const struct resolve_answer *answer,
                          const struct error *error);

/* Addresses of `name`; `done` runs later in the running loop, never before this returns.
 * `timeout` in seconds, negative: none. Errors: host-not-found, dns-failure, timeout. */
void resolve_start(struct resolve *resolve, const char *name, enum resolve_family family,
                   double timeout, resolve_done *done);
/* The name of an address. No name is an answer, not an error. */
void resolve_name_start(struct resolve *resolve, const struct sockaddr *address,
                        socklen_t size, double timeout, resolve_done *done);
/* `done` will not run any more. No-op when idle. */
void resolve_cancel(struct resolve *resolve);

/* Port of a service in the services file under "tcp" or "udp". False: *error. */
bool resolve_port(const char *service, const char *protocol, uint16_t *port,
                  struct error *error);

#endif
