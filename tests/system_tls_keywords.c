/* SPDX-License-Identifier: MIT */
/*
 * system_tls_keywords.c - keywords of contexts, streams, listeners and tunnels, each seen
 * by what it does to a handshake or to the end of a stream. What is wrong with a value is
 * in system_tls_contexts.c.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/tls_pair.h"
#include "tests/tunnel_rig.h"
#include "tests/unit.h"
#include "tests/wire.h"

static const char both[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384";
static const char reverse[] =
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256";

/* A new pair, whose side of the daemon uses a context; the `tls` of its description.
 * `params` are those of the context. */
static json_t *greet(const char *role, json_t *params, const struct tls_peer_spec *peer)
{
    int64_t context = tls_context(role, params);

    return tls_again(role, json_pack("{s:I}", "context", context), peer);
}

/* The same where verification must fail; what it says. */
static int64_t distrust(const char *role, json_t *params,
                        const struct tls_peer_spec *peer)
{
    int64_t context = tls_context(role, params);

    pair_open(NULL);
    tls_wrap(role, json_pack("{s:I}", "context", context));
    json_t *error = tls_refuse(peer, "certificate-verify-failed");
    return wire_int(json_object_get(error, "data"), "verify-code");
}

static bool shows(SSL *ssl, const struct cert *cert)
{
    X509 *shown = SSL_get1_peer_certificate(ssl);
    bool is_it = shown != NULL && X509_cmp(shown, cert->x509) == 0;

    X509_free(shown);
    return is_it;
}

/* ---- Who one is ---- */

static void test_client_password(void)
{
    struct tls_peer_spec peer = tls_server_peer();
    char *locked = cert_key_text(tls_tree.leaf, CERT_KEY_ENCRYPTED, "open sesame");

    peer.ca = tls_tree.root->pem;
    peer.asks = true;
    pair_start(NULL);
    for (int i = 0; i < 2; i++) {
        json_t *params =
            tls_client_params("{s:s, s:s}", "certificate", tls_tree.chain, "key", locked);
        if (i == 1) {
            json_object_set_new(params, "certificate-password", json_string("sesame"));
        }
        json_t *error = wire_refused(pair.wire, "invalid-params",
                                     "make-ssl-client-context", "o", params);
        CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                               "certificate-password");
    }
    greet("client",
          tls_client_params("{s:s, s:s, s:s}", "certificate", tls_tree.chain, "key",
                            locked, "certificate-password", "open sesame"),
          &peer);
    CU_ASSERT_TRUE(shows(tls_peer, tls_tree.leaf));
    tls_talk();
    free(locked);
}

/* An update with a key that is encrypted needs its password, and then it is shown. */
static void test_updated_password(void)
{
    struct cert *next = cert_new(&(struct cert_spec){
        .name = "next", .issuer = tls_tree.root, .alt_names = "DNS:server.test"});
    char *locked = cert_key_text(next, CERT_KEY_ENCRYPTED, "open sesame");

    pair_start(NULL);
    int64_t context = tls_context("server", tls_server_params(NULL));
    json_t *error =
        wire_refused(pair.wire, "invalid-params", "update-context",
                     "{s:I, s:s, s:s, s:s}", "context", context, "certificate", next->pem,
                     "key", locked, "certificate-password", "sesame");
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                           "certificate-password");
    tls_again("server", json_pack("{s:I}", "context", context), NULL);
    CU_ASSERT_TRUE(shows(tls_peer, tls_tree.leaf));
    wire_call(pair.wire, "update-context", "{s:I, s:s, s:s, s:s}", "context", context,
              "certificate", next->pem, "key", locked, "certificate-password",
              "open sesame");
    tls_again("server", json_pack("{s:I}", "context", context), NULL);
    CU_ASSERT_TRUE(shows(tls_peer, next));
    tls_talk();
    free(locked);
    cert_free(next);
}

/* Of a server it says nothing where there is only one certificate. */
static void test_server_stream_name(void)
{
    pair_start(NULL);
    json_t *tls = tls_again(
        "server", tls_server_params("{s:s}", "server-name", "other.test"), NULL);
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "server-name"), "server.test");
    CU_ASSERT_TRUE(shows(tls_peer, tls_tree.leaf));
    tls_talk();
}

/* ---- Whom one trusts ---- */

/* A client of the intermediate, and a peer that shows it with all its chain. */
static struct cert *make_guest(struct tls_peer_spec *peer, char **chain)
{
    struct cert *guest =
        cert_new(&(struct cert_spec){.name = "guest", .issuer = tls_tree.middle});

    *chain = cert_join(guest->pem, tls_tree.middle->pem, NULL);
    *peer = tls_client_peer();
    peer->certificate = *chain;
    peer->key = guest->key_pem;
    return guest;
}

