/* SPDX-License-Identifier: MIT */
/*
 * cmd_sockets.c - accept-connection, close, interrupt.
 *
 * Thread: the worker of the socket; an accepted connection may go on to another one.
 */
#include <config.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "daemon/base/check.h"
#include "daemon/base/placement.h"
#include "daemon/base/quota.h"
#include "daemon/control/attach.h"
#include "daemon/control/description.h"
#include "daemon/control/handlers.h"
#include "daemon/control/request.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/listener.h"
#include "daemon/net/sock.h"
#include "daemon/net/stream.h"
#include "daemon/net/tunnel.h"

/* ---- accept-connection ---- */

/* Owner: the request, in whose arena it lies. What the new socket takes from the listener
 * is kept here, because it may be made in another worker. */
struct accept {
    struct op op; /* first: the sock hands this back */
    struct request *request;
    bool may_be_null; /* wait false */
    struct listener_accepted accepted;
    enum sock_family family;
    enum sock_format format;
    char path[ENDPOINT_PATH_SIZE]; /* of the listener; "": none */
};

/* Looks whether the caller may have one more socket before it is taken from the kernel:
 * there it can wait for somebody who may. */
static bool check_quota(const struct caller *caller, struct error *error)
{
    if (!quota_take(QUOTA_SOCKETS, caller->uid)) {
        uint32_t limit;
        const char *name = quota_refusal(QUOTA_SOCKETS, &limit);
        return error_set_limit(error, name, limit);
    }
    quota_give(QUOTA_SOCKETS, caller->uid);
    return true;
}

static enum op_result accept_advance(struct op *op, struct error *error)
{
    struct accept *accept = (struct accept *)op;

    if (!op->sock->can_read) {
        return OP_WAIT;
    }
    if (!check_quota(request_caller(accept->request), error)) {
        return OP_FAILED;
    }
    return listener_accept(op->sock, &accept->accepted, error);
}

static struct sock *make_accepted(const struct accept *accept,
                                  const struct caller *caller, int fd,
                                  struct error *error)
{
    struct sock_spec spec = {
        .type = SOCK_TYPE_STREAM,
        .family = accept->family,
        .connect = SOCK_CONNECT_ACTIVE,
        .format = accept->format,
        .is_ipv6 = accept->accepted.peer.ss_family == AF_INET6,
        .owner = {.uid = caller->uid, .pid = caller->pid, .client = caller->client},
    };
    char path[ENDPOINT_PATH_SIZE];
    struct sock *sock = sock_new(&spec, error);

    if (sock == NULL) {
        (void)close(fd); /* the peer sees the connection end */
        return NULL;
    }
    int status = sock_set_fd(sock, fd);
    if (status < 0) {
        error_set_errno(error, -status, "accept");
        sock_free(sock);
        return NULL;
    }
    if (accept->family == SOCK_FAMILY_INTERNET) {
        memcpy(&sock->remote, &accept->accepted.peer, sizeof sock->remote);
    } else {
        sock->local_filename = mem_copy_text(accept->path);
        endpoint_path(&accept->accepted.peer, accept->accepted.peer_size, path);
        sock->remote_filename = path[0] != '\0' ? mem_copy_text(path) : NULL;
    }
    stream_open(sock);
    return sock;
}

/* In the worker where the new socket lives. */
static void accept_here(struct request *request)
{
    const struct accept *accept = request_state(request);
    struct error error;
    struct sock *sock =
        make_accepted(accept, request_caller(request), request_take_fd(request), &error);

    if (sock == NULL) {
        request_fail(request, &error);
        return;
    }
    request_brings_socket(request);
    description_write(request_reply(request), sock);
    if (params_bool(request_params(request), PARAM_ACCEPT_CONNECTION_ATTACH)) {
        attach_finish(request, sock, false);
    } else {
        request_finish(request);
    }
}

static void accept_done(struct op *op, const struct error *error)
{
    struct accept *accept = (struct accept *)op;
    struct request *request = accept->request;

    if (error == NULL) {
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
    struct accept *accept = request_alloc(request, sizeof *accept);

    accept->request = request;
    accept->family = sock->family;
    accept->format = sock->format;
    if (sock->local_filename != NULL) {
        (void)snprintf(accept->path, sizeof accept->path, "%s", sock->local_filename);
    }
    accept->may_be_null = !params_bool(params, PARAM_ACCEPT_CONNECTION_WAIT);
    accept->op.name = params->command->name;
    accept->op.advance = accept_advance;
    accept->op.done = accept_done;
    request_wait(request, accept_cancel, accept);
    sock_start(sock, &accept->op, OP_INPUT, accept->may_be_null ? 0 : timeout);
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
