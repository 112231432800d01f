/* SPDX-License-Identifier: MIT */
/*
 * unit_table.c - the rows of commands.def are consistent, and table.c finds them.
 */
#include <config.h>

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "proto/describe.h"
#include "proto/error.h"
#include "proto/table.h"
#include "tests/unit.h"

static bool is_wire_name(const char *name)
{
    if (!islower((unsigned char)name[0])) {
        return false;
    }
    for (const char *p = name; *p; p++) {
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '-' &&
            *p != '.') {
            return false;
        }
    }
    return true;
}

static const struct command *at(unsigned i) { return table_command((enum command_id)i); }

static void test_commands(void)
{
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = at(i);

        CU_ASSERT_EQUAL(command->id, i);
        CU_ASSERT(is_wire_name(command->name));
        CU_ASSERT(command->summary[0] && islower((unsigned char)command->summary[0]));
        CU_ASSERT_STRING_EQUAL(command->since, "0.1");
        CU_ASSERT_PTR_EQUAL(table_find(command->name, strlen(command->name)), command);
        for (unsigned k = 0; k < i; k++) {
            CU_ASSERT_STRING_NOT_EQUAL(command->name, at(k)->name);
        }
    }
}

static void test_unknown_names(void)
{
    static const char *const names[] = {
        "",     "m",    "make-socke", "make-sockets", "MAKE-SOCKET", "make_socket",
        "rpc.", "reads"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        CU_ASSERT_PTR_NULL(table_find(names[i], strlen(names[i])));
    }
    CU_ASSERT_PTR_NULL(table_find("read\0", 5));
    CU_ASSERT_PTR_EQUAL(table_find("reader", 4), table_command(COMMAND_READ));
    CU_ASSERT_PTR_NULL(table_command_param(at(COMMAND_READ), "remote-host", 11));
    CU_ASSERT_PTR_NULL(table_command_param(at(COMMAND_HELLO), "socket", 6));
    CU_ASSERT_PTR_NULL(table_command_param(at(COMMAND_READ), "", 0));
    CU_ASSERT_PTR_NULL(table_object("nothing"));
}

/* A handle to which a request is routed is called `socket`, or is the `first` of two; it
 * is what OWNER looks for. */
static void check_place(const struct command *command)
{
    const struct param_row *row = table_command_param(command, "socket", 6);

    if (command->thread == THREAD_OWNER) {
        row = row ? row : table_command_param(command, "first", 5);
        CU_ASSERT_PTR_NOT_NULL_FATAL(row);
        CU_ASSERT_EQUAL(row->type, VALUE_HANDLE);
        CU_ASSERT(row->required && row->is_word);
        CU_ASSERT_PTR_EQUAL(row, command->params);
        CU_ASSERT_EQUAL(command->access, ACCESS_OWN);
    }
    if (command->flags & COMMAND_WAITS) {
        row = table_command_param(command, "timeout", 7);
        CU_ASSERT_PTR_NOT_NULL_FATAL(row);
        CU_ASSERT_EQUAL(row->type, VALUE_SECONDS);
        CU_ASSERT_FALSE(row->required);
        CU_ASSERT_PTR_NULL(row->preset);
    } else {
        CU_ASSERT_PTR_NULL(table_command_param(command, "timeout", 7));
    }
    if (command->flags & COMMAND_PURE) {
        CU_ASSERT_EQUAL(command->thread, THREAD_HOME);
        CU_ASSERT_EQUAL(command->access, ACCESS_QUERY);
        CU_ASSERT(command->flags & COMMAND_IDEMPOTENT);
    }
}

static void check_row(const struct command *command, const struct param_row *row)
{
    bool wants_spec = row->type == VALUE_ENUM || row->type == VALUE_NAMES ||
                      row->type == VALUE_HANDLE || row->type == VALUE_HANDLES ||
                      row->type == VALUE_OBJECT || row->type == VALUE_OBJECTS ||
                      row->type == VALUE_SWITCH || row->type == VALUE_FILE ||
                      row->type == VALUE_REFERENCE || row->type == VALUE_REFERENCES;

    CU_ASSERT(is_wire_name(row->name));
    CU_ASSERT(row->help[0] != 0);
    CU_ASSERT(row->min <= row->max);
    CU_ASSERT_EQUAL(row->spec != NULL, wants_spec);
    CU_ASSERT(row->type < VALUE_PAIRS);
    CU_ASSERT_PTR_EQUAL(table_param(row->id), row);
    CU_ASSERT_PTR_EQUAL(table_command_param(command, row->name, strlen(row->name)), row);
    /* What is required has no default, and words come in the order of their need. */
    CU_ASSERT_FALSE(row->required && row->preset);
    CU_ASSERT_EQUAL(table_preset(row->id)->present, row->preset != NULL);
    if (strcmp(row->name, "encoding") == 0) {
        CU_ASSERT_STRING_EQUAL(row->spec, "utf-8|base64|latin-1");
    }
}

