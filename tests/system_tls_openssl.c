/* SPDX-License-Identifier: MIT */
/*
 * system_tls_openssl.c - TLS with openssl s_client and s_server, in both roles and
 * versions: suites, certificates, names, protocols, resumption, key updates, ends.
 */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness.h"
#include "tests/program.h"
#include "tests/tls_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

static const char *dir;

/* Whether openssl is there; then a daemon is, too, and the files. */
static bool start(void)
{
    if (program_find("openssl") == NULL) {
        return false;
    }
    pair.harness = harness_start(NULL);
    pair.wire = wire_open(pair.harness);
    dir = tls_write_files();
    return true;
}

/* openssl s_client to this port, with more options. */
static struct program *s_client(int port, const char *more)
{
    return program_run("openssl s_client -connect 127.0.0.1:%d -servername server.test "
                       "-CAfile %s/root.pem -verify_return_error -verify_hostname "
                       "server.test %s",
                       port, dir, more);
}

/* openssl s_server with the leaf, and its port. */
static struct program *s_server(const char *more, int *port)
{
    struct program *program =
        program_run("openssl s_server -accept 127.0.0.1:0 -cert %s/leaf.pem -key "
                    "%s/key.pem -cert_chain %s/chain.pem %s",
                    dir, dir, dir, more);

    *port = program_port(program);
    return program;
}

