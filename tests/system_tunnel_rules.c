/* SPDX-License-Identifier: MIT */
/*
 * system_tunnel_rules.c - what is asked of a tunnel's connections: how many, for how
 * long, and with which PROXY headers.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/certs.h"
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/tls_peer.h"
#include "tests/tunnel_rig.h"
#include "tests/unit.h"
#include "tests/wire.h"

/* ---- Limits ---- */

static void test_max_connections(void)
{
    int fronts[3], backs[3];

    tunnel_rig_start(3);
    struct rig_tunnel tunnel =
        rig_tunnel(tunnel_rig.wire, json_pack("{s:i}", "max-connections", 2));
    for (unsigned i = 0; i < 2; i++) {
        rig_pair(&tunnel, &fronts[i], &backs[i]);
    }
    /* The third is connected with the kernel only. */
    fronts[2] = peer_connect("127.0.0.1", tunnel.port);
    peer_print(fronts[2], "patience");
    for (unsigned i = 0; i < 2; i++) {
        peer_print(fronts[i], "x");
        peer_expect_text(backs[i], "x");
    }
    CU_ASSERT_EQUAL(wire_int(rig_listed(tunnel.handle), "accepted"), 2);
    CU_ASSERT_EQUAL(wire_int(rig_listed(tunnel.handle), "connections"), 2);
    peer_abort(fronts[0]);
    backs[2] = peer_accept(tunnel.target);
    peer_expect_text(backs[2], "patience");
    CU_ASSERT_EQUAL(wire_int(rig_listed(tunnel.handle), "connections"), 2);
}

/* Many at a small limit: each gets its turn. */
static void test_turns(void)
{
    tunnel_rig_start(4);
    struct rig_tunnel tunnel =
        rig_tunnel(tunnel_rig.wire, json_pack("{s:i}", "max-connections", 3));
    int fronts[100];

    for (unsigned i = 0; i < 100; i++) {
        fronts[i] = peer_connect("127.0.0.1", tunnel.port);
    }
    for (unsigned i = 0; i < 100; i++) {
        int back = peer_accept(tunnel.target);
        peer_close(back);
        peer_close(fronts[i]);
    }
    rig_await_value(tunnel.handle, "connections", 0);
    CU_ASSERT_EQUAL(wire_int(rig_listed(tunnel.handle), "accepted"), 100);
}

static long cpu_ms(void)
{
    char path[64], text[512];
    unsigned long user = 0, system = 0;

    (void)snprintf(path, sizeof path, "/proc/%d/stat",
                   (int)harness_pid(tunnel_rig.harness));
    FILE *file = fopen(path, "re");
    CU_ASSERT_FATAL(file != NULL && fgets(text, sizeof text, file) != NULL);
    fclose(file);
    CU_ASSERT_EQUAL_FATAL(sscanf(strrchr(text, ')'),
                                 ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                                 &user, &system),
                          2);
    return (long)(user + system) * 1000 / sysconf(_SC_CLK_TCK);
}

static void allow_descriptors(int n)
{
    struct rlimit limit;

    CU_ASSERT_EQUAL_FATAL(
        prlimit(harness_pid(tunnel_rig.harness), RLIMIT_NOFILE, NULL, &limit), 0);
    limit.rlim_cur =
        n < 0 ? limit.rlim_max : (rlim_t)(harness_n_descriptors(tunnel_rig.harness) + n);
    CU_ASSERT_EQUAL_FATAL(
        prlimit(harness_pid(tunnel_rig.harness), RLIMIT_NOFILE, &limit, NULL), 0);
}

static bool has_paused(void *context)
{
    const int64_t *n = context;
    json_t *counters =
        json_object_get(wire_call(tunnel_rig.wire, "statistics", NULL), "counters");

    return wire_int(counters, "accept-pauses") >= *n;
}

/* Descriptors run short: nobody is turned away, nothing spins, and all go on when there
 * are some again. `tree`: of a tunnel that opens TLS; NULL: a plain one. */
