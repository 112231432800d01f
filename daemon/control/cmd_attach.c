/* SPDX-License-Identifier: MIT */
/*
 * cmd_attach.c - the socket itself for the client: as a raw stream (attach), as a
 * descriptor (socket-os-fd).
 *
 * Called by dispatch.c; calls net/attachment.c. Thread: the sock's home.
 */
#include <config.h>
#include "daemon/control/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "daemon/base/buffer.h"
#include "daemon/control/handlers.h"
#include "daemon/control/request.h"
#include "daemon/net/attachment.h"
#include "daemon/net/sock.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls_session.h"

/* The words of attach's `detach`. */
enum { DETACH_CLOSE, DETACH_KEEP };

/* The connection's descriptor has come. Meanwhile the socket may have been closed, or the
 * attachment interrupted. */
static void start(struct loop *loop, int64_t socket, struct raw_stream *raw)
{
    struct sock *sock = sock_find(loop, socket);

    if (sock != NULL && attachment_start(sock, raw->fd, &raw->input, raw->client,
                                         connection_stream_ended)) {
        return;
    }
    buffer_fini(&raw->input);
    if (raw->fd >= 0) {
        (void)close(raw->fd); /* nothing is buffered there that could fail */
    }
    connection_stream_ended(raw->client);
}

void attach_finish(struct request *request, struct sock *sock, bool is_kept)
{
    struct error error;

    if (attachment_reserve(sock, request_caller(request)->client, is_kept, &error)) {
        request_finish_stream(request, sock->handle, start);
    } else {
        request_fail(request, &error);
    }
}

void handle_attach(struct request *request)
{
    unsigned detach = params_word(request_params(request), PARAM_ATTACH_DETACH);

    attach_finish(request, request_sock(request), detach == DETACH_KEEP);
}

void handle_socket_os_fd(struct request *request)
{
    struct sock *sock = request_sock(request);
    struct error error;

    if (tls_session_is_on(sock)) {
        error_set(&error, ERROR_NOT_SUPPORTED,
                  "the descriptor of a TLS stream is of use to the daemon alone");
        error.socket = sock->handle;
        request_fail(request, &error);
        return;
    }
    if (sock->fd < 0) {
        error_set(&error,
                  sock->state == SOCK_STATE_CONNECTING ? ERROR_NOT_CONNECTED
                                                       : ERROR_SHUTDOWN,
                  "the socket has no descriptor");
        error.socket = sock->handle;
        request_fail(request, &error);
        return;
    }
    int fd = fcntl(sock->fd, F_DUPFD_CLOEXEC, 0);

    if (fd < 0) {
        error_set_errno(&error, errno, "duplicate the descriptor");
        error.socket = sock->handle;
        request_fail(request, &error);
        return;
    }
    request_brings_fd(request, fd);
    request_ok(request);
}
