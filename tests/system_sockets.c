/* SPDX-License-Identifier: MIT */
/*
 * system_sockets.c - make-socket, accept-connection, close and the accessors: every kind
 * of socket, and what does not go together.
 */
#include <config.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

static bool is_null(const json_t *object, const char *member)
{
    return json_is_null(json_object_get(object, member));
}

static bool text_is(const json_t *object, const char *member, const char *wanted)
{
    return strcmp(wire_text(object, member), wanted) == 0;
}

static int64_t handle_of(const json_t *made) { return wire_int(made, "socket"); }

static const char *in_directory(const struct harness *harness, const char *name)
{
    static char paths[4][108];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    (void)snprintf(path, sizeof paths[0], "%s/%s", harness_directory(harness), name);
    return path;
}

/* ---- Internet streams ---- */

static void test_active_stream(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    int port, listener = peer_listen("127.0.0.1", &port);
    json_t *made =
        wire_call(wire, "make-socket", "{s:s, s:i, s:s, s:s}", "remote-host", "127.0.0.1",
                  "remote-port", port, "name", "first", "format", "text");
    int peer = peer_accept(listener);

    CU_ASSERT(text_is(made, "type", "stream"));
    CU_ASSERT(text_is(made, "address-family", "internet"));
    CU_ASSERT(text_is(made, "connect", "active"));
    CU_ASSERT(text_is(made, "format", "text"));
    CU_ASSERT(text_is(made, "name", "first"));
    CU_ASSERT(text_is(made, "state", "connected"));
    CU_ASSERT(text_is(made, "remote-host", "127.0.0.1"));
    CU_ASSERT_EQUAL(wire_int(made, "remote-port"), port);
    CU_ASSERT(text_is(made, "local-host", "127.0.0.1"));
    CU_ASSERT(is_null(made, "tls"));
    CU_ASSERT_FALSE(wire_bool(made, "ipv6"));
    struct sockaddr_in name;
    socklen_t size = sizeof name;
    CU_ASSERT_EQUAL(getpeername(peer, (struct sockaddr *)&name, &size), 0);
    CU_ASSERT_EQUAL(wire_int(made, "local-port"), ntohs(name.sin_port));
    wire_call(wire, "close", "{s:I}", "socket", handle_of(made));
    peer_expect_end(peer);
    wire_refused(wire, "no-such-socket", "close", "{s:I}", "socket", handle_of(made));
}

/* Each form of naming a host reaches the same place. */
static void test_forms_of_hosts(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    int port, listener = peer_listen("127.0.0.1", &port);
    static const char *const texts[] = {"127.0.0.1", "127.1", "0x7f.1", "2130706433",
                                        "localhost"};

    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *made = wire_call(wire, "make-socket", "{s:s, s:i}", "remote-host",
                                 texts[i], "remote-port", port);
        CU_ASSERT(text_is(made, "remote-host", "127.0.0.1"));
        peer_close(peer_accept(listener));
    }
    json_t *made = wire_call(wire, "make-socket", "{s:I, s:i}", "remote-host",
                             (json_int_t)2130706433, "remote-port", port);
    CU_ASSERT(text_is(made, "remote-host", "127.0.0.1"));
    peer_close(peer_accept(listener));
    wire_refused(wire, "host-not-found", "make-socket", "{s:s, s:i}", "remote-host",
                 "no-such-host.invalid", "remote-port", port);
}

static void test_local_end(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    int port, listener = peer_listen("127.0.0.1", &port);
    int local = peer_refusing_port("127.0.0.5");
    json_t *made =
        wire_call(wire, "make-socket", "{s:s, s:i, s:s, s:i}", "remote-host", "127.0.0.1",
                  "remote-port", port, "local-host", "127.0.0.9", "local-port", local);

    CU_ASSERT(text_is(made, "local-host", "127.0.0.9"));
    CU_ASSERT_EQUAL(wire_int(made, "local-port"), local);
    (void)peer_accept(listener);
    wire_refused(wire, "address-not-available", "make-socket", "{s:s, s:i, s:s}",
                 "remote-host", "127.0.0.1", "remote-port", port, "local-host",
                 "192.0.2.1");
}

