/* SPDX-License-Identifier: MIT */
/*
 * system_attach.c - control connections as raw streams: no byte too many or too few,
 * half-close both ways, detach, and socket-os-fd. Clients that go are in
 * system_attach_gone.c.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/stream_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

static struct wire *attach(const char *detach)
{
    struct wire *raw = wire_open(pair.harness);
    json_t *result =
        wire_call(raw, "attach", "{s:I, s:s}", "socket", pair.sock, "detach", detach);

    CU_ASSERT_EQUAL(wire_int(result, "socket"), pair.sock);
    return raw;
}

static void expect_raw_end(struct wire *raw)
{
    char byte;

    CU_ASSERT_EQUAL(wire_read_raw(raw, &byte, 1), 0);
}

/* ---- Bytes ---- */

static void test_both_ways(void)
{
    pair_start(NULL);
    struct wire *raw = attach("close");

    wire_send_bytes(raw, "to the peer\0\n", 13);
    peer_expect(pair.peer, "to the peer\0\n", 13);
    peer_write(pair.peer, "to \xff the client\0", 17);
    wire_expect_raw(raw, "to \xff the client\0", 17);
    CU_ASSERT_TRUE(wire_bool(pair_runtime(), "attached"));
    CU_ASSERT_EQUAL(wire_int(pair_runtime(), "bytes-written"), 13);
    CU_ASSERT_EQUAL(wire_int(pair_runtime(), "bytes-read"), 17);
}

/* What stands behind the request belongs to the stream; what was read and written before
 * comes first. */
static void test_pipelined(void)
{
    char line[200];

    pair_start(NULL);
    peer_print(pair.peer, "headand body");
    json_t *head =
        wire_call(pair.wire, "peek", "{s:I, s:i}", "socket", pair.sock, "exactly", 12);
    CU_ASSERT_STRING_EQUAL(wire_text(head, "data"), "headand body");
    wire_call(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "exactly", 4);
    wire_call(pair.wire, "write", "{s:I, s:s, s:b}", "socket", pair.sock, "data", "held ",
              "flush", 0);
    int raw = peer_connect_file(harness_socket(pair.harness));
    int n = snprintf(line, sizeof line,
                     "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"attach\",\"params\":"
                     "{\"socket\":%lld}}\nright behind {\"jsonrpc\":\"2.0\"}\n",
                     (long long)pair.sock);
    peer_write(raw, line, (size_t)n);
    peer_expect_text(pair.peer, "held right behind {\"jsonrpc\":\"2.0\"}\n");
    n = snprintf(line, sizeof line,
                 "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{\"socket\":%lld}}\n",
                 (long long)pair.sock);
    peer_expect(raw, line, (size_t)n);
    peer_expect_text(raw, "and body");
    peer_print(raw, "more");
    peer_expect_text(pair.peer, "more");
}

/* Random bytes in both directions at once, several megabytes, in odd pieces. */
enum { TRANSFER = 8 * 1024 * 1024 };

struct flow {
    int fd;
    uint64_t send_state, receive_state; /* generators of what is sent and expected */
    size_t n_sent, n_received;
};

static uint8_t next_byte(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint8_t)(*state >> 56);
}

