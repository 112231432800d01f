/* SPDX-License-Identifier: MIT */
/*
 * request.h - one accepted request: its checked parameters, its caller, its single reply.
 *
 * A handler gets the request on the thread its row names, and ends it in exactly one of
 * request_finish(), request_fail() or request_finish_stream(), now or from a later
 * callback. The request then is gone. If the client has gone meanwhile the reply is
 * dropped quietly, and the sockets it would have brought are closed.
 *
 * Thread: a request is touched only by the worker it is at; request_move() takes it to
 * another.
 */
#ifndef SOCKD_CONTROL_REQUEST_H
#define SOCKD_CONTROL_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "daemon/base/buffer.h"
#include "proto/error.h"
#include "proto/params.h"
#include "proto/writer.h"

struct arena;
struct connection;
struct loop;
struct request;
struct sock;
struct suffixes;

/* Who asks, as the kernel says (SO_PEERCRED), and the defaults of the session. A copy
 * travels with each request, which holds the suffixes as long as it lives. */
struct caller {
    int64_t client; /* handle of the control connection */
    pid_t pid;
    uid_t uid;
    gid_t gid;
    bool is_admin;             /* root, or member of the administrators' group */
    unsigned ipv6;             /* session default: word of VALUE_IPV6 */
    unsigned dns_mode;         /* session default: enum resolve_mode */
    bool print_hostname;       /* session default */
    struct suffixes *suffixes; /* session default; NULL: those configured */
};

/* May the caller touch what belongs to `uid`? False: *error is permission-denied with the
 * rule. */
bool caller_may(const struct caller *caller, uid_t uid, struct error *error);

const struct params *request_params(const struct request *request);
const struct caller *request_caller(const struct request *request);
/* Memory that lives as long as the request. */
struct arena *request_arena(struct request *request);
void *request_alloc(struct request *request,
                    size_t size); /* zeroed; aborts when out of memory */
/* The loop the request is at. */
struct loop *request_loop(const struct request *request);
/* THREAD_OWNER commands: the sock of the parameter `socket`, found and allowed by
 * dispatch. Valid at the start of the handler; later it may have gone. */
struct sock *request_sock(const struct request *request);
/* THREAD_HOME commands: the connection that asked. */
struct connection *request_connection(const struct request *request);

/*
 * Replies. request_reply() opens the result object: the handler writes members
 * (writer_result...) and ends with request_finish(). Nothing else of the connection may
 * be touched in between.
 */
struct writer *request_reply(struct request *request);
void request_finish(struct request *request);
void request_fail(struct request *request, const struct error *error);
/* {} */
void request_ok(struct request *request);
/* The whole result is null (COMMAND_NULLABLE). */
void request_finish_null(struct request *request);

/*
 * Waiting. A handler that can't end now says how to give up: `cancel` runs in this thread
 * when the client cancels or goes away; it must undo the operation and end the request
 * with request_fail(request, why). After that no callback of the operation may come.
 */
typedef void request_cancel(struct request *request, const struct error *why);
void request_wait(struct request *request, request_cancel *cancel, void *state);
void *request_state(const struct request *request);

/* Continues in another worker: `resume` runs there. Not while waiting. */
void request_move(struct request *request, unsigned worker,
                  void (*resume)(struct request *request));

/* The reply brings the caller a new socket, which lives in the running worker. Before
 * request_finish(). Without it a new socket has no connection to die with. */
void request_brings_socket(struct request *request);
/* The same for sockets that will come to live in any worker. */
void request_brings_sockets(struct request *request);

/* The reply carries this descriptor as ancillary data (SCM_RIGHTS); takes ownership.
 * Before request_finish(). */
void request_brings_fd(struct request *request, int fd);
/* Takes it back: for a descriptor that only travelled with the request from one worker to
 * another, and is closed if the request never arrives. -1: there is none. */
int request_take_fd(struct request *request);

/*
 * attach: the reply is sent, and when the last byte of it is written the connection's
 * descriptor, with what the client sent behind its request, goes to the running worker,
 * where `start` takes it over. fd is -1 when the client has gone meanwhile. When the
 * stream has ended, `start`'s side closes the descriptor and calls
 * connection_stream_ended(client).
 */
struct raw_stream {
    int fd;
    struct buffer input; /* read already, belongs to the stream */
    int64_t client;
};
typedef void request_stream_start(struct loop *loop, int64_t socket,
                                  struct raw_stream *raw);
void request_finish_stream(struct request *request, int64_t socket,
                           request_stream_start *start);
/* Any thread: the raw stream of this client is over; its other sockets end now. */
void connection_stream_ended(int64_t client);

#endif
