/* SPDX-License-Identifier: MIT */
/*
 * message.c - JSON-RPC 2.0 messages taken apart and put together.
 *
 * Place: between the frames of a control connection and the dispatch; the library uses
 * the reverse direction. Everything that a peer can get wrong ends in a struct error
 * here.
 *
 * Thread: any.
 */
#include <config.h>

#include "proto/message.h"

#include <stdio.h>
#include <string.h>
#include "proto/parse.h"

bool message_parse(const char *line, size_t size, unsigned max_depth, struct arena *arena,
                   json_t **out, struct error *error)
{
    return parse_json(line, size, max_depth, arena, out, error);
}

static bool invalid(struct error *error, const char *what)
{
    return error_set(error, ERROR_INVALID_REQUEST, "%s", what);
}

/* The members of a request by name; those that are absent stay NULL. Others are ignored.
 */
struct members {
    json_t *version, *id, *method, *params;
};

static void find_members(struct members *members, json_t *json)
{
    memset(members, 0, sizeof(*members));
    for (void *at = json_object_iter(json); at; at = json_object_iter_next(json, at)) {
        const char *key = json_object_iter_key(at);
        json_t *value = json_object_iter_value(at);

        if (strcmp(key, "jsonrpc") == 0)
            members->version = value;
        else if (strcmp(key, "id") == 0)
            members->id = value;
        else if (strcmp(key, "method") == 0)
            members->method = value;
        else if (strcmp(key, "params") == 0)
            members->params = value;
    }
}

bool message_request(struct message_request *request, json_t *json, struct error *error)
{
    struct members members;

    memset(request, 0, sizeof(*request));
    if (!json_is_object(json))
        return invalid(error, "a request is an object, or a list of them");
    find_members(&members, json);
    if (members.id && !json_is_string(members.id) && !json_is_number(members.id) &&
        !json_is_null(members.id))
        return invalid(error, "id must be a string, a number or null");
    request->id = members.id;
    if (!members.version || !json_is_string(members.version) ||
        strcmp(json_string_value(members.version), "2.0") != 0)
        return invalid(error, "jsonrpc must be \"2.0\"");
    if (!members.method || !json_is_string(members.method))
        return invalid(error, "method must be a string");
    request->method = json_string_value(members.method);
    request->method_size = json_string_length(members.method);
    if (!members.params || json_is_null(members.params))
        return true;
    if (json_is_array(members.params))
        return error_set_parameter(error, "params",
                                   "an object: parameters are given by name");
    if (!json_is_object(members.params))
        return invalid(error, "params must be an object");
    request->params = members.params;
    return true;
}

static void begin_message(struct writer *writer, const char *id, size_t id_size)
{
    static const char begin[] = "{\"jsonrpc\":\"2.0\",\"id\":";

    writer_raw(writer, begin, sizeof(begin) - 1, true);
    if (id)
        writer_raw(writer, id, id_size, false);
    else
        writer_raw(writer, "null", 4, false);
}

void message_begin_reply(struct writer *writer, const char *id, size_t id_size)
{
    static const char result[] = ",\"result\":";

    begin_message(writer, id, id_size);
    writer_raw(writer, result, sizeof(result) - 1, false);
    writer->needs_comma = false;
}

void message_end_reply(struct writer *writer)
{
    writer_raw(writer, "}", 1, false);
    writer->needs_comma = true;
}

void message_error(struct writer *writer, const char *id, size_t id_size,
                   const struct error *error)
{
    static const char begin[] = ",\"error\":";

    begin_message(writer, id, id_size);
    writer_raw(writer, begin, sizeof(begin) - 1, false);
    writer->needs_comma = false;
    message_error_object(writer, error);
    message_end_reply(writer);
}

static void write_text(struct writer *writer, const char *key, const char *text)
{
    if (!text || text[0] == 0)
        return;
    writer_key(writer, key);
    writer_foreign(writer, text, strlen(text));
}

static void write_errno(struct writer *writer, int errnum)
{
    char number[16];
    const char *name = error_errno_name(errnum);

    if (errnum == 0)
        return;
    if (name[0] == 0) {
        (void)snprintf(number, sizeof(number), "%d", errnum);
        name = number;
    }
    write_text(writer, "errno", name);
}

