/* SPDX-License-Identifier: MIT */
/*
 * tls_trust.h - what a context trusts: certificates given to it, or those of the system,
 * and revocation lists.
 *
 * Private to the tls_ modules. Reads files: job threads and the start of the daemon only.
 */
#ifndef SOCKD_NET_TLS_TRUST_H
#define SOCKD_NET_TLS_TRUST_H

#include <openssl/x509.h>
#include <stdbool.h>
#include "proto/error.h"

struct tls_config;

/* A store for the context; the caller owns one reference. `names`, when asked for, are
 * the subjects of the certificates given, for a server to tell its clients. NULL: *error
 * names the parameter. */
X509_STORE *tls_trust_new(const struct tls_config *config, STACK_OF(X509_NAME) * *names,
                          struct error *error);
/* Forgets the certificates of the system, so that they are read anew. */
void tls_trust_reset(void);

#endif
