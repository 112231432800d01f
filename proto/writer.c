/* SPDX-License-Identifier: MIT */
/*
 * writer.c - JSON text, written straight into a growing buffer.
 *
 * Place: replies, errors and events of the daemon, requests of the library. No tree is
 * made and nothing is allocated but the buffer, whose owner may pass it on or keep it for
 * the next reply.
 *
 * Thread: the one that holds the writer.
 */
#include <config.h>

#include "proto/writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/text.h"

enum { FIRST_ROOM = 512, NUMBER_ROOM = 32 };

void writer_fini(struct writer *writer)
{
    free(writer->data);
    memset(writer, 0, sizeof(*writer));
}

static bool grow(struct writer *writer, size_t more)
{
    size_t room = writer->room ? writer->room : FIRST_ROOM;
    char *data;

    if (writer->failed || more > SIZE_MAX / 2 - writer->size) {
        writer->failed = true;
        return false;
    }
    while (room - writer->size < more)
        room *= 2;
    data = realloc(writer->data, room);
    if (!data) {
        writer->failed = true;
        return false;
    }
    writer->data = data;
    writer->room = room;
    return true;
}

/* Makes room for `more` bytes; false: there is none and nothing may be written. */
static inline bool reserve(struct writer *writer, size_t more)
{
    if (!writer->failed && writer->room - writer->size >= more)
        return true;
    return grow(writer, more);
}

static inline void put(struct writer *writer, char c)
{
    writer->data[writer->size++] = c;
}

static inline void put_bytes(struct writer *writer, const char *bytes, size_t size)
{
    memcpy(writer->data + writer->size, bytes, size);
    writer->size += size;
}

/* Room for a value of `size` bytes with the comma before it, which is written. */
static inline bool begin_value(struct writer *writer, size_t size)
{
    if (!reserve(writer, size + 1))
        return false;
    if (writer->needs_comma)
        put(writer, ',');
    writer->needs_comma = true;
    return true;
}

static void begin_nested(struct writer *writer, char c)
{
    if (!begin_value(writer, 1))
        return;
    put(writer, c);
    writer->needs_comma = false;
}

static void end_nested(struct writer *writer, char c)
{
    if (!reserve(writer, 1))
        return;
    put(writer, c);
    writer->needs_comma = true;
}

void writer_begin_object(struct writer *writer) { begin_nested(writer, '{'); }

void writer_end_object(struct writer *writer) { end_nested(writer, '}'); }

void writer_begin_array(struct writer *writer) { begin_nested(writer, '['); }

void writer_end_array(struct writer *writer) { end_nested(writer, ']'); }

void writer_key(struct writer *writer, const char *name)
{
    size_t size = strlen(name);

    if (!begin_value(writer, size + 3))
        return;
    put(writer, '"');
    put_bytes(writer, name, size);
    put_bytes(writer, "\":", 2);
    writer->needs_comma = false;
}

void writer_result(struct writer *writer, enum result_id id)
{
    size_t size;
    const char *key = table_result_key(id, &size);

    if (!begin_value(writer, size))
        return;
    put_bytes(writer, key, size);
    writer->needs_comma = false;
}

void writer_raw(struct writer *writer, const char *text, size_t size, bool is_value)
{
    if (is_value ? !begin_value(writer, size) : !reserve(writer, size))
        return;
    if (size)
        put_bytes(writer, text, size);
}

void writer_null(struct writer *writer) { writer_raw(writer, "null", 4, true); }

void writer_bool(struct writer *writer, bool value)
{
    writer_raw(writer, value ? "true" : "false", value ? 4 : 5, true);
}

void writer_int(struct writer *writer, int64_t value)
{
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    char digits[NUMBER_ROOM];
    char *p = digits + sizeof(digits);

    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        *--p = '-';
    writer_raw(writer, p, (size_t)(digits + sizeof(digits) - p), true);
}

/* The shortest of the forms that read back as the same number. Not finite: null, JSON has
 * none. */
void writer_double(struct writer *writer, double value)
{
    char text[NUMBER_ROOM];
    int size = 0;
    char *comma;

    if (!isfinite(value)) {
        writer_null(writer);
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        double back;

        size = snprintf(text, sizeof(text), "%.*g", precision, value);
        back = strtod(text, NULL);
        if (back >= value && back <= value)
            break;
    }
    comma = strchr(text, ','); /* of the locale that the program runs in */
    if (comma)
        *comma = '.';
    writer_raw(writer, text, (size_t)size, true);
}

/* What each byte becomes inside of a string: 0 itself, 'u' \u00XX, else a letter after \.
 */
static const char escapes[256] = {
    [0x00] = 'u', [0x01] = 'u', [0x02] = 'u', [0x03] = 'u',  [0x04] = 'u', [0x05] = 'u',
    [0x06] = 'u', [0x07] = 'u', [0x08] = 'b', [0x09] = 't',  [0x0A] = 'n', [0x0B] = 'u',
    [0x0C] = 'f', [0x0D] = 'r', [0x0E] = 'u', [0x0F] = 'u',  [0x10] = 'u', [0x11] = 'u',
    [0x12] = 'u', [0x13] = 'u', [0x14] = 'u', [0x15] = 'u',  [0x16] = 'u', [0x17] = 'u',
    [0x18] = 'u', [0x19] = 'u', [0x1A] = 'u', [0x1B] = 'u',  [0x1C] = 'u', [0x1D] = 'u',
    [0x1E] = 'u', [0x1F] = 'u', ['"'] = '"',  ['\\'] = '\\',
};

