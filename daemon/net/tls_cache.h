/* SPDX-License-Identifier: MIT */
/*
 * tls_cache.h - the sessions that a client context may resume.
 *
 * One cache belongs to one context; within it a session is found under the peer it was
 * made with, which tells the name that was verified, the verify policy and the place. A
 * session of TLS 1.3 is used once, as RFC 8446 appendix C.4 asks for; one of TLS 1.2 as
 * often as it lasts. Bounded: the peers that were not asked for the longest time go
 * first.
 *
 * Private to the tls_ modules. Thread: any; a lock of its own.
 */
#ifndef SOCKD_NET_TLS_CACHE_H
#define SOCKD_NET_TLS_CACHE_H

#include <openssl/ssl.h>
#include <stdbool.h>

enum {
    TLS_CACHE_PEERS = 256,
    TLS_CACHE_SESSIONS = 4, /* of one peer */
};

struct tls_cache;

struct tls_cache *tls_cache_new(void);
void tls_cache_free(struct tls_cache *cache);
/* Takes over the caller's reference. */
void tls_cache_add(struct tls_cache *cache, const char *peer, SSL_SESSION *session);
/* A reference for the caller; NULL: there is none that could be resumed now. */
SSL_SESSION *tls_cache_take(struct tls_cache *cache, const char *peer);
/* Lets go all, and keeps no more. */
void tls_cache_retire(struct tls_cache *cache);
/* Lets go what can be resumed no more. */
void tls_cache_maintain(struct tls_cache *cache);
unsigned tls_cache_count(struct tls_cache *cache);

/* May a session be resumed now: is neither it nor the certificate it was made with too
 * old? */
bool tls_cache_is_fresh(const SSL_SESSION *session);

#endif
