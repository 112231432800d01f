/* SPDX-License-Identifier: MIT */
/*
 * stream.h - a connected socket as two directions of bytes, with operations that wait.
 *
 * Reading: a read_op looks at the bytes that are there through its `take` function, which
 * says how many it consumes or that it wants more. Bytes are fetched from the kernel only
 * while an operation wants them; what it leaves stays in the input buffer for the next
 * one. Ended early (time-out, interrupt, cancel) it has consumed nothing.
 *
 * Writing: bytes go straight to the kernel when nothing is before them; the rest waits in
 * the bounded output buffer, and when that has no room the write_op waits. Bytes written
 * without flush are held back until stream_force(), close or the limit. A write is
 * accepted as a whole or not at all; one that is larger than the buffer waits until that
 * is empty.
 *
 * Either direction may carry the chunks of HTTP/1.1 (chunked.h).
 *
 * Thread: everything here runs in the sock's home thread.
 */
#ifndef SOCKD_NET_STREAM_H
#define SOCKD_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "daemon/base/buffer.h"
#include "daemon/net/sock.h"
#include "daemon/net/transport.h"
#include "proto/error.h"

struct attachment;
struct bridge;
struct chunked_decoder;
struct chunked_trailers;

enum { STREAM_OUTPUT_LIMIT = 256 * 1024, STREAM_PIECE = 128 * 1024 };

/* What comes after the bytes that are there. */
enum stream_end {
    STREAM_END_NONE,      /* more, or it is not known */
    STREAM_END_CLEAN,     /* the peer's end of file */
    STREAM_END_TRUNCATED, /* the end without the farewell it should have had */
    STREAM_END_CHUNK,     /* the end of a chunked body; told once */
    STREAM_END_ERROR,     /* the next read fails with the error of the stream */
};

const char *stream_end_name(enum stream_end end); /* NULL for NONE and ERROR */

/* Owner: the sock (sock->as.stream). Buffers hold memory only while they hold bytes. */
struct stream {
    const struct transport *transport;
    void *session;        /* the transport's own; NULL for the plain one */
    struct buffer input;  /* received, not taken; not yet decoded when chunking is on */
    struct buffer body;   /* decoded bytes of the chunked body */
    struct buffer output; /* on the way to the kernel */
    struct buffer held;   /* written without flush */
    struct chunked_decoder
        *decoder; /* NULL: input chunking is off, or its end was told */
    struct chunked_trailers
        *trailers;                 /* of the last chunked body; NULL: none has ended */
    struct attachment *attachment; /* the raw stream that has taken the sock over */
    struct bridge *bridge;         /* or what joins it to another stream */
    struct transport_fault read_fault,
        write_fault;     /* what further operations fail with */
    unsigned epoch;      /* changes with what the view shows, apart from growing */
    enum stream_end end; /* of what comes from the transport: NONE, CLEAN, TRUNCATED */
    bool is_output_chunked;
    bool is_input_shut;    /* by shutdown */
    bool is_output_ending; /* shutdown asked: the end follows the output */
    bool is_output_shut;   /* the end is with the kernel */
    bool is_reset;         /* a send found it out: the end of the input is none */
    bool is_closing;
};

/* Makes a sock with a connected descriptor an open stream. */
void stream_open(struct sock *sock);

/* Bytes of output that one socket holds before writes wait. Before the workers start. */
void stream_set_output_limit(size_t size);
size_t stream_output_limit(void);

/* The stream of a sock on which a data operation may start now. NULL: *error is
 * wrong-kind, not-connected or busy (attached). */
struct stream *stream_get(struct sock *sock, struct error *error);
/* The same for who wants all of the stream: nobody else uses it, and no chunking is on.
 * NULL: *error is one of these, or shutdown. */
struct stream *stream_get_whole(struct sock *sock, struct error *error);
/* The stream, attached or not. */
struct stream *stream_of(struct sock *sock, struct error *error);

/* A session has begun on the stream: what was received in plain is the session's now. */
void stream_has_session(struct sock *sock);

/* Would a read answer at once: with bytes, the end or an error? May fetch from the kernel
 * what it takes to see through chunk headers. */
bool stream_input_ready(struct sock *sock);
/* Would a small write be accepted at once (or fail at once)? */
bool stream_output_ready(struct sock *sock);
/* Has the direction failed, so that the next operation there answers an error? */
bool stream_input_failed(const struct sock *sock);
bool stream_output_failed(const struct sock *sock);
/* Bytes that wait in the daemon. */
size_t stream_input_buffered(const struct sock *sock);
size_t stream_output_buffered(const struct sock *sock);

/* ---- Reading ---- */

