/* SPDX-License-Identifier: MIT */
/*
 * value_text.c - the types for people: their names, what a row takes in words, and
 * command-line text turned into the JSON that value_check() takes.
 *
 * Place: error messages, help, manual and introspection; the command-line client. Any
 * thread.
 */
#include <config.h>

#include "proto/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/error.h"
#include "proto/table.h"
#include "proto/text.h"

static const char *const type_names[] = {
    [VALUE_BOOL] = "boolean",        [VALUE_INT] = "integer",
    [VALUE_SECONDS] = "seconds",     [VALUE_STRING] = "string",
    [VALUE_ENUM] = "word",           [VALUE_IPV6] = "ipv6",
    [VALUE_DATA] = "data",           [VALUE_HANDLE] = "handle",
    [VALUE_HANDLES] = "handles",     [VALUE_HOST] = "host",
    [VALUE_PORT] = "port",           [VALUE_ADDRESS] = "address",
    [VALUE_STRINGS] = "strings",     [VALUE_NAMES] = "words",
    [VALUE_ENDPOINTS] = "endpoints", [VALUE_ID] = "id",
    [VALUE_JSON] = "json",           [VALUE_OBJECT] = "object",
    [VALUE_OBJECTS] = "objects",     [VALUE_INCLUDE] = "members",
    [VALUE_SWITCH] = "switch",       [VALUE_FILE] = "file",
    [VALUE_REFERENCE] = "reference", [VALUE_REFERENCES] = "references",
    [VALUE_PAIRS] = "pairs",         [VALUE_INTERFACE] = "interface",
};

const char *value_type_name(enum value_type type) { return type_names[type]; }

const char *value_word(const char *spec, unsigned index, size_t *size)
{
    while (index--) {
        spec = strchr(spec, '|');
        if (!spec)
            return NULL;
        spec++;
    }
    *size = strcspn(spec, "|");
    return spec;
}

/* "stream|datagram" -> "stream, datagram" */
static void describe_words(const char *before, const char *spec, char *text, size_t size)
{
    size_t at;

    (void)snprintf(text, size, "%s", before);
    at = strlen(text);
    for (; *spec && at + 3 < size; spec++) {
        if (*spec == '|') {
            text[at++] = ',';
            text[at++] = ' ';
        } else {
            text[at++] = *spec;
        }
    }
    text[at] = 0;
}

/* "a string" and its bounds: "a string of 1 to 64 bytes". */
static void describe_bounds(const struct param_row *row, const char *what,
                            const char *between, const char *unit, char *text,
                            size_t size)
{
    if (row->min == 0 && row->max == 0)
        (void)snprintf(text, size, "%s", what);
    else
        (void)snprintf(text, size, "%s %s %.0f to %.0f%s", what, between, row->min,
                       row->max, unit);
}

static const char *const plain_descriptions[VALUE_INCLUDE + 1] = {
    [VALUE_BOOL] = "true or false",
    [VALUE_IPV6] = "true, false or \"ipv6\"",
    [VALUE_HANDLE] = "a handle: a positive integer",
    [VALUE_REFERENCE] = "a handle, or a name of 1 to 64 bytes",
    [VALUE_HOST] =
        "a host: name, IPv4 or IPv6 text, 32-bit integer, or {\"ipv6\", \"scope-id\"}",
    [VALUE_PORT] = "a port: an integer from 0 to 65535 or the name of a service",
    [VALUE_ADDRESS] =
        "an address: IPv4 or IPv6 text, 32-bit integer, or {\"ipv6\", \"scope-id\"}",
    [VALUE_INTERFACE] = "an interface: its number or its name",
    [VALUE_ID] = "a string or a number",
    [VALUE_JSON] = "any JSON value",
};

void value_describe(const struct param_row *row, char *text, size_t size)
{
    char what[64];

    if (plain_descriptions[row->type])
        (void)snprintf(text, size, "%s", plain_descriptions[row->type]);
    else if (row->type == VALUE_INT)
        describe_bounds(row, "an integer", "from", "", text, size);
    else if (row->type == VALUE_SECONDS && row->min == 0 && row->max == 0)
        (void)snprintf(text, size, "seconds: a number from 0 to 1000000000");
    else if (row->type == VALUE_SECONDS)
        describe_bounds(row, "seconds: a number", "from", "", text, size);
    else if (row->type == VALUE_STRING)
        describe_bounds(row, "a string without NUL", "of", " bytes", text, size);
    else if (row->type == VALUE_DATA)
        describe_bounds(row, "a string written in encoding", "of", " bytes", text, size);
    else if (row->type == VALUE_FILE)
        describe_bounds(row, "a text without NUL", "of", " bytes", text, size);
    else if (row->type == VALUE_ENUM || row->type == VALUE_SWITCH)
        describe_words("one of ", row->spec, text, size);
    else if (row->type == VALUE_NAMES)
        describe_words("a list of ", row->spec, text, size);
    else if (row->type == VALUE_HANDLES)
        describe_bounds(row, "a list of handles", "with", " members", text, size);
    else if (row->type == VALUE_REFERENCES)
        describe_bounds(row, "a list of handles and names", "with", " members", text,
                        size);
    else if (row->type == VALUE_STRINGS)
        describe_bounds(row, "a list of strings", "with", " members", text, size);
    else if (row->type == VALUE_ENDPOINTS)
        describe_bounds(row, "a list of addresses such as ::1, 127.0.0.1:53 or [::1]:53",
                        "with", " members", text, size);
    else if (row->type == VALUE_OBJECTS) {
        (void)snprintf(what, sizeof(what), "a list of objects with parameters of %s",
                       row->spec);
        describe_bounds(row, what, "and", " members", text, size);
    } else {
        (void)snprintf(text, size, "an object with the parameters of %s", row->spec);
    }
}

