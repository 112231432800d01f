/* SPDX-License-Identifier: MIT */
/*
 * requests_streams.c - what libsockd sends and reads for streams.
 *
 * Part of unit_lib_requests. Thread: the one that runs the test, and one for each
 * operation.
 */
#include <config.h>
#include "lib/sockd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/fake.h"
#include "tests/requests.h"
#include "tests/unit.h"

/* ---- Streams ---- */

static int run_read(struct fake_call *call)
{
    return sockd_read(call->connection, 7, out.bytes, 10, NULL, SOCKD_DEFAULT, &out.size,
                      &out.end, &call->error);
}

static int run_read_exactly(struct fake_call *call)
{
    struct sockd_read_options options = SOCKD_READ_OPTIONS_INIT;

    options.exactly = 1;
    return sockd_read(call->connection, 7, out.bytes, 10, &options, 1, &out.size,
                      &out.end, &call->error);
}

static int run_read_until(struct fake_call *call)
{
    struct sockd_read_options options = SOCKD_READ_OPTIONS_INIT;

    options.until = "\r\n";
    options.until_size = 2;
    options.encoding = *(enum sockd_encoding *)call->context;
    return sockd_read(call->connection, 7, out.bytes, 10, &options, 1, &out.size,
                      &out.end, &call->error);
}

static int run_peek(struct fake_call *call)
{
    struct sockd_read_options options = SOCKD_READ_OPTIONS_INIT;

    options.until = "ab";
    options.until_size = 2;
    return sockd_peek(call->connection, 7, out.bytes, 10, &options, 1, &out.size,
                      &out.end, &call->error);
}

static int run_peek_exactly(struct fake_call *call)
{
    struct sockd_read_options options = SOCKD_READ_OPTIONS_INIT;

    options.exactly = 1;
    return sockd_peek(call->connection, 7, out.bytes, 10, &options, 1, &out.size,
                      &out.end, &call->error);
}

static struct fake_call *operate_until(enum sockd_encoding encoding, const char *answer)
{
    struct fake_call *call = fake_run(connection, run_read_until, &encoding);

    fake_reply(check_request("read"), answer);
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_OK);
    return call;
}

void test_read(void)
{
    operate(run_read, "read",
            "{\"data\":\"AP8=\",\"encoding\":\"base64\",\"size\":2,\"eof\":false}");
    CU_ASSERT_EQUAL(out.size, 2);
    CU_ASSERT_EQUAL(memcmp(out.bytes, "\0\xff", 2), 0);
    CU_ASSERT_EQUAL(out.end, SOCKD_END_NONE);
    CU_ASSERT_EQUAL(sent_int("max"), 10);
    CU_ASSERT_STRING_EQUAL(sent_text("encoding"), "base64");
    CU_ASSERT_PTR_NULL(json_object_get(fake_params(), "timeout"));
    operate(run_read, "read",
            "{\"data\":\"\",\"encoding\":\"utf-8\",\"size\":0,\"eof\":true,\"end\":"
            "\"clean\"}");
    CU_ASSERT_EQUAL(out.size, 0);
    CU_ASSERT_EQUAL(out.end, SOCKD_END_CLEAN);
    operate(
        run_read, "read",
        "{\"data\":\"\",\"encoding\":\"utf-8\",\"size\":0,\"eof\":true,\"end\":\"odd\"}");
    CU_ASSERT_EQUAL(out.end, SOCKD_END_CLEAN);
    operate(run_read_exactly, "read",
            "{\"data\":\"AAAA\",\"encoding\":\"base64\",\"size\":3,\"eof\":true,"
            "\"end\":\"truncated\"}");
    CU_ASSERT_EQUAL(sent_int("exactly"), 10);
    CU_ASSERT_EQUAL(out.size, 3);
    CU_ASSERT_EQUAL(out.end, SOCKD_END_TRUNCATED);
    operate_until(SOCKD_BYTES, "{\"data\":\"YQ0K\",\"encoding\":\"base64\"}");
    CU_ASSERT_STRING_EQUAL(sent_text("until"), "DQo=");
    CU_ASSERT_EQUAL(memcmp(out.bytes, "a\r\n", 3), 0);
    operate_until(SOCKD_UTF8,
                  "{\"data\":\"\\u00e9\\u0000\\r\\n\",\"encoding\":\"utf-8\"}");
    CU_ASSERT_STRING_EQUAL(sent_text("until"), "\r\n");
    CU_ASSERT_EQUAL(out.size, 5);
    CU_ASSERT_EQUAL(memcmp(out.bytes, "\xc3\xa9\0\r\n", 5), 0);
    operate(run_peek, "peek",
            "{\"data\":\"YQ==\",\"encoding\":\"base64\",\"eof\":true,\"end\":\"chunk\"}");
    CU_ASSERT_EQUAL(out.end, SOCKD_END_CHUNK);
    operate(run_peek_exactly, "peek", "{\"data\":\"YQ==\",\"encoding\":\"base64\"}");
}

