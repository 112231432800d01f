/* SPDX-License-Identifier: MIT */
/*
 * connection.h - one control connection: a client, its lines in, its replies out.
 *
 * The connection lives in its home worker: made by connection_open() from the descriptor
 * that the listener accepted, ended by itself when the client has gone. What hangs on it
 * dies with it: waiting requests are cancelled on whichever worker they are, its sockets
 * are closed on all of them. After attach it stays as a shell without descriptor until
 * the raw stream is over.
 *
 * Thread: the home worker, unless a function says otherwise.
 */
#ifndef SOCKD_CONTROL_CONNECTION_H
#define SOCKD_CONTROL_CONNECTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "daemon/control/request.h"

struct connection;
struct loop;
struct session;

/* For hello and list-clients. */
struct connection_facts {
    int64_t client; /* its handle */
    pid_t pid;
    uid_t uid;
    gid_t gid;
    bool is_admin;
    bool is_attached;    /* it is the raw stream of a socket */
    unsigned worker;     /* where it lives */
    int64_t connected;   /* seconds since 1970 */
    uint64_t n_requests; /* requests it has made */
    unsigned n_pending;  /* of these, waiting now */
    size_t queued;       /* bytes of replies that it has not read */
    uint64_t bytes_in, bytes_out;
};
void connection_facts(const struct connection *connection,
                      struct connection_facts *facts);

/* The documented variables of this connection. */
struct session *connection_session(struct connection *connection);

/*
 * Ends the oldest waiting request of the asking connection that has this id, and answers
 * `request` with {"cancelled": bool}, now or when the worker where it waits has answered.
 * It is true only if the request was found waiting.
 */
void connection_cancel(struct request *request, const json_t *id);

/*
 * Takes over an accepted descriptor (non-blocking, close-on-exec), which counts in the
 * user's quota and in the load of this worker already. `caller` is complete but for its
 * client handle.
 */
void connection_open(struct loop *loop, int fd, const struct caller *caller);

#endif
