/* SPDX-License-Identifier: MIT */
/*
 * worker.h - one worker: a thread that runs one loop, with the desk of its clients.
 *
 * Made and ended by the pool. Thread: main, which starts and joins it.
 */
#ifndef SOCKD_WORKER_H
#define SOCKD_WORKER_H

#include <pthread.h>
#include <stdbool.h>

struct loop;

/* Owner: the pool. */
struct worker {
    unsigned magic;
    unsigned number;
    struct loop *loop;
    pthread_t thread;
    bool is_running; /* started and not joined yet */
};

/* Its loop, registered under its number. Before any thread runs. */
void worker_init(struct worker *worker, unsigned number);
/* 0 or negative errno. */
int worker_start(struct worker *worker);
/* Waits until its loop has been stopped. No-op when it does not run. */
void worker_join(struct worker *worker);
/* After all workers have ended: drops what is in its mailbox, frees the loop. */
void worker_fini(struct worker *worker);

#endif
