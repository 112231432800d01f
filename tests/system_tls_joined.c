/* SPDX-License-Identifier: MIT */
/*
 * system_tls_joined.c - TLS streams that are attached, relayed or the legs of a tunnel:
 * every byte, half-closed streams, ends that stay what they are.
 */
#include <config.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/tls_pair.h"
#include "tests/traffic.h"
#include "tests/unit.h"
#include "tests/wire.h"

static struct wire *attach(int64_t sock, const char *detach)
{
    struct wire *raw = wire_open(pair.harness);
    json_t *result =
        wire_call(raw, "attach", "{s:I, s:s}", "socket", sock, "detach", detach);

    CU_ASSERT_EQUAL(wire_int(result, "socket"), sock);
    return raw;
}

static void expect_raw_end(struct wire *raw)
{
    char byte;

    CU_ASSERT_EQUAL(wire_read_raw(raw, &byte, 1), 0);
}

/* ---- Attach ---- */

static void test_attach(void)
{
    static const char *const roles[] = {"client", "server"};

    for (int role = 0; role < 2; role++) {
        if (role == 0) {
            tls_start(roles[role], NULL, NULL);
        } else {
            tls_again(roles[role], NULL, NULL);
        }
        tls_peer_print(tls_peer, "headbody");
        pair_check_data(pair_read_exactly(4), "head", "utf-8");
        struct wire *raw = attach(pair.sock, "close");
        wire_expect_raw(raw, "body", 4);
        wire_send_bytes(raw, "to the peer\0\n", 13);
        tls_peer_expect(tls_peer, "to the peer\0\n", 13);
        /* The half-closed stream of the client is a farewell to the peer. */
        wire_shut_output(raw);
        tls_peer_expect_end(tls_peer);
        tls_peer_print(tls_peer, "the last word");
        wire_expect_raw(raw, "the last word", 13);
        tls_peer_shut_output(tls_peer);
        expect_raw_end(raw);
    }
}

/* Attached before there is a session: the first byte begins the handshake. */
static void test_attach_first(void)
{
    struct tls_peer_spec peer = tls_client_peer();

    pair_start(NULL);
    tls_wrap("server", tls_server_params(NULL));
    struct wire *raw = attach(pair.sock, "keep");
    tls_peer = tls_peer_new(&peer, pair.peer);
    tls_peer_handshake(tls_peer);
    tls_peer_print(tls_peer, "hello");
    wire_expect_raw(raw, "hello", 5);
    wire_send_bytes(raw, "hi", 2);
    tls_peer_expect_text(tls_peer, "hi");
    wire_close(raw);
    harness_await(pair_is_detached, NULL, "the end of the attachment");
    tls_talk();
}

/* A cut that looked like an end to the raw stream is told for what it was. */
static void test_attach_truncated(void)
{
    tls_start("client", NULL, NULL);
    struct wire *raw = attach(pair.sock, "keep");

    tls_peer_print(tls_peer, "before");
    peer_shut_output(pair.peer);
    wire_expect_raw(raw, "before", 6);
    expect_raw_end(raw);
    CU_ASSERT_STRING_EQUAL(wire_text(pair_runtime(), "end"), "truncated");
    tls_again("client", NULL, NULL);
    raw = attach(pair.sock, "keep");
    tls_peer_print(tls_peer, "before");
    tls_peer_shut_output(tls_peer);
    wire_expect_raw(raw, "before", 6);
    expect_raw_end(raw);
    CU_ASSERT_STRING_EQUAL(wire_text(pair_runtime(), "end"), "clean");
}

static void test_accept_attached(void)
{
    struct tls_peer_spec peer = tls_client_peer();

    pair.harness = harness_start(NULL);
    pair.wire = wire_open(pair.harness);
    int64_t context = tls_context("server", tls_server_params(NULL));
    json_t *made =
        wire_call(pair.wire, "make-socket", "{s:s, s:s, s:I}", "connect", "passive",
                  "local-host", "127.0.0.1", "ssl-context", context);
    struct wire *raw = wire_open(pair.harness);
    int64_t id = wire_send(raw, "accept-connection", "{s:I, s:b}", "socket",
                           wire_int(made, "socket"), "attach", 1);
    tls_peer =
        tls_peer_new(&peer, peer_connect("127.0.0.1", (int)wire_int(made, "local-port")));
    tls_peer_handshake(tls_peer);
    tls_peer_print(tls_peer, "hello");
    wire_result(raw, id);
    wire_expect_raw(raw, "hello", 5);
    wire_send_bytes(raw, "hi", 2);
    tls_peer_expect_text(tls_peer, "hi");
}

