/* SPDX-License-Identifier: MIT */
/*
 * unit_chunked.c - the chunked coding of HTTP/1.1: every body in every split, and every
 * way to get it wrong.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/net/chunked.h"
#include "tests/unit.h"

/* What came of decoding. */
struct outcome {
    char body[32768];
    size_t size, used;
    bool is_well;
    struct chunked_decoder decoder;
};

/* Feeds the text in pieces of `step` bytes, each in memory of its own so that a step over
 * its end is seen. */
static struct outcome *decode(const char *text, size_t size, size_t step)
{
    struct outcome *outcome = calloc(1, sizeof *outcome);

    CU_ASSERT_PTR_NOT_NULL_FATAL(outcome);
    outcome->is_well = true;
    while (outcome->is_well && outcome->used < size &&
           outcome->decoder.state != CHUNKED_DONE) {
        size_t n = size - outcome->used < step ? size - outcome->used : step;
        uint8_t *piece = malloc(n);
        size_t n_body, n_used;

        CU_ASSERT_PTR_NOT_NULL_FATAL(piece);
        memcpy(piece, text + outcome->used, n);
        outcome->is_well = chunked_decode(&outcome->decoder, piece, n, &n_body, &n_used);
        CU_ASSERT_TRUE_FATAL(n_body <= n_used && n_used <= n &&
                             outcome->size + n_body <= sizeof outcome->body);
        memcpy(outcome->body + outcome->size, piece, n_body);
        outcome->size += n_body;
        outcome->used += n_used;
        free(piece);
    }
    return outcome;
}

static void drop(struct outcome *outcome)
{
    chunked_decoder_fini(&outcome->decoder);
    free(outcome);
}

/* ---- Good bodies ---- */

static const struct {
    const char *text, *body;
    size_t left; /* bytes behind the end */
} good[] = {
    {"0\r\n\r\n", "", 0},
    {"5\r\nhello\r\n0\r\n\r\n", "hello", 0},
    {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", 0},
    {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789", 0},
    {"a\r\n0123456789\r\n0\r\n\r\n", "0123456789", 0},
    {"0005\r\nhello\r\n000\r\n\r\n", "hello", 0},
    {"5;name=value\r\nhello\r\n0;last\r\n\r\n", "hello", 0},
    {"5;a;b=c;d=\"x;y\"\r\nhello\r\n0\r\n\r\n", "hello", 0},
    {"5;a=\"quote \\\" and \\\\ in it\"\r\nhello\r\n0\r\n\r\n", "hello", 0},
    {"5 ; a = b\r\nhello\r\n0\r\n\r\n", "hello", 0},
    {"5 \t\r\nhello\r\n0\r\n\r\n", "hello", 0},
    {"5;\xc3\xa4\r\nhello\r\n0\r\n\r\n", "hello", 0},
    {"4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", 0},
    {"5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n", "hello", 17},
    {"1\r\na\r\n0\r\nX: y\r\n\r\n5\r\n", "a", 3},
};

static void test_good(void)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        size_t size = strlen(good[i].text);
        for (size_t step = 1; step <= size; step++) {
            struct outcome *outcome = decode(good[i].text, size, step);
            bool is_right = outcome->is_well && outcome->decoder.state == CHUNKED_DONE &&
                            outcome->size == strlen(good[i].body) &&
                            memcmp(outcome->body, good[i].body, outcome->size) == 0 &&
                            outcome->used == size - good[i].left;
            if (!is_right) {
                UNIT_FAIL("case %zu in pieces of %zu: %s", i, step,
                          outcome->decoder.fault != NULL ? outcome->decoder.fault
                                                         : "wrong body or end");
            }
            drop(outcome);
        }
    }
}

/* Every prefix of a body is well, and not done before the last byte. */
static void test_prefixes(void)
{
    static const char text[] = "5;x=\"y\"\r\nhello\r\n0\r\nA: b\r\n\r\n";

    for (size_t size = 1; size < sizeof text - 1; size++) {
        struct outcome *outcome = decode(text, size, size);
        CU_ASSERT_TRUE(outcome->is_well);
        CU_ASSERT_NOT_EQUAL(outcome->decoder.state, CHUNKED_DONE);
        CU_ASSERT_EQUAL(outcome->used, size);
        drop(outcome);
    }
}

static void test_all_bytes(void)
{
    char text[300];
    int at = snprintf(text, sizeof text, "100\r\n");

    for (int i = 0; i < 256; i++) {
        text[at++] = (char)i;
    }
    memcpy(text + at, "\r\n0\r\n\r\n", 7);
    struct outcome *outcome = decode(text, (size_t)at + 7, 3);

    CU_ASSERT_EQUAL(outcome->decoder.state, CHUNKED_DONE);
    CU_ASSERT_EQUAL_FATAL(outcome->size, 256);
    for (int i = 0; i < 256; i++) {
        CU_ASSERT_EQUAL((uint8_t)outcome->body[i], i);
    }
    drop(outcome);
}

