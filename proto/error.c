/* SPDX-License-Identifier: MIT */
/*
 * error.c - the error of a request: its rows, and the setters.
 *
 * Place: called wherever a request fails; message.c writes what is set here. Pure, any
 * thread.
 */
#include <config.h>

#include "proto/error.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/text.h"

static const struct error_row rows[ERROR_COUNT] = {
    [ERROR_NONE] = {"", 0, false, "no error"},
#define ERROR(ID, IDENTIFIER, CODE, RETRYABLE, TEXT)                                     \
    [ERROR_##ID] = {IDENTIFIER, CODE, RETRYABLE, TEXT},
#include "proto/errors.def"
};

static const struct {
    int errnum;
    enum error_id id;
} errno_rows[] = {
#define ERRNO(NUMBER, ID) {NUMBER, ERROR_##ID},
#include "proto/errors.def"
};

const struct error_row *error_row(enum error_id id)
{
    return &rows[id < ERROR_COUNT ? id : ERROR_UNKNOWN];
}

enum error_id error_by_identifier(const char *identifier)
{
    for (unsigned id = ERROR_NONE + 1; id < ERROR_COUNT; id++) {
        if (strcmp(rows[id].identifier, identifier) == 0)
            return (enum error_id)id;
    }
    return ERROR_NONE;
}

enum error_id error_id_of_errno(int errnum)
{
    for (size_t i = 0; i < sizeof(errno_rows) / sizeof(errno_rows[0]); i++) {
        if (errno_rows[i].errnum == errnum)
            return errno_rows[i].id;
    }
    return ERROR_UNKNOWN;
}

const char *error_errno_name(int errnum)
{
    const char *name = errnum > 0 ? strerrorname_np(errnum) : NULL;

    return name ? name : "";
}

int error_errno_by_name(const char *name)
{
    enum { ERRNO_END = 4096 }; /* the kernel has none from here on */

    if (name[0] >= '0' && name[0] <= '9')
        return (int)strtol(name, NULL, 10);
    for (int errnum = 1; name[0] && errnum < ERRNO_END; errnum++) {
        if (strcmp(error_errno_name(errnum), name) == 0)
            return errnum;
    }
    return name[0] ? -1 : 0;
}

/* Actions are static texts where they are set. Those that the library reads from replies
 * are few, so they are kept for the life of the process, in a bounded place. */
const char *error_action(const char *action)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static char known[64][32];
    const char *found = "";

    if (strlen(action) >= sizeof(known[0]))
        return found;
    (void)pthread_mutex_lock(&mutex); /* cannot fail: a normal mutex, not held */
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i][0] == 0)
            memcpy(known[i], action, strlen(action) + 1);
        if (strcmp(known[i], action) == 0) {
            found = known[i];
            break;
        }
    }
    (void)pthread_mutex_unlock(&mutex);
    return found;
}

/* Only the beginnings are cleared: the struct is large, and each text ends at its NUL. */
static void clear(struct error *error, enum error_id id)
{
    error->id = id;
    error->errnum = 0;
    error->socket = error->number = 0;
    error->depth = 0;
    error->is_final = false;
    error->action = "";
    error->parameter[0] = error->wanted[0] = error->subject[0] = 0;
    error->reason[0] = error->library[0] = error->message[0] = 0;
}

/* Names come from clients: where a text was cut to its room, no half character may be
 * left. */
static void copy_text(char *to, size_t room, const char *from)
{
    size_t size = strnlen(from, room);
    bool is_cut;

    if (size == room)
        size = text_utf8_prefix(from, room - 1, &is_cut);
    memcpy(to, from, size);
    to[size] = 0;
}

static void trim_text(char *text, size_t room, int written)
{
    bool is_cut;

    if (written >= 0 && (size_t)written >= room)
        text[text_utf8_prefix(text, room - 1, &is_cut)] = 0;
}

bool error_set(struct error *error, enum error_id id, const char *format, ...)
{
    va_list arguments;
    int written;

    clear(error, id);
    va_start(arguments, format);
    written = vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
    trim_text(error->message, sizeof(error->message), written);
    return false;
}

bool error_set_errno(struct error *error, int errnum, const char *action)
{
    const char *text = strerrordesc_np(errnum);
    int written;

    clear(error, error_id_of_errno(errnum));
    error->errnum = errnum;
    error->action = action ? action : "";
    if (!text)
        text = "unknown error";
    written = snprintf(error->message, sizeof(error->message), "%s%s%s", error->action,
                       error->action[0] ? ": " : "", text);
    trim_text(error->message, sizeof(error->message), written);
    return false;
}

static void write_parameter_message(struct error *error)
{
    int written = snprintf(error->message, sizeof(error->message),
                           "parameter %s: wanted is %s", error->parameter, error->wanted);

    trim_text(error->message, sizeof(error->message), written);
}

bool error_set_parameter(struct error *error, const char *parameter, const char *wanted)
{
    clear(error, ERROR_INVALID_PARAMS);
    copy_text(error->parameter, sizeof(error->parameter), parameter);
    copy_text(error->wanted, sizeof(error->wanted), wanted);
    write_parameter_message(error);
    return false;
}

bool error_prefix_parameter(struct error *error, const char *prefix)
{
    char whole[2 * sizeof(error->parameter)];

    if (error->parameter[0] == 0)
        return false;
    (void)snprintf(whole, sizeof(whole), "%.*s%s", (int)sizeof(error->parameter) - 1,
                   prefix, error->parameter);
    copy_text(error->parameter, sizeof(error->parameter), whole);
    write_parameter_message(error);
    return false;
}

bool error_set_limit(struct error *error, const char *limit, int64_t value)
{
    int written;

    clear(error, ERROR_LIMIT_REACHED);
    copy_text(error->subject, sizeof(error->subject), limit);
    error->number = value;
    written =
        snprintf(error->message, sizeof(error->message),
                 "the limit %s of %lld is reached", error->subject, (long long)value);
    trim_text(error->message, sizeof(error->message), written);
    return false;
}

bool error_set_blame(struct error *error, const char *parameter)
{
    copy_text(error->parameter, sizeof(error->parameter), parameter);
    return false;
}

bool error_set_final(struct error *error)
{
    error->is_final = true;
    return false;
}

bool error_set_message(struct error *error, const char *message)
{
    copy_text(error->message, sizeof(error->message), message);
    return false;
}
