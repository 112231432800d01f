/* SPDX-License-Identifier: MIT */
/*
 * system_tls_verify.c - verification through the wire: each certificate with its verdict
 * (identifier, code, depth), names, revocation, certificates of clients, policies.
 */
#include <config.h>

#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/tls_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

/* What the peer shows, with its key. */
struct shown {
    struct cert *cert;
    char *chain;
};

static struct shown shown;

static void hide(void)
{
    cert_free(shown.cert);
    free(shown.chain);
    shown = (struct shown){0};
}

static void before(void)
{
    tls_before();
    pair.harness = NULL;
}

static void after(void)
{
    hide();
    tls_after();
}

/* A leaf of the intermediate unless it says otherwise. */
static void show(struct cert_spec spec)
{
    hide();
    if (spec.name == NULL) {
        spec.name = "leaf";
    }
    if (spec.alt_names == NULL) {
        spec.alt_names = "DNS:server.test";
    }
    shown.cert = cert_new(&spec);
    shown.chain = cert_join(shown.cert->pem, tls_tree.middle->pem, NULL);
}

static struct tls_peer_spec peer_that_shows(void)
{
    struct tls_peer_spec peer = tls_server_peer();

    if (shown.cert != NULL) {
        peer.certificate = shown.chain;
        peer.key = shown.cert->key_pem;
    }
    return peer;
}

static void open_pair(void)
{
    if (pair.harness == NULL) {
        pair_start(NULL);
    } else {
        pair_open(NULL);
    }
}

static int64_t verify_code(void)
{
    json_t *result =
        wire_call(pair.wire, "get-ssl-verify-result", "{s:I}", "socket", pair.sock);

    CU_ASSERT_TRUE(wire_text(result, "text")[0] != '\0');
    if (wire_bool(result, "verified")) {
        CU_ASSERT_EQUAL(wire_int(result, "code"), 0);
    }
    return wire_int(result, "code");
}

struct verdict {
    int64_t code, depth;
    int alert; /* that the peer hears */
};

/* The verdict of the daemon as a client with these parameters about what the peer shows.
 * Whatever it is, the handshake, the error and get-ssl-verify-result agree. */
static struct verdict judge_with(json_t *params, const struct tls_peer_spec *peer)
{
    struct verdict verdict = {0};

    open_pair();
    tls_wrap("client", params);
    CU_ASSERT_EQUAL(verify_code(), 0); /* as documented: nothing is known yet */
    int64_t id = wire_send(pair.wire, "ssl-do-handshake", "{s:I}", "socket", pair.sock);
    tls_peer = tls_peer_new(peer, pair.peer);
    bool is_done = tls_peer_try(tls_peer);
    json_t *reply = wire_reply(pair.wire, id), *error = json_object_get(reply, "error");
    if (error == NULL) {
        CU_ASSERT_TRUE(is_done);
        json_t *tls = json_object_get(json_object_get(reply, "result"), "tls");
        CU_ASSERT_TRUE(wire_bool(tls, "verified"));
        CU_ASSERT_EQUAL(verify_code(), 0);
        tls_talk();
        return verdict;
    }
    json_t *data = json_object_get(error, "data");
    CU_ASSERT_STRING_EQUAL(wire_text(data, "identifier"), "certificate-verify-failed");
    verdict.code = wire_int(data, "verify-code");
    verdict.depth = wire_int(data, "depth");
    CU_ASSERT_STRING_EQUAL(wire_text(data, "reason"),
                           X509_verify_cert_error_string(verdict.code));
    CU_ASSERT_EQUAL(verify_code(), verdict.code);
    CU_ASSERT_FALSE(wire_bool(tls_facts(), "verified"));
    CU_ASSERT_STRING_EQUAL(wire_text(tls_facts(), "state"), "failed");
    verdict.alert = tls_peer_alert(tls_peer);
    /* What is refused stays so: no byte of the application goes either way. */
    wire_refused(pair.wire, "certificate-verify-failed", "read", "{s:I}", "socket",
                 pair.sock);
    return verdict;
}

static struct verdict judge(void)
{
    struct tls_peer_spec peer = peer_that_shows();

    return judge_with(tls_client_params(NULL), &peer);
}

static void check(size_t number, struct verdict verdict, int64_t code, int64_t depth)
{
    if (verdict.code != code || verdict.depth != depth) {
        UNIT_FAIL("case %zu: code %d at depth %d instead of %d at %d", number,
                  (int)verdict.code, (int)verdict.depth, (int)code, (int)depth);
    }
}

/* ---- The matrix ---- */

