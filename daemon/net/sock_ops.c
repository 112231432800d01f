/* SPDX-License-Identifier: MIT */
/*
 * sock_ops.c - what waits on a socket: operations in order, watches, interrupt.
 *
 * Called by the kinds and by the commands; calls the kinds back through the operations.
 * Thread: the sock's home.
 *
 * A callback may free the sock. Whoever walks its lists therefore holds it (sock_hold)
 * and looks at is_dead after each call.
 */
#include <config.h>
#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/net/sock.h"

enum {
    RUN_BUDGET = 32
}; /* operations that one socket may end before others have their turn */

/* ---- Operations ---- */

static void unlink_op(struct op *op)
{
    struct op_queue *queue = &op->sock->ops[op->direction];

    *(op->previous != NULL ? &op->previous->next : &queue->first) = op->next;
    *(op->next != NULL ? &op->next->previous : &queue->last) = op->previous;
    queue->n--;
    op->next = op->previous = NULL;
}

static void finish_op(struct op *op, const struct error *error)
{
    struct sock *sock = op->sock;
    struct error told;

    unlink_op(op);
    timer_end(&op->timer);
    op->sock = NULL;
    if (error != NULL) {
        told = *error;
        told.socket = told.socket != 0 ? told.socket : sock->handle;
    }
    op->done(op, error != NULL ? &told : NULL);
}

void op_end(struct op *op, const struct error *error)
{
    struct sock *sock = op->sock;

    if (sock == NULL) {
        return;
    }
    CHECK_HOME(sock);
    /* The next in line may be able to do what this one could not. */
    bool has_next = op->next != NULL && op->previous == NULL;

    sock_hold(sock);
    finish_op(op, error);
    if (sock_release(sock) && has_next) {
        sock_run_later(sock);
    }
}

static void fail_with_timeout(struct op *op)
{
    struct error error;
    enum error_id id =
        op->timeout_error != ERROR_NONE ? op->timeout_error : ERROR_TIMEOUT;

    error_set(&error, id, "the time-out ran out");
    op_end(op, &error);
}

static void op_timed_out(void *arg)
{
    struct op *op = arg;

    counters_add(loop_counters(op->sock->loop), COUNTER_TIMEOUTS, 1);
    fail_with_timeout(op);
}

/* Lets the first of a queue try. False: it waits. */
static bool advance(struct op *op)
{
    struct error error;
    enum op_result result = op->advance(op, &error);

    if (result == OP_WAIT) {
        return false;
    }
    if (result == OP_FAILED) {
        (void)sock_note(op->sock, &error);
    }
    finish_op(op, result == OP_FAILED ? &error : NULL);
    return true;
}

void sock_start(struct sock *sock, struct op *op, enum op_direction direction,
                double timeout)
{
    struct op_queue *queue = &sock->ops[direction];

    CHECK_HOME(sock);
    CHECK(op->sock == NULL && !sock->is_dead);
    op->sock = sock;
    op->direction = direction;
    op->next = NULL;
    op->previous = queue->last;
    *(queue->last != NULL ? &queue->last->next : &queue->first) = op;
    queue->last = op;
    queue->n++;
    if (queue->first == op && advance(op)) {
        return;
    }
    if (timeout == 0) {
        fail_with_timeout(op);
    } else if (timeout > 0) {
        timer_begin(&op->timer, sock->loop, timeout, op_timed_out, op);
    }
}

static void run_queue(struct sock *sock, enum op_direction direction)
{
    unsigned budget = RUN_BUDGET;

    while (!sock->is_dead && sock->ops[direction].first != NULL) {
        if (budget-- == 0) {
            sock_run_later(sock);
            return;
        }
        if (!advance(sock->ops[direction].first)) {
            return;
        }
    }
}

/* ---- Watches ---- */

void sock_watch(struct sock *sock, struct sock_watch *watch, enum op_direction direction)
{
    CHECK_HOME(sock);
    CHECK(watch->sock == NULL && !sock->is_dead);
    watch->sock = sock;
    watch->direction = direction;
    watch->previous = NULL;
    watch->next = sock->watches;
    if (watch->next != NULL) {
        watch->next->previous = watch;
    }
    sock->watches = watch;
}

void sock_unwatch(struct sock_watch *watch)
{
    struct sock *sock = watch->sock;

    if (sock == NULL) {
        return;
    }
    CHECK_HOME(sock);
    if (sock->next_watch == watch) {
        sock->next_watch = watch->next;
    }
    *(watch->previous != NULL ? &watch->previous->next : &sock->watches) = watch->next;
    if (watch->next != NULL) {
        watch->next->previous = watch->previous;
    }
    watch->next = watch->previous = NULL;
    watch->sock = NULL;
}

/* The sock is held by the caller: a check may end it. */
static void tell_watches(struct sock *sock)
{
    if (sock->watches == NULL || sock->is_telling) {
        return;
    }
    sock->is_telling = true;
    for (struct sock_watch *watch = sock->watches; watch != NULL;
         watch = sock->next_watch) {
        sock->next_watch = watch->next;
        watch->check(watch);
        if (sock->is_dead) {
            return;
        }
    }
    sock->is_telling = false;
}

/* ---- Running ---- */

void sock_run(struct sock *sock)
{
    CHECK_HOME(sock);
    sock_hold(sock);
    run_queue(sock, OP_INPUT);
    if (!sock->is_dead) {
        run_queue(sock, OP_OUTPUT);
    }
    if (!sock->is_dead) {
        tell_watches(sock);
    }
    (void)sock_release(sock); /* nothing more is done with it here */
}

static void run_again(void *arg)
{
    struct sock *sock = arg;

    CHECK_MAGIC(sock, SOCK_MAGIC);
    sock_run(sock);
}

void sock_run_later(struct sock *sock)
{
    later_ask(&sock->later, sock->loop, run_again, sock);
}

/* ---- Ending from outside ---- */

static unsigned interrupt_queue(struct sock *sock, enum op_direction direction,
                                const struct error *error)
{
    struct op_queue *queue = &sock->ops[direction];
    unsigned n_ended = 0;

    /* What a callback starts anew joins at the end and is not counted. */
    for (unsigned n = queue->n; n > 0 && queue->first != NULL; n--) {
        n_ended++;
        finish_op(queue->first, error);
    }
    return n_ended;
}

static unsigned interrupt_watches(struct sock *sock, unsigned mask,
                                  const struct error *error)
{
    struct error told = *error;
    unsigned n_ended = 0;

    told.socket = told.socket != 0 ? told.socket : sock->handle;
    for (struct sock_watch *watch = sock->watches; watch != NULL;) {
        if ((mask & 1U << watch->direction) == 0) {
            watch = watch->next;
            continue;
        }
        sock_unwatch(watch);
        n_ended++;
        watch->ended(watch, &told);
        watch = sock->watches; /* others may have gone with it */
    }
    return n_ended;
}

unsigned sock_interrupt(struct sock *sock, unsigned mask, const struct error *error)
{
    unsigned n_ended = 0;

    CHECK_HOME(sock);
    sock_hold(sock);
    for (unsigned direction = OP_INPUT; direction <= OP_OUTPUT; direction++) {
        if ((mask & 1U << direction) != 0) {
            n_ended += interrupt_queue(sock, (enum op_direction)direction, error);
        }
    }
    n_ended += interrupt_watches(sock, mask, error);
    if (error->id == ERROR_INTERRUPTED) {
        counters_add(loop_counters(sock->loop), COUNTER_INTERRUPTED, n_ended);
    }
    (void)sock_release(sock); /* nothing more is done with it here */
    return n_ended;
}