static void check_shortage(const struct cert_tree *tree)
{
    int fronts[30], backs[30];
    int64_t one = 1;
    struct tls_peer_spec spec = {.server_name = "server.test"};
    json_t *more = json_pack("{s:i}", "connect-timeout", 60);

    tunnel_rig_start(2);
    if (tree != NULL) {
        json_t *made = wire_call(tunnel_rig.wire, "make-ssl-server-context", "{s:s, s:s}",
                                 "certificate", tree->chain, "key", tree->leaf->key_pem);
        json_object_set(more, "server-context", json_object_get(made, "context"));
        spec.ca = tree->root->pem;
    }
    struct rig_tunnel tunnel = rig_tunnel(tunnel_rig.wire, more);
    allow_descriptors(9);
    for (unsigned i = 0; i < 30; i++) {
        fronts[i] = peer_connect("127.0.0.1", tunnel.port);
        if (tree == NULL) {
            peer_print(fronts[i], "x");
        }
    }
    harness_await(has_paused, &one, "a pause");
    long before = cpu_ms();
    int64_t begin = harness_now_ms();
    while (harness_now_ms() - begin < 500) { /* the time is what is measured */
        wire_call(tunnel_rig.wire, "hello", NULL);
        usleep(20000); /* allowed: the same */
    }
    unit_note("%ld ms of CPU in half a second of shortage", cpu_ms() - before);
    CU_ASSERT_TRUE(cpu_ms() - before < 250);
    allow_descriptors(-1);
    for (unsigned i = 0; i < 30; i++) {
        if (tree != NULL) {
            SSL *ssl = tls_peer_new(&spec, fronts[i]);
            tls_peer_handshake(ssl);
            tls_peer_print(ssl, "x");
        }
        backs[i] = peer_accept(tunnel.target);
        peer_expect_text(backs[i], "x");
    }
    CU_ASSERT_EQUAL(wire_int(rig_listed(tunnel.handle), "failed"), 0);
    CU_ASSERT_EQUAL(wire_int(rig_listed(tunnel.handle), "refused"), 0);
}

static void test_shortage(void) { check_shortage(NULL); }

static void test_shortage_with_tls(void)
{
    struct cert_tree tree;

    cert_tree_init(&tree);
    check_shortage(&tree);
    cert_tree_fini(&tree);
}

/* ---- Time-outs ---- */

static void test_idle(void)
{
    int front, back;

    tunnel_rig_start(2);
    struct rig_tunnel tunnel =
        rig_tunnel(tunnel_rig.wire, json_pack("{s:f}", "idle-timeout", 1.0));
    rig_pair(&tunnel, &front, &back);
    /* It is not idle as long as something moves. */
    for (int64_t begin = harness_now_ms(); harness_now_ms() - begin < 1500;) {
        peer_print(front, "x");
        peer_expect_text(back, "x");
    }
    peer_expect_reset(front);
    peer_expect_reset(back);
    rig_await_value(tunnel.handle, "cut", 1);
}

static void test_half_closed(void)
{
    int front, back, other_front, other_back;

    tunnel_rig_start(2);
    struct rig_tunnel tunnel =
        rig_tunnel(tunnel_rig.wire, json_pack("{s:f}", "half-closed-timeout", 0.2));
    rig_pair(&tunnel, &other_front, &other_back);
    rig_pair(&tunnel, &front, &back);
    peer_shut_output(front);
    peer_expect_end(back);
    peer_print(back, "still");
    peer_expect_text(front, "still");
    peer_expect_reset(front);
    rig_await_value(tunnel.handle, "connections", 1);
    /* The one that is open both ways is older, and not concerned. */
    peer_print(other_front, "x");
    peer_expect_text(other_back, "x");
}

/* ---- PROXY headers ---- */

