/* SPDX-License-Identifier: MIT */
/*
 * describe.c - the table as an OpenRPC 1.2.6 document.
 *
 * Place: rpc.discover answers it, a test keeps a copy of it so that each change of the
 * interface shows in review. Members that OpenRPC does not know begin with x-.
 *
 * Thread: any, after table_setup().
 */
#include <config.h>

#include "proto/describe.h"

#include <pthread.h>
#include <string.h>
#include "proto/error.h"
#include "proto/table.h"
#include "proto/writer.h"

static void text_member(struct writer *writer, const char *key, const char *text)
{
    writer_key(writer, key);
    writer_text(writer, text);
}

static void int_member(struct writer *writer, const char *key, int64_t number)
{
    writer_key(writer, key);
    writer_int(writer, number);
}

static void plain_type(struct writer *writer, const char *type)
{
    writer_begin_object(writer);
    text_member(writer, "type", type);
    writer_end_object(writer);
}

static void reference(struct writer *writer, const char *name)
{
    static const char begin[] = "\"#/components/schemas/";

    writer_begin_object(writer);
    writer_key(writer, "$ref");
    writer_raw(writer, begin, sizeof(begin) - 1, true);
    writer_raw(writer, name, strlen(name), false);
    writer_raw(writer, "\"", 1, false);
    writer_end_object(writer);
}

static bool is_boolean_word(const char *word, size_t size)
{
    return (size == 4 && memcmp(word, "true", 4) == 0) ||
           (size == 5 && memcmp(word, "false", 5) == 0);
}

/* Of a switch, true and false are no strings. */
static void words(struct writer *writer, const char *spec, bool is_switch)
{
    const char *word;
    size_t size;

    writer_begin_object(writer);
    writer_key(writer, "enum");
    writer_begin_array(writer);
    for (unsigned i = 0; (word = value_word(spec, i, &size)); i++)
        if (is_switch && is_boolean_word(word, size))
            writer_bool(writer, size == 4);
        else
            writer_string(writer, word, size);
    writer_end_array(writer);
    writer_end_object(writer);
}

/* The schemas that do not depend on a row; a reference to one stands where it is used. */
static const struct {
    const char *name, *schema;
} fixed_schemas[] = {
    {"handle", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":9007199254740991}"},
    {"ipv6-address",
     "{\"type\":\"object\",\"required\":[\"ipv6\"],\"additionalProperties\":false,"
     "\"properties\":{\"ipv6\":{\"type\":\"string\"},"
     "\"scope-id\":{\"$ref\":\"#/components/schemas/interface-id\"}}}"},
    {"interface-id", "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0,"
                     "\"maximum\":4294967295},{\"type\":\"string\"}]}"},
    {"address",
     "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0,\"maximum\":4294967295},"
     "{\"$ref\":\"#/components/schemas/ipv6-address\"},{\"type\":\"string\"}]}"},
    {"host", "{\"anyOf\":[{\"type\":\"string\"},"
             "{\"type\":\"integer\",\"minimum\":0,\"maximum\":4294967295},"
             "{\"$ref\":\"#/components/schemas/ipv6-address\"}]}"},
    {"port", "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0,\"maximum\":65535},"
             "{\"type\":\"string\"}]}"},
    {"ipv6", "{\"enum\":[false,true,\"ipv6\"]}"},
    {"id", "{\"type\":[\"string\",\"number\"]}"},
    {"reference", "{\"anyOf\":[{\"$ref\":\"#/components/schemas/handle\"},"
                  "{\"type\":\"string\",\"minLength\":1,\"maxLength\":64}]}"},
    {"pairs", "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"minItems\":2,"
              "\"maxItems\":2,\"items\":{\"type\":\"string\"}}}"},
};

/* Types whose schema is fixed: the name of a component, or a plain type of JSON schema.
 */
static const char *const component_of[VALUE_INCLUDE + 1] = {
    [VALUE_HANDLE] = "handle",
    [VALUE_HOST] = "host",
    [VALUE_PORT] = "port",
    [VALUE_ADDRESS] = "address",
    [VALUE_IPV6] = "ipv6",
    [VALUE_ID] = "id",
    [VALUE_REFERENCE] = "reference",
    [VALUE_PAIRS] = "pairs",
    [VALUE_INTERFACE] = "interface-id",
};
static const char *const plain_type_of[VALUE_INCLUDE + 1] = {
    [VALUE_BOOL] = "boolean",
    [VALUE_DATA] = "string",
};

