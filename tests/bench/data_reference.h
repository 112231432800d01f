/* SPDX-License-Identifier: MIT */
/*
 * data_reference.h - the least that could do the work of a path, in a process of its own:
 * an application with OpenSSL inside, on non-blocking sockets with epoll, that makes,
 * takes or echoes the bytes itself; and for plain bytes a relay by splice(2).
 */
#ifndef SOCKD_TESTS_BENCH_DATA_REFERENCE_H
#define SOCKD_TESTS_BENCH_DATA_REFERENCE_H

#include "tests/bench/data_rig.h"

enum data_role {
    DATA_SOURCE, /* a byte from the near end, and it sends to the far one over TLS */
    DATA_SINK,   /* a TLS server that forgets what it gets */
    DATA_ECHO,   /* a TLS server that answers with what it gets */
    DATA_SPLICE, /* from near to far */
};

struct data_reference {
    enum data_role role;
    int ready, near; /* listeners: `ready` is only there to be connected to */
    const struct data_place *far;
    SSL_CTX *server, *client;
};

/* Serves until SIGTERM ends the process. */
_Noreturn void data_reference_serve(const struct data_reference *reference);

#endif