/* ---- Two sessions of the daemon with each other ---- */

struct couple {
    int64_t client, server;
};

/* Made by two control connections, so that they may live on two workers. */
static struct couple make_couple(int64_t listener, int port, int64_t client_context,
                                 int64_t server_context)
{
    struct wire *other = wire_open(pair.harness);
    struct couple couple;

    couple.client = wire_int(wire_call(other, "make-socket", "{s:s, s:i}", "remote-host",
                                       "127.0.0.1", "remote-port", port),
                             "socket");
    couple.server = wire_int(
        wire_call(pair.wire, "accept-connection", "{s:I}", "socket", listener), "socket");
    wire_call(pair.wire, "make-ssl-server-stream", "{s:I, s:I}", "socket", couple.server,
              "context", server_context);
    wire_call(other, "make-ssl-client-stream", "{s:I, s:I}", "socket", couple.client,
              "context", client_context);
    return couple;
}

static int raw_descriptor(int64_t sock)
{
    struct wire *raw = attach(sock, "close");
    int fd = dup(wire_descriptor(raw));

    CU_ASSERT_FATAL(fd >= 0);
    wire_close(raw);
    return peer_adopt(fd);
}

static void start_couples(int64_t *listener, int *port, int64_t contexts[2])
{
    pair.harness = harness_start(NULL);
    pair.wire = wire_open(pair.harness);
    json_t *made = wire_call(pair.wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                             "local-host", "127.0.0.1");
    *listener = wire_int(made, "socket");
    *port = (int)wire_int(made, "local-port");
    contexts[0] = tls_context("client", tls_client_params(NULL));
    contexts[1] = tls_context("server", tls_server_params(NULL));
}

static void test_traffic(void)
{
    int64_t listener, contexts[2];
    int port;

    start_couples(&listener, &port, contexts);
    for (int i = 0; i < 12; i++) {
        struct traffic_plan plan = traffic_random(1000000);
        plan.is_slow = i % 4 == 3;
        struct couple couple = make_couple(listener, port, contexts[0], contexts[1]);
        int client = raw_descriptor(couple.client);
        traffic_add(client, raw_descriptor(couple.server), &plan);
    }
    traffic_run();
}

/* 20 MB each way, every byte checked. */
static void test_large(void)
{
    enum { SIZE = 20 * 1024 * 1024 };
    int64_t listener, contexts[2];
    int port;

    start_couples(&listener, &port, contexts);
    struct traffic_plan plan = {.sizes = {SIZE, SIZE}};
    struct couple couple = make_couple(listener, port, contexts[0], contexts[1]);
    int client = raw_descriptor(couple.client);
    traffic_add(client, raw_descriptor(couple.server), &plan);
    traffic_run();
}

/* ---- Relays and tunnels ---- */

/* Plain peers at both ends, TLS in the middle: peer - plain | relay | TLS - TLS | relay |
 * plain - peer. */
static void test_relay(void)
{
    int64_t listener, contexts[2];
    int port;

    start_couples(&listener, &port, contexts);
    for (int i = 0; i < 8; i++) {
        struct traffic_plan plan = traffic_random(500000);
        struct couple couple = make_couple(listener, port, contexts[0], contexts[1]);
        pair_open(NULL);
        wire_call(pair.wire, "relay", "{s:I, s:I}", "first", pair.sock, "second",
                  couple.client);
        int first = pair.peer;
        pair_open(NULL);
        wire_call(pair.wire, "relay", "{s:I, s:I}", "first", couple.server, "second",
                  pair.sock);
        traffic_add(first, pair.peer, &plan);
    }
    traffic_run();
}

/* A truncation on one side is none that looks clean on the other. */
static void test_relayed_truncation(void)
{
    struct tls_peer_spec peer = tls_client_peer();

    tls_start("server", NULL, NULL);
    SSL *first = tls_peer;
    int64_t sock = pair.sock;
    int fd = pair.peer;
    tls_again("server", NULL, &peer);
    wire_call(pair.wire, "relay", "{s:I, s:I}", "first", sock, "second", pair.sock);
    tls_peer_print(first, "before");
    tls_peer_expect_text(tls_peer, "before");
    peer_close(fd);
    char byte;
    size_t n = 0;
    CU_ASSERT_EQUAL(SSL_read_ex(tls_peer, &byte, 1, &n), 0);
    CU_ASSERT_EQUAL(SSL_get_shutdown(tls_peer) & SSL_RECEIVED_SHUTDOWN, 0);
}

