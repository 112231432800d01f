/* SPDX-License-Identifier: MIT */
/*
 * params.c - the parameters of one request, checked against the table and typed.
 *
 * Place: between message_request() and the handler. Everything is checked before the
 * handler runs, so a request either starts with good values or changes nothing.
 *
 * Thread: any.
 */
#include <config.h>

#include "proto/params.h"

#include <stdlib.h>
#include <string.h>
#include "proto/arena.h"
#include "proto/error.h"
#include "proto/text.h"

static bool no_memory(struct error *error)
{
    return error_set(error, ERROR_INTERNAL, "out of memory");
}

static bool wrong(const struct param_row *row, struct error *error)
{
    char wanted[sizeof(error->wanted)];

    value_describe(row, wanted, sizeof(wanted));
    return error_set_parameter(error, row->name, wanted);
}

/* Bytes that a decoder could not make: the error names the parameter, as others do. */
static bool bad_encoding(const struct param_row *row, const char *wanted,
                         struct error *error)
{
    (void)error_set_parameter(error, row->name, wanted);
    error->id = ERROR_INVALID_ENCODING;
    return false;
}

static bool decode(struct value_text *text, enum encoding encoding,
                   const struct param_row *row, struct arena *arena, struct error *error)
{
    ptrdiff_t size;
    char *bytes;

    if (encoding == ENCODING_UTF8)
        return true; /* checked with the JSON text it came in; no copy */
    bytes = arena_alloc(arena, text->size + 1);
    if (!bytes)
        return no_memory(error);
    if (encoding == ENCODING_BASE64) {
        size = text_base64_decode(text->text, text->size, bytes);
        if (size < 0)
            return bad_encoding(row, "base64: padded, without white space", error);
    } else {
        size = text_latin1_encode(text->text, text->size, bytes);
        if (size < 0)
            return bad_encoding(row, "latin-1: no character above U+00FF", error);
    }
    bytes[size] = 0;
    text->text = bytes;
    text->size = (size_t)size;
    return true;
}

/* Decodes all DATA as the parameter `encoding` says; utf-8 for commands or requests
 * without it. */
static bool decode_data(struct params *params, struct arena *arena, struct error *error)
{
    const struct command *command = params->command;
    const struct param_row *row =
        table_command_param(command, "encoding", strlen("encoding"));
    enum encoding encoding = ENCODING_UTF8;

    if (row && params->values[row - command->params].present)
        encoding = (enum encoding)params->values[row - command->params].word;
    for (unsigned i = 0; i < command->n_params; i++) {
        struct value *value = &params->values[i];

        row = &command->params[i];
        if (row->type != VALUE_DATA || !value->present)
            continue;
        if (!decode(&value->text, encoding, row, arena, error))
            return false;
        if ((row->min > 0 || row->max > 0) &&
            ((double)value->text.size < row->min || (double)value->text.size > row->max))
            return wrong(row, error);
    }
    return true;
}

static bool check_member(struct params *params, const char *name, json_t *json,
                         bool *has_data, struct arena *arena, struct error *error)
{
    const struct command *command = params->command;
    const struct param_row *row = table_command_param(command, name, strlen(name));

    if (!row)
        return error_set_parameter(error, name, "no parameter of this name");
    if (json_is_null(json) && !row->required)
        return true;
    *has_data = *has_data || row->type == VALUE_DATA;
    return value_check(&params->values[row - command->params], row, json, arena, error);
}

bool params_check(struct params *params, const struct command *command, json_t *object,
                  struct arena *arena, struct error *error)
{
    bool has_data = false;

    params->command = command;
    params->values = NULL;
    if (command->n_params) {
        params->values = arena_alloc(arena, command->n_params * sizeof(*params->values));
        if (!params->values)
            return no_memory(error);
        /* The rest of an absent value is never looked at, so it is not cleared. */
        for (unsigned i = 0; i < command->n_params; i++)
            params->values[i].present = false;
    }
    if (object) {
        for (void *at = json_object_iter(object); at;
             at = json_object_iter_next(object, at)) {
            if (!check_member(params, json_object_iter_key(at),
                              json_object_iter_value(at), &has_data, arena, error))
                return false;
        }
    }
    for (unsigned i = 0; i < command->n_params; i++) {
        if (command->params[i].required && !params->values[i].present)
            return wrong(&command->params[i], error);
    }
    return !has_data || decode_data(params, arena, error);
}

/* Asking for a parameter of another command is a fault of the handler. */
static const struct value *given(const struct params *params, enum param_id id)
{
    const struct command *command = params->command;

    if (command->n_params == 0 || id < command->params[0].id ||
        id >= command->params[0].id + command->n_params)
        abort();
    return &params->values[id - command->params[0].id];
}

bool params_has(const struct params *params, enum param_id id)
{
    return given(params, id)->present;
}

const struct value *params_value(const struct params *params, enum param_id id)
{
    const struct value *value = given(params, id);

    if (!value->present)
        value = table_preset(id);
    if (!value->present)
        abort(); /* absent and without default: params_has() was not asked */
    return value;
}

/* The value, after a check that the handler reads it as what it is. */
static const struct value *typed(const struct params *params, enum param_id id,
                                 enum value_type type, enum value_type or_type)
{
    const struct value *value = params_value(params, id);

    if (value->type != type && value->type != or_type)
        abort();
    return value;
}

bool params_bool(const struct params *params, enum param_id id)
{
    return typed(params, id, VALUE_BOOL, VALUE_BOOL)->boolean;
}

int64_t params_int(const struct params *params, enum param_id id)
{
    return typed(params, id, VALUE_INT, VALUE_HANDLE)->integer;
}

uint32_t params_interface(const struct params *params, enum param_id id)
{
    return (uint32_t)typed(params, id, VALUE_INTERFACE, VALUE_INTERFACE)->integer;
}

unsigned params_word(const struct params *params, enum param_id id)
{
    const struct value *value = params_value(params, id);

    if (value->type == VALUE_SWITCH)
        return value->word;
    return typed(params, id, VALUE_ENUM, VALUE_IPV6)->word;
}

double params_seconds(const struct params *params, enum param_id id)
{
    if (!given(params, id)->present && !table_preset(id)->present)
        return -1;
    return typed(params, id, VALUE_SECONDS, VALUE_SECONDS)->seconds;
}

struct value_text params_text(const struct params *params, enum param_id id)
{
    const struct value *value = params_value(params, id);

    if (value->type == VALUE_FILE)
        return value->text;
    return typed(params, id, VALUE_STRING, VALUE_DATA)->text;
}
