/* SPDX-License-Identifier: MIT */
/*
 * tls_peer.h - the other side of the daemon's TLS: plain OpenSSL in the test, on a
 * descriptor of peer.h.
 *
 * Calls block, with the deadline of the harness. The daemon begins its handshake with the
 * first operation only, so a test asks it for one before it calls tls_peer_handshake().
 * Nothing of the daemon's own code is used. Everything ends with the test.
 *
 * Thread: the one that runs the test.
 */
#ifndef SOCKD_TESTS_TLS_PEER_H
#define SOCKD_TESTS_TLS_PEER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

struct cert;

/* What is left out: a peer that shows nothing, believes everything, and speaks TLS 1.2
 * and 1.3. */
struct tls_peer_spec {
    bool is_server;
    int version;              /* TLS1_2_VERSION...: only this one; 0: both */
    const char *certificate;  /* PEM with the chain */
    const char *key;          /* PEM */
    const char *ca;           /* PEM; who must have signed what the daemon shows */
    bool asks;                /* server: wants a certificate */
    const char *server_name;  /* client: SNI, and verified when there is `ca` */
    const char *alpn;         /* "h2,http/1.1" */
    const char *ciphers;      /* TLS 1.2 */
    const char *ciphersuites; /* TLS 1.3 */
    bool is_weak;             /* security level 0 */
    SSL_SESSION *session;     /* client: to be resumed */
};

/* The caller frees it. */
SSL_CTX *tls_peer_context(const struct tls_peer_spec *spec);
/* A session on a connected descriptor; `spec` for what is not in a context. */
SSL *tls_peer_open(SSL_CTX *context, const struct tls_peer_spec *spec, int fd);
/* Both. */
SSL *tls_peer_new(const struct tls_peer_spec *spec, int fd);

/* Whether it was done; the other form needs it to be. */
bool tls_peer_try(SSL *ssl);
void tls_peer_handshake(SSL *ssl);
/* The last error of this thread as OpenSSL's reason code; the queue is left empty. */
int tls_peer_reason(void);
/* The alert of TLS that a failed handshake or read has heard; 0: none. Tries to read
 * first, since the client of TLS 1.3 hears it late. */
int tls_peer_alert(SSL *ssl);

void tls_peer_write(SSL *ssl, const void *data, size_t size);
void tls_peer_print(SSL *ssl, const char *text);
/* At least one byte; 0: close_notify. */
size_t tls_peer_read(SSL *ssl, void *data, size_t room);
void tls_peer_expect(SSL *ssl, const void *data, size_t size);
void tls_peer_expect_text(SSL *ssl, const char *text);
/* close_notify comes; the end of file comes without it. */
void tls_peer_expect_end(SSL *ssl);
void tls_peer_expect_cut(SSL *ssl);
/* Sends close_notify, and does not wait for the other one. */
void tls_peer_shut_output(SSL *ssl);

#endif
