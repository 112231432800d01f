/* SPDX-License-Identifier: MIT */
/*
 * dns_question.h - one question: by what is known already, by the cache, by a name
 * server, along the aliases.
 *
 * Thread: the resolver thread.
 */
#ifndef SOCKD_NET_DNS_QUESTION_H
#define SOCKD_NET_DNS_QUESTION_H

#include <stdbool.h>
#include <stdint.h>
#include "daemon/base/loop.h"
#include "daemon/net/dns_flight.h"
#include "daemon/net/dns_name.h"

/* How it is asked. */
struct dns_how {
    const struct sockaddr_storage *servers; /* to ask instead of the configured ones */
    unsigned n_servers;                     /* 0: the configured ones */
    unsigned repeat;                        /* 0: as configured for look-ups */
    unsigned timeout_ms;                    /* 0: as configured for look-ups */
    bool is_direct; /* past the cache, both ways; so it is with servers of one's own */
    bool is_fresh;  /* not from the cache, but into it */
    bool is_whole;  /* the response as it is: no alias is followed */
};

/* Owner: whoever embeds it. All zero is an idle one. */
struct dns_question {
    struct dns_wait wait; /* first: the flight hands this back */
    struct later later;
    void *asker;                  /* whose it is, for `done` */
    bool is_asked;                /* between start and done */
    struct dns_name name, target; /* asked for; at the end of the aliases so far */
    uint16_t type;
    struct dns_how how;
    struct dns_server *own_servers[DNS_SERVERS_MAX]; /* held */
    uint64_t generation;
    unsigned n_links;
    uint32_t link_ttl;
    /* What came of it, for `done`. */
    enum dns_outcome outcome;
    struct dns_answer *answer; /* held; NULL unless DNS_ANSWERED */
    uint32_t ttl;              /* seconds that it is good for */
    void (*done)(struct dns_question *question);
};

/* `done` runs later, never before this returns; it may start the question anew. */
void dns_question_start(struct dns_question *question, const struct dns_name *name,
                        uint16_t type, const struct dns_how *how,
                        void (*done)(struct dns_question *question));
/* Gives everything back; `done` will not run any more. No-op when idle. */
void dns_question_stop(struct dns_question *question);

#endif
