/* SPDX-License-Identifier: MIT */
/*
 * dns.h - what the resolver thread knows: the configuration, the name servers, the cache.
 *
 * There is one of it in the daemon. dns_question.h asks with it; others reach it by
 * dns_ask.h, or by a request that goes to the resolver thread.
 *
 * Thread: the resolver thread.
 */
#ifndef SOCKD_NET_DNS_H
#define SOCKD_NET_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "daemon/net/dns_config.h"
#include "daemon/net/dns_flight.h"

struct dns_cache;
struct dns_server;

struct dns_plan {
    /* The system's files; the texts live as long as the thread. */
    const char *resolv_conf, *hosts;
    size_t cache_size; /* bytes */
};

void dns_open(const struct dns_plan *plan);
/* Ends every question: nobody waits any more. */
void dns_close(void);

/* The configuration in force. Looks at the system's file first, when that is due. */
const struct dns_config *dns_config_in_force(void);
/* The next look at it sees the system's file as it is then, for those who want to know.
 */
void dns_config_distrust(void);
/* Puts another one in its place, which is taken over. What was asked before is finished
 * as it was begun, but not remembered. */
void dns_configure(struct dns_config *config);
/* Reads the system's file, now. */
void dns_configure_auto(void);
/* Grows with each change. */
uint64_t dns_generation(void);

/* The configured servers; belongs to the thread. */
struct dns_server *const *dns_servers(unsigned *n);
struct dns_cache *dns_cache_in_use(void);

#endif
