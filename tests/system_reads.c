/* SPDX-License-Identifier: MIT */
/*
 * system_reads.c - reading streams through the real daemon: text and bytes, split
 * characters, how much, lines, single steps, peek.
 */
#include <config.h>

#include <string.h>

#include "tests/peer.h"
#include "tests/stream_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

/* ---- Text and bytes ---- */

static void test_bivalent(void)
{
    pair_start("bivalent");
    pair_say("gr\xc3\xbc\xc3\x9f\x65");
    json_t *result = pair_read();
    pair_check_data(result, "gr\xc3\xbc\xc3\x9f\x65", "utf-8");
    CU_ASSERT_EQUAL(wire_int(result, "size"), 7);
    pair_say("a\xff");
    pair_check_data(pair_read(), "Yf8=", "base64");
    pair_say("a\xff");
    pair_check_data(pair_read_as("latin-1"), "a\xc3\xbf", "latin-1");
    pair_say("abc");
    pair_check_data(pair_read_as("base64"), "YWJj", "base64");
    pair_open("multivalent");
    pair_say("\x80");
    pair_check_data(pair_read(), "gA==", "base64");
}

static void test_text(void)
{
    pair_start("text");
    pair_say("fine");
    pair_check_data(pair_read(), "fine", "utf-8");
    pair_say("ab\xff");
    wire_refused(pair.wire, "invalid-encoding", "read", "{s:I}", "socket", pair.sock);
    wire_refused(pair.wire, "invalid-encoding", "peek", "{s:I}", "socket", pair.sock);
    wire_refused(pair.wire, "invalid-encoding", "read-line", "{s:I, s:i}", "socket",
                 pair.sock, "max", 3);
    pair_check_data(pair_read_as("base64"), "YWL/", "base64"); /* nothing was consumed */
}

static void test_binary(void)
{
    pair_start("binary");
    pair_say("abc");
    pair_check_data(pair_read(), "YWJj", "base64");
    pair_say("abc");
    pair_check_data(pair_read_as("utf-8"), "abc", "utf-8");
    pair_say("a\xff");
    wire_refused(pair.wire, "invalid-encoding", "read", "{s:I, s:s}", "socket", pair.sock,
                 "encoding", "utf-8");
    pair_check_data(pair_read_as("latin-1"), "a\xc3\xbf", "latin-1");
}

static void test_nul_and_controls(void)
{
    pair_start("bivalent");
    peer_write(pair.peer, "a\0b\001\"\\\n", 7);
    wire_call(pair.wire, "peek", "{s:I, s:i}", "socket", pair.sock, "exactly", 7);
    json_t *data = json_object_get(pair_read(), "data");
    CU_ASSERT_EQUAL(json_string_length(data), 7);
    CU_ASSERT_EQUAL(memcmp(json_string_value(data), "a\0b\001\"\\\n", 7), 0);
    wire_call(pair.wire, "write", "{s:I, s:s%}", "socket", pair.sock, "data", "x\0y",
              (size_t)3);
    peer_expect(pair.peer, "x\0y", 3);
}

static void test_split_character(void)
{
    pair_start("bivalent");
    pair_say("ab\xe2\x82");
    pair_check_data(pair_read(), "ab", "utf-8"); /* the split one is held back */
    int64_t waiting = wire_send(pair.wire, "read", "{s:I}", "socket", pair.sock);
    wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
    CU_ASSERT_FALSE(wire_is_answered(pair.wire, waiting));
    peer_print(pair.peer, "\xac");
    pair_check_data(wire_result(pair.wire, waiting), "\xe2\x82\xac", "utf-8");

    pair_say("xy\xc3");
    pair_check_data(
        wire_call(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "exactly", 3),
        "eHnD", "base64"); /* it was asked for by number */
    pair_say("x\xc3\xa4");
    pair_check_data(
        wire_call(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "max", 2), "x",
        "utf-8");
    pair_check_data(
        wire_call(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "max", 1),
        "ww==", "base64");
    pair_check_data(pair_read(), "pA==", "base64");
    pair_say("z\xc3");
    peer_close(pair.peer);
    pair_check_data(pair_read(), "z", "utf-8");
    pair_check_data(pair_read(), "ww==", "base64"); /* nothing can complete it any more */
    pair_check_end(pair_read(), "", "clean");
}

