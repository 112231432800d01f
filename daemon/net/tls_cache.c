/* SPDX-License-Identifier: MIT */
/*
 * tls_cache.c - a client context's sessions by peer.
 *
 * Called by the callback of new sessions and at the start of a handshake (tls_session.c).
 * A peer is found by a walk over the numbers made of their names: 256 of them are less
 * than a microsecond beside a handshake of several hundred. Thread: any.
 */
#include <config.h>
#include "daemon/net/tls_cache.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/base/check.h"

struct cached_peer {
    uint64_t number;
    uint64_t last_use;
    char *name;                                /* NULL: a free place */
    SSL_SESSION *sessions[TLS_CACHE_SESSIONS]; /* the newest last */
    unsigned n_sessions;
};

/* Owner: its context. */
struct tls_cache {
    pthread_mutex_t mutex;
    uint64_t n_uses;
    unsigned n_peers; /* places in use or once used */
    unsigned room;
    bool is_retired; /* keeps nothing */
    struct cached_peer *peers;
};

struct tls_cache *tls_cache_new(void)
{
    struct tls_cache *cache = MEM_NEW(struct tls_cache);

    CHECK(pthread_mutex_init(&cache->mutex, NULL) == 0);
    return cache;
}

static void clear_peer(struct cached_peer *peer)
{
    for (unsigned i = 0; i < peer->n_sessions; i++) {
        SSL_SESSION_free(peer->sessions[i]);
    }
    free(peer->name);
    *peer = (struct cached_peer){0};
}

void tls_cache_free(struct tls_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    for (unsigned i = 0; i < cache->n_peers; i++) {
        clear_peer(&cache->peers[i]);
    }
    free(cache->peers);
    (void)pthread_mutex_destroy(&cache->mutex); /* nobody holds it */
    free(cache);
}

/* FNV-1a. What peers can choose here is at most a few names of their own. */
static uint64_t number_of(const char *name)
{
    uint64_t number = 14695981039346656037U;

    for (; *name != 0; name++) {
        number = (number ^ (uint8_t)*name) * 1099511628211U;
    }
    return number;
}

static struct cached_peer *find(struct tls_cache *cache, const char *name)
{
    uint64_t number = number_of(name);

    for (unsigned i = 0; i < cache->n_peers; i++) {
        struct cached_peer *peer = &cache->peers[i];
        if (peer->number == number && peer->name != NULL &&
            strcmp(peer->name, name) == 0) {
            peer->last_use = ++cache->n_uses;
            return peer;
        }
    }
    return NULL;
}

/* A free place, or that of the peer that was not asked for the longest time. */
static struct cached_peer *find_place(struct tls_cache *cache)
{
    struct cached_peer *oldest = NULL;

    for (unsigned i = 0; i < cache->n_peers; i++) {
        struct cached_peer *peer = &cache->peers[i];
        if (peer->name == NULL) {
            return peer;
        }
        if (oldest == NULL || peer->last_use < oldest->last_use) {
            oldest = peer;
        }
    }
    if (cache->n_peers == TLS_CACHE_PEERS) {
        clear_peer(oldest);
        return oldest;
    }
    if (cache->n_peers == cache->room) {
        cache->room = cache->room > 0 ? 2 * cache->room : 4;
        cache->peers = mem_resize(cache->peers, cache->room * sizeof *cache->peers);
    }
    cache->peers[cache->n_peers] = (struct cached_peer){0};
    return &cache->peers[cache->n_peers++];
}