static void test_client_directory(void)
{
    struct tls_peer_spec peer = tls_server_peer();
    struct cert *stranger =
        cert_new(&(struct cert_spec){.name = "stranger", .is_authority = true});
    char *all = cert_join(stranger->pem, tls_tree.root->pem, NULL);

    pair_start(NULL);
    json_t *tls =
        greet("client",
              json_pack("{s:s, s:s}", "server-name", "server.test", "ca-directory", all),
              &peer);
    CU_ASSERT_TRUE(wire_bool(tls, "verified"));
    tls_talk();
    CU_ASSERT_EQUAL(
        distrust("client", json_pack("{s:s}", "server-name", "server.test"), &peer),
        X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    CU_ASSERT_EQUAL(distrust("client",
                             json_pack("{s:s, s:s}", "server-name", "server.test",
                                       "ca-directory", stranger->pem),
                             &peer),
                    X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    free(all);
    cert_free(stranger);
}

static void test_server_directory(void)
{
    struct tls_peer_spec peer;
    char *chain;
    struct cert *guest = make_guest(&peer, &chain);
    struct cert *stranger =
        cert_new(&(struct cert_spec){.name = "stranger", .is_authority = true});

    pair_start(NULL);
    json_t *tls = greet("server",
                        tls_server_params("{s:s, s:s}", "verify", "required",
                                          "ca-directory", tls_tree.root->pem),
                        &peer);
    CU_ASSERT_TRUE(wire_bool(tls, "verified"));
    tls_talk();
    json_t *error = wire_refused(pair.wire, "invalid-params", "make-ssl-server-context",
                                 "o", tls_server_params("{s:s}", "verify", "required"));
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                           "ca-file");
    CU_ASSERT_EQUAL(distrust("server",
                             tls_server_params("{s:s, s:s}", "verify", "required",
                                               "ca-directory", stranger->pem),
                             &peer),
                    X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    cert_free(stranger);
    cert_free(guest);
    free(chain);
}

static void test_updated_directory(void)
{
    struct tls_peer_spec peer = tls_server_peer();
    struct cert *stranger =
        cert_new(&(struct cert_spec){.name = "stranger", .is_authority = true});

    pair_start(NULL);
    int64_t context =
        tls_context("client", json_pack("{s:s, s:s}", "server-name", "server.test",
                                        "ca-directory", stranger->pem));
    pair_open(NULL);
    tls_wrap("client", json_pack("{s:I}", "context", context));
    tls_refuse(&peer, "certificate-verify-failed");
    wire_call(pair.wire, "update-context", "{s:I, s:s}", "context", context,
              "ca-directory", tls_tree.root->pem);
    json_t *tls = tls_again("client", json_pack("{s:I}", "context", context), &peer);
    CU_ASSERT_TRUE(wire_bool(tls, "verified"));
    tls_talk();
    cert_free(stranger);
}

static void test_client_verify(void)
{
    struct tls_peer_spec peer = tls_server_peer();

    pair_start(NULL);
    json_t *nobody =
        json_pack("{s:s, s:s}", "server-name", "server.test", "verify", "required");
    CU_ASSERT_EQUAL(distrust("client", nobody, &peer),
                    X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    json_t *tls =
        greet("client",
              json_pack("{s:s, s:b}", "server-name", "server.test", "verify", 0), &peer);
    CU_ASSERT_FALSE(wire_bool(tls, "verified"));
    tls_talk();
    tls = greet("client", tls_client_params("{s:s}", "verify", "optional"), &peer);
    CU_ASSERT_TRUE(wire_bool(tls, "verified"));
}

/* One certificate stands between the leaf and the root. */
static void test_client_depth(void)
{
    struct tls_peer_spec peer = tls_server_peer();

    pair_start(NULL);
    CU_ASSERT_EQUAL(distrust("client", tls_client_params("{s:i}", "max-depth", 0), &peer),
                    X509_V_ERR_CERT_CHAIN_TOO_LONG);
    json_t *tls = greet("client", tls_client_params("{s:i}", "max-depth", 1), &peer);
    CU_ASSERT_TRUE(wire_bool(tls, "verified"));
    tls_talk();
}

static void test_server_stream_depth(void)
{
    struct tls_peer_spec peer;
    char *chain;
    struct cert *guest = make_guest(&peer, &chain);

    pair_start(NULL);
    for (int depth = 0; depth < 2; depth++) {
        json_t *params =
            tls_server_params("{s:s, s:s, s:i}", "verify", "required", "ca-file",
                              tls_tree.root->pem, "max-depth", depth);
        if (depth == 0) {
            pair_open(NULL);
            tls_wrap("server", params);
            json_t *error = tls_refuse(&peer, "certificate-verify-failed");
            CU_ASSERT_EQUAL(wire_int(json_object_get(error, "data"), "verify-code"),
                            X509_V_ERR_CERT_CHAIN_TOO_LONG);
        } else {
            json_t *tls = tls_again("server", params, &peer);
            CU_ASSERT_TRUE(wire_bool(tls, "verified"));
            tls_talk();
        }
    }
    cert_free(guest);
    free(chain);
}

/* ---- What is agreed upon ---- */

static void test_client_ciphers(void)
{
    struct tls_peer_spec peer = tls_server_peer();

    pair_start(NULL);
    peer.version = TLS1_2_VERSION;
    json_t *tls = greet(
        "client", tls_client_params("{s:s}", "ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        &peer);
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "cipher"),
                           "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
    tls = greet("client",
                tls_client_params("{s:s}", "ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"),
                &peer);
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "cipher"),
                           "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    tls_talk();
}

static void test_ciphersuites(void)
{
    static const char *const suites[] = {"TLS_AES_128_GCM_SHA256",
                                         "TLS_CHACHA20_POLY1305_SHA256",
                                         "TLS_AES_256_GCM_SHA384"};

    pair_start(NULL);
    for (size_t i = 0; i < 3; i++) {
        json_t *tls =
            greet("client", tls_client_params("{s:s}", "ciphersuites", suites[i]), NULL);
        CU_ASSERT_STRING_EQUAL(wire_text(tls, "cipher"), suites[i]);
        tls = tls_again("server", tls_server_params("{s:s}", "ciphersuites", suites[i]),
                        NULL);
        CU_ASSERT_STRING_EQUAL(wire_text(tls, "cipher"), suites[i]);
        tls_talk();
    }
}

static void test_client_alpn(void)
{
    struct tls_peer_spec peer = tls_server_peer();

    pair_start(NULL);
    peer.alpn = "two,one";
    json_t *tls =
        greet("client", tls_client_params("{s:[s, s]}", "alpn", "one", "none"), &peer);
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "alpn"), "one");
    tls = greet("client", tls_client_params("{s:[s, s]}", "alpn", "one", "two"), &peer);
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "alpn"), "two"); /* the server decides */
    tls = greet("client", tls_client_params(NULL), &peer);
    CU_ASSERT(json_is_null(json_object_get(tls, "alpn")));
}

