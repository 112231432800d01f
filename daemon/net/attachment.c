/* SPDX-License-Identifier: MIT */
/*
 * attachment.c - the raw stream of a socket: its two ends, how it begins and ends.
 *
 * Called by cmd_attach.c and stream.c; calls relay.c and the raw functions of stream.c.
 * Thread: the sock's home.
 *
 * An attachment holds both queues of the sock with an operation each. So it is run by the
 * readiness of the sock, and interrupt and close reach it like any other operation. What
 * they call may not end the sock, therefore the attachment ends in a deferred call - or
 * in attachment_drop(), when the sock goes first.
 *
 * The end of a client: closing a Unix stream socket looks like shutting down its writing
 * side, recv() answers 0 for both. poll() tells them apart: POLLHUP stands for both
 * sides.
 */
#include <config.h>
#include "daemon/net/attachment.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/buffer.h"
#include "daemon/base/check.h"
#include "daemon/base/log.h"
#include "daemon/net/relay.h"
#include "daemon/net/stream.h"

/* Owner: the stream (stream->attachment). */
struct attachment {
    struct sock *sock;
    struct relay_end peer, client; /* the socket's side and ours */
    struct relay_way down, up;     /* peer to client, client to peer */
    struct op input, output;       /* our places in the queues of the sock */
    struct later ending;
    int fd; /* the client's; -1: not there yet, or gone */
    struct io io;
    bool can_read, can_write; /* of fd */
    bool is_started, is_ending;
    bool is_gone; /* both sides of the client's descriptor have ended */
    bool is_kept;
    struct buffer early; /* what the client sent before */
    int64_t number;      /* the client's handle */
    attachment_over *over;
};

static struct attachment *of_peer(struct relay_end *end)
{
    return (struct attachment *)(void *)((char *)end - offsetof(struct attachment, peer));
}

static struct attachment *of_client(struct relay_end *end)
{
    return (struct attachment *)(void *)((char *)end -
                                         offsetof(struct attachment, client));
}

/* ---- The socket's side ---- */

static enum transport_result peer_receive(struct relay_end *end, void *bytes, size_t size,
                                          size_t *n)
{
    struct error error; /* the sock keeps it for describe-socket */

    return stream_receive(of_peer(end)->sock, bytes, size, n, &error);
}

static enum transport_result peer_send(struct relay_end *end, const void *bytes,
                                       size_t size, size_t *n)
{
    struct error error; /* as above */

    return stream_send(of_peer(end)->sock, bytes, size, n, &error);
}

static void peer_finish(struct relay_end *end, enum transport_result ended)
{
    struct attachment *attachment = of_peer(end);

    (void)ended; /* a client has no way to end other than well */
    /* A client that is gone altogether did not ask for this: whether the socket ends is a
     * question of detach. */
    if (!attachment->is_gone) {
        stream_shutdown(attachment->sock, OP_OUTPUT);
    }
}

static void peer_refuse(struct relay_end *end)
{
    (void)end; /* what is not read from it waits in the kernel, for the next attach */
}

static bool peer_has_pipes(const struct relay_end *end)
{
    const char *base = (const char *)end - offsetof(struct attachment, peer);

    return stream_has_pipes(((const struct attachment *)(const void *)base)->sock);
}

static enum transport_result peer_receive_pipe(struct relay_end *end, int pipe,
                                               size_t size, bool looks_first, size_t *n)
{
    struct error error; /* as above */

    return stream_receive_pipe(of_peer(end)->sock, pipe, size, looks_first, n, &error);
}

static enum transport_result peer_send_pipe(struct relay_end *end, int pipe, size_t size,
                                            size_t *n)
{
    struct error error; /* as above */

    return stream_send_pipe(of_peer(end)->sock, pipe, size, n, &error);
}

static const struct relay_end_kind peer_kind = {
    .name = "socket",
    .receive = peer_receive,
    .send = peer_send,
    .finish = peer_finish,
    .refuse = peer_refuse,
    .has_pipes = peer_has_pipes,
    .receive_pipe = peer_receive_pipe,
    .send_pipe = peer_send_pipe,
};

