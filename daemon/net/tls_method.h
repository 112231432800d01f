/* SPDX-License-Identifier: MIT */
/*
 * tls_method.h - the versions of TLS: the words of the parameter `method`, and masks.
 * Pure functions; any thread.
 */
#ifndef SOCKD_NET_TLS_METHOD_H
#define SOCKD_NET_TLS_METHOD_H

#include <stdbool.h>
#include "proto/error.h"

/* A set of versions is a sum of these. */
enum tls_version {
    TLS_VERSION_1_0 = 1,
    TLS_VERSION_1_1 = 2,
    TLS_VERSION_1_2 = 4,
    TLS_VERSION_1_3 = 8,
};
enum {
    TLS_VERSIONS_DEFAULT = TLS_VERSION_1_2 | TLS_VERSION_1_3,
    TLS_VERSIONS_WEAK = TLS_VERSION_1_0 | TLS_VERSION_1_1,
};

/* One word in any of the documented forms, or a list of exact ones ("tlsv1.2"). False:
 * *error is not-supported for the versions that OpenSSL has no more, else it names the
 * parameter. Whether weak versions are allowed is not looked at. */
bool tls_versions_read(const char *const *words, unsigned n_words, unsigned *versions,
                       struct error *error);
/* The word of exactly one version. */
const char *tls_version_name(enum tls_version version);

struct ssl_ctx_st;
struct ssl_st;
/* Allows these versions and no others, in whichever of the two is not NULL. False:
 * OpenSSL refuses; *error names the parameter. */
bool tls_versions_apply(unsigned versions, struct ssl_ctx_st *ssl_ctx, struct ssl_st *ssl,
                        struct error *error);

#endif
