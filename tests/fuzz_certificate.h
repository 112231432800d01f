/* SPDX-License-Identifier: MIT */
/*
 * fuzz_certificate.h - a certificate of nobody, for a hundred years, and its key: what a
 * fuzz target finds stays the same from run to run.
 */
#ifndef SOCKD_TESTS_FUZZ_CERTIFICATE_H
#define SOCKD_TESTS_FUZZ_CERTIFICATE_H

/* PEM; for server.test, signed by itself, of P-256. */
extern const char fuzz_certificate[], fuzz_key[];

#endif
