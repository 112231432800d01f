/* SPDX-License-Identifier: MIT */
/*
 * tls_error.c - takes the reason of a failure out of OpenSSL's queue.
 *
 * Called by every other tls_ module. Thread: any.
 */
#include <config.h>
#include "daemon/net/tls_error.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>

/*
 * The code that says most: the last one of the TLS library, which knows what it was
 * about; else the first one, which is the cause of those behind it.
 */
static unsigned long take_code(void)
{
    unsigned long code, first = 0, of_tls = 0;

    while ((code = ERR_get_error()) != 0) {
        if (first == 0) {
            first = code;
        }
        if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
            of_tls = code;
        }
    }
    return of_tls != 0 ? of_tls : first;
}

static void describe(struct error *error, unsigned long code)
{
    const char *reason = ERR_reason_error_string(code);
    const char *library = ERR_lib_error_string(code);

    if (reason != NULL) {
        (void)snprintf(error->reason, sizeof error->reason, "%s", reason);
    } else {
        (void)snprintf(error->reason, sizeof error->reason, "reason %d",
                       ERR_GET_REASON(code));
    }
    (void)snprintf(error->library, sizeof error->library, "%s",
                   library != NULL ? library : "");
}

void tls_error_clear(void)
{
    if (ERR_peek_error() != 0) {
        ERR_clear_error();
    }
}

bool tls_error_take(struct error *error, const char *what)
{
    unsigned long code = take_code();

    if (code == 0) {
        return tls_error_set(error, what, "no reason given");
    }
    int number = ERR_GET_REASON(code);

    (void)error_set(error, ERROR_SSL_ERROR, "%s", what);
    describe(error, code);
    (void)error_set_message(error, "");
    (void)snprintf(error->message, sizeof error->message, "%s: %s", what, error->reason);
    /* The reasons from here on are the alerts that a peer sends. */
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && number > SSL_AD_REASON_OFFSET &&
        number <= SSL_AD_REASON_OFFSET + 255) {
        error->number = number - SSL_AD_REASON_OFFSET;
    }
    return false;
}

bool tls_error_set(struct error *error, const char *what, const char *reason)
{
    (void)error_set(error, ERROR_SSL_ERROR, "%s: %s", what, reason);
    (void)snprintf(error->reason, sizeof error->reason, "%s", reason);
    (void)snprintf(error->library, sizeof error->library, "SSL routines");
    return false;
}

bool tls_error_parameter(struct error *error, const char *parameter, const char *wanted)
{
    unsigned long code = take_code();

    (void)error_set_parameter(error, parameter, wanted);
    if (code != 0) {
        describe(error, code);
        (void)snprintf(error->message, sizeof error->message,
                       "parameter %s: wanted is %s (%s)", parameter, wanted,
                       error->reason);
    }
    return false;
}

bool tls_error_verify(struct error *error, long code, int depth)
{
    const char *reason = X509_verify_cert_error_string(code);

    ERR_clear_error();
    (void)error_set(error, ERROR_CERTIFICATE_VERIFY_FAILED,
                    "the certificate of the peer did not verify: %s (code %ld, depth %d)",
                    reason, code, depth);
    (void)snprintf(error->reason, sizeof error->reason, "%s", reason);
    error->number = code;
    error->depth = depth;
    return false;
}
