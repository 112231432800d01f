/* SPDX-License-Identifier: MIT */
/*
 * name_cache.h - look-ups that were done, for whoever looks the same up again: answered
 * on the spot, by every worker.
 *
 * It holds finished look-ups of hosts (all their addresses, best first) and the names of
 * addresses. What name servers said in detail is in dns_cache.h.
 *
 * Thread: any. Bounded. Its locks (`name cache`, one for each part of the table) are
 * leaves: they are held for a copy of some bytes, and nothing is called meanwhile.
 */
#ifndef SOCKD_NET_NAME_CACHE_H
#define SOCKD_NET_NAME_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/value.h"

enum {
    NAME_CACHE_KEY_MAX = 512,
    NAME_CACHE_TEXT_SIZE = 256, /* of a host name, with NUL */
};

/* A look-up as bytes: what was asked, and in which way. */
struct name_key {
    size_t size;
    uint8_t bytes[NAME_CACHE_KEY_MAX];
};
/* `way`: whatever else the answer depends on. False: the name is too long to be kept. */
bool name_key_host(struct name_key *key, const char *name, unsigned way);
void name_key_address(struct name_key *key, const struct value_ip *ip);

/* Changes with name_cache_clear(); asked before a look-up begins. */
uint64_t name_cache_generation(void);
/* Whoever began before this keeps nothing. */
void name_cache_clear(void);

/* Number of addresses, at most `room`; 0: unknown. */
unsigned name_cache_find(const struct name_key *key, uint64_t now_ms,
                         struct value_ip *addresses, unsigned room);
void name_cache_put(const struct name_key *key, uint64_t generation,
                    const struct value_ip *addresses, unsigned n, double seconds,
                    uint64_t now_ms);
/* False: unknown. `name` "": it is known to have none. */
bool name_cache_find_name(const struct name_key *key, uint64_t now_ms,
                          char name[NAME_CACHE_TEXT_SIZE]);
/* `name` NULL: it has none. Longer ones are not kept. */
void name_cache_put_name(const struct name_key *key, uint64_t generation,
                         const char *name, double seconds, uint64_t now_ms);

#endif
