/* SPDX-License-Identifier: MIT */
/*
 * unit_value.c - value.c and value_text.c: what each type takes and refuses, from JSON
 * and from the command line.
 */
#include <config.h>

#include <jansson.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "proto/arena.h"
#include "proto/error.h"
#include "proto/ipaddr.h"
#include "proto/params.h"
#include "proto/table.h"
#include "proto/value.h"
#include "tests/unit.h"

static struct arena arena;
static struct error error;
static struct value value;

static void after(void) { arena_fini(&arena); }

static struct param_row row_of(enum value_type type, double min, double max,
                               const char *spec)
{
    struct param_row row = {.name = "it",
                            .type = type,
                            .min = min,
                            .max = max,
                            .spec = spec,
                            .help = "a thing"};

    return row;
}

static bool check(const struct param_row *row, const char *text)
{
    json_error_t json_error;
    json_t *json = arena_json(&arena, text, strlen(text),
                              JSON_DECODE_ANY | JSON_ALLOW_NUL, &json_error);

    if (!json) {
        unit_bail_out("not JSON: %s", text);
    }
    memset(&value, 0x55, sizeof(value));
    memset(&error, 0x55, sizeof(error));
    return value_check(&value, row, json, &arena, &error);
}

static void takes(const struct param_row *row, const char *text)
{
    if (!check(row, text)) {
        UNIT_FAIL("%s refuses %s", value_type_name(row->type), text);
    } else {
        CU_ASSERT(value.present);
        CU_ASSERT_EQUAL(value.type, row->type);
    }
}

/* Each text up to the NULL is refused, with the row's name and a description. */
static void refuses(const struct param_row *row, const char *const *texts)
{
    char wanted[128];

    value_describe(row, wanted, sizeof(wanted));
    for (; *texts; texts++) {
        if (check(row, *texts)) {
            UNIT_FAIL("%s takes %s", value_type_name(row->type), *texts);
            continue;
        }
        CU_ASSERT_EQUAL(error.id, ERROR_INVALID_PARAMS);
        CU_ASSERT_STRING_EQUAL(error.parameter, "it");
        CU_ASSERT_STRING_EQUAL(error.wanted, wanted);
        CU_ASSERT(strlen(wanted) > 3);
    }
}

#define REFUSES(ROW, ...) refuses(ROW, (const char *const[]){__VA_ARGS__, NULL})

static void test_bool(void)
{
    struct param_row row = row_of(VALUE_BOOL, 0, 0, NULL);

    takes(&row, "true");
    CU_ASSERT(value.boolean);
    takes(&row, "false");
    CU_ASSERT_FALSE(value.boolean);
    REFUSES(&row, "0", "1", "\"true\"", "null", "[]", "{}");
}

static void test_int(void)
{
    struct param_row row = row_of(VALUE_INT, -1, 65535, NULL);
    struct param_row any = row_of(VALUE_INT, 0, 0, NULL);

    takes(&row, "-1");
    CU_ASSERT_EQUAL(value.integer, -1);
    takes(&row, "65535");
    takes(&row, "80.0");
    CU_ASSERT_EQUAL(value.integer, 80);
    takes(&row, "1e3");
    CU_ASSERT_EQUAL(value.integer, 1000);
    REFUSES(&row, "-2", "65536", "80.5", "1e9", "1e300", "\"80\"", "true", "null",
            "[80]");
    takes(&any, "-9223372036854775808");
    takes(&any, "9007199254740991.0");
    REFUSES(&any, "1e17", "-1e17", "0.1");
}

static void test_seconds(void)
{
    struct param_row row = row_of(VALUE_SECONDS, 0, 0, NULL);
    struct param_row negative = row_of(VALUE_SECONDS, -1, 1000, NULL);

    takes(&row, "0");
    takes(&row, "0.25");
    CU_ASSERT_DOUBLE_EQUAL(value.seconds, 0.25, 0);
    takes(&row, "1e9");
    REFUSES(&row, "-0.001", "1.1e9", "\"1\"", "true", "null");
    takes(&negative, "-1");
    REFUSES(&negative, "-1.5", "1000.5");
}

