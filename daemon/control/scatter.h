/* SPDX-License-Identifier: MIT */
/*
 * scatter.h - ask all workers, gather their answers in the worker that asked.
 *
 * `collect` runs once in every worker and fills its own part; when all parts are in (or
 * the deadline of 5 seconds has passed) `merge` runs at the request's worker with all of
 * them and ends the request. Parts are plain memory owned by the scatter; part_fini frees
 * what hangs on one.
 */
#ifndef SOCKD_CONTROL_SCATTER_H
#define SOCKD_CONTROL_SCATTER_H

#include <stdbool.h>
#include <stddef.h>

struct loop;
struct request;
struct caller;

struct scatter_plan {
    size_t question_size; /* bytes copied to every worker */
    size_t part_size;     /* bytes of each worker's zeroed part */
    void (*collect)(struct loop *loop, const struct caller *caller, const void *question,
                    void *part);
    /* parts[i] is worker i's; NULL: it did not answer in time. */
    void (*merge)(struct request *request, const void *question, void **parts,
                  unsigned n_parts);
    void (*part_fini)(void *part); /* may be NULL */
};

/* Starts it for a request that has not ended; the request waits meanwhile and can be
 * cancelled. */
void scatter_start(struct request *request, const struct scatter_plan *plan,
                   const void *question);

#endif
