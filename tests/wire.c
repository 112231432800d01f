/* SPDX-License-Identifier: MIT */
/*
 * wire.c - control connections of tests.
 *
 * Place: system tests call it; it calls contract.c for each message. The descriptor does
 * not block; poll() with a deadline stands before each wait. Thread: that of the test.
 */
#include <config.h>
#include "tests/wire.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "tests/contract.h"
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"

enum { MAX_DESCRIPTORS = 8 };

/* Owner: the list below, until it is closed or the test ends. */
struct wire {
    struct wire *next;
    int fd;
    int64_t last_id;
    char *data; /* received and not taken yet */
    size_t size, room;
    bool has_ended;
    json_t *kept;    /* array: every message received, alive until the wire is closed */
    json_t *waiting; /* array: those of them that nobody has asked for yet */
    json_t *asked;   /* object: id as JSON text -> method */
    int descriptors[MAX_DESCRIPTORS];
    unsigned n_descriptors;
};

static struct wire *all;

/* ---- Open and close ---- */

static void free_wire(struct wire *wire)
{
    while (wire->n_descriptors > 0) {
        close(wire->descriptors[--wire->n_descriptors]);
    }
    close(wire->fd);
    json_decref(wire->waiting);
    json_decref(wire->kept);
    json_decref(wire->asked);
    free(wire->data);
    free(wire);
}

static void close_all(void)
{
    struct wire *wire;

    while ((wire = all)) {
        all = wire->next;
        free_wire(wire);
    }
}

void wire_close(struct wire *wire)
{
    struct wire **link = &all;

    while (*link && *link != wire) {
        link = &(*link)->next;
    }
    if (!*link) {
        UNIT_FAIL_NOW("a wire was closed twice");
    }
    *link = wire->next;
    free_wire(wire);
}

struct wire *wire_open_descriptor(int fd)
{
    struct wire *wire = calloc(1, sizeof(*wire));

    if (!wire) {
        unit_bail_out("out of memory");
    }
    unit_after_each(close_all);
    wire->fd = fd;
    wire->kept = json_array();
    wire->waiting = json_array();
    wire->asked = json_object();
    wire->next = all;
    all = wire;
    return wire;
}

struct wire *wire_open_path(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        UNIT_FAIL_NOW("socket: %s", strerror(errno));
    }
    snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int number = errno;

        close(fd);
        UNIT_FAIL_NOW("connect to %s: %s", path, strerror(number));
    }
    return wire_open_descriptor(fd);
}

struct wire *wire_open(const struct harness *harness)
{
    return wire_open_path(harness_socket(harness));
}

struct wire *wire_open_as(const struct harness *harness, uid_t uid, gid_t gid)
{
    struct wire *wire;

    /* The kernel notes the effective ids at the moment of connect(). */
    if (setegid(gid) < 0 || seteuid(uid) < 0) {
        UNIT_FAIL_NOW("cannot become uid %u: %s", (unsigned)uid, strerror(errno));
    }
    wire = wire_open(harness);
    if (seteuid(0) < 0 || setegid(0) < 0) {
        unit_bail_out("cannot become root again: %s", strerror(errno));
    }
    return wire;
}

int wire_descriptor(const struct wire *wire) { return wire->fd; }

/* ---- Sending ---- */

void wire_send_bytes(struct wire *wire, const void *data, size_t size)
{
    const char *rest = data;
    ssize_t n;

    while (size > 0) {
        peer_await(wire->fd, POLLOUT, "room to send a request");
        n = send(wire->fd, rest, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            UNIT_FAIL_NOW("cannot send to the daemon: %s", strerror(errno));
        }
        if (n > 0) {
            rest += n;
            size -= (size_t)n;
        }
    }
}

/* Notes one request, so that its reply can be held against the right rows. */
static void note_request(struct wire *wire, const json_t *request)
{
    const char *method = json_string_value(json_object_get(request, "method"));
    const json_t *id = json_object_get(request, "id");
    char *key;

    if (!method) {
        return;
    }
    contract_saw_request(method, json_object_get(request, "params"));
    if (id) {
        key = json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT);
        json_object_set_new(wire->asked, key, json_string(method));
        free(key);
    }
}

void wire_send_line(struct wire *wire, const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    size_t i;

    for (i = 0; i < json_array_size(json); i++) {
        note_request(wire, json_array_get(json, i));
    }
    note_request(wire, json);
    json_decref(json);
    wire_send_bytes(wire, text, strlen(text));
    wire_send_bytes(wire, "\n", 1);
}

static json_t *pack(const char *method, const char *format, va_list args)
{
    json_t *request = json_pack("{s:s, s:s}", "jsonrpc", "2.0", "method", method);
    json_t *params;
    json_error_t error;

    if (format) {
        params = json_vpack_ex(&error, 0, format, args);
        if (!params) {
            json_decref(request);
            UNIT_FAIL_NOW("parameters of %s, \"%s\": %s", method, format, error.text);
        }
        json_object_set_new(request, "params", params);
    }
    return request;
}