static void test_accept_proxy(void)
{
    static const char v2[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\1\x0a\0\0\2"
                             "\x12\x34\x01\xbbrest";
    int front, back;

    tunnel_rig_start(2);
    struct rig_tunnel tunnel =
        rig_tunnel(tunnel_rig.wire,
                   json_pack("{s:s, s:s}", "accept-proxy", "any", "send-proxy", "v1"));

    front = peer_connect("127.0.0.1", tunnel.port);
    for (const char *c = "PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\nhello"; *c; c++) {
        peer_write(front, c, 1);
    }
    back = peer_accept(tunnel.target);
    peer_expect_text(back, "PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\nhello");
    peer_print(back, "answer");
    peer_expect_text(front, "answer");

    front = peer_connect("127.0.0.1", tunnel.port);
    peer_write(front, v2, sizeof v2 - 1);
    back = peer_accept(tunnel.target);
    peer_expect_text(back, "PROXY TCP4 10.0.0.1 10.0.0.2 4660 443\r\nrest");

    static const char *const bad[] = {"GET / HTTP/1.1\r\n\r\n", "PROXY TCP4 x\r\n",
                                      "\r\n\r\n\r\n"};
    for (unsigned i = 0; i < 3; i++) {
        front = peer_connect("127.0.0.1", tunnel.port);
        peer_print(front, bad[i]);
        peer_expect_reset(front);
    }
    front = peer_connect("127.0.0.1", tunnel.port);
    peer_print(front, "PROXY TC");
    peer_shut_output(front);
    peer_expect_reset(front);
    rig_await_value(tunnel.handle, "refused", 4);

    struct rig_tunnel slow =
        rig_tunnel(tunnel_rig.wire, json_pack("{s:s, s:f}", "accept-proxy", "v1",
                                              "handshake-timeout", 0.1));
    front = peer_connect("127.0.0.1", slow.port);
    peer_print(front, "PROXY ");
    peer_expect_reset(front);
    rig_await_value(slow.handle, "refused", 1);
    rig_await_value(slow.handle, "connections", 0);
}

static void test_send_proxy(void)
{
    int front, back;
    char line[108];
    uint8_t header[28], found[28];

    tunnel_rig_start(2);
    struct rig_tunnel tunnel =
        rig_tunnel(tunnel_rig.wire, json_pack("{s:s}", "send-proxy", "v1"));
    rig_pair(&tunnel, &front, &back);
    peer_print(front, "x");
    (void)snprintf(line, sizeof line, "PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\nx",
                   peer_local_port(front), tunnel.port);
    peer_expect_text(back, line);

    tunnel = rig_tunnel(tunnel_rig.wire, json_pack("{s:s}", "send-proxy", "v2"));
    rig_pair(&tunnel, &front, &back);
    memcpy(header, "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\1", 24);
    header[24] = (uint8_t)(peer_local_port(front) >> 8);
    header[25] = (uint8_t)peer_local_port(front);
    header[26] = (uint8_t)(tunnel.port >> 8);
    header[27] = (uint8_t)tunnel.port;
    for (size_t n = 0; n < sizeof found;) {
        n += peer_read(back, found + n, sizeof found - n);
    }
    CU_ASSERT_EQUAL(memcmp(found, header, sizeof header), 0);
}

/* ---- Addresses ---- */

static void test_addresses(void)
{
    static const char *const bad[] = {"10.0.0.1/8", "localhost", "10.0.0.0/40"};
    int front, back;
    char line[128];

    tunnel_rig_start(2);
    struct rig_tunnel open =
        rig_tunnel(tunnel_rig.wire,
                   json_pack("{s:[s, s]}", "client-addresses", "::1", "127.0.0.0/8"));
    struct rig_tunnel closed =
        rig_tunnel(tunnel_rig.wire,
                   json_pack("{s:[s, s], s:i, s:s}", "client-addresses", "::/0",
                             "126.0.0.0/8", "max-connections", 1, "accept-proxy", "v1"));
    rig_pair(&open, &front, &back);
    peer_print(front, "x");
    peer_expect_text(back, "x");
    /* Those that are turned away take nobody's place, and a header does not help. */
    for (int64_t i = 1; i <= 40; i++) {
        front = peer_connect("127.0.0.1", closed.port);
        if (i == 1) {
            (void)snprintf(line, sizeof line,
                           "client-addresses. tunnel=%lld source=127.0.0.1:%d",
                           (long long)closed.handle, peer_local_port(front));
        }
        peer_expect_end(front);
        CU_ASSERT_EQUAL(wire_int(rig_listed(closed.handle), "refused"), i);
    }
    CU_ASSERT_EQUAL(wire_int(rig_listed(closed.handle), "accepted"), 40);
    CU_ASSERT_EQUAL(wire_int(rig_listed(closed.handle), "connections"), 0);
    CU_ASSERT_EQUAL(wire_int(rig_listed(open.handle), "refused"), 0);
    harness_await_log(tunnel_rig.harness, line);
    for (unsigned i = 0; i < 3; i++) {
        json_t *error =
            wire_refused(tunnel_rig.wire, "invalid-params", "make-tunnel",
                         "{s:{}, s:{s:s, s:i}, s:s}", "listen", "connect", "remote-host",
                         "127.0.0.1", "remote-port", 1, "client-addresses", bad[i]);
        CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                               "client-addresses");
    }
    wire_refused(tunnel_rig.wire, "invalid-params", "make-tunnel",
                 "{s:{s:s, s:s}, s:{s:s, s:i}, s:s}", "listen", "address-family", "file",
                 "local-filename", "/nonexistent/x", "connect", "remote-host",
                 "127.0.0.1", "remote-port", 1, "client-addresses", "127.0.0.1");
}

