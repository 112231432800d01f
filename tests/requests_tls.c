/* SPDX-License-Identifier: MIT */
/*
 * requests_tls.c - what libsockd sends and reads for TLS, and which files it reads.
 *
 * Part of unit_lib_requests. Thread: the one that runs the test, and one for each
 * operation.
 */
#include <config.h>
#include "lib/sockd.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/fake.h"
#include "tests/requests.h"
#include "tests/unit.h"

#define PEM(NAME) "-----BEGIN " NAME "-----\nAAAA\n-----END " NAME "-----\n"

static const char *const versions[] = {"tlsv1.2", "tlsv1.3", NULL};
static const char *const protocols[] = {"h2", "http/1.1", NULL};

static char folder[200];

static const char *in_folder(const char *name)
{
    static char path[300];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "we");

    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        UNIT_FAIL_NOW("%s cannot be written", name);
}

static void make_folder(void)
{
    const char *top = getenv("TMPDIR");

    snprintf(folder, sizeof(folder), "%s/sockd-files.XXXXXX", top ? top : "/tmp");
    if (!mkdtemp(folder))
        UNIT_FAIL_NOW("%s cannot be made", folder);
}

static void remove_folder(const char *const *names)
{
    for (; *names; names++)
        (void)remove(in_folder(*names));
    CU_ASSERT_EQUAL(rmdir(folder), 0);
}

/* ---- Contexts ---- */

static void fill_rules(struct sockd_ssl_options *options)
{
    options->method = versions;
    options->ciphers = "HIGH";
    options->ciphersuites = "TLS_AES_128_GCM_SHA256";
    options->groups = "X25519";
    options->alpn = protocols;
    options->max_depth = 0;
    options->server_name = "example.org";
}

static void fill_identity(struct sockd_ssl_options *options)
{
    options->certificate = PEM("CERTIFICATE");
    options->key = PEM("PRIVATE KEY");
    options->certificate_password = "s\"ecret";
    options->ca_file = PEM("CERTIFICATE");
    options->crl_file = PEM("X509 CRL");
    options->ca_directory = PEM("CERTIFICATE");
}

static int run_client_context(struct fake_call *call)
{
    struct sockd_ssl_options options = SOCKD_SSL_OPTIONS_INIT;

    fill_identity(&options);
    fill_rules(&options);
    options.verify = SOCKD_VERIFY_NONE;
    options.crl_check = SOCKD_CRL_CHAIN;
    options.sessions = 0;
    options.name = "mine";
    return sockd_make_ssl_client_context(call->connection, &options, 1, &out.large,
                                         &call->error);
}

static int run_server_context(struct fake_call *call)
{
    struct sockd_ssl_options options = SOCKD_SSL_OPTIONS_INIT;

    fill_identity(&options);
    fill_rules(&options);
    options.verify = SOCKD_VERIFY_OPTIONAL;
    options.crl_check = SOCKD_CRL_NONE;
    options.prefer_server_cipher_order = 0;
    options.sessions = 1;
    options.tickets = 0;
    options.name = "mine";
    return sockd_make_ssl_server_context(call->connection, &options, 1, &out.large,
                                         &call->error);
}

static int run_plain_context(struct fake_call *call)
{
    return sockd_make_ssl_client_context(call->connection, NULL, 1, NULL, &call->error);
}

void test_contexts(void)
{
    operate(run_client_context, "make-ssl-client-context", "{\"context\":77}");
    CU_ASSERT_EQUAL(out.large, 77);
    CU_ASSERT_STRING_EQUAL(sent_text("certificate"), PEM("CERTIFICATE"));
    CU_ASSERT_STRING_EQUAL(sent_text("key"), PEM("PRIVATE KEY"));
    CU_ASSERT_STRING_EQUAL(sent_text("certificate-password"), "s\"ecret");
    CU_ASSERT_STRING_EQUAL(sent_text("crl-file"), PEM("X509 CRL"));
    CU_ASSERT_TRUE(json_is_false(json_object_get(fake_params(), "verify")));
    CU_ASSERT_STRING_EQUAL(sent_text("crl-check"), "chain");
    CU_ASSERT_TRUE(json_is_false(json_object_get(fake_params(), "sessions")));
    CU_ASSERT_EQUAL(json_array_size(json_object_get(fake_params(), "method")), 2);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(fake_params(), "alpn")), 2);
    operate(run_server_context, "make-ssl-server-context", "{\"context\":78}");
    CU_ASSERT_EQUAL(out.large, 78);
    CU_ASSERT_STRING_EQUAL(sent_text("verify"), "optional");
    CU_ASSERT_TRUE(json_is_false(json_object_get(fake_params(), "crl-check")));
    CU_ASSERT_TRUE(json_is_integer(json_object_get(fake_params(), "tickets")));
    operate(run_plain_context, "make-ssl-client-context", "{\"context\":79}");
    CU_ASSERT_EQUAL(json_object_size(fake_params()), 0);
}

