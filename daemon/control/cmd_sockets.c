/* SPDX-License-Identifier: MIT */
/*
 * cmd_sockets.c - accept-connection, close, interrupt.
 *
 * Thread: the worker of the socket; an accepted connection may go on to another one.
 */
#include <config.h>
#include <stddef.h>
#include <stdio.h>
#include "daemon/base/handle.h"
#include "daemon/base/loop.h"
#include "daemon/base/placement.h"
#include "daemon/control/attach.h"
#include "daemon/control/description.h"
#include "daemon/control/handlers.h"
#include "daemon/control/request.h"
#include "daemon/net/accepted.h"
#include "daemon/net/listener.h"
#include "daemon/net/sock.h"
#include "daemon/net/tls_lobby.h"
#include "daemon/net/tunnel.h"

/* ---- accept-connection ---- */

/* Owner: the request, in whose arena it lies. What the new socket takes from the listener
 * is kept here, because it may be made in another worker. */
struct accept {
    struct op op; /* first: the sock hands this back */
    struct request *request;
    bool may_be_null; /* wait false */
    double until;     /* seconds of the loop's clock; negative: for ever */
    unsigned home;    /* of the listener */
    struct listener_accepted accepted;
    struct accepted_plan plan;
    int64_t socket; /* that was made before, with a session; 0: none */
};

static enum op_result accept_advance(struct op *op, struct error *error)
{
    struct accept *accept = (struct accept *)op;
    struct tls_lobby *lobby = tls_lobby_of(op->sock);

    if (lobby != NULL ? !tls_lobby_has_next(lobby) : !op->sock->can_read) {
        return OP_WAIT;
    }
    if (!accepted_has_room(request_caller(accept->request)->uid, error)) {
        return OP_FAILED;
    }
    if (lobby != NULL) {
        accept->socket = tls_lobby_take(lobby);
        return OP_DONE;
    }
    return listener_accept(op->sock, &accept->accepted, error);
}

static void answer(struct request *request, struct sock *sock)
{
    request_brings_socket(request);
    description_write(request_reply(request), sock);
    if (params_bool(request_params(request), PARAM_ACCEPT_CONNECTION_ATTACH)) {
        attach_finish(request, sock, false);
    } else {
        request_finish(request);
    }
}

/* In the worker where the new socket lives. */
static void accept_here(struct request *request)
{
    struct accept *accept = request_state(request);
    struct error error;

    accept->accepted.fd = request_take_fd(request);
    struct sock *sock = accepted_open(&accept->plan, &accept->accepted, &error);

    if (sock == NULL) {
        request_fail(request, &error);
    } else {
        answer(request, sock);
    }
}

static void accept_again(struct request *request);

/* The same, for one whose handshake is done. */
static void claim_here(struct request *request)
{
    const struct accept *accept = request_state(request);
    struct sock *sock = sock_find(request_loop(request), accept->socket);
    struct error error;

    if (sock == NULL) {
        /* Somebody has closed it; there may be another one. */
        request_move(request, accept->home, accept_again);
    } else if (!sock_give(sock, &accept->plan.owner, &error)) {
        sock_close(sock, true);
        request_fail(request, &error);
    } else {
        answer(request, sock);
    }
}

static void accept_done(struct op *op, const struct error *error)
{
    struct accept *accept = (struct accept *)op;
    struct request *request = accept->request;

    if (error == NULL && accept->socket != 0) {
        request_move(request, handle_worker(accept->socket), claim_here);
    } else if (error == NULL) {
        /* It travels with the request, and is closed with it if that never arrives. */
        request_brings_fd(request, accept->accepted.fd);
        request_move(request, placement_spread(), accept_here);
    } else if (accept->may_be_null && error->id == ERROR_TIMEOUT) {
        request_finish_null(request);
    } else {
        request_fail(request, error);
    }
}

static void accept_cancel(struct request *request, const struct error *why)
{
    struct accept *accept = request_state(request);

    op_end(&accept->op, why);
}

static void accept_start(struct accept *accept, struct sock *sock, double timeout)
{
    accept->socket = 0;
    request_wait(accept->request, accept_cancel, accept);
    sock_start(sock, &accept->op, OP_INPUT, timeout);
}

static void accept_again(struct request *request)
{
    int64_t handle = params_int(request_params(request), PARAM_ACCEPT_CONNECTION_SOCKET);
    struct accept *accept = request_state(request);
    struct error error;
    struct sock *sock = sock_get(request_loop(request), handle, &error);

    if (sock == NULL) {
        request_fail(request, &error);
        return;
    }
    double left = accept->until - (double)loop_now_ms(sock->loop) / 1000;

    accept_start(accept, sock, accept->until < 0 ? -1 : left > 0 ? left : 0);
}

void handle_accept_connection(struct request *request)
{
    const struct params *params = request_params(request);
    struct sock *sock = request_sock(request);
    double timeout = params_seconds(params, PARAM_ACCEPT_CONNECTION_TIMEOUT);
    struct error error;

    if (sock->kind != &listener_kind) {
        (void)sock_wrong_kind(sock, "a listener", &error);
        request_fail(request, &error);
        return;
    }
    if (tunnel_owns(sock)) {
        error_set(&error, ERROR_BUSY, "a tunnel takes the connections of this listener");
        error.socket = sock->handle;
        request_fail(request, &error);
        return;
    }
    const struct caller *caller = request_caller(request);
    const struct sock_owner owner = {
        .uid = caller->uid, .pid = caller->pid, .client = caller->client};
    struct accept *accept = request_alloc(request, sizeof *accept);

    accept->request = request;
    accept->home = (unsigned)loop_number(sock->loop);
    accept->may_be_null = !params_bool(params, PARAM_ACCEPT_CONNECTION_WAIT);
    timeout = accept->may_be_null ? 0 : timeout;
    accept->until = timeout < 0 ? -1 : timeout + (double)loop_now_ms(sock->loop) / 1000;
    accept->op.name = params->command->name;
    accept->op.advance = accept_advance;
    accept->op.done = accept_done;
    accepted_plan_init(&accept->plan, sock, &owner);
    accept_start(accept, sock, timeout);
}

/* ---- close, interrupt ---- */

void handle_close(struct request *request)
{
    bool is_abort = params_bool(request_params(request), PARAM_CLOSE_ABORT);

    sock_close(request_sock(request), is_abort);
    request_ok(request);
}

void handle_interrupt(struct request *request)
{
    const struct params *params = request_params(request);
    struct sock *sock = request_sock(request);
    struct loop *loop = request_loop(request);
    int64_t handle = sock->handle;
    unsigned mask = 1U << OP_INPUT | 1U << OP_OUTPUT;
    struct error error;

    error_set(&error, ERROR_INTERRUPTED, "the request was interrupted");
    if (params_has(params, PARAM_INTERRUPT_REASON)) {
        (void)snprintf(error.reason, sizeof error.reason, "%s",
                       params_text(params, PARAM_INTERRUPT_REASON).text);
    }
    if (params_has(params, PARAM_INTERRUPT_DIRECTION)) {
        mask = 1U << params_word(params, PARAM_INTERRUPT_DIRECTION);
    }
    unsigned n_ended = sock_interrupt(sock, mask, &error);

    /* A connection attempt has ended with its request. */
    sock = sock_find(loop, handle);
    if (sock != NULL && params_bool(params, PARAM_INTERRUPT_CLOSE)) {
        sock_close(sock, false);
    }
    writer_result_int(request_reply(request), RESULT_INTERRUPT_INTERRUPTED, n_ended);
    request_finish(request);
}
