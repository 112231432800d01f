/* SPDX-License-Identifier: MIT */
/*
 * tunnels.c - streams joined inside of the daemon: the operations of
 * commands_tunnels.def.
 *
 * Place: public functions on request.c and fields.c. Thread: any.
 */
#include <config.h>

#include "lib/internal.h"

#include <string.h>
#include "lib/shapes.h"
#include "proto/error.h"
#include "proto/place.h"

#define N(FIELDS) (sizeof(FIELDS) / sizeof((FIELDS)[0]))
#define RELAY_END_WORDS "clean|cut|interrupted|closed"
#define PROXY_WORDS "none|v1|v2|any"
#define CONNECT_ORDER_WORDS "listed|round-robin"

static const struct sockd_relay_report relay_preset = SOCKD_RELAY_REPORT_INIT;
static const struct field relay_fields[] = {
    MEMBER(sockd_relay_report, end, "end", WORD, RELAY_END_WORDS),
    MEMBER(sockd_relay_report, forward, "forward", LONG),
    MEMBER(sockd_relay_report, back, "back", LONG),
};
static const struct shape relay_shape = {sizeof(relay_preset), relay_fields,
                                         N(relay_fields), &relay_preset};

int sockd_relay(struct sockd *connection, int64_t first, int64_t second, double timeout,
                struct sockd_relay_report *report, struct sockd_error *error)
{
    struct request request;

    request_begin_waiting(&request, connection, "relay", timeout, error);
    request_int(&request, "first", first);
    request_int(&request, "second", second);
    if (!report)
        return request_done(&request);
    answer_check(&request, report, &relay_shape, "report");
    request_bool(&request, "wait", true);
    return request_fill(&request, &relay_shape, report);
}

/* ---- make-tunnel ---- */

static const struct sockd_make_tunnel_options make_preset =
    SOCKD_MAKE_TUNNEL_OPTIONS_INIT;
static const struct field make_fields[] = {
    MEMBER(sockd_make_tunnel_options, name, "name", TEXT),
    MEMBER(sockd_make_tunnel_options, max_connections, "max-connections", INT),
    MEMBER(sockd_make_tunnel_options, connect_timeout, "connect-timeout", SECONDS),
    MEMBER(sockd_make_tunnel_options, handshake_timeout, "handshake-timeout", SECONDS),
    MEMBER(sockd_make_tunnel_options, idle_timeout, "idle-timeout", SECONDS),
    MEMBER(sockd_make_tunnel_options, half_closed_timeout, "half-closed-timeout",
           SECONDS),
    MEMBER(sockd_make_tunnel_options, accept_proxy, "accept-proxy", WORD, PROXY_WORDS),
    MEMBER(sockd_make_tunnel_options, send_proxy, "send-proxy", WORD, PROXY_WORDS),
    MEMBER(sockd_make_tunnel_options, allow_truncation, "allow-truncation", FLAG),
    MEMBER(sockd_make_tunnel_options, client_names, "client-names", TEXTS),
    MEMBER(sockd_make_tunnel_options, listen_mode, "listen-mode", TEXT),
    MEMBER(sockd_make_tunnel_options, listen_owner, "listen-owner", TEXT),
    MEMBER(sockd_make_tunnel_options, listen_group, "listen-group", TEXT),
    MEMBER(sockd_make_tunnel_options, connect_order, "connect-order", WORD,
           CONNECT_ORDER_WORDS),
    MEMBER(sockd_make_tunnel_options, log_connections, "log-connections", FLAG),
    MEMBER(sockd_make_tunnel_options, client_addresses, "client-addresses", TEXTS),
};
static const struct shape make_shape = {sizeof(make_preset), make_fields, N(make_fields),
                                        &make_preset};

/* The parameters of make-socket for one end: its place, and what was added. */
static void write_end(struct request *request, const char *name, const char *place,
                      bool is_listener, const struct sockd_make_socket_options *more)
{
    struct sockd_make_socket_options own;
    struct writer *writer = &request->writer;
    struct error why;
    json_t *json = NULL, *value;
    const char *key;

    writer_begin_object(writer);
    if (place)
        json = place_read(place, strlen(place), is_listener, &why);
    if (!json) {
        request_bad(request, name, "a place such as host:port or /path");
    } else {
        json_object_foreach(json, key, value)
        {
            writer_key(writer, key);
            writer_json(writer, value);
        }
    }
    json_decref(json);
    if (options_copy(&own, &make_socket_shape, more, request, name))
        options_write(request, &make_socket_shape, &own);
    writer_end_object(writer);
}

