/* SPDX-License-Identifier: MIT */
/*
 * tls_pem.h - PEM texts as OpenSSL's objects, with errors that name the parameter.
 *
 * The texts were sent by clients or read from files of the configuration; nothing here
 * opens a file or asks a terminal for a password. Pure functions; any thread.
 */
#ifndef SOCKD_NET_TLS_PEM_H
#define SOCKD_NET_TLS_PEM_H

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stddef.h>
#include "proto/error.h"

/* Decodes what OpenSSL would decode when it is looked at for the first time, which may be
 * in several threads at once. A certificate that is broken shows when it is used. */
static inline void tls_pem_settle(X509 *x509) { (void)X509_check_purpose(x509, -1, 0); }

/* All certificates of the text, at least one, settled. NULL: *error names `parameter`. */
STACK_OF(X509) * tls_pem_certificates(const char *text, size_t size,
                                      const char *parameter, struct error *error);
/* All revocation lists of the text, at least one. NULL: *error names `parameter`. */
STACK_OF(X509_CRL) * tls_pem_crls(const char *text, size_t size, const char *parameter,
                                  struct error *error);
/* The first private key of the text: PKCS#8, encrypted or not, PKCS#1, SEC 1. `password`
 * NULL: none. NULL: *error names `parameter`, or certificate-password when that is
 * missing or wrong. */
EVP_PKEY *tls_pem_key(const char *text, size_t size, const char *password,
                      size_t password_size, const char *parameter, struct error *error);

#endif
