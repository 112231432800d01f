/* SPDX-License-Identifier: MIT */
/*
 * relay.c - moves bytes from one end to the other.
 *
 * Called by attachment.c; calls the ends through their kinds. Thread: that of both ends.
 *
 * Bytes pass by in memory of the thread: as long as the receiver keeps up, a way needs no
 * buffer, and ten thousand idle ones hold none.
 */
#include <config.h>
#include "daemon/net/relay.h"

#include "daemon/net/stream.h"

enum {
    TURN_BUDGET = 16
}; /* pieces that one way may move before others have their turn */

/* The receiver has failed: what is left stays in the buffer for whoever wants it. */
static void break_way(struct relay_way *way)
{
    way->is_broken = true;
    way->state = RELAY_OVER;
    if (way->ended == TRANSPORT_OK) {
        way->from->kind->refuse(way->from);
    }
}

/* Sends what waits. True: nothing waits any more. */
static bool send_buffer(struct relay_way *way)
{
    struct buffer *buffer = &way->buffer;
    size_t n;

    while (buffer->size > 0) {
        enum transport_result result =
            way->to->kind->send(way->to, buffer_bytes(buffer), buffer->size, &n);
        if (result == TRANSPORT_AGAIN) {
            return false;
        }
        if (result != TRANSPORT_OK) {
            break_way(way);
            return false;
        }
        buffer_consume(buffer, n);
    }
    return true;
}

/* Receives a piece and sends what goes at once. False: nothing came. */
static bool pass_piece(struct relay_way *way)
{
    uint8_t *piece = stream_scratch();
    size_t size = 0, n = 0;
    enum transport_result result =
        way->from->kind->receive(way->from, piece, STREAM_PIECE, &size);

    if (result == TRANSPORT_AGAIN) {
        return false;
    }
    if (result != TRANSPORT_OK) {
        way->ended = result;
        way->state = RELAY_DRAINING;
        return true;
    }
    result = way->to->kind->send(way->to, piece, size, &n);
    if (result != TRANSPORT_OK) {
        n = 0;
    }
    buffer_add(&way->buffer, piece + n, size - n);
    if (result != TRANSPORT_OK && result != TRANSPORT_AGAIN) {
        break_way(way);
    }
    return true;
}

bool relay_run(struct relay_way *way)
{
    for (unsigned n_left = TURN_BUDGET; n_left > 0; n_left--) {
        if (way->state == RELAY_OVER || !send_buffer(way)) {
            return false;
        }
        if (way->state == RELAY_DRAINING) {
            way->state = RELAY_OVER;
            way->to->kind->finish(way->to);
            return false;
        }
        if (!pass_piece(way)) {
            return false;
        }
    }
    return true;
}

void relay_fini(struct relay_way *way) { buffer_fini(&way->buffer); }