static void test_params(void)
{
    unsigned next = 0;

    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = at(i);

        for (unsigned k = 0; k < command->n_params; k++) {
            const struct param_row *row = &command->params[k];

            CU_ASSERT_EQUAL(row->id, next++);
            check_row(command, row);
            for (unsigned other = 0; other < k; other++) {
                CU_ASSERT_STRING_NOT_EQUAL(row->name, command->params[other].name);
            }
        }
        check_place(command);
    }
    CU_ASSERT_EQUAL(next, PARAM_COUNT);
}

static void test_presets(void)
{
    CU_ASSERT_EQUAL(table_preset(PARAM_MAKE_SOCKET_TYPE)->word, 0);
    CU_ASSERT_EQUAL(table_preset(PARAM_MAKE_SOCKET_FORMAT)->word, 2);
    CU_ASSERT_EQUAL(table_preset(PARAM_MAKE_SOCKET_BACKLOG)->integer, 4096);
    CU_ASSERT(table_preset(PARAM_MAKE_SOCKET_NODELAY)->boolean);
    CU_ASSERT_EQUAL(table_preset(PARAM_READ_MAX)->integer, 65536);
    CU_ASSERT_FALSE(table_preset(PARAM_READ_EXACTLY)->present);
    CU_ASSERT_EQUAL(table_preset(PARAM_WAIT_FOR_IO_AVAILABLE_INPUT)->handles.n, 0);
    table_setup(); /* again: nothing */
    CU_ASSERT_EQUAL(at(COMMAND_HELLO)->n_params, 0);
}

/* Counts the rows it has seen, so that none is outside of its command or object. */
static unsigned check_results(const struct result_row *rows, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        size_t size;
        const char *key =
            table_result_key((enum result_id)(&rows[i] - table_result(0)), &size);

        CU_ASSERT(rows[i].help[0] != 0);
        CU_ASSERT_EQUAL(strlen(key), size);
        CU_ASSERT(key[0] == '"' && strncmp(key + 1, rows[i].name, size - 3) == 0);
        CU_ASSERT_EQUAL(rows[i].name[0] == 0, rows[i].type == VALUE_INCLUDE);
        if (rows[i].type == VALUE_OBJECT || rows[i].type == VALUE_OBJECTS ||
            rows[i].type == VALUE_INCLUDE) {
            CU_ASSERT_PTR_NOT_NULL(table_object(rows[i].spec));
        } else {
            CU_ASSERT(is_wire_name(rows[i].name));
            /* One of JSON may say that addresses are in it. */
            bool is_address = rows[i].type == VALUE_JSON && rows[i].spec != NULL &&
                              strcmp(rows[i].spec, "address") == 0;
            CU_ASSERT_EQUAL(rows[i].spec != NULL, rows[i].type == VALUE_ENUM ||
                                                      rows[i].type == VALUE_SWITCH ||
                                                      is_address);
        }
        for (unsigned k = 0; k < i; k++) {
            CU_ASSERT_STRING_NOT_EQUAL(rows[i].name, rows[k].name);
        }
    }
    return n;
}

static void test_results(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        n += check_results(at(i)->results, at(i)->n_results);
    }
    for (unsigned i = 0; i < OBJECT_COUNT; i++) {
        const struct object_row *object = table_object_row((enum object_id)i);

        CU_ASSERT(object->n_fields > 0 && object->help[0]);
        CU_ASSERT_PTR_EQUAL(table_object(object->name), object);
        n += check_results(object->fields, object->n_fields);
    }
    CU_ASSERT_EQUAL(n, RESULT_COUNT);
    CU_ASSERT_PTR_EQUAL(table_result(RESULT_WRITE_SIZE), at(COMMAND_WRITE)->results);
}

/* What set-socket-options takes, get-socket-options answers, but for the groups that are
 * joined and left; make-socket's share means the same. */
