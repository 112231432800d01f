/* SPDX-License-Identifier: MIT */
/*
 * system_streams.c - reading and writing streams through the real daemon: text and bytes,
 * lines and delimiters, time-outs, ends, half-close, back-pressure.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

static struct harness *harness;
static struct wire *wire;
static int64_t sock;
static int peer; /* the other side of `sock` */

/* ---- The set-up ---- */

static void open_stream(const char *format)
{
    int port, listener = peer_listen("127.0.0.1", &port);
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:i, s:s}", "remote-host",
                             "127.0.0.1", "remote-port", port, "format", format);

    sock = wire_int(made, "socket");
    peer = peer_accept(listener);
    peer_close(listener);
}

static void start(const char *format)
{
    harness = harness_start(NULL);
    wire = wire_open(harness);
    open_stream(format);
}

/* Waits until the bytes have come to the socket. They are peeked, so nothing changes. */
static void await_bytes(int n)
{
    json_t *peeked = wire_call(wire, "peek", "{s:I, s:i, s:s}", "socket", sock, "exactly",
                               n, "encoding", "base64");

    CU_ASSERT_EQUAL(wire_int(peeked, "size"), n);
}

static void say(const char *text)
{
    peer_print(peer, text);
    await_bytes((int)strlen(text));
}

static void check_data(json_t *result, const char *data, const char *encoding)
{
    CU_ASSERT_STRING_EQUAL(wire_text(result, "data"), data);
    CU_ASSERT_STRING_EQUAL(wire_text(result, "encoding"), encoding);
    CU_ASSERT_FALSE(wire_bool(result, "eof"));
}

static void check_end(json_t *result, const char *data, const char *end)
{
    CU_ASSERT_STRING_EQUAL(wire_text(result, "data"), data);
    CU_ASSERT_TRUE(wire_bool(result, "eof"));
    CU_ASSERT_STRING_EQUAL(wire_text(result, "end"), end);
}

static json_t *read_all(void) { return wire_call(wire, "read", "{s:I}", "socket", sock); }

static json_t *read_as(const char *encoding)
{
    return wire_call(wire, "read", "{s:I, s:s}", "socket", sock, "encoding", encoding);
}

/* ---- Text and bytes ---- */

static void test_bivalent(void)
{
    start("bivalent");
    say("gr\xc3\xbc\xc3\x9f\x65");
    json_t *result = read_all();
    check_data(result, "gr\xc3\xbc\xc3\x9f\x65", "utf-8");
    CU_ASSERT_EQUAL(wire_int(result, "size"), 7);
    say("a\xff");
    check_data(read_all(), "Yf8=", "base64");
    say("a\xff");
    check_data(read_as("latin-1"), "a\xc3\xbf", "latin-1");
    say("abc");
    check_data(read_as("base64"), "YWJj", "base64");
    open_stream("multivalent");
    say("\x80");
    check_data(read_all(), "gA==", "base64");
}

static void test_text(void)
{
    start("text");
    say("fine");
    check_data(read_all(), "fine", "utf-8");
    say("ab\xff");
    wire_refused(wire, "invalid-encoding", "read", "{s:I}", "socket", sock);
    wire_refused(wire, "invalid-encoding", "peek", "{s:I}", "socket", sock);
    wire_refused(wire, "invalid-encoding", "read-line", "{s:I, s:i}", "socket", sock,
                 "max", 3);
    check_data(read_as("base64"), "YWL/", "base64"); /* nothing was consumed */
}

static void test_binary(void)
{
    start("binary");
    say("abc");
    check_data(read_all(), "YWJj", "base64");
    say("abc");
    check_data(read_as("utf-8"), "abc", "utf-8");
    say("a\xff");
    wire_refused(wire, "invalid-encoding", "read", "{s:I, s:s}", "socket", sock,
                 "encoding", "utf-8");
    check_data(read_as("latin-1"), "a\xc3\xbf", "latin-1");
}

