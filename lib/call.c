/* SPDX-License-Identifier: MIT */
/*
 * call.c - requests in flight: numbered, matched with their replies, given up.
 *
 * Place: between request.c, submit.c and attach.c, which begin and await calls, and
 * wire.c, which brings the lines of the daemon.
 *
 * Thread: any. Functions say when the connection's lock must be held.
 */
#include <config.h>

#include "lib/internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "proto/arena.h"
#include "proto/error.h"
#include "proto/parse.h"

enum {
    NS_PER_S = 1000000000,
    MAX_NESTING = 100, /* of a reply, or of parameters given as text */
};

/* Longer times than this are no limit: the sum with the clock must not overflow. */
static const double longest_timeout = 1e9;

int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

void timespec_of(int64_t ns, struct timespec *time)
{
    time->tv_sec = ns / NS_PER_S;
    time->tv_nsec = ns % NS_PER_S;
}

bool deadline_after(double timeout, double default_timeout, int64_t *deadline)
{
    if (timeout == SOCKD_DEFAULT)
        timeout = default_timeout;
    *deadline = NEVER;
    if (timeout == SOCKD_FOREVER || timeout > longest_timeout)
        return true;
    if (isnan(timeout) || timeout < 0)
        return false;
    *deadline = now_ns() + (int64_t)(timeout * NS_PER_S);
    return true;
}

int connection_enter(struct sockd *connection, struct sockd_error *error)
{
    int status;

    if (!connection)
        return fail_parameter(error, "connection", "one that sockd_connect() has made");
    if (connection->pid != getpid())
        return fail(error, SOCKD_E_NO_DAEMON,
                    "the connection belongs to the process that fork() was called in");
    pthread_mutex_lock(&connection->lock);
    if (!connection->is_dead && !connection->is_exclusive)
        return SOCKD_OK;
    status = connection->is_dead
                 ? fail_copy(error, &connection->fault)
                 : fail(error, SOCKD_E_BUSY, "the connection is becoming a raw stream");
    pthread_mutex_unlock(&connection->lock);
    return status;
}

void connection_leave(struct sockd *connection)
{
    if (!connection->is_reading) {
        if (connection->waiters)
            pthread_cond_signal(&connection->waiters->ready);
        else if (connection->n_processing)
            pthread_cond_signal(&connection->due);
    }
    pthread_mutex_unlock(&connection->lock);
}

static struct call **bucket(struct sockd *connection, uint64_t id)
{
    return &connection->buckets[id & (N_BUCKETS - 1)];
}

struct call *call_find(struct sockd *connection, uint64_t id)
{
    for (struct call *call = *bucket(connection, id); call; call = call->next) {
        if (call->id == id)
            return call;
    }
    return NULL;
}

static void unlink_call(struct sockd *connection, struct call *call)
{
    struct call **link = bucket(connection, call->id);

    while (*link != call)
        link = &(*link)->next;
    *link = call->next;
    call->is_in_table = false;
    connection->n_calls -= !call->is_abandoned;
    connection->n_fd_calls -= call->takes_fd;
}

static void answer_fini(struct answer *answer)
{
    free(answer->body);
    if (answer->fd >= 0)
        (void)close(answer->fd);
    *answer = (struct answer){.fd = -1};
}

static void call_free(struct call *call)
{
    answer_fini(&call->answer);
    pthread_cond_destroy(&call->ready);
    free(call);
}

static struct call *call_new(struct sockd *connection, bool takes_fd)
{
    struct call *call = calloc(1, sizeof(*call));
    pthread_condattr_t attributes;
    struct call **link;

    if (!call)
        return NULL;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&call->ready, &attributes);
    pthread_condattr_destroy(&attributes);
    call->id = ++connection->last_id;
    call->takes_fd = takes_fd;
    call->deadline = NEVER;
    call->answer.fd = -1;
    call->is_in_table = true;
    link = bucket(connection, call->id);
    call->next = *link;
    *link = call;
    connection->n_calls++;
    connection->n_fd_calls += takes_fd;
    return call;
}

int call_start(struct sockd *connection, const char *rest, size_t size, bool takes_fd,
               struct call **call, struct sockd_error *error)
{
    char prefix[PREFIX_SIZE];
    size_t limit = connection->message_limit;
    struct call *made = call_new(connection, takes_fd);
    struct iovec parts[2];
    int prefix_size, status;

