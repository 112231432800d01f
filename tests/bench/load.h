/* SPDX-License-Identifier: MIT */
/*
 * load.h - clients of a control socket in a closed loop: each sends a batch of lines,
 * waits for as many, and sends again.
 */
#ifndef SOCKD_TESTS_BENCH_LOAD_H
#define SOCKD_TESTS_BENCH_LOAD_H

#include <stddef.h>
#include <stdint.h>
#include "tests/bench/target.h"

struct load_plan {
    const char *line; /* the request, with its LF */
    int n_clients;
    int n_pipelined; /* lines sent at once by each client */
    double seconds;
};

struct load_result {
    uint64_t n_requests;
    double seconds;
    double cpu_us; /* of the target, per request */
    double p50_us, p99_us;
};

/* Runs on the calling thread. A warm-up of a tenth of the time is not counted. */
void load_run(const struct target *target, const struct load_plan *plan,
              struct load_result *result);

/* Sends `line` and reads one line into `reply`; returns its size without LF. */
size_t ask(int fd, const char *line, char *reply, size_t room);
/* The number behind `"name":` in a reply; dies when there is none. */
int64_t number_in(const char *reply, const char *name);

/* The value below which the part `q` of the sorted samples lies. Sorts them. */
double quantile(double *samples, size_t n, double q);

#endif
