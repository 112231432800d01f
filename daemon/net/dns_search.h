/* SPDX-License-Identifier: MIT */
/*
 * dns_search.h - a look-up: one or two types of one name, and the names of a search list
 * when there is none of it.
 *
 * Thread: the resolver thread.
 */
#ifndef SOCKD_NET_DNS_SEARCH_H
#define SOCKD_NET_DNS_SEARCH_H

#include <stdbool.h>
#include <stdint.h>
#include "daemon/net/dns_question.h"

struct suffixes;

enum { DNS_SEARCH_TYPES = 2 };

/* What came of one type. */
struct dns_result {
    enum dns_outcome outcome;
    struct dns_answer *answer; /* held; NULL unless DNS_ANSWERED */
    uint32_t ttl;
};

/* What is looked up. */
struct dns_search_plan {
    struct dns_name name;
    bool is_absolute; /* the name was written with a dot at its end: no suffixes */
    uint16_t types[DNS_SEARCH_TYPES];
    unsigned n_types;
    bool has_search;           /* names without a dot are tried in domains, too: */
    struct suffixes *suffixes; /* these; NULL: those configured. Borrowed at the start */
    struct dns_how how;
};

/* Owner: whoever embeds it. All zero is an idle one. */
struct dns_search {
    struct dns_question questions[DNS_SEARCH_TYPES];
    struct dns_name name;
    unsigned n_types, n_pending;
    uint16_t types[DNS_SEARCH_TYPES];
    struct dns_how how;
    struct sockaddr_storage servers[DNS_SERVERS_MAX]; /* of `how` */
    struct suffixes *suffixes;                        /* held; NULL: none */
    unsigned n_tried;                                 /* of the suffixes */
    struct timer patience; /* for the other type, when one has been found */
    struct dns_result results[DNS_SEARCH_TYPES];
    bool has_first;
    struct dns_result first[DNS_SEARCH_TYPES]; /* of the name as it is */
    void (*done)(struct dns_search *search);
};

/* Of `name` and what `how` points to copies are kept. `done` runs later, never before
 * this returns; the results are valid until dns_search_stop(). */
void dns_search_start(struct dns_search *search, const struct dns_search_plan *plan,
                      void (*done)(struct dns_search *search));
/* Gives everything back; `done` will not run any more. No-op when idle. */
void dns_search_stop(struct dns_search *search);

#endif
