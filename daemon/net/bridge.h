/* SPDX-License-Identifier: MIT */
/*
 * bridge.h - two streams of one worker, joined: what the one receives the other sends.
 *
 * From bridge_start() on both socks are taken: their state is ATTACHED and data
 * operations on them are refused. Each direction ends for itself: an end of file is
 * passed on when all before it is delivered. The bridge is over when both directions
 * are, when a connection fails, when nothing has moved for too long, or when somebody
 * interrupts or closes one of the socks. Then both are closed, but for an interrupt: it
 * may leave them as they were before, with the bytes that were not delivered.
 *
 * Endings are exact: a stream that was cut off - reset, truncated, given up by time-out -
 * is not passed on as a clean end. The other side is cut, too, once it has all bytes that
 * came before: TCP is reset, TLS ends without its farewell. A Unix socket has no such
 * sign. Until then what it sends is received and forgotten, so that it is not blocked in
 * sending; not so while an interrupt might have it back.
 *
 * Thread: the home of both socks.
 */
#ifndef SOCKD_NET_BRIDGE_H
#define SOCKD_NET_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>
#include "proto/error.h"

struct sock;

enum bridge_end {
    BRIDGE_END_CLEAN,
    BRIDGE_END_CUT,  /* a side was reset or truncated, or took no more */
    BRIDGE_END_IDLE, /* nothing moved for too long */
    BRIDGE_END_INTERRUPTED,
    BRIDGE_END_CLOSED, /* one of the socks was closed */
};
const char *bridge_end_name(enum bridge_end end);

struct bridge_rules {
    double idle;        /* seconds without a byte; 0: for ever */
    double half_closed; /* the same when one direction has ended; 0: as idle */
    bool is_kept;       /* an interrupt leaves the socks alive */
};

struct bridge_report {
    enum bridge_end end;
    uint64_t n_moved[2]; /* bytes, from the first sock to the second and back */
};

/* Runs once. The socks are open again, or closed, or will be before this round ends. */
typedef void bridge_over(void *arg, const struct bridge_report *report);

/* Both have passed stream_get_whole() and are not the same. */
void bridge_start(struct sock *first, struct sock *second,
                  const struct bridge_rules *rules, bridge_over *over, void *arg);

/* The other sock; NULL: this one is not joined. */
struct sock *bridge_other(const struct sock *sock);

/* For stream.c: the sock ends, at once or in order. No-op when it is not joined. */
void bridge_drop(struct sock *sock, bool is_abort);

#endif
