/* SPDX-License-Identifier: MIT */
/*
 * unit_words.c - a line taken apart into words: quotes, escapes, variables, faults.
 */
#include <config.h>

#include <string.h>

#include "client/draft.h"
#include "client/problem.h"
#include "client/words.h"
#include "tests/unit.h"

/* Knows $, $x, $x.m; everything else is unknown. */
static bool look_up(void *state, const char *name, const char *member, struct draft *out,
                    struct problem *problem)
{
    (void)state;
    if (strcmp(name, "") != 0 && strcmp(name, "x") != 0)
        return problem_usage(problem, "no %s", name);
    draft_printf(out, "<%s|%s>", name, member ? member : "");
    return true;
}

/* The words with | behind each; "!" when the line is refused. */
static void check(const char *line, const char *expected)
{
    struct words words = {0};
    struct problem problem = {0};
    struct draft joined = {0};

    draft_add_string(&joined, "");
    if (words_split(&words, line, strlen(line), look_up, NULL, &problem)) {
        for (size_t i = 0; i < words.n; i++) {
            CU_ASSERT_EQUAL(words.items[i].text[words.items[i].size], '\0');
            draft_add(&joined, words.items[i].text, words.items[i].size);
            draft_add_char(&joined, '|');
        }
        CU_ASSERT_EQUAL(problem.status, 0);
    } else {
        draft_add_string(&joined, "!");
        CU_ASSERT_EQUAL(problem.status, STATUS_USAGE);
        CU_ASSERT_PTR_NOT_NULL(problem.line);
    }
    if (strcmp(joined.data, expected) != 0)
        UNIT_FAIL("%s: %s is not %s", line, joined.data, expected);
    draft_fini(&joined);
    words_fini(&words);
    problem_fini(&problem);
}

static void test_blanks(void)
{
    check("", "");
    check(" \t\r\n", "");
    check("a", "a|");
    check("  a  b\tc\n", "a|b|c|");
    check("a#b #c d", "a#b|");
    check("# only a comment", "");
}

static void test_quotes(void)
{
    check("'a b' \"c d\"", "a b|c d|");
    check("'' \"\"", "||");
    check("a'b'\"c\"d", "abcd|");
    check("'a\\n$x\"'", "a\\n$x\"|");
    check("\"a\\\"b\\\\c'd\\$x\"", "a\"b\\c'd$x|");
    check("a\\ b \\# \\'", "a b|#|'|");
    check("'open", "!");
    check("\"open\\\"", "!");
}

static void test_escapes(void)
{
    struct words words = {0};
    struct problem problem = {0};
    static const char line[] = "\"\\0\\xff\\x00\\xAb\\n\\r\\t\"";

    CU_ASSERT_FATAL(words_split(&words, line, sizeof(line) - 1, look_up, NULL, &problem));
    CU_ASSERT_EQUAL_FATAL(words.n, 1);
    CU_ASSERT_EQUAL_FATAL(words.items[0].size, 7);
    CU_ASSERT_EQUAL(memcmp(words.items[0].text, "\0\xff\0\xab\n\r\t", 7), 0);
    words_fini(&words);
    check("\"\\x4\"", "!");
    check("\"\\xzz\"", "!");
    check("\"\\q\"", "q|");
}

static void test_variables(void)
{
    check("$", "<|>|");
    check("$x", "<x|>|");
    check("$x.local-port", "<x|local-port>|");
    check("$.state", "<|state>|");
    check("a$x/b", "a<x|>/b|");
    check("\"a $x b\"", "a <x|> b|");
    check("${x}y", "<x|>y|");
    check("${x.m}.y", "<x|m>.y|");
    check("$x.", "<x|>.|");
    check("$x.1", "<x|>.1|");
    check("$y", "!");
    check("${x", "!");
    check("${x!}", "!");
    check("'$y'", "$y|");
}

/* What is still being typed has no faults and always a last word. */
static void test_typed(void)
{
    static const struct {
        const char *line;
        size_t n;
        const char *last;
    } cases[] = {
        {"", 1, ""},          {"sockctl", 1, "sockctl"}, {"sockctl ", 2, ""},
        {"a 'b c", 2, "b c"}, {"a \"b\\", 2, "b\\"},     {"a $x #", 3, "#"},
        {"a \"\\x", 2, ""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct words words = {0};

        words_split_typed(&words, cases[i].line, strlen(cases[i].line));
        CU_ASSERT_EQUAL_FATAL(words.n, cases[i].n);
        CU_ASSERT_STRING_EQUAL(words.items[words.n - 1].text, cases[i].last);
        words_fini(&words);
    }
}

static const struct unit_test tests[] = {
    {"blanks separate, comments end", test_blanks},
    {"quotes keep together", test_quotes},
    {"escapes make any byte", test_escapes},
    {"variables are looked up", test_variables},
    {"a typed line has no faults", test_typed},
};
UNIT_MAIN(tests)
