/* SPDX-License-Identifier: MIT */
/*
 * system_tunnel.c - tunnels: every byte through them, fail-over, their ends, and whose
 * they are. Their rules: system_tunnel_rules.c.
 */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/traffic.h"
#include "tests/tunnel_rig.h"
#include "tests/unit.h"
#include "tests/wire.h"

/* ---- Bytes ---- */

static void test_both_ways(void)
{
    int front, back;

    tunnel_rig_start(2);
    struct rig_tunnel tunnel =
        rig_tunnel(tunnel_rig.wire, json_pack("{s:s}", "name", "first"));
    rig_pair(&tunnel, &front, &back);
    peer_print(front, "to the target");
    peer_expect_text(back, "to the target");
    peer_print(back, "and back");
    peer_expect_text(front, "and back");
    const json_t *item = rig_listed(tunnel.handle);
    CU_ASSERT_STRING_EQUAL(wire_text(item, "name"), "first");
    CU_ASSERT_EQUAL(wire_int(item, "connections"), 1);
    CU_ASSERT_EQUAL(wire_int(item, "accepted"), 1);
    CU_ASSERT_EQUAL(wire_int(item, "listener"), tunnel.listener);
    peer_shut_output(front);
    peer_expect_end(back);
    peer_print(back, "more");
    peer_expect_text(front, "more");
    peer_close(back);
    peer_expect_end(front);
    rig_await_value(tunnel.handle, "connections", 0);
    CU_ASSERT_EQUAL(wire_int(rig_listed(tunnel.handle), "bytes-in"), 13);
    CU_ASSERT_EQUAL(wire_int(rig_listed(tunnel.handle), "bytes-out"), 12);
    CU_ASSERT_EQUAL(wire_int(rig_listed(tunnel.handle), "cut"), 0);
    rig_await_sockets(1);
}

static void test_traffic(void)
{
    int front, back;

    tunnel_rig_start(3);
    struct rig_tunnel tunnel = rig_tunnel(tunnel_rig.wire, NULL);
    for (unsigned i = 0; i < 300; i++) {
        struct traffic_plan plan = traffic_random(i % 10 == 0 ? 4u << 20 : 1u << 16);
        rig_pair(&tunnel, &front, &back);
        if (i % 5 == 0) {
            plan.sizes[0]++;
            plan.cut = TRAFFIC_CUT_HEARD;
            plan.cut_at = (size_t)(harness_random() % plan.sizes[0]);
        }
        traffic_add(front, back, &plan);
    }
    traffic_run();
    rig_await_value(tunnel.handle, "connections", 0);
    CU_ASSERT_EQUAL(wire_int(rig_listed(tunnel.handle), "accepted"), 300);
    CU_ASSERT_EQUAL(wire_int(rig_listed(tunnel.handle), "cut"), 60);
    rig_await_sockets(1);
}

static void test_files(void)
{
    char near[108], far[108];

    tunnel_rig_start(2);
    (void)snprintf(near, sizeof near, "%s/near", harness_directory(tunnel_rig.harness));
    (void)snprintf(far, sizeof far, "%s/far", harness_directory(tunnel_rig.harness));
    int target = peer_listen_file(far);
    json_t *made =
        wire_call(tunnel_rig.wire, "make-tunnel", "{s:{s:s, s:s}, s:{s:s, s:s}}",
                  "listen", "address-family", "file", "local-filename", near, "connect",
                  "address-family", "file", "remote-filename", far);
    for (unsigned i = 0; i < 20; i++) {
        struct traffic_plan plan = traffic_random(1u << 20);
        int front = peer_connect_file(near);
        traffic_add(front, peer_accept(target), &plan);
    }
    traffic_run();
    const json_t *item = rig_listed(wire_int(made, "tunnel"));
    CU_ASSERT_STRING_EQUAL(wire_text(item, "listen"), near);
    CU_ASSERT_STRING_EQUAL(
        json_string_value(json_array_get(json_object_get(item, "connect"), 0)), far);
    CU_ASSERT_EQUAL(access(near, F_OK), 0);
    wire_call(tunnel_rig.wire, "close-tunnel", "{s:I}", "tunnel",
              wire_int(made, "tunnel"));
    CU_ASSERT_EQUAL(access(near, F_OK), -1);
}