static void pump(struct flow *flow, short what)
{
    static uint8_t bytes[70000];

    if (what & POLLOUT && flow->n_sent < TRANSFER) {
        uint64_t state = flow->send_state;
        size_t size = 1 + (size_t)(harness_random() % sizeof bytes);
        size = size < TRANSFER - flow->n_sent ? size : TRANSFER - flow->n_sent;
        for (size_t i = 0; i < size; i++) {
            bytes[i] = next_byte(&state);
        }
        ssize_t n = send(flow->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        CU_ASSERT_TRUE_FATAL(n > 0 || errno == EAGAIN);
        for (ssize_t i = 0; i < n; i++) {
            (void)next_byte(&flow->send_state);
        }
        flow->n_sent += n > 0 ? (size_t)n : 0;
        if (flow->n_sent == TRANSFER) {
            CU_ASSERT_EQUAL(shutdown(flow->fd, SHUT_WR), 0);
        }
    }
    if (what & POLLIN) {
        ssize_t n = recv(flow->fd, bytes, 1 + (size_t)(harness_random() % sizeof bytes),
                         MSG_DONTWAIT);
        CU_ASSERT_TRUE_FATAL(n > 0 || (n == 0 && flow->n_received == TRANSFER) ||
                             (n < 0 && errno == EAGAIN));
        for (ssize_t i = 0; i < n; i++) {
            CU_ASSERT_TRUE_FATAL(bytes[i] == next_byte(&flow->receive_state));
        }
        flow->n_received += n > 0 ? (size_t)n : 0;
    }
}

static void test_large_transfer(void)
{
    pair_start(NULL);
    struct wire *raw = attach("close");
    uint64_t up = harness_random(), down = harness_random();
    struct flow flows[2] = {
        {.fd = pair.peer, .send_state = down, .receive_state = up},
        {.fd = wire_descriptor(raw), .send_state = up, .receive_state = down},
    };

    while (flows[0].n_received < TRANSFER || flows[1].n_received < TRANSFER) {
        struct pollfd fds[2];
        for (int i = 0; i < 2; i++) {
            fds[i].fd = flows[i].fd;
            fds[i].events = (short)((flows[i].n_received < TRANSFER ? POLLIN : 0) |
                                    (flows[i].n_sent < TRANSFER ? POLLOUT : 0));
        }
        CU_ASSERT_TRUE_FATAL(poll(fds, 2, HARNESS_WAIT_MS) > 0);
        for (int i = 0; i < 2; i++) {
            pump(&flows[i], fds[i].revents);
        }
    }
    expect_raw_end(raw);
    peer_expect_end(pair.peer);
    harness_await(pair_is_closed, NULL, "the end of the socket");
}

/* The peer sends and nobody reads: the daemon stops taking it in. */
static void test_back_pressure(void)
{
    static char bytes[65536];
    size_t n_sent = 0, n_read = 0;
    struct pollfd full;

    pair_start(NULL);
    struct wire *raw = attach("close");
    full = (struct pollfd){.fd = pair.peer, .events = POLLOUT};
    /* Full for good when nothing goes within half a second. */
    while (poll(&full, 1, 500) > 0) {
        ssize_t n = send(pair.peer, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        CU_ASSERT_TRUE_FATAL(n > 0 || errno == EAGAIN);
        n_sent += n > 0 ? (size_t)n : 0;
        CU_ASSERT_TRUE_FATAL(n_sent < 100u * 1024 * 1024);
    }
    peer_shut_output(pair.peer);
    for (size_t n; (n = wire_read_raw(raw, bytes, sizeof bytes)) > 0;) {
        n_read += n;
    }
    CU_ASSERT_EQUAL(n_read, n_sent);
}

/* ---- Ends ---- */

static void test_client_ends_first(void)
{
    pair_start(NULL);
    struct wire *raw = attach("close");

    wire_send_bytes(raw, "question", 8);
    wire_shut_output(raw);
    peer_expect_text(pair.peer, "question");
    peer_expect_end(pair.peer);
    CU_ASSERT_TRUE(wire_bool(pair_runtime(), "output-shutdown"));
    peer_print(pair.peer, "answer");
    wire_expect_raw(raw, "answer", 6);
    peer_close(pair.peer);
    expect_raw_end(raw);
    harness_await(pair_is_closed, NULL, "the end of the socket");
}

static void test_peer_ends_first(void)
{
    pair_start(NULL);
    struct wire *raw = attach("close");

    peer_print(pair.peer, "greeting");
    peer_shut_output(pair.peer);
    wire_expect_raw(raw, "greeting", 8);
    expect_raw_end(raw);
    wire_send_bytes(raw, "still heard", 11);
    peer_expect_text(pair.peer, "still heard");
    CU_ASSERT_STRING_EQUAL(wire_text(pair_runtime(), "end"), "clean");
    wire_close(raw);
    peer_expect_end(pair.peer);
    harness_await(pair_is_closed, NULL, "the end of the socket");
}

static void test_client_closes_with_bytes_on_their_way(void)
{
    pair_start(NULL);
    struct wire *raw = attach("close");
    static char bytes[200000];

    memset(bytes, 'z', sizeof bytes);
    wire_send_bytes(raw, bytes, sizeof bytes);
    wire_close(raw);
    peer_expect(pair.peer, bytes, sizeof bytes);
    peer_expect_end(pair.peer);
    harness_await(pair_is_closed, NULL, "the end of the socket");
}

static void test_reset(void)
{
    pair_start(NULL);
    struct wire *raw = attach("keep");

    peer_print(pair.peer, "last words");
    wire_expect_raw(raw, "last words", 10);
    peer_abort(pair.peer);
    expect_raw_end(raw);
    harness_await(pair_is_detached, NULL, "the end of the raw stream");
    CU_ASSERT_STRING_EQUAL(wire_text(pair_runtime(), "end"), "reset");
    wire_refused(pair.wire, "connection-reset", "read", "{s:I}", "socket", pair.sock);
}

static void test_peer_that_no_longer_reads(void)
{
    static char bytes[65536];

    pair_start(NULL);
    struct wire *raw = attach("close");
    int fd = wire_descriptor(raw);

    peer_abort(pair.peer);
    /* Sooner or later the client is told as well. */
    while (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) > 0) {
    }
    CU_ASSERT_TRUE(errno == EPIPE || errno == ECONNRESET);
    harness_await(pair_is_closed, NULL, "the end of the socket");
}

/* ---- Detach ---- */

static void test_keep(void)
{
    pair_start(NULL);
    struct wire *raw = attach("keep");

    wire_send_bytes(raw, "one", 3);
    peer_expect_text(pair.peer, "one");
    wire_close(raw);
    harness_await(pair_is_detached, NULL, "the end of the raw stream");
    CU_ASSERT_FALSE(wire_bool(pair_runtime(), "output-shutdown"));
    peer_print(pair.peer, "two");
    json_t *read =
        wire_call(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "exactly", 2);
    CU_ASSERT_STRING_EQUAL(wire_text(read, "data"), "tw");
    raw = attach("keep");
    wire_expect_raw(raw, "o", 1);
    wire_send_bytes(raw, "three", 5);
    peer_expect_text(pair.peer, "three");
}

/* The client does not read, so bytes pile up on the way to it. When it goes, those it has
 * not got wait for the next one. */
static void test_keep_loses_no_byte(void)
{
    static uint8_t bytes[65536];
    uint64_t sent = harness_random(), state;
    size_t n_sent = 0, n_read = 0;
    struct pollfd full;

    pair_start(NULL);
    state = sent;
    struct wire *raw = attach("keep");
    full = (struct pollfd){.fd = pair.peer, .events = POLLOUT};
    while (poll(&full, 1, 300) > 0) {
        uint64_t ahead = state;
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = next_byte(&ahead);
        }
        ssize_t n = send(pair.peer, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        for (ssize_t i = 0; i < n; i++) {
            (void)next_byte(&state);
        }
        n_sent += n > 0 ? (size_t)n : 0;
    }
    peer_shut_output(pair.peer);
    /* What is in the kernel on the way to the client has been handed over: it is taken
     * before the client goes. */
    int fd = wire_descriptor(raw);
    state = sent;
    for (ssize_t n; n_read < n_sent / 2 && (n = recv(fd, bytes, sizeof bytes, 0)) > 0;) {
        for (ssize_t i = 0; i < n; i++) {
            CU_ASSERT_TRUE_FATAL(bytes[i] == next_byte(&state));
        }
        n_read += (size_t)n;
    }
    /* Stopped from elsewhere, so that nothing new comes while the rest is read. */
    wire_call(pair.wire, "interrupt", "{s:I}", "socket", pair.sock);
    for (ssize_t n; (n = recv(fd, bytes, sizeof bytes, 0)) > 0;) {
        for (ssize_t i = 0; i < n; i++) {
            CU_ASSERT_TRUE_FATAL(bytes[i] == next_byte(&state));
        }
        n_read += (size_t)n;
    }
    wire_close(raw);
    harness_await(pair_is_detached, NULL, "the end of the raw stream");
    raw = attach("keep");
    for (size_t n; (n = wire_read_raw(raw, bytes, sizeof bytes)) > 0;) {
        for (size_t i = 0; i < n; i++) {
            CU_ASSERT_TRUE_FATAL(bytes[i] == next_byte(&state));
        }
        n_read += n;
    }
    CU_ASSERT_EQUAL(n_read, n_sent);
}

/* The connection that made the socket attaches it and goes: kept is kept. */
static void test_keep_outlives_its_maker(void)
{
    pair_start(NULL);
    struct wire *maker = pair.wire;
    pair.wire = wire_open(pair.harness);
    wire_call(maker, "attach", "{s:I, s:s}", "socket", pair.sock, "detach", "keep");
    wire_send_bytes(maker, "x", 1);
    peer_expect_text(pair.peer, "x");
    wire_close(maker);
    harness_await(pair_is_detached, NULL, "the end of the raw stream");
    json_t *owner = json_object_get(
        wire_call(pair.wire, "describe-socket", "{s:I}", "socket", pair.sock), "owner");
    CU_ASSERT_TRUE(json_is_null(json_object_get(owner, "client")));
    wire_call(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock, "data", "alive");
    peer_expect_text(pair.peer, "alive");
    wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    peer_expect_end(pair.peer);
}

/* The other sockets of an attached connection end with it. */
static void test_other_sockets_end_with_the_stream(void)
{
    pair_start(NULL);
    struct wire *maker = pair.wire;
    int first = pair.peer;
    int64_t attached = pair.sock;
    pair_open(NULL);
    pair.wire = wire_open(pair.harness);
    wire_call(maker, "attach", "{s:I}", "socket", attached);
    CU_ASSERT_FALSE(pair_is_closed(NULL)); /* the other one lives on meanwhile */
    wire_close(maker);
    peer_expect_end(first);
    peer_expect_end(pair.peer);
    harness_await(pair_is_closed, NULL, "the end of the other socket");
}

/* ---- Others that end it ---- */

static void test_interrupt_and_close(void)
{
    pair_start(NULL);
    struct wire *raw = attach("keep");
    json_t *result = wire_call(pair.wire, "interrupt", "{s:I, s:s}", "socket", pair.sock,
                               "direction", "input");

    CU_ASSERT_TRUE(wire_int(result, "interrupted") > 0);
    expect_raw_end(raw);
    harness_await(pair_is_detached, NULL, "the end of the raw stream");
    raw = attach("keep");
    wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    expect_raw_end(raw);
    peer_expect_end(pair.peer);

    pair_open(NULL);
    raw = attach("close");
    wire_call(pair.wire, "interrupt", "{s:I, s:b}", "socket", pair.sock, "close", 1);
    expect_raw_end(raw);
    peer_expect_end(pair.peer);
    harness_await(pair_is_closed, NULL, "the end of the socket");

    pair_open(NULL);
    raw = attach("close");
    wire_call(pair.wire, "close", "{s:I, s:b}", "socket", pair.sock, "abort", 1);
    expect_raw_end(raw);
}

static void test_busy(void)
{
    static const char *const methods[] = {"read",         "read-line",     "peek",
                                          "listen",       "read-byte",     "read-char",
                                          "force-output", "finish-output", "attach"};
    struct wire *other;

    pair_start(NULL);
    int64_t waiting = wire_send(pair.wire, "read", "{s:I}", "socket", pair.sock);
    wire_call(pair.wire, "listen", "{s:I}", "socket", pair.sock);
    other = wire_open(pair.harness);
    wire_refused(other, "busy", "attach", "{s:I}", "socket", pair.sock);
    wire_refused(pair.wire, "busy", "attach", "{s:I}", "socket", pair.sock);
    wire_call(other, "interrupt", "{s:I}", "socket", pair.sock);
    wire_error(pair.wire, waiting, "interrupted");

    (void)attach("close");
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        wire_refused(other, "busy", methods[i], "{s:I}", "socket", pair.sock);
    }
    wire_refused(other, "busy", "write", "{s:I, s:s}", "socket", pair.sock, "data", "x");
    wire_refused(other, "busy", "shutdown", "{s:I, s:s}", "socket", pair.sock,
                 "direction", "input");
    wire_refused(other, "busy", "socket-control", "{s:I, s:b}", "socket", pair.sock,
                 "input-chunking", 1);
    wire_call(other, "socket-control", "{s:I, s:i}", "socket", pair.sock, "read-timeout",
              5);
    wire_send_line(other, "[{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"attach\","
                          "\"params\":{\"socket\":1}}]");
    json_t *error = json_object_get(wire_receive(other), "error");
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "identifier"),
                           "busy");
    CU_ASSERT_FALSE(wire_bool(json_object_get(error, "data"), "retryable"));
}

