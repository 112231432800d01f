/* SPDX-License-Identifier: MIT */
/*
 * nameserver_wire.c - RFC 1035 messages by hand.
 *
 * Place: nameserver.c calls it. Thread: any.
 */
#include <config.h>
#include "tests/nameserver_wire.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return 2;
}

static size_t put32(uint8_t *at, unsigned value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
    return 4;
}

static unsigned get16(const uint8_t *at) { return (unsigned)at[0] << 8 | at[1]; }

/* Letters as they are; no escapes, no compression. */
static size_t put_name(uint8_t *at, const char *name)
{
    size_t n = 0;

    while (*name) {
        size_t length = strcspn(name, ".");
        at[n++] = (uint8_t)length;
        memcpy(at + n, name, length);
        n += length;
        name += length + (name[length] == '.');
    }
    at[n++] = 0;
    return n;
}

bool ns_read(struct ns_question *question, const uint8_t *message, size_t size)
{
    size_t at = 12, n = 0;

    memset(question, 0, sizeof(*question));
    if (size < 12 || get16(message + 4) != 1) {
        return false;
    }
    question->id = get16(message);
    question->flags = get16(message + 2);
    while (at < size && message[at] != 0) {
        size_t length = message[at];
        if (length > 63 || at + 1 + length >= size ||
            n + length + 2 > sizeof(question->name)) {
            return false;
        }
        if (n > 0) {
            question->name[n++] = '.';
        }
        memcpy(question->name + n, message + at + 1, length);
        n += length;
        at += 1 + length;
    }
    if (at + 5 > size) {
        return false;
    }
    question->type = (int)get16(message + at + 1);
    question->has_edns = get16(message + 10) > 0;
    return true;
}

/* ---- Records ---- */

static bool put_soa(struct ns_record *record, const char *text)
{
    char mname[128], rname[128];
    unsigned minimum;

    if (sscanf(text, "%127s %127s %u", mname, rname, &minimum) != 3) {
        return false;
    }
    record->size = put_name(record->data, mname);
    record->size += put_name(record->data + record->size, rname);
    for (unsigned i = 1; i <= 4; i++) {
        record->size += put32(record->data + record->size, i);
    }
    record->size += put32(record->data + record->size, minimum);
    return true;
}

static bool put_numbers_and_name(struct ns_record *record, const char *text, int n)
{
    for (int i = 0; i < n; i++) {
        char *end;
        unsigned long number = strtoul(text, &end, 10);
        if (end == text || *end != ' ') {
            return false;
        }
        record->size += put16(record->data + record->size, (unsigned)number);
        text = end + 1;
    }
    record->size += put_name(record->data + record->size, text);
    return true;
}

/* Strings with blanks between them. */
static bool put_texts(struct ns_record *record, const char *text)
{
    do {
        size_t length = strcspn(text, " ");
        record->data[record->size++] = (uint8_t)length;
        memcpy(record->data + record->size, text, length);
        record->size += length;
        text += length + (text[length] == ' ');
    } while (*text);
    return true;
}

static bool put_caa(struct ns_record *record, const char *text)
{
    char tag[32], value[128];
    unsigned flags;

    if (sscanf(text, "%u %31s %127s", &flags, tag, value) != 3) {
        return false;
    }
    record->data[0] = (uint8_t)flags;
    record->data[1] = (uint8_t)strlen(tag);
    memcpy(record->data + 2, tag, strlen(tag));
    memcpy(record->data + 2 + strlen(tag), value, strlen(value));
    record->size = 2 + strlen(tag) + strlen(value);
    return true;
}

