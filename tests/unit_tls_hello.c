/* SPDX-License-Identifier: MIT */
/*
 * unit_tls_hello.c - tls_hello.c and tls_policy.c in real handshakes: the context chosen
 * by name, protocols, and what a session may have differently from its context.
 */
#include <config.h>

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- By name and by protocol ---- */

static struct tls_context *serves(const char *name, enum tls_verify verify,
                                  const char *const *alpn)
{
    struct cert *cert = cert_new(
        &(struct cert_spec){.name = name, .alt_names = name, .issuer = ends_tree.root});
    struct tls_config config;

    tls_config_init(&config, TLS_SERVER);
    config.certificate = text_of(cert->pem);
    config.key = text_of(cert->key_pem);
    config.ca = text_of(ends_tree.root->pem);
    config.verify = verify;
    config.alpn = alpn;
    config.n_alpn = alpn != NULL ? 2 : 0;
    struct tls_context *context = ends_context(&config);

    cert_free(cert);
    return context;
}

static struct tls_choice *choice;

static void meet_choice(const char *name)
{
    struct tls_context *client = ends_context(&client_config);
    struct tls_session_spec server_spec = ends_spec(tls_choice_default(choice));

    server_spec.choice = choice;
    client_spec.context = client;
    client_spec.host = name;
    ends_greet(&client_spec, &server_spec);
    tls_context_unref(client);
}

static void check_alpn(const char *expected)
{
    struct tls_facts client = end_facts(&ends_client), server = end_facts(&ends_server);

    CU_ASSERT_EQUAL(client.alpn_size, strlen(expected));
    CU_ASSERT_EQUAL(server.alpn_size, strlen(expected));
    if (client.alpn != NULL && server.alpn != NULL) {
        CU_ASSERT(memcmp(client.alpn, expected, client.alpn_size) == 0);
        CU_ASSERT(memcmp(server.alpn, expected, server.alpn_size) == 0);
    }
}

/* Certificate, verify policy and protocols are those of the context that the name
 * chooses, in both versions. */
static void test_choice_by_name(void)
{
    static const char *const protocols[] = {"h2", "http/1.1"};
    struct tls_context *contexts[] = {
        serves("DNS:default.test", TLS_VERIFY_NONE, NULL),
        serves("DNS:strict.test", TLS_VERIFY_REQUIRED, NULL),
        serves("DNS:*.many.test", TLS_VERIFY_NONE, protocols),
    };
    struct error error;

    client_config.alpn = (const char *const[]){"http/1.1", "h2"};
    client_config.n_alpn = 2;
    choice = tls_choice_new(contexts, 3, &error);
    for (unsigned i = 0; i < 2; i++) {
        client_config.versions = i == 0 ? TLS_VERSION_1_3 : TLS_VERSION_1_2;
        meet_choice("default.test");
        CU_ASSERT(end_facts(&ends_client).is_verified);
        check_alpn("");
        meet_choice("a.many.test");
        CU_ASSERT(end_facts(&ends_client).is_verified);
        check_alpn("h2"); /* the server's order */
        meet_choice("elsewhere.test");
        CU_ASSERT_EQUAL(end_error(&ends_client).number, X509_V_ERR_HOSTNAME_MISMATCH);
        meet_choice("strict.test");
        CU_ASSERT_EQUAL(end_error(&ends_server).id, ERROR_SSL_ERROR);
        CU_ASSERT_STRING_EQUAL(end_error(&ends_server).reason,
                               "peer did not return a certificate");
        client_config.certificate = text_of(ends_tree.chain);
        client_config.key = text_of(ends_tree.leaf->key_pem);
        meet_choice("strict.test");
        CU_ASSERT_EQUAL(ends_server.in.size, 1);
        CU_ASSERT(end_facts(&ends_server).is_verified);
        client_config.certificate = client_config.key = (struct tls_text){0};
    }
    ends_close();
    tls_choice_unref(choice);
    for (unsigned i = 0; i < 3; i++) {
        tls_context_unref(contexts[i]);
    }
}

