/* SPDX-License-Identifier: MIT */
/*
 * cmd_relay.c - relay: two streams joined inside of the daemon.
 *
 * The request looks at both streams where they live and brings them together: it starts
 * at the first; when the second lives elsewhere it goes there and sends it to the first,
 * or, when it may not travel, comes back and sends the first. A guest is sent home when
 * an interrupt has set it free.
 *
 * Called by dispatch.c; calls net/bridge.c and net/guest.c. Thread: the workers of the
 * two sockets.
 */
#include <config.h>
#include <stdlib.h>
#include "daemon/base/check.h"
#include "daemon/base/handle.h"
#include "daemon/base/loop.h"
#include "daemon/control/handlers.h"
#include "daemon/control/request.h"
#include "daemon/net/bridge.h"
#include "daemon/net/guest.h"
#include "daemon/net/sock.h"
#include "daemon/net/stream.h"

/* Owner: the request, in whose arena it lies, until the two are joined. */
struct meeting {
    int64_t first, second;
    int64_t guest;    /* the one of them that was sent to the other; 0: neither */
    unsigned worker;  /* of the one that stays */
    struct error why; /* the second may not travel */
};

/* Owner: the bridge. */
struct relay {
    struct loop *loop;
    int64_t first, second;
    struct request *request; /* that waits for the end; NULL: nobody */
    struct timer timer;      /* of the request */
};

/* ---- The end ---- */

static void send_home(struct loop *loop, int64_t handle)
{
    struct sock *sock = sock_find(loop, handle);

    if (sock != NULL) {
        (void)guest_send_home(sock);
    }
}

static void answer(struct request *request, const struct bridge_report *report)
{
    struct writer *writer = request_reply(request);

    writer_result_text(writer, RESULT_RELAY_END, bridge_end_name(report->end));
    writer_result_int(writer, RESULT_RELAY_FORWARD, (int64_t)report->n_moved[0]);
    writer_result_int(writer, RESULT_RELAY_BACK, (int64_t)report->n_moved[1]);
    request_finish(request);
}

static void relay_over(void *arg, const struct bridge_report *report)
{
    struct relay *relay = arg;

    timer_stop(&relay->timer);
    if (relay->request != NULL) {
        answer(relay->request, report);
    }
    if (report->end == BRIDGE_END_INTERRUPTED) {
        send_home(relay->loop, relay->first);
        send_home(relay->loop, relay->second);
    }
    free(relay);
}

static void relay_cancel(struct request *request, const struct error *why)
{
    struct relay *relay = request_state(request);
    struct sock *first = sock_find(relay->loop, relay->first);

    timer_stop(&relay->timer);
    relay->request = NULL;
    request_fail(request, why);
    /* The relay ends later in this round, unless it is over and its sockets are just
     * being closed. */
    if (first != NULL) {
        (void)sock_interrupt(first, 1U << OP_INPUT | 1U << OP_OUTPUT, why);
    }
}

static void relay_ran_out(void *arg)
{
    struct relay *relay = arg;
    struct error error;

    (void)error_set(&error, ERROR_TIMEOUT, "the relay was not over in time");
    relay_cancel(relay->request, &error);
}

static void relay_wait(struct relay *relay, struct request *request)
{
    double timeout = params_seconds(request_params(request), PARAM_RELAY_TIMEOUT);

    relay->request = request;
    request_wait(request, relay_cancel, relay);
    if (timeout >= 0) {
        timer_start(&relay->timer, relay->loop, timeout, relay_ran_out, relay);
    }
}

/* ---- The meeting ---- */

/* It never waits: it is found in a place, or is on its way. */
static void meeting_cancel(struct request *request, const struct error *why)
{
    request_fail(request, why);
}

/* A sock of this worker that the caller may join. NULL: *error. */
static struct sock *find(struct request *request, int64_t handle, struct error *error)
{
    struct sock *sock = sock_get(request_loop(request), handle, error);

    if (sock == NULL || !caller_may(request_caller(request), sock->owner.uid, error) ||
        stream_get_whole(sock, error) == NULL) {
        return NULL;
    }
    return sock;
}

static void join(struct request *request, struct sock *first, struct sock *second)
{
    static const struct bridge_rules rules = {.is_kept = true};
    struct relay *relay = MEM_NEW(struct relay);

    relay->loop = request_loop(request);
    relay->first = first->handle;
    relay->second = second->handle;
    if (params_bool(request_params(request), PARAM_RELAY_WAIT)) {
        relay_wait(relay, request);
    }
    bridge_start(first, second, &rules, relay_over, relay);
    if (!params_bool(request_params(request), PARAM_RELAY_WAIT)) {
        request_ok(request);
    }
}

/* Nothing came of the meeting. Whoever has joined the guest meanwhile keeps it. */
static void give_back(struct loop *loop, int64_t guest)
{
    const struct sock *sock = sock_find(loop, guest);

    if (sock != NULL && sock->state == SOCK_STATE_OPEN) {
        send_home(loop, guest);
    }
}

/* Where both are now; the one that has travelled was sent before the request. */
static void meet(struct request *request)
{
    struct meeting *meeting = request_state(request);
    struct error error;
    struct sock *first = find(request, meeting->first, &error);
    struct sock *second = first != NULL ? find(request, meeting->second, &error) : NULL;

    if (second == NULL) {
        give_back(request_loop(request), meeting->guest);
        request_fail(request, &error);
        return;
    }
    join(request, first, second);
}

/* Back at the first, because the second may not travel. */
static void bring_first(struct request *request)
{
    struct meeting *meeting = request_state(request);
    struct error error;
    struct sock *first = find(request, meeting->first, &error);

    if (first != NULL && !guest_may_leave(first, &error)) {
        error = meeting->why; /* it came first, and tells the same */
        first = NULL;
    }
    if (first == NULL) {
        request_fail(request, &error);
        return;
    }
    guest_send(first, meeting->worker);
    meeting->guest = meeting->first;
    request_move(request, meeting->worker, meet);
}

/* At the second, which lives elsewhere than the first. */
static void bring_second(struct request *request)
{
    struct meeting *meeting = request_state(request);
    unsigned here = (unsigned)loop_number(request_loop(request));
    unsigned there = meeting->worker;
    struct error error;
    struct sock *second = find(request, meeting->second, &error);

    if (second == NULL) {
        request_fail(request, &error);
    } else if (guest_may_leave(second, &meeting->why)) {
        guest_send(second, there);
        meeting->guest = meeting->second;
        request_move(request, there, meet);
    } else {
        meeting->worker = here;
        request_move(request, there, bring_first);
    }
}

void handle_relay(struct request *request)
{
    const struct params *params = request_params(request);
    int64_t second = params_int(params, PARAM_RELAY_SECOND);
    unsigned here = (unsigned)loop_number(request_loop(request));
    struct sock *first = request_sock(request);
    struct error error;

    if (second == first->handle) {
        (void)error_set_parameter(&error, "second", "another socket than first");
        request_fail(request, &error);
        return;
    }
    if (stream_get_whole(first, &error) == NULL) {
        request_fail(request, &error);
        return;
    }
    struct meeting *meeting = request_alloc(request, sizeof *meeting);

    meeting->first = first->handle;
    meeting->second = second;
    meeting->worker = here;
    request_wait(request, meeting_cancel, meeting);
    if (sock_find(request_loop(request), second) != NULL ||
        loop_of_worker(handle_worker(second)) == NULL) {
        meet(request);
    } else {
        request_move(request, handle_worker(second), bring_second);
    }
}
