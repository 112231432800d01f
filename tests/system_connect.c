/* SPDX-License-Identifier: MIT */
/*
 * system_connect.c - connecting: IPv6 and scopes, several addresses, time-outs, and
 * attempts that are given up.
 */
#include <config.h>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
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

static bool lacks_ipv6(void)
{
    if (!peer_has_ipv6()) {
        unit_skip("no IPv6 on the loopback");
        return true;
    }
    return false;
}

/* ---- IPv6 ---- */

static void test_ipv6_stream(void)
{
    int port;

    if (lacks_ipv6()) {
        return;
    }
    struct wire *wire = wire_open(harness_start(NULL));
    int listener = peer_listen("::1", &port);
    /* An address decides by itself, whatever `ipv6` is. */
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:i, s:b}", "remote-host", "::1",
                             "remote-port", port, "ipv6", 0);
    CU_ASSERT_TRUE(wire_bool(made, "ipv6"));
    CU_ASSERT(text_is(made, "remote-host", "::1"));
    CU_ASSERT(text_is(made, "local-host", "::1"));
    (void)peer_accept(listener);
    made = wire_call(wire, "make-socket", "{s:{s:s}, s:i, s:s}", "remote-host", "ipv6",
                     "::1", "remote-port", port, "ipv6", "ipv6");
    CU_ASSERT(text_is(made, "remote-host", "::1"));
    (void)peer_accept(listener);
}

static void test_ipv6_listeners(void)
{
    if (lacks_ipv6()) {
        return;
    }
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *both =
        wire_call(wire, "make-socket", "{s:s, s:b}", "connect", "passive", "ipv6", 1);
    int port = (int)wire_int(both, "local-port");

    CU_ASSERT(text_is(both, "local-host", "::"));
    (void)peer_connect("127.0.0.1", port);
    json_t *accepted =
        wire_call(wire, "accept-connection", "{s:I}", "socket", handle_of(both));
    CU_ASSERT(text_is(accepted, "remote-host", "::ffff:127.0.0.1"));
    CU_ASSERT_TRUE(wire_bool(accepted, "ipv6"));
    (void)peer_connect("::1", port);
    accepted = wire_call(wire, "accept-connection", "{s:I}", "socket", handle_of(both));
    CU_ASSERT(text_is(accepted, "remote-host", "::1"));
    /* IPv6 only leaves the IPv4 port to others. */
    json_t *only = wire_call(wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                             "ipv6", "ipv6");
    port = (int)wire_int(only, "local-port");
    json_t *v4 = wire_call(wire, "make-socket", "{s:s, s:s, s:i}", "connect", "passive",
                           "local-host", "127.0.0.1", "local-port", port);
    CU_ASSERT_EQUAL(wire_int(v4, "local-port"), port);
    CU_ASSERT_FALSE(wire_bool(v4, "ipv6"));
}

static void test_session_default(void)
{
    if (lacks_ipv6()) {
        return;
    }
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *made = wire_call(wire, "make-socket", "{s:s}", "connect", "passive");

    CU_ASSERT(text_is(made, "local-host", "0.0.0.0"));
    wire_call(wire, "session-defaults", "{s:b}", "ipv6", 1);
    made = wire_call(wire, "make-socket", "{s:s}", "connect", "passive");
    CU_ASSERT(text_is(made, "local-host", "::"));
    made = wire_call(wire, "make-socket", "{s:s, s:b}", "connect", "passive", "ipv6", 0);
    CU_ASSERT(text_is(made, "local-host", "0.0.0.0"));
    made = wire_call(wire, "make-socket", "{s:s}", "type", "datagram");
    CU_ASSERT(text_is(made, "local-host", "::"));
}

/* A link-local address of this machine; "": none. */
static unsigned link_local(char text[64])
{
    struct ifaddrs *all, *one;
    unsigned scope = 0;

    text[0] = '\0';
    if (getifaddrs(&all) != 0) {
        return 0;
    }
    for (one = all; one != NULL && scope == 0; one = one->ifa_next) {
        struct sockaddr_in6 *address = (struct sockaddr_in6 *)(void *)one->ifa_addr;
        if (address != NULL && address->sin6_family == AF_INET6 &&
            IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr)) {
            scope = if_nametoindex(one->ifa_name);
            CU_ASSERT_PTR_NOT_NULL(inet_ntop(AF_INET6, &address->sin6_addr, text, 64));
        }
    }
    freeifaddrs(all);
    return scope;
}