static bool has_range(const struct param_row *row)
{
    return row->min != 0 || row->max != 0;
}

static void number_schema(struct writer *writer, const struct param_row *row)
{
    bool is_seconds = row->type == VALUE_SECONDS;

    writer_begin_object(writer);
    text_member(writer, "type", is_seconds ? "number" : "integer");
    if (has_range(row)) {
        int_member(writer, "minimum", (int64_t)row->min);
        int_member(writer, "maximum", (int64_t)row->max);
    } else if (is_seconds) {
        int_member(writer, "minimum", 0);
    }
    writer_end_object(writer);
}

/* The bounds of a row count bytes, those of a schema characters, of which there are never
 * more. */
static void string_schema(struct writer *writer, const struct param_row *row)
{
    writer_begin_object(writer);
    text_member(writer, "type", "string");
    if (row->min > 0)
        int_member(writer, "minLength", 1);
    if (row->max > 0)
        int_member(writer, "maxLength", (int64_t)row->max);
    writer_end_object(writer);
}

static void write_item(struct writer *writer, enum value_type type, const char *spec)
{
    if (type == VALUE_HANDLES)
        reference(writer, "handle");
    else if (type == VALUE_ENDPOINTS)
        reference(writer, "address");
    else if (type == VALUE_REFERENCES)
        reference(writer, "reference");
    else if (type == VALUE_NAMES)
        words(writer, spec, false);
    else
        plain_type(writer, "string");
}

/* A list, or where that is allowed one member of it by itself. */
static void list_schema(struct writer *writer, const struct param_row *row)
{
    writer_begin_object(writer);
    writer_key(writer, "anyOf");
    writer_begin_array(writer);
    writer_begin_object(writer);
    text_member(writer, "type", "array");
    writer_key(writer, "items");
    write_item(writer, row->type, row->spec);
    if (has_range(row)) {
        int_member(writer, "minItems", (int64_t)row->min);
        int_member(writer, "maxItems", (int64_t)row->max);
    }
    writer_end_object(writer);
    write_item(writer, row->type, row->spec);
    writer_end_array(writer);
    writer_end_object(writer);
}

/* An object that takes the parameters of a command. */
static void params_schema(struct writer *writer, const struct command *command)
{
    writer_begin_object(writer);
    text_member(writer, "type", "object");
    writer_key(writer, "additionalProperties");
    writer_bool(writer, false);
    writer_key(writer, "properties");
    writer_begin_object(writer);
    for (unsigned i = 0; i < command->n_params; i++) {
        writer_key(writer, command->params[i].name);
        describe_param_schema(writer, &command->params[i]);
    }
    writer_end_object(writer);
    writer_end_object(writer);
}

static void objects_schema(struct writer *writer, const struct param_row *row)
{
    const struct command *command = table_find(row->spec, strlen(row->spec));

    if (row->type == VALUE_OBJECT) {
        params_schema(writer, command);
        return;
    }
    writer_begin_object(writer);
    text_member(writer, "type", "array");
    writer_key(writer, "items");
    params_schema(writer, command);
    writer_end_object(writer);
}

void describe_param_schema(struct writer *writer, const struct param_row *row)
{
    if (component_of[row->type])
        reference(writer, component_of[row->type]);
    else if (plain_type_of[row->type])
        plain_type(writer, plain_type_of[row->type]);
    else if (row->type == VALUE_INT || row->type == VALUE_SECONDS)
        number_schema(writer, row);
    else if (row->type == VALUE_STRING || row->type == VALUE_FILE)
        string_schema(writer, row);
    else if (row->type == VALUE_ENUM || row->type == VALUE_SWITCH)
        words(writer, row->spec, row->type == VALUE_SWITCH);
    else if (row->type == VALUE_OBJECT || row->type == VALUE_OBJECTS)
        objects_schema(writer, row);
    else if (row->type == VALUE_JSON)
        writer_bool(writer, true);
    else
        list_schema(writer, row);
}