static void test_alpn(void)
{
    static const char *const ours[] = {"b", "a"};

    server_config.alpn = ours;
    server_config.n_alpn = 2;
    meet();
    check_alpn(""); /* a client that does not ask */
    client_config.alpn = (const char *const[]){"a", "b"};
    client_config.n_alpn = 2;
    meet();
    check_alpn("b");
    client_spec.alpn = (const char *const[]){"x", "a"};
    client_spec.n_alpn = 2;
    meet();
    check_alpn("a");
    client_spec.n_alpn = 1;
    meet();
    CU_ASSERT_EQUAL(end_error(&ends_client).number, SSL_AD_NO_APPLICATION_PROTOCOL);
    server_config.alpn = NULL;
    server_config.n_alpn = 0;
    meet();
    check_alpn("");
}

/* ---- Overrides ---- */

static bool opens(struct error *error)
{
    struct tls_context *client = ends_context(&client_config);

    ends_close();
    client_spec.context = client;
    ends_connect(false);
    end_open(&ends_client);
    bool is_open = tls_session_open(ends_client.sock, &client_spec, error);

    tls_context_unref(client);
    return is_open;
}

static void test_overrides(void)
{
    struct tls_overrides overrides = TLS_OVERRIDES_NONE;
    struct error error;

    client_spec.overrides = &overrides;
    overrides.versions = TLS_VERSION_1_2;
    overrides.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305";
    meet();
    CU_ASSERT_STRING_EQUAL(end_facts(&ends_client).version, "tlsv1.2");
    CU_ASSERT_STRING_EQUAL(end_facts(&ends_client).cipher,
                           "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
    overrides = (struct tls_overrides)TLS_OVERRIDES_NONE;
    overrides.ciphersuites = "TLS_AES_128_GCM_SHA256";
    meet();
    CU_ASSERT_STRING_EQUAL(end_facts(&ends_client).cipher, "TLS_AES_128_GCM_SHA256");
    overrides.verify = TLS_VERIFY_NONE;
    client_spec.host = "other.test";
    meet();
    CU_ASSERT_EQUAL(ends_client.in.size, 1);
    CU_ASSERT_EQUAL(end_facts(&ends_client).verify, TLS_VERIFY_NONE);
    client_spec.host = "server.test";
    overrides.verify = -1;
    overrides.max_depth = 0;
    meet();
    CU_ASSERT_EQUAL(end_error(&ends_client).id, ERROR_CERTIFICATE_VERIFY_FAILED);
    overrides = (struct tls_overrides)TLS_OVERRIDES_NONE;
    overrides.ciphers = "NULL-SHA256:@SECLEVEL=0";
    CU_ASSERT_FALSE(opens(&error));
    CU_ASSERT_STRING_EQUAL(error.parameter, "ciphers");
    overrides.ciphers = NULL;
    overrides.versions = TLS_VERSION_1_0;
    CU_ASSERT_FALSE(opens(&error));
    CU_ASSERT_EQUAL(error.id, ERROR_PERMISSION_DENIED);
}

/* The server's order of ciphers, or the client's. */
static void test_cipher_order(void)
{
    client_config.ciphersuites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384";
    server_config.ciphersuites = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256";
    meet();
    CU_ASSERT_STRING_EQUAL(end_facts(&ends_client).cipher, "TLS_AES_256_GCM_SHA384");
    server_config.prefers_server_order = false;
    meet();
    CU_ASSERT_STRING_EQUAL(end_facts(&ends_client).cipher, "TLS_AES_128_GCM_SHA256");
}

/* TLS 1.0 works where it is allowed. */
static void test_weak_versions(void)
{
    client_config.allows_weak = server_config.allows_weak = true;
    client_config.versions = TLS_VERSION_1_0;
    server_config.versions = TLS_VERSION_1_0 | TLS_VERSION_1_2;
    meet();
    CU_ASSERT_EQUAL_FATAL(ends_client.in.size, 1);
    CU_ASSERT_STRING_EQUAL(end_facts(&ends_client).version, "tlsv1");
    /* A list with a hole: 1.1 lies between what the server speaks. */
    client_config.versions = TLS_VERSION_1_1;
    meet();
    CU_ASSERT_EQUAL(end_error(&ends_client).id, ERROR_SSL_ERROR);
    CU_ASSERT_EQUAL(end_error(&ends_server).id, ERROR_SSL_ERROR);
}

static const struct unit_test tests[] = {
    {"the context chosen by name", test_choice_by_name},
    {"protocols", test_alpn},
    {"what a session may have differently", test_overrides},
    {"whose order of ciphers", test_cipher_order},
    {"old versions where they are allowed", test_weak_versions},
};

UNIT_MAIN_AROUND(tests, before, after)
