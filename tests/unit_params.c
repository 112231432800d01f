/* SPDX-License-Identifier: MIT */
/*
 * unit_params.c - params.c: the parameters of real commands, absent, given, wrong and
 * encoded.
 */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/arena.h"
#include "proto/error.h"
#include "proto/params.h"
#include "tests/unit.h"

static struct arena arena;
static struct error error;
static struct params params;

static void after(void) { arena_fini(&arena); }

static bool check(enum command_id id, const char *text)
{
    json_error_t json_error;
    json_t *json = NULL;

    if (text) {
        json = arena_json(&arena, text, strlen(text), JSON_ALLOW_NUL, &json_error);
        if (!json) {
            unit_bail_out("not JSON: %s", text);
        }
    }
    memset(&error, 0x55, sizeof(error));
    return params_check(&params, table_command(id), json, &arena, &error);
}

static void refuses(enum command_id id, const char *text, enum error_id wanted,
                    const char *parameter)
{
    if (check(id, text)) {
        UNIT_FAIL("taken: %s", text ? text : "no parameters");
        return;
    }
    CU_ASSERT_EQUAL(error.id, wanted);
    CU_ASSERT_STRING_EQUAL(error.parameter, parameter);
    CU_ASSERT(error.wanted[0] != 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, parameter));
}

static void test_defaults(void)
{
    CU_ASSERT_FATAL(check(COMMAND_MAKE_SOCKET, NULL));
    CU_ASSERT_FALSE(params_has(&params, PARAM_MAKE_SOCKET_TYPE));
    CU_ASSERT_EQUAL(params_word(&params, PARAM_MAKE_SOCKET_TYPE), 0);
    CU_ASSERT_EQUAL(params_word(&params, PARAM_MAKE_SOCKET_FORMAT), 2);
    CU_ASSERT_EQUAL(params_int(&params, PARAM_MAKE_SOCKET_BACKLOG), 4096);
    CU_ASSERT(params_bool(&params, PARAM_MAKE_SOCKET_NODELAY));
    CU_ASSERT(params_seconds(&params, PARAM_MAKE_SOCKET_TIMEOUT) < 0);
    CU_ASSERT_FALSE(params_has(&params, PARAM_MAKE_SOCKET_REMOTE_HOST));
    CU_ASSERT(check(COMMAND_MAKE_SOCKET, "{}"));
    CU_ASSERT(check(COMMAND_HELLO, NULL));
    CU_ASSERT(check(COMMAND_HELLO, "{}"));
}

static void test_given(void)
{
    CU_ASSERT_FATAL(check(COMMAND_MAKE_SOCKET,
                          "{\"remote-host\":\"h\",\"remote-port\":80,\"nodelay\":false,"
                          "\"timeout\":1.5,\"type\":\"datagram\",\"name\":\"n\"}"));
    CU_ASSERT(params_has(&params, PARAM_MAKE_SOCKET_NODELAY));
    CU_ASSERT_FALSE(params_bool(&params, PARAM_MAKE_SOCKET_NODELAY));
    CU_ASSERT_EQUAL(params_value(&params, PARAM_MAKE_SOCKET_REMOTE_PORT)->port.number,
                    80);
    CU_ASSERT_DOUBLE_EQUAL(params_seconds(&params, PARAM_MAKE_SOCKET_TIMEOUT), 1.5, 0);
    CU_ASSERT_EQUAL(params_word(&params, PARAM_MAKE_SOCKET_TYPE), 1);
    CU_ASSERT_STRING_EQUAL(params_text(&params, PARAM_MAKE_SOCKET_NAME).text, "n");
    CU_ASSERT_FALSE(params_has(&params, PARAM_MAKE_SOCKET_LOCAL_HOST));
}

static void test_null(void)
{
    CU_ASSERT_FATAL(check(COMMAND_READ, "{\"socket\":3,\"max\":null,\"timeout\":null}"));
    CU_ASSERT_FALSE(params_has(&params, PARAM_READ_MAX));
    CU_ASSERT_EQUAL(params_int(&params, PARAM_READ_MAX), 65536);
    CU_ASSERT(params_seconds(&params, PARAM_READ_TIMEOUT) < 0);
    refuses(COMMAND_READ, "{\"socket\":null}", ERROR_INVALID_PARAMS, "socket");
    /* Anything is anything. */
    CU_ASSERT(check(COMMAND_IPADDRP, "{\"object\":null}"));
    CU_ASSERT(json_is_null(params_value(&params, PARAM_IPADDRP_OBJECT)->json));
    refuses(COMMAND_IPADDRP, "{}", ERROR_INVALID_PARAMS, "object");
}

static void test_wrong(void)
{
    refuses(COMMAND_READ, NULL, ERROR_INVALID_PARAMS, "socket");
    refuses(COMMAND_READ, "{\"max\":1}", ERROR_INVALID_PARAMS, "socket");
    refuses(COMMAND_READ, "{\"socket\":1,\"max\":0}", ERROR_INVALID_PARAMS, "max");
    refuses(COMMAND_READ, "{\"socket\":1,\"max\":1048577}", ERROR_INVALID_PARAMS, "max");
    refuses(COMMAND_READ, "{\"socket\":1,\"Max\":1}", ERROR_INVALID_PARAMS, "Max");
    refuses(COMMAND_READ, "{\"socket\":1,\"\":1}", ERROR_INVALID_PARAMS, "");
    refuses(COMMAND_READ, "{\"socket\":1,\"remote-host\":null}", ERROR_INVALID_PARAMS,
            "remote-host");
    refuses(COMMAND_HELLO, "{\"socket\":1}", ERROR_INVALID_PARAMS, "socket");
    refuses(COMMAND_SHUTDOWN, "{\"socket\":1}", ERROR_INVALID_PARAMS, "direction");
    refuses(COMMAND_SHUTDOWN, "{\"socket\":1,\"direction\":\"both\"}",
            ERROR_INVALID_PARAMS, "direction");
}

