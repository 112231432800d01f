/* SPDX-License-Identifier: MIT */
/*
 * system_tls_updates.c - the life of contexts: described, listed, named, updated while
 * streams use them and handshakes go on, closed, and left behind by their maker.
 */
#include <config.h>

#include <openssl/err.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static json_t *find_pair(const json_t *pairs, const char *name)
{
    json_t *item;
    size_t i;

    json_array_foreach(pairs, i, item)
    {
        if (strcmp(json_string_value(json_array_get(item, 0)), name) == 0) {
            return json_array_get(item, 1);
        }
    }
    return NULL;
}

/* ---- What is told ---- */

static void test_described(void)
{
    start();
    int64_t context =
        tls_context("server", tls_server_params("{s:s, s:s, s:s, s:i}", "name", "web",
                                                "verify", "optional", "ca-file",
                                                tls_tree.root->pem, "max-depth", 3));
    json_t *described =
        wire_call(pair.wire, "describe-context", "{s:s}", "context", "web");
    CU_ASSERT_EQUAL(wire_int(described, "context"), context);
    CU_ASSERT_STRING_EQUAL(wire_text(described, "name"), "web");
    CU_ASSERT_STRING_EQUAL(wire_text(described, "role"), "server");
    CU_ASSERT_STRING_EQUAL(wire_text(described, "verify"), "optional");
    CU_ASSERT_EQUAL(wire_int(described, "max-depth"), 3);
    CU_ASSERT_FALSE(wire_bool(described, "crl-check"));
    CU_ASSERT_TRUE(wire_bool(described, "sessions"));
    CU_ASSERT(json_is_null(json_object_get(described, "updated")));
    CU_ASSERT_STRING_EQUAL(
        json_string_value(find_pair(json_object_get(described, "subject"), "CN")),
        "leaf");
    json_t *certificates = json_object_get(described, "certificates");
    CU_ASSERT_EQUAL(json_array_size(certificates), 2);
    CU_ASSERT_STRING_EQUAL(wire_text(json_array_get(certificates, 1), "pem"),
                           tls_tree.middle->pem);
    int64_t second = tls_context("client", tls_client_params(NULL));
    json_t *listed =
        json_object_get(wire_call(pair.wire, "list-contexts", NULL), "contexts");
    CU_ASSERT_EQUAL_FATAL(json_array_size(listed), 2);
    CU_ASSERT_EQUAL(wire_int(json_array_get(listed, 1), "context"), second);
    /* A name is somebody's. */
    json_t *error = wire_refused(pair.wire, "invalid-params", "make-ssl-client-context",
                                 "o", tls_client_params("{s:s}", "name", "web"));
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                           "name");
    wire_call(pair.wire, "close-context", "{s:s}", "context", "web");
    wire_refused(pair.wire, "no-such-context", "describe-context", "{s:I}", "context",
                 context);
    tls_context("client", tls_client_params("{s:s}", "name", "web"));
}

static void test_certificate(void)
{
    struct cert *cert = cert_new(&(struct cert_spec){
        .name = "the leaf",
        .issuer = tls_tree.middle,
        .alt_names = "DNS:server.test, DNS:*.x.test, IP:192.0.2.7, email:a@b.test",
        .serial = "00F1E2D3C4B5A697887766554433"});
    char *chain = cert_join(cert->pem, tls_tree.middle->pem, NULL);
    struct tls_peer_spec peer = tls_server_peer();

    peer.certificate = chain;
    peer.key = cert->key_pem;
    tls_start("client", NULL, &peer);
    json_t *result = wire_call(pair.wire, "get-ssl-peer-certificate", "{s:I, s:b}",
                               "socket", pair.sock, "chain", 1);
    json_t *facts = json_object_get(result, "certificate");
    CU_ASSERT_EQUAL(wire_int(facts, "version"), 3);
    CU_ASSERT_STRING_EQUAL(wire_text(facts, "serial-number"),
                           "19164186790439963565501824975923");
    CU_ASSERT_STRING_EQUAL(wire_text(facts, "serial-number-hex"),
                           "F1E2D3C4B5A697887766554433");
    CU_ASSERT_STRING_EQUAL(
        json_string_value(find_pair(json_object_get(facts, "subject"), "CN")),
        "the leaf");
    CU_ASSERT_STRING_EQUAL(
        json_string_value(find_pair(json_object_get(facts, "issuer"), "CN")),
        "intermediate");
    json_t *names = json_object_get(facts, "subject-alt-name");
    CU_ASSERT_EQUAL(json_array_size(names), 4);
    CU_ASSERT_STRING_EQUAL(json_string_value(find_pair(names, "DNS")), "server.test");
    CU_ASSERT_STRING_EQUAL(json_string_value(find_pair(names, "IP Address")),
                           "192.0.2.7");
    /* RFC 3339, and the universal time that is the same. */
    const char *until = wire_text(facts, "not-after");
    CU_ASSERT_EQUAL(strlen(until), 20);
    CU_ASSERT_EQUAL(until[19], 'Z');
    CU_ASSERT_EQUAL(wire_int(facts, "not-after-universal") -
                        wire_int(facts, "not-before-universal"),
                    30 * 24 * 3600 + 3600);
    CU_ASSERT_STRING_EQUAL(wire_text(facts, "pem"), cert->pem);
    CU_ASSERT_EQUAL(strlen(wire_text(facts, "fingerprint-sha256")), 95);
    json_t *behind = json_object_get(result, "chain");
    CU_ASSERT_EQUAL_FATAL(json_array_size(behind), 2);
    CU_ASSERT_STRING_EQUAL(wire_text(json_array_get(behind, 0), "pem"),
                           tls_tree.middle->pem);
    CU_ASSERT_STRING_EQUAL(wire_text(json_array_get(behind, 1), "pem"),
                           tls_tree.root->pem);
    /* The client here has none. */
    tls_again("server", NULL, NULL);
    result =
        wire_call(pair.wire, "get-ssl-peer-certificate", "{s:I}", "socket", pair.sock);
    CU_ASSERT(json_is_null(json_object_get(result, "certificate")));
    free(chain);
    cert_free(cert);
}

