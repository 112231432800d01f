/* SPDX-License-Identifier: MIT */
/*
 * dns_cache.c - a hash table of answers, whose entries also stand in the order of their
 * use.
 *
 * Called by dns_question.c; calls dns_answer.c. Thread: the resolver thread.
 *
 * Names come from strangers. The hash is keyed with random bytes and no chain grows
 * beyond a few entries, so that nobody can make the table slow.
 */
#include <config.h>
#include "daemon/net/dns_cache.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "daemon/base/check.h"
#include "daemon/net/dns_answer.h"

enum {
    BUCKET_BYTES = 512, /* one bucket for so many bytes of the limit */
    CHAIN_MAX = 16,
    ANY_TYPE = 0, /* place of "the name does not exist" */
};

/* Owner: the cache. */
struct entry {
    struct entry *chain, **chain_link; /* of the same bucket */
    struct entry *newer, *older;       /* by use */
    struct dns_answer *answer;
    uint64_t expires_ms;
    uint64_t hash;
    size_t n_bytes;
    uint16_t type;
    uint8_t name_size;
    uint8_t name[]; /* in lower case */
};

struct dns_cache {
    struct entry **buckets;
    size_t n_buckets; /* a power of two */
    struct entry *newest, *oldest;
    size_t n_entries, n_bytes, max_bytes;
    uint64_t key[2];
};

struct dns_cache *dns_cache_new(size_t max_bytes)
{
    struct dns_cache *cache = MEM_NEW(struct dns_cache);

    cache->max_bytes = max_bytes;
    cache->n_buckets = 16;
    while (cache->n_buckets < max_bytes / BUCKET_BYTES) {
        cache->n_buckets *= 2;
    }
    cache->buckets = mem_new(cache->n_buckets * sizeof cache->buckets[0]);
    CHECK(getrandom(cache->key, sizeof cache->key, 0) == (ssize_t)sizeof cache->key);
    return cache;
}

void dns_cache_free(struct dns_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    dns_cache_clear(cache);
    free(cache->buckets);
    free(cache);
}

size_t dns_cache_n_entries(const struct dns_cache *cache) { return cache->n_entries; }

size_t dns_cache_n_bytes(const struct dns_cache *cache) { return cache->n_bytes; }

/* ---- Places ---- */

static uint64_t hash_of(const struct dns_cache *cache, const struct dns_name *name,
                        uint16_t type)
{
    uint64_t hash = cache->key[0] ^ ((uint64_t)type << 8 | name->size);

    for (unsigned at = 0; at < name->size; at += 8) {
        uint64_t word = 0;
        unsigned n = name->size - at < 8 ? name->size - at : 8u;
        memcpy(&word, name->wire + at, n);
        hash = (hash ^ word) * (cache->key[1] | 1);
        hash ^= hash >> 32;
    }
    hash *= 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static struct entry **bucket_of(const struct dns_cache *cache, uint64_t hash)
{
    return &cache->buckets[hash & (cache->n_buckets - 1)];
}

static struct entry *find(const struct dns_cache *cache, const struct dns_name *lower,
                          uint16_t type)
{
    uint64_t hash = hash_of(cache, lower, type);
    struct entry *entry = *bucket_of(cache, hash);

    while (entry != NULL && (entry->hash != hash || entry->type != type ||
                             entry->name_size != lower->size ||
                             memcmp(entry->name, lower->wire, lower->size) != 0)) {
        entry = entry->chain;
    }
    return entry;
}

/* ---- The order of use ---- */

static void take_out(struct dns_cache *cache, struct entry *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void put_first(struct dns_cache *cache, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void forget(struct dns_cache *cache, struct entry *entry)
{
    take_out(cache, entry);
    *entry->chain_link = entry->chain;
    if (entry->chain != NULL) {
        entry->chain->chain_link = entry->chain_link;
    }
    cache->n_entries--;
    cache->n_bytes -= entry->n_bytes;
    dns_answer_release(entry->answer);
    free(entry);
}

void dns_cache_clear(struct dns_cache *cache)
{
    while (cache->oldest != NULL) {
        forget(cache, cache->oldest);
    }
}

/* ---- Use ---- */

static struct entry *find_fresh(struct dns_cache *cache, const struct dns_name *lower,
                                uint16_t type, uint64_t now_ms)
{
    struct entry *entry = find(cache, lower, type);

    if (entry != NULL && entry->expires_ms <= now_ms) {
        forget(cache, entry);
        return NULL;
    }
    return entry;
}

struct dns_answer *dns_cache_find(struct dns_cache *cache, const struct dns_name *name,
                                  uint16_t type, uint64_t now_ms, uint32_t *ttl)
{
    struct dns_name lower = *name;

    dns_name_lower(&lower);
    struct entry *entry = find_fresh(cache, &lower, type, now_ms);
    if (entry == NULL) {
        entry = find_fresh(cache, &lower, ANY_TYPE, now_ms);
    }
    if (entry == NULL) {
        return NULL;
    }
    take_out(cache, entry);
    put_first(cache, entry);
    *ttl = (uint32_t)((entry->expires_ms - now_ms + 999) / 1000);
    return entry->answer;
}

static void insert(struct dns_cache *cache, struct entry *entry)
{
    struct entry **bucket = bucket_of(cache, entry->hash);
    struct entry *last = *bucket;

    for (unsigned n = 1; last != NULL && n < CHAIN_MAX; n++) {
        last = last->chain;
    }
    if (last != NULL) {
        forget(cache, last);
    }
    entry->chain = *bucket;
    entry->chain_link = bucket;
    if (*bucket != NULL) {
        (*bucket)->chain_link = &entry->chain;
    }
    *bucket = entry;
    put_first(cache, entry);
    cache->n_entries++;
    cache->n_bytes += entry->n_bytes;
    while (cache->n_bytes > cache->max_bytes) {
        forget(cache, cache->oldest);
    }
}

void dns_cache_put(struct dns_cache *cache, const struct dns_name *name, uint16_t type,
                   struct dns_answer *answer, uint32_t ttl, uint64_t now_ms)
{
    struct dns_name lower = *name;

    dns_name_lower(&lower);
    struct entry *was = find(cache, &lower, type);
    if (was != NULL) {
        forget(cache, was);
    }
    /* What is known of the name as a whole is renewed or refuted by any answer. */
    was = find(cache, &lower, ANY_TYPE);
    if (was != NULL) {
        forget(cache, was);
    }
    if (ttl == 0) {
        return;
    }
    /* With an alias the name does exist; it is its target that does not. */
    bool is_nowhere = answer->rcode == DNS_RCODE_NO_SUCH_DOMAIN && answer->n_links == 0 &&
                      dns_answer_is_about(answer, name);
    struct entry *entry = mem_new(sizeof *entry + lower.size);

    entry->type = is_nowhere ? (uint16_t)ANY_TYPE : type;
    entry->hash = hash_of(cache, &lower, entry->type);
    entry->name_size = lower.size;
    memcpy(entry->name, lower.wire, lower.size);
    entry->answer = dns_answer_hold(answer);
    entry->expires_ms = now_ms + (uint64_t)ttl * 1000;
    entry->n_bytes = sizeof *entry + lower.size + dns_answer_n_bytes(answer);
    insert(cache, entry);
}
