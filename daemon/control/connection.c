/* SPDX-License-Identifier: MIT */
/*
 * connection.c - reads lines from a client, writes replies to it, notices its end.
 *
 * Made by the listener's message; calls dispatch.c with each line. Pipelined requests of
 * one recv() are answered by one send(); replies that come by message are sent once per
 * round of the loop. Thread: the home worker.
 *
 * The descriptor is watched level-triggered: then one recv() per batch of requests is
 * enough, whatever it leaves behind.
 */
#include <config.h>
#include "daemon/control/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/handle.h"
#include "daemon/base/log.h"
#include "daemon/base/quota.h"
#include "daemon/control/connection_life.h"
#include "daemon/control/contexts.h"
#include "daemon/control/desk.h"
#include "daemon/control/limits.h"
#include "daemon/net/sock.h"
#include "proto/message.h"

enum {
    HELD_MAX = 65536, /* of a stream, before its reading starts */
    TURN_MS = 10,     /* spent on the lines of one client before others have their turn */
    REFUSE_SECONDS = 2, /* a refused client may go on writing for this long */
};

/* ---- Facts ----------------------------------------------------------------------------
 */

struct session *connection_session(struct connection *connection)
{
    CHECK_HOME(connection);
    return &connection->session;
}

struct caller *connection_caller(struct connection *connection)
{
    const struct session *session = &connection->session;

    connection->caller.ipv6 = session->ipv6;
    connection->caller.dns_mode = session->dns_mode;
    connection->caller.print_hostname = session->print_hostname;
    connection->caller.suffixes = session->suffixes;
    return &connection->caller;
}

struct call_list *connection_calls(struct connection *connection)
{
    return &connection->calls;
}

void connection_facts(const struct connection *connection, struct connection_facts *facts)
{
    CHECK_HOME(connection);
    *facts = (struct connection_facts){
        .client = connection->caller.client,
        .pid = connection->caller.pid,
        .uid = connection->caller.uid,
        .gid = connection->caller.gid,
        .is_admin = connection->caller.is_admin,
        .is_attached = connection->state == CONNECTION_ATTACHED,
        .worker = (unsigned)loop_number(connection->loop),
        .connected = connection->connected,
        .n_requests = connection->n_requests,
        .n_pending = connection->calls.n,
        .queued = connection_queued(connection),
        .bytes_in = connection->bytes_in,
        .bytes_out = connection->bytes_out,
    };
}

bool connection_takes_replies(const struct connection *connection)
{
    return connection->state == CONNECTION_OPEN ||
           connection->state == CONNECTION_STREAMING;
}

/* ---- Errors without a request ---------------------------------------------------------
 */

void connection_complain(struct connection *connection, const struct error *error)
{
    if (connection_takes_replies(connection)) {
        counters_add(loop_counters(connection->loop), COUNTER_ERRORS, 1);
        message_error(connection_output(connection), NULL, 0, error);
        connection_end_line(connection);
    }
}

void connection_refuse(struct connection *connection, const struct error *error)
{
    connection_complain(connection, error);
    connection->state = CONNECTION_REFUSING;
    frame_fini(&connection->frame);
    buffer_fini(&connection->held);
    call_cancel_all(&connection->calls);
}

/* ---- Input ----------------------------------------------------------------------------
 */

/* The replies pile up: the client must read before it is read. */
static bool is_full(struct connection *connection)
{
    size_t limit = control_limits()->reply_queue_size;

    if (connection_queued(connection) < limit) {
        return false;
    }
    connection_flush(connection);
    return connection_queued(connection) >= limit;
}

/* Bytes that come before the stream they belong to, before there is room for replies, or
 * when others have their turn. */
static void hold(struct connection *connection, const char *bytes, size_t size)
{
    if (size > 0 && connection->state != CONNECTION_REFUSING &&
        connection->state != CONNECTION_GONE) {
        buffer_add(&connection->held, bytes, size);
    }
}