static void test_nul_and_controls(void)
{
    start("bivalent");
    peer_write(peer, "a\0b\001\"\\\n", 7);
    await_bytes(7);
    json_t *data = json_object_get(read_all(), "data");
    CU_ASSERT_EQUAL(json_string_length(data), 7);
    CU_ASSERT_EQUAL(memcmp(json_string_value(data), "a\0b\001\"\\\n", 7), 0);
    wire_call(wire, "write", "{s:I, s:s%}", "socket", sock, "data", "x\0y", (size_t)3);
    peer_expect(peer, "x\0y", 3);
}

static void test_split_character(void)
{
    start("bivalent");
    say("ab\xe2\x82");
    check_data(read_all(), "ab", "utf-8"); /* the split one is held back */
    int64_t waiting = wire_send(wire, "read", "{s:I}", "socket", sock);
    wire_call(wire, "listen", "{s:I}", "socket", sock);
    CU_ASSERT_FALSE(wire_is_answered(wire, waiting));
    peer_print(peer, "\xac");
    check_data(wire_result(wire, waiting), "\xe2\x82\xac", "utf-8");

    say("xy\xc3");
    check_data(wire_call(wire, "read", "{s:I, s:i}", "socket", sock, "exactly", 3),
               "eHnD", "base64"); /* it was asked for by number */
    say("x\xc3\xa4");
    check_data(wire_call(wire, "read", "{s:I, s:i}", "socket", sock, "max", 2), "x",
               "utf-8");
    check_data(wire_call(wire, "read", "{s:I, s:i}", "socket", sock, "max", 1),
               "ww==", "base64");
    check_data(read_all(), "pA==", "base64");
    say("z\xc3");
    peer_close(peer);
    check_data(read_all(), "z", "utf-8");
    check_data(read_all(), "ww==", "base64"); /* nothing can complete it any more */
    check_end(read_all(), "", "clean");
}

static void test_split_character_at_the_end_of_text(void)
{
    start("text");
    say("z\xc3");
    peer_close(peer);
    check_data(read_all(), "z", "utf-8");
    wire_refused(wire, "invalid-encoding", "read", "{s:I}", "socket", sock);
    check_data(read_as("latin-1"), "\xc3\x83", "latin-1");
    check_end(read_all(), "", "clean");
}

/* ---- How much ---- */

static void test_max_and_exactly(void)
{
    start("bivalent");
    say("0123456789");
    check_data(wire_call(wire, "read", "{s:I, s:i}", "socket", sock, "max", 3), "012",
               "utf-8");
    int64_t waiting = wire_send(wire, "read", "{s:I, s:i}", "socket", sock, "exactly", 9);
    wire_call(wire, "listen", "{s:I}", "socket", sock);
    CU_ASSERT_FALSE(wire_is_answered(wire, waiting));
    peer_print(peer, "abcd");
    check_data(wire_result(wire, waiting), "3456789ab", "utf-8");
    waiting = wire_send(wire, "read", "{s:I, s:i}", "socket", sock, "exactly", 9);
    peer_close(peer);
    json_t *result = wire_result(wire, waiting);
    check_end(result, "cd", "clean");
    CU_ASSERT_EQUAL(wire_int(result, "size"), 2);
    check_end(read_all(), "", "clean");
}

static void test_until(void)
{
    start("bivalent");
    say("one\r\n\r\ntwo");
    check_data(wire_call(wire, "read", "{s:I, s:s}", "socket", sock, "until", "\r\n\r\n"),
               "one\r\n\r\n", "utf-8");
    int64_t waiting =
        wire_send(wire, "read", "{s:I, s:s}", "socket", sock, "until", "--=");
    peer_print(peer, "-");
    peer_print(peer, "---");
    peer_print(peer, "=end");
    check_data(wire_result(wire, waiting), "two----=", "utf-8");
    check_data(wire_call(wire, "read", "{s:I, s:i}", "socket", sock, "exactly", 3), "end",
               "utf-8");

    say("0123456789;");
    check_data(wire_call(wire, "read", "{s:I, s:s, s:i}", "socket", sock, "until", ";",
                         "max", 4),
               "0123", "utf-8");
    check_data(wire_call(wire, "read", "{s:I, s:s, s:s}", "socket", sock, "until",
                         "Ow==", "encoding", "base64"),
               "NDU2Nzg5Ow==", "base64");
    say("rest");
    peer_close(peer);
    check_end(wire_call(wire, "read", "{s:I, s:s}", "socket", sock, "until", ";"), "rest",
              "clean");
}