static void send_json(struct wire *wire, json_t *request)
{
    char *text = json_dumps(request, JSON_COMPACT);

    note_request(wire, request);
    json_decref(request);
    wire_send_bytes(wire, text, strlen(text));
    wire_send_bytes(wire, "\n", 1);
    free(text);
}

int64_t wire_send_v(struct wire *wire, const char *method, const char *format,
                    va_list args)
{
    json_t *request = pack(method, format, args);

    json_object_set_new(request, "id", json_integer(++wire->last_id));
    send_json(wire, request);
    return wire->last_id;
}

int64_t wire_send(struct wire *wire, const char *method, const char *format, ...)
{
    va_list args;
    int64_t id;

    va_start(args, format);
    id = wire_send_v(wire, method, format, args);
    va_end(args);
    return id;
}

void wire_notify(struct wire *wire, const char *method, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    send_json(wire, pack(method, format, args));
    va_end(args);
}

void wire_shut_output(struct wire *wire)
{
    if (shutdown(wire->fd, SHUT_WR) < 0) {
        UNIT_FAIL_NOW("shutdown: %s", strerror(errno));
    }
}

/* ---- Receiving ---- */

static void take_descriptors(struct wire *wire, struct msghdr *message)
{
    struct cmsghdr *header;
    unsigned n, i;

    for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        n = (unsigned)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (i = 0; i < n && wire->n_descriptors < MAX_DESCRIPTORS; i++) {
            memcpy(&wire->descriptors[wire->n_descriptors++],
                   CMSG_DATA(header) + i * sizeof(int), sizeof(int));
        }
    }
}

/* Receives what is there. False: nothing was, and nothing will be when the wire has
 * ended. */