/* ---- Targets ---- */

static void test_fail_over(void)
{
    int front, back;

    tunnel_rig_start(2);
    int refusing = peer_refusing_port("127.0.0.1");
    int silent = peer_silent_port("127.0.0.1");
    struct rig_tunnel tunnel = rig_tunnel(tunnel_rig.wire, NULL);
    json_t *made = wire_call(
        tunnel_rig.wire, "make-tunnel",
        "{s:{s:s}, s:[{s:s, s:i}, {s:s, s:i, s:f}, {s:s, s:i}]}", "listen", "local-host",
        "localhost", "connect", "remote-host", "127.0.0.1", "remote-port", refusing,
        "remote-host", "127.0.0.1", "remote-port", silent, "connect-timeout", 0.05,
        "remote-host", "localhost", "remote-port", tunnel.target_port);

    tunnel.port = (int)wire_int(json_object_get(made, "listener"), "local-port");
    const char *host = wire_text(json_object_get(made, "listener"), "local-host");
    front = peer_connect(host, tunnel.port);
    back = peer_accept(tunnel.target);
    peer_print(front, "found");
    peer_expect_text(back, "found");

    /* Nobody takes it: reset, and counted. */
    made = wire_call(tunnel_rig.wire, "make-tunnel",
                     "{s:{s:s}, s:[{s:s, s:i}, {s:s, s:i}]}", "listen", "local-host",
                     "127.0.0.1", "connect", "remote-host", "127.0.0.1", "remote-port",
                     refusing, "remote-host", "127.0.0.1", "remote-port", refusing);
    front = peer_connect("127.0.0.1",
                         (int)wire_int(json_object_get(made, "listener"), "local-port"));
    peer_expect_reset(front);
    rig_await_value(wire_int(made, "tunnel"), "failed", 1);
    rig_await_value(wire_int(made, "tunnel"), "connections", 0);
}

/* The near end of the connection to the target. */
/* Each connection begins with the next target, and goes on to those behind it. */
static void test_round_robin(void)
{
    static const unsigned expected[] = {0, 2, 2, 0, 2, 2};
    int targets[3], ports[3];

    tunnel_rig_start(3);
    for (unsigned i = 0; i < 3; i++) {
        targets[i] = i == 1 ? -1 : peer_listen("127.0.0.1", &ports[i]);
    }
    ports[1] = peer_refusing_port("127.0.0.1");
    json_t *made = wire_call(
        tunnel_rig.wire, "make-tunnel",
        "{s:{s:s}, s:[{s:s, s:i}, {s:s, s:i}, {s:s, s:i}], s:s}", "listen", "local-host",
        "127.0.0.1", "connect", "remote-host", "127.0.0.1", "remote-port", ports[0],
        "remote-host", "127.0.0.1", "remote-port", ports[1], "remote-host", "127.0.0.1",
        "remote-port", ports[2], "connect-order", "round-robin");
    int port = (int)wire_int(json_object_get(made, "listener"), "local-port");

    for (unsigned i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        int front = peer_connect("127.0.0.1", port);
        int back = peer_accept(targets[expected[i]]);
        peer_print(front, "found");
        peer_expect_text(back, "found");
        peer_close(front);
        peer_expect_end(back);
    }
    CU_ASSERT_EQUAL(wire_int(rig_listed(wire_int(made, "tunnel")), "failed"), 0);

    /* Where nobody takes it, each is tried once. */
    made = wire_call(tunnel_rig.wire, "make-tunnel",
                     "{s:{s:s}, s:[{s:s, s:i}, {s:s, s:i}], s:s}", "listen", "local-host",
                     "127.0.0.1", "connect", "remote-host", "127.0.0.1", "remote-port",
                     ports[1], "remote-host", "127.0.0.1", "remote-port", ports[1],
                     "connect-order", "round-robin");
    port = (int)wire_int(json_object_get(made, "listener"), "local-port");
    for (int64_t i = 1; i <= 3; i++) {
        peer_expect_reset(peer_connect("127.0.0.1", port));
        rig_await_value(wire_int(made, "tunnel"), "failed", i);
    }
}