/* The delimiter comes after a megabyte in small pieces. */
static void test_until_far_away(void)
{
    static char bytes[1000000];

    start("bivalent");
    memset(bytes, 'x', sizeof bytes);
    int64_t waiting = wire_send(wire, "read", "{s:I, s:s, s:i}", "socket", sock, "until",
                                "xyz", "max", 1048576);
    for (size_t at = 0; at < sizeof bytes; at += 1000) {
        peer_write(peer, bytes + at, 1000);
    }
    peer_print(peer, "yz.");
    CU_ASSERT_EQUAL(wire_int(wire_result(wire, waiting), "size"), sizeof bytes + 2);
    check_data(read_all(), ".", "utf-8");
}

static void test_exactly_excludes(void)
{
    start("bivalent");
    json_t *error = wire_refused(wire, "invalid-params", "read", "{s:I, s:i, s:i}",
                                 "socket", sock, "exactly", 3, "max", 4);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                           "exactly");
    wire_refused(wire, "invalid-params", "peek", "{s:I, s:i, s:s}", "socket", sock,
                 "exactly", 3, "until", ";");
}

/* ---- Lines ---- */

static void check_line(json_t *result, const char *line, bool is_missing)
{
    CU_ASSERT_STRING_EQUAL(wire_text(result, "line"), line);
    CU_ASSERT_EQUAL(wire_bool(result, "missing-newline"), is_missing);
}

static json_t *read_line(int max)
{
    return wire_call(wire, "read-line", "{s:I, s:i}", "socket", sock, "max", max);
}

static void test_lines(void)
{
    start("bivalent");
    say("one\ntwo\r\n\n\r\nab\rc\n");
    check_line(read_line(100), "one", false);
    check_line(read_line(100), "two", false);
    check_line(read_line(100), "", false);
    check_line(read_line(100), "", false);
    check_line(read_line(100), "ab\rc", false);

    say("1234\n1234\r\n12345\n");
    check_line(read_line(4), "1234", false);
    check_line(read_line(4), "1234", false);
    check_line(read_line(4), "1234", true);
    check_line(read_line(4), "5", false);

    int64_t waiting = wire_send(wire, "read-line", "{s:I}", "socket", sock);
    peer_print(peer, "spl");
    peer_print(peer, "it\r");
    peer_print(peer, "\n");
    check_line(wire_result(wire, waiting), "split", false);

    say("last");
    peer_close(peer);
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
    start("bivalent");
    say("\xff\n\xff\nabc\n\xc3\xa4x\n");
    json_t *result = read_line(100);
    check_line(result, "/w==", false);
    CU_ASSERT_STRING_EQUAL(wire_text(result, "encoding"), "base64");
    check_line(
        wire_call(wire, "read-line", "{s:I, s:s}", "socket", sock, "encoding", "latin-1"),
        "\xc3\xbf", false);
    check_line(
        wire_call(wire, "read-line", "{s:I, s:s}", "socket", sock, "encoding", "base64"),
        "YWJj", false);
    check_line(read_line(2), "\xc3\xa4", true);
    check_line(read_line(2), "x", false);
}

/* ---- Single steps ---- */

