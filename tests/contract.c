/* SPDX-License-Identifier: MIT */
/*
 * contract.c - checks replies against the rows of the table and records what was
 * exercised.
 *
 * Records are lines "command NAME", "param COMMAND NAME", "error IDENTIFIER", "result
 * COMMAND NAME" and "field OBJECT NAME", each once per program. Thread: that of the test.
 */
#include <config.h>
#include "tests/contract.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "proto/error.h"
#include "proto/table.h"
#include "tests/unit.h"

/* A row of the table, found by name. The table must be complete before it is read. */
static const struct command *find_command(const char *name)
{
    table_setup();
    return table_find(name, strlen(name));
}

/* ---- Records ---- */

static struct {
    FILE *file;    /* NULL: not opened yet, or nothing is recorded */
    json_t *lines; /* set of the lines already written */
    bool is_asked; /* the file was tried to be opened */
} record;

const char *contract_folder(void)
{
    static char folder[1024];
    const char *build = getenv("SOCKD_BUILDDIR");

    if (!build) {
        return NULL;
    }
    snprintf(folder, sizeof(folder), "%s/tests/record", build);
    if (mkdir(folder, 0777) < 0 && errno != EEXIST) {
        unit_bail_out("%s: %s", folder, strerror(errno));
    }
    return folder;
}

static void close_record(void)
{
    if (record.file) {
        fclose(record.file);
    }
    json_decref(record.lines);
}

/* The record of an earlier run of this program is replaced. */
static void open_record(void)
{
    const char *folder = contract_folder();
    char path[1200];

    record.is_asked = true;
    if (!folder) {
        return;
    }
    snprintf(path, sizeof(path), "%s/%s", folder, program_invocation_short_name);
    record.file = fopen(path, "we");
    record.lines = json_object();
    if (!record.file || !record.lines) {
        unit_bail_out("%s: %s", path, strerror(errno));
    }
    atexit(close_record);
}

static void put_record(const char *kind, const char *first, const char *second)
{
    char line[256];

    if (!record.is_asked) {
        open_record();
    }
    if (!record.file) {
        return;
    }
    snprintf(line, sizeof(line), "%s %s%s%s", kind, first, second ? " " : "",
             second ? second : "");
    if (!json_object_get(record.lines, line)) {
        json_object_set_new(record.lines, line, json_true());
        fprintf(record.file, "%s\n", line);
        /* The program may end by a signal; what it tried was tried. */
        fflush(record.file);
    }
}

void contract_saw_request(const char *method, const json_t *params)
{
    const struct command *command = find_command(method);
    const char *name;
    const json_t *value;

    if (!command) {
        return;
    }
    put_record("command", method, NULL);
    /* Reading only; the iterator of jansson has no const form. */
    json_object_foreach((json_t *)(uintptr_t)params, name, value)
    {
        if (table_command_param(command, name, strlen(name)) && !json_is_null(value)) {
            put_record("param", method, name);
        }
    }
}

void contract_saw_error(const char *identifier) { put_record("error", identifier, NULL); }

/* ---- Values ---- */

/* Where a check stands, for the text of a failure. */
struct place {
    const char *method;
    const char *member;
};

static void fail(const struct place *place, const json_t *json, const char *wanted)
{
    char *text = json ? json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

    UNIT_FAIL("reply of %s, member \"%s\": %s, got %.300s", place->method, place->member,
              wanted, text ? text : "nothing");
    free(text);
}

