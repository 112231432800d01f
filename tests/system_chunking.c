/* SPDX-License-Identifier: MIT */
/*
 * system_chunking.c - HTTP/1.1 chunks through socket-control: output, input, trailers,
 * the mark at the end of a body, and what breaks the rules.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/peer.h"
#include "tests/stream_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

static json_t *control(const char *key, int value)
{
    return wire_call(pair.wire, "socket-control", "{s:I, s:b}", "socket", pair.sock, key,
                     value);
}

static void write_text(const char *text, int is_flush)
{
    wire_call(pair.wire, "write", "{s:I, s:s, s:b}", "socket", pair.sock, "data", text,
              "flush", is_flush);
}

/* ---- Output ---- */

static void test_output(void)
{
    pair_start(NULL);
    write_text("head", 1);
    write_text("held ", 0);
    CU_ASSERT_TRUE(wire_bool(control("output-chunking", 1), "output-chunking"));
    CU_ASSERT_TRUE(wire_bool(pair_runtime(), "output-chunking"));
    write_text("back", 0); /* one chunk with what was held back before */
    wire_call(pair.wire, "force-output", "{s:I}", "socket", pair.sock);
    wire_call(pair.wire, "force-output", "{s:I}", "socket", pair.sock);
    write_text("", 1);
    wire_call(pair.wire, "finish-output", "{s:I}", "socket", pair.sock);
    write_text("0123456789abcdef", 1);
    write_text("end", 0);
    json_t *state = control("output-chunking-eof", 1);
    CU_ASSERT_FALSE(wire_bool(state, "output-chunking"));
    write_text("plain", 1);
    peer_expect_text(pair.peer, "head9\r\nheld back\r\n10\r\n0123456789abcdef\r\n"
                                "3\r\nend\r\n0\r\n\r\nplain");
    json_t *error =
        wire_refused(pair.wire, "invalid-params", "socket-control", "{s:I, s:b}",
                     "socket", pair.sock, "output-chunking-eof", 1);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                           "output-chunking-eof");
    control("output-chunking-eof", 0);
    state = wire_call(pair.wire, "socket-control", "{s:I, s:b, s:b}", "socket", pair.sock,
                      "output-chunking", 1, "output-chunking-eof", 1);
    CU_ASSERT_FALSE(wire_bool(state, "output-chunking"));
    peer_expect_text(pair.peer, "0\r\n\r\n");
}

static void test_output_turned_off(void)
{
    pair_start(NULL);
    control("output-chunking", 1);
    write_text("a", 0);
    control("output-chunking", 0);
    write_text("b", 1);
    control("output-chunking", 1);
    write_text("c", 0);
    wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    peer_expect_text(pair.peer, "1\r\na\r\nb1\r\nc\r\n");
    peer_expect_end(pair.peer);
}

/* More than the output buffer holds goes out in several chunks, all of them well formed.
 */
static void test_large_output(void)
{
    size_t size = 700000, n_body = 0;
    char *data = malloc(size + 1), line[32];

    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    memset(data, 'x', size);
    data[size] = '\0';
    pair_start(NULL);
    control("output-chunking", 1);
    for (int i = 0; i < 3; i++) {
        wire_send(pair.wire, "write", "{s:I, s:s, s:b}", "socket", pair.sock, "data",
                  data, "flush", i == 2);
    }
    int64_t last = wire_send(pair.wire, "finish-output", "{s:I}", "socket", pair.sock);
    while (n_body < 3 * size) {
        size_t n = 0;
        do {
            peer_read(pair.peer, line + n, 1);
        } while (line[n++] != '\n' && n < sizeof line);
        size_t chunk = strtoul(line, NULL, 16);
        CU_ASSERT_TRUE_FATAL(chunk > 0 && chunk <= 3 * size - n_body);
        for (size_t left = chunk; left > 0;) {
            static char bytes[65536];
            left -=
                peer_read(pair.peer, bytes, left < sizeof bytes ? left : sizeof bytes);
        }
        peer_expect_text(pair.peer, "\r\n");
        n_body += chunk;
    }
    wire_result(pair.wire, last);
    control("output-chunking-eof", 1);
    peer_expect_text(pair.peer, "0\r\n\r\n");
    free(data);
}

/* ---- Input ---- */

static void check_data(const json_t *result, const char *data)
{
    pair_check_data(result, data, "utf-8");
}

static void check_chunk_end(const json_t *result, const char *data)
{
    pair_check_end(result, data, "chunk");
}

