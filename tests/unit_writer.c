/* SPDX-License-Identifier: MIT */
/*
 * unit_writer.c - writer.c: commas, numbers, every byte in strings; jansson reads it
 * back.
 */
#include <config.h>

#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/table.h"
#include "proto/writer.h"
#include "tests/unit.h"

static struct writer writer;

static void after(void) { writer_fini(&writer); }

static void check(const char *wanted)
{
    CU_ASSERT_FALSE(writer.failed);
    CU_ASSERT(writer.size <= writer.room);
    if (writer.size != strlen(wanted) || memcmp(writer.data, wanted, writer.size) != 0) {
        UNIT_FAIL("%.*s instead of %s", (int)writer.size, writer.data, wanted);
    }
    writer_fini(&writer);
}

static void test_nesting(void)
{
    writer_begin_object(&writer);
    writer_key(&writer, "a");
    writer_begin_array(&writer);
    writer_int(&writer, 1);
    writer_begin_array(&writer);
    writer_end_array(&writer);
    writer_begin_object(&writer);
    writer_end_object(&writer);
    writer_null(&writer);
    writer_end_array(&writer);
    writer_key(&writer, "b");
    writer_bool(&writer, true);
    writer_key(&writer, "c");
    writer_begin_object(&writer);
    writer_key(&writer, "d");
    writer_bool(&writer, false);
    writer_end_object(&writer);
    writer_key(&writer, "e");
    writer_raw(&writer, "[0]", 3, true);
    writer_end_object(&writer);
    check("{\"a\":[1,[],{},null],\"b\":true,\"c\":{\"d\":false},\"e\":[0]}");
}

static void test_results(void)
{
    writer_begin_object(&writer);
    writer_result_int(&writer, RESULT_WRITE_SIZE, 5);
    writer_result_null(&writer, RESULT_READ_LINE_LINE);
    writer_result_bool(&writer, RESULT_READ_EOF, true);
    writer_result_text(&writer, RESULT_READ_END, "clean");
    writer_result_text(&writer, FIELD_DESCRIPTION_REMOTE_HOST, NULL);
    writer_result_double(&writer, RESULT_STATISTICS_UPTIME, 0.5);
    writer_end_object(&writer);
    check("{\"size\":5,\"line\":null,\"eof\":true,\"end\":\"clean\",\"remote-host\":null,"
          "\"uptime\":0.5}");
}

static void test_integers(void)
{
    writer_begin_array(&writer);
    writer_int(&writer, 0);
    writer_int(&writer, -1);
    writer_int(&writer, 10);
    writer_int(&writer, INT64_MAX);
    writer_int(&writer, INT64_MIN);
    writer_end_array(&writer);
    check("[0,-1,10,9223372036854775807,-9223372036854775808]");
}

static void test_doubles(void)
{
    static const double numbers[] = {
        0.1,     1.0 / 3, 1e300, 5e-324, 123456789.125,
        2.5e-10, 1e21,    -0.25, 1e15,   0.30000000000000004};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        json_error_t error;
        json_t *json;

        writer_double(&writer, numbers[i]);
        json = json_loadb(writer.data, writer.size, JSON_DECODE_ANY, &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(json);
        CU_ASSERT_DOUBLE_EQUAL(json_number_value(json), numbers[i], 0);
        json_decref(json);
        writer_fini(&writer);
    }
    writer_double(&writer, 0.1);
    check("0.1");
    writer_double(&writer, (double)NAN);
    check("null");
    writer_double(&writer, (double)INFINITY);
    check("null");
}

/* Whatever bytes a string has, a reader of JSON gets them back. */
static void read_back(const char *text, size_t size)
{
    json_error_t error;
    json_t *json;

    writer_string(&writer, text, size);
    json = json_loadb(writer.data, writer.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!json) {
        UNIT_FAIL("%s: %.*s", error.text, (int)writer.size, writer.data);
    } else {
        CU_ASSERT_EQUAL(json_string_length(json), size);
        CU_ASSERT_EQUAL(memcmp(json_string_value(json), text, size), 0);
    }
    json_decref(json);
    writer_fini(&writer);
}

static void test_strings(void)
{
    char text[24];

    writer_string(&writer, "a\"b\\c\n\t\r\b\f\x01\x1F\x7F/", 14);
    check("\"a\\\"b\\\\c\\n\\t\\r\\b\\f\\u0001\\u001f\x7F/\"");
    writer_string(&writer, "", 0);
    check("\"\"");
    writer_string(&writer, "a\0b", 3);
    check("\"a\\u0000b\"");
    /* Each byte at each place of the words that are tested at once. */
    for (size_t at = 0; at < sizeof(text); at++) {
        for (unsigned c = 0; c < 0x80; c++) {
            memset(text, 'x', sizeof(text));
            text[at] = (char)c;
            read_back(text, sizeof(text));
        }
    }
    read_back("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"\\\n", 12);
}

static void test_base64_and_latin1(void)
{
    writer_begin_array(&writer);
    writer_base64(&writer, "foob", 4);
    writer_base64(&writer, "", 0);
    writer_latin1(&writer, "a\xE4\"\xFF\x80\n", 6);
    writer_latin1(&writer, "", 0);
    writer_end_array(&writer);
    check("[\"Zm9vYg==\",\"\",\"a\xC3\xA4\\\"\xC3\xBF\xC2\x80\\n\",\"\"]");
}

static void test_foreign(void)
{
    writer_foreign(&writer, "ok\xFF\n\xC3", 5);
    check("\"ok\xEF\xBF\xBD\\n\xEF\xBF\xBD\"");
    writer_foreign(&writer, "\xED\xA0\x80", 3);
    check("\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    writer_text(&writer, NULL);
    check("null");
}

static void test_json(void)
{
    static const char text[] =
        "{\"a\":[1,-2.5,\"x\\u0000\\\"\",true,false,null,{}],\"\":{\"b\":[]}}";
    json_error_t error;
    json_t *json = json_loads(text, JSON_ALLOW_NUL, &error);

    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    writer_json(&writer, json);
    json_decref(json);
    check(text);
}

static void test_growth(void)
{
    size_t size = 3000000;
    char *text = malloc(size);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, 0x01, size); /* six characters for each */
    writer_string(&writer, text, size);
    CU_ASSERT_EQUAL(writer.size, 6 * size + 2);
    CU_ASSERT_FALSE(writer.failed);
    memset(text, 0xE4, size);
    writer_latin1(&writer, text, size);
    CU_ASSERT_EQUAL(writer.size, 8 * size + 5);
    CU_ASSERT_FALSE(writer.failed);
    free(text);
}

/* Out of memory: nothing is written, and nothing more is tried. */
static void test_failure(void)
{
    static const char text[] = "x";

    writer_string(&writer, text, 1);
    writer_raw(&writer, text, SIZE_MAX / 2, true);
    CU_ASSERT(writer.failed);
    writer_begin_object(&writer);
    writer_int(&writer, 1);
    writer_string(&writer, text, 1);
    writer_end_object(&writer);
    CU_ASSERT_EQUAL(writer.size, 3);
}

static const struct unit_test tests[] = {
    {"nesting and commas", test_nesting},
    {"keys of the table", test_results},
    {"integers", test_integers},
    {"real numbers", test_doubles},
    {"strings with every byte", test_strings},
    {"base64 and ISO 8859-1", test_base64_and_latin1},
    {"foreign bytes", test_foreign},
    {"any JSON value", test_json},
    {"growth", test_growth},
    {"no memory", test_failure},
};

UNIT_MAIN_AROUND(tests, table_setup, after)