static void put_escape(struct writer *writer, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";

    if (!reserve(writer, 6))
        return;
    put(writer, '\\');
    if (escapes[c] != 'u') {
        put(writer, escapes[c]);
        return;
    }
    put_bytes(writer, "u00", 3);
    put(writer, hex[c >> 4]);
    put(writer, hex[c & 15]);
}

/* The inside of a string. */
static void put_escaped(struct writer *writer, const char *text, size_t size)
{
    for (;;) {
        size_t run = text_plain_run(text, size);

        if (!reserve(writer, run + 1))
            return;
        if (run)
            put_bytes(writer, text, run);
        if (run == size)
            return;
        put_escape(writer, (unsigned char)text[run]);
        text += run + 1;
        size -= run + 1;
    }
}

static void put_quote(struct writer *writer)
{
    if (reserve(writer, 1))
        put(writer, '"');
}

void writer_string(struct writer *writer, const char *text, size_t size)
{
    if (!begin_value(writer, size + 2))
        return;
    put(writer, '"');
    put_escaped(writer, text, size);
    put_quote(writer);
}

void writer_text(struct writer *writer, const char *text)
{
    if (text)
        writer_string(writer, text, strlen(text));
    else
        writer_null(writer);
}

void writer_base64(struct writer *writer, const void *bytes, size_t size)
{
    size_t encoded = text_base64_size(size);

    if (!begin_value(writer, encoded + 2))
        return;
    put(writer, '"');
    text_base64_encode(bytes, size, writer->data + writer->size);
    writer->size += encoded;
    put(writer, '"');
}

void writer_latin1(struct writer *writer, const void *bytes, size_t size)
{
    const unsigned char *in = bytes;
    size_t i = 0, begin = 0;

    if (!begin_value(writer, size + 2))
        return;
    put(writer, '"');
    while (i < size) {
        begin = i;
        while (i < size && in[i] < 0x80)
            i++;
        put_escaped(writer, (const char *)in + begin, i - begin);
        for (; i < size && in[i] >= 0x80; i++) {
            if (!reserve(writer, 2))
                return;
            put(writer, (char)(0xC0 | in[i] >> 6));
            put(writer, (char)(0x80 | (in[i] & 0x3F)));
        }
    }
    put_quote(writer);
}

void writer_foreign(struct writer *writer, const char *text, size_t size)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    bool is_cut;

    if (!begin_value(writer, size + 2))
        return;
    put(writer, '"');
    for (;;) {
        size_t good = text_utf8_prefix(text, size, &is_cut);

        put_escaped(writer, text, good);
        if (good == size)
            break;
        if (!reserve(writer, sizeof(replacement)))
            return;
        put_bytes(writer, replacement, sizeof(replacement) - 1);
        text += good + 1;
        size -= good + 1;
    }
    put_quote(writer);
}

static void write_object(struct writer *writer, const json_t *json)
{
    /* Jansson's iterators want a tree that may change; nothing changes here. */
    json_t *object = (json_t *)(uintptr_t)json;

    writer_begin_object(writer);
    for (void *at = json_object_iter(object); at;
         at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at);

        writer_string(writer, key, strlen(key));
        writer_raw(writer, ":", 1, false);
        writer->needs_comma = false;
        writer_json(writer, json_object_iter_value(at));
    }
    writer_end_object(writer);
}

void writer_json(struct writer *writer, const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        write_object(writer, json);
        break;
    case JSON_ARRAY:
        writer_begin_array(writer);
        for (size_t i = 0; i < json_array_size(json); i++)
            writer_json(writer, json_array_get(json, i));
        writer_end_array(writer);
        break;
    case JSON_STRING:
        writer_string(writer, json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        writer_int(writer, json_integer_value(json));
        break;
    case JSON_REAL:
        writer_double(writer, json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        writer_bool(writer, json_is_true(json));
        break;
    case JSON_NULL:
        writer_null(writer);
        break;
    }
}

void writer_result_null(struct writer *writer, enum result_id id)
{
    writer_result(writer, id);
    writer_null(writer);
}

void writer_result_bool(struct writer *writer, enum result_id id, bool value)
{
    writer_result(writer, id);
    writer_bool(writer, value);
}

void writer_result_int(struct writer *writer, enum result_id id, int64_t value)
{
    writer_result(writer, id);
    writer_int(writer, value);
}

void writer_result_double(struct writer *writer, enum result_id id, double value)
{
    writer_result(writer, id);
    writer_double(writer, value);
}

void writer_result_text(struct writer *writer, enum result_id id, const char *text)
{
    writer_result(writer, id);
    writer_text(writer, text);
}