/* Asked for before the handshake it is waited for, which begins it. */
static void test_certificate_first(void)
{
    struct tls_peer_spec peer = tls_server_peer();

    pair_start(NULL);
    tls_wrap("client", tls_client_params(NULL));
    wire_refused(pair.wire, "timeout", "get-ssl-peer-certificate", "{s:I, s:f}", "socket",
                 pair.sock, "timeout", 0.01);
    int64_t id =
        wire_send(pair.wire, "get-ssl-peer-certificate", "{s:I}", "socket", pair.sock);
    tls_peer = tls_peer_new(&peer, pair.peer);
    tls_peer_handshake(tls_peer);
    json_t *facts = json_object_get(wire_result(pair.wire, id), "certificate");
    CU_ASSERT_STRING_EQUAL(wire_text(facts, "pem"), tls_tree.leaf->pem);
}

static void test_openssl_version(void)
{
    start();
    json_t *versions = wire_call(pair.wire, "openssl-version", NULL);
    json_t *loaded = json_object_get(versions, "loaded");
    CU_ASSERT_EQUAL(wire_int(loaded, "major"), OPENSSL_version_major());
    CU_ASSERT_EQUAL(wire_int(loaded, "minor"), OPENSSL_version_minor());
    CU_ASSERT_STRING_EQUAL(wire_text(loaded, "text"), OpenSSL_version(OPENSSL_VERSION));
    CU_ASSERT_EQUAL(wire_int(json_object_get(versions, "built"), "major"),
                    OPENSSL_VERSION_MAJOR);
}

/* ---- Updates ---- */

static const char *shown_by(SSL *ssl)
{
    static char name[64];
    X509 *x509 = SSL_get1_peer_certificate(ssl);

    X509_NAME_get_text_by_NID(X509_get_subject_name(x509), NID_commonName, name,
                              sizeof name);
    X509_free(x509);
    return name;
}

static void test_update(void)
{
    struct cert *next = cert_new(&(struct cert_spec){
        .name = "next", .issuer = tls_tree.root, .alt_names = "DNS:server.test"});

    pair_start(NULL);
    int64_t context = tls_context("server", tls_server_params(NULL));
    tls_again("server", json_pack("{s:I}", "context", context), NULL);
    CU_ASSERT_STRING_EQUAL(shown_by(tls_peer), "leaf");
    int64_t old_sock = pair.sock;
    SSL *old_peer = tls_peer;
    int old_fd = pair.peer;
    /* All or nothing: a key that does not fit changes nothing. */
    json_t *error = wire_refused(pair.wire, "invalid-params", "update-context",
                                 "{s:I, s:s, s:s}", "context", context, "certificate",
                                 next->pem, "key", tls_tree.leaf->key_pem);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"), "key");
    wire_refused(pair.wire, "invalid-params", "update-context", "{s:I, s:s, s:s, s:s}",
                 "context", context, "certificate", next->pem, "key", next->key_pem,
                 "ca-file", "no PEM");
    tls_again("server", json_pack("{s:I}", "context", context), NULL);
    CU_ASSERT_STRING_EQUAL(shown_by(tls_peer), "leaf");
    json_t *updated = wire_call(pair.wire, "update-context", "{s:I, s:s, s:s}", "context",
                                context, "certificate", next->pem, "key", next->key_pem);
    CU_ASSERT_FALSE(json_is_null(json_object_get(updated, "updated")));
    tls_again("server", json_pack("{s:I}", "context", context), NULL);
    CU_ASSERT_STRING_EQUAL(shown_by(tls_peer), "next");
    /* The stream of before goes on. */
    pair.sock = old_sock;
    pair.peer = old_fd;
    tls_peer = old_peer;
    tls_talk();
    CU_ASSERT_EQUAL(SSL_key_update(tls_peer, SSL_KEY_UPDATE_REQUESTED), 1);
    tls_talk();
    cert_free(next);
}

