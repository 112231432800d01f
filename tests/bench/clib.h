/* SPDX-License-Identifier: MIT */
/*
 * clib.h - what getaddrinfo() costs a program that calls it itself, to compare with.
 *
 * The C library has no cache: each call reads its files again, and asks the name server
 * again. So a name of the file of hosts stands for a cached one, which is the best that
 * it can do.
 */
#ifndef SOCKD_TESTS_BENCH_CLIB_H
#define SOCKD_TESTS_BENCH_CLIB_H

#include <stdbool.h>
#include <stdint.h>

struct clib_rate {
    double per_second, cpu_us; /* of the whole program, per look-up */
};

/* A child on CPU 0 calls getaddrinfo() in `n_threads` threads: for "localhost", which is
 * in the file of hosts, when `port` is 0; else always for another name, of the name
 * server there. False: that is not how names are looked up on this machine. */
bool clib_measure(struct clib_rate *rate, int n_threads, uint16_t port, double seconds);

#endif
