/* SPDX-License-Identifier: MIT */
/*
 * system_tls_contexts.c - what contexts take and refuse, and what streams that use one
 * may have of their own; methods, keys, ciphers; names that choose the certificate of a
 * listener; what certificates tell. Contexts that change are in system_tls_updates.c.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/tls_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

static void start(void)
{
    pair.harness = harness_start(NULL);
    pair.wire = wire_open(pair.harness);
}

/* Takes `params`. */
static json_t *refused(const char *role, json_t *params, const char *identifier)
{
    char method[64];

    (void)snprintf(method, sizeof method, "make-ssl-%s-context", role);
    return wire_refused(pair.wire, identifier, method, "o", params);
}

static void check_blames(json_t *error, const char *parameter)
{
    json_t *data = json_object_get(error, "data");

    CU_ASSERT_STRING_EQUAL(wire_text(data, "parameter"), parameter);
    CU_ASSERT(wire_text(data, "wanted")[0] != '\0');
}

/* A server with these parameters is refused for one of them. */
static void check_bad(json_t *params, const char *parameter)
{
    check_blames(refused("server", params, "invalid-params"), parameter);
}

/* ---- Texts ---- */

static void test_keys(void)
{
    static const enum cert_key kinds[] = {CERT_P256, CERT_P384, CERT_ED25519,
                                          CERT_RSA_2048};
    static const enum cert_key_form forms[] = {CERT_KEY_PKCS8, CERT_KEY_TRADITIONAL,
                                               CERT_KEY_ENCRYPTED};

    pair_start(NULL);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct cert *cert = cert_new(&(struct cert_spec){.name = "leaf",
                                                         .issuer = tls_tree.root,
                                                         .alt_names = "DNS:server.test",
                                                         .key = kinds[i]});
        for (size_t k = 0; k < 3; k++) {
            if (kinds[i] == CERT_ED25519 && forms[k] == CERT_KEY_TRADITIONAL) {
                continue; /* there is none */
            }
            char *key = cert_key_text(cert, forms[k], "open sesame");
            json_t *params =
                tls_server_params("{s:s, s:s}", "certificate", cert->pem, "key", key);
            if (forms[k] == CERT_KEY_ENCRYPTED) {
                json_object_set_new(params, "certificate-password",
                                    json_string("open sesame"));
            }
            json_t *tls = tls_again("server", params, NULL);
            CU_ASSERT_STRING_EQUAL(wire_text(tls, "state"), "established");
            tls_talk();
            free(key);
        }
        cert_free(cert);
    }
    /* The key stands beside the certificate. */
    char *both = cert_join(tls_tree.leaf->key_pem, tls_tree.chain, NULL);
    tls_again("server", json_pack("{s:s}", "certificate", both), NULL);
    tls_talk();
    free(both);
}

static void test_bad_texts(void)
{
    char *locked = cert_key_text(tls_tree.leaf, CERT_KEY_ENCRYPTED, "right");
    char *cut = strdup(tls_tree.chain);

    start();
    CU_ASSERT_PTR_NOT_NULL_FATAL(cut);
    cut[strlen(cut) / 4] = '!';
    check_bad(json_pack("{}"), "certificate");
    check_bad(tls_server_params("{s:s}", "certificate", "no PEM"), "certificate");
    check_bad(tls_server_params("{s:s}", "certificate", cut), "certificate");
    check_bad(json_pack("{s:s}", "certificate", tls_tree.chain), "key");
    check_bad(tls_server_params("{s:s}", "key", "no PEM"), "key");
    check_bad(tls_server_params("{s:s}", "key", tls_tree.root->key_pem), "key");
    check_bad(tls_server_params("{s:s}", "key", locked), "certificate-password");
    check_bad(
        tls_server_params("{s:s, s:s}", "key", locked, "certificate-password", "wrong"),
        "certificate-password");
    check_bad(tls_server_params("{s:s, s:s}", "ca-file", "no PEM", "verify", "required"),
              "ca-file");
    check_bad(tls_server_params("{s:s, s:s, s:s, s:b}", "ca-file", tls_tree.root->pem,
                                "crl-file", "no PEM", "verify", "required", "crl-check",
                                1),
              "crl-file");
    check_bad(tls_server_params("{s:s}", "ciphers", "NO-SUCH-CIPHER"), "ciphers");
    check_bad(tls_server_params("{s:s}", "ciphersuites", "TLS_NO_SUCH"), "ciphersuites");
    check_bad(tls_server_params("{s:s}", "groups", "no-such-group"), "groups");
    check_bad(tls_server_params("{s:[s]}", "alpn", ""), "alpn");
    check_bad(tls_server_params("{s:i}", "max-depth", -1), "max-depth");
    check_bad(tls_server_params("{s:s}", "verify", "never"), "verify");
    check_bad(tls_server_params("{s:s}", "crl-check", "sometimes"), "crl-check");
    check_bad(tls_server_params("{s:i}", "tickets", 17), "tickets");
    /* A client needs no certificate, but a good one if there is one. */
    check_blames(refused("client", tls_client_params("{s:s}", "certificate", cut),
                         "invalid-params"),
                 "certificate");
    check_blames(refused("client",
                         tls_client_params("{s:s}", "certificate", tls_tree.chain),
                         "invalid-params"),
                 "key");
    json_t *listed = wire_call(pair.wire, "list-contexts", NULL);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(listed, "contexts")), 0);
    free(locked);
    free(cut);
}

