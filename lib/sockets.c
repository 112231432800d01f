/* SPDX-License-Identifier: MIT */
/*
 * sockets.c - make, accept, shut down, close, options: the operations of
 * commands_sockets.def.
 *
 * Place: public functions on request.c and fields.c. Thread: any.
 */
#include <config.h>

#include "lib/internal.h"
#include "lib/shapes.h"

#define N(FIELDS) (sizeof(FIELDS) / sizeof((FIELDS)[0]))

static const struct sockd_make_socket_options make_preset =
    SOCKD_MAKE_SOCKET_OPTIONS_INIT;
static const struct field make_fields[] = {
    MEMBER(sockd_make_socket_options, type, "type", WORD, TYPE_WORDS),
    MEMBER(sockd_make_socket_options, format, "format", WORD, FORMAT_WORDS),
    MEMBER(sockd_make_socket_options, connect, "connect", WORD, CONNECT_WORDS),
    MEMBER(sockd_make_socket_options, address_family, "address-family", WORD,
           FAMILY_WORDS),
    MEMBER(sockd_make_socket_options, ipv6, "ipv6", IPV6),
    MEMBER(sockd_make_socket_options, scope_id, "scope-id", LONG),
    MEMBER(sockd_make_socket_options, local_host, "local-host", TEXT),
    MEMBER(sockd_make_socket_options, remote_host, "remote-host", TEXT),
    MEMBER(sockd_make_socket_options, local_filename, "local-filename", TEXT),
    MEMBER(sockd_make_socket_options, remote_filename, "remote-filename", TEXT),
    MEMBER(sockd_make_socket_options, backlog, "backlog", INT),
    MEMBER(sockd_make_socket_options, reuse_address, "reuse-address", FLAG),
    MEMBER(sockd_make_socket_options, reuse_port, "reuse-port", FLAG),
    MEMBER(sockd_make_socket_options, broadcast, "broadcast", FLAG),
    MEMBER(sockd_make_socket_options, keepalive, "keepalive", FLAG),
    MEMBER(sockd_make_socket_options, nodelay, "nodelay", FLAG),
    MEMBER(sockd_make_socket_options, oob_inline, "oob-inline", FLAG),
    MEMBER(sockd_make_socket_options, receive_buffer_size, "receive-buffer-size", INT),
    MEMBER(sockd_make_socket_options, send_buffer_size, "send-buffer-size", INT),
    MEMBER(sockd_make_socket_options, tcp_keepalive_idle_time, "tcp-keepalive-idle-time",
           INT),
    MEMBER(sockd_make_socket_options, tcp_keepalive_probe_interval,
           "tcp-keepalive-probe-interval", INT),
    MEMBER(sockd_make_socket_options, tcp_keepalive_max_probes,
           "tcp-keepalive-max-probes", INT),
    MEMBER(sockd_make_socket_options, tcp_md5_sig_key, "tcp-md5-sig-key", BYTES),
    MEMBER(sockd_make_socket_options, name, "name", TEXT),
    MEMBER(sockd_make_socket_options, connect_timeout, "connect-timeout", SECONDS),
    MEMBER(sockd_make_socket_options, handshake_timeout, "handshake-timeout", SECONDS),
    MEMBER(sockd_make_socket_options, allow_truncation, "allow-truncation", FLAG),
};
const struct shape make_socket_shape = {sizeof(make_preset), make_fields, N(make_fields),
                                        &make_preset};

int sockd_make_socket(struct sockd *connection,
                      const struct sockd_make_socket_options *options, double timeout,
                      struct sockd_description **description, struct sockd_error *error)
{
    struct sockd_make_socket_options own;
    struct request request;

    request_begin_waiting(&request, connection, "make-socket", timeout, error);
    if (!description)
        request_bad(&request, "description", "the place for a description, not NULL");
    if (options_copy(&own, &make_socket_shape, options, &request, "options")) {
        options_write(&request, &make_socket_shape, &own);
        request_port(&request, "local-port", own.local_port, own.local_service);
        request_port(&request, "remote-port", own.remote_port, own.remote_service);
        request_contexts(&request, "ssl-context", own.ssl_context, own.ssl_context_name,
                         own.ssl_contexts, own.n_ssl_contexts);
    }
    return request_make(&request, &description_shape, false, description);
}

static const struct sockd_accept_connection_options accept_preset =
    SOCKD_ACCEPT_CONNECTION_OPTIONS_INIT;
