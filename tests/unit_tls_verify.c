/* SPDX-License-Identifier: MIT */
/*
 * unit_tls_verify.c - tls_verify.c in real handshakes: each certificate with its verdict,
 * names, revocation, client certificates.
 */
#include <config.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/net/certificate.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls_parts.h"
#include "tests/tls_ends.h"
#include "tests/unit.h"

static struct tls_config client_config, server_config;
static struct tls_session_spec client_spec;

static void before(void)
{
    ends_start();
    tls_config_init(&client_config, TLS_CLIENT);
    client_config.ca = text_of(ends_tree.root->pem);
    tls_config_init(&server_config, TLS_SERVER);
    server_config.certificate = text_of(ends_tree.chain);
    server_config.key = text_of(ends_tree.leaf->key_pem);
    client_spec = ends_spec(NULL);
}

static void after(void) { ends_stop(); }

static void meet(void) { ends_meet(&client_config, &server_config, &client_spec); }

/* The client's verdict; 0: all is well. The server hears of a refusal as an alert. */
static long verdict(void)
{
    const char *text;

    meet();
    struct error error = end_error(&ends_client);
    long code = tls_session_verify_result(ends_client.sock, &text);

    if (error.id == ERROR_NONE) {
        CU_ASSERT_EQUAL(code, 0);
        CU_ASSERT(end_facts(&ends_client).is_verified);
        return 0;
    }
    CU_ASSERT_EQUAL(error.id, ERROR_CERTIFICATE_VERIFY_FAILED);
    CU_ASSERT_EQUAL(error.number, code);
    CU_ASSERT_STRING_EQUAL(error.reason, text);
    CU_ASSERT_FALSE(end_facts(&ends_client).is_verified);
    CU_ASSERT_EQUAL(end_error(&ends_server).id, ERROR_SSL_ERROR);
    CU_ASSERT(end_error(&ends_server).number > 0);
    return code;
}

static struct cert *server_cert;
static char *server_chain;

/* The server shows a certificate of this kind. */
static void show(const struct cert_spec *spec)
{
    struct cert_spec whole = *spec;

    if (whole.name == NULL) {
        whole.name = "leaf";
    }
    if (whole.alt_names == NULL) {
        whole.alt_names = "DNS:server.test";
    }
    cert_free(server_cert);
    free(server_chain);
    server_cert = cert_new(&whole);
    server_chain = cert_join(server_cert->pem, ends_tree.middle->pem, NULL);
    server_config.certificate = text_of(server_chain);
    server_config.key = text_of(server_cert->key_pem);
}

static void hide(void)
{
    cert_free(server_cert);
    free(server_chain);
    server_cert = NULL;
    server_chain = NULL;
}

/* ---- Verdicts ---- */

