/* SPDX-License-Identifier: MIT */
/*
 * system_integrity.c - thousands of streams of every kind at once: through tunnels,
 * relays and attached connections, plain and TLS, of random sizes, with pauses,
 * half-closed, and reset at random bytes by either side. Every byte is checked where it
 * arrives, every end is the right one, and nothing is left behind.
 *
 * SOCKD_TEST_STREAMS is how many streams there are in all (for 10,000 under a sanitizer
 * SOCKD_TEST_SECONDS has to grow as well); SOCKD_TEST_SEED repeats a run.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/net/pipes.h"
#include "tests/certs.h"
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/traffic.h"
#include "tests/tunnel_rig.h"
#include "tests/unit.h"
#include "tests/wire.h"

enum {
    N_STREAMS = 2400,
    AT_ONCE = 240,
    SMALL = 1 << 14,
    LARGE = 1 << 20,                     /* one in 32 */
    SPARE_DESCRIPTORS = 2 * PIPES_SPARE, /* of each worker */
};

static struct {
    struct cert_tree tree;
    int64_t client; /* context */
    struct rig_tunnel plain, opening, sealing;
    struct {
        char path[108];
        int64_t handle;
    } file;           /* a tunnel from a socket file to the target of `plain` */
    int target, port; /* a listener, for streams that a client of the daemon makes */
    int file_target;  /* the same as a file */
    char target_path[108];
    int n_descriptors; /* of the daemon, before there is any stream */
} all;

/* ---- What all streams go through ---- */

static void make_tunnels(void)
{
    struct wire *wire = tunnel_rig.wire;
    const char *directory = harness_directory(tunnel_rig.harness);

    json_t *server =
        wire_call(wire, "make-ssl-server-context", "{s:s, s:s}", "certificate",
                  all.tree.chain, "key", all.tree.leaf->key_pem);
    all.client =
        wire_int(wire_call(wire, "make-ssl-client-context", "{s:s, s:s}", "ca-file",
                           all.tree.root->pem, "server-name", "server.test"),
                 "context");
    all.plain = rig_tunnel(wire, NULL);
    all.opening = rig_tunnel(
        wire, json_pack("{s:I}", "server-context", wire_int(server, "context")));
    all.sealing = rig_tunnel(
        wire, json_pack("{s:I, s:{s:s, s:i}}", "client-context", all.client, "connect",
                        "remote-host", "127.0.0.1", "remote-port", all.opening.port));
    (void)snprintf(all.file.path, sizeof all.file.path, "%s/tunnel", directory);
    all.file.handle = wire_int(
        wire_call(wire, "make-tunnel", "{s:{s:s, s:s}, s:{s:s, s:i}}", "listen",
                  "address-family", "file", "local-filename", all.file.path, "connect",
                  "remote-host", "127.0.0.1", "remote-port", all.plain.target_port),
        "tunnel");
    all.target = peer_listen("127.0.0.1", &all.port);
    (void)snprintf(all.target_path, sizeof all.target_path, "%s/target", directory);
    all.file_target = peer_listen_file(all.target_path);
}

static void begin(void)
{
    cert_tree_init(&all.tree);
    tunnel_rig_start(0);
    make_tunnels();
    all.n_descriptors = harness_n_descriptors(tunnel_rig.harness);
}

static bool nothing_left(void *context)
{
    int n = harness_n_descriptors(tunnel_rig.harness);

    (void)context;
    return n <= all.n_descriptors +
                    (int)harness_workers(tunnel_rig.harness) * SPARE_DESCRIPTORS;
}

static void await_nothing(void)
{
    const int64_t tunnels[] = {all.plain.handle, all.opening.handle, all.sealing.handle,
                               all.file.handle};

    for (unsigned i = 0; i < 4; i++) {
        rig_await_value(tunnels[i], "connections", 0);
    }
    rig_await_sockets(4); /* the listeners */
    harness_await(nothing_left, NULL, "the end of all descriptors");
    CU_ASSERT_EQUAL(wire_int(rig_listed(all.sealing.handle), "failed"), 0);
    CU_ASSERT_EQUAL(wire_int(rig_listed(all.opening.handle), "refused"), 0);
}

/* ---- Kinds of streams: both ends of one ---- */

struct ends {
    int first, second;
    bool is_mute; /* one of them is a Unix socket, where a cut has no sign */
};

static struct ends through(int front, const struct rig_tunnel *tunnel)
{
    return (struct ends){front, peer_accept(tunnel->target), false};
}

static struct ends plain_tunnel(void)
{
    return through(peer_connect("127.0.0.1", all.plain.port), &all.plain);
}

static struct ends tls_tunnel(void)
{
    return through(peer_connect("127.0.0.1", all.sealing.port), &all.opening);
}

