/* SPDX-License-Identifier: MIT */
/*
 * system_networks.c - what needs networks of one's own: interfaces, link-local addresses
 * between two machines, groups, broadcasts. What goes wrong there is in
 * system_network_errors.c.
 */
#include <config.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "tests/harness.h"
#include "tests/network.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

static struct wire *wire;

/* A daemon that is near. False: skipped. */
static bool start(void)
{
    if (!network_start()) {
        return false;
    }
    wire = wire_open(harness_start(NULL));
    return true;
}

static bool text_is(const json_t *object, const char *member, const char *wanted)
{
    return strcmp(wire_text(object, member), wanted) == 0;
}

static void expect_datagram(int fd, const char *wanted)
{
    char data[256];
    size_t size = peer_receive(fd, data, sizeof data);

    if (size != strlen(wanted) || memcmp(data, wanted, size) != 0) {
        UNIT_FAIL("'%.*s' came instead of '%s'", (int)size, data, wanted);
    }
}

static json_t *make_udp(const char *local_host, int port)
{
    return wire_call(wire, "make-socket", "{s:s, s:s, s:i, s:b}", "type", "datagram",
                     "local-host", local_host, "local-port", port, "reuse-address", 1);
}

static void send_to(int64_t socket, const char *text, const char *host, int port)
{
    wire_call(wire, "send-to", "{s:I, s:s, s:s, s:i}", "socket", socket, "data", text,
              "remote-host", host, "remote-port", port);
}

static void expect_received(int64_t socket, const char *wanted)
{
    json_t *got = wire_call(wire, "receive-from", "{s:I}", "socket", socket);

    if (!text_is(got, "data", wanted)) {
        UNIT_FAIL("'%s' came instead of '%s'", wire_text(got, "data"), wanted);
    }
}

static int far_datagram(const char *host, int *port)
{
    network_go_far();
    int fd = peer_datagram(host, port);
    network_go_near();
    return fd;
}

/* ---- Interfaces ---- */

static json_t *find_interface(const char *name)
{
    json_t *list =
               json_object_get(wire_call(wire, "get-ip-interfaces", NULL), "interfaces"),
           *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (text_is(item, "name", name)) {
            return item;
        }
    }
    UNIT_FAIL_NOW("%s is not listed", name);
}

static void expect_addresses(const json_t *item, const char *wanted)
{
    char *text = json_dumps(json_object_get(item, "addresses"), JSON_COMPACT);

    CU_ASSERT_STRING_EQUAL(text, wanted);
    free(text);
}

/* The system needs a moment to notice it. */
static bool is_running(void *context)
{
    (void)context;
    return wire_bool(find_interface("near0"), "running");
}

static void test_interfaces(void)
{
    if (!start()) {
        return;
    }
    json_t *item = find_interface("near0");
    CU_ASSERT_EQUAL(wire_int(item, "id"), if_nametoindex("near0"));
    expect_addresses(item, "[\"10.9.0.1\",\"fe80::1%near0\"]");
    CU_ASSERT_TRUE(wire_bool(item, "up"));
    harness_await(is_running, NULL, "a link that runs");
    CU_ASSERT_TRUE(wire_bool(item, "broadcast") && wire_bool(item, "multicast"));
    CU_ASSERT_FALSE(wire_bool(item, "loopback") || wire_bool(item, "point-to-point"));
    item = find_interface("lo");
    expect_addresses(item, "[\"127.0.0.1\",\"::1\"]");
    CU_ASSERT_TRUE(wire_bool(item, "loopback") && wire_bool(item, "up"));
    item = find_interface("near1");
    expect_addresses(item, "[]");
    CU_ASSERT_FALSE(wire_bool(item, "up") || wire_bool(item, "running"));
    /* It is asked anew each time. */
    network_ip("link set near1 name later");
    network_ip("addr add 10.12.0.1/24 dev later");
    expect_addresses(find_interface("later"), "[\"10.12.0.1\"]");
    /* The number and the name are the same scope. */
    json_t *value = json_object_get(
        wire_call(wire, "dotted-to-ipaddr", "{s:s}", "dotted", "fe80::2%later"), "value");
    CU_ASSERT_EQUAL(wire_int(value, "scope-id"), if_nametoindex("later"));
    CU_ASSERT(text_is(wire_call(wire, "ipaddr-to-dotted", "{s:{s:s, s:s}}", "address",
                                "ipv6", "fe80::2", "scope-id", "later"),
                      "value", "fe80::2%later"));
}

