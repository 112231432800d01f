/* SPDX-License-Identifier: MIT */
/*
 * system_tls_streams.c - on TLS streams everything works as on plain ones: reads, writes,
 * time-outs, interrupts, waiting, chunking, counters; and what only TLS has: the lazy
 * handshake, records, key updates. Ends are in system_tls_ends.c, joined streams in
 * system_tls_joined.c.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/tls_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

static const char *const roles[] = {"client", "server"};

/* A peer for the daemon in this role. */
static struct tls_peer_spec other_side(int role)
{
    return role == 0 ? tls_server_peer() : tls_client_peer();
}

static json_t *params(int role)
{
    return role == 0 ? tls_client_params(NULL) : tls_server_params(NULL);
}

/* ---- The handshake comes with the first operation ---- */

static const char *state(void) { return wire_text(tls_facts(), "state"); }

static void start_plain(int role)
{
    if (role == 0) {
        pair_start(NULL);
    } else {
        pair_open(NULL);
    }
    json_t *made = tls_wrap(roles[role], params(role));
    CU_ASSERT_EQUAL(wire_int(made, "socket"), pair.sock);
    CU_ASSERT_STRING_EQUAL(state(), "new");
}

static void test_read_first(void)
{
    for (int role = 0; role < 2; role++) {
        struct tls_peer_spec peer = other_side(role);
        start_plain(role);
        int64_t id = wire_send(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
        tls_peer = tls_peer_new(&peer, pair.peer);
        tls_peer_handshake(tls_peer);
        tls_peer_print(tls_peer, "hello\n");
        CU_ASSERT_STRING_EQUAL(wire_text(wire_result(pair.wire, id), "line"), "hello");
        CU_ASSERT_STRING_EQUAL(state(), "established");
        tls_talk();
    }
}

static void test_write_first(void)
{
    for (int role = 0; role < 2; role++) {
        struct tls_peer_spec peer = other_side(role);
        start_plain(role);
        /* Accepted into the buffer before there is a key to seal it with. */
        CU_ASSERT_EQUAL(wire_int(pair_write("early "), "size"), 6);
        CU_ASSERT_STRING_EQUAL(state(), "handshake");
        pair_write("words");
        int64_t id = wire_send(pair.wire, "finish-output", "{s:I}", "socket", pair.sock);
        tls_peer = tls_peer_new(&peer, pair.peer);
        tls_peer_handshake(tls_peer);
        tls_peer_expect_text(tls_peer, "early words");
        wire_result(pair.wire, id);
        tls_talk();
    }
}

/* Held back output begins no handshake; force-output does. */
static void test_held_first(void)
{
    for (int role = 0; role < 2; role++) {
        struct tls_peer_spec peer = other_side(role);
        start_plain(role);
        wire_call(pair.wire, "write", "{s:I, s:s, s:b}", "socket", pair.sock, "data",
                  "held", "flush", 0);
        CU_ASSERT_STRING_EQUAL(state(), "new");
        wire_call(pair.wire, "force-output", "{s:I}", "socket", pair.sock);
        tls_peer = tls_peer_new(&peer, pair.peer);
        tls_peer_handshake(tls_peer);
        tls_peer_expect_text(tls_peer, "held");
        tls_talk();
    }
}

/* Asked for again it is done already; one that is waited for in vain goes on. */
static void test_handshake_asked_for(void)
{
    for (int role = 0; role < 2; role++) {
        struct tls_peer_spec peer = other_side(role);
        start_plain(role);
        wire_refused(pair.wire, "timeout", "ssl-do-handshake", "{s:I, s:f}", "socket",
                     pair.sock, "timeout", 0.01);
        int64_t waiting =
            wire_send(pair.wire, "ssl-do-handshake", "{s:I}", "socket", pair.sock);
        json_t *result = wire_call(pair.wire, "cancel", "{s:I}", "request", waiting);
        CU_ASSERT_TRUE(wire_bool(result, "cancelled"));
        wire_error(pair.wire, waiting, "cancelled");
        waiting = wire_send(pair.wire, "ssl-do-handshake", "{s:I}", "socket", pair.sock);
        CU_ASSERT_STRING_EQUAL(state(), "handshake");
        wire_call(pair.wire, "interrupt", "{s:I}", "socket", pair.sock);
        wire_error(pair.wire, waiting, "interrupted");
        json_t *made = tls_greet(&peer);
        CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(made, "tls"), "state"),
                               "established");
        made = wire_call(pair.wire, "ssl-do-handshake", "{s:I}", "socket", pair.sock);
        CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(made, "tls"), "role"),
                               roles[role]);
        tls_talk();
    }
}