/* ---- Methods ---- */

static void test_methods(void)
{
    static const struct {
        const char *words[3];
        bool has[2]; /* 1.2, 1.3 */
    } cases[] = {
        {{NULL}, {true, true}},
        {{"tls"}, {true, true}},
        {{"tlsv1.2+"}, {true, true}},
        {{"tlsv1.3+"}, {false, true}},
        {{"tlsv1.3"}, {false, true}},
        {{"tlsv1.2"}, {true, false}},
        {{"tlsv1.2", "tlsv1.3"}, {true, true}},
    };
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    pair_start(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int v = 0; v < 2; v++) {
            json_t *params = tls_server_params(NULL), *list = json_array();
            for (size_t k = 0; cases[i].words[k] != NULL; k++) {
                json_array_append_new(list, json_string(cases[i].words[k]));
            }
            if (json_array_size(list) == 1) {
                json_object_set(params, "method", json_array_get(list, 0));
            } else if (json_array_size(list) > 1) {
                json_object_set(params, "method", list);
            }
            json_decref(list);
            struct tls_peer_spec peer = tls_client_peer();
            peer.version = versions[v];
            if (cases[i].has[v]) {
                json_t *tls = tls_again("server", params, &peer);
                CU_ASSERT_STRING_EQUAL(wire_text(tls, "version"),
                                       v ? "tlsv1.3" : "tlsv1.2");
            } else {
                pair_open(NULL);
                tls_wrap("server", params);
                tls_refuse(&peer, "ssl-error");
                CU_ASSERT_EQUAL(tls_peer_alert(tls_peer), SSL_AD_PROTOCOL_VERSION);
            }
        }
    }
}

static void test_weak_and_gone_methods(void)
{
    static const char *const gone[] = {"sslv2", "sslv3", "sslv23", "sslv3+"};
    static const char *const weak[] = {"tlsv1", "tlsv1.1", "tlsv1+", "tlsv1.1+"};

    start();
    for (size_t i = 0; i < 4; i++) {
        refused("client", tls_client_params("{s:s}", "method", gone[i]), "not-supported");
        /* In a list only exact versions can stand. */
        refused("server", tls_server_params("{s:[s, s]}", "method", "tlsv1.2", gone[i]),
                i < 2 ? "not-supported" : "invalid-params");
        json_t *error = refused("client", tls_client_params("{s:s}", "method", weak[i]),
                                "permission-denied");
        CU_ASSERT(wire_text(json_object_get(error, "data"), "rule")[0] != '\0');
        refused("server", tls_server_params("{s:s}", "method", weak[i]),
                "permission-denied");
    }
    check_bad(tls_server_params("{s:s}", "ciphers", "AES128-SHA:@SECLEVEL=0"), "ciphers");
    check_bad(tls_server_params("{s:s}", "ciphers", "NULL-SHA256:@SECLEVEL=0"),
              "ciphers");
    check_bad(tls_server_params("{s:s}", "method", "tlsv1.4"), "method");
    check_bad(tls_server_params("{s:[s, s]}", "method", "tls", "tlsv1.2"), "method");
}

