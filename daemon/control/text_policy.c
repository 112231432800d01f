/* SPDX-License-Identifier: MIT */
/*
 * text_policy.c - bytes as text: which encoding, and where to cut.
 *
 * Called by cmd_streams.c and cmd_datagrams.c; calls proto. Thread: any.
 */
#include <config.h>
#include "daemon/control/text_policy.h"

#include "proto/error.h"
#include "proto/text.h"
#include "proto/writer.h"

enum text_policy text_policy_of(enum sock_format format)
{
    switch (format) {
    case SOCK_FORMAT_TEXT:
        return TEXT_UTF8;
    case SOCK_FORMAT_BINARY:
        return TEXT_BASE64;
    case SOCK_FORMAT_BIVALENT:
    case SOCK_FORMAT_MULTIVALENT:
        break;
    }
    return TEXT_UTF8_IF_VALID;
}

enum text_policy text_policy_forced(enum encoding encoding)
{
    switch (encoding) {
    case ENCODING_BASE64:
        return TEXT_BASE64;
    case ENCODING_LATIN1:
        return TEXT_LATIN1;
    case ENCODING_UTF8:
        break;
    }
    return TEXT_UTF8;
}

enum text_fit text_fit(enum text_policy policy, enum text_edge edge, const void *bytes,
                       size_t *size, enum encoding *encoding, struct error *error)
{
    bool is_split;

    *encoding = policy == TEXT_LATIN1 ? ENCODING_LATIN1 : ENCODING_BASE64;
    if (policy == TEXT_BASE64 || policy == TEXT_LATIN1) {
        return TEXT_FITS;
    }
    size_t prefix = text_utf8_prefix(bytes, *size, &is_split);

    if (prefix == *size || (is_split && prefix > 0 && edge != TEXT_WHOLE)) {
        *encoding = ENCODING_UTF8;
        *size = prefix;
        return TEXT_FITS;
    }
    if (is_split && edge == TEXT_OPEN) {
        return TEXT_WAITS;
    }
    if (policy == TEXT_UTF8_IF_VALID) {
        return TEXT_FITS;
    }
    error_set(error, ERROR_INVALID_ENCODING,
              is_split ? "byte %zu begins a character of UTF-8 that is cut off"
                       : "byte %zu is not UTF-8",
              prefix);
    return TEXT_BAD;
}

void text_write_encoding(struct writer *writer, enum result_id id, enum encoding encoding)
{
    static const char *const names[] = {
        [ENCODING_UTF8] = "utf-8",
        [ENCODING_BASE64] = "base64",
        [ENCODING_LATIN1] = "latin-1",
    };

    writer_result_text(writer, id, names[encoding]);
}

void text_write(struct writer *writer, enum result_id data, enum result_id encoding_id,
                enum encoding encoding, const void *bytes, size_t size)
{
    writer_result(writer, data);
    switch (encoding) {
    case ENCODING_UTF8:
        writer_string(writer, bytes, size);
        break;
    case ENCODING_BASE64:
        writer_base64(writer, bytes, size);
        break;
    case ENCODING_LATIN1:
        writer_latin1(writer, bytes, size);
        break;
    }
    text_write_encoding(writer, encoding_id, encoding);
}