static void test_services(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *error =
        wire_refused(wire, "service-not-found", "make-socket", "{s:s, s:s}",
                     "remote-host", "127.0.0.1", "remote-port", "no-such-service");

    CU_ASSERT_EQUAL(wire_int(error, "code"), -32007);
    /* The name of port 80, where nobody listens. */
    if (getuid() == 0) {
        json_t *made =
            wire_call(wire, "make-socket", "{s:s, s:s, s:s}", "connect", "passive",
                      "local-host", "127.0.0.77", "local-port", "http");
        CU_ASSERT_EQUAL(wire_int(made, "local-port"), 80);
    }
}

static void test_listener(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *made =
        wire_call(wire, "make-socket", "{s:s, s:s, s:i, s:s}", "connect", "passive",
                  "local-host", "127.0.0.1", "backlog", 5, "format", "binary");
    int port = (int)wire_int(made, "local-port");

    CU_ASSERT(text_is(made, "state", "listening"));
    CU_ASSERT(text_is(made, "connect", "passive"));
    CU_ASSERT(is_null(made, "remote-host"));
    CU_ASSERT(is_null(made, "remote-port"));
    json_t *none = wire_call(wire, "accept-connection", "{s:I, s:b}", "socket",
                             handle_of(made), "wait", 0);
    CU_ASSERT(json_is_null(none));
    wire_refused(wire, "timeout", "accept-connection", "{s:I, s:f}", "socket",
                 handle_of(made), "timeout", 0.01);
    int peer = peer_connect("127.0.0.1", port);
    json_t *accepted =
        wire_call(wire, "accept-connection", "{s:I}", "socket", handle_of(made));
    CU_ASSERT(text_is(accepted, "connect", "active"));
    CU_ASSERT(text_is(accepted, "format", "binary"));
    CU_ASSERT_EQUAL(wire_int(accepted, "remote-port"), peer_local_port(peer));
    CU_ASSERT_EQUAL(wire_int(accepted, "local-port"), port);
    peer_print(peer, "hello");
    json_t *read = wire_call(wire, "read", "{s:I}", "socket", handle_of(accepted));
    CU_ASSERT(text_is(read, "data", "aGVsbG8="));
    wire_call(wire, "close", "{s:I}", "socket", handle_of(made));
    /* The accepted one lives on. */
    wire_call(wire, "write", "{s:I, s:s}", "socket", handle_of(accepted), "data", "bye");
    peer_expect_text(peer, "bye");
}

/* Those who wait are served in the order they asked; accepted sockets go to all workers.
 */
static void test_accept_in_order_and_spread(void)
{
    enum { N = 24 };
    const struct harness_options options = {.workers = 3};
    struct wire *wire = wire_open(harness_start(&options));
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                             "local-host", "127.0.0.1");
    int64_t asked[N];
    int peers[N];
    unsigned n_on[3] = {0};

    for (int i = 0; i < N; i++) {
        asked[i] =
            wire_send(wire, "accept-connection", "{s:I}", "socket", handle_of(made));
    }
    for (int i = 0; i < N; i++) {
        peers[i] = peer_connect("127.0.0.1", (int)wire_int(made, "local-port"));
        json_t *accepted = wire_result(wire, asked[i]);
        CU_ASSERT_EQUAL(wire_int(accepted, "remote-port"), peer_local_port(peers[i]));
        n_on[handle_of(accepted) % 64]++;
    }
    for (int i = 0; i < 3; i++) {
        CU_ASSERT(n_on[i] >= N / 3 - 2);
    }
}

static void test_address_in_use(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    int port;

    (void)peer_listen("127.0.0.1", &port);
    json_t *error =
        wire_refused(wire, "address-in-use", "make-socket", "{s:s, s:s, s:i}", "connect",
                     "passive", "local-host", "127.0.0.1", "local-port", port);
    json_t *data = json_object_get(error, "data");
    CU_ASSERT_EQUAL(wire_int(error, "code"), -32000);
    CU_ASSERT(text_is(data, "errno", "EADDRINUSE"));
    CU_ASSERT(text_is(data, "action", "bind"));
}

struct waiting {
    struct wire *wire;
    int64_t socket;
    size_t n;
};

static bool is_waiting(void *context)
{
    const struct waiting *waiting = context;
    json_t *shown =
        wire_call(waiting->wire, "describe-socket", "{s:I}", "socket", waiting->socket);
    json_t *list = json_object_get(json_object_get(shown, "runtime"), "pending");

    return json_array_size(list) == waiting->n;
}

