/* SPDX-License-Identifier: MIT */
/*
 * shapes.c - the tables of the structs that describe sockets and clients.
 *
 * Place: data for fields.c, used by several files of operations. Constant.
 */
#include <config.h>

#include "lib/shapes.h"

#define N(FIELDS) (sizeof(FIELDS) / sizeof((FIELDS)[0]))

/* ---- Socket options ---- */

static const struct sockd_socket_options options_preset = SOCKD_SOCKET_OPTIONS_INIT;
static const struct field options_fields[] = {
    MEMBER(sockd_socket_options, reuse_address, "reuse-address", FLAG),
    MEMBER(sockd_socket_options, reuse_port, "reuse-port", FLAG),
    MEMBER(sockd_socket_options, broadcast, "broadcast", FLAG),
    MEMBER(sockd_socket_options, keepalive, "keepalive", FLAG),
    MEMBER(sockd_socket_options, nodelay, "nodelay", FLAG),
    MEMBER(sockd_socket_options, oob_inline, "oob-inline", FLAG),
    MEMBER(sockd_socket_options, receive_buffer_size, "receive-buffer-size", INT),
    MEMBER(sockd_socket_options, send_buffer_size, "send-buffer-size", INT),
    MEMBER(sockd_socket_options, tcp_keepalive_idle_time, "tcp-keepalive-idle-time", INT),
    MEMBER(sockd_socket_options, tcp_keepalive_probe_interval,
           "tcp-keepalive-probe-interval", INT),
    MEMBER(sockd_socket_options, tcp_keepalive_max_probes, "tcp-keepalive-max-probes",
           INT),
    MEMBER(sockd_socket_options, linger, "linger", INT),
    MEMBER(sockd_socket_options, receive_low_water, "receive-low-water", INT),
    MEMBER(sockd_socket_options, send_low_water, "send-low-water", INT),
    MEMBER(sockd_socket_options, tcp_user_timeout, "tcp-user-timeout", INT),
    MEMBER(sockd_socket_options, tcp_cork, "tcp-cork", FLAG),
    MEMBER(sockd_socket_options, tcp_quickack, "tcp-quickack", FLAG),
    MEMBER(sockd_socket_options, tcp_notsent_lowat, "tcp-notsent-lowat", INT),
    MEMBER(sockd_socket_options, priority, "priority", INT),
    MEMBER(sockd_socket_options, tos, "tos", INT),
    MEMBER(sockd_socket_options, ttl, "ttl", INT),
    MEMBER(sockd_socket_options, ipv6_only, "ipv6-only", FLAG),
    MEMBER(sockd_socket_options, multicast_ttl, "multicast-ttl", INT),
    MEMBER(sockd_socket_options, multicast_loop, "multicast-loop", FLAG),
    MEMBER(sockd_socket_options, multicast_interface, "multicast-interface", LONG),
    /* What is done once and not answered; they stand last. */
    MEMBER(sockd_socket_options, multicast_join, "multicast-join", TEXTS),
    MEMBER(sockd_socket_options, multicast_leave, "multicast-leave", TEXTS),
};
enum { N_DONE_ONCE = 2 };
const struct shape socket_options_shape = {sizeof(options_preset), options_fields,
                                           N(options_fields) - N_DONE_ONCE,
                                           &options_preset};
const struct shape set_socket_options_shape = {sizeof(options_preset), options_fields,
                                               N(options_fields), &options_preset};

/* ---- Descriptions ---- */

static const struct field owner_fields[] = {
    MEMBER(sockd_owner, uid, "uid", COUNT),
    MEMBER(sockd_owner, pid, "pid", COUNT),
    MEMBER(sockd_owner, user, "user", TEXT),
    MEMBER(sockd_owner, client, "client", COUNT),
};
const struct shape owner_shape = {sizeof(struct sockd_owner), owner_fields,
                                  N(owner_fields), NULL};

static const struct field last_error_fields[] = {
    MEMBER(sockd_last_error, identifier, "identifier", TEXT),
    MEMBER(sockd_last_error, errno_name, "errno", TEXT),
    MEMBER(sockd_last_error, action, "action", TEXT),
};
static const struct shape last_error_shape = {
    sizeof(struct sockd_last_error), last_error_fields, N(last_error_fields), NULL};

static const struct sockd_runtime runtime_preset = {.read_timeout = SOCKD_FOREVER,
                                                    .write_timeout = SOCKD_FOREVER};
