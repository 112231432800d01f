/* SPDX-License-Identifier: MIT */
/*
 * connector.h - connects a sock: several addresses as RFC 8305 says, or the path of a
 * file.
 *
 * Addresses are tried with the families in turn, beginning with that of the first one.
 * The next attempt starts when one fails, or 250 ms after the one before; the first that
 * succeeds wins and the others are closed. A local port can serve one attempt at a time
 * only: with one the next address waits until the attempt before has failed.
 *
 * Thread: the sock's home.
 */
#ifndef SOCKD_NET_CONNECTOR_H
#define SOCKD_NET_CONNECTOR_H

#include <stdbool.h>
#include <sys/socket.h>
#include "daemon/net/filename.h"
#include "daemon/net/options.h"
#include "daemon/net/resolver.h"
#include "proto/error.h"

struct sock;

/* What to connect and how. */
struct connector_plan {
    struct sockaddr_storage remotes[RESOLVER_MAX_ADDRESSES]; /* with port; or one path */
    unsigned n_remotes;
    /* What to bind, for IPv4 and for IPv6; ss_family 0: nothing. */
    struct sockaddr_storage locals[2];
    bool is_local_host; /* locals come from a host: a family without one is not tried */
    struct option_setting settings[OPTION_COUNT];
    unsigned n_settings;
    const void *md5_key; /* NULL: none */
    unsigned md5_size;
    double timeout; /* seconds for all attempts, negative: none; connection-timed-out */
    struct identity who;
};

/* `error` NULL: the sock has its descriptor, its remote address and its family. Otherwise
 * it is as it was before connector_start(). The connector is gone. */
typedef void connector_done(void *arg, const struct error *error);

/* Connects a sock in state CONNECTING; `plan` lives until `done`, which may run before
 * this returns. Closing or freeing the sock ends it without `done`. */
void connector_start(struct sock *sock, const struct connector_plan *plan,
                     connector_done *done, void *arg);
/* Ends it without `done`. No-op when none is under way. */
void connector_stop(struct sock *sock);

#endif