static void test_accepts_of_a_client_that_goes(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness), *other = wire_open(harness);
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                             "local-host", "127.0.0.1");
    struct waiting waiting = {.wire = wire, .socket = handle_of(made), .n = 1};

    wire_send(other, "accept-connection", "{s:I}", "socket", handle_of(made));
    harness_await(is_waiting, &waiting, "accept-connection waits");
    wire_close(other);
    waiting.n = 0;
    harness_await(is_waiting, &waiting, "accept-connection has gone with its client");
    /* The next connection is for whoever asks now. */
    int peer = peer_connect("127.0.0.1", (int)wire_int(made, "local-port"));
    json_t *accepted =
        wire_call(wire, "accept-connection", "{s:I}", "socket", handle_of(made));
    CU_ASSERT_EQUAL(wire_int(accepted, "remote-port"), peer_local_port(peer));
}

static void test_dead_peer_before_accept(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                             "local-host", "127.0.0.1");
    int peer = peer_connect("127.0.0.1", (int)wire_int(made, "local-port"));

    peer_abort(peer);
    json_t *accepted =
        wire_call(wire, "accept-connection", "{s:I}", "socket", handle_of(made));
    /* Its addresses are still told. */
    CU_ASSERT(text_is(accepted, "remote-host", "127.0.0.1"));
    wire_refused(wire, "connection-reset", "read", "{s:I}", "socket",
                 handle_of(accepted));
}

/* The connection that asks becomes the raw stream of what it accepts, wherever that
 * lives. */
static void test_accept_attached(void)
{
    const struct harness_options options = {.workers = 3};
    struct harness *harness = harness_start(&options);
    struct wire *wire = wire_open(harness);
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                             "local-host", "127.0.0.1");
    int port = (int)wire_int(made, "local-port");

    for (int i = 0; i < 6; i++) {
        struct wire *raw = wire_open(harness);
        int64_t id = wire_send(raw, "accept-connection", "{s:I, s:b}", "socket",
                               handle_of(made), "attach", 1);
        int peer = peer_connect("127.0.0.1", port);
        peer_print(peer, "before");
        json_t *accepted = wire_result(raw, id);
        CU_ASSERT_EQUAL(wire_int(accepted, "remote-port"), peer_local_port(peer));
        wire_expect_raw(raw, "before", 6);
        wire_send_bytes(raw, "{\"id\"\n", 6);
        peer_expect_text(peer, "{\"id\"\n");
        peer_shut_output(peer);
        char byte;
        CU_ASSERT_EQUAL(wire_read_raw(raw, &byte, 1), 0);
        wire_shut_output(raw);
        peer_expect_end(peer);
    }
    /* Not while something else of the connection waits; and null leaves it as it is. */
    int64_t waiting =
        wire_send(wire, "accept-connection", "{s:I}", "socket", handle_of(made));
    wire_refused(wire, "busy", "accept-connection", "{s:I, s:b}", "socket",
                 handle_of(made), "attach", 1);
    int peer = peer_connect("127.0.0.1", port);
    CU_ASSERT_EQUAL(wire_int(wire_result(wire, waiting), "remote-port"),
                    peer_local_port(peer));
    json_t *none = wire_call(wire, "accept-connection", "{s:I, s:b, s:b}", "socket",
                             handle_of(made), "attach", 1, "wait", 0);
    CU_ASSERT(json_is_null(none));
    wire_call(wire, "socket-type", "{s:I}", "socket", handle_of(made));
}

/* ---- What does not go together ---- */

static void refused_parameter(struct wire *wire, const char *parameter,
                              const char *params)
{
    json_t *object = json_loads(params, 0, NULL);
    int64_t id = wire_send(wire, "make-socket", "o", object);
    json_t *error = wire_error(wire, id, "invalid-params");
    const char *named = wire_text(json_object_get(error, "data"), "parameter");

    if (strcmp(named, parameter) != 0) {
        UNIT_FAIL("%s: %s is named instead of %s", params, named, parameter);
    }
}

