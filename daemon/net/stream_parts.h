/* SPDX-License-Identifier: MIT */
/*
 * stream_parts.h - what the files of the stream module share: stream.c (life),
 * stream_input.c, stream_output.c. Nobody else includes it.
 */
#ifndef SOCKD_NET_STREAM_PARTS_H
#define SOCKD_NET_STREAM_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include "daemon/net/stream.h"

/* Input: forgets what waits to be read, and the decoder. */
void stream_drop_input(struct stream *stream);
/* Reads and discards what the kernel has: an orderly close is none with unread input, the
 * kernel then resets the connection and drops its own send queue. */
void stream_drain(struct sock *sock);

/* Output: sends what waits, then the end if that was asked for. `current`: the write_op
 * that is just being served, NULL: none. */
void stream_pump(struct sock *sock, const struct op *current);
/* Moves what is held back on its way: one chunk, when output is chunked. */
void stream_flush(struct stream *stream);

#endif
