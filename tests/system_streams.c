/* SPDX-License-Identifier: MIT */
/*
 * system_streams.c - streams through the real daemon: time-outs, interrupts, writing and
 * back-pressure, counters, half-close, resets, order. What reads answer is in
 * system_reads.c.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/stream_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

/* ---- Time-outs, interrupt, cancel ---- */

static void test_timeouts_consume_nothing(void)
{
    pair_start("bivalent");
    pair_say("12");
    wire_refused(pair.wire, "timeout", "read", "{s:I, s:i, s:f}", "socket", pair.sock,
                 "exactly", 5, "timeout", 0.01);
    wire_refused(pair.wire, "timeout", "read", "{s:I, s:i, s:i}", "socket", pair.sock,
                 "exactly", 5, "timeout", 0);
    wire_refused(pair.wire, "timeout", "read-line", "{s:I, s:f}", "socket", pair.sock,
                 "timeout", 0.01);
    wire_refused(pair.wire, "timeout", "peek", "{s:I, s:i, s:f}", "socket", pair.sock,
                 "exactly", 5, "timeout", 0.01);
    json_t *state = wire_call(pair.wire, "socket-control", "{s:I, s:f, s:f}", "socket",
                              pair.sock, "read-timeout", 0.01, "write-timeout", 0.02);
    CU_ASSERT_EQUAL(json_real_value(json_object_get(state, "read-timeout")), 0.01);
    wire_refused(pair.wire, "read-timeout", "read-line", "{s:I}", "socket", pair.sock);
    wire_refused(pair.wire, "read-timeout", "read", "{s:I, s:i, s:i}", "socket",
                 pair.sock, "exactly", 5, "timeout", 50);
    pair_check_data(pair_read(), "12", "utf-8");
    wire_refused(pair.wire, "read-timeout", "read-char", "{s:I}", "socket", pair.sock);
    wire_refused(pair.wire, "read-timeout", "read-byte", "{s:I}", "socket", pair.sock);
    state = wire_call(pair.wire, "socket-control", "{s:I, s:i}", "socket", pair.sock,
                      "read-timeout", -1);
    CU_ASSERT_TRUE(json_is_null(json_object_get(state, "read-timeout")));
    CU_ASSERT_TRUE(json_is_real(json_object_get(state, "write-timeout")));
    wire_refused(pair.wire, "timeout", "read-byte", "{s:I, s:f}", "socket", pair.sock,
                 "timeout", 0.01);
    wire_refused(pair.wire, "timeout", "read-char", "{s:I, s:f}", "socket", pair.sock,
                 "timeout", 0.01);
}

static void test_interrupt_and_cancel(void)
{
    pair_start("bivalent");
    struct wire *other = wire_open(pair.harness);

    pair_say("12");
    int64_t waiting =
        wire_send(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "exactly", 5);
    wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
    json_t *result = wire_call(other, "interrupt", "{s:I, s:s, s:s}", "socket", pair.sock,
                               "direction", "input", "reason", "enough");
    CU_ASSERT_EQUAL(wire_int(result, "interrupted"), 1);
    json_t *error = wire_error(pair.wire, waiting, "interrupted");
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "reason"), "enough");

    waiting = wire_send(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
    result = wire_call(pair.wire, "cancel", "{s:I}", "request", waiting);
    CU_ASSERT_TRUE(wire_bool(result, "cancelled"));
    wire_error(pair.wire, waiting, "cancelled");
    pair_check_data(pair_read(), "12", "utf-8");

    waiting = wire_send(pair.wire, "read", "{s:I}", "socket", pair.sock);
    wire_call(other, "close", "{s:I}", "socket", pair.sock);
    wire_error(pair.wire, waiting, "socket-closed");
    wire_refused(pair.wire, "no-such-socket", "read", "{s:I}", "socket", pair.sock);
    peer_expect_end(pair.peer);
}

static void test_a_client_that_dies_loses_nothing(void)
{
    pair_start("bivalent");
    struct wire *other = wire_open(pair.harness);

    pair_say("12");
    wire_send(other, "read", "{s:I, s:i}", "socket", pair.sock, "exactly", 5);
    wire_call(other, "hello", NULL);
    wire_close(other);
    pair_check_data(
        wire_call(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "exactly", 2),
        "12", "utf-8");
}

/* ---- Writing ---- */

