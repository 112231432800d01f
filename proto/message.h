/* SPDX-License-Identifier: MIT */
/*
 * message.h - JSON-RPC 2.0 messages: take requests apart, put replies, errors and events
 * together.
 *
 * Both sides use it: the daemon reads requests and writes replies, the library the
 * reverse.
 */
#ifndef SOCKD_PROTO_MESSAGE_H
#define SOCKD_PROTO_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "proto/error.h"
#include "proto/writer.h"

struct arena;

enum { MESSAGE_MAX_DEPTH = 32 };

/* Parses one line with the daemon's rules: nesting up to `max_depth`, no duplicate keys,
 * no raw NUL, `\u0000` allowed, UTF-8 checked. False: *error is parse-error or
 * limit-reached. */
bool message_parse(const char *line, size_t size, unsigned max_depth, struct arena *arena,
                   json_t **out, struct error *error);

/* One request, taken apart. Borrowed from the JSON tree. */
struct message_request {
    const char *method;
    size_t method_size;
    json_t *params; /* NULL: none */
    json_t *id;     /* NULL: a notification; string, number or null otherwise */
};

/* False: *error is invalid-request (or invalid-params for positional params); `id` is set
 * if it could be read, so that the error can be answered with it. */
bool message_request(struct message_request *request, json_t *json, struct error *error);

/* Text before and after the members of a result:
 * {"jsonrpc":"2.0","id":ID,"result": ... }  - no newline. `id` is JSON text. */
void message_begin_reply(struct writer *writer, const char *id, size_t id_size);
void message_end_reply(struct writer *writer);
/* A whole error reply. `id` NULL writes null. */
void message_error(struct writer *writer, const char *id, size_t id_size,
                   const struct error *error);
/* The error object alone: {"code", "message", "data": {...}}. */
void message_error_object(struct writer *writer, const struct error *error);
/* The reverse: fills *error from the "error" member of a reply. */
void message_read_error(const json_t *json, struct error *error);

#endif