static void test_source(void)
{
    int front, back;
    struct sockaddr_storage address;
    socklen_t size = sizeof address;

    tunnel_rig_start(1);
    struct rig_tunnel tunnel = rig_tunnel(tunnel_rig.wire, NULL);
    json_t *made = wire_call(
        tunnel_rig.wire, "make-tunnel", "{s:{s:s}, s:{s:s, s:i, s:s}}", "listen",
        "local-host", "127.0.0.1", "connect", "remote-host", "127.0.0.1", "remote-port",
        tunnel.target_port, "local-host", "127.0.0.9");

    tunnel.port = (int)wire_int(json_object_get(made, "listener"), "local-port");
    rig_pair(&tunnel, &front, &back);
    CU_ASSERT_EQUAL(getpeername(back, (struct sockaddr *)&address, &size), 0);
    const uint8_t *bytes = (const uint8_t *)&address;
    CU_ASSERT_EQUAL(bytes[7], 9); /* the last of four bytes behind family and port */
}

static void test_client_leaves_early(void)
{
    tunnel_rig_start(2);
    int silent = peer_silent_port("127.0.0.1");
    json_t *made = wire_call(tunnel_rig.wire, "make-tunnel", "{s:{s:s}, s:{s:s, s:i}}",
                             "listen", "local-host", "127.0.0.1", "connect",
                             "remote-host", "127.0.0.1", "remote-port", silent);
    int64_t handle = wire_int(made, "tunnel");
    int front = peer_connect(
        "127.0.0.1", (int)wire_int(json_object_get(made, "listener"), "local-port"));

    rig_await_value(handle, "connections", 1);
    rig_await_sockets(3);
    peer_abort(front);
    rig_await_value(handle, "connections", 0);
    rig_await_sockets(1);
}

/* ---- Ends ---- */

static void test_close(void)
{
    int front, back;

    tunnel_rig_start(3);
    struct rig_tunnel tunnel = rig_tunnel(tunnel_rig.wire, NULL);
    rig_pair(&tunnel, &front, &back);
    wire_call(tunnel_rig.wire, "close-tunnel", "{s:I}", "tunnel", tunnel.handle);
    CU_ASSERT_PTR_NULL(rig_listed(tunnel.handle));
    wire_refused(tunnel_rig.wire, "no-such-tunnel", "close-tunnel", "{s:I}", "tunnel",
                 tunnel.handle);
    wire_refused(tunnel_rig.wire, "no-such-tunnel", "close-tunnel", "{s:I}", "tunnel",
                 ((int64_t)1 << 40) + 63);
    wire_refused(tunnel_rig.wire, "no-such-socket", "describe-socket", "{s:I}", "socket",
                 tunnel.listener);
    peer_print(front, "it goes on");
    peer_expect_text(back, "it goes on");
    peer_close(front);
    peer_expect_end(back);
    peer_close(back);
    rig_await_sockets(0);

    tunnel = rig_tunnel(tunnel_rig.wire, NULL);
    rig_pair(&tunnel, &front, &back);
    wire_call(tunnel_rig.wire, "close-tunnel", "{s:I, s:b}", "tunnel", tunnel.handle,
              "abort", 1);
    peer_expect_reset(front);
    rig_await_sockets(0);

    tunnel = rig_tunnel(tunnel_rig.wire, NULL);
    rig_pair(&tunnel, &front, &back);
    wire_refused(tunnel_rig.wire, "busy", "accept-connection", "{s:I}", "socket",
                 tunnel.listener);
    wire_call(tunnel_rig.wire, "close", "{s:I}", "socket", tunnel.listener);
    rig_await_sockets(0);
}