static void write_data(struct writer *writer, const struct error *error)
{
    const struct error_row *row = error_row(error->id);

    writer_begin_object(writer);
    write_text(writer, "identifier", row->identifier);
    write_errno(writer, error->errnum);
    write_text(writer, "action", error->action);
    if (error->socket) {
        writer_key(writer, "socket");
        writer_int(writer, error->socket);
    }
    writer_key(writer, "retryable");
    writer_bool(writer, row->retryable && !error->is_final);
    write_text(writer, "parameter", error->parameter);
    write_text(writer, "wanted", error->wanted);
    write_text(writer, "reason", error->reason);
    write_text(writer, "library", error->library);
    if (error->id == ERROR_PERMISSION_DENIED)
        write_text(writer, "rule", error->subject);
    if (error->id == ERROR_LIMIT_REACHED) {
        write_text(writer, "limit", error->subject);
        writer_key(writer, "value");
        writer_int(writer, error->number);
    }
    if (error->id == ERROR_CERTIFICATE_VERIFY_FAILED) {
        writer_key(writer, "verify-code");
        writer_int(writer, error->number);
        writer_key(writer, "depth");
        writer_int(writer, error->depth);
    }
    if (error->id == ERROR_SSL_ERROR && error->number) {
        writer_key(writer, "alert");
        writer_int(writer, error->number);
    }
    writer_end_object(writer);
}

void message_error_object(struct writer *writer, const struct error *error)
{
    const struct error_row *row = error_row(error->id);

    writer_begin_object(writer);
    writer_key(writer, "code");
    writer_int(writer, row->code);
    writer_key(writer, "message");
    if (error->message[0])
        writer_foreign(writer, error->message, strlen(error->message));
    else
        writer_text(writer, row->text);
    writer_key(writer, "data");
    write_data(writer, error);
    writer_end_object(writer);
}

static const char *text_of(const json_t *data, const char *key)
{
    const char *text = json_string_value(json_object_get(data, key));

    return text ? text : "";
}

static void read_text(char *to, size_t room, const json_t *data, const char *key)
{
    (void)snprintf(to, room, "%s", text_of(data, key)); /* longer ones are cut */
}

/* An error whose identifier this build does not know. The codes of protocol faults have
 * one meaning each; those of the other kinds have many. */
static enum error_id error_by_code(int64_t code)
{
    for (unsigned id = ERROR_NONE + 1; id < ERROR_COUNT; id++) {
        if (code < -32099 && error_row((enum error_id)id)->code == code)
            return (enum error_id)id;
    }
    return ERROR_UNKNOWN;
}

/* What the number of an error is called. */
static const char *number_key(enum error_id id)
{
    return id == ERROR_CERTIFICATE_VERIFY_FAILED ? "verify-code"
           : id == ERROR_SSL_ERROR               ? "alert"
                                                 : "value";
}

void message_read_error(const json_t *json, struct error *error)
{
    const json_t *data = json_object_get(json, "data");
    int64_t code = json_integer_value(json_object_get(json, "code"));
    enum error_id id = error_by_identifier(text_of(data, "identifier"));

    (void)error_set(error, id == ERROR_NONE ? error_by_code(code) : id, "%s",
                    text_of(json, "message"));
    error->errnum = error_errno_by_name(text_of(data, "errno"));
    error->action = error_action(text_of(data, "action"));
    error->socket = json_integer_value(json_object_get(data, "socket"));
    error->depth = (int)json_integer_value(json_object_get(data, "depth"));
    error->number = json_integer_value(json_object_get(data, number_key(error->id)));
    error->is_final = json_is_false(json_object_get(data, "retryable")) &&
                      error_row(error->id)->retryable;
    read_text(error->parameter, sizeof(error->parameter), data, "parameter");
    read_text(error->wanted, sizeof(error->wanted), data, "wanted");
    read_text(error->reason, sizeof(error->reason), data, "reason");
    read_text(error->library, sizeof(error->library), data, "library");
    read_text(error->subject, sizeof(error->subject), data,
              error->id == ERROR_PERMISSION_DENIED ? "rule" : "limit");
}
