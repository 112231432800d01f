/* SPDX-License-Identifier: MIT */
/*
 * stream_output.c - the writing direction of a stream: what is held back, what is on its
 * way, chunks, and the end.
 *
 * Called by sock.c (advance) and by whoever starts writes; calls the transport,
 * chunked.c. Thread: the sock's home.
 *
 * Bytes go through two buffers: `held` as they were written, `output` as they go to the
 * transport, chunk lines included. Usually both are empty and a write is one send.
 */
#include <config.h>
#include "daemon/net/stream.h"

#include <string.h>

#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/net/chunked.h"
#include "daemon/net/stream_parts.h"

static size_t output_limit = STREAM_OUTPUT_LIMIT;

void stream_set_output_limit(size_t size) { output_limit = size; }

size_t stream_output_limit(void) { return output_limit; }

static bool is_broken(const struct stream *stream)
{
    return stream->write_fault.id != ERROR_NONE;
}

/* Why nothing can be written any more. */
static enum op_result fail(const struct sock *sock, struct error *error)
{
    const struct stream *stream = sock->as.stream;

    if (is_broken(stream)) {
        stream_explain(sock, &stream->write_fault, "write", error);
    } else {
        error_set(error, ERROR_SHUTDOWN, "the output of the socket was shut down");
    }
    return OP_FAILED;
}

/* Behind the transport. */
static size_t unsent(const struct sock *sock)
{
    const struct transport *transport = sock->as.stream->transport;

    return transport->unsent != NULL ? transport->unsent(sock) : 0;
}

size_t stream_output_buffered(const struct sock *sock)
{
    return sock->as.stream->output.size + sock->as.stream->held.size + unsent(sock);
}

bool stream_is_sent(const struct sock *sock)
{
    return sock->as.stream->output.size == 0 && unsent(sock) == 0;
}

bool stream_output_failed(const struct sock *sock)
{
    const struct stream *stream = sock->as.stream;

    /* A reset that a read has told is the end of both directions. */
    return is_broken(stream) || stream->is_output_ending ||
           stream->read_fault.id == ERROR_CONNECTION_RESET ||
           (sock->fd >= 0 && (stream->transport->state(sock) & TRANSPORT_BROKEN) != 0);
}

bool stream_output_ready(struct sock *sock)
{
    const struct stream *stream = sock->as.stream;

    if (is_broken(stream) || stream->is_output_ending) {
        return true;
    }
    stream_pump(sock, NULL);
    return is_broken(stream) || (sock->can_write && stream->output.size == 0);
}

/* ---- Sending ---- */

static void note_failure(struct sock *sock, const struct transport_fault *fault)
{
    struct stream *stream = sock->as.stream;
    struct error error;

    stream->write_fault = *fault;
    /* Not with EPIPE: that is what a peer leaves that has ended its own output well
     * before. */
    stream->is_reset = fault->id != ERROR_BROKEN_PIPE;
    buffer_fini(&stream->output);
    buffer_fini(&stream->held);
    stream_explain(sock, fault, "write", &error);
    (void)sock_note(sock, &error);
}

static void note_sent(struct sock *sock, enum transport_result result, size_t n,
                      const struct transport_fault *fault)
{
    if (result == TRANSPORT_OK) {
        sock->bytes_written += n;
        counters_add(loop_counters(sock->loop), COUNTER_BYTES_WRITTEN, n);
    } else if (result != TRANSPORT_AGAIN) {
        note_failure(sock, fault);
    }
}

/* One send; what is not OK and not AGAIN is noted. */
static enum transport_result send_some(struct sock *sock, const void *bytes, size_t size,
                                       size_t *n)
{
    struct transport_fault fault;

    *n = 0;
    enum transport_result result =
        sock->as.stream->transport->send(sock, bytes, size, n, &fault);

    note_sent(sock, result, *n, &fault);
    return result;
}

static enum op_result advance_write(struct op *op, struct error *error);
static enum op_result advance_finish(struct op *op, struct error *error);
static enum op_result advance_turn(struct op *op, struct error *error);

/* Does a write wait that was asked before the shutdown, or a flush? */
static bool has_other_writes(const struct sock *sock, const struct op *current)
{
    for (const struct op *op = sock->ops[OP_OUTPUT].first; op != NULL; op = op->next) {
        bool is_write = op->advance == advance_write || op->advance == advance_finish ||
                        op->advance == advance_turn;
        if (op != current && is_write && !((const struct write_op *)op)->is_refused) {
            return true;
        }
    }
    return false;
}

