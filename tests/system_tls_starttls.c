/* SPDX-License-Identifier: MIT */
/*
 * system_tls_starttls.c - TLS in the middle of a connection: with openssl s_client over
 * SMTP, IMAP and POP3, with the mail proxy of nginx as a server, and with peers that send
 * too much too early.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/program.h"
#include "tests/tls_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

static void expect_line(const char *wanted)
{
    json_t *read = wire_call(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
    const char *line = wire_text(read, "line");

    if (strncmp(line, wanted, strlen(wanted)) != 0) {
        UNIT_FAIL("\"%s\" instead of \"%s\"", line, wanted);
    }
}

/* ---- The daemon's side is the server ---- */

static void test_s_client(void)
{
    static const struct {
        const char *protocol;
        const char *steps[8]; /* what is said, then what is heard, and so on */
    } cases[] = {
        {"smtp",
         {"220 mail.test ESMTP\r\n", "EHLO ", "250-mail.test\r\n250 STARTTLS\r\n",
          "STARTTLS", "220 go ahead\r\n"}},
        {"imap",
         {"* OK ready\r\n", ". CAPABILITY",
          "* CAPABILITY IMAP4rev1 STARTTLS\r\n. OK done\r\n", ". STARTTLS",
          ". OK go ahead\r\n"}},
        {"pop3", {"+OK ready\r\n", "STLS", "+OK go ahead\r\n"}},
    };

    if (program_find("openssl") == NULL) {
        return;
    }
    pair.harness = harness_start(NULL);
    pair.wire = wire_open(pair.harness);
    const char *dir = tls_write_files();
    int port = tls_listen(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct program *program = program_run(
            "openssl s_client -connect 127.0.0.1:%d -starttls %s -CAfile %s/root.pem "
            "-verify_return_error -verify_hostname server.test -crlf",
            port, cases[i].protocol, dir);
        tls_accept_plain();
        for (size_t k = 0; cases[i].steps[k] != NULL; k++) {
            if (k % 2 == 0) {
                pair_write(cases[i].steps[k]);
            } else {
                expect_line(cases[i].steps[k]);
            }
        }
        tls_wrap("server", tls_server_params(NULL));
        json_t *tls = tls_shake();
        CU_ASSERT_STRING_EQUAL(wire_text(tls, "state"), "established");
        program_say(program, "NOOP\n");
        expect_line("NOOP");
        pair_write("250 of course\r\n");
        program_await(program, "250 of course");
        program_say(program, "Q\n");
        pair_check_end(pair_read(), "", "clean");
        CU_ASSERT_EQUAL(program_status(program), 0);
        wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    }
}

/* The client's first flight comes right behind its word. */
static void send_hello_early(const char *word)
{
    struct tls_peer_spec spec = tls_client_peer();
    char bytes[4096];
    BIO *out = BIO_new(BIO_s_mem());

    tls_peer = tls_peer_new(&spec, pair.peer);
    BIO *wire_bio = SSL_get_rbio(tls_peer);
    BIO_up_ref(wire_bio);
    SSL_set0_wbio(tls_peer, out);
    SSL_set0_rbio(tls_peer, BIO_new(BIO_s_mem()));
    CU_ASSERT_FALSE(tls_peer_try(tls_peer));
    size_t size = strlen(word);
    memcpy(bytes, word, size);
    int n = BIO_read(out, bytes + size, (int)(sizeof bytes - size));
    CU_ASSERT_FATAL(n > 0);
    peer_write(pair.peer, bytes, size + (size_t)n);
    /* From here on it goes its usual way. */
    BIO_up_ref(wire_bio);
    SSL_set0_rbio(tls_peer, wire_bio);
    SSL_set0_wbio(tls_peer, wire_bio);
    /* All of it is here: nothing that follows depends on the kernel. */
    wire_call(pair.wire, "peek", "{s:I, s:i, s:s}", "socket", pair.sock, "exactly",
              (int)size + n, "encoding", "base64");
}