/* A line both ways. */
static void talk(struct program *program)
{
    static unsigned n;
    char line[32], answer[32];

    (void)snprintf(line, sizeof line, "line %u\n", ++n);
    (void)snprintf(answer, sizeof answer, "answer %u\n", n);
    program_say(program, line);
    json_t *read = wire_call(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
    line[strlen(line) - 1] = '\0';
    CU_ASSERT_STRING_EQUAL(wire_text(read, "line"), line);
    pair_write(answer);
    program_await(program, answer);
}

/* The program says goodbye, and so does the daemon. */
static void end(struct program *program)
{
    program_say(program, "Q\n");
    pair_check_end(pair_read(), "", "clean");
    wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    CU_ASSERT_EQUAL(program_status(program), 0);
}

static void check_text(const json_t *tls, const char *member, const char *wanted)
{
    CU_ASSERT_STRING_EQUAL(wire_text(tls, member), wanted);
}

/* ---- Versions and suites ---- */

struct suite {
    const char *option, *name; /* of openssl; of IANA */
    bool is_rsa;
};

static const struct suite suites12[] = {
    {"ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", false},
    {"ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", false},
    {"ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
     false},
    {"ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", true},
    {"ECDHE-RSA-AES256-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", true},
    {"DHE-RSA-AES256-GCM-SHA384", "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", true},
};
static const char *const suites13[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                       "TLS_CHACHA20_POLY1305_SHA256"};

static void test_server_suites(void)
{
    char more[128];

    if (!start()) {
        return;
    }
    struct cert *rsa = cert_new(&(struct cert_spec){.name = "rsa",
                                                    .issuer = tls_tree.root,
                                                    .alt_names = "DNS:server.test",
                                                    .key = CERT_RSA_2048});
    int port = tls_listen(NULL);
    for (size_t i = 0; i < sizeof suites12 / sizeof suites12[0]; i++) {
        const struct suite *suite = &suites12[i];
        (void)snprintf(more, sizeof more, "-tls1_2 -cipher %s", suite->option);
        struct program *program = s_client(port, more);
        json_t *tls =
            tls_accept(suite->is_rsa ? tls_server_params("{s:s, s:s}", "certificate",
                                                         rsa->pem, "key", rsa->key_pem)
                                     : tls_server_params(NULL));
        check_text(tls, "role", "server");
        check_text(tls, "state", "established");
        check_text(tls, "version", "tlsv1.2");
        check_text(tls, "cipher", suite->name);
        check_text(tls, "server-name", "server.test");
        CU_ASSERT_FALSE(wire_bool(tls, "verified"));
        CU_ASSERT_FALSE(wire_bool(tls, "resumed"));
        program_await(program, "Verify return code: 0 (ok)");
        talk(program);
        end(program);
    }
    for (size_t i = 0; i < sizeof suites13 / sizeof suites13[0]; i++) {
        (void)snprintf(more, sizeof more, "-tls1_3 -ciphersuites %s", suites13[i]);
        struct program *program = s_client(port, more);
        json_t *tls = tls_accept(tls_server_params(NULL));
        check_text(tls, "version", "tlsv1.3");
        check_text(tls, "cipher", suites13[i]);
        talk(program);
        end(program);
    }
    cert_free(rsa);
}

static void test_client_suites(void)
{
    int port;

    if (!start()) {
        return;
    }
    struct program *program = s_server("", &port);
    for (size_t i = 0; i < 3; i++) {
        json_t *tls =
            tls_connect(port, tls_client_params("{s:s, s:s}", "method", "tlsv1.2",
                                                "ciphers", suites12[i].option));
        check_text(tls, "role", "client");
        check_text(tls, "version", "tlsv1.2");
        check_text(tls, "cipher", suites12[i].name);
        CU_ASSERT_TRUE(wire_bool(tls, "verified"));
        talk(program);
        wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
        tls = tls_connect(port, tls_client_params("{s:s, s:s}", "method", "tlsv1.3",
                                                  "ciphersuites", suites13[i]));
        check_text(tls, "version", "tlsv1.3");
        check_text(tls, "cipher", suites13[i]);
        talk(program);
        wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    }
    program_stop(program);
}

/* Nothing in common: each side says so, and the daemon is as it was. */
static void test_nothing_in_common(void)
{
    if (!start()) {
        return;
    }
    int port = tls_listen(NULL);
    struct program *program = s_client(port, "-tls1_2");

    tls_accept_plain();
    tls_wrap("server", tls_server_params("{s:s}", "method", "tlsv1.3"));
    json_t *error = wire_refused(pair.wire, "ssl-error", "ssl-do-handshake", "{s:I}",
                                 "socket", pair.sock);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "reason"),
                           "unsupported protocol");
    program_await(program, "alert protocol version");
    CU_ASSERT_NOT_EQUAL(program_status(program), 0);
    program = s_client(port, "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256");
    tls_accept_plain();
    tls_wrap("server", tls_server_params(NULL)); /* its key is ECDSA */
    error = wire_refused(pair.wire, "ssl-error", "ssl-do-handshake", "{s:I}", "socket",
                         pair.sock);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "reason"),
                           "no shared cipher");
    CU_ASSERT_NOT_EQUAL(program_status(program), 0);
    program = s_client(port, "");
    tls_accept(tls_server_params(NULL));
    talk(program);
    end(program);
}

/* ---- Certificates of both ---- */

static void test_mutual(void)
{
    static const char *const versions[] = {"-tls1_2", "-tls1_3"};
    char more[600];

    if (!start()) {
        return;
    }
    struct cert *client = cert_new(&(struct cert_spec){
        .name = "the client", .issuer = tls_tree.root, .serial = "0BADCAFE"});
    free(cert_write(dir, "client.pem", client->pem));
    free(cert_write(dir, "client-key.pem", client->key_pem));
    int port = tls_listen(NULL), server_port;
    for (int i = 0; i < 2; i++) {
        (void)snprintf(more, sizeof more, "%s -cert %s/client.pem -key %s/client-key.pem",
                       versions[i], dir, dir);
        struct program *program = s_client(port, more);
        json_t *tls = tls_accept(tls_server_params("{s:s, s:s}", "verify", "required",
                                                   "ca-file", tls_tree.root->pem));
        CU_ASSERT_TRUE(wire_bool(tls, "verified"));
        json_t *certificate =
            json_object_get(wire_call(pair.wire, "get-ssl-peer-certificate", "{s:I}",
                                      "socket", pair.sock),
                            "certificate");
        CU_ASSERT_STRING_EQUAL(wire_text(certificate, "pem"), client->pem);
        talk(program);
        end(program);
        /* The other way round. */
        (void)snprintf(more, sizeof more,
                       "%s -Verify 3 -verify_return_error -CAfile "
                       "%s/root.pem",
                       versions[i], dir);
        program = s_server(more, &server_port);
        tls_connect(server_port, tls_client_params("{s:s, s:s}", "certificate",
                                                   client->pem, "key", client->key_pem));
        talk(program);
        program_await(program, "the client");
        wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
        program_stop(program);
    }
    cert_free(client);
}

