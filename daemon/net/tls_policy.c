/* SPDX-License-Identifier: MIT */
/*
 * tls_policy.c - what one session may do differently from its context, and what keeps the
 * sessions of different policies apart.
 *
 * Called by tls_context.c, tls_session.c and tls_hello.c. Thread: the session's, or the
 * job's that builds a context.
 */
#include <config.h>

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/net/tls_ciphers.h"
#include "daemon/net/tls_parts.h"

bool tls_policy_allows(unsigned versions, bool allows_weak, struct error *error)
{
    if (allows_weak || (versions & TLS_VERSIONS_WEAK) == 0) {
        return true;
    }
    (void)error_set(error, ERROR_PERMISSION_DENIED,
                    "method: versions below TLS 1.2 are not allowed here");
    (void)snprintf(error->subject, sizeof error->subject, "allow-weak-tls");
    return false;
}

void tls_policy_isolate(SSL_CTX *ssl_ctx, SSL *ssl, const struct tls_context *context,
                        enum tls_verify verify, int max_depth)
{
    struct {
        uint64_t context;
        int32_t verify, max_depth;
    } id;

    memset(&id, 0, sizeof id); /* padding included, though there is none */
    id.context = context->number;
    id.verify = (int32_t)verify;
    id.max_depth = max_depth;
    if (ssl_ctx != NULL) {
        CHECK(SSL_CTX_set_session_id_context(ssl_ctx, (const unsigned char *)&id,
                                             sizeof id) == 1);
    }
    if (ssl != NULL) {
        CHECK(SSL_set_session_id_context(ssl, (const unsigned char *)&id, sizeof id) ==
              1);
    }
}

static int never_resumable(SSL *ssl, int is_forward_secret)
{
    (void)ssl;
    (void)is_forward_secret;
    return 1;
}

void tls_policy_settle(struct tls_session *session)
{
    const struct tls_context *context = session->context;
    SSL *ssl = session->ssl;
    struct error ignored;
    /* OpenSSL's own order, for a session that was begun with another one. Not const: its
     * macro would cast that away. */
    char default_groups[] = "X25519:P-256:X448:P-521:P-384";

    tls_verify_apply(NULL, ssl, context, session->verify, session->max_depth);
    tls_policy_isolate(NULL, ssl, context, session->verify, session->max_depth);
    /* It was done with the same versions when the context was built. */
    (void)tls_versions_apply(context->versions, NULL, ssl, &ignored);
    SSL_set_security_level(ssl, SSL_CTX_get_security_level(context->ssl_ctx));
    if (context->prefers_server_order) {
        (void)SSL_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
    } else {
        (void)SSL_clear_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
    }
    if (context->tickets != NULL) {
        (void)SSL_clear_options(ssl, SSL_OP_NO_TICKET);
    } else {
        (void)SSL_set_options(ssl, SSL_OP_NO_TICKET);
    }
    /* The cache for clients without tickets is that of the first SSL_CTX. */
    SSL_set_not_resumable_session_callback(ssl, context->has_sessions ? NULL
                                                                      : never_resumable);
    CHECK(SSL_set_num_tickets(ssl, context->tickets != NULL ? context->n_tickets : 0) ==
          1);
    (void)SSL_set1_groups_list(ssl, context->groups != NULL ? context->groups
                                                            : default_groups);
    ERR_clear_error();
}

bool tls_policy_override(struct tls_session *session,
                         const struct tls_overrides *overrides, struct error *error)
{
    const struct tls_context *context = session->context;
    SSL *ssl = session->ssl;
    unsigned versions =
        overrides->versions != 0 ? overrides->versions : context->versions;
    bool has_ciphers = overrides->ciphers != NULL || overrides->ciphersuites != NULL;

    if (overrides->verify >= 0) {
        session->verify = (enum tls_verify)overrides->verify;
    }
    if (overrides->max_depth >= 0) {
        session->max_depth = overrides->max_depth;
    }
    if (session->verify != TLS_VERIFY_NONE && session->verify != TLS_VERIFY_REQUEST &&
        context->role == TLS_SERVER && !context->has_own_trust) {
        return error_set_parameter(error, "verify",
                                   "a context with a ca-file to verify clients with");
    }
    if (!tls_policy_allows(versions, context->allows_weak, error) ||
        !tls_versions_apply(versions, NULL, ssl, error) ||
        !tls_ciphers_apply(overrides->ciphers, overrides->ciphersuites, NULL, ssl,
                           error)) {
        return false;
    }
    if ((versions & TLS_VERSIONS_WEAK) != 0) {
        SSL_set_security_level(ssl, 0); /* OpenSSL 3 has these versions at no other */
    }
    if ((has_ciphers || overrides->versions != 0) &&
        !tls_ciphers_check(ssl, versions, context->level, context->allows_weak, error)) {
        return false;
    }
    if (overrides->prefers_server_order > 0) {
        (void)SSL_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
    } else if (overrides->prefers_server_order == 0) {
        (void)SSL_clear_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
    }
    tls_verify_apply(NULL, ssl, context, session->verify, session->max_depth);
    tls_policy_isolate(NULL, ssl, context, session->verify, session->max_depth);
    return true;
}