static void list_of_references(struct writer *writer, const char *name)
{
    writer_begin_object(writer);
    text_member(writer, "type", "array");
    writer_key(writer, "items");
    reference(writer, name);
    writer_end_object(writer);
}

static void result_type_schema(struct writer *writer, const struct result_row *row)
{
    static const char strings[] = "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}";

    if (row->type == VALUE_OBJECT)
        reference(writer, row->spec);
    else if (row->type == VALUE_OBJECTS)
        list_of_references(writer, row->spec);
    else if (row->type == VALUE_HANDLES)
        list_of_references(writer, "handle");
    else if (row->type == VALUE_STRINGS || row->type == VALUE_NAMES)
        writer_raw(writer, strings, sizeof(strings) - 1, true);
    else if (component_of[row->type])
        reference(writer, component_of[row->type]);
    else if (row->type == VALUE_ENUM || row->type == VALUE_SWITCH)
        words(writer, row->spec, row->type == VALUE_SWITCH);
    else if (row->type == VALUE_JSON)
        writer_bool(writer, true);
    else if (row->type == VALUE_INT)
        plain_type(writer, "integer");
    else if (row->type == VALUE_SECONDS)
        plain_type(writer, "number");
    else
        plain_type(writer, row->type == VALUE_BOOL ? "boolean" : "string");
}

/* The schema of a member, with its help. A help text that says "null when" allows null.
 */
static void result_schema(struct writer *writer, const struct result_row *row)
{
    writer_begin_object(writer);
    text_member(writer, "description", row->help);
    writer_key(writer, "anyOf");
    writer_begin_array(writer);
    result_type_schema(writer, row);
    if (strstr(row->help, "null when"))
        plain_type(writer, "null");
    writer_end_array(writer);
    text_member(writer, "x-type", value_type_name(row->type));
    if (row->spec)
        text_member(writer, "x-spec", row->spec);
    writer_end_object(writer);
}

static void result_members(struct writer *writer, const struct result_row *rows,
                           unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (rows[i].type == VALUE_INCLUDE) {
            const struct object_row *object = table_object(rows[i].spec);

            result_members(writer, object->fields, object->n_fields);
            continue;
        }
        writer_key(writer, rows[i].name);
        result_schema(writer, &rows[i]);
    }
}

/* Members may be added in later versions, so an object may have others. */
static void object_schema(struct writer *writer, const char *help, bool may_be_null,
                          const struct result_row *rows, unsigned n)
{
    static const char object_or_null[] = "[\"object\",\"null\"]";

    writer_begin_object(writer);
    if (help)
        text_member(writer, "description", help);
    writer_key(writer, "type");
    if (may_be_null)
        writer_raw(writer, object_or_null, sizeof(object_or_null) - 1, true);
    else
        writer_text(writer, "object");
    writer_key(writer, "properties");
    writer_begin_object(writer);
    result_members(writer, rows, n);
    writer_end_object(writer);
    writer_end_object(writer);
}

static void write_param(struct writer *writer, const struct param_row *row)
{
    writer_begin_object(writer);
    text_member(writer, "name", row->name);
    text_member(writer, "description", row->help);
    writer_key(writer, "required");
    writer_bool(writer, row->required);
    writer_key(writer, "schema");
    describe_param_schema(writer, row);
    if (row->preset) {
        writer_key(writer, "x-default");
        writer_raw(writer, row->preset, strlen(row->preset), true);
    }
    text_member(writer, "x-type", value_type_name(row->type));
    if (row->spec)
        text_member(writer, "x-spec", row->spec);
    text_member(writer, "x-place", row->is_word ? "word" : "option");
    writer_end_object(writer);
}

