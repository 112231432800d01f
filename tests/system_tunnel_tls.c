/* SPDX-License-Identifier: MIT */
/*
 * system_tunnel_tls.c - tunnels with TLS: two of them behind each other, so that one
 * seals what the other opens; who may pass, what comes before TLS, and what becomes of
 * handshakes that fail.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "tests/certs.h"
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/tls_peer.h"
#include "tests/traffic.h"
#include "tests/tunnel_rig.h"
#include "tests/unit.h"
#include "tests/wire.h"

static struct cert_tree tree;
static struct cert *guest; /* of a client, "guest" and "guest.test" */

static void begin(unsigned workers)
{
    cert_tree_init(&tree);
    guest = cert_new(&(struct cert_spec){
        .name = "guest", .alt_names = "DNS:guest.test", .issuer = tree.root});
    tunnel_rig_start(workers);
}

static void end(void)
{
    cert_free(guest);
    cert_tree_fini(&tree);
}

static int64_t make_server(json_t *more)
{
    json_t *params =
        json_pack("{s:s, s:s}", "certificate", tree.chain, "key", tree.leaf->key_pem);

    CU_ASSERT_EQUAL(json_object_update(params, more), 0);
    json_t *made = wire_call(tunnel_rig.wire, "make-ssl-server-context", "O", params);
    json_decref(params);
    json_decref(more);
    return wire_int(made, "context");
}

/* Wants the server of the tree; with a certificate of its own or without. */
static int64_t make_client(const struct cert *own)
{
    json_t *params =
        json_pack("{s:s, s:s}", "ca-file", tree.root->pem, "server-name", "server.test");

    if (own != NULL) {
        json_object_set_new(params, "certificate", json_string(own->pem));
        json_object_set_new(params, "key", json_string(own->key_pem));
    }
    json_t *made = wire_call(tunnel_rig.wire, "make-ssl-client-context", "O", params);
    json_decref(params);
    return wire_int(made, "context");
}

/* A tunnel that seals, to `port`. */
static struct rig_tunnel make_sealing(int64_t context, int port, json_t *more)
{
    json_t *params =
        json_pack("{s:I, s:{s:s, s:i}}", "client-context", context, "connect",
                  "remote-host", "127.0.0.1", "remote-port", port);

    if (more != NULL) {
        CU_ASSERT_EQUAL(json_object_update(params, more), 0);
        json_decref(more);
    }
    return rig_tunnel(tunnel_rig.wire, params);
}

static struct rig_tunnel make_opening(json_t *more)
{
    json_t *params = json_pack("{s:I}", "server-context", make_server(json_object()));

    if (more != NULL) {
        CU_ASSERT_EQUAL(json_object_update(params, more), 0);
        json_decref(more);
    }
    return rig_tunnel(tunnel_rig.wire, params);
}

static void await_both_empty(const struct rig_tunnel *first,
                             const struct rig_tunnel *second)
{
    rig_await_value(first->handle, "connections", 0);
    rig_await_value(second->handle, "connections", 0);
    rig_await_sockets(2);
}

/* ---- Bytes ---- */

static void run_traffic(unsigned workers, unsigned n, size_t most)
{
    begin(workers);
    struct rig_tunnel opening = make_opening(NULL);
    struct rig_tunnel sealing = make_sealing(make_client(NULL), opening.port, NULL);

    for (unsigned i = 0; i < n; i++) {
        struct traffic_plan plan = traffic_random(i % 20 == 0 ? most : 1u << 15);
        int front = peer_connect("127.0.0.1", sealing.port);
        int back = peer_accept(opening.target);
        if (i % 5 == 0) {
            plan.sizes[0]++;
            plan.cut = TRAFFIC_CUT_HEARD;
            plan.cut_at = (size_t)(harness_random() % plan.sizes[0]);
        }
        plan.is_slow = i % 17 == 3;
        traffic_add(front, back, &plan);
    }
    traffic_run();
    await_both_empty(&sealing, &opening);
    CU_ASSERT_EQUAL(wire_int(rig_listed(opening.handle), "accepted"), n);
    CU_ASSERT_EQUAL(wire_int(rig_listed(opening.handle), "cut"), (n + 4) / 5);
    CU_ASSERT_EQUAL(wire_int(rig_listed(sealing.handle), "failed"), 0);
    end();
}

static void test_traffic_one(void) { run_traffic(1, 60, 2u << 20); }

static void test_traffic_many(void) { run_traffic(4, 150, 4u << 20); }