#define CERTIFICATE                                                                      \
    "{\"version\":3,\"serial-number\":\"255\",\"serial-number-hex\":\"FF\","             \
    "\"issuer\":[[\"O\",\"o\"],[\"CN\",\"ca\"]],\"subject\":[[\"CN\",\"me\"]],"          \
    "\"not-before\":\"2025-01-01T00:00:00Z\",\"not-before-universal\":3944678400,"       \
    "\"not-after\":null,\"not-after-universal\":null,"                                   \
    "\"subject-alt-name\":[[\"DNS\",\"example.org\"]],"                                  \
    "\"fingerprint-sha256\":\"AB:CD\",\"key\":\"ED25519\",\"pem\":\"p\"}"
#define CONTEXT                                                                          \
    "\"context\":77,\"name\":\"mine\",\"role\":\"server\",\"versions\":[\"tlsv1.3\"],"   \
    "\"verify\":\"request\",\"max-depth\":9,\"crl-check\":false,\"server-name\":null,"   \
    "\"subject\":[[\"CN\",\"me\"]],\"not-after\":\"2026-01-01T00:00:00Z\","              \
    "\"sessions\":true,\"ticket-keys\":2,\"owner\":{\"uid\":5},"                         \
    "\"created\":\"2025-01-01T00:00:00Z\",\"updated\":null"

static int run_describe_context(struct fake_call *call)
{
    return sockd_describe_context(call->connection, 77, 1,
                                  (struct sockd_context **)(void *)&out.result,
                                  &call->error);
}

static int run_list_contexts(struct fake_call *call)
{
    return sockd_list_contexts(call->connection, 1,
                               (struct sockd_context_list **)(void *)&out.result,
                               &call->error);
}

static int run_update_context(struct fake_call *call)
{
    struct sockd_ssl_options options = SOCKD_SSL_OPTIONS_INIT;

    fill_identity(&options);
    return sockd_update_context(call->connection, 77, &options, 1, NULL, &call->error);
}

static int run_close_context(struct fake_call *call)
{
    return sockd_close_context(call->connection, 77, 1, &call->error);
}

void test_context_lists(void)
{
    const struct sockd_context *context;
    const struct sockd_context_list *list;

    operate(run_describe_context, "describe-context",
            "{" CONTEXT ",\"certificates\":[" CERTIFICATE "]}");
    context = out.result;
    CU_ASSERT_EQUAL(context->context, 77);
    CU_ASSERT_EQUAL(context->role, SOCKD_TLS_SERVER);
    CU_ASSERT_EQUAL(context->verify, SOCKD_VERIFY_REQUEST);
    CU_ASSERT_EQUAL(context->crl_check, SOCKD_CRL_NONE);
    CU_ASSERT_EQUAL(context->ticket_keys, 2);
    CU_ASSERT_EQUAL(context->stored_sessions, 0);
    CU_ASSERT_PTR_NULL(context->updated);
    CU_ASSERT_EQUAL_FATAL(context->n_certificates, 1);
    CU_ASSERT_STRING_EQUAL(context->certificates[0]->issuer[1].value, "ca");
    sockd_free(out.result);
    operate(run_list_contexts, "list-contexts", "{\"contexts\":[{" CONTEXT "}]}");
    list = out.result;
    CU_ASSERT_EQUAL_FATAL(list->n_contexts, 1);
    CU_ASSERT_STRING_EQUAL(list->contexts[0]->name, "mine");
    CU_ASSERT_EQUAL(list->contexts[0]->owner->uid, 5);
    operate(run_update_context, "update-context", "{" CONTEXT "}");
    CU_ASSERT_EQUAL(json_object_size(fake_params()), 7);
    operate(run_close_context, "close-context", "{}");
}