static void test_useless_parameters(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    static const char *const rows[][2] = {
        {"remote-host", "{}"},
        {"remote-port", "{\"remote-host\": \"127.0.0.1\"}"},
        {"remote-filename", "{\"address-family\": \"file\"}"},
        {"local-filename", "{\"address-family\": \"file\", \"connect\": \"passive\"}"},
        {"connect", "{\"type\": \"datagram\", \"connect\": \"passive\"}"},
        {"remote-host", "{\"connect\": \"passive\", \"remote-host\": \"127.0.0.1\"}"},
        {"scope-id", "{\"connect\": \"passive\", \"scope-id\": 1}"},
        {"connect-timeout", "{\"connect\": \"passive\", \"connect-timeout\": 1}"},
        {"backlog", "{\"remote-host\": \"127.1\", \"remote-port\": 1, \"backlog\": 5}"},
        {"local-filename",
         "{\"remote-host\": \"127.1\", \"remote-port\": 1, \"local-filename\": \"/x\"}"},
        {"nodelay", "{\"type\": \"datagram\", \"nodelay\": true}"},
        {"keepalive", "{\"type\": \"datagram\", \"keepalive\": false}"},
        {"tcp-md5-sig-key", "{\"connect\": \"passive\", \"tcp-md5-sig-key\": \"k\"}"},
        {"ipv6",
         "{\"address-family\": \"file\", \"remote-filename\": \"/x\", \"ipv6\": true}"},
        {"broadcast", "{\"address-family\": \"file\", \"remote-filename\": \"/x\", "
                      "\"broadcast\": true}"},
        {"local-port", "{\"address-family\": \"file\", \"remote-filename\": \"/x\", "
                       "\"local-port\": 1}"},
        {"remote-port", "{\"type\": \"datagram\", \"remote-host\": \"127.0.0.1\"}"},
        {"remote-host", "{\"type\": \"datagram\", \"remote-port\": 1}"},
        {"remote-filename", "{\"address-family\": \"file\", \"remote-filename\": \"x\"}"},
        {"remote-host",
         "{\"remote-host\": \"127.1\", \"remote-port\": 1, \"ipv6\": \"ipv6\"}"},
        {"local-host",
         "{\"remote-host\": \"127.1\", \"remote-port\": 1, \"local-host\": \"::1\"}"},
        {"local-host", "{\"remote-host\": \"::1\", \"remote-port\": 1, "
                       "\"local-host\": \"127.0.0.1\"}"},
        {"wait", "{\"connect\": \"passive\", \"wait\": true}"},
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        refused_parameter(wire, rows[i][0], rows[i][1]);
    }
}

/* Accepted though it has no use, as documented. */
static void test_accepted_parameters(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    int port;

    (void)peer_listen("127.0.0.1", &port);
    wire_call(wire, "make-socket", "{s:s, s:i, s:b, s:s}", "remote-host", "127.0.0.1",
              "remote-port", port, "broadcast", 1, "eol", "crlf");
    wire_call(wire, "make-socket", "{s:s, s:b, s:n}", "connect", "passive", "broadcast",
              1, "remote-host");
}

/* ---- The file family ---- */

static void test_file_streams(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness);
    const char *path = in_directory(harness, "stream");
    struct stat info;
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s, s:s}", "address-family",
                             "file", "connect", "passive", "local-filename", path);

    CU_ASSERT(text_is(made, "address-family", "file"));
    CU_ASSERT(text_is(made, "local-filename", path));
    CU_ASSERT(is_null(made, "ipv6"));
    CU_ASSERT(is_null(made, "local-host"));
    CU_ASSERT(is_null(made, "local-port"));
    json_t *near = wire_call(wire, "make-socket", "{s:s, s:s}", "address-family", "file",
                             "remote-filename", path);
    CU_ASSERT(text_is(near, "remote-filename", path));
    CU_ASSERT(is_null(near, "local-filename"));
    json_t *far =
        wire_call(wire, "accept-connection", "{s:I}", "socket", handle_of(made));
    CU_ASSERT(text_is(far, "local-filename", path));
    CU_ASSERT(is_null(far, "remote-filename"));
    wire_call(wire, "write", "{s:I, s:s}", "socket", handle_of(near), "data",
              "over files");
    json_t *read = wire_call(wire, "read", "{s:I}", "socket", handle_of(far));
    CU_ASSERT(text_is(read, "data", "over files"));
    int peer = peer_connect_file(path);
    (void)wire_call(wire, "accept-connection", "{s:I}", "socket", handle_of(made));
    peer_close(peer);
    wire_call(wire, "close", "{s:I}", "socket", handle_of(made));
    CU_ASSERT_EQUAL(stat(path, &info), -1);
    json_t *error = wire_refused(wire, "unknown", "make-socket", "{s:s, s:s}",
                                 "address-family", "file", "remote-filename", path);
    CU_ASSERT(text_is(json_object_get(error, "data"), "errno", "ENOENT"));
}