/* In the text, in the object, or beside the host: a link-local address needs its scope.
 */
static void test_scopes(void)
{
    char address[64], scoped[96], name[IF_NAMESIZE];
    unsigned scope = link_local(address);

    if (scope == 0 || if_indextoname(scope, name) == NULL) {
        unit_skip("this machine has no link-local address");
        return;
    }
    struct wire *wire = wire_open(harness_start(NULL));
    (void)snprintf(scoped, sizeof scoped, "%s%%%s", address, name);
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                             "local-host", scoped);
    int port = (int)wire_int(made, "local-port");
    const char *told = wire_text(made, "local-host");
    CU_ASSERT_PTR_NOT_NULL(strchr(told, '%'));

    json_t *near[4];
    near[0] = wire_call(wire, "make-socket", "{s:s, s:i}", "remote-host", scoped,
                        "remote-port", port);
    near[1] = wire_call(wire, "make-socket", "{s:{s:s, s:i}, s:i}", "remote-host", "ipv6",
                        address, "scope-id", (int)scope, "remote-port", port);
    near[2] = wire_call(wire, "make-socket", "{s:s, s:i, s:i}", "remote-host", address,
                        "remote-port", port, "scope-id", (int)scope);
    /* The parameter takes the place of what the host says. */
    near[3] =
        wire_call(wire, "make-socket", "{s:{s:s, s:i}, s:i, s:i}", "remote-host", "ipv6",
                  address, "scope-id", 4000, "remote-port", port, "scope-id", (int)scope);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT(text_is(near[i], "remote-host", told));
        wire_call(wire, "accept-connection", "{s:I}", "socket", handle_of(made));
    }
}

/* ---- Several addresses ---- */

static void test_refused(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *error = wire_refused(wire, "connection-refused", "make-socket", "{s:s, s:i}",
                                 "remote-host", "localhost", "remote-port",
                                 peer_refusing_port("127.0.0.1"));
    json_t *data = json_object_get(error, "data");

    CU_ASSERT_EQUAL(wire_int(error, "code"), -32000);
    CU_ASSERT(text_is(data, "errno", "ECONNREFUSED"));
    CU_ASSERT(text_is(data, "action", "connect"));
    CU_ASSERT_TRUE(wire_bool(data, "retryable"));
}

static void test_unreachable(void)
{
    struct wire *wire = wire_open(harness_start(NULL));

    /* The discard prefix (RFC 6666) and an address that is never routed: what the system
     * says depends on its routes, that it says it at once does not. */
    json_t *error = wire_refused(wire, "network-unreachable", "make-socket", "{s:s, s:i}",
                                 "remote-host", "255.255.255.255", "remote-port", 9);
    CU_ASSERT(text_is(json_object_get(error, "data"), "errno", "ENETUNREACH"));
}

/* ---- Time-outs ---- */

static void test_timeouts(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness);
    int silent = peer_silent_port("127.0.0.1");
    json_t *error =
        wire_refused(wire, "timeout", "make-socket", "{s:s, s:i, s:f}", "remote-host",
                     "127.0.0.1", "remote-port", silent, "timeout", 0.05);

    CU_ASSERT_EQUAL(wire_int(error, "code"), -32001);
    error = wire_refused(wire, "connection-timed-out", "make-socket", "{s:s, s:i, s:f}",
                         "remote-host", "127.0.0.1", "remote-port", silent,
                         "connect-timeout", 0.05);
    CU_ASSERT_EQUAL(wire_int(error, "code"), -32000);
    CU_ASSERT(text_is(json_object_get(error, "data"), "errno", "ETIMEDOUT"));
    wire_refused(wire, "timeout", "make-socket", "{s:s, s:i, s:i}", "remote-host",
                 "127.0.0.1", "remote-port", silent, "timeout", 0);
    /* What is done at once is in time. */
    wire_call(wire, "make-socket", "{s:s, s:i}", "connect", "passive", "timeout", 0);
}