static void test_leaves(void)
{
    const struct cert *middle = tls_tree.middle;
    const struct {
        struct cert_spec spec;
        int64_t code;
        int alert;
    } cases[] = {
        {{.issuer = middle}, X509_V_OK, 0},
        {{.issuer = middle, .key = CERT_P384}, X509_V_OK, 0},
        {{.issuer = middle, .key = CERT_ED25519}, X509_V_OK, 0},
        {{.issuer = middle, .key = CERT_RSA_2048}, X509_V_OK, 0},
        {{.issuer = middle, .alt_names = "DNS:SERVER.TEST"}, X509_V_OK, 0},
        {{.issuer = middle, .usage = "serverAuth"}, X509_V_OK, 0},
        {{.issuer = middle, .from = -200, .until = -100},
         X509_V_ERR_CERT_HAS_EXPIRED,
         SSL_AD_CERTIFICATE_EXPIRED},
        {{.issuer = middle, .from = 100000, .until = 200000},
         X509_V_ERR_CERT_NOT_YET_VALID,
         SSL_AD_BAD_CERTIFICATE},
        {{.issuer = middle, .alt_names = "DNS:other.test"},
         X509_V_ERR_HOSTNAME_MISMATCH,
         SSL_AD_BAD_CERTIFICATE},
        {{.issuer = middle, .alt_names = "DNS:server.test.evil.test"},
         X509_V_ERR_HOSTNAME_MISMATCH,
         SSL_AD_BAD_CERTIFICATE},
        {{.issuer = middle, .alt_names = "DNS:*.test"},
         X509_V_ERR_HOSTNAME_MISMATCH,
         SSL_AD_BAD_CERTIFICATE}, /* a whole top level domain */
        {{.issuer = middle, .name = "server.test", .alt_names = "IP:192.0.2.1"},
         X509_V_ERR_HOSTNAME_MISMATCH,
         SSL_AD_BAD_CERTIFICATE}, /* a common name is no host name */
        {{.name = "self"}, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, SSL_AD_UNKNOWN_CA},
        {{.issuer = middle, .is_forged = true},
         X509_V_ERR_CERT_SIGNATURE_FAILURE,
         SSL_AD_DECRYPT_ERROR},
        {{.issuer = middle, .usage = "clientAuth"},
         X509_V_ERR_INVALID_PURPOSE,
         SSL_AD_UNSUPPORTED_CERTIFICATE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        show(cases[i].spec);
        struct verdict verdict = judge();
        check(i, verdict, cases[i].code, 0);
        if (verdict.alert != cases[i].alert) {
            UNIT_FAIL("case %zu: alert %d instead of %d", i, verdict.alert,
                      cases[i].alert);
        }
    }
}

/* The same verdicts with TLS 1.2, where the server is still waiting for the client. */
static void test_leaves_in_tls12(void)
{
    struct tls_peer_spec peer;

    show((struct cert_spec){.issuer = tls_tree.middle, .from = -200, .until = -100});
    peer = peer_that_shows();
    peer.version = TLS1_2_VERSION;
    struct verdict verdict = judge_with(tls_client_params(NULL), &peer);
    check(0, verdict, X509_V_ERR_CERT_HAS_EXPIRED, 0);
    CU_ASSERT_EQUAL(verdict.alert, SSL_AD_CERTIFICATE_EXPIRED);
    show((struct cert_spec){.issuer = tls_tree.middle});
    peer = peer_that_shows();
    peer.version = TLS1_2_VERSION;
    check(1, judge_with(tls_client_params(NULL), &peer), X509_V_OK, 0);
}

static void test_weak_leaf(void)
{
    show((struct cert_spec){.issuer = tls_tree.middle, .key = CERT_RSA_1024});
    struct tls_peer_spec peer = peer_that_shows();

    peer.is_weak = true;
    check(0, judge_with(tls_client_params(NULL), &peer), X509_V_ERR_EE_KEY_TOO_SMALL, 0);
}

/* ---- Chains ---- */

static void test_strangers(void)
{
    struct cert *stranger =
        cert_new(&(struct cert_spec){.name = "stranger", .is_authority = true});

    show((struct cert_spec){.issuer = stranger});
    struct verdict verdict = judge();
    check(0, verdict, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 0);
    CU_ASSERT_EQUAL(verdict.alert, SSL_AD_UNKNOWN_CA);
    /* Sent along, it is still nobody we know. */
    free(shown.chain);
    shown.chain = cert_join(shown.cert->pem, stranger->pem, NULL);
    check(1, judge(), X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, 1);
    hide();
    cert_free(stranger);
    /* The intermediate is missing; given by us, it may be. */
    struct tls_peer_spec peer = tls_server_peer();
    peer.certificate = tls_tree.leaf->pem;
    check(2, judge_with(tls_client_params(NULL), &peer),
          X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 0);
    char *both = cert_join(tls_tree.root->pem, tls_tree.middle->pem, NULL);
    check(3, judge_with(tls_client_params("{s:s}", "ca-file", both), &peer), X509_V_OK,
          0);
    check(4, judge_with(tls_client_params("{s:s}", "ca-directory", both), &peer),
          X509_V_OK, 0);
    free(both);
}

/* Nothing of this test is in the store of the system, which is the default. */
static void test_system_store(void)
{
    struct tls_peer_spec peer = tls_server_peer();

    check(0, judge_with(json_pack("{s:s}", "server-name", "server.test"), &peer),
          X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 1);
}

/* What was given is trusted: the intermediate alone, or the leaf itself. */
static void test_partial_chain(void)
{
    struct tls_peer_spec peer = tls_server_peer();

    check(0,
          judge_with(tls_client_params("{s:s}", "ca-file", tls_tree.middle->pem), &peer),
          X509_V_OK, 0);
    check(1, judge_with(tls_client_params("{s:s}", "ca-file", tls_tree.leaf->pem), &peer),
          X509_V_OK, 0);
    check(2,
          judge_with(tls_client_params("{s:s, s:s}", "ca-file", tls_tree.leaf->pem,
                                       "server-name", "other.test"),
                     &peer),
          X509_V_ERR_HOSTNAME_MISMATCH, 0);
}

static void test_constraints(void)
{
    struct cert *inside =
        cert_new(&(struct cert_spec){.name = "constrained",
                                     .is_authority = true,
                                     .issuer = tls_tree.root,
                                     .constraints = "permitted;DNS:inside.test"});

    for (int i = 0; i < 2; i++) {
        const char *name = i ? "a.inside.test" : "server.test";
        char alt_names[64];
        (void)snprintf(alt_names, sizeof alt_names, "DNS:%s", name);
        show((struct cert_spec){.issuer = inside, .alt_names = alt_names});
        free(shown.chain);
        shown.chain = cert_join(shown.cert->pem, inside->pem, NULL);
        struct tls_peer_spec peer = peer_that_shows();
        check((size_t)i,
              judge_with(tls_client_params("{s:s}", "server-name", name), &peer),
              i ? X509_V_OK : X509_V_ERR_PERMITTED_VIOLATION, 0);
    }
    cert_free(inside);
}

/* Authorities that may not be ones, or not of so many. */
static void test_authorities(void)
{
    struct cert *last = cert_new(&(struct cert_spec){.name = "last",
                                                     .is_authority = true,
                                                     .issuer = tls_tree.root,
                                                     .has_path_length = true});
    struct cert *beyond = cert_new(
        &(struct cert_spec){.name = "beyond", .is_authority = true, .issuer = last});

    show((struct cert_spec){.issuer = tls_tree.leaf});
    free(shown.chain);
    shown.chain = cert_join(shown.cert->pem, tls_tree.chain, NULL);
    check(0, judge(), X509_V_ERR_INVALID_CA, 1);
    show((struct cert_spec){.issuer = beyond});
    free(shown.chain);
    shown.chain = cert_join(shown.cert->pem, beyond->pem, last->pem, NULL);
    struct verdict verdict = judge();
    CU_ASSERT_EQUAL(verdict.code, X509_V_ERR_PATH_LENGTH_EXCEEDED);
    cert_free(last);
    cert_free(beyond);
}

static void test_depth(void)
{
    struct tls_peer_spec peer = tls_server_peer();
    struct verdict verdict;

    /* One intermediate stands between leaf and root. */
    check(0, judge_with(tls_client_params("{s:i}", "max-depth", 1), &peer), X509_V_OK, 0);
    verdict = judge_with(tls_client_params("{s:i}", "max-depth", 0), &peer);
    CU_ASSERT(verdict.code == X509_V_ERR_CERT_CHAIN_TOO_LONG ||
              verdict.code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}

/* ---- Names ---- */

static void test_names(void)
{
    static const struct {
        const char *name;
        int64_t code;
        bool is_asked; /* by SNI, which has no addresses */
    } cases[] = {
        {"server.test", X509_V_OK, true},
        {"SERVER.test.", X509_V_OK, true},
        {"a.wild.test", X509_V_OK, true},
        {"a.b.wild.test", X509_V_ERR_HOSTNAME_MISMATCH, true},
        {"wild.test", X509_V_ERR_HOSTNAME_MISMATCH, true},
        {"127.0.0.1", X509_V_OK, false},
        {"127.0.0.2", X509_V_ERR_IP_ADDRESS_MISMATCH, false},
        {"::1", X509_V_OK, false},
        {"::2", X509_V_ERR_IP_ADDRESS_MISMATCH, false},
    };
    struct tls_peer_spec peer = tls_server_peer();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict verdict =
            judge_with(tls_client_params("{s:s}", "server-name", cases[i].name), &peer);
        check(i, verdict, cases[i].code, 0);
        const char *asked = SSL_get_servername(tls_peer, TLSEXT_NAMETYPE_host_name);
        CU_ASSERT_EQUAL(asked != NULL, cases[i].is_asked);
    }
    /* Without a name it is the host that was connected to: 127.0.0.1 here. */
    check(20, judge_with(json_pack("{s:s}", "ca-file", tls_tree.root->pem), &peer),
          X509_V_OK, 0);
    show((struct cert_spec){.issuer = tls_tree.middle});
    peer = peer_that_shows();
    check(21, judge_with(json_pack("{s:s}", "ca-file", tls_tree.root->pem), &peer),
          X509_V_ERR_IP_ADDRESS_MISMATCH, 0);
}

/* ---- Revocation ---- */

static char *lists(const struct cert *by_root, const struct cert *by_middle, long until)
{
    const struct cert *of_root[] = {by_root, NULL}, *of_middle[] = {by_middle, NULL};
    char *first = cert_crl(tls_tree.root, of_root, 3600);
    char *second = cert_crl(tls_tree.middle, of_middle, until);
    char *both = cert_join(first, second, NULL);

    free(first);
    free(second);
    return both;
}

static struct verdict judge_list(json_t *how, char *crl)
{
    struct tls_peer_spec peer = tls_server_peer();
    json_t *params = tls_client_params("{s:o}", "crl-check", how);

    if (crl != NULL) {
        json_object_set_new(params, "crl-file", json_string(crl));
        free(crl);
    }
    return judge_with(params, &peer);
}

static void test_revocation(void)
{
    const struct cert *leaf = tls_tree.leaf, *middle = tls_tree.middle;

    check(0, judge_list(json_true(), NULL), X509_V_ERR_UNABLE_TO_GET_CRL, 0);
    check(1, judge_list(json_string("leaf"), NULL), X509_V_ERR_UNABLE_TO_GET_CRL, 0);
    CU_ASSERT_EQUAL(judge_list(json_string("chain"), NULL).code,
                    X509_V_ERR_UNABLE_TO_GET_CRL);
    check(2, judge_list(json_true(), lists(NULL, NULL, 3600)), X509_V_OK, 0);
    check(3, judge_list(json_string("chain"), lists(NULL, NULL, 3600)), X509_V_OK, 0);
    struct verdict verdict = judge_list(json_true(), lists(NULL, leaf, 3600));
    check(4, verdict, X509_V_ERR_CERT_REVOKED, 0);
    CU_ASSERT_EQUAL(verdict.alert, SSL_AD_CERTIFICATE_REVOKED);
    check(5, judge_list(json_string("chain"), lists(NULL, leaf, 3600)),
          X509_V_ERR_CERT_REVOKED, 0);
    check(6, judge_list(json_string("leaf"), lists(middle, NULL, 3600)), X509_V_OK, 0);
    check(7, judge_list(json_string("chain"), lists(middle, NULL, 3600)),
          X509_V_ERR_CERT_REVOKED, 1);
    check(8, judge_list(json_true(), lists(NULL, NULL, -60)), X509_V_ERR_CRL_HAS_EXPIRED,
          0);
    /* Off, it does not matter what the list says. */
    check(9, judge_list(json_false(), lists(middle, leaf, 3600)), X509_V_OK, 0);
    /* One for the leaf only is not enough for the chain. */
    CU_ASSERT_EQUAL(judge_list(json_string("chain"),
                               cert_crl(middle, (const struct cert *[]){NULL}, 3600))
                        .code,
                    X509_V_ERR_UNABLE_TO_GET_CRL);
    /* Of an authority that is not in the chain. */
    check(10,
          judge_list(json_true(),
                     cert_crl(tls_tree.root, (const struct cert *[]){NULL}, 3600)),
          X509_V_ERR_UNABLE_TO_GET_CRL, 0);
}

/* ---- Policies ---- */

/* No verification, and a verdict without consequences. */
static void test_lenient_clients(void)
{
    static const struct {
        const char *verify;
        bool is_good;
        int64_t code;
    } cases[] = {
        {NULL, true, 0},
        {NULL, false, 0}, /* as documented: nothing was looked at */
        {"request", true, 0},
        {"request", false, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hide();
        if (!cases[i].is_good) {
            show((struct cert_spec){.name = "self"});
        }
        struct tls_peer_spec peer = peer_that_shows();
        open_pair();
        const char *verify = cases[i].verify;
        tls_wrap("client",
                 tls_client_params("{s:o}", "verify",
                                   verify != NULL ? json_string(verify) : json_false()));
        json_t *tls = json_object_get(tls_greet(&peer), "tls");
        CU_ASSERT_EQUAL(wire_bool(tls, "verified"), verify != NULL && cases[i].is_good);
        CU_ASSERT_EQUAL(verify_code(), cases[i].code);
        tls_talk();
    }
}

/* Whether the server that is the daemon takes a client that shows this, under a policy.
 * The two are asked in both versions, since the server of TLS 1.3 speaks last. */
static void meet_client(const char *verify, const struct cert *client, bool is_accepted,
                        bool is_verified, int version)
{
    struct tls_peer_spec peer = tls_client_peer();

    peer.version = version;
    if (client != NULL) {
        peer.certificate = client->pem;
        peer.key = client->key_pem;
    }
    open_pair();
    tls_wrap("server",
             tls_server_params("{s:o, s:s}", "verify",
                               verify != NULL ? json_string(verify) : json_false(),
                               "ca-file", tls_tree.root->pem));
    int64_t id = wire_send(pair.wire, "ssl-do-handshake", "{s:I}", "socket", pair.sock);
    tls_peer = tls_peer_new(&peer, pair.peer);
    (void)tls_peer_try(tls_peer);
    json_t *reply = wire_reply(pair.wire, id), *error = json_object_get(reply, "error");
    CU_ASSERT_EQUAL(error == NULL, is_accepted);
    json_t *certificate =
        json_object_get(is_accepted ? wire_call(pair.wire, "get-ssl-peer-certificate",
                                                "{s:I}", "socket", pair.sock)
                                    : NULL,
                        "certificate");
    if (is_accepted) {
        CU_ASSERT_EQUAL(wire_bool(tls_facts(), "verified"), is_verified);
        CU_ASSERT_EQUAL(json_is_object(certificate), client != NULL && verify != NULL);
        tls_talk();
    } else {
        const char *identifier = wire_text(json_object_get(error, "data"), "identifier");
        CU_ASSERT_STRING_EQUAL(identifier, client != NULL ? "certificate-verify-failed"
                                                          : "ssl-error");
        int alert = tls_peer_alert(tls_peer);
        CU_ASSERT_EQUAL(alert, client != NULL              ? SSL_AD_UNKNOWN_CA
                               : version == TLS1_3_VERSION ? SSL_AD_CERTIFICATE_REQUIRED
                                                           : SSL_AD_HANDSHAKE_FAILURE);
    }
}

static void test_client_certificates(void)
{
    struct cert *good =
        cert_new(&(struct cert_spec){.name = "client", .issuer = tls_tree.root});
    struct cert *bad = cert_new(&(struct cert_spec){.name = "self"});
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    for (int i = 0; i < 2; i++) {
        int version = versions[i];
        meet_client(NULL, NULL, true, false, version);
        meet_client(NULL, good, true, false, version);
        meet_client("request", NULL, true, false, version);
        meet_client("request", good, true, true, version);
        meet_client("request", bad, true, false, version);
        meet_client("optional", NULL, true, false, version);
        meet_client("optional", good, true, true, version);
        meet_client("optional", bad, false, false, version);
        meet_client("required", good, true, true, version);
        meet_client("required", bad, false, false, version);
        meet_client("required", NULL, false, false, version);
    }
    cert_free(good);
    cert_free(bad);
}

static const struct unit_test tests[] = {
    {"leaves and their verdicts", test_leaves},
    {"the same in TLS 1.2", test_leaves_in_tls12},
    {"a leaf with a weak key", test_weak_leaf},
    {"authorities nobody knows, and missing ones", test_strangers},
    {"the store of the system is the default", test_system_store},
    {"what was given is trusted, root or not", test_partial_chain},
    {"name constraints", test_constraints},
    {"authorities that may not be ones", test_authorities},
    {"chains that are too deep", test_depth},
    {"names and addresses", test_names},
    {"revocation", test_revocation},
    {"no verification, and a verdict without consequences", test_lenient_clients},
    {"certificates of clients", test_client_certificates},
};

UNIT_MAIN_AROUND(tests, before, after)
