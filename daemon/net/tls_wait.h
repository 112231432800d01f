/* SPDX-License-Identifier: MIT */
/*
 * tls_wait.h - waiting for the end of a TLS handshake.
 *
 * It has no place in the queues of the sock: a read that waits for data, or a write, does
 * the handshake as well, and must not be in the way of one who waits for that alone. What
 * ends the waiting, a time-out, an interrupt, does not end the handshake.
 *
 * Thread: the sock's home.
 */
#ifndef SOCKD_NET_TLS_WAIT_H
#define SOCKD_NET_TLS_WAIT_H

#include "daemon/net/sock.h"

/* Owner: whoever embeds it. */
struct tls_wait {
    struct sock_watch watch; /* first: the sock hands this back */
    struct timer timer;
    /* `error` NULL: the handshake is done. May close the sock. */
    void (*done)(struct tls_wait *wait, const struct error *error);
};

/* Begins the handshake of a sock with a session, if that was not done. `name`: as in
 * struct op. `timeout` negative: none. `done` runs once, maybe before this returns. */
void tls_wait_start(struct sock *sock, struct tls_wait *wait, const char *name,
                    double timeout,
                    void (*done)(struct tls_wait *wait, const struct error *error));
/* Ends it early: `done` runs with `error`. No-op when it has ended. */
void tls_wait_end(struct tls_wait *wait, const struct error *error);

#endif
