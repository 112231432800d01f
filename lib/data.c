/* SPDX-License-Identifier: MIT */
/*
 * data.c - bytes and texts out of results, into the buffer of the caller.
 *
 * Place: used by the files of operations. Thread: any.
 */
#include <config.h>

#include "lib/internal.h"

#include <stdlib.h>
#include <string.h>
#include "proto/text.h"

/* Bytes that a base64 text stands for. */
static size_t decoded_size(const char *text, size_t size)
{
    size_t n = size / 4 * 3;

    if (size && text[size - 1] == '=')
        n -= size > 1 && text[size - 2] == '=' ? 2 : 1;
    return n;
}

int data_out(const json_t *json, const char *member, void *buffer, size_t room,
             size_t *size, struct sockd_error *error)
{
    const json_t *data = json_object_get(json, member);
    const char *encoding = json_string_value(json_object_get(json, "encoding"));
    const char *text = json_string_value(data);
    size_t text_size = json_string_length(data);
    ptrdiff_t n = -1;

    if (!text || !encoding)
        return fail(error, SOCKD_E_BAD_REPLY, "the result has no data");
    if (strcmp(encoding, "base64") == 0) {
        if (decoded_size(text, text_size) <= room)
            n = text_base64_decode(text, text_size, buffer);
    } else if (strcmp(encoding, "utf-8") == 0 && text_size <= room) {
        if (text_size)
            memcpy(buffer, text, text_size);
        n = (ptrdiff_t)text_size;
    }
    if (n < 0)
        return fail(error, SOCKD_E_BAD_REPLY, "the data of the result can't be decoded");
    *size = (size_t)n;
    return SOCKD_OK;
}

int text_out(const json_t *json, const char *member, char *to, size_t size,
             struct sockd_error *error)
{
    const char *text = json_string_value(json_object_get(json, member));

    if (!to)
        return SOCKD_OK;
    if (!text)
        text = "";
    if (strlen(text) >= size)
        return fail_parameter(error, "size", "large enough for the text");
    memcpy(to, text, strlen(text) + 1);
    return SOCKD_OK;
}
