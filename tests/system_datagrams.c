/* SPDX-License-Identifier: MIT */
/*
 * system_datagrams.c - send-to and receive-from, of both families, against plain sockets
 * of the test.
 */
#include <config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

static json_t *make_udp(struct wire *wire, const char *format)
{
    return wire_call(wire, "make-socket", "{s:s, s:s, s:s}", "type", "datagram",
                     "local-host", "127.0.0.1", "format", format);
}

static json_t *receive(struct wire *wire, int64_t socket)
{
    return wire_call(wire, "receive-from", "{s:I}", "socket", socket);
}

static const char *in_directory(const struct harness *harness, const char *name)
{
    static char paths[4][108];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    (void)snprintf(path, sizeof paths[0], "%s/%s", harness_directory(harness), name);
    return path;
}

static void expect_datagram(int fd, const char *wanted)
{
    char data[256];
    size_t size = peer_receive(fd, data, sizeof data);

    CU_ASSERT_EQUAL(size, strlen(wanted));
    CU_ASSERT_EQUAL(memcmp(data, wanted, size < strlen(wanted) ? size : strlen(wanted)),
                    0);
}

/* ---- The internet family ---- */

static void test_both_directions(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *made = make_udp(wire, "bivalent");
    int64_t socket = handle_of(made);
    int port, peer = peer_datagram("127.0.0.1", &port);

    CU_ASSERT(text_is(made, "state", "open"));
    CU_ASSERT_TRUE(wire_int(made, "local-port") > 0);
    json_t *sent =
        wire_call(wire, "send-to", "{s:I, s:s, s:s, s:i}", "socket", socket, "data",
                  "hello", "remote-host", "127.0.0.1", "remote-port", port);
    CU_ASSERT_EQUAL(wire_int(sent, "size"), 5);
    expect_datagram(peer, "hello");
    /* By name, part of the data, and none of it. */
    wire_call(wire, "send-to", "{s:I, s:s, s:i, s:s, s:i}", "socket", socket, "data",
              "abcdef", "size", 3, "remote-host", "localhost", "remote-port", port);
    expect_datagram(peer, "abc");
    sent = wire_call(wire, "send-to", "{s:I, s:s, s:s, s:i}", "socket", socket, "data",
                     "", "remote-host", "127.0.0.1", "remote-port", port);
    CU_ASSERT_EQUAL(wire_int(sent, "size"), 0);
    expect_datagram(peer, "");
    peer_send(peer, "127.0.0.1", (int)wire_int(made, "local-port"), "answer", 6);
    json_t *got = receive(wire, socket);
    CU_ASSERT(text_is(got, "data", "answer"));
    CU_ASSERT(text_is(got, "encoding", "utf-8"));
    CU_ASSERT_EQUAL(wire_int(got, "size"), 6);
    CU_ASSERT(text_is(got, "remote-host", "127.0.0.1"));
    CU_ASSERT_EQUAL(wire_int(got, "remote-port"), port);
    CU_ASSERT_PTR_NULL(json_object_get(got, "truncated"));
    /* An empty datagram is one, too. */
    peer_send(peer, "127.0.0.1", (int)wire_int(made, "local-port"), "", 0);
    got = receive(wire, socket);
    CU_ASSERT_EQUAL(wire_int(got, "size"), 0);
    CU_ASSERT(text_is(got, "data", ""));
}

