/* SPDX-License-Identifier: MIT */
/*
 * tls.c - TLS: the operations of commands_tls.def.
 *
 * Place: public functions on request.c and fields.c; files are read by pem.c. Thread:
 * any.
 */
#include <config.h>

#include "lib/internal.h"
#include "lib/shapes.h"

#define N(FIELDS) (sizeof(FIELDS) / sizeof((FIELDS)[0]))

/* ---- What makers take ---- */

static const struct sockd_ssl_options ssl_preset = SOCKD_SSL_OPTIONS_INIT;
static const struct field ssl_fields[] = {
    MEMBER(sockd_ssl_options, certificate, "certificate", FILE, "file"),
    MEMBER(sockd_ssl_options, key, "key", FILE, "file"),
    MEMBER(sockd_ssl_options, certificate_password, "certificate-password", SECRET),
    MEMBER(sockd_ssl_options, ca_file, "ca-file", FILE, "file"),
    MEMBER(sockd_ssl_options, ca_directory, "ca-directory", FILE, "directory"),
    MEMBER(sockd_ssl_options, crl_file, "crl-file", FILE, "file"),
    MEMBER(sockd_ssl_options, crl_check, "crl-check", SWITCH, CRL_CHECK_WORDS),
    MEMBER(sockd_ssl_options, groups, "groups", TEXT),
    MEMBER(sockd_ssl_options, method, "method", TEXTS),
    MEMBER(sockd_ssl_options, ciphers, "ciphers", TEXT),
    MEMBER(sockd_ssl_options, ciphersuites, "ciphersuites", TEXT),
    MEMBER(sockd_ssl_options, alpn, "alpn", TEXTS),
    MEMBER(sockd_ssl_options, verify, "verify", SWITCH, VERIFY_WORDS),
    MEMBER(sockd_ssl_options, max_depth, "max-depth", INT),
    MEMBER(sockd_ssl_options, prefer_server_cipher_order, "prefer-server-cipher-order",
           FLAG),
    MEMBER(sockd_ssl_options, server_name, "server-name", TEXT),
    MEMBER(sockd_ssl_options, sessions, "sessions", FLAG),
    MEMBER(sockd_ssl_options, tickets, "tickets", INT),
    MEMBER(sockd_ssl_options, name, "name", TEXT),
    MEMBER(sockd_ssl_options, handshake_timeout, "handshake-timeout", SECONDS),
    MEMBER(sockd_ssl_options, allow_truncation, "allow-truncation", FLAG),
    MEMBER(sockd_ssl_options, allow_buffered, "allow-buffered", FLAG),
};
static const struct shape ssl_shape = {sizeof(ssl_preset), ssl_fields, N(ssl_fields),
                                       &ssl_preset};

/* What does not fit the method is refused by the daemon, which knows its parameters. */
static void write_ssl_options(struct request *request,
                              const struct sockd_ssl_options *options)
{
    struct sockd_ssl_options own;

    if (!options_copy(&own, &ssl_shape, options, request, "options"))
        return;
    options_write(request, &ssl_shape, &own);
    request_contexts(request, "context", own.context, own.context_name, own.contexts,
                     own.n_contexts);
}

/* ---- Contexts ---- */

static int make_context(struct sockd *connection, const char *method,
                        const struct sockd_ssl_options *options, double timeout,
                        int64_t *context, struct sockd_error *error)
{
    static const struct field fields[] = {{.name = "context", .type = MEMBER_COUNT}};
    struct request request;

    request_begin(&request, connection, method, timeout, error);
    write_ssl_options(&request, options);
    return request_read(&request, fields, (void *const[]){context}, 1);
}

int sockd_make_ssl_client_context(struct sockd *connection,
                                  const struct sockd_ssl_options *options, double timeout,
                                  int64_t *context, struct sockd_error *error)
{
    return make_context(connection, "make-ssl-client-context", options, timeout, context,
                        error);
}

int sockd_make_ssl_server_context(struct sockd *connection,
                                  const struct sockd_ssl_options *options, double timeout,
                                  int64_t *context, struct sockd_error *error)
{
    return make_context(connection, "make-ssl-server-context", options, timeout, context,
                        error);
}