static bool put_hex(struct ns_record *record, const char *text)
{
    for (; text[0] && text[1]; text += 2) {
        char digits[3] = {text[0], text[1], 0};
        record->data[record->size++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return true;
}

static bool put_data(struct ns_record *record, const char *text)
{
    switch (record->type) {
    case 1:
        record->size = 4;
        return inet_pton(AF_INET, text, record->data) == 1;
    case 28:
        record->size = 16;
        return inet_pton(AF_INET6, text, record->data) == 1;
    case 2:
    case 5:
    case 12:
        record->size = put_name(record->data, text);
        return true;
    case 6:
        return put_soa(record, text);
    case 15:
        return put_numbers_and_name(record, text, 1);
    case 33:
        return put_numbers_and_name(record, text, 3);
    case 16:
        return put_texts(record, text);
    case 257:
        return put_caa(record, text);
    default:
        return put_hex(record, text);
    }
}

bool ns_add_record(struct ns_content *content, char section, const char *owner, int type,
                   unsigned ttl, const char *text)
{
    struct ns_record *record = &content->records[content->n_records];

    if (content->n_records == NS_RECORDS || strlen(text) >= NS_DATA / 2) {
        return false;
    }
    memset(record, 0, sizeof(*record));
    record->section = section;
    snprintf(record->owner, sizeof(record->owner), "%s", owner);
    record->type = type;
    record->ttl = ttl;
    if (!put_data(record, text)) {
        return false;
    }
    content->n_records++;
    return true;
}

/* ---- Answers ---- */

static size_t put_record(uint8_t *at, const struct ns_record *record)
{
    size_t n = put_name(at, record->owner);

    n += put16(at + n, (unsigned)record->type);
    n += put16(at + n, 1);
    n += put32(at + n, record->ttl);
    n += put16(at + n, (unsigned)record->size);
    memcpy(at + n, record->data, record->size);
    return n + record->size;
}

static size_t put_section(uint8_t *at, const struct ns_content *content, char section,
                          unsigned *n)
{
    size_t size = 0;

    *n = 0;
    for (unsigned i = 0; i < content->n_records; i++) {
        if (content->records[i].section == section) {
            size += put_record(at + size, &content->records[i]);
            ++*n;
        }
    }
    return size;
}

static size_t put_options(uint8_t *at)
{
    static const uint8_t options[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};

    memcpy(at, options, sizeof(options));
    return sizeof(options);
}

size_t ns_write(uint8_t *message, const struct ns_question *question,
                const struct ns_content *content)
{
    unsigned n, flags = 0x8480 | (question->flags & 0x0100);
    size_t size = 12;

    memset(message, 0, 12);
    put16(message, question->id);
    put16(message + 2,
          flags | (content->is_truncated ? 0x0200 : 0) | (unsigned)content->rcode);
    put16(message + 4, 1);
    size += put_name(message + size, question->name);
    size += put16(message + size, (unsigned)question->type);
    size += put16(message + size, 1);
    size += put_section(message + size, content, 'a', &n);
    put16(message + 6, n);
    size += put_section(message + size, content, 'u', &n);
    put16(message + 8, n);
    size += put_section(message + size, content, 'd', &n);
    if (content->has_edns) {
        size += put_options(message + size);
        n++;
    }
    put16(message + 10, n);
    return size;
}

/* The sections stand one behind the other, so only the last one can grow. */
static void count_one_more(uint8_t *message)
{
    put16(message + 10, get16(message + 10) + 1);
}

size_t ns_append_bad_pointer(uint8_t *message, size_t size)
{
    count_one_more(message);
    size_t n = put16(message + size, 0xc000 | (unsigned)size); /* at itself */

    n += put16(message + size + n, 1);
    n += put16(message + size + n, 1);
    n += put32(message + size + n, 600);
    n += put16(message + size + n, 4);
    n += put32(message + size + n, 0xcb007142);
    return size + n;
}

size_t ns_append_bad_length(uint8_t *message, size_t size)
{
    count_one_more(message);
    size_t n = put16(message + size, 0xc00c);

    n += put16(message + size + n, 1);
    n += put16(message + size + n, 1);
    n += put32(message + size + n, 600);
    n += put16(message + size + n, 4000);
    n += put32(message + size + n, 0xcb007142);
    return size + n;
}
