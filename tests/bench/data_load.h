/* SPDX-License-Identifier: MIT */
/*
 * data_load.h - both ends of a path under load: bytes one way, pings, handshakes, and
 * connections that do nothing.
 *
 * Runs on the calling thread, and for handshakes on some more.
 */
#ifndef SOCKD_TESTS_BENCH_DATA_LOAD_H
#define SOCKD_TESTS_BENCH_DATA_LOAD_H

#include <stdbool.h>
#include "tests/bench/data_contender.h"

struct data_figures {
    double per_second; /* GB (10^9 bytes of plaintext), pings, handshakes */
    double cpu;        /* seconds of the contender for each of them */
    double load_cpu;   /* the same of this process */
    double p50_us;     /* of a ping */
};

/* How the near end comes to be. */
enum data_way { DATA_BY_TUNNEL, DATA_BY_ATTACH, DATA_BY_ATTACH_TLS };

/* From the near end to the far one. */
void data_bulk(const struct contender *contender, enum data_way way, int n_connections,
               double seconds, struct data_figures *figures);
/* 64 bytes there and back, one ping in flight on each connection. */
void data_ping(const struct contender *contender, int n_connections, double seconds,
               struct data_figures *figures);
/* Connect, handshake, a byte there and back, close; eight at a time. */
void data_handshakes(const struct contender *contender, bool is_resumed, double seconds,
                     struct data_figures *figures);
/* Seconds of sockd's CPU for a write and a read of 64 bytes by JSON on one socket. */
double data_json(const struct contender *contender, bool is_tls, double seconds);
/* Bytes of memory for each of so many connections after one ping. */
double data_idle(const struct contender *contender, int n_connections);

#endif
