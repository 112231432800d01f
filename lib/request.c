/* SPDX-License-Identifier: MIT */
/*
 * request.c - requests put together as text, sent, and awaited by the thread that made
 * them.
 *
 * Place: the operations write their parameters through this; below is call.c. While a
 * thread waits here it may be the reader of the connection for all others.
 *
 * Thread: any; a struct request belongs to the thread that began it.
 */
#include <config.h>

#include "lib/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "lib/fields.h"
#include "proto/error.h"
#include "proto/text.h"

static void open_params(struct request *request, struct sockd *connection,
                        const char *method, struct sockd_error *error)
{
    *request = (struct request){.connection = connection, .error = error, .fd = -1};
    if (!connection) {
        request->status =
            fail_parameter(error, "connection", "one that sockd_connect() has made");
        return;
    }
    writer_raw(&request->writer, ",\"method\":\"", 11, false);
    writer_raw(&request->writer, method, strlen(method), false);
    writer_raw(&request->writer, "\",\"params\":", 11, false);
    writer_begin_object(&request->writer);
}

static void set_deadline(struct request *request, double timeout)
{
    if (request->status == SOCKD_OK &&
        !deadline_after(timeout, request->connection->default_timeout,
                        &request->deadline))
        request_bad(request, "timeout",
                    "a number of seconds from 0, SOCKD_FOREVER or SOCKD_DEFAULT");
}

void request_begin(struct request *request, struct sockd *connection, const char *method,
                   double timeout, struct sockd_error *error)
{
    open_params(request, connection, method, error);
    set_deadline(request, timeout);
}

void request_begin_waiting(struct request *request, struct sockd *connection,
                           const char *method, double timeout, struct sockd_error *error)
{
    request_begin(request, connection, method, timeout, error);
    if (request->status != SOCKD_OK || request->deadline == NEVER)
        return;
    request_seconds(request, "timeout",
                    timeout == SOCKD_DEFAULT ? connection->default_timeout : timeout);
    /* The daemon knows the time; ours is for one that does not answer. */
    request->deadline += connection->grace;
}

/* A JSON text of the program, in one line: outside of strings a line feed is only space.
 */
static void write_params(struct request *request, const char *params)
{
    struct writer *writer = &request->writer;
    size_t begin = writer->size, size = strlen(params);
    struct error why = {.id = ERROR_NONE};
    json_t *json = read_json(params, size, &why);

    if (why.id == ERROR_INTERNAL)
        request->status = fail_memory(request->error);
    else if (!json_is_object(json))
        request_bad(request, "params", "the JSON text of an object");
    if (why.id != ERROR_NONE && request->status == SOCKD_E_INVALID_PARAMS &&
        request->error)
        (void)snprintf(request->error->message, sizeof(request->error->message),
                       "params is no JSON text: %s", why.message);
    json_decref(json);
    writer_raw(writer, params, size, false);
    for (size_t i = begin; i < writer->size; i++) {
        if (writer->data[i] == '\n' || writer->data[i] == '\r')
            writer->data[i] = ' ';
    }
}

void request_from_text(struct request *request, struct sockd *connection,
                       const char *method, const char *params, double timeout,
                       struct sockd_error *error)
{
    struct writer *writer = &request->writer;

    /* What the program sends this way may be a key. */
    *request = (struct request){
        .connection = connection, .error = error, .is_secret = true, .fd = -1};
    if (!connection)
        request_bad(request, "connection", "one that sockd_connect() has made");
    else if (!method || !text_is_utf8(method, strlen(method)))
        request_bad(request, "method", "the name of a method");
    set_deadline(request, timeout);
    if (request->status != SOCKD_OK)
        return;
    writer_raw(writer, ",\"method\":", 10, false);
    writer_string(writer, method, strlen(method));
    if (params) {
        writer_raw(writer, ",\"params\":", 10, false);
        write_params(request, params);
    }
    writer_raw(writer, "}\n", 2, false);
    if (request->status == SOCKD_OK && writer->failed)
        request->status = fail_memory(error);
    request->takes_fd = strcmp(method, "socket-os-fd") == 0;
}

void request_socket(struct request *request, int64_t socket)
{
    request_int(request, "socket", socket);
}

