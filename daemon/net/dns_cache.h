/* SPDX-License-Identifier: MIT */
/*
 * dns_cache.h - answers of name servers, kept as long as they say themselves.
 *
 * Bounded by bytes: what was not used for longest goes first. Negative answers are kept
 * as RFC 2308 says; that a name does not exist at all answers for every type.
 *
 * Thread: that of its owner (the resolver thread).
 */
#ifndef SOCKD_NET_DNS_CACHE_H
#define SOCKD_NET_DNS_CACHE_H

#include <stddef.h>
#include <stdint.h>

struct dns_answer;
struct dns_cache;
struct dns_name;

struct dns_cache *dns_cache_new(size_t max_bytes);
void dns_cache_free(struct dns_cache *cache);

/* Borrowed until the next call; *ttl is what is left of its time in seconds, 1 at least.
 * NULL: unknown, or its time is over. */
struct dns_answer *dns_cache_find(struct dns_cache *cache, const struct dns_name *name,
                                  uint16_t type, uint64_t now_ms, uint32_t *ttl);
/* Keeps the answer (holds it) for `ttl` seconds, in the place of what there was; 0: only
 * forgets that. */
void dns_cache_put(struct dns_cache *cache, const struct dns_name *name, uint16_t type,
                   struct dns_answer *answer, uint32_t ttl, uint64_t now_ms);
void dns_cache_clear(struct dns_cache *cache);

size_t dns_cache_n_entries(const struct dns_cache *cache);
size_t dns_cache_n_bytes(const struct dns_cache *cache);

#endif