/* Two workers that make the same one at once: one of them has it. */
static void test_file_made_twice(void)
{
    const struct harness_options options = {.workers = 2};
    struct harness *harness = harness_start(&options);
    struct wire *wires[2] = {wire_open(harness), wire_open(harness)};
    const char *path = in_directory(harness, "contested");

    for (int round = 0; round < 3000; round++) {
        int64_t ids[2], socket = 0;
        int n_made = 0;
        for (int i = 0; i < 2; i++) {
            ids[i] =
                wire_send(wires[i], "make-socket", "{s:s, s:s, s:s}", "connect",
                          "passive", "address-family", "file", "local-filename", path);
        }
        for (int i = 0; i < 2; i++) {
            json_t *result = json_object_get(wire_reply(wires[i], ids[i]), "result");
            if (result != NULL) {
                socket = wire_int(result, "socket");
                n_made++;
            }
        }
        CU_ASSERT_EQUAL_FATAL(n_made, 1);
        wire_call(wires[0], "close", "{s:I}", "socket", socket);
    }
}

static void test_file_stale_and_live(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness);
    const char *live = in_directory(harness, "live"),
               *stale = in_directory(harness, "stale");
    const char *file = in_directory(harness, "file");
    struct stat info;

    (void)peer_listen_file(live);
    wire_refused(wire, "address-in-use", "make-socket", "{s:s, s:s, s:s}",
                 "address-family", "file", "connect", "passive", "local-filename", live);
    CU_ASSERT_EQUAL(stat(live, &info), 0);
    peer_close(peer_listen_file(stale));
    CU_ASSERT_EQUAL(stat(stale, &info), 0);
    wire_refused(wire, "connection-refused", "make-socket", "{s:s, s:s}",
                 "address-family", "file", "remote-filename", stale);
    wire_call(wire, "make-socket", "{s:s, s:s, s:s}", "address-family", "file", "connect",
              "passive", "local-filename", stale);
    (void)peer_connect_file(stale);
    FILE *plain = fopen(file, "we");
    CU_ASSERT_FATAL(plain != NULL);
    fclose(plain);
    wire_refused(wire, "address-in-use", "make-socket", "{s:s, s:s, s:s}",
                 "address-family", "file", "connect", "passive", "local-filename", file);
    CU_ASSERT_EQUAL(stat(file, &info), 0);
    /* The end of the client is the end of its listener, and of the file. */
    wire_close(wire);
    wire = wire_open(harness);
    json_t *made =
        wire_call(wire, "make-socket", "{s:s, s:s, s:s}", "address-family", "file",
                  "connect", "passive", "local-filename", in_directory(harness, "last"));
    harness_stop(harness);
    CU_ASSERT_EQUAL(stat(stale, &info), -1);
    CU_ASSERT_EQUAL(stat(wire_text(made, "local-filename"), &info), -1);
}

/* A full backlog is no error: the kernel has no event for it, and it is waited for. */
static void test_file_backlog(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness);
    const char *path = in_directory(harness, "full");
    int listener = peer_listen_file(path);
    int64_t ids[8];
    int n_answered = 0;

    CU_ASSERT_EQUAL(listen(listener, 0), 0);
    for (int i = 0; i < 8; i++) {
        ids[i] = wire_send(wire, "make-socket", "{s:s, s:s}", "address-family", "file",
                           "remote-filename", path);
    }
    for (int i = 0; i < 8; i++) {
        (void)peer_accept(listener);
    }
    for (int i = 0; i < 8; i++) {
        n_answered += handle_of(wire_result(wire, ids[i])) > 0;
    }
    CU_ASSERT_EQUAL(n_answered, 8);
}

