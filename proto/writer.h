/* SPDX-License-Identifier: MIT */
/*
 * writer.h - JSON text written straight into a growing buffer, without a tree.
 *
 * Commas are placed by the writer; the caller nests begin and end calls correctly and
 * writes a key before each member of an object. Keys that come from the table are written
 * ready-made.
 */
#ifndef SOCKD_PROTO_WRITER_H
#define SOCKD_PROTO_WRITER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/table.h"

struct value_ip;

/* Owner: whoever embeds it. All zero is an empty writer. */
struct writer {
    char *data;
    size_t size, room; /* bytes written, bytes allocated */
    bool needs_comma;  /* a value was written at this level */
    bool failed;       /* out of memory: nothing more is written */
};

void writer_fini(struct writer *writer);

void writer_begin_object(struct writer *writer);
void writer_end_object(struct writer *writer);
void writer_begin_array(struct writer *writer);
void writer_end_array(struct writer *writer);
void writer_key(struct writer *writer, const char *name);     /* plain ASCII names only */
void writer_result(struct writer *writer, enum result_id id); /* key of a table row */

void writer_null(struct writer *writer);
void writer_bool(struct writer *writer, bool value);
void writer_int(struct writer *writer, int64_t value);
void writer_double(struct writer *writer, double value);
/* Valid UTF-8 of `size` bytes, escaped as needed (control bytes, NUL too). */
void writer_string(struct writer *writer, const char *text, size_t size);
void writer_text(struct writer *writer,
                 const char *text); /* NUL-terminated; NULL writes null */
void writer_base64(struct writer *writer, const void *bytes, size_t size);
void writer_latin1(struct writer *writer, const void *bytes,
                   size_t size); /* as a UTF-8 string */
/* Bytes that should be UTF-8 but come from outside (file names): bad ones become U+FFFD.
 */
void writer_foreign(struct writer *writer, const char *text, size_t size);
/* Any value, compact. It calls itself for each level: of trees whose depth is bounded. */
void writer_json(struct writer *writer, const json_t *json);

/* Puts bytes in as they are; counts as one value when `is_value`. */
void writer_raw(struct writer *writer, const char *text, size_t size, bool is_value);

/* Shorthands: key and value. */
void writer_result_null(struct writer *writer, enum result_id id);
void writer_result_bool(struct writer *writer, enum result_id id, bool value);
void writer_result_int(struct writer *writer, enum result_id id, int64_t value);
void writer_result_double(struct writer *writer, enum result_id id, double value);
void writer_result_text(struct writer *writer, enum result_id id, const char *text);

#endif
