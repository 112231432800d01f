/* SPDX-License-Identifier: MIT */
/*
 * value.c - checks the JSON of one parameter against its row and turns it into plain C.
 *
 * Place: called by params_check() for every parameter, and for the presets of the table.
 * The forms for people, command-line text and descriptions, are in value_text.c.
 *
 * Thread: any.
 */
#include <config.h>

#include "proto/value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "proto/arena.h"
#include "proto/error.h"
#include "proto/ipaddr.h"
#include "proto/params.h"
#include "proto/table.h"

enum { NAME_MAX_SIZE = 255, SERVICE_MAX_SIZE = 63, OBJECT_NAME_MAX_SIZE = 64 };

#define INTEGER_MAX                                                                      \
    9007199254740991.0 /* the last of those that every JSON reader keeps exact */
#define SECONDS_MAX 1e9

static bool wrong(const struct param_row *row, struct error *error)
{
    char wanted[sizeof(error->wanted)];

    value_describe(row, wanted, sizeof(wanted));
    return error_set_parameter(error, row->name, wanted);
}

static bool no_memory(struct error *error)
{
    return error_set(error, ERROR_INTERNAL, "out of memory");
}

static bool has_range(const struct param_row *row)
{
    return row->min != 0 || row->max != 0;
}

static bool fits(const struct param_row *row, double number)
{
    return !has_range(row) || (number >= row->min && number <= row->max);
}

/* An integer as it is, or a real number without a fraction: some languages write 80
 * as 80.0. */
static bool read_integer(const json_t *json, int64_t *number)
{
    double real;

    if (json_is_integer(json)) {
        *number = json_integer_value(json);
        return true;
    }
    if (!json_is_real(json))
        return false;
    real = json_real_value(json);
    if (!(fabs(real) <= INTEGER_MAX) || trunc(real) < real || trunc(real) > real)
        return false;
    *number = (int64_t)real;
    return true;
}

static struct value_text read_text(const json_t *json)
{
    struct value_text text = {json_string_value(json), json_string_length(json)};

    return text;
}

static bool has_nul(struct value_text text)
{
    return memchr(text.text, 0, text.size) != NULL;
}

static bool check_bool(struct value *value, const struct param_row *row, json_t *json,
                       struct arena *arena, struct error *error)
{
    (void)arena;
    if (!json_is_boolean(json))
        return wrong(row, error);
    value->boolean = json_is_true(json);
    return true;
}

static bool check_int(struct value *value, const struct param_row *row, json_t *json,
                      struct arena *arena, struct error *error)
{
    (void)arena;
    if (!read_integer(json, &value->integer) || !fits(row, (double)value->integer))
        return wrong(row, error);
    return true;
}

static bool check_seconds(struct value *value, const struct param_row *row, json_t *json,
                          struct arena *arena, struct error *error)
{
    (void)arena;
    if (!json_is_number(json))
        return wrong(row, error);
    value->seconds = json_number_value(json);
    if (!has_range(row) && !(value->seconds >= 0 && value->seconds <= SECONDS_MAX))
        return wrong(row, error);
    return fits(row, value->seconds) || wrong(row, error);
}

static bool check_string(struct value *value, const struct param_row *row, json_t *json,
                         struct arena *arena, struct error *error)
{
    (void)arena;
    if (!json_is_string(json))
        return wrong(row, error);
    value->text = read_text(json);
    return (fits(row, (double)value->text.size) && !has_nul(value->text)) ||
           wrong(row, error);
}

/* The size is that of the bytes, so it is checked when these are decoded. */
static bool check_data(struct value *value, const struct param_row *row, json_t *json,
                       struct arena *arena, struct error *error)
{
    (void)arena;
    if (!json_is_string(json))
        return wrong(row, error);
    value->text = read_text(json);
    return true;
}

bool value_find_word(const char *spec, struct value_text text, unsigned *index)
{
    const char *word;
    size_t size;

    for (*index = 0; (word = value_word(spec, *index, &size)); ++*index) {
        if (size == text.size && memcmp(word, text.text, size) == 0)
            return true;
    }
    return false;
}

static bool check_enum(struct value *value, const struct param_row *row, json_t *json,
                       struct arena *arena, struct error *error)
{
    (void)arena;
    if (!json_is_string(json) ||
        !value_find_word(row->spec, read_text(json), &value->word))
        return wrong(row, error);
    return true;
}

