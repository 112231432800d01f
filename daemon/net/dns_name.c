/* SPDX-License-Identifier: MIT */
/*
 * dns_name.c - domain names between text, wire and messages.
 *
 * Used by everything that begins with dns_; calls nothing. Thread: any.
 */
#include <config.h>
#include "daemon/net/dns_name.h"
#include <stdio.h>
#include <string.h>
#include "proto/value.h"

enum { LABEL_MAX = 63, POINTER = 0xc0, JUMPS_MAX = 64 };

/* ---- Text to name ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* One character of a label, with its escape taken off. False: an escape that is none, or
 * a byte that people must write as one. */
static bool read_character(const char *text, size_t size, size_t *at, uint8_t *out)
{
    char c = text[(*at)++];

    if (c != '\\') {
        *out = (uint8_t)c;
        return c > ' ' && c < 0x7f;
    }
    if (*at == size) {
        return false;
    }
    if (!is_digit(text[*at])) {
        *out = (uint8_t)text[(*at)++];
        return *out >= ' ' && *out < 0x7f;
    }
    if (size - *at < 3 || !is_digit(text[*at + 1]) || !is_digit(text[*at + 2])) {
        return false;
    }
    int number =
        (text[*at] - '0') * 100 + (text[*at + 1] - '0') * 10 + text[*at + 2] - '0';
    *at += 3;
    *out = (uint8_t)number;
    return number <= UINT8_MAX;
}

bool dns_name_parse(struct dns_name *name, const char *text, size_t size)
{
    uint8_t wire[DNS_NAME_MAX];
    size_t n = 0, at = 0;

    if (size == 0) {
        return false;
    }
    at = size == 1 && text[0] == '.' ? 1 : 0;
    while (at < size) {
        size_t length_at = n++, length = 0;
        while (at < size && text[at] != '.') {
            if (length == LABEL_MAX || n >= DNS_NAME_MAX - 1 ||
                !read_character(text, size, &at, &wire[n])) {
                return false;
            }
            n++;
            length++;
        }
        if (length == 0) {
            return false;
        }
        wire[length_at] = (uint8_t)length;
        at++; /* the dot, or past the end */
        if (at < size && n >= DNS_NAME_MAX - 2) {
            return false;
        }
    }
    wire[n++] = 0;
    memcpy(name->wire, wire, n);
    name->size = (uint8_t)n;
    return true;
}

/* ---- Name to text ---- */

static size_t put_character(char *text, uint8_t c)
{
    if (c > ' ' && c < 0x7f) {
        size_t n = 0;
        if (c == '.' || c == '\\') {
            text[n++] = '\\';
        }
        text[n++] = (char)c;
        return n;
    }
    text[0] = '\\';
    text[1] = (char)('0' + c / 100);
    text[2] = (char)('0' + c / 10 % 10);
    text[3] = (char)('0' + c % 10);
    return 4;
}

void dns_name_format(const struct dns_name *name, char text[DNS_TEXT_SIZE])
{
    size_t n = 0;

    for (size_t at = 0; at < name->size && name->wire[at] != 0;) {
        size_t end = at + 1 + name->wire[at];
        if (n > 0) {
            text[n++] = '.';
        }
        for (at++; at < end; at++) {
            n += put_character(text + n, name->wire[at]);
        }
    }
    if (n == 0) {
        text[n++] = '.';
    }
    text[n] = '\0';
}

/* ---- Messages ---- */

bool dns_name_read(struct dns_name *name, const uint8_t *message, size_t size, size_t *at)
{
    size_t here = *at, first = *at; /* `first`: where this piece of the name begins */
    size_t n = 0;
    unsigned n_jumps = 0;

    for (;;) {
        if (here >= size) {
            return false;
        }
        uint8_t length = message[here];
        if ((length & POINTER) == POINTER) {
            if (here + 1 >= size || n_jumps == JUMPS_MAX) {
                return false;
            }
            size_t target = (size_t)(length & ~POINTER) << 8 | message[here + 1];
            if (n_jumps++ == 0) {
                *at = here + 2;
            }
            if (target >= first) {
                return false;
            }
            first = here = target;
            continue;
        }
        if (length > LABEL_MAX || n + 1 + length > DNS_NAME_MAX ||
            here + 1 + length > size) {
            return false;
        }
        memcpy(name->wire + n, message + here, (size_t)length + 1);
        n += (size_t)length + 1;
        here += (size_t)length + 1;
        if (length == 0) {
            break;
        }
    }
    name->size = (uint8_t)n;
    if (n_jumps == 0) {
        *at = here;
    }
    return true;
}

/* ---- Comparing and joining ---- */

/* Lengths of labels are below the letters, so they pass unchanged. */
static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; }

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
    if (a->size != b->size) {
        return false;
    }
    for (unsigned i = 0; i < a->size; i++) {
        if (lower(a->wire[i]) != lower(b->wire[i])) {
            return false;
        }
    }
    return true;
}

void dns_name_lower(struct dns_name *name)
{
    for (unsigned i = 0; i < name->size; i++) {
        name->wire[i] = lower(name->wire[i]);
    }
}

