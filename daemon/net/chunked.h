/* SPDX-License-Identifier: MIT */
/*
 * chunked.h - the chunked transfer coding of HTTP/1.1 (RFC 9112 section 7.1), both ways.
 *
 * No I/O. The decoder takes its input in any pieces; chunk extensions are skipped,
 * trailer fields are kept within bounds. It is strict where a lax reader would be open to
 * request smuggling: lines end in CR LF and nothing else.
 *
 * Used by stream.c. Thread: that of the owner.
 */
#ifndef SOCKD_NET_CHUNKED_H
#define SOCKD_NET_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "daemon/base/buffer.h"

enum {
    CHUNKED_MAX_LINE = 4096,     /* bytes of a chunk's size with its extensions */
    CHUNKED_MAX_TRAILERS = 8192, /* bytes of all trailer fields */
    CHUNKED_MAX_FIELDS = 64,
    CHUNKED_HEADER_SIZE = 20, /* of a chunk: 16 digits, CR, LF, and some */
};

/* Trailer fields as they came, optional white space around the values taken off. */
struct chunked_trailers {
    struct buffer text; /* name NUL value NUL, for each field */
    unsigned n;
};

/* Walks the fields: `*at` begins at 0. False: no more. The texts end in NUL and live as
 * long as the trailers. */
bool chunked_trailer_next(const struct chunked_trailers *trailers, size_t *at,
                          const char **name, const char **value);
/* NULL: no-op. */
void chunked_trailers_free(struct chunked_trailers *trailers);

enum chunked_state {
    CHUNKED_SIZE, /* the digits of a size */
    CHUNKED_BLANK,
    CHUNKED_EXTENSION,
    CHUNKED_QUOTED,
    CHUNKED_ESCAPED,
    CHUNKED_SIZE_LF,
    CHUNKED_DATA,
    CHUNKED_DATA_CR,
    CHUNKED_DATA_LF,
    CHUNKED_TRAILER, /* the beginning of a trailer line, or of the empty one */
    CHUNKED_TRAILER_NAME,
    CHUNKED_TRAILER_VALUE,
    CHUNKED_TRAILER_LF,
    CHUNKED_LAST_LF,
    CHUNKED_DONE,
    CHUNKED_BROKEN,
};

/* Owner: whoever embeds it; all zero is one at the beginning of a body. */
struct chunked_decoder {
    enum chunked_state state;
    bool has_digit;
    uint64_t left;      /* the size being read, then what is left of the chunk's data */
    size_t line;        /* bytes of the line so far; in trailers: of all trailers */
    struct buffer text; /* the trailers so far */
    unsigned n_fields;
    const char *fault; /* what broke it; static */
};

/*
 * Decodes in place: the body bytes among `bytes[0..size)` are moved to its front, *n_body
 * of them; *n_used input bytes are done with (all, unless the body ended or broke before:
 * what follows is not touched). True: go on, or done (state DONE). False: broken for
 * good, with `fault`; the body bytes before the fault are there.
 */
bool chunked_decode(struct chunked_decoder *decoder, uint8_t *bytes, size_t size,
                    size_t *n_body, size_t *n_used);

/* After DONE, once: the trailer fields, even when there were none. The caller owns them.
 */
struct chunked_trailers *chunked_take_trailers(struct chunked_decoder *decoder);

void chunked_decoder_fini(struct chunked_decoder *decoder);

/* The line before a chunk's data; its size. The data is followed by CHUNKED_TAIL. */
size_t chunked_header(char out[CHUNKED_HEADER_SIZE], size_t size);

#define CHUNKED_TAIL "\r\n"
#define CHUNKED_LAST "0\r\n\r\n"

#endif