    if (!made)
        return fail_memory(error);
    prefix_size = snprintf(prefix, sizeof(prefix), "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64,
                           made->id);
    parts[0] = (struct iovec){.iov_base = prefix, .iov_len = (size_t)prefix_size};
    parts[1] = (struct iovec){.iov_base = (void *)(uintptr_t)rest, .iov_len = size};
    if (limit && (size_t)prefix_size + size - 1 > limit) {
        status = fail_limit(error, "message-size", (int64_t)limit);
        if (error)
            error->retryable = false; /* it will be as large */
    } else {
        status = wire_send(connection, parts, 2, error);
    }
    if (status == SOCKD_OK) {
        *call = made;
        return SOCKD_OK;
    }
    if (made->is_in_table)
        unlink_call(connection, made);
    call_free(made);
    return status;
}

void call_cancel(struct sockd *connection, struct call *call)
{
    char line[96];
    /* Without an id: nobody waits for the answer to this. */
    int size = snprintf(line, sizeof(line),
                        "{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":"
                        "{\"request\":%" PRIu64 "}}\n",
                        call->id);
    struct iovec part = {.iov_base = line, .iov_len = (size_t)size};

    call->answer.is_cancelled = true;
    (void)wire_send(connection, &part, 1, NULL); /* the call is given up anyway */
}

void call_finish(struct sockd *connection, struct call *call, const struct answer *answer)
{
    bool is_cancelled = call->answer.is_cancelled;

    unlink_call(connection, call);
    if (call->is_abandoned) {
        struct answer late = *answer;

        answer_fini(&late);
        if (!call->is_due)
            call_free(call);
        return;
    }
    call->answer = *answer;
    call->answer.is_cancelled = is_cancelled;
    call->is_done = true;
    if (call->done)
        submit_due(connection, call);
    else
        pthread_cond_signal(&call->ready);
}

void call_abandon(struct sockd *connection, struct call *call)
{
    call->is_abandoned = true;
    call->answer.status = SOCKD_E_TIMEOUT;
    call->is_done = true;
    connection->n_calls--;
}

void call_take(struct sockd *connection, struct call *call, struct answer *answer)
{
    (void)connection;
    *answer = call->answer;
    call->answer.body = NULL;
    call->answer.fd = -1;
    if (!call->is_in_table)
        call_free(call);
}

/* Matches what of a reply stands around its body. */
struct reply {
    uint64_t id;
    bool is_error;
    const char *body; /* inside of the line */
    size_t size;
};

static bool skip(const char **at, const char *end, const char *text)
{
    size_t size = strlen(text);

    if ((size_t)(end - *at) < size || memcmp(*at, text, size) != 0)
        return false;
    *at += size;
    return true;
}

/* The form in which sockd itself writes replies is taken apart without a parser, because
 * this happens under the lock; the thread that waits for the body parses it later. */
static bool split_reply(const char *line, size_t size, struct reply *reply)
{
    const char *at = line, *end = line + size;
    uint64_t id = 0;
    unsigned n_digits = 0;

    if (!skip(&at, end, "{\"jsonrpc\":\"2.0\",\"id\":"))
        return false;
    for (; at < end && *at >= '0' && *at <= '9' && n_digits < 18; at++, n_digits++)
        id = id * 10 + (uint64_t)(*at - '0');
    if (!n_digits)
        return false;
    reply->is_error = false;
    if (!skip(&at, end, ",\"result\":")) {
        if (!skip(&at, end, ",\"error\":"))
            return false;
        reply->is_error = true;
    }
    if (end - at < 2 || end[-1] != '}')
        return false;
    reply->id = id;
    reply->body = at;
    reply->size = (size_t)(end - at) - 1;
    return true;
}

/* Gives a body to the call it answers. The id is one that was given out. */
static void deliver(struct sockd *connection, const struct reply *reply)
{
    struct call *call = call_find(connection, reply->id);
    struct answer answer = {.is_error = reply->is_error, .fd = -1};

    if (!call)
        return; /* answered already; the second answer is nobody's */
    if (call->takes_fd && !reply->is_error && connection->n_descriptors) {
        /* Descriptors come in the order of the replies they belong to. */
        answer.fd = connection->descriptors[0];
        memmove(connection->descriptors, connection->descriptors + 1,
                --connection->n_descriptors * sizeof(int));
    }
    if (!call->is_abandoned) {
        answer.body = malloc(reply->size + 1);
        if (answer.body) {
            memcpy(answer.body, reply->body, reply->size);
            answer.body[reply->size] = 0;
            answer.size = reply->size;
        } else {
            answer.status = SOCKD_E_OUT_OF_MEMORY;
        }
    }
    call_finish(connection, call, &answer);
}

