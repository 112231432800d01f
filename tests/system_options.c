/* SPDX-License-Identifier: MIT */
/*
 * system_options.c - socket options: what is asked for is what the kernel has, read from
 * a duplicate of the daemon's own descriptor.
 */
#include <config.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

static bool text_is(const json_t *object, const char *member, const char *wanted)
{
    return strcmp(wire_text(object, member), wanted) == 0;
}

static int64_t handle_of(const json_t *made) { return wire_int(made, "socket"); }

static int duplicate(struct wire *wire, int64_t socket)
{
    wire_call(wire, "socket-os-fd", "{s:I}", "socket", socket);
    return wire_take_descriptor(wire);
}

static int kernel(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;

    if (getsockopt(fd, level, name, &value, &size) != 0) {
        UNIT_FAIL("getsockopt %d %d: %s", level, name, strerror(errno));
    }
    return value;
}

static json_t *connect_to(struct wire *wire, int port)
{
    return wire_call(wire, "make-socket", "{s:s, s:i}", "remote-host", "127.0.0.1",
                     "remote-port", port);
}

/* ---- make-socket ---- */

static void test_made_with_options(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    int port;

    (void)peer_listen("127.0.0.1", &port);
    json_t *made = wire_call(
        wire, "make-socket", "{s:s, s:i, s:b, s:b, s:b, s:b, s:i, s:i, s:i, s:i, s:i}",
        "remote-host", "127.0.0.1", "remote-port", port, "keepalive", 1, "nodelay", 0,
        "oob-inline", 1, "reuse-address", 1, "receive-buffer-size", 30000,
        "send-buffer-size", 20000, "tcp-keepalive-idle-time", 61,
        "tcp-keepalive-probe-interval", 7, "tcp-keepalive-max-probes", 3);
    int fd = duplicate(wire, handle_of(made));

    CU_ASSERT_EQUAL(kernel(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    CU_ASSERT_EQUAL(kernel(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    CU_ASSERT_EQUAL(kernel(fd, SOL_SOCKET, SO_OOBINLINE), 1);
    CU_ASSERT_EQUAL(kernel(fd, SOL_SOCKET, SO_REUSEADDR), 1);
    CU_ASSERT_EQUAL(kernel(fd, SOL_SOCKET, SO_RCVBUF), 60000);
    CU_ASSERT_EQUAL(kernel(fd, SOL_SOCKET, SO_SNDBUF), 40000);
    CU_ASSERT_EQUAL(kernel(fd, IPPROTO_TCP, TCP_KEEPIDLE), 61);
    CU_ASSERT_EQUAL(kernel(fd, IPPROTO_TCP, TCP_KEEPINTVL), 7);
    CU_ASSERT_EQUAL(kernel(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
}

static void test_defaults(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    int port;

    (void)peer_listen("127.0.0.1", &port);
    int fd = duplicate(wire, handle_of(connect_to(wire, port)));
    CU_ASSERT_EQUAL(kernel(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    CU_ASSERT_EQUAL(kernel(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    CU_ASSERT_EQUAL(kernel(fd, SOL_SOCKET, SO_REUSEADDR), 0);
    json_t *made = wire_call(wire, "make-socket", "{s:s}", "connect", "passive");
    fd = duplicate(wire, handle_of(made));
    CU_ASSERT_EQUAL(kernel(fd, SOL_SOCKET, SO_REUSEADDR), 1);
    CU_ASSERT_EQUAL(kernel(fd, SOL_SOCKET, SO_REUSEPORT), 0);
    made = wire_call(wire, "make-socket", "{s:s, s:b}", "connect", "passive",
                     "reuse-address", 0);
    fd = duplicate(wire, handle_of(made));
    CU_ASSERT_EQUAL(kernel(fd, SOL_SOCKET, SO_REUSEADDR), 0);
    made =
        wire_call(wire, "make-socket", "{s:s, s:b}", "type", "datagram", "broadcast", 1);
    fd = duplicate(wire, handle_of(made));
    CU_ASSERT_EQUAL(kernel(fd, SOL_SOCKET, SO_BROADCAST), 1);
}

static void test_reuse_port(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *first = wire_call(wire, "make-socket", "{s:s, s:s, s:b}", "connect",
                              "passive", "local-host", "127.0.0.1", "reuse-port", 1);
    json_int_t port = wire_int(first, "local-port");

    json_t *second =
        wire_call(wire, "make-socket", "{s:s, s:s, s:b, s:I}", "connect", "passive",
                  "local-host", "127.0.0.1", "reuse-port", 1, "local-port", port);
    CU_ASSERT_EQUAL(wire_int(second, "local-port"), port);
    wire_refused(wire, "address-in-use", "make-socket", "{s:s, s:s, s:I}", "connect",
                 "passive", "local-host", "127.0.0.1", "local-port", port);
}

static void test_accepted_inherit(void)
{
    struct wire *wire = wire_open(harness_start(NULL));

    for (int on = 0; on < 2; on++) {
        json_t *made =
            wire_call(wire, "make-socket", "{s:s, s:s, s:b, s:b}", "connect", "passive",
                      "local-host", "127.0.0.1", "nodelay", on, "keepalive", on);
        (void)peer_connect("127.0.0.1", (int)wire_int(made, "local-port"));
        json_t *accepted =
            wire_call(wire, "accept-connection", "{s:I}", "socket", handle_of(made));
        int fd = duplicate(wire, handle_of(accepted));
        CU_ASSERT_EQUAL(kernel(fd, IPPROTO_TCP, TCP_NODELAY), on);
        CU_ASSERT_EQUAL(kernel(fd, SOL_SOCKET, SO_KEEPALIVE), on);
    }
}

/* ---- set-socket-options, get-socket-options ---- */

static const struct row {
    const char *name;
    bool is_bool;
    int value, level, optname;
    int wanted; /* in the kernel */
} rows[] = {
    {"reuse-address", true, 1, SOL_SOCKET, SO_REUSEADDR, 1},
    {"reuse-port", true, 1, SOL_SOCKET, SO_REUSEPORT, 1},
    {"keepalive", true, 1, SOL_SOCKET, SO_KEEPALIVE, 1},
    {"nodelay", true, 0, IPPROTO_TCP, TCP_NODELAY, 0},
    {"oob-inline", true, 1, SOL_SOCKET, SO_OOBINLINE, 1},
    {"receive-buffer-size", false, 30000, SOL_SOCKET, SO_RCVBUF, 60000},
    {"send-buffer-size", false, 30000, SOL_SOCKET, SO_SNDBUF, 60000},
    {"tcp-keepalive-idle-time", false, 99, IPPROTO_TCP, TCP_KEEPIDLE, 99},
    {"tcp-keepalive-probe-interval", false, 9, IPPROTO_TCP, TCP_KEEPINTVL, 9},
    {"tcp-keepalive-max-probes", false, 4, IPPROTO_TCP, TCP_KEEPCNT, 4},
    {"receive-low-water", false, 10, SOL_SOCKET, SO_RCVLOWAT, 10},
    {"tcp-user-timeout", false, 1234, IPPROTO_TCP, TCP_USER_TIMEOUT, 1234},
    {"tcp-cork", true, 1, IPPROTO_TCP, TCP_CORK, 1},
    {"tcp-notsent-lowat", false, 4096, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4096},
    {"priority", false, 2, SOL_SOCKET, SO_PRIORITY, 2},
    {"tos", false, 16, IPPROTO_IP, IP_TOS, 16},
    {"ttl", false, 5, IPPROTO_IP, IP_TTL, 5},
};

static json_t *set(struct wire *wire, int64_t socket, const char *name, bool is_bool,
                   int value)
{
    return is_bool ? wire_call(wire, "set-socket-options", "{s:I, s:b}", "socket", socket,
                               name, value)
                   : wire_call(wire, "set-socket-options", "{s:I, s:i}", "socket", socket,
                               name, value);
}

static void test_set_each(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    int port;

    (void)peer_listen("127.0.0.1", &port);
    int64_t socket = handle_of(connect_to(wire, port));
    int fd = duplicate(wire, socket);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        json_t *now = set(wire, socket, row->name, row->is_bool, row->value);
        if (kernel(fd, row->level, row->optname) != row->wanted) {
            UNIT_FAIL("%s: %d in the kernel", row->name,
                      kernel(fd, row->level, row->optname));
        }
        json_t *got = wire_call(wire, "get-socket-options", "{s:I}", "socket", socket);
        CU_ASSERT_TRUE(
            json_equal(json_object_get(now, row->name), json_object_get(got, row->name)));
        if (row->is_bool) {
            CU_ASSERT_EQUAL(wire_bool(got, row->name), row->wanted != 0);
        } else {
            CU_ASSERT_EQUAL(wire_int(got, row->name), row->wanted);
        }
    }
    /* It may be anything by the time it is read: the system changes it. */
    set(wire, socket, "tcp-quickack", true, 1);
}

static void test_linger(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    int port, listener = peer_listen("127.0.0.1", &port);
    int64_t socket = handle_of(connect_to(wire, port));
    int peer = peer_accept(listener);
    json_t *now = set(wire, socket, "linger", false, 9);

    CU_ASSERT_EQUAL(wire_int(now, "linger"), 9);
    CU_ASSERT_EQUAL(wire_int(set(wire, socket, "linger", false, -1), "linger"), -1);
    /* 0: on the wire, the close is a reset. */
    set(wire, socket, "linger", false, 0);
    wire_call(wire, "close", "{s:I}", "socket", socket);
    peer_expect_reset(peer);
}

/* The peer does not read, so that the system cannot send all: the close returns. */
static void test_close_does_not_linger(void)
{
    static char data[700001];
    struct wire *wire = wire_open(harness_start(NULL));
    int port, listener = peer_listen("127.0.0.1", &port);
    int64_t socket = handle_of(connect_to(wire, port));
    int peer = peer_accept(listener);

    memset(data, 'd', sizeof data - 1);
    set(wire, socket, "linger", false, 600);
    for (int64_t id = 0; id == 0 || wire_is_answered(wire, id);) {
        id = wire_send(wire, "write", "{s:I, s:s}", "socket", socket, "data", data);
        wire_call(wire, "socket-type", "{s:I}", "socket", socket);
    }
    wire_call(wire, "close", "{s:I, s:b}", "socket", socket, "abort", 1);
    wire_refused(wire, "no-such-socket", "close", "{s:I}", "socket", socket);
    peer_close(peer);
}

static void test_ipv6_options(void)
{
    if (!peer_has_ipv6()) {
        unit_skip("no IPv6 on the loopback");
        return;
    }
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *made =
        wire_call(wire, "make-socket", "{s:s, s:b}", "type", "datagram", "ipv6", 1);
    int64_t socket = handle_of(made);
    int fd = duplicate(wire, socket);

    set(wire, socket, "ttl", false, 12);
    set(wire, socket, "tos", false, 32);
    CU_ASSERT_EQUAL(kernel(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 12);
    CU_ASSERT_EQUAL(kernel(fd, IPPROTO_IPV6, IPV6_TCLASS), 32);
    json_t *got = wire_call(wire, "get-socket-options", "{s:I}", "socket", socket);
    CU_ASSERT_FALSE(wire_bool(got, "ipv6-only"));
    /* Bound already: too late. */
    json_t *error = wire_refused(wire, "unknown", "set-socket-options", "{s:I, s:b}",
                                 "socket", socket, "ipv6-only", 1);
    CU_ASSERT(text_is(json_object_get(error, "data"), "errno", "EINVAL"));
}

/* What they do is tested between two networks (system_networks.c). */
static void test_groups(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    int64_t socket =
        handle_of(wire_call(wire, "make-socket", "{s:s}", "type", "datagram"));
    int fd = duplicate(wire, socket);
    json_t *now = wire_call(
        wire, "set-socket-options", "{s:I, s:i, s:b, s:s, s:[s], s:s}", "socket", socket,
        "multicast-ttl", 9, "multicast-loop", 0, "multicast-interface", "lo",
        "multicast-join", "239.1.2.3", "multicast-leave", "239.1.2.4%lo");

    CU_ASSERT_EQUAL(wire_int(now, "multicast-ttl"), 9);
    CU_ASSERT_FALSE(wire_bool(now, "multicast-loop"));
    CU_ASSERT_EQUAL(wire_int(now, "multicast-interface"), if_nametoindex("lo"));
    CU_ASSERT_EQUAL(kernel(fd, IPPROTO_IP, IP_MULTICAST_TTL), 9);
    CU_ASSERT_EQUAL(kernel(fd, IPPROTO_IP, IP_MULTICAST_LOOP), 0);
    (void)wire_refused(wire, "not-supported", "set-socket-options", "{s:I, s:s}",
                       "socket", socket, "multicast-join", "ff02::1%lo");
    /* It is in the one group, and was never in the other. */
    struct ip_mreqn group = {.imr_multiaddr.s_addr = htonl(0xef010203),
                             .imr_ifindex = (int)if_nametoindex("lo")};
    CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof group),
                    0);
    CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof group),
                    -1);
}

static void test_refusals(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *udp = wire_call(wire, "make-socket", "{s:s}", "type", "datagram");
    json_t *error = wire_refused(wire, "protocol-not-available", "set-socket-options",
                                 "{s:I, s:b}", "socket", handle_of(udp), "nodelay", 1);
    json_t *data = json_object_get(error, "data");

    CU_ASSERT(text_is(data, "parameter", "nodelay"));
    CU_ASSERT(text_is(data, "errno", "ENOPROTOOPT"));
    set(wire, handle_of(udp), "broadcast", true, 1);
    json_t *listener = wire_call(wire, "make-socket", "{s:s}", "connect", "passive");
    error = wire_refused(wire, "protocol-not-available", "set-socket-options",
                         "{s:I, s:b, s:i}", "socket", handle_of(listener), "keepalive", 1,
                         "send-low-water", 7);
    CU_ASSERT(text_is(json_object_get(error, "data"), "parameter", "send-low-water"));
    json_t *got =
        wire_call(wire, "get-socket-options", "{s:I}", "socket", handle_of(listener));
    CU_ASSERT_TRUE(wire_bool(got, "keepalive"));
    CU_ASSERT_PTR_NULL(json_object_get(got, "broadcast"));
    CU_ASSERT_PTR_NULL(json_object_get(got, "ipv6-only"));
    wire_refused(wire, "invalid-params", "set-socket-options", "{s:I, s:i}", "socket",
                 handle_of(listener), "ttl", 256);
    wire_refused(wire, "invalid-params", "set-socket-options", "{s:I, s:b}", "socket",
                 handle_of(listener), "no-such-option", 1);
}

/* ---- TCP MD5 signatures ---- */

static void test_md5(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *listener = wire_call(wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                                 "local-host", "127.0.0.1");
    int64_t socket = handle_of(listener), port = wire_int(listener, "local-port");
    int64_t id =
        wire_send(wire, "set-tcp-md5-sig", "{s:I, s:s, s:s, s:s}", "socket", socket,
                  "address", "127.0.0.1", "key", "c2VjcmV0", "encoding", "base64");
    json_t *reply = wire_reply(wire, id);

    if (json_object_get(reply, "error") != NULL) {
        CU_ASSERT(text_is(json_object_get(json_object_get(reply, "error"), "data"),
                          "errno", "ENOPROTOOPT"));
        unit_skip("this kernel has no TCP MD5 signatures");
        return;
    }
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:I, s:s, s:s}", "remote-host",
                             "127.0.0.1", "remote-port", port, "tcp-md5-sig-key",
                             "c2VjcmV0", "encoding", "base64");
    json_t *accepted = wire_call(wire, "accept-connection", "{s:I}", "socket", socket);
    wire_call(wire, "write", "{s:I, s:s}", "socket", handle_of(made), "data", "signed");
    json_t *read = wire_call(wire, "read", "{s:I}", "socket", handle_of(accepted));
    CU_ASSERT(text_is(read, "data", "signed"));
    /* A wrong key, or none: the listener does not answer at all. */
    wire_refused(wire, "timeout", "make-socket", "{s:s, s:I, s:s, s:f}", "remote-host",
                 "127.0.0.1", "remote-port", port, "tcp-md5-sig-key", "wrong", "timeout",
                 0.1);
    wire_refused(wire, "timeout", "make-socket", "{s:s, s:I, s:f}", "remote-host",
                 "127.0.0.1", "remote-port", port, "timeout", 0.1);
}

static void test_md5_refusals(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *udp = wire_call(wire, "make-socket", "{s:s}", "type", "datagram");
    json_t *listener = wire_call(wire, "make-socket", "{s:s}", "connect", "passive");

    wire_refused(wire, "wrong-kind", "set-tcp-md5-sig", "{s:I, s:s, s:s}", "socket",
                 handle_of(udp), "address", "127.0.0.1", "key", "k");
    json_t *error =
        wire_refused(wire, "invalid-params", "set-tcp-md5-sig", "{s:I, s:s, s:s}",
                     "socket", handle_of(listener), "address", "::1", "key", "k");
    CU_ASSERT(text_is(json_object_get(error, "data"), "parameter", "address"));
    wire_refused(wire, "invalid-params", "set-tcp-md5-sig", "{s:I, s:s, s:s}", "socket",
                 handle_of(listener), "address", "127.0.0.1", "key", "");
}

static const struct unit_test tests[] = {
    {"make-socket sets them", test_made_with_options},
    {"defaults", test_defaults},
    {"several listeners share a port", test_reuse_port},
    {"accepted connections inherit", test_accepted_inherit},
    {"each option is set and read", test_set_each},
    {"linger is seen on the wire", test_linger},
    {"close does not linger", test_close_does_not_linger},
    {"options of IPv6", test_ipv6_options},
    {"options of groups", test_groups},
    {"refusals name the option", test_refusals},
    {"MD5 signatures", test_md5},
    {"where MD5 signatures cannot be", test_md5_refusals},
};
UNIT_MAIN(tests)