/* A boolean is found as its own word, and a string never is one of these. */
static bool check_switch(struct value *value, const struct param_row *row, json_t *json,
                         struct arena *arena, struct error *error)
{
    static const struct value_text yes = {"true", 4}, no = {"false", 5};
    struct value_text text = {"", 0};

    (void)arena;
    if (json_is_boolean(json))
        text = json_is_true(json) ? yes : no;
    else if (json_is_string(json))
        text = read_text(json);
    if (json_is_string(json) &&
        (strcmp(text.text, yes.text) == 0 || strcmp(text.text, no.text) == 0))
        return wrong(row, error);
    return value_find_word(row->spec, text, &value->word) || wrong(row, error);
}

static bool check_ipv6(struct value *value, const struct param_row *row, json_t *json,
                       struct arena *arena, struct error *error)
{
    (void)arena;
    if (json_is_boolean(json))
        value->word = json_is_true(json) ? VALUE_IPV6_TRUE : VALUE_IPV6_FALSE;
    else if (json_is_string(json) && strcmp(json_string_value(json), "ipv6") == 0)
        value->word = VALUE_IPV6_ONLY;
    else
        return wrong(row, error);
    return true;
}

/* ---- Lists, for which one thing by itself will do ---- */

struct list {
    void *items; /* in the arena; NULL: none */
    size_t n;
};

static json_t *item_of(json_t *json, size_t i)
{
    return json_is_array(json) ? json_array_get(json, i) : json;
}

/* Room for as many as there are. */
static bool begin_list(struct list *list, size_t item_size, const struct param_row *row,
                       const json_t *json, struct arena *arena, struct error *error)
{
    list->n = json_is_array(json) ? json_array_size(json) : 1;
    list->items = NULL;
    if (!fits(row, (double)list->n))
        return wrong(row, error);
    if (list->n == 0)
        return true;
    list->items = arena_alloc(arena, list->n * item_size);
    return list->items || no_memory(error);
}

static bool read_handle(const json_t *json, int64_t *handle)
{
    return read_integer(json, handle) && *handle > 0 && *handle <= (int64_t)INTEGER_MAX;
}

static bool check_handle(struct value *value, const struct param_row *row, json_t *json,
                         struct arena *arena, struct error *error)
{
    (void)arena;
    return read_handle(json, &value->integer) || wrong(row, error);
}

static bool check_handles(struct value *value, const struct param_row *row, json_t *json,
                          struct arena *arena, struct error *error)
{
    struct list list;

    if (!begin_list(&list, sizeof(int64_t), row, json, arena, error))
        return false;
    int64_t *items = list.items;

    for (size_t i = 0; i < list.n; i++) {
        if (!read_handle(item_of(json, i), &items[i]))
            return wrong(row, error);
    }
    value->handles.items = items;
    value->handles.n = list.n;
    return true;
}

static bool read_reference(const json_t *json, struct value_reference *reference)
{
    reference->handle = 0;
    reference->name.text = "";
    reference->name.size = 0;
    if (!json_is_string(json))
        return read_handle(json, &reference->handle);
    reference->name = read_text(json);
    return reference->name.size >= 1 && reference->name.size <= OBJECT_NAME_MAX_SIZE &&
           !has_nul(reference->name);
}

static bool check_reference(struct value *value, const struct param_row *row,
                            json_t *json, struct arena *arena, struct error *error)
{
    (void)arena;
    return read_reference(json, &value->reference) || wrong(row, error);
}

static bool check_references(struct value *value, const struct param_row *row,
                             json_t *json, struct arena *arena, struct error *error)
{
    struct list list;

    if (!begin_list(&list, sizeof(struct value_reference), row, json, arena, error))
        return false;
    struct value_reference *items = list.items;

    for (size_t i = 0; i < list.n; i++) {
        if (!read_reference(item_of(json, i), &items[i]))
            return wrong(row, error);
    }
    value->references.items = items;
    value->references.n = list.n;
    return true;
}

/* The number of an interface, or the name of one that exists. */
static bool read_interface(json_t *json, uint32_t *number)
{
    int64_t integer;

    if (json_is_string(json))
        return ipaddr_parse_scope(json_string_value(json), json_string_length(json),
                                  number);
    if (!read_integer(json, &integer) || integer < 0 || integer > UINT32_MAX)
        return false;
    *number = (uint32_t)integer;
    return true;
}

