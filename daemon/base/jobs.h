/* SPDX-License-Identifier: MIT */
/*
 * jobs.h - a small pool of threads for work that blocks: names through the C library,
 * files.
 *
 * `work` runs in a job thread and touches the job only; then `done` runs in the loop that
 * asked. When that loop is closing, `drop` runs instead of `done`. A job is found again
 * by handle when its asker may have gone meanwhile. Threads start on demand and end after
 * idling.
 *
 * Work that may hang takes some of the threads at most, so that other work never waits
 * behind it.
 */
#ifndef SOCKD_BASE_JOBS_H
#define SOCKD_BASE_JOBS_H

#include <stdbool.h>
#include "daemon/base/mailbox.h"

struct job {
    struct message message;   /* carries the job back */
    struct job *next, **link; /* the queue; link NULL: not in it */
    struct loop *asker;
    bool may_hang; /* set by the asker: it waits for others, perhaps for long */
    void (*work)(struct job *job);
    void (*done)(struct job *job); /* in the asker's loop; frees the job */
    void (*drop)(struct job *job); /* in any thread; frees the job */
};

/* Before the first jobs_submit(): threads at most, and those of them for work that may
 * hang; 1 or more. */
void jobs_start(unsigned max_threads, unsigned max_hanging);
/*
 * Drops what waits and what is working, and joins the threads; no job is handed to a loop
 * any more when it returns. Call it while the loops that asked still exist. Work that
 * lasts longer than JOBS_STOP_MS (a name server that does not answer cannot be
 * interrupted) is left alone: its thread drops the job when it comes back, touching
 * nothing else, and ends.
 */
enum { JOBS_STOP_MS = 1000 };
void jobs_stop(void);
/* Takes ownership. Before jobs_start() and after jobs_stop() the job is dropped at once.
 * Thread: any; `done` runs later, never from within. */
void jobs_submit(struct job *job, struct loop *asker);
/* True: nobody has begun with the job, and it is the caller's again. False: it takes its
 * way. Thread: the asker's, before `done`. */
bool jobs_withdraw(struct job *job);

#endif
