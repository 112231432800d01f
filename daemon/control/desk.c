/* SPDX-License-Identifier: MIT */
/*
 * desk.c - the requests that wait in a thread, and the end of a thread's control floor.
 *
 * Called by request.c, call.c, connection.c and, for begin and end, by the worker; calls
 * connection.c and net/sock.c. Thread: that of the loop.
 */
#include <config.h>
#include "daemon/control/desk.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "daemon/base/check.h"
#include "daemon/base/handle.h"
#include "daemon/base/mailbox.h"
#include "daemon/control/connection_life.h"
#include "daemon/control/request_life.h"
#include "daemon/net/guest.h"
#include "daemon/net/sock.h"

/* How often a draining thread looks whether it is done: it shortens the stop, no more. */
#define LOOK_SECONDS 0.002

static _Atomic unsigned loads[HANDLE_MAX_WORKERS];

void desk_open(struct loop *loop)
{
    struct desk *desk = MEM_NEW(struct desk);

    desk->magic = DESK_MAGIC;
    desk->loop = loop;
    if (loop_number(loop) >= 0) {
        desk->scratch = mem_new(DESK_SCRATCH_SIZE);
    }
    loop_set_data(loop, desk);
}

void desk_close(struct loop *loop)
{
    struct desk *desk = loop_data(loop);

    if (desk == NULL) {
        return;
    }
    CHECK_MAGIC(desk, DESK_MAGIC);
    CHECK(desk->connections == NULL);
    for (unsigned i = 0; i < DESK_BUCKETS; i++) {
        CHECK(desk->waiting[i] == NULL);
    }
    timer_stop(&desk->timer);
    writer_fini(&desk->spare);
    writer_fini(&desk->text);
    free(desk->scratch);
    desk->magic = 0;
    free(desk);
    loop_set_data(loop, NULL);
}

struct desk *desk_of(struct loop *loop)
{
    struct desk *desk = loop_data(loop);

    CHECK_MAGIC(desk, DESK_MAGIC);
    return desk;
}

/* ---- Waiting requests -----------------------------------------------------------------
 */

/* Calls of one home differ in their serials, calls of different homes in the low bits. */
static struct request **bucket_of(struct desk *desk, int64_t call)
{
    uint64_t serial = (uint64_t)call / HANDLE_MAX_WORKERS;

    return &desk->waiting[(serial + handle_worker(call) * 151) % DESK_BUCKETS];
}

void desk_keep(struct request *request)
{
    struct request **bucket = bucket_of(desk_of(request->loop), request->call);

    CHECK(request->link == NULL && request->call != 0);
    request->next = *bucket;
    request->link = bucket;
    if (*bucket != NULL) {
        (*bucket)->link = &request->next;
    }
    *bucket = request;
}

void desk_forget(struct request *request)
{
    request->cancel = NULL;
    if (request->link == NULL) {
        return;
    }
    *request->link = request->next;
    if (request->next != NULL) {
        request->next->link = request->link;
    }
    request->link = NULL;
    request->next = NULL;
}

struct request *desk_find(struct loop *loop, int64_t call)
{
    struct request *request = *bucket_of(desk_of(loop), call);

    while (request != NULL && request->call != call) {
        request = request->next;
    }
    return request;
}

/* ---- The end, first half --------------------------------------------------------------
 */

/* Goes to another loop and back. What was sent to that loop before it has then been
 * served there, and the replies have arrived here. */
struct echo {
    struct message message;
    struct loop *asker;
};

static void drop_echo(struct message *message) { free(message); }

static void look(void *arg)
{
    struct desk *desk = arg;
    bool is_done = desk->n_echoes == 0;

    if (is_done && !desk->is_closing) {
        desk->is_closing = true;
        sock_close_all(desk->loop, false);
    }
    if (is_done && sock_none_left(desk->loop) && connection_all_written(desk)) {
        desk->quiet(desk->loop);
        return;
    }
    timer_start(&desk->timer, desk->loop, LOOK_SECONDS, look, desk);
}

static void echo_returned(struct message *message, struct loop *loop)
{
    struct desk *desk = desk_of(loop);

    free(message);
    CHECK(desk->n_echoes > 0);
    desk->n_echoes--;
    if (desk->n_echoes == 0 && desk->timer.is_on) {
        timer_start(&desk->timer, loop, 0, look, desk);
    }
}

static void echo_arrived(struct message *message, struct loop *loop)
{
    struct echo *echo = (struct echo *)message;

    (void)loop;
    message->deliver = echo_returned;
    mailbox_post(echo->asker, message);
}

static void send_echo(struct desk *desk, struct loop *to)
{
    struct echo *echo = MEM_NEW(struct echo);

    echo->message.deliver = echo_arrived;
    echo->message.drop = drop_echo;
    echo->asker = desk->loop;
    desk->n_echoes++;
    mailbox_post(to, &echo->message);
}

void desk_drain(struct loop *loop, void (*quiet)(struct loop *loop))
{
    struct desk *desk = desk_of(loop);

    if (desk->is_draining) {
        return;
    }
    desk->is_draining = true;
    desk->quiet = quiet;
    connection_stop_all(desk);
    for (unsigned i = 0; i < loop_n_workers(); i++) {
        if (loop_of_worker(i) != loop) {
            send_echo(desk, loop_of_worker(i));
        }
    }
    send_echo(desk, loop_of_main());
    send_echo(desk, loop_of_resolver());
    timer_start(&desk->timer, loop, LOOK_SECONDS, look, desk);
}

/* ---- The end, second half -------------------------------------------------------------
 */

/* Ends what still waits here for clients of other workers, or for nobody any more. */
static void cancel_all(struct desk *desk)
{
    struct error error;

    (void)error_set(&error, ERROR_CANCELLED, "the daemon stops");
    for (unsigned i = 0; i < DESK_BUCKETS; i++) {
        while (desk->waiting[i] != NULL) {
            struct request *request = desk->waiting[i];
            request->cancel(request, &error);
            CHECK(desk->waiting[i] != request);
        }
    }
}

void desk_end_requests(struct loop *loop)
{
    struct desk *desk = desk_of(loop);

    desk->is_draining = desk->has_ended = true;
    cancel_all(desk);
}

void desk_end(struct loop *loop)
{
    struct desk *desk = desk_of(loop);

    desk->is_draining = desk->has_ended = true;
    timer_stop(&desk->timer);
    connection_end_all(desk);
    sock_close_all(loop, true);
    guest_forget_all(loop);
    cancel_all(desk);
    connection_free_all(desk);
}

/* ---- Load -----------------------------------------------------------------------------
 */

void desk_load_add(unsigned worker, int n)
{
    CHECK(worker < HANDLE_MAX_WORKERS);
    atomic_fetch_add_explicit(&loads[worker], (unsigned)n, memory_order_relaxed);
}

unsigned desk_load(unsigned worker)
{
    CHECK(worker < HANDLE_MAX_WORKERS);
    return atomic_load_explicit(&loads[worker], memory_order_relaxed);
}