/* Everything is sent: now the end, when shutdown asked for it and no write waits that was
 * there before. */
static void send_end(struct sock *sock, const struct op *current)
{
    struct stream *stream = sock->as.stream;
    struct transport_fault fault;

    if (!stream->is_output_ending || stream->is_output_shut ||
        has_other_writes(sock, current)) {
        return;
    }
    buffer_fini(&stream->held); /* of writes that waited, with no flush behind them */
    if (!is_broken(stream)) {
        enum transport_result result = stream->transport->shutdown_output(sock, &fault);
        if (result == TRANSPORT_AGAIN) {
            return;
        }
        if (result == TRANSPORT_FAILED) {
            note_failure(sock, &fault);
        }
    }
    stream->is_output_shut = true;
    if (stream->is_input_shut) {
        sock_close_fd(sock);
    }
}

void stream_pump(struct sock *sock, const struct op *current)
{
    struct stream *stream = sock->as.stream;
    struct buffer *output = &stream->output;
    size_t n;

    if (sock->fd < 0) {
        return;
    }
    while (output->size > 0 && sock->can_write &&
           send_some(sock, buffer_bytes(output), output->size, &n) == TRANSPORT_OK) {
        buffer_consume(output, n);
    }
    if (output->size == 0) {
        send_end(sock, current);
    }
}

/* Puts bytes on their way, as a chunk when output is chunked. */
static void add_output(struct stream *stream, const void *bytes, size_t size)
{
    if (size == 0) {
        return;
    }
    if (!stream->is_output_chunked) {
        buffer_add(&stream->output, bytes, size);
        return;
    }
    char header[CHUNKED_HEADER_SIZE];

    buffer_add(&stream->output, header, chunked_header(header, size));
    buffer_add(&stream->output, bytes, size);
    buffer_add(&stream->output, CHUNKED_TAIL, strlen(CHUNKED_TAIL));
}

void stream_flush(struct stream *stream)
{
    if (stream->held.size == 0) {
        return;
    }
    if (stream->output.size == 0 && !stream->is_output_chunked) {
        struct buffer empty = stream->output;
        stream->output = stream->held;
        stream->held = empty;
        return;
    }
    add_output(stream, buffer_bytes(&stream->held), stream->held.size);
    buffer_fini(&stream->held);
}

/* ---- Writing ---- */

static bool has_room(const struct stream *stream, size_t size)
{
    size_t waiting = stream->output.size + stream->held.size;

    return waiting == 0 || (waiting <= output_limit && size <= output_limit - waiting);
}

/* Takes all bytes of a write over. */
static void accept_bytes(struct sock *sock, const struct write_op *write)
{
    struct stream *stream = sock->as.stream;
    size_t n_sent = 0;

    if (!write->is_flush && write->size <= output_limit) {
        buffer_add(&stream->held, write->bytes, write->size);
        return;
    }
    if (stream->held.size > 0) {
        buffer_add(&stream->held, write->bytes, write->size);
        stream_flush(stream);
        return;
    }
    if (stream->output.size == 0 && !stream->is_output_chunked && write->size > 0 &&
        sock->can_write &&
        send_some(sock, write->bytes, write->size, &n_sent) != TRANSPORT_OK) {
        n_sent = 0;
    }
    if (!is_broken(stream)) {
        add_output(stream, write->bytes + n_sent, write->size - n_sent);
    }
}

static enum op_result advance_write(struct op *op, struct error *error)
{
    struct write_op *write = (struct write_op *)op;
    struct sock *sock = op->sock;
    struct stream *stream = sock->as.stream;

    /* Its own bytes are still to come: for the end of the output it counts as waiting. */
    stream_pump(sock, NULL);
    if (write->is_refused || is_broken(stream)) {
        return fail(sock, error);
    }
    if (!has_room(stream, write->size)) {
        stream_flush(stream);
        stream_pump(sock, NULL);
        if (!is_broken(stream) && !has_room(stream, write->size)) {
            return OP_WAIT;
        }
    }
    if (!is_broken(stream)) {
        accept_bytes(sock, write);
        stream_pump(sock, op);
    }
    return is_broken(stream) ? fail(sock, error) : OP_DONE;
}

static enum op_result advance_finish(struct op *op, struct error *error)
{
    struct sock *sock = op->sock;
    struct stream *stream = sock->as.stream;

    if (!((const struct write_op *)op)->is_refused) { /* else what shutdown drops */
        stream_flush(stream);
    }
    stream_pump(sock, op);
    if (is_broken(stream)) {
        return fail(sock, error);
    }
    return stream_is_sent(sock) ? OP_DONE : OP_WAIT;
}

