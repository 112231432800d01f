/* SPDX-License-Identifier: MIT */
/*
 * stream_input.c - the reading direction of a stream: fetching, decoding chunks, offering
 * what is there to the read that waits.
 *
 * Called by sock.c (advance) and by whoever starts reads; calls the transport, chunked.c.
 * Thread: the sock's home.
 *
 * Bytes are received into memory of the thread and offered there; only what a read leaves
 * is copied into the buffer of the stream, so a read that takes what has come costs one
 * receive and no memory.
 */
#include <config.h>
#include "daemon/net/stream.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/net/chunked.h"
#include "daemon/net/stream_parts.h"

enum {
    ROUND_BUDGET = 32,     /* receives for one operation before others have their turn */
    READY_PIECE = 4 * 1024 /* fetched to see whether a chunked body has bytes */
};

static _Thread_local uint8_t scratch[STREAM_PIECE];

uint8_t *stream_scratch(void) { return scratch; }

/* ---- What there is ---- */

static struct buffer *readable(struct stream *stream)
{
    return stream->decoder != NULL ? &stream->body : &stream->input;
}

static enum stream_end view_end(const struct stream *stream)
{
    bool is_over = stream->end != STREAM_END_NONE || stream->read_fault.id != ERROR_NONE;

    if (stream->decoder != NULL) {
        if (stream->decoder->state == CHUNKED_DONE) {
            return STREAM_END_CHUNK;
        }
        return is_over || stream->decoder->state == CHUNKED_BROKEN ? STREAM_END_ERROR
                                                                   : STREAM_END_NONE;
    }
    return stream->read_fault.id != ERROR_NONE ? STREAM_END_ERROR : stream->end;
}

/* For STREAM_END_ERROR. */
static void explain_end(const struct sock *sock, struct error *error)
{
    const struct stream *stream = sock->as.stream;
    const struct chunked_decoder *decoder = stream->decoder;

    if (decoder != NULL && decoder->state == CHUNKED_BROKEN) {
        error_set(error, ERROR_CHUNKING_ERROR, "%s", decoder->fault);
    } else if (stream->read_fault.id != ERROR_NONE) {
        stream_explain(sock, &stream->read_fault, "read", error);
    } else {
        error_set(error, ERROR_CHUNKING_ERROR, "the stream ended inside a chunked body");
    }
}

size_t stream_input_buffered(const struct sock *sock)
{
    return sock->as.stream->input.size + sock->as.stream->body.size;
}

bool stream_input_chunking(const struct stream *stream)
{
    return stream->decoder != NULL;
}

const struct chunked_trailers *stream_trailers(const struct sock *sock)
{
    return sock->as.stream->trailers;
}

/* ---- Fetching ---- */

static bool is_timeout(enum error_id id)
{
    return id == ERROR_CONNECTION_TIMED_OUT || id == ERROR_HANDSHAKE_TIMEOUT;
}

static void note_end(struct sock *sock, enum transport_result result,
                     const struct transport_fault *fault)
{
    struct stream *stream = sock->as.stream;
    struct error error;

    /* The send that found a reset took the error of the socket with it, and the kernel
     * then tells an end of file. The farewell of a session is none of these. */
    if (result == TRANSPORT_END && (!stream->is_reset || stream->session != NULL)) {
        stream->end = STREAM_END_CLEAN;
        sock->end = SOCK_END_CLEAN;
        return;
    }
    if (result == TRANSPORT_TRUNCATED && !stream->is_reset) {
        stream->end = STREAM_END_TRUNCATED;
        sock->end = SOCK_END_TRUNCATED;
        return;
    }
    stream->read_fault = result == TRANSPORT_FAILED ? *fault : stream->write_fault;
    sock->end = is_timeout(stream->read_fault.id) ? SOCK_END_TIMEOUT : SOCK_END_RESET;
    stream_explain(sock, &stream->read_fault, "read", &error);
    (void)sock_note(sock, &error);
}