static void test_bytes_and_chars(void)
{
    start("bivalent");
    say("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xff");
    CU_ASSERT_STRING_EQUAL(
        wire_text(wire_call(wire, "read-char", "{s:I}", "socket", sock), "value"),
        "\xc3\xa4");
    CU_ASSERT_EQUAL(
        wire_int(wire_call(wire, "read-byte", "{s:I}", "socket", sock), "value"), 0xe2);
    wire_refused(wire, "invalid-encoding", "read-char", "{s:I}", "socket", sock);
    wire_call(wire, "read", "{s:I, s:i}", "socket", sock, "exactly", 2);
    CU_ASSERT_STRING_EQUAL(
        wire_text(wire_call(wire, "read-char", "{s:I}", "socket", sock), "value"),
        "\xf0\x9f\x98\x80");
    CU_ASSERT_EQUAL(
        wire_int(wire_call(wire, "read-byte", "{s:I}", "socket", sock), "value"), 0xff);
    int64_t waiting = wire_send(wire, "read-char", "{s:I}", "socket", sock);
    peer_print(peer, "\xe2\x82");
    peer_print(peer, "\xac");
    CU_ASSERT_STRING_EQUAL(wire_text(wire_result(wire, waiting), "value"),
                           "\xe2\x82\xac");

    wire_call(wire, "write-byte", "{s:I, s:i}", "socket", sock, "value", 255);
    wire_call(wire, "write-char", "{s:I, s:s}", "socket", sock, "value", "\xc3\xa4");
    wire_call(wire, "write-char", "{s:I, s:s%}", "socket", sock, "value", "\0",
              (size_t)1);
    peer_expect(peer, "\xff\xc3\xa4\0", 4);
    wire_refused(wire, "invalid-params", "write-char", "{s:I, s:s}", "socket", sock,
                 "value", "ab");
    wire_refused(wire, "invalid-params", "write-byte", "{s:I, s:i}", "socket", sock,
                 "value", 256);

    peer_close(peer);
    json_t *result = wire_call(wire, "read-byte", "{s:I}", "socket", sock);
    CU_ASSERT_TRUE(json_is_null(json_object_get(result, "value")));
    CU_ASSERT_TRUE(wire_bool(result, "eof"));
    result = wire_call(wire, "read-char", "{s:I}", "socket", sock);
    CU_ASSERT_TRUE(json_is_null(json_object_get(result, "value")));
    CU_ASSERT_STRING_EQUAL(wire_text(result, "end"), "clean");
}

static void test_peek_and_listen(void)
{
    start("bivalent");
    json_t *result = wire_call(wire, "listen", "{s:I}", "socket", sock);
    CU_ASSERT_FALSE(wire_bool(result, "available"));
    CU_ASSERT_FALSE(wire_bool(result, "eof"));
    say("hello\n");
    result = wire_call(wire, "listen", "{s:I}", "socket", sock);
    CU_ASSERT_TRUE(wire_bool(result, "available"));
    check_data(wire_call(wire, "peek", "{s:I, s:i}", "socket", sock, "max", 2), "he",
               "utf-8");
    check_data(wire_call(wire, "peek", "{s:I, s:s, s:i}", "socket", sock, "until", "\n",
                         "timeout", 10),
               "hello\n", "utf-8");
    check_data(
        wire_call(wire, "peek", "{s:I, s:s}", "socket", sock, "encoding", "base64"),
        "aGVsbG8K", "base64");
    check_line(read_line(100), "hello", false);
    peer_close(peer);
    result = wire_call(wire, "peek", "{s:I}", "socket", sock);
    check_end(result, "", "clean");
    result = wire_call(wire, "listen", "{s:I}", "socket", sock);
    CU_ASSERT_FALSE(wire_bool(result, "available"));
    CU_ASSERT_TRUE(wire_bool(result, "eof"));
}

/* ---- Time-outs, interrupt, cancel ---- */

