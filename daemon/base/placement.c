/* SPDX-License-Identifier: MIT */
/*
 * placement.c - the load of each worker, and which one a new socket goes to.
 *
 * Called by sock.c, make-socket and accept-connection; calls loop.c for the number of
 * workers. Thread: any.
 */
#include <config.h>
#include "daemon/base/placement.h"
#include <stdalign.h>
#include <stdatomic.h>
#include "daemon/base/check.h"
#include "daemon/base/handle.h"
#include "daemon/base/loop.h"

enum {
    CACHE_LINE = 64,
    CROWD = 256, /* sockets that home may have more than twice the least loaded */
};

/* Each in a cache line of its own: a worker writes its load at every socket. */
struct load {
    alignas(CACHE_LINE) _Atomic int n_sockets;
};

static struct load loads[HANDLE_MAX_WORKERS];
static _Atomic unsigned turn;

void placement_add(unsigned worker, int n)
{
    CHECK(worker < HANDLE_MAX_WORKERS);
    atomic_fetch_add_explicit(&loads[worker].n_sockets, n, memory_order_relaxed);
}

unsigned placement_load(unsigned worker)
{
    CHECK(worker < HANDLE_MAX_WORKERS);
    int n = atomic_load_explicit(&loads[worker].n_sockets, memory_order_relaxed);
    return n > 0 ? (unsigned)n : 0;
}

/* The least loaded; among equals the first from `start` on. */
static unsigned least_loaded(unsigned start)
{
    unsigned n_workers = loop_n_workers();
    unsigned best = start % n_workers;

    for (unsigned i = 1; i < n_workers; i++) {
        unsigned worker = (start + i) % n_workers;
        if (placement_load(worker) < placement_load(best)) {
            best = worker;
        }
    }
    return best;
}

unsigned placement_near(unsigned home)
{
    if (placement_load(home) <= CROWD) {
        return home;
    }
    unsigned least = least_loaded(home);
    return placement_load(home) > 2 * placement_load(least) + CROWD ? least : home;
}

unsigned placement_spread(void)
{
    return least_loaded(atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed));
}
