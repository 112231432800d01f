/* SPDX-License-Identifier: MIT */
/*
 * system_tls_gnutls.c - TLS with another library than OpenSSL: gnutls-cli and
 * gnutls-serv, in both roles and versions.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness.h"
#include "tests/program.h"
#include "tests/tls_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

static const char *dir;

static bool start(const char *name)
{
    if (program_find(name) == NULL) {
        return false;
    }
    pair.harness = harness_start(NULL);
    pair.wire = wire_open(pair.harness);
    dir = tls_write_files();
    return true;
}

/* gnutls-cli for server.test at this port of the daemon. */
static struct program *gnutls_cli(int port, const char *priority, const char *more)
{
    return program_run("gnutls-cli --x509cafile %s/root.pem --sni-hostname server.test "
                       "--verify-hostname server.test --priority %s --port %d %s "
                       "127.0.0.1",
                       dir, priority, port, more);
}

/* gnutls-serv that echoes, and its port. */
static struct program *gnutls_serv(const char *priority, const char *more, int *port)
{
    struct program *program =
        program_run("gnutls-serv --echo --port 0 --x509certfile %s/chain.pem "
                    "--x509keyfile %s/key.pem --priority %s %s",
                    dir, dir, priority, more);

    *port = program_port(program);
    return program;
}

static void expect_line(const char *wanted)
{
    json_t *read = wire_call(pair.wire, "read-line", "{s:I}", "socket", pair.sock);

    CU_ASSERT_STRING_EQUAL(wire_text(read, "line"), wanted);
}

/* With gnutls-cli: a line both ways. */
static void talk(struct program *program)
{
    program_say(program, "a line\n");
    expect_line("a line");
    pair_write("an answer\n");
    program_await(program, "an answer");
}

/* With gnutls-serv, which echoes. */
static void echo(void)
{
    pair_write("to be echoed\n");
    expect_line("to be echoed");
}

struct suite {
    const char *priority, *version, *cipher;
};

static const struct suite suites[] = {
    {"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM", "tlsv1.3",
     "TLS_AES_128_GCM_SHA256"},
    {"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM", "tlsv1.3",
     "TLS_AES_256_GCM_SHA384"},
    {"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305", "tlsv1.3",
     "TLS_CHACHA20_POLY1305_SHA256"},
    {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM", "tlsv1.2",
     "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
    {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-GCM", "tlsv1.2",
     "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
    {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+CHACHA20-POLY1305", "tlsv1.2",
     "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
};
enum { N_SUITES = sizeof suites / sizeof suites[0] };

static void check_suite(const json_t *tls, const struct suite *suite)
{
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "version"), suite->version);
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "cipher"), suite->cipher);
}

static void test_server_suites(void)
{
    if (!start("gnutls-cli")) {
        return;
    }
    int port = tls_listen(NULL);
    for (size_t i = 0; i < N_SUITES; i++) {
        struct program *program = gnutls_cli(port, suites[i].priority, "");
        json_t *tls = tls_accept(tls_server_params(NULL));
        check_suite(tls, &suites[i]);
        CU_ASSERT_STRING_EQUAL(wire_text(tls, "server-name"), "server.test");
        talk(program);
        /* The end of its input is a farewell. */
        program_end_input(program);
        pair_check_end(pair_read(), "", "clean");
        wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
        CU_ASSERT_EQUAL(program_status(program), 0);
    }
}

static void test_client_suites(void)
{
    int port;

    if (!start("gnutls-serv")) {
        return;
    }
    for (size_t i = 0; i < N_SUITES; i++) {
        struct program *program = gnutls_serv(suites[i].priority, "", &port);
        json_t *tls = tls_connect(port, tls_client_params(NULL));
        check_suite(tls, &suites[i]);
        CU_ASSERT_TRUE(wire_bool(tls, "verified"));
        echo();
        wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
        program_stop(program);
    }
}

/* Each verifies the other. */
static void test_mutual(void)
{
    char more[600];
    int port;

    if (!start("gnutls-cli")) {
        return;
    }
    (void)snprintf(more, sizeof more,
                   "--x509certfile %s/chain.pem --x509keyfile %s/key.pem", dir, dir);
    struct program *program = gnutls_cli(tls_listen(NULL), "NORMAL", more);
    json_t *tls = tls_accept(tls_server_params("{s:s, s:s}", "verify", "required",
                                               "ca-file", tls_tree.root->pem));
    CU_ASSERT_TRUE(wire_bool(tls, "verified"));
    talk(program);
    program_end_input(program);
    CU_ASSERT_EQUAL(program_status(program), 0);
    (void)snprintf(more, sizeof more,
                   "--require-client-cert --verify-client-cert --x509cafile %s/root.pem",
                   dir);
    gnutls_serv("NORMAL", more, &port);
    tls_connect(port, tls_client_params("{s:s, s:s}", "certificate", tls_tree.chain,
                                        "key", tls_tree.leaf->key_pem));
    echo();
    /* Without one it is refused, when its turn comes. */
    tls_connect_plain(port);
    tls_wrap("client", tls_client_params("{s:s}", "method", "tlsv1.2"));
    json_t *error = wire_refused(pair.wire, "ssl-error", "ssl-do-handshake", "{s:I}",
                                 "socket", pair.sock);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(wire_text(json_object_get(error, "data"), "reason"), "alert"));
}