static void test_buffered(void)
{
    pair_start(NULL);
    send_hello_early("STARTTLS\r\n");
    expect_line("STARTTLS");
    /* Nobody knows whether it is TLS or what somebody has slipped in. */
    wire_refused(pair.wire, "wrong-kind", "make-ssl-server-stream", "o",
                 tls_server_params("{s:I}", "socket", pair.sock));
    CU_ASSERT(json_is_null(tls_facts()));
    tls_wrap("server", tls_server_params("{s:b}", "allow-buffered", 1));
    int64_t id = wire_send(pair.wire, "ssl-do-handshake", "{s:I}", "socket", pair.sock);
    tls_peer_handshake(tls_peer);
    json_t *made = wire_result(pair.wire, id);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(made, "tls"), "state"),
                           "established");
    tls_talk();
}

/* A command in plain text behind STARTTLS is never taken for one that came through TLS
 * (CVE-2011-0411). */
static void test_injection(void)
{
    struct tls_peer_spec spec = tls_client_peer();

    pair_start(NULL);
    pair_say("STARTTLS\r\nRSET\r\n");
    expect_line("STARTTLS");
    wire_refused(pair.wire, "wrong-kind", "make-ssl-server-stream", "o",
                 tls_server_params("{s:I}", "socket", pair.sock));
    /* Allowed, it is bytes of TLS, and no good ones. */
    tls_wrap("server", tls_server_params("{s:b}", "allow-buffered", 1));
    wire_refused(pair.wire, "ssl-error", "read-line", "{s:I}", "socket", pair.sock);
    pair_open(NULL);
    pair_say("STARTTLS\r\n");
    expect_line("STARTTLS");
    tls_wrap("server", tls_server_params(NULL));
    tls_greet(&spec);
    tls_talk();
}

/* What was written before goes out before, and in plain text; what is written after does
 * not. */
static void test_output_before(void)
{
    struct tls_peer_spec spec = tls_client_peer();

    pair_start(NULL);
    pair_write("220 go\r\n");
    wire_call(pair.wire, "write", "{s:I, s:s, s:b}", "socket", pair.sock, "data",
              "held back\r\n", "flush", 0);
    tls_wrap("server", tls_server_params(NULL));
    pair_write("secret\r\n");
    peer_expect_text(pair.peer, "220 go\r\nheld back\r\n");
    tls_greet(&spec);
    tls_peer_expect_text(tls_peer, "secret\r\n");
    tls_talk();
    /* Counters go on. */
    CU_ASSERT_EQUAL(wire_int(pair_runtime(), "bytes-written"), 8 + 11 + 8 + 4);
}

/* Sockets that are no connected streams, or not any more. */
static void test_wrong_sockets(void)
{
    pair_start(NULL);
    int64_t listener =
        wire_int(wire_call(pair.wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                           "local-host", "127.0.0.1"),
                 "socket");
    wire_refused(pair.wire, "wrong-kind", "make-ssl-server-stream", "o",
                 tls_server_params("{s:I}", "socket", listener));
    int64_t datagram = wire_int(wire_call(pair.wire, "make-socket", "{s:s, s:s}", "type",
                                          "datagram", "local-host", "127.0.0.1"),
                                "socket");
    wire_refused(pair.wire, "wrong-kind", "make-ssl-client-stream", "o",
                 tls_client_params("{s:I}", "socket", datagram));
    wire_refused(pair.wire, "no-such-socket", "make-ssl-client-stream", "o",
                 tls_client_params("{s:i}", "socket", 1));
    wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    wire_refused(pair.wire, "no-such-socket", "make-ssl-client-stream", "o",
                 tls_client_params("{s:I}", "socket", pair.sock));
    wire_refused(pair.wire, "no-such-socket", "ssl-do-handshake", "{s:I}", "socket",
                 pair.sock);
}

/* ---- The daemon's side is the client ---- */

static void test_client(void)
{
    struct tls_peer_spec spec = tls_server_peer();

    pair_start(NULL);
    peer_print(pair.peer, "220 mail.test ESMTP\r\n");
    expect_line("220 ");
    pair_write("STARTTLS\r\n");
    peer_expect_text(pair.peer, "STARTTLS\r\n");
    peer_print(pair.peer, "220 go\r\n");
    expect_line("220 go");
    tls_wrap("client", tls_client_params(NULL));
    tls_greet(&spec);
    pair_write("EHLO again\r\n");
    tls_peer_expect_text(tls_peer, "EHLO again\r\n");
    tls_peer_print(tls_peer, "250 hello\r\n");
    expect_line("250 hello");
}

static char nginx_directory[300];