/* A daemon that is root gives nobody rights on files or ports that he does not have. */
static void test_rights_of_the_caller(void)
{
    const char *const args[] = {"--socket-mode", "0666", NULL};
    const struct harness_options options = {.args = args};

    if (getuid() != 0) {
        unit_skip("only root can be several users");
        return;
    }
    struct harness *harness = harness_start(&options);
    struct wire *wire = wire_open_as(harness, 65534, 65534);
    const char *path = in_directory(harness, "x");

    CU_ASSERT_EQUAL(chmod(harness_directory(harness), 0755), 0);
    wire_refused(wire, "permission-denied", "make-socket", "{s:s, s:s, s:s}",
                 "address-family", "file", "connect", "passive", "local-filename", path);
    (void)peer_listen_file(path);
    CU_ASSERT_EQUAL(chmod(path, 0700), 0);
    wire_refused(wire, "permission-denied", "make-socket", "{s:s, s:s}", "address-family",
                 "file", "remote-filename", path);
    json_t *error =
        wire_refused(wire, "permission-denied", "make-socket", "{s:s, s:s, s:i}",
                     "connect", "passive", "local-host", "127.0.0.1", "local-port", 81);
    CU_ASSERT(text_is(json_object_get(error, "data"), "rule", "privileged-port"));
}

/* ---- Accessors ---- */

static json_t *ask(struct wire *wire, const char *method, int64_t socket)
{
    return json_object_get(wire_call(wire, method, "{s:I}", "socket", socket), "value");
}

static bool answers(struct wire *wire, const char *method, int64_t socket,
                    const json_t *made, const char *member)
{
    const json_t *value = json_object_get(made, member);

    return json_equal(ask(wire, method, socket), value != NULL ? value : json_null());
}

static void test_accessors(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness);
    static const char *const facts[][2] = {
        {"socket-type", "type"},
        {"socket-address-family", "address-family"},
        {"socket-connect", "connect"},
        {"socket-format", "format"},
        {"local-host", "local-host"},
        {"local-port", "local-port"},
        {"remote-host", "remote-host"},
        {"remote-port", "remote-port"},
        {"local-filename", "local-filename"},
        {"remote-filename", "remote-filename"},
        {"ipv6", "ipv6"},
    };
    const char *path = in_directory(harness, "acc");
    json_t *made[6];
    int port;

    (void)peer_listen("127.0.0.1", &port);
    made[0] = wire_call(wire, "make-socket", "{s:s, s:i}", "remote-host", "127.0.0.1",
                        "remote-port", port);
    made[1] = wire_call(wire, "make-socket", "{s:s}", "connect", "passive");
    made[2] = wire_call(wire, "make-socket", "{s:s}", "type", "datagram");
    made[3] = wire_call(wire, "make-socket", "{s:s, s:s, s:s}", "address-family", "file",
                        "connect", "passive", "local-filename", path);
    made[4] = wire_call(wire, "make-socket", "{s:s, s:s}", "address-family", "file",
                        "remote-filename", path);
    made[5] = wire_call(wire, "make-socket", "{s:s, s:s}", "address-family", "file",
                        "type", "datagram");
    CU_ASSERT(text_is(made[1], "local-host", "0.0.0.0"));
    CU_ASSERT(is_null(made[2], "connect"));
    for (unsigned i = 0; i < 6; i++) {
        for (unsigned k = 0; k < sizeof facts / sizeof facts[0]; k++) {
            if (!answers(wire, facts[k][0], handle_of(made[i]), made[i], facts[k][1])) {
                UNIT_FAIL("socket %u: %s", i, facts[k][0]);
            }
        }
    }
}

static const struct unit_test tests[] = {
    {"an active stream", test_active_stream},
    {"forms of hosts", test_forms_of_hosts},
    {"a local address and port", test_local_end},
    {"service names", test_services},
    {"a listener and what it accepts", test_listener},
    {"accepts are served in order and spread", test_accept_in_order_and_spread},
    {"address in use", test_address_in_use},
    {"a client that goes leaves its accept", test_accepts_of_a_client_that_goes},
    {"a peer that went before accept", test_dead_peer_before_accept},
    {"accept and attach", test_accept_attached},
    {"parameters without use are named", test_useless_parameters},
    {"useless parameters that are accepted", test_accepted_parameters},
    {"streams of the file family", test_file_streams},
    {"a file is made twice at once", test_file_made_twice},
    {"stale files are replaced, live ones refused", test_file_stale_and_live},
    {"a full backlog of a file is waited for", test_file_backlog},
    {"the caller's rights count", test_rights_of_the_caller},
    {"accessors", test_accessors},
};
UNIT_MAIN(tests)
