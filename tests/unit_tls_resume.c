/* SPDX-License-Identifier: MIT */
/*
 * unit_tls_resume.c - tls_tickets.c, tls_cache.c and tls_policy.c: which sessions are
 * resumed, and which must not be.
 */
#include <config.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/net/certificate.h"
#include "daemon/net/tls_library.h"
#include "daemon/net/tls_parts.h"
#include "tests/tls_ends.h"
#include "tests/unit.h"

static struct tls_context *client, *server;
static struct tls_session_spec client_spec, server_spec;

static void set_contexts(struct tls_context *new_client, struct tls_context *new_server)
{
    ends_close();
    tls_context_unref(client);
    tls_context_unref(server);
    client = new_client;
    server = new_server;
    client_spec = ends_spec(client);
    server_spec = ends_spec(server);
}

static void before(void)
{
    ends_start();
    set_contexts(ends_client_context(NULL), ends_server_context(NULL));
}

static void after(void)
{
    set_contexts(NULL, NULL);
    ends_stop();
}

static unsigned n_kept(void)
{
    struct tls_context_facts facts;

    tls_context_describe(client, &facts);
    return facts.n_sessions;
}

/* One connection more; both sides must be of one opinion. */
static bool is_resumed(void)
{
    ends_greet(&client_spec, &server_spec);
    ends_idle(); /* for tickets that come late */
    CU_ASSERT_EQUAL(end_facts(&ends_client).state, TLS_STATE_ESTABLISHED);
    CU_ASSERT_EQUAL(ends_client.in.size, 1);
    bool is_it = end_facts(&ends_client).is_resumed;

    CU_ASSERT_EQUAL(end_facts(&ends_server).is_resumed, is_it);
    return is_it;
}

static void only_1_2(struct tls_config *config) { config->versions = TLS_VERSION_1_2; }

static void test_1_3(void)
{
    CU_ASSERT_FALSE(is_resumed());
    CU_ASSERT_EQUAL(n_kept(), 1); /* one ticket */
    for (unsigned i = 0; i < 5; i++) {
        CU_ASSERT(is_resumed());
        CU_ASSERT_EQUAL(n_kept(), 1); /* used, and replaced */
        CU_ASSERT(end_facts(&ends_client).is_verified);
    }
}

static void test_1_2(void)
{
    set_contexts(ends_client_context(NULL), ends_server_context(only_1_2));
    CU_ASSERT_FALSE(is_resumed());
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT(is_resumed());
        CU_ASSERT(end_facts(&ends_client).is_verified);
    }
    CU_ASSERT_EQUAL(n_kept(), 1);
}

/* A client of TLS 1.2 that knows no tickets: by the id of the session. */
static void test_ids(void)
{
    SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_client_method());
    SSL_SESSION *session = NULL;

    CU_ASSERT_PTR_NOT_NULL_FATAL(ssl_ctx);
    set_contexts(NULL, ends_server_context(only_1_2));
    (void)SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_TICKET);
    for (unsigned i = 0; i < 2; i++) {
        ends_close();
        ends_connect(false);
        end_start(&ends_server, &server_spec);
        SSL *peer = ends_bare_peer(ssl_ctx, false);
        if (session != NULL) {
            CU_ASSERT(SSL_set_session(peer, session) == 1);
        }
        ends_bare_handshake(&ends_server, peer);
        CU_ASSERT_EQUAL(SSL_session_reused(peer), (int)i);
        CU_ASSERT_EQUAL(end_facts(&ends_server).is_resumed, i == 1);
        SSL_SESSION_free(session);
        session = SSL_get1_session(peer);
        (void)SSL_shutdown(peer);
        SSL_free(peer);
    }
    SSL_SESSION_free(session);
    SSL_CTX_free(ssl_ctx);
    ERR_clear_error();
}

static void no_sessions(struct tls_config *config) { config->has_sessions = false; }

static void no_tickets(struct tls_config *config) { config->n_tickets = 0; }

static void no_sessions_1_2(struct tls_config *config)
{
    only_1_2(config);
    no_sessions(config);
}

