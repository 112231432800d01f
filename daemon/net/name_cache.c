/* SPDX-License-Identifier: MIT */
/*
 * name_cache.c - a table of small sets, in parts with a lock each.
 *
 * Called by resolver.c and the description; calls nothing while a lock is held. Thread:
 * any.
 *
 * A set has few places, and the one that was not used for longest is given to the next:
 * so the table needs no list, cannot grow, and names that were chosen to meet in one set
 * push out each other and nobody else.
 */
#include <config.h>
#include "daemon/net/name_cache.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "daemon/base/check.h"

enum { SETS = 512, WAYS = 4, PARTS = 16, VALUE_MAX = 1024 };

struct place {
    uint64_t hash;
    uint64_t expires_ms, used_ms;
    uint16_t key_size, value_size;
    uint8_t *bytes; /* key, then value; NULL: free */
};

static struct {
    pthread_mutex_t locks[PARTS];
    struct place places[SETS][WAYS];
    uint64_t seed;
} table;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic uint64_t generation;

static void set_up(void)
{
    for (unsigned i = 0; i < PARTS; i++) {
        CHECK(pthread_mutex_init(&table.locks[i], NULL) == 0);
    }
    CHECK(getrandom(&table.seed, sizeof table.seed, 0) == (ssize_t)sizeof table.seed);
}

static uint64_t hash_of(const struct name_key *key)
{
    uint64_t hash = table.seed ^ key->size;

    for (size_t at = 0; at < key->size; at += 8) {
        uint64_t word = 0;
        size_t n = key->size - at < 8 ? key->size - at : 8;
        memcpy(&word, key->bytes + at, n);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    return hash;
}

static pthread_mutex_t *lock_of(uint64_t hash) { return &table.locks[hash % PARTS]; }

static struct place *set_of(uint64_t hash) { return table.places[hash % SETS]; }

/* ---- Keys ---- */

enum key_kind { KEY_HOST = 1, KEY_ADDRESS };

bool name_key_host(struct name_key *key, const char *name, unsigned way)
{
    size_t n = 0;

    key->bytes[n++] = KEY_HOST;
    key->bytes[n++] = (uint8_t)way;
    for (; *name != '\0'; name++) {
        if (n == NAME_CACHE_KEY_MAX) {
            return false;
        }
        key->bytes[n++] =
            (uint8_t)(*name >= 'A' && *name <= 'Z' ? *name + ('a' - 'A') : *name);
    }
    key->size = n;
    return true;
}

void name_key_address(struct name_key *key, const struct value_ip *ip)
{
    size_t size = ip->is_ipv6 ? 16 : 4;

    key->bytes[0] = KEY_ADDRESS;
    memcpy(key->bytes + 1, ip->bytes, size);
    memcpy(key->bytes + 1 + size, &ip->scope_id, sizeof ip->scope_id);
    key->size = 1 + size + sizeof ip->scope_id;
}

/* ---- The table ---- */

uint64_t name_cache_generation(void)
{
    return atomic_load_explicit(&generation, memory_order_acquire);
}

static void empty(struct place *place)
{
    free(place->bytes);
    *place = (struct place){0};
}

void name_cache_clear(void)
{
    pthread_once(&once, set_up);
    atomic_fetch_add_explicit(&generation, 1, memory_order_acq_rel);
    for (unsigned part = 0; part < PARTS; part++) {
        pthread_mutex_lock(&table.locks[part]);
        for (unsigned set = part; set < SETS; set += PARTS) {
            for (unsigned way = 0; way < WAYS; way++) {
                empty(&table.places[set][way]);
            }
        }
        pthread_mutex_unlock(&table.locks[part]);
    }
}

/* With the lock held. NULL: it is not there. */
static struct place *find(const struct name_key *key, uint64_t hash)
{
    struct place *set = set_of(hash);

    for (unsigned way = 0; way < WAYS; way++) {
        if (set[way].bytes != NULL && set[way].hash == hash &&
            set[way].key_size == key->size &&
            memcmp(set[way].bytes, key->bytes, key->size) == 0) {
            return &set[way];
        }
    }
    return NULL;
}

/* Copies the value; its size, or -1. */
static ptrdiff_t get(const struct name_key *key, uint64_t now_ms, void *value,
                     size_t room)
{
    ptrdiff_t size = -1;

    pthread_once(&once, set_up);
    uint64_t hash = hash_of(key);
    pthread_mutex_lock(lock_of(hash));
    struct place *place = find(key, hash);
    if (place != NULL && place->expires_ms > now_ms) {
        size_t n = place->value_size < room ? place->value_size : room;
        memcpy(value, place->bytes + place->key_size, n);
        place->used_ms = now_ms;
        size = (ptrdiff_t)n;
    }
    pthread_mutex_unlock(lock_of(hash));
    return size;
}

/* With the lock held: the place of this key, a free one, or the one that is of least use.
 */
static struct place *choose(const struct name_key *key, uint64_t hash)
{
    struct place *set = set_of(hash), *best = find(key, hash);

    if (best != NULL) {
        return best;
    }
    best = set;
    for (unsigned way = 1; way < WAYS && best->bytes != NULL; way++) {
        if (set[way].bytes == NULL || set[way].used_ms < best->used_ms) {
            best = &set[way];
        }
    }
    return best;
}

static void put(const struct name_key *key, uint64_t began, const void *value,
                size_t value_size, double seconds, uint64_t now_ms)
{
    if (value_size > VALUE_MAX || !(seconds > 0)) {
        return;
    }
    pthread_once(&once, set_up);
    uint64_t hash = hash_of(key);
    uint8_t *bytes = mem_new(key->size + value_size), *old = bytes;

    memcpy(bytes, key->bytes, key->size);
    if (value_size > 0) {
        memcpy(bytes + key->size, value, value_size);
    }
    pthread_mutex_lock(lock_of(hash));
    if (began == name_cache_generation()) {
        struct place *place = choose(key, hash);
        old = place->bytes;
        *place = (struct place){
            .hash = hash,
            .expires_ms = now_ms + (uint64_t)(seconds * 1000),
            .used_ms = now_ms,
            .key_size = (uint16_t)key->size,
            .value_size = (uint16_t)value_size,
            .bytes = bytes,
        };
    }
    pthread_mutex_unlock(lock_of(hash));
    free(old);
}

/* ---- Use ---- */

unsigned name_cache_find(const struct name_key *key, uint64_t now_ms,
                         struct value_ip *addresses, unsigned room)
{
    ptrdiff_t size = get(key, now_ms, addresses, room * sizeof addresses[0]);

    return size < 0 ? 0 : (unsigned)((size_t)size / sizeof addresses[0]);
}

void name_cache_put(const struct name_key *key, uint64_t began,
                    const struct value_ip *addresses, unsigned n, double seconds,
                    uint64_t now_ms)
{
    put(key, began, addresses, n * sizeof addresses[0], seconds, now_ms);
}

bool name_cache_find_name(const struct name_key *key, uint64_t now_ms,
                          char name[NAME_CACHE_TEXT_SIZE])
{
    ptrdiff_t size = get(key, now_ms, name, NAME_CACHE_TEXT_SIZE - 1);

    if (size < 0) {
        return false;
    }
    name[size] = '\0';
    return true;
}

void name_cache_put_name(const struct name_key *key, uint64_t began, const char *name,
                         double seconds, uint64_t now_ms)
{
    size_t size = name != NULL ? strlen(name) : 0;

    if (size < NAME_CACHE_TEXT_SIZE) {
        put(key, began, name, size, seconds, now_ms);
    }
}
