/* SPDX-License-Identifier: MIT */
/*
 * cmd_admin.c - the administrator's view: list-sockets, list-clients, statistics.
 *
 * Each asks all workers by scatter.h and merges their answers. Callers who are no
 * administrators are shown what belongs to their own user; describe-socket stands in
 * cmd_describe.c.
 */
#include <config.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/handle.h"
#include "daemon/base/loop.h"
#include "daemon/control/client_facts.h"
#include "daemon/control/connection.h"
#include "daemon/control/description.h"
#include "daemon/control/handlers.h"
#include "daemon/control/instance.h"
#include "daemon/control/list_part.h"
#include "daemon/control/request.h"
#include "daemon/control/scatter.h"
#include "daemon/control/timestamp.h"
#include "daemon/net/sock.h"

/* list-sockets */

enum { NAME_SIZE = 65 };

struct socket_filter {
    bool has_name, has_type, has_state, has_client, has_uid;
    char name[NAME_SIZE];
    unsigned type, state; /* words of the parameters */
    int64_t client, uid, after;
    size_t limit;
};

static bool filter_takes(const struct socket_filter *filter, const struct caller *caller,
                         const struct sock *sock)
{
    if (!caller->is_admin && sock->owner.uid != caller->uid) {
        return false;
    }
    return (!filter->has_name || (sock->name && strcmp(sock->name, filter->name) == 0)) &&
           (!filter->has_type || sock->type == filter->type) &&
           (!filter->has_client || sock->owner.client == filter->client) &&
           (!filter->has_uid || (int64_t)sock->owner.uid == filter->uid) &&
           (!filter->has_state || description_state(sock) == filter->state);
}

static void collect_sockets(struct loop *loop, const struct caller *caller,
                            const void *question, void *memory)
{
    const struct socket_filter *filter = question;
    struct list_part *part = memory;
    int64_t handle = filter->after;
    struct sock *sock;

    while (part->n_entries <= filter->limit &&
           (sock = handle_next(loop_handles(loop), handle, HANDLE_SOCK, &handle)) !=
               NULL) {
        if (!filter_takes(filter, caller, sock)) {
            continue;
        }
        list_part_begin(part, handle);
        description_write(&part->text, sock);
        description_write_owner(&part->text, &sock->owner);
        writer_result_int(&part->text, FIELD_LISTED_SOCKET_WORKER, loop_number(loop));
        list_part_end(part);
    }
}

static void merge_sockets(struct request *request, const void *question, void **parts,
                          unsigned n_parts)
{
    const struct socket_filter *filter = question;
    struct writer *writer = request_reply(request);
    int64_t next;

    writer_result(writer, RESULT_LIST_SOCKETS_SOCKETS);
    writer_begin_array(writer);
    next = list_merge(writer, parts, n_parts, filter->limit);
    writer_end_array(writer);
    if (next != 0) {
        writer_result_int(writer, RESULT_LIST_SOCKETS_NEXT, next);
    } else {
        writer_result_null(writer, RESULT_LIST_SOCKETS_NEXT);
    }
    request_finish(request);
}

static int64_t int_or_zero(const struct params *params, enum param_id id)
{
    return params_has(params, id) ? params_int(params, id) : 0;
}

void handle_list_sockets(struct request *request)
{
    static const struct scatter_plan plan = {
        .question_size = sizeof(struct socket_filter),
        .part_size = sizeof(struct list_part),
        .collect = collect_sockets,
        .merge = merge_sockets,
        .part_fini = list_part_fini,
    };
    const struct params *params = request_params(request);
    struct socket_filter filter = {
        .has_name = params_has(params, PARAM_LIST_SOCKETS_NAME),
        .has_type = params_has(params, PARAM_LIST_SOCKETS_TYPE),
        .has_state = params_has(params, PARAM_LIST_SOCKETS_STATE),
        .has_client = params_has(params, PARAM_LIST_SOCKETS_CLIENT),
        .has_uid = params_has(params, PARAM_LIST_SOCKETS_UID),
        .client = int_or_zero(params, PARAM_LIST_SOCKETS_CLIENT),
        .uid = int_or_zero(params, PARAM_LIST_SOCKETS_UID),
        .after = int_or_zero(params, PARAM_LIST_SOCKETS_AFTER),
        .limit = (size_t)params_int(params, PARAM_LIST_SOCKETS_LIMIT),
    };

    if (filter.has_name) {
        struct value_text name = params_text(params, PARAM_LIST_SOCKETS_NAME);
        CHECK(name.size < NAME_SIZE);
        memcpy(filter.name, name.text, name.size + 1);
    }
    if (filter.has_type) {
        filter.type = params_word(params, PARAM_LIST_SOCKETS_TYPE);
    }
    if (filter.has_state) {
        filter.state = params_word(params, PARAM_LIST_SOCKETS_STATE);
    }
    scatter_start(request, &plan, &filter);
}

/* list-clients */