/* ---- The client's side ---- */

/* Looks whether both sides of the client's descriptor have ended. */
static void look_for_client(struct attachment *attachment)
{
    struct pollfd poll_fd = {.fd = attachment->fd};

    if (poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLHUP | POLLERR)) != 0) {
        attachment->is_gone = true;
        attachment->can_read = true; /* what it left, though no event told of it yet */
    }
}

static enum transport_result client_receive(struct relay_end *end, void *bytes,
                                            size_t size, size_t *n)
{
    struct attachment *attachment = of_client(end);
    struct buffer *early = &attachment->early;

    if (early->size > 0) {
        *n = size < early->size ? size : early->size;
        memcpy(bytes, buffer_bytes(early), *n);
        buffer_consume(early, *n);
        return TRANSPORT_OK;
    }
    if (attachment->fd < 0) {
        return TRANSPORT_END;
    }
    if (!attachment->can_read) {
        return TRANSPORT_AGAIN;
    }
    ssize_t got = recv(attachment->fd, bytes, size, 0);

    if (got > 0) {
        *n = (size_t)got;
        return TRANSPORT_OK;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        attachment->can_read = errno == EINTR;
        return TRANSPORT_AGAIN;
    }
    /* 0, or ECONNRESET: it is gone and had not read everything. */
    attachment->is_gone = attachment->is_gone || got < 0;
    look_for_client(attachment);
    return TRANSPORT_END;
}

static void no_room(struct attachment *attachment)
{
    attachment->can_write = false;
    if (attachment->io.is_on) {
        io_watch_room(&attachment->io, true);
    }
}

static enum transport_result client_send(struct relay_end *end, const void *bytes,
                                         size_t size, size_t *n)
{
    struct attachment *attachment = of_client(end);

    if (attachment->fd < 0 || attachment->is_gone) {
        return TRANSPORT_FAILED;
    }
    if (!attachment->can_write) {
        return TRANSPORT_AGAIN;
    }
    ssize_t sent = send(attachment->fd, bytes, size, MSG_NOSIGNAL);

    if (sent >= 0) {
        *n = (size_t)sent;
        return TRANSPORT_OK;
    }
    if (errno == EAGAIN || errno == EINTR) {
        if (errno == EAGAIN) {
            no_room(attachment);
        }
        return TRANSPORT_AGAIN;
    }
    look_for_client(attachment);
    return TRANSPORT_FAILED;
}

static void client_finish(struct relay_end *end, enum transport_result ended)
{
    (void)ended; /* a Unix socket cannot tell; describe-socket does */
    /* ENOTCONN: it has gone by itself. */
    (void)shutdown(of_client(end)->fd, SHUT_WR);
}

static void client_refuse(struct relay_end *end)
{
    (void)shutdown(of_client(end)->fd, SHUT_RD);
}

static bool client_has_pipes(const struct relay_end *end)
{
    (void)end;
    return true;
}

static enum transport_result client_receive_pipe(struct relay_end *end, int pipe,
                                                 size_t size, bool looks_first, size_t *n)
{
    struct attachment *attachment = of_client(end);

    *n = 0;
    if (attachment->early.size > 0 || attachment->fd < 0) {
        return TRANSPORT_OK;
    }
    if (!attachment->can_read) {
        return TRANSPORT_AGAIN;
    }
    enum transport_result result = transport_receive_pipe(
        attachment->fd, pipe, size, looks_first, n, &attachment->can_read);

    if (result == TRANSPORT_FAILED) {
        attachment->is_gone = true;
        result = TRANSPORT_END;
    }
    if (result == TRANSPORT_END) {
        look_for_client(attachment);
    }
    return result;
}

static enum transport_result client_send_pipe(struct relay_end *end, int pipe,
                                              size_t size, size_t *n)
{
    struct attachment *attachment = of_client(end);

    *n = 0;
    if (attachment->fd < 0 || attachment->is_gone) {
        return TRANSPORT_FAILED;
    }
    if (!attachment->can_write) {
        return TRANSPORT_AGAIN;
    }
    enum transport_result result = transport_send_pipe(attachment->fd, pipe, size, n);

    if (result == TRANSPORT_AGAIN) {
        no_room(attachment);
    } else if (result == TRANSPORT_FAILED) {
        look_for_client(attachment);
    }
    return result;
}

