/* SPDX-License-Identifier: MIT */
/*
 * connection_sockets.c - the sockets of a control connection, in all workers: they end
 * with it.
 *
 * Called by connection.c and by call.c, when a reply brings a socket; calls sock.c.
 * Thread: the home of the connection.
 */
#include <config.h>

#include <stdlib.h>

#include "daemon/base/check.h"
#include "daemon/base/loop.h"
#include "daemon/base/mailbox.h"
#include "daemon/control/connection_life.h"
#include "daemon/net/sock.h"

struct closing {
    struct message message;
    int64_t client;
};

static void drop_closing(struct message *message) { free(message); }

static void close_arrived(struct message *message, struct loop *loop)
{
    sock_close_client(loop, ((struct closing *)message)->client);
    free(message);
}

void connection_close_sockets_at(const struct connection *connection, int worker)
{
    if (worker == loop_number(connection->loop)) {
        sock_close_client(connection->loop, connection->caller.client);
        return;
    }
    struct closing *closing = MEM_NEW(struct closing);

    closing->message.deliver = close_arrived;
    closing->message.drop = drop_closing;
    closing->client = connection->caller.client;
    mailbox_post(loop_of_worker((unsigned)worker), &closing->message);
}

void connection_has_socket_at(struct connection *connection, int worker)
{
    connection->workers |= (uint64_t)1 << worker;
    if (connection->state == CONNECTION_GONE) {
        connection_close_sockets_at(connection, worker);
    }
}
