/* SPDX-License-Identifier: MIT */
/*
 * system_tls_resume.c - sessions that are resumed, in both roles and versions, and all
 * the borders that they may not cross: contexts, names, rules, updates, revocation.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/tls_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* ---- The daemon as a server ---- */

static SSL_SESSION *kept; /* the last that the peer was given */
static int n_given;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(kept);
    kept = session;
    n_given++;
    return 1; /* the reference is ours */
}

static void forget(void)
{
    SSL_SESSION_free(kept);
    kept = NULL;
    n_given = 0;
}

/* A client that may resume what is kept, against a stream of the daemon with these
 * parameters. Whether it was resumed; both sides agree on that. */
static bool visit(int version, json_t *params, long options)
{
    struct tls_peer_spec spec = tls_client_peer();

    spec.version = version;
    pair_open(NULL);
    tls_wrap("server", params);
    int64_t id = wire_send(pair.wire, "ssl-do-handshake", "{s:I}", "socket", pair.sock);
    SSL_CTX *context = tls_peer_context(&spec);
    SSL_CTX_set_session_cache_mode(context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_session);
    tls_peer = tls_peer_open(context, &spec, pair.peer);
    SSL_set_options(tls_peer, (uint64_t)options);
    SSL_CTX_free(context);
    if (kept != NULL) {
        CU_ASSERT_EQUAL(SSL_set_session(tls_peer, kept), 1);
    }
    tls_peer_handshake(tls_peer);
    json_t *tls = json_object_get(wire_result(pair.wire, id), "tls");
    CU_ASSERT_EQUAL(wire_bool(tls, "resumed"), SSL_session_reused(tls_peer));
    tls_talk(); /* takes in the tickets of TLS 1.3 */
    wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    tls_peer_expect_end(tls_peer);
    tls_peer_shut_output(tls_peer); /* else OpenSSL would forget the session */
    return SSL_session_reused(tls_peer);
}

static bool visit_context(int version, int64_t context)
{
    return visit(version, json_pack("{s:I}", "context", context), 0);
}

static void test_server_resumes(void)
{
    pair_start(NULL);
    int64_t context = tls_context("server", tls_server_params(NULL));
    for (int v = 0; v < 2; v++) {
        forget();
        CU_ASSERT_FALSE(visit_context(versions[v], context));
        for (int i = 0; i < 5; i++) {
            CU_ASSERT_TRUE(visit_context(versions[v], context));
        }
        CU_ASSERT_PTR_NOT_NULL_FATAL(kept);
        CU_ASSERT_EQUAL(SSL_SESSION_get_max_early_data(kept), 0);
    }
    /* Old clients without tickets. */
    forget();
    json_t *params = json_pack("{s:I}", "context", context);
    CU_ASSERT_FALSE(visit(TLS1_2_VERSION, json_incref(params), SSL_OP_NO_TICKET));
    CU_ASSERT_TRUE(visit(TLS1_2_VERSION, params, SSL_OP_NO_TICKET));
    forget();
}

static void test_tickets(void)
{
    static const int numbers[] = {0, 1, 5, 16};

    pair_start(NULL);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        int64_t context =
            tls_context("server", tls_server_params("{s:i}", "tickets", numbers[i]));
        forget();
        CU_ASSERT_FALSE(visit_context(TLS1_3_VERSION, context));
        CU_ASSERT_EQUAL(n_given, numbers[i]);
        CU_ASSERT_EQUAL(visit_context(TLS1_3_VERSION, context), numbers[i] > 0);
    }
    int64_t context = tls_context("server", tls_server_params("{s:b}", "sessions", 0));
    for (int v = 0; v < 2; v++) {
        forget();
        CU_ASSERT_FALSE(visit_context(versions[v], context));
        CU_ASSERT_FALSE(visit_context(versions[v], context));
    }
    forget();
}

/* A session of one context is none of another, with the same texts as it may be; nor is
 * it after an update, nor of a stream without a context. */
