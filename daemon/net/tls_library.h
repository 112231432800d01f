/* SPDX-License-Identifier: MIT */
/*
 * tls_library.h - OpenSSL as a whole: its start, its version, secrets in memory, time.
 *
 * Secrets. Keys, traffic secrets and passwords live in OpenSSL's ordinary memory. What
 * keeps them there is that the process cannot be dumped: tls_library_guard() turns core
 * files off and closes the process to debuggers of the same user. OpenSSL's secure heap
 * was rejected: it would cover the numbers of a private key, but neither what is
 * calculated from them nor the secrets of the sessions, it takes one lock of the whole
 * process in every handshake, and when it is full handshakes fail. Texts that hold
 * secrets are wiped by whoever holds them, with tls_wipe().
 */
#ifndef SOCKD_NET_TLS_LIBRARY_H
#define SOCKD_NET_TLS_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Starts OpenSSL once; further calls do nothing. Every constructor of the TLS modules
 * calls it. Thread: any. */
void tls_library_start(void);

/* From here on the process leaves no core file and lets no debugger in. False: the system
 * refused. Call it before the first secret arrives. Thread: main. */
bool tls_library_guard(void);

struct tls_library_version {
    unsigned major, minor, patch;
    const char *text; /* static: "OpenSSL 3.0.22 25 Aug 2026" */
};
/* The library that is loaded, and the one whose headers were compiled in. */
void tls_library_versions(struct tls_library_version *loaded,
                          struct tls_library_version *built);

/* Overwrites a secret in a way no compiler leaves out; `bytes` may be NULL when `size` is
 * 0. */
void tls_wipe(void *bytes, size_t size);
/* Wipes and frees a text; NULL is fine. */
void tls_wipe_text(char *text);

/* Seconds of a clock that only goes forward, suspends included: by which ticket keys and
 * sessions grow old. Thread: any. */
int64_t tls_seconds(void);
/* Lets that clock jump ahead. For tests. */
void tls_seconds_advance(int64_t seconds);

#endif
