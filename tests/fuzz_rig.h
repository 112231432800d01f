/* SPDX-License-Identifier: MIT */
/*
 * fuzz_rig.h - what the fuzz targets of TLS share: a certificate of nobody, for a hundred
 * years, and its key, so that what they find stays the same from run to run; and rounds
 * of the loop.
 *
 * Thread: the one that runs the test.
 */
#ifndef SOCKD_TESTS_FUZZ_RIG_H
#define SOCKD_TESTS_FUZZ_RIG_H

struct loop;
struct tls_config;

/* PEM; for server.test, signed by itself, of P-256. */
extern const char fuzz_certificate[], fuzz_key[];
/* A context of this has that certificate, and trusts nothing but it. */
void fuzz_rig_identify(struct tls_config *config);

/* Runs the loop for so many rounds after the present one. */
void fuzz_rig_run(struct loop *loop, unsigned n_rounds);

#endif
