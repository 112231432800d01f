/* SPDX-License-Identifier: MIT */
/*
 * request_life.h - the inside of a request, for the files that move it through its life.
 *
 * connection.c reads a line; dispatch.c makes a request of it, checks it and calls the
 * handler on the thread that its row names; request.c is the handler's side; call.c keeps
 * the home's memory of requests that wait or are elsewhere; desk.c finds those that wait.
 * Nothing else includes this header but scatter.c.
 *
 * The common request ends inside of its handler at home: its struct, its tree and its
 * values are cut from one chunk of its arena, and its reply is written straight into the
 * connection's output.
 */
#ifndef SOCKD_CONTROL_REQUEST_LIFE_H
#define SOCKD_CONTROL_REQUEST_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "daemon/base/handle.h"
#include "daemon/base/mailbox.h"
#include "daemon/control/request.h"
#include "proto/arena.h"

struct batch;
struct command;

enum { REQUEST_MAGIC = 0x5e90e571 };

/* Owner: itself; it lies in its own arena and ends with request_free(). Home thread: that
 * of `loop`, where it is now. While it travels the mailbox has the only pointer to it. */
struct request {
    struct message message; /* it travels between threads as this */
    unsigned magic;
    struct arena arena;
    struct loop *loop;
    const struct command
        *command; /* NULL: the line was no request that could be served */
    struct params params;
    struct caller caller;
    const char *id; /* JSON text; NULL: a notification, which is never answered */
    size_t id_size;

    /* Of use at home only. */
    struct connection *connection;
    struct batch *batch; /* before it has a call, which then knows it */
    int64_t call;        /* handle of the call; 0: it neither waited nor left home yet */

    /* The reply. `out` is the connection's output, its batch's or `own`. */
    struct writer own, *out;
    size_t out_start; /* where the reply begins in `out`, to take it back */
    bool had_comma;
    bool has_failed;
    int fd; /* passed with the reply; -1: none */
    bool brings_socket;
    bool brings_everywhere; /* sockets of it may live in every worker */
    int brought_at;         /* worker of the socket that it brings */
    bool has_secrets;       /* its memory is wiped at its end */
    bool takes_stream;      /* the connection takes no other request meanwhile */
    int64_t stream;         /* socket whose raw stream the connection becomes; 0: none */
    request_stream_start *stream_start;

    /* While it waits: its place in the desk of `loop`. */
    request_cancel *cancel; /* NULL: it does not wait */
    void *state;
    struct request *next, **link;

    struct sock *sock;                       /* of THREAD_OWNER commands */
    void (*resume)(struct request *request); /* where it goes on after travelling */
};

static inline int request_home(const struct request *request)
{
    return (int)handle_worker(request->caller.client);
}
bool request_is_home(const struct request *request);

/* A request in `arena`, which it takes over, with the connection's caller. `batch` may be
 * NULL. Thread: home. */
struct request *request_new(struct connection *connection, struct arena *arena,
                            struct batch *batch);
/* Frees what it holds, its descriptor included; no reply. */
void request_free(struct request *request);

/* Sends it to another loop, where `resume` runs. At home it gets a call first; elsewhere
 * home is told the new place. */
void request_travel(struct request *request, struct loop *to,
                    void (*resume)(struct request *request));

#endif