static void test_string(void)
{
    struct param_row row = row_of(VALUE_STRING, 1, 5, NULL);
    struct param_row any = row_of(VALUE_STRING, 0, 0, NULL);

    takes(&row, "\"abcde\"");
    CU_ASSERT_STRING_EQUAL(value.text.text, "abcde");
    CU_ASSERT_EQUAL(value.text.size, 5);
    takes(&any, "\"\"");
    takes(&any, "\"\xC3\xA4\xE2\x82\xAC\"");
    CU_ASSERT_EQUAL(value.text.size, 5);
    REFUSES(&row, "\"\"", "\"abcdef\"", "\"a\\u0000\"", "1", "null", "[\"a\"]");
}

static void test_enum(void)
{
    struct param_row row = row_of(VALUE_ENUM, 0, 0, "stream|datagram|str");

    takes(&row, "\"stream\"");
    CU_ASSERT_EQUAL(value.word, 0);
    takes(&row, "\"datagram\"");
    CU_ASSERT_EQUAL(value.word, 1);
    takes(&row, "\"str\"");
    CU_ASSERT_EQUAL(value.word, 2);
    REFUSES(&row, "\"Stream\"", "\"strea\"", "\"\"", "\"stream|datagram\"", "\"|\"", "0",
            "\"stream\\u0000\"", "null");
}

static void test_switch(void)
{
    struct param_row row = row_of(VALUE_SWITCH, 0, 0, "false|true|leaf|chain");
    struct param_row one = row_of(VALUE_SWITCH, 0, 0, "false|required");

    takes(&row, "false");
    CU_ASSERT_EQUAL(value.word, 0);
    takes(&row, "true");
    CU_ASSERT_EQUAL(value.word, 1);
    takes(&row, "\"chain\"");
    CU_ASSERT_EQUAL(value.word, 3);
    REFUSES(&row, "\"true\"", "\"false\"", "\"lea\"", "1", "null", "[true]");
    takes(&one, "\"required\"");
    CU_ASSERT_EQUAL(value.word, 1);
    REFUSES(&one, "true", "\"true\"");
}

static void test_file(void)
{
    struct param_row row = row_of(VALUE_FILE, 1, 5, "file");

    takes(&row, "\"abcde\"");
    CU_ASSERT_STRING_EQUAL(value.text.text, "abcde");
    REFUSES(&row, "\"\"", "\"abcdef\"", "\"a\\u0000\"", "1", "[\"a\"]");
}

static void test_references(void)
{
    struct param_row one = row_of(VALUE_REFERENCE, 0, 0, "context");
    struct param_row list = row_of(VALUE_REFERENCES, 1, 3, "context");
    char name[80] = "";

    takes(&one, "7");
    CU_ASSERT_EQUAL(value.reference.handle, 7);
    takes(&one, "\"web\"");
    CU_ASSERT_EQUAL(value.reference.handle, 0);
    CU_ASSERT_STRING_EQUAL(value.reference.name.text, "web");
    memset(name, 'a', 67);
    name[0] = name[66] = '"';
    REFUSES(&one, "0", "-1", "1.5", "\"\"", "\"a\\u0000\"", "[1]", "null", "true", name);
    takes(&list, "[3,\"web\"]");
    CU_ASSERT_EQUAL(value.references.n, 2);
    CU_ASSERT_EQUAL(value.references.items[0].handle, 3);
    CU_ASSERT_STRING_EQUAL(value.references.items[1].name.text, "web");
    takes(&list, "\"web\"");
    CU_ASSERT_EQUAL(value.references.n, 1);
    REFUSES(&list, "[]", "[1,2,3,4]", "[1,\"\"]", "[[1]]", "{}");
}

static void test_ipv6(void)
{
    struct param_row row = row_of(VALUE_IPV6, 0, 0, NULL);

    takes(&row, "false");
    CU_ASSERT_EQUAL(value.word, VALUE_IPV6_FALSE);
    takes(&row, "true");
    CU_ASSERT_EQUAL(value.word, VALUE_IPV6_TRUE);
    takes(&row, "\"ipv6\"");
    CU_ASSERT_EQUAL(value.word, VALUE_IPV6_ONLY);
    REFUSES(&row, "\"true\"", "\"IPv6\"", "6", "null");
}

