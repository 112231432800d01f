/* SPDX-License-Identifier: MIT */
/*
 * tls_wait.c - waiting for the end of a TLS handshake.
 *
 * Called by the commands and by listeners; calls tls_session.c. Thread: the sock's home.
 */
#include <config.h>
#include "daemon/net/tls_wait.h"

#include "daemon/base/counters.h"
#include "daemon/net/tls_session.h"

static void finish(struct tls_wait *wait, int64_t socket, const struct error *error)
{
    struct error told;

    sock_unwatch(&wait->watch);
    timer_stop(&wait->timer);
    if (error != NULL) {
        told = *error;
        told.socket = told.socket != 0 ? told.socket : socket;
    }
    wait->done(wait, error != NULL ? &told : NULL);
}

/* True: it is over, and was told. */
static bool look(struct tls_wait *wait, struct sock *sock)
{
    struct transport_fault fault;
    struct error error;

    switch (tls_session_handshake(sock, &fault)) {
    case TRANSPORT_OK:
        finish(wait, sock->handle, NULL);
        return true;
    case TRANSPORT_AGAIN:
        return false;
    case TRANSPORT_END:
    case TRANSPORT_TRUNCATED:
    case TRANSPORT_FAILED:
        break;
    }
    tls_session_explain(sock, &fault, "handshake", &error);
    (void)sock_note(sock, &error);
    finish(wait, sock->handle, &error);
    return true;
}

static void check(struct sock_watch *watch)
{
    (void)look((struct tls_wait *)watch, watch->sock);
}

static void ended(struct sock_watch *watch, const struct error *error)
{
    finish((struct tls_wait *)watch, error->socket, error);
}

static void ran_out(void *arg)
{
    struct tls_wait *wait = arg;
    struct error error;

    counters_add(loop_counters(wait->watch.sock->loop), COUNTER_TIMEOUTS, 1);
    (void)error_set(&error, ERROR_TIMEOUT, "the time-out ran out");
    tls_wait_end(wait, &error);
}

void tls_wait_start(struct sock *sock, struct tls_wait *wait, const char *name,
                    double timeout,
                    void (*done)(struct tls_wait *wait, const struct error *error))
{
    wait->watch.name = name;
    wait->watch.check = check;
    wait->watch.ended = ended;
    wait->done = done;
    sock_watch(sock, &wait->watch, OP_INPUT);
    if (!look(wait, sock) && timeout >= 0) {
        timer_start(&wait->timer, sock->loop, timeout, ran_out, wait);
    }
}

void tls_wait_end(struct tls_wait *wait, const struct error *error)
{
    if (wait->watch.sock != NULL) {
        finish(wait, wait->watch.sock->handle, error);
    }
}
