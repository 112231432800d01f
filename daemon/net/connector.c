/* SPDX-License-Identifier: MIT */
/*
 * connector.c - attempts to connect, side by side (RFC 8305 section 5).
 *
 * Called by make-socket; calls options, filename and endpoint. Thread: the sock's home.
 *
 * Each attempt has its own descriptor and events. The sock gets the descriptor of the
 * winner; until then it has none, and what waits on it is the request that made it.
 */
#include <config.h>
#include "daemon/net/connector.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/sock.h"

/* Connection attempt delay (RFC 8305 section 8), and the pauses between tries at a Unix
 * socket whose backlog is full: no event tells when there is room. */
#define ATTEMPT_DELAY 0.25
#define RETRY_FIRST 0.002
#define RETRY_LAST 0.1

struct connector;

struct attempt {
    struct connector *connector;
    const struct sockaddr_storage *remote;
    int fd; /* -1: not running */
    struct io io;
};

/* Owner: the sock (sock->as.connector), while it connects. */
struct connector {
    struct sock *sock;
    const struct connector_plan *plan;
    connector_done *done;
    void *arg;
    struct attempt *attempts; /* in the order of trying */
    unsigned n_attempts, n_started, n_running;
    struct timer delay; /* until the next attempt, or the next try at a full backlog */
    struct timer limit;
    double retry; /* seconds of the pause before this one */
    struct error error;
    bool has_error;
};

static void connector_fini(struct sock *sock) { connector_stop(sock); }

static const struct sock_kind connector_kind = {
    .name = "connection attempt",
    .fini = connector_fini,
};

static void start_attempts(struct connector *connector);

/* ---- Ends ---- */

static void attempt_close(struct attempt *attempt)
{
    if (attempt->fd >= 0) {
        io_stop(&attempt->io);
        (void)close(attempt->fd); /* nothing was sent on it */
        attempt->fd = -1;
        attempt->connector->n_running--;
    }
}

void connector_stop(struct sock *sock)
{
    if (sock->kind != &connector_kind) {
        return;
    }
    struct connector *connector = sock->as.connector;

    for (unsigned i = 0; i < connector->n_started; i++) {
        attempt_close(&connector->attempts[i]);
    }
    timer_stop(&connector->delay);
    timer_stop(&connector->limit);
    sock->kind = NULL;
    sock->as.connector = NULL;
    free(connector->attempts);
    free(connector);
}

static void finish(struct connector *connector, const struct error *error)
{
    connector_done *done = connector->done;
    void *arg = connector->arg;
    struct error told;

    if (error != NULL) {
        told = *error;
    }
    connector_stop(connector->sock);
    done(arg, error != NULL ? &told : NULL);
}

/* An attempt that never left this machine says less than one that did. */
static bool is_local_trouble(int errnum)
{
    return errnum == EADDRNOTAVAIL || errnum == ENETUNREACH || errnum == EHOSTUNREACH ||
           errnum == EAFNOSUPPORT;
}

static void note_failure(struct connector *connector,
                         const struct sockaddr_storage *remote, int errnum,
                         const char *action)
{
    char where[ENDPOINT_TEXT_SIZE];

    if (connector->has_error && is_local_trouble(errnum) &&
        !is_local_trouble(connector->error.errnum)) {
        return;
    }
    connector->has_error = true;
    endpoint_text(remote, where);
    error_set_errno(&connector->error, errnum, action);
    (void)snprintf(connector->error.message, sizeof connector->error.message, "%s%s: %s",
                   strcmp(action, "connect") == 0 ? "cannot connect to "
                                                  : "cannot prepare the connection to ",
                   where, strerror(errnum));
}

static void win(struct attempt *attempt)
{
    struct connector *connector = attempt->connector;
    struct sock *sock = connector->sock;
    int fd = attempt->fd;

    io_stop(&attempt->io);
    attempt->fd = -1;
    connector->n_running--;
    int status = sock_set_fd(sock, fd);

    if (status < 0) {
        error_set_errno(&connector->error, -status, "connect");
        finish(connector, &connector->error);
        return;
    }
    if (sock->family == SOCK_FAMILY_INTERNET) {
        memcpy(&sock->remote, attempt->remote, sizeof sock->remote);
        sock->is_ipv6 = attempt->remote->ss_family == AF_INET6;
    }
    finish(connector, NULL);
}