/* A long name of a client is cut between characters. */
static void test_long_name(void)
{
    static const char pair[] = "x\xE2\x82\xAC";
    char text[400] = "{\"";
    size_t size = 2;

    for (size_t i = 0; i < 30; i++, size += sizeof(pair) - 1) {
        memcpy(text + size, pair, sizeof(pair));
    }
    memcpy(text + size, "\":1}", 5);
    CU_ASSERT_FALSE(check(COMMAND_HELLO, text));
    CU_ASSERT(strlen(error.parameter) >= 60 && strlen(error.parameter) < 64);
    CU_ASSERT_EQUAL(strncmp(error.parameter, text + 2, strlen(error.parameter)), 0);
    CU_ASSERT_NOT_EQUAL(text[2 + strlen(error.parameter)] & 0xC0, 0x80);
}

static void takes_data(const char *text, const char *bytes, size_t size)
{
    struct value_text data;

    if (!check(COMMAND_WRITE, text)) {
        UNIT_FAIL("refused: %s", text);
        return;
    }
    data = params_text(&params, PARAM_WRITE_DATA);
    CU_ASSERT_EQUAL_FATAL(data.size, size);
    CU_ASSERT_EQUAL(memcmp(data.text, bytes, size + 1), 0);
}

static void test_encodings(void)
{
    takes_data("{\"socket\":1,\"data\":\"\"}", "", 0);
    takes_data("{\"socket\":1,\"data\":\"a\\u0000b\"}", "a\0b", 3);
    takes_data("{\"socket\":1,\"data\":\"\\u00e4\"}", "\xC3\xA4", 2);
    takes_data("{\"socket\":1,\"data\":\"\\u00e4\",\"encoding\":\"utf-8\"}", "\xC3\xA4",
               2);
    takes_data("{\"socket\":1,\"data\":\"\\u00e4\",\"encoding\":\"latin-1\"}", "\xE4", 1);
    takes_data("{\"encoding\":\"base64\",\"socket\":1,\"data\":\"AP8=\"}", "\0\xFF", 2);
    takes_data("{\"socket\":1,\"data\":\"\",\"encoding\":\"base64\"}", "", 0);
    takes_data("{\"socket\":1,\"data\":\"x\",\"encoding\":null}", "x", 1);
}

static void test_bad_encodings(void)
{
    refuses(COMMAND_WRITE, "{\"socket\":1,\"data\":\"AP8\",\"encoding\":\"base64\"}",
            ERROR_INVALID_ENCODING, "data");
    refuses(COMMAND_WRITE, "{\"socket\":1,\"data\":\"\\u0100\",\"encoding\":\"latin-1\"}",
            ERROR_INVALID_ENCODING, "data");
    refuses(COMMAND_WRITE, "{\"socket\":1,\"data\":\"x\",\"encoding\":\"utf-16\"}",
            ERROR_INVALID_PARAMS, "encoding");
    refuses(COMMAND_SET_TCP_MD5_SIG,
            "{\"socket\":1,\"address\":\"::1\",\"key\":\"=\",\"encoding\":\"base64\"}",
            ERROR_INVALID_ENCODING, "key");
}

/* The bounds of data are those of its bytes. */
static void test_data_size(void)
{
    static const char sixty_four[] =
        "0123456789012345678901234567890123456789012345678901234567890123";
    char text[200];

    snprintf(text, sizeof(text), "{\"socket\":1,\"until\":\"%s\"}", sixty_four);
    CU_ASSERT(check(COMMAND_READ, text));
    snprintf(text, sizeof(text), "{\"socket\":1,\"until\":\"%s4\"}", sixty_four);
    refuses(COMMAND_READ, text, ERROR_INVALID_PARAMS, "until");
    refuses(COMMAND_READ, "{\"socket\":1,\"until\":\"\"}", ERROR_INVALID_PARAMS, "until");
    CU_ASSERT(
        check(COMMAND_READ, "{\"socket\":1,\"until\":\"DQo=\",\"encoding\":\"base64\"}"));
    CU_ASSERT_EQUAL(params_text(&params, PARAM_READ_UNTIL).size, 2);
    refuses(COMMAND_WRITE_CHAR, "{\"socket\":1,\"value\":\"abcde\"}",
            ERROR_INVALID_PARAMS, "value");
}

/* Every parameter of every command refuses an object or a list of lists, and says what it
 * wants; only those that take anything do not. */
static void test_every_parameter(void)
{
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = table_command((enum command_id)i);

        for (unsigned k = 0; k < command->n_params; k++) {
            const char *name = command->params[k].name;
            char text[128];

            snprintf(text, sizeof(text), "{\"%s\":[[{}]]}", name);
            if (command->params[k].type != VALUE_JSON) {
                refuses(command->id, text, ERROR_INVALID_PARAMS, name);
            }
        }
    }
}

static const struct unit_test tests[] = {
    {"defaults", test_defaults},
    {"given values", test_given},
    {"null", test_null},
    {"wrong parameters", test_wrong},
    {"a long name", test_long_name},
    {"encodings", test_encodings},
    {"bad encodings", test_bad_encodings},
    {"sizes of data", test_data_size},
    {"every parameter refuses what it cannot be", test_every_parameter},
};

UNIT_MAIN_AROUND(tests, table_setup, after)
