/* SPDX-License-Identifier: MIT */
/*
 * remote.c - commands that this build does not know, as rows made from the daemon's own
 * description (rpc.discover).
 *
 * The members that begin with x- are those of proto/describe.c. What is missing or new in
 * them is read as the most general kind: any JSON, an option.
 */
#include <config.h>
#include "client/remote.h"

#include <stdlib.h>
#include <string.h>

#include "client/columns.h"
#include "client/memory.h"
#include "client/problem.h"
#include "client/session.h"
#include "proto/value.h"

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static enum value_type type_of(const json_t *object)
{
    const char *name = text_of(object, "x-type");

    for (enum value_type type = VALUE_BOOL; type < VALUE_INCLUDE; type++)
        if (strcmp(name, value_type_name(type)) == 0)
            return type;
    return VALUE_JSON;
}

static bool needs_spec(enum value_type type)
{
    return type == VALUE_ENUM || type == VALUE_SWITCH || type == VALUE_FILE ||
           type == VALUE_NAMES || type == VALUE_OBJECT || type == VALUE_OBJECTS;
}

/* Bounds may stand in the schema itself or in the list that is one of its alternatives.
 */
static void read_bounds(struct param_row *row, const json_t *schema)
{
    static const char *const names[][2] = {
        {"minimum", "maximum"}, {"minLength", "maxLength"}, {"minItems", "maxItems"}};
    const json_t *list = json_array_get(json_object_get(schema, "anyOf"), 0);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const json_t *from =
            json_object_get(list ? list : schema, names[i][1]) && list ? list : schema;
        const json_t *max = json_object_get(from, names[i][1]);

        if (max) {
            row->min = json_number_value(json_object_get(from, names[i][0]));
            row->max = json_number_value(max);
        }
    }
}

static void read_param(struct param_row *row, const json_t *param)
{
    const json_t *preset = json_object_get(param, "x-default");

    row->name = text_of(param, "name");
    row->help = text_of(param, "description");
    row->required = json_is_true(json_object_get(param, "required"));
    row->is_word = strcmp(text_of(param, "x-place"), "word") == 0;
    row->type = type_of(param);
    row->spec = json_string_value(json_object_get(param, "x-spec"));
    if (!row->spec && needs_spec(row->type))
        row->type = VALUE_JSON;
    if (row->type != VALUE_HANDLE)
        read_bounds(row, json_object_get(param, "schema"));
    if (preset)
        row->preset = memory_need(json_dumps(preset, JSON_ENCODE_ANY | JSON_COMPACT));
}

static void read_params(struct command *command, const json_t *params)
{
    size_t n = json_array_size(params);
    struct param_row *rows = memory_new(n * sizeof(*rows));

    for (size_t i = 0; i < n; i++)
        read_param(&rows[i], json_array_get(params, i));
    command->params = rows;
    command->n_params = (unsigned)n;
}

static void read_results(struct command *command, json_t *properties)
{
    struct result_row *rows = memory_new(json_object_size(properties) * sizeof(*rows));
    unsigned n = 0;
    const char *name;
    json_t *property;

    json_object_foreach(properties, name, property)
    {
        struct result_row *row = &rows[n++];

        row->name = name;
        row->help = text_of(property, "description");
        row->type = type_of(property);
        row->spec = json_string_value(json_object_get(property, "x-spec"));
        if (row->type == VALUE_OBJECTS && (!row->spec || !table_object(row->spec)))
            row->type = VALUE_JSON;
    }
    command->results = rows;
    command->n_results = n;
}

static unsigned read_flags(const json_t *names)
{
    static const struct {
        const char *name;
        unsigned flag;
    } known[] = {
        {"waits", COMMAND_WAITS},       {"streams", COMMAND_STREAMS},
        {"nullable", COMMAND_NULLABLE}, {"idempotent", COMMAND_IDEMPOTENT},
        {"pieces", COMMAND_PIECES},
    };
    unsigned flags = 0;
    size_t i;
    const json_t *name;

    json_array_foreach(names, i, name)
    {
        for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
            if (json_is_string(name) &&
                strcmp(json_string_value(name), known[k].name) == 0)
                flags |= known[k].flag;
    }
    return flags;
}

bool remote_read(struct remote *remote, json_t *document, const char *name,
                 struct problem *problem)
{
    size_t i;
    json_t *method;

    *remote = (struct remote){.document = document};
    json_array_foreach(json_object_get(document, "methods"), i, method)
    {
        if (strcmp(text_of(method, "name"), name) != 0)
            continue;
        struct command *command = &remote->command;
        json_t *schema = json_object_get(json_object_get(method, "result"), "schema");

        command->name = text_of(method, "name");
        command->summary = text_of(method, "summary");
        command->text = text_of(method, "description");
        command->since = text_of(method, "x-since");
        command->flags = read_flags(json_object_get(method, "x-flags"));
        read_params(command, json_object_get(method, "params"));
        read_results(command, json_object_get(schema, "properties"));
        return true;
    }
    remote_fini(remote);

    char *shown = columns_visible(name, strlen(name));

    (void)problem_usage(
        problem,
        "there is no command \"%s\", and the daemon knows none of this name; "
        "see \"sockctl help\"",
        shown);
    free(shown);
    return false;
}

bool remote_find(struct remote *remote, struct session *session, const char *name,
                 struct problem *problem)
{
    json_t *none = memory_need(json_object());
    json_t *document = session_call_json(session, "rpc.discover", none, problem);

    json_decref(none);
    return document && remote_read(remote, document, name, problem);
}

void remote_fini(struct remote *remote)
{
    struct param_row *params = (struct param_row *)(uintptr_t)remote->command.params;

    for (unsigned i = 0; i < remote->command.n_params; i++)
        free((char *)(uintptr_t)params[i].preset);
    free(params);
    free((void *)(uintptr_t)remote->command.results);
    json_decref(remote->document);
    *remote = (struct remote){0};
}
