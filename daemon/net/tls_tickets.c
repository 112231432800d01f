/* SPDX-License-Identifier: MIT */
/*
 * tls_tickets.c - a ring of ticket keys that rotates by the clock.
 *
 * Called by the callbacks of a server's handshake (tls_hello.c) and by whoever maintains
 * the contexts. AES-256-CBC and HMAC-SHA-256, as RFC 5077 section 4 recommends the form.
 * Thread: any.
 */
#include <config.h>
#include "daemon/net/tls_tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/net/tls_library.h"

enum {
    NAME_SIZE = 16, /* OpenSSL's */
    IV_SIZE = 16,
    SECRET_SIZE = 32,
    LIFE_SECONDS = TLS_TICKET_SECONDS + TLS_SESSION_SECONDS,
    /* One that seals, and those whose tickets may still come. */
    MAX_KEYS = 1 + (LIFE_SECONDS + TLS_TICKET_SECONDS - 1) / TLS_TICKET_SECONDS,
};

struct ticket_key {
    uint8_t name[NAME_SIZE];
    uint8_t cipher[SECRET_SIZE], mac[SECRET_SIZE];
    int64_t made; /* tls_seconds() */
};

/* Owner: its context. */
struct tls_tickets {
    pthread_mutex_t mutex;
    struct ticket_key keys[MAX_KEYS]; /* the newest first */
    unsigned n_keys;
    bool is_retired; /* a key seals one ticket, and opens nothing */
};

/* Looked up once: OpenSSL would do it for every ticket. They stay to the end of the
 * process. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *ticket_cipher;

static void fetch(void)
{
    ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    CHECK(ticket_cipher != NULL);
}

struct tls_tickets *tls_tickets_new(void)
{
    CHECK(pthread_once(&once, fetch) == 0);
    struct tls_tickets *tickets = MEM_NEW(struct tls_tickets);

    CHECK(pthread_mutex_init(&tickets->mutex, NULL) == 0);
    return tickets;
}

void tls_tickets_free(struct tls_tickets *tickets)
{
    if (tickets == NULL) {
        return;
    }
    OPENSSL_cleanse(tickets->keys, sizeof tickets->keys);
    (void)pthread_mutex_destroy(&tickets->mutex); /* nobody holds it */
    free(tickets);
}

/* The mutex is held. The old ones are at the end. */
static void wipe_old(struct tls_tickets *tickets, int64_t now)
{
    while (tickets->n_keys > 0 &&
           now - tickets->keys[tickets->n_keys - 1].made >= LIFE_SECONDS) {
        OPENSSL_cleanse(&tickets->keys[--tickets->n_keys], sizeof tickets->keys[0]);
    }
}

/* The mutex is held. */
static void wipe_all(struct tls_tickets *tickets)
{
    OPENSSL_cleanse(tickets->keys, sizeof tickets->keys);
    tickets->n_keys = 0;
}

/* The mutex is held. False: there are no random numbers, and so no key. */
static bool rotate(struct tls_tickets *tickets, int64_t now)
{
    struct ticket_key key = {.made = now};

    wipe_old(tickets, now);
    if (tickets->n_keys > 0 && now - tickets->keys[0].made < TLS_TICKET_SECONDS) {
        return true;
    }
    if (RAND_bytes(key.name, NAME_SIZE) != 1 ||
        RAND_priv_bytes(key.cipher, SECRET_SIZE) != 1 ||
        RAND_priv_bytes(key.mac, SECRET_SIZE) != 1) {
        return false;
    }
    CHECK(tickets->n_keys < MAX_KEYS);
    memmove(&tickets->keys[1], &tickets->keys[0],
            tickets->n_keys * sizeof tickets->keys[0]);
    tickets->keys[0] = key;
    tickets->n_keys++;
    OPENSSL_cleanse(&key, sizeof key);
    return true;
}

static bool set_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, SECRET_SIZE),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

int tls_tickets_seal(struct tls_tickets *tickets, uint8_t *name, uint8_t *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct ticket_key key;
    int64_t now = tls_seconds();

    CHECK(pthread_mutex_lock(&tickets->mutex) == 0);
    bool is_there = rotate(tickets, now);
    if (is_there) {
        key = tickets->keys[0];
    }
    if (tickets->is_retired) {
        wipe_all(tickets);
    }
    CHECK(pthread_mutex_unlock(&tickets->mutex) == 0);
    if (!is_there) {
        return -1;
    }
    memcpy(name, key.name, NAME_SIZE);
    bool is_done =
        RAND_bytes(iv, IV_SIZE) == 1 &&
        EVP_EncryptInit_ex2(cipher, ticket_cipher, key.cipher, iv, NULL) == 1 &&
        set_mac(mac, &key);

    OPENSSL_cleanse(&key, sizeof key);
    return is_done ? 1 : -1;
}

int tls_tickets_open(struct tls_tickets *tickets, const uint8_t *name, const uint8_t *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct ticket_key key;
    int64_t now = tls_seconds();
    int found = -1;

    CHECK(pthread_mutex_lock(&tickets->mutex) == 0);
    wipe_old(tickets, now);
    for (unsigned i = 0; i < tickets->n_keys && found < 0; i++) {
        if (CRYPTO_memcmp(tickets->keys[i].name, name, NAME_SIZE) == 0) {
            key = tickets->keys[i];
            found = (int)i;
        }
    }
    CHECK(pthread_mutex_unlock(&tickets->mutex) == 0);
    if (found < 0) {
        return 0;
    }
    bool is_done =
        EVP_DecryptInit_ex2(cipher, ticket_cipher, key.cipher, iv, NULL) == 1 &&
        set_mac(mac, &key);
    bool is_sealing = now - key.made < TLS_TICKET_SECONDS;

    OPENSSL_cleanse(&key, sizeof key);
    if (!is_done) {
        return -1;
    }
    return is_sealing ? 1 : 2;
}

void tls_tickets_retire(struct tls_tickets *tickets)
{
    CHECK(pthread_mutex_lock(&tickets->mutex) == 0);
    wipe_all(tickets);
    tickets->is_retired = true;
    CHECK(pthread_mutex_unlock(&tickets->mutex) == 0);
}

void tls_tickets_maintain(struct tls_tickets *tickets)
{
    CHECK(pthread_mutex_lock(&tickets->mutex) == 0);
    wipe_old(tickets, tls_seconds());
    CHECK(pthread_mutex_unlock(&tickets->mutex) == 0);
}

unsigned tls_tickets_count(struct tls_tickets *tickets)
{
    CHECK(pthread_mutex_lock(&tickets->mutex) == 0);
    wipe_old(tickets, tls_seconds());
    unsigned n_keys = tickets->n_keys;

    CHECK(pthread_mutex_unlock(&tickets->mutex) == 0);
    return n_keys;
}
