/* SPDX-License-Identifier: MIT */
/*
 * watch_group.h - watches sockets of another worker for the worker that asks.
 *
 * The asker sends each worker the sockets that live there. The worker answers when one of
 * them is ready, with all of its own that are ready then, or with an error: one is gone,
 * may not be touched, was closed or interrupted. After its one answer it watches no more.
 * What is no longer wanted is stopped, or collected: answered at once, ready or not.
 *
 * Thread: the functions are called in the asker's; `answered` runs there, too. For the
 * asker's own worker that may be before the function returns. An answer may cross a stop:
 * the asker ignores numbers that it does not know.
 */
#ifndef SOCKD_CONTROL_WATCH_GROUP_H
#define SOCKD_CONTROL_WATCH_GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include "daemon/net/sock.h"
#include "proto/error.h"

struct caller;

struct watch_entry {
    int64_t handle;
    unsigned index; /* the asker's, for the answer */
    enum op_direction direction;
};

struct watch_ready {
    unsigned index;
    bool is_error; /* the next operation there fails */
};

struct watch_answer {
    const struct error *error; /* NULL: none */
    const struct watch_ready *ready;
    unsigned n_ready;
};

typedef void watch_answered(int64_t id, unsigned worker,
                            const struct watch_answer *answer);

/* `id` is the asker's and unique in the daemon. `name` (static) is the method that waits.
 * `is_once`: the answer comes at once. */
void watch_group_start(int64_t id, unsigned worker, const char *name,
                       const struct caller *caller, const struct watch_entry *entries,
                       unsigned n_entries, bool is_once, watch_answered *answered);
/* Asks for the answer now. None comes when it is on its way already. */
void watch_group_collect(int64_t id, unsigned worker);
/* No answer is wanted any more. */
void watch_group_stop(int64_t id, unsigned worker);

#endif
