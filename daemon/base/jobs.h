/* SPDX-License-Identifier: MIT */
/*
 * jobs.h - a small pool of threads for work that blocks: names through the C library,
 * files.
 *
 * `work` runs in a job thread and touches the job only; then `done` runs in the loop that
 * asked. When that loop is closing, `drop` runs instead of `done`. A job is found again
 * by handle when its asker may have gone meanwhile. Threads start on demand and end after
 * idling.
 */
#ifndef SOCKD_BASE_JOBS_H
#define SOCKD_BASE_JOBS_H

#include "daemon/base/mailbox.h"

struct job {
    struct message message; /* carries the job back */
    struct job *next;
    struct loop *asker;
    void (*work)(struct job *job);
    void (*done)(struct job *job); /* in the asker's loop; frees the job */
    void (*drop)(struct job *job); /* in any thread; frees the job */
};

/* Before the first jobs_submit(); `max_threads`: 1 or more. */
void jobs_start(unsigned max_threads);
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

#endif
