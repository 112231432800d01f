/* SPDX-License-Identifier: MIT */
/*
 * call.c - matches replies that come later with those who asked, cancels, collects
 * batches.
 *
 * Called by request.c, dispatch.c and connection.c; calls connection.c and desk.c.
 * Thread: the home worker of the connection, but for call_tell_place() and the side of a
 * cancellation where the request waits.
 */
#include <config.h>
#include "daemon/control/call.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/handle.h"
#include "daemon/base/loop.h"
#include "daemon/control/connection.h"
#include "daemon/control/connection_life.h"
#include "daemon/control/desk.h"
#include "daemon/control/request_life.h"
#include "proto/table.h"

enum { CALL_MAGIC = 0xca11ca11 };

/* Owner: its holders. */
struct batch {
    struct connection *connection;
    struct writer writer; /* the array, open at its end */
    unsigned n_holds;
    unsigned n_fds;
    int *fds; /* descriptors that go with the replies, in their order */
};

/* ---- Calls ----------------------------------------------------------------------------
 */

void call_list_init(struct call_list *list)
{
    list->first = NULL;
    list->last = &list->first;
    list->n = 0;
    list->memory = 0;
}

static void append(struct call_list *list, struct call *call)
{
    call->next = NULL;
    call->link = list->last;
    *list->last = call;
    list->last = &call->next;
    list->n++;
    list->memory += call->memory;
}

static void unlink_call(struct call_list *list, struct call *call)
{
    *call->link = call->next;
    if (call->next != NULL) {
        call->next->link = call->link;
    } else {
        list->last = call->link;
    }
    list->n--;
    list->memory -= call->memory;
}

static struct call *find(struct loop *loop, int64_t handle)
{
    struct call *call = handle_find(loop_handles(loop), handle, HANDLE_REQUEST);

    CHECK(call == NULL || call->magic == CALL_MAGIC);
    return call;
}

void call_remember(struct request *request, int place)
{
    struct connection *connection = request->connection;

    CHECK_HOME(request);
    if (request->call != 0) {
        find(request->loop, request->call)->place = place;
        return;
    }
    struct call *call = mem_new(sizeof *call + request->id_size);

    call->magic = CALL_MAGIC;
    call->handle = handle_add(loop_handles(request->loop), HANDLE_REQUEST, call);
    call->connection = connection;
    call->place = place;
    call->batch = request->batch; /* the hold goes over to the call */
    call->memory = arena_size(&request->arena);
    call->id_size = request->id_size;
    if (request->id_size > 0) {
        memcpy(call->id, request->id, request->id_size);
    }
    append(connection_calls(connection), call);
    request->call = call->handle;
}

static void free_call(struct loop *loop, struct call *call)
{
    unlink_call(connection_calls(call->connection), call);
    handle_remove(loop_handles(loop), call->handle);
    call->magic = 0;
    free(call);
}

bool call_welcome(struct request *request)
{
    struct call *call = find(request->loop, request->call);

    if (call == NULL) {
        return false;
    }
    call->place = loop_number(request->loop);
    request->connection = call->connection;
    request->batch = call->batch;
    return true;
}

/* ---- Where a request is ---------------------------------------------------------------
 */

struct notice {
    struct message message;
    int64_t call;
    int place;
};

static void drop_plain(struct message *message) { free(message); }

static void notice_arrived(struct message *message, struct loop *loop)
{
    struct notice *notice = (struct notice *)message;
    struct call *call = find(loop, notice->call);

    if (call != NULL) {
        call->place = notice->place;
    }
    free(notice);
}

void call_tell_place(int64_t call, int place)
{
    if (place == (int)handle_worker(call)) {
        return; /* the request itself goes there */
    }
    struct notice *notice = MEM_NEW(struct notice);

    notice->message.deliver = notice_arrived;
    notice->message.drop = drop_plain;
    notice->call = call;
    notice->place = place;
    mailbox_post(loop_of_worker(handle_worker(call)), &notice->message);
}

/* ---- Replies --------------------------------------------------------------------------
 */

