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

/* Output: sends what waits, then the end if that was asked for. `current`: the write_op
 * that is just being served, NULL: none. */
void stream_pump(struct sock *sock, const struct op *current);
/* Moves what is held back on its way: one chunk, when output is chunked. */
void stream_flush(struct stream *stream);
/* Nothing waits any more between the stream and the kernel, but what is held back. */
bool stream_is_sent(const struct sock *sock);

/* The error behind a fault of the transport. */
void stream_explain(const struct sock *sock, const struct transport_fault *fault,
                    const char *action, struct error *error);

#endif