/* ---- Link-local addresses ---- */

static void expect_connected(json_t *made, int listener)
{
    int peer = peer_accept(listener);

    CU_ASSERT(text_is(made, "remote-host", "fe80::2%near0"));
    CU_ASSERT(text_is(made, "local-host", "fe80::1%near0"));
    wire_call(wire, "write", "{s:I, s:s}", "socket", wire_int(made, "socket"), "data",
              "over the cable");
    peer_expect_text(peer, "over the cable");
}

static void test_link_local(void)
{
    int port;

    if (!start()) {
        return;
    }
    char number[32];
    (void)snprintf(number, sizeof number, "fe80::2%%%u", if_nametoindex("near0"));
    network_go_far();
    int listener = peer_listen("fe80::2%far0", &port);
    network_go_near();
    expect_connected(wire_call(wire, "make-socket", "{s:s, s:i}", "remote-host",
                               "fe80::2%near0", "remote-port", port),
                     listener);
    expect_connected(wire_call(wire, "make-socket", "{s:s, s:i}", "remote-host", number,
                               "remote-port", port),
                     listener);
    expect_connected(wire_call(wire, "make-socket", "{s:s, s:i, s:s}", "remote-host",
                               "fe80::2", "remote-port", port, "scope-id", "near0"),
                     listener);
    expect_connected(wire_call(wire, "make-socket", "{s:s, s:i, s:i}", "remote-host",
                               "fe80::2", "remote-port", port, "scope-id",
                               (int)if_nametoindex("near0")),
                     listener);
    expect_connected(wire_call(wire, "make-socket", "{s:{s:s, s:s}, s:i}", "remote-host",
                               "ipv6", "fe80::2", "scope-id", "near0", "remote-port",
                               port),
                     listener);
    json_t *error = wire_refused(wire, "unknown", "make-socket", "{s:s, s:i}",
                                 "remote-host", "fe80::2", "remote-port", port);
    CU_ASSERT(text_is(json_object_get(error, "data"), "errno", "EINVAL"));
    wire_refused(wire, "invalid-params", "make-socket", "{s:s, s:i, s:s}", "remote-host",
                 "fe80::2", "remote-port", port, "scope-id", "far0");
}

static void test_link_local_accept(void)
{
    if (!start()) {
        return;
    }
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                             "local-host", "fe80::1%near0");
    CU_ASSERT(text_is(made, "local-host", "fe80::1%near0"));
    network_go_far();
    int peer = peer_connect("fe80::1%far0", (int)wire_int(made, "local-port"));
    network_go_near();
    json_t *accepted =
        wire_call(wire, "accept-connection", "{s:I}", "socket", wire_int(made, "socket"));
    CU_ASSERT(text_is(accepted, "remote-host", "fe80::2%near0"));
    peer_print(peer, "x");
    CU_ASSERT(
        text_is(wire_call(wire, "read", "{s:I}", "socket", wire_int(accepted, "socket")),
                "data", "x"));
}

static void test_link_local_datagrams(void)
{
    int port;

    if (!start()) {
        return;
    }
    int peer = far_datagram("fe80::2%far0", &port);
    json_t *made = make_udp("fe80::1%near0", 0);
    int64_t socket = wire_int(made, "socket");

    send_to(socket, "in the text", "fe80::2%near0", port);
    expect_datagram(peer, "in the text");
    wire_call(wire, "send-to", "{s:I, s:s, s:s, s:i, s:s}", "socket", socket, "data",
              "beside it", "remote-host", "fe80::2", "remote-port", port, "scope-id",
              "near0");
    expect_datagram(peer, "beside it");
    peer_send(peer, "fe80::1%far0", (int)wire_int(made, "local-port"), "back", 4);
    json_t *got = wire_call(wire, "receive-from", "{s:I}", "socket", socket);
    CU_ASSERT(text_is(got, "data", "back"));
    CU_ASSERT(text_is(got, "remote-host", "fe80::2%near0"));
}

/* ---- Groups ---- */

