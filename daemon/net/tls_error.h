/* SPDX-License-Identifier: MIT */
/*
 * tls_error.h - OpenSSL's error queue as a struct error.
 *
 * The queue belongs to the thread: it is read where a failure shows, and left empty, so
 * that no session ever reads what another one left. Thread: any.
 */
#ifndef SOCKD_NET_TLS_ERROR_H
#define SOCKD_NET_TLS_ERROR_H

#include <stdbool.h>
#include "proto/error.h"

/* Empties the queue. ERR_clear_error() walks all of it, also when nothing is in it. */
void tls_error_clear(void);
/* ssl-error with reason, library and alert of the queue, which is empty afterwards;
 * `what` is the beginning of the sentence. Returns false. */
bool tls_error_take(struct error *error, const char *what);
/* ssl-error of our own making, with a reason in OpenSSL's manner. Returns false. */
bool tls_error_set(struct error *error, const char *what, const char *reason);
/* Invalid parameter, with the reason of the queue when it has one; the queue is empty
 * afterwards. Returns false. */
bool tls_error_parameter(struct error *error, const char *parameter, const char *wanted);
/* certificate-verify-failed. `code`: X509_V_ERR_...; returns false. */
bool tls_error_verify(struct error *error, long code, int depth);

#endif