static const struct field accept_fields[] = {
    MEMBER(sockd_accept_connection_options, wait, "wait", FLAG),
};
static const struct shape accept_shape = {sizeof(accept_preset), accept_fields,
                                          N(accept_fields), &accept_preset};

int sockd_accept_connection(struct sockd *connection, int64_t socket,
                            const struct sockd_accept_connection_options *options,
                            double timeout, struct sockd_description **description,
                            struct sockd_error *error)
{
    struct sockd_accept_connection_options own;
    struct request request;

    request_begin_waiting(&request, connection, "accept-connection", timeout, error);
    request_socket(&request, socket);
    if (!description)
        request_bad(&request, "description", "the place for a description, not NULL");
    if (options_copy(&own, &accept_shape, options, &request, "options"))
        options_write(&request, &accept_shape, &own);
    return request_make(&request, &description_shape, true, description);
}

int sockd_shutdown(struct sockd *connection, int64_t socket,
                   enum sockd_direction direction, double timeout,
                   struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "shutdown", timeout, error);
    request_socket(&request, socket);
    request_word(&request, "direction", DIRECTION_WORDS, (int)direction);
    return request_done(&request);
}

static const struct sockd_close_options close_preset = SOCKD_CLOSE_OPTIONS_INIT;
static const struct field close_fields[] = {
    MEMBER(sockd_close_options, abort, "abort", FLAG),
};
static const struct shape close_shape = {sizeof(close_preset), close_fields,
                                         N(close_fields), &close_preset};

int sockd_close(struct sockd *connection, int64_t socket,
                const struct sockd_close_options *options, double timeout,
                struct sockd_error *error)
{
    struct sockd_close_options own;
    struct request request;

    request_begin(&request, connection, "close", timeout, error);
    request_socket(&request, socket);
    if (options_copy(&own, &close_shape, options, &request, "options"))
        options_write(&request, &close_shape, &own);
    return request_done(&request);
}

int sockd_set_socket_options(struct sockd *connection, int64_t socket,
                             const struct sockd_socket_options *options, double timeout,
                             struct sockd_socket_options *now, struct sockd_error *error)
{
    struct sockd_socket_options own;
    struct request request;

    request_begin(&request, connection, "set-socket-options", timeout, error);
    request_socket(&request, socket);
    answer_check(&request, now, &socket_options_shape, "now");
    if (options_copy(&own, &set_socket_options_shape, options, &request, "options"))
        options_write(&request, &set_socket_options_shape, &own);
    return request_fill(&request, &socket_options_shape, now);
}

int sockd_get_socket_options(struct sockd *connection, int64_t socket, double timeout,
                             struct sockd_socket_options *now, struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "get-socket-options", timeout, error);
    request_socket(&request, socket);
    answer_check(&request, now, &socket_options_shape, "now");
    return request_fill(&request, &socket_options_shape, now);
}

int sockd_set_tcp_md5_sig(struct sockd *connection, int64_t socket, const char *address,
                          const void *key, size_t key_size, double timeout,
                          struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "set-tcp-md5-sig", timeout, error);
    request_socket(&request, socket);
    request_text(&request, "address", address);
    request_data(&request, "key", key, key_size);
    return request_done(&request);
}

static const struct sockd_socket_control control_preset = SOCKD_SOCKET_CONTROL_INIT;
static const struct field control_fields[] = {
    MEMBER(sockd_socket_control, output_chunking, "output-chunking", FLAG),
    MEMBER(sockd_socket_control, output_chunking_eof, "output-chunking-eof", FLAG),
    MEMBER(sockd_socket_control, input_chunking, "input-chunking", FLAG),
    MEMBER(sockd_socket_control, read_timeout, "read-timeout", SECONDS),
    MEMBER(sockd_socket_control, write_timeout, "write-timeout", SECONDS),
};
static const struct shape control_shape = {sizeof(control_preset), control_fields,
                                           N(control_fields), &control_preset};

int sockd_socket_control(struct sockd *connection, int64_t socket,
                         const struct sockd_socket_control *control, double timeout,
                         struct sockd_socket_control *now, struct sockd_error *error)
{
    struct sockd_socket_control own;
    struct request request;

    request_begin(&request, connection, "socket-control", timeout, error);
    request_socket(&request, socket);
    answer_check(&request, now, &control_shape, "now");
    if (options_copy(&own, &control_shape, control, &request, "control"))
        options_write(&request, &control_shape, &own);
    return request_fill(&request, &control_shape, now);
}