static void test_server_borders(void)
{
    pair_start(NULL);
    for (int v = 0; v < 2; v++) {
        int64_t first = tls_context("server", tls_server_params(NULL));
        int64_t second = tls_context("server", tls_server_params(NULL));
        forget();
        CU_ASSERT_FALSE(visit_context(versions[v], first));
        CU_ASSERT_FALSE(visit_context(versions[v], second));
        CU_ASSERT_TRUE(visit_context(versions[v], second));
        wire_call(pair.wire, "update-context", "{s:I, s:s, s:s}", "context", second,
                  "certificate", tls_tree.chain, "key", tls_tree.leaf->key_pem);
        CU_ASSERT_FALSE(visit_context(versions[v], second));
        CU_ASSERT_TRUE(visit_context(versions[v], second));
        CU_ASSERT_FALSE(visit(versions[v], tls_server_params(NULL), 0));
        CU_ASSERT_FALSE(visit(versions[v], tls_server_params(NULL), 0));
    }
    forget();
}

/* A session that was made without a certificate does not get past a rule that wants one.
 */
static void test_server_rules(void)
{
    pair_start(NULL);
    for (int v = 0; v < 2; v++) {
        int64_t context = tls_context(
            "server", tls_server_params("{s:s}", "ca-file", tls_tree.root->pem));
        forget();
        CU_ASSERT_FALSE(visit_context(versions[v], context));
        CU_ASSERT_TRUE(visit_context(versions[v], context));
        struct tls_peer_spec spec = tls_client_peer();
        spec.version = versions[v];
        spec.session = kept;
        pair_open(NULL);
        tls_wrap("server",
                 json_pack("{s:I, s:s}", "context", context, "verify", "required"));
        tls_refuse(&spec, "ssl-error");
        CU_ASSERT_FALSE(wire_bool(tls_facts(), "resumed"));
    }
    forget();
}

/* ---- The daemon as a client ---- */

/* Servers of one SSL_CTX each, so that they would resume what they have given. */
struct server {
    SSL_CTX *context;
    struct tls_peer_spec spec;
};

static struct server server;

static void serve(int version)
{
    SSL_CTX_free(server.context);
    server.spec = tls_server_peer();
    server.spec.version = version;
    server.context = tls_peer_context(&server.spec);
}

static void stop_serving(void)
{
    SSL_CTX_free(server.context);
    server.context = NULL;
}

/* A talk of the daemon with the server, with these parameters. */
static void open_call(json_t *params)
{
    static int listener, port;

    /* At one port, which belongs to what a client keeps sessions for. */
    if (pair.harness == NULL) {
        pair.harness = harness_start(NULL);
        pair.wire = wire_open(pair.harness);
        listener = peer_listen("127.0.0.1", &port);
    }
    tls_connect_plain(port);
    pair.peer = peer_accept(listener);
    tls_wrap("client", params);
    int64_t id = wire_send(pair.wire, "ssl-do-handshake", "{s:I}", "socket", pair.sock);
    tls_peer = tls_peer_open(server.context, &server.spec, pair.peer);
    tls_peer_handshake(tls_peer);
    json_t *tls = json_object_get(wire_result(pair.wire, id), "tls");
    CU_ASSERT_EQUAL(wire_bool(tls, "resumed"), SSL_session_reused(tls_peer));
    tls_talk(); /* takes in the tickets of TLS 1.3 */
}

static void end_call(void)
{
    wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    tls_peer_expect_end(tls_peer);
    tls_peer_shut_output(tls_peer); /* else OpenSSL would forget the session */
}

/* Both; whether the daemon resumed. */
static bool call(json_t *params)
{
    open_call(params);
    end_call();
    return SSL_session_reused(tls_peer);
}

static bool call_context(int64_t context)
{
    return call(json_pack("{s:I}", "context", context));
}

static bool call_as(int64_t context, const char *key, json_t *value)
{
    return call(json_pack("{s:I, s:o}", "context", context, key, value));
}

/* A daemon is there, and nothing is kept. */
static int64_t fresh(int version)
{
    serve(version);
    (void)call(tls_client_params(NULL));
    return tls_context("client", tls_client_params(NULL));
}

