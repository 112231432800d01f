/* SPDX-License-Identifier: MIT */
/*
 * unit_message.c - message.c: good and hostile JSON, requests of every kind, replies and
 * errors there and back.
 */
#include <config.h>

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/arena.h"
#include "proto/message.h"
#include "proto/table.h"
#include "tests/unit.h"

static struct arena arena;
static struct error error;
static struct writer writer;

static void after(void)
{
    arena_fini(&arena);
    writer_fini(&writer);
}

/* The line lies in memory of exactly its size: a byte too many is noticed. */
static json_t *parse(const char *text, size_t size, unsigned max_depth)
{
    char *line = malloc(size ? size : 1);
    json_t *json = NULL;
    bool is_good;

    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    if (size) {
        memcpy(line, text, size);
    }
    memset(&error, 0, sizeof(error));
    is_good = message_parse(line, size, max_depth, &arena, &json, &error);
    CU_ASSERT_EQUAL(is_good, json != NULL);
    CU_ASSERT_EQUAL(is_good, error.id == ERROR_NONE);
    free(line);
    return json;
}

struct line {
    const char *text;
    size_t size;
};

#define LINE(TEXT)                                                                       \
    {                                                                                    \
        TEXT, sizeof(TEXT) - 1                                                           \
    }

static const struct line valid_lines[] = {
    LINE("{}"),
    LINE(" [1, 2 , 3]\t"),
    LINE("null"),
    LINE("\"\""),
    LINE("\"\\u0000\""),
    LINE("[\"a\\u0000b\",\"\\ud83d\\ude00\",\"\\uffff\",\"\x7F\"]"),
    LINE("-0"),
    LINE("-9223372036854775808"),
    LINE("9223372036854775807"),
    LINE("1E+2"),
    LINE("1e-400"),
    LINE("{\"\":{\"\":[]}}"),
    LINE("\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\""),
    LINE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    LINE("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"),
    LINE("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\""),
    LINE("\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\""),
    LINE("[\"\\\\\",\"{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{\"]"),
    LINE("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
         "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]"),
};

static void test_valid(void)
{
    for (size_t i = 0; i < sizeof(valid_lines) / sizeof(valid_lines[0]); i++) {
        if (!parse(valid_lines[i].text, valid_lines[i].size, MESSAGE_MAX_DEPTH)) {
            UNIT_FAIL("line %zu (%s) was refused: %s", i, valid_lines[i].text,
                      error.message);
        }
    }
}

static const struct line invalid_lines[] = {
    LINE(""),
    LINE("  "),
    LINE("{"),
    LINE("}"),
    LINE("[1,]"),
    LINE("{\"a\":1,}"),
    LINE("{a:1}"),
    LINE("{\"a\" 1}"),
    LINE("[1 2]"),
    LINE("{}{}"),
    LINE("{} x"),
    LINE("01"),
    LINE("+1"),
    LINE(".5"),
    LINE("1."),
    LINE("1e"),
    LINE("-"),
    LINE("NaN"),
    LINE("Infinity"),
    LINE("0x10"),
    LINE("tru"),
    LINE("truex"),
    LINE("TRUE"),
    LINE("'a'"),
    LINE("\"a"),
    LINE("\"\\"),
    LINE("\"\\\""),
    LINE("\"\\x\""),
    LINE("\"\\u12\""),
    LINE("\"\\u12G4\""),
    LINE("\"\t\""),
    LINE("\"\x01\""),
    LINE("\"\x1F\""),
    LINE("// x"),
    LINE("/* */ 1"),
    LINE("\v1"),
    LINE("\xEF\xBB\xBF{}"),
    LINE("\xFF"),
    LINE("1\xFF"),
    LINE("{\"a\\u0000\":1}"),
    /* Raw NUL: jansson takes that after a number for the end. */
    LINE("\0"),
    LINE("1\0"),
    LINE("[1\0]"),
    LINE("1\0x"),
    LINE("{}\0"),
    LINE("\"a\0b\""),
    LINE("true\0"),
    LINE("1.5\0"),
    LINE("\0{}"),
    /* Surrogates that are alone, and UTF-8 that is none. */
    LINE("\"\\ud800\""),
    LINE("\"\\udc00\""),
    LINE("\"\\ud800\\ud800\""),
    LINE("\"\\ud800x\""),
    LINE("\"\\ud83d\\u0041\""),
    LINE("\"\\ud83d\\n\""),
    LINE("\"\\ude00\\ud83d\""),
    LINE("{\"\\ud800\":1}"),
    LINE("\"\xED\xA0\x80\""),
    LINE("\"\xC0\x80\""),
    LINE("\"\xE0\x80\x80\""),
    LINE("\"\xF4\x90\x80\x80\""),
    LINE("\"\xE2\x82\""),
    LINE("\"\xE2\x82"),
    LINE("{\"\xFF\":1}"),
};

