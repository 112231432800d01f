/* SPDX-License-Identifier: MIT */
/*
 * accepted.h - a connection that a listener has taken becomes a stream, in whichever
 * worker.
 *
 * Thread: init in the home of the listener, open in the worker of the stream.
 */
#ifndef SOCKD_NET_ACCEPTED_H
#define SOCKD_NET_ACCEPTED_H

#include <stdbool.h>
#include <sys/types.h>
#include "daemon/net/endpoint.h"
#include "daemon/net/sock.h"
#include "proto/error.h"

struct listener_accepted;

/* What the stream has from its listener. */
struct accepted_plan {
    struct sock_owner owner;
    enum sock_family family;
    enum sock_format format;
    const char *name;              /* of the sock; NULL: none */
    char path[ENDPOINT_PATH_SIZE]; /* of the listener; "": none */
};

void accepted_plan_init(struct accepted_plan *plan, const struct sock *listener,
                        const struct sock_owner *owner);

/* May the user have one more socket? Asked before a connection is taken from the kernel:
 * there it can wait for somebody who may. */
bool accepted_has_room(uid_t uid, struct error *error);

/* Takes the descriptor over. NULL: *error, it is closed. */
struct sock *accepted_open(const struct accepted_plan *plan,
                           const struct listener_accepted *accepted, struct error *error);

#endif
