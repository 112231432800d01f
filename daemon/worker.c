/* SPDX-License-Identifier: MIT */
/*
 * worker.c - the life of a worker thread.
 *
 * Called by the pool; calls the loop and the desk. Thread: main, but for run().
 */
#include <config.h>
#include "daemon/worker.h"

#include <errno.h>
#include <stdio.h>

#include "daemon/base/check.h"
#include "daemon/base/loop.h"
#include "daemon/control/desk.h"
#include "daemon/net/pipes.h"
#include "proto/arena.h"

#define WORKER_MAGIC 0x3059e500u

void worker_init(struct worker *worker, unsigned number)
{
    char name[16];

    worker->magic = WORKER_MAGIC;
    worker->number = number;
    (void)snprintf(name, sizeof name, "worker %u", number);
    worker->loop = loop_new(name, (int)number);
    loop_register(worker->loop);
    desk_open(worker->loop);
}

static void *run(void *arg)
{
    struct worker *worker = arg;

    CHECK_MAGIC(worker, WORKER_MAGIC);
    /* For ps and debuggers; nothing depends on it. */
    (void)pthread_setname_np(pthread_self(), loop_name(worker->loop));
    loop_run(worker->loop);
    pipes_thread_end();
    arena_thread_end();
    return NULL;
}

int worker_start(struct worker *worker)
{
    int status = pthread_create(&worker->thread, NULL, run, worker);

    worker->is_running = status == 0;
    return -status;
}

void worker_join(struct worker *worker)
{
    if (worker->is_running) {
        CHECK(pthread_join(worker->thread, NULL) == 0);
        worker->is_running = false;
    }
}

void worker_fini(struct worker *worker)
{
    CHECK(!worker->is_running);
    desk_close(worker->loop);
    loop_free(worker->loop);
    worker->loop = NULL;
    worker->magic = 0;
}
