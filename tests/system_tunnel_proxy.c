/* SPDX-License-Identifier: MIT */
/*
 * system_tunnel_proxy.c - tunnels: the PROXY headers that come, and those that are sent.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/tunnel_rig.h"
#include "tests/unit.h"
#include "tests/wire.h"

static struct wire *wire;

static void start(unsigned workers)
{
    struct harness_options options = {.workers = workers};

    wire = wire_open(harness_start(&options));
}

static void test_accept_proxy(void)
{
    static const char v2[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\1\x0a\0\0\2"
                             "\x12\x34\x01\xbbrest";
    int front, back;

    start(2);
    struct tunnel tunnel = tunnel_make(
        wire, json_pack("{s:s, s:s}", "accept-proxy", "any", "send-proxy", "v1"));

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
    tunnel_await(wire, tunnel.handle, "refused", 4);

    struct tunnel slow = tunnel_make(
        wire, json_pack("{s:s, s:f}", "accept-proxy", "v1", "handshake-timeout", 0.1));
    front = peer_connect("127.0.0.1", slow.port);
    peer_print(front, "PROXY ");
    peer_expect_reset(front);
    tunnel_await(wire, slow.handle, "refused", 1);
    tunnel_await(wire, slow.handle, "connections", 0);
}

static void test_send_proxy(void)
{
    int front, back;
    char line[108];
    uint8_t header[28], found[28];

    start(2);
    struct tunnel tunnel = tunnel_make(wire, json_pack("{s:s}", "send-proxy", "v1"));
    tunnel_pair(&tunnel, &front, &back);
    peer_print(front, "x");
    (void)snprintf(line, sizeof line, "PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\nx",
                   peer_local_port(front), tunnel.port);
    peer_expect_text(back, line);

    tunnel = tunnel_make(wire, json_pack("{s:s}", "send-proxy", "v2"));
    tunnel_pair(&tunnel, &front, &back);
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

static const struct unit_test tests[] = {
    {"PROXY headers that come", test_accept_proxy},
    {"PROXY headers that are sent", test_send_proxy},
};

UNIT_MAIN(tests)