/* Any JSON text; NULL: it is none. */
static json_t *parse(const char *text)
{
    json_error_t ignored;

    return json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES,
                      &ignored);
}

/* json_loads() goes by JSON's rules in every locale, which strtod() does not. */
static json_t *number_from_text(const char *text)
{
    json_t *json = parse(text);

    if (json_is_number(json))
        return json;
    json_decref(json);
    return NULL;
}

/* People write .3, which JSON does not know. */
static json_t *seconds_from_text(const char *text)
{
    char padded[64] = "0";

    if (text[0] != '.' || strlen(text) >= sizeof(padded) - 1)
        return number_from_text(text);
    memcpy(padded + 1, text, strlen(text) + 1);
    return number_from_text(padded);
}

static json_t *bool_from_text(const char *text)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (strcmp(text, yes[i]) == 0)
            return json_true();
        if (strcmp(text, no[i]) == 0)
            return json_false();
    }
    return NULL;
}

/* "a,b,c" as JSON values; "" is the empty list. People write "a, b", so blanks around an
 * item are none of its own: JSON text keeps them. */
static json_t *items_from_text(const char *text, json_t *(*item_from_text)(const char *))
{
    json_t *list = json_array();

    for (bool is_done = text[0] == 0; list && !is_done;) {
        size_t size = strcspn(text, ","), first = strspn(text, " \t"), last = size;
        while (last > first && strchr(" \t", text[last - 1]))
            last--;
        first = first < last ? first : last;
        char *item = strndup(text + first, last - first);
        json_t *json = item ? item_from_text(item) : NULL;

        free(item);
        if (!json || json_array_append_new(list, json)) {
            json_decref(list);
            return NULL;
        }
        is_done = text[size] == 0;
        text += size + 1;
    }
    return list;
}

/* JSON text of a list is taken, too. */
static json_t *list_from_text(const char *text, json_t *(*item_from_text)(const char *))
{
    return text[0] == '[' ? parse(text) : items_from_text(text, item_from_text);
}

/* Text that begins as JSON does must be JSON; any other is a string. */
static json_t *any_from_text(const char *text)
{
    json_t *json = parse(text);

    if (json || (text[0] && strchr("{[\"", text[0])))
        return json;
    return json_string(text);
}

static json_t *braces_or_string(const char *text)
{
    return text[0] == '{' ? parse(text) : json_string(text);
}

static json_t *number_or_string(const char *text)
{
    json_t *json = number_from_text(text);

    return json ? json : json_string(text);
}

static json_t *id_from_text(const char *text)
{
    return text[0] == '"' ? parse(text) : number_or_string(text);
}

static json_t *ipv6_from_text(const char *text)
{
    return strcmp(text, "ipv6") == 0 ? json_string(text) : bool_from_text(text);
}

/* "no" and "off" are false, as for a boolean. */
static json_t *switch_from_text(const char *text)
{
    json_t *json = bool_from_text(text);

    return json ? json : json_string(text);
}

static json_t *references_from_text(const char *text)
{
    return list_from_text(text, number_or_string);
}

static json_t *numbers_from_text(const char *text)
{
    return list_from_text(text, number_from_text);
}

/* "[" may be the beginning of "[::1]:53", too; that of a list of strings goes on with a
 * quote. */
static json_t *strings_from_text(const char *text)
{
    json_t *list = text[0] == '[' ? parse(text) : NULL;

    if (list || (text[0] == '[' && text[1 + strspn(text + 1, " \t\r\n")] == '"'))
        return list;
    return items_from_text(text, json_string);
}

static json_t *(*const from_text[])(const char *text) = {
    [VALUE_BOOL] = bool_from_text,
    [VALUE_INT] = number_from_text,
    [VALUE_SECONDS] = seconds_from_text,
    [VALUE_STRING] = json_string,
    [VALUE_ENUM] = json_string,
    [VALUE_IPV6] = ipv6_from_text,
    [VALUE_SWITCH] = switch_from_text,
    [VALUE_FILE] = json_string,
    [VALUE_REFERENCE] = number_or_string,
    [VALUE_REFERENCES] = references_from_text,
    [VALUE_DATA] = json_string,
    [VALUE_HANDLE] = number_from_text,
    [VALUE_HANDLES] = numbers_from_text,
    [VALUE_HOST] = braces_or_string,
    [VALUE_PORT] = number_or_string,
    [VALUE_ADDRESS] = braces_or_string,
    [VALUE_INTERFACE] = number_or_string,
    [VALUE_STRINGS] = strings_from_text,
    [VALUE_NAMES] = strings_from_text,
    [VALUE_ENDPOINTS] = strings_from_text,
    [VALUE_ID] = id_from_text,
    [VALUE_JSON] = any_from_text,
    [VALUE_OBJECT] = parse,
    [VALUE_OBJECTS] = parse,
};

json_t *value_from_text(const struct param_row *row, const char *text,
                        struct error *error)
{
    char wanted[sizeof(error->wanted)];
    json_t *json;

    if (!text_is_utf8(text, strlen(text))) {
        (void)error_set_parameter(error, row->name, "UTF-8 text");
        return NULL;
    }
    json = from_text[row->type](text);
    if (!json) {
        value_describe(row, wanted, sizeof(wanted));
        (void)error_set_parameter(error, row->name, wanted);
    }
    return json;
}
