/* SPDX-License-Identifier: MIT */
/*
 * desk.h - what the control floor keeps per thread: the requests that wait there, the
 * connections that live there, memory that they share in turn; and how all of it ends.
 *
 * Owner: the loop's thread, which opens it before the loop runs and closes it afterwards.
 * Home thread: that of the loop. Whoever finds a waiting request does so by its call, a
 * handle.
 */
#ifndef SOCKD_CONTROL_DESK_H
#define SOCKD_CONTROL_DESK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "daemon/base/loop.h"
#include "proto/writer.h"

struct connection;
struct request;

enum { DESK_MAGIC = 0x0de5c001, DESK_BUCKETS = 1024, DESK_SCRATCH_SIZE = 65536 };

struct desk {
    unsigned magic;
    struct loop *loop;
    struct request *waiting[DESK_BUCKETS]; /* by call */
    struct connection *connections;        /* of this worker, shells included */
    char *scratch;                         /* what recv() fills; workers only */
    struct writer spare;                   /* memory lent to connections with output */
    struct writer text;                    /* for the ids of requests */

    /* The end. */
    bool is_draining;   /* no more requests are read */
    unsigned n_echoes;  /* other loops that have not answered yet */
    bool is_closing;    /* the sockets were asked to end */
    bool has_ended;     /* what arrives now comes too late */
    struct timer timer; /* looks whether everything is written */
    void (*quiet)(struct loop *loop);
};

/* Hangs a desk on the loop (loop_set_data). Before the loop runs. */
void desk_open(struct loop *loop);
/* After the loop has run: nothing may wait any more. */
void desk_close(struct loop *loop);
struct desk *desk_of(struct loop *loop);

/* Puts a request with its call into the desk of its loop, takes it out (no-op when it
 * does not wait), finds it by call (NULL: it does not wait here). */
void desk_keep(struct request *request);
void desk_forget(struct request *request);
struct request *desk_find(struct loop *loop, int64_t call);

/*
 * The end, first half: no more requests are read; those that are under way end, the
 * sockets are closed in order, replies and output are written. `quiet` runs when nothing
 * is left; whoever asked waits for that no longer than it wants to.
 */
void desk_drain(struct loop *loop, void (*quiet)(struct loop *loop));
/* The end, second half, at once: connections and sockets are closed, nothing waits. */
void desk_end(struct loop *loop);
/* The same for a thread that is no worker: it has neither. */
void desk_end_requests(struct loop *loop);

/* Control connections per worker, for choosing the least loaded. Thread: any. */
void desk_load_add(unsigned worker, int n);
unsigned desk_load(unsigned worker);

#endif