static void test_timeouts_consume_nothing(void)
{
    start("bivalent");
    say("12");
    wire_refused(wire, "timeout", "read", "{s:I, s:i, s:f}", "socket", sock, "exactly", 5,
                 "timeout", 0.01);
    wire_refused(wire, "timeout", "read", "{s:I, s:i, s:i}", "socket", sock, "exactly", 5,
                 "timeout", 0);
    wire_refused(wire, "timeout", "read-line", "{s:I, s:f}", "socket", sock, "timeout",
                 0.01);
    wire_refused(wire, "timeout", "peek", "{s:I, s:i, s:f}", "socket", sock, "exactly", 5,
                 "timeout", 0.01);
    json_t *state = wire_call(wire, "socket-control", "{s:I, s:f, s:f}", "socket", sock,
                              "read-timeout", 0.01, "write-timeout", 0.02);
    CU_ASSERT_TRUE(json_real_value(json_object_get(state, "read-timeout")) > 0.009);
    wire_refused(wire, "read-timeout", "read-line", "{s:I}", "socket", sock);
    wire_refused(wire, "read-timeout", "read", "{s:I, s:i, s:i}", "socket", sock,
                 "exactly", 5, "timeout", 50);
    check_data(read_all(), "12", "utf-8");
    wire_refused(wire, "read-timeout", "read-char", "{s:I}", "socket", sock);
    wire_refused(wire, "read-timeout", "read-byte", "{s:I}", "socket", sock);
    state = wire_call(wire, "socket-control", "{s:I, s:i}", "socket", sock,
                      "read-timeout", -1);
    CU_ASSERT_TRUE(json_is_null(json_object_get(state, "read-timeout")));
    CU_ASSERT_TRUE(json_is_real(json_object_get(state, "write-timeout")));
    wire_refused(wire, "timeout", "read-byte", "{s:I, s:f}", "socket", sock, "timeout",
                 0.01);
    wire_refused(wire, "timeout", "read-char", "{s:I, s:f}", "socket", sock, "timeout",
                 0.01);
}

static void test_interrupt_and_cancel(void)
{
    start("bivalent");
    struct wire *other = wire_open(harness);

    say("12");
    int64_t waiting = wire_send(wire, "read", "{s:I, s:i}", "socket", sock, "exactly", 5);
    wire_call(wire, "listen", "{s:I}", "socket", sock);
    json_t *result = wire_call(other, "interrupt", "{s:I, s:s, s:s}", "socket", sock,
                               "direction", "input", "reason", "enough");
    CU_ASSERT_EQUAL(wire_int(result, "interrupted"), 1);
    json_t *error = wire_error(wire, waiting, "interrupted");
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "reason"), "enough");

    waiting = wire_send(wire, "read-line", "{s:I}", "socket", sock);
    result = wire_call(wire, "cancel", "{s:I}", "request", waiting);
    CU_ASSERT_TRUE(wire_bool(result, "cancelled"));
    wire_error(wire, waiting, "cancelled");
    check_data(read_all(), "12", "utf-8");

    waiting = wire_send(wire, "read", "{s:I}", "socket", sock);
    wire_call(other, "close", "{s:I}", "socket", sock);
    wire_error(wire, waiting, "socket-closed");
    wire_refused(wire, "no-such-socket", "read", "{s:I}", "socket", sock);
    peer_expect_end(peer);
}

static void test_a_client_that_dies_loses_nothing(void)
{
    start("bivalent");
    struct wire *other = wire_open(harness);

    say("12");
    wire_send(other, "read", "{s:I, s:i}", "socket", sock, "exactly", 5);
    wire_call(other, "hello", NULL);
    wire_close(other);
    check_data(wire_call(wire, "read", "{s:I, s:i}", "socket", sock, "exactly", 2), "12",
               "utf-8");
}

/* ---- Writing ---- */

static void test_write_encodings(void)
{
    start("bivalent");
    json_t *result =
        wire_call(wire, "write", "{s:I, s:s}", "socket", sock, "data", "\xc3\xa4");
    CU_ASSERT_EQUAL(wire_int(result, "size"), 2);
    wire_call(wire, "write", "{s:I, s:s, s:s}", "socket", sock, "data",
              "/wA=", "encoding", "base64");
    result = wire_call(wire, "write", "{s:I, s:s, s:s}", "socket", sock, "data",
                       "\xc3\xa4", "encoding", "latin-1");
    CU_ASSERT_EQUAL(wire_int(result, "size"), 1);
    peer_expect(peer, "\xc3\xa4\xff\0\xe4", 5);
    wire_refused(wire, "invalid-encoding", "write", "{s:I, s:s, s:s}", "socket", sock,
                 "data", "not base64!", "encoding", "base64");
    wire_refused(wire, "invalid-encoding", "write", "{s:I, s:s, s:s}", "socket", sock,
                 "data", "\xe2\x82\xac", "encoding", "latin-1");
}

