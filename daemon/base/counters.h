/* SPDX-License-Identifier: MIT */
/*
 * counters.h - numbers for `statistics`: each loop counts for itself, readers add them
 * up.
 *
 * Thread: a counter is changed by its loop only; relaxed atomics let others read it.
 * counters.def names them all: COUNTER(ID, "wire-name", "what it counts").
 */
#ifndef SOCKD_BASE_COUNTERS_H
#define SOCKD_BASE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

enum counter_id {
#define COUNTER(ID, NAME, HELP) COUNTER_##ID,
#include "daemon/base/counters.def"
    COUNTER_COUNT
};

struct counters {
    _Atomic uint64_t values[COUNTER_COUNT];
};

static inline void counters_add(struct counters *counters, enum counter_id id, uint64_t n)
{
    uint64_t now = atomic_load_explicit(&counters->values[id], memory_order_relaxed);
    atomic_store_explicit(&counters->values[id], now + n, memory_order_relaxed);
}

/* Thread: any. */
static inline uint64_t counters_get(const struct counters *counters, enum counter_id id)
{
    return atomic_load_explicit(&counters->values[id], memory_order_relaxed);
}

const char *counter_name(enum counter_id id);
const char *counter_help(enum counter_id id);

#endif