static json_t *change_group(int64_t socket, const char *option, const char *group)
{
    return wire_call(wire, "set-socket-options", "{s:I, s:s}", "socket", socket, option,
                     group);
}

/* Once in the group what is sent there arrives, and before and behind only what is sent
 * to the socket itself. */
static void check_membership(const char *wildcard, const char *own, const char *source,
                             const char *group, const char *bare, const char *far_group)
{
    int64_t socket = wire_int(make_udp(wildcard, 0), "socket");
    int port =
        (int)wire_int(wire_call(wire, "local-port", "{s:I}", "socket", socket), "value");
    int peer = far_datagram(source, &(int){0});

    peer_send(peer, far_group, port, "too early", 9);
    peer_send(peer, own, port, "one", 3);
    expect_received(socket, "one");
    change_group(socket, "multicast-join", group);
    change_group(socket, "multicast-join", group); /* it is so already */
    peer_send(peer, far_group, port, "to all", 6);
    expect_received(socket, "to all");
    change_group(socket, "multicast-leave", group);
    change_group(socket, "multicast-leave", group);
    peer_send(peer, far_group, port, "too late", 8);
    peer_send(peer, own, port, "two", 3);
    expect_received(socket, "two");
    /* The interface may stand beside the group. */
    json_t *now =
        wire_call(wire, "set-socket-options", "{s:I, s:s, s:[s]}", "socket", socket,
                  "multicast-interface", "near0", "multicast-join", bare);
    CU_ASSERT_EQUAL(wire_int(now, "multicast-interface"), if_nametoindex("near0"));
    peer_send(peer, far_group, port, "again", 5);
    expect_received(socket, "again");
}

static void test_membership(void)
{
    if (!start()) {
        return;
    }
    network_go_far();
    network_ip("route add 239.0.0.0/8 dev far0");
    network_go_near();
    check_membership("0.0.0.0", "10.9.0.1", "10.9.0.2", "239.1.2.3%near0", "239.1.2.3",
                     "239.1.2.3");
    check_membership("::", "fe80::1%far0", "fe80::2%far0", "ff02::5:3%near0", "ff02::5:3",
                     "ff02::5:3%far0");
    /* A socket of IPv6 can be in groups of both. */
    check_membership("::", "10.9.0.1", "10.9.0.2", "239.1.2.3%near0", "239.1.2.3",
                     "239.1.2.3");
}

/* A member of 239.1.2.3 that is far, and wants to know how far things have come. */
static int far_member(int *port)
{
    struct ip_mreqn group = {.imr_multiaddr.s_addr = htonl(0xef010203), .imr_ifindex = 0};
    int on = 1;

    network_go_far();
    int fd = peer_datagram("0.0.0.0", port);
    group.imr_ifindex = (int)if_nametoindex("far0");
    CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group),
                    0);
    CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof on), 0);
    network_go_near();
    return fd;
}