static void test_invalid(void)
{
    for (size_t i = 0; i < sizeof(invalid_lines) / sizeof(invalid_lines[0]); i++) {
        if (parse(invalid_lines[i].text, invalid_lines[i].size, MESSAGE_MAX_DEPTH)) {
            UNIT_FAIL("line %zu (%s) was taken", i, invalid_lines[i].text);
            continue;
        }
        CU_ASSERT_EQUAL(error.id, ERROR_PARSE);
        CU_ASSERT_EQUAL(strncmp(error.message, "byte ", 5), 0);
        message_error(&writer, NULL, 0, &error);
    }
}

static void check_limit(const char *text, const char *limit)
{
    CU_ASSERT_PTR_NULL(parse(text, strlen(text), MESSAGE_MAX_DEPTH));
    CU_ASSERT_EQUAL(error.id, ERROR_LIMIT_REACHED);
    CU_ASSERT_STRING_EQUAL(error.subject, limit);
    CU_ASSERT_TRUE(error.is_final);
}

static void test_limits(void)
{
    check_limit("{\"a\":1,\"a\":2}", "duplicate-keys");
    check_limit("{\"a\":1,\"\\u0061\":2}", "duplicate-keys");
    check_limit("[{\"x\":{\"b\":1,\"b\":1}}]", "duplicate-keys");
    check_limit("9223372036854775808", "number-range");
    check_limit("-9223372036854775809", "number-range");
    check_limit("[123456789012345678901234567890]", "number-range");
    check_limit("1e400", "number-range");
    check_limit("-1e400", "number-range");
    check_limit("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
                "nesting");
    CU_ASSERT_EQUAL(error.number, MESSAGE_MAX_DEPTH);
    check_limit("{\"\\\\\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nesting");
    CU_ASSERT_PTR_NULL(parse("[[]]", 4, 1));
    CU_ASSERT_PTR_NOT_NULL(parse("[1]", 3, 1));
    CU_ASSERT_PTR_NULL(parse("[1]", 3, 0));
    CU_ASSERT_PTR_NOT_NULL(parse("1", 1, 0));
}

/* A million of one byte: no stack, no time without bound. */
static void test_bombs(void)
{
    static const char *const begins[] = {
        "[",         "{\"a\":", "\"", "\\",       "[1,",    "{", "1",
        "\"\\u0000", "[[],",    "9",  "\xC3\xA4", "\"\\\"", "-", " "};
    size_t size = 1 << 20;
    char *text = malloc(size);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        size_t step = strlen(begins[i]);

        for (size_t at = 0; at + step <= size; at += step) {
            memcpy(text + at, begins[i], step);
        }
        CU_ASSERT_PTR_NULL(parse(text, size - size % step, MESSAGE_MAX_DEPTH));
        CU_ASSERT(error.id == ERROR_PARSE || error.id == ERROR_LIMIT_REACHED);
        arena_fini(&arena);
    }
    free(text);
}