/* The tunnel and all that belongs to it end with its maker. */
static void test_client_ends(void)
{
    int fronts[10], backs[10];

    tunnel_rig_start(3);
    struct wire *maker = wire_open(tunnel_rig.harness);
    struct rig_tunnel tunnel = rig_tunnel(maker, NULL);
    for (unsigned i = 0; i < 10; i++) {
        rig_pair(&tunnel, &fronts[i], &backs[i]);
    }
    /* These go on without a tunnel, and end with their client. */
    wire_call(maker, "close-tunnel", "{s:I}", "tunnel", tunnel.handle);
    struct rig_tunnel second = rig_tunnel(maker, NULL);
    for (unsigned i = 0; i < 10; i += 2) {
        peer_close(fronts[i]);
        peer_close(backs[i]);
        rig_pair(&second, &fronts[i], &backs[i]);
    }
    rig_await_value(second.handle, "connections", 5);
    wire_close(maker);
    for (unsigned i = 0; i < 10; i++) {
        char byte;
        ssize_t n = recv(fronts[i], &byte, 1, 0);
        CU_ASSERT_TRUE(n <= 0);
    }
    rig_await_sockets(0);
}

/* A batch of notifications that closes what the tunnel has accepted. */
static json_t *close_fronts(const struct rig_tunnel *tunnel)
{
    json_t *batch = json_array(), *item;
    json_t *list = wire_call(tunnel_rig.wire, "list-sockets", "{s:i}", "limit", 1000);
    size_t i;

    json_array_foreach(json_object_get(list, "sockets"), i, item)
    {
        if (wire_int(item, "socket") != tunnel->listener &&
            json_integer_value(json_object_get(item, "local-port")) == tunnel->port) {
            json_array_append_new(batch,
                                  json_pack("{s:s, s:s, s:{s:I, s:b}}", "jsonrpc", "2.0",
                                            "method", "close", "params", "socket",
                                            wire_int(item, "socket"), "abort", 1));
        }
    }
    return batch;
}

/* Its connections are closed one by one while the tunnel itself is cut. */
static void test_closed_from_all_sides(void)
{
    enum { ROUNDS = 20, PAIRS = 30 };
    int fronts[PAIRS], backs[PAIRS];

    tunnel_rig_start(3);
    struct wire *other = wire_open(tunnel_rig.harness);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct rig_tunnel tunnel = rig_tunnel(tunnel_rig.wire, NULL);
        for (unsigned i = 0; i < PAIRS; i++) {
            rig_pair(&tunnel, &fronts[i], &backs[i]);
        }
        json_t *batch = close_fronts(&tunnel);
        char *text = json_dumps(batch, JSON_COMPACT);
        wire_send_line(other, text);
        wire_call(tunnel_rig.wire, "close-tunnel", "{s:I, s:b}", "tunnel", tunnel.handle,
                  "abort", 1);
        free(text);
        json_decref(batch);
        rig_await_sockets(0);
        for (unsigned n = 0; n < PAIRS; n++) {
            peer_close(fronts[n]);
            peer_close(backs[n]);
        }
        peer_close(tunnel.target);
    }
}

/* Somebody who has said all is gone for good; the target says nothing that would tell. */
static void test_reset_after_end(void)
{
    int front, back;

    tunnel_rig_start(1);
    struct rig_tunnel tunnel = rig_tunnel(tunnel_rig.wire, NULL);
    rig_pair(&tunnel, &front, &back);
    peer_print(front, "all");
    peer_shut_output(front);
    peer_expect_text(back, "all");
    peer_expect_end(back);
    peer_abort(front);
    rig_await_value(tunnel.handle, "connections", 0);
    CU_ASSERT_EQUAL(wire_int(rig_listed(tunnel.handle), "cut"), 1);
}

