/* SPDX-License-Identifier: MIT */
/*
 * relay.c - moves bytes from one end to the other.
 *
 * Called by attachment.c and bridge.c; calls the ends through their kinds. Thread: that
 * of both ends.
 *
 * Bytes pass by in memory of the thread, or in one of its pipes: as long as the receiver
 * keeps up, a way needs no buffer, and ten thousand idle ones hold none.
 */
#include <config.h>
#include "daemon/net/relay.h"

#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/net/pipes.h"
#include "daemon/net/stream.h"

enum {
    TURN_BUDGET = 16, /* pieces that one way may move before others have their turn */
    /* A piece of this size is worth a pipe; after two of them it gets one. */
    LARGE_PIECE = 16 * 1024,
    /* So many pieces below this size, and bytes are copied again. */
    SMALL_PIECE = 4 * 1024,
    SMALL_RUN = 4,
};

void relay_break(struct relay_way *way)
{
    way->is_broken = true;
    way->state = RELAY_OVER;
    if (way->ended == TRANSPORT_OK) {
        way->from->kind->refuse(way->from);
    }
}

static void note_end(struct relay_way *way, enum transport_result result)
{
    way->ended = result;
    way->state = RELAY_DRAINING;
}

/* Sends what waits in the buffer. True: nothing waits there any more. */
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
            relay_break(way);
            return false;
        }
        way->n_moved += n;
        buffer_consume(buffer, n);
    }
    return true;
}

/* ---- Copied ---- */

static void judge_piece(struct relay_way *way, size_t size)
{
    way->was_short = size < STREAM_PIECE;
    if (size < LARGE_PIECE) {
        way->bulk = 0;
    } else if (way->bulk < 2) {
        way->bulk++;
    }
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
        note_end(way, result);
        return true;
    }
    judge_piece(way, size);
    result = way->to->kind->send(way->to, piece, size, &n);
    if (result != TRANSPORT_OK) {
        n = 0;
    }
    way->n_moved += n;
    buffer_add(&way->buffer, piece + n, size - n);
    if (result != TRANSPORT_OK && result != TRANSPORT_AGAIN) {
        relay_break(way);
    }
    return true;
}

/* ---- Through a pipe ---- */

void relay_collect(struct relay_way *way)
{
    struct pipe_pair *pipe = way->pipe;

    if (pipe == NULL) {
        return;
    }
    while (pipe->size > 0) {
        uint8_t *room = buffer_reserve(&way->buffer, pipe->size);
        ssize_t got;
        do {
            got = read(pipe->out, room, pipe->size);
        } while (got < 0 && errno == EINTR);
        CHECK(got > 0); /* nobody else has a hand on it, and the bytes are in it */
        buffer_added(&way->buffer, (size_t)got);
        pipe->size -= (size_t)got;
    }
    pipes_give(pipe);
    way->pipe = NULL;
}

/* Sends what waits in the pipe. True: nothing waits there any more. */
static bool send_pipe(struct relay_way *way)
{
    struct pipe_pair *pipe = way->pipe;
    size_t n;

    while (pipe->size > 0) {
        enum transport_result result =
            way->to->kind->send_pipe(way->to, pipe->out, pipe->size, &n);
        if (result == TRANSPORT_AGAIN) {
            return false;
        }
        if (result != TRANSPORT_OK) {
            relay_break(way);
            return false;
        }
        if (n == 0) { /* not this way, then the other */
            way->bulk = 0;
            relay_collect(way);
            return send_buffer(way);
        }
        CHECK(n <= pipe->size);
        pipe->size -= n;
        way->n_moved += n;
    }
    return true;
}

enum pipe_result { PIPE_NOTHING, PIPE_MOVED, PIPE_REFUSED };

/* As pass_piece(). REFUSED: it has to be copied. */
static enum pipe_result pass_pipe(struct relay_way *way)
{
    size_t n = 0;

    way->pipe = pipes_take();
    if (way->pipe == NULL) {
        return PIPE_REFUSED;
    }
    enum transport_result result = way->from->kind->receive_pipe(
        way->from, way->pipe->in, PIPES_SIZE, way->was_short, &n);

    way->pipe->size = n;
    if (result == TRANSPORT_OK && n > 0) {
        way->was_short = n < PIPES_SIZE;
        way->bulk = n < SMALL_PIECE ? (int8_t)((way->bulk < 0 ? way->bulk : 0) - 1) : 2;
        (void)send_pipe(way);
    }
    if (way->pipe != NULL && way->pipe->size == 0) {
        pipes_give(way->pipe);
        way->pipe = NULL;
    }
    if (result == TRANSPORT_AGAIN) {
        return PIPE_NOTHING;
    }
    if (result == TRANSPORT_OK) {
        return n > 0 ? PIPE_MOVED : PIPE_REFUSED;
    }
    note_end(way, result);
    return PIPE_MOVED;
}

/* Large pieces, and not a row of small ones since. */
static bool wants_pipe(const struct relay_way *way)
{
    return (way->bulk == 2 || (way->bulk < 0 && way->bulk > -SMALL_RUN)) &&
           way->from->kind->has_pipes(way->from) && way->to->kind->has_pipes(way->to);
}

/* ---- Both ---- */

/* Sends what waits. True: nothing waits any more. */
static bool send_rest(struct relay_way *way)
{
    if (!send_buffer(way)) {
        return false;
    }
    if (way->pipe == NULL) {
        return true;
    }
    if (!send_pipe(way)) {
        return false;
    }
    pipes_give(way->pipe);
    way->pipe = NULL;
    return true;
}

/* False: nothing came. */
static bool pass(struct relay_way *way)
{
    if (wants_pipe(way)) {
        enum pipe_result result = pass_pipe(way);
        if (result != PIPE_REFUSED) {
            return result == PIPE_MOVED;
        }
    }
    return pass_piece(way);
}

bool relay_run(struct relay_way *way)
{
    for (unsigned n_left = TURN_BUDGET; n_left > 0; n_left--) {
        if (way->state == RELAY_OVER || !send_rest(way)) {
            return false;
        }
        if (way->state == RELAY_DRAINING) {
            way->state = RELAY_OVER;
            way->to->kind->finish(way->to, way->ended);
            return false;
        }
        if (!pass(way)) {
            return false;
        }
    }
    return true;
}

bool relay_is_empty(const struct relay_way *way)
{
    return way->buffer.size == 0 && way->pipe == NULL;
}

void relay_fini(struct relay_way *way)
{
    pipes_give(way->pipe);
    way->pipe = NULL;
    buffer_fini(&way->buffer);
}