static void limit_reached(void *arg)
{
    struct connector *connector = arg;

    error_set_errno(&connector->error, ETIMEDOUT, "connect");
    (void)snprintf(connector->error.message, sizeof connector->error.message,
                   "the connection was not made within connect-timeout");
    finish(connector, &connector->error);
}

/* ---- One attempt ---- */

/* A connection to a free port of this machine can meet itself: the system chooses that
 * very port for the near end, and both ends are one. Nobody wants that. */
static bool is_self_connected(const struct attempt *attempt)
{
    struct sockaddr_storage local;
    socklen_t size = sizeof local;

    return attempt->remote->ss_family != AF_UNIX &&
           getsockname(attempt->fd, (struct sockaddr *)&local, &size) == 0 &&
           endpoint_equal(&local, attempt->remote) &&
           attempt->connector->plan->locals[local.ss_family == AF_INET6].ss_family == 0;
}

static void attempt_ready(void *arg, unsigned what)
{
    struct attempt *attempt = arg;
    struct connector *connector = attempt->connector;
    int errnum = 0;
    socklen_t size = sizeof errnum;

    (void)what;
    if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &errnum, &size) != 0) {
        errnum = errno;
    }
    if (errnum == 0 && is_self_connected(attempt)) {
        errnum = ECONNREFUSED;
    }
    if (errnum == 0) {
        win(attempt);
        return;
    }
    note_failure(connector, attempt->remote, errnum, "connect");
    attempt_close(attempt);
    start_attempts(connector);
}

