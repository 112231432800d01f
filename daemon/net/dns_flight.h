/* SPDX-License-Identifier: MIT */
/*
 * dns_flight.h - a question on its way: from server to server, try after try, until one
 * of them answers.
 *
 * Whoever asks what is under way already, in the same manner, waits for the same answer:
 * it is asked once. A question that nobody waits for any more is dropped.
 *
 * Thread: the resolver thread.
 */
#ifndef SOCKD_NET_DNS_FLIGHT_H
#define SOCKD_NET_DNS_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>
#include "daemon/net/dns_config.h"

struct dns_answer;
struct dns_flight;
struct dns_name;
struct dns_server;

/* What came of a question. */
enum dns_outcome {
    DNS_ANSWERED,      /* a server has responded, if only with an error */
    DNS_LATE,          /* no response in time */
    DNS_UNREACHABLE,   /* no server could be reached */
    DNS_MALFORMED,     /* nothing but responses that make no sense */
    DNS_NO_NAMESERVER, /* none is known */
    DNS_LOOP,          /* the name is an alias of an alias, without end */
};

/* Whom to ask, and how often. */
struct dns_way {
    struct dns_server *servers[DNS_SERVERS_MAX];
    unsigned n_servers;
    unsigned repeat;     /* times that each server is asked, if it does not answer */
    unsigned timeout_ms; /* of each time */
    bool is_shared; /* with others who ask the same in the same way; not for servers of
                       one's own */
};

/* One who waits. Embedded by the asker; all zero is one who does not. */
struct dns_wait {
    struct dns_wait *next, **link;
    struct dns_flight *flight; /* NULL: idle */
    /* `answer` is the asker's to hold while it wants it; NULL unless DNS_ANSWERED. */
    void (*done)(struct dns_wait *wait, enum dns_outcome outcome,
                 struct dns_answer *answer);
};

/* Asks; `done` runs later, never before this returns. There is one server at least. */
void dns_flight_join(struct dns_wait *wait, const struct dns_name *name, uint16_t type,
                     const struct dns_way *way,
                     void (*done)(struct dns_wait *wait, enum dns_outcome outcome,
                                  struct dns_answer *answer));
/* `done` will not run any more. No-op when idle. */
void dns_wait_stop(struct dns_wait *wait);

/* From now on nobody joins those that are under way: the servers have changed. */
void dns_flights_unshare(void);
/* Questions that are on their way. */
unsigned dns_flights(void);

#endif
