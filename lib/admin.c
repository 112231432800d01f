/* SPDX-License-Identifier: MIT */
/*
 * admin.c - what only a daemon can do: interrupt, cancel, describe, list, count, stop.
 * The operations of commands_daemon.def.
 *
 * Place: public functions on request.c and fields.c; attach is in attach.c. Thread: any.
 */
#include <config.h>

#include "lib/internal.h"
#include "lib/shapes.h"

#define N(FIELDS) (sizeof(FIELDS) / sizeof((FIELDS)[0]))

static const struct field limits_fields[] = {
    MEMBER(sockd_limits, message_size, "message-size", COUNT),
    MEMBER(sockd_limits, nesting, "nesting", COUNT),
    MEMBER(sockd_limits, batch_size, "batch-size", COUNT),
    MEMBER(sockd_limits, requests_in_flight, "requests-in-flight", COUNT),
    MEMBER(sockd_limits, request_queue_size, "request-queue-size", COUNT),
    MEMBER(sockd_limits, connections, "connections", COUNT),
    MEMBER(sockd_limits, connections_per_user, "connections-per-user", COUNT),
    MEMBER(sockd_limits, sockets, "sockets", COUNT),
    MEMBER(sockd_limits, sockets_per_user, "sockets-per-user", COUNT),
    MEMBER(sockd_limits, lookups, "lookups", COUNT),
    MEMBER(sockd_limits, lookups_per_user, "lookups-per-user", COUNT),
    MEMBER(sockd_limits, reply_queue_size, "reply-queue-size", COUNT),
    MEMBER(sockd_limits, reply_timeout, "reply-timeout", SECONDS),
    MEMBER(sockd_limits, input_buffer_size, "input-buffer-size", COUNT),
    MEMBER(sockd_limits, output_buffer_size, "output-buffer-size", COUNT),
    MEMBER(sockd_limits, close_timeout, "close-timeout", SECONDS),
    MEMBER(sockd_limits, contexts, "contexts", COUNT),
    MEMBER(sockd_limits, contexts_per_user, "contexts-per-user", COUNT),
    MEMBER(sockd_limits, handshakes, "handshakes", COUNT),
};
static const struct shape limits_shape = {sizeof(struct sockd_limits), limits_fields,
                                          N(limits_fields), NULL};
static const struct field hello_fields[] = {
    MEMBER(sockd_hello, product, "product", TEXT),
    MEMBER(sockd_hello, version, "version", TEXT),
    MEMBER(sockd_hello, protocol, "protocol", INT),
    MEMBER(sockd_hello, features, "features", TEXTS),
    MEMBER(sockd_hello, limits, "limits", OBJECT, .shape = &limits_shape),
    MEMBER(sockd_hello, client, "client", OBJECT, .shape = &client_shape),
};
static const struct shape hello_shape = {sizeof(struct sockd_hello), hello_fields,
                                         N(hello_fields), NULL};

int sockd_hello(struct sockd *connection, double timeout, struct sockd_hello **hello,
                struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "hello", timeout, error);
    return request_make(&request, &hello_shape, false, hello);
}

int sockd_cancel(struct sockd *connection, uint64_t request_id, double timeout,
                 bool *cancelled, struct sockd_error *error)
{
    static const struct field field = {.name = "cancelled", .type = MEMBER_BOOL};
    void *to = cancelled;
    struct request request;

    request_begin(&request, connection, "cancel", timeout, error);
    request_int(&request, "request", (int64_t)request_id);
    return request_read(&request, &field, &to, 1);
}

static const struct sockd_interrupt_options interrupt_preset =
    SOCKD_INTERRUPT_OPTIONS_INIT;
static const struct field interrupt_fields[] = {
    MEMBER(sockd_interrupt_options, direction, "direction", WORD, DIRECTION_WORDS),
    MEMBER(sockd_interrupt_options, close, "close", FLAG),
    MEMBER(sockd_interrupt_options, reason, "reason", TEXT),
};
static const struct shape interrupt_shape = {sizeof(interrupt_preset), interrupt_fields,
                                             N(interrupt_fields), &interrupt_preset};

int sockd_interrupt(struct sockd *connection, int64_t socket,
                    const struct sockd_interrupt_options *options, double timeout,
                    int64_t *interrupted, struct sockd_error *error)
{
    static const struct field field = {.name = "interrupted", .type = MEMBER_COUNT};
    void *to = interrupted;
    struct sockd_interrupt_options own;
    struct request request;

    request_begin(&request, connection, "interrupt", timeout, error);
    request_socket(&request, socket);
    if (options_copy(&own, &interrupt_shape, options, &request, "options"))
        options_write(&request, &interrupt_shape, &own);
    return request_read(&request, &field, &to, 1);
}

