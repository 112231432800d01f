/* SPDX-License-Identifier: MIT */
/*
 * tls_pem.c - certificates, revocation lists and private keys out of PEM texts.
 *
 * Called by tls_context.c and certificate.c. Thread: any.
 */
#include <config.h>
#include "daemon/net/tls_pem.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/net/tls_error.h"

/* What OpenSSL is to ask for the password of a key. Its own way is the terminal. */
struct secret {
    const char *text; /* NULL: none */
    size_t size;
    bool was_asked;
};

static int give_secret(char *bytes, int room, int is_writing, void *arg)
{
    struct secret *secret = arg;

    (void)is_writing; /* nothing is ever written with it */
    secret->was_asked = true;
    if (secret->text == NULL || secret->size > (size_t)room) {
        return -1;
    }
    memcpy(bytes, secret->text, secret->size);
    return (int)secret->size;
}

static BIO *open_text(const char *text, size_t size)
{
    CHECK(size <= INT_MAX);
    /* An empty text may come as NULL, which OpenSSL takes for a mistake of ours. */
    BIO *bio = BIO_new_mem_buf(size > 0 ? text : "", (int)size);

    CHECK(bio != NULL);
    return bio;
}

/* After the last object: did the text end there, or is there one that cannot be read? */
static bool is_at_end(void)
{
    unsigned long code = ERR_peek_last_error();

    return ERR_GET_LIB(code) == ERR_LIB_PEM &&
           ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

STACK_OF(X509) * tls_pem_certificates(const char *text, size_t size,
                                      const char *parameter, struct error *error)
{
    struct secret secret = {0};
    STACK_OF(X509) *list = sk_X509_new_null();
    BIO *bio = open_text(text, size);
    X509 *x509;

    CHECK(list != NULL);
    ERR_clear_error();
    while ((x509 = PEM_read_bio_X509(bio, NULL, give_secret, &secret)) != NULL) {
        CHECK(sk_X509_push(list, x509) > 0);
    }
    BIO_free(bio);
    bool is_whole = is_at_end();

    if (is_whole && sk_X509_num(list) > 0) {
        for (int i = 0; i < sk_X509_num(list); i++) {
            tls_pem_settle(sk_X509_value(list, i));
        }
        ERR_clear_error();
        return list;
    }
    (void)tls_error_parameter(error, parameter,
                              is_whole ? "PEM text with at least one certificate"
                                       : "PEM certificates that can be read");
    sk_X509_pop_free(list, X509_free);
    return NULL;
}

STACK_OF(X509_CRL) * tls_pem_crls(const char *text, size_t size, const char *parameter,
                                  struct error *error)
{
    struct secret secret = {0};
    STACK_OF(X509_CRL) *list = sk_X509_CRL_new_null();
    BIO *bio = open_text(text, size);
    X509_CRL *crl;

    CHECK(list != NULL);
    ERR_clear_error();
    while ((crl = PEM_read_bio_X509_CRL(bio, NULL, give_secret, &secret)) != NULL) {
        CHECK(sk_X509_CRL_push(list, crl) > 0);
    }
    BIO_free(bio);
    bool is_whole = is_at_end();

    if (is_whole && sk_X509_CRL_num(list) > 0) {
        ERR_clear_error();
        return list;
    }
    (void)tls_error_parameter(error, parameter,
                              is_whole ? "PEM text with at least one revocation list"
                                       : "PEM revocation lists that can be read");
    sk_X509_CRL_pop_free(list, X509_CRL_free);
    return NULL;
}

EVP_PKEY *tls_pem_key(const char *text, size_t size, const char *password,
                      size_t password_size, const char *parameter, struct error *error)
{
    struct secret secret = {password, password_size, false};
    BIO *bio = open_text(text, size);

    ERR_clear_error();
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, give_secret, &secret);

    BIO_free(bio);
    if (key != NULL) {
        ERR_clear_error();
        return key;
    }
    if (secret.was_asked) {
        (void)tls_error_parameter(error, "certificate-password",
                                  password == NULL
                                      ? "the password: the private key is encrypted"
                                      : "the password that the private key is "
                                        "encrypted with");
    } else {
        (void)tls_error_parameter(error, parameter, "PEM text with a private key");
    }
    return NULL;
}
