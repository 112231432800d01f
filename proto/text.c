/* SPDX-License-Identifier: MIT */
/*
 * text.c - bytes as text and back. Pure functions; see text.h.
 *
 * Most text is ASCII, so the checks look at eight bytes at a time as long as no high bit
 * is set.
 */
#include <config.h>

#include "proto/text.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* How many bytes from here on are ASCII, found in steps of eight. */
static size_t ascii_run(const unsigned char *bytes, size_t size)
{
    size_t i = 0;
    uint64_t word;

    while (size - i >= sizeof(word)) {
        memcpy(&word, bytes + i, sizeof(word));
        if (word & HIGH_BITS)
            return i +
                   (size_t)__builtin_ctzll(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
                                               ? word & HIGH_BITS
                                               : __builtin_bswap64(word & HIGH_BITS)) /
                       8;
        i += sizeof(word);
    }
    while (i < size && bytes[i] < 0x80)
        i++;
    return i;
}

/* Length of the character that begins with a byte above 0x7F, 0 when it is none, and the
 * range of its second byte: RFC 3629 section 4. It keeps out long forms, surrogates and
 * all above U+10FFFF. */
static unsigned utf8_length(unsigned char first, unsigned char *low, unsigned char *high)
{
    *low = 0x80;
    *high = 0xBF;
    if (first < 0xC2)
        return 0;
    if (first < 0xE0)
        return 2;
    if (first < 0xF0) {
        if (first == 0xE0)
            *low = 0xA0;
        if (first == 0xED)
            *high = 0x9F;
        return 3;
    }
    if (first == 0xF0)
        *low = 0x90;
    if (first == 0xF4)
        *high = 0x8F;
    return first <= 0xF4 ? 4 : 0;
}

size_t text_utf8_prefix(const void *bytes, size_t size, bool *is_cut)
{
    const unsigned char *text = bytes;
    size_t i = 0;

    *is_cut = false;
    for (;;) {
        unsigned char low, high;
        unsigned length, k;

        i += ascii_run(text + i, size - i);
        if (i == size)
            return i;
        length = utf8_length(text[i], &low, &high);
        for (k = 1; k < length && i + k < size; k++) {
            if (text[i + k] < low || text[i + k] > high)
                return i;
            low = 0x80;
            high = 0xBF;
        }
        if (k < length)
            *is_cut = true;
        if (k < length || length == 0)
            return i;
        i += length;
    }
}

bool text_is_utf8(const void *bytes, size_t size)
{
    bool is_cut;

    return text_utf8_prefix(bytes, size, &is_cut) == size;
}

#define EACH_BYTE(C) (UINT64_C(0x0101010101010101) * (C))

/* Whether one of eight bytes is a control byte, a quote or a backslash. The tests
 * subtract from every byte at once and look for a borrow in bytes without the high bit.
 */
static inline bool has_special(uint64_t word)
{
    uint64_t quote = word ^ EACH_BYTE('"'), backslash = word ^ EACH_BYTE('\\');
    uint64_t control = (word - EACH_BYTE(0x20)) & ~word;

    quote = (quote - EACH_BYTE(1)) & ~quote;
    backslash = (backslash - EACH_BYTE(1)) & ~backslash;
    return ((control | quote | backslash) & EACH_BYTE(0x80)) != 0;
}

size_t text_plain_run(const char *text, size_t size)
{
    size_t i = 0;
    uint64_t word;

    while (size - i >= sizeof(word)) {
        memcpy(&word, text + i, sizeof(word));
        if (has_special(word))
            break;
        i += sizeof(word);
    }
    while (i < size && (unsigned char)text[i] >= 0x20 && text[i] != '"' &&
           text[i] != '\\')
        i++;
    return i;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t text_base64_size(size_t n_bytes) { return (n_bytes + 2) / 3 * 4; }

void text_base64_encode(const void *bytes, size_t size, char *out)
{
    const unsigned char *in = bytes;
    uint32_t group;

    for (; size >= 3; size -= 3, in += 3, out += 4) {
        group = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        out[0] = base64_digits[group >> 18];
        out[1] = base64_digits[group >> 12 & 63];
        out[2] = base64_digits[group >> 6 & 63];
        out[3] = base64_digits[group & 63];
    }
    if (size == 0)
        return;
    group = (uint32_t)in[0] << 16 | (size == 2 ? (uint32_t)in[1] << 8 : 0);
    out[0] = base64_digits[group >> 18];
    out[1] = base64_digits[group >> 12 & 63];
    out[2] = size == 2 ? base64_digits[group >> 6 & 63] : '=';
    out[3] = '=';
}

/* Value of each digit plus one; 0: no digit. */
static const uint8_t base64_values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,
    ['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
    ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
    ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
    ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
    ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
    ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
    ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
    ['/'] = 64,
};

/* One group of four without padding. False: a character that is no digit. */
static bool decode_group(const unsigned char *in, uint32_t *group)
{
    uint32_t a = base64_values[in[0]], b = base64_values[in[1]];
    uint32_t c = base64_values[in[2]], d = base64_values[in[3]];

    if (a == 0 || b == 0 || c == 0 || d == 0)
        return false;
    *group = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
    return true;
}

ptrdiff_t text_base64_decode(const char *text, size_t size, void *out)
{
    const unsigned char *in = (const unsigned char *)text;
    unsigned char *begin = out, *to = out;
    unsigned char last[4];
    unsigned n_last = 3;
    uint32_t group;

    if (size % 4)
        return -1;
    if (size == 0)
        return 0;
    for (; size > 4; size -= 4, in += 4, to += 3) {
        if (!decode_group(in, &group))
            return -1;
        to[0] = (unsigned char)(group >> 16);
        to[1] = (unsigned char)(group >> 8);
        to[2] = (unsigned char)group;
    }
    /* The last group: padding counts as zero bits, and the bits it leaves over must be
     * zero, so that no two texts stand for the same bytes. */
    memcpy(last, in, sizeof(last));
    if (last[3] == '=') {
        n_last = last[2] == '=' ? 1 : 2;
        last[3] = 'A';
        if (n_last == 1)
            last[2] = 'A';
    }
    if (!decode_group(last, &group) ||
        (n_last < 3 && group & (n_last == 2 ? 0xFF : 0xFFFF)))
        return -1;
    for (unsigned i = 0; i < n_last; i++)
        *to++ = (unsigned char)(group >> (16 - 8 * i));
    return to - begin;
}

ptrdiff_t text_latin1_encode(const char *text, size_t size, void *out)
{
    const unsigned char *in = (const unsigned char *)text, *end = in + size;
    unsigned char *begin = out, *to = out;

    while (in < end) {
        size_t run = ascii_run(in, (size_t)(end - in));

        memcpy(to, in, run);
        to += run;
        in += run;
        if (in == end)
            break;
        /* U+0080 to U+00FF are C2 80 to C3 BF. */
        if (in[0] < 0xC2 || in[0] > 0xC3 || end - in < 2 || (in[1] & 0xC0) != 0x80)
            return -1;
        *to++ = (unsigned char)(in[0] << 6 | (in[1] & 0x3F));
        in += 2;
    }
    return to - begin;
}