unsigned dns_name_n_labels(const struct dns_name *name)
{
    unsigned n = 0;

    for (unsigned at = 0; at < name->size && name->wire[at] != 0;
         at += 1u + name->wire[at]) {
        n++;
    }
    return n;
}

bool dns_name_append(struct dns_name *name, const struct dns_name *suffix)
{
    size_t n = name->size > 0 ? name->size - 1u : 0;

    if (n + suffix->size > DNS_NAME_MAX) {
        return false;
    }
    memcpy(name->wire + n, suffix->wire, suffix->size);
    name->size = (uint8_t)(n + suffix->size);
    return true;
}

/* ---- Addresses ---- */

void dns_name_of_address(struct dns_name *name, const struct value_ip *ip)
{
    static const char hex[] = "0123456789abcdef";
    static const uint8_t ipv4_end[] = "\007in-addr\004arpa";
    static const uint8_t ipv6_end[] = "\003ip6\004arpa";
    size_t n = 0;

    if (ip->is_ipv6) {
        for (int i = 15; i >= 0; i--) {
            const uint8_t nibbles[4] = {1, (uint8_t)hex[ip->bytes[i] & 15], 1,
                                        (uint8_t)hex[ip->bytes[i] >> 4]};
            memcpy(name->wire + n, nibbles, sizeof nibbles);
            n += sizeof nibbles;
        }
        memcpy(name->wire + n, ipv6_end, sizeof ipv6_end);
        name->size = (uint8_t)(n + sizeof ipv6_end);
        return;
    }
    for (int i = 3; i >= 0; i--) {
        char number[4];
        int length = snprintf(number, sizeof number, "%u", ip->bytes[i]);
        name->wire[n++] = (uint8_t)length;
        memcpy(name->wire + n, number, (size_t)length);
        n += (size_t)length;
    }
    memcpy(name->wire + n, ipv4_end, sizeof ipv4_end);
    name->size = (uint8_t)(n + sizeof ipv4_end);
}

/* ---- What kind of name ---- */

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool dns_name_is_host(const struct dns_name *name)
{
    if (name->size < 2) {
        return false;
    }
    for (unsigned at = 0; name->wire[at] != 0;) {
        unsigned end = at + 1u + name->wire[at];
        if (name->wire[at + 1] == '-') {
            return false;
        }
        for (at++; at < end; at++) {
            uint8_t c = name->wire[at];
            if (!is_letter(c) && !is_digit((char)c) && c != '-' && c != '_') {
                return false;
            }
        }
    }
    return true;
}

/* Whether the name is `end` (in lower case, with the root) or below it. */
static bool ends_with(const struct dns_name *name, const char *end, unsigned end_size)
{
    unsigned at = 0;

    while (name->size - at > end_size && name->wire[at] != 0) {
        at += 1u + name->wire[at];
    }
    if (name->size - at != end_size) {
        return false;
    }
    for (unsigned i = 0; i < end_size; i++) {
        if (lower(name->wire[at + i]) != (uint8_t)end[i]) {
            return false;
        }
    }
    return true;
}

#define ENDS_WITH(NAME, END) ends_with(NAME, END, sizeof(END))

/* "1.2.3.4.5" and "127.0.0.0x1": the last label is a number. */
static bool ends_in_number(const struct dns_name *name)
{
    unsigned at = 0, last = 0;

    while (name->wire[at] != 0) {
        last = at;
        at += 1u + name->wire[at];
    }
    unsigned length = name->wire[last];
    const uint8_t *label = name->wire + last + 1;
    bool is_hex = length > 2 && label[0] == '0' && lower(label[1]) == 'x';

    for (unsigned i = is_hex ? 2 : 0; i < length; i++) {
        bool is_hex_letter = lower(label[i]) >= 'a' && lower(label[i]) <= 'f';
        if (!is_digit((char)label[i]) && !(is_hex && is_hex_letter)) {
            return false;
        }
    }
    return length > 0;
}

/* Which of the loopback addresses does not matter: 127.0.0.0/8 is this machine, too. */
static bool is_loopback(const struct dns_name *name)
{
    static const struct value_ip ipv6 = {.is_ipv6 = true, .bytes[15] = 1};
    struct dns_name loopback;

    dns_name_of_address(&loopback, &ipv6);
    return dns_name_equal(name, &loopback) ||
           ENDS_WITH(name, "\003127\007in-addr\004arpa");
}

enum dns_kind dns_name_kind(const struct dns_name *name)
{
    if (ENDS_WITH(name, "\011localhost")) {
        return DNS_KIND_LOCALHOST;
    }
    if (ENDS_WITH(name, "\004arpa") && is_loopback(name)) {
        return DNS_KIND_LOOPBACK;
    }
    if (ENDS_WITH(name, "\007invalid") || ENDS_WITH(name, "\005onion") ||
        ends_in_number(name)) {
        return DNS_KIND_NOWHERE;
    }
    return DNS_KIND_ORDINARY;
}
