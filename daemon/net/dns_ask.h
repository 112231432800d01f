/* SPDX-License-Identifier: MIT */
/*
 * dns_ask.h - a worker asks the resolver thread for the addresses of a name, or for the
 * name of an address.
 *
 * Thread: a struct dns_ask is touched by the loop that started it.
 */
#ifndef SOCKD_NET_DNS_ASK_H
#define SOCKD_NET_DNS_ASK_H

#include <stdbool.h>
#include <sys/types.h>
#include "daemon/net/dns_search.h"
#include "proto/error.h"

struct ask_job;

/* What is asked. */
struct dns_ask_plan {
    struct dns_search_plan search; /* without servers of one's own */
    bool asks_servers;
    bool asks_hosts; /* the file of hosts, after the servers */
    uid_t uid;       /* in whose quota it counts */
};

/* Embedded by the asker; all zero is an idle one. */
struct dns_ask {
    struct ask_job *job; /* NULL: idle */
    /* The results, as many as there were types, are valid during the call only. Names
     * that mean something by themselves are answered without asking anybody. */
    void (*done)(struct dns_ask *ask, const struct dns_result *results);
};

/* `done` runs later in the running loop, never before this returns. False: the user has
 * too many look-ups under way already (*error). */
bool dns_ask_start(struct dns_ask *ask, const struct dns_ask_plan *plan,
                   void (*done)(struct dns_ask *ask, const struct dns_result *results),
                   struct error *error);
/* `done` will not run any more, and the question is dropped. No-op when idle. */
void dns_ask_cancel(struct dns_ask *ask);

/* On the resolver thread, at its end: what is under way is dropped. */
void dns_ask_end(void);

#endif
