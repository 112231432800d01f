/* SPDX-License-Identifier: MIT */
/*
 * connection_output.c - the replies of a control connection on their way out.
 *
 * Called by call.c, which writes the lines, and connection.c, which knows when to send.
 * Thread: the home worker.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/control/connection_life.h"
#include "daemon/control/desk.h"
#include "daemon/control/limits.h"

enum {
    SPARE_MAX = 262144,   /* larger memory is not kept for others */
    COMPACT_SIZE = 65536, /* sent bytes that are worth moving the rest for */
};

size_t connection_queued(const struct connection *connection)
{
    return connection->output.size - connection->n_sent;
}

/* ---- Output ---------------------------------------------------------------------------
 */

struct writer *connection_output(struct connection *connection)
{
    struct writer *output = &connection->output;

    if (output->data == NULL) {
        struct desk *desk = desk_of(connection->loop);
        *output = desk->spare;
        desk->spare = (struct writer){0};
    }
    output->needs_comma = false;
    return output;
}

/* The memory of an output that is empty goes to the next connection that needs some: most
 * of the time one piece serves them all. */
static void rest_output(struct connection *connection)
{
    struct desk *desk = desk_of(connection->loop);

    connection->output.size = 0;
    connection->n_sent = 0;
    if (desk->spare.data == NULL && connection->output.room <= SPARE_MAX) {
        desk->spare = connection->output;
        connection->output = (struct writer){0};
    } else {
        writer_fini(&connection->output);
    }
}

void connection_end_line(struct connection *connection)
{
    writer_raw(&connection->output, "\n", 1, false);
}

void connection_pass_fd(struct connection *connection, size_t start, int fd)
{
    struct passing *passing = MEM_NEW(struct passing);

    passing->fd = fd;
    passing->offset = connection->bytes_out - connection->n_sent + start;
    if (connection->passings != NULL &&
        passing->offset <= connection->last_passing->offset) {
        /* Descriptors of one batch: each goes with a byte of its own, in their order. */
        passing->offset = connection->last_passing->offset + 1;
    }
    if (connection->passings == NULL) {
        connection->passings = passing;
    } else {
        connection->last_passing->next = passing;
    }
    connection->last_passing = passing;
}

void connection_drop_passing(struct connection *connection)
{
    struct passing *passing = connection->passings;

    connection->passings = passing->next;
    close(passing->fd);
    free(passing);
}

/* One send of up to `size` bytes, with a descriptor unless it is -1. */
static ssize_t send_some(struct connection *connection, size_t size, int fd)
{
    char *bytes = connection->output.data + connection->n_sent;

    if (fd < 0) {
        return send(connection->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof control.space};

    memset(&control, 0, sizeof control);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Bytes that may go in one send: a descriptor goes with the first byte of its reply. */
static size_t next_piece(const struct connection *connection, int *fd)
{
    const struct passing *passing = connection->passings;
    size_t size = connection_queued(connection);

    *fd = -1;
    if (passing != NULL && passing->offset == connection->bytes_out) {
        *fd = passing->fd;
        passing = passing->next;
    }
    if (passing != NULL && passing->offset - connection->bytes_out < size) {
        size = (size_t)(passing->offset - connection->bytes_out);
    }
    return size;
}

/* The client does not read: waits for room, and for its patience to be worth it. */
static void wait_for_room(struct connection *connection, bool has_progress)
{
    double seconds = control_limits()->reply_timeout;

    if (connection->n_sent >= COMPACT_SIZE &&
        connection->n_sent >= connection->output.size / 2) {
        connection->output.size -= connection->n_sent;
        memmove(connection->output.data, connection->output.data + connection->n_sent,
                connection->output.size);
        connection->n_sent = 0;
    }
    if (seconds > 0 && (has_progress || !connection->timer.is_on)) {
        timer_start(&connection->timer, connection->loop, seconds, connection_time_over,
                    connection);
    }
}

/* Sends what the client takes. */
void connection_flush(struct connection *connection)
{
    bool has_progress = false;

    if (connection->output.failed) {
        /* A line may be cut: nothing that follows could be understood. */
        connection_gone(connection);
        return;
    }
    while (connection->n_sent < connection->output.size) {
        int fd;
        size_t size = next_piece(connection, &fd);
        ssize_t n = send_some(connection, size, fd);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
            wait_for_room(connection, has_progress);
            return;
        }
        if (n < 0) {
            connection_gone(connection);
            return;
        }
        if (fd >= 0) {
            connection_drop_passing(connection);
        }
        has_progress = true;
        connection->n_sent += (size_t)n;
        connection->bytes_out += (uint64_t)n;
    }
    if (has_progress) {
        timer_stop(&connection->timer);
        rest_output(connection);
    }
}
