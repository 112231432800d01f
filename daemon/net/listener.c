/* SPDX-License-Identifier: MIT */
/*
 * listener.c - bind, listen, accept.
 *
 * Called by make-socket and accept-connection; calls options, filename and endpoint.
 * Thread: the sock's home.
 */
#include <config.h>
#include "daemon/net/listener.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/log.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/tls_lobby.h"

/* Seconds until accept is tried again after descriptors ran out. */
#define PAUSE 0.1

/* Owner: the sock (sock->as.listener). */
struct listener {
    struct filename file;
    struct timer pause;
    struct tls_lobby *lobby; /* NULL: connections are plain */
};

static void listener_fini(struct sock *sock)
{
    struct listener *listener = sock->as.listener;

    timer_stop(&listener->pause);
    if (listener->lobby != NULL) {
        tls_lobby_close(sock);
    }
    filename_remove(&listener->file);
    free(listener);
    sock->as.listener = NULL;
}

static void listener_ready(struct sock *sock, unsigned what)
{
    if (sock->as.listener->lobby != NULL && (what & IO_READ) != 0) {
        tls_lobby_admit(sock);
    }
}

const struct sock_kind listener_kind = {
    .name = "listener",
    .ready = listener_ready,
    .fini = listener_fini,
};

/* Negative errno with *action, or 0. */
static int bind_and_listen(int fd, const struct listener_plan *plan,
                           struct filename *file, const char **action)
{
    bool is_ipv6 = plan->path == NULL && plan->address.ss_family == AF_INET6;
    enum option_id failed;

    *action = "set-socket-options";
    int status = is_ipv6 ? option_set(fd, OPTION_IPV6_ONLY, true, plan->is_v6_only) : 0;
    if (status == 0) {
        status = options_set(fd, is_ipv6, plan->settings, plan->n_settings, &failed);
    }
    if (status < 0) {
        return status;
    }
    *action = "bind";
    if (plan->path != NULL) {
        return filename_listen(file, fd, plan->path, &plan->who, plan->rights,
                               plan->backlog, action);
    }
    if (bind(fd, (const struct sockaddr *)&plan->address,
             endpoint_size(&plan->address)) != 0) {
        return -errno;
    }
    *action = "listen";
    return listen(fd, plan->backlog) == 0 ? 0 : -errno;
}

static bool open_failed(const struct listener_plan *plan, int errnum, const char *action,
                        struct error *error)
{
    char where[ENDPOINT_TEXT_SIZE];

    error_set_errno(error, errnum, action);
    if (plan->path != NULL) {
        (void)snprintf(where, sizeof where, "%s", plan->path);
    } else {
        endpoint_text(&plan->address, where);
    }
    (void)snprintf(error->message, sizeof error->message, "cannot listen at %s: %s",
                   where, strerror(errnum));
    return false;
}

bool listener_open(struct sock *sock, const struct listener_plan *plan,
                   struct error *error)
{
    const char *action = "socket";
    struct filename file = {0};
    int family = plan->path != NULL ? AF_UNIX : plan->address.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return open_failed(plan, errno, action, error);
    }
    int status = bind_and_listen(fd, plan, &file, &action);
    if (status < 0) {
        (void)close(fd); /* it never carried data */
    } else {
        action = "listen";
        status = sock_set_fd(sock, fd);
    }
    if (status < 0) {
        filename_remove(&file);
        return open_failed(plan, -status, action, error);
    }
    struct listener *listener = MEM_NEW(struct listener);

    listener->file = file;
    sock->as.listener = listener;
    sock->is_ipv6 = family == AF_INET6;
    sock->local_filename = plan->path != NULL ? mem_copy_text(plan->path) : NULL;
    sock_become(sock, &listener_kind, SOCK_STATE_LISTENING);
    return true;
}

void listener_set_lobby(struct sock *sock, struct tls_lobby *lobby)
{
    CHECK(sock->kind == &listener_kind && sock->as.listener->lobby == NULL);
    sock->as.listener->lobby = lobby;
}

struct tls_lobby *tls_lobby_of(const struct sock *listener)
{
    return listener->kind == &listener_kind ? listener->as.listener->lobby : NULL;
}

/* ---- Accept ---- */

static void pause_over(void *arg)
{
    struct sock *sock = arg;

    sock->can_read = true;
    listener_ready(sock, IO_READ);
    sock_run(sock);
}

void listener_pause(struct sock *sock, const char *why)
{
    LOG_RATED(LOG_NET, LOG_LEVEL_WARN, "accept pauses: %s socket=%lld", why,
              (long long)sock->handle);
    counters_add(loop_counters(sock->loop), COUNTER_ACCEPT_PAUSES, 1);
    sock->can_read = false;
    timer_start(&sock->as.listener->pause, sock->loop, PAUSE, pause_over, sock);
}

/* What accept(2) may answer is of three kinds: the connection went away or the network
 * under it failed (Linux hands such errors on), which says nothing about the listener;
 * the system has no room for one more; the listener itself is broken. */
static bool is_of_one_connection(int errnum)
{
    switch (errnum) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

static bool is_shortage(int errnum)
{
    return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS || errnum == ENOMEM;
}

enum op_result listener_accept(struct sock *sock, struct listener_accepted *accepted,
                               struct error *error)
{
    while (sock->can_read) {
        memset(&accepted->peer, 0, sizeof accepted->peer);
        accepted->peer_size = sizeof accepted->peer;
        accepted->fd = accept4(sock->fd, (struct sockaddr *)&accepted->peer,
                               &accepted->peer_size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted->fd >= 0) {
            counters_add(loop_counters(sock->loop), COUNTER_ACCEPTED, 1);
            return OP_DONE;
        }
        if (errno == EAGAIN) {
            sock->can_read = false;
        } else if (is_shortage(errno)) {
            listener_pause(sock, strerror(errno));
        } else if (!is_of_one_connection(errno)) {
            error_set_errno(error, errno, "accept");
            return OP_FAILED;
        }
    }
    return OP_WAIT;
}