static void test_client_resumes(void)
{
    for (int v = 0; v < 2; v++) {
        int64_t context = fresh(versions[v]);
        CU_ASSERT_FALSE(call_context(context));
        for (int i = 0; i < 5; i++) {
            CU_ASSERT_TRUE(call_context(context));
        }
        json_t *described =
            wire_call(pair.wire, "describe-context", "{s:I}", "context", context);
        CU_ASSERT_TRUE(wire_int(described, "stored-sessions") > 0);
        context = tls_context("client", tls_client_params("{s:b}", "sessions", 0));
        CU_ASSERT_FALSE(call_context(context));
        CU_ASSERT_FALSE(call_context(context));
    }
}

/* What was verified then is verified now: the certificate is there, and good. */
static void test_resumed_facts(void)
{
    for (int v = 0; v < 2; v++) {
        int64_t context = fresh(versions[v]);
        for (int i = 0; i < 2; i++) {
            open_call(json_pack("{s:I}", "context", context));
            CU_ASSERT_EQUAL(wire_bool(tls_facts(), "resumed"), i == 1);
            CU_ASSERT_TRUE(wire_bool(tls_facts(), "verified"));
            json_t *peer = wire_call(pair.wire, "get-ssl-peer-certificate", "{s:I}",
                                     "socket", pair.sock);
            CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(peer, "certificate"), "pem"),
                                   tls_tree.leaf->pem);
            json_t *result = wire_call(pair.wire, "get-ssl-verify-result", "{s:I}",
                                       "socket", pair.sock);
            CU_ASSERT_TRUE(wire_bool(result, "verified"));
            end_call();
        }
    }
}

static void test_client_borders(void)
{
    for (int v = 0; v < 2; v++) {
        int64_t first = fresh(versions[v]);
        int64_t second = tls_context("client", tls_client_params(NULL));
        CU_ASSERT_FALSE(call_context(first));
        CU_ASSERT_TRUE(call_context(first));
        CU_ASSERT_FALSE(call_context(second));
        /* Other names, other sessions. */
        CU_ASSERT_FALSE(call_as(first, "server-name", json_string("a.wild.test")));
        CU_ASSERT_TRUE(call_as(first, "server-name", json_string("a.wild.test")));
        /* Other rules. */
        CU_ASSERT_FALSE(call_as(first, "verify", json_false()));
        CU_ASSERT_FALSE(call_as(first, "verify", json_string("request")));
        CU_ASSERT_FALSE(call_as(first, "max-depth", json_integer(3)));
        CU_ASSERT_TRUE(call_context(first));
        /* Updated. */
        wire_call(pair.wire, "update-context", "{s:I, s:s}", "context", first, "ca-file",
                  tls_tree.root->pem);
        CU_ASSERT_FALSE(call_context(first));
        CU_ASSERT_TRUE(call_context(first));
        /* Without a context nothing is kept. */
        CU_ASSERT_FALSE(call(tls_client_params(NULL)));
        CU_ASSERT_FALSE(call(tls_client_params(NULL)));
    }
}

/* Who asks for revocation has it looked up each time. */
static void test_revocation(void)
{
    char *crl = cert_crl(tls_tree.middle, (const struct cert *[]){NULL}, 3600);

    for (int v = 0; v < 2; v++) {
        (void)fresh(versions[v]);
        int64_t context = tls_context(
            "client", tls_client_params("{s:s, s:b}", "crl-file", crl, "crl-check", 1));
        CU_ASSERT_FALSE(call_context(context));
        CU_ASSERT_FALSE(call_context(context));
    }
    free(crl);
}

static void before(void)
{
    tls_before();
    pair.harness = NULL;
}

static void after(void)
{
    forget();
    stop_serving();
    tls_after();
}

static const struct unit_test tests[] = {
    {"a server resumes", test_server_resumes},
    {"tickets, and none", test_tickets},
    {"a server's borders", test_server_borders},
    {"a server's rules", test_server_rules},
    {"a client resumes", test_client_resumes},
    {"what a resumed session tells", test_resumed_facts},
    {"a client's borders", test_client_borders},
    {"revocation is looked up each time", test_revocation},
};

UNIT_MAIN_AROUND(tests, before, after)