/* More than was asked for, or no base64: not one byte goes past the buffer. */
void test_read_bad_data(void)
{
    static const char *const answers[] = {
        "{\"data\":\"AAAAAAAAAAAAAAAA\",\"encoding\":\"base64\"}",
        "{\"data\":\"aaaaaaaaaaa\",\"encoding\":\"utf-8\"}",
        "{\"data\":\"a\",\"encoding\":\"base64\"}",
        "{\"data\":\"====\",\"encoding\":\"base64\"}",
        "{\"data\":\"aaaa\",\"encoding\":\"klingon\"}",
        "{\"data\":\"aaaa\"}",
        "{\"encoding\":\"utf-8\"}",
        "[]",
        "null",
    };

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct fake_call *call = fake_run(connection, run_read, NULL);

        memset(out.bytes, 'z', sizeof(out.bytes));
        fake_reply(fake_expect("read"), answers[i]);
        fake_join(call);
        if (call->status != SOCKD_E_BAD_REPLY)
            UNIT_FAIL("%s: %d", answers[i], call->status);
        CU_ASSERT_EQUAL(out.bytes[10], 'z');
    }
}

static int run_read_line(struct fake_call *call)
{
    struct sockd_read_line_options options = SOCKD_READ_LINE_OPTIONS_INIT;

    out.line = (struct sockd_line)SOCKD_LINE_INIT;
    options.encoding = SOCKD_UTF8;
    return sockd_read_line(call->connection, 7, out.bytes, 10, &options, 1, &out.flags[0],
                           &out.line, &call->error);
}

void test_read_line(void)
{
    operate(
        run_read_line, "read-line",
        "{\"line\":\"abc\",\"encoding\":\"utf-8\",\"missing-newline\":true,\"eof\":true,"
        "\"end\":\"clean\"}");
    CU_ASSERT_EQUAL(sent_int("max"), 9);
    CU_ASSERT_STRING_EQUAL(out.bytes, "abc");
    CU_ASSERT_EQUAL(out.line.size, 3);
    CU_ASSERT_TRUE(out.line.missing_newline);
    CU_ASSERT_EQUAL(out.line.end, SOCKD_END_CLEAN);
    CU_ASSERT_TRUE(out.flags[0]);
    operate(
        run_read_line, "read-line",
        "{\"line\":\"\",\"encoding\":\"utf-8\",\"missing-newline\":false,\"eof\":false}");
    CU_ASSERT_TRUE(out.flags[0]);
    CU_ASSERT_EQUAL(out.line.size, 0);
    CU_ASSERT_EQUAL(out.line.end, SOCKD_END_NONE);
    operate(run_read_line, "read-line",
            "{\"line\":null,\"encoding\":\"utf-8\",\"missing-newline\":true,\"eof\":true,"
            "\"end\":\"clean\"}");
    CU_ASSERT_FALSE(out.flags[0]);
    CU_ASSERT_STRING_EQUAL(out.bytes, "");
}

static int run_listen(struct fake_call *call)
{
    return sockd_listen(call->connection, 7, 1, &out.flags[0], &out.flags[1],
                        &call->error);
}

static int run_read_byte(struct fake_call *call)
{
    return sockd_read_byte(call->connection, 7, 1, &out.number, &out.end, &call->error);
}

static int run_read_char(struct fake_call *call)
{
    return sockd_read_char(call->connection, 7, 1, &out.character, &out.end,
                           &call->error);
}

static int run_write_byte(struct fake_call *call)
{
    return sockd_write_byte(call->connection, 7, 255, 1, &call->error);
}

static int run_write_char(struct fake_call *call)
{
    return sockd_write_char(call->connection, 7, *(int32_t *)call->context, 1,
                            &call->error);
}

static int run_force(struct fake_call *call)
{
    return sockd_force_output(call->connection, 7, 1, &call->error);
}

static int run_finish(struct fake_call *call)
{
    return sockd_finish_output(call->connection, 7, 1, &call->error);
}

