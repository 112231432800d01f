/* SPDX-License-Identifier: MIT */
/*
 * unit_frame.c - frame.c: lines found in pieces of every size, and limits of a few bytes.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"
#include "tests/unit.h"

/* Feeds `input` in pieces of `step` bytes and joins the lines found with "|". Each piece
 * is a copy of exactly its size that is gone afterwards, so that nothing may be read past
 * it or later. */
static enum frame_result feed(struct frame *frame, const char *input, size_t size,
                              size_t step, char *lines, size_t room)
{
    enum frame_result result = FRAME_MORE;
    size_t at = strlen(lines);

    while (size && result == FRAME_MORE) {
        size_t piece_size = size < step ? size : step;
        char *piece = malloc(piece_size);
        const char *p = piece;
        size_t rest = piece_size;
        char *line;
        size_t line_size;

        memcpy(piece, input, piece_size);
        while ((result = frame_next(frame, &p, &rest, &line, &line_size)) == FRAME_LINE) {
            CU_ASSERT_FATAL(at + line_size + 2 < room);
            memcpy(lines + at, line, line_size);
            at += line_size;
            lines[at++] = '|';
            lines[at] = 0;
        }
        if (result == FRAME_MORE) {
            CU_ASSERT_EQUAL(rest, 0);
        }
        free(piece);
        input += piece_size;
        size -= piece_size;
    }
    return result;
}

static void check(const char *input, const char *wanted, size_t limit)
{
    size_t size = strlen(input);

    for (size_t step = 1; step <= size; step++) {
        struct frame frame = {.limit = limit};
        char lines[2048] = "";

        CU_ASSERT_EQUAL(feed(&frame, input, size, step, lines, sizeof(lines)),
                        FRAME_MORE);
        if (strcmp(lines, wanted) != 0) {
            UNIT_FAIL("in pieces of %zu: \"%s\" instead of \"%s\"", step, lines, wanted);
        }
        CU_ASSERT_FALSE(frame.is_broken);
        frame_fini(&frame);
        CU_ASSERT_PTR_NULL(frame.data);
    }
}

static void test_lines(void)
{
    check("one\n", "one|", 100);
    check("one\ntwo\nthree\n", "one|two|three|", 100);
    check("one\nrest", "one|", 100);
    check("a\nb\nc", "a|b|", 100);
    check("{\"a\": 1}\n[2]\n", "{\"a\": 1}|[2]|", 100);
}

static void test_carriage_return(void)
{
    check("one\r\ntwo\r\n", "one|two|", 100);
    check("one\r\r\n", "one\r|", 100);
    check("a\rb\n", "a\rb|", 100);
}

static void test_white_space(void)
{
    check("\n\n  \n\t\r\n\r\none\n \n", "one|", 100);
    check(" one \n", " one |", 100);
    check("\n", "", 100);
    check("\r\n", "", 100);
    check("\v\n", "\v|", 100);
}

static void test_limit(void)
{
    static const char *const too_long[] = {"123456789\n", "1\n123456789", "123456789",
                                           "12345678\r\n", "         \n"};

    check("12345678\n1234567\r\n", "12345678|1234567|", 8);
    for (size_t i = 0; i < sizeof(too_long) / sizeof(too_long[0]); i++) {
        for (size_t step = 1; step <= strlen(too_long[i]); step++) {
            struct frame frame = {.limit = 8};
            char lines[64] = "";
            const char *more = "x\n";
            size_t size = 2, line_size;
            char *line;

            CU_ASSERT_EQUAL(feed(&frame, too_long[i], strlen(too_long[i]), step, lines,
                                 sizeof(lines)),
                            FRAME_TOO_LONG);
            CU_ASSERT(frame.is_broken);
            CU_ASSERT_EQUAL(frame_next(&frame, &more, &size, &line, &line_size),
                            FRAME_TOO_LONG);
            CU_ASSERT_PTR_NULL(frame.data);
            frame_fini(&frame);
        }
    }
}

