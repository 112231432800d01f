/* SPDX-License-Identifier: MIT */
/*
 * text.h - bytes as text and back: UTF-8 (RFC 3629), base64 (RFC 4648 section 4), ISO
 * 8859-1. Pure functions.
 */
#ifndef SOCKD_PROTO_TEXT_H
#define SOCKD_PROTO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of the longest prefix that is whole, valid UTF-8. *is_cut tells whether what
 * follows is the beginning of a character that is cut off by the end (and not an error).
 */
size_t text_utf8_prefix(const void *bytes, size_t size, bool *is_cut);
bool text_is_utf8(const void *bytes, size_t size);

/* How many bytes from here on stand for themselves in a JSON string: all but control
 * bytes, quotes and backslashes. */
size_t text_plain_run(const char *text, size_t size);

/* Characters encoded as base64: 4 for each 3 bytes begun. */
size_t text_base64_size(size_t n_bytes);
void text_base64_encode(const void *bytes, size_t size, char *out);
/* Strict: padded, no white space. Bytes written (at most size / 4 * 3), or -1. */
ptrdiff_t text_base64_decode(const char *text, size_t size, void *out);

/* UTF-8 to ISO 8859-1: bytes written (at most size), or -1 at a character above U+00FF.
 */
ptrdiff_t text_latin1_encode(const char *text, size_t size, void *out);

#endif