/* A good request, cut at every byte and with every byte replaced by hostile ones: always
 * a tree or an error, never anything else. */
static void test_mutations(void)
{
    static const char good[] =
        "{\"jsonrpc\":\"2.0\",\"id\":[1.5e3,{\"a\":\"\\u00e4\\ud83d\\ude00\"}],"
        "\"method\":\"write\",\"params\":{\"data\":\"\xC3\xA4\\n\"}}";
    static const unsigned char bytes[] = {0,   1,   '"', '\\', '[',  ']', '{',
                                          '}', ',', ':', 'e',  '9',  '-', 0x7F,
                                          'u', ' ', 'n', 0x80, 0xC3, 0xFF};
    char text[sizeof(good)];
    size_t n_good = 0;

    for (size_t size = 0; size < sizeof(good) - 1; size++) {
        CU_ASSERT_PTR_NULL(parse(good, size, MESSAGE_MAX_DEPTH));
    }
    for (size_t i = 0; i < sizeof(good) - 1; i++) {
        for (size_t k = 0; k < sizeof(bytes); k++) {
            memcpy(text, good, sizeof(good));
            text[i] = (char)bytes[k];
            n_good += parse(text, sizeof(good) - 1, MESSAGE_MAX_DEPTH) != NULL;
        }
        arena_fini(&arena);
    }
    CU_ASSERT(n_good > 100);
}

/* ---- Requests ---- */

static struct message_request request;

static bool take(const char *text)
{
    json_t *json = parse(text, strlen(text), MESSAGE_MAX_DEPTH);

    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    return message_request(&request, json, &error);
}

static void test_requests(void)
{
    CU_ASSERT(take("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"hello\"}"));
    CU_ASSERT_EQUAL(request.method_size, 5);
    CU_ASSERT_STRING_EQUAL(request.method, "hello");
    CU_ASSERT_PTR_NULL(request.params);
    CU_ASSERT_EQUAL(json_integer_value(request.id), 7);
    CU_ASSERT(
        take("{\"method\":\"x\",\"params\":{\"a\":1},\"id\":\"s\",\"jsonrpc\":\"2.0\"}"));
    CU_ASSERT_EQUAL(json_object_size(request.params), 1);
    CU_ASSERT(json_is_string(request.id));
    CU_ASSERT(take("{\"jsonrpc\":\"2.0\",\"method\":\"hello\"}"));
    CU_ASSERT_PTR_NULL(request.id);
    CU_ASSERT(take("{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"id\":null}"));
    CU_ASSERT(json_is_null(request.id));
    CU_ASSERT(
        take("{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"id\":1.5,\"params\":null}"));
    CU_ASSERT_PTR_NULL(request.params);
    CU_ASSERT(
        take("{\"jsonrpc\":\"2.0\",\"method\":\"a\\u0000b\",\"id\":1,\"more\":[]}"));
    CU_ASSERT_EQUAL(request.method_size, 3);
}

static void refuses(const char *text, enum error_id wanted, bool has_id)
{
    if (take(text)) {
        UNIT_FAIL("taken: %s", text);
        return;
    }
    CU_ASSERT_EQUAL(error.id, wanted);
    CU_ASSERT_EQUAL(request.id != NULL, has_id);
}