void request_port(struct request *request, const char *name, int number,
                  const char *service)
{
    if (service)
        request_text(request, name, service);
    else if (number != SOCKD_UNSET)
        request_int(request, name, number);
}

void request_int(struct request *request, const char *name, int64_t value)
{
    writer_key(&request->writer, name);
    writer_int(&request->writer, value);
}

void request_seconds(struct request *request, const char *name, double seconds)
{
    writer_key(&request->writer, name);
    writer_double(&request->writer, seconds);
}

void request_bool(struct request *request, const char *name, bool value)
{
    writer_key(&request->writer, name);
    writer_bool(&request->writer, value);
}

void request_text(struct request *request, const char *name, const char *text)
{
    if (!text || !text_is_utf8(text, strlen(text))) {
        request_bad(request, name, "UTF-8 text");
        return;
    }
    writer_key(&request->writer, name);
    writer_string(&request->writer, text, strlen(text));
}

/* Makes room for a secret, so that it is not left behind by a buffer that grows. */
static bool reserve(struct request *request, size_t size)
{
    enum { ESCAPED = 6, MARGIN = 1024 }; /* \u0001; and what is written behind it */
    struct writer *writer = &request->writer;
    size_t room = writer->size + ESCAPED * size + MARGIN;
    char *data;

    if (writer->room >= room)
        return true;
    data = malloc(room);
    if (!data)
        return false;
    if (writer->size)
        memcpy(data, writer->data, writer->size);
    if (writer->data)
        explicit_bzero(writer->data, writer->size);
    free(writer->data);
    writer->data = data;
    writer->room = room;
    return true;
}

void request_secret(struct request *request, const char *name, const char *text)
{
    request->is_secret = true;
    if (request->status == SOCKD_OK && !reserve(request, strlen(text))) {
        request->status = fail_memory(request->error);
        return;
    }
    request_text(request, name, text);
}

void request_contexts(struct request *request, const char *name, int64_t handle,
                      const char *context_name, const int64_t *handles, size_t n)
{
    struct writer *writer = &request->writer;

    if (n && !handles) {
        request_bad(request, name, "handles, not NULL");
    } else if (handles) {
        writer_key(writer, name);
        writer_begin_array(writer);
        for (size_t i = 0; i < n; i++)
            writer_int(writer, handles[i]);
        writer_end_array(writer);
    } else if (context_name) {
        request_text(request, name, context_name);
    } else if (handle) {
        request_int(request, name, handle);
    }
}

/* Whether bytes are text that as a JSON string is not longer than base64 would be. */
static bool is_better_as_text(const unsigned char *bytes, size_t size)
{
    size_t extra = 0; /* bytes of escapes: \n takes two, other controls six */

    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '"' || bytes[i] == '\\' || (bytes[i] >= '\b' && bytes[i] <= '\r'))
            extra += bytes[i] == '\v' ? 5 : 1;
        else if (bytes[i] < 0x20)
            extra += 5;
    }
    return extra <= size / 3 && text_is_utf8(bytes, size);
}

void request_data(struct request *request, const char *name, const void *bytes,
                  size_t size)
{
    struct writer *writer = &request->writer;

    if (!bytes && size) {
        request_bad(request, name, "bytes, not NULL");
        return;
    }
    if (!size)
        bytes = "";
    writer_key(writer, name);
    if (is_better_as_text(bytes, size)) {
        writer_string(writer, bytes, size);
        return;
    }
    writer_base64(writer, bytes, size);
    writer_key(writer, "encoding");
    writer_text(writer, "base64");
}

void request_bad(struct request *request, const char *parameter, const char *wanted)
{
    if (request->status == SOCKD_OK) /* the first one is told */
        request->status = fail_parameter(request->error, parameter, wanted);
}

int request_end(struct request *request)
{
    if (request->status != SOCKD_OK)
        return request->status;
    writer_end_object(&request->writer);
    writer_raw(&request->writer, "}\n", 2, false);
    if (request->writer.failed)
        request->status = fail_memory(request->error);
    return request->status;
}