/* Trust and revocation change for those who come later. */
static void test_update_of_trust(void)
{
    struct cert *client =
        cert_new(&(struct cert_spec){.name = "client", .issuer = tls_tree.root});
    char *none = cert_crl(tls_tree.root, (const struct cert *[]){NULL}, 3600);
    char *one = cert_crl(tls_tree.root, (const struct cert *[]){client, NULL}, 3600);
    struct tls_peer_spec peer = tls_client_peer();

    peer.certificate = client->pem;
    peer.key = client->key_pem;
    pair_start(NULL);
    int64_t context =
        tls_context("server", tls_server_params("{s:s, s:s, s:s, s:b}", "verify",
                                                "required", "ca-file", tls_tree.root->pem,
                                                "crl-file", none, "crl-check", 1));
    json_t *tls = tls_again("server", json_pack("{s:I}", "context", context), &peer);
    CU_ASSERT_TRUE(wire_bool(tls, "verified"));
    wire_call(pair.wire, "update-context", "{s:I, s:s}", "context", context, "crl-file",
              one);
    tls_talk(); /* it was let in before */
    pair_open(NULL);
    tls_wrap("server", json_pack("{s:I}", "context", context));
    json_t *error = tls_refuse(&peer, "certificate-verify-failed");
    CU_ASSERT_EQUAL(wire_int(json_object_get(error, "data"), "verify-code"),
                    X509_V_ERR_CERT_REVOKED);
    wire_call(pair.wire, "update-context", "{s:I, s:s, s:s}", "context", context,
              "crl-file", none, "ca-file", tls_tree.middle->pem);
    pair_open(NULL);
    tls_wrap("server", json_pack("{s:I}", "context", context));
    tls_refuse(&peer, "certificate-verify-failed");
    free(none);
    free(one);
    cert_free(client);
}

/* ---- Updates under load ---- */

enum { N_THREADS = 4, N_VISITS = 100 };

struct visitor {
    pthread_t thread;
    int port;
    SSL_CTX *context;
    atomic_int n_good, n_seen[2];
};

/* Two whole trees. A mixed handshake would not verify: each has a leaf of its own
 * intermediate, and both roots are trusted. */
static struct cert_tree trees[2];