/* ---- Streams of a context ---- */

static void test_seven_keywords(void)
{
    static const char *const texts[] = {
        "certificate", "key",      "certificate-password", "ca-file", "ca-directory",
        "crl-file",    "crl-check"};

    pair_start(NULL);
    int64_t client = tls_context("client", tls_client_params(NULL));
    int64_t server = tls_context("server", tls_server_params(NULL));
    for (size_t i = 0; i < 7; i++) {
        for (int role = 0; role < 2; role++) {
            json_t *params = json_pack("{s:I, s:I}", "socket", pair.sock, "context",
                                       role ? server : client);
            json_object_set_new(params, texts[i],
                                i == 6 ? json_string("leaf")
                                       : json_string(tls_tree.leaf->pem));
            json_t *error = wire_refused(
                pair.wire, "invalid-params",
                role ? "make-ssl-server-stream" : "make-ssl-client-stream", "o", params);
            CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                                   texts[i]);
        }
    }
    /* The stream is as it was, and the wrong side is no context at all. */
    CU_ASSERT(json_is_null(tls_facts()));
    wire_refused(pair.wire, "invalid-params", "make-ssl-client-stream", "{s:I, s:I}",
                 "socket", pair.sock, "context", server);
    wire_refused(pair.wire, "no-such-context", "make-ssl-client-stream", "{s:I, s:I}",
                 "socket", pair.sock, "context", client + 1000000);
    wire_refused(pair.wire, "no-such-context", "make-ssl-client-stream", "{s:I, s:s}",
                 "socket", pair.sock, "context", "nobody");
    pair_write("plain");
    peer_expect_text(pair.peer, "plain");
}

/* The documented nil, :optional and :required, and our request; nothing stands for true,
 * which could be taken for either. */
static void test_verify_words(void)
{
    static const char *const words[] = {"false", "request", "optional", "required"};

    pair_start(NULL);
    for (size_t i = 0; i < 4; i++) {
        json_t *word = i == 0 ? json_false() : json_string(words[i]);
        int64_t client =
            tls_context("client", tls_client_params("{s:O}", "verify", word));
        int64_t server =
            tls_context("server", tls_server_params("{s:s, s:O}", "ca-file",
                                                    tls_tree.root->pem, "verify", word));
        for (int role = 0; role < 2; role++) {
            json_t *described = wire_call(pair.wire, "describe-context", "{s:I}",
                                          "context", role ? server : client);
            CU_ASSERT(json_equal(json_object_get(described, "verify"), word));
        }
        json_decref(word);
    }
    check_blames(
        refused("client", tls_client_params("{s:b}", "verify", 1), "invalid-params"),
        "verify");
    check_bad(tls_server_params("{s:b}", "verify", 1), "verify");
    check_bad(tls_server_params("{s:s}", "verify", "false"), "verify");
    for (int role = 0; role < 2; role++) {
        json_t *error =
            wire_refused(pair.wire, "invalid-params",
                         role ? "make-ssl-server-stream" : "make-ssl-client-stream",
                         "{s:I, s:b}", "socket", pair.sock, "verify", 1);
        CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                               "verify");
    }
    tls_wrap("client", tls_client_params("{s:s}", "verify", "request"));
}