/* ---- Reads ---- */

static void test_reads(void)
{
    tls_start("client", NULL, NULL);
    tls_peer_print(tls_peer, "one\r\ntwo--three");
    json_t *line = wire_call(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
    CU_ASSERT_STRING_EQUAL(wire_text(line, "line"), "one");
    pair_check_data(
        wire_call(pair.wire, "peek", "{s:I, s:i}", "socket", pair.sock, "exactly", 3),
        "two", "utf-8");
    pair_check_data(
        wire_call(pair.wire, "read", "{s:I, s:s}", "socket", pair.sock, "until", "--"),
        "two--", "utf-8");
    json_t *step = wire_call(pair.wire, "read-byte", "{s:I}", "socket", pair.sock);
    CU_ASSERT_EQUAL(wire_int(step, "value"), 't');
    step = wire_call(pair.wire, "read-char", "{s:I}", "socket", pair.sock);
    CU_ASSERT_STRING_EQUAL(wire_text(step, "value"), "h");
    pair_check_data(
        wire_call(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "max", 2), "re",
        "utf-8");
    pair_check_data(pair_read(), "e", "utf-8");
    json_t *listened = wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
    CU_ASSERT_FALSE(wire_bool(listened, "available"));
    tls_peer_write(tls_peer, "\xff\0", 2);
    pair_check_data(pair_read_exactly(2), "/wA=", "base64");
}

/* What was decrypted is there, though nothing is left in the kernel. */
static void test_decrypted_counts(void)
{
    tls_start("server", NULL, NULL);
    int64_t waiting =
        wire_send(pair.wire, "wait-for-input-available", "{s:[I]}", "sockets", pair.sock);
    wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
    CU_ASSERT_FALSE(wire_is_answered(pair.wire, waiting));
    tls_peer_print(tls_peer, "abc");
    json_t *ready = json_object_get(wire_result(pair.wire, waiting), "ready");
    CU_ASSERT_EQUAL(json_integer_value(json_array_get(ready, 0)), pair.sock);
    for (int i = 0; i < 3; i++) {
        ready =
            json_object_get(wire_call(pair.wire, "wait-for-input-available",
                                      "{s:[I], s:i}", "sockets", pair.sock, "timeout", 0),
                            "ready");
        CU_ASSERT_EQUAL(json_array_size(ready), 1);
        CU_ASSERT_TRUE(wire_bool(
            wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock), "available"));
        pair_read_exactly(1);
    }
    ready = json_object_get(wire_call(pair.wire, "wait-for-input-available",
                                      "{s:[I], s:i}", "sockets", pair.sock, "timeout", 0),
                            "ready");
    CU_ASSERT_EQUAL(json_array_size(ready), 0);
    ready =
        json_object_get(wire_call(pair.wire, "wait-for-io-available", "{s:[I], s:[I]}",
                                  "input", pair.sock, "output", pair.sock),
                        "ready");
    CU_ASSERT_EQUAL_FATAL(json_array_size(ready), 1);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(json_array_get(ready, 0), 1)),
                           "out");
}