static void test_data(void)
{
    struct param_row row = row_of(VALUE_DATA, 1, 3, NULL);

    takes(&row, "\"a\\u0000b\"");
    CU_ASSERT_EQUAL(value.text.size, 3);
    CU_ASSERT_EQUAL(memcmp(value.text.text, "a\0b", 4), 0);
    takes(&row, "\"longer, but not decoded yet\"");
    REFUSES(&row, "1", "[1,2,3]", "null");
}

static void test_handles(void)
{
    struct param_row one = row_of(VALUE_HANDLE, 0, 0, "socket");
    struct param_row list = row_of(VALUE_HANDLES, 0, 3, "socket");

    takes(&one, "1");
    takes(&one, "9007199254740991");
    CU_ASSERT_EQUAL(value.integer, 9007199254740991);
    REFUSES(&one, "0", "-1", "9007199254740992", "\"1\"", "1.5", "null");
    takes(&list, "[]");
    CU_ASSERT_EQUAL(value.handles.n, 0);
    takes(&list, "[3,1,2]");
    CU_ASSERT_EQUAL(value.handles.n, 3);
    CU_ASSERT_EQUAL(value.handles.items[1], 1);
    takes(&list, "7");
    CU_ASSERT_EQUAL(value.handles.n, 1);
    CU_ASSERT_EQUAL(value.handles.items[0], 7);
    REFUSES(&list, "[1,2,3,4]", "[0]", "[1,\"2\"]", "[[1]]", "{}", "\"1\"");
}

static void test_host(void)
{
    struct param_row row = row_of(VALUE_HOST, 0, 0, NULL);

    takes(&row, "\"example.net\"");
    CU_ASSERT_FALSE(value.host.is_address);
    CU_ASSERT_STRING_EQUAL(value.host.name.text, "example.net");
    takes(&row, "\"b\xC3\xBC"
                "cher.example\"");
    CU_ASSERT_FALSE(value.host.is_address);
    takes(&row, "\"127.1\"");
    CU_ASSERT(value.host.is_address);
    CU_ASSERT_EQUAL(ipaddr_to_integer(&value.host.ip), 0x7F000001);
    CU_ASSERT_STRING_EQUAL(value.host.name.text, "127.1");
    takes(&row, "2130706433");
    CU_ASSERT_EQUAL(ipaddr_to_integer(&value.host.ip), 0x7F000001);
    CU_ASSERT_EQUAL(value.host.name.size, 0);
    takes(&row, "\"fe80::1%7\"");
    CU_ASSERT(value.host.is_address && value.host.ip.is_ipv6);
    CU_ASSERT_EQUAL(value.host.ip.scope_id, 7);
    takes(&row, "{\"ipv6\":\"fe80::1%3\",\"scope-id\":9}");
    CU_ASSERT_EQUAL(value.host.ip.scope_id, 9);
    takes(&row, "{\"ipv6\":\"::1\"}");
    CU_ASSERT_EQUAL(value.host.ip.scope_id, 0);
    REFUSES(&row, "\"\"", "\"a b\"", "\"a\\nb\"", "\"a\\u0000b\"", "\"1:2\"",
            "\"::1%nosuch0\"", "\"fe80::%\"", "4294967296", "-1", "1.5", "{}",
            "{\"ipv6\":\"1.2.3.4\"}", "{\"ipv6\":1}",
            "{\"ipv6\":\"::1\",\"scope-id\":-1}",
            "{\"ipv6\":\"::1\",\"scope-id\":4294967296}", "{\"ipv6\":\"::1\",\"x\":1}",
            "{\"scope-id\":1}", "[\"localhost\"]", "true", "null");
}

static void test_interface(void)
{
    struct param_row row = row_of(VALUE_INTERFACE, 0, 0, NULL);

    takes(&row, "0");
    takes(&row, "4294967295");
    CU_ASSERT_EQUAL(value.integer, 4294967295);
    takes(&row, "\"lo\"");
    CU_ASSERT_EQUAL(value.integer, if_nametoindex("lo"));
    takes(&row, "\"7\"");
    CU_ASSERT_EQUAL(value.integer, 7);
    REFUSES(&row, "-1", "4294967296", "1.5", "\"\"", "\"nosuch0\"", "\"lo\\u0000\"",
            "true", "[]", "\"4294967296\"");
}