static void test_off(void)
{
    set_contexts(ends_client_context(no_sessions), ends_server_context(NULL));
    CU_ASSERT_FALSE(is_resumed() || is_resumed());
    CU_ASSERT_EQUAL(n_kept(), 0);
    set_contexts(ends_client_context(NULL), ends_server_context(no_sessions));
    CU_ASSERT_FALSE(is_resumed() || is_resumed());
    CU_ASSERT_EQUAL(n_kept(), 0);
    set_contexts(ends_client_context(NULL), ends_server_context(no_tickets));
    CU_ASSERT_FALSE(is_resumed() || is_resumed());
    set_contexts(ends_client_context(NULL), ends_server_context(no_sessions_1_2));
    CU_ASSERT_FALSE(is_resumed() || is_resumed());
}

static void four_tickets(struct tls_config *config) { config->n_tickets = 4; }

static void test_many_tickets(void)
{
    set_contexts(ends_client_context(NULL), ends_server_context(four_tickets));
    CU_ASSERT_FALSE(is_resumed());
    CU_ASSERT_EQUAL(n_kept(), 4);
    CU_ASSERT(is_resumed());
    CU_ASSERT_EQUAL(n_kept(), 4);
}

/* ---- Borders ---- */

/* Nothing of these shares a session with the others. */
static void test_names_apart(void)
{
    CU_ASSERT_FALSE(is_resumed());
    client_spec.host = "a.wild.test";
    CU_ASSERT_FALSE(is_resumed());
    client_spec.host = "127.0.0.1";
    CU_ASSERT_FALSE(is_resumed());
    client_spec.host = "server.test";
    client_spec.place = "2";
    CU_ASSERT_FALSE(is_resumed());
    client_spec.place = "1";
    CU_ASSERT(is_resumed());
}

static void test_policies_apart(void)
{
    struct tls_overrides overrides = TLS_OVERRIDES_NONE;

    client_spec.overrides = &overrides;
    overrides.verify = TLS_VERIFY_NONE;
    CU_ASSERT_FALSE(is_resumed());
    overrides.verify = TLS_VERIFY_REQUEST;
    CU_ASSERT_FALSE(is_resumed());
    CU_ASSERT(end_facts(&ends_client).is_verified);
    overrides.verify = -1;
    CU_ASSERT_FALSE(is_resumed());
    overrides.max_depth = 5;
    CU_ASSERT_FALSE(is_resumed());
    overrides.max_depth = -1;
    CU_ASSERT(is_resumed());
    overrides.verify = TLS_VERIFY_NONE;
    CU_ASSERT(is_resumed());
    CU_ASSERT_FALSE(end_facts(&ends_client).is_verified);
}

/* The same on the side of the server, which is who decides. */
static void wants_clients(struct tls_config *config)
{
    config->verify = TLS_VERIFY_REQUIRED;
    config->ca = text_of(ends_tree.root->pem);
}

static void has_certificate(struct tls_config *config)
{
    config->certificate = text_of(ends_tree.chain);
    config->key = text_of(ends_tree.leaf->key_pem);
}

static void test_server_policies_apart(void)
{
    struct tls_overrides lenient = TLS_OVERRIDES_NONE;
    unsigned versions[] = {TLS_VERSION_1_3, TLS_VERSION_1_2};

    lenient.verify = TLS_VERIFY_NONE;
    set_contexts(ends_client_context(has_certificate),
                 ends_server_context(wants_clients));
    for (unsigned i = 0; i < 2; i++) {
        lenient.versions = versions[i];
        server_spec.overrides = &lenient;
        CU_ASSERT_FALSE(is_resumed());
        CU_ASSERT_FALSE(end_facts(&ends_server).is_verified);
        server_spec.overrides = NULL;
        CU_ASSERT_FALSE(is_resumed()); /* the client has offered that session */
        CU_ASSERT(end_facts(&ends_server).is_verified);
        CU_ASSERT(is_resumed());
    }
}

