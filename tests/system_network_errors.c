/* SPDX-License-Identifier: MIT */
/*
 * system_network_errors.c - what routers, neighbours and the system itself say when
 * something does not work, as the documented identifiers.
 */
#include <config.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
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

static json_t *make_udp(void)
{
    return wire_call(wire, "make-socket", "{s:s, s:s}", "type", "datagram", "local-host",
                     "0.0.0.0");
}

static void send_to(int64_t socket, const char *text, const char *host, int port)
{
    wire_call(wire, "send-to", "{s:I, s:s, s:s, s:i}", "socket", socket, "data", text,
              "remote-host", host, "remote-port", port);
}

/* ---- What routers say ---- */

/* The error of a connected socket is that of its next operation; then it goes on. */
static void check_error(const char *host, int n, const char *identifier)
{
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s, s:i}", "type", "datagram",
                             "remote-host", host, "remote-port", 9);
    int64_t socket = wire_int(made, "socket");

    for (int i = 0; i < n; i++) {
        int64_t id = wire_send(wire, "receive-from", "{s:I}", "socket", socket);
        wire_call(wire, "send-to", "{s:I, s:s}", "socket", socket, "data", "anybody?");
        wire_error(wire, id, identifier);
        wire_refused(wire, "timeout", "receive-from", "{s:I, s:i}", "socket", socket,
                     "timeout", 0);
    }
}

static void test_errors(void)
{
    char data[16];
    int port;

    if (!start()) {
        return;
    }
    /* Linux sends the first two no more often than about once a second, after a few. */
    check_error("10.10.0.1", 1, "host-unreachable");
    check_error("10.11.0.1", 1, "network-unreachable");
    check_error("10.9.0.2", 3, "connection-refused");
    check_error("fe80::2%near0", 3, "connection-refused");
    /* One without a destination is not told of errors, which would hit the next. */
    int64_t socket = wire_int(make_udp(), "socket");
    network_go_far();
    int peer = peer_datagram("10.9.0.2", &port);
    network_go_near();
    send_to(socket, "x", "10.10.0.1", 9);
    send_to(socket, "x", "10.9.0.2", 9);
    send_to(socket, "goes on", "10.9.0.2", port);
    CU_ASSERT_EQUAL(peer_receive(peer, data, sizeof data), sizeof "goes on" - 1);
    wire_refused(wire, "timeout", "receive-from", "{s:I, s:i}", "socket", socket,
                 "timeout", 0);
    /* A network that goes down. */
    network_ip("link set near0 down");
    wire_refused(wire, "network-unreachable", "send-to", "{s:I, s:s, s:s, s:i}", "socket",
                 socket, "data", "x", "remote-host", "10.9.0.2", "remote-port", port);
    wire_refused(wire, "network-unreachable", "make-socket", "{s:s, s:i}", "remote-host",
                 "10.9.0.2", "remote-port", port);
}

static void test_tcp_errors(void)
{
    if (!start()) {
        return;
    }
    wire_refused(wire, "host-unreachable", "make-socket", "{s:s, s:i}", "remote-host",
                 "10.10.0.1", "remote-port", 9);
    wire_refused(wire, "network-unreachable", "make-socket", "{s:s, s:i}", "remote-host",
                 "10.11.0.1", "remote-port", 9);
    wire_refused(wire, "address-not-available", "make-socket", "{s:s, s:s}", "connect",
                 "passive", "local-host", "10.9.0.9");
}

/* ---- What only a test's own packets say ---- */

struct unreachable {
    struct icmphdr icmp;
    struct iphdr ip; /* the packet that it complains of */
    struct udphdr udp;
};

static uint16_t checksum_of(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < size; i += 2) {
        sum += (uint32_t)at[i] << 8 | at[i + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t) ~(sum + (sum >> 16)));
}

/* Far says that port 9 there can't be reached from `port` here, and why. */
static void complain(uint8_t code, int port)
{
    struct sockaddr_in near = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(0x0a090001)};
    struct unreachable message = {
        .icmp = {.type = ICMP_DEST_UNREACH, .code = code},
        .ip = {.version = 4,
               .ihl = 5,
               .ttl = 64,
               .protocol = IPPROTO_UDP,
               .tot_len = htons(sizeof message.ip + sizeof message.udp),
               .saddr = near.sin_addr.s_addr,
               .daddr = htonl(0x0a090002)},
        .udp = {.source = htons((uint16_t)port),
                .dest = htons(9),
                .len = htons(sizeof message.udp)},
    };

    message.icmp.checksum = checksum_of(&message, sizeof message);
    network_go_far();
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    network_go_near();
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(
        sendto(fd, &message, sizeof message, 0, (struct sockaddr *)&near, sizeof near),
        (ssize_t)sizeof message);
    (void)close(fd);
}

