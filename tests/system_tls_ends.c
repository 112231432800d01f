/* SPDX-License-Identifier: MIT */
/*
 * system_tls_ends.c - how TLS streams end: farewells and half-closed streams in both
 * versions, truncation, resets, and what came before; close and abort.
 */
#include <config.h>

#include <string.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/tls_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

/* The daemon in both roles, with both versions. */
static const struct mode {
    const char *role;
    int version;
} modes[] = {
    {"client", TLS1_3_VERSION},
    {"server", TLS1_3_VERSION},
    {"client", TLS1_2_VERSION},
    {"server", TLS1_2_VERSION},
};
enum { N_MODES = sizeof modes / sizeof modes[0] };

/* Pair number `i` of a test, with a parameter more (NULL: none) set to true. */
static void open_mode(size_t i, const char *more)
{
    bool is_client = strcmp(modes[i].role, "client") == 0;
    struct tls_peer_spec peer = is_client ? tls_server_peer() : tls_client_peer();
    json_t *params = is_client ? tls_client_params(NULL) : tls_server_params(NULL);

    peer.version = modes[i].version;
    if (more != NULL) {
        json_object_set_new(params, more, json_true());
    }
    if (i == 0) {
        tls_start(modes[i].role, params, &peer);
    } else {
        tls_again(modes[i].role, params, &peer);
    }
}

static void shutdown_output(void)
{
    wire_call(pair.wire, "shutdown", "{s:I, s:s}", "socket", pair.sock, "direction",
              "output");
}