static void test_port(void)
{
    struct param_row row = row_of(VALUE_PORT, 0, 0, NULL);

    takes(&row, "0");
    takes(&row, "65535");
    CU_ASSERT_EQUAL(value.port.number, 65535);
    takes(&row, "\"443\"");
    CU_ASSERT_EQUAL(value.port.number, 443);
    takes(&row, "\"http\"");
    CU_ASSERT_EQUAL(value.port.number, -1);
    CU_ASSERT_STRING_EQUAL(value.port.service.text, "http");
    takes(&row, "\"3com-tsmux\"");
    CU_ASSERT_EQUAL(value.port.number, -1);
    REFUSES(&row, "65536", "-1", "\"65536\"", "\"99999999999999999999\"", "\"\"", "80.5",
            "\"a\\u0000\"", "true", "null", "[80]");
}

static void test_address(void)
{
    struct param_row row = row_of(VALUE_ADDRESS, 0, 0, NULL);

    takes(&row, "\"1.2.3.4\"");
    takes(&row, "16909060");
    CU_ASSERT_EQUAL(ipaddr_to_integer(&value.ip), 0x01020304);
    takes(&row, "{\"ipv6\":\"::1\",\"scope-id\":0}");
    CU_ASSERT(value.ip.is_ipv6);
    REFUSES(&row, "\"localhost\"", "\"\"", "-1", "{}", "[1,2,3,4]", "null");
}

static void test_strings(void)
{
    struct param_row strings = row_of(VALUE_STRINGS, 0, 2, NULL);
    struct param_row names = row_of(VALUE_NAMES, 1, 2, "acldns|clib");

    takes(&strings, "[\"a\",\"\"]");
    CU_ASSERT_EQUAL(value.strings.n, 2);
    takes(&strings, "\"one\"");
    CU_ASSERT_EQUAL(value.strings.n, 1);
    CU_ASSERT_STRING_EQUAL(value.strings.items[0].text, "one");
    takes(&strings, "[]");
    REFUSES(&strings, "[1]", "[\"a\",\"b\",\"c\"]", "[\"a\\u0000\"]", "1", "{}");
    takes(&names, "\"clib\"");
    takes(&names, "[\"clib\",\"acldns\"]");
    REFUSES(&names, "[]", "[\"dns\"]", "\"dns\"", "[null]");
}

static void test_id_and_json(void)
{
    struct param_row id = row_of(VALUE_ID, 0, 0, NULL),
                     json = row_of(VALUE_JSON, 0, 0, NULL);

    takes(&id, "\"x\"");
    takes(&id, "17");
    takes(&id, "1.5");
    REFUSES(&id, "null", "true", "[1]", "{}");
    takes(&json, "null");
    takes(&json, "{\"a\":[1,2]}");
    CU_ASSERT(json_is_object(value.json));
}

static void test_objects(void)
{
    struct param_row one = row_of(VALUE_OBJECT, 0, 0, "make-socket");
    struct param_row list = row_of(VALUE_OBJECTS, 1, 2, "make-socket");

    takes(&one, "{\"local-port\":80}");
    CU_ASSERT_EQUAL(
        params_value(value.objects.items, PARAM_MAKE_SOCKET_LOCAL_PORT)->port.number, 80);
    CU_ASSERT(params_bool(value.objects.items, PARAM_MAKE_SOCKET_NODELAY));
    takes(&list, "[{},{\"backlog\":7}]");
    CU_ASSERT_EQUAL(value.objects.n, 2);
    CU_ASSERT_EQUAL(params_int(&value.objects.items[1], PARAM_MAKE_SOCKET_BACKLOG), 7);
    takes(&list, "{\"backlog\":8}");
    CU_ASSERT_EQUAL(value.objects.n, 1);
    REFUSES(&one, "[]", "1", "null");
    REFUSES(&list, "[]", "[{},{},{}]", "[1]", "1");
    CU_ASSERT_FALSE(check(&one, "{\"local-port\":-1}"));
    CU_ASSERT_STRING_EQUAL(error.parameter, "it.local-port");
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "it.local-port"));
    CU_ASSERT_FALSE(check(&list, "[{},{\"nosuch\":1}]"));
    CU_ASSERT_STRING_EQUAL(error.parameter, "it[1].nosuch");
    CU_ASSERT_FALSE(check(&list, "{\"tcp-md5-sig-key\":\"?\",\"encoding\":\"base64\"}"));
    CU_ASSERT_STRING_EQUAL(error.parameter, "it.tcp-md5-sig-key");
    CU_ASSERT_EQUAL(error.id, ERROR_INVALID_ENCODING);
}