/* ---- Bad ones ---- */

static const struct {
    const char *text, *fault; /* part of the sentence */
    size_t used;              /* bytes before the one at fault */
} bad[] = {
    {"\r\n", "begin with its size", 0},
    {"x", "begin with its size", 0},
    {" 5\r\n", "begin with its size", 0},
    {"-1\r\n", "begin with its size", 0},
    {"+1\r\n", "begin with its size", 0},
    {";a\r\n", "begin with its size", 0},
    {"5g\r\n", "no hexadecimal digit", 1},
    {"0x5\r\n", "no hexadecimal digit", 1},
    {"5\nhello", "LF without CR", 1},
    {"5\rhello", "has no LF", 2},
    {"5 5\r\n", "white space inside", 2},
    {"5 \nhello", "white space inside", 2},
    {"5;a\nhello", "control byte", 3},
    {"5;a\001\r\n", "control byte", 3},
    {"5;a=\"b\r\n", "not closed", 6},
    {"5;a=\"b\\\r\n", "not closed", 7},
    {"5;a=\"b\n", "control byte", 6},
    {"5\r\nhelloX", "no CR LF behind", 8},
    {"5\r\nhello\n", "no CR LF behind", 8},
    {"5\r\nhello\rX", "no CR LF behind", 9},
    {"5\r\nhello\r\n\r\n", "begin with its size", 10},
    {"8000000000000000\r\n", "too large", 15},
    {"10000000000000000\r\n", "too large", 16},
    {"ffffffffffffffffffff\r\n", "too large", 15},
    {"0\r\n:v\r\n\r\n", "begin with a field name", 3},
    {"0\r\n v\r\n\r\n", "begin with a field name", 3},
    {"0\r\n\n", "begin with a field name", 3},
    {"0\r\nA b: c\r\n", "name of a trailer field", 4},
    {"0\r\nA\r\n", "name of a trailer field", 4},
    {"0\r\nA : b\r\n", "name of a trailer field", 4},
    {"0\r\nA: b\n", "control byte", 7},
    {"0\r\nA: b\001\r\n", "control byte", 7},
    {"0\r\nA: b\rX", "behind a trailer field has no LF", 8},
    {"0\r\nA: b\r\n folded\r\n", "begin with a field name", 9},
    {"0\r\n\rX", "behind the trailer fields has no LF", 4},
};

static void test_bad(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t size = strlen(bad[i].text);
        for (size_t step = 1; step <= size; step++) {
            struct outcome *outcome = decode(bad[i].text, size, step);
            if (outcome->is_well || outcome->decoder.state != CHUNKED_BROKEN ||
                outcome->used != bad[i].used ||
                strstr(outcome->decoder.fault, bad[i].fault) == NULL) {
                UNIT_FAIL(
                    "case %zu in pieces of %zu: used %zu, %s", i, step, outcome->used,
                    outcome->decoder.fault != NULL ? outcome->decoder.fault : "no fault");
            }
            drop(outcome);
        }
    }
}

static void test_stays_broken(void)
{
    struct outcome *outcome = decode("5\r\nhelloX", 9, 9);
    uint8_t more[] = "0\r\n\r\n";
    size_t n_body, n_used;

    CU_ASSERT_EQUAL(outcome->size, 5); /* what came before the fault is there */
    CU_ASSERT_FALSE(chunked_decode(&outcome->decoder, more, 5, &n_body, &n_used));
    CU_ASSERT_EQUAL(n_body + n_used, 0);
    drop(outcome);
}

static void test_largest_size(void)
{
    struct outcome *outcome = decode("7fffffffffffffff\r\nabc", 21, 1);

    CU_ASSERT_TRUE(outcome->is_well);
    CU_ASSERT_EQUAL(outcome->decoder.left, (uint64_t)INT64_MAX - 3);
    CU_ASSERT_EQUAL(outcome->size, 3);
    drop(outcome);
}

/* ---- Bounds ---- */

static void check_bound(const char *before, char fill, size_t n_fill, const char *after,
                        const char *fault)
{
    size_t room = strlen(before) + n_fill + strlen(after) + 1;
    char *text = malloc(room);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    (void)snprintf(text, room, "%s%*s%s", before, (int)n_fill, "", after);
    memset(text + strlen(before), fill, n_fill);
    struct outcome *outcome = decode(text, room - 1, 100);

    if (fault == NULL) {
        CU_ASSERT_EQUAL(outcome->decoder.state, CHUNKED_DONE);
    } else {
        CU_ASSERT_FALSE(outcome->is_well);
        CU_ASSERT_PTR_NOT_NULL_FATAL(outcome->decoder.fault);
        CU_ASSERT_PTR_NOT_NULL(strstr(outcome->decoder.fault, fault));
    }
    drop(outcome);
    free(text);
}