static void test_timeouts_and_interrupts(void)
{
    tls_start("client", NULL, NULL);
    struct wire *other = wire_open(pair.harness);

    tls_peer_print(tls_peer, "12");
    pair_check_data(
        wire_call(pair.wire, "peek", "{s:I, s:i}", "socket", pair.sock, "exactly", 2),
        "12", "utf-8");
    wire_refused(pair.wire, "timeout", "read", "{s:I, s:i, s:f}", "socket", pair.sock,
                 "exactly", 5, "timeout", 0.01);
    wire_call(pair.wire, "socket-control", "{s:I, s:f}", "socket", pair.sock,
              "read-timeout", 0.01);
    wire_refused(pair.wire, "read-timeout", "read-line", "{s:I}", "socket", pair.sock);
    wire_call(pair.wire, "socket-control", "{s:I, s:i}", "socket", pair.sock,
              "read-timeout", -1);
    int64_t waiting =
        wire_send(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "exactly", 5);
    wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
    json_t *result = wire_call(other, "interrupt", "{s:I, s:s, s:s}", "socket", pair.sock,
                               "direction", "input", "reason", "enough");
    CU_ASSERT_EQUAL(wire_int(result, "interrupted"), 1);
    wire_error(pair.wire, waiting, "interrupted");
    waiting = wire_send(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
    wire_call(pair.wire, "cancel", "{s:I}", "request", waiting);
    wire_error(pair.wire, waiting, "cancelled");
    pair_check_data(pair_read_exactly(2), "12", "utf-8");
    tls_talk();
    /* Closed by another: the peer is told. */
    waiting = wire_send(pair.wire, "read", "{s:I}", "socket", pair.sock);
    wire_call(other, "close", "{s:I}", "socket", pair.sock);
    wire_error(pair.wire, waiting, "socket-closed");
    tls_peer_expect_end(tls_peer);
    peer_expect_end(pair.peer);
}

/* ---- Writes ---- */

static void test_writes(void)
{
    tls_start("server", NULL, NULL);
    wire_call(pair.wire, "write", "{s:I, s:s, s:b}", "socket", pair.sock, "data", "one ",
              "flush", 0);
    wire_call(pair.wire, "write", "{s:I, s:s, s:b}", "socket", pair.sock, "data", "two ",
              "flush", 0);
    wire_call(pair.wire, "force-output", "{s:I}", "socket", pair.sock);
    tls_peer_expect_text(tls_peer, "one two ");
    wire_call(pair.wire, "write-byte", "{s:I, s:i}", "socket", pair.sock, "value", 255);
    wire_call(pair.wire, "write-char", "{s:I, s:s}", "socket", pair.sock, "value",
              "\xc3\xa4");
    tls_peer_expect(tls_peer, "\xff\xc3\xa4", 3);
    /* Counters tell the bytes of the stream, not those of records. */
    json_t *runtime = pair_runtime();
    CU_ASSERT_EQUAL(wire_int(runtime, "bytes-written"), 11);
    CU_ASSERT_EQUAL(wire_int(runtime, "bytes-read"), 0);
    json_t *value = wire_call(pair.wire, "socket-bytes-written", "{s:I, s:i}", "socket",
                              pair.sock, "set", 0);
    CU_ASSERT_EQUAL(wire_int(value, "value"), 0);
    wire_call(pair.wire, "finish-output", "{s:I}", "socket", pair.sock);
    wire_refused(pair.wire, "not-supported", "socket-os-fd", "{s:I}", "socket",
                 pair.sock);
}

/* A peer that does not read: writes wait, are interrupted, and nothing is lost. */
static void test_back_pressure(void)
{
    enum { SIZE = 100000 };
    static char data[SIZE + 1];
    int64_t id, n = 0;

    tls_start("client", NULL, NULL);
    memset(data, 'x', SIZE);
    for (;; n++) {
        id = wire_send(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock, "data",
                       data);
        wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
        if (!wire_is_answered(pair.wire, id)) {
            break;
        }
        wire_result(pair.wire, id);
    }
    wire_refused(pair.wire, "timeout", "finish-output", "{s:I, s:f}", "socket", pair.sock,
                 "timeout", 0.01);
    json_t *result = wire_call(pair.wire, "interrupt", "{s:I, s:s}", "socket", pair.sock,
                               "direction", "output");
    CU_ASSERT_EQUAL(wire_int(result, "interrupted"), 1);
    wire_error(pair.wire, id, "interrupted");
    id = wire_send(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock, "data", "end");
    for (int64_t i = 0; i < n; i++) {
        tls_peer_expect(tls_peer, data, SIZE);
    }
    tls_peer_expect_text(tls_peer, "end");
    wire_result(pair.wire, id);
}

/* ---- Records ---- */

static void test_one_byte_records(void)
{
    enum { N = 3000 };
    char bytes[N + 1];

    tls_start("server", NULL, NULL);
    int64_t id =
        wire_send(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "exactly", N);
    for (int i = 0; i < N; i++) {
        bytes[i] = (char)('a' + harness_random() % 26);
        tls_peer_write(tls_peer, bytes + i, 1);
    }
    bytes[N] = '\0';
    pair_check_data(wire_result(pair.wire, id), bytes, "utf-8");
    for (int i = 0; i < 200; i++) {
        wire_call(pair.wire, "write-byte", "{s:I, s:i}", "socket", pair.sock, "value",
                  bytes[i]);
    }
    tls_peer_expect(tls_peer, bytes, 200);
}

/* The wire in pieces of one byte, from the first of the handshake on. */
static void test_split_anywhere(void)
{
    struct tls_peer_spec spec = tls_client_peer();
    char byte, rest[4096];
    BIO *inner, *outer;

    pair_start(NULL);
    tls_wrap("server", tls_server_params(NULL));
    int64_t id = wire_send(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
    CU_ASSERT_EQUAL_FATAL(BIO_new_bio_pair(&inner, 65536, &outer, 65536), 1);
    tls_peer = tls_peer_new(&spec, pair.peer);
    SSL_set_bio(tls_peer, inner, inner);
    while (SSL_do_handshake(tls_peer) != 1 || BIO_ctrl_pending(outer) > 0) {
        if (BIO_ctrl_pending(outer) > 0) {
            CU_ASSERT_EQUAL_FATAL(BIO_read(outer, &byte, 1), 1);
            peer_write(pair.peer, &byte, 1);
        } else {
            size_t n = peer_read(pair.peer, rest, sizeof rest);
            CU_ASSERT_FATAL(n > 0);
            CU_ASSERT_EQUAL_FATAL(BIO_write(outer, rest, (int)n), (int)n);
        }
    }
    CU_ASSERT_EQUAL(SSL_write(tls_peer, "hello\n", 6), 6);
    while (BIO_read(outer, &byte, 1) == 1) {
        peer_write(pair.peer, &byte, 1);
        wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
    }
    CU_ASSERT_STRING_EQUAL(wire_text(wire_result(pair.wire, id), "line"), "hello");
    BIO_free(outer);
}

static void test_key_updates(void)
{
    for (int role = 0; role < 2; role++) {
        if (role == 0) {
            tls_start("client", NULL, NULL);
        } else {
            tls_again("server", NULL, NULL);
        }
        for (int i = 0; i < 20; i++) {
            CU_ASSERT_EQUAL(SSL_key_update(tls_peer, i % 2
                                                         ? SSL_KEY_UPDATE_REQUESTED
                                                         : SSL_KEY_UPDATE_NOT_REQUESTED),
                            1);
            tls_talk();
        }
        /* In the middle of data that flows the other way. */
        int64_t id = wire_send(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
        pair_write("one ");
        CU_ASSERT_EQUAL(SSL_key_update(tls_peer, SSL_KEY_UPDATE_REQUESTED), 1);
        tls_peer_print(tls_peer, "two\n");
        CU_ASSERT_STRING_EQUAL(wire_text(wire_result(pair.wire, id), "line"), "two");
        pair_write("three");
        tls_peer_expect_text(tls_peer, "one three");
    }
}

/* ---- Chunks ---- */

static void test_chunking(void)
{
    tls_start("client", NULL, NULL);
    wire_call(pair.wire, "socket-control", "{s:I, s:b, s:b}", "socket", pair.sock,
              "output-chunking", 1, "input-chunking", 1);
    pair_write("hello");
    tls_peer_expect_text(tls_peer, "5\r\nhello\r\n");
    wire_call(pair.wire, "socket-control", "{s:I, s:b}", "socket", pair.sock,
              "output-chunking-eof", 1);
    tls_peer_expect_text(tls_peer, "0\r\n\r\n");
    pair_write("plain");
    tls_peer_expect_text(tls_peer, "plain");
    tls_peer_print(tls_peer, "3\r\nabc\r\n0\r\nT: 1\r\n\r\nbehind");
    pair_check_end(pair_read_exactly(10), "abc", "chunk");
    json_t *trailers = json_object_get(pair_runtime(), "trailers");
    CU_ASSERT_EQUAL(json_array_size(trailers), 1);
    pair_check_data(pair_read(), "behind", "utf-8");
    /* The end of the stream inside a body is an error, clean as it may be. */
    wire_call(pair.wire, "socket-control", "{s:I, s:b}", "socket", pair.sock,
              "input-chunking", 1);
    tls_peer_print(tls_peer, "5\r\nab");
    tls_peer_shut_output(tls_peer);
    pair_check_data(pair_read_exactly(2), "ab", "utf-8");
    wire_refused(pair.wire, "chunking-error", "read", "{s:I}", "socket", pair.sock);
}

/* ---- The socket stays what it was ---- */

static void test_the_socket_below(void)
{
    tls_start("client", NULL, NULL);
    json_t *described =
        wire_call(pair.wire, "describe-socket", "{s:I}", "socket", pair.sock);
    CU_ASSERT_STRING_EQUAL(wire_text(described, "remote-host"), "127.0.0.1");
    CU_ASSERT_STRING_EQUAL(wire_text(described, "state"), "connected");
    json_t *value = wire_call(pair.wire, "remote-port", "{s:I}", "socket", pair.sock);
    CU_ASSERT_EQUAL(wire_int(value, "value"), wire_int(described, "remote-port"));
    json_t *options = wire_call(pair.wire, "set-socket-options", "{s:I, s:b}", "socket",
                                pair.sock, "keepalive", 1);
    CU_ASSERT_TRUE(wire_bool(options, "keepalive"));
    json_t *listed =
        json_object_get(wire_call(pair.wire, "list-sockets", NULL), "sockets");
    CU_ASSERT_STRING_EQUAL(
        wire_text(json_object_get(json_array_get(listed, 0), "tls"), "version"),
        "tlsv1.3");
    /* Once is enough. */
    wire_refused(pair.wire, "wrong-kind", "make-ssl-client-stream", "{s:I}", "socket",
                 pair.sock);
    pair_open(NULL);
    CU_ASSERT(json_is_null(tls_facts()));
    wire_refused(pair.wire, "wrong-kind", "ssl-do-handshake", "{s:I}", "socket",
                 pair.sock);
    wire_refused(pair.wire, "wrong-kind", "get-ssl-peer-certificate", "{s:I}", "socket",
                 pair.sock);
    wire_refused(pair.wire, "wrong-kind", "get-ssl-verify-result", "{s:I}", "socket",
                 pair.sock);
}

/* A socket of the file family. */
static void test_file_family(void)
{
    char path[300];
    struct tls_peer_spec peer = tls_server_peer();

    pair_start(NULL);
    (void)snprintf(path, sizeof path, "%s/peer", harness_directory(pair.harness));
    int listener = peer_listen_file(path);
    pair.sock = wire_int(wire_call(pair.wire, "make-socket", "{s:s, s:s}",
                                   "address-family", "file", "remote-filename", path),
                         "socket");
    pair.peer = peer_accept(listener);
    /* There is no host: whoever verifies must say whom. */
    json_t *error =
        wire_refused(pair.wire, "invalid-params", "make-ssl-client-stream", "{s:I, s:s}",
                     "socket", pair.sock, "ca-file", tls_tree.root->pem);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                           "server-name");
    tls_wrap("client", tls_client_params(NULL));
    json_t *tls = json_object_get(tls_greet(&peer), "tls");
    CU_ASSERT_TRUE(wire_bool(tls, "verified"));
    tls_talk();
}

static const struct unit_test tests[] = {
    {"a read begins the handshake", test_read_first},
    {"a write begins the handshake", test_write_first},
    {"held back output does not", test_held_first},
    {"ssl-do-handshake, waited for in vain and again", test_handshake_asked_for},
    {"reads of all kinds", test_reads},
    {"what is decrypted counts as available", test_decrypted_counts},
    {"time-outs, interrupt, cancel, close", test_timeouts_and_interrupts},
    {"writes and counters", test_writes},
    {"a peer that does not read", test_back_pressure},
    {"records of one byte", test_one_byte_records},
    {"the wire in pieces of one byte", test_split_anywhere},
    {"key updates in both directions", test_key_updates},
    {"chunking", test_chunking},
    {"the socket below", test_the_socket_below},
    {"a socket of the file family", test_file_family},
};

UNIT_MAIN_AROUND(tests, tls_before, tls_after)