static void test_options_agree(void)
{
    const struct command *set = at(COMMAND_SET_SOCKET_OPTIONS);
    const struct object_row *object = table_object("options");

    CU_ASSERT_EQUAL_FATAL(object->n_fields, set->n_params - 3);
    for (unsigned i = 0; i < object->n_fields; i++) {
        const struct param_row *row = &set->params[i + 1];
        const struct param_row *make =
            table_command_param(at(COMMAND_MAKE_SOCKET), row->name, strlen(row->name));

        CU_ASSERT_STRING_EQUAL(object->fields[i].name, row->name);
        CU_ASSERT_EQUAL(object->fields[i].type,
                        row->type == VALUE_INTERFACE ? VALUE_INT : row->type);
        if (make) {
            CU_ASSERT_EQUAL(make->type, row->type);
            CU_ASSERT(make->min >= row->min && make->min <= row->min);
            CU_ASSERT(make->max >= row->max && make->max <= row->max);
        }
    }
}

static void test_errors(void)
{
    for (unsigned i = ERROR_NONE + 1; i < ERROR_COUNT; i++) {
        const struct error_row *row = error_row((enum error_id)i);

        CU_ASSERT(is_wire_name(row->identifier));
        CU_ASSERT(row->text[0] != 0);
        CU_ASSERT((row->code <= -32000 && row->code >= -32099) || row->code == -32700 ||
                  (row->code <= -32600 && row->code >= -32603));
        CU_ASSERT_EQUAL(error_by_identifier(row->identifier), i);
    }
    CU_ASSERT_EQUAL(error_by_identifier("no-such-error"), ERROR_NONE);
}

static const json_t *named(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);

        if (strcmp(json_string_value(json_object_get(item, "name")), name) == 0) {
            return item;
        }
    }
    return NULL;
}

static void check_method(const json_t *method, const struct command *command)
{
    const json_t *params = json_object_get(method, "params");

    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(method, "summary")),
                           command->summary);
    CU_ASSERT_EQUAL(json_array_size(params), command->n_params);
    CU_ASSERT_PTR_NOT_NULL(json_object_get(json_object_get(method, "result"), "schema"));
    for (unsigned i = 0; i < command->n_params; i++) {
        const json_t *param = named(params, command->params[i].name);

        CU_ASSERT_PTR_NOT_NULL_FATAL(param);
        CU_ASSERT_PTR_NOT_NULL(json_object_get(param, "schema"));
        CU_ASSERT_EQUAL(json_is_true(json_object_get(param, "required")),
                        command->params[i].required);
    }
}

/* Every {"$ref": ...} leads to something in the document. */
static void check_references(const json_t *json, const json_t *schemas)
{
    static const char begin[] = "#/components/schemas/";
    const char *key;
    json_t *value;
    size_t i;

    if (json_is_object(json)) {
        json_object_foreach((json_t *)(uintptr_t)json, key, value)
        {
            if (strcmp(key, "$ref") == 0) {
                const char *path = json_string_value(value);

                CU_ASSERT_EQUAL_FATAL(strncmp(path, begin, sizeof(begin) - 1), 0);
                CU_ASSERT_PTR_NOT_NULL(
                    json_object_get(schemas, path + sizeof(begin) - 1));
            }
            check_references(value, schemas);
        }
    }
    json_array_foreach(json, i, value) { check_references(value, schemas); }
}

static void test_document(void)
{
    size_t size = 0;
    const char *text = describe_document(&size);
    json_error_t error;
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    const json_t *methods = json_object_get(json, "methods");
    const json_t *components = json_object_get(json, "components");
    const json_t *errors = json_object_get(components, "errors");

    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json, "openrpc")), "1.2.6");
    CU_ASSERT_EQUAL(json_array_size(methods), COMMAND_COUNT);
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        const json_t *method = named(methods, at(i)->name);

        CU_ASSERT_PTR_NOT_NULL_FATAL(method);
        check_method(method, at(i));
    }
    CU_ASSERT_EQUAL(json_object_size(errors), ERROR_COUNT - 1);
    check_references(json, json_object_get(components, "schemas"));
    CU_ASSERT_PTR_EQUAL(describe_document(&size), text);
    CU_ASSERT_PTR_NULL(memchr(text, '\n', size));
    json_decref(json);
}

static const struct unit_test tests[] = {
    {"commands", test_commands},
    {"unknown names", test_unknown_names},
    {"parameters", test_params},
    {"presets", test_presets},
    {"results and objects", test_results},
    {"options are the same everywhere", test_options_agree},
    {"errors", test_errors},
    {"the OpenRPC document is whole", test_document},
};

UNIT_MAIN_AROUND(tests, table_setup, NULL)
