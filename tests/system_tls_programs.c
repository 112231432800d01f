/* SPDX-License-Identifier: MIT */
/*
 * system_tls_programs.c - TLS with programs that people use: curl fetches from and sends
 * to a stream of the daemon, and the daemon fetches from nginx.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/harness.h"
#include "tests/program.h"
#include "tests/tls_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

enum { LARGE = 20 * 1024 * 1024 };

static const char *dir;

/* Whether the program is there; then a daemon is, too, and the files. */
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

static char *noise(size_t size)
{
    char *bytes = malloc(size);
    uint64_t state = harness_random();

    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    for (size_t i = 0; i < size; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (char)(state >> 56);
    }
    return bytes;
}

static void write_file(const char *name, const char *bytes, size_t size)
{
    char path[300];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, size, file), size);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static void check_file(const char *name, const char *bytes, size_t size)
{
    char path[300], part[65536];
    size_t done = 0, n;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "re");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while ((n = fread(part, 1, sizeof part, file)) > 0 && done + n <= size) {
        CU_ASSERT_EQUAL_FATAL(memcmp(part, bytes + done, n), 0);
        done += n;
    }
    CU_ASSERT_EQUAL(done, size);
    fclose(file);
}

/* The stream of pair.sock as raw bytes. */
static struct wire *attach(void)
{
    struct wire *raw = wire_open(pair.harness);

    wire_call(raw, "attach", "{s:I}", "socket", pair.sock);
    return raw;
}

/* ---- curl ---- */

static int64_t listener;
static int port;

static void serve(json_t *params)
{
    int64_t context = tls_context("server", params);
    json_t *made =
        wire_call(pair.wire, "make-socket", "{s:s, s:s, s:I}", "connect", "passive",
                  "local-host", "127.0.0.1", "ssl-context", context);

    listener = wire_int(made, "socket");
    port = (int)wire_int(made, "local-port");
}

static struct program *curl(const char *more)
{
    return program_run("curl -sS --http1.1 --cacert %s/root.pem --connect-to "
                       "server.test:443:127.0.0.1:%d https://server.test/path %s",
                       dir, port, more);
}

/* curl's connection, up to the end of its head, which is returned. */
static const char *take_request(void)
{
    json_t *made = wire_call(pair.wire, "accept-connection", "{s:I}", "socket", listener);

    pair.sock = wire_int(made, "socket");
    return wire_text(wire_call(pair.wire, "read", "{s:I, s:s}", "socket", pair.sock,
                               "until", "\r\n\r\n"),
                     "data");
}

static void test_curl_fetches(void)
{
    static const char *const versions[] = {"--tls-max 1.2", "--tlsv1.3"};
    char more[400], head[128];

    if (!start("curl")) {
        return;
    }
    char *bytes = noise(LARGE);
    serve(tls_server_params("{s:[s]}", "alpn", "http/1.1"));
    for (int i = 0; i < 2; i++) {
        (void)snprintf(more, sizeof more, "%s -o %s/got", versions[i], dir);
        struct program *program = curl(more);
        CU_ASSERT_PTR_NOT_NULL(strstr(take_request(), "GET /path HTTP/1.1\r\n"));
        json_t *tls = tls_facts();
        CU_ASSERT_STRING_EQUAL(wire_text(tls, "version"), i ? "tlsv1.3" : "tlsv1.2");
        CU_ASSERT_STRING_EQUAL(wire_text(tls, "alpn"), "http/1.1");
        CU_ASSERT_STRING_EQUAL(wire_text(tls, "server-name"), "server.test");
        (void)snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
                       LARGE);
        pair_write(head);
        struct wire *raw = attach();
        wire_send_bytes(raw, bytes, LARGE);
        wire_shut_output(raw);
        CU_ASSERT_EQUAL(program_status(program), 0);
        check_file("got", bytes, LARGE);
        wire_close(raw);
    }
    free(bytes);
}

static void test_curl_fetches_chunks(void)
{
    if (!start("curl")) {
        return;
    }
    serve(tls_server_params(NULL));
    struct program *program = curl("");
    (void)take_request();
    pair_write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    wire_call(pair.wire, "socket-control", "{s:I, s:b}", "socket", pair.sock,
              "output-chunking", 1);
    pair_write("in two ");
    pair_write("chunks");
    wire_call(pair.wire, "socket-control", "{s:I, s:b}", "socket", pair.sock,
              "output-chunking-eof", 1);
    program_await(program, "in two chunks");
    CU_ASSERT_EQUAL(program_status(program), 0);
    /* It closes with a farewell. */
    pair_check_end(pair_read(), "", "clean");
}

