/* SPDX-License-Identifier: MIT */
/*
 * transport.c - the plain transport: the descriptor of the sock as it is.
 *
 * Called by stream.c through transport_plain; calls the kernel. Readiness is
 * edge-triggered, so each call goes on until EAGAIN and then notes that in the sock.
 * Thread: the sock's home.
 */
#include <config.h>
#include "daemon/net/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "daemon/net/sock.h"

void transport_explain(const struct transport_fault *fault, const char *action,
                       struct error *error)
{
    if (fault->errnum != 0) {
        error_set_errno(error, fault->errnum, action);
        error->id = fault->id;
        return;
    }
    error_set(error, fault->id, "%s failed", action);
    error->action = action;
}

bool transport_discard(int fd, void *memory, size_t size)
{
    ssize_t got;

    do {
        got = recv(fd, memory, size, 0);
    } while (got < 0 && errno == EINTR);
    return got > 0;
}

static enum transport_result failed(int errnum, struct transport_fault *fault)
{
    *fault = (struct transport_fault){error_id_of_errno(errnum), errnum};
    return TRANSPORT_FAILED;
}

static enum transport_result plain_receive(struct sock *sock, void *bytes, size_t size,
                                           size_t *n, struct transport_fault *fault)
{
    ssize_t got;

    do {
        got = recv(sock->fd, bytes, size, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN) {
        sock->can_read = false;
        return TRANSPORT_AGAIN;
    }
    if (got < 0) {
        return failed(errno, fault);
    }
    *n = (size_t)got;
    return got == 0 ? TRANSPORT_END : TRANSPORT_OK;
}

static enum transport_result plain_send(struct sock *sock, const void *bytes, size_t size,
                                        size_t *n, struct transport_fault *fault)
{
    ssize_t sent;

    do {
        sent = send(sock->fd, bytes, size, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno == EAGAIN) {
        sock_no_room(sock);
        return TRANSPORT_AGAIN;
    }
    if (sent < 0) {
        return failed(errno, fault);
    }
    *n = (size_t)sent;
    return TRANSPORT_OK;
}

static enum transport_result plain_shutdown_output(struct sock *sock,
                                                   struct transport_fault *fault)
{
    /* ENOTCONN: the connection broke before; the peer has heard of its end already. */
    if (shutdown(sock->fd, SHUT_WR) < 0 && errno != ENOTCONN) {
        return failed(errno, fault);
    }
    return TRANSPORT_OK;
}

static void plain_shutdown_input(struct sock *sock)
{
    /* Fails only when the connection is gone, which ends the input as well. */
    (void)shutdown(sock->fd, SHUT_RD);
}

static unsigned plain_state(const struct sock *sock)
{
    /* Not recv() with MSG_PEEK, nor SO_ERROR: they would take a pending error with them,
     * and the next receive would see a clean end instead. */
    struct pollfd poll_fd = {.fd = sock->fd, .events = POLLIN};

    if (poll(&poll_fd, 1, 0) <= 0) {
        return 0;
    }
    return (poll_fd.revents & (POLLIN | POLLERR | POLLHUP) ? TRANSPORT_READABLE : 0u) |
           (poll_fd.revents & POLLERR ? TRANSPORT_BROKEN : 0u);
}

/* ---- Through a pipe ---- */

/* Is there something to receive? recv() knows, and splice() does not: it goes no further
 * than to the mark of urgent data, and calls that EAGAIN. OK: there is. */
static enum transport_result look(int fd, bool *can_read)
{
    uint8_t byte;
    ssize_t got;

    do {
        got = recv(fd, &byte, 1, MSG_PEEK);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN) {
        *can_read = false;
        return TRANSPORT_AGAIN;
    }
    return got > 0 ? TRANSPORT_OK : got == 0 ? TRANSPORT_END : TRANSPORT_FAILED;
}

enum transport_result transport_receive_pipe(int fd, int pipe, size_t size,
                                             bool looks_first, size_t *n, bool *can_read)
{
    *n = 0;
    if (looks_first) {
        enum transport_result result = look(fd, can_read);
        if (result != TRANSPORT_OK) {
            return result;
        }
    }
    ssize_t got = splice(fd, NULL, pipe, NULL, size, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

    if (got > 0) {
        *n = (size_t)got;
        return TRANSPORT_OK;
    }
    if (got == 0) {
        return TRANSPORT_END;
    }
    if (errno == EAGAIN) {
        return looks_first ? TRANSPORT_OK : look(fd, can_read);
    }
    /* EINVAL: no splice for this kind of descriptor. */
    return errno == EINTR || errno == EINVAL || errno == ENOMEM ? TRANSPORT_OK
                                                                : TRANSPORT_FAILED;
}

enum transport_result transport_send_pipe(int fd, int pipe, size_t size, size_t *n)
{
    ssize_t sent = splice(pipe, NULL, fd, NULL, size, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

    *n = 0;
    if (sent > 0) {
        *n = (size_t)sent;
        return TRANSPORT_OK;
    }
    if (sent < 0 && errno == EAGAIN) {
        return TRANSPORT_AGAIN;
    }
    return sent == 0 || errno == EINTR || errno == EINVAL || errno == ENOMEM
               ? TRANSPORT_OK
               : TRANSPORT_FAILED;
}

static enum transport_result plain_receive_pipe(struct sock *sock, int pipe, size_t size,
                                                bool looks_first, size_t *n,
                                                struct transport_fault *fault)
{
    enum transport_result result =
        transport_receive_pipe(sock->fd, pipe, size, looks_first, n, &sock->can_read);

    return result == TRANSPORT_FAILED ? failed(errno, fault) : result;
}

static enum transport_result plain_send_pipe(struct sock *sock, int pipe, size_t size,
                                             size_t *n, struct transport_fault *fault)
{
    enum transport_result result = transport_send_pipe(sock->fd, pipe, size, n);

    if (result == TRANSPORT_AGAIN) {
        sock_no_room(sock);
    }
    return result == TRANSPORT_FAILED ? failed(errno, fault) : result;
}

const struct transport transport_plain = {
    .name = "plain",
    .receive = plain_receive,
    .send = plain_send,
    .shutdown_output = plain_shutdown_output,
    .shutdown_input = plain_shutdown_input,
    .state = plain_state,
    .receive_pipe = plain_receive_pipe,
    .send_pipe = plain_send_pipe,
};
