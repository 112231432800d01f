/* SPDX-License-Identifier: MIT */
/*
 * tls_ciphers.h - cipher lists: applied, and looked at for weak suites.
 *
 * Private to the tls_ modules. Pure functions; any thread.
 */
#ifndef SOCKD_NET_TLS_CIPHERS_H
#define SOCKD_NET_TLS_CIPHERS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include "proto/error.h"

/* What is NULL stays as it is. In whichever of the two is not NULL. False: *error names
 * `ciphers` or `ciphersuites`. */
bool tls_ciphers_apply(const char *ciphers, const char *ciphersuites, SSL_CTX *ssl_ctx,
                       SSL *ssl, struct error *error);
/* Is something left for TLS 1.3 and for what is older, as far as `versions` has them,
 * that this session can use with its key, and nothing weak among it, unless that is
 * allowed? `level`: the security level it must not fall below. */
bool tls_ciphers_check(SSL *ssl, unsigned versions, int level, bool allows_weak,
                       struct error *error);

#endif
