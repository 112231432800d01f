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
 * Between two ends that need not see their bytes, large amounts go through a pipe of the
 * kernel and are not copied (pipes.h); small ones are cheaper to copy. Then it is the
 * pipe where bytes wait.
 *
 * Used by attachment.c and bridge.c. Thread: the one thread that both ends belong to.
 */
#ifndef SOCKD_NET_RELAY_H
#define SOCKD_NET_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "daemon/base/buffer.h"
#include "daemon/net/transport.h"

struct pipe_pair;
struct relay_end;

struct relay_end_kind {
    const char *name;
    enum transport_result (*receive)(struct relay_end *end, void *bytes, size_t size,
                                     size_t *n);
    enum transport_result (*send)(struct relay_end *end, const void *bytes, size_t size,
                                  size_t *n);
    /* Everything was sent: tell this end that no more comes. `ended`: how the input of
     * the other end did. */
    void (*finish)(struct relay_end *end, enum transport_result ended);
    /* The other side takes no more: what this end sends is not wanted any longer. */
    void (*refuse)(struct relay_end *end);

    /* May bytes go through a pipe? If so, these do it, as in struct transport. */
    bool (*has_pipes)(const struct relay_end *end);
    enum transport_result (*receive_pipe)(struct relay_end *end, int pipe, size_t size,
                                          bool looks_first, size_t *n);
    enum transport_result (*send_pipe)(struct relay_end *end, int pipe, size_t size,
                                       size_t *n);
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
    struct buffer buffer;   /* received, not delivered; at most one piece */
    struct pipe_pair *pipe; /* with bytes that come behind those; NULL: none */
    uint64_t n_moved;       /* bytes delivered */
    enum relay_state state;
    enum transport_result ended; /* of `from`: END, TRUNCATED, FAILED; OK: not yet */
    bool is_broken;              /* `to` has failed */
    int8_t bulk; /* above 0: the last pieces were large; below: the number of small ones
                    that went through a pipe */
    bool was_short; /* the last receive took less than it could: it may have taken all */
};

/*
 * Moves bytes as long as both ends go along. True: the budget of one turn is used up, run
 * it again after others had their turn; false: it waits for readiness, or is over.
 */
bool relay_run(struct relay_way *way);

/* The receiver has failed: the way is over. What is left in it stays there for whoever
 * wants it. */
void relay_break(struct relay_way *way);

/* Nothing is on its way from one end to the other. */
bool relay_is_empty(const struct relay_way *way);

/* Takes what waits in the pipe into the buffer: for whoever wants all its bytes. The
 * relay may go on afterwards. */
void relay_collect(struct relay_way *way);

/* Frees the buffer; whoever wants its bytes takes them before. */
void relay_fini(struct relay_way *way);

#endif