static void test_input(void)
{
    pair_start(NULL);
    CU_ASSERT_TRUE(json_is_null(json_object_get(pair_runtime(), "trailers")));
    peer_print(pair.peer,
               "HTTP/1.1 200 OK\r\n\r\n5;ext=\"a;b\"\r\nhello\r\n6\r\n world\r\n"
               "0\r\nDigest: abc \r\nX:\r\n\r\nHTTP/1.1 204 No Content\r\n");
    check_data(wire_call(pair.wire, "read", "{s:I, s:s}", "socket", pair.sock, "until",
                         "\r\n\r\n"),
               "HTTP/1.1 200 OK\r\n\r\n");
    CU_ASSERT_TRUE(wire_bool(control("input-chunking", 1), "input-chunking"));
    check_data(pair_read_exactly(11), "hello world");
    json_t *listened = wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
    CU_ASSERT_FALSE(wire_bool(listened, "available"));
    CU_ASSERT_TRUE(wire_bool(listened, "eof"));
    check_chunk_end(wire_call(pair.wire, "peek", "{s:I}", "socket", pair.sock), "");
    check_chunk_end(wire_call(pair.wire, "peek", "{s:I}", "socket", pair.sock), "");
    check_chunk_end(pair_read(), "");
    CU_ASSERT_FALSE(wire_bool(pair_runtime(), "input-chunking"));
    json_t *trailers = json_object_get(pair_runtime(), "trailers");
    CU_ASSERT_EQUAL_FATAL(json_array_size(trailers), 2);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(trailers, 0)), "Digest: abc");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(trailers, 1)), "X: ");
    check_data(pair_read(),
               "HTTP/1.1 204 No Content\r\n"); /* nothing was lost behind it */
}