static void test_bad_requests(void)
{
    refuses("1", ERROR_INVALID_REQUEST, false);
    refuses("null", ERROR_INVALID_REQUEST, false);
    refuses("[]", ERROR_INVALID_REQUEST, false);
    refuses("{}", ERROR_INVALID_REQUEST, false);
    refuses("{\"id\":1}", ERROR_INVALID_REQUEST, true);
    refuses("{\"id\":1,\"method\":\"hello\"}", ERROR_INVALID_REQUEST, true);
    refuses("{\"id\":1,\"jsonrpc\":2.0,\"method\":\"hello\"}", ERROR_INVALID_REQUEST,
            true);
    refuses("{\"id\":1,\"jsonrpc\":\"1.0\",\"method\":\"hello\"}", ERROR_INVALID_REQUEST,
            true);
    refuses("{\"id\":1,\"jsonrpc\":\"2.0\"}", ERROR_INVALID_REQUEST, true);
    refuses("{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":1}", ERROR_INVALID_REQUEST, true);
    refuses("{\"id\":true,\"jsonrpc\":\"2.0\",\"method\":\"hello\"}",
            ERROR_INVALID_REQUEST, false);
    refuses("{\"id\":[1],\"jsonrpc\":\"2.0\",\"method\":\"hello\"}",
            ERROR_INVALID_REQUEST, false);
    refuses("{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":1}",
            ERROR_INVALID_REQUEST, true);
    refuses("{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":[1]}",
            ERROR_INVALID_PARAMS, true);
    CU_ASSERT_STRING_EQUAL(error.parameter, "params");
}

/* ---- Replies ---- */

static void check_text(const char *wanted)
{
    if (writer.size != strlen(wanted) || memcmp(writer.data, wanted, writer.size) != 0) {
        UNIT_FAIL("%.*s instead of %s", (int)writer.size, writer.data, wanted);
    }
    writer_fini(&writer);
}

static void test_replies(void)
{
    message_begin_reply(&writer, "\"a\"", 3);
    writer_begin_object(&writer);
    writer_result_int(&writer, RESULT_WRITE_SIZE, 5);
    writer_end_object(&writer);
    message_end_reply(&writer);
    check_text("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{\"size\":5}}");
    /* In a batch the commas are the writer's, too. */
    writer_begin_array(&writer);
    for (unsigned i = 0; i < 2; i++) {
        message_begin_reply(&writer, "1", 1);
        writer_null(&writer);
        message_end_reply(&writer);
    }
    error_set(&error, ERROR_METHOD_NOT_FOUND, "no method x");
    message_error(&writer, NULL, 0, &error);
    writer_end_array(&writer);
    check_text(
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null},"
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null},"
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32601,"
        "\"message\":\"no method x\",\"data\":{\"identifier\":\"method-not-found\","
        "\"retryable\":false}}}]");
}