/* ---- Names and protocols ---- */

static void test_server_name(void)
{
    char more[600];
    int port;

    if (!start()) {
        return;
    }
    struct cert *other = cert_new(&(struct cert_spec){
        .name = "other", .issuer = tls_tree.root, .alt_names = "DNS:other.test"});
    free(cert_write(dir, "other.pem", other->pem));
    free(cert_write(dir, "other-key.pem", other->key_pem));
    (void)snprintf(more, sizeof more,
                   "-servername other.test -cert2 %s/other.pem -key2 %s/other-key.pem",
                   dir, dir);
    struct program *program = s_server(more, &port);
    json_t *tls = tls_connect(port, tls_client_params(NULL));
    check_text(tls, "server-name", "server.test");
    talk(program);
    wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    tls = tls_connect(port, tls_client_params("{s:s}", "server-name", "other.test"));
    check_text(tls, "server-name", "other.test");
    json_t *certificate = json_object_get(
        wire_call(pair.wire, "get-ssl-peer-certificate", "{s:I}", "socket", pair.sock),
        "certificate");
    CU_ASSERT_STRING_EQUAL(wire_text(certificate, "pem"), other->pem);
    talk(program);
    program_stop(program);
    cert_free(other);
}

static void test_alpn(void)
{
    int port;

    if (!start()) {
        return;
    }
    /* The order of the server, whoever it is. */
    port = tls_listen(NULL);
    struct program *program = s_client(port, "-alpn http/1.0,h2,http/1.1");
    json_t *tls = tls_accept(tls_server_params("{s:[s, s]}", "alpn", "http/1.1", "h2"));
    check_text(tls, "alpn", "http/1.1");
    program_await(program, "ALPN protocol: http/1.1");
    end(program);
    program = s_client(port, "-alpn spdy");
    tls_accept_plain();
    tls_wrap("server", tls_server_params("{s:[s]}", "alpn", "h2"));
    wire_refused(pair.wire, "ssl-error", "ssl-do-handshake", "{s:I}", "socket",
                 pair.sock);
    program_await(program, "no application protocol");
    program = s_client(port, "");
    tls = tls_accept(tls_server_params("{s:[s]}", "alpn", "h2"));
    CU_ASSERT(json_is_null(json_object_get(tls, "alpn")));
    end(program);
    program = s_server("-alpn h2,http/1.1", &port);
    tls = tls_connect(port, tls_client_params("{s:[s, s]}", "alpn", "http/1.1", "h2"));
    check_text(tls, "alpn", "h2");
    program_stop(program);
}

/* ---- Resumption ---- */

static void test_server_resumes(void)
{
    static const char *const versions[] = {"-tls1_2", "-tls1_3", "-tls1_2 -no_ticket"};
    char more[600];

    if (!start()) {
        return;
    }
    int64_t context = tls_context("server", tls_server_params(NULL));
    int port = tls_listen(NULL);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 2; k++) {
            (void)snprintf(more, sizeof more, "%s %s %s/session%d", versions[i],
                           k ? "-sess_in" : "-sess_out", dir, i);
            struct program *program = s_client(port, more);
            json_t *tls = tls_accept(json_pack("{s:I}", "context", context));
            CU_ASSERT_EQUAL(wire_bool(tls, "resumed"), k == 1);
            program_await(program, k ? "Reused, TLSv1" : "New, TLSv1");
            talk(program);
            end(program);
        }
    }
}

