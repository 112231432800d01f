/* SPDX-License-Identifier: MIT */
/*
 * text_policy.h - how bytes that were read become the text of a reply.
 *
 * The format of the socket says it: text is always UTF-8, binary always base64, bivalent
 * UTF-8 when the bytes are valid and base64 when not; `encoding` of the request forces
 * one. Pure, but for writing into the reply. Used by the commands that read. Thread: any.
 */
#ifndef SOCKD_CONTROL_TEXT_POLICY_H
#define SOCKD_CONTROL_TEXT_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include "daemon/net/sock.h"
#include "proto/params.h"
#include "proto/table.h"

struct error;
struct writer;

enum text_policy {
    TEXT_UTF8,          /* or an error */
    TEXT_UTF8_IF_VALID, /* else base64 */
    TEXT_BASE64,
    TEXT_LATIN1,
};

enum text_policy text_policy_of(enum sock_format format);
enum text_policy text_policy_forced(enum encoding encoding);

/* What comes behind the bytes. */
enum text_edge {
    TEXT_WHOLE, /* they are exactly what was asked for */
    TEXT_CUT,   /* more bytes are there, or there is no room for more */
    TEXT_OPEN,  /* more may come */
    TEXT_END,   /* nothing comes any more */
};

enum text_fit {
    TEXT_FITS,
    TEXT_WAITS, /* a single character that has not come whole */
    TEXT_BAD,   /* *error is invalid-encoding */
};

/* Decides how many of the bytes (*size, at least one) are answered, and how. A character
 * that is split at the edge is left for the next read. */
enum text_fit text_fit(enum text_policy policy, enum text_edge edge, const void *bytes,
                       size_t *size, enum encoding *encoding, struct error *error);

/* The members for the bytes and for their encoding. */
void text_write(struct writer *writer, enum result_id data, enum result_id encoding_id,
                enum encoding encoding, const void *bytes, size_t size);
/* That of the encoding alone. */
void text_write_encoding(struct writer *writer, enum result_id id,
                         enum encoding encoding);

#endif