/* The verdict stays with the session. */
static void test_verdict_is_kept(void)
{
    struct cert *self = cert_new(&(struct cert_spec){.name = "self"});
    struct tls_config config;
    const char *text;

    tls_config_init(&config, TLS_SERVER);
    config.certificate = text_of(self->pem);
    config.key = text_of(self->key_pem);
    struct tls_context *self_server = ends_context(&config);

    tls_config_init(&config, TLS_CLIENT);
    config.verify = TLS_VERIFY_REQUEST;
    config.ca = text_of(ends_tree.root->pem);
    set_contexts(ends_context(&config), self_server);
    for (unsigned i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(is_resumed(), i == 1);
        CU_ASSERT_FALSE(end_facts(&ends_client).is_verified);
        CU_ASSERT_EQUAL(tls_session_verify_result(ends_client.sock, &text),
                        X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
    }
    cert_free(self);
}

/* The same certificate, key and names, but another context: nothing is carried over,
 * neither to another server context nor from another client context. */
static void test_contexts_apart(void)
{
    struct tls_context *other_server = ends_server_context(NULL);
    struct tls_context *other_client = ends_client_context(NULL);

    CU_ASSERT_FALSE(is_resumed());
    server_spec.context = other_server;
    CU_ASSERT_FALSE(is_resumed());
    server_spec.context = server;
    client_spec.context = other_client;
    CU_ASSERT_FALSE(is_resumed());
    client_spec.context = client;
    ends_close();
    tls_context_unref(other_server);
    tls_context_unref(other_client);
}

static struct tls_context *serves(const char *name, enum tls_verify verify,
                                  unsigned versions)
{
    struct cert *cert = cert_new(
        &(struct cert_spec){.name = name, .alt_names = name, .issuer = ends_tree.root});
    struct tls_config config;

    tls_config_init(&config, TLS_SERVER);
    config.certificate = text_of(cert->pem);
    config.key = text_of(cert->key_pem);
    config.ca = text_of(ends_tree.root->pem);
    config.verify = verify;
    config.versions = versions;
    struct tls_context *context = ends_context(&config);

    cert_free(cert);
    return context;
}

static SSL *bare;
static int bare_result;

static bool bare_is_decided(void)
{
    bare_result = SSL_do_handshake(bare);
    int code = SSL_get_error(bare, bare_result);

    ERR_clear_error();
    return ends_server_over() ||
           (bare_result == 1 && end_facts(&ends_server).state == TLS_STATE_ESTABLISHED) ||
           (code != SSL_ERROR_WANT_READ && code != SSL_ERROR_NONE);
}

static char bare_byte;

static bool bare_has_read(void)
{
    int got = SSL_read(bare, &bare_byte, 1);

    ERR_clear_error();
    return got == 1;
}

/* A session of a name without client certificates is offered under a name that wants
 * them: the classic way across. With tickets and, in TLS 1.2, with ids too. */
static void try_to_cross(unsigned versions, bool has_tickets)
{
    struct tls_context *contexts[] = {
        serves("DNS:open.test", TLS_VERIFY_NONE, versions),
        serves("DNS:strict.test", TLS_VERIFY_REQUIRED, versions),
    };
    struct error error;
    struct tls_choice *choice = tls_choice_new(contexts, 2, &error);
    SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_client_method());
    SSL_SESSION *session = NULL;

    CU_ASSERT_FATAL(choice != NULL && ssl_ctx != NULL);
    server_spec = ends_spec(contexts[0]);
    server_spec.choice = choice;
    if (!has_tickets) {
        (void)SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_TICKET);
    }
    /* Not const: OpenSSL's macro would cast that away. */
    char names[][16] = {"open.test", "strict.test", "open.test"};

    for (unsigned i = 0; i < 3; i++) {
        ends_close();
        ends_connect(false);
        end_start(&ends_server, &server_spec);
        bare = ends_bare_peer(ssl_ctx, false);
        CU_ASSERT(SSL_set_tlsext_host_name(bare, names[i]) == 1);
        if (session != NULL) {
            CU_ASSERT(SSL_set_session(bare, session) == 1);
        }
        ends_run(bare_is_decided);
        if (i == 1) {
            ends_run(ends_server_over);
            CU_ASSERT_STRING_EQUAL(end_error(&ends_server).reason,
                                   "peer did not return a certificate");
        } else {
            buffer_add(&ends_server.out, "s", 1);
            ends_run(bare_has_read); /* and the tickets before it */
            /* Still good where it is from, so it was the border that kept it out. */
            CU_ASSERT_EQUAL(SSL_session_reused(bare), i == 2);
            SSL_SESSION_free(session);
            session = SSL_get1_session(bare);
        }
        SSL_set_shutdown(bare, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(bare);
        ERR_clear_error();
    }
    SSL_SESSION_free(session);
    SSL_CTX_free(ssl_ctx);
    ends_close();
    tls_choice_unref(choice);
    tls_context_unref(contexts[0]);
    tls_context_unref(contexts[1]);
}