static void test_write_encodings(void)
{
    pair_start("bivalent");
    json_t *result = wire_call(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock,
                               "data", "\xc3\xa4");
    CU_ASSERT_EQUAL(wire_int(result, "size"), 2);
    wire_call(pair.wire, "write", "{s:I, s:s, s:s}", "socket", pair.sock, "data",
              "/wA=", "encoding", "base64");
    result = wire_call(pair.wire, "write", "{s:I, s:s, s:s}", "socket", pair.sock, "data",
                       "\xc3\xa4", "encoding", "latin-1");
    CU_ASSERT_EQUAL(wire_int(result, "size"), 1);
    peer_expect(pair.peer, "\xc3\xa4\xff\0\xe4", 5);
    wire_refused(pair.wire, "invalid-encoding", "write", "{s:I, s:s, s:s}", "socket",
                 pair.sock, "data", "not base64!", "encoding", "base64");
    wire_refused(pair.wire, "invalid-encoding", "write", "{s:I, s:s, s:s}", "socket",
                 pair.sock, "data", "\xe2\x82\xac", "encoding", "latin-1");
}

static void test_hold_back(void)
{
    pair_start("bivalent");
    wire_call(pair.wire, "write", "{s:I, s:s, s:b}", "socket", pair.sock, "data", "one ",
              "flush", 0);
    wire_call(pair.wire, "write", "{s:I, s:s, s:b}", "socket", pair.sock, "data", "two ",
              "flush", 0);
    json_t *described =
        wire_call(pair.wire, "describe-socket", "{s:I}", "socket", pair.sock);
    CU_ASSERT_EQUAL(wire_int(json_object_get(described, "runtime"), "output-buffered"),
                    8);
    wire_call(pair.wire, "force-output", "{s:I}", "socket", pair.sock);
    peer_expect_text(pair.peer, "one two ");
    wire_call(pair.wire, "write", "{s:I, s:s, s:b}", "socket", pair.sock, "data", "three",
              "flush", 0);
    wire_call(pair.wire, "finish-output", "{s:I, s:i}", "socket", pair.sock, "timeout",
              50);
    peer_expect_text(pair.peer, "three");
    wire_call(pair.wire, "write", "{s:I, s:s, s:b}", "socket", pair.sock, "data", "four",
              "flush", 0);
    wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    peer_expect_text(pair.peer, "four");
    peer_expect_end(pair.peer);
}

/* Writes until one waits; the id of that one. */
static int64_t fill(size_t size, int64_t *accepted)
{
    char *data = malloc(size + 1);

    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    memset(data, 'x', size);
    data[size] = '\0';
    for (;;) {
        int64_t id = wire_send(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock,
                               "data", data);
        wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
        if (!wire_is_answered(pair.wire, id)) {
            free(data);
            return id;
        }
        *accepted += wire_int(wire_result(pair.wire, id), "size");
    }
}

static void drain(int64_t size)
{
    static char bytes[65536];

    while (size > 0) {
        size_t n = peer_read(pair.peer, bytes, sizeof bytes);
        CU_ASSERT_TRUE_FATAL(n > 0);
        size -= (int64_t)n;
    }
    CU_ASSERT_EQUAL(size, 0);
}

static void test_back_pressure(void)
{
    int64_t accepted = 0;

    pair_start("bivalent");
    int64_t waiting = fill(100000, &accepted);
    int64_t behind =
        wire_send(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock, "data", "end");
    wire_refused(pair.wire, "timeout", "write", "{s:I, s:s, s:f}", "socket", pair.sock,
                 "data", "never", "timeout", 0.01);
    wire_refused(pair.wire, "timeout", "finish-output", "{s:I, s:f}", "socket", pair.sock,
                 "timeout", 0.01);
    wire_call(pair.wire, "socket-control", "{s:I, s:f}", "socket", pair.sock,
              "write-timeout", 0.01);
    wire_refused(pair.wire, "write-timeout", "write", "{s:I, s:s}", "socket", pair.sock,
                 "data", "never");
    wire_refused(pair.wire, "write-timeout", "write-byte", "{s:I, s:i, s:i}", "socket",
                 pair.sock, "value", 1, "timeout", 50);
    wire_refused(pair.wire, "timeout", "write-char", "{s:I, s:s, s:i}", "socket",
                 pair.sock, "value", "x", "timeout", 0);
    wire_call(pair.wire, "interrupt", "{s:I, s:s}", "socket", pair.sock, "direction",
              "input");
    CU_ASSERT_FALSE(wire_is_answered(pair.wire, waiting));
    drain(accepted + 100000 + 3);
    wire_result(pair.wire, waiting);
    wire_result(pair.wire, behind);
    /* All the same the counter tells what went out, and nothing of what timed out. */
    json_t *counter =
        wire_call(pair.wire, "socket-bytes-written", "{s:I}", "socket", pair.sock);
    CU_ASSERT_EQUAL(wire_int(counter, "value"), accepted + 100003);
}