int sockd_describe_socket(struct sockd *connection, int64_t socket, double timeout,
                          struct sockd_description **description,
                          struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "describe-socket", timeout, error);
    request_socket(&request, socket);
    return request_make(&request, &description_shape, false, description);
}

static const struct sockd_list_sockets_options list_preset =
    SOCKD_LIST_SOCKETS_OPTIONS_INIT;
static const struct field list_fields[] = {
    MEMBER(sockd_list_sockets_options, name, "name", TEXT),
    MEMBER(sockd_list_sockets_options, type, "type", WORD, TYPE_WORDS),
    MEMBER(sockd_list_sockets_options, state, "state", WORD, STATE_WORDS),
    MEMBER(sockd_list_sockets_options, client, "client", LONG),
    MEMBER(sockd_list_sockets_options, uid, "uid", LONG),
    MEMBER(sockd_list_sockets_options, limit, "limit", INT),
    MEMBER(sockd_list_sockets_options, after, "after", LONG),
};
static const struct shape list_shape = {sizeof(list_preset), list_fields, N(list_fields),
                                        &list_preset};
static const struct field sockets_fields[] = {
    MEMBER(sockd_socket_list, sockets, "sockets", OBJECTS, .shape = &description_shape),
    MEMBER(sockd_socket_list, next, "next", COUNT),
};
static const struct shape sockets_shape = {sizeof(struct sockd_socket_list),
                                           sockets_fields, N(sockets_fields), NULL};

int sockd_list_sockets(struct sockd *connection,
                       const struct sockd_list_sockets_options *options, double timeout,
                       struct sockd_socket_list **list, struct sockd_error *error)
{
    struct sockd_list_sockets_options own;
    struct request request;

    request_begin(&request, connection, "list-sockets", timeout, error);
    if (options_copy(&own, &list_shape, options, &request, "options"))
        options_write(&request, &list_shape, &own);
    return request_make(&request, &sockets_shape, false, list);
}

static const struct field clients_fields[] = {
    MEMBER(sockd_client_list, clients, "clients", OBJECTS, .shape = &client_shape),
};
static const struct shape clients_shape = {sizeof(struct sockd_client_list),
                                           clients_fields, N(clients_fields), NULL};

int sockd_list_clients(struct sockd *connection, double timeout,
                       struct sockd_client_list **list, struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "list-clients", timeout, error);
    return request_make(&request, &clients_shape, false, list);
}

static const struct field worker_fields[] = {
    MEMBER(sockd_worker, worker, "worker", INT),
    MEMBER(sockd_worker, clients, "clients", COUNT),
    MEMBER(sockd_worker, sockets, "sockets", COUNT),
    MEMBER(sockd_worker, counters, "counters", COUNTERS),
};
static const struct shape worker_shape = {sizeof(struct sockd_worker), worker_fields,
                                          N(worker_fields), NULL};
static const struct field statistics_fields[] = {
    MEMBER(sockd_statistics, version, "version", TEXT),
    MEMBER(sockd_statistics, pid, "pid", COUNT),
    MEMBER(sockd_statistics, started, "started", TEXT),
    MEMBER(sockd_statistics, uptime, "uptime", SECONDS),
    MEMBER(sockd_statistics, clients, "clients", COUNT),
    MEMBER(sockd_statistics, sockets, "sockets", COUNT),
    MEMBER(sockd_statistics, counters, "counters", COUNTERS),
    MEMBER(sockd_statistics, workers, "workers", OBJECTS, .shape = &worker_shape),
};
static const struct shape statistics_shape = {
    sizeof(struct sockd_statistics), statistics_fields, N(statistics_fields), NULL};

int sockd_statistics(struct sockd *connection, double timeout,
                     struct sockd_statistics **statistics, struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "statistics", timeout, error);
    return request_make(&request, &statistics_shape, false, statistics);
}

int sockd_rpc_discover(struct sockd *connection, double timeout, char **document,
                       struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "rpc.discover", timeout, error);
    return request_result_text(&request, document);
}

int sockd_stop(struct sockd *connection, double timeout, struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "stop", timeout, error);
    return request_done(&request);
}

int sockd_set_log_level(struct sockd *connection, enum sockd_log_level level,
                        const char *module, double timeout, struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "set-log-level", timeout, error);
    request_word(&request, "level", LOG_LEVEL_WORDS, (int)level);
    if (module)
        request_text(&request, "module", module);
    return request_done(&request);
}