static void test_curl_sends(void)
{
    char more[400];

    if (!start("curl")) {
        return;
    }
    char *bytes = noise(LARGE);
    write_file("sent", bytes, LARGE);
    serve(tls_server_params(NULL));
    (void)snprintf(more, sizeof more, "-H Expect: -T %s/sent", dir);
    struct program *program = curl(more);
    CU_ASSERT_PTR_NOT_NULL(strstr(take_request(), "Content-Length: 20971520\r\n"));
    struct wire *raw = attach();
    wire_expect_raw(raw, bytes, LARGE);
    wire_send_bytes(raw, "HTTP/1.1 204 Thanks\r\n\r\n", 23);
    CU_ASSERT_EQUAL(program_status(program), 0);
    /* In chunks, since it does not know how much there is. */
    program = curl("-H Expect: -T -");
    program_say(program, "what people type");
    CU_ASSERT_PTR_NOT_NULL(strstr(take_request(), "Transfer-Encoding: chunked\r\n"));
    wire_call(pair.wire, "socket-control", "{s:I, s:b}", "socket", pair.sock,
              "input-chunking", 1);
    pair_check_data(pair_read_exactly(16), "what people type", "utf-8");
    program_end_input(program);
    pair_check_end(pair_read(), "", "chunk");
    pair_write("HTTP/1.1 204 Thanks\r\n\r\n");
    CU_ASSERT_EQUAL(program_status(program), 0);
    free(bytes);
}

/* A body without a length ends with the stream. One with a length is found to be cut:
 * that it tells by the number of bytes, since curl overlooks a missing farewell. */
static void test_curl_notices_a_cut(void)
{
    if (!start("curl")) {
        return;
    }
    serve(tls_server_params(NULL));
    for (int is_cut = 0; is_cut < 2; is_cut++) {
        struct program *program = curl("--no-buffer");
        (void)take_request();
        pair_write(is_cut ? "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nwords"
                          : "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwords");
        program_await(program, "words");
        wire_call(pair.wire, "close", "{s:I, s:b}", "socket", pair.sock, "abort", is_cut);
        CU_ASSERT_EQUAL(program_status(program), is_cut ? 18 : 0);
    }
}

static void test_curl_verifies(void)
{
    struct cert *self = NULL;
    char more[400];

    if (!start("curl")) {
        return;
    }
    self = cert_new(&(struct cert_spec){.name = "self", .alt_names = "DNS:server.test"});
    serve(json_pack("{s:s, s:s}", "certificate", self->pem, "key", self->key_pem));
    CU_ASSERT_EQUAL(program_status(curl("")), 60);
    /* And with a certificate of its own. */
    serve(tls_server_params("{s:s, s:s}", "verify", "required", "ca-file",
                            tls_tree.root->pem));
    (void)snprintf(more, sizeof more, "--cert %s/chain.pem --key %s/key.pem", dir, dir);
    struct program *program = curl(more);
    (void)take_request();
    CU_ASSERT_TRUE(wire_bool(tls_facts(), "verified"));
    pair_write("HTTP/1.1 204 Fine\r\n\r\n");
    CU_ASSERT_EQUAL(program_status(program), 0);
    CU_ASSERT_NOT_EQUAL(program_status(curl("")), 0);
    cert_free(self);
}

/* ---- nginx ---- */

static char nginx_socket[300];

static void start_nginx(const char *more)
{
    char config[4000], path[300];

    (void)snprintf(nginx_socket, sizeof nginx_socket, "%s/nginx", dir);
    int n = snprintf(
        config, sizeof config,
        "daemon off;\nmaster_process off;\npid %s/nginx.pid;\nerror_log stderr;\n"
        "events { }\nhttp {\naccess_log off;\ndefault_type text/html;\n"
        "client_body_temp_path %s/t1; proxy_temp_path %s/t2; fastcgi_temp_path %s/t3;\n"
        "uwsgi_temp_path %s/t4; scgi_temp_path %s/t5;\n"
        "ssl_protocols TLSv1.2 TLSv1.3;\nserver {\nlisten unix:%s ssl;\nroot "
        "%s/www;\nssl_certificate %s/chain.pem;\n"
        "ssl_certificate_key %s/key.pem;\n%s\nlocation /ssi { ssi on; }\n}\n}\n",
        dir, dir, dir, dir, dir, dir, nginx_socket, dir, dir, dir, more);
    CU_ASSERT_FATAL(n > 0 && (size_t)n < sizeof config);
    write_file("nginx.conf", config, (size_t)n);
    (void)snprintf(path, sizeof path, "%s/www", dir);
    CU_ASSERT(mkdir(path, 0755) == 0 || errno == EEXIST);
    (void)snprintf(path, sizeof path, "%s/nginx.conf", dir);
    program_start((const char *const[]){"nginx", "-c", path, "-e", "stderr", NULL});
}

static bool can_connect(void *context)
{
    int64_t id = wire_send(pair.wire, "make-socket", "{s:s, s:s}", "address-family",
                           "file", "remote-filename", nginx_socket);
    json_t *result = json_object_get(wire_reply(pair.wire, id), "result");

    (void)context;
    if (result != NULL) {
        pair.sock = wire_int(result, "socket");
    }
    return result != NULL;
}

