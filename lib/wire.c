/* SPDX-License-Identifier: MIT */
/*
 * wire.c - bytes to and from the daemon: kept output, the reader, descriptors, the end.
 *
 * Place: below call.c, which says what is sent and gets each line that came. Nothing here
 * blocks while the lock is held; wire_read() opens it.
 *
 * Thread: any, with the connection's lock held.
 */
#include <config.h>

#include "lib/internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_OUTPUT_ROOM = 4096 };

static void ring(int event_fd)
{
    uint64_t one = 1;

    /* It can fail only when the counter is full, and then it is readable already. */
    while (write(event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

void wire_wake(struct sockd *connection) { ring(connection->wake_fd); }

void wire_update_poll(struct sockd *connection)
{
    bool wants = connection->output.size > connection->output.start;
    struct epoll_event event = {.events = EPOLLIN};

    if (connection->poll_fd < 0 || connection->fd < 0 || wants == connection->poll_writes)
        return;
    if (wants)
        event.events |= EPOLLOUT;
    /* Can't fail for a descriptor that is in the set. */
    (void)epoll_ctl(connection->poll_fd, EPOLL_CTL_MOD, connection->fd, &event);
    connection->poll_writes = wants;
}

/* The daemon takes nothing more. What it has sent can still be read and ends in an end of
 * file, which then ends the connection: a last error line is not lost. */
static void go_mute(struct sockd *connection)
{
    connection->is_mute = true;
    connection->output.start = connection->output.size = 0;
    (void)shutdown(connection->fd, SHUT_RDWR);
    ring(connection->wake_fd);
}

/* As much as goes out now; 0 when the daemon reads no more, -1 when it must wait. */
static ssize_t send_parts(struct sockd *connection, struct iovec *parts, int n_parts)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)n_parts};
    ssize_t sent;

    do {
        sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return sent;
    if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
        return -1;
    go_mute(connection);
    return 0;
}

static bool keep(struct output *output, const char *bytes, size_t size)
{
    if (!size)
        return true;
    if (output->start == output->size)
        output->start = output->size = 0;
    if (size > output->room - output->size) {
        size_t room = output->room ? output->room : FIRST_OUTPUT_ROOM;
        char *data;

        while (room - output->size < size)
            room *= 2;
        data = realloc(output->data, room);
        if (!data)
            return false;
        output->data = data;
        output->room = room;
    }
    memcpy(output->data + output->size, bytes, size);
    output->size += size;
    return true;
}

/* Keeps what of the parts comes after the first `sent` bytes. */
static bool keep_rest(struct sockd *connection, const struct iovec *parts, int n_parts,
                      size_t sent)
{
    for (int i = 0; i < n_parts; i++) {
        size_t skip = sent < parts[i].iov_len ? sent : parts[i].iov_len;

        sent -= skip;
        if (!keep(&connection->output, (const char *)parts[i].iov_base + skip,
                  parts[i].iov_len - skip))
            return false;
    }
    return true;
}

int wire_send(struct sockd *connection, struct iovec *parts, int n_parts,
              struct sockd_error *error)
{
    struct output *output = &connection->output;
    size_t size = 0;
    ssize_t sent = 0;

    for (int i = 0; i < n_parts; i++)
        size += parts[i].iov_len;
    if (output->size - output->start > 0) {
        if (output->size - output->start + size > OUTPUT_LIMIT)
            return fail_limit(error, "unsent-bytes", OUTPUT_LIMIT);
    } else if (!connection->is_mute) {
        sent = send_parts(connection, parts, n_parts);
    }
    if (connection->is_mute || (size_t)sent == size)
        return SOCKD_OK;
    if (!keep_rest(connection, parts, n_parts, sent > 0 ? (size_t)sent : 0)) {
        /* Half a line may be out: the next one would be read as its end. */
        wire_die(connection, SOCKD_E_OUT_OF_MEMORY, 0,
                 "no memory for a request that was partly sent");
        return fail_copy(error, &connection->fault);
    }
    wire_update_poll(connection);
    if (connection->is_reading && !connection->reader_writes)
        ring(connection->wake_fd);
    return SOCKD_OK;
}

void wire_flush(struct sockd *connection)
{
    struct output *output = &connection->output;

    while (!connection->is_mute && output->start < output->size) {
        struct iovec part = {.iov_base = output->data + output->start,
                             .iov_len = output->size - output->start};
        ssize_t sent = send_parts(connection, &part, 1);

        if (sent <= 0)
            break;
        output->start += (size_t)sent;
    }
    if (output->start == output->size) {
        free(output->data); /* it is rarely needed, and then large */
        *output = (struct output){0};
    }
    wire_update_poll(connection);
}

static void close_descriptors(struct sockd *connection)
{
    while (connection->n_descriptors)
        (void)close(connection->descriptors[--connection->n_descriptors]);
}

void wire_take_descriptors(struct sockd *connection, struct msghdr *message)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part;
         part = CMSG_NXTHDR(message, part)) {
        size_t n;

        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        n = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
            if (connection->n_descriptors < MAX_DESCRIPTORS)
                connection->descriptors[connection->n_descriptors++] = fd;
            else
                (void)close(fd);
        }
    }
}