struct writer *call_writer(struct request *request)
{
    if (!connection_takes_replies(request->connection)) {
        return NULL;
    }
    return request->batch != NULL ? batch_writer(request->batch)
                                  : connection_output(request->connection);
}

static void add_fd(struct batch *batch, int fd)
{
    batch->fds = mem_resize(batch->fds, (batch->n_fds + 1) * sizeof *batch->fds);
    batch->fds[batch->n_fds++] = fd;
}

/* Puts the reply where it belongs, unless it was written there already. */
static void deliver(struct request *request)
{
    struct writer *writer = request->id != NULL ? call_writer(request) : NULL;

    if (request->connection->replying == request) {
        request->connection->replying = NULL;
    }
    if (writer == NULL) {
        return;
    }
    if (request->out == &request->own) {
        request->out_start = writer->size;
        writer_raw(writer, request->own.data, request->own.size, request->batch != NULL);
    }
    if (request->batch == NULL) {
        connection_end_line(request->connection);
    }
    if (request->fd < 0) {
        return;
    }
    if (request->batch == NULL) {
        connection_pass_fd(request->connection, request->out_start, request->fd);
    } else {
        add_fd(request->batch, request->fd);
    }
    request->fd = -1;
}

void call_end(struct request *request)
{
    struct connection *connection = request->connection;
    struct batch *batch = request->batch;

    CHECK_HOME(request);
    deliver(request);
    if (request->brings_socket) {
        connection_has_socket_at(connection, request->brought_at);
        for (unsigned i = 0; request->brings_everywhere && i < loop_n_workers(); i++) {
            connection_has_socket_at(connection, (int)i);
        }
    }
    if (request->stream != 0) {
        connection_hand_over(connection, request->brought_at, request->stream,
                             request->stream_start);
    } else if (request->takes_stream) {
        connection_stays(connection);
    }
    if (request->call != 0) {
        free_call(request->loop, find(request->loop, request->call));
    }
    request_free(request);
    if (batch != NULL) {
        batch_release(batch);
    }
    connection_touched(connection);
}

/* ---- Cancelling -----------------------------------------------------------------------
 */

/* From home to where a request is, and back with what was found. */
struct cancellation {
    struct message message;
    int64_t target; /* call of the request to be ended */
    int64_t asker;  /* call of the cancel request; 0: the client has gone */
    int place;      /* where it was sent */
    bool was_found;
};

static bool cancel_here(struct loop *loop, int64_t target, bool is_asked)
{
    struct request *request = desk_find(loop, target);
    struct error error;

    if (request == NULL) {
        return false;
    }
    (void)error_set(&error, ERROR_CANCELLED, "%s",
                    is_asked ? "the request was cancelled" : "the client has gone");
    request->cancel(request, &error);
    CHECK(desk_find(loop, target) == NULL);
    return true;
}

static void answer_asker(struct loop *loop, int64_t asker, bool was_found)
{
    struct request *request = asker != 0 ? desk_find(loop, asker) : NULL;

    if (request != NULL) {
        struct writer *writer = request_reply(request);
        writer_result_bool(writer, RESULT_CANCEL_CANCELLED, was_found);
        request_finish(request);
    }
}

static void send_cancellation(struct cancellation *cancellation, int place);

static void cancellation_returned(struct message *message, struct loop *loop)
{
    struct cancellation *cancellation = (struct cancellation *)message;
    struct call *call = find(loop, cancellation->target);
    bool was_found = cancellation->was_found;

    /* The request had gone on to another thread before the message reached it. Where it
     * went was told before the message came back. */
    if (!was_found && call != NULL && call->place != cancellation->place) {
        if (call->place != loop_number(loop)) {
            send_cancellation(cancellation, call->place);
            return;
        }
        was_found = cancel_here(loop, cancellation->target, cancellation->asker != 0);
    }
    answer_asker(loop, cancellation->asker, was_found);
    free(cancellation);
}