/* ---- Streams ---- */

#define TLS_DESCRIPTION                                                                  \
    "{\"socket\":5,\"state\":\"connected\",\"tls\":{\"role\":\"client\","                \
    "\"state\":\"established\",\"version\":\"tlsv1.3\","                                 \
    "\"cipher\":\"TLS_AES_128_GCM_SHA256\",\"group\":\"x25519\",\"alpn\":null,"          \
    "\"server-name\":\"example.org\",\"verified\":true,\"resumed\":false}}"

static int run_client_stream(struct fake_call *call)
{
    struct sockd_ssl_options options = SOCKD_SSL_OPTIONS_INIT;

    fill_identity(&options);
    fill_rules(&options);
    options.verify = SOCKD_VERIFY_REQUIRED;
    options.crl_check = SOCKD_CRL_LEAF;
    options.context_name = "shared";
    options.handshake_timeout = 2.5;
    options.allow_truncation = 1;
    options.allow_buffered = 1;
    return sockd_make_ssl_client_stream(call->connection, 5, &options, 1,
                                        &out.description, &call->error);
}

static int run_server_stream(struct fake_call *call)
{
    static const int64_t contexts[] = {77, 78};
    struct sockd_ssl_options options = SOCKD_SSL_OPTIONS_INIT;

    fill_identity(&options);
    fill_rules(&options);
    options.verify = SOCKD_VERIFY_NONE;
    options.crl_check = SOCKD_CRL_LEAF;
    options.prefer_server_cipher_order = 1;
    options.contexts = contexts;
    options.n_contexts = 2;
    options.handshake_timeout = 3;
    options.allow_truncation = 0;
    options.allow_buffered = 0;
    return sockd_make_ssl_server_stream(call->connection, 5, &options, 1, NULL,
                                        &call->error);
}

static int run_handshake(struct fake_call *call)
{
    return sockd_ssl_do_handshake(call->connection, 5, 2, NULL, &call->error);
}

void test_tls_streams(void)
{
    const struct sockd_tls *tls;

    operate(run_client_stream, "make-ssl-client-stream", TLS_DESCRIPTION);
    CU_ASSERT_STRING_EQUAL(sent_text("context"), "shared");
    CU_ASSERT_STRING_EQUAL(sent_text("crl-check"), "leaf");
    CU_ASSERT_EQUAL(json_real_value(json_object_get(fake_params(), "handshake-timeout")),
                    2.5);
    tls = out.description->tls;
    CU_ASSERT_EQUAL(tls->role, SOCKD_TLS_CLIENT);
    CU_ASSERT_EQUAL(tls->state, SOCKD_TLS_ESTABLISHED);
    CU_ASSERT_STRING_EQUAL(tls->cipher, "TLS_AES_128_GCM_SHA256");
    CU_ASSERT_PTR_NULL(tls->alpn);
    CU_ASSERT_TRUE(tls->verified);
    CU_ASSERT_FALSE(tls->resumed);
    operate(run_server_stream, "make-ssl-server-stream", TLS_DESCRIPTION);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(fake_params(), "context")), 2);
    operate(run_handshake, "ssl-do-handshake", TLS_DESCRIPTION);
}

static int run_peer(struct fake_call *call)
{
    struct sockd_get_ssl_peer_certificate_options options =
        SOCKD_GET_SSL_PEER_CERTIFICATE_OPTIONS_INIT;

    options.chain = 1;
    return sockd_get_ssl_peer_certificate(
        call->connection, 5, &options, 1,
        (struct sockd_peer_certificate **)(void *)&out.result, &call->error);
}

static int run_verdict(struct fake_call *call)
{
    return sockd_get_ssl_verify_result(call->connection, 5, 1,
                                       (struct sockd_verify_result **)(void *)&out.result,
                                       &call->error);
}

static int run_version(struct fake_call *call)
{
    return sockd_openssl_version(call->connection, 1,
                                 (struct sockd_openssl_version **)(void *)&out.result,
                                 &call->error);
}