/* loop_now_ms() stands still in a round. */
static int64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void take_lines(struct connection *connection, const char *bytes, size_t size)
{
    int64_t until = clock_ms() + TURN_MS;

    while (connection->state == CONNECTION_OPEN && !is_full(connection)) {
        char *line;
        size_t line_size;
        enum frame_result result =
            frame_next(&connection->frame, &bytes, &size, &line, &line_size);

        if (result == FRAME_LINE) {
            dispatch_line(connection, line, line_size);
            if (clock_ms() >= until) {
                break; /* what is held is taken in the next round */
            }
        } else if (result == FRAME_MORE) {
            return;
        } else {
            struct error error;
            (void)error_set_limit(&error, "message-size",
                                  (int64_t)connection->frame.limit);
            (void)error_set_final(&error);
            counters_add(loop_counters(connection->loop), COUNTER_LIMITS, 1);
            connection_refuse(connection, &error);
        }
    }
    hold(connection, bytes, size);
}

static void take_input(struct connection *connection, const char *bytes, size_t size)
{
    if (connection->state == CONNECTION_OPEN && connection->held.size == 0) {
        take_lines(connection, bytes, size);
    } else {
        hold(connection, bytes, size);
    }
}

static bool has_hung_up(const struct connection *connection)
{
    struct pollfd entry = {.fd = connection->fd};

    return poll(&entry, 1, 0) > 0 && (entry.revents & (POLLHUP | POLLERR)) != 0;
}

/* The client has shut its writing side, or is gone altogether. */
static void end_input(struct connection *connection)
{
    if (connection->state == CONNECTION_REFUSING || has_hung_up(connection)) {
        connection_gone(connection);
        return;
    }
    connection->has_end = true;
    if (connection->state == CONNECTION_OPEN) {
        /* Shells forget the last line feed; without it a line is as good as with it. */
        take_input(connection, "\n", 1);
    }
}

