/* SPDX-License-Identifier: MIT */
/*
 * pipes.h - pipes of the kernel that bytes pass through uncopied, lent to relays.
 *
 * A relay has a pipe only while it moves bytes, or while bytes wait in it for a receiver
 * that is slow. Each thread keeps a few for the next one and has no more than
 * PIPES_MAX at work: whoever gets none copies. So slow receivers take buffers of ours
 * instead of descriptors.
 *
 * Thread: each has pipes of its own.
 */
#ifndef SOCKD_NET_PIPES_H
#define SOCKD_NET_PIPES_H

#include <stddef.h>

/* PIPES_SIZE: what is asked of one splice(). Pipes have the size the system gives them;
 * measured, larger ones (256 KiB, 1 MiB) cost the same or more for each byte, because the
 * pages do not stay in the cache until the second splice(). */
enum { PIPES_MAX = 64, PIPES_SPARE = 2, PIPES_SIZE = 64 * 1024 };

/* Owner: who has taken it. */
struct pipe_pair {
    struct pipe_pair *next; /* among the spare ones */
    int out, in;            /* the reading and the writing end */
    size_t size;            /* bytes that are in it; counted by the owner */
};

/* An empty pipe; NULL: none is to be had. */
struct pipe_pair *pipes_take(void);
/* Back; one with bytes in it is closed. NULL is fine. */
void pipes_give(struct pipe_pair *pair);
/* Closes the spare ones of the running thread, at its end. */
void pipes_thread_end(void);

#endif