static const struct field certificate_fields[] = {
    MEMBER(sockd_certificate, version, "version", INT),
    MEMBER(sockd_certificate, serial_number, "serial-number", TEXT),
    MEMBER(sockd_certificate, serial_number_hex, "serial-number-hex", TEXT),
    MEMBER(sockd_certificate, issuer, "issuer", PAIRS),
    MEMBER(sockd_certificate, subject, "subject", PAIRS),
    MEMBER(sockd_certificate, not_before, "not-before", TEXT),
    MEMBER(sockd_certificate, not_after, "not-after", TEXT),
    MEMBER(sockd_certificate, not_before_universal, "not-before-universal", COUNT),
    MEMBER(sockd_certificate, not_after_universal, "not-after-universal", COUNT),
    MEMBER(sockd_certificate, subject_alt_name, "subject-alt-name", PAIRS),
    MEMBER(sockd_certificate, fingerprint_sha256, "fingerprint-sha256", TEXT),
    MEMBER(sockd_certificate, key, "key", TEXT),
    MEMBER(sockd_certificate, pem, "pem", TEXT),
};
static const struct shape certificate_shape = {
    sizeof(struct sockd_certificate), certificate_fields, N(certificate_fields), NULL};

static const struct field context_fields[] = {
    MEMBER(sockd_context, context, "context", COUNT),
    MEMBER(sockd_context, name, "name", TEXT),
    MEMBER(sockd_context, role, "role", WORD, TLS_ROLE_WORDS),
    MEMBER(sockd_context, versions, "versions", TEXTS),
    MEMBER(sockd_context, verify, "verify", SWITCH, VERIFY_WORDS),
    MEMBER(sockd_context, max_depth, "max-depth", INT),
    MEMBER(sockd_context, crl_check, "crl-check", SWITCH, CRL_CHECK_WORDS),
    MEMBER(sockd_context, server_name, "server-name", TEXT),
    MEMBER(sockd_context, subject, "subject", PAIRS),
    MEMBER(sockd_context, not_after, "not-after", TEXT),
    MEMBER(sockd_context, sessions, "sessions", BOOL),
    MEMBER(sockd_context, stored_sessions, "stored-sessions", COUNT),
    MEMBER(sockd_context, ticket_keys, "ticket-keys", COUNT),
    MEMBER(sockd_context, owner, "owner", OBJECT, .shape = &owner_shape),
    MEMBER(sockd_context, created, "created", TEXT),
    MEMBER(sockd_context, updated, "updated", TEXT),
    MEMBER(sockd_context, certificates, "certificates", OBJECTS,
           .shape = &certificate_shape),
};
static const struct shape context_shape = {sizeof(struct sockd_context), context_fields,
                                           N(context_fields), NULL};

int sockd_describe_context(struct sockd *connection, int64_t context, double timeout,
                           struct sockd_context **description, struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "describe-context", timeout, error);
    request_int(&request, "context", context);
    return request_make(&request, &context_shape, false, description);
}

static const struct field list_fields[] = {
    MEMBER(sockd_context_list, contexts, "contexts", OBJECTS, .shape = &context_shape),
};
static const struct shape list_shape = {sizeof(struct sockd_context_list), list_fields,
                                        N(list_fields), NULL};

int sockd_list_contexts(struct sockd *connection, double timeout,
                        struct sockd_context_list **list, struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "list-contexts", timeout, error);
    return request_make(&request, &list_shape, false, list);
}

int sockd_update_context(struct sockd *connection, int64_t context,
                         const struct sockd_ssl_options *options, double timeout,
                         struct sockd_context **description, struct sockd_error *error)
{
    struct request request;
    struct sockd_ssl_options own;

    request_begin(&request, connection, "update-context", timeout, error);
    request_int(&request, "context", context);
    if (options_copy(&own, &ssl_shape, options, &request, "options"))
        options_write(&request, &ssl_shape, &own);
    return request_make(&request, &context_shape, false, description);
}

int sockd_close_context(struct sockd *connection, int64_t context, double timeout,
                        struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "close-context", timeout, error);
    request_int(&request, "context", context);
    return request_done(&request);
}

/* ---- Streams ---- */

static int make_stream(struct sockd *connection, const char *method, int64_t socket,
                       const struct sockd_ssl_options *options, double timeout,
                       struct sockd_description **description, struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, method, timeout, error);
    request_socket(&request, socket);
    write_ssl_options(&request, options);
    return request_make(&request, &description_shape, false, description);
}