void test_peer_certificate(void)
{
    const struct sockd_peer_certificate *peer;
    const struct sockd_certificate *certificate;
    const struct sockd_verify_result *verdict;
    const struct sockd_openssl_version *version;

    operate(run_peer, "get-ssl-peer-certificate",
            "{\"certificate\":" CERTIFICATE ",\"chain\":[" CERTIFICATE "," CERTIFICATE
            "]}");
    peer = out.result;
    certificate = peer->certificate;
    CU_ASSERT_EQUAL(peer->n_chain, 2);
    CU_ASSERT_EQUAL(certificate->version, 3);
    CU_ASSERT_STRING_EQUAL(certificate->serial_number, "255");
    CU_ASSERT_EQUAL_FATAL(certificate->n_issuer, 2);
    CU_ASSERT_STRING_EQUAL(certificate->issuer[0].name, "O");
    CU_ASSERT_EQUAL(certificate->not_before_universal, 3944678400);
    CU_ASSERT_PTR_NULL(certificate->not_after);
    CU_ASSERT_STRING_EQUAL(certificate->subject_alt_name[0].value, "example.org");
    CU_ASSERT_STRING_EQUAL(certificate->key, "ED25519");
    sockd_free(out.result);
    out.result = NULL;
    operate(run_peer, "get-ssl-peer-certificate", "{\"certificate\":null,\"chain\":[]}");
    peer = out.result;
    CU_ASSERT_PTR_NULL(peer->certificate);
    CU_ASSERT_EQUAL(peer->n_chain, 0);
    sockd_free(out.result);
    out.result = NULL;
    operate(run_verdict, "get-ssl-verify-result",
            "{\"code\":10,\"text\":\"certificate has expired\",\"verified\":false}");
    verdict = out.result;
    CU_ASSERT_EQUAL(verdict->code, 10);
    CU_ASSERT_STRING_EQUAL(verdict->text, "certificate has expired");
    CU_ASSERT_FALSE(verdict->verified);
    sockd_free(out.result);
    out.result = NULL;
    operate(
        run_version, "openssl-version",
        "{\"loaded\":{\"text\":\"OpenSSL 3.0.1\",\"major\":3,\"minor\":0,\"patch\":1},"
        "\"built\":{\"text\":\"OpenSSL 3.0.2\",\"major\":3,\"minor\":0,\"patch\":2}}");
    version = out.result;
    CU_ASSERT_STRING_EQUAL(version->loaded->text, "OpenSSL 3.0.1");
    CU_ASSERT_EQUAL(version->built->patch, 2);
}

/* ---- Sockets and tunnels ---- */

static int run_listener(struct fake_call *call)
{
    struct sockd_make_socket_options options = SOCKD_MAKE_SOCKET_OPTIONS_INIT;

    options.connect = SOCKD_PASSIVE;
    options.ssl_context = 77;
    options.handshake_timeout = 4;
    options.allow_truncation = 1;
    return sockd_make_socket(call->connection, &options, 7, &out.description,
                             &call->error);
}

static int run_tunnel(struct fake_call *call)
{
    static const char *const targets[] = {"localhost:80", NULL};
    static const int64_t contexts[] = {77, 78};
    struct sockd_make_tunnel_options options = SOCKD_MAKE_TUNNEL_OPTIONS_INIT;

    options.listen = "443";
    options.connect = targets;
    options.server_contexts = contexts;
    options.n_server_contexts = 2;
    options.client_context_name = "up";
    options.client_names = protocols; /* any texts */
    options.allow_truncation = 1;
    return sockd_make_tunnel(call->connection, &options, 1, NULL, &call->error);
}

void test_tls_sockets(void)
{
    operate(run_listener, "make-socket", "{" DESCRIPTION "}");
    CU_ASSERT_EQUAL(sent_int("ssl-context"), 77);
    CU_ASSERT_EQUAL(sent_int("allow-truncation"), 1);
    CU_ASSERT_PTR_NULL(out.description->tls);
    operate(run_tunnel, "make-tunnel", "{\"tunnel\":3,\"listener\":{" DESCRIPTION "}}");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(fake_params(), "server-context")), 2);
    CU_ASSERT_STRING_EQUAL(sent_text("client-context"), "up");
}

/* ---- Files ---- */

static int run_with_files(struct fake_call *call)
{
    struct sockd_ssl_options options = SOCKD_SSL_OPTIONS_INIT;
    char certificate[300], directory[300];

    snprintf(certificate, sizeof(certificate), "%s/both.pem", folder);
    snprintf(directory, sizeof(directory), "%s/hashed", folder);
    options.certificate = certificate;
    options.ca_directory = directory;
    return sockd_make_ssl_server_context(call->connection, &options, 1, NULL,
                                         &call->error);
}