/* No router sends "destination host unknown" any more (RFC 1812, 5.2.7.1), but all
 * systems know it. */
static void test_host_down(void)
{
    if (!start()) {
        return;
    }
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s, s:i}", "type", "datagram",
                             "remote-host", "10.9.0.2", "remote-port", 9);
    int64_t socket = wire_int(made, "socket");
    int64_t id = wire_send(wire, "receive-from", "{s:I}", "socket", socket);

    complain(ICMP_HOST_UNKNOWN, (int)wire_int(made, "local-port"));
    wire_error(wire, id, "host-down");
    wire_refused(wire, "timeout", "receive-from", "{s:I, s:i}", "socket", socket,
                 "timeout", 0);
}

/* ---- What the system says by itself ---- */

/* Nobody there has this address; that it is asked for but once saves two seconds. */
static void test_no_neighbour(void)
{
    if (!start()) {
        return;
    }
    network_tell_kernel("/proc/sys/net/ipv4/neigh/near0/mcast_solicit", "1");
    network_tell_kernel("/proc/sys/net/ipv4/neigh/near0/retrans_time_ms", "100");
    wire_refused(wire, "host-unreachable", "make-socket", "{s:s, s:i}", "remote-host",
                 "10.9.0.77", "remote-port", 9);
    check_error("10.9.0.78", 1, "host-unreachable");
}

static void test_too_many_groups(void)
{
    if (!start()) {
        return;
    }
    network_tell_kernel("/proc/sys/net/ipv4/igmp_max_memberships", "1");
    int64_t socket = wire_int(make_udp(), "socket");

    wire_call(wire, "set-socket-options", "{s:I, s:s}", "socket", socket,
              "multicast-join", "239.1.2.3%near0");
    wire_refused(wire, "no-buffer-space", "set-socket-options", "{s:I, s:s}", "socket",
                 socket, "multicast-join", "239.1.2.4%near0");
}

/* Ends a connection from outside, as `ss -K` does. False: this system can't. */
static bool destroy(int local_port, int remote_port)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 wanted;
    } request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = SOCK_DESTROY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .wanted = {.sdiag_family = AF_INET,
                   .sdiag_protocol = IPPROTO_TCP,
                   .idiag_states = ~0u,
                   .id = {.idiag_sport = htons((uint16_t)local_port),
                          .idiag_dport = htons((uint16_t)remote_port),
                          .idiag_src = {htonl(0x0a090001)},
                          .idiag_dst = {htonl(0x0a090002)},
                          .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}},
    };
    struct {
        struct nlmsghdr header;
        struct nlmsgerr verdict;
    } reply = {.verdict.error = -EIO};
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    if (fd < 0) {
        return false;
    }
    CU_ASSERT_EQUAL(send(fd, &request, sizeof request, 0), (ssize_t)sizeof request);
    CU_ASSERT_TRUE(recv(fd, &reply, sizeof reply, 0) >= (ssize_t)sizeof reply.header);
    (void)close(fd);
    return reply.verdict.error == 0;
}

static void test_aborted(void)
{
    int port;

    if (!start()) {
        return;
    }
    network_go_far();
    int listener = peer_listen("10.9.0.2", &port);
    network_go_near();
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:i}", "remote-host", "10.9.0.2",
                             "remote-port", port);
    int64_t id = wire_send(wire, "read", "{s:I}", "socket", wire_int(made, "socket"));

    (void)peer_accept(listener);
    if (!destroy((int)wire_int(made, "local-port"), port)) {
        unit_skip("this kernel ends no connections for an administrator");
        return;
    }
    wire_error(wire, id, "connection-aborted");
}

static const struct unit_test tests[] = {
    {"errors come back to datagram sockets", test_errors},
    {"errors come back to streams", test_tcp_errors},
    {"a host that is down", test_host_down},
    {"a neighbour that is not there", test_no_neighbour},
    {"more groups than the system has room for", test_too_many_groups},
    {"a connection that the system aborts", test_aborted},
};

UNIT_MAIN(tests)