/* Plain tunnels and pairs of sealing and opening ones, on one worker. */
static void test_slow_readers(void)
{
    begin(1);
    struct rig_tunnel plain = rig_tunnel(tunnel_rig.wire, json_object());
    struct rig_tunnel opening = make_opening(NULL);
    struct rig_tunnel sealing = make_sealing(make_client(NULL), opening.port, NULL);

    for (unsigned i = 0; i < 16; i++) {
        struct traffic_plan plan = {.sizes = {8u << 20, 1u << 16}, .is_slow = i < 6};
        bool is_plain = i % 2 == 0;
        int front = peer_connect("127.0.0.1", is_plain ? plain.port : sealing.port);
        traffic_add(front, peer_accept(is_plain ? plain.target : opening.target), &plan);
    }
    traffic_run_fast();
    CU_ASSERT_TRUE(harness_memory_kib(tunnel_rig.harness) < 200L * 1024);
    end();
}

static void test_half_close(void)
{
    begin(2);
    struct rig_tunnel opening = make_opening(NULL);
    struct rig_tunnel sealing = make_sealing(make_client(NULL), opening.port, NULL);
    int front = peer_connect("127.0.0.1", sealing.port);
    int back = peer_accept(opening.target);

    peer_print(front, "question");
    peer_shut_output(front);
    peer_expect_text(back, "question");
    peer_expect_end(back);
    peer_print(back, "answer");
    peer_expect_text(front, "answer");
    peer_close(back);
    peer_expect_end(front);
    await_both_empty(&sealing, &opening);
    CU_ASSERT_EQUAL(wire_int(rig_listed(opening.handle), "cut"), 0);
    CU_ASSERT_EQUAL(wire_int(rig_listed(sealing.handle), "cut"), 0);
    end();
}

/* Both ends go while all between them is full, both ways: neither tunnel waits until the
 * other reads. */
static void test_both_gone(void)
{
    begin(2);
    json_t *for_ever = json_pack("{s:i}", "half-closed-timeout", 0);
    struct rig_tunnel opening = make_opening(json_incref(for_ever));
    struct rig_tunnel sealing = make_sealing(make_client(NULL), opening.port, for_ever);

    for (unsigned i = 0; i < 4; i++) {
        int front = peer_connect("127.0.0.1", sealing.port);
        int back = peer_accept(opening.target);
        (void)rig_stuff(front, back);
        peer_abort(i < 2 ? front : back);
        peer_abort(i < 2 ? back : front);
    }
    await_both_empty(&sealing, &opening);
    CU_ASSERT_EQUAL(wire_int(rig_listed(opening.handle), "cut"), 4);
    CU_ASSERT_EQUAL(wire_int(rig_listed(sealing.handle), "cut"), 4);
    end();
}

/* ---- Who may pass ---- */

static struct rig_tunnel make_guarded(const char *name)
{
    int64_t context = make_server(
        json_pack("{s:s, s:s}", "verify", "required", "ca-file", tree.root->pem));

    return rig_tunnel(tunnel_rig.wire,
                      json_pack("{s:I, s:[s, s]}", "server-context", context,
                                "client-names", "somebody.test", name));
}

static void check_pass(const char *name, const struct cert *own, bool may_pass)
{
    struct rig_tunnel guarded = make_guarded(name);
    struct rig_tunnel sealing = make_sealing(make_client(own), guarded.port, NULL);
    int front = peer_connect("127.0.0.1", sealing.port);

    if (may_pass) {
        int back = peer_accept(guarded.target);
        peer_print(front, "let in");
        peer_expect_text(back, "let in");
        peer_close(back);
        peer_expect_end(front);
        peer_close(front);
        CU_ASSERT_EQUAL(wire_int(rig_listed(guarded.handle), "refused"), 0);
    } else {
        peer_expect_reset(front);
        rig_await_value(guarded.handle, "refused", 1);
    }
    rig_await_value(guarded.handle, "connections", 0);
}

static void test_names(void)
{
    begin(2);
    check_pass("guest", guest, true);
    check_pass("guest.test", guest, true);
    check_pass("test", guest, false);
    check_pass("guest.tes", guest, false);
    check_pass("guest", NULL, false);
    wire_refused(tunnel_rig.wire, "invalid-params", "make-tunnel",
                 "{s:{s:s}, s:{s:s, s:i}, s:[s]}", "listen", "local-host", "127.0.0.1",
                 "connect", "remote-host", "127.0.0.1", "remote-port", 1, "client-names",
                 "a");
    end();
}

static void refuse_names(int64_t first, int64_t second)
{
    json_t *error =
        wire_refused(tunnel_rig.wire, "invalid-params", "make-tunnel",
                     "{s:{s:s}, s:{s:s, s:i}, s:[I, I], s:[s]}", "listen", "local-host",
                     "127.0.0.1", "connect", "remote-host", "127.0.0.1", "remote-port", 1,
                     "server-context", first, second, "client-names", "guest");
    const json_t *data = json_object_get(error, "data");

    CU_ASSERT_STRING_EQUAL(wire_text(data, "parameter"), "client-names");
    CU_ASSERT_STRING_EQUAL(wire_text(data, "wanted"),
                           "a server-context with verify = required");
}