static void test_small_buffer(void)
{
    static const char *const args[] = {"--output-buffer-size", "4K", NULL};
    struct harness_options options = {.args = args};
    int64_t accepted = 0;

    pair.harness = harness_start(&options);
    pair.wire = wire_open(pair.harness);
    json_t *limits = json_object_get(wire_call(pair.wire, "hello", NULL), "limits");
    CU_ASSERT_EQUAL(wire_int(limits, "output-buffer-size"), 4096);
    pair_open(NULL);
    int64_t waiting = fill(1000, &accepted);
    CU_ASSERT_TRUE(wire_int(pair_runtime(), "output-buffered") <= 4096);
    drain(accepted + 1000);
    wire_result(pair.wire, waiting);
}

static void test_interrupted_write_writes_nothing(void)
{
    int64_t accepted = 0;

    pair_start("bivalent");
    int64_t waiting = fill(100000, &accepted);
    json_t *result = wire_call(pair.wire, "interrupt", "{s:I, s:s}", "socket", pair.sock,
                               "direction", "output");
    CU_ASSERT_EQUAL(wire_int(result, "interrupted"), 1);
    wire_error(pair.wire, waiting, "interrupted");
    wire_send(pair.wire, "shutdown", "{s:I, s:s}", "socket", pair.sock, "direction",
              "output");
    drain(accepted);
    peer_expect_end(pair.peer);
}

static void test_large_write(void)
{
    size_t size = 1000000;
    char *data = malloc(size + 1), *heard = malloc(size);

    pair_start("bivalent");
    CU_ASSERT_TRUE_FATAL(data != NULL && heard != NULL);
    for (size_t i = 0; i < size; i++) {
        data[i] = (char)('a' + harness_random() % 26);
    }
    data[size] = '\0';
    int64_t id =
        wire_send(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock, "data", data);
    peer_expect(pair.peer, data, size);
    CU_ASSERT_EQUAL(wire_int(wire_result(pair.wire, id), "size"), (int64_t)size);
    free(data);
    free(heard);
}

static void test_counters(void)
{
    pair_start("bivalent");
    pair_say("12345");
    pair_read();
    CU_ASSERT_EQUAL(
        wire_int(wire_call(pair.wire, "socket-bytes-read", "{s:I}", "socket", pair.sock),
                 "value"),
        5);
    wire_call(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock, "data", "abc");
    CU_ASSERT_EQUAL(wire_int(wire_call(pair.wire, "socket-bytes-written", "{s:I, s:i}",
                                       "socket", pair.sock, "set", 100),
                             "value"),
                    100);
    wire_call(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock, "data", "abc");
    CU_ASSERT_EQUAL(wire_int(wire_call(pair.wire, "socket-bytes-written", "{s:I}",
                                       "socket", pair.sock),
                             "value"),
                    103);
    CU_ASSERT_EQUAL(wire_int(wire_call(pair.wire, "socket-bytes-read", "{s:I, s:i}",
                                       "socket", pair.sock, "set", 0),
                             "value"),
                    0);
}

/* ---- Ends ---- */