static void count(struct sock *sock, size_t n)
{
    sock->bytes_read += n;
    counters_add(loop_counters(sock->loop), COUNTER_BYTES_READ, n);
}

/* One receive. What ends the input is noted in the stream. */
static enum transport_result receive(struct sock *sock, void *bytes, size_t size,
                                     size_t *n)
{
    struct transport_fault fault;
    enum transport_result result =
        sock->as.stream->transport->receive(sock, bytes, size, n, &fault);

    if (result == TRANSPORT_OK) {
        count(sock, *n);
    } else if (result != TRANSPORT_AGAIN) {
        note_end(sock, result, &fault);
    }
    return result;
}

/* Takes the chunk lines out of what was received: body bytes stay at the front, their
 * number is returned. What follows the body, or could not be understood, is kept as it
 * is. */
static size_t decode(struct stream *stream, uint8_t *bytes, size_t size)
{
    struct chunked_decoder *decoder = stream->decoder;
    size_t n_body, n_used;

    /* A fault is in the state of the decoder; view_end() looks there. */
    (void)chunked_decode(decoder, bytes, size, &n_body, &n_used);
    buffer_add(&stream->input, bytes + n_used, size - n_used);
    if (decoder->state == CHUNKED_DONE && stream->trailers == NULL) {
        stream->trailers = chunked_take_trailers(decoder);
    }
    return n_body;
}

/* Receives up to `wanted` bytes into the scratch memory, *n of them for the reader.
 * False: nothing new, it is time to wait. */
static bool fetch(struct sock *sock, size_t wanted, size_t *n)
{
    struct stream *stream = sock->as.stream;

    *n = 0;
    if (sock->fd < 0 || !sock->can_read || view_end(stream) != STREAM_END_NONE) {
        return false;
    }
    if (stream->decoder != NULL && wanted < READY_PIECE) {
        wanted = READY_PIECE; /* chunk lines are not to be fetched byte by byte */
    }
    if (wanted > STREAM_PIECE) {
        wanted = STREAM_PIECE;
    }
    enum transport_result result = receive(sock, scratch, wanted, n);

    if (result == TRANSPORT_AGAIN) {
        return false;
    }
    if (result != TRANSPORT_OK) {
        *n = 0;
    } else if (stream->decoder != NULL) {
        *n = decode(stream, scratch, *n);
    }
    return true;
}

/* ---- Reading ---- */

/* The reader was told that the body has ended: from here on the stream is as it comes. */
static void leave_body(struct stream *stream)
{
    CHECK(stream->body.size == 0);
    chunked_decoder_fini(stream->decoder);
    free(stream->decoder);
    stream->decoder = NULL;
    stream->epoch++;
}

/* Shows bytes to a read. OP_WAIT: it wants more. */
static enum op_result offer(const struct sock *sock, struct read_op *read,
                            const uint8_t *bytes, size_t size, size_t *consumed,
                            struct error *error)
{
    const struct stream *stream = sock->as.stream;
    struct stream_view view = {
        .bytes = bytes,
        .size = size,
        .end = view_end(stream),
        .is_full = size >= read->limit,
        .epoch = stream->epoch,
    };

    *consumed = 0;
    if (size == 0 && view.end == STREAM_END_NONE) {
        return OP_WAIT;
    }
    if (size == 0 && view.end == STREAM_END_ERROR) {
        explain_end(sock, error);
        return OP_FAILED;
    }
    read->told_end = false;
    enum take_result result = read->take(read, &view, consumed, error);

    if (result == TAKE_WAIT) {
        CHECK(view.end == STREAM_END_NONE && !view.is_full);
        return OP_WAIT;
    }
    if (result == TAKE_FAILED || read->is_peek) {
        *consumed = 0;
    }
    CHECK(*consumed <= size);
    return result == TAKE_FAILED ? OP_FAILED : OP_DONE;
}

