/* SPDX-License-Identifier: MIT */
/*
 * error.c - errors as values: the caller's struct sockd_error, and the names of its
 * statuses.
 *
 * Place: used by all files of the library. Every setter takes NULL for a caller that does
 * not want to know, and returns the status, so that a function can end in `return
 * fail(...)`.
 *
 * Thread: any.
 */
#include <config.h>

#include "lib/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "proto/error.h"
#include "proto/text.h"

/* Every row of errors.def needs its number in sockd.h, or this does not compile. */
static const struct {
    const char *identifier;
    int status;
    int code;
    bool retryable;
    const char *text;
} rows[] = {
#define ERROR(ID, IDENTIFIER, CODE, RETRYABLE, TEXT)                                     \
    {IDENTIFIER, SOCKD_E_##ID, CODE, RETRYABLE, TEXT},
#include "proto/errors.def"
    {"no-daemon", SOCKD_E_NO_DAEMON, 0, true,
     "no daemon could be reached, or it has gone"},
    {"bad-reply", SOCKD_E_BAD_REPLY, 0, false,
     "the daemon answered what the protocol does not allow"},
    {"out-of-memory", SOCKD_E_OUT_OF_MEMORY, 0, true, "the program is out of memory"},
    {"other", SOCKD_E_OTHER, 0, false,
     "an error that this version of the library does not know"},
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

const char *sockd_status_identifier(int status)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        if (rows[i].status == status)
            return rows[i].identifier;
    }
    return NULL;
}

const char *sockd_status_text(int status)
{
    if (status == SOCKD_OK)
        return "no error";
    for (size_t i = 0; i < N_ROWS; i++) {
        if (rows[i].status == status)
            return rows[i].text;
    }
    return NULL;
}

int sockd_status_by_identifier(const char *identifier)
{
    for (size_t i = 0; identifier && i < N_ROWS; i++) {
        if (strcmp(rows[i].identifier, identifier) == 0)
            return rows[i].status;
    }
    return SOCKD_E_OTHER;
}

/* Copies a text that may be longer than its room; half a character is never left at the
 * end. */
static void copy_text(char *to, size_t room, const char *from)
{
    size_t size = strnlen(from, room);
    bool is_cut;

    if (size == room)
        size = text_utf8_prefix(from, room - 1, &is_cut);
    memcpy(to, from, size);
    to[size] = 0;
}

static void set(struct sockd_error *error, int status)
{
    memset(error, 0, sizeof(*error));
    error->status = status;
    for (size_t i = 0; i < N_ROWS; i++) {
        if (rows[i].status != status)
            continue;
        error->retryable = rows[i].retryable;
        copy_text(error->identifier, sizeof(error->identifier), rows[i].identifier);
    }
}

int fail(struct sockd_error *error, int status, const char *format, ...)
{
    char message[sizeof(error->message) + 1];
    va_list args;

    if (!error)
        return status;
    set(error, status);
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args); /* too long: cut below */
    va_end(args);
    copy_text(error->message, sizeof(error->message), message);
    return status;
}

int fail_errno(struct sockd_error *error, int status, int errnum, const char *action)
{
    const char *text = strerrordesc_np(errnum);

    (void)fail(error, status, "%s: %s", action, text ? text : "unknown error");
    if (error) {
        error->errnum = errnum;
        copy_text(error->action, sizeof(error->action), action);
    }
    return status;
}

int fail_parameter(struct sockd_error *error, const char *parameter, const char *wanted)
{
    (void)fail(error, SOCKD_E_INVALID_PARAMS, "%s must be %s", parameter, wanted);
    if (error) {
        copy_text(error->parameter, sizeof(error->parameter), parameter);
        copy_text(error->wanted, sizeof(error->wanted), wanted);
    }
    return SOCKD_E_INVALID_PARAMS;
}

int fail_limit(struct sockd_error *error, const char *limit, int64_t value)
{
    (void)fail(error, SOCKD_E_LIMIT_REACHED, "the limit %s (%lld) is reached", limit,
               (long long)value);
    if (error) {
        copy_text(error->limit, sizeof(error->limit), limit);
        error->value = value;
    }
    return SOCKD_E_LIMIT_REACHED;
}

int fail_memory(struct sockd_error *error)
{
    return fail(error, SOCKD_E_OUT_OF_MEMORY, "the program is out of memory");
}

int fail_copy(struct sockd_error *error, const struct sockd_error *from)
{
    if (error)
        *error = *from;
    return from->status;
}

/* The value of "ECONNREFUSED"; 0: no such name here. */
static int errno_by_name(const char *name)
{
    enum { LAST_ERRNO = 4095 }; /* the kernel's MAX_ERRNO */

    for (int errnum = 1; errnum <= LAST_ERRNO; errnum++) {
        const char *other = strerrorname_np(errnum);

        if (other && strcmp(other, name) == 0)
            return errnum;
    }
    return 0;
}

static void copy_member(char *to, size_t room, const json_t *data, const char *name)
{
    const char *text = json_string_value(json_object_get(data, name));

    if (text)
        copy_text(to, room, text);
}

/* A reply without identifier, of a daemon that is not ours: the code tells the kind. */
static const char *identifier_by_code(int code)
{
    switch (code) {
    case -32700:
        return "parse-error";
    case -32600:
        return "invalid-request";
    case -32601:
        return "method-not-found";
    case -32602:
        return "invalid-params";
    case -32603:
        return "internal-error";
    default:
        return "other";
    }
}

int fail_reply(struct sockd_error *error, const json_t *object)
{
    const json_t *data = json_object_get(object, "data");
    const char *identifier = json_string_value(json_object_get(data, "identifier"));
    int code = (int)json_integer_value(json_object_get(object, "code"));
    const char *errno_name = json_string_value(json_object_get(data, "errno"));
    int status;

    if (!identifier)
        identifier = identifier_by_code(code);
    status = sockd_status_by_identifier(identifier);
    if (!error)
        return status;
    set(error, status);
    error->code = code;
    copy_text(error->identifier, sizeof(error->identifier), identifier);
    if (json_is_boolean(json_object_get(data, "retryable")))
        error->retryable = json_is_true(json_object_get(data, "retryable"));
    error->errnum = errno_name ? errno_by_name(errno_name) : 0;
    error->depth = (int)json_integer_value(json_object_get(data, "depth"));
    error->socket = json_integer_value(json_object_get(data, "socket"));
    error->value = json_integer_value(json_object_get(data, "value"));
    if (json_object_get(data, "verify-code"))
        error->value = json_integer_value(json_object_get(data, "verify-code"));
    if (json_object_get(data, "alert"))
        error->value = json_integer_value(json_object_get(data, "alert"));
    copy_member(error->action, sizeof(error->action), data, "action");
    copy_member(error->parameter, sizeof(error->parameter), data, "parameter");
    copy_member(error->wanted, sizeof(error->wanted), data, "wanted");
    copy_member(error->limit, sizeof(error->limit), data, "limit");
    copy_member(error->rule, sizeof(error->rule), data, "rule");
    copy_member(error->reason, sizeof(error->reason), data, "reason");
    copy_member(error->library, sizeof(error->library), data, "library");
    copy_member(error->message, sizeof(error->message), object, "message");
    return status;
}