static bool handshake_is_on(void *context)
{
    json_t *described = wire_call(pair.wire, "describe-socket", "{s:I}", "socket",
                                  *(const int64_t *)context);

    return strcmp(wire_text(json_object_get(described, "tls"), "state"), "handshake") ==
           0;
}

/* A stream that still has its handshake before it may not travel, so the other one does;
 * interrupted in the middle of the handshake, both are at home again and of use. */
static void test_interrupted_handshake(void)
{
    const struct harness_options options = {.workers = 2};
    struct tls_peer_spec peer = tls_server_peer();

    pair_start_with(&options);
    int64_t first = pair.sock, second;
    int first_peer = pair.peer;
    do { /* clients are spread over the workers, and their sockets with them */
        pair.wire = wire_open(pair.harness);
        pair_open(NULL);
    } while (pair.sock % 64 == first % 64);
    second = pair.sock;
    tls_wrap("client", tls_client_params(NULL));
    wire_call(pair.wire, "relay", "{s:I, s:I}", "first", first, "second", second);
    peer_await(pair.peer, POLLIN, "the first message of the handshake");
    CU_ASSERT_TRUE(handshake_is_on(&second));
    wire_call(pair.wire, "interrupt", "{s:I}", "socket", first);
    tls_peer = tls_peer_new(&peer, pair.peer);
    wire_send(pair.wire, "ssl-do-handshake", "{s:I}", "socket", second);
    tls_peer_handshake(tls_peer);
    tls_peer_print(tls_peer, "alive");
    pair_check_data(pair_read_exactly(5), "alive", "utf-8");
    peer_print(first_peer, "x");
    wire_call(pair.wire, "wait-for-input-available", "{s:[I]}", "sockets", first);
}

static int64_t make_tunnel(json_t *more, int target_port, int *port)
{
    json_t *params =
        json_pack("{s:{s:s}, s:{s:s, s:i}}", "listen", "local-host", "127.0.0.1",
                  "connect", "remote-host", "127.0.0.1", "remote-port", target_port);

    json_object_update(params, more);
    json_decref(more);
    json_t *made = wire_call(pair.wire, "make-tunnel", "o", params);
    *port = (int)wire_int(json_object_get(made, "listener"), "local-port");
    return wire_int(made, "tunnel");
}

/* stunnel in two lines: one tunnel seals, one opens. */
static void test_tunnels(void)
{
    int64_t listener, contexts[2];
    int port, target_port, middle, front;

    start_couples(&listener, &port, contexts);
    wire_call(pair.wire, "close-context", "{s:I}", "context", contexts[0]);
    contexts[0] = tls_context("client", tls_client_params("{s:s}", "name", "out"));
    int target = peer_listen("127.0.0.1", &target_port);
    make_tunnel(json_pack("{s:I}", "server-context", contexts[1]), target_port, &middle);
    make_tunnel(json_pack("{s:s}", "client-context", "out"), middle, &front);
    for (int i = 0; i < 8; i++) {
        struct traffic_plan plan = traffic_random(500000);
        int first = peer_connect("127.0.0.1", front);
        /* Something must flow, so that the handshakes come about. */
        peer_write(first, "x", 1);
        int second = peer_accept(target);
        peer_expect(second, "x", 1);
        traffic_add(first, second, &plan);
    }
    traffic_run();
    /* Who speaks no TLS gets nowhere. */
    int stranger = peer_connect("127.0.0.1", middle);
    peer_print(stranger, "GET / HTTP/1.0\r\n\r\n");
    char bytes[64];
    while (peer_read(stranger, bytes, sizeof bytes) > 0) {
    }
}

static const struct unit_test tests[] = {
    {"attached, and half-closed", test_attach},
    {"attached before the handshake", test_attach_first},
    {"an attached stream that is cut", test_attach_truncated},
    {"accepted and attached in one", test_accept_attached},
    {"traffic between two sessions", test_traffic},
    {"20 MB each way", test_large},
    {"relays between plain and TLS streams", test_relay},
    {"a relayed truncation", test_relayed_truncation},
    {"a relay is interrupted in a handshake", test_interrupted_handshake},
    {"tunnels that seal and open", test_tunnels},
};

UNIT_MAIN_AROUND(tests, tls_before, tls_after)