static int connect_plainly(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* One connection; what it got must be of one tree. Asserts nothing: this is no thread of
 * the test. */
static bool visit(struct visitor *visitor)
{
    int fd = connect_plainly(visitor->port);
    static char name[] = "server.test"; /* the macro below casts const away */
    SSL *ssl = SSL_new(visitor->context);
    bool is_good = false;
    char byte = 0;

    SSL_set_fd(ssl, fd);
    (void)SSL_set1_host(ssl, "server.test");
    (void)SSL_set_tlsext_host_name(ssl, name);
    if (fd >= 0 && SSL_connect(ssl) == 1 && SSL_read(ssl, &byte, 1) == 1) {
        X509 *shown = SSL_get0_peer_certificate(ssl);
        STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
        for (int i = 0; i < 2; i++) {
            if (X509_cmp(shown, trees[i].leaf->x509) == 0 && sk_X509_num(chain) == 2 &&
                X509_cmp(sk_X509_value(chain, 1), trees[i].middle->x509) == 0) {
                visitor->n_seen[i]++;
                is_good = byte == 'k';
            }
        }
    }
    (void)SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
    ERR_clear_error();
    return is_good;
}

static void *run_visitor(void *context)
{
    struct visitor *visitor = context;

    for (int i = 0; i < N_VISITS; i++) {
        visitor->n_good += visit(visitor);
    }
    return NULL;
}

static void serve_visitors(int64_t listener, int64_t context)
{
    struct wire *updater = wire_open(pair.harness);

    for (int i = 0; i < N_THREADS * N_VISITS; i++) {
        const struct cert_tree *tree = &trees[i / 3 % 2];
        int64_t update =
            wire_send(updater, "update-context", "{s:I, s:s, s:s}", "context", context,
                      "certificate", tree->chain, "key", tree->leaf->key_pem);
        json_t *made =
            wire_call(pair.wire, "accept-connection", "{s:I}", "socket", listener);
        wire_call(pair.wire, "write", "{s:I, s:s}", "socket", wire_int(made, "socket"),
                  "data", "k");
        wire_call(pair.wire, "close", "{s:I}", "socket", wire_int(made, "socket"));
        wire_result(updater, update);
    }
}

static void test_update_under_load(void)
{
    struct visitor visitors[N_THREADS];
    int n_good = 0, n_seen[2] = {0, 0};

    start();
    cert_tree_init(&trees[0]);
    cert_tree_init(&trees[1]);
    char *both = cert_join(trees[0].root->pem, trees[1].root->pem, NULL);
    int64_t context =
        tls_context("server", json_pack("{s:s, s:s}", "certificate", trees[0].chain,
                                        "key", trees[0].leaf->key_pem));
    json_t *made =
        wire_call(pair.wire, "make-socket", "{s:s, s:s, s:I}", "connect", "passive",
                  "local-host", "127.0.0.1", "ssl-context", context);
    for (int i = 0; i < N_THREADS; i++) {
        struct tls_peer_spec spec = {.ca = both,
                                     .version = i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION};
        visitors[i] = (struct visitor){.port = (int)wire_int(made, "local-port"),
                                       .context = tls_peer_context(&spec)};
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&visitors[i].thread, NULL, run_visitor, &visitors[i]), 0);
    }
    serve_visitors(wire_int(made, "socket"), context);
    for (int i = 0; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL(pthread_join(visitors[i].thread, NULL), 0);
        n_good += visitors[i].n_good;
        n_seen[0] += visitors[i].n_seen[0];
        n_seen[1] += visitors[i].n_seen[1];
        SSL_CTX_free(visitors[i].context);
    }
    CU_ASSERT_EQUAL(n_good, N_THREADS * N_VISITS);
    CU_ASSERT(n_seen[0] > 0);
    CU_ASSERT(n_seen[1] > 0);
    json_t *described = wire_call(pair.wire, "describe-socket", "{s:I}", "socket",
                                  wire_int(made, "socket"));
    CU_ASSERT_EQUAL(wire_int(json_object_get(described, "runtime"), "handshakes-failed"),
                    0);
    free(both);
    cert_tree_fini(&trees[0]);
    cert_tree_fini(&trees[1]);
}

/* ---- The end of a context ---- */

static void test_close(void)
{
    struct tls_peer_spec peer = tls_client_peer();

    pair_start(NULL);
    struct wire *maker = wire_open(pair.harness);
    int64_t context = wire_int(
        wire_call(maker, "make-ssl-server-context", "o", tls_server_params(NULL)),
        "context");
    json_t *made =
        wire_call(pair.wire, "make-socket", "{s:s, s:s, s:I}", "connect", "passive",
                  "local-host", "127.0.0.1", "ssl-context", context);
    tls_again("server", json_pack("{s:I}", "context", context), NULL);
    pair_open(NULL);
    tls_wrap("server", json_pack("{s:I}", "context", context)); /* not begun yet */
    /* It ends with the connection that made it; those who use it go on. */
    wire_call(maker, "hello", NULL);
    wire_close(maker);
    for (;;) {
        int64_t id =
            wire_send(pair.wire, "describe-context", "{s:I}", "context", context);
        if (json_object_get(wire_reply(pair.wire, id), "error") != NULL) {
            break;
        }
    }
    wire_refused(pair.wire, "no-such-context", "close-context", "{s:I}", "context",
                 context);
    wire_refused(pair.wire, "no-such-context", "make-socket", "{s:s, s:I}", "connect",
                 "passive", "ssl-context", context);
    tls_greet(&peer);
    tls_talk();
    SSL *ssl =
        tls_peer_new(&peer, peer_connect("127.0.0.1", (int)wire_int(made, "local-port")));
    tls_peer_handshake(ssl);
    wire_call(pair.wire, "accept-connection", "{s:I}", "socket",
              wire_int(made, "socket"));
}

static const struct unit_test tests[] = {
    {"described, listed, named", test_described},
    {"what a certificate tells", test_certificate},
    {"a certificate asked for first", test_certificate_first},
    {"the version of OpenSSL", test_openssl_version},
    {"an update", test_update},
    {"an update of trust and revocation", test_update_of_trust},
    {"updates under load", test_update_under_load},
    {"a context ends, its streams go on", test_close},
};

UNIT_MAIN_AROUND(tests, tls_before, tls_after)