/* ---- The log ---- */

static void test_log(void)
{
    char line[256];
    int front, back;

    tunnel_rig_start(2);
    struct rig_tunnel quiet =
        rig_tunnel(tunnel_rig.wire, json_pack("{s:s}", "name", "quiet"));
    struct rig_tunnel tunnel = rig_tunnel(
        tunnel_rig.wire, json_pack("{s:s, s:b, s:s}", "name", "tel\"ling",
                                   "log-connections", 1, "accept-proxy", "v1"));
    rig_pair(&quiet, &front, &back);
    peer_close(front);
    peer_expect_end(back);
    peer_close(back);
    rig_await_value(quiet.handle, "connections", 0);

    front = peer_connect("127.0.0.1", tunnel.port);
    peer_print(front, "PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\nhello");
    back = peer_accept(tunnel.target);
    peer_expect_text(back, "hello");
    peer_print(back, "ok");
    peer_expect_text(front, "ok");
    CU_ASSERT_FALSE(harness_log_has(tunnel_rig.harness, "is over"));
    peer_close(front);
    peer_expect_end(back);
    peer_close(back);
    (void)snprintf(line, sizeof line,
                   "A connection of a tunnel is over. tunnel=%lld name=\"tel\\\"ling\" "
                   "source=\"192.0.2.1:1234\" target=\"127.0.0.1:%d\" seconds=",
                   (long long)tunnel.handle, tunnel.target_port);
    harness_await_log(tunnel_rig.harness, line);
    CU_ASSERT_TRUE(harness_log_has(tunnel_rig.harness, " in=5 out=2 end=clean"));
    CU_ASSERT_FALSE(harness_log_has(tunnel_rig.harness, "quiet"));

    front = peer_connect("127.0.0.1", tunnel.port);
    (void)snprintf(line, sizeof line, "source=\"127.0.0.1:%d\" target=\"\" seconds=",
                   peer_local_port(front));
    peer_print(front, "GET / HTTP/1.1\r\n");
    peer_expect_reset(front);
    harness_await_log(tunnel_rig.harness, line);
    CU_ASSERT_TRUE(harness_log_has(tunnel_rig.harness,
                                   " in=0 out=0 end=failed reason=\"bad PROXY header"));
}

static const struct unit_test tests[] = {
    {"max-connections", test_max_connections},
    {"everybody gets a turn", test_turns},
    {"descriptors run short", test_shortage},
    {"the same with TLS", test_shortage_with_tls},
    {"idle connections", test_idle},
    {"half-closed connections", test_half_closed},
    {"PROXY headers that come", test_accept_proxy},
    {"PROXY headers that are sent", test_send_proxy},
    {"addresses that may connect", test_addresses},
    {"lines of the log", test_log},
};

UNIT_MAIN(tests)