static bool is_word(const char *spec, const json_t *json)
{
    const char *text = json_string_value(json), *word;
    size_t size;
    unsigned i;

    for (i = 0; text && (word = value_word(spec, i, &size)); i++) {
        if (strlen(text) == size && memcmp(word, text, size) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_handle(const json_t *json)
{
    return json_is_integer(json) && json_integer_value(json) > 0 &&
           json_integer_value(json) < ((json_int_t)1 << 53);
}

static bool is_port(const json_t *json)
{
    return json_is_integer(json) && json_integer_value(json) >= 0 &&
           json_integer_value(json) <= 65535;
}

static bool is_address(const json_t *json)
{
    if (json_is_object(json)) {
        return json_object_size(json) == 2 &&
               json_is_string(json_object_get(json, "ipv6")) &&
               json_is_integer(json_object_get(json, "scope-id"));
    }
    return json_is_integer(json) && json_integer_value(json) >= 0 &&
           json_integer_value(json) <= 0xffffffff;
}

static bool is_list_of(const json_t *json, bool (*is_item)(const char *, const json_t *),
                       const char *spec)
{
    size_t i;

    for (i = 0; i < json_array_size(json); i++) {
        if (!is_item(spec, json_array_get(json, i))) {
            return false;
        }
    }
    return json_is_array(json);
}

static bool is_string_item(const char *spec, const json_t *json)
{
    (void)spec;
    return json_is_string(json);
}

static bool is_handle_item(const char *spec, const json_t *json)
{
    (void)spec;
    return is_handle(json);
}

static bool is_pair(const char *spec, const json_t *json)
{
    (void)spec;
    return json_array_size(json) == 2 && is_list_of(json, is_string_item, NULL);
}

/* A word, or a boolean for the words true and false. */
static bool is_switch(const char *spec, const json_t *json)
{
    json_t *word = json_is_boolean(json)
                       ? json_string(json_is_true(json) ? "true" : "false")
                       : json_incref((json_t *)(uintptr_t)json);
    bool is_good = is_word(spec, word);

    json_decref(word);
    return is_good;
}

/* Whether `json` is a value of this type; objects and lists of them are looked into
 * elsewhere. */
static bool has_type(enum value_type type, const char *spec, const json_t *json)
{
    /* Chains, not a switch: a type that is new in the table must not stop the build of
     * the tests, but is refused below. */
    if (type == VALUE_BOOL) {
        return json_is_boolean(json);
    }
    if (type == VALUE_INT) {
        return json_is_integer(json);
    }
    if (type == VALUE_SECONDS) {
        return json_is_number(json);
    }
    if (type == VALUE_STRING || type == VALUE_DATA || type == VALUE_HOST) {
        return json_is_string(json);
    }
    if (type == VALUE_ENUM) {
        return is_word(spec, json);
    }
    if (type == VALUE_SWITCH) {
        return is_switch(spec, json);
    }
    if (type == VALUE_PAIRS) {
        return is_list_of(json, is_pair, NULL);
    }
    if (type == VALUE_HANDLE) {
        return is_handle(json);
    }
    if (type == VALUE_HANDLES) {
        return is_list_of(json, is_handle_item, NULL);
    }
    if (type == VALUE_STRINGS) {
        return is_list_of(json, is_string_item, NULL);
    }
    if (type == VALUE_NAMES) {
        return is_list_of(json, is_word, spec);
    }
    if (type == VALUE_PORT) {
        return is_port(json);
    }
    if (type == VALUE_ADDRESS) {
        return is_address(json);
    }
    if (type == VALUE_ID) {
        return json_is_string(json) || json_is_number(json);
    }
    if (type == VALUE_IPV6) {
        return json_is_boolean(json) || json_is_string(json);
    }
    return type == VALUE_JSON;
}

/* ---- Objects ---- */

/* Rows to check an object against, and what they belong to. */
struct shape {
    const char *kind; /* "result" or "field", for the record */
    const char *name; /* of the command or object */
    const char *help; /* said of all members */
    const struct result_row *rows;
    unsigned n_rows;
};

/* The texts of the rows are the contract: a member may be null, or absent, if they say
 * so. */
static bool says(const struct shape *shape, const struct result_row *row,
                 const char *word)
{
    return strstr(row->help, word) || strstr(shape->help, word);
}

static bool may_be_absent(const struct shape *shape, const struct result_row *row)
{
    return says(shape, row, "absent") || strstr(row->help, "only") ||
           strstr(row->help, "family");
}

static unsigned check_members(const struct place *place, const struct shape *shape,
                              const json_t *json);

/* Checks an object of the table; every member must belong to it. */
static void check_object(const struct place *place, const char *name, const json_t *json)
{
    const struct object_row *object = table_object(name);
    struct shape shape = {.kind = "field", .name = name};

    if (!object) {
        unit_bail_out("the table has no object \"%s\"", name);
    }
    shape.help = object->help;
    shape.rows = object->fields;
    shape.n_rows = object->n_fields;
    if (!json_is_object(json)) {
        fail(place, json, "wanted an object");
    } else if (check_members(place, &shape, json) != json_object_size(json)) {
        fail(place, json, "an object with a member that the table does not know");
    }
}

static void check_value(const struct place *place, const struct result_row *row,
                        const json_t *json)
{
    char wanted[300];
    size_t i;

    if (row->type == VALUE_OBJECT) {
        check_object(place, row->spec, json);
    } else if (row->type == VALUE_OBJECTS) {
        if (!json_is_array(json)) {
            fail(place, json, "wanted a list of objects");
        }
        for (i = 0; i < json_array_size(json); i++) {
            check_object(place, row->spec, json_array_get(json, i));
        }
    } else if (!has_type(row->type, row->spec, json)) {
        snprintf(wanted, sizeof(wanted), "wanted %s %s", value_type_name(row->type),
                 row->spec ? row->spec : "");
        fail(place, json, wanted);
    }
}

/* Returns how many of the members of `json` the rows know. */
static unsigned check_members(const struct place *place, const struct shape *shape,
                              const json_t *json)
{
    unsigned n_known = 0, i;

    for (i = 0; i < shape->n_rows; i++) {
        const struct result_row *row = &shape->rows[i];
        struct place inner = {place->method, row->name};
        const json_t *value;

        if (row->type == VALUE_INCLUDE) {
            const struct object_row *object = table_object(row->spec);
            struct shape part = {"field", row->spec, object ? object->help : "",
                                 object ? object->fields : NULL,
                                 object ? object->n_fields : 0};

            if (!object) {
                unit_bail_out("the table has no object \"%s\"", row->spec);
            }
            n_known += check_members(place, &part, json);
            continue;
        }
        value = json_object_get(json, row->name);
        if (!value) {
            if (!may_be_absent(shape, row)) {
                fail(&inner, NULL, "the table does not say that it may be absent");
            }
            continue;
        }
        n_known++;
        if (!json_is_null(value)) {
            put_record(shape->kind, shape->name, row->name);
            check_value(&inner, row, value);
        } else if (!says(shape, row, "null")) {
            fail(&inner, value, "the table does not say that it may be null");
        }
    }
    return n_known;
}

void contract_check_result(const char *method, const json_t *result)
{
    const struct command *command = find_command(method);
    struct place place = {method, ""};
    struct shape shape = {.kind = "result", .name = method, .help = ""};

    if (!command) {
        UNIT_FAIL("a method that is not in the table has a result: %s", method);
        return;
    }
    if (json_is_null(result)) {
        if (!(command->flags & COMMAND_NULLABLE)) {
            fail(&place, result, "the table does not say that the result may be null");
        }
        return;
    }
    shape.rows = command->results;
    shape.n_rows = command->n_results;
    if (!json_is_object(result)) {
        fail(&place, result, "wanted an object");
    } else if (check_members(&place, &shape, result) != json_object_size(result)) {
        fail(&place, result, "a result with a member that the table does not know");
    }
}

/* ---- Replies ---- */

static void check_error(const char *method, const json_t *error)
{
    struct place place = {method ? method : "?", "error"};
    const json_t *data = json_object_get(error, "data");
    const char *identifier = json_string_value(json_object_get(data, "identifier"));
    const char *message = json_string_value(json_object_get(error, "message"));
    enum error_id id = identifier ? error_by_identifier(identifier) : ERROR_NONE;

    if (!identifier || id == ERROR_NONE) {
        fail(&place, error, "data.identifier must be one of errors.def");
        return;
    }
    contract_saw_error(identifier);
    if (json_integer_value(json_object_get(error, "code")) != error_row(id)->code) {
        fail(&place, error, "the code is not that of the identifier");
    }
    if (!message || !*message) {
        fail(&place, error, "a sentence in message is missing");
    }
    /* Of these two some never get better: what is too much in the request itself. */
    bool may_be_final = id == ERROR_LIMIT_REACHED || id == ERROR_BUSY;
    const json_t *retryable = json_object_get(data, "retryable");

    if (!json_is_boolean(retryable) ||
        (json_is_true(retryable) != error_row(id)->retryable && !may_be_final)) {
        fail(&place, error, "retryable is not that of the identifier");
    }
}

void contract_check_reply(const char *method, const json_t *reply)
{
    struct place place = {method ? method : "?", ""};
    const char *version = json_string_value(json_object_get(reply, "jsonrpc"));
    const json_t *result = json_object_get(reply, "result");
    const json_t *error = json_object_get(reply, "error");

    if (!version || strcmp(version, "2.0") != 0) {
        fail(&place, reply, "jsonrpc must be \"2.0\"");
    }
    if (json_object_size(reply) != 3 || !json_object_get(reply, "id") ||
        !result == !error) {
        fail(&place, reply, "a reply has jsonrpc, id, and one of result and error");
    } else if (error) {
        check_error(method, error);
    } else if (method) {
        contract_check_result(method, result);
    } else {
        fail(&place, reply, "wanted an error");
    }
}

static void saw_message(const json_t *message)
{
    const char *method = json_string_value(json_object_get(message, "method"));

    if (method) {
        contract_saw_request(method, json_object_get(message, "params"));
    } else if (json_object_get(message, "error")) {
        contract_check_reply(NULL, message);
    }
}

void contract_saw_line(const char *line)
{
    json_t *json = json_loads(line, JSON_ALLOW_NUL, NULL);
    size_t i;

    if (json_is_object(json)) {
        saw_message(json);
    }
    for (i = 0; i < json_array_size(json); i++) {
        saw_message(json_array_get(json, i));
    }
    json_decref(json);
}