/* {"ipv6": TEXT, "scope-id": N}, and nothing else in it. */
static bool read_ipv6_object(json_t *json, struct value_ip *ip)
{
    json_t *text = json_object_get(json, "ipv6"),
           *scope = json_object_get(json, "scope-id");

    if (json_object_size(json) != (size_t)(scope ? 2 : 1) || !json_is_string(text))
        return false;
    if (!ipaddr_parse(ip, json_string_value(text), json_string_length(text)) ||
        !ip->is_ipv6)
        return false;
    return !scope || json_is_null(scope) || read_interface(scope, &ip->scope_id);
}

/* An IP address object: an integer or an object. */
static bool read_ip(json_t *json, struct value_ip *ip)
{
    int64_t number;

    if (json_is_object(json))
        return read_ipv6_object(json, ip);
    if (!read_integer(json, &number) || number < 0 || number > UINT32_MAX)
        return false;
    ipaddr_from_integer(ip, (uint32_t)number);
    return true;
}

/* Whether a text can be looked up at all. A colon or % belongs to an IPv6 address, so
 * such a text is one that failed; white space and control bytes are in no name. */
static bool is_host_name(struct value_text text)
{
    if (text.size == 0 || text.size > NAME_MAX_SIZE)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.text[i];

        if (c <= ' ' || c == 0x7F || c == ':' || c == '%' || c == '/')
            return false;
    }
    return true;
}

static bool check_host(struct value *value, const struct param_row *row, json_t *json,
                       struct arena *arena, struct error *error)
{
    struct value_host *host = &value->host;

    (void)arena;
    host->name.text = "";
    host->name.size = 0;
    if (json_is_string(json)) {
        host->name = read_text(json);
        host->is_address = ipaddr_parse(&host->ip, host->name.text, host->name.size);
        return host->is_address || is_host_name(host->name) || wrong(row, error);
    }
    host->is_address = true;
    return read_ip(json, &host->ip) || wrong(row, error);
}

static bool check_port(struct value *value, const struct param_row *row, json_t *json,
                       struct arena *arena, struct error *error)
{
    int64_t number = 0;
    struct value_text text;
    size_t i;

    (void)arena;
    value->port.service.text = "";
    value->port.service.size = 0;
    value->port.number = -1;
    if (json_is_string(json)) {
        text = read_text(json);
        for (i = 0; i < text.size && text.text[i] >= '0' && text.text[i] <= '9' && i < 6;
             i++)
            number = number * 10 + (text.text[i] - '0');
        if (text.size == 0 || text.size > SERVICE_MAX_SIZE || has_nul(text))
            return wrong(row, error);
        if (i < text.size && i < 6) {
            value->port.service = text;
            return true;
        }
    } else if (!read_integer(json, &number)) {
        return wrong(row, error);
    }
    if (number < 0 || number > UINT16_MAX)
        return wrong(row, error);
    value->port.number = (int)number;
    return true;
}

static bool check_interface(struct value *value, const struct param_row *row,
                            json_t *json, struct arena *arena, struct error *error)
{
    uint32_t number;

    (void)arena;
    if (!read_interface(json, &number))
        return wrong(row, error);
    value->integer = number;
    return true;
}

static bool check_address(struct value *value, const struct param_row *row, json_t *json,
                          struct arena *arena, struct error *error)
{
    (void)arena;
    if (json_is_string(json))
        return ipaddr_parse(&value->ip, json_string_value(json),
                            json_string_length(json)) ||
               wrong(row, error);
    return read_ip(json, &value->ip) || wrong(row, error);
}

static bool check_strings(struct value *value, const struct param_row *row, json_t *json,
                          struct arena *arena, struct error *error)
{
    struct list list;
    unsigned index;

    if (!begin_list(&list, sizeof(struct value_text), row, json, arena, error))
        return false;
    struct value_text *items = list.items;

    for (size_t i = 0; i < list.n; i++) {
        const json_t *item = item_of(json, i);

        if (!json_is_string(item))
            return wrong(row, error);
        items[i] = read_text(item);
        if (has_nul(items[i]))
            return wrong(row, error);
        if (row->type == VALUE_NAMES && !value_find_word(row->spec, items[i], &index))
            return wrong(row, error);
    }
    value->strings.items = items;
    value->strings.n = list.n;
    return true;
}

/* An IP address object, or text, in which a port may follow. */
static bool read_endpoint(json_t *json, struct value_endpoint *endpoint)
{
    memset(endpoint, 0, sizeof(*endpoint));
    endpoint->port = -1;
    if (json_is_string(json))
        return ipaddr_parse_endpoint(&endpoint->ip, &endpoint->port,
                                     json_string_value(json), json_string_length(json));
    return read_ip(json, &endpoint->ip);
}