static void collect_clients(struct loop *loop, const struct caller *caller,
                            const void *question, void *memory)
{
    struct list_part *part = memory;
    int64_t handle = 0;
    struct connection *connection;

    (void)question; /* list-clients has no parameters */
    while ((connection = handle_next(loop_handles(loop), handle, HANDLE_CLIENT,
                                     &handle)) != NULL) {
        struct connection_facts facts;
        char connected[TIMESTAMP_SIZE];
        connection_facts(connection, &facts);
        if (!caller->is_admin && facts.uid != caller->uid) {
            continue;
        }
        timestamp_format(facts.connected, connected);
        list_part_begin(part, handle);
        client_facts_write(&part->text, &facts);
        writer_result_int(&part->text, FIELD_LISTED_CLIENT_WORKER, loop_number(loop));
        writer_result_text(&part->text, FIELD_LISTED_CLIENT_CONNECTED, connected);
        writer_result_int(&part->text, FIELD_LISTED_CLIENT_REQUESTS,
                          (int64_t)facts.n_requests);
        writer_result_int(&part->text, FIELD_LISTED_CLIENT_PENDING, facts.n_pending);
        writer_result_int(&part->text, FIELD_LISTED_CLIENT_QUEUED, (int64_t)facts.queued);
        list_part_end(part);
    }
}

static void merge_clients(struct request *request, const void *question, void **parts,
                          unsigned n_parts)
{
    struct writer *writer = request_reply(request);

    (void)question; /* as above */
    writer_result(writer, RESULT_LIST_CLIENTS_CLIENTS);
    writer_begin_array(writer);
    (void)list_merge(writer, parts, n_parts, SIZE_MAX); /* no limit: nothing is left */
    writer_end_array(writer);
    request_finish(request);
}

void handle_list_clients(struct request *request)
{
    static const struct scatter_plan plan = {
        .part_size = sizeof(struct list_part),
        .collect = collect_clients,
        .merge = merge_clients,
        .part_fini = list_part_fini,
    };

    scatter_start(request, &plan, NULL);
}

/* statistics */

struct numbers {
    int64_t n_clients, n_sockets;
    uint64_t counters[COUNTER_COUNT];
};

static void read_counters(struct numbers *numbers, struct loop *loop)
{
    struct counters *counters = loop_counters(loop);

    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        numbers->counters[i] +=
            atomic_load_explicit(&counters->values[i], memory_order_relaxed);
    }
}

static void collect_numbers(struct loop *loop, const struct caller *caller,
                            const void *question, void *memory)
{
    struct numbers *part = memory;

    (void)caller; /* sums tell nothing of a single user */
    (void)question;
    part->n_clients = (int64_t)handle_count(loop_handles(loop), HANDLE_CLIENT);
    part->n_sockets = (int64_t)handle_count(loop_handles(loop), HANDLE_SOCK);
    read_counters(part, loop);
}

static void write_counters(struct writer *writer, const struct numbers *numbers)
{
    writer_begin_object(writer);
    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        writer_key(writer, counter_name((enum counter_id)i));
        writer_int(writer, (int64_t)numbers->counters[i]);
    }
    writer_end_object(writer);
}

static void write_workers(struct writer *writer, void **parts, unsigned n_parts)
{
    writer_result(writer, RESULT_STATISTICS_WORKERS);
    writer_begin_array(writer);
    for (unsigned i = 0; i < n_parts; i++) {
        const struct numbers *part = parts[i];
        if (!part) {
            continue;
        }
        writer_begin_object(writer);
        writer_result_int(writer, FIELD_WORKER_WORKER, i);
        writer_result_int(writer, FIELD_WORKER_CLIENTS, part->n_clients);
        writer_result_int(writer, FIELD_WORKER_SOCKETS, part->n_sockets);
        writer_result(writer, FIELD_WORKER_COUNTERS);
        write_counters(writer, part);
        writer_end_object(writer);
    }
    writer_end_array(writer);
}

static void sum_parts(struct numbers *sum, void **parts, unsigned n_parts)
{
    for (unsigned i = 0; i < n_parts; i++) {
        const struct numbers *part = parts[i];
        if (part) {
            sum->n_clients += part->n_clients;
            sum->n_sockets += part->n_sockets;
            for (unsigned j = 0; j < COUNTER_COUNT; j++) {
                sum->counters[j] += part->counters[j];
            }
        }
    }
}

static void merge_numbers(struct request *request, const void *question, void **parts,
                          unsigned n_parts)
{
    struct numbers sum = {0};
    struct writer *writer = request_reply(request);
    char started[TIMESTAMP_SIZE];
    int64_t uptime = (int64_t)time(NULL) - instance_started();

    (void)question; /* statistics has no parameters */
    read_counters(&sum, loop_of_main());
    read_counters(&sum, loop_of_resolver());
    sum_parts(&sum, parts, n_parts);
    timestamp_format(instance_started(), started);
    writer_result_text(writer, RESULT_STATISTICS_VERSION, PACKAGE_VERSION);
    writer_result_int(writer, RESULT_STATISTICS_PID, getpid());
    writer_result_text(writer, RESULT_STATISTICS_STARTED, started);
    writer_result_int(writer, RESULT_STATISTICS_UPTIME, uptime > 0 ? uptime : 0);
    writer_result_int(writer, RESULT_STATISTICS_CLIENTS, sum.n_clients);
    writer_result_int(writer, RESULT_STATISTICS_SOCKETS, sum.n_sockets);
    writer_result(writer, RESULT_STATISTICS_COUNTERS);
    write_counters(writer, &sum);
    write_workers(writer, parts, n_parts);
    request_finish(request);
}

void handle_statistics(struct request *request)
{
    static const struct scatter_plan plan = {
        .part_size = sizeof(struct numbers),
        .collect = collect_numbers,
        .merge = merge_numbers,
    };

    scatter_start(request, &plan, NULL);
}
