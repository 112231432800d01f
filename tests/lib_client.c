/* SPDX-License-Identifier: MIT */
/*
 * lib_client.c - connections and sockets for the system tests of libsockd.
 *
 * Place: called by tests/system_lib*.c. Thread: the one that runs the test.
 */
#include <config.h>
#include "tests/lib_client.h"
#include <string.h>
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"

enum { MAX_CONNECTIONS = 16 };

static struct sockd *connections[MAX_CONNECTIONS];
static unsigned n_connections;

void lib_must(int status, int wanted, const struct sockd_error *error, const char *file,
              unsigned line, const char *call)
{
    if (status != wanted)
        unit_fail_now(file, line, "%s: %s (%s)", call,
                      status == SOCKD_OK ? "succeeded" : error->identifier,
                      status == SOCKD_OK ? "" : error->message);
    if (status != SOCKD_OK && (error->status != status || !error->message[0]))
        unit_fail(file, line, "%s: the error is not filled", call);
}

struct sockd *lib_connect(const struct harness *harness)
{
    struct sockd_connect_options options = SOCKD_CONNECT_OPTIONS_INIT;
    struct sockd *connection;
    struct sockd_error error;

    options.path = harness_socket(harness);
    MUST(sockd_connect(&options, 60, &connection, &error));
    connections[n_connections++] = connection;
    return connection;
}

void lib_disconnect_all(void)
{
    while (n_connections)
        sockd_disconnect(connections[--n_connections]);
}

int64_t lib_stream(struct sockd *connection, int *peer)
{
    struct sockd_make_socket_options options = SOCKD_MAKE_SOCKET_OPTIONS_INIT;
    struct sockd_description *made;
    struct sockd_error error;
    int64_t socket;
    int port, listener = peer_listen("127.0.0.1", &port);

    options.remote_host = "127.0.0.1";
    options.remote_port = port;
    MUST(sockd_make_socket(connection, &options, 60, &made, &error));
    *peer = peer_accept(listener);
    peer_close(listener);
    socket = made->socket;
    sockd_free(made);
    return socket;
}

int64_t lib_listener(struct sockd *connection, int *port)
{
    struct sockd_make_socket_options options = SOCKD_MAKE_SOCKET_OPTIONS_INIT;
    struct sockd_description *made;
    struct sockd_error error;
    int64_t socket;

    options.connect = SOCKD_PASSIVE;
    options.local_host = "127.0.0.1";
    MUST(sockd_make_socket(connection, &options, 60, &made, &error));
    CU_ASSERT_EQUAL(made->state, SOCKD_STATE_LISTENING);
    *port = made->local_port;
    socket = made->socket;
    sockd_free(made);
    return socket;
}