static void test_split_character_at_the_end_of_text(void)
{
    pair_start("text");
    pair_say("z\xc3");
    peer_close(pair.peer);
    pair_check_data(pair_read(), "z", "utf-8");
    wire_refused(pair.wire, "invalid-encoding", "read", "{s:I}", "socket", pair.sock);
    pair_check_data(pair_read_as("latin-1"), "\xc3\x83", "latin-1");
    pair_check_end(pair_read(), "", "clean");
}

/* ---- How much ---- */

static void test_max_and_exactly(void)
{
    pair_start("bivalent");
    pair_say("0123456789");
    pair_check_data(
        wire_call(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "max", 3), "012",
        "utf-8");
    int64_t waiting =
        wire_send(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "exactly", 9);
    wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
    CU_ASSERT_FALSE(wire_is_answered(pair.wire, waiting));
    peer_print(pair.peer, "abcd");
    pair_check_data(wire_result(pair.wire, waiting), "3456789ab", "utf-8");
    waiting =
        wire_send(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "exactly", 9);
    peer_close(pair.peer);
    json_t *result = wire_result(pair.wire, waiting);
    pair_check_end(result, "cd", "clean");
    CU_ASSERT_EQUAL(wire_int(result, "size"), 2);
    pair_check_end(pair_read(), "", "clean");
}

static void test_until(void)
{
    pair_start("bivalent");
    pair_say("one\r\n\r\ntwo");
    pair_check_data(wire_call(pair.wire, "read", "{s:I, s:s}", "socket", pair.sock,
                              "until", "\r\n\r\n"),
                    "one\r\n\r\n", "utf-8");
    int64_t waiting =
        wire_send(pair.wire, "read", "{s:I, s:s}", "socket", pair.sock, "until", "--=");
    peer_print(pair.peer, "-");
    peer_print(pair.peer, "---");
    peer_print(pair.peer, "=end");
    pair_check_data(wire_result(pair.wire, waiting), "two----=", "utf-8");
    pair_check_data(
        wire_call(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "exactly", 3),
        "end", "utf-8");

    pair_say("0123456789;");
    pair_check_data(wire_call(pair.wire, "read", "{s:I, s:s, s:i}", "socket", pair.sock,
                              "until", ";", "max", 4),
                    "0123", "utf-8");
    pair_check_data(wire_call(pair.wire, "read", "{s:I, s:s, s:s}", "socket", pair.sock,
                              "until", "Ow==", "encoding", "base64"),
                    "NDU2Nzg5Ow==", "base64");
    pair_say("rest");
    peer_close(pair.peer);
    pair_check_end(
        wire_call(pair.wire, "read", "{s:I, s:s}", "socket", pair.sock, "until", ";"),
        "rest", "clean");
}

/* The delimiter comes after a megabyte in small pieces. */
static void test_until_far_away(void)
{
    static char bytes[1000000];

    pair_start("bivalent");
    memset(bytes, 'x', sizeof bytes);
    int64_t waiting = wire_send(pair.wire, "read", "{s:I, s:s, s:i}", "socket", pair.sock,
                                "until", "xyz", "max", 1048576);
    for (size_t at = 0; at < sizeof bytes; at += 1000) {
        peer_write(pair.peer, bytes + at, 1000);
    }
    peer_print(pair.peer, "yz.");
    CU_ASSERT_EQUAL(wire_int(wire_result(pair.wire, waiting), "size"), sizeof bytes + 2);
    pair_check_data(pair_read(), ".", "utf-8");
}