static bool can_connect(void *name)
{
    char path[400];

    (void)snprintf(path, sizeof path, "%s/%s", nginx_directory, (const char *)name);
    int64_t id = wire_send(pair.wire, "make-socket", "{s:s, s:s}", "address-family",
                           "file", "remote-filename", path);
    json_t *result = json_object_get(wire_reply(pair.wire, id), "result");
    if (result != NULL) {
        pair.sock = wire_int(result, "socket");
    }
    return result != NULL;
}

/* The mail proxy of nginx greets and starts TLS by itself. */
static bool start_nginx(void)
{
    static const char module[] = "/usr/lib/nginx/modules/ngx_mail_module.so";
    char config[4000], path[400];

    if (program_find("nginx") == NULL) {
        return false;
    }
    if (access(module, R_OK) != 0) {
        unit_skip("nginx has no mail module");
        return false;
    }
    pair.harness = harness_start(NULL);
    pair.wire = wire_open(pair.harness);
    (void)snprintf(nginx_directory, sizeof nginx_directory, "%s", tls_write_files());
    const char *dir = nginx_directory;
    (void)snprintf(config, sizeof config,
                   "daemon off;\nmaster_process off;\npid %s/nginx.pid;\n"
                   "error_log stderr;\nload_module %s;\nevents { }\nmail {\n"
                   "server_name mail.test;\nauth_http 127.0.0.1:1/;\nstarttls only;\n"
                   "ssl_protocols TLSv1.2 TLSv1.3;\n"
                   "ssl_certificate %s/chain.pem;\nssl_certificate_key %s/key.pem;\n"
                   "server { listen unix:%s/smtp; protocol smtp; }\n"
                   "server { listen unix:%s/imap; protocol imap; }\n"
                   "server { listen unix:%s/pop3; protocol pop3; }\n}\n",
                   dir, module, dir, dir, dir, dir, dir);
    (void)snprintf(path, sizeof path, "%s/nginx.conf", dir);
    FILE *file = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT(fputs(config, file) >= 0);
    CU_ASSERT_EQUAL(fclose(file), 0);
    program_start((const char *const[]){"nginx", "-c", path, "-e", "stderr", NULL});
    return true;
}

static void test_nginx(void)
{
    if (!start_nginx()) {
        return;
    }
    harness_await(can_connect, (char[]){"smtp"}, "nginx for SMTP");
    expect_line("220 mail.test ESMTP ready");
    pair_write("STARTTLS\r\n");
    expect_line("220 2.0.0 Start TLS");
    tls_wrap("client", tls_client_params(NULL));
    pair_write("EHLO me\r\n"); /* begins the handshake */
    expect_line("250");
    CU_ASSERT_TRUE(wire_bool(tls_facts(), "verified"));
    CU_ASSERT_STRING_EQUAL(wire_text(tls_facts(), "version"), "tlsv1.3");
    expect_line("250 AUTH");
    pair_write("QUIT\r\n");
    expect_line("221 ");
    pair_check_end(pair_read(), "", "clean");

    harness_await(can_connect, (char[]){"imap"}, "nginx for IMAP");
    expect_line("* OK IMAP4 ready");
    pair_write("a STARTTLS\r\n");
    expect_line("a OK");
    tls_wrap("client", tls_client_params("{s:s}", "method", "tlsv1.2"));
    pair_write("b CAPABILITY\r\n");
    expect_line("* CAPABILITY");
    expect_line("b OK");
    CU_ASSERT_STRING_EQUAL(wire_text(tls_facts(), "version"), "tlsv1.2");

    harness_await(can_connect, (char[]){"pop3"}, "nginx for POP3");
    expect_line("+OK POP3 ready");
    pair_write("STLS\r\n");
    expect_line("+OK");
    tls_wrap("client", tls_client_params(NULL));
    pair_write("CAPA\r\n");
    expect_line("+OK");
    CU_ASSERT_TRUE(wire_bool(tls_facts(), "verified"));
}

static const struct unit_test tests[] = {
    {"openssl s_client over SMTP, IMAP and POP3", test_s_client},
    {"a client that does not wait", test_buffered},
    {"a command slipped in", test_injection},
    {"output of before", test_output_before},
    {"sockets that are no connected streams", test_wrong_sockets},
    {"the daemon's side as the client", test_client},
    {"nginx over SMTP, IMAP and POP3", test_nginx},
};

UNIT_MAIN_AROUND(tests, tls_before, tls_after)
