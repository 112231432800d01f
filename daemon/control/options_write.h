/* SPDX-License-Identifier: MIT */
/*
 * options_write.h - the options of a socket, as members of a reply.
 * Thread: the sock's home.
 */
#ifndef SOCKD_CONTROL_OPTIONS_WRITE_H
#define SOCKD_CONTROL_OPTIONS_WRITE_H

struct sock;
struct writer;

/* The members of the object "options", into an open object: those that fit the socket.
 * None when it has no descriptor. */
void options_write(struct writer *writer, const struct sock *sock);

#endif