/* The daemon stops while streams run. */
static void test_stop(void)
{
    pair_start(NULL);
    struct wire *raw = attach("keep");

    wire_send_bytes(raw, "x", 1);
    peer_expect_text(pair.peer, "x");
    harness_stop(pair.harness);
    expect_raw_end(raw);
    peer_expect_end(pair.peer);
}

/* ---- socket-os-fd ---- */

static void test_descriptor(void)
{
    pair_start(NULL);
    wire_call(pair.wire, "socket-os-fd", "{s:I}", "socket", pair.sock);
    int fd = wire_take_descriptor(pair.wire);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    peer_write(fd, "directly", 8);
    peer_expect_text(pair.peer, "directly");
    peer_print(pair.peer, "back");
    peer_expect_text(fd, "back");
    wire_call(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock, "data", "daemon");
    peer_expect_text(pair.peer, "daemon");
    json_t *made = wire_call(pair.wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                             "local-host", "127.0.0.1");
    wire_call(pair.wire, "socket-os-fd", "{s:I}", "socket", wire_int(made, "socket"));
    int listener = wire_take_descriptor(pair.wire);
    CU_ASSERT_EQUAL(peer_local_port(listener), wire_int(made, "local-port"));
}

static const struct unit_test tests[] = {
    {"bytes run both ways", test_both_ways},
    {"bytes behind the request, and buffered ones before it", test_pipelined},
    {"a large transfer both ways at once", test_large_transfer},
    {"a client that does not read holds the peer up", test_back_pressure},
    {"the client ends its direction first", test_client_ends_first},
    {"the peer ends its direction first", test_peer_ends_first},
    {"the client closes with bytes on their way",
     test_client_closes_with_bytes_on_their_way},
    {"the peer resets", test_reset},
    {"the peer no longer reads", test_peer_that_no_longer_reads},
    {"a kept socket is attached again", test_keep},
    {"a kept socket loses no byte", test_keep_loses_no_byte},
    {"a kept socket outlives its maker", test_keep_outlives_its_maker},
    {"other sockets end with the stream", test_other_sockets_end_with_the_stream},
    {"interrupt and close from elsewhere", test_interrupt_and_close},
    {"busy", test_busy},
    {"the daemon stops", test_stop},
    {"socket-os-fd", test_descriptor},
};

UNIT_MAIN(tests)