static void test_no_way_across(void)
{
    try_to_cross(TLS_VERSION_1_3, true);
    try_to_cross(TLS_VERSION_1_2, true);
    try_to_cross(TLS_VERSION_1_2, false);
}

/* A client that was verified stays it, and its certificate is remembered. */
static void test_client_certificate(void)
{
    struct certificate_list list = {0};

    set_contexts(ends_client_context(has_certificate),
                 ends_server_context(wants_clients));
    for (unsigned i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(is_resumed(), i == 1);
        CU_ASSERT(end_facts(&ends_server).is_verified);
        tls_session_peer(ends_server.sock, false, &list);
        CU_ASSERT_EQUAL_FATAL(list.n, 1);
        CU_ASSERT_STRING_EQUAL(list.items[0]->pem, ends_tree.leaf->pem);
        certificate_list_fini(&list);
    }
}

/* ---- Time ---- */

static unsigned n_keys(void)
{
    struct tls_context_facts facts;

    tls_context_describe(server, &facts);
    return facts.n_ticket_keys;
}

static void test_rotation(void)
{
    CU_ASSERT_EQUAL(n_keys(), 0); /* made when the first is needed */
    CU_ASSERT_FALSE(is_resumed());
    CU_ASSERT_EQUAL(n_keys(), 1);
    tls_seconds_advance(TLS_TICKET_SECONDS);
    CU_ASSERT(is_resumed()); /* opened with the old key, sealed with a new one */
    CU_ASSERT_EQUAL(n_keys(), 2);
    tls_seconds_advance(TLS_SESSION_SECONDS);
    CU_ASSERT_EQUAL(n_keys(), 1);
    CU_ASSERT(is_resumed());
    tls_seconds_advance(TLS_SESSION_SECONDS + TLS_TICKET_SECONDS);
    CU_ASSERT_EQUAL(n_keys(), 0); /* wiped */
    CU_ASSERT_FALSE(is_resumed());
    for (unsigned i = 0; i < 20; i++) {
        tls_seconds_advance(TLS_TICKET_SECONDS);
        CU_ASSERT(is_resumed());
        CU_ASSERT(n_keys() <= 4);
    }
    tls_seconds_advance(TLS_SESSION_SECONDS + TLS_TICKET_SECONDS);
    tls_context_maintain(server);
    CU_ASSERT_EQUAL(n_keys(), 0);
}

static SSL_SESSION *made_session(long age, long timeout)
{
    /* As a client would have it: from a real handshake, then made older. */
    CU_ASSERT_FALSE_FATAL(is_resumed());
    SSL_SESSION *session =
        tls_cache_take(client->cache, tls_session_of(ends_client.sock)->peer);

    CU_ASSERT_PTR_NOT_NULL_FATAL(session);
    (void)SSL_SESSION_set_time(session, SSL_SESSION_get_time(session) - age);
    (void)SSL_SESSION_set_timeout(session, timeout);
    return session;
}

static void test_freshness(void)
{
    SSL_SESSION *session = made_session(10, 100);

    CU_ASSERT(tls_cache_is_fresh(session));
    (void)SSL_SESSION_set_timeout(session, 10);
    CU_ASSERT_FALSE(tls_cache_is_fresh(session));
    tls_cache_add(client->cache, "x", session);
    CU_ASSERT_EQUAL(n_kept(), 1);
    CU_ASSERT_PTR_NULL(tls_cache_take(client->cache, "x"));
    CU_ASSERT_EQUAL(n_kept(), 0);
    session = made_session(10, 5);
    tls_cache_add(client->cache, "x", session);
    tls_context_maintain(client);
    CU_ASSERT_EQUAL(n_kept(), 0);
}

/* No session outlives the certificate it was made with, on either side. */
static void test_certificate_expires(void)
{
    struct cert *brief = cert_new(&(struct cert_spec){.name = "brief",
                                                      .issuer = ends_tree.root,
                                                      .alt_names = "DNS:server.test",
                                                      .from = -100,
                                                      .until = -50});

    CU_ASSERT_FALSE_FATAL(is_resumed());
    SSL_SESSION *session = SSL_get1_session(tls_session_of(ends_client.sock)->ssl);

    CU_ASSERT(tls_cache_is_fresh(session));
    X509 *peer = SSL_SESSION_get0_peer(session);

    CU_ASSERT(X509_set1_notAfter(peer, X509_get0_notAfter(brief->x509)) == 1);
    CU_ASSERT_FALSE(tls_cache_is_fresh(session));
    SSL_SESSION_free(session);
    cert_free(brief);
}

