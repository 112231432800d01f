/* SPDX-License-Identifier: MIT */
/*
 * attach.c - a connection becomes a raw stream; descriptors of plain sockets.
 *
 * Place: on call.c, like request.c, but reading with a bound: behind the line of the
 * reply to an attach come bytes that are the program's, and not one of them may be taken.
 * So the reply is looked at with MSG_PEEK, and only what belongs to its line is received.
 * That needs the connection alone: no other call may be pending.
 *
 * Thread: any.
 */
#include <config.h>

#include "lib/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "lib/shapes.h"

/* Bytes of the input that may be taken: up to the end of the first line. Negative errno.
 */
static ssize_t peek_line(struct sockd *connection)
{
    ssize_t size;
    const char *end;

    do {
        size = recv(connection->fd, connection->input, sizeof(connection->input),
                    MSG_PEEK | MSG_DONTWAIT);
    } while (size < 0 && errno == EINTR);
    if (size <= 0)
        return size < 0 ? -errno : 0;
    end = memchr(connection->input, '\n', (size_t)size);
    return end ? end - connection->input + 1 : size;
}

/* Receives exactly what was seen. The lock is held; nothing here waits. */
static void read_line(struct sockd *connection)
{
    ssize_t size = peek_line(connection);
    const char *input = connection->input;
    enum frame_result result = FRAME_MORE;
    char *line;
    size_t line_size, left;

    if (size > 0)
        size = recv(connection->fd, connection->input, (size_t)size, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        wire_die(connection, SOCKD_E_NO_DAEMON, 0,
                 "the daemon has closed the connection");
        return;
    }
    left = (size_t)size;
    while (!connection->is_dead && (result = frame_next(&connection->frame, &input, &left,
                                                        &line, &line_size)) == FRAME_LINE)
        (void)wire_take_line(connection, line, line_size);
    if (!connection->is_dead && result != FRAME_MORE)
        wire_die(connection, SOCKD_E_BAD_REPLY, 0, "the reply of the daemon is too long");
}

/* Waits without the lock. False: the deadline has passed. */
static bool wait_line(struct sockd *connection, int64_t deadline)
{
    bool writes = connection->output.start < connection->output.size;
    struct pollfd fd = {.fd = connection->fd,
                        .events = (short)(writes ? POLLIN | POLLOUT : POLLIN)};
    struct timespec time;
    int64_t left = deadline == NEVER ? 0 : deadline - now_ns();

    if (left < 0)
        return false;
    timespec_of(left, &time);
    pthread_mutex_unlock(&connection->lock);
    (void)ppoll(&fd, 1, deadline == NEVER ? NULL : &time, NULL); /* looked at below */
    pthread_mutex_lock(&connection->lock);
    if (connection->is_dead)
        return true;
    if (fd.revents & POLLOUT)
        wire_flush(connection);
    if (fd.revents & ~POLLOUT)
        read_line(connection);
    return true;
}

static void await_alone(struct sockd *connection, struct call *call, int64_t deadline)
{
    while (!call->is_done) {
        /* A cancel that crosses the reply would be the first bytes of the stream, so
         * there is no way back but the end. */
        if (!wait_line(connection, deadline)) {
            const struct answer late = {.status = SOCKD_E_TIMEOUT, .fd = -1};

            call_finish(connection, call, &late);
            wire_die(connection, SOCKD_E_NO_DAEMON, 0,
                     "a raw stream was not answered in time, which ends the connection");
        }
    }
}

/* The descriptor goes to the program, the connection is used up. Lock held. */
static int give_away(struct sockd *connection)
{
    int fd = connection->fd;
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0)
        (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    if (connection->poll_fd >= 0)
        (void)epoll_ctl(connection->poll_fd, EPOLL_CTL_DEL, fd,
                        NULL); /* it is in there */
    connection->fd = -1;
    wire_die(connection, SOCKD_E_NOT_CONNECTED, 0,
             "the connection has become a raw stream");
    return fd;
}

static bool is_alone(const struct sockd *connection)
{
    return !connection->n_calls && !connection->is_reading && !connection->first_due &&
           !connection->n_processing &&
           connection->output.start == connection->output.size;
}

/* Sends a request whose good reply makes the connection a raw stream. Frees the request.
 */
static int perform_alone(struct request *request, json_t **result, int *fd)
{
    struct sockd *connection = request->connection;
    struct answer answer = {.fd = -1};
    struct call *call;
    int status = connection_enter(connection, request->error);

    if (status != SOCKD_OK)
        return status;
    if (!is_alone(connection)) {
        connection_leave(connection);
        return fail(request->error, SOCKD_E_BUSY,
                    "other requests of the connection are not finished");
    }
    status = call_start(connection, request->writer.data, request->writer.size, false,
                        &call, request->error);
    if (status == SOCKD_OK) {
        connection->is_exclusive = true;
        await_alone(connection, call, request->deadline);
        connection->is_exclusive = false;
        call_take(connection, call, &answer);
        status = answer_read(connection, &answer, result, NULL, request->error);
        if (status == SOCKD_OK && !json_is_null(*result))
            *fd = give_away(connection);
    }
    connection_leave(connection);
    return status;
}

int sockd_attach(struct sockd *connection, int64_t socket, enum sockd_detach detach,
                 double timeout, int *fd, struct sockd_error *error)
{
    struct request request;
    json_t *json = NULL;
    int status;

    request_begin(&request, connection, "attach", timeout, error);
    request_socket(&request, socket);
    request_word(&request, "detach", DETACH_WORDS, (int)detach);
    if (!fd)
        request_bad(&request, "fd", "the place for a descriptor, not NULL");
    status = request_end(&request);
    if (status == SOCKD_OK)
        status = perform_alone(&request, &json, fd);
    json_decref(json);
    request_fini(&request);
    return status;
}

int sockd_accept_attached(struct sockd *connection, int64_t socket, double timeout,
                          struct sockd_description **description, int *fd,
                          struct sockd_error *error)
{
    struct request request;
    json_t *json = NULL;
    int status;

    request_begin_waiting(&request, connection, "accept-connection", timeout, error);
    request_socket(&request, socket);
    request_bool(&request, "attach", true);
    if (!fd)
        request_bad(&request, "fd", "the place for a descriptor, not NULL");
    status = request_end(&request);
    if (status == SOCKD_OK)
        status = perform_alone(&request, &json, fd);
    request_fini(&request);
    if (status == SOCKD_OK && description)
        status = result_make(description, &description_shape, json, error);
    else
        json_decref(json);
    return status;
}

int sockd_socket_os_fd(struct sockd *connection, int64_t socket, double timeout, int *fd,
                       struct sockd_error *error)
{
    struct request request;
    int status;

    request_begin(&request, connection, "socket-os-fd", timeout, error);
    request_socket(&request, socket);
    request.takes_fd = true;
    if (!fd)
        request_bad(&request, "fd", "the place for a descriptor, not NULL");
    status = request_done(&request);
    if (status != SOCKD_OK) {
        if (request.fd >= 0)
            (void)close(request.fd);
        return status;
    }
    if (request.fd < 0)
        return fail(error, SOCKD_E_BAD_REPLY, "the reply came without the descriptor");
    *fd = request.fd;
    return SOCKD_OK;
}