/* Where no certificate is demanded nobody could pass. A context keeps its verify when it
 * is updated, so it is enough to look once. */
static void test_names_unchecked(void)
{
    begin(2);
    int64_t guarded = make_server(
        json_pack("{s:s, s:s}", "verify", "required", "ca-file", tree.root->pem));

    refuse_names(guarded, make_server(json_object()));
    refuse_names(make_server(json_pack("{s:s, s:s}", "verify", "optional", "ca-file",
                                       tree.root->pem)),
                 guarded);
    end();
}

/* ---- Failures ---- */

/* A target that speaks no TLS, one with the certificate of somebody else, one that is
 * good. */
static void test_fail_over(void)
{
    begin(2);
    struct rig_tunnel opening = make_opening(NULL);
    struct rig_tunnel plain = rig_tunnel(tunnel_rig.wire, NULL);
    struct cert *stranger = cert_new(
        &(struct cert_spec){.name = "server.test", .alt_names = "DNS:server.test"});
    json_t *made = wire_call(tunnel_rig.wire, "make-ssl-server-context", "{s:s, s:s}",
                             "certificate", stranger->pem, "key", stranger->key_pem);
    struct rig_tunnel other = rig_tunnel(
        tunnel_rig.wire, json_pack("{s:I}", "server-context", wire_int(made, "context")));
    struct rig_tunnel sealing =
        make_sealing(make_client(NULL), 1,
                     json_pack("{s:[{s:s, s:i}, {s:s, s:i}, {s:s, s:i}]}", "connect",
                               "remote-host", "127.0.0.1", "remote-port", plain.port,
                               "remote-host", "127.0.0.1", "remote-port", other.port,
                               "remote-host", "127.0.0.1", "remote-port", opening.port));
    int front = peer_connect("127.0.0.1", sealing.port);
    int silent = peer_accept(plain.target);

    peer_print(silent, "this is no TLS, and long enough to be seen as such\r\n");
    int back = peer_accept(opening.target);
    peer_print(front, "found");
    peer_expect_text(back, "found");
    rig_await_value(other.handle, "refused", 1);
    CU_ASSERT_EQUAL(wire_int(rig_listed(sealing.handle), "failed"), 0);
    cert_free(stranger);
    end();
}

static void test_bad_handshakes(void)
{
    begin(2);
    struct rig_tunnel opening =
        make_opening(json_pack("{s:f}", "handshake-timeout", 0.2));
    int front = peer_connect("127.0.0.1", opening.port);

    peer_expect_end(front); /* it says nothing, and no session was begun */
    rig_await_value(opening.handle, "refused", 1);
    front = peer_connect("127.0.0.1", opening.port);
    peer_shut_output(front);
    rig_await_value(opening.handle, "refused", 2);
    /* The same towards a target. */
    int port, target = peer_listen("127.0.0.1", &port);
    struct rig_tunnel sealing = make_sealing(
        make_client(NULL), port, json_pack("{s:f}", "handshake-timeout", 0.2));
    front = peer_connect("127.0.0.1", sealing.port);
    (void)peer_accept(target);
    peer_expect_reset(front);
    rig_await_value(sealing.handle, "failed", 1);
    end();
}

/* ---- PROXY headers stand before TLS ---- */

static void test_proxy(void)
{
    begin(2);
    struct rig_tunnel opening =
        make_opening(json_pack("{s:s, s:s}", "accept-proxy", "v2", "send-proxy", "v1"));
    struct rig_tunnel sealing =
        make_sealing(make_client(NULL), opening.port,
                     json_pack("{s:s, s:s}", "accept-proxy", "v1", "send-proxy", "v2"));
    int front = peer_connect("127.0.0.1", sealing.port);

    peer_print(front, "PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\nhello");
    int back = peer_accept(opening.target);
    peer_expect_text(back, "PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\nhello");
    end();
}

/* Adds one TLV; texts may have a NUL in them. */
static size_t put(uint8_t *at, unsigned type, const void *value, size_t size)
{
    at[0] = (uint8_t)type;
    at[1] = 0;
    at[2] = (uint8_t)size;
    memcpy(at + 3, value, size);
    return 3 + size;
}