/* ---- From the command line ---- */

static void gives(enum value_type type, const char *text, const char *wanted)
{
    struct param_row row = row_of(type, 0, 0, NULL);
    json_t *json = value_from_text(&row, text, &error);
    char *dump =
        json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;

    if (!wanted) {
        CU_ASSERT_PTR_NULL(json);
        CU_ASSERT_EQUAL(error.id, ERROR_INVALID_PARAMS);
        CU_ASSERT_STRING_EQUAL(error.parameter, "it");
    } else if (!dump || strcmp(dump, wanted) != 0) {
        UNIT_FAIL("%s \"%s\" gives %s instead of %s", value_type_name(type), text,
                  dump ? dump : "nothing", wanted);
    }
    free(dump);
    json_decref(json);
}

static void test_text_scalars(void)
{
    gives(VALUE_BOOL, "yes", "true");
    gives(VALUE_BOOL, "off", "false");
    gives(VALUE_BOOL, "1", "true");
    gives(VALUE_BOOL, "maybe", NULL);
    gives(VALUE_BOOL, "", NULL);
    gives(VALUE_INT, "-17", "-17");
    gives(VALUE_INT, "x", NULL);
    gives(VALUE_INT, "1 2", NULL);
    gives(VALUE_INT, "99999999999999999999", NULL);
    gives(VALUE_SECONDS, "0.5", "0.5");
    gives(VALUE_SECONDS, ".25", "0.25");
    gives(VALUE_SECONDS, ".", NULL);
    gives(VALUE_SECONDS, "..5", NULL);
    gives(VALUE_INT, ".5", NULL);
    gives(VALUE_SECONDS, "\"1\"", NULL);
    gives(VALUE_STRING, "", "\"\"");
    gives(VALUE_STRING, "a\"b", "\"a\\\"b\"");
    gives(VALUE_STRING, "\xFF", NULL);
    gives(VALUE_DATA, "[1]", "\"[1]\"");
    gives(VALUE_ENUM, "stream", "\"stream\"");
    gives(VALUE_IPV6, "ipv6", "\"ipv6\"");
    gives(VALUE_IPV6, "no", "false");
    gives(VALUE_IPV6, "6", NULL);
    gives(VALUE_HANDLE, "12", "12");
    gives(VALUE_ID, "12", "12");
    gives(VALUE_ID, "abc", "\"abc\"");
    gives(VALUE_ID, "\"12\"", "\"12\"");
}

