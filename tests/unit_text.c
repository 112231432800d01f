/* SPDX-License-Identifier: MIT */
/*
 * unit_text.c - text.c: UTF-8 at all its borders, base64, ISO 8859-1.
 */
#include <config.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "tests/unit.h"

#define BYTES(TEXT) TEXT, sizeof(TEXT) - 1

static void check_prefix(const char *text, size_t size, size_t good, bool cut)
{
    char buffer[64];
    bool is_cut;

    /* At every offset to the words that the fast path reads, and with ASCII before it. */
    for (size_t pad = 0; pad < 20; pad++) {
        memset(buffer, 'a', pad);
        memcpy(buffer + pad, text, size);
        CU_ASSERT_EQUAL(text_utf8_prefix(buffer, pad + size, &is_cut), pad + good);
        CU_ASSERT_EQUAL(is_cut, cut);
        CU_ASSERT_EQUAL(text_is_utf8(buffer, pad + size), good == size);
    }
}

static void test_valid(void)
{
    check_prefix(BYTES(""), 0, false);
    check_prefix(BYTES("\0\x7F"), 2, false);
    check_prefix(BYTES("\xC2\x80\xDF\xBF"), 4, false);
    check_prefix(BYTES("\xE0\xA0\x80\xEF\xBF\xBF"), 6, false);
    check_prefix(BYTES("\xED\x9F\xBF\xEE\x80\x80"), 6, false);
    check_prefix(BYTES("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"), 8, false);
}

static void test_invalid(void)
{
    check_prefix(BYTES("\x80"), 0, false);
    check_prefix(BYTES("\xBF"), 0, false);
    check_prefix(BYTES("\xC0\x80"), 0, false);     /* long form of NUL */
    check_prefix(BYTES("\xC1\xBF"), 0, false);     /* long form */
    check_prefix(BYTES("\xE0\x9F\xBF"), 0, false); /* long form */
    check_prefix(BYTES("\xF0\x8F\xBF\xBF"), 0, false);
    check_prefix(BYTES("\xED\xA0\x80"), 0, false); /* a surrogate */
    check_prefix(BYTES("\xF4\x90\x80\x80"), 0, false);
    check_prefix(BYTES("\xF5\x80\x80\x80"), 0, false);
    check_prefix(BYTES("\xFF"), 0, false);
    check_prefix(BYTES("\xC3("), 0, false);
    check_prefix(BYTES("\xE2\x82("), 0, false);
    check_prefix(BYTES("\xF0\x9F\x98("), 0, false);
    check_prefix(BYTES("\xC3\xA4\xFF"), 2, false);
}

static void test_cut(void)
{
    check_prefix(BYTES("\xC3"), 0, true);
    check_prefix(BYTES("\xE2\x82"), 0, true);
    check_prefix(BYTES("\xF0"), 0, true);
    check_prefix(BYTES("\xF0\x9F\x98"), 0, true);
    check_prefix(BYTES("x\xC3\xA4\xE2"), 3, true);
    /* What cannot become a character is an error, not the beginning of one. */
    check_prefix(BYTES("\xE0\x9F"), 0, false);
    check_prefix(BYTES("\xED\xA0"), 0, false);
    check_prefix(BYTES("\xF4\x90"), 0, false);
    check_prefix(BYTES("\xC0"), 0, false);
}

static void check_base64(const char *bytes, size_t size, const char *text)
{
    char encoded[32], decoded[32];

    CU_ASSERT_EQUAL(text_base64_size(size), strlen(text));
    text_base64_encode(bytes, size, encoded);
    CU_ASSERT_EQUAL(memcmp(encoded, text, strlen(text)), 0);
    CU_ASSERT_EQUAL(text_base64_decode(text, strlen(text), decoded), (ptrdiff_t)size);
    CU_ASSERT_EQUAL(memcmp(decoded, bytes, size), 0);
}

/* The examples of RFC 4648 section 10. */
static void test_base64(void)
{
    check_base64(BYTES(""), "");
    check_base64(BYTES("f"), "Zg==");
    check_base64(BYTES("fo"), "Zm8=");
    check_base64(BYTES("foo"), "Zm9v");
    check_base64(BYTES("foob"), "Zm9vYg==");
    check_base64(BYTES("fooba"), "Zm9vYmE=");
    check_base64(BYTES("foobar"), "Zm9vYmFy");
    check_base64(BYTES("\0\0\0"), "AAAA");
    check_base64(BYTES("\xFF\xEF\xBE\xFB\xF0"), "/+++"
                                                "+/A=");
}

static void test_base64_all_bytes(void)
{
    unsigned char bytes[256], back[256];
    char text[400];

    for (unsigned i = 0; i < 256; i++) {
        bytes[i] = (unsigned char)(i * 167 + 13);
    }
    for (size_t size = 0; size <= 256; size++) {
        size_t encoded = text_base64_size(size);

        text_base64_encode(bytes, size, text);
        CU_ASSERT_EQUAL(text_base64_decode(text, encoded, back), (ptrdiff_t)size);
        CU_ASSERT_EQUAL(memcmp(bytes, back, size), 0);
    }
}

static void test_bad_base64(void)
{
    static const char *const bad[] = {
        "A",           "AA",   "AAA",      "AAAAA",        "=",
        "====",        "A===", "=AAA",     "A=AA",         "AA=A",
        "AAA\n",       "AA A", "AA-_",     "Zg==Zg==",     "Zm8=AAAA",
        "Zh==",        "Zm9=", " AAAA",    "AAAA\n\n\n\n", "AAA\xFF",
        "A\xC3\xA4==", "....", "AAAA====", "AA==AA",       "Z===",
    };
    char out[32];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (text_base64_decode(bad[i], strlen(bad[i]), out) != -1) {
            UNIT_FAIL("\"%s\" was taken for base64", bad[i]);
        }
    }
    CU_ASSERT_EQUAL(text_base64_decode("AA\0A", 4, out), -1);
}

static void test_latin1(void)
{
    char out[64];

    CU_ASSERT_EQUAL(text_latin1_encode(BYTES("abc"), out), 3);
    CU_ASSERT_EQUAL(memcmp(out, "abc", 3), 0);
    CU_ASSERT_EQUAL(text_latin1_encode(BYTES("\xC2\x80\xC3\xBFx\0\xC3\xA4"), out), 5);
    CU_ASSERT_EQUAL(memcmp(out, "\x80\xFFx\0\xE4", 5), 0);
    CU_ASSERT_EQUAL(text_latin1_encode(BYTES(""), out), 0);
    CU_ASSERT_EQUAL(text_latin1_encode(BYTES("\xC4\x80"), out), -1); /* U+0100 */
    CU_ASSERT_EQUAL(text_latin1_encode(BYTES("\xE2\x82\xAC"), out), -1);
    CU_ASSERT_EQUAL(text_latin1_encode(BYTES("abcdefghijk\xC3"), out), -1);
    CU_ASSERT_EQUAL(text_latin1_encode(BYTES("\xC3("), out), -1);
}

static const struct unit_test tests[] = {
    {"valid UTF-8", test_valid},
    {"invalid UTF-8", test_invalid},
    {"characters that are cut", test_cut},
    {"base64 of RFC 4648", test_base64},
    {"base64 of all bytes and sizes", test_base64_all_bytes},
    {"bad base64", test_bad_base64},
    {"ISO 8859-1", test_latin1},
};

UNIT_MAIN(tests)