/* Version 2 tells what the TLS of the client is like: with a certificate, and without. */
static void check_told(int port, int target, const struct cert *own, int version)
{
    struct tls_peer_spec spec = {.server_name = "server.test",
                                 .ca = tree.root->pem,
                                 .alpn = "x,h2",
                                 .version = version};
    uint8_t found[512], expected[512], inner[256] = {1, 0, 0, 0, 1};
    size_t n = 28, n_inner = 5;

    if (own != NULL) {
        spec.certificate = own->pem;
        spec.key = own->key_pem;
        inner[0] = 7;
        inner[4] = 0;
    }
    SSL *ssl = tls_peer_new(&spec, peer_connect("127.0.0.1", port));
    tls_peer_handshake(ssl);
    tls_peer_print(ssl, "x");
    int back = peer_accept(target);
    const char *cipher = SSL_get_cipher_name(ssl);

    n_inner += put(inner + n_inner, 0x21, SSL_get_version(ssl), 7);
    n_inner += put(inner + n_inner, 0x23, cipher, strlen(cipher));
    n_inner += own != NULL ? put(inner + n_inner, 0x22, "guest", 5) : 0;
    n += put(expected + n, 1, "h2", 2);
    n += put(expected + n, 2, "server.test", 11);
    n += put(expected + n, 0x20, inner, n_inner);
    expected[n++] = 'x';
    for (size_t have = 0; have < n;) {
        have += peer_read(back, found + have, n - have);
    }
    CU_ASSERT_EQUAL(memcmp(found + 28, expected + 28, n - 28), 0);
    CU_ASSERT_EQUAL(found[14] << 8 | found[15], (int)n - 16 - 1);
}

static void test_proxy_tells_tls(void)
{
    begin(2);
    int64_t context =
        make_server(json_pack("{s:s, s:s, s:s, s:b}", "verify", "optional", "ca-file",
                              tree.root->pem, "alpn", "h2", "sessions", 0));
    struct rig_tunnel opening =
        rig_tunnel(tunnel_rig.wire, json_pack("{s:I, s:s}", "server-context", context,
                                              "send-proxy", "v2"));

    check_told(opening.port, opening.target, NULL, TLS1_3_VERSION);
    check_told(opening.port, opening.target, guest, TLS1_3_VERSION);
    check_told(opening.port, opening.target, guest, TLS1_2_VERSION);
    end();
}

/* ---- Contexts ---- */

static void test_contexts(void)
{
    begin(2);
    int64_t server = make_server(json_object()), client = make_client(NULL);

    wire_refused(tunnel_rig.wire, "invalid-params", "make-tunnel",
                 "{s:{}, s:{s:s, s:i}, s:I}", "listen", "connect", "remote-host", "a",
                 "remote-port", 1, "client-context", server);
    wire_refused(tunnel_rig.wire, "invalid-params", "make-tunnel",
                 "{s:{}, s:{s:s, s:i}, s:I}", "listen", "connect", "remote-host", "a",
                 "remote-port", 1, "server-context", client);
    /* Nothing says for whom the certificate of a socket file must be. */
    int64_t nameless =
        wire_int(wire_call(tunnel_rig.wire, "make-ssl-client-context", NULL), "context");
    json_t *error =
        wire_refused(tunnel_rig.wire, "invalid-params", "make-tunnel",
                     "{s:{}, s:{s:s, s:s}, s:I}", "listen", "connect", "address-family",
                     "file", "remote-filename", "/tmp/none", "client-context", nameless);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                           "client-context");
    wire_refused(tunnel_rig.wire, "no-such-context", "make-tunnel",
                 "{s:{}, s:{s:s, s:i}, s:s}", "listen", "connect", "remote-host", "a",
                 "remote-port", 1, "server-context", "nobody");
    /* A tunnel keeps what it has. */
    struct rig_tunnel opening =
        rig_tunnel(tunnel_rig.wire, json_pack("{s:I}", "server-context", server));
    struct rig_tunnel sealing = make_sealing(client, opening.port, NULL);
    wire_call(tunnel_rig.wire, "close-context", "{s:I}", "context", server);
    wire_call(tunnel_rig.wire, "close-context", "{s:I}", "context", client);
    int front = peer_connect("127.0.0.1", sealing.port);
    int back = peer_accept(opening.target);
    peer_print(front, "still");
    peer_expect_text(back, "still");
    end();
}

static const struct unit_test tests[] = {
    {"random traffic through one worker", test_traffic_one},
    {"random traffic through several", test_traffic_many},
    {"slow readers hold nobody else up", test_slow_readers},
    {"each way ends for itself", test_half_close},
    {"both ends go while all is full", test_both_gone},
    {"client-names", test_names},
    {"client-names without verification", test_names_unchecked},
    {"a target is one whose handshake is done", test_fail_over},
    {"handshakes that fail", test_bad_handshakes},
    {"PROXY headers before TLS", test_proxy},
    {"PROXY headers tell of TLS", test_proxy_tells_tls},
    {"contexts", test_contexts},
};

UNIT_MAIN(tests)