static void test_encodings(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    int64_t bivalent = handle_of(make_udp(wire, "bivalent"));
    json_t *text = make_udp(wire, "text"), *binary = make_udp(wire, "binary");
    int port, peer = peer_datagram("127.0.0.1", &port);
    int to = (int)wire_int(text, "local-port");

    wire_call(wire, "send-to", "{s:I, s:s, s:s, s:s, s:i}", "socket", bivalent, "data",
              "AP8=", "encoding", "base64", "remote-host", "127.0.0.1", "remote-port",
              port);
    char bytes[2];
    CU_ASSERT_EQUAL(peer_receive(peer, bytes, 2), 2);
    CU_ASSERT_EQUAL(memcmp(bytes, "\0\xff", 2), 0);
    peer_send(peer, "127.0.0.1", to, "\xff\xfe", 2);
    peer_send(peer, "127.0.0.1", to, "good", 4);
    /* The bad one stays until it is read in another way. */
    wire_refused(wire, "invalid-encoding", "receive-from", "{s:I}", "socket",
                 handle_of(text));
    wire_refused(wire, "invalid-encoding", "receive-from", "{s:I}", "socket",
                 handle_of(text));
    json_t *got = wire_call(wire, "receive-from", "{s:I, s:s}", "socket", handle_of(text),
                            "encoding", "latin-1");
    CU_ASSERT(text_is(got, "data", "\xc3\xbf\xc3\xbe"));
    CU_ASSERT(text_is(got, "encoding", "latin-1"));
    CU_ASSERT(text_is(receive(wire, handle_of(text)), "data", "good"));
    peer_send(peer, "127.0.0.1", (int)wire_int(binary, "local-port"), "good", 4);
    CU_ASSERT(text_is(receive(wire, handle_of(binary)), "data", "Z29vZA=="));
    json_t *shown = wire_call(wire, "describe-socket", "{s:I}", "socket", bivalent);
    peer_send(peer, "127.0.0.1", (int)wire_int(shown, "local-port"), "\xff", 1);
    CU_ASSERT(text_is(receive(wire, bivalent), "encoding", "base64"));
}

static void test_size_and_extract(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *made = make_udp(wire, "bivalent");
    int64_t socket = handle_of(made);
    int port, peer = peer_datagram("127.0.0.1", &port),
              to = (int)wire_int(made, "local-port");

    peer_send(peer, "127.0.0.1", to, "0123456789", 10);
    json_t *got =
        wire_call(wire, "receive-from", "{s:I, s:i}", "socket", socket, "size", 4);
    CU_ASSERT(text_is(got, "data", "0123"));
    CU_ASSERT_EQUAL(wire_int(got, "size"), 4);
    CU_ASSERT_TRUE(wire_bool(got, "truncated"));
    peer_send(peer, "127.0.0.1", to, "ab", 2);
    got = wire_call(wire, "receive-from", "{s:I, s:i, s:b}", "socket", socket, "size", 5,
                    "extract", 0);
    CU_ASSERT_EQUAL(wire_int(got, "size"), 2);
    const json_t *data = json_object_get(got, "data");
    CU_ASSERT_EQUAL(json_string_length(data), 5);
    CU_ASSERT_EQUAL(memcmp(json_string_value(data), "ab\0\0\0", 5), 0);
    wire_refused(wire, "timeout", "receive-from", "{s:I, s:i}", "socket", socket,
                 "timeout", 0);
    wire_refused(wire, "timeout", "receive-from", "{s:I, s:f}", "socket", socket,
                 "timeout", 0.01);
}

static void test_default_destination(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    int port, peer = peer_datagram("127.0.0.1", &port);
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s, s:i}", "type", "datagram",
                             "remote-host", "127.0.0.1", "remote-port", port);
    int other_port, other = peer_datagram("127.0.0.1", &other_port);

    CU_ASSERT(text_is(made, "state", "connected"));
    CU_ASSERT_EQUAL(wire_int(made, "remote-port"), port);
    wire_call(wire, "send-to", "{s:I, s:s}", "socket", handle_of(made), "data", "to you");
    expect_datagram(peer, "to you");
    /* Only the peer is heard. */
    peer_send(other, "127.0.0.1", (int)wire_int(made, "local-port"), "stranger", 8);
    peer_send(peer, "127.0.0.1", (int)wire_int(made, "local-port"), "friend", 6);
    CU_ASSERT(text_is(receive(wire, handle_of(made)), "data", "friend"));
    /* Another destination for once. */
    wire_call(wire, "send-to", "{s:I, s:s, s:s, s:i}", "socket", handle_of(made), "data",
              "once", "remote-host", "127.0.0.1", "remote-port", other_port);
    expect_datagram(other, "once");
}

