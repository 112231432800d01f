/* SPDX-License-Identifier: MIT */
/*
 * relay.h - bytes between two ends, both ways at once.
 *
 * The relay moves bytes and remembers how each way ended; what an end is (a descriptor,
 * the stream of a socket) stands behind struct relay_end_kind. Bytes that the one side
 * cannot take yet wait in a bounded buffer, which exists only while there are any; while
 * it holds some nothing more is received. An end of input is passed on when everything
 * before it is delivered.
 *
 * Used by attachment.c. Thread: the one thread that both ends belong to.
 */
#ifndef SOCKD_NET_RELAY_H
#define SOCKD_NET_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include "daemon/base/buffer.h"
#include "daemon/net/transport.h"

struct relay_end;

struct relay_end_kind {
    const char *name;
    enum transport_result (*receive)(struct relay_end *end, void *bytes, size_t size,
                                     size_t *n);
    enum transport_result (*send)(struct relay_end *end, const void *bytes, size_t size,
                                  size_t *n);
    /* Everything was sent: tell this end that no more comes. */
    void (*finish)(struct relay_end *end);
    /* The other side takes no more: what this end sends is not wanted any longer. */
    void (*refuse)(struct relay_end *end);
};

/* Embedded in what the end is. */
struct relay_end {
    const struct relay_end_kind *kind;
};

enum relay_state {
    RELAY_OPEN,
    RELAY_DRAINING, /* the input has ended, bytes are left to deliver */
    RELAY_OVER,     /* all delivered and the end passed on, or the receiver has failed */
};

/* One direction. Owner: whoever embeds it. */
struct relay_way {
    struct relay_end *from, *to;
    struct buffer buffer; /* received, not delivered; at most one piece */
    enum relay_state state;
    enum transport_result ended; /* of `from`: END, TRUNCATED, FAILED; OK: not yet */
    bool is_broken;              /* `to` has failed */
};

/*
 * Moves bytes as long as both ends go along. True: the budget of one turn is used up, run
 * it again after others had their turn; false: it waits for readiness, or is over.
 */
bool relay_run(struct relay_way *way);

/* Frees the buffer; whoever wants its bytes takes them before. */
void relay_fini(struct relay_way *way);

#endif
