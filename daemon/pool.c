/* SPDX-License-Identifier: MIT */
/*
 * pool.c - messages to all workers, and what comes back.
 *
 * Called by the server; calls worker.c and the desks. Thread: main, but for what its
 * messages do in the workers.
 */
#include <config.h>
#include "daemon/pool.h"

#include <stdlib.h>

#include "daemon/base/check.h"
#include "daemon/base/handle.h"
#include "daemon/base/loop.h"
#include "daemon/base/mailbox.h"
#include "daemon/control/desk.h"
#include "daemon/worker.h"

static struct {
    struct worker workers[HANDLE_MAX_WORKERS];
    unsigned n;
    unsigned n_busy; /* asked to drain and not quiet yet */
    void (*quiet)(void);
} pool;

void pool_open(unsigned n)
{
    CHECK(n >= 1 && n <= HANDLE_MAX_WORKERS && pool.n == 0);
    for (unsigned i = 0; i < n; i++) {
        worker_init(&pool.workers[i], i);
    }
    pool.n = n;
}

int pool_start(void)
{
    for (unsigned i = 0; i < pool.n; i++) {
        int status = worker_start(&pool.workers[i]);
        if (status < 0) {
            return status;
        }
    }
    return 0;
}

static void drop(struct message *message) { free(message); }

static void post(struct loop *to, void (*deliver)(struct message *, struct loop *))
{
    struct message *message = MEM_NEW(struct message);

    message->deliver = deliver;
    message->drop = drop;
    mailbox_post(to, message);
}

/* ---- Draining -------------------------------------------------------------------------
 */

static void quiet_arrived(struct message *message, struct loop *loop)
{
    (void)loop;
    free(message);
    CHECK(pool.n_busy > 0);
    pool.n_busy--;
    if (pool.n_busy == 0) {
        pool.quiet();
    }
}

/* In the worker. */
static void tell_quiet(struct loop *loop)
{
    (void)loop;
    post(loop_of_main(), quiet_arrived);
}

static void drain_arrived(struct message *message, struct loop *loop)
{
    free(message);
    desk_drain(loop, tell_quiet);
}

void pool_drain(void (*quiet)(void))
{
    pool.quiet = quiet;
    pool.n_busy = pool.n;
    for (unsigned i = 0; i < pool.n; i++) {
        post(pool.workers[i].loop, drain_arrived);
    }
}

/* ---- The end --------------------------------------------------------------------------
 */

static void end_arrived(struct message *message, struct loop *loop)
{
    free(message);
    desk_end(loop);
    loop_stop(loop);
}

void pool_end(void)
{
    for (unsigned i = 0; i < pool.n; i++) {
        if (pool.workers[i].is_running) {
            post(pool.workers[i].loop, end_arrived);
        }
    }
    for (unsigned i = 0; i < pool.n; i++) {
        worker_join(&pool.workers[i]);
    }
}

void pool_close(void)
{
    for (unsigned i = 0; i < pool.n; i++) {
        worker_fini(&pool.workers[i]);
    }
    pool.n = 0;
}