static bool check_endpoints(struct value *value, const struct param_row *row,
                            json_t *json, struct arena *arena, struct error *error)
{
    struct list list;

    if (!begin_list(&list, sizeof(struct value_endpoint), row, json, arena, error))
        return false;
    struct value_endpoint *items = list.items;

    for (size_t i = 0; i < list.n; i++) {
        if (!read_endpoint(item_of(json, i), &items[i]))
            return wrong(row, error);
    }
    value->endpoints.items = items;
    value->endpoints.n = list.n;
    return true;
}

static bool check_id(struct value *value, const struct param_row *row, json_t *json,
                     struct arena *arena, struct error *error)
{
    (void)arena;
    value->json = json;
    return json_is_string(json) || json_is_number(json) || wrong(row, error);
}

static bool check_json(struct value *value, const struct param_row *row, json_t *json,
                       struct arena *arena, struct error *error)
{
    (void)row;
    (void)arena;
    (void)error;
    value->json = json;
    return true;
}

/* Puts the way to an inner parameter before its name: "port" becomes "listen.port", and
 * "connect[1].port" in a list. */
static bool inner_error(const struct param_row *row, bool is_list, size_t i,
                        struct error *error)
{
    char prefix[80];

    if (is_list)
        (void)snprintf(prefix, sizeof(prefix), "%.50s[%zu].", row->name, i);
    else
        (void)snprintf(prefix, sizeof(prefix), "%.50s.", row->name);
    return error_prefix_parameter(error, prefix);
}

static bool check_objects(struct value *value, const struct param_row *row, json_t *json,
                          struct arena *arena, struct error *error)
{
    const struct command *command = table_find(row->spec, strlen(row->spec));
    struct list list;

    if (!command)
        return error_set(error, ERROR_INTERNAL, "%s: no command %s", row->name,
                         row->spec);
    if (row->type == VALUE_OBJECT && !json_is_object(json))
        return wrong(row, error);
    if (!begin_list(&list, sizeof(struct params), row, json, arena, error))
        return false;
    struct params *items = list.items;

    for (size_t i = 0; i < list.n; i++) {
        json_t *item = item_of(json, i);

        if (!json_is_object(item))
            return wrong(row, error);
        if (!params_check(&items[i], command, item, arena, error))
            return inner_error(row, json_is_array(json), i, error);
    }
    value->objects.items = items;
    value->objects.n = list.n;
    return true;
}

typedef bool value_check_function(struct value *value, const struct param_row *row,
                                  json_t *json, struct arena *arena, struct error *error);

static value_check_function *const checks[] = {
    [VALUE_BOOL] = check_bool,           [VALUE_INT] = check_int,
    [VALUE_SECONDS] = check_seconds,     [VALUE_STRING] = check_string,
    [VALUE_ENUM] = check_enum,           [VALUE_IPV6] = check_ipv6,
    [VALUE_DATA] = check_data,           [VALUE_HANDLE] = check_handle,
    [VALUE_SWITCH] = check_switch,       [VALUE_FILE] = check_string,
    [VALUE_REFERENCE] = check_reference, [VALUE_REFERENCES] = check_references,
    [VALUE_HANDLES] = check_handles,     [VALUE_HOST] = check_host,
    [VALUE_PORT] = check_port,           [VALUE_ADDRESS] = check_address,
    [VALUE_STRINGS] = check_strings,     [VALUE_NAMES] = check_strings,
    [VALUE_ENDPOINTS] = check_endpoints, [VALUE_ID] = check_id,
    [VALUE_JSON] = check_json,           [VALUE_OBJECT] = check_objects,
    [VALUE_INTERFACE] = check_interface, [VALUE_OBJECTS] = check_objects,
};

bool value_check(struct value *value, const struct param_row *row, json_t *json,
                 struct arena *arena, struct error *error)
{
    if (!checks[row->type](value, row, json, arena, error))
        return false;
    value->type = row->type;
    value->present = true;
    return true;
}

bool value_is_plain(const struct value *value)
{
    static const bool is_plain[VALUE_INCLUDE + 1] = {
        [VALUE_BOOL] = true,   [VALUE_INT] = true,       [VALUE_SECONDS] = true,
        [VALUE_ENUM] = true,   [VALUE_SWITCH] = true,    [VALUE_IPV6] = true,
        [VALUE_HANDLE] = true, [VALUE_INTERFACE] = true,
    };

    if (value->type == VALUE_HANDLES)
        return value->handles.n == 0;
    if (value->type == VALUE_PORT)
        return value->port.number >= 0;
    return is_plain[value->type];
}