/* Everything before connect(): 0, or negative errno with *action. */
static int prepare(const struct connector_plan *plan, const struct attempt *attempt,
                   const char **action)
{
    bool is_ipv6 = attempt->remote->ss_family == AF_INET6;
    const struct sockaddr_storage *local = &plan->locals[is_ipv6];
    enum option_id failed;
    const int on = 1;

    *action = "set-socket-options";
    int status =
        options_set(attempt->fd, is_ipv6, plan->settings, plan->n_settings, &failed);
    if (status == 0 && plan->md5_key != NULL) {
        status =
            option_set_md5(attempt->fd, attempt->remote, plan->md5_key, plan->md5_size);
    }
    if (status < 0 || attempt->remote->ss_family == AF_UNIX || local->ss_family == 0) {
        return status;
    }
    *action = "bind";
    /* The port is then chosen at connect(), when the peer is known: many more are free.
     * An old kernel does without. */
    (void)setsockopt(attempt->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return bind(attempt->fd, (const struct sockaddr *)local, endpoint_size(local)) == 0
               ? 0
               : -errno;
}

static int try_connect(const struct connector_plan *plan, const struct attempt *attempt)
{
    if (attempt->remote->ss_family == AF_UNIX) {
        return filename_connect(attempt->fd, attempt->remote, &plan->who);
    }
    return connect(attempt->fd, (const struct sockaddr *)attempt->remote,
                   endpoint_size(attempt->remote)) == 0
               ? 0
               : -errno;
}

/* 0: connected; -EINPROGRESS, -EAGAIN: it goes on; other negative errno: it has failed.
 */
static int attempt_open(struct attempt *attempt, const char **action)
{
    struct connector *connector = attempt->connector;

    *action = "socket";
    attempt->fd =
        socket(attempt->remote->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (attempt->fd < 0) {
        return -errno;
    }
    connector->n_running++;
    counters_add(loop_counters(connector->sock->loop), COUNTER_CONNECT_TRIES, 1);
    int status = prepare(connector->plan, attempt, action);
    if (status < 0) {
        return status;
    }
    *action = "connect";
    status = try_connect(connector->plan, attempt);
    if (status == -EINPROGRESS) {
        int watched = io_start(&attempt->io, connector->sock->loop, attempt->fd, IO_WRITE,
                               attempt_ready, attempt);
        status = watched < 0 ? watched : status;
    } else if (status == 0 && is_self_connected(attempt)) {
        status = -ECONNREFUSED;
    }
    return status;
}

/* ---- All attempts ---- */

static void next_is_due(void *arg) { start_attempts(arg); }

static void retry_is_due(void *arg)
{
    struct connector *connector = arg;
    struct attempt *attempt = &connector->attempts[connector->n_started - 1];
    int status = try_connect(connector->plan, attempt);

    if (status == 0) {
        win(attempt);
    } else if (status == -EAGAIN) {
        connector->retry =
            connector->retry * 2 < RETRY_LAST ? connector->retry * 2 : RETRY_LAST;
        timer_start(&connector->delay, connector->sock->loop, connector->retry,
                    retry_is_due, connector);
    } else {
        note_failure(connector, attempt->remote, -status, "connect");
        attempt_close(attempt);
        start_attempts(connector);
    }
}

static bool has_local_port(const struct connector_plan *plan)
{
    return endpoint_port(&plan->locals[0]) != 0 || endpoint_port(&plan->locals[1]) != 0;
}

/* Starts the next attempt that gets under way; ends the connector when there is none
 * left. */
static void start_attempts(struct connector *connector)
{
    const struct connector_plan *plan = connector->plan;
    const char *action;

    timer_stop(&connector->delay);
    while (connector->n_started < connector->n_attempts) {
        struct attempt *attempt = &connector->attempts[connector->n_started++];
        int status = attempt_open(attempt, &action);
        if (status == 0) {
            win(attempt);
            return;
        }
        if (status == -EAGAIN && attempt->remote->ss_family == AF_UNIX) {
            connector->retry = RETRY_FIRST;
            timer_start(&connector->delay, connector->sock->loop, connector->retry,
                        retry_is_due, connector);
            return;
        }
        if (status == -EINPROGRESS) {
            if (connector->n_started < connector->n_attempts && !has_local_port(plan)) {
                timer_start(&connector->delay, connector->sock->loop, ATTEMPT_DELAY,
                            next_is_due, connector);
            }
            return;
        }
        note_failure(connector, attempt->remote, -status, action);
        attempt_close(attempt);
    }
    if (connector->n_running == 0) {
        finish(connector, &connector->error);
    }
}

static bool is_usable(const struct connector_plan *plan,
                      const struct sockaddr_storage *remote)
{
    return !plan->is_local_host ||
           plan->locals[remote->ss_family == AF_INET6].ss_family != 0;
}

/* The families in turn, each in its own order, beginning with that of the first address.
 */
static void put_in_order(struct connector *connector)
{
    const struct connector_plan *plan = connector->plan;
    unsigned next[2] = {0, 0}; /* in plan->remotes: of the first family, of the other */
    sa_family_t first = plan->remotes[0].ss_family;

    for (unsigned turn = 0; next[0] < plan->n_remotes || next[1] < plan->n_remotes;
         turn ^= 1) {
        while (next[turn] < plan->n_remotes) {
            const struct sockaddr_storage *remote = &plan->remotes[next[turn]++];
            if ((remote->ss_family == first) != (turn == 0) || !is_usable(plan, remote)) {
                continue;
            }
            connector->attempts[connector->n_attempts++] =
                (struct attempt){.connector = connector, .remote = remote, .fd = -1};
            break;
        }
    }
}

void connector_start(struct sock *sock, const struct connector_plan *plan,
                     connector_done *done, void *arg)
{
    struct connector *connector = MEM_NEW(struct connector);

    CHECK_HOME(sock);
    CHECK(plan->n_remotes > 0 && plan->n_remotes <= RESOLVER_MAX_ADDRESSES);
    connector->sock = sock;
    connector->plan = plan;
    connector->done = done;
    connector->arg = arg;
    connector->attempts = mem_new(plan->n_remotes * sizeof *connector->attempts);
    sock->as.connector = connector;
    sock_become(sock, &connector_kind, SOCK_STATE_CONNECTING);
    put_in_order(connector);
    if (connector->n_attempts == 0) {
        note_failure(connector, &plan->remotes[0], EADDRNOTAVAIL, "bind");
    }
    if (plan->timeout >= 0) {
        timer_start(&connector->limit, sock->loop, plan->timeout, limit_reached,
                    connector);
    }
    start_attempts(connector);
}