static void test_bounds(void)
{
    check_bound("1;", 'x', 4000, "\r\na\r\n0\r\n\r\n", NULL);
    check_bound("1;", 'x', CHUNKED_MAX_LINE, "\r\na\r\n0\r\n\r\n", "too long");
    check_bound("", '0', CHUNKED_MAX_LINE, "1\r\na\r\n0\r\n\r\n", "too long");
    check_bound("0\r\nA: ", 'x', 8000, "\r\n\r\n", NULL);
    check_bound("0\r\nA: ", 'x', CHUNKED_MAX_TRAILERS, "\r\n\r\n", "too long");
    check_bound("0\r\n", 'x', CHUNKED_MAX_TRAILERS, ": y\r\n\r\n", "too long");
}

static void check_fields(unsigned n_fields, bool is_well)
{
    char text[4096];
    size_t size = (size_t)snprintf(text, sizeof text, "0\r\n");

    for (unsigned i = 0; i < n_fields; i++) {
        size += (size_t)snprintf(text + size, sizeof text - size, "F%u: %u\r\n", i, i);
    }
    size += (size_t)snprintf(text + size, sizeof text - size, "\r\n");
    struct outcome *outcome = decode(text, size, 7);

    CU_ASSERT_EQUAL(outcome->is_well, is_well);
    CU_ASSERT_EQUAL(outcome->decoder.state == CHUNKED_DONE, is_well);
    drop(outcome);
}

static void test_number_of_fields(void)
{
    check_fields(CHUNKED_MAX_FIELDS, true);
    check_fields(CHUNKED_MAX_FIELDS + 1, false);
}

/* ---- Trailers ---- */

static void check_field(const struct chunked_trailers *trailers, size_t *at,
                        const char *name, const char *value)
{
    const char *is_name, *is_value;

    CU_ASSERT_TRUE_FATAL(chunked_trailer_next(trailers, at, &is_name, &is_value));
    CU_ASSERT_STRING_EQUAL(is_name, name);
    CU_ASSERT_STRING_EQUAL(is_value, value);
}

static void test_trailers(void)
{
    static const char text[] =
        "1\r\na\r\n0\r\nDigest: abc\r\nEmpty:\r\nBlank: \t \r\nInner:  a  b \t\r\n"
        "Latin: \xe4\r\nDigest:2\r\n\r\n";

    for (size_t step = 1; step < sizeof text; step++) {
        struct outcome *outcome = decode(text, sizeof text - 1, step);
        CU_ASSERT_EQUAL_FATAL(outcome->decoder.state, CHUNKED_DONE);
        struct chunked_trailers *trailers = chunked_take_trailers(&outcome->decoder);
        const char *name, *value;
        size_t at = 0;

        CU_ASSERT_EQUAL(trailers->n, 6);
        check_field(trailers, &at, "Digest", "abc");
        check_field(trailers, &at, "Empty", "");
        check_field(trailers, &at, "Blank", "");
        check_field(trailers, &at, "Inner", "a  b");
        check_field(trailers, &at, "Latin", "\xe4");
        check_field(trailers, &at, "Digest", "2");
        CU_ASSERT_FALSE(chunked_trailer_next(trailers, &at, &name, &value));
        chunked_trailers_free(trailers);
        drop(outcome);
    }
    chunked_trailers_free(NULL);
}

static void test_no_trailers(void)
{
    struct outcome *outcome = decode("0\r\n\r\n", 5, 5);
    struct chunked_trailers *trailers = chunked_take_trailers(&outcome->decoder);
    const char *name, *value;
    size_t at = 0;

    CU_ASSERT_EQUAL(trailers->n, 0);
    CU_ASSERT_FALSE(chunked_trailer_next(trailers, &at, &name, &value));
    chunked_trailers_free(trailers);
    drop(outcome);
}

/* ---- Encoding ---- */

static void test_header(void)
{
    char header[CHUNKED_HEADER_SIZE];

    CU_ASSERT_EQUAL(chunked_header(header, 1), 3);
    CU_ASSERT_EQUAL(memcmp(header, "1\r\n", 3), 0);
    CU_ASSERT_EQUAL(chunked_header(header, 255), 4);
    CU_ASSERT_EQUAL(memcmp(header, "ff\r\n", 4), 0);
    CU_ASSERT_EQUAL(chunked_header(header, 65536), 7);
    CU_ASSERT_EQUAL(memcmp(header, "10000\r\n", 7), 0);
    CU_ASSERT_EQUAL(chunked_header(header, SIZE_MAX), 18);
}

static const struct unit_test tests[] = {
    {"bodies in every split", test_good},
    {"a body is not done before its last byte", test_prefixes},
    {"all bytes go through", test_all_bytes},
    {"what breaks the rules is refused, in every split", test_bad},
    {"broken stays broken", test_stays_broken},
    {"the largest size", test_largest_size},
    {"lines and trailers have bounds", test_bounds},
    {"the number of trailer fields has a bound", test_number_of_fields},
    {"trailer fields", test_trailers},
    {"a body without trailer fields", test_no_trailers},
    {"the line before a chunk", test_header},
};

UNIT_MAIN(tests)