static void test_tiny_limits(void)
{
    check("\n\n", "", 0);
    check("a\nb\n", "a|b|", 1);
    for (size_t limit = 0; limit < 12; limit++) {
        struct frame frame = {.limit = limit};
        char lines[64] = "";

        CU_ASSERT_EQUAL(feed(&frame, "twelve bytes\n", 13, 1, lines, sizeof(lines)),
                        FRAME_TOO_LONG);
        frame_fini(&frame);
    }
}

static void test_nothing_is_kept(void)
{
    struct frame frame = {.limit = 100};
    const char *input = "abc\n";
    size_t size = 2, line_size;
    char *line;

    CU_ASSERT_EQUAL(frame_next(&frame, &input, &size, &line, &line_size), FRAME_MORE);
    CU_ASSERT_PTR_NOT_NULL(frame.data);
    size = 2;
    CU_ASSERT_EQUAL(frame_next(&frame, &input, &size, &line, &line_size), FRAME_LINE);
    CU_ASSERT_EQUAL(line_size, 3);
    CU_ASSERT_EQUAL(memcmp(line, "abc", 3), 0);
    CU_ASSERT_EQUAL(frame_next(&frame, &input, &size, &line, &line_size), FRAME_MORE);
    CU_ASSERT_PTR_NULL(frame.data);
    frame_fini(&frame);
}

/* A whole line in the input is not copied. */
static void test_no_copy(void)
{
    struct frame frame = {.limit = 100};
    static const char text[] = "first\nsecond\n";
    const char *input = text;
    size_t size = sizeof(text) - 1, line_size;
    char *line;

    CU_ASSERT_EQUAL(frame_next(&frame, &input, &size, &line, &line_size), FRAME_LINE);
    CU_ASSERT_PTR_EQUAL(line, text);
    CU_ASSERT_EQUAL(frame_next(&frame, &input, &size, &line, &line_size), FRAME_LINE);
    CU_ASSERT_PTR_EQUAL(line, text + 6);
    CU_ASSERT_PTR_NULL(frame.data);
    frame_fini(&frame);
}

static void test_nul_and_high_bytes(void)
{
    struct frame frame = {.limit = 100};
    static const char text[] = "a\0b\xFF\n";
    const char *input = text;
    size_t size = sizeof(text) - 1, line_size;
    char *line;

    CU_ASSERT_EQUAL(frame_next(&frame, &input, &size, &line, &line_size), FRAME_LINE);
    CU_ASSERT_EQUAL(line_size, 4);
    CU_ASSERT_EQUAL(memcmp(line, text, 4), 0);
    frame_fini(&frame);
}

static void test_megabyte(void)
{
    size_t size = 1 << 20;
    struct frame frame = {.limit = size};
    char *text = malloc(size + 1), *line;
    size_t line_size = 0, fed = 0;
    enum frame_result result = FRAME_MORE;

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, 'x', size);
    text[size] = '\n';
    while (result == FRAME_MORE && fed <= size) {
        const char *input = text + fed;
        size_t piece = size + 1 - fed < 1000 ? size + 1 - fed : 1000;

        fed += piece;
        result = frame_next(&frame, &input, &piece, &line, &line_size);
    }
    CU_ASSERT_EQUAL(result, FRAME_LINE);
    CU_ASSERT_EQUAL(line_size, size);
    CU_ASSERT(frame.room <= size);
    frame_fini(&frame);
    free(text);
}

static const struct unit_test tests[] = {
    {"lines in pieces of every size", test_lines},
    {"carriage returns", test_carriage_return},
    {"lines of white space are skipped", test_white_space},
    {"a line that is too long breaks the frame", test_limit},
    {"limits of a few bytes", test_tiny_limits},
    {"an idle frame keeps nothing", test_nothing_is_kept},
    {"a whole line is not copied", test_no_copy},
    {"NUL and bytes above 0x7F", test_nul_and_high_bytes},
    {"a line of a megabyte", test_megabyte},
};

UNIT_MAIN(tests)
