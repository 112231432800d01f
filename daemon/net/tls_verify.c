/* SPDX-License-Identifier: MIT */
/*
 * tls_verify.c - the policy of verification, on top of OpenSSL's chain building.
 *
 * The name is checked by OpenSSL as part of the chain, so that a wrong name is a failed
 * handshake with an alert, not an afterthought. Only subject alternative names count
 * (RFC 9525 section 6.3): the common name is no host name any more. Called by
 * tls_session.c and OpenSSL. Thread: the session's.
 */
#include <config.h>
#include "daemon/net/tls_verify.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/net/tls_parts.h"

/* ---- Names ---- */

static bool is_address(const char *text)
{
    struct in6_addr address; /* room for either */

    return inet_pton(AF_INET, text, &address) == 1 ||
           inet_pton(AF_INET6, text, &address) == 1;
}

/* Letters, digits, hyphens; the underscore is common where it should not be. Names in
 * other scripts come in their ASCII form. */
static bool is_host_name(const char *text)
{
    size_t n_label = 0;

    for (; *text != 0; text++) {
        if (*text == '.') {
            if (n_label == 0) {
                return false;
            }
            n_label = 0;
        } else if (isalnum((unsigned char)*text) || *text == '-' || *text == '_') {
            if (++n_label > 63) {
                return false;
            }
        } else {
            return false;
        }
    }
    return n_label > 0;
}

bool tls_name_read(struct tls_name *name, const char *text, struct error *error)
{
    size_t size = strlen(text);

    if (size == 0 || size >= sizeof name->text) {
        return error_set_parameter(error, "server-name",
                                   "a host name or an IP address of up to 255 "
                                   "characters");
    }
    for (size_t i = 0; i <= size; i++) {
        name->text[i] = (char)tolower((unsigned char)text[i]);
    }
    /* A scope says where an address is reached, not what it is. */
    char *scope = strchr(name->text, '%');

    if (scope != NULL && strchr(name->text, ':') != NULL) {
        *scope = 0;
    }
    name->is_address = is_address(name->text);
    if (name->is_address) {
        return true;
    }
    if (name->text[size - 1] == '.') {
        name->text[size - 1] = 0;
    }
    return is_host_name(name->text) ||
           error_set_parameter(error, "server-name",
                               "a host name in ASCII or an IP address");
}

void tls_verify_expect(SSL *ssl, const struct tls_name *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (name->is_address) {
        CHECK(X509_VERIFY_PARAM_set1_ip_asc(param, name->text) == 1);
        return;
    }
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    CHECK(X509_VERIFY_PARAM_set1_host(param, name->text, 0) == 1);
}

/* ---- Policy ---- */

static int mode_of(enum tls_verify verify)
{
    switch (verify) {
    case TLS_VERIFY_NONE:
        return SSL_VERIFY_NONE;
    case TLS_VERIFY_REQUEST:
    case TLS_VERIFY_OPTIONAL:
        return SSL_VERIFY_PEER;
    case TLS_VERIFY_REQUIRED:
        return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    CHECK(!"a verify policy");
    return SSL_VERIFY_PEER;
}

static void apply_flags(X509_VERIFY_PARAM *param, const struct tls_context *context,
                        int max_depth)
{
    unsigned long flags = 0;

    /* Certificates that were given are trusted, whether they are roots or not. */
    if (context->has_own_trust) {
        flags |= X509_V_FLAG_PARTIAL_CHAIN;
    }
    if (context->crl_check != TLS_CRL_NONE) {
        flags |= X509_V_FLAG_CRL_CHECK;
    }
    if (context->crl_check == TLS_CRL_CHAIN) {
        flags |= X509_V_FLAG_CRL_CHECK_ALL;
    }
    /* Cleared first: the session may come from a context with other flags. */
    (void)X509_VERIFY_PARAM_clear_flags(param, X509_V_FLAG_PARTIAL_CHAIN |
                                                   X509_V_FLAG_CRL_CHECK |
                                                   X509_V_FLAG_CRL_CHECK_ALL);
    (void)X509_VERIFY_PARAM_set_flags(param, flags);
    X509_VERIFY_PARAM_set_depth(param, max_depth);
}

void tls_verify_apply(SSL_CTX *ssl_ctx, SSL *ssl, const struct tls_context *context,
                      enum tls_verify verify, int max_depth)
{
    if (ssl_ctx != NULL) {
        apply_flags(SSL_CTX_get0_param(ssl_ctx), context, max_depth);
        SSL_CTX_set_verify(ssl_ctx, mode_of(verify), NULL);
    }
    if (ssl != NULL) {
        apply_flags(SSL_get0_param(ssl), context, max_depth);
        SSL_set_verify(ssl, mode_of(verify), NULL);
    }
}

int tls_verify_chain(X509_STORE_CTX *store_ctx, void *arg)
{
    SSL *ssl =
        X509_STORE_CTX_get_ex_data(store_ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_session *session = tls_session_of_ssl(ssl);

    (void)arg;
    /* A client that does not verify would build the chain all the same, and show a
     * verdict nobody asked for. */
    if (session->verify == TLS_VERIFY_NONE) {
        X509_STORE_CTX_set_error(store_ctx, X509_V_OK);
        return 1;
    }
    int result = X509_verify_cert(store_ctx);
    int code = X509_STORE_CTX_get_error(store_ctx);

    if (result > 0 && code == X509_V_OK) {
        return 1;
    }
    if (code == X509_V_OK) {
        code = X509_V_ERR_UNSPECIFIED; /* it could not even be looked at */
        X509_STORE_CTX_set_error(store_ctx, code);
    }
    session->verify_depth = X509_STORE_CTX_get_error_depth(store_ctx);
    return session->verify == TLS_VERIFY_REQUEST ? 1 : 0;
}