static void write_extensions(struct writer *writer, const struct command *command)
{
    static const char *const threads[] = {
        [THREAD_HOME] = "home", [THREAD_OWNER] = "owner",       [THREAD_ALL] = "all",
        [THREAD_MAIN] = "main", [THREAD_RESOLVER] = "resolver",
    };
    static const char *const rights[] = {
        [ACCESS_QUERY] = "query",
        [ACCESS_OWN] = "own",
        [ACCESS_ANY] = "any",
        [ACCESS_ADMIN] = "admin",
    };
    static const struct {
        unsigned flag;
        const char *name;
    } flags[] = {
        {COMMAND_WAITS, "waits"},           {COMMAND_STREAMS, "streams"},
        {COMMAND_IDEMPOTENT, "idempotent"}, {COMMAND_PURE, "pure"},
        {COMMAND_NULLABLE, "nullable"},     {COMMAND_PIECES, "pieces"},
    };

    text_member(writer, "x-access", rights[command->access]);
    text_member(writer, "x-thread", threads[command->thread]);
    text_member(writer, "x-since", command->since);
    writer_key(writer, "x-flags");
    writer_begin_array(writer);
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (command->flags & flags[i].flag)
            writer_text(writer, flags[i].name);
    }
    writer_end_array(writer);
}

static void write_method(struct writer *writer, const struct command *command)
{
    writer_begin_object(writer);
    text_member(writer, "name", command->name);
    text_member(writer, "summary", command->summary);
    if (command->text[0])
        text_member(writer, "description", command->text);
    text_member(writer, "paramStructure", "by-name");
    writer_key(writer, "params");
    writer_begin_array(writer);
    for (unsigned i = 0; i < command->n_params; i++)
        write_param(writer, &command->params[i]);
    writer_end_array(writer);
    writer_key(writer, "result");
    writer_begin_object(writer);
    text_member(writer, "name", "result");
    writer_key(writer, "schema");
    object_schema(writer, NULL, command->flags & COMMAND_NULLABLE, command->results,
                  command->n_results);
    writer_end_object(writer);
    write_extensions(writer, command);
    writer_end_object(writer);
}

static void write_errors(struct writer *writer)
{
    writer_begin_object(writer);
    for (unsigned i = ERROR_NONE + 1; i < ERROR_COUNT; i++) {
        const struct error_row *row = error_row((enum error_id)i);

        writer_key(writer, row->identifier);
        writer_begin_object(writer);
        int_member(writer, "code", row->code);
        text_member(writer, "message", row->text);
        writer_key(writer, "data");
        writer_begin_object(writer);
        text_member(writer, "identifier", row->identifier);
        writer_key(writer, "retryable");
        writer_bool(writer, row->retryable);
        writer_end_object(writer);
        writer_end_object(writer);
    }
    writer_end_object(writer);
}

static void write_components(struct writer *writer)
{
    writer_begin_object(writer);
    writer_key(writer, "schemas");
    writer_begin_object(writer);
    for (size_t i = 0; i < sizeof(fixed_schemas) / sizeof(fixed_schemas[0]); i++) {
        writer_key(writer, fixed_schemas[i].name);
        writer_raw(writer, fixed_schemas[i].schema, strlen(fixed_schemas[i].schema),
                   true);
    }
    for (unsigned i = 0; i < OBJECT_COUNT; i++) {
        const struct object_row *object = table_object_row((enum object_id)i);

        writer_key(writer, object->name);
        object_schema(writer, object->help, false, object->fields, object->n_fields);
    }
    writer_end_object(writer);
    writer_key(writer, "errors");
    write_errors(writer);
    writer_end_object(writer);
}

static struct writer document;

static void write_document(void)
{
    static const char info[] = "{\"title\":\"sockd\",\"version\":\"" PACKAGE_VERSION
                               "\",\"license\":{\"name\":\"MIT\"}}";

    writer_begin_object(&document);
    text_member(&document, "openrpc", "1.2.6");
    writer_key(&document, "info");
    writer_raw(&document, info, sizeof(info) - 1, true);
    writer_key(&document, "methods");
    writer_begin_array(&document);
    for (unsigned i = 0; i < COMMAND_COUNT; i++)
        write_method(&document, table_command((enum command_id)i));
    writer_end_array(&document);
    writer_key(&document, "components");
    write_components(&document);
    writer_end_object(&document);
}

const char *describe_document(size_t *size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once,
                       write_document); /* cannot fail with an initialised control */
    if (document.failed)
        return NULL;
    *size = document.size;
    return document.data;
}