static void test_half_close(void)
{
    pair_start("bivalent");
    wire_call(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock, "data", "question");
    wire_call(pair.wire, "write", "{s:I, s:s, s:b}", "socket", pair.sock, "data",
              "dropped", "flush", 0);
    wire_call(pair.wire, "shutdown", "{s:I, s:s}", "socket", pair.sock, "direction",
              "output");
    wire_call(pair.wire, "shutdown", "{s:I, s:s}", "socket", pair.sock, "direction",
              "output");
    peer_expect_text(pair.peer, "question");
    peer_expect_end(pair.peer);
    wire_refused(pair.wire, "shutdown", "write", "{s:I, s:s}", "socket", pair.sock,
                 "data", "x");
    wire_refused(pair.wire, "shutdown", "force-output", "{s:I}", "socket", pair.sock);
    wire_call(pair.wire, "finish-output", "{s:I}", "socket", pair.sock);
    pair_say("answer");
    pair_check_data(pair_read(), "answer", "utf-8");

    int64_t waiting = wire_send(pair.wire, "read", "{s:I}", "socket", pair.sock);
    wire_call(pair.wire, "shutdown", "{s:I, s:s}", "socket", pair.sock, "direction",
              "input");
    wire_error(pair.wire, waiting, "shutdown");
    wire_refused(pair.wire, "shutdown", "read", "{s:I}", "socket", pair.sock);
    wire_refused(pair.wire, "shutdown", "listen", "{s:I}", "socket", pair.sock);
    wire_refused(pair.wire, "shutdown", "socket-os-fd", "{s:I}", "socket", pair.sock);
    wire_refused(pair.wire, "shutdown", "attach", "{s:I}", "socket", pair.sock);
    wire_refused(pair.wire, "invalid-params", "shutdown", "{s:I}", "socket", pair.sock);
    json_t *described =
        wire_call(pair.wire, "describe-socket", "{s:I}", "socket", pair.sock);
    json_t *runtime = json_object_get(described, "runtime");
    CU_ASSERT_TRUE(wire_bool(runtime, "input-shutdown"));
    CU_ASSERT_TRUE(wire_bool(runtime, "output-shutdown"));
    wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    wire_refused(pair.wire, "no-such-socket", "close", "{s:I}", "socket", pair.sock);
}

static void test_reset(void)
{
    pair_start("bivalent");
    pair_say("last words");
    peer_abort(pair.peer);
    pair_check_data(pair_read(), "last words", "utf-8");
    wire_refused(pair.wire, "connection-reset", "read", "{s:I}", "socket", pair.sock);
    wire_refused(pair.wire, "connection-reset", "read", "{s:I}", "socket", pair.sock);
    wire_refused(pair.wire, "broken-pipe", "write", "{s:I, s:s}", "socket", pair.sock,
                 "data", "x");
    json_t *described =
        wire_call(pair.wire, "describe-socket", "{s:I}", "socket", pair.sock);
    json_t *runtime = json_object_get(described, "runtime");
    CU_ASSERT_STRING_EQUAL(wire_text(runtime, "end"), "reset");
    CU_ASSERT_PTR_NOT_NULL(json_object_get(runtime, "last-error"));
}

static void test_reset_under_a_waiting_read(void)
{
    pair_start("bivalent");
    int64_t waiting = wire_send(pair.wire, "read", "{s:I}", "socket", pair.sock);
    wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
    peer_abort(pair.peer);
    wire_error(pair.wire, waiting, "connection-reset");
}

static void test_wrong_kind(void)
{
    static const char *const methods[] = {
        "read",      "read-line",    "peek",          "listen", "read-byte",
        "read-char", "force-output", "finish-output", "attach", "socket-control"};
    int64_t listener;

    pair_start("bivalent");
    json_t *made = wire_call(pair.wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                             "local-host", "127.0.0.1");
    listener = wire_int(made, "socket");
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        wire_refused(pair.wire, "wrong-kind", methods[i], "{s:I}", "socket", listener);
        wire_refused(pair.wire, "no-such-socket", methods[i], "{s:I}", "socket",
                     listener + 64000);
    }
    wire_refused(pair.wire, "wrong-kind", "write", "{s:I, s:s}", "socket", listener,
                 "data", "x");
    wire_refused(pair.wire, "wrong-kind", "shutdown", "{s:I, s:s}", "socket", listener,
                 "direction", "input");
}

/* Requests for one direction are served in the order they were asked; those for the other
 * are not held up. */
static void test_order(void)
{
    int64_t ids[20];
    char text[8];

    pair_start("bivalent");
    for (int i = 0; i < 20; i++) {
        ids[i] =
            wire_send(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "exactly", 2);
    }
    wire_call(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock, "data", "go");
    peer_expect_text(pair.peer, "go");
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "%02d", i);
        peer_print(pair.peer, text);
    }
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "%02d", i);
        pair_check_data(wire_result(pair.wire, ids[i]), text, "utf-8");
    }
}

static const struct unit_test tests[] = {
    {"time-outs consume nothing", test_timeouts_consume_nothing},
    {"interrupt, cancel and close of waiting reads", test_interrupt_and_cancel},
    {"a client that dies loses nothing", test_a_client_that_dies_loses_nothing},
    {"encodings of written data", test_write_encodings},
    {"output is held back", test_hold_back},
    {"writes wait while the buffer is full", test_back_pressure},
    {"a smaller buffer", test_small_buffer},
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