static void test_overrides(void)
{
    pair_start(NULL);
    int64_t client = tls_context("client", tls_client_params("{s:s}", "name", "mine"));
    struct tls_peer_spec peer = tls_server_peer();
    json_t *tls =
        tls_again("client",
                  json_pack("{s:s, s:s, s:s}", "context", "mine", "method", "tlsv1.2",
                            "ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305"),
                  &peer);
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "cipher"),
                           "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
    tls = tls_again("client",
                    json_pack("{s:I, s:s, s:s}", "context", client, "ciphersuites",
                              "TLS_AES_128_GCM_SHA256", "server-name", "a.wild.test"),
                    &peer);
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "cipher"), "TLS_AES_128_GCM_SHA256");
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "server-name"), "a.wild.test");
    peer.alpn = "two,one";
    tls = tls_again("client",
                    json_pack("{s:I, s:[s, s]}", "context", client, "alpn", "one", "two"),
                    &peer);
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "alpn"), "two");
    pair_open(NULL);
    tls_wrap("client", json_pack("{s:I, s:i}", "context", client, "max-depth", 0));
    tls_refuse(&peer, "certificate-verify-failed");
    tls = tls_again("client",
                    json_pack("{s:I, s:b, s:s}", "context", client, "verify", 0,
                              "server-name", "other.test"),
                    &peer);
    CU_ASSERT_FALSE(wire_bool(tls, "verified"));
    /* The context is as it was. */
    tls = tls_again("client", json_pack("{s:I}", "context", client), NULL);
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "version"), "tlsv1.3");
    CU_ASSERT(json_is_null(json_object_get(tls, "alpn")));
    CU_ASSERT_TRUE(wire_bool(tls, "verified"));
}

static void test_cipher_order(void)
{
    static const char both[] =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384";
    static const char reverse[] =
        "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256";
    struct tls_peer_spec peer = tls_client_peer();

    pair_start(NULL);
    peer.version = TLS1_2_VERSION;
    peer.ciphers = reverse;
    for (int i = 0; i < 3; i++) {
        json_t *params = tls_server_params("{s:s}", "ciphers", both);
        if (i > 0) {
            json_object_set_new(params, "prefer-server-cipher-order",
                                json_boolean(i == 1));
        }
        json_t *tls = tls_again("server", params, &peer);
        CU_ASSERT_STRING_EQUAL(wire_text(tls, "cipher"),
                               i == 2 ? "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
                                      : "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    }
}

static void test_groups(void)
{
    pair_start(NULL);
    json_t *tls =
        tls_again("server", tls_server_params("{s:s}", "groups", "P-384"), NULL);
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "group"), "secp384r1");
    tls = tls_again("client", tls_client_params("{s:s}", "groups", "X25519"), NULL);
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "group"), "x25519");
}

/* ---- Names choose ---- */

/* A leaf for these names, in a context of the server side. */
static int64_t context_for(const char *alt_names, const char *server_name,
                           struct cert **cert)
{
    *cert = cert_new(&(struct cert_spec){
        .name = alt_names + 4, .issuer = tls_tree.root, .alt_names = alt_names});
    json_t *params =
        json_pack("{s:s, s:s}", "certificate", (*cert)->pem, "key", (*cert)->key_pem);
    if (server_name != NULL) {
        json_object_set_new(params, "server-name", json_string(server_name));
    }
    return tls_context("server", params);
}

static void test_names_choose(void)
{
    static const struct {
        const char *asked;
        int wanted;
    } cases[] = {
        {NULL, 0},          {"other.test", 0},  {"exact.test", 1},    {"EXACT.test", 1},
        {"a.wild.test", 2}, {"wild.test", 0},   {"a.b.wild.test", 0}, {"a.exact.test", 0},
        {"x.wild.test", 3},                     /* exact before wildcard */
        {"given.test", 4},  {"hidden.test", 0}, /* its context serves given.test only */
    };
    struct cert *certs[5];
    int64_t contexts[5];

    start();
    contexts[0] = context_for("DNS:default.test", NULL, &certs[0]);
    contexts[1] = context_for("DNS:exact.test", NULL, &certs[1]);
    contexts[2] = context_for("DNS:*.wild.test", NULL, &certs[2]);
    contexts[3] = context_for("DNS:x.wild.test", NULL, &certs[3]);
    contexts[4] = context_for("DNS:hidden.test", "given.test", &certs[4]);
    json_t *made =
        wire_call(pair.wire, "make-socket", "{s:s, s:s, s:[I, I, I, I, I]}", "connect",
                  "passive", "local-host", "127.0.0.1", "ssl-context", contexts[0],
                  contexts[1], contexts[2], contexts[3], contexts[4]);
    int port = (int)wire_int(made, "local-port");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_peer_spec peer = {.server_name = cases[i].asked};
        tls_peer = tls_peer_new(&peer, peer_connect("127.0.0.1", port));
        tls_peer_handshake(tls_peer);
        X509 *shown = SSL_get1_peer_certificate(tls_peer);
        for (int k = 0; k < 5; k++) {
            bool is_this = X509_cmp(shown, certs[k]->x509) == 0;
            if (is_this != (k == cases[i].wanted)) {
                UNIT_FAIL("case %zu: certificate %d", i, k);
            }
        }
        X509_free(shown);
        json_t *accepted = wire_call(pair.wire, "accept-connection", "{s:I}", "socket",
                                     wire_int(made, "socket"));
        json_t *tls = json_object_get(accepted, "tls");
        CU_ASSERT_STRING_EQUAL(wire_text(tls, "state"), "established");
        if (cases[i].asked != NULL) {
            CU_ASSERT_STRING_EQUAL(wire_text(tls, "server-name"), cases[i].asked);
        }
    }
    for (int k = 0; k < 5; k++) {
        cert_free(certs[k]);
    }
}