void request_fini(struct request *request)
{
    if (request->is_secret && request->writer.data)
        explicit_bzero(request->writer.data, request->writer.size);
    writer_fini(&request->writer);
}

static void add_waiter(struct sockd *connection, struct call *call)
{
    call->next_waiter = connection->waiters;
    if (call->next_waiter)
        call->next_waiter->previous_waiter = call;
    connection->waiters = call;
}

static void remove_waiter(struct sockd *connection, struct call *call)
{
    if (call->previous_waiter)
        call->previous_waiter->next_waiter = call->next_waiter;
    else
        connection->waiters = call->next_waiter;
    if (call->next_waiter)
        call->next_waiter->previous_waiter = call->previous_waiter;
}

/* Sleeps until the call is done, the reader's role is free, or its deadline. */
static void sleep_in(struct sockd *connection, struct call *call)
{
    struct timespec time;

    if (call->deadline == NEVER) {
        pthread_cond_wait(&call->ready, &connection->lock);
        return;
    }
    timespec_of(call->deadline, &time);
    pthread_cond_timedwait(&call->ready, &connection->lock, &time);
}

/* Until the call is done, or given up. */
static void await(struct sockd *connection, struct call *call)
{
    add_waiter(connection, call);
    while (!call->is_done) {
        if (call->deadline != NEVER && now_ns() >= call->deadline) {
            /* A cancel settles it: the reply says either that, or what was done before it
             * came. So nothing that was read is lost, unless the daemon hangs. */
            if (call->answer.is_cancelled) {
                call_abandon(connection, call);
                break;
            }
            call_cancel(connection, call);
            call->deadline = now_ns() + connection->grace;
        } else if (!connection->is_reading) {
            wire_read(connection, call->deadline);
        } else {
            sleep_in(connection, call);
        }
    }
    remove_waiter(connection, call);
}

/* Sends a complete request and waits for its answer. */
static int perform(struct request *request, json_t **result, char **text)
{
    struct sockd *connection = request->connection;
    struct answer answer;
    struct call *call;
    int status = connection_enter(connection, request->error);

    if (status != SOCKD_OK)
        return status;
    status = call_start(connection, request->writer.data, request->writer.size,
                        request->takes_fd, &call, request->error);
    if (status != SOCKD_OK) {
        connection_leave(connection);
        return status;
    }
    call->deadline = request->deadline;
    await(connection, call);
    call_take(connection, call, &answer);
    connection_leave(connection);
    request->fd = answer.fd;
    answer.fd = -1;
    return answer_read(connection, &answer, result, text, request->error);
}

int request_result(struct request *request, json_t **result)
{
    int status = request_end(request);

    if (status == SOCKD_OK)
        status = perform(request, result, NULL);
    request_fini(request);
    return status;
}

int request_done(struct request *request)
{
    json_t *result;
    int status = request_result(request, &result);

    if (status == SOCKD_OK)
        json_decref(result);
    return status;
}

/* Copies a text into memory that sockd_free() takes. */
static int give_text(const char *text, char **result, struct sockd_error *error)
{
    size_t size = strlen(text) + 1;
    char *copy = result_new(size, NULL);

    if (!copy)
        return fail_memory(error);
    memcpy(copy, text, size);
    *result = copy;
    return SOCKD_OK;
}

static int perform_text(struct request *request, char **result)
{
    char *text;
    json_t *json;
    int status = perform(request, &json, &text);

    if (status != SOCKD_OK)
        return status;
    json_decref(json);
    if (result)
        status = give_text(text, result, request->error);
    free(text);
    return status;
}

int request_result_text(struct request *request, char **result)
{
    int status = request_end(request);

    if (status == SOCKD_OK)
        status = perform_text(request, result);
    request_fini(request);
    return status;
}

int sockd_call(struct sockd *connection, const char *method, const char *params,
               double timeout, char **result, struct sockd_error *error)
{
    struct request request;
    int status;

    request_from_text(&request, connection, method, params, timeout, error);
    status = request.status;
    if (status == SOCKD_OK)
        status = perform_text(&request, result);
    if (request.fd >= 0)
        (void)close(request.fd); /* there is sockd_socket_os_fd() for those who want it */
    request_fini(&request);
    return status;
}