static void test_hold_back(void)
{
    start("bivalent");
    wire_call(wire, "write", "{s:I, s:s, s:b}", "socket", sock, "data", "one ", "flush",
              0);
    wire_call(wire, "write", "{s:I, s:s, s:b}", "socket", sock, "data", "two ", "flush",
              0);
    json_t *described = wire_call(wire, "describe-socket", "{s:I}", "socket", sock);
    CU_ASSERT_EQUAL(wire_int(json_object_get(described, "runtime"), "output-buffered"),
                    8);
    wire_call(wire, "force-output", "{s:I}", "socket", sock);
    peer_expect_text(peer, "one two ");
    wire_call(wire, "write", "{s:I, s:s, s:b}", "socket", sock, "data", "three", "flush",
              0);
    wire_call(wire, "finish-output", "{s:I, s:i}", "socket", sock, "timeout", 50);
    peer_expect_text(peer, "three");
    wire_call(wire, "write", "{s:I, s:s, s:b}", "socket", sock, "data", "four", "flush",
              0);
    wire_call(wire, "close", "{s:I}", "socket", sock);
    peer_expect_text(peer, "four");
    peer_expect_end(peer);
}

/* Writes until one waits; the id of that one. */
static int64_t fill(size_t size, int64_t *accepted)
{
    char *data = malloc(size + 1);

    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    memset(data, 'x', size);
    data[size] = '\0';
    for (;;) {
        int64_t id = wire_send(wire, "write", "{s:I, s:s}", "socket", sock, "data", data);
        wire_call(wire, "listen", "{s:I}", "socket", sock);
        if (!wire_is_answered(wire, id)) {
            free(data);
            return id;
        }
        *accepted += wire_int(wire_result(wire, id), "size");
    }
}

static void drain(int64_t size)
{
    static char bytes[65536];

    while (size > 0) {
        size_t n = peer_read(peer, bytes, sizeof bytes);
        CU_ASSERT_TRUE_FATAL(n > 0);
        size -= (int64_t)n;
    }
    CU_ASSERT_EQUAL(size, 0);
}

static void test_back_pressure(void)
{
    int64_t accepted = 0;

    start("bivalent");
    int64_t waiting = fill(100000, &accepted);
    int64_t behind =
        wire_send(wire, "write", "{s:I, s:s}", "socket", sock, "data", "end");
    wire_refused(wire, "timeout", "write", "{s:I, s:s, s:f}", "socket", sock, "data",
                 "never", "timeout", 0.01);
    wire_refused(wire, "timeout", "finish-output", "{s:I, s:f}", "socket", sock,
                 "timeout", 0.01);
    wire_call(wire, "socket-control", "{s:I, s:f}", "socket", sock, "write-timeout",
              0.01);
    wire_refused(wire, "write-timeout", "write", "{s:I, s:s}", "socket", sock, "data",
                 "never");
    wire_refused(wire, "write-timeout", "write-byte", "{s:I, s:i, s:i}", "socket", sock,
                 "value", 1, "timeout", 50);
    wire_refused(wire, "timeout", "write-char", "{s:I, s:s, s:i}", "socket", sock,
                 "value", "x", "timeout", 0);
    wire_call(wire, "interrupt", "{s:I, s:s}", "socket", sock, "direction", "input");
    CU_ASSERT_FALSE(wire_is_answered(wire, waiting));
    drain(accepted + 100000 + 3);
    wire_result(wire, waiting);
    wire_result(wire, behind);
    /* All the same the counter tells what went out, and nothing of what timed out. */
    json_t *counter = wire_call(wire, "socket-bytes-written", "{s:I}", "socket", sock);
    CU_ASSERT_EQUAL(wire_int(counter, "value"), accepted + 100003);
}