int sockd_make_ssl_client_stream(struct sockd *connection, int64_t socket,
                                 const struct sockd_ssl_options *options, double timeout,
                                 struct sockd_description **description,
                                 struct sockd_error *error)
{
    return make_stream(connection, "make-ssl-client-stream", socket, options, timeout,
                       description, error);
}

int sockd_make_ssl_server_stream(struct sockd *connection, int64_t socket,
                                 const struct sockd_ssl_options *options, double timeout,
                                 struct sockd_description **description,
                                 struct sockd_error *error)
{
    return make_stream(connection, "make-ssl-server-stream", socket, options, timeout,
                       description, error);
}

int sockd_ssl_do_handshake(struct sockd *connection, int64_t socket, double timeout,
                           struct sockd_description **description,
                           struct sockd_error *error)
{
    struct request request;

    request_begin_waiting(&request, connection, "ssl-do-handshake", timeout, error);
    request_socket(&request, socket);
    return request_make(&request, &description_shape, false, description);
}

/* ---- The peer ---- */

static const struct sockd_get_ssl_peer_certificate_options get_preset =
    SOCKD_GET_SSL_PEER_CERTIFICATE_OPTIONS_INIT;
static const struct field get_fields[] = {
    MEMBER(sockd_get_ssl_peer_certificate_options, chain, "chain", FLAG),
};
static const struct shape get_shape = {sizeof(get_preset), get_fields, N(get_fields),
                                       &get_preset};
static const struct field peer_fields[] = {
    MEMBER(sockd_peer_certificate, certificate, "certificate", OBJECT,
           .shape = &certificate_shape),
    MEMBER(sockd_peer_certificate, chain, "chain", OBJECTS, .shape = &certificate_shape),
};
static const struct shape peer_shape = {sizeof(struct sockd_peer_certificate),
                                        peer_fields, N(peer_fields), NULL};

int sockd_get_ssl_peer_certificate(
    struct sockd *connection, int64_t socket,
    const struct sockd_get_ssl_peer_certificate_options *options, double timeout,
    struct sockd_peer_certificate **certificate, struct sockd_error *error)
{
    struct sockd_get_ssl_peer_certificate_options own;
    struct request request;

    request_begin_waiting(&request, connection, "get-ssl-peer-certificate", timeout,
                          error);
    request_socket(&request, socket);
    if (options_copy(&own, &get_shape, options, &request, "options"))
        options_write(&request, &get_shape, &own);
    return request_make(&request, &peer_shape, false, certificate);
}

static const struct field verdict_fields[] = {
    MEMBER(sockd_verify_result, code, "code", INT),
    MEMBER(sockd_verify_result, text, "text", TEXT),
    MEMBER(sockd_verify_result, verified, "verified", BOOL),
};
static const struct shape verdict_shape = {sizeof(struct sockd_verify_result),
                                           verdict_fields, N(verdict_fields), NULL};

int sockd_get_ssl_verify_result(struct sockd *connection, int64_t socket, double timeout,
                                struct sockd_verify_result **result,
                                struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "get-ssl-verify-result", timeout, error);
    request_socket(&request, socket);
    return request_make(&request, &verdict_shape, false, result);
}

/* ---- OpenSSL ---- */

static const struct field numbers_fields[] = {
    MEMBER(sockd_openssl_numbers, text, "text", TEXT),
    MEMBER(sockd_openssl_numbers, major, "major", INT),
    MEMBER(sockd_openssl_numbers, minor, "minor", INT),
    MEMBER(sockd_openssl_numbers, patch, "patch", INT),
};
static const struct shape numbers_shape = {sizeof(struct sockd_openssl_numbers),
                                           numbers_fields, N(numbers_fields), NULL};
static const struct field version_fields[] = {
    MEMBER(sockd_openssl_version, loaded, "loaded", OBJECT, .shape = &numbers_shape),
    MEMBER(sockd_openssl_version, built, "built", OBJECT, .shape = &numbers_shape),
};
static const struct shape version_shape = {sizeof(struct sockd_openssl_version),
                                           version_fields, N(version_fields), NULL};

int sockd_openssl_version(struct sockd *connection, double timeout,
                          struct sockd_openssl_version **version,
                          struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "openssl-version", timeout, error);
    return request_make(&request, &version_shape, false, version);
}