static void test_client_groups(void)
{
    pair_start(NULL);
    json_t *tls = greet("client", tls_client_params("{s:s}", "groups", "P-384"), NULL);
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "group"), "secp384r1");
    tls = greet("client", tls_client_params("{s:s}", "groups", "X25519"), NULL);
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "group"), "x25519");
    tls_talk();
}

static void test_server_order(void)
{
    struct tls_peer_spec peer = tls_client_peer();

    pair_start(NULL);
    peer.version = TLS1_2_VERSION;
    peer.ciphers = reverse;
    for (int is_ours = 0; is_ours < 2; is_ours++) {
        json_t *tls = greet("server",
                            tls_server_params("{s:s, s:b}", "ciphers", both,
                                              "prefer-server-cipher-order", is_ours),
                            &peer);
        CU_ASSERT_STRING_EQUAL(wire_text(tls, "cipher"),
                               is_ours ? "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
                                       : "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
        tls_talk();
    }
}

/* A client may say so, and has no say: this server takes what the client prefers. */
static void test_client_order(void)
{
    struct tls_peer_spec peer = tls_server_peer();

    pair_start(NULL);
    peer.version = TLS1_2_VERSION;
    peer.ciphers = reverse;
    for (int is_theirs = 0; is_theirs < 2; is_theirs++) {
        json_t *tls = greet("client",
                            tls_client_params("{s:s, s:b}", "ciphers", both,
                                              "prefer-server-cipher-order", is_theirs),
                            &peer);
        CU_ASSERT_STRING_EQUAL(wire_text(tls, "cipher"),
                               "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
        tls_talk();
    }
}

/* ---- Before and after ---- */

/* A HelloRequest that came too early: a client of TLS 1.2 passes over it, where it
 * belongs to TLS. */
static void test_client_buffered(void)
{
    static const char hello_request[] = "\x16\x03\x03\x00\x04\x00\x00\x00\x00";
    enum { SIZE = sizeof hello_request - 1 };
    struct tls_peer_spec peer = tls_server_peer();

    peer.version = TLS1_2_VERSION;
    pair_start(NULL);
    int64_t context = tls_context("client", tls_client_params(NULL));
    peer_write(pair.peer, hello_request, SIZE);
    wire_call(pair.wire, "peek", "{s:I, s:i, s:s}", "socket", pair.sock, "exactly", SIZE,
              "encoding", "base64");
    wire_refused(pair.wire, "wrong-kind", "make-ssl-client-stream", "{s:I, s:I}",
                 "socket", pair.sock, "context", context);
    CU_ASSERT(json_is_null(tls_facts()));
    tls_wrap("client", json_pack("{s:I, s:b}", "context", context, "allow-buffered", 1));
    json_t *tls = json_object_get(tls_greet(&peer), "tls");
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "state"), "established");
    tls_talk();
    /* What is none is taken for TLS all the same. */
    pair_open(NULL);
    pair_say("220 go\r\n");
    tls_wrap("client", json_pack("{s:I, s:b}", "context", context, "allow-buffered", 1));
    wire_refused(pair.wire, "ssl-error", "ssl-do-handshake", "{s:I}", "socket",
                 pair.sock);
}