static const struct relay_end_kind client_kind = {
    .name = "client",
    .receive = client_receive,
    .send = client_send,
    .finish = client_finish,
    .refuse = client_refuse,
    .has_pipes = client_has_pipes,
    .receive_pipe = client_receive_pipe,
    .send_pipe = client_send_pipe,
};

/* ---- The end ---- */

/* What the client had sent goes out, what it has not got goes back. */
static void settle_bytes(struct attachment *attachment)
{
    struct sock *sock = attachment->sock;
    struct relay_way *up = &attachment->up, *down = &attachment->down;

    relay_collect(up);
    relay_collect(down);
    stream_push(sock, buffer_bytes(&up->buffer), up->buffer.size);
    if (up->ended == TRANSPORT_OK && !up->is_broken) {
        size_t n;
        /* At most what the client's socket holds: nobody can send any more. */
        while (attachment->is_gone &&
               client_receive(&attachment->client, stream_scratch(), STREAM_PIECE, &n) ==
                   TRANSPORT_OK) {
            stream_push(sock, stream_scratch(), n);
        }
        stream_push(sock, buffer_bytes(&attachment->early), attachment->early.size);
    }
    if (down->buffer.size > 0) {
        stream_unread(sock, buffer_bytes(&down->buffer), down->buffer.size);
    }
}

/* Leaves the sock free of the attachment; its operations have ended or will at once. */
static void detach(struct attachment *attachment)
{
    struct sock *sock = attachment->sock;

    attachment->is_ending = true;
    later_drop(&attachment->ending);
    if (attachment->fd >= 0 && !attachment->is_gone) {
        look_for_client(attachment);
    }
    settle_bytes(attachment);
    io_stop(&attachment->io);
    if (attachment->fd >= 0) {
        (void)close(attachment->fd); /* nothing is buffered there that could fail */
    }
    sock->as.stream->attachment = NULL;
    op_end(&attachment->input, NULL);
    op_end(&attachment->output, NULL);
    relay_fini(&attachment->up);
    relay_fini(&attachment->down);
    buffer_fini(&attachment->early);
}

static void tell_and_free(struct attachment *attachment)
{
    if (attachment->is_started) {
        attachment->over(attachment->number);
    }
    free(attachment);
}

void attachment_drop(struct sock *sock)
{
    struct attachment *attachment = sock->as.stream->attachment;

    if (attachment != NULL) {
        detach(attachment);
        tell_and_free(attachment);
    }
}

static void end_attachment(void *arg)
{
    struct attachment *attachment = arg;
    struct sock *sock = attachment->sock;

    detach(attachment);
    sock->state = SOCK_STATE_OPEN;
    if (!attachment->is_kept) {
        sock_close(sock, false);
    } else {
        if (sock->owner.client == attachment->number) {
            sock_disown(sock);
        }
        sock_run_later(sock); /* what came back tells no event to those who watch */
    }
    tell_and_free(attachment);
}

static void ask_end(struct attachment *attachment)
{
    attachment->is_ending = true;
    later_ask(&attachment->ending, attachment->sock->loop, end_attachment, attachment);
}

/* ---- Running ---- */

static bool is_over(const struct attachment *attachment)
{
    const struct relay_way *up = &attachment->up, *down = &attachment->down;

    if (attachment->is_gone) {
        return true;
    }
    /* A connection that was reset takes nothing any more either. */
    return down->state == RELAY_OVER &&
           (up->state == RELAY_OVER || down->ended == TRANSPORT_FAILED);
}

static enum op_result run_way(struct attachment *attachment, struct relay_way *way)
{
    if (attachment->is_ending || !attachment->is_started) {
        return OP_WAIT;
    }
    if (!attachment->is_gone && relay_run(way)) {
        sock_run_later(attachment->sock);
    }
    if (is_over(attachment)) {
        ask_end(attachment);
    }
    return OP_WAIT;
}