void wire_die(struct sockd *connection, int status, int errnum, const char *message)
{
    struct answer answer = {.status = status, .is_fault = true, .fd = -1};

    if (connection->is_dead)
        return;
    if (errnum)
        (void)fail_errno(&connection->fault, status, errnum, message);
    else
        (void)fail(&connection->fault, status, "%s", message);
    connection->is_dead = true;
    if (connection->fd >= 0)
        (void)shutdown(connection->fd, SHUT_RDWR); /* gets a reader out of its poll() */
    connection->output.start = connection->output.size = 0;
    close_descriptors(connection);
    for (unsigned i = 0; i < N_BUCKETS; i++) {
        while (connection->buckets[i])
            call_finish(connection, connection->buckets[i], &answer);
    }
    if (connection->n_processing)
        pthread_cond_broadcast(&connection->due);
    if (connection->due_fd >= 0)
        ring(connection->due_fd);
}

/* Takes the lines out of `size` bytes that came. */
static void take_bytes(struct sockd *connection, const char *bytes, size_t size)
{
    char *line;
    size_t line_size;
    enum frame_result result;

    while ((result = frame_next(&connection->frame, &bytes, &size, &line, &line_size)) ==
           FRAME_LINE) {
        if (!wire_take_line(connection, line, line_size))
            return;
    }
    if (result == FRAME_TOO_LONG)
        wire_die(connection, SOCKD_E_BAD_REPLY, 0,
                 "a reply of the daemon is longer than the reply limit");
    else if (result == FRAME_NO_MEMORY)
        wire_die(connection, SOCKD_E_OUT_OF_MEMORY, 0,
                 "no memory for a reply of the daemon");
    else if (!connection->n_fd_calls)
        close_descriptors(connection);
}

/* One recvmsg() into the input, without the lock: the reader alone does this. */
static ssize_t receive(struct sockd *connection, struct msghdr *message, void *control,
                       size_t control_size)
{
    struct iovec part = {.iov_base = connection->input,
                         .iov_len = sizeof(connection->input)};
    ssize_t size;

    *message = (struct msghdr){.msg_iov = &part,
                               .msg_iovlen = 1,
                               .msg_control = control,
                               .msg_controllen = control_size};
    do {
        size = recvmsg(connection->fd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    return size < 0 ? -errno : size;
}

/* Waits for the descriptor, or for attention. *readable tells whether the first. */
static void wait_for_bytes(struct sockd *connection, bool writes, int64_t deadline,
                           bool *readable)
{
    struct pollfd fds[] = {
        {.fd = connection->fd, .events = (short)(writes ? POLLIN | POLLOUT : POLLIN)},
        {.fd = connection->wake_fd, .events = POLLIN},
    };
    struct timespec timeout;
    int64_t left = deadline == NEVER ? 0 : deadline - now_ns();
    uint64_t count;

    timespec_of(left > 0 ? left : 0, &timeout);
    *readable = false;
    /* EINTR counts as attention: the caller looks at its deadline and comes again. */
    if (ppoll(fds, 2, deadline == NEVER ? NULL : &timeout, NULL) <= 0)
        return;
    if (fds[1].revents)
        (void)!read(connection->wake_fd, &count, sizeof(count)); /* only resets it */
    *readable = fds[0].revents & ~POLLOUT;
}

void wire_read(struct sockd *connection, int64_t deadline)
{
    char control[CMSG_SPACE(MAX_DESCRIPTORS * sizeof(int))]
        __attribute__((aligned(_Alignof(struct cmsghdr))));
    struct msghdr message;
    bool writes = connection->output.start < connection->output.size;
    bool readable;
    ssize_t size = -EAGAIN;

    connection->is_reading = true;
    connection->reader_writes = writes;
    pthread_mutex_unlock(&connection->lock);
    wait_for_bytes(connection, writes, deadline, &readable);
    if (readable)
        size = receive(connection, &message, control, sizeof(control));
    pthread_mutex_lock(&connection->lock);
    connection->is_reading = false;
    if (size > 0)
        wire_take_descriptors(connection, &message);
    if (connection->is_dead) {
        close_descriptors(connection);
        return;
    }
    if (writes)
        wire_flush(connection);
    if (size > 0)
        take_bytes(connection, connection->input, (size_t)size);
    else if (size == 0 || size == -ECONNRESET)
        wire_die(connection, SOCKD_E_NO_DAEMON, 0,
                 "the daemon has closed the connection");
    else if (size != -EAGAIN)
        wire_die(connection, SOCKD_E_NO_DAEMON, (int)-size, "receive from the daemon");
}
