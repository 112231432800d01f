/* SPDX-License-Identifier: MIT */
/*
 * guest.h - a stream that works in another worker than its handle names.
 *
 * Two streams are joined in one worker. When they live in different ones, one goes to the
 * other for as long as it lasts: the sock itself travels, with all it has received and
 * all it has to send, since between two workers it belongs to neither. Its handle stays
 * the same: at home it tells where the sock is now, and requests go on to there. At the
 * end of its work it comes home.
 *
 * Preconditions: an open stream that nobody waits on or watches, and whose transport may
 * travel.
 *
 * Thread: the one the sock is in.
 */
#ifndef SOCKD_NET_GUEST_H
#define SOCKD_NET_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include "proto/error.h"

struct loop;
struct sock;

/* False: *error is busy. */
bool guest_may_leave(const struct sock *sock, struct error *error);
/* Sends a sock that may leave to another worker, where it arrives before anything that is
 * posted there later. It is gone from here. */
void guest_send(struct sock *sock, unsigned worker);
/* Sends it home; it stays if it is there. False: it may not leave, and was closed. */
bool guest_send_home(struct sock *sock);

/* The worker where the sock of a handle of this one is at work; -1: nowhere else. */
int guest_worker(struct loop *loop, int64_t handle);
/* The client of socks that are away has gone: they are closed. */
void guest_close_client(struct loop *loop, int64_t client);
/* For sock.c: a sock that is no guest, or one, has ended. */
void guest_ended(const struct sock *sock);
/* The thread ends: none comes home any more. */
void guest_forget_all(struct loop *loop);

#endif
