/* SPDX-License-Identifier: MIT */
/*
 * tls_tickets.h - the keys that a server's session tickets are sealed with.
 *
 * Each context has its own, so that a ticket of one opens nothing in another. A key seals
 * for an hour, and opens until the last session it sealed is too old; then it is wiped.
 * Keys are never written anywhere.
 *
 * Private to the tls_ modules. Thread: any; a lock of its own is held for the copy of a
 * key.
 */
#ifndef SOCKD_NET_TLS_TICKETS_H
#define SOCKD_NET_TLS_TICKETS_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    TLS_SESSION_SECONDS = 2 * 3600, /* what a session may be resumed for */
    TLS_TICKET_SECONDS = 3600,      /* what one key seals for */
};

struct tls_tickets;

struct tls_tickets *tls_tickets_new(void);
void tls_tickets_free(struct tls_tickets *tickets);

/* The work of OpenSSL's callback of the same form: 1: done; 2: opened, and the ticket
 * should be replaced; 0: no such key; negative: failed. */
int tls_tickets_seal(struct tls_tickets *tickets, uint8_t *name, uint8_t *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac);
int tls_tickets_open(struct tls_tickets *tickets, const uint8_t *name, const uint8_t *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac);
/* Nobody will resume any more: wipes all keys. Handshakes that are under way get tickets
 * that nothing opens, since OpenSSL has no way to send none at that point. */
void tls_tickets_retire(struct tls_tickets *tickets);
/* Wipes the keys that are too old. */
void tls_tickets_maintain(struct tls_tickets *tickets);
/* Keys that seal or open now. */
unsigned tls_tickets_count(struct tls_tickets *tickets);

#endif