static void test_client_resumes(void)
{
    static const char *const versions[] = {"-tls1_2", "-tls1_3", "-tls1_2 -no_ticket"};
    int port;

    if (!start()) {
        return;
    }
    for (int i = 0; i < 3; i++) {
        int64_t context = tls_context("client", tls_client_params(NULL));
        struct program *program = s_server(versions[i], &port);
        for (int k = 0; k < 2; k++) {
            json_t *tls = tls_connect(port, json_pack("{s:I}", "context", context));
            CU_ASSERT_EQUAL(wire_bool(tls, "resumed"), k == 1);
            CU_ASSERT_TRUE(wire_bool(tls, "verified"));
            talk(program); /* the tickets come before the line */
            wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
        }
        program_stop(program);
    }
}

/* ---- Key updates ---- */

/* Each has arrived before the next line is typed: it would take both for one. */
static void update_keys(struct program *program)
{
    static const char sent[] = ">>> TLS 1.3, Handshake [length 0005], KeyUpdate";
    static const char came[] = "<<< TLS 1.3, Handshake [length 0005], KeyUpdate";

    for (unsigned i = 1; i <= 3; i++) {
        program_say(program, "k\n");
        program_await_times(program, sent, 2 * i - 1);
        talk(program);
        program_say(program, "K\n"); /* asks for one in return */
        program_await_times(program, sent, 2 * i);
        talk(program);
        program_await_times(program, came, i);
    }
}

static void test_key_update(void)
{
    int port;

    if (!start()) {
        return;
    }
    struct program *program = s_client(tls_listen(NULL), "-tls1_3 -msg");
    tls_accept(tls_server_params(NULL));
    update_keys(program);
    end(program);
    program = s_server("-tls1_3 -msg", &port);
    tls_connect(port, tls_client_params(NULL));
    update_keys(program);
    program_stop(program);
}

/* Renegotiation is refused, and does no harm. */
static void test_renegotiation(void)
{
    if (!start()) {
        return;
    }
    struct program *program = s_client(tls_listen(NULL), "-tls1_2");

    tls_accept(tls_server_params(NULL));
    talk(program);
    program_say(program, "R\n");
    int64_t id = wire_send(pair.wire, "read", "{s:I}", "socket", pair.sock);
    json_t *read = json_object_get(wire_reply(pair.wire, id), "result");
    /* s_client gives up when it hears no_renegotiation. */
    program_await(program, "renegotiation");
    CU_ASSERT(read == NULL || wire_bool(read, "eof"));
    (void)program_status(program);
}

/* ---- Ends ---- */

static void test_ends(void)
{
    int port;

    if (!start()) {
        return;
    }
    struct program *program = s_client(tls_listen(NULL), "");
    tls_accept(tls_server_params(NULL));
    talk(program);
    wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    program_await(program, "closed");
    CU_ASSERT_EQUAL(program_status(program), 0);
    program = s_server("", &port);
    tls_connect(port, tls_client_params(NULL));
    talk(program);
    /* It closes the descriptor, without a farewell. */
    program_say(program, "q\n");
    pair_check_end(pair_read(), "", "truncated");
    /* So does a killed one. */
    program = s_server("", &port);
    tls_connect(port, tls_client_params(NULL));
    talk(program);
    program_stop(program);
    json_t *last = pair_read();
    CU_ASSERT_TRUE(wire_bool(last, "eof"));
    CU_ASSERT_STRING_EQUAL(wire_text(last, "end"), "truncated");
}

static const struct unit_test tests[] = {
    {"suites of both versions, as a server", test_server_suites},
    {"suites of both versions, as a client", test_client_suites},
    {"nothing in common", test_nothing_in_common},
    {"certificates of both sides", test_mutual},
    {"certificates by the name asked for", test_server_name},
    {"application protocols by the server's order", test_alpn},
    {"sessions resumed, as a server", test_server_resumes},
    {"sessions resumed, as a client", test_client_resumes},
    {"key updates, asked for and in return", test_key_update},
    {"renegotiation is refused", test_renegotiation},
    {"how it ends", test_ends},
};

UNIT_MAIN_AROUND(tests, tls_before, tls_after)