static void cancellation_arrived(struct message *message, struct loop *loop)
{
    struct cancellation *cancellation = (struct cancellation *)message;

    cancellation->was_found =
        cancel_here(loop, cancellation->target, cancellation->asker != 0);
    message->deliver = cancellation_returned;
    mailbox_post(loop_of_worker(handle_worker(cancellation->target)), message);
}

static void send_cancellation(struct cancellation *cancellation, int place)
{
    cancellation->message.deliver = cancellation_arrived;
    cancellation->message.drop = drop_plain;
    cancellation->place = place;
    mailbox_post(loop_at(place), &cancellation->message);
}

static void cancel_elsewhere(const struct call *call, int64_t asker)
{
    struct cancellation *cancellation = MEM_NEW(struct cancellation);

    cancellation->target = call->handle;
    cancellation->asker = asker;
    send_cancellation(cancellation, call->place);
}

/* Nobody waits for the answer of the other worker any more; its message finds no asker.
 */
static void give_up_cancelling(struct request *request, const struct error *why)
{
    request_fail(request, why);
}

void connection_cancel(struct request *request, const json_t *id)
{
    struct desk *desk = desk_of(request_loop(request));
    struct call *call = connection_calls(request_connection(request))->first;
    bool was_found = false;

    desk->text.size = 0;
    desk->text.needs_comma = false;
    writer_json(&desk->text, id);
    while (call != NULL && (call->id_size != desk->text.size ||
                            memcmp(call->id, desk->text.data, call->id_size) != 0)) {
        call = call->next;
    }
    if (call != NULL && call->place != loop_number(desk->loop)) {
        request_wait(request, give_up_cancelling, NULL);
        cancel_elsewhere(call, request->call);
        return;
    }
    if (call != NULL) {
        was_found = cancel_here(desk->loop, call->handle, true);
    }
    struct writer *writer = request_reply(request);
    writer_result_bool(writer, RESULT_CANCEL_CANCELLED, was_found);
    request_finish(request);
}

void call_cancel_all(struct call_list *list)
{
    struct loop *loop = loop_self();

    /* One that was asked to end goes to the back of the list if it is still there: ending
     * one request may end others, so no pointer into the list is kept. */
    while (list->first != NULL && !list->first->is_given_up) {
        struct call *call = list->first;
        int64_t handle = call->handle;

        call->is_given_up = true;
        if (call->place == loop_number(loop)) {
            (void)cancel_here(loop, handle, false);
        } else {
            cancel_elsewhere(call, 0);
        }
        if (find(loop, handle) != NULL) {
            unlink_call(list, call);
            append(list, call);
        }
    }
}

void call_forget_all(struct call_list *list)
{
    struct loop *loop = loop_self();

    while (list->first != NULL) {
        struct batch *batch = list->first->batch;
        free_call(loop, list->first);
        if (batch != NULL) {
            batch_release(batch);
        }
    }
}

/* ---- Batches --------------------------------------------------------------------------
 */

struct batch *batch_new(struct connection *connection)
{
    struct batch *batch = MEM_NEW(struct batch);

    batch->connection = connection;
    batch->n_holds = 1;
    writer_begin_array(&batch->writer);
    return batch;
}

void batch_hold(struct batch *batch) { batch->n_holds++; }

struct writer *batch_writer(struct batch *batch) { return &batch->writer; }

void batch_release(struct batch *batch)
{
    struct connection *connection = batch->connection;

    CHECK(batch->n_holds > 0);
    batch->n_holds--;
    if (batch->n_holds > 0) {
        return;
    }
    bool is_sent = batch->writer.needs_comma && connection_takes_replies(connection);
    writer_end_array(&batch->writer);
    if (is_sent) {
        struct writer *output = connection_output(connection);
        size_t start = output->size;
        writer_raw(output, batch->writer.data, batch->writer.size, false);
        connection_end_line(connection);
        for (unsigned i = 0; i < batch->n_fds; i++) {
            connection_pass_fd(connection, start, batch->fds[i]);
        }
    } else {
        for (unsigned i = 0; i < batch->n_fds; i++) {
            close(batch->fds[i]);
        }
    }
    writer_fini(&batch->writer);
    free(batch->fds);
    free(batch);
}
