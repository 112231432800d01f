/* SPDX-License-Identifier: MIT */
/*
 * attachment.h - a descriptor of a client as the raw stream of a socket.
 *
 * From attachment_reserve() on the socket is taken: its state is ATTACHED and data
 * operations on it are refused. attachment_start() brings the descriptor, and bytes run
 * both ways until both directions have ended, the client has gone, or somebody interrupts
 * or closes the socket.
 *
 * Thread: the sock's home.
 */
#ifndef SOCKD_NET_ATTACHMENT_H
#define SOCKD_NET_ATTACHMENT_H

#include <stdbool.h>
#include <stdint.h>
#include "proto/error.h"

struct buffer;
struct sock;

/* The stream is over, the descriptor closed. */
typedef void attachment_over(int64_t client);

/* For this client. `is_kept`: the socket lives on when the client goes, with the bytes
 * that were not handed over. False: *error is wrong-kind, not-connected, busy or
 * shutdown. */
bool attachment_reserve(struct sock *sock, int64_t client, bool is_kept,
                        struct error *error);

/* The raw stream of a reserved sock begins. Takes over `fd` (-1: the client has gone in
 * the meantime) and `input`, which the client had sent before. `over` runs once, when it
 * has ended. False: an interrupt was faster, the reservation is gone and nothing was
 * taken over. */
bool attachment_start(struct sock *sock, int fd, struct buffer *input, int64_t client,
                      attachment_over *over);

/* For stream.c: the sock ends, and the attachment with it. No-op when there is none. */
void attachment_drop(struct sock *sock);

#endif
