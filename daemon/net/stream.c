/* SPDX-License-Identifier: MIT */
/*
 * stream.c - the life of a stream: from connected descriptor to close.
 *
 * The two directions are in stream_input.c and stream_output.c. Called by the connector,
 * the listener and the commands; hooks into sock.c with stream_kind. Thread: the sock's
 * home.
 */
#include <config.h>
#include "daemon/net/stream.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "daemon/base/check.h"
#include "daemon/net/attachment.h"
#include "daemon/net/bridge.h"
#include "daemon/net/chunked.h"
#include "daemon/net/stream_parts.h"

enum { DRAIN_BUDGET = 32 }; /* receives at the close */

const char *stream_end_name(enum stream_end end)
{
    static const char *const names[] = {
        [STREAM_END_NONE] = NULL,
        [STREAM_END_CLEAN] = "clean",
        [STREAM_END_TRUNCATED] = "truncated",
        [STREAM_END_CHUNK] = "chunk",
        [STREAM_END_ERROR] = NULL,
    };
    return names[end];
}

void stream_explain(const struct sock *sock, const struct transport_fault *fault,
                    const char *action, struct error *error)
{
    const struct transport *transport = sock->as.stream->transport;

    if (transport->explain != NULL) {
        transport->explain(sock, fault, action, error);
    } else {
        transport_explain(fault, action, error);
    }
}

/* ---- The end ---- */

static bool has_output(const struct sock *sock)
{
    return sock->fd >= 0 && sock->as.stream->write_fault.id == ERROR_NONE &&
           !stream_is_sent(sock);
}

/* All output is with the transport: false when that has some left after its farewell. */
static bool say_farewell(struct sock *sock)
{
    const struct transport *transport = sock->as.stream->transport;

    if (transport->farewell != NULL) {
        transport->farewell(sock);
    }
    return !has_output(sock);
}

/* Reads and discards what the kernel has: an orderly close is none with unread input, the
 * kernel then resets the connection and drops its own send queue. */
static void drain(struct sock *sock)
{
    for (unsigned n_left = DRAIN_BUDGET; n_left > 0; n_left--) {
        if (sock->fd < 0 ||
            !transport_discard(sock->fd, stream_scratch(), STREAM_PIECE)) {
            return;
        }
    }
}

static void stream_ready(struct sock *sock, unsigned what)
{
    const struct transport *transport = sock->as.stream->transport;

    if (transport->ready != NULL) {
        what = transport->ready(sock, what);
    }
    if ((what & IO_WRITE) != 0) {
        stream_pump(sock, NULL);
    }
    if (sock->as.stream->is_closing && !has_output(sock) && say_farewell(sock)) {
        drain(sock);
        sock_free(sock);
    }
}

static bool stream_close(struct sock *sock, bool is_abort)
{
    struct stream *stream = sock->as.stream;

    attachment_drop(sock);
    bridge_drop(sock, is_abort);
    if (sock->end == SOCK_END_NONE) {
        sock->end = SOCK_END_CLOSED;
    }
    if (is_abort) {
        return true;
    }
    stream_drop_input(stream);
    if (!stream->is_output_ending) {
        stream_flush(stream);
    }
    stream_pump(sock, NULL);
    if (has_output(sock) || !say_farewell(sock)) {
        stream->is_closing = true;
        return false;
    }
    drain(sock);
    return true;
}

static void stream_fini(struct sock *sock)
{
    struct stream *stream = sock->as.stream;

    attachment_drop(sock);
    bridge_drop(sock, true);
    if (stream->transport->fini != NULL) {
        stream->transport->fini(sock);
    }
    stream_drop_input(stream);
    chunked_trailers_free(stream->trailers);
    buffer_fini(&stream->output);
    buffer_fini(&stream->held);
    free(stream);
    sock->as.stream = NULL;
}

static const struct sock_kind stream_kind = {
    .name = "stream",
    .ready = stream_ready,
    .close = stream_close,
    .fini = stream_fini,
};

void stream_open(struct sock *sock)
{
    struct stream *stream = MEM_NEW(struct stream);

    stream->transport = &transport_plain;
    sock->as.stream = stream;
    sock_become(sock, &stream_kind, SOCK_STATE_OPEN);
}

void stream_has_session(struct sock *sock)
{
    struct stream *stream = sock->as.stream;

    CHECK(stream->session != NULL && stream->decoder == NULL);
    buffer_fini(&stream->input);
    stream->epoch++;
    sock_run_later(sock); /* for those who watch */
}

struct stream *stream_of(struct sock *sock, struct error *error)
{
    if (sock->kind == &stream_kind) {
        return sock->as.stream;
    }
    if (sock->state == SOCK_STATE_CONNECTING && sock->type == SOCK_TYPE_STREAM &&
        sock->connect == SOCK_CONNECT_ACTIVE) {
        error_set(error, ERROR_NOT_CONNECTED, "the socket is not connected yet");
        error->socket = sock->handle;
    } else {
        (void)sock_wrong_kind(sock, "a connected stream", error);
    }
    return NULL;
}

struct stream *stream_get(struct sock *sock, struct error *error)
{
    struct stream *stream = stream_of(sock, error);

    if (stream != NULL && sock->state == SOCK_STATE_ATTACHED) {
        error_set(error, ERROR_BUSY,
                  stream->bridge != NULL
                      ? "the socket is relayed: its bytes go to and from another one"
                      : "the socket is attached: a client has it as its raw stream");
        error->socket = sock->handle;
        return NULL;
    }
    return stream;
}

struct stream *stream_get_whole(struct sock *sock, struct error *error)
{
    struct stream *stream = stream_get(sock, error);

    if (stream == NULL) {
        return NULL;
    }
    if (sock->ops[OP_INPUT].n + sock->ops[OP_OUTPUT].n > 0) {
        error_set(error, ERROR_BUSY, "other requests wait on the socket");
    } else if (stream->decoder != NULL || stream->is_output_chunked) {
        error_set(error, ERROR_BUSY, "chunking is on: turn it off with socket-control");
    } else if (sock->fd < 0) {
        error_set(error, ERROR_SHUTDOWN, "both directions of the socket were shut down");
    } else {
        return stream;
    }
    error->socket = sock->handle;
    return NULL;
}

void stream_cut(struct sock *sock)
{
    static const struct linger reset = {.l_onoff = 1};

    /* A session has its own sign, the farewell that does not come. Where this fails the
     * peer sees an end that looks well. */
    if (sock->fd >= 0 && sock->family == SOCK_FAMILY_INTERNET &&
        sock->as.stream->session == NULL) {
        (void)setsockopt(sock->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
}

void stream_shutdown(struct sock *sock, enum op_direction direction)
{
    struct stream *stream = sock->as.stream;

    if (direction == OP_OUTPUT) {
        if (!stream->is_output_ending) {
            buffer_fini(&stream->held);
            stream->is_output_ending = true;
            stream_pump(sock, NULL);
        }
        return;
    }
    if (stream->is_input_shut) {
        return;
    }
    stream->is_input_shut = true;
    stream_drop_input(stream);
    if (sock->fd >= 0) {
        stream->transport->shutdown_input(sock);
    }
    if (stream->is_output_shut) {
        sock_close_fd(sock);
    }
    sock_run(sock); /* reads that wait end with `shutdown` */
}
