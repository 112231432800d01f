/* SPDX-License-Identifier: MIT */
/*
 * attach.h - the reply after which a control connection is the raw stream of a socket.
 * Used by attach and accept-connection. Thread: the sock's home.
 */
#ifndef SOCKD_CONTROL_ATTACH_H
#define SOCKD_CONTROL_ATTACH_H

#include <stdbool.h>

struct request;
struct sock;

/* Ends the request, whose reply may be open and half written: its connection becomes the
 * raw stream of the sock, or it fails. `is_kept`: the socket outlives that stream. */
void attach_finish(struct request *request, struct sock *sock, bool is_kept);

#endif
