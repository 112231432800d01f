/* SPDX-License-Identifier: MIT */
/*
 * dispatch.c - a line becomes requests; each is looked up, allowed, checked, and handed
 * to its handler on the thread that its row names.
 *
 * Called by connection.c with each line; calls the handlers. Thread: the home worker; the
 * second half of OWNER commands runs in the worker of the socket, that of MAIN and
 * RESOLVER commands in these threads.
 */
#include <config.h>

#include <string.h>

#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/handle.h"
#include "daemon/base/loop.h"
#include "daemon/control/connection_life.h"
#include "daemon/control/desk.h"
#include "daemon/control/handlers.h"
#include "daemon/control/limits.h"
#include "daemon/control/request_life.h"
#include "daemon/net/guest.h"
#include "daemon/net/sock.h"
#include "proto/message.h"
#include "proto/table.h"

typedef void handler(struct request *request);

static handler *const handlers[COMMAND_COUNT] = {
#define COMMAND(ID, SUFFIX, NAME, THREAD, ACCESS, FLAGS, SINCE, SUMMARY, TEXT)           \
    [COMMAND_##ID] = handle_##SUFFIX,
#include "proto/commands.def"
};

/* The parameter `socket`, or `first`, of each OWNER command. Constant after
 * dispatch_setup(). */
static enum param_id owner_params[COMMAND_COUNT];

void dispatch_setup(void)
{
    for (int id = 0; id < COMMAND_COUNT; id++) {
        const struct command *command = table_command((enum command_id)id);
        if (command->thread == THREAD_OWNER) {
            const struct param_row *row = table_command_param(command, "socket", 6);
            row = row != NULL ? row : table_command_param(command, "first", 5);
            CHECK(row != NULL);
            owner_params[id] = row->id;
        }
    }
}

/* ---- Running --------------------------------------------------------------------------
 */

static void run(struct request *request) { handlers[request->command->id](request); }

/* Where a handle that is not here has to be looked for: at home, or where home says. */
static struct loop *next_place(const struct request *request, int64_t handle)
{
    unsigned home = handle_worker(handle);
    int abroad = guest_worker(request->loop, handle);

    if (abroad >= 0) {
        return loop_of_worker((unsigned)abroad);
    }
    return (int)home != loop_number(request->loop) ? loop_of_worker(home) : NULL;
}

/* In the worker that the handle names, or where the sock is a guest. */
static void run_at_owner(struct request *request)
{
    int64_t handle = params_int(&request->params, owner_params[request->command->id]);
    struct error error;

    request->sock = sock_find(request->loop, handle);
    if (request->sock == NULL) {
        struct loop *next = next_place(request, handle);
        if (next != NULL) {
            request_travel(request, next, run_at_owner);
            return;
        }
        request->sock = sock_get(request->loop, handle, &error);
    }
    if (request->sock == NULL ||
        !caller_may(&request->caller, request->sock->owner.uid, &error)) {
        request_fail(request, &error);
        return;
    }
    run(request);
}

static void go_to_owner(struct request *request)
{
    int64_t handle = params_int(&request->params, owner_params[request->command->id]);
    struct loop *owner = loop_of_worker(handle_worker(handle));

    /* A worker that does not exist has no such socket, as this one has not. */
    if (owner == NULL || owner == request->loop) {
        run_at_owner(request);
    } else {
        request_travel(request, owner, run_at_owner);
    }
}

static void route(struct request *request)
{
    switch (request->command->thread) {
    case THREAD_HOME:
    case THREAD_ALL:
        run(request);
        break;
    case THREAD_OWNER:
        go_to_owner(request);
        break;
    case THREAD_MAIN:
        request_travel(request, loop_of_main(), run);
        break;
    case THREAD_RESOLVER:
        request_travel(request, loop_of_resolver(), run);
        break;
    }
}

/* ---- Checking -------------------------------------------------------------------------
 */

static bool find_command(struct request *request, const struct message_request *parts,
                         struct error *error)
{
    request->command = table_find(parts->method, parts->method_size);
    if (request->command != NULL) {
        return true;
    }
    return error_set(error, ERROR_METHOD_NOT_FOUND, "no method has the name %.*s",
                     (int)(parts->method_size < 64 ? parts->method_size : 64),
                     parts->method);
}

static bool is_allowed(const struct request *request, struct error *error)
{
    if (request->command->access != ACCESS_ADMIN || request->caller.is_admin) {
        return true;
    }
    (void)error_set(error, ERROR_PERMISSION_DENIED,
                    "%s is for root and the administrators' group",
                    request->command->name);
    memcpy(error->subject, "admin", sizeof "admin");
    return false;
}

enum { SMALL_REQUEST = 8 * 1024 };

/* What never waits is served at the limit, too: cancel above all. But it may wait for the
 * answer of another worker, so that it has a limit of its own. Nor do small requests,
 * such as close and interrupt, need room beside the large ones. */
static bool has_room(const struct request *request, struct error *error)
{
    size_t queue_size = control_limits()->reply_queue_size;
    size_t memory_limit = control_limits()->request_queue_size;
    size_t memory = arena_size(&request->arena);
    unsigned limit = control_limits()->requests_in_flight;
    unsigned n = request->connection->calls.n;
    bool is_quick = request->command->thread == THREAD_HOME &&
                    (request->command->flags & COMMAND_WAITS) == 0;

    /* The replies of a batch are sent as one, when the last has come. */
    if (request->batch != NULL && batch_writer(request->batch)->size >= queue_size) {
        return error_set_limit(error, "reply-queue-size", (int64_t)queue_size);
    }
    if (memory > SMALL_REQUEST &&
        request->connection->calls.memory + memory > memory_limit) {
        return error_set_limit(error, "request-queue-size", (int64_t)memory_limit);
    }
    if (limit == 0 || n < limit || (is_quick && n < 2 * limit)) {
        return true;
    }
    return error_set_limit(error, "requests-in-flight", limit);
}

static bool takes_stream(const struct request *request)
{
    return (request->command->flags & COMMAND_STREAMS) != 0 ||
           (request->command->id == COMMAND_ACCEPT_CONNECTION &&
            params_bool(&request->params, PARAM_ACCEPT_CONNECTION_ATTACH));
}

/* A stream takes the connection over, so nothing else may use it; and without a reply the
 * client could not tell where the stream begins. */
static bool may_stream(const struct request *request, struct error *error)
{
    if (request->batch != NULL) {
        (void)error_set(error, ERROR_BUSY, "a batch cannot become a raw stream");
        return error_set_final(error);
    }
    if (request->id == NULL) {
        (void)error_set(error, ERROR_BUSY, "a notification cannot become a raw stream");
        return error_set_final(error);
    }
    if (request->connection->calls.n > 0) {
        return error_set(error, ERROR_BUSY,
                         "other requests of this connection have not ended");
    }
    return true;
}

static bool prepare(struct request *request, const struct message_request *parts,
                    struct error *error)
{
    if (!find_command(request, parts, error) || !is_allowed(request, error) ||
        !params_check(&request->params, request->command, parts->params, &request->arena,
                      error) ||
        !has_room(request, error)) {
        return false;
    }
    request->takes_stream = takes_stream(request);
    if (!request->takes_stream) {
        return true;
    }
    if (!may_stream(request, error)) {
        request->takes_stream = false;
        return false;
    }
    request->connection->state = CONNECTION_STREAMING;
    return true;
}

/* ---- Requests -------------------------------------------------------------------------
 */

/* The id as JSON text, to be repeated in the reply. */
static void take_id(struct request *request, const json_t *id)
{
    struct writer *text = &desk_of(request->loop)->text;

    text->size = 0;
    text->needs_comma = false;
    writer_json(text, id);
    CHECK(!text->failed);
    request->id = memcpy(request_alloc(request, text->size), text->data, text->size);
    request->id_size = text->size;
}

/* Texts that are kept in files, keys among them. */
static bool takes_secrets(const struct json_t *method)
{
    const struct command *command =
        json_is_string(method)
            ? table_find(json_string_value(method), json_string_length(method))
            : NULL;

    for (unsigned i = 0; command != NULL && i < command->n_params; i++) {
        if (command->params[i].type == VALUE_FILE) {
            return true;
        }
    }
    return false;
}

/* Serves one request, whose tree is in the arena, which is taken over. True: its text may
 * have held secrets. */
static bool dispatch_request(struct connection *connection, json_t *json,
                             struct arena *arena, struct batch *batch)
{
    struct message_request parts;
    struct error error;
    bool is_request = message_request(&parts, json, &error);
    bool has_secrets = takes_secrets(json_object_get(json, "method"));
    struct request *request = request_new(connection, arena, batch);

    request->has_secrets = has_secrets;
    connection->n_requests++;
    if (batch != NULL) {
        batch_hold(batch);
    }
    if (parts.id != NULL) {
        take_id(request, parts.id);
    } else if (!is_request && error.id == ERROR_INVALID_REQUEST) {
        /* What cannot be told to be a notification is answered (JSON-RPC section 5). */
        request->id = "null";
        request->id_size = 4;
    }
    if (is_request && prepare(request, &parts, &error)) {
        route(request);
    } else {
        request_fail(request, &error);
    }
    return has_secrets;
}

/* A member of a batch gets a tree of its own: it may wait, and in another thread, for
 * longer than the others. */
static bool dispatch_member(struct connection *connection, json_t *member,
                            struct batch *batch)
{
    struct writer *text = &desk_of(connection->loop)->text;
    struct arena arena = {0};
    struct error error;
    json_t *json;

    text->size = 0;
    text->needs_comma = false;
    writer_json(text, member);
    CHECK(!text->failed);
    /* It was parsed before, with fewer levels left; so it can be parsed again. */
    CHECK(
        message_parse(text->data, text->size, MESSAGE_MAX_DEPTH, &arena, &json, &error));
    bool has_secrets = dispatch_request(connection, json, &arena, batch);

    if (has_secrets) {
        explicit_bzero(text->data, text->room);
    }
    return has_secrets;
}

static bool dispatch_batch(struct connection *connection, json_t *json)
{
    unsigned limit = control_limits()->batch_size;
    size_t n = json_array_size(json);
    struct error error;

    if (n == 0) {
        (void)error_set(&error, ERROR_INVALID_REQUEST, "an empty batch");
        connection_complain(connection, &error);
        return false;
    }
    if (limit > 0 && n > limit) {
        (void)error_set_limit(&error, "batch-size", limit);
        (void)error_set_final(&error);
        counters_add(loop_counters(connection->loop), COUNTER_LIMITS, 1);
        connection_complain(connection, &error);
        return true; /* nobody has looked */
    }
    struct batch *batch = batch_new(connection);
    bool has_secrets = false;

    for (size_t i = 0; i < n; i++) {
        if (dispatch_member(connection, json_array_get(json, i), batch)) {
            has_secrets = true;
        }
    }
    batch_release(batch);
    return has_secrets;
}

void dispatch_line(struct connection *connection, char *line, size_t size)
{
    bool has_secrets = true; /* of a text that says nothing else */
    struct counters *counters = loop_counters(connection->loop);
    struct arena arena = {0};
    struct error error;
    json_t *json;

    if (!message_parse(line, size, control_limits()->nesting, &arena, &json, &error)) {
        counters_add(counters,
                     error.id == ERROR_PARSE ? COUNTER_PARSE_ERRORS : COUNTER_LIMITS, 1);
        connection_complain(connection, &error);
    } else if (json_is_array(json)) {
        has_secrets = dispatch_batch(connection, json);
    } else {
        has_secrets = dispatch_request(connection, json, &arena, NULL);
    }
    if (has_secrets) {
        explicit_bzero(line, size);
        arena_wipe(&arena);
    }
    arena_fini(&arena);
}
