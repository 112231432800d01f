/* SPDX-License-Identifier: MIT */
/*
 * lib_client.h - what the system tests of libsockd share: connections to the harness's
 * daemon, and sockets with a peer.
 *
 * Thread: the one that runs the test, unless said otherwise.
 */
#ifndef SOCKD_TESTS_LIB_CLIENT_H
#define SOCKD_TESTS_LIB_CLIENT_H

#include <stdint.h>
#include "lib/sockd.h"

struct harness;

/* The status a call must have; the test ends when it has another. */
void lib_must(int status, int wanted, const struct sockd_error *error, const char *file,
              unsigned line, const char *call);
/* They take the variable `error` of the test. */
#define MUST(CALL) lib_must(CALL, SOCKD_OK, &error, __FILE__, __LINE__, #CALL)
#define MUST_FAIL(STATUS, CALL) lib_must(CALL, STATUS, &error, __FILE__, __LINE__, #CALL)

/* A connection; lib_disconnect_all() ends all of them. */
struct sockd *lib_connect(const struct harness *harness);
void lib_disconnect_all(void);

/* A stream of the daemon that is connected to *peer. */
int64_t lib_stream(struct sockd *connection, int *peer);
/* A listener of the daemon on 127.0.0.1. */
int64_t lib_listener(struct sockd *connection, int *port);

#endif