/* Not with jansson's reader, which writes past its buffer when memory runs out, and not
 * with the hooks of the arena, which are the process's: the arena holds scratch memory
 * only, and the tree is an ordinary one. */
json_t *read_json(const char *text, size_t size, struct error *why)
{
    struct arena arena = {0};
    json_t *json;

    if (!parse_json(text, size, MAX_NESTING, &arena, &json, why))
        json = NULL;
    arena_fini(&arena);
    arena_thread_end(); /* the thread is the program's, and may end without us */
    return json;
}

static bool bad_line(struct sockd *connection, const char *message)
{
    wire_die(connection, SOCKD_E_BAD_REPLY, 0, message);
    return false;
}

/* A line in another form: other spaces, another order, no reply at all. */
static bool take_other_line(struct sockd *connection, const json_t *json)
{
    const json_t *id = json_object_get(json, "id");
    const json_t *result = json_object_get(json, "result");
    const json_t *error = json_object_get(json, "error");
    struct reply reply = {.is_error = error != NULL};
    struct writer body = {0};

    if (!json_is_object(json))
        return bad_line(connection, "a line of the daemon is no JSON object");
    if (json_object_get(json, "method") && !id)
        return true; /* an event that this version does not know */
    if (json_is_null(id) && json_is_object(error)) {
        /* The daemon could not read something of ours: what, can't be told. */
        struct sockd_error fault;

        (void)fail_reply(&fault, error);
        wire_die(connection, fault.status, 0, fault.message);
        connection->fault = fault; /* with all that is told of it */
        return false;
    }
    if (!json_is_integer(id) || json_integer_value(id) < 1 || !result == !error)
        return bad_line(connection, "a line of the daemon is no reply");
    if ((uint64_t)json_integer_value(id) > connection->last_id)
        return bad_line(connection, "the daemon has answered what was not asked");
    writer_json(&body, error ? error : result);
    if (body.failed) {
        writer_fini(&body);
        wire_die(connection, SOCKD_E_OUT_OF_MEMORY, 0,
                 "no memory for a reply of the daemon");
        return false;
    }
    reply.id = (uint64_t)json_integer_value(id);
    reply.body = body.data;
    reply.size = body.size;
    deliver(connection, &reply);
    writer_fini(&body);
    return true;
}

bool wire_take_line(struct sockd *connection, const char *line, size_t size)
{
    struct reply reply;
    struct error why;
    json_t *json;
    bool is_good;

    if (split_reply(line, size, &reply)) {
        if (reply.id > connection->last_id || !reply.id)
            return bad_line(connection, "the daemon has answered what was not asked");
        deliver(connection, &reply);
        return true;
    }
    json = read_json(line, size, &why);
    if (!json && why.id == ERROR_INTERNAL) {
        wire_die(connection, SOCKD_E_OUT_OF_MEMORY, 0,
                 "no memory for a reply of the daemon");
        return false;
    }
    if (!json)
        return bad_line(connection, "a line of the daemon is no JSON text");
    is_good = take_other_line(connection, json);
    json_decref(json);
    return is_good;
}

static int read_error(const struct answer *answer, const json_t *json,
                      struct sockd_error *error)
{
    int status;

    if (!json_is_object(json))
        return fail(error, SOCKD_E_BAD_REPLY, "the error in a reply is no object");
    status = fail_reply(error, json);
    if (status == SOCKD_E_CANCELLED && answer->is_cancelled)
        return fail(error, SOCKD_E_TIMEOUT, "the time-out ran out");
    return status;
}

int answer_read(struct sockd *connection, struct answer *answer, json_t **result,
                char **text, struct sockd_error *error)
{
    struct error why;
    json_t *json = NULL;
    int status = answer->status;

    if (answer->is_fault)
        status =
            fail_copy(error, &connection->fault); /* was set before, once and for all */
    else if (status == SOCKD_E_TIMEOUT)
        status =
            fail(error, status, "the time-out ran out, and the daemon does not answer");
    else if (status != SOCKD_OK)
        status = fail_memory(error);
    else if (!(json = read_json(answer->body, answer->size, &why)))
        status = why.id == ERROR_INTERNAL
                     ? fail_memory(error)
                     : fail(error, SOCKD_E_BAD_REPLY,
                            "the body of a reply is no JSON text: %s", why.message);
    else if (answer->is_error)
        status = read_error(answer, json, error);
    if (status == SOCKD_OK) {
        *result = json;
        json = NULL;
        if (text) {
            *text = answer->body;
            answer->body = NULL;
        }
    }
    json_decref(json);
    answer_fini(answer);
    return status;
}