static void test_text_others(void)
{
    gives(VALUE_HANDLES, "1,2,3", "[1,2,3]");
    gives(VALUE_HANDLES, "[4,5]", "[4,5]");
    gives(VALUE_HANDLES, "", "[]");
    gives(VALUE_HANDLES, "1,,2", NULL);
    gives(VALUE_HANDLES, "1,x", NULL);
    gives(VALUE_HANDLES, "[1", NULL);
    gives(VALUE_STRINGS, "a,b", "[\"a\",\"b\"]");
    gives(VALUE_STRINGS, " a ,\tb c, ,", "[\"a\",\"b c\",\"\",\"\"]");
    gives(VALUE_STRINGS, "[\" a\"]", "[\" a\"]");
    gives(VALUE_STRINGS, "[::1]:80, [::2]:81", "[\"[::1]:80\",\"[::2]:81\"]");
    gives(VALUE_STRINGS, "[ \"a\", \"b\" ]", "[\"a\",\"b\"]");
    gives(VALUE_STRINGS, "[]", "[]");
    gives(VALUE_STRINGS, "[\"a\"", NULL);
    gives(VALUE_STRINGS, "[ \"a\",", NULL);
    gives(VALUE_REFERENCES, "a, 12", "[\"a\",12]");
    gives(VALUE_STRINGS, "a,", "[\"a\",\"\"]");
    gives(VALUE_NAMES, "clib", "[\"clib\"]");
    gives(VALUE_HOST, "::1", "\"::1\"");
    gives(VALUE_HOST, "{\"ipv6\":\"::1\"}", "{\"ipv6\":\"::1\"}");
    gives(VALUE_HOST, "{", NULL);
    gives(VALUE_PORT, "80", "80");
    gives(VALUE_PORT, "http", "\"http\"");
    gives(VALUE_ADDRESS, "127.1", "\"127.1\"");
    gives(VALUE_INTERFACE, "2", "2");
    gives(VALUE_INTERFACE, "lo", "\"lo\"");
    gives(VALUE_JSON, "{\"a\":1}", "{\"a\":1}");
    gives(VALUE_JSON, "127.0.0.1", "\"127.0.0.1\"");
    gives(VALUE_JSON, "null", "null");
    gives(VALUE_JSON, "[1", NULL);
    gives(VALUE_OBJECT, "{}", "{}");
    gives(VALUE_OBJECT, "x", NULL);
    gives(VALUE_SWITCH, "no", "false");
    gives(VALUE_SWITCH, "leaf", "\"leaf\"");
    gives(VALUE_FILE, "a,b", "\"a,b\"");
    gives(VALUE_REFERENCE, "12", "12");
    gives(VALUE_REFERENCE, "web", "\"web\"");
    gives(VALUE_REFERENCES, "12,web", "[12,\"web\"]");
    gives(VALUE_REFERENCES, "", "[]");
}

static void test_words(void)
{
    size_t size;

    CU_ASSERT_EQUAL(strncmp(value_word("a|bcd|e", 1, &size), "bcd", 3), 0);
    CU_ASSERT_EQUAL(size, 3);
    CU_ASSERT_PTR_NOT_NULL(value_word("a|bcd|e", 2, &size));
    CU_ASSERT_EQUAL(size, 1);
    CU_ASSERT_PTR_NULL(value_word("a|bcd|e", 3, &size));
}

static void test_descriptions(void)
{
    struct param_row row = row_of(VALUE_INT, 1, 65535, NULL);
    char text[128], tiny[12];

    value_describe(&row, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "an integer from 1 to 65535");
    row = row_of(VALUE_ENUM, 0, 0, "stream|datagram");
    value_describe(&row, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "one of stream, datagram");
    value_describe(&row, tiny, sizeof(tiny));
    CU_ASSERT(strlen(tiny) < sizeof(tiny));
    for (int type = VALUE_BOOL; type < VALUE_INCLUDE; type++) {
        row = row_of((enum value_type)type, 0, 0, "make-socket");
        text[0] = 0;
        value_describe(&row, text, sizeof(text));
        CU_ASSERT(strlen(text) > 3 && strlen(text) < sizeof(text) - 1);
        CU_ASSERT_PTR_NOT_NULL(value_type_name(row.type));
    }
}

static const struct unit_test tests[] = {
    {"booleans", test_bool},
    {"integers", test_int},
    {"seconds", test_seconds},
    {"strings", test_string},
    {"words", test_enum},
    {"switches", test_switch},
    {"what files hold", test_file},
    {"handles and names", test_references},
    {"the three values of ipv6", test_ipv6},
    {"data", test_data},
    {"handles", test_handles},
    {"hosts", test_host},
    {"interfaces", test_interface},
    {"ports", test_port},
    {"addresses", test_address},
    {"lists of strings", test_strings},
    {"ids and any JSON", test_id_and_json},
    {"objects with the parameters of a command", test_objects},
    {"text of single values", test_text_scalars},
    {"text of lists and objects", test_text_others},
    {"words of a spec", test_words},
    {"descriptions", test_descriptions},
};

UNIT_MAIN_AROUND(tests, table_setup, after)