static void write_targets(struct request *request,
                          const struct sockd_make_tunnel_options *options)
{
    writer_key(&request->writer, "connect");
    writer_begin_array(&request->writer);
    for (size_t i = 0; options->connect && options->connect[i]; i++)
        write_end(request, "connect", options->connect[i], false, options->connect_more);
    writer_end_array(&request->writer);
}

static const struct field made_fields[] = {
    MEMBER(sockd_made_tunnel, tunnel, "tunnel", COUNT),
    MEMBER(sockd_made_tunnel, listener, "listener", OBJECT, .shape = &description_shape),
};
static const struct shape made_shape = {sizeof(struct sockd_made_tunnel), made_fields,
                                        N(made_fields), NULL};

int sockd_make_tunnel(struct sockd *connection,
                      const struct sockd_make_tunnel_options *options, double timeout,
                      struct sockd_made_tunnel **tunnel, struct sockd_error *error)
{
    struct sockd_make_tunnel_options own;
    struct request request;

    request_begin_waiting(&request, connection, "make-tunnel", timeout, error);
    if (options_copy(&own, &make_shape, options, &request, "options")) {
        options_write(&request, &make_shape, &own);
        request_contexts(&request, "server-context", own.server_context,
                         own.server_context_name, own.server_contexts,
                         own.n_server_contexts);
        request_contexts(&request, "client-context", own.client_context,
                         own.client_context_name, NULL, 0);
        writer_key(&request.writer, "listen");
        write_end(&request, "listen", own.listen, true, own.listen_more);
        write_targets(&request, &own);
    }
    return request_make(&request, &made_shape, false, tunnel);
}

/* ---- list-tunnels, close-tunnel ---- */

static const struct field tunnel_fields[] = {
    MEMBER(sockd_tunnel, tunnel, "tunnel", COUNT),
    MEMBER(sockd_tunnel, name, "name", TEXT),
    MEMBER(sockd_tunnel, listen, "listen", TEXT),
    MEMBER(sockd_tunnel, connect, "connect", TEXTS),
    MEMBER(sockd_tunnel, connections, "connections", COUNT),
    MEMBER(sockd_tunnel, max_connections, "max-connections", COUNT),
    MEMBER(sockd_tunnel, accepted, "accepted", COUNT),
    MEMBER(sockd_tunnel, refused, "refused", COUNT),
    MEMBER(sockd_tunnel, failed, "failed", COUNT),
    MEMBER(sockd_tunnel, cut, "cut", COUNT),
    MEMBER(sockd_tunnel, bytes_in, "bytes-in", COUNT),
    MEMBER(sockd_tunnel, bytes_out, "bytes-out", COUNT),
    MEMBER(sockd_tunnel, listener, "listener", COUNT),
    MEMBER(sockd_tunnel, owner, "owner", OBJECT, .shape = &owner_shape),
    MEMBER(sockd_tunnel, worker, "worker", INT),
    MEMBER(sockd_tunnel, created, "created", TEXT),
};
static const struct shape tunnel_shape = {sizeof(struct sockd_tunnel), tunnel_fields,
                                          N(tunnel_fields), NULL};
static const struct field list_fields[] = {
    MEMBER(sockd_tunnel_list, tunnels, "tunnels", OBJECTS, .shape = &tunnel_shape),
};
static const struct shape list_shape = {sizeof(struct sockd_tunnel_list), list_fields,
                                        N(list_fields), NULL};

int sockd_list_tunnels(struct sockd *connection, double timeout,
                       struct sockd_tunnel_list **list, struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "list-tunnels", timeout, error);
    return request_make(&request, &list_shape, false, list);
}

static const struct sockd_close_tunnel_options close_preset =
    SOCKD_CLOSE_TUNNEL_OPTIONS_INIT;
static const struct field close_fields[] = {
    MEMBER(sockd_close_tunnel_options, abort, "abort", FLAG),
};
static const struct shape close_shape = {sizeof(close_preset), close_fields,
                                         N(close_fields), &close_preset};

int sockd_close_tunnel(struct sockd *connection, int64_t tunnel,
                       const struct sockd_close_tunnel_options *options, double timeout,
                       struct sockd_error *error)
{
    struct sockd_close_tunnel_options own;
    struct request request;

    request_begin(&request, connection, "close-tunnel", timeout, error);
    request_int(&request, "tunnel", tunnel);
    if (options_copy(&own, &close_shape, options, &request, "options"))
        options_write(&request, &close_shape, &own);
    return request_done(&request);
}