/* Only the PEM texts of a file are sent, and of a directory the certificates. */
void test_files(void)
{
    static const char *const names[] = {"hashed/0123abcd.0",
                                        "hashed/0123abcd.r0",
                                        "hashed/other.pem",
                                        "hashed",
                                        "both.pem",
                                        "password",
                                        "plain/a.crt",
                                        "plain/b.pem",
                                        "plain/README",
                                        "plain",
                                        NULL};
    struct sockd_error error;
    char *text = NULL;

    make_folder();
    CU_ASSERT_EQUAL(mkdir(in_folder("hashed"), 0700), 0);
    CU_ASSERT_EQUAL(mkdir(in_folder("plain"), 0700), 0);
    write_file("both.pem",
               "subject=caf\xe9\r\n" PEM("CERTIFICATE") "\n -----BEGIN no\n" PEM(
                   "PRIVATE KEY") "the end");
    write_file("hashed/0123abcd.0", "# x\n" PEM("CERTIFICATE"));
    write_file("hashed/0123abcd.r0", PEM("X509 CRL"));
    write_file("hashed/other.pem", "nothing");
    write_file("plain/a.crt", PEM("CERTIFICATE"));
    write_file("plain/b.pem", PEM("TRUSTED CERTIFICATE"));
    write_file("plain/README", "nothing");
    write_file("password", "open sesame\r\nand more\n");
    operate(run_with_files, "make-ssl-server-context", "{\"context\":1}");
    CU_ASSERT_STRING_EQUAL(sent_text("certificate"),
                           PEM("CERTIFICATE") PEM("PRIVATE KEY"));
    CU_ASSERT_STRING_EQUAL(sent_text("ca-directory"), PEM("CERTIFICATE"));
    CU_ASSERT_EQUAL(
        sockd_read_file(in_folder("plain"), SOCKD_PEM_DIRECTORY, &text, &error),
        SOCKD_OK);
    CU_ASSERT_STRING_EQUAL(text, PEM("CERTIFICATE") PEM("TRUSTED CERTIFICATE"));
    sockd_wipe(text);
    CU_ASSERT_EQUAL(
        sockd_read_file(in_folder("password"), SOCKD_SECRET_FILE, &text, NULL), SOCKD_OK);
    CU_ASSERT_STRING_EQUAL(text, "open sesame");
    sockd_wipe(text);
    sockd_wipe(NULL);
    remove_folder(names);
}

static void expect_bad(const char *name, const char *says, int errnum)
{
    struct sockd_ssl_options options = SOCKD_SSL_OPTIONS_INIT;
    struct sockd_error error;

    options.ca_file = in_folder(name);
    CU_ASSERT_EQUAL(sockd_make_ssl_client_context(connection, &options, 1, NULL, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "ca-file");
    CU_ASSERT_EQUAL(error.errnum, errnum);
    CU_ASSERT_NOT_EQUAL(error.wanted[0], 0);
    if (!strstr(error.message, name) || !strstr(error.message, says))
        UNIT_FAIL("%s: %s", name, error.message);
}

/* The error names the file and the parameter, and nothing is sent. */
void test_bad_files(void)
{
    static const char *const names[] = {"empty", "cut.pem", "directory", NULL};
    struct sockd_error error;
    char *text = NULL;

    make_folder();
    CU_ASSERT_EQUAL(mkdir(in_folder("directory"), 0700), 0);
    write_file("empty", "");
    write_file("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    expect_bad("missing", "No such file", ENOENT);
    expect_bad("directory", "Is a directory", EISDIR);
    expect_bad("empty", "no PEM text", 0);
    expect_bad("cut.pem", "has no end", 0);
    CU_ASSERT_EQUAL(
        sockd_read_file(in_folder("directory"), SOCKD_PEM_DIRECTORY, &text, &error),
        SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "no certificate"));
    CU_ASSERT_EQUAL(
        sockd_read_file(in_folder("empty"), SOCKD_PEM_DIRECTORY, &text, &error),
        SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(error.errnum, ENOTDIR);
    CU_ASSERT_EQUAL(sockd_read_file(NULL, SOCKD_PEM_FILE, &text, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(sockd_read_file("/dev/null", (enum sockd_file_kind)0, &text, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_PTR_NULL(text);
    fake_is_quiet();
    remove_folder(names);
}