/* Wrong sides and kinds. */
static void test_bad_listeners(void)
{
    start();
    int64_t client = tls_context("client", tls_client_params(NULL));
    int64_t server = tls_context("server", tls_server_params(NULL));

    json_t *error = wire_refused(pair.wire, "invalid-params", "make-socket", "{s:s, s:I}",
                                 "connect", "passive", "ssl-context", client);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                           "ssl-context");
    wire_refused(pair.wire, "no-such-context", "make-socket", "{s:s, s:I}", "connect",
                 "passive", "ssl-context", server + 1000000);
    error =
        wire_refused(pair.wire, "invalid-params", "make-socket", "{s:s, s:i, s:I}",
                     "remote-host", "127.0.0.1", "remote-port", 1, "ssl-context", server);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                           "ssl-context");
    error = wire_refused(pair.wire, "invalid-params", "make-socket", "{s:s, s:I}", "type",
                         "datagram", "ssl-context", server);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                           "ssl-context");
}

/* Lists that leave nothing for one of the versions there are. The key is an EC key. */
static void test_nothing_left(void)
{
    static const char rsa[] = "ECDHE-RSA-AES128-GCM-SHA256";
    static const char *const cases[][5] = {
        /* role, method, ciphers, ciphersuites, what is refused */
        {"server", "tls", "PSK", NULL, "ciphers"},
        {"server", "tls", rsa, NULL, "ciphers"},
        {"server", "tlsv1.2", rsa, NULL, "ciphers"},
        {"server", "tlsv1.3", rsa, NULL, NULL},
        {"client", "tls", "PSK", NULL, "ciphers"},
        {"client", "tlsv1.3", "PSK", NULL, NULL},
        {"client", "tls", rsa, NULL, NULL},
        {"client", "tls", "HIGH:@SECLEVEL=4", "TLS_AES_128_GCM_SHA256", "ciphersuites"},
        {"client", "tlsv1.2", "HIGH:@SECLEVEL=4", "TLS_AES_128_GCM_SHA256", NULL},
    };

    start();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *role = cases[i][0];
        json_t *params =
            role[0] == 's' ? tls_server_params(NULL) : tls_client_params(NULL);

        json_object_set_new(params, "method", json_string(cases[i][1]));
        json_object_set_new(params, "ciphers", json_string(cases[i][2]));
        if (cases[i][3] != NULL) {
            json_object_set_new(params, "ciphersuites", json_string(cases[i][3]));
        }
        if (cases[i][4] != NULL) {
            check_blames(refused(role, params, "invalid-params"), cases[i][4]);
        } else {
            CU_ASSERT(tls_context(role, params) > 0);
        }
    }
}

static const struct unit_test tests[] = {
    {"keys of all kinds and forms", test_keys},
    {"texts and values that are wrong", test_bad_texts},
    {"methods", test_methods},
    {"weak methods, and those that are gone", test_weak_and_gone_methods},
    {"keywords that belong to the context", test_seven_keywords},
    {"the words of verify", test_verify_words},
    {"keywords of the stream", test_overrides},
    {"lists that leave nothing", test_nothing_left},
    {"whose order of ciphers", test_cipher_order},
    {"groups", test_groups},
    {"names choose the certificate", test_names_choose},
    {"listeners with wrong contexts", test_bad_listeners},
};

UNIT_MAIN_AROUND(tests, tls_before, tls_after)
