/* SPDX-License-Identifier: MIT */
/*
 * resolver.h - host names to addresses and back, service names to ports; never blocks a
 * loop.
 *
 * What a name means by itself, or was found a short while ago, is known on the spot. Any
 * other name goes to the name servers on the resolver thread, then to the file of hosts,
 * then to the C library in a job thread, as the mode of the caller says: one after the
 * other, within one time limit. A look-up that is given up is forgotten here while its
 * job ends by itself.
 *
 * Thread: a struct resolve is touched by the loop that started it.
 */
#ifndef SOCKD_NET_RESOLVER_H
#define SOCKD_NET_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include "daemon/base/loop.h"
#include "daemon/net/dns_ask.h"
#include "proto/error.h"
#include "proto/value.h"

struct resolve_job;
struct suffixes;

enum { RESOLVER_MAX_ADDRESSES = 32 };

enum resolve_family { RESOLVE_ANY, RESOLVE_V4, RESOLVE_V6 };

/* The documented *dns-mode*: a set. Name servers are asked first, whatever the order. */
enum resolve_mode { RESOLVE_BY_DNS = 1, RESOLVE_BY_CLIB = 2 };

/* Who looks up what. It is copied; what it points to must live until `done`. */
struct resolve_plan {
    const char *name; /* NULL: the name of `ip` is wanted */
    struct value_ip ip;
    enum resolve_family family;
    unsigned mode;             /* enum resolve_mode */
    struct suffixes *suffixes; /* NULL: those configured */
    bool ignore_cache;         /* ask afresh; what is found is kept */
    uid_t uid;
};

struct resolve_answer {
    struct sockaddr_storage
        addresses[RESOLVER_MAX_ADDRESSES]; /* port 0, best first (RFC 6724) */
    unsigned n;
    const char *name; /* of an address: the host name; NULL: it has none */
};

/* One look-up. Embedded by the asker; all zero is an idle one. */
struct resolve {
    bool is_asked; /* between start and done */
    struct resolve_plan plan;
    uint64_t generation; /* of the cache, when it began */
    double timeout;      /* seconds for what comes after the name servers */
    struct later later;
    struct timer timer;
    struct dns_ask ask;
    struct resolve_job *job; /* NULL: none in a job thread */
    /* `answer` is valid during the call only; NULL when `error` is set. */
    void (*done)(struct resolve *resolve, const struct resolve_answer *answer,
                 const struct error *error);
};

typedef void resolve_done(struct resolve *resolve, const struct resolve_answer *answer,
                          const struct error *error);

/* What is known without asking anybody. False: it must be asked. `name` of the answer,
 * if there is one, points into `text`. */
bool resolve_now(const struct resolve_plan *plan, struct resolve_answer *answer,
                 char text[DNS_TEXT_SIZE]);
/* Addresses of a name, or the name of an address; that it has none is an answer, not an
 * error. `done` runs later in the running loop, never before this returns. `timeout` in
 * seconds, negative: none. Errors: host-not-found, dns-failure, timeout, limit-reached.
 */
void resolve_start(struct resolve *resolve, const struct resolve_plan *plan,
                   double timeout, resolve_done *done);
/* `done` will not run any more. No-op when idle. */
void resolve_cancel(struct resolve *resolve);

/* The name of an address, if it is known without asking anybody. */
bool resolve_known_name(const struct value_ip *ip, char text[DNS_TEXT_SIZE]);

/* Port of a service in the services file under "tcp" or "udp". False: *error. */
bool resolve_port(const char *service, const char *protocol, uint16_t *port,
                  struct error *error);

#endif
