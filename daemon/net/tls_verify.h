/* SPDX-License-Identifier: MIT */
/*
 * tls_verify.h - whether the certificate of the peer is good, and for whom.
 *
 * Private to the tls_ modules.
 */
#ifndef SOCKD_NET_TLS_VERIFY_H
#define SOCKD_NET_TLS_VERIFY_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include "daemon/net/tls_context.h"
#include "proto/error.h"

enum { TLS_NAME_SIZE = 256 };

/* Who a certificate must be for. */
struct tls_name {
    char text[TLS_NAME_SIZE]; /* in small letters, without dot or scope at its end */
    bool is_address;
};

/* A host name or an IP address, as it stands in a certificate. False: *error names
 * server-name. */
bool tls_name_read(struct tls_name *name, const char *text, struct error *error);

/* What the checks look at, in whichever of the two is not NULL. */
void tls_verify_apply(SSL_CTX *ssl_ctx, SSL *ssl, const struct tls_context *context,
                      enum tls_verify verify, int max_depth);
/* The certificate must be for this name. */
void tls_verify_expect(SSL *ssl, const struct tls_name *name);
/* OpenSSL's callback for the whole chain; finds the session in the SSL. */
int tls_verify_chain(X509_STORE_CTX *store_ctx, void *arg);

#endif
