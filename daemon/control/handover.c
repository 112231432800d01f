/* SPDX-License-Identifier: MIT */
/*
 * handover.c - a control connection becomes the raw stream of a socket.
 *
 * Called by call.c when the request for it has ended, and by connection.c when its reply
 * is written; the descriptor then goes by message to the worker of the socket. Thread:
 * the home of the connection, but for connection_stream_ended() and the delivery.
 */
#include <config.h>

#include <stdlib.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/handle.h"
#include "daemon/base/loop.h"
#include "daemon/base/mailbox.h"
#include "daemon/control/connection_life.h"

struct handover {
    struct message message;
    struct raw_stream raw;
    int64_t socket;
    request_stream_start *start;
};

static void drop(struct message *message)
{
    struct handover *handover = (struct handover *)message;

    if (handover->raw.fd >= 0) {
        close(handover->raw.fd);
    }
    buffer_fini(&handover->raw.input);
    free(handover);
}

static void deliver(struct message *message, struct loop *loop)
{
    struct handover *handover = (struct handover *)message;

    handover->start(loop, handover->socket, &handover->raw);
    free(handover);
}

/* `fd`: -1 when nothing is left of the client; then the socket's side only cleans up. */
static void post(struct connection *connection, int fd)
{
    struct handover *handover = MEM_NEW(struct handover);

    handover->message.deliver = deliver;
    handover->message.drop = drop;
    handover->raw.fd = fd;
    handover->raw.client = connection->caller.client;
    handover->raw.input = connection->held;
    connection->held = (struct buffer){0};
    handover->socket = connection->heir.socket;
    handover->start = connection->heir.start;
    mailbox_post(loop_of_worker((unsigned)connection->heir.worker), &handover->message);
}

void connection_hand_over(struct connection *connection, int worker, int64_t socket,
                          request_stream_start *start)
{
    connection->heir =
        (struct connection_heir){.worker = worker, .socket = socket, .start = start};
    if (connection->state == CONNECTION_STREAMING) {
        connection->state = CONNECTION_HANDING;
        return;
    }
    post(connection, -1);
}

void connection_stays(struct connection *connection)
{
    if (connection->state != CONNECTION_STREAMING) {
        return;
    }
    connection->state = CONNECTION_OPEN;
    if (connection->is_leaving) {
        connection_gone(connection);
    } else if (connection->has_end) {
        /* The bytes that were held are lines after all; see end_input(). */
        buffer_add(&connection->held, "\n", 1);
    }
}

void connection_hand_over_now(struct connection *connection)
{
    int fd = connection->fd;

    CHECK(connection->state == CONNECTION_HANDING && !connection->input_io.is_on &&
          !connection->output_io.is_on);
    connection->fd = -1;
    connection->state = CONNECTION_ATTACHED;
    counters_add(loop_counters(connection->loop), COUNTER_ATTACHED, 1);
    post(connection, fd);
}

/* ---- The end of the stream ------------------------------------------------------------
 */

struct stream_end {
    struct message message;
    int64_t client;
};

static void drop_end(struct message *message) { free(message); }

static void stream_ended(struct message *message, struct loop *loop)
{
    struct stream_end *end = (struct stream_end *)message;
    struct connection *connection =
        handle_find(loop_handles(loop), end->client, HANDLE_CLIENT);

    free(end);
    if (connection != NULL && connection->state == CONNECTION_ATTACHED) {
        connection_gone(connection);
        connection_touched(connection);
    }
}

void connection_stream_ended(int64_t client)
{
    struct stream_end *end = MEM_NEW(struct stream_end);

    end->message.deliver = stream_ended;
    end->message.drop = drop_end;
    end->client = client;
    mailbox_post(loop_of_worker(handle_worker(client)), &end->message);
}
