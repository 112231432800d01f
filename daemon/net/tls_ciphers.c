/* SPDX-License-Identifier: MIT */
/*
 * tls_ciphers.c - the parameters `ciphers` and `ciphersuites`.
 *
 * `ciphers` is OpenSSL's list for TLS 1.2 and older: what it does not know there it
 * leaves out, and so do we; a list in which nothing is left is an error. `ciphersuites`
 * are names of TLS 1.3, where each must be known. Called by tls_context.c and
 * tls_session.c. Thread: any.
 */
#include <config.h>
#include "daemon/net/tls_ciphers.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <string.h>

#include "daemon/net/tls_error.h"
#include "daemon/net/tls_method.h"

enum { STRONG_BITS = 128 };

static const char *const suites_known[] = {
    "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256",
    "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256",
};

/* OpenSSL would leave out what it does not know and go on with less. */
static bool are_known_suites(const char *list)
{
    while (*list != 0) {
        size_t size = strcspn(list, ":");
        bool is_known = false;

        for (size_t i = 0; i < sizeof suites_known / sizeof suites_known[0]; i++) {
            is_known = is_known || (strlen(suites_known[i]) == size &&
                                    memcmp(suites_known[i], list, size) == 0);
        }
        if (!is_known) {
            return false;
        }
        list += size + (list[size] == ':');
    }
    return true;
}

bool tls_ciphers_apply(const char *ciphers, const char *ciphersuites, SSL_CTX *ssl_ctx,
                       SSL *ssl, struct error *error)
{
    ERR_clear_error();
    if (ciphers != NULL &&
        ((ssl_ctx != NULL && SSL_CTX_set_cipher_list(ssl_ctx, ciphers) != 1) ||
         (ssl != NULL && SSL_set_cipher_list(ssl, ciphers) != 1))) {
        return tls_error_parameter(error, "ciphers",
                                   "an OpenSSL cipher list with a cipher it knows");
    }
    if (ciphersuites == NULL) {
        return true;
    }
    if (ciphersuites[0] == 0 || !are_known_suites(ciphersuites) ||
        (ssl_ctx != NULL && SSL_CTX_set_ciphersuites(ssl_ctx, ciphersuites) != 1) ||
        (ssl != NULL && SSL_set_ciphersuites(ssl, ciphersuites) != 1)) {
        return tls_error_parameter(
            error, "ciphersuites",
            "TLS 1.3 suites with colons between them: TLS_AES_128_GCM_SHA256");
    }
    return true;
}

static bool is_weak(const SSL_CIPHER *cipher)
{
    return SSL_CIPHER_get_bits(cipher, NULL) < STRONG_BITS ||
           SSL_CIPHER_get_auth_nid(cipher) == NID_auth_null ||
           SSL_CIPHER_get_cipher_nid(cipher) == NID_rc4;
}

/* A server needs a suite for the kind of key that it has; one of TLS 1.3 fits all. */
static bool fits_key(const SSL_CIPHER *cipher, const EVP_PKEY *key)
{
    int kind = key != NULL ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;

    switch (kind) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        return SSL_CIPHER_get_auth_nid(cipher) == NID_auth_rsa;
    case EVP_PKEY_EC:
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
        return SSL_CIPHER_get_auth_nid(cipher) == NID_auth_ecdsa;
    default:
        return true;
    }
}

/* Is a suite left for the versions up to TLS 1.2, and one for TLS 1.3, as far as they are
 * allowed? */
static bool covers(SSL *ssl, const STACK_OF(SSL_CIPHER) * usable, unsigned versions,
                   struct error *error)
{
    const EVP_PKEY *key = SSL_is_server(ssl) ? SSL_get_privatekey(ssl) : NULL;
    bool has_old = false, has_new = false;

    for (int i = 0; i < sk_SSL_CIPHER_num(usable); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(usable, i);
        bool is_new = strcmp(SSL_CIPHER_get_version(cipher), "TLSv1.3") == 0;

        has_new = has_new || is_new;
        has_old = has_old || (!is_new && fits_key(cipher, key));
    }
    if ((versions & ~(unsigned)TLS_VERSION_1_3) != 0 && !has_old) {
        return error_set_parameter(error, "ciphers",
                                   "a cipher for TLS 1.2 that can be used here and fits "
                                   "the key, or a method without TLS 1.2");
    }
    if ((versions & TLS_VERSION_1_3) != 0 && !has_new) {
        return error_set_parameter(error, "ciphersuites",
                                   "a suite that the security level lets pass, or a "
                                   "method without TLS 1.3");
    }
    return true;
}

bool tls_ciphers_check(SSL *ssl, unsigned versions, int level, bool allows_weak,
                       struct error *error)
{
    STACK_OF(SSL_CIPHER) *usable = SSL_get1_supported_ciphers(ssl);
    int n = sk_SSL_CIPHER_num(usable);
    bool is_fine = covers(ssl, usable, versions, error);

    ERR_clear_error();
    for (int i = 0; is_fine && !allows_weak && i < n; i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(usable, i);
        char wanted[128];

        if (is_weak(cipher)) {
            (void)snprintf(wanted, sizeof wanted, "no weak cipher such as %s",
                           SSL_CIPHER_get_name(cipher));
            is_fine = error_set_parameter(error, "ciphers", wanted);
        }
    }
    if (is_fine && !allows_weak && SSL_get_security_level(ssl) < level) {
        is_fine = error_set_parameter(error, "ciphers",
                                      "no @SECLEVEL below that of the system");
    }
    sk_SSL_CIPHER_free(usable);
    return is_fine;
}
