/* SPDX-License-Identifier: MIT */
/*
 * listener.h - the Unix socket that clients connect to.
 *
 * Opened before the workers start, so that every failure ends the start; it accepts from
 * control_listener_start() on and hands each client to the worker with the fewest.
 * Thread: main.
 */
#ifndef SOCKD_CONTROL_LISTENER_H
#define SOCKD_CONTROL_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct control_listener;
struct loop;

struct control_listener_plan {
    int fd;           /* a listening socket, which is taken over; -1: one is made */
    const char *path; /* absolute or relative; shorter than 108 bytes */
    uid_t owner;      /* (uid_t)-1: as it is */
    gid_t group;      /* (gid_t)-1: as it is */
    mode_t mode;
};

/*
 * Makes the socket, unless there is one: then its file and its rights are somebody else's
 * business, and nothing but `fd` of the plan counts. A stale file is replaced, a live
 * daemon is not. NULL: `why` has the sentence. The loop is the main one, not running yet.
 */
struct control_listener *control_listener_open(struct loop *loop,
                                               const struct control_listener_plan *plan,
                                               char *why, size_t why_size);
/* Begins to accept. 0 or negative errno. */
int control_listener_start(struct control_listener *listener);
/* Accepts no more, closes, removes its file, frees. NULL: no-op. */
void control_listener_close(struct control_listener *listener);

#endif