static void test_broadcast(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    int64_t socket = handle_of(make_udp(wire, "bivalent"));
    int port, peer = peer_datagram("0.0.0.0", &port);
    json_t *error = wire_refused(wire, "permission-denied", "send-to",
                                 "{s:I, s:s, s:s, s:i}", "socket", socket, "data", "all",
                                 "remote-host", "127.255.255.255", "remote-port", port);

    CU_ASSERT(text_is(json_object_get(error, "data"), "errno", "EACCES"));
    wire_call(wire, "set-socket-options", "{s:I, s:b}", "socket", socket, "broadcast", 1);
    wire_call(wire, "send-to", "{s:I, s:s, s:s, s:i}", "socket", socket, "data", "all",
              "remote-host", "127.255.255.255", "remote-port", port);
    expect_datagram(peer, "all");
}

static void test_icmp_errors(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s, s:i}", "type", "datagram",
                             "remote-host", "127.0.0.1", "remote-port",
                             peer_refusing_port("127.0.0.1"));
    int64_t id = wire_send(wire, "receive-from", "{s:I}", "socket", handle_of(made));

    wire_call(wire, "send-to", "{s:I, s:s}", "socket", handle_of(made), "data",
              "anybody?");
    json_t *error = wire_error(wire, id, "connection-refused");
    CU_ASSERT(text_is(json_object_get(error, "data"), "action", "receive"));
    /* Told once; then it goes on. */
    wire_refused(wire, "timeout", "receive-from", "{s:I, s:i}", "socket", handle_of(made),
                 "timeout", 0);
}

static void test_too_long(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *made = make_udp(wire, "bivalent");
    int port, peer = peer_datagram("127.0.0.1", &port);
    char *text = malloc(65508);

    CU_ASSERT_FATAL(text != NULL);
    memset(text, 'x', 65507);
    text[65507] = '\0';
    json_t *sent =
        wire_call(wire, "send-to", "{s:I, s:s, s:s, s:i}", "socket", handle_of(made),
                  "data", text, "remote-host", "127.0.0.1", "remote-port", port);
    CU_ASSERT_EQUAL(wire_int(sent, "size"), 65507);
    char *got = malloc(65536);
    CU_ASSERT_EQUAL(peer_receive(peer, got, 65536), 65507);
    free(got);
    json_t *longer =
        json_pack("{s:I, s:s+, s:s, s:i}", "socket", (json_int_t)handle_of(made), "data",
                  text, "x", "remote-host", "127.0.0.1", "remote-port", port);
    int64_t id = wire_send(wire, "send-to", "o", longer);
    json_t *error = wire_error(wire, id, "message-too-long");
    CU_ASSERT_EQUAL(wire_int(error, "code"), -32005);
    free(text);
}

static void refused_parameter(struct wire *wire, int64_t socket, const char *parameter,
                              const char *rest)
{
    json_t *params = json_loads(rest, 0, NULL);

    json_object_set_new(params, "socket", json_integer(socket));
    json_object_set_new(params, "data", json_string("abc"));
    json_t *error =
        wire_error(wire, wire_send(wire, "send-to", "o", params), "invalid-params");
    const char *named = wire_text(json_object_get(error, "data"), "parameter");
    if (strcmp(named, parameter) != 0) {
        UNIT_FAIL("%s: %s is named instead of %s", rest, named, parameter);
    }
}