static void on_input(void *arg, unsigned what)
{
    struct connection *connection = arg;
    char *scratch = desk_of(connection->loop)->scratch;

    (void)what;
    CHECK_MAGIC(connection, CONNECTION_MAGIC);
    ssize_t n = recv(connection->fd, scratch, DESK_SCRATCH_SIZE, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    connection->is_busy = true;
    if (n > 0) {
        connection->bytes_in += (uint64_t)n;
        take_input(connection, scratch, (size_t)n);
        if (connection->frame.size > 0) {
            explicit_bzero(scratch, (size_t)n); /* who knows what the line will be */
        }
    } else if (n == 0) {
        end_input(connection);
    } else {
        connection_gone(connection);
    }
    connection->is_busy = false;
    connection_settle(connection);
}

/* What was held is of use now. */
static void take_held(struct connection *connection)
{
    struct buffer held = connection->held;

    connection->held = (struct buffer){0};
    take_lines(connection, (const char *)buffer_bytes(&held), held.size);
    buffer_fini(&held);
}

static bool can_take_held(struct connection *connection)
{
    return connection->state == CONNECTION_OPEN && connection->held.size > 0 &&
           !desk_of(connection->loop)->is_draining &&
           connection_queued(connection) < control_limits()->reply_queue_size;
}

static void run_later(void *arg)
{
    struct connection *connection = arg;

    CHECK_MAGIC(connection, CONNECTION_MAGIC);
    connection->is_busy = true;
    if (can_take_held(connection)) {
        take_held(connection);
    }
    connection->is_busy = false;
    connection_settle(connection);
}

void connection_touched(struct connection *connection)
{
    if (!connection->is_busy) {
        later_ask(&connection->later, connection->loop, run_later, connection);
    }
}

/* ---- What is watched ------------------------------------------------------------------
 */

static void on_output(void *arg, unsigned what)
{
    (void)what;
    CHECK_MAGIC((struct connection *)arg, CONNECTION_MAGIC);
    connection_settle(arg);
}

static void on_end(void *arg, unsigned what)
{
    struct connection *connection = arg;

    (void)what;
    CHECK_MAGIC(connection, CONNECTION_MAGIC);
    /* What it has asked before is still done. */
    if (has_hung_up(connection) && !can_take_held(connection)) {
        connection_gone(connection);
    }
    connection_settle(connection);
}

void connection_time_over(void *arg)
{
    struct connection *connection = arg;

    CHECK_MAGIC(connection, CONNECTION_MAGIC);
    if (!connection->is_shut) {
        counters_add(loop_counters(connection->loop), COUNTER_CLIENTS_SLOW, 1);
        LOG_RATED(LOG_CONTROL, LOG_LEVEL_WARN,
                  "A client did not read its replies and is closed. client=%lld pid=%ld "
                  "uid=%lu queued=%zu",
                  (long long)connection->caller.client, (long)connection->caller.pid,
                  (unsigned long)connection->caller.uid, connection_queued(connection));
    }
    connection_gone(connection);
    connection_settle(connection);
}

static enum connection_watch wanted_watch(const struct connection *connection)
{
    bool reads = false;

    switch (connection->state) {
    case CONNECTION_OPEN:
        reads = connection->held.size == 0 && !desk_of(connection->loop)->is_draining &&
                connection_queued(connection) < control_limits()->reply_queue_size;
        break;
    case CONNECTION_STREAMING:
    case CONNECTION_HANDING:
        if (connection->is_leaving) {
            return WATCH_NOTHING;
        }
        reads = connection->held.size < HELD_MAX;
        break;
    case CONNECTION_REFUSING:
        reads = true;
        break;
    case CONNECTION_ATTACHED:
    case CONNECTION_GONE:
        return WATCH_NOTHING;
    }
    if (!reads || connection->has_end) {
        return WATCH_END;
    }
    return connection_queued(connection) > 0 ? WATCH_BOTH : WATCH_INPUT;
}

/* False: the system has no room for it. */
static bool set_watch(struct connection *connection, enum connection_watch watch)
{
    int status = 0;

    if (watch == connection->watch) {
        return true;
    }
    io_stop(&connection->output_io);
    /* libevent does not mix edge-triggered and level-triggered events of a descriptor. */
    if (watch == WATCH_NOTHING || watch == WATCH_END || connection->watch == WATCH_END) {
        io_stop(&connection->input_io);
    }
    connection->watch = watch;
    if (watch == WATCH_END) {
        return io_start(&connection->input_io, connection->loop, connection->fd,
                        IO_READ | IO_WRITE, on_end, connection) == 0;
    }
    if (watch != WATCH_NOTHING && !connection->input_io.is_on) {
        status = io_start(&connection->input_io, connection->loop, connection->fd,
                          IO_READ | IO_LEVEL, on_input, connection);
    }
    if (watch == WATCH_BOTH && status == 0) {
        status = io_start(&connection->output_io, connection->loop, connection->fd,
                          IO_WRITE | IO_LEVEL, on_output, connection);
    }
    return status == 0;
}

/* ---- Life -----------------------------------------------------------------------------
 */

static void shut_refused(struct connection *connection)
{
    (void)shutdown(connection->fd, SHUT_WR); /* it may have gone by itself: the same */
    connection->is_shut = true;
    timer_start(&connection->timer, connection->loop, REFUSE_SECONDS,
                connection_time_over, connection);
}

static void free_connection(struct connection *connection)
{
    later_drop(&connection->later);
    *connection->link = connection->next;
    if (connection->next != NULL) {
        connection->next->link = connection->link;
    }
    connection->magic = 0;
    free(connection);
}

/* Does what the state asks for once the output is as far out as it goes. */
static void advance(struct connection *connection)
{
    bool is_written = connection_queued(connection) == 0;

    if (connection->state == CONNECTION_OPEN && connection->has_end && is_written &&
        connection->held.size == 0 && connection->calls.n == 0) {
        connection_gone(connection);
    } else if (connection->state == CONNECTION_HANDING && is_written) {
        (void)set_watch(connection, WATCH_NOTHING); /* cannot fail */
        connection_hand_over_now(connection);
    } else if (connection->state == CONNECTION_REFUSING && is_written &&
               !connection->is_shut) {
        shut_refused(connection);
    } else if (can_take_held(connection)) {
        connection_touched(connection);
    }
}

void connection_settle(struct connection *connection)
{
    if (connection->fd >= 0) {
        connection_flush(connection);
    }
    advance(connection);
    if (!set_watch(connection, wanted_watch(connection))) {
        LOG_RATED(LOG_CONTROL, LOG_LEVEL_WARN,
                  "A client is closed because its descriptor cannot be watched. "
                  "client=%lld",
                  (long long)connection->caller.client);
        connection_gone(connection);
    }
    if (connection->state == CONNECTION_GONE && connection->calls.n == 0) {
        free_connection(connection);
    }
}

void connection_open(struct loop *loop, int fd, const struct caller *caller)
{
    struct desk *desk = desk_of(loop);

    if (desk->is_draining) {
        close(fd);
        quota_give(QUOTA_CONNECTIONS, caller->uid);
        desk_load_add((unsigned)loop_number(loop), -1);
        return;
    }
    struct connection *connection = MEM_NEW(struct connection);

    connection->magic = CONNECTION_MAGIC;
    connection->loop = loop;
    connection->fd = fd;
    connection->caller = *caller;
    connection->caller.client = handle_add(loop_handles(loop), HANDLE_CLIENT, connection);
    connection->connected = (int64_t)time(NULL);
    connection->frame.limit = control_limits()->message_size;
    session_init(&connection->session);
    call_list_init(&connection->calls);
    connection->next = desk->connections;
    connection->link = &desk->connections;
    if (desk->connections != NULL) {
        desk->connections->link = &connection->next;
    }
    desk->connections = connection;
    counters_add(loop_counters(loop), COUNTER_CLIENTS_ACCEPTED, 1);
    connection_settle(connection);
}

/* Nothing reaches the client any more. */
static void drop_output(struct connection *connection)
{
    (void)set_watch(connection, WATCH_NOTHING); /* cannot fail */
    timer_stop(&connection->timer);
    while (connection->passings != NULL) {
        connection_drop_passing(connection);
    }
    writer_fini(&connection->output);
    connection->n_sent = 0;
}

/* Gives back what only a living connection needs. */
static void strip(struct connection *connection)
{
    drop_output(connection);
    if (connection->fd >= 0) {
        close(connection->fd);
        connection->fd = -1;
    }
    frame_fini(&connection->frame);
    buffer_fini(&connection->held);
    session_fini(&connection->session);
    contexts_close_client(connection->caller.client);
    handle_remove(loop_handles(connection->loop), connection->caller.client);
    quota_give(QUOTA_CONNECTIONS, connection->caller.uid);
    desk_load_add((unsigned)loop_number(connection->loop), -1);
}

/* ---- Going ----------------------------------------------------------------------------
 */

/* The client goes while its connection becomes a raw stream. What it has sent belongs to
 * that stream: the descriptor goes there all the same, or when the request for it ends.
 * False: there is no stream to come. */
static bool leave_to_stream(struct connection *connection)
{
    bool is_handing = connection->state == CONNECTION_HANDING;

    if ((!is_handing && connection->state != CONNECTION_STREAMING) ||
        desk_of(connection->loop)->has_ended) {
        return false;
    }
    if (!connection->is_leaving) {
        connection->is_leaving = true;
        /* A client that is still there must not take the stream for its reply. What it
         * has sent can still be read. */
        (void)shutdown(connection->fd, SHUT_RDWR);
        drop_output(connection);
        call_cancel_all(&connection->calls);
    }
    if (is_handing) {
        drop_output(connection); /* the reply */
        connection_hand_over_now(connection);
    }
    return true;
}

void connection_gone(struct connection *connection)
{
    if (connection->state == CONNECTION_GONE || leave_to_stream(connection)) {
        return;
    }
    connection->state = CONNECTION_GONE;
    strip(connection);
    call_cancel_all(&connection->calls);
    for (int i = 0; i < HANDLE_MAX_WORKERS; i++) {
        if ((connection->workers >> i & 1) != 0) {
            connection_close_sockets_at(connection, i);
        }
    }
}

/* ---- The end of the thread ------------------------------------------------------------
 */

void connection_stop_all(struct desk *desk)
{
    for (struct connection *c = desk->connections; c != NULL; c = c->next) {
        connection_touched(c);
    }
}

bool connection_all_written(struct desk *desk)
{
    for (struct connection *c = desk->connections; c != NULL; c = c->next) {
        if (connection_queued(c) > 0) {
            return false;
        }
    }
    return true;
}

void connection_end_all(struct desk *desk)
{
    for (struct connection *c = desk->connections; c != NULL; c = c->next) {
        if (c->fd >= 0) {
            connection_flush(c);
        }
        connection_gone(c);
    }
}

void connection_free_all(struct desk *desk)
{
    while (desk->connections != NULL) {
        call_forget_all(&desk->connections->calls);
        free_connection(desk->connections);
    }
}
