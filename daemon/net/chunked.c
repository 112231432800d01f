/* SPDX-License-Identifier: MIT */
/*
 * chunked.c - the chunked transfer coding of HTTP/1.1: a state machine over single bytes,
 * with the data of chunks moved as a whole.
 *
 * Called by stream.c; calls buffer.c and check.c only. Thread: that of the owner.
 */
#include <config.h>
#include "daemon/net/chunked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"

enum { CR = 13, LF = 10, TAB = 9, DELETE = 127 };

static bool broken(struct chunked_decoder *decoder, const char *fault)
{
    decoder->state = CHUNKED_BROKEN;
    decoder->fault = fault;
    return false;
}

static int digit_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    if (byte >= 'A' && byte <= 'F') {
        return byte - 'A' + 10;
    }
    return -1;
}

static bool is_blank(uint8_t byte) { return byte == ' ' || byte == TAB; }

static bool is_control(uint8_t byte)
{
    return (byte < ' ' && byte != TAB) || byte == DELETE;
}

/* RFC 9110 section 5.6.2. */
static bool is_token(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') ||
           (byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

/* ---- The line of a size ---- */

static bool step_size(struct chunked_decoder *decoder, uint8_t byte)
{
    int digit = digit_value(byte);

    if (digit >= 0) {
        if (decoder->left > (uint64_t)(INT64_MAX >> 4)) {
            return broken(decoder, "the size of a chunk is too large");
        }
        decoder->left = decoder->left << 4 | (unsigned)digit;
        decoder->has_digit = true;
    } else if (!decoder->has_digit) {
        return broken(decoder,
                      "a chunk does not begin with its size in hexadecimal digits");
    } else if (byte == CR) {
        decoder->state = CHUNKED_SIZE_LF;
    } else if (byte == ';') {
        decoder->state = CHUNKED_EXTENSION;
    } else if (is_blank(byte)) {
        decoder->state = CHUNKED_BLANK;
    } else if (byte == LF) {
        return broken(decoder, "the size of a chunk ends in LF without CR");
    } else {
        return broken(decoder,
                      "the size of a chunk has a byte that is no hexadecimal digit");
    }
    return true;
}

/* White space between the size and what follows. */
static bool step_blank(struct chunked_decoder *decoder, uint8_t byte)
{
    if (byte == ';') {
        decoder->state = CHUNKED_EXTENSION;
    } else if (byte == CR) {
        decoder->state = CHUNKED_SIZE_LF;
    } else if (!is_blank(byte)) {
        return broken(decoder, "white space inside the size of a chunk");
    }
    return true;
}

static bool step_extension(struct chunked_decoder *decoder, uint8_t byte)
{
    if (byte == CR) {
        if (decoder->state != CHUNKED_EXTENSION) {
            return broken(decoder, "a chunk extension has a quote that is not closed");
        }
        decoder->state = CHUNKED_SIZE_LF;
    } else if (is_control(byte)) {
        return broken(decoder, "a chunk extension has a control byte");
    } else if (decoder->state == CHUNKED_ESCAPED) {
        decoder->state = CHUNKED_QUOTED;
    } else if (byte == '"') {
        decoder->state =
            decoder->state == CHUNKED_QUOTED ? CHUNKED_EXTENSION : CHUNKED_QUOTED;
    } else if (byte == '\\' && decoder->state == CHUNKED_QUOTED) {
        decoder->state = CHUNKED_ESCAPED;
    }
    return true;
}

static bool step_size_lf(struct chunked_decoder *decoder, uint8_t byte)
{
    if (byte != LF) {
        return broken(decoder, "the CR behind the size of a chunk has no LF");
    }
    decoder->line = 0;
    decoder->has_digit = false;
    decoder->state = decoder->left > 0 ? CHUNKED_DATA : CHUNKED_TRAILER;
    return true;
}

/* ---- Trailers ---- */

static void keep(struct chunked_decoder *decoder, uint8_t byte)
{
    buffer_add(&decoder->text, &byte, 1);
}

/* The value is complete: white space at its end goes. */
static void end_value(struct chunked_decoder *decoder)
{
    struct buffer *text = &decoder->text;

    while (text->size > 0 && is_blank(text->memory[text->start + text->size - 1])) {
        text->size--;
    }
    keep(decoder, '\0');
}

static bool step_trailer(struct chunked_decoder *decoder, uint8_t byte)
{
    if (byte == CR) {
        decoder->state = CHUNKED_LAST_LF;
        return true;
    }
    if (!is_token(byte)) {
        return broken(decoder, "a trailer line does not begin with a field name");
    }
    if (decoder->n_fields == CHUNKED_MAX_FIELDS) {
        return broken(decoder, "there are too many trailer fields");
    }
    decoder->n_fields++;
    decoder->state = CHUNKED_TRAILER_NAME;
    keep(decoder, byte);
    return true;
}

static bool step_trailer_name(struct chunked_decoder *decoder, uint8_t byte)
{
    if (byte == ':') {
        decoder->state = CHUNKED_TRAILER_VALUE;
        keep(decoder, '\0');
        return true;
    }
    if (!is_token(byte)) {
        return broken(decoder,
                      "the name of a trailer field has a byte that is not allowed");
    }
    keep(decoder, byte);
    return true;
}

static bool step_trailer_value(struct chunked_decoder *decoder, uint8_t byte)
{
    const struct buffer *text = &decoder->text;

    if (byte == CR) {
        decoder->state = CHUNKED_TRAILER_LF;
        end_value(decoder);
        return true;
    }
    if (is_control(byte)) {
        return broken(decoder, "the value of a trailer field has a control byte");
    }
    bool is_leading =
        is_blank(byte) && text->memory[text->start + text->size - 1] == '\0';
    if (!is_leading) {
        keep(decoder, byte);
    }
    return true;
}

/* ---- All of it ---- */

static bool is_trailer_state(enum chunked_state state)
{
    return state >= CHUNKED_TRAILER && state <= CHUNKED_LAST_LF;
}

static bool step(struct chunked_decoder *decoder, uint8_t byte)
{
    bool is_trailer = is_trailer_state(decoder->state);

    if (++decoder->line > (is_trailer ? CHUNKED_MAX_TRAILERS : CHUNKED_MAX_LINE)) {
        return broken(decoder, is_trailer ? "the trailer fields are too long"
                                          : "the extensions of a chunk are too long");
    }
    switch (decoder->state) {
    case CHUNKED_SIZE:
        return step_size(decoder, byte);
    case CHUNKED_BLANK:
        return step_blank(decoder, byte);
    case CHUNKED_EXTENSION:
    case CHUNKED_QUOTED:
    case CHUNKED_ESCAPED:
        return step_extension(decoder, byte);
    case CHUNKED_SIZE_LF:
        return step_size_lf(decoder, byte);
    case CHUNKED_DATA_CR:
        decoder->state = CHUNKED_DATA_LF;
        return byte == CR ||
               broken(decoder, "the data of a chunk has no CR LF behind it");
    case CHUNKED_DATA_LF:
        decoder->state = CHUNKED_SIZE;
        decoder->line = 0;
        return byte == LF ||
               broken(decoder, "the data of a chunk has no CR LF behind it");
    case CHUNKED_TRAILER:
        return step_trailer(decoder, byte);
    case CHUNKED_TRAILER_NAME:
        return step_trailer_name(decoder, byte);
    case CHUNKED_TRAILER_VALUE:
        return step_trailer_value(decoder, byte);
    case CHUNKED_TRAILER_LF:
        decoder->state = CHUNKED_TRAILER;
        return byte == LF || broken(decoder, "the CR behind a trailer field has no LF");
    case CHUNKED_LAST_LF:
        decoder->state = CHUNKED_DONE;
        return byte == LF ||
               broken(decoder, "the CR behind the trailer fields has no LF");
    case CHUNKED_DATA:
    case CHUNKED_DONE:
    case CHUNKED_BROKEN:
        break;
    }
    CHECK(false);
    return false;
}

bool chunked_decode(struct chunked_decoder *decoder, uint8_t *bytes, size_t size,
                    size_t *n_body, size_t *n_used)
{
    size_t at = 0, body = 0;
    bool is_well = decoder->state != CHUNKED_BROKEN;

    while (is_well && at < size && decoder->state != CHUNKED_DONE) {
        if (decoder->state != CHUNKED_DATA) {
            is_well = step(decoder, bytes[at]);
            at += is_well ? 1 : 0;
            continue;
        }
        size_t n = size - at;
        if (n > decoder->left) {
            n = (size_t)decoder->left;
        }
        memmove(bytes + body, bytes + at, n);
        body += n;
        at += n;
        decoder->left -= n;
        if (decoder->left == 0) {
            decoder->state = CHUNKED_DATA_CR;
            decoder->line = 0;
        }
    }
    *n_body = body;
    *n_used = at;
    return is_well;
}

struct chunked_trailers *chunked_take_trailers(struct chunked_decoder *decoder)
{
    struct chunked_trailers *trailers = MEM_NEW(struct chunked_trailers);

    CHECK(decoder->state == CHUNKED_DONE);
    trailers->text = decoder->text;
    trailers->n = decoder->n_fields;
    decoder->text = (struct buffer){0};
    decoder->n_fields = 0;
    return trailers;
}

void chunked_decoder_fini(struct chunked_decoder *decoder)
{
    buffer_fini(&decoder->text);
    *decoder = (struct chunked_decoder){0};
}

bool chunked_trailer_next(const struct chunked_trailers *trailers, size_t *at,
                          const char **name, const char **value)
{
    const char *text = (const char *)buffer_bytes(&trailers->text);

    if (*at >= trailers->text.size) {
        return false;
    }
    *name = text + *at;
    *value = *name + strlen(*name) + 1;
    *at = (size_t)(*value - text) + strlen(*value) + 1;
    return true;
}

void chunked_trailers_free(struct chunked_trailers *trailers)
{
    if (trailers != NULL) {
        buffer_fini(&trailers->text);
        free(trailers);
    }
}

size_t chunked_header(char out[CHUNKED_HEADER_SIZE], size_t size)
{
    int n = snprintf(out, CHUNKED_HEADER_SIZE, "%zx\r\n", size);

    CHECK(n > 0 && n < CHUNKED_HEADER_SIZE);
    return (size_t)n;
}