/* What a read sees. Valid during the call of `take`. */
struct stream_view {
    const uint8_t *bytes;
    size_t size;         /* may be larger than the op's limit */
    enum stream_end end; /* NONE: waiting may bring more */
    bool is_full;        /* size has reached the op's limit: waiting brings no more */
    unsigned epoch;      /* as long as it is the same, earlier bytes have not changed */
};

enum take_result {
    TAKE_WAIT, /* more is wanted; not allowed when the view is full or at its end */
    TAKE_DONE,
    TAKE_FAILED, /* *error; nothing is consumed */
};

struct read_op;
/* Called with at least one byte, or at an end that is no error. With TAKE_DONE it sets
 * *consumed, and op->told_end when its answer said that this is the end. */
typedef enum take_result stream_take(struct read_op *read, const struct stream_view *view,
                                     size_t *consumed, struct error *error);

/* Owner: whoever embeds it. `op.done` is the caller's. */
struct read_op {
    struct op op;
    stream_take *take;
    size_t limit; /* the most bytes it can use; at least 1 */
    bool is_peek; /* whatever take consumes stays, the mark of a chunked body's end too */
    bool told_end;
};

/* Starts a read (take, limit, is_peek and op.done are set). `timeout` negative: none but
 * the read-timeout of the socket. It may be done before this returns. */
void stream_read(struct sock *sock, struct read_op *read, double timeout);

/* ---- Writing ---- */

/* Owner: whoever embeds it. `op.done` is the caller's; `bytes` live until then. */
struct write_op {
    struct op op;
    const uint8_t *bytes;
    size_t size;
    bool is_flush;   /* false: hold back */
    bool is_refused; /* the output had been shut down when it started */
};

/* Starts a write (bytes, size, is_flush and op.done are set). Ends when all is accepted.
 */
void stream_write(struct sock *sock, struct write_op *write, double timeout);
/* Ends when nothing waits any more that was written before: all is with the kernel.
 * Flushes first. bytes and size are not used. */
void stream_finish(struct sock *sock, struct write_op *write, double timeout);
/* Ends when every write asked before is accepted: what `done` does has its turn among
 * them. bytes and size are not used. */
void stream_turn(struct sock *sock, struct write_op *write);
/* What is held back goes out. False: *error, the output has failed or is shut down. */
bool stream_force(struct sock *sock, struct error *error);

/* ---- Control ---- */

/* Half-close. Input: what waits to be read is dropped, waiting reads fail with
 * `shutdown`. Output: held back bytes are dropped, flushed ones and waiting writes go
 * out, then the end of file. With both halves shut the descriptor is closed. */
void stream_shutdown(struct sock *sock, enum op_direction direction);

/* HTTP/1.1 chunks, see OPERATIONS: socket-control. Those of the output are for the turn
 * (stream_turn) of the caller. */
void stream_set_output_chunking(struct sock *sock, bool is_on);
bool stream_end_output_chunks(struct sock *sock, const struct write_op *turn,
                              struct error *error);
void stream_set_input_chunking(struct sock *sock, bool is_on);
/* On until the end of the body was told. */
bool stream_input_chunking(const struct stream *stream);
/* Trailer fields of the chunked body that ended last; NULL: none. */
const struct chunked_trailers *stream_trailers(const struct sock *sock);

/* ---- For raw streams (attach, relay): no operations, no waiting ---- */

/* Buffered bytes first. Results as of a transport; FAILED: *error. */
enum transport_result stream_receive(struct sock *sock, void *bytes, size_t size,
                                     size_t *n, struct error *error);
enum transport_result stream_send(struct sock *sock, const void *bytes, size_t size,
                                  size_t *n, struct error *error);
/* The same through a pipe, uncopied, when stream_has_pipes(): see transport.h. OK with *n
 * 0: it has to be done with the functions above now. */
bool stream_has_pipes(const struct sock *sock);
enum transport_result stream_receive_pipe(struct sock *sock, int pipe, size_t size,
                                          bool looks_first, size_t *n,
                                          struct error *error);
enum transport_result stream_send_pipe(struct sock *sock, int pipe, size_t size,
                                       size_t *n, struct error *error);
/* Puts bytes that were received back to the front of the input. */
void stream_unread(struct sock *sock, const void *bytes, size_t size);
/* Accepts bytes whatever the limit: what a client left that has gone. */
void stream_push(struct sock *sock, const void *bytes, size_t size);

/* The close that follows, an abort, tells the peer that the stream was cut off. */
void stream_cut(struct sock *sock);

/* Memory of the running thread, for bytes that pass by: STREAM_PIECE of them. */
uint8_t *stream_scratch(void);

#endif