/* A session with nginx. */
static json_t *visit_nginx(json_t *params)
{
    harness_await(can_connect, NULL, "nginx");
    tls_wrap("client", params);
    return tls_shake();
}

static void test_fetch_from_nginx(void)
{
    static const char *const versions[] = {"tlsv1.2", "tlsv1.3"};

    if (!start("nginx")) {
        return;
    }
    char *bytes = noise(LARGE);
    start_nginx("");
    write_file("www/large", bytes, LARGE);
    for (int i = 0; i < 2; i++) {
        json_t *tls = visit_nginx(tls_client_params("{s:s}", "method", versions[i]));
        CU_ASSERT_STRING_EQUAL(wire_text(tls, "version"), versions[i]);
        CU_ASSERT_TRUE(wire_bool(tls, "verified"));
        /* Twice over one connection, then to its end. */
        pair_write("GET /nothing HTTP/1.1\r\nHost: server.test\r\n\r\n");
        json_t *line = wire_call(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
        CU_ASSERT_STRING_EQUAL(wire_text(line, "line"), "HTTP/1.1 404 Not Found");
        wire_call(pair.wire, "read", "{s:I, s:s}", "socket", pair.sock, "until",
                  "</html>\r\n");
        pair_write("GET /large HTTP/1.1\r\nHost: server.test\r\nConnection: close\r\n"
                   "\r\n");
        json_t *head = wire_call(pair.wire, "read", "{s:I, s:s}", "socket", pair.sock,
                                 "until", "\r\n\r\n");
        CU_ASSERT_PTR_NOT_NULL(
            strstr(wire_text(head, "data"), "Content-Length: 20971520\r\n"));
        struct wire *raw = attach();
        wire_expect_raw(raw, bytes, LARGE);
        char byte;
        CU_ASSERT_EQUAL(wire_read_raw(raw, &byte, 1), 0);
    }
    free(bytes);
}

static void test_chunks_from_nginx(void)
{
    if (!start("nginx")) {
        return;
    }
    start_nginx("");
    write_file("www/ssi", "<!--#echo var=\"request_uri\" --> is here", 39);
    visit_nginx(tls_client_params(NULL));
    pair_write("GET /ssi HTTP/1.1\r\nHost: server.test\r\nConnection: close\r\n\r\n");
    json_t *head = wire_call(pair.wire, "read", "{s:I, s:s}", "socket", pair.sock,
                             "until", "\r\n\r\n");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(wire_text(head, "data"), "Transfer-Encoding: chunked\r\n"));
    wire_call(pair.wire, "socket-control", "{s:I, s:b}", "socket", pair.sock,
              "input-chunking", 1);
    pair_check_end(pair_read_exactly(100), "/ssi is here", "chunk");
    pair_check_end(pair_read(), "", "clean");
}

static void test_nginx_and_sessions(void)
{
    if (!start("nginx")) {
        return;
    }
    char more[400];
    (void)snprintf(more, sizeof more,
                   "ssl_session_cache shared:a:1m; ssl_verify_client on; "
                   "ssl_client_certificate %s/root.pem; ssl_verify_depth 3;",
                   dir);
    start_nginx(more);
    int64_t context = tls_context("client", tls_client_params("{s:s, s:s}", "certificate",
                                                              tls_tree.chain, "key",
                                                              tls_tree.leaf->key_pem));
    for (int i = 0; i < 4; i++) {
        const char *version = i < 2 ? "tlsv1.2" : "tlsv1.3";
        json_t *tls =
            visit_nginx(json_pack("{s:I, s:s}", "context", context, "method", version));
        CU_ASSERT_EQUAL(wire_bool(tls, "resumed"), i % 2 == 1);
        pair_write("GET /x HTTP/1.1\r\nHost: server.test\r\nConnection: close\r\n\r\n");
        json_t *line = wire_call(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
        CU_ASSERT_STRING_EQUAL(wire_text(line, "line"), "HTTP/1.1 404 Not Found");
        wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    }
    /* Without a certificate it is nginx that says no, politely. */
    visit_nginx(tls_client_params(NULL));
    pair_write("GET /x HTTP/1.1\r\nHost: server.test\r\nConnection: close\r\n\r\n");
    json_t *line = wire_call(pair.wire, "read-line", "{s:I}", "socket", pair.sock);
    CU_ASSERT_STRING_EQUAL(wire_text(line, "line"), "HTTP/1.1 400 Bad Request");
}

static const struct unit_test tests[] = {
    {"curl fetches 20 MB", test_curl_fetches},
    {"curl fetches chunks", test_curl_fetches_chunks},
    {"curl sends 20 MB, and chunks", test_curl_sends},
    {"curl notices a cut", test_curl_notices_a_cut},
    {"curl verifies, and is verified", test_curl_verifies},
    {"20 MB from nginx", test_fetch_from_nginx},
    {"chunks from nginx", test_chunks_from_nginx},
    {"nginx, its sessions, and certificates for it", test_nginx_and_sessions},
};

UNIT_MAIN_AROUND(tests, tls_before, tls_after)