static struct ends file_tunnel(void)
{
    struct ends ends = through(peer_connect_file(all.file.path), &all.plain);

    ends.is_mute = true;
    return ends;
}

/* A stream of the daemon to the port. `context`: with TLS, 0: without. */
static int64_t make_stream(struct wire *by, int port, int64_t context)
{
    int64_t sock = wire_int(wire_call(by, "make-socket", "{s:s, s:i}", "remote-host",
                                      "127.0.0.1", "remote-port", port),
                            "socket");

    if (context != 0) {
        wire_call(by, "make-ssl-client-stream", "{s:I, s:I}", "socket", sock, "context",
                  context);
    }
    return sock;
}

/* The control connection that makes it becomes it. */
static int attach_stream(int port, int64_t context)
{
    struct wire *raw = wire_open(tunnel_rig.harness);

    wire_call(raw, "attach", "{s:I}", "socket", make_stream(raw, port, context));
    int fd = peer_adopt(dup(wire_descriptor(raw)));
    wire_close(raw);
    return fd;
}

static struct ends plain_attach(void)
{
    int fd = attach_stream(all.port, 0);

    return (struct ends){fd, peer_accept(all.target), true};
}

static struct ends tls_attach(void)
{
    int fd = attach_stream(all.opening.port, all.client);

    return (struct ends){fd, peer_accept(all.opening.target), true};
}

static void join(int64_t first, int64_t second)
{
    wire_call(tunnel_rig.wire, "relay", "{s:I, s:I}", "first", first, "second", second);
}

static struct ends plain_relay(void)
{
    struct ends ends = {.is_mute = false};
    int64_t first = make_stream(tunnel_rig.wire, all.port, 0);

    ends.first = peer_accept(all.target);
    int64_t second = make_stream(tunnel_rig.wire, all.port, 0);
    ends.second = peer_accept(all.target);
    join(first, second);
    return ends;
}

static struct ends file_relay(void)
{
    struct ends ends = {.is_mute = true};
    int64_t first =
        wire_int(wire_call(tunnel_rig.wire, "make-socket", "{s:s, s:s}", "address-family",
                           "file", "remote-filename", all.target_path),
                 "socket");

    ends.first = peer_accept(all.file_target);
    int64_t second = make_stream(tunnel_rig.wire, all.port, 0);
    ends.second = peer_accept(all.target);
    join(first, second);
    return ends;
}

static struct ends tls_relay(void)
{
    struct ends ends = {.is_mute = false};
    int64_t first = make_stream(tunnel_rig.wire, all.port, 0);

    ends.first = peer_accept(all.target);
    join(first, make_stream(tunnel_rig.wire, all.opening.port, all.client));
    ends.second = peer_accept(all.opening.target);
    return ends;
}

static const struct {
    const char *name;
    struct ends (*open)(void);
} kinds[] = {
    {"tunnel", plain_tunnel},        {"TLS tunnels", tls_tunnel},
    {"file tunnel", file_tunnel},    {"attach", plain_attach},
    {"attach with TLS", tls_attach}, {"relay", plain_relay},
    {"file relay", file_relay},      {"relay with TLS", tls_relay},
};

/* ---- The test ---- */

static void add_stream(unsigned number)
{
    unsigned kind = number % (sizeof kinds / sizeof kinds[0]);
    struct ends ends = kinds[kind].open();
    struct traffic_plan plan = traffic_random(harness_random() % 32 == 0 ? LARGE : SMALL);

    plan.name = kinds[kind].name;
    plan.is_slow = harness_random() % 64 == 0 && plan.sizes[0] < SMALL;
    if (harness_random() % 4 == 0) {
        plan.sizes[0]++;
        plan.cut = ends.is_mute ? TRAFFIC_CUT_MUTE : TRAFFIC_CUT_HEARD;
        plan.cut_at = (size_t)(harness_random() % plan.sizes[0]);
    }
    if (harness_random() % 2 == 0) { /* either side may be the one that cuts */
        traffic_add(ends.first, ends.second, &plan);
    } else {
        traffic_add(ends.second, ends.first, &plan);
    }
}

static void test_streams(void)
{
    const char *text = getenv("SOCKD_TEST_STREAMS");
    unsigned n_streams = text != NULL ? (unsigned)strtoul(text, NULL, 10) : N_STREAMS;

    begin();
    for (unsigned n = 0; n < n_streams;) {
        for (unsigned i = 0; i < AT_ONCE && n < n_streams; i++) {
            add_stream(n++);
        }
        traffic_run();
        await_nothing();
    }
    unit_note("%u streams on %u workers", n_streams, harness_workers(tunnel_rig.harness));
    cert_tree_fini(&all.tree);
}

static const struct unit_test tests[] = {
    {"thousands of streams of every kind, every byte and every end", test_streams},
};

UNIT_MAIN(tests)