static int ttl_of_next(int fd)
{
    char data[64];
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec place = {data, sizeof data};
    struct msghdr message = {.msg_iov = &place,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    int ttl = -1;

    peer_await(fd, POLLIN, "a datagram to the group");
    CU_ASSERT_TRUE_FATAL(recvmsg(fd, &message, 0) > 0);
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(header);
    memcpy(&ttl, CMSG_DATA(header), sizeof ttl);
    return ttl;
}

static void test_sending_to_groups(void)
{
    int port;

    if (!start()) {
        return;
    }
    int member = far_member(&port);
    int64_t socket = wire_int(make_udp("0.0.0.0", 0), "socket");
    int64_t listening = wire_int(make_udp("0.0.0.0", port), "socket");

    change_group(listening, "multicast-join", "239.1.2.3%near0");
    json_t *now = wire_call(wire, "get-socket-options", "{s:I}", "socket", socket);
    CU_ASSERT_EQUAL(wire_int(now, "multicast-ttl"), 1);
    CU_ASSERT_EQUAL(wire_int(now, "multicast-interface"), 0);
    CU_ASSERT_TRUE(wire_bool(now, "multicast-loop"));
    /* No route leads to groups, so the interface must. */
    wire_refused(wire, "network-unreachable", "send-to", "{s:I, s:s, s:s, s:i}", "socket",
                 socket, "data", "x", "remote-host", "239.1.2.3", "remote-port", port);
    change_group(socket, "multicast-interface", "near0");
    send_to(socket, "first", "239.1.2.3", port);
    CU_ASSERT_EQUAL(ttl_of_next(member), 1);
    expect_received(listening, "first");
    now = wire_call(wire, "set-socket-options", "{s:I, s:i, s:b}", "socket", socket,
                    "multicast-ttl", 7, "multicast-loop", 0);
    CU_ASSERT_EQUAL(wire_int(now, "multicast-ttl"), 7);
    CU_ASSERT_FALSE(wire_bool(now, "multicast-loop"));
    send_to(socket, "not here", "239.1.2.3", port);
    CU_ASSERT_EQUAL(ttl_of_next(member), 7);
    send_to(socket, "to you alone", "10.9.0.1", port);
    expect_received(listening, "to you alone");
    now = wire_call(wire, "set-socket-options", "{s:I, s:i}", "socket", socket,
                    "multicast-interface", 0);
    CU_ASSERT_EQUAL(wire_int(now, "multicast-interface"), 0);
    wire_refused(wire, "network-unreachable", "send-to", "{s:I, s:s, s:s, s:i}", "socket",
                 socket, "data", "x", "remote-host", "239.1.2.3", "remote-port", port);
}

static void expect_refused(int64_t socket, const char *identifier, const char *option,
                           const char *value)
{
    json_t *error = wire_refused(wire, identifier, "set-socket-options", "{s:I, s:s}",
                                 "socket", socket, option, value);

    CU_ASSERT(text_is(json_object_get(error, "data"), "parameter", option));
}

static void test_bad_groups(void)
{
    if (!start()) {
        return;
    }
    int64_t udp = wire_int(make_udp("0.0.0.0", 0), "socket");
    int64_t tcp =
        wire_int(wire_call(wire, "make-socket", "{s:s}", "connect", "passive"), "socket");

    expect_refused(udp, "invalid-params", "multicast-join", "10.9.0.1");
    expect_refused(udp, "invalid-params", "multicast-join", "239.1.2.3%far0");
    expect_refused(udp, "invalid-params", "multicast-join", "somewhere");
    expect_refused(udp, "invalid-params", "multicast-leave", "239.1.2.3%");
    expect_refused(udp, "invalid-params", "multicast-interface", "far0");
    expect_refused(udp, "unknown", "multicast-join", "239.1.2.3%4000");
    expect_refused(udp, "not-supported", "multicast-join", "ff02::1%near0");
    expect_refused(udp, "address-not-available", "multicast-interface", "4000");
    expect_refused(tcp, "protocol-not-available", "multicast-join", "239.1.2.3");
    expect_refused(tcp, "protocol-not-available", "multicast-leave", "239.1.2.3");
    expect_refused(tcp, "protocol-not-available", "multicast-interface", "near0");
}

/* ---- Broadcasts ---- */

static void test_broadcast(void)
{
    int port;

    if (!start()) {
        return;
    }
    int peer = far_datagram("0.0.0.0", &port);
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s, s:b}", "type", "datagram",
                             "local-host", "0.0.0.0", "broadcast", 1);
    int64_t socket = wire_int(made, "socket");

    send_to(socket, "to the network", "10.9.0.255", port);
    expect_datagram(peer, "to the network");
    network_go_far();
    int to_all = 1;
    CU_ASSERT_EQUAL(setsockopt(peer, SOL_SOCKET, SO_BROADCAST, &to_all, sizeof to_all),
                    0);
    peer_send(peer, "10.9.0.255", (int)wire_int(made, "local-port"), "back", 4);
    network_go_near();
    expect_received(socket, "back");
}

static const struct unit_test tests[] = {
    {"interfaces have ids, names, addresses and flags", test_interfaces},
    {"link-local streams, their scope written in every way", test_link_local},
    {"link-local listeners", test_link_local_accept},
    {"link-local datagrams", test_link_local_datagrams},
    {"groups are joined and left", test_membership},
    {"what is sent to groups", test_sending_to_groups},
    {"bad groups are named", test_bad_groups},
    {"broadcasts", test_broadcast},
};

UNIT_MAIN(tests)