/* ---- Attempts that are given up ---- */

static json_t *only_socket(struct wire *wire)
{
    json_t *list = json_object_get(wire_call(wire, "list-sockets", NULL), "sockets");

    CU_ASSERT_EQUAL_FATAL(json_array_size(list), 1);
    return json_array_get(list, 0);
}

static bool has_no_sockets(void *context)
{
    json_t *list = json_object_get(wire_call(context, "list-sockets", NULL), "sockets");

    return json_array_size(list) == 0;
}

static int64_t start_attempt(struct wire *wire, int port)
{
    int64_t id = wire_send(wire, "make-socket", "{s:s, s:i, s:s}", "remote-host",
                           "127.0.0.1", "remote-port", port, "name", "attempt");

    /* Later than the attempt, on the same connection. */
    wire_call(wire, "session-defaults", NULL);
    return id;
}

static void test_attempt_is_listed_and_interrupted(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness), *other = wire_open(harness);
    int64_t id = start_attempt(wire, peer_silent_port("127.0.0.1"));
    json_t *listed = only_socket(other);

    CU_ASSERT(text_is(listed, "state", "connecting"));
    CU_ASSERT(text_is(listed, "name", "attempt"));
    CU_ASSERT_FALSE(wire_is_answered(wire, id));
    json_t *shown =
        wire_call(other, "describe-socket", "{s:I}", "socket", handle_of(listed));
    json_t *pending = json_object_get(json_object_get(shown, "runtime"), "pending");
    CU_ASSERT_EQUAL(json_array_size(pending), 1);
    wire_refused(other, "not-connected", "get-socket-options", "{s:I}", "socket",
                 handle_of(listed));
    json_t *answer = wire_call(other, "interrupt", "{s:I, s:s}", "socket",
                               handle_of(listed), "reason", "no patience");
    CU_ASSERT_EQUAL(wire_int(answer, "interrupted"), 1);
    json_t *error = wire_error(wire, id, "interrupted");
    CU_ASSERT(text_is(json_object_get(error, "data"), "reason", "no patience"));
    CU_ASSERT_TRUE(has_no_sockets(other));
}

static void test_attempt_is_closed_or_cancelled(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness), *other = wire_open(harness);
    int silent = peer_silent_port("127.0.0.1");
    int64_t id;

    CU_ASSERT_TRUE(has_no_sockets(wire) && has_no_sockets(other));
    int n_before = harness_n_descriptors(harness);
    id = start_attempt(wire, silent);

    wire_call(other, "close", "{s:I}", "socket", handle_of(only_socket(other)));
    wire_error(wire, id, "socket-closed");
    id = start_attempt(wire, silent);
    json_t *answer = wire_call(wire, "cancel", "{s:I}", "request", id);
    CU_ASSERT_TRUE(wire_bool(answer, "cancelled"));
    wire_error(wire, id, "cancelled");
    CU_ASSERT_TRUE(has_no_sockets(other));
    CU_ASSERT_EQUAL(harness_n_descriptors(harness), n_before);
    /* The end of the client ends it, too. */
    (void)start_attempt(wire, silent);
    wire_close(wire);
    harness_await(has_no_sockets, other, "the attempt of a client that went is over");
}

static const struct unit_test tests[] = {
    {"IPv6 streams", test_ipv6_stream},
    {"IPv6 listeners take IPv4 unless told not to", test_ipv6_listeners},
    {"the session's default for ipv6", test_session_default},
    {"scopes of link-local addresses", test_scopes},
    {"a refusal has its errno", test_refused},
    {"an unreachable network has its errno", test_unreachable},
    {"time-outs of the request and of the connection", test_timeouts},
    {"an attempt is listed and interrupted", test_attempt_is_listed_and_interrupted},
    {"an attempt is closed, cancelled, left", test_attempt_is_closed_or_cancelled},
};
UNIT_MAIN(tests)