static void check_end(const char *end)
{
    pair_check_end(pair_read(), "", end);
    CU_ASSERT_STRING_EQUAL(wire_text(pair_runtime(), "end"), end);
    json_t *line = wire_call(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
    CU_ASSERT_TRUE(wire_bool(line, "eof"));
    CU_ASSERT_STRING_EQUAL(wire_text(line, "end"), end);
}

/* ---- Farewells ---- */

static void test_daemon_says_goodbye_first(void)
{
    for (size_t i = 0; i < N_MODES; i++) {
        open_mode(i, NULL);
        pair_write("question");
        shutdown_output();
        tls_peer_expect_text(tls_peer, "question");
        tls_peer_expect_end(tls_peer);
        wire_refused(pair.wire, "shutdown", "write", "{s:I, s:s}", "socket", pair.sock,
                     "data", "x");
        tls_peer_print(tls_peer, "answer");
        pair_check_data(pair_read_exactly(6), "answer", "utf-8");
        tls_peer_shut_output(tls_peer);
        check_end("clean");
        wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
        peer_expect_end(pair.peer);
    }
}

static void test_peer_says_goodbye_first(void)
{
    for (size_t i = 0; i < N_MODES; i++) {
        open_mode(i, NULL);
        tls_peer_print(tls_peer, "question");
        tls_peer_shut_output(tls_peer);
        pair_check_end(pair_read_exactly(9), "question", "clean");
        check_end("clean");
        pair_write("answer");
        tls_peer_expect_text(tls_peer, "answer");
        wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
        tls_peer_expect_end(tls_peer);
        peer_expect_end(pair.peer);
    }
}

/* After the farewell an end of file of the descriptor changes nothing. */
static void test_goodbye_then_end(void)
{
    for (size_t i = 0; i < N_MODES; i++) {
        open_mode(i, NULL);
        tls_peer_print(tls_peer, "last");
        tls_peer_shut_output(tls_peer);
        peer_close(pair.peer);
        pair_check_end(pair_read_exactly(5), "last", "clean");
        check_end("clean");
    }
}

static void test_shutdown_of_input(void)
{
    for (size_t i = 0; i < N_MODES; i++) {
        open_mode(i, NULL);
        wire_call(pair.wire, "shutdown", "{s:I, s:s}", "socket", pair.sock, "direction",
                  "input");
        pair_write("still");
        tls_peer_expect_text(tls_peer, "still");
        shutdown_output();
        tls_peer_expect_end(tls_peer);
        peer_expect_end(pair.peer);
        wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    }
}

/* ---- Cuts ---- */

static void test_truncated(void)
{
    for (size_t i = 0; i < N_MODES; i++) {
        open_mode(i, NULL);
        tls_peer_print(tls_peer, "before");
        peer_shut_output(pair.peer);
        json_t *read = pair_read_exactly(7);
        pair_check_end(read, "before", "truncated");
        check_end("truncated");
        /* It was the input only. */
        pair_write("answer");
        tls_peer_expect_text(tls_peer, "answer");
        wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
        tls_peer_expect_end(tls_peer);
    }
}

static void test_truncated_lines(void)
{
    open_mode(0, NULL);
    tls_peer_print(tls_peer, "whole\nhalf");
    peer_shut_output(pair.peer);
    json_t *line = wire_call(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
    CU_ASSERT_STRING_EQUAL(wire_text(line, "line"), "whole");
    line = wire_call(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
    CU_ASSERT_STRING_EQUAL(wire_text(line, "line"), "half");
    CU_ASSERT_TRUE(wire_bool(line, "missing-newline"));
    CU_ASSERT_STRING_EQUAL(wire_text(line, "end"), "truncated");
}

/* In the middle of a record it is one whatever is allowed. */
static void test_truncated_record(void)
{
    for (size_t i = 0; i < N_MODES; i++) {
        open_mode(i, "allow-truncation");
        tls_peer_print(tls_peer, "before");
        peer_write(pair.peer, "\x17\x03\x03\x00\x40half", 9);
        peer_shut_output(pair.peer);
        pair_check_end(pair_read_exactly(7), "before", "truncated");
        check_end("truncated");
    }
}

static void test_allowed_truncation(void)
{
    for (size_t i = 0; i < N_MODES; i++) {
        open_mode(i, "allow-truncation");
        tls_peer_print(tls_peer, "before");
        peer_close(pair.peer);
        pair_check_end(pair_read_exactly(7), "before", "clean");
        check_end("clean");
    }
}

static void test_reset(void)
{
    for (size_t i = 0; i < N_MODES; i++) {
        open_mode(i, NULL);
        tls_peer_print(tls_peer, "before");
        /* Here, so that the kernel has nothing left to throw away. */
        wire_call(pair.wire, "peek", "{s:I, s:i}", "socket", pair.sock, "exactly", 6);
        peer_abort(pair.peer);
        pair_check_data(pair_read(), "before", "utf-8");
        wire_refused(pair.wire, "connection-reset", "read", "{s:I}", "socket", pair.sock);
        CU_ASSERT_STRING_EQUAL(wire_text(pair_runtime(), "end"), "reset");
    }
}

/* Bytes that no key of the session has sealed: the data before comes first, then the
 * error, and the peer hears why. */
static void test_forged_record(void)
{
    static const char forged[] = "\x17\x03\x03\x00\x20"
                                 "these are thirty-two plain bytes";

    for (size_t i = 0; i < N_MODES; i++) {
        open_mode(i, NULL);
        tls_peer_print(tls_peer, "before");
        wire_call(pair.wire, "peek", "{s:I, s:i}", "socket", pair.sock, "exactly", 6);
        peer_write(pair.peer, forged, sizeof forged - 1);
        pair_check_data(pair_read(), "before", "utf-8");
        json_t *error =
            wire_refused(pair.wire, "ssl-error", "read", "{s:I}", "socket", pair.sock);
        CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "reason"),
                               "decryption failed or bad record mac");
        CU_ASSERT_EQUAL(tls_peer_alert(tls_peer), SSL_AD_BAD_RECORD_MAC);
    }
}

/* ---- Close ---- */

static void test_close(void)
{
    for (size_t i = 0; i < N_MODES; i++) {
        open_mode(i, NULL);
        wire_call(pair.wire, "write", "{s:I, s:s, s:b}", "socket", pair.sock, "data",
                  "pending", "flush", 0);
        wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
        tls_peer_expect_text(tls_peer, "pending");
        tls_peer_expect_end(tls_peer);
        peer_expect_end(pair.peer);
    }
}

/* Pending output is dropped, and there is no farewell that would make it look whole. */
static void test_abort(void)
{
    char byte;

    for (size_t i = 0; i < N_MODES; i++) {
        open_mode(i, NULL);
        wire_call(pair.wire, "write", "{s:I, s:s, s:b}", "socket", pair.sock, "data",
                  "dropped", "flush", 0);
        wire_call(pair.wire, "close", "{s:I, s:b}", "socket", pair.sock, "abort", 1);
        size_t n = 0;
        int returned = SSL_read_ex(tls_peer, &byte, 1, &n);
        CU_ASSERT_EQUAL(returned, 0);
        CU_ASSERT_NOT_EQUAL(SSL_get_error(tls_peer, returned), SSL_ERROR_ZERO_RETURN);
        CU_ASSERT_EQUAL(SSL_get_shutdown(tls_peer) & SSL_RECEIVED_SHUTDOWN, 0);
    }
}

/* Before there is a session nothing is owed, and the peer sees a plain end. */
static void test_close_before_the_handshake(void)
{
    pair_start(NULL);
    tls_wrap("client", tls_client_params(NULL));
    wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    peer_expect_end(pair.peer);
    pair_open(NULL);
    tls_wrap("server", tls_server_params(NULL));
    int64_t id = wire_send(pair.wire, "ssl-do-handshake", "{s:I}", "socket", pair.sock);
    wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
    struct wire *other = wire_open(pair.harness);
    wire_call(other, "close", "{s:I}", "socket", pair.sock);
    wire_error(pair.wire, id, "socket-closed");
    peer_expect_end(pair.peer);
}

static const struct unit_test tests[] = {
    {"the daemon says goodbye first", test_daemon_says_goodbye_first},
    {"the peer says goodbye first", test_peer_says_goodbye_first},
    {"a farewell, then the end of file", test_goodbye_then_end},
    {"shutdown of the input", test_shutdown_of_input},
    {"an end of file without farewell is a truncation", test_truncated},
    {"lines of a truncated stream", test_truncated_lines},
    {"half a record is a truncation in any case", test_truncated_record},
    {"truncation may be allowed", test_allowed_truncation},
    {"a reset", test_reset},
    {"a forged record", test_forged_record},
    {"close writes what is pending, and the farewell", test_close},
    {"abort does neither", test_abort},
    {"close before and during the handshake", test_close_before_the_handshake},
};

UNIT_MAIN_AROUND(tests, tls_before, tls_after)