void test_single_steps(void)
{
    static const struct {
        int32_t number;
        const char *text;
    } characters[] = {{'a', "a"},
                      {0xe9, "\xc3\xa9"},
                      {0x20ac, "\xe2\x82\xac"},
                      {0x1f600, "\xf0\x9f\x98\x80"}};
    char answer[64];

    operate(run_listen, "listen", "{\"available\":true,\"eof\":false}");
    CU_ASSERT_TRUE(out.flags[0]);
    CU_ASSERT_FALSE(out.flags[1]);
    operate(run_read_byte, "read-byte", "{\"value\":200,\"eof\":false}");
    CU_ASSERT_EQUAL(out.number, 200);
    operate(run_read_byte, "read-byte",
            "{\"value\":null,\"eof\":true,\"end\":\"clean\"}");
    CU_ASSERT_EQUAL(out.number, -1);
    CU_ASSERT_EQUAL(out.end, SOCKD_END_CLEAN);
    operate(run_write_byte, "write-byte", "{\"value\":255}");
    CU_ASSERT_EQUAL(sent_int("value"), 255);
    for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++) {
        int32_t number = characters[i].number;
        struct fake_call *call;

        snprintf(answer, sizeof(answer), "{\"value\":\"%s\",\"eof\":false}",
                 characters[i].text);
        operate(run_read_char, "read-char", answer);
        CU_ASSERT_EQUAL(out.character, number);
        call = fake_run(connection, run_write_char, &number);
        fake_reply(check_request("write-char"), "{}");
        fake_join(call);
        CU_ASSERT_EQUAL(call->status, SOCKD_OK);
        CU_ASSERT_STRING_EQUAL(sent_text("value"), characters[i].text);
    }
    operate(run_read_char, "read-char", "{\"value\":\"\\u0000\",\"eof\":false}");
    CU_ASSERT_EQUAL(out.character, 0);
    operate(run_read_char, "read-char",
            "{\"value\":null,\"eof\":true,\"end\":\"clean\"}");
    CU_ASSERT_EQUAL(out.character, -1);
    CU_ASSERT_EQUAL(sockd_write_char(connection, 7, 0xd800, 1, NULL),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(sockd_write_char(connection, 7, 0x110000, 1, NULL),
                    SOCKD_E_INVALID_PARAMS);
    operate(run_force, "force-output", "{}");
    operate(run_finish, "finish-output", "{}");
}

static int run_write(struct fake_call *call)
{
    struct sockd_write_options options = SOCKD_WRITE_OPTIONS_INIT;
    const char *data = call->context;

    options.flush = 0;
    return sockd_write(call->connection, 7, data, call->context ? strlen(data) : 0,
                       &options, 1, &out.size, &call->error);
}

static void check_write(const char *data, const char *sent, const char *encoding)
{
    struct fake_call *call = fake_run(connection, run_write, (void *)(uintptr_t)data);

    fake_reply(check_request("write"), "{\"size\":1}");
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_OK);
    CU_ASSERT_STRING_EQUAL(sent_text("data"), sent);
    CU_ASSERT_STRING_EQUAL(sent_text("encoding"), encoding);
    CU_ASSERT_EQUAL(out.size, data ? strlen(data) : 0);
}

void test_write(void)
{
    check_write(NULL, "", "");
    check_write("GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "");
    check_write("caf\xc3\xa9", "caf\xc3\xa9", "");
    check_write("caf\xe9", "Y2Fm6Q==", "base64");
    check_write("\1\2\3", "AQID", "base64");
    CU_ASSERT_TRUE(json_is_false(json_object_get(fake_params(), "flush")));
}

enum { LARGE = 3 * FAKE_MESSAGE_SIZE };

static int run_write_large(struct fake_call *call)
{
    return sockd_write(call->connection, 7, call->context, LARGE, NULL, 1000, &out.size,
                       &call->error);
}

/* More than one message can hold goes out in several, in order; a failure tells how far.
 */
void test_write_large(void)
{
    char *data = malloc(LARGE);
    size_t sent = 0, n = 0;
    struct fake_call *call;

    for (size_t i = 0; i < LARGE; i++)
        data[i] = (char)('a' + i / 7 % 26);
    call = fake_run(connection, run_write_large, data);
    while (sent < LARGE) {
        int64_t id = check_request("write");
        const json_t *piece = json_object_get(fake_params(), "data");

        n = json_string_length(piece);
        CU_ASSERT_TRUE_FATAL(n > 0 && sent + n <= LARGE);
        CU_ASSERT_EQUAL(memcmp(json_string_value(piece), data + sent, n), 0);
        sent += n;
        if (sent == LARGE)
            fake_refuse(id, "broken-pipe", -32000);
        else
            fake_reply(id, "{}");
    }
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_BROKEN_PIPE);
    CU_ASSERT_EQUAL(out.size, LARGE - n);
    free(data);
}
