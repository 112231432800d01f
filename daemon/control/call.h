/* SPDX-License-Identifier: MIT */
/*
 * call.h - the home's memory of a request that waits or went elsewhere, and of batches.
 *
 * A request that ends inside of its handler at home has no call. Any other has exactly
 * one, from its first waiting or travelling until its reply has come home: for matching
 * the reply, for cancel, for the end of the client, and for the limit of requests in
 * flight. Other threads name it by its handle.
 *
 * Thread: the home worker of the connection, unless a function says otherwise.
 */
#ifndef SOCKD_CONTROL_CALL_H
#define SOCKD_CONTROL_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch;
struct connection;
struct request;
struct writer;

/* Owner: the connection. */
struct call {
    unsigned magic;
    int64_t handle; /* HANDLE_REQUEST in the home's table */
    struct connection *connection;
    struct call *next, **link; /* the connection's, in the order they were asked */
    int place;                 /* loop_number() of where the request is */
    struct batch *batch;       /* NULL: answered by a line of its own */
    bool is_given_up;          /* its client has gone, it was asked to end */
    size_t memory;             /* bytes its request holds */
    size_t id_size;            /* 0: a notification */
    char id[];                 /* JSON text */
};

/* The calls of a connection; it embeds one. */
struct call_list {
    struct call *first, **last;
    unsigned n;
    size_t memory; /* bytes that their requests hold */
};
void call_list_init(struct call_list *list);

/* The request is at `place` from now on; makes its call if it has none. */
void call_remember(struct request *request, int place);
/* Thread: any. Tells the home of the call where its request has gone. */
void call_tell_place(int64_t call, int place);
/* A request has come home: gives it its connection again. False: the call is gone. */
bool call_welcome(struct request *request);
/* Where the reply of a request at home goes; NULL: nowhere any more. */
struct writer *call_writer(struct request *request);
/* The request is at home and its reply is written, there or into its own writer. Delivers
 * it, frees the request. */
void call_end(struct request *request);

/* Cancels every call: the client has gone. Each ends later or before this returns. */
void call_cancel_all(struct call_list *list);
/* At the end of the thread: forgets them. */
void call_forget_all(struct call_list *list);

/*
 * A batch collects the replies of its members. It holds itself while it is dispatched,
 * and each of its requests holds it; with the last hold given back its array is sent,
 * unless it is empty.
 */
struct batch *batch_new(struct connection *connection);
void batch_hold(struct batch *batch);
void batch_release(struct batch *batch);
struct writer *batch_writer(struct batch *batch);

#endif