static void test_interrupted_write_writes_nothing(void)
{
    int64_t accepted = 0;

    start("bivalent");
    int64_t waiting = fill(100000, &accepted);
    json_t *result =
        wire_call(wire, "interrupt", "{s:I, s:s}", "socket", sock, "direction", "output");
    CU_ASSERT_EQUAL(wire_int(result, "interrupted"), 1);
    wire_error(wire, waiting, "interrupted");
    wire_send(wire, "shutdown", "{s:I, s:s}", "socket", sock, "direction", "output");
    drain(accepted);
    peer_expect_end(peer);
}

static void test_large_write(void)
{
    size_t size = 1000000;
    char *data = malloc(size + 1), *heard = malloc(size);

    start("bivalent");
    CU_ASSERT_TRUE_FATAL(data != NULL && heard != NULL);
    for (size_t i = 0; i < size; i++) {
        data[i] = (char)('a' + harness_random() % 26);
    }
    data[size] = '\0';
    int64_t id = wire_send(wire, "write", "{s:I, s:s}", "socket", sock, "data", data);
    peer_expect(peer, data, size);
    CU_ASSERT_EQUAL(wire_int(wire_result(wire, id), "size"), (int64_t)size);
    free(data);
    free(heard);
}

static void test_counters(void)
{
    start("bivalent");
    say("12345");
    read_all();
    CU_ASSERT_EQUAL(
        wire_int(wire_call(wire, "socket-bytes-read", "{s:I}", "socket", sock), "value"),
        5);
    wire_call(wire, "write", "{s:I, s:s}", "socket", sock, "data", "abc");
    CU_ASSERT_EQUAL(wire_int(wire_call(wire, "socket-bytes-written", "{s:I, s:i}",
                                       "socket", sock, "set", 100),
                             "value"),
                    100);
    wire_call(wire, "write", "{s:I, s:s}", "socket", sock, "data", "abc");
    CU_ASSERT_EQUAL(
        wire_int(wire_call(wire, "socket-bytes-written", "{s:I}", "socket", sock),
                 "value"),
        103);
    CU_ASSERT_EQUAL(wire_int(wire_call(wire, "socket-bytes-read", "{s:I, s:i}", "socket",
                                       sock, "set", 0),
                             "value"),
                    0);
}

/* ---- Ends ---- */

static void test_half_close(void)
{
    start("bivalent");
    wire_call(wire, "write", "{s:I, s:s}", "socket", sock, "data", "question");
    wire_call(wire, "write", "{s:I, s:s, s:b}", "socket", sock, "data", "dropped",
              "flush", 0);
    wire_call(wire, "shutdown", "{s:I, s:s}", "socket", sock, "direction", "output");
    wire_call(wire, "shutdown", "{s:I, s:s}", "socket", sock, "direction", "output");
    peer_expect_text(peer, "question");
    peer_expect_end(peer);
    wire_refused(wire, "shutdown", "write", "{s:I, s:s}", "socket", sock, "data", "x");
    wire_refused(wire, "shutdown", "force-output", "{s:I}", "socket", sock);
    wire_call(wire, "finish-output", "{s:I}", "socket", sock);
    say("answer");
    check_data(read_all(), "answer", "utf-8");

    int64_t waiting = wire_send(wire, "read", "{s:I}", "socket", sock);
    wire_call(wire, "shutdown", "{s:I, s:s}", "socket", sock, "direction", "input");
    wire_error(wire, waiting, "shutdown");
    wire_refused(wire, "shutdown", "read", "{s:I}", "socket", sock);
    wire_refused(wire, "shutdown", "listen", "{s:I}", "socket", sock);
    wire_refused(wire, "shutdown", "socket-os-fd", "{s:I}", "socket", sock);
    wire_refused(wire, "shutdown", "attach", "{s:I}", "socket", sock);
    wire_refused(wire, "invalid-params", "shutdown", "{s:I}", "socket", sock);
    json_t *described = wire_call(wire, "describe-socket", "{s:I}", "socket", sock);
    json_t *runtime = json_object_get(described, "runtime");
    CU_ASSERT_TRUE(wire_bool(runtime, "input-shutdown"));
    CU_ASSERT_TRUE(wire_bool(runtime, "output-shutdown"));
    wire_call(wire, "close", "{s:I}", "socket", sock);
    wire_refused(wire, "no-such-socket", "close", "{s:I}", "socket", sock);
}