static void test_verdicts(void)
{
    const struct cert *middle = ends_tree.middle;
    const struct {
        struct cert_spec spec;
        long code;
    } cases[] = {
        {{.issuer = middle}, X509_V_OK},
        {{.issuer = middle, .from = -200, .until = -100}, X509_V_ERR_CERT_HAS_EXPIRED},
        {{.issuer = middle, .from = 100, .until = 200}, X509_V_ERR_CERT_NOT_YET_VALID},
        {{.issuer = middle, .alt_names = "DNS:other.test"}, X509_V_ERR_HOSTNAME_MISMATCH},
        {{.issuer = middle, .alt_names = "DNS:*.test"}, X509_V_ERR_HOSTNAME_MISMATCH},
        {{.issuer = middle, .alt_names = "DNS:s*.test"}, X509_V_ERR_HOSTNAME_MISMATCH},
        {{.issuer = middle, .alt_names = "DNS:*"}, X509_V_ERR_HOSTNAME_MISMATCH},
        {{.issuer = middle, .alt_names = "DNS:x.server.test"},
         X509_V_ERR_HOSTNAME_MISMATCH},
        {{.issuer = middle, .name = "server.test", .alt_names = "IP:192.0.2.1"},
         X509_V_ERR_HOSTNAME_MISMATCH}, /* a common name is no host name */
        {{.name = "self"}, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT},
        {{.issuer = middle, .is_forged = true}, X509_V_ERR_CERT_SIGNATURE_FAILURE},
        {{.issuer = middle, .usage = "serverAuth"}, X509_V_OK},
        {{.issuer = middle, .usage = "clientAuth"}, X509_V_ERR_INVALID_PURPOSE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        show(&cases[i].spec);
        long code = verdict();
        if (code != cases[i].code) {
            UNIT_FAIL("case %zu: %ld instead of %ld", i, code, cases[i].code);
        }
    }
    hide();
}

static void test_strangers(void)
{
    struct cert *stranger =
        cert_new(&(struct cert_spec){.name = "stranger", .is_authority = true});

    show(&(struct cert_spec){.issuer = stranger});
    CU_ASSERT_EQUAL(verdict(), X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    /* Sent along, it is still nobody we know. */
    char *with_root = cert_join(server_cert->pem, stranger->pem, NULL);
    server_config.certificate = text_of(with_root);
    CU_ASSERT_EQUAL(verdict(), X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
    CU_ASSERT_EQUAL(end_error(&ends_client).depth, 1);
    free(with_root);
    hide();
    /* The intermediate is missing. */
    server_config.certificate = text_of(ends_tree.leaf->pem);
    server_config.key = text_of(ends_tree.leaf->key_pem);
    CU_ASSERT_EQUAL(verdict(), X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    cert_free(stranger);
}

/* What was given is trusted: the intermediate alone, or the leaf itself. */
static void test_partial_chain(void)
{
    client_config.ca = text_of(ends_tree.middle->pem);
    CU_ASSERT_EQUAL(verdict(), X509_V_OK);
    client_config.ca = text_of(ends_tree.leaf->pem);
    CU_ASSERT_EQUAL(verdict(), X509_V_OK);
    client_spec.host = "other.test";
    CU_ASSERT_EQUAL(verdict(), X509_V_ERR_HOSTNAME_MISMATCH);
}

static void test_weak_leaf(void)
{
    /* The server would not load it at today's level, so it is made to. */
    server_config.allows_weak = true;
    server_config.ciphers = "DEFAULT:@SECLEVEL=0";
    show(&(struct cert_spec){.issuer = ends_tree.middle, .key = CERT_RSA_1024});
    CU_ASSERT_EQUAL(verdict(), X509_V_ERR_EE_KEY_TOO_SMALL);
    hide();
}

static void test_constraints(void)
{
    struct cert *inside =
        cert_new(&(struct cert_spec){.name = "constrained",
                                     .is_authority = true,
                                     .issuer = ends_tree.root,
                                     .constraints = "permitted;DNS:inside.test"});
    struct cert *leaf = cert_new(&(struct cert_spec){
        .name = "leaf", .issuer = inside, .alt_names = "DNS:server.test"});
    struct cert *good = cert_new(&(struct cert_spec){
        .name = "leaf", .issuer = inside, .alt_names = "DNS:a.inside.test"});
    char *chain = cert_join(leaf->pem, inside->pem, NULL);
    char *good_chain = cert_join(good->pem, inside->pem, NULL);

    server_config.certificate = text_of(chain);
    server_config.key = text_of(leaf->key_pem);
    CU_ASSERT_EQUAL(verdict(), X509_V_ERR_PERMITTED_VIOLATION);
    server_config.certificate = text_of(good_chain);
    server_config.key = text_of(good->key_pem);
    client_spec.host = "a.inside.test";
    CU_ASSERT_EQUAL(verdict(), X509_V_OK);
    free(chain);
    free(good_chain);
    cert_free(good);
    cert_free(leaf);
    cert_free(inside);
}

/* Authorities that may not be ones, or not of so many. */
static void test_authorities(void)
{
    struct cert *leaf = cert_new(&(struct cert_spec){
        .name = "x", .issuer = ends_tree.leaf, .alt_names = "DNS:server.test"});
    char *chain = cert_join(leaf->pem, ends_tree.leaf->pem, ends_tree.middle->pem, NULL);
    struct cert *last = cert_new(&(struct cert_spec){.name = "last",
                                                     .is_authority = true,
                                                     .issuer = ends_tree.root,
                                                     .has_path_length = true});
    struct cert *beyond = cert_new(
        &(struct cert_spec){.name = "beyond", .is_authority = true, .issuer = last});
    struct cert *end = cert_new(&(struct cert_spec){
        .name = "end", .issuer = beyond, .alt_names = "DNS:server.test"});
    char *too_long = cert_join(end->pem, beyond->pem, last->pem, NULL);

    server_config.certificate = text_of(chain);
    server_config.key = text_of(leaf->key_pem);
    CU_ASSERT_EQUAL(verdict(), X509_V_ERR_INVALID_CA);
    CU_ASSERT_EQUAL(end_error(&ends_client).depth, 1);
    server_config.certificate = text_of(too_long);
    server_config.key = text_of(end->key_pem);
    CU_ASSERT_EQUAL(verdict(), X509_V_ERR_PATH_LENGTH_EXCEEDED);
    free(chain);
    free(too_long);
    cert_free(leaf);
    cert_free(last);
    cert_free(beyond);
    cert_free(end);
}

static void test_depth(void)
{
    client_config.max_depth = 1;
    CU_ASSERT_EQUAL(verdict(), X509_V_OK);
    client_config.max_depth = 0;
    long code = verdict();

    CU_ASSERT(code == X509_V_ERR_CERT_CHAIN_TOO_LONG ||
              code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}

/* ---- Names ---- */

static void test_names(void)
{
    static const struct {
        const char *host, *server_name;
        long code;
    } cases[] = {
        {"server.test", NULL, X509_V_OK},
        {"SERVER.test.", NULL, X509_V_OK},
        {"a.wild.test", NULL, X509_V_OK},
        {"a.b.wild.test", NULL, X509_V_ERR_HOSTNAME_MISMATCH},
        {"wild.test", NULL, X509_V_ERR_HOSTNAME_MISMATCH},
        {"127.0.0.1", NULL, X509_V_OK},
        {"127.0.0.2", NULL, X509_V_ERR_IP_ADDRESS_MISMATCH},
        {"::1", NULL, X509_V_OK},
        {"0:0::1%lo", NULL, X509_V_OK},
        {"::2", NULL, X509_V_ERR_IP_ADDRESS_MISMATCH},
        {"127.0.0.2", "server.test", X509_V_OK},
        {"server.test", "other.test", X509_V_ERR_HOSTNAME_MISMATCH},
        {NULL, "server.test", X509_V_OK},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        client_spec.host = cases[i].host;
        client_spec.server_name = cases[i].server_name;
        CU_ASSERT_EQUAL(verdict(), cases[i].code);
        const char *asked = end_facts(&ends_server).server_name;
        const char *used =
            cases[i].server_name != NULL ? cases[i].server_name : cases[i].host;
        bool is_address = strspn(used, "0123456789.:%lo") == strlen(used);
        CU_ASSERT_EQUAL(asked != NULL, !is_address);
    }
}

static bool opens(struct error *error)
{
    struct tls_context *client = ends_context(&client_config);

    ends_close();
    client_spec.context = client;
    ends_connect(false);
    end_open(&ends_client);
    const struct transport *plain = ends_client.sock->as.stream->transport;
    bool is_open = tls_session_open(ends_client.sock, &client_spec, error);

    if (!is_open) {
        CU_ASSERT_PTR_EQUAL(ends_client.sock->as.stream->transport, plain);
        CU_ASSERT_PTR_NULL(ends_client.sock->as.stream->session);
        CU_ASSERT_FALSE(tls_session_is_on(ends_client.sock));
    } else {
        CU_ASSERT(tls_session_is_on(ends_client.sock));
    }
    tls_context_unref(client);
    return is_open;
}

/* Whoever verifies must say whom. */
static void test_no_name(void)
{
    struct error error;

    client_spec.host = NULL;
    CU_ASSERT_FALSE(opens(&error));
    CU_ASSERT_STRING_EQUAL(error.parameter, "server-name");
    client_config.server_name = "server.test";
    CU_ASSERT(opens(&error));
    client_config.server_name = NULL;
    client_config.verify = TLS_VERIFY_NONE;
    CU_ASSERT(opens(&error));
    client_spec.host = "an odd host";
    CU_ASSERT(opens(&error));
    client_spec.server_name = "an odd host";
    CU_ASSERT_FALSE(opens(&error));
    CU_ASSERT_STRING_EQUAL(error.parameter, "server-name");
}

/* ---- Policies ---- */

static void test_no_verification(void)
{
    const char *text;

    show(&(struct cert_spec){.name = "self"});
    client_config.verify = TLS_VERIFY_NONE;
    meet();
    CU_ASSERT_EQUAL(ends_client.in.size, 1);
    CU_ASSERT_FALSE(end_facts(&ends_client).is_verified);
    CU_ASSERT_EQUAL(tls_session_verify_result(ends_client.sock, &text), 0);
    CU_ASSERT_STRING_EQUAL(text, "ok");
    /* "request" looks, and lets it pass. */
    client_config.verify = TLS_VERIFY_REQUEST;
    meet();
    CU_ASSERT_EQUAL(ends_client.in.size, 1);
    CU_ASSERT_FALSE(end_facts(&ends_client).is_verified);
    CU_ASSERT_EQUAL(tls_session_verify_result(ends_client.sock, &text),
                    X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
    hide();
    server_config.certificate = text_of(ends_tree.chain);
    server_config.key = text_of(ends_tree.leaf->key_pem);
    meet();
    CU_ASSERT(end_facts(&ends_client).is_verified);
}

static void test_peer_certificate(void)
{
    struct certificate_list list = {0};

    meet();
    tls_session_peer(ends_client.sock, false, &list);
    CU_ASSERT_EQUAL_FATAL(list.n, 1);
    CU_ASSERT_STRING_EQUAL(list.items[0]->pem, ends_tree.leaf->pem);
    certificate_list_fini(&list);
    tls_session_peer(ends_client.sock, true, &list);
    CU_ASSERT_EQUAL_FATAL(list.n, 3); /* with the root, which was not sent */
    CU_ASSERT_STRING_EQUAL(list.items[1]->pem, ends_tree.middle->pem);
    CU_ASSERT_STRING_EQUAL(list.items[2]->pem, ends_tree.root->pem);
    certificate_list_fini(&list);
    tls_session_peer(ends_server.sock, true, &list);
    CU_ASSERT_EQUAL(list.n, 0);
    client_config.verify = TLS_VERIFY_NONE;
    meet();
    tls_session_peer(ends_client.sock, true, &list);
    CU_ASSERT_EQUAL(list.n, 2); /* what was sent */
    certificate_list_fini(&list);
}

/* Clients with a good certificate, a bad one, and none, against every policy; in both
 * versions, since the server of TLS 1.3 speaks last. */
static void test_client_certificates(void)
{
    struct cert *bad = cert_new(&(struct cert_spec){.name = "self"});
    enum { NONE, GOOD, BAD };
    static const struct {
        enum tls_verify verify;
        int shown;
        bool is_accepted, is_verified;
        int alert; /* that the client hears */
    } cases[] = {
        {TLS_VERIFY_NONE, NONE, true, false, 0},
        {TLS_VERIFY_NONE, GOOD, true, false, 0},
        {TLS_VERIFY_REQUEST, NONE, true, false, 0},
        {TLS_VERIFY_REQUEST, GOOD, true, true, 0},
        {TLS_VERIFY_REQUEST, BAD, true, false, 0},
        {TLS_VERIFY_OPTIONAL, NONE, true, false, 0},
        {TLS_VERIFY_OPTIONAL, GOOD, true, true, 0},
        {TLS_VERIFY_OPTIONAL, BAD, false, false, SSL_AD_UNKNOWN_CA},
        {TLS_VERIFY_REQUIRED, GOOD, true, true, 0},
        {TLS_VERIFY_REQUIRED, BAD, false, false, SSL_AD_UNKNOWN_CA},
        {TLS_VERIFY_REQUIRED, NONE, false, false, 0},
    };

    server_config.ca = text_of(ends_tree.root->pem);
    for (size_t i = 0; i < 2 * (sizeof cases / sizeof cases[0]); i++) {
        size_t k = i / 2;
        struct certificate_list list = {0};
        server_config.versions = i % 2 == 0 ? TLS_VERSION_1_3 : TLS_VERSION_1_2;
        server_config.verify = cases[k].verify;
        client_config.certificate = client_config.key = (struct tls_text){0};
        if (cases[k].shown != NONE) {
            bool is_good = cases[k].shown == GOOD;
            client_config.certificate = text_of(is_good ? ends_tree.chain : bad->pem);
            client_config.key = text_of(is_good ? ends_tree.leaf->key_pem : bad->key_pem);
        }
        meet();
        CU_ASSERT_EQUAL(ends_server.in.size, cases[k].is_accepted);
        CU_ASSERT_EQUAL(end_facts(&ends_server).is_verified, cases[k].is_verified);
        tls_session_peer(ends_server.sock, true, &list);
        CU_ASSERT_EQUAL(list.n > 0, cases[k].shown != NONE &&
                                        cases[k].verify != TLS_VERIFY_NONE &&
                                        (cases[k].is_accepted || list.n > 0));
        certificate_list_fini(&list);
        if (!cases[k].is_accepted) {
            CU_ASSERT_EQUAL(ends_client.input_end, TRANSPORT_FAILED);
            CU_ASSERT_EQUAL(end_error(&ends_client).id, ERROR_SSL_ERROR);
            CU_ASSERT(end_error(&ends_client).number > 0);
        }
        if (cases[k].alert != 0) {
            CU_ASSERT_EQUAL(end_error(&ends_client).number, cases[k].alert);
            CU_ASSERT_EQUAL(end_error(&ends_server).id, ERROR_CERTIFICATE_VERIFY_FAILED);
        }
    }
    cert_free(bad);
}

/* ---- Revocation ---- */

static char *crls(const struct cert *by_root, const struct cert *by_middle,
                  long until_middle)
{
    const struct cert *of_root[] = {by_root, NULL}, *of_middle[] = {by_middle, NULL};
    char *first = cert_crl(ends_tree.root, of_root, 3600);
    char *second = cert_crl(ends_tree.middle, of_middle, until_middle);
    char *both = cert_join(first, second, NULL);

    free(first);
    free(second);
    return both;
}

static long verdict_with(enum tls_crl_check check, char *crl)
{
    client_config.crl_check = check;
    client_config.crl = crl != NULL ? text_of(crl) : (struct tls_text){0};
    long code = verdict();

    free(crl);
    return code;
}

static void test_revocation(void)
{
    const struct cert *leaf = ends_tree.leaf, *middle = ends_tree.middle;

    CU_ASSERT_EQUAL(verdict_with(TLS_CRL_LEAF, NULL), X509_V_ERR_UNABLE_TO_GET_CRL);
    CU_ASSERT_EQUAL(verdict_with(TLS_CRL_CHAIN, NULL), X509_V_ERR_UNABLE_TO_GET_CRL);
    CU_ASSERT_EQUAL(verdict_with(TLS_CRL_LEAF, crls(NULL, NULL, 3600)), X509_V_OK);
    CU_ASSERT_EQUAL(verdict_with(TLS_CRL_CHAIN, crls(NULL, NULL, 3600)), X509_V_OK);
    CU_ASSERT_EQUAL(verdict_with(TLS_CRL_LEAF, crls(NULL, leaf, 3600)),
                    X509_V_ERR_CERT_REVOKED);
    CU_ASSERT_EQUAL(end_error(&ends_client).depth, 0);
    CU_ASSERT_EQUAL(verdict_with(TLS_CRL_LEAF, crls(middle, NULL, 3600)), X509_V_OK);
    CU_ASSERT_EQUAL(verdict_with(TLS_CRL_CHAIN, crls(middle, NULL, 3600)),
                    X509_V_ERR_CERT_REVOKED);
    CU_ASSERT_EQUAL(end_error(&ends_client).depth, 1);
    CU_ASSERT_EQUAL(verdict_with(TLS_CRL_LEAF, crls(NULL, NULL, -60)),
                    X509_V_ERR_CRL_HAS_EXPIRED);
    /* Off, it does not matter what the list says. */
    CU_ASSERT_EQUAL(verdict_with(TLS_CRL_NONE, crls(middle, leaf, 3600)), X509_V_OK);
    /* One for the leaf only is not enough for the chain. */
    CU_ASSERT_EQUAL(verdict_with(TLS_CRL_CHAIN,
                                 cert_crl(middle, (const struct cert *[]){NULL}, 3600)),
                    X509_V_ERR_UNABLE_TO_GET_CRL);
}

/* A context that checks revocation checks it each time. */
static void test_revocation_does_not_resume(void)
{
    struct tls_context_facts facts;
    char *crl = crls(NULL, NULL, 3600);

    client_config.crl_check = TLS_CRL_LEAF;
    client_config.crl = text_of(crl);
    struct tls_context *context = ends_context(&client_config);

    tls_context_describe(context, &facts);
    CU_ASSERT_FALSE(facts.has_sessions);
    tls_context_unref(context);
    free(crl);
}

static const struct unit_test tests[] = {
    {"certificates and their verdicts", test_verdicts},
    {"authorities nobody knows", test_strangers},
    {"what was given is trusted, root or not", test_partial_chain},
    {"a leaf with a weak key", test_weak_leaf},
    {"name constraints", test_constraints},
    {"authorities that may not be ones", test_authorities},
    {"chains that are too deep", test_depth},
    {"names and addresses", test_names},
    {"no name to verify", test_no_name},
    {"no verification, and a verdict without consequences", test_no_verification},
    {"the certificate of the peer and its chain", test_peer_certificate},
    {"certificates of clients", test_client_certificates},
    {"revocation", test_revocation},
    {"revocation is looked at each time", test_revocation_does_not_resume},
};

UNIT_MAIN_AROUND(tests, before, after)