static void test_wrong_uses(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    int64_t udp = handle_of(make_udp(wire, "bivalent"));
    int64_t file = handle_of(wire_call(wire, "make-socket", "{s:s, s:s}", "type",
                                       "datagram", "address-family", "file"));
    int64_t listener =
        handle_of(wire_call(wire, "make-socket", "{s:s}", "connect", "passive"));

    refused_parameter(wire, udp, "remote-host", "{}");
    refused_parameter(wire, udp, "remote-port", "{\"remote-host\": \"127.0.0.1\"}");
    refused_parameter(wire, udp, "remote-host",
                      "{\"remote-host\": \"::1\", \"remote-port\": 9}");
    refused_parameter(wire, udp, "remote-filename", "{\"remote-filename\": \"/x\"}");
    refused_parameter(wire, udp, "size",
                      "{\"remote-host\": \"127.1\", \"remote-port\": 9, \"size\": 4}");
    refused_parameter(wire, file, "remote-filename", "{}");
    refused_parameter(wire, file, "remote-filename", "{\"remote-filename\": \"x\"}");
    refused_parameter(wire, file, "remote-host", "{\"remote-host\": \"127.1\"}");
    refused_parameter(wire, file, "scope-id", "{\"scope-id\": 1}");
    refused_parameter(wire, file, "ipv6", "{\"ipv6\": true}");
    wire_refused(wire, "wrong-kind", "send-to", "{s:I, s:s}", "socket", listener, "data",
                 "x");
    wire_refused(wire, "wrong-kind", "receive-from", "{s:I}", "socket", listener);
    wire_refused(wire, "wrong-kind", "accept-connection", "{s:I}", "socket", udp);
    wire_refused(wire, "host-not-found", "send-to", "{s:I, s:s, s:s, s:i}", "socket", udp,
                 "data", "x", "remote-host", "no-such-host.invalid", "remote-port", 9);
    wire_refused(wire, "service-not-found", "send-to", "{s:I, s:s, s:s, s:s}", "socket",
                 udp, "data", "x", "remote-host", "127.0.0.1", "remote-port",
                 "no-such-service");
}

/* Looking a name up takes time; what is asked later still comes later. */
static void test_order_of_sends(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    int64_t socket = handle_of(make_udp(wire, "bivalent")), ids[6];
    int port, peer = peer_datagram("127.0.0.1", &port);

    for (int i = 0; i < 6; i++) {
        char text[2] = {(char)('a' + i), '\0'};
        ids[i] = wire_send(wire, "send-to", "{s:I, s:s, s:s, s:i}", "socket", socket,
                           "data", text, "remote-host",
                           i % 2 == 0 ? "localhost" : "127.0.0.1", "remote-port", port);
    }
    for (int i = 0; i < 6; i++) {
        char text[2] = {(char)('a' + i), '\0'};
        expect_datagram(peer, text);
        wire_result(wire, ids[i]);
    }
}

static void test_ipv6(void)
{
    if (!peer_has_ipv6()) {
        unit_skip("no IPv6 on the loopback");
        return;
    }
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *made =
        wire_call(wire, "make-socket", "{s:s, s:b}", "type", "datagram", "ipv6", 1);
    int port6, peer6 = peer_datagram("::1", &port6),
               to = (int)wire_int(made, "local-port");
    int port4, peer4 = peer_datagram("127.0.0.1", &port4);

    CU_ASSERT(text_is(made, "local-host", "::"));
    wire_call(wire, "send-to", "{s:I, s:s, s:s, s:i, s:i}", "socket", handle_of(made),
              "data", "six", "remote-host", "::1", "remote-port", port6, "scope-id", 0);
    expect_datagram(peer6, "six");
    /* It speaks both. */
    wire_call(wire, "send-to", "{s:I, s:s, s:s, s:i}", "socket", handle_of(made), "data",
              "four", "remote-host", "127.0.0.1", "remote-port", port4);
    expect_datagram(peer4, "four");
    wire_call(wire, "send-to", "{s:I, s:s, s:s, s:i, s:b}", "socket", handle_of(made),
              "data", "name", "remote-host", "localhost", "remote-port", port4, "ipv6",
              0);
    expect_datagram(peer4, "name");
    peer_send(peer6, "::1", to, "back", 4);
    json_t *got = receive(wire, handle_of(made));
    CU_ASSERT(text_is(got, "remote-host", "::1"));
    peer_send(peer4, "127.0.0.1", to, "back", 4);
    got = receive(wire, handle_of(made));
    CU_ASSERT(text_is(got, "remote-host", "::ffff:127.0.0.1"));
    /* A destination in IPv4 for an IPv6 socket, and the reverse. */
    made =
        wire_call(wire, "make-socket", "{s:s, s:s, s:s, s:i}", "type", "datagram",
                  "local-host", "::", "remote-host", "127.0.0.1", "remote-port", port4);
    CU_ASSERT(text_is(made, "remote-host", "::ffff:127.0.0.1"));
    wire_call(wire, "send-to", "{s:I, s:s}", "socket", handle_of(made), "data", "mapped");
    expect_datagram(peer4, "mapped");
    wire_refused(wire, "invalid-params", "make-socket", "{s:s, s:s, s:s, s:i}", "type",
                 "datagram", "local-host", "127.0.0.1", "remote-host", "::1",
                 "remote-port", port6);
}

