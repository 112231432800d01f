/* SPDX-License-Identifier: MIT */
/*
 * fuzz_params.c - a line of a client through message_parse(), message_request() and
 * params_check(), and the answer through the writer: whatever comes in, what goes out is
 * one valid JSON text, and the request itself, written again, is read as the same.
 * The parser is held against jansson's.
 */
#include <config.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/arena.h"
#include "proto/message.h"
#include "proto/params.h"
#include "proto/table.h"
#include "proto/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static json_t *read_again(const struct writer *writer, struct arena *arena)
{
    struct error error;
    json_t *json = NULL;

    must(!writer->failed);
    must(!memchr(writer->data, '\n', writer->size));
    must(message_parse(writer->data, writer->size, MESSAGE_MAX_DEPTH, arena, &json,
                       &error));
    return json;
}

/* Every value that was taken is one that a handler can use. */
static void look_at(const struct params *params)
{
    for (unsigned i = 0; i < params->command->n_params; i++) {
        const struct param_row *row = &params->command->params[i];

        if (!params_has(params, row->id)) {
            must(!row->required);
            continue;
        }
        if (row->type == VALUE_STRING || row->type == VALUE_DATA) {
            struct value_text text = params_text(params, row->id);

            must(text.text[text.size] == 0);
            must(row->type == VALUE_DATA || text_is_utf8(text.text, text.size));
            must(row->max <= 0 || (double)text.size <= row->max);
        }
    }
}

static void answer(json_t *json, struct arena *arena, struct writer *writer)
{
    struct message_request request;
    const struct command *command;
    struct params params;
    struct error error;

    if (message_request(&request, json, &error)) {
        command = table_find(request.method, request.method_size);
        if (!command) {
            (void)error_set(&error, ERROR_METHOD_NOT_FOUND, "no method %s",
                            request.method);
        } else if (params_check(&params, command, request.params, arena, &error)) {
            look_at(&params);
            return;
        }
    }
    must(error.id != ERROR_NONE);
    message_error(writer, NULL, 0, &error);
    (void)read_again(writer, arena);
}

/* Both parsers read the same or refuse; ours knows two more reasons to refuse, a raw NUL
 * and nesting. */
static void compare(const char *text, size_t size, const json_t *json,
                    const struct error *error, struct arena *arena)
{
    json_error_t other_error;
    json_t *other = arena_json(arena, text, size,
                               JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                               &other_error);

    if (json) {
        must(json_equal(json, other));
    } else if (other) {
        must(memchr(text, 0, size) || strcmp(error->subject, "nesting") == 0);
    } else if (json_error_code(&other_error) == json_error_duplicate_key &&
               error->id == ERROR_LIMIT_REACHED) {
        must(error->subject[0] == 'd' || error->subject[0] == 'n');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = size ? (const char *)data : "";
    struct writer writer = {0}, copy = {0};
    struct arena arena = {0};
    struct error error;
    json_t *json = NULL;

    table_setup();
    if (message_parse(text, size, MESSAGE_MAX_DEPTH, &arena, &json, &error)) {
        writer_json(&copy, json);
        must(json_equal(json, read_again(&copy, &arena)) || memchr(text, '.', size) ||
             memchr(text, 'e', size) || memchr(text, 'E', size));
        answer(json, &arena, &writer);
    } else {
        message_error(&writer, "1", 1, &error);
        (void)read_again(&writer, &arena);
    }
    compare(text, size, json, &error, &arena);
    writer_fini(&copy);
    writer_fini(&writer);
    arena_fini(&arena);
    return 0;
}