/* The streams of a listener take its word for how they may end. */
static void test_listener_truncation(void)
{
    struct tls_peer_spec peer = tls_client_peer();

    pair_start(NULL);
    int64_t context = tls_context("server", tls_server_params(NULL));
    for (int is_allowed = 0; is_allowed < 2; is_allowed++) {
        int port = tls_listen(json_pack("{s:I, s:b}", "ssl-context", context,
                                        "allow-truncation", is_allowed));
        int fd = peer_connect("127.0.0.1", port);
        tls_peer = tls_peer_new(&peer, fd);
        tls_peer_handshake(tls_peer);
        tls_accept_plain();
        CU_ASSERT_STRING_EQUAL(wire_text(tls_facts(), "state"), "established");
        tls_peer_print(tls_peer, "before");
        peer_shut_output(fd);
        pair_check_end(pair_read_exactly(7), "before",
                       is_allowed ? "clean" : "truncated");
    }
}

/* One way of a tunnel has been cut: `far` hears what came of it. */
static void check_cut(const struct rig_tunnel *tunnel, int cut, int far, bool is_allowed)
{
    tls_peer_print(tls_peer, "before");
    peer_expect_text(far, "before");
    peer_shut_output(cut);
    if (is_allowed) {
        peer_expect_end(far);
        peer_print(far, "after"); /* the other way goes on */
        tls_peer_expect_text(tls_peer, "after");
    } else {
        peer_expect_reset(far);
    }
    peer_close(far);
    rig_await_value(tunnel->handle, "connections", 0);
    CU_ASSERT_EQUAL(wire_int(rig_listed(tunnel->handle), "cut"), !is_allowed);
}

static void test_tunnel_truncation(void)
{
    struct tls_peer_spec client = tls_client_peer(), server = tls_server_peer();

    tunnel_rig_start(2);
    pair.harness = tunnel_rig.harness;
    pair.wire = tunnel_rig.wire;
    int64_t ours = tls_context("server", tls_server_params(NULL));
    int64_t theirs = tls_context("client", tls_client_params(NULL));
    for (int is_allowed = 0; is_allowed < 2; is_allowed++) {
        struct rig_tunnel opening =
            rig_tunnel(pair.wire, json_pack("{s:I, s:b}", "server-context", ours,
                                            "allow-truncation", is_allowed));
        int front = peer_connect("127.0.0.1", opening.port);
        tls_peer = tls_peer_new(&client, front);
        tls_peer_handshake(tls_peer);
        int back = peer_accept(opening.target);
        check_cut(&opening, front, back, is_allowed);
        struct rig_tunnel sealing =
            rig_tunnel(pair.wire, json_pack("{s:I, s:b}", "client-context", theirs,
                                            "allow-truncation", is_allowed));
        rig_pair(&sealing, &front, &back);
        tls_peer = tls_peer_new(&server, back);
        tls_peer_handshake(tls_peer);
        check_cut(&sealing, back, front, is_allowed);
    }
}

static const struct unit_test tests[] = {
    {"the password of a client's key", test_client_password},
    {"the password of a key in an update", test_updated_password},
    {"the name of a server's stream", test_server_stream_name},
    {"ca-directory of a client", test_client_directory},
    {"ca-directory of a server", test_server_directory},
    {"ca-directory in an update", test_updated_directory},
    {"verify of a client", test_client_verify},
    {"max-depth of a client", test_client_depth},
    {"max-depth of a server's stream", test_server_stream_depth},
    {"ciphers of a client", test_client_ciphers},
    {"ciphersuites of both sides", test_ciphersuites},
    {"alpn of a client", test_client_alpn},
    {"groups of a client", test_client_groups},
    {"order of ciphers of a server", test_server_order},
    {"order of ciphers of a client", test_client_order},
    {"what a client has received before", test_client_buffered},
    {"allow-truncation of a listener", test_listener_truncation},
    {"allow-truncation of a tunnel", test_tunnel_truncation},
};

UNIT_MAIN_AROUND(tests, tls_before, tls_after)
