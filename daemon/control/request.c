/* SPDX-License-Identifier: MIT */
/*
 * request.c - the handler's side of a request: what was asked, the single reply, waiting,
 * going elsewhere.
 *
 * Called by the handlers and dispatch.c; calls call.c and desk.c. Thread: the worker that
 * the request is at.
 */
#include <config.h>
#include "daemon/control/request.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/handle.h"
#include "daemon/base/loop.h"
#include "daemon/control/call.h"
#include "daemon/control/connection_life.h"
#include "daemon/control/desk.h"
#include "daemon/control/request_life.h"
#include "daemon/net/suffixes.h"
#include "proto/message.h"
#include "proto/table.h"

/* ---- What was asked ------------------------------------------------------------------
 */

bool caller_may(const struct caller *caller, uid_t uid, struct error *error)
{
    if (caller->is_admin || caller->uid == uid) {
        return true;
    }
    (void)error_set(error, ERROR_PERMISSION_DENIED,
                    "the object belongs to another user (uid %lu)", (unsigned long)uid);
    memcpy(error->subject, "own-user", sizeof "own-user");
    return false;
}

const struct params *request_params(const struct request *request)
{
    return &request->params;
}

const struct caller *request_caller(const struct request *request)
{
    return &request->caller;
}

struct arena *request_arena(struct request *request) { return &request->arena; }

void *request_alloc(struct request *request, size_t size)
{
    void *memory = arena_zalloc(&request->arena, size);

    CHECK(memory != NULL);
    return memory;
}

struct loop *request_loop(const struct request *request) { return request->loop; }

struct sock *request_sock(const struct request *request)
{
    CHECK_HOME(request);
    CHECK(request->sock != NULL);
    return request->sock;
}

struct connection *request_connection(const struct request *request)
{
    CHECK_HOME(request);
    CHECK(request->connection != NULL);
    return request->connection;
}

bool request_is_home(const struct request *request)
{
    return loop_number(request->loop) == request_home(request);
}

/* ---- Beginning and end ----------------------------------------------------------------
 */

struct request *request_new(struct connection *connection, struct arena *arena,
                            struct batch *batch)
{
    struct request *request = arena_zalloc(arena, sizeof *request);

    CHECK(request != NULL);
    request->magic = REQUEST_MAGIC;
    request->arena = *arena;
    *arena = (struct arena){0};
    request->loop = loop_self();
    request->connection = connection;
    request->batch = batch;
    request->caller = *connection_caller(connection);
    (void)suffixes_hold(request->caller.suffixes);
    request->fd = -1;
    counters_add(loop_counters(request->loop), COUNTER_REQUESTS, 1);
    return request;
}

void request_free(struct request *request)
{
    CHECK_MAGIC(request, REQUEST_MAGIC);
    CHECK(request->cancel == NULL);
    request->magic = 0;
    if (request->fd >= 0) {
        close(request->fd);
    }
    suffixes_release(request->caller.suffixes);
    writer_fini(&request->own);
    /* The request lies in what is freed here. */
    struct arena arena = request->arena;
    if (request->has_secrets) {
        arena_wipe(&arena);
    }
    arena_fini(&arena);
}

/* ---- Travelling -----------------------------------------------------------------------
 */

static struct request *request_of(struct message *message)
{
    struct request *request =
        (struct request *)(void *)((char *)message - offsetof(struct request, message));

    CHECK_MAGIC(request, REQUEST_MAGIC);
    return request;
}

/* The receiver is closing: nobody waits for the reply any more. */
static void drop(struct message *message) { request_free(request_of(message)); }

static void arrive(struct message *message, struct loop *loop)
{
    struct request *request = request_of(message);

    request->loop = loop;
    if (desk_of(loop)->has_ended ||
        (request_is_home(request) && !call_welcome(request))) {
        request_free(request);
        return;
    }
    request->resume(request);
}

static void post(struct request *request, struct loop *to,
                 void (*deliver)(struct message *message, struct loop *loop))
{
    request->connection = NULL;
    request->sock = NULL;
    request->message.deliver = deliver;
    request->message.drop = drop;
    mailbox_post(to, &request->message);
}

void request_travel(struct request *request, struct loop *to,
                    void (*resume)(struct request *request))
{
    int64_t call = request->call;
    bool was_home = request_is_home(request);

    CHECK_HOME(request);
    desk_forget(request);
    if (was_home) {
        call_remember(request, loop_number(to));
    }
    request->resume = resume;
    post(request, to, arrive);
    /* After the request, so that whoever hears of the new place finds it there. */
    if (!was_home) {
        call_tell_place(call, loop_number(to));
    }
}

void request_move(struct request *request, unsigned worker,
                  void (*resume)(struct request *request))
{
    struct loop *to = loop_of_worker(worker);

    CHECK(to != NULL && request->out == NULL);
    if (to == request->loop) {
        desk_forget(request);
        resume(request);
        return;
    }
    request_travel(request, to, resume);
}

/* ---- The reply ------------------------------------------------------------------------
 */