static const struct field runtime_fields[] = {
    MEMBER(sockd_runtime, bytes_read, "bytes-read", COUNT),
    MEMBER(sockd_runtime, bytes_written, "bytes-written", COUNT),
    MEMBER(sockd_runtime, pending, "pending", TEXTS),
    MEMBER(sockd_runtime, input_buffered, "input-buffered", COUNT),
    MEMBER(sockd_runtime, output_buffered, "output-buffered", COUNT),
    MEMBER(sockd_runtime, attached, "attached", BOOL),
    MEMBER(sockd_runtime, input_shutdown, "input-shutdown", BOOL),
    MEMBER(sockd_runtime, output_shutdown, "output-shutdown", BOOL),
    MEMBER(sockd_runtime, output_chunking, "output-chunking", BOOL),
    MEMBER(sockd_runtime, input_chunking, "input-chunking", BOOL),
    MEMBER(sockd_runtime, trailers, "trailers", TEXTS),
    MEMBER(sockd_runtime, read_timeout, "read-timeout", SECONDS),
    MEMBER(sockd_runtime, write_timeout, "write-timeout", SECONDS),
    MEMBER(sockd_runtime, end, "end", WORD, END_WORDS),
    MEMBER(sockd_runtime, last_error, "last-error", OBJECT, .shape = &last_error_shape),
    MEMBER(sockd_runtime, relayed_to, "relayed-to", COUNT),
    MEMBER(sockd_runtime, handshakes, "handshakes", COUNT),
    MEMBER(sockd_runtime, handshakes_failed, "handshakes-failed", COUNT),
};
static const struct shape runtime_shape = {sizeof(struct sockd_runtime), runtime_fields,
                                           N(runtime_fields), &runtime_preset};

static const struct field tls_fields[] = {
    MEMBER(sockd_tls, role, "role", WORD, TLS_ROLE_WORDS),
    MEMBER(sockd_tls, state, "state", WORD, TLS_STATE_WORDS),
    MEMBER(sockd_tls, version, "version", TEXT),
    MEMBER(sockd_tls, cipher, "cipher", TEXT),
    MEMBER(sockd_tls, group, "group", TEXT),
    MEMBER(sockd_tls, alpn, "alpn", TEXT),
    MEMBER(sockd_tls, server_name, "server-name", TEXT),
    MEMBER(sockd_tls, verified, "verified", BOOL),
    MEMBER(sockd_tls, resumed, "resumed", BOOL),
};
static const struct shape tls_shape = {sizeof(struct sockd_tls), tls_fields,
                                       N(tls_fields), NULL};

static const struct sockd_description description_preset = {.ipv6 = SOCKD_UNSET,
                                                            .local_port = SOCKD_UNSET,
                                                            .remote_port = SOCKD_UNSET,
                                                            .worker = SOCKD_UNSET};
static const struct field description_fields[] = {
    MEMBER(sockd_description, socket, "socket", COUNT),
    MEMBER(sockd_description, name, "name", TEXT),
    MEMBER(sockd_description, type, "type", WORD, TYPE_WORDS),
    MEMBER(sockd_description, address_family, "address-family", WORD, FAMILY_WORDS),
    MEMBER(sockd_description, connect, "connect", WORD, CONNECT_WORDS),
    MEMBER(sockd_description, format, "format", WORD, FORMAT_WORDS),
    MEMBER(sockd_description, ipv6, "ipv6", FLAG),
    MEMBER(sockd_description, local_host, "local-host", TEXT),
    MEMBER(sockd_description, local_port, "local-port", INT),
    MEMBER(sockd_description, remote_host, "remote-host", TEXT),
    MEMBER(sockd_description, remote_port, "remote-port", INT),
    MEMBER(sockd_description, local_filename, "local-filename", TEXT),
    MEMBER(sockd_description, remote_filename, "remote-filename", TEXT),
    MEMBER(sockd_description, state, "state", WORD, STATE_WORDS),
    MEMBER(sockd_description, owner, "owner", OBJECT, .shape = &owner_shape),
    MEMBER(sockd_description, worker, "worker", INT),
    MEMBER(sockd_description, created, "created", TEXT),
    MEMBER(sockd_description, options, "options", OBJECT, .shape = &socket_options_shape),
    MEMBER(sockd_description, runtime, "runtime", OBJECT, .shape = &runtime_shape),
    MEMBER(sockd_description, printed, "printed", TEXT),
    MEMBER(sockd_description, tls, "tls", OBJECT, .shape = &tls_shape),
};
const struct shape description_shape = {sizeof(description_preset), description_fields,
                                        N(description_fields), &description_preset};

/* ---- Clients ---- */

static const struct sockd_client client_preset = {.worker = SOCKD_UNSET};
static const struct field client_fields[] = {
    MEMBER(sockd_client, id, "id", COUNT),
    MEMBER(sockd_client, pid, "pid", COUNT),
    MEMBER(sockd_client, uid, "uid", COUNT),
    MEMBER(sockd_client, gid, "gid", COUNT),
    MEMBER(sockd_client, user, "user", TEXT),
    MEMBER(sockd_client, rights, "rights", TEXTS),
    MEMBER(sockd_client, worker, "worker", INT),
    MEMBER(sockd_client, connected, "connected", TEXT),
    MEMBER(sockd_client, requests, "requests", COUNT),
    MEMBER(sockd_client, pending, "pending", COUNT),
    MEMBER(sockd_client, queued, "queued", COUNT),
};
const struct shape client_shape = {sizeof(client_preset), client_fields, N(client_fields),
                                   &client_preset};