/* ---- Bounds ---- */

static void test_bounds(void)
{
    char name[32];
    SSL_SESSION *session = made_session(0, 100);

    for (unsigned i = 0; i < 3 * TLS_CACHE_PEERS; i++) {
        (void)snprintf(name, sizeof name, "peer %u", i);
        CU_ASSERT(SSL_SESSION_up_ref(session) == 1);
        tls_cache_add(client->cache, name, session);
        /* One that is asked for stays. */
        if (i > 0) {
            SSL_SESSION *kept = tls_cache_take(client->cache, "peer 0");
            CU_ASSERT_PTR_EQUAL(kept, session);
            tls_cache_add(client->cache, "peer 0", kept);
        }
    }
    CU_ASSERT_EQUAL(n_kept(), TLS_CACHE_PEERS);
    for (unsigned i = 0; i < 10; i++) {
        CU_ASSERT(SSL_SESSION_up_ref(session) == 1);
        tls_cache_add(client->cache, "peer 0", session);
    }
    CU_ASSERT_EQUAL(n_kept(), TLS_CACHE_PEERS - 1 + TLS_CACHE_SESSIONS);
    SSL_SESSION_free(session);
}

static SSL_SESSION *shared_session;

static void *use_cache(void *arg)
{
    char name[32];

    for (unsigned i = 0; i < 2000; i++) {
        (void)snprintf(name, sizeof name, "%u", i * 7919 % 400);
        SSL_SESSION *session = tls_cache_take(arg, name);
        if (session == NULL) {
            session = shared_session;
            CHECK(SSL_SESSION_up_ref(session) == 1);
        }
        tls_cache_add(arg, name, session);
    }
    return NULL;
}

static void *use_tickets(void *arg)
{
    uint8_t name[16], iv[EVP_MAX_IV_LENGTH];
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);

    for (unsigned i = 0; i < 500; i++) {
        CHECK(tls_tickets_seal(arg, name, iv, cipher, mac) == 1);
        CHECK(tls_tickets_open(arg, name, iv, cipher, mac) > 0);
        if (i % 50 == 0) { /* two threads: two hours and a half, a key lasts three */
            tls_seconds_advance(TLS_TICKET_SECONDS / 8);
        }
    }
    EVP_CIPHER_CTX_free(cipher);
    EVP_MAC_CTX_free(mac);
    EVP_MAC_free(hmac);
    return NULL;
}

/* Both from several threads at once, as workers do. */
static void test_threads(void)
{
    pthread_t threads[4];

    shared_session = made_session(0, 1000);
    for (unsigned i = 0; i < 4; i++) {
        bool is_cache = i % 2 == 0;
        CU_ASSERT_FATAL(
            pthread_create(&threads[i], NULL, is_cache ? use_cache : use_tickets,
                           is_cache ? (void *)client->cache : (void *)server->tickets) ==
            0);
    }
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT(pthread_join(threads[i], NULL) == 0);
    }
    SSL_SESSION_free(shared_session);
    ERR_clear_error();
}

static const struct unit_test tests[] = {
    {"TLS 1.3, ticket after ticket", test_1_3},
    {"TLS 1.2 with tickets", test_1_2},
    {"TLS 1.2 with ids", test_ids},
    {"resumption turned off", test_off},
    {"more than one ticket", test_many_tickets},
    {"names and places apart", test_names_apart},
    {"verify policies apart", test_policies_apart},
    {"verify policies of servers apart", test_server_policies_apart},
    {"the verdict stays with the session", test_verdict_is_kept},
    {"contexts apart", test_contexts_apart},
    {"no way across names of one listener", test_no_way_across},
    {"certificates of clients", test_client_certificate},
    {"ticket keys rotate and are wiped", test_rotation},
    {"old sessions", test_freshness},
    {"sessions of old certificates", test_certificate_expires},
    {"the cache is bounded", test_bounds},
    {"caches and keys in several threads", test_threads},
};

UNIT_MAIN_AROUND(tests, before, after)