/* One round: what is in the buffer, or else what can be received at once. */
static enum op_result try_read(struct sock *sock, struct read_op *read, bool *is_new,
                               struct error *error)
{
    struct stream *stream = sock->as.stream;
    struct buffer *buffer = readable(stream);
    size_t size = buffer->size, consumed;
    enum op_result result;

    if (size > 0) {
        *is_new = false;
        result = offer(sock, read, buffer_bytes(buffer), size, &consumed, error);
        if (consumed > 0) {
            buffer_consume(buffer, consumed);
        }
    } else {
        *is_new = fetch(sock, read->limit, &size);
        result = offer(sock, read, scratch, size, &consumed, error);
        buffer_add(buffer, scratch + consumed, size - consumed);
    }
    if (result == OP_DONE && read->told_end && !read->is_peek &&
        view_end(stream) == STREAM_END_CHUNK) {
        leave_body(stream);
    }
    return result;
}

static enum op_result advance_read(struct op *op, struct error *error)
{
    struct read_op *read = (struct read_op *)op;
    struct sock *sock = op->sock;
    struct stream *stream = sock->as.stream;

    for (unsigned n_rounds = 0; n_rounds < ROUND_BUDGET; n_rounds++) {
        if (stream->is_input_shut) {
            error_set(error, ERROR_SHUTDOWN, "the input of the socket was shut down");
            return OP_FAILED;
        }
        bool is_new;
        enum op_result result = try_read(sock, read, &is_new, error);

        if (result != OP_WAIT) {
            return result;
        }
        struct buffer *buffer = readable(stream);
        if (buffer->size > 0) {
            size_t more = 0;
            is_new = fetch(sock, read->limit - buffer->size, &more);
            buffer_add(buffer, scratch, more);
        }
        if (!is_new) {
            return OP_WAIT;
        }
    }
    sock_run_later(sock);
    return OP_WAIT;
}

void stream_read(struct sock *sock, struct read_op *read, double timeout)
{
    double limit = sock->read_timeout;

    CHECK(read->limit > 0);
    read->op.advance = advance_read;
    read->op.timeout_error = ERROR_TIMEOUT;
    if (limit > 0 && (timeout < 0 || limit < timeout)) {
        timeout = limit;
        read->op.timeout_error = ERROR_READ_TIMEOUT;
    }
    sock_start(sock, &read->op, OP_INPUT, timeout);
}

bool stream_input_ready(struct sock *sock)
{
    struct stream *stream = sock->as.stream;

    for (unsigned n_rounds = 0; n_rounds < ROUND_BUDGET; n_rounds++) {
        struct buffer *buffer = readable(stream);
        size_t n;

        if (stream->is_input_shut || buffer->size > 0 ||
            view_end(stream) != STREAM_END_NONE) {
            return true;
        }
        if (sock->fd < 0 || !sock->can_read) {
            return false;
        }
        if (stream->decoder == NULL) {
            return (stream->transport->state(sock) & TRANSPORT_READABLE) != 0;
        }
        if (!fetch(sock, READY_PIECE, &n)) {
            return false;
        }
        buffer_add(buffer, scratch, n);
    }
    sock_run_later(sock);
    return false;
}

bool stream_input_failed(const struct sock *sock)
{
    const struct stream *stream = sock->as.stream;

    return view_end(stream) == STREAM_END_ERROR || stream->is_input_shut ||
           (sock->fd >= 0 && (stream->transport->state(sock) & TRANSPORT_BROKEN) != 0);
}

/* ---- Control ---- */