static void test_reset(void)
{
    start("bivalent");
    say("last words");
    peer_abort(peer);
    check_data(read_all(), "last words", "utf-8");
    wire_refused(wire, "connection-reset", "read", "{s:I}", "socket", sock);
    wire_refused(wire, "connection-reset", "read", "{s:I}", "socket", sock);
    wire_refused(wire, "broken-pipe", "write", "{s:I, s:s}", "socket", sock, "data", "x");
    json_t *described = wire_call(wire, "describe-socket", "{s:I}", "socket", sock);
    json_t *runtime = json_object_get(described, "runtime");
    CU_ASSERT_STRING_EQUAL(wire_text(runtime, "end"), "reset");
    CU_ASSERT_PTR_NOT_NULL(json_object_get(runtime, "last-error"));
}

static void test_reset_under_a_waiting_read(void)
{
    start("bivalent");
    int64_t waiting = wire_send(wire, "read", "{s:I}", "socket", sock);
    wire_call(wire, "listen", "{s:I}", "socket", sock);
    peer_abort(peer);
    wire_error(wire, waiting, "connection-reset");
}

static void test_wrong_kind(void)
{
    static const char *const methods[] = {
        "read",      "read-line",    "peek",          "listen", "read-byte",
        "read-char", "force-output", "finish-output", "attach", "socket-control"};
    int64_t listener;

    start("bivalent");
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                             "local-host", "127.0.0.1");
    listener = wire_int(made, "socket");
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        wire_refused(wire, "wrong-kind", methods[i], "{s:I}", "socket", listener);
        wire_refused(wire, "no-such-socket", methods[i], "{s:I}", "socket",
                     listener + 64000);
    }
    wire_refused(wire, "wrong-kind", "write", "{s:I, s:s}", "socket", listener, "data",
                 "x");
    wire_refused(wire, "wrong-kind", "shutdown", "{s:I, s:s}", "socket", listener,
                 "direction", "input");
}

/* Requests for one direction are served in the order they were asked; those for the other
 * are not held up. */
static void test_order(void)
{
    int64_t ids[20];
    char text[8];

    start("bivalent");
    for (int i = 0; i < 20; i++) {
        ids[i] = wire_send(wire, "read", "{s:I, s:i}", "socket", sock, "exactly", 2);
    }
    wire_call(wire, "write", "{s:I, s:s}", "socket", sock, "data", "go");
    peer_expect_text(peer, "go");
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "%02d", i);
        peer_print(peer, text);
    }
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "%02d", i);
        check_data(wire_result(wire, ids[i]), text, "utf-8");
    }
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
    {"time-outs consume nothing", test_timeouts_consume_nothing},
    {"interrupt, cancel and close of waiting reads", test_interrupt_and_cancel},
    {"a client that dies loses nothing", test_a_client_that_dies_loses_nothing},
    {"encodings of written data", test_write_encodings},
    {"output is held back", test_hold_back},
    {"writes wait while the buffer is full", test_back_pressure},
    {"an interrupted write writes nothing", test_interrupted_write_writes_nothing},
    {"a large write", test_large_write},
    {"counters of bytes", test_counters},
    {"half-close", test_half_close},
    {"reset by the peer", test_reset},
    {"reset under a waiting read", test_reset_under_a_waiting_read},
    {"other kinds of sockets", test_wrong_kind},
    {"order of requests", test_order},
};

UNIT_MAIN(tests)