static struct writer *open_reply(struct request *request)
{
    CHECK_MAGIC(request, REQUEST_MAGIC);
    CHECK_HOME(request);
    CHECK(request->out == NULL);
    desk_forget(request);
    request->out = &request->own;
    if (request->id != NULL && request_is_home(request)) {
        struct writer *near = call_writer(request);
        if (near != NULL) {
            /* Two replies written into each other would be nobody's. */
            CHECK(request->connection->replying == NULL);
            request->connection->replying = request;
            request->out = near;
        }
    }
    request->out_start = request->out->size;
    request->had_comma = request->out->needs_comma;
    return request->out;
}

/* Takes back what was written of the reply. */
static void reopen_reply(struct request *request)
{
    request->out->size = request->out_start;
    request->out->needs_comma = request->had_comma;
    request->out->failed = false;
}

static void come_home(struct message *message, struct loop *loop)
{
    struct request *request = request_of(message);

    request->loop = loop;
    if (!call_welcome(request)) {
        request_free(request);
        return;
    }
    call_end(request);
}

/* The reply is written whole; the request ends. */
static void close_reply(struct request *request)
{
    struct counters *counters = loop_counters(request->loop);

    if (request->out->failed) {
        struct error error;
        reopen_reply(request);
        (void)error_set(&error, ERROR_INTERNAL, "no memory for the reply");
        message_error(request->out, request->id, request->id_size, &error);
        request->has_failed = true;
    }
    if (request->id != NULL) {
        counters_add(counters, request->has_failed ? COUNTER_ERRORS : COUNTER_REPLIES, 1);
    }
    if (request_is_home(request)) {
        call_end(request);
        return;
    }
    request->out = &request->own;
    post(request, loop_of_worker((unsigned)request_home(request)), come_home);
}

struct writer *request_reply(struct request *request)
{
    struct writer *writer = open_reply(request);

    message_begin_reply(writer, request->id, request->id_size);
    writer_begin_object(writer);
    return writer;
}

void request_finish(struct request *request)
{
    CHECK_MAGIC(request, REQUEST_MAGIC);
    CHECK(request->out != NULL);
    writer_end_object(request->out);
    message_end_reply(request->out);
    close_reply(request);
}

void request_finish_null(struct request *request)
{
    struct writer *writer = open_reply(request);

    message_begin_reply(writer, request->id, request->id_size);
    writer_null(writer);
    message_end_reply(writer);
    close_reply(request);
}

void request_ok(struct request *request)
{
    (void)request_reply(request);
    request_finish(request);
}

static void count_failure(struct counters *counters, enum error_id id)
{
    /* Time-outs and interrupts are counted where they happen, in sock.c. */
    if (id == ERROR_LIMIT_REACHED) {
        counters_add(counters, COUNTER_LIMITS, 1);
    } else if (id == ERROR_PERMISSION_DENIED) {
        counters_add(counters, COUNTER_DENIED, 1);
    } else if (id == ERROR_CANCELLED) {
        counters_add(counters, COUNTER_CANCELLED, 1);
    }
}

void request_fail(struct request *request, const struct error *error)
{
    CHECK_MAGIC(request, REQUEST_MAGIC);
    CHECK_HOME(request);
    if (request->out != NULL) {
        reopen_reply(request);
    } else {
        (void)open_reply(request);
    }
    if (request->fd >= 0) {
        close(request->fd);
        request->fd = -1;
    }
    request->has_failed = true;
    count_failure(loop_counters(request->loop), error->id);
    message_error(request->out, request->id, request->id_size, error);
    close_reply(request);
}

/* ---- Waiting --------------------------------------------------------------------------
 */

void request_wait(struct request *request, request_cancel *cancel, void *state)
{
    CHECK_MAGIC(request, REQUEST_MAGIC);
    CHECK_HOME(request);
    CHECK(cancel != NULL && request->out == NULL);
    if (request->call == 0) {
        call_remember(request, loop_number(request->loop));
    }
    request->state = state;
    if (request->cancel == NULL) {
        desk_keep(request);
    }
    request->cancel = cancel;
}

void *request_state(const struct request *request) { return request->state; }

/* ---- What a reply brings --------------------------------------------------------------
 */

void request_brings_socket(struct request *request)
{
    CHECK_HOME(request);
    request->brings_socket = true;
    request->brought_at = loop_number(request->loop);
}

void request_brings_sockets(struct request *request)
{
    request_brings_socket(request);
    request->brings_everywhere = true;
}

void request_brings_fd(struct request *request, int fd)
{
    CHECK_HOME(request);
    CHECK(request->fd < 0 && fd >= 0);
    request->fd = fd;
}

int request_take_fd(struct request *request)
{
    int fd = request->fd;

    CHECK_HOME(request);
    request->fd = -1;
    return fd;
}

void request_finish_stream(struct request *request, int64_t socket,
                           request_stream_start *start)
{
    CHECK_HOME(request);
    CHECK(socket > 0 && start != NULL);
    request->stream = socket;
    request->stream_start = start;
    request->brought_at = loop_number(request->loop);
    if (request->out == NULL) {
        struct writer *writer = request_reply(request);
        writer_result_int(writer, RESULT_ATTACH_SOCKET, socket);
    }
    request_finish(request);
}