/* ---- The file family ---- */

static void test_files(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness);
    const char *path = in_directory(harness, "datagrams"),
               *theirs = in_directory(harness, "t");
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s, s:s}", "type", "datagram",
                             "address-family", "file", "local-filename", path);
    int peer = peer_datagram_file(theirs), nameless = peer_datagram_file(NULL);
    struct stat info;

    CU_ASSERT(text_is(made, "local-filename", path));
    wire_call(wire, "send-to", "{s:I, s:s, s:s}", "socket", handle_of(made), "data",
              "a file", "remote-filename", theirs);
    expect_datagram(peer, "a file");
    peer_send_file(peer, path, "named", 5);
    json_t *got = receive(wire, handle_of(made));
    CU_ASSERT(text_is(got, "data", "named"));
    CU_ASSERT(text_is(got, "remote-filename", theirs));
    CU_ASSERT_PTR_NULL(json_object_get(got, "remote-host"));
    peer_send_file(nameless, path, "nobody", 6);
    CU_ASSERT(text_is(receive(wire, handle_of(made)), "remote-filename", ""));
    json_t *near = wire_call(wire, "make-socket", "{s:s, s:s, s:s}", "type", "datagram",
                             "address-family", "file", "remote-filename", theirs);
    CU_ASSERT(text_is(near, "remote-filename", theirs));
    wire_call(wire, "send-to", "{s:I, s:s}", "socket", handle_of(near), "data",
              "default");
    expect_datagram(peer, "default");
    wire_call(wire, "close", "{s:I}", "socket", handle_of(made));
    CU_ASSERT_EQUAL(stat(path, &info), -1);
    json_t *error = wire_refused(wire, "unknown", "send-to", "{s:I, s:s, s:s}", "socket",
                                 handle_of(near), "data", "x", "remote-filename", path);
    CU_ASSERT(text_is(json_object_get(error, "data"), "errno", "ENOENT"));
}

/* A receiver that is full makes the sender wait, bounded by its time-out. */
static void test_full_receiver(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness), *other = wire_open(harness);
    const char *path = in_directory(harness, "full");
    int peer = peer_datagram_file(path), n_sent = 0;
    char data[64];
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s}", "type", "datagram",
                             "address-family", "file");
    json_t *reply;

    do {
        int64_t id =
            wire_send(wire, "send-to", "{s:I, s:s, s:s, s:i}", "socket", handle_of(made),
                      "data", "fill", "remote-filename", path, "timeout", 0);
        reply = wire_reply(wire, id);
        n_sent += json_object_get(reply, "result") != NULL;
    } while (json_object_get(reply, "result") != NULL);
    CU_ASSERT(n_sent > 0);
    int64_t id = wire_send(wire, "send-to", "{s:I, s:s, s:s}", "socket", handle_of(made),
                           "data", "last", "remote-filename", path);
    wire_call(other, "socket-type", "{s:I}", "socket", handle_of(made));
    CU_ASSERT_FALSE(wire_is_answered(wire, id));
    for (int i = 0; i < n_sent; i++) {
        CU_ASSERT_EQUAL(peer_receive(peer, data, sizeof data), 4);
    }
    wire_result(wire, id);
    expect_datagram(peer, "last");
}

static const struct unit_test tests[] = {
    {"both directions", test_both_directions},
    {"encodings and formats", test_encodings},
    {"cut to size, padded to size", test_size_and_extract},
    {"a default destination", test_default_destination},
    {"broadcast only when allowed", test_broadcast},
    {"errors that come back", test_icmp_errors},
    {"larger than a datagram can be", test_too_long},
    {"wrong uses are named", test_wrong_uses},
    {"sends keep their order", test_order_of_sends},
    {"IPv6", test_ipv6},
    {"datagrams of the file family", test_files},
    {"a full receiver is waited for", test_full_receiver},
};
UNIT_MAIN(tests)