static void test_exactly_excludes(void)
{
    pair_start("bivalent");
    json_t *error = wire_refused(pair.wire, "invalid-params", "read", "{s:I, s:i, s:i}",
                                 "socket", pair.sock, "exactly", 3, "max", 4);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                           "exactly");
    wire_refused(pair.wire, "invalid-params", "peek", "{s:I, s:i, s:s}", "socket",
                 pair.sock, "exactly", 3, "until", ";");
}

/* ---- Lines ---- */

static void check_line(json_t *result, const char *line, bool is_missing)
{
    CU_ASSERT_STRING_EQUAL(wire_text(result, "line"), line);
    CU_ASSERT_EQUAL(wire_bool(result, "missing-newline"), is_missing);
}

static json_t *read_line(int max)
{
    return wire_call(pair.wire, "read-line", "{s:I, s:i}", "socket", pair.sock, "max",
                     max);
}

static void test_lines(void)
{
    pair_start("bivalent");
    pair_say("one\ntwo\r\n\n\r\nab\rc\n");
    check_line(read_line(100), "one", false);
    check_line(read_line(100), "two", false);
    check_line(read_line(100), "", false);
    check_line(read_line(100), "", false);
    check_line(read_line(100), "ab\rc", false);

    pair_say("1234\n1234\r\n12345\n");
    check_line(read_line(4), "1234", false);
    check_line(read_line(4), "1234", false);
    check_line(read_line(4), "1234", true);
    check_line(read_line(4), "5", false);

    int64_t waiting = wire_send(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
    peer_print(pair.peer, "spl");
    peer_print(pair.peer, "it\r");
    peer_print(pair.peer, "\n");
    check_line(wire_result(pair.wire, waiting), "split", false);

    pair_say("last");
    peer_close(pair.peer);
    json_t *result = read_line(100);
    check_line(result, "last", true);
    CU_ASSERT_TRUE(wire_bool(result, "eof"));
    result = read_line(100);
    CU_ASSERT_TRUE(json_is_null(json_object_get(result, "line")));
    CU_ASSERT_TRUE(wire_bool(result, "eof"));
    CU_ASSERT_STRING_EQUAL(wire_text(result, "end"), "clean");
}

static void test_line_encodings(void)
{
    pair_start("bivalent");
    pair_say("\xff\n\xff\nabc\n\xc3\xa4x\n");
    json_t *result = read_line(100);
    check_line(result, "/w==", false);
    CU_ASSERT_STRING_EQUAL(wire_text(result, "encoding"), "base64");
    check_line(wire_call(pair.wire, "read-line", "{s:I, s:s}", "socket", pair.sock,
                         "encoding", "latin-1"),
               "\xc3\xbf", false);
    check_line(wire_call(pair.wire, "read-line", "{s:I, s:s}", "socket", pair.sock,
                         "encoding", "base64"),
               "YWJj", false);
    check_line(read_line(2), "\xc3\xa4", true);
    check_line(read_line(2), "x", false);
}

/* ---- Single steps ---- */

static void test_bytes_and_chars(void)
{
    pair_start("bivalent");
    pair_say("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xff");
    CU_ASSERT_STRING_EQUAL(
        wire_text(wire_call(pair.wire, "read-char", "{s:I}", "socket", pair.sock),
                  "value"),
        "\xc3\xa4");
    CU_ASSERT_EQUAL(
        wire_int(wire_call(pair.wire, "read-byte", "{s:I}", "socket", pair.sock),
                 "value"),
        0xe2);
    wire_refused(pair.wire, "invalid-encoding", "read-char", "{s:I}", "socket",
                 pair.sock);
    wire_call(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "exactly", 2);
    CU_ASSERT_STRING_EQUAL(
        wire_text(wire_call(pair.wire, "read-char", "{s:I}", "socket", pair.sock),
                  "value"),
        "\xf0\x9f\x98\x80");
    CU_ASSERT_EQUAL(
        wire_int(wire_call(pair.wire, "read-byte", "{s:I}", "socket", pair.sock),
                 "value"),
        0xff);
    int64_t waiting = wire_send(pair.wire, "read-char", "{s:I}", "socket", pair.sock);
    peer_print(pair.peer, "\xe2\x82");
    peer_print(pair.peer, "\xac");
    CU_ASSERT_STRING_EQUAL(wire_text(wire_result(pair.wire, waiting), "value"),
                           "\xe2\x82\xac");

    wire_call(pair.wire, "write-byte", "{s:I, s:i}", "socket", pair.sock, "value", 255);
    wire_call(pair.wire, "write-char", "{s:I, s:s}", "socket", pair.sock, "value",
              "\xc3\xa4");
    wire_call(pair.wire, "write-char", "{s:I, s:s%}", "socket", pair.sock, "value", "\0",
              (size_t)1);
    peer_expect(pair.peer, "\xff\xc3\xa4\0", 4);
    wire_refused(pair.wire, "invalid-params", "write-char", "{s:I, s:s}", "socket",
                 pair.sock, "value", "ab");
    wire_refused(pair.wire, "invalid-params", "write-byte", "{s:I, s:i}", "socket",
                 pair.sock, "value", 256);

    peer_close(pair.peer);
    json_t *result = wire_call(pair.wire, "read-byte", "{s:I}", "socket", pair.sock);
    CU_ASSERT_TRUE(json_is_null(json_object_get(result, "value")));
    CU_ASSERT_TRUE(wire_bool(result, "eof"));
    result = wire_call(pair.wire, "read-char", "{s:I}", "socket", pair.sock);
    CU_ASSERT_TRUE(json_is_null(json_object_get(result, "value")));
    CU_ASSERT_STRING_EQUAL(wire_text(result, "end"), "clean");
}

static void test_peek_and_listen(void)
{
    pair_start("bivalent");
    json_t *result = wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
    CU_ASSERT_FALSE(wire_bool(result, "available"));
    CU_ASSERT_FALSE(wire_bool(result, "eof"));
    pair_say("hello\n");
    result = wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
    CU_ASSERT_TRUE(wire_bool(result, "available"));
    pair_check_data(
        wire_call(pair.wire, "peek", "{s:I, s:i}", "socket", pair.sock, "max", 2), "he",
        "utf-8");
    pair_check_data(wire_call(pair.wire, "peek", "{s:I, s:s, s:i}", "socket", pair.sock,
                              "until", "\n", "timeout", 10),
                    "hello\n", "utf-8");
    pair_check_data(wire_call(pair.wire, "peek", "{s:I, s:s}", "socket", pair.sock,
                              "encoding", "base64"),
                    "aGVsbG8K", "base64");
    check_line(read_line(100), "hello", false);
    peer_close(pair.peer);
    result = wire_call(pair.wire, "peek", "{s:I}", "socket", pair.sock);
    pair_check_end(result, "", "clean");
    result = wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
    CU_ASSERT_FALSE(wire_bool(result, "available"));
    CU_ASSERT_TRUE(wire_bool(result, "eof"));
}

static const struct unit_test tests[] = {
    {"bivalent data is UTF-8 or base64", test_bivalent},
    {"text is UTF-8 or an error", test_text},
    {"binary data is base64", test_binary},
    {"NUL and control bytes go through", test_nul_and_controls},
    {"a split character is held back", test_split_character},
    {"a split character at the end of text", test_split_character_at_the_end_of_text},
    {"max and exactly", test_max_and_exactly},
    {"until a delimiter", test_until},
    {"until a delimiter that is far away", test_until_far_away},
    {"exactly excludes max and until", test_exactly_excludes},
    {"lines", test_lines},
    {"encodings of lines", test_line_encodings},
    {"single bytes and characters", test_bytes_and_chars},
    {"peek and listen", test_peek_and_listen},
};

UNIT_MAIN(tests)