/* What it does not trust it refuses, and the daemon is told why. */
static void test_refused(void)
{
    if (!start("gnutls-cli")) {
        return;
    }
    struct cert *self =
        cert_new(&(struct cert_spec){.name = "self", .alt_names = "DNS:server.test"});
    struct program *program = gnutls_cli(tls_listen(NULL), "NORMAL", "");

    tls_accept_plain();
    tls_wrap("server",
             json_pack("{s:s, s:s}", "certificate", self->pem, "key", self->key_pem));
    int64_t id = wire_send(pair.wire, "read", "{s:I}", "socket", pair.sock);
    CU_ASSERT_NOT_EQUAL(program_status(program), 0);
    json_t *error = json_object_get(wire_reply(pair.wire, id), "error");
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "identifier"),
                           "ssl-error");
    cert_free(self);
}

static void test_alpn(void)
{
    int port;

    if (!start("gnutls-cli")) {
        return;
    }
    struct program *program =
        gnutls_cli(tls_listen(NULL), "NORMAL", "--alpn one --alpn two");
    json_t *tls = tls_accept(tls_server_params("{s:[s, s]}", "alpn", "two", "one"));
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "alpn"), "two");
    program_await(program, "Application protocol: two");
    program_end_input(program);
    gnutls_serv("NORMAL", "--alpn two", &port);
    tls = tls_connect(port, tls_client_params("{s:[s, s]}", "alpn", "one", "two"));
    CU_ASSERT_STRING_EQUAL(wire_text(tls, "alpn"), "two");
    echo();
}

/* gnutls-cli connects twice by itself. */
static void test_server_resumes(void)
{
    static const char *const priorities[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.2",
                                             "NORMAL:-VERS-ALL:+VERS-TLS1.3"};

    if (!start("gnutls-cli")) {
        return;
    }
    int64_t context = tls_context("server", tls_server_params(NULL));
    int port = tls_listen(NULL);
    for (int i = 0; i < 2; i++) {
        struct program *program =
            gnutls_cli(port, priorities[i], "--resume --waitresumption");
        json_t *tls = tls_accept(json_pack("{s:I}", "context", context));
        CU_ASSERT_FALSE(wire_bool(tls, "resumed"));
        /* Its first connection ends as soon as there is a ticket. */
        pair_check_end(pair_read(), "", "clean");
        wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
        tls = tls_accept(json_pack("{s:I}", "context", context));
        CU_ASSERT_TRUE(wire_bool(tls, "resumed"));
        program_await(program, "This is a resumed session");
        talk(program);
        program_end_input(program);
        CU_ASSERT_EQUAL(program_status(program), 0);
    }
}

static void test_client_resumes(void)
{
    static const char *const priorities[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.2",
                                             "NORMAL:-VERS-ALL:+VERS-TLS1.3"};
    int port;

    if (!start("gnutls-serv")) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        int64_t context = tls_context("client", tls_client_params(NULL));
        struct program *program = gnutls_serv(priorities[i], "", &port);
        for (int k = 0; k < 3; k++) {
            json_t *tls = tls_connect(port, json_pack("{s:I}", "context", context));
            CU_ASSERT_EQUAL(wire_bool(tls, "resumed"), k > 0);
            echo();
            wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
        }
        program_stop(program);
    }
}

/* It rekeys when it reads ^rekey^, and asks for the same. */
static void test_key_update(void)
{
    if (!start("gnutls-cli")) {
        return;
    }
    struct program *program = gnutls_cli(
        tls_listen(NULL), "NORMAL:-VERS-ALL:+VERS-TLS1.3", "--inline-commands");

    tls_accept(tls_server_params(NULL));
    for (int i = 0; i < 5; i++) {
        program_say(program, "^rekey^\n");
        talk(program);
    }
    /* It looks for commands in what it sends; what remains of the line is none. */
    program_end_input(program);
    (void)program_status(program);
}

/* Half a megabyte there and back, line by line. */
static void test_large_echo(void)
{
    enum { SIZE = 512 * 1024, PART = 512 };
    static char part[PART];
    int port;

    if (!start("gnutls-serv")) {
        return;
    }
    struct program *program = gnutls_serv("NORMAL", "", &port);
    tls_connect(port, tls_client_params(NULL));
    struct wire *raw = wire_open(pair.harness);
    wire_call(raw, "attach", "{s:I}", "socket", pair.sock);
    for (size_t i = 0; i < SIZE / PART; i++) {
        for (size_t k = 0; k < PART; k++) {
            part[k] = (char)('a' + (i * 7 + k * k) % 26);
        }
        part[PART - 1] = '\n';
        wire_send_bytes(raw, part, PART);
        wire_expect_raw(raw, part, PART);
        (void)program_output(program); /* it prints all of it, and must not get stuck */
    }
}

static const struct unit_test tests[] = {
    {"suites of both versions, as a server", test_server_suites},
    {"suites of both versions, as a client", test_client_suites},
    {"certificates of both sides", test_mutual},
    {"a certificate that it refuses", test_refused},
    {"application protocols", test_alpn},
    {"sessions resumed, as a server", test_server_resumes},
    {"sessions resumed, as a client", test_client_resumes},
    {"key updates", test_key_update},
    {"half a megabyte there and back", test_large_echo},
};

UNIT_MAIN_AROUND(tests, tls_before, tls_after)