/* Reads to the reset, which comes behind the first n bytes of rig_byte(). */
static size_t read_to_reset(int fd)
{
    static uint8_t bytes[1 << 16];
    size_t n_read = 0, n_wrong = 0;
    ssize_t n;

    for (;;) {
        peer_await(fd, POLLIN, "bytes or a reset");
        n = recv(fd, bytes, sizeof bytes, 0);
        if (n <= 0) {
            break;
        }
        for (ssize_t i = 0; i < n; i++) {
            n_wrong += bytes[i] != rig_byte(n_read++);
        }
    }
    CU_ASSERT_TRUE(n < 0 && errno == ECONNRESET);
    CU_ASSERT_EQUAL(n_wrong, 0);
    return n_read;
}

/* The target sends and does not read before it has sent; then whom it sends to is gone.
 * It is not left blocked, and gets what was sent to it. */
static void test_blocked(void)
{
    static const char bytes[1 << 16];
    int front, back;

    tunnel_rig_start(1);
    struct rig_tunnel tunnel =
        rig_tunnel(tunnel_rig.wire, json_pack("{s:i}", "half-closed-timeout", 0));
    rig_pair(&tunnel, &front, &back);
    size_t n_sent = rig_stuff(front, back);
    peer_abort(front);
    for (unsigned i = 0; i < 200; i++) {
        peer_await(back, POLLOUT, "room for what nobody wants");
        if (send(back, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            CU_ASSERT_TRUE(errno == EAGAIN || errno == ECONNRESET || errno == EPIPE);
        }
    }
    size_t n_read = read_to_reset(back);
    CU_ASSERT_TRUE(n_read > 0 && n_read <= n_sent);
    rig_await_value(tunnel.handle, "connections", 0);
    CU_ASSERT_EQUAL(wire_int(rig_listed(tunnel.handle), "cut"), 1);
    CU_ASSERT_EQUAL(wire_int(rig_listed(tunnel.handle), "bytes-in"), (int64_t)n_read);
    rig_await_sockets(1);
}

static void test_stop(void)
{
    int front, back;

    tunnel_rig_start(2);
    struct rig_tunnel tunnel = rig_tunnel(tunnel_rig.wire, NULL);
    rig_pair(&tunnel, &front, &back);
    (void)peer_connect("127.0.0.1", tunnel.port);
    peer_print(front, "x");
    peer_expect_text(back, "x");
    harness_stop(tunnel_rig.harness);
    peer_expect_end(front);
}

/* ---- Rights and refusals ---- */

static void test_rights(void)
{
    if (getuid() != 0) {
        unit_skip("only root can be several users");
        return;
    }
    const char *const args[] = {"--socket-mode", "0666", NULL};
    struct harness_options options = {.workers = 2, .args = args};
    tunnel_rig_start_with(&options);
    struct wire *owner = wire_open_as(tunnel_rig.harness, 4001, 4001);
    struct wire *other = wire_open_as(tunnel_rig.harness, 4002, 4002);
    struct rig_tunnel tunnel = rig_tunnel(owner, NULL);

    CU_ASSERT_PTR_NOT_NULL(rig_listed(tunnel.handle));
    json_t *list = json_object_get(wire_call(owner, "list-tunnels", NULL), "tunnels");
    CU_ASSERT_EQUAL(json_array_size(list), 1);
    list = json_object_get(wire_call(other, "list-tunnels", NULL), "tunnels");
    CU_ASSERT_EQUAL(json_array_size(list), 0);
    wire_refused(other, "permission-denied", "close-tunnel", "{s:I}", "tunnel",
                 tunnel.handle);
    wire_refused(other, "permission-denied", "make-tunnel", "{s:{s:i}, s:{s:s, s:i}}",
                 "listen", "local-port", 99, "connect", "remote-host", "127.0.0.1",
                 "remote-port", 1);
    wire_call(owner, "close-tunnel", "{s:I}", "tunnel", tunnel.handle);
}

static void check_refused(const char *parameter, const char *text)
{
    json_t *params = json_loads(text, 0, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(params);
    json_t *error =
        wire_refused(tunnel_rig.wire, "invalid-params", "make-tunnel", "O", params);
    const char *found = wire_text(json_object_get(error, "data"), "parameter");
    if (strcmp(found, parameter) != 0) {
        UNIT_FAIL_NOW("%s instead of %s", found, parameter);
    }
    json_decref(params);
}

static void test_refused(void)
{
    tunnel_rig_start(1);
    check_refused("connect", "{\"listen\": {}}");
    check_refused("listen",
                  "{\"connect\": {\"remote-host\": \"a\", \"remote-port\": 1}}");
    check_refused("connect", "{\"listen\": {}, \"connect\": []}");
    check_refused("listen.type",
                  "{\"listen\": {\"type\": \"datagram\"},"
                  " \"connect\": {\"remote-host\": \"a\", \"remote-port\": 1}}");
    check_refused("listen.connect",
                  "{\"listen\": {\"connect\": \"active\"},"
                  " \"connect\": {\"remote-host\": \"a\", \"remote-port\": 1}}");
    check_refused("listen.remote-host",
                  "{\"listen\": {\"remote-host\": \"a\"},"
                  " \"connect\": {\"remote-host\": \"a\", \"remote-port\": 1}}");
    check_refused("connect.remote-port",
                  "{\"listen\": {}, \"connect\": {\"remote-host\": \"a\"}}");
    check_refused("connect[1].x",
                  "{\"listen\": {}, \"connect\": [{\"remote-host\": \"a\","
                  " \"remote-port\": 1}, {\"x\": 1}]}");
    check_refused("connect.type",
                  "{\"listen\": {}, \"connect\": {\"type\": \"datagram\"}}");
    check_refused("connect.remote-filename",
                  "{\"listen\": {}, \"connect\": {\"address-family\": \"file\","
                  " \"remote-filename\": \"relative\"}}");
    int port;
    (void)peer_listen("127.0.0.1", &port);
    wire_refused(tunnel_rig.wire, "address-in-use", "make-tunnel",
                 "{s:{s:s, s:i}, s:{s:s, s:i}}", "listen", "local-host", "127.0.0.1",
                 "local-port", port, "connect", "remote-host", "127.0.0.1", "remote-port",
                 port);
    wire_refused(tunnel_rig.wire, "host-not-found", "make-tunnel",
                 "{s:{s:s}, s:{s:s, s:i}}", "listen", "local-host",
                 "no-such-host.invalid", "connect", "remote-host", "127.0.0.1",
                 "remote-port", port);
    rig_await_sockets(0);
}

static const struct unit_test tests[] = {
    {"bytes run both ways, and each way ends for itself", test_both_ways},
    {"random traffic, some of it cut", test_traffic},
    {"socket files", test_files},
    {"targets are tried in order", test_fail_over},
    {"targets take turns", test_round_robin},
    {"the near end of the connection to the target", test_source},
    {"a client leaves before there is a target", test_client_leaves_early},
    {"a tunnel is closed", test_close},
    {"the client ends", test_client_ends},
    {"a tunnel and its connections are closed at once", test_closed_from_all_sides},
    {"a reset after the end", test_reset_after_end},
    {"a target that is blocked in sending to nobody", test_blocked},
    {"the daemon stops", test_stop},
    {"rights", test_rights},
    {"what is refused", test_refused},
};

UNIT_MAIN(tests)