void stream_set_input_chunking(struct sock *sock, bool is_on)
{
    struct stream *stream = sock->as.stream;

    if (is_on == (stream->decoder != NULL)) {
        return;
    }
    stream->epoch++;
    if (is_on) {
        struct buffer raw = stream->input;
        stream->input = (struct buffer){0};
        stream->decoder = MEM_NEW(struct chunked_decoder);
        chunked_trailers_free(stream->trailers);
        stream->trailers = NULL;
        if (raw.size > 0) {
            uint8_t *bytes = raw.memory + raw.start;
            size_t n = decode(stream, bytes, raw.size);
            buffer_add(&stream->body, bytes, n);
        }
        buffer_fini(&raw);
    } else {
        buffer_add_front(&stream->input, buffer_bytes(&stream->body), stream->body.size);
        buffer_fini(&stream->body);
        chunked_decoder_fini(stream->decoder);
        free(stream->decoder);
        stream->decoder = NULL;
    }
    sock_run_later(sock); /* for a read that waits: it sees something else now */
}

void stream_drop_input(struct stream *stream)
{
    buffer_fini(&stream->input);
    buffer_fini(&stream->body);
    if (stream->decoder != NULL) {
        chunked_decoder_fini(stream->decoder);
        free(stream->decoder);
        stream->decoder = NULL;
    }
    stream->epoch++;
}

/* ---- Raw ---- */

/* The end, or the failure, behind all bytes. */
static enum transport_result tell_end(const struct sock *sock, struct error *error)
{
    const struct stream *stream = sock->as.stream;

    switch (view_end(stream)) {
    case STREAM_END_CLEAN:
        return TRANSPORT_END;
    case STREAM_END_TRUNCATED:
        return TRANSPORT_TRUNCATED;
    case STREAM_END_NONE:
    case STREAM_END_CHUNK:
    case STREAM_END_ERROR:
        break;
    }
    explain_end(sock, error);
    return TRANSPORT_FAILED;
}

enum transport_result stream_receive(struct sock *sock, void *bytes, size_t size,
                                     size_t *n, struct error *error)
{
    struct stream *stream = sock->as.stream;
    struct buffer *buffer = &stream->input;
    enum transport_result result = TRANSPORT_AGAIN;

    CHECK(stream->decoder == NULL && size > 0);
    if (stream->is_input_shut) {
        return TRANSPORT_END;
    }
    if (buffer->size > 0) {
        *n = size < buffer->size ? size : buffer->size;
        memcpy(bytes, buffer_bytes(buffer), *n);
        buffer_consume(buffer, *n);
        return TRANSPORT_OK;
    }
    if (view_end(stream) == STREAM_END_NONE) {
        if (sock->fd >= 0 && sock->can_read) {
            result = receive(sock, bytes, size, n);
        }
        if (result == TRANSPORT_OK || result == TRANSPORT_AGAIN) {
            return result;
        }
    }
    return tell_end(sock, error);
}

bool stream_has_pipes(const struct sock *sock)
{
    const struct stream *stream = sock->as.stream;

    return stream->transport->receive_pipe != NULL && sock->fd >= 0;
}

enum transport_result stream_receive_pipe(struct sock *sock, int pipe, size_t size,
                                          bool looks_first, size_t *n,
                                          struct error *error)
{
    struct stream *stream = sock->as.stream;
    struct transport_fault fault;

    *n = 0;
    if (stream->is_input_shut || stream->input.size > 0 ||
        view_end(stream) != STREAM_END_NONE) {
        return TRANSPORT_OK;
    }
    if (sock->fd < 0 || !sock->can_read) {
        return TRANSPORT_AGAIN;
    }
    enum transport_result result =
        stream->transport->receive_pipe(sock, pipe, size, looks_first, n, &fault);

    if (result == TRANSPORT_OK) {
        count(sock, *n);
        return result;
    }
    if (result == TRANSPORT_AGAIN) {
        return result;
    }
    note_end(sock, result, &fault);
    return tell_end(sock, error);
}

void stream_unread(struct sock *sock, const void *bytes, size_t size)
{
    buffer_add_front(&sock->as.stream->input, bytes, size);
    sock->as.stream->epoch++;
}