/* Writes the error and reads it again. */
static void there_and_back(struct error *back)
{
    json_error_t json_error;
    json_t *json;

    message_error_object(&writer, &error);
    json = json_loadb(writer.data, writer.size, 0, &json_error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    memset(back, 0x55, sizeof(*back));
    message_read_error(json, back);
    json_decref(json);
    writer_fini(&writer);
    CU_ASSERT_EQUAL(back->id, error.id);
    CU_ASSERT_EQUAL(back->errnum, error.errnum);
    CU_ASSERT_EQUAL(back->socket, error.socket);
    CU_ASSERT_EQUAL(back->number, error.number);
    CU_ASSERT_EQUAL(back->depth, error.depth);
    CU_ASSERT_STRING_EQUAL(back->action, error.action);
    CU_ASSERT_STRING_EQUAL(back->parameter, error.parameter);
    CU_ASSERT_STRING_EQUAL(back->wanted, error.wanted);
    CU_ASSERT_STRING_EQUAL(back->subject, error.subject);
    CU_ASSERT_STRING_EQUAL(back->reason, error.reason);
    CU_ASSERT_STRING_EQUAL(back->library, error.library);
    CU_ASSERT_STRING_EQUAL(back->message, error.message);
}

static void test_errors_there_and_back(void)
{
    struct error back;

    error_set_errno(&error, ECONNREFUSED, "connect");
    error.socket = 77;
    there_and_back(&back);
    error_set_errno(&error, EXDEV, NULL);
    CU_ASSERT_EQUAL(error.id, ERROR_UNKNOWN);
    there_and_back(&back);
    error_set_errno(&error, 3999, "a new action");
    there_and_back(&back);
    error_set_parameter(&error, "remote-port", "a port");
    there_and_back(&back);
    error_set_limit(&error, "sockets", 1000);
    there_and_back(&back);
    CU_ASSERT_FALSE(back.is_final);
    error_set_final(&error);
    there_and_back(&back);
    CU_ASSERT_TRUE(back.is_final);
    error_set(&error, ERROR_PERMISSION_DENIED, "%s", "not yours");
    memcpy(error.subject, "owner", 6);
    there_and_back(&back);
    error_set(&error, ERROR_INTERRUPTED, "interrupted");
    memcpy(error.reason, "because \"x\"", 12);
    there_and_back(&back);
    error_set(&error, ERROR_CERTIFICATE_VERIFY_FAILED, "expired");
    error.number = 10;
    error.depth = 2;
    there_and_back(&back);
    error_set(&error, ERROR_SSL_ERROR, "bad");
    memcpy(error.library, "SSL routines", 13);
    there_and_back(&back);
    for (unsigned id = ERROR_NONE + 1; id < ERROR_COUNT; id++) {
        error_set(&error, (enum error_id)id, "x");
        there_and_back(&back);
    }
}

static void test_error_text(void)
{
    char text[] =
        "{\"code\":-32000,\"message\":\"connect: Connection refused\",\"data\":{"
        "\"identifier\":\"connection-refused\",\"errno\":\"ECONNREFUSED\","
        "\"action\":\"connect\",\"retryable\":true}}";

    error_set_errno(&error, ECONNREFUSED, "connect");
    message_error_object(&writer, &error);
    check_text(text);
    /* A text that is too long is cut between characters. */
    memset(text, 0, sizeof(text));
    for (size_t i = 0; i + 3 < sizeof(text); i += 3) {
        memcpy(text + i, "\xE2\x82\xAC", 3);
    }
    error_set(&error, ERROR_INTERNAL, "x%s%s", text, text);
    CU_ASSERT_EQUAL(strlen(error.message), 1 + (sizeof(error.message) - 2) / 3 * 3);
    error_set_message(&error, text);
    CU_ASSERT_EQUAL(strlen(error.message) % 3, 0);
    /* Bytes of a client in an error are made valid, so that the reply is. */
    error_set(&error, ERROR_METHOD_NOT_FOUND, "\xFF\n");
    message_error_object(&writer, &error);
    CU_ASSERT_PTR_NOT_NULL(strstr(writer.data, "\xEF\xBF\xBD\\n"));
}

static void test_strange_errors(void)
{
    static const char *const texts[] = {
        "{}",
        "{\"code\":\"x\",\"message\":1,\"data\":[]}",
        "{\"code\":-32011,\"data\":{\"identifier\":\"from-the-future\"}}",
        "{\"code\":-32601,\"message\":\"m\"}",
        "{\"data\":{\"identifier\":5,\"errno\":\"ENOSUCH\",\"socket\":\"x\"}}",
    };
    static const enum error_id ids[] = {ERROR_UNKNOWN, ERROR_UNKNOWN, ERROR_UNKNOWN,
                                        ERROR_METHOD_NOT_FOUND, ERROR_UNKNOWN};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_error_t json_error;
        json_t *json = json_loads(texts[i], 0, &json_error);

        CU_ASSERT_PTR_NOT_NULL_FATAL(json);
        message_read_error(json, &error);
        CU_ASSERT_EQUAL(error.id, ids[i]);
        json_decref(json);
    }
    CU_ASSERT_EQUAL(error.errnum, -1);
}

static const struct unit_test tests[] = {
    {"valid JSON", test_valid},
    {"invalid JSON", test_invalid},
    {"limits", test_limits},
    {"a megabyte of one thing", test_bombs},
    {"every byte replaced", test_mutations},
    {"requests", test_requests},
    {"bad requests", test_bad_requests},
    {"replies", test_replies},
    {"errors there and back", test_errors_there_and_back},
    {"text of errors", test_error_text},
    {"errors of another build", test_strange_errors},
};

UNIT_MAIN_AROUND(tests, table_setup, after)