/* Two bodies, one behind the other, in every kind of read; and in single bytes. */
static void test_ends_of_bodies(void)
{
    pair_start(NULL);
    control("input-chunking", 1);
    peer_print(pair.peer, "3\r\nabc\r\n0\r\n\r\n");
    check_chunk_end(pair_read_exactly(10),
                    "abc"); /* the shorter rest tells the end: once */
    control("input-chunking", 1);
    peer_print(pair.peer, "5\r\none\nt\r\n2\r\nwo\r\n0\r\n\r\n");
    json_t *line = wire_call(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
    CU_ASSERT_STRING_EQUAL(wire_text(line, "line"), "one");
    line = wire_call(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
    CU_ASSERT_STRING_EQUAL(wire_text(line, "line"), "two");
    CU_ASSERT_TRUE(wire_bool(line, "missing-newline"));
    CU_ASSERT_STRING_EQUAL(wire_text(line, "end"), "chunk");
    control("input-chunking", 1);
    peer_print(pair.peer, "1\r\nx\r\n0\r\n\r\n");
    json_t *byte = wire_call(pair.wire, "read-byte", "{s:I}", "socket", pair.sock);
    CU_ASSERT_EQUAL(wire_int(byte, "value"), 'x');
    byte = wire_call(pair.wire, "read-byte", "{s:I}", "socket", pair.sock);
    CU_ASSERT_STRING_EQUAL(wire_text(byte, "end"), "chunk");
    peer_close(pair.peer);
    json_t *end = pair_read();
    CU_ASSERT_STRING_EQUAL(wire_text(end, "end"), "clean");
}

static void test_split_anywhere(void)
{
    static const char text[] = "4;a=\"\\\"\"\r\nabcd\r\n0002\r\nef\r\n00\r\nT: 1\r\n\r\n";

    pair_start(NULL);
    for (size_t at = 1; at < sizeof text - 1; at++) {
        control("input-chunking", 1);
        int64_t waiting = wire_send(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock,
                                    "exactly", 100);
        peer_write(pair.peer, text, at);
        wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
        peer_write(pair.peer, text + at, sizeof text - 1 - at);
        check_chunk_end(wire_result(pair.wire, waiting), "abcdef");
    }
}

static void test_bad_input(void)
{
    static const struct {
        const char *text, *body; /* what is read before the fault */
    } bad[] = {
        {"x\r\n", ""},
        {"2\r\nok\r\n5\nhello", "ok"},
        {"5\r\nhelloXX", "hello"},
        {"-1\r\n", ""},
        {"0\r\nno colon\r\n", ""},
        {"0\r\n\n", ""},
        {"5;\"open\r\n", ""},
        {"2\r\nok\r\nfffffffffffffffff\r\n", "ok"},
    };

    pair_start(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int size = (int)strlen(bad[i].body);
        control("input-chunking", 1);
        peer_print(pair.peer, bad[i].text);
        if (size > 0) {
            check_data(pair_read_exactly(size), bad[i].body);
        }
        wire_refused(pair.wire, "chunking-error", "read", "{s:I}", "socket", pair.sock);
        wire_refused(pair.wire, "chunking-error", "read-line", "{s:I}", "socket",
                     pair.sock);
        control("input-chunking", 0);
        wire_call(pair.wire, "read", "{s:I}", "socket",
                  pair.sock); /* the rest as it came */
    }
}

static void test_end_inside_a_body(void)
{
    pair_start(NULL);
    control("input-chunking", 1);
    peer_print(pair.peer, "5\r\nhel");
    peer_close(pair.peer);
    check_data(pair_read_exactly(3), "hel");
    wire_refused(pair.wire, "chunking-error", "read", "{s:I}", "socket", pair.sock);
    control("input-chunking", 0);
    CU_ASSERT_STRING_EQUAL(wire_text(pair_read(), "end"), "clean");
}

static void test_turned_on_under_a_waiting_read(void)
{
    pair_start(NULL);
    int64_t waiting =
        wire_send(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "exactly", 5);
    control("input-chunking", 1);
    peer_print(pair.peer, "5\r\nhello\r\n");
    check_data(wire_result(pair.wire, waiting), "hello");
}

static void test_attach_is_busy(void)
{
    pair_start(NULL);
    control("input-chunking", 1);
    wire_refused(pair.wire, "busy", "attach", "{s:I}", "socket", pair.sock);
    control("input-chunking", 0);
    control("output-chunking", 1);
    wire_refused(pair.wire, "busy", "attach", "{s:I}", "socket", pair.sock);
}

/* The last chunk comes behind the writes that were asked before it, the end behind that.
 */
static void test_end_behind_waiting_writes(void)
{
    static const char tail[] = "\r\n0\r\n\r\n";
    enum { SIZE = 200000, WRITES = 60 };
    static char data[SIZE + 1], got[SIZE];
    size_t n_got = 0, n, n_tail = strlen(tail);
    int64_t ids[WRITES];

    pair_start(NULL);
    memset(data, 'd', SIZE);
    control("output-chunking", 1);
    for (int i = 0; i < WRITES; i++) {
        ids[i] = wire_send(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock, "data",
                           data);
    }
    int64_t end = wire_send(pair.wire, "socket-control", "{s:I, s:b}", "socket",
                            pair.sock, "output-chunking-eof", 1);
    wire_call(pair.wire, "shutdown", "{s:I, s:s}", "socket", pair.sock, "direction",
              "output");
    CU_ASSERT_FALSE(wire_is_answered(pair.wire, end));
    while ((n = peer_read(pair.peer, got + n_tail, sizeof got - n_tail)) > 0) {
        n_got += n;
        memmove(got, got + n, n_tail); /* the last ones stand in front */
    }
    CU_ASSERT_EQUAL(memcmp(got, tail, n_tail), 0);
    /* 30d40 CR LF before and CR LF behind each, and the last chunk. */
    CU_ASSERT_EQUAL(n_got, (size_t)WRITES * (SIZE + 9) + 5);
    for (int i = 0; i < WRITES; i++) {
        wire_result(pair.wire, ids[i]);
    }
    CU_ASSERT_FALSE(wire_bool(wire_result(pair.wire, end), "output-chunking"));
}

/* It can be cancelled, and then changes nothing. */
static void test_waiting_control_is_cancelled(void)
{
    static char data[700001];

    pair_start(NULL);
    memset(data, 'd', sizeof data - 1);
    for (int64_t id = 0; id == 0 || wire_is_answered(pair.wire, id);) {
        id = wire_send(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock, "data",
                       data);
        wire_call(pair.wire, "socket-type", "{s:I}", "socket", pair.sock);
    }
    int64_t id = wire_send(pair.wire, "socket-control", "{s:I, s:b}", "socket", pair.sock,
                           "output-chunking", 1);
    json_t *result = wire_call(pair.wire, "cancel", "{s:I}", "request", id);
    CU_ASSERT_TRUE(wire_bool(result, "cancelled"));
    wire_error(pair.wire, id, "cancelled");
    CU_ASSERT_FALSE(wire_bool(pair_runtime(), "output-chunking"));
}

static const struct unit_test tests[] = {
    {"each flush is one chunk", test_output},
    {"output chunking turned off, and close", test_output_turned_off},
    {"output larger than the buffer", test_large_output},
    {"the end behind waiting writes", test_end_behind_waiting_writes},
    {"a control that waits is cancelled", test_waiting_control_is_cancelled},
    {"a body, its trailers and what follows", test_input},
    {"ends of bodies in every kind of read", test_ends_of_bodies},
    {"a body split anywhere", test_split_anywhere},
    {"input that breaks the rules", test_bad_input},
    {"the end inside a body", test_end_inside_a_body},
    {"chunking turned on under a waiting read", test_turned_on_under_a_waiting_read},
    {"attach is refused while chunking is on", test_attach_is_busy},
};

UNIT_MAIN(tests)
