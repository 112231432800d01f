/* SPDX-License-Identifier: MIT */
/*
 * tls_method.c - from the word of a method to OpenSSL's limits.
 *
 * Called by tls_context.c, tls_session.c and the commands. Thread: any.
 */
#include <config.h>
#include "daemon/net/tls_method.h"

#include <openssl/ssl.h>
#include <stddef.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/net/tls_error.h"

enum {
    FROM_1_1 = TLS_VERSION_1_1 | TLS_VERSION_1_2 | TLS_VERSION_1_3,
    FROM_1_2 = TLS_VERSION_1_2 | TLS_VERSION_1_3,
    ALL = TLS_VERSION_1_0 | FROM_1_1,
};

static const struct {
    const char *word;
    unsigned versions; /* 0: OpenSSL has it no more */
    bool is_exact;     /* may stand in a list */
} words_known[] = {
    {"tls", TLS_VERSIONS_DEFAULT, false},
    {"tlsv1.3", TLS_VERSION_1_3, true},
    {"tlsv1.2", TLS_VERSION_1_2, true},
    {"tlsv1.1", TLS_VERSION_1_1, true},
    {"tlsv1", TLS_VERSION_1_0, true},
    {"tlsv1.3+", TLS_VERSION_1_3, false},
    {"tlsv1.2+", FROM_1_2, false},
    {"tlsv1.1+", FROM_1_1, false},
    {"tlsv1+", ALL, false},
    {"sslv2", 0, true},
    {"sslv3", 0, true},
    {"sslv23", 0, false},
    {"sslv3+", 0, false},
};

/* From the oldest on. */
static const struct {
    unsigned version;
    int number;
    uint64_t refusal; /* the option that leaves it out between others */
} versions_known[] = {
    {TLS_VERSION_1_0, TLS1_VERSION, SSL_OP_NO_TLSv1},
    {TLS_VERSION_1_1, TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
    {TLS_VERSION_1_2, TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
    {TLS_VERSION_1_3, TLS1_3_VERSION, SSL_OP_NO_TLSv1_3},
};
enum { N_VERSIONS = sizeof versions_known / sizeof versions_known[0] };

static bool read_word(const char *word, bool must_be_exact, unsigned *versions,
                      struct error *error)
{
    for (size_t i = 0; i < sizeof words_known / sizeof words_known[0]; i++) {
        if (strcmp(word, words_known[i].word) != 0) {
            continue;
        }
        if (must_be_exact && !words_known[i].is_exact) {
            return error_set_parameter(error, "method",
                                       "a list of exact versions: tlsv1.2, tlsv1.3");
        }
        if (words_known[i].versions == 0) {
            return error_set(error, ERROR_NOT_SUPPORTED,
                             "method %s: OpenSSL does not have this protocol any more",
                             word);
        }
        *versions |= words_known[i].versions;
        return true;
    }
    return error_set_parameter(error, "method",
                               "tls, tlsv1.3, tlsv1.2, tlsv1.3+, tlsv1.2+, or a list of "
                               "exact versions");
}

bool tls_versions_read(const char *const *words, unsigned n_words, unsigned *versions,
                       struct error *error)
{
    unsigned found = 0;

    if (n_words == 0) {
        return error_set_parameter(error, "method", "at least one version");
    }
    for (unsigned i = 0; i < n_words; i++) {
        if (!read_word(words[i], n_words > 1, &found, error)) {
            return false;
        }
    }
    *versions = found;
    return true;
}

const char *tls_version_name(enum tls_version version)
{
    switch (version) {
    case TLS_VERSION_1_0:
        return "tlsv1";
    case TLS_VERSION_1_1:
        return "tlsv1.1";
    case TLS_VERSION_1_2:
        return "tlsv1.2";
    case TLS_VERSION_1_3:
        return "tlsv1.3";
    }
    return "unknown";
}

bool tls_versions_apply(unsigned versions, struct ssl_ctx_st *ssl_ctx, struct ssl_st *ssl,
                        struct error *error)
{
    int lowest = 0, highest = 0;
    uint64_t refused = 0, all = 0;

    CHECK(versions != 0 && (versions & ~(unsigned)ALL) == 0);
    for (int i = 0; i < N_VERSIONS; i++) {
        all |= versions_known[i].refusal;
        if ((versions & versions_known[i].version) == 0) {
            refused |= versions_known[i].refusal;
            continue;
        }
        lowest = lowest != 0 ? lowest : versions_known[i].number;
        highest = versions_known[i].number;
    }
    /* The limits do for all but a list with a hole; the options are there for that one.
     */
    bool is_done = true;

    if (ssl_ctx != NULL) {
        is_done = SSL_CTX_set_min_proto_version(ssl_ctx, lowest) == 1 &&
                  SSL_CTX_set_max_proto_version(ssl_ctx, highest) == 1;
        (void)SSL_CTX_clear_options(ssl_ctx, all);
        (void)SSL_CTX_set_options(ssl_ctx, refused);
    }
    if (ssl != NULL) {
        is_done = is_done && SSL_set_min_proto_version(ssl, lowest) == 1 &&
                  SSL_set_max_proto_version(ssl, highest) == 1;
        (void)SSL_clear_options(ssl, all);
        (void)SSL_set_options(ssl, refused);
    }
    return is_done || tls_error_parameter(error, "method", "versions this OpenSSL has");
}