static void start(struct sock *sock, struct write_op *write, double timeout)
{
    double limit = sock->write_timeout;

    write->is_refused = sock->as.stream->is_output_ending;
    write->op.timeout_error = ERROR_TIMEOUT;
    if (limit > 0 && (timeout < 0 || limit < timeout)) {
        timeout = limit;
        write->op.timeout_error = ERROR_WRITE_TIMEOUT;
    }
    sock_start(sock, &write->op, OP_OUTPUT, timeout);
}

void stream_write(struct sock *sock, struct write_op *write, double timeout)
{
    write->op.advance = advance_write;
    start(sock, write, timeout);
}

void stream_finish(struct sock *sock, struct write_op *write, double timeout)
{
    write->op.advance = advance_finish;
    start(sock, write, timeout);
}

static enum op_result advance_turn(struct op *op, struct error *error)
{
    (void)op, (void)error;
    return OP_DONE; /* it is only asked when it is the first */
}

void stream_turn(struct sock *sock, struct write_op *write)
{
    write->op.advance = advance_turn;
    start(sock, write, -1);
}

bool stream_force(struct sock *sock, struct error *error)
{
    struct stream *stream = sock->as.stream;

    if (stream->is_output_ending || is_broken(stream)) {
        (void)fail(sock, error);
        return false;
    }
    /* What waits for room was asked for before: it is flushed too, when its turn comes.
     */
    for (struct op *op = sock->ops[OP_OUTPUT].first; op != NULL; op = op->next) {
        if (op->advance == advance_write) {
            ((struct write_op *)op)->is_flush = true;
        }
    }
    stream_flush(stream);
    stream_pump(sock, NULL);
    return !is_broken(stream) || fail(sock, error) == OP_DONE;
}

/* ---- Chunks ---- */

void stream_set_output_chunking(struct sock *sock, bool is_on)
{
    struct stream *stream = sock->as.stream;

    /* What was held back before chunking is turned on becomes part of its first chunk;
     * what was held back when it is turned off is the last one. */
    if (stream->is_output_chunked && !is_on) {
        stream_flush(stream);
        stream_pump(sock, NULL);
    }
    stream->is_output_chunked = is_on;
}

bool stream_end_output_chunks(struct sock *sock, const struct write_op *turn,
                              struct error *error)
{
    struct stream *stream = sock->as.stream;

    if (turn->is_refused || is_broken(stream)) {
        (void)fail(sock, error);
        return false;
    }
    stream_flush(stream);
    buffer_add(&stream->output, CHUNKED_LAST, strlen(CHUNKED_LAST));
    stream->is_output_chunked = false;
    stream_pump(sock, NULL);
    return !is_broken(stream) || fail(sock, error) == OP_DONE;
}

/* ---- Raw ---- */

/* May bytes go to the transport now? AGAIN: others are before them. */
static enum transport_result begin_sending(struct sock *sock, struct error *error)
{
    struct stream *stream = sock->as.stream;

    if (!stream->is_output_ending && !is_broken(stream)) {
        stream_pump(sock, NULL);
    }
    if (stream->is_output_ending || is_broken(stream)) {
        (void)fail(sock, error);
        return TRANSPORT_FAILED;
    }
    return stream->output.size == 0 && sock->can_write ? TRANSPORT_OK : TRANSPORT_AGAIN;
}

enum transport_result stream_send(struct sock *sock, const void *bytes, size_t size,
                                  size_t *n, struct error *error)
{
    enum transport_result result = begin_sending(sock, error);

    if (result == TRANSPORT_OK) {
        result = send_some(sock, bytes, size, n);
        if (is_broken(sock->as.stream)) {
            (void)fail(sock, error);
        }
    }
    return result;
}

enum transport_result stream_send_pipe(struct sock *sock, int pipe, size_t size,
                                       size_t *n, struct error *error)
{
    enum transport_result result = begin_sending(sock, error);
    struct transport_fault fault;

    *n = 0;
    if (result == TRANSPORT_OK) {
        result = sock->as.stream->transport->send_pipe(sock, pipe, size, n, &fault);
        note_sent(sock, result, *n, &fault);
        if (is_broken(sock->as.stream)) {
            (void)fail(sock, error);
        }
    }
    return result;
}

void stream_push(struct sock *sock, const void *bytes, size_t size)
{
    struct stream *stream = sock->as.stream;

    if (!stream->is_output_ending && !is_broken(stream)) {
        add_output(stream, bytes, size);
        stream_pump(sock, NULL);
    }
}