static enum op_result advance_down(struct op *op, struct error *error)
{
    struct attachment *attachment = op->sock->as.stream->attachment;

    (void)error;
    return run_way(attachment, &attachment->down);
}

static enum op_result advance_up(struct op *op, struct error *error)
{
    struct attachment *attachment = op->sock->as.stream->attachment;

    (void)error;
    return run_way(attachment, &attachment->up);
}

static void input_done(struct op *op, const struct error *error)
{
    struct attachment *attachment =
        (struct attachment *)(void *)((char *)op - offsetof(struct attachment, input));

    if (error != NULL && !attachment->is_ending) {
        ask_end(attachment);
    }
}

static void output_done(struct op *op, const struct error *error)
{
    struct attachment *attachment =
        (struct attachment *)(void *)((char *)op - offsetof(struct attachment, output));

    if (error != NULL && !attachment->is_ending) {
        ask_end(attachment);
    }
}

static void client_ready(void *arg, unsigned what)
{
    struct attachment *attachment = arg;

    if ((what & IO_WRITE) != 0 && attachment->can_write) {
        io_watch_room(&attachment->io, false); /* nobody waits for it */
    }
    attachment->can_read = attachment->can_read || (what & IO_READ) != 0;
    attachment->can_write = attachment->can_write || (what & IO_WRITE) != 0;
    /* Whether it has gone shows when it is read from; see to it where that is not done.
     */
    if (attachment->up.state != RELAY_OPEN || !relay_is_empty(&attachment->up)) {
        look_for_client(attachment);
    }
    sock_run(attachment->sock);
}

/* ---- The beginning ---- */

/* Takes the places in both queues. */
static void reserve(struct sock *sock, int64_t client, bool is_kept)
{
    struct attachment *attachment = MEM_NEW(struct attachment);

    attachment->sock = sock;
    attachment->fd = -1;
    attachment->number = client;
    attachment->is_kept = is_kept;
    attachment->peer.kind = &peer_kind;
    attachment->client.kind = &client_kind;
    attachment->down.from = attachment->up.to = &attachment->peer;
    attachment->down.to = attachment->up.from = &attachment->client;
    attachment->input.name = attachment->output.name = "attach";
    attachment->input.advance = advance_down;
    attachment->output.advance = advance_up;
    attachment->input.done = input_done;
    attachment->output.done = output_done;
    sock->as.stream->attachment = attachment;
    sock->state = SOCK_STATE_ATTACHED;
    sock_start(sock, &attachment->input, OP_INPUT, -1);
    sock_start(sock, &attachment->output, OP_OUTPUT, -1);
}

bool attachment_reserve(struct sock *sock, int64_t client, bool is_kept,
                        struct error *error)
{
    if (stream_get_whole(sock, error) == NULL) {
        return false;
    }
    reserve(sock, client, is_kept);
    return true;
}

bool attachment_start(struct sock *sock, int fd, struct buffer *input, int64_t client,
                      attachment_over *over)
{
    struct attachment *attachment = sock->as.stream->attachment;
    struct error error;

    if (attachment == NULL || attachment->number != client || attachment->is_ending) {
        return false;
    }
    CHECK(!attachment->is_started);
    attachment->over = over;
    attachment->early = *input;
    *input = (struct buffer){0};
    attachment->fd = fd;
    attachment->is_gone = fd < 0;
    attachment->can_read = attachment->can_write = fd >= 0;
    if (fd >= 0 && io_start(&attachment->io, sock->loop, fd, IO_READ, client_ready,
                            attachment) < 0) {
        LOG_RATED(LOG_NET, LOG_LEVEL_WARN,
                  "A raw stream can't be watched and is ended: socket=%lld",
                  (long long)sock->handle);
        attachment->is_gone = true;
    }
    /* Held back output was written before: it goes first. Its failure shows soon. */
    (void)stream_force(sock, &error);
    attachment->is_started = true;
    sock_run(sock);
    return true;
}