static bool fill(struct wire *wire)
{
    union {
        char space[CMSG_SPACE(MAX_DESCRIPTORS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t n;

    if (wire->room - wire->size < 65536) {
        wire->room = wire->room ? wire->room * 2 : 131072;
        wire->data = realloc(wire->data, wire->room);
        if (!wire->data) {
            unit_bail_out("out of memory");
        }
    }
    part.iov_base = wire->data + wire->size;
    part.iov_len = wire->room - wire->size;
    n = recvmsg(wire->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (n <= 0) {
        /* A reset is an end, too: the daemon may close with input of ours unread. */
        wire->has_ended = true;
        return false;
    }
    take_descriptors(wire, &message);
    wire->size += (size_t)n;
    return true;
}

static void drop_bytes(struct wire *wire, size_t size)
{
    memmove(wire->data, wire->data + size, wire->size - size);
    wire->size -= size;
}

static const char *method_of(const struct wire *wire, const json_t *reply)
{
    const json_t *id = json_object_get(reply, "id");
    char *key = id ? json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    const char *method =
        key ? json_string_value(json_object_get(wire->asked, key)) : NULL;

    free(key);
    return method;
}

/* Checks a message; those of a batch one by one, which then wait one by one. */
static void arrive(struct wire *wire, json_t *message)
{
    size_t i;

    if (json_is_array(message)) {
        json_array_append(wire->kept, message);
        for (i = 0; i < json_array_size(message); i++) {
            arrive(wire, json_array_get(message, i));
        }
        return;
    }
    json_array_append(wire->kept, message);
    json_array_append(wire->waiting, message);
    if (!json_object_get(message, "method")) {
        contract_check_reply(method_of(wire, message), message);
    }
}

/* Takes one whole line, if there is one. */
static bool take_line(struct wire *wire)
{
    char *end = wire->size > 0 ? memchr(wire->data, '\n', wire->size) : NULL;
    json_error_t error;
    json_t *message;
    size_t size;

    if (!end) {
        return false;
    }
    size = (size_t)(end - wire->data);
    message =
        json_loadb(wire->data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!message) {
        UNIT_FAIL_NOW("the daemon sent a line that is not JSON (%s): %.*s", error.text,
                      (int)(size < 300 ? size : 300), wire->data);
    }
    drop_bytes(wire, size + 1);
    arrive(wire, message);
    json_decref(message);
    return true;
}

/* Waits for the next line. False: the end. */
static bool await_line(struct wire *wire)
{
    while (!take_line(wire)) {
        if (!fill(wire)) {
            if (wire->has_ended) {
                return false;
            }
            peer_await(wire->fd, POLLIN, "a message of the daemon");
        }
    }
    return true;
}

/* Takes waiting message number `i`; it stays alive in `kept`. */
static json_t *take_waiting(struct wire *wire, size_t i)
{
    json_t *message = json_array_get(wire->waiting, i);

    json_array_remove(wire->waiting, i);
    return message;
}

json_t *wire_receive(struct wire *wire)
{
    while (json_array_size(wire->waiting) == 0) {
        if (!await_line(wire)) {
            return NULL;
        }
    }
    return take_waiting(wire, 0);
}

json_t *wire_receive_event(struct wire *wire)
{
    size_t i = 0;

    for (;;) {
        for (; i < json_array_size(wire->waiting); i++) {
            if (json_object_get(json_array_get(wire->waiting, i), "method")) {
                return take_waiting(wire, i);
            }
        }
        if (!await_line(wire)) {
            UNIT_FAIL_NOW("the connection ended where an event should come");
        }
    }
}

static bool find_reply(const struct wire *wire, int64_t id, size_t *at)
{
    size_t i;

    for (i = 0; i < json_array_size(wire->waiting); i++) {
        const json_t *found = json_object_get(json_array_get(wire->waiting, i), "id");

        if (json_is_integer(found) && json_integer_value(found) == id) {
            *at = i;
            return true;
        }
    }
    return false;
}

json_t *wire_reply(struct wire *wire, int64_t id)
{
    size_t at;

    while (!find_reply(wire, id, &at)) {
        if (!await_line(wire)) {
            UNIT_FAIL_NOW("the connection ended before the reply to request %lld",
                          (long long)id);
        }
    }
    return take_waiting(wire, at);
}

bool wire_is_answered(struct wire *wire, int64_t id)
{
    size_t at;

    while (fill(wire) || take_line(wire)) {
    }
    return find_reply(wire, id, &at);
}

json_t *wire_result(struct wire *wire, int64_t id)
{
    json_t *reply = wire_reply(wire, id);
    json_t *result = json_object_get(reply, "result");
    char *text;

    if (!result) {
        text = json_dumps(reply, JSON_COMPACT);
        UNIT_FAIL("%s failed: %.400s", method_of(wire, reply), text);
        free(text);
        UNIT_FAIL_NOW("no result");
    }
    return result;
}

json_t *wire_error(struct wire *wire, int64_t id, const char *identifier)
{
    json_t *reply = wire_reply(wire, id);
    json_t *error = json_object_get(reply, "error");
    const char *got =
        json_string_value(json_object_get(json_object_get(error, "data"), "identifier"));
    char *text;

    if (!got || strcmp(got, identifier) != 0) {
        text = json_dumps(reply, JSON_COMPACT);
        UNIT_FAIL("%s should fail with %s: %.400s", method_of(wire, reply), identifier,
                  text);
        free(text);
        UNIT_FAIL_NOW("another reply than the error wanted");
    }
    return error;
}

void wire_expect_end(struct wire *wire)
{
    json_t *message = wire_receive(wire);
    char *text;

    if (message) {
        text = json_dumps(message, JSON_COMPACT);
        UNIT_FAIL("a message came where the connection should end: %.400s", text);
        free(text);
    }
}

/* ---- Both ---- */

json_t *wire_call(struct wire *wire, const char *method, const char *format, ...)
{
    va_list args;
    int64_t id;

    va_start(args, format);
    id = wire_send_v(wire, method, format, args);
    va_end(args);
    return wire_result(wire, id);
}

json_t *wire_refused(struct wire *wire, const char *identifier, const char *method,
                     const char *format, ...)
{
    va_list args;
    int64_t id;

    va_start(args, format);
    id = wire_send_v(wire, method, format, args);
    va_end(args);
    return wire_error(wire, id, identifier);
}

int64_t wire_int(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);

    if (!json_is_integer(value)) {
        UNIT_FAIL_NOW("no integer \"%s\"", member);
    }
    return json_integer_value(value);
}

const char *wire_text(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);

    if (!json_is_string(value)) {
        UNIT_FAIL_NOW("no text \"%s\"", member);
    }
    return json_string_value(value);
}

bool wire_bool(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);

    if (!json_is_boolean(value)) {
        UNIT_FAIL_NOW("no true or false \"%s\"", member);
    }
    return json_is_true(value);
}

/* ---- Raw bytes and descriptors ---- */

size_t wire_read_raw(struct wire *wire, void *data, size_t room)
{
    size_t n;

    while (wire->size == 0 && !wire->has_ended) {
        if (!fill(wire) && !wire->has_ended) {
            peer_await(wire->fd, POLLIN, "bytes of the stream");
        }
    }
    n = wire->size < room ? wire->size : room;
    if (n > 0) {
        memcpy(data, wire->data, n);
        drop_bytes(wire, n);
    }
    return n;
}

static size_t read_wire(void *source, void *data, size_t room)
{
    return wire_read_raw(source, data, room);
}

void wire_expect_raw(struct wire *wire, const void *data, size_t size)
{
    peer_expect_from(read_wire, wire, data, size);
}

int wire_take_descriptor(struct wire *wire)
{
    if (wire->n_descriptors == 0) {
        UNIT_FAIL_NOW("no descriptor came with the reply");
    }
    return peer_adopt(wire->descriptors[--wire->n_descriptors]);
}
