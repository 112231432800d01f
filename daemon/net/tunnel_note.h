/* SPDX-License-Identifier: MIT */
/*
 * tunnel_note.h - the line of the log that tells of one connection of a tunnel: from
 * where, to which target, how long, how many bytes, and how it ended.
 *
 * Such lines are not held back by a rate: only administrators can ask for them.
 *
 * Thread: the worker of the connection.
 */
#ifndef SOCKD_NET_TUNNEL_NOTE_H
#define SOCKD_NET_TUNNEL_NOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct sock;
struct tunnel;
struct tunnel_note;

/* Of a connection that arrives. NULL: the tunnel writes no lines; then the others do
 * nothing. */
struct tunnel_note *tunnel_note_new(const struct tunnel *tunnel,
                                    const struct sock *front);
/* It comes from there: it has said so itself. */
void tunnel_note_source(struct tunnel_note *note, const struct sockaddr_storage *source);
/* This target is tried. */
void tunnel_note_target(struct tunnel_note *note, unsigned target);
/* Writes the line and frees the note. `end`: a word; `reason` NULL: there is none. The
 * bytes: from the front, and to it. */
void tunnel_note_end(struct tunnel_note *note, const struct tunnel *tunnel,
                     const char *end, const char *reason, uint64_t n_in, uint64_t n_out);

#endif