void tls_cache_add(struct tls_cache *cache, const char *name, SSL_SESSION *session)
{
    CHECK(pthread_mutex_lock(&cache->mutex) == 0);
    if (cache->is_retired) {
        CHECK(pthread_mutex_unlock(&cache->mutex) == 0);
        SSL_SESSION_free(session);
        return;
    }
    struct cached_peer *peer = find(cache, name);

    if (peer == NULL) {
        peer = find_place(cache);
        peer->name = mem_copy_text(name);
        peer->number = number_of(name);
        peer->last_use = ++cache->n_uses;
    }
    if (peer->n_sessions == TLS_CACHE_SESSIONS) {
        SSL_SESSION_free(peer->sessions[0]);
        peer->n_sessions--;
        memmove(peer->sessions, peer->sessions + 1,
                peer->n_sessions * sizeof peer->sessions[0]);
    }
    peer->sessions[peer->n_sessions++] = session;
    CHECK(pthread_mutex_unlock(&cache->mutex) == 0);
}

bool tls_cache_is_fresh(const SSL_SESSION *session)
{
    int64_t now = (int64_t)time(NULL);
    int64_t age = now - SSL_SESSION_get_time(session);
    int64_t life = SSL_SESSION_get_timeout(session);
    int64_t hint = (int64_t)SSL_SESSION_get_ticket_lifetime_hint(session);
    /* The function is older than its const: it changes nothing. */
    X509 *certificate = SSL_SESSION_get0_peer((SSL_SESSION *)(uintptr_t)session);

    if (hint > 0 && hint < life) {
        life = hint;
    }
    return age >= 0 && age < life &&
           (certificate == NULL ||
            X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0);
}

static bool is_usable(const SSL_SESSION *session)
{
    return SSL_SESSION_is_resumable(session) == 1 && tls_cache_is_fresh(session);
}

SSL_SESSION *tls_cache_take(struct tls_cache *cache, const char *name)
{
    SSL_SESSION *taken = NULL;

    CHECK(pthread_mutex_lock(&cache->mutex) == 0);
    struct cached_peer *peer = find(cache, name);

    while (peer != NULL && taken == NULL && peer->n_sessions > 0) {
        SSL_SESSION *session = peer->sessions[peer->n_sessions - 1];
        bool is_good = is_usable(session);

        if (is_good && SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION) {
            CHECK(SSL_SESSION_up_ref(session) == 1);
            taken = session;
            break;
        }
        peer->n_sessions--;
        if (is_good) {
            taken = session;
        } else {
            SSL_SESSION_free(session);
        }
    }
    if (peer != NULL && peer->n_sessions == 0) {
        clear_peer(peer);
    }
    CHECK(pthread_mutex_unlock(&cache->mutex) == 0);
    return taken;
}

void tls_cache_retire(struct tls_cache *cache)
{
    CHECK(pthread_mutex_lock(&cache->mutex) == 0);
    for (unsigned i = 0; i < cache->n_peers; i++) {
        clear_peer(&cache->peers[i]);
    }
    cache->is_retired = true;
    CHECK(pthread_mutex_unlock(&cache->mutex) == 0);
}

void tls_cache_maintain(struct tls_cache *cache)
{
    CHECK(pthread_mutex_lock(&cache->mutex) == 0);
    for (unsigned i = 0; i < cache->n_peers; i++) {
        struct cached_peer *peer = &cache->peers[i];
        unsigned n_kept = 0;

        for (unsigned k = 0; k < peer->n_sessions; k++) {
            if (is_usable(peer->sessions[k])) {
                peer->sessions[n_kept++] = peer->sessions[k];
            } else {
                SSL_SESSION_free(peer->sessions[k]);
            }
        }
        peer->n_sessions = n_kept;
        if (n_kept == 0) {
            clear_peer(peer);
        }
    }
    CHECK(pthread_mutex_unlock(&cache->mutex) == 0);
}

unsigned tls_cache_count(struct tls_cache *cache)
{
    unsigned n_sessions = 0;

    CHECK(pthread_mutex_lock(&cache->mutex) == 0);
    for (unsigned i = 0; i < cache->n_peers; i++) {
        n_sessions += cache->peers[i].n_sessions;
    }
    CHECK(pthread_mutex_unlock(&cache->mutex) == 0);
    return n_sessions;
}
