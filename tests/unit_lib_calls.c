/* SPDX-License-Identifier: MIT */
/*
 * unit_lib_calls.c - calls of libsockd against a fake daemon: matching, time-outs, bad
 * replies, the end of the connection.
 */
#include <config.h>
#include "lib/sockd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/fake.h"
#include "tests/unit.h"

static const double soon = 0.05; /* a deadline that is meant to pass */

static void test_call(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *call = fake_ask(
        connection, "read", "{\n  \"socket\": 7,\r\n \"max\": 1 }\n", SOCKD_FOREVER);
    int64_t id = fake_expect("read");

    CU_ASSERT_EQUAL(json_integer_value(json_object_get(fake_params(), "socket")), 7);
    CU_ASSERT_EQUAL(json_object_size(fake_params()), 2);
    fake_reply(id, "{\"data\":\"a\\u0000b\",\"n\":1}");
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_OK);
    CU_ASSERT_STRING_EQUAL(call->result, "{\"data\":\"a\\u0000b\",\"n\":1}");
    call = fake_ask(connection, "a \"strange\" name", NULL, SOCKD_FOREVER);
    id = fake_expect("a \"strange\" name");
    CU_ASSERT_PTR_NULL(fake_params());
    fake_reply(id, "null");
    fake_join(call);
    CU_ASSERT_STRING_EQUAL(call->result, "null");
}

static void test_bad_arguments(void)
{
    struct sockd *connection = fake_connect();
    struct sockd_error error;
    char *result = NULL;

    CU_ASSERT_EQUAL(sockd_call(connection, "x", "[1", 1, &result, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "params");
    CU_ASSERT_EQUAL(sockd_call(connection, "x", "[1]", 1, &result, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(sockd_call(connection, "\xff", NULL, 1, &result, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "method");
    CU_ASSERT_EQUAL(sockd_call(connection, NULL, NULL, 1, &result, NULL),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(sockd_call(connection, "x", NULL, -7, &result, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "timeout");
    CU_ASSERT_EQUAL(sockd_call(connection, "x", NULL, 0.0 / 0.0, &result, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(sockd_call(NULL, "x", NULL, 1, &result, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "connection");
    CU_ASSERT_EQUAL(sockd_close(NULL, 1, NULL, 1, &error), SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_PTR_NULL(result);
    fake_is_quiet();
}

static void test_too_long(void)
{
    struct sockd *connection = fake_connect();
    struct sockd_error error;
    char *data = malloc(FAKE_MESSAGE_SIZE + 1);

    memset(data, 'x', FAKE_MESSAGE_SIZE);
    data[0] = data[FAKE_MESSAGE_SIZE - 1] = '"';
    data[FAKE_MESSAGE_SIZE] = 0;
    CU_ASSERT_EQUAL(sockd_set_log_level(connection, SOCKD_LOG_INFO, data, 1, &error),
                    SOCKD_E_LIMIT_REACHED);
    CU_ASSERT_STRING_EQUAL(error.limit, "message-size");
    CU_ASSERT_FALSE(error.retryable);
    CU_ASSERT_EQUAL(error.value, FAKE_MESSAGE_SIZE);
    fake_is_quiet();
    free(data);
}

static void test_out_of_order(void)
{
    enum { N = 10 };
    struct sockd *connection = fake_connect();
    struct fake_call *calls[N];
    int64_t ids[N];
    char text[32];

    for (int i = 0; i < N; i++) {
        calls[i] = fake_ask(connection, "wait", NULL, SOCKD_FOREVER);
        ids[i] = fake_expect("wait");
    }
    for (int i = N - 1; i >= 0; i--) {
        snprintf(text, sizeof(text), "%d", i);
        fake_reply(ids[i], text);
        fake_join(calls[i]);
        CU_ASSERT_EQUAL(calls[i]->status, SOCKD_OK);
        CU_ASSERT_STRING_EQUAL(calls[i]->result, text);
    }
}

/* The reader of the connection gets its reply first: another thread has to take over. */
static void test_role_passes_on(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *calls[3];
    int64_t ids[3];

    for (int i = 0; i < 3; i++) {
        calls[i] = fake_ask(connection, "wait", NULL, SOCKD_FOREVER);
        ids[i] = fake_expect("wait");
    }
    for (int i = 0; i < 3; i++) {
        fake_reply(ids[i], "true");
        fake_join(calls[i]);
        CU_ASSERT_EQUAL(calls[i]->status, SOCKD_OK);
    }
}

static void test_late_reply(void)
{
    struct sockd *connection = fake_connect_with(soon);
    struct fake_call *late = fake_ask(connection, "slow", NULL, soon);
    struct fake_call *next;
    int64_t late_id = fake_expect("slow"), id;

    CU_ASSERT_EQUAL(fake_expect("cancel"), 0);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(fake_params(), "request")),
                    late_id);
    fake_join(late);
    CU_ASSERT_EQUAL(late->status, SOCKD_E_TIMEOUT);
    CU_ASSERT_STRING_EQUAL(late->error.identifier, "timeout");
    next = fake_ask(connection, "fast", NULL, SOCKD_FOREVER);
    id = fake_expect("fast");
    CU_ASSERT_NOT_EQUAL(id, late_id);
    fake_reply(late_id, "\"late\"");
    fake_reply(late_id, "\"twice\"");
    fake_reply(id, "\"right\"");
    fake_join(next);
    CU_ASSERT_STRING_EQUAL(next->result, "\"right\"");
}

/* A healthy daemon settles a cancel: with the error, or with what was done before it
 * came. */
static void test_cancel_settles(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *call = fake_ask(connection, "slow", NULL, soon);
    int64_t id = fake_expect("slow");

    fake_expect("cancel");
    fake_refuse(id, "cancelled", -32002);
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_TIMEOUT);
    CU_ASSERT_EQUAL(call->error.status, SOCKD_E_TIMEOUT);
    call = fake_ask(connection, "slow", NULL, soon);
    id = fake_expect("slow");
    fake_expect("cancel");
    fake_reply(id, "\"data\"");
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_OK);
    CU_ASSERT_STRING_EQUAL(call->result, "\"data\"");
}

/* Two threads: the one with the deadline is not the reader, and then it is. */
static void test_deadlines_of_several(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *first = fake_ask(connection, "wait", NULL, SOCKD_FOREVER), *second;
    int64_t first_id = fake_expect("wait"), second_id;

    second = fake_ask(connection, "short", NULL, soon);
    second_id = fake_expect("short");
    fake_expect("cancel");
    fake_refuse(second_id, "cancelled", -32002);
    fake_join(second);
    CU_ASSERT_EQUAL(second->status, SOCKD_E_TIMEOUT);
    fake_reply(first_id, "1");
    fake_join(first);
    CU_ASSERT_EQUAL(first->status, SOCKD_OK);
}

static void test_default_timeout(void)
{
    struct sockd *connection = fake_connect_with(soon);
    struct fake_call *call;

    sockd_set_default_timeout(connection, soon);
    call = fake_ask(connection, "slow", NULL, SOCKD_DEFAULT);
    fake_expect("slow");
    fake_expect("cancel");
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_TIMEOUT);
    sockd_set_default_timeout(connection, -5); /* none: stays */
    call = fake_ask(connection, "slow", NULL, SOCKD_DEFAULT);
    fake_expect("slow");
    fake_expect("cancel");
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_TIMEOUT);
}

/* Replies as another daemon might write them. */
static void test_other_forms(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *call = fake_ask(connection, "a", NULL, SOCKD_FOREVER);
    int64_t id = fake_expect("a");

    fake_say("\n  \r\n{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"x\":1}}\n");
    fake_say(" { \"result\" : [1, 2] , \"id\" : %lld , \"jsonrpc\":\"2.0\"}\r\n",
             (long long)id);
    fake_join(call);
    CU_ASSERT_STRING_EQUAL(call->result, "[1,2]");
    call = fake_ask(connection, "b", NULL, SOCKD_FOREVER);
    id = fake_expect("b");
    fake_say("{\"id\":%lld,\"error\":{\"code\":-32601,\"message\":\"what?\"}}\n",
             (long long)id);
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_METHOD_NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(call->error.message, "what?");
    CU_ASSERT_EQUAL(call->error.code, -32601);
}

static void test_byte_by_byte(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *call = fake_ask(connection, "a", NULL, SOCKD_FOREVER);
    char line[100];
    int size =
        snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":12}\n",
                 (long long)fake_expect("a"));

    for (int i = 0; i < size; i++)
        fake_say_bytes(line + i, 1);
    fake_join(call);
    CU_ASSERT_STRING_EQUAL(call->result, "12");
}

static void test_many_at_once(void)
{
    enum { N = 20 };
    struct sockd *connection = fake_connect();
    struct fake_call *calls[N];
    char lines[N * 100];
    size_t size = 0;

    for (int i = 0; i < N; i++) {
        calls[i] = fake_ask(connection, "a", NULL, SOCKD_FOREVER);
        size += (size_t)snprintf(lines + size, sizeof(lines) - size,
                                 "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":%d}\n",
                                 (long long)fake_expect("a"), i);
    }
    fake_say_bytes(lines, size);
    for (int i = 0; i < N; i++) {
        char text[16];

        snprintf(text, sizeof(text), "%d", i);
        fake_join(calls[i]);
        CU_ASSERT_STRING_EQUAL(calls[i]->result, text);
    }
}

static void test_huge_reply(void)
{
    enum { SIZE = 5 << 20 };
    struct sockd *connection = fake_connect();
    struct fake_call *call = fake_ask(connection, "a", NULL, SOCKD_FOREVER);
    int64_t id = fake_expect("a");
    char *text = malloc(SIZE);

    memset(text, 'y', SIZE);
    fake_say("{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":\"", (long long)id);
    fake_say_bytes(text, SIZE);
    fake_say("\"}\n");
    free(text);
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_OK);
    CU_ASSERT_EQUAL(strlen(call->result), SIZE + 2);
}

static int run_connect_limited(struct fake_call *call)
{
    struct sockd_connect_options options = SOCKD_CONNECT_OPTIONS_INIT;

    options.path = fake_path();
    options.reply_limit = 200;
    return sockd_connect(&options, SOCKD_FOREVER, &call->connection, &call->error);
}

static void test_reply_limit(void)
{
    struct fake_call *connect, *call;
    char text[300];

    fake_listen();
    connect = fake_run(NULL, run_connect_limited, NULL);
    fake_accept();
    fake_say_hello("{\"protocol\":1}");
    fake_join(connect);
    CU_ASSERT_EQUAL_FATAL(connect->status, SOCKD_OK);
    call = fake_ask(connect->connection, "a", NULL, SOCKD_FOREVER);
    fake_expect("a");
    memset(text, ' ', sizeof(text));
    fake_say_bytes(text, sizeof(text));
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_BAD_REPLY);
    sockd_disconnect(connect->connection);
}

/* Each of these ends the connection, with all calls that wait. */
static void test_bad_lines(void)
{
    static const char *const lines[] = {
        "nonsense\n",
        "[1,2]\n",
        "12\n",
        "{}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":99999,\"result\":1}\n",
        "{\"id\":99999,\"result\":1}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":1}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":\"2\",\"result\":1}\n",
        "{\"id\":2}\n",
        "{\"id\":2,\"result\":1,\"error\":{}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":123456789012345678901,\"result\":1}\n",
        "\xff\xfe\n",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct sockd *connection = fake_connect();
        struct fake_call *one = fake_ask(connection, "a", NULL, SOCKD_FOREVER), *two;

        fake_expect("a");
        two = fake_ask(connection, "b", NULL, SOCKD_FOREVER);
        fake_expect("b");
        fake_say("%s", lines[i]);
        fake_join(one);
        fake_join(two);
        if (one->status != SOCKD_E_BAD_REPLY || two->status != SOCKD_E_BAD_REPLY)
            UNIT_FAIL("%s: %d, %d", lines[i], one->status, two->status);
        CU_ASSERT_EQUAL(sockd_stop(connection, 1, NULL), SOCKD_E_BAD_REPLY);
        CU_ASSERT_PTR_NULL(fake_take()); /* the library has hung up */
        fake_reset();
    }
}

/* A bad body is the matter of its call only. */
static void test_bad_body(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *call = fake_ask(connection, "a", NULL, SOCKD_FOREVER);

    fake_say("{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{nonsense}}\n",
             (long long)fake_expect("a"));
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_BAD_REPLY);
    call = fake_ask(connection, "a", NULL, SOCKD_FOREVER);
    fake_say("{\"jsonrpc\":\"2.0\",\"id\":%lld,\"error\":7}\n",
             (long long)fake_expect("a"));
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_BAD_REPLY);
    call = fake_ask(connection, "a", NULL, SOCKD_FOREVER);
    fake_reply(fake_expect("a"), "1");
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_OK);
}

/* The daemon could not read a line of ours and can't say which. */
static void test_error_without_id(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *call = fake_ask(connection, "a", NULL, SOCKD_FOREVER);

    fake_expect("a");
    fake_say(
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32005,\"message\":\"too "
        "long\",\"data\":{\"identifier\":\"limit-reached\"}}}\n");
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_LIMIT_REACHED);
    CU_ASSERT_STRING_EQUAL(call->error.message, "too long");
}

static void check_all_fail(const char *last_words)
{
    enum { N = 8 };
    struct sockd *connection = fake_connect();
    struct fake_call *calls[N];
    struct sockd_error error;

    for (int i = 0; i < N; i++) {
        calls[i] = fake_ask(connection, "wait", NULL, SOCKD_FOREVER);
        fake_expect("wait");
    }
    fake_say("%s", last_words);
    fake_hang_up();
    for (int i = 0; i < N; i++) {
        fake_join(calls[i]);
        CU_ASSERT_EQUAL(calls[i]->status, SOCKD_E_NO_DAEMON);
        CU_ASSERT_STRING_EQUAL(calls[i]->error.identifier, "no-daemon");
        CU_ASSERT_NOT_EQUAL(calls[i]->error.message[0], 0);
    }
    CU_ASSERT_EQUAL(sockd_call(connection, "a", NULL, SOCKD_FOREVER, NULL, &error),
                    SOCKD_E_NO_DAEMON);
}

static void test_daemon_dies(void) { check_all_fail(""); }

static void test_daemon_dies_in_a_line(void)
{
    check_all_fail("{\"jsonrpc\":\"2.0\",\"id\":2,\"res");
}

/* The daemon closes with requests unread: the library's socket reports a reset. */
static void test_daemon_dies_unread(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *first = fake_ask(connection, "a", NULL, SOCKD_FOREVER), *second;

    fake_expect("a");
    second = fake_ask(connection, "b", NULL, SOCKD_FOREVER);
    fake_hang_up();
    fake_join(first);
    fake_join(second);
    CU_ASSERT_EQUAL(first->status, SOCKD_E_NO_DAEMON);
    CU_ASSERT_EQUAL(second->status, SOCKD_E_NO_DAEMON);
}

/* What was answered before the end is delivered. */
static void test_last_words(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *first = fake_ask(connection, "a", NULL, SOCKD_FOREVER), *second;
    int64_t id = fake_expect("a");

    second = fake_ask(connection, "b", NULL, SOCKD_FOREVER);
    fake_expect("b");
    fake_reply(id, "\"good\"");
    fake_hang_up();
    fake_join(first);
    fake_join(second);
    CU_ASSERT_EQUAL(first->status, SOCKD_OK);
    CU_ASSERT_EQUAL(second->status, SOCKD_E_NO_DAEMON);
}

static void test_abort(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *calls[3];

    for (int i = 0; i < 3; i++) {
        calls[i] = fake_ask(connection, "wait", NULL, SOCKD_FOREVER);
        fake_expect("wait");
    }
    sockd_abort(connection);
    sockd_abort(connection);
    for (int i = 0; i < 3; i++) {
        fake_join(calls[i]);
        CU_ASSERT_EQUAL(calls[i]->status, SOCKD_E_NO_DAEMON);
    }
    sockd_abort(NULL);
    sockd_disconnect(NULL);
}

/* A daemon that does not read: requests are kept, sent later, and in order. */
static void test_daemon_does_not_read(void)
{
    enum { N = 40, SIZE = 60000 };
    struct sockd *connection = fake_connect();
    struct fake_call *calls[N];
    char *params = malloc(SIZE + 20);
    int64_t ids[N], previous = 0;

    memset(params, 'z', SIZE + 20);
    memcpy(params, "{\"x\":\"", 6);
    memcpy(params + SIZE, "\"}", 3);
    for (int i = 0; i < N; i++)
        calls[i] = fake_ask(connection, "big", params, SOCKD_FOREVER);
    for (int i = 0; i < N; i++) {
        ids[i] = fake_expect("big");
        CU_ASSERT_EQUAL(json_string_length(json_object_get(fake_params(), "x")),
                        SIZE - 6);
        CU_ASSERT_TRUE(ids[i] > previous);
        previous = ids[i];
    }
    for (int i = 0; i < N; i++)
        fake_reply(ids[i], "1");
    for (int i = 0; i < N; i++) {
        fake_join(calls[i]);
        CU_ASSERT_EQUAL(calls[i]->status, SOCKD_OK);
    }
    free(params);
}

static void test_fork(void)
{
    struct sockd *connection = fake_connect();
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        int result = sockd_stop(connection, 1, NULL);
        int processed = sockd_process(connection, 0, NULL, NULL);

        sockd_abort(connection); /* no-op */
        sockd_disconnect(connection);
        _exit(result == SOCKD_E_NO_DAEMON && processed == SOCKD_E_NO_DAEMON ? 0 : 1);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
    fake_is_quiet();
    struct fake_call *call = fake_ask(connection, "a", NULL, SOCKD_FOREVER);
    fake_reply(fake_expect("a"), "1"); /* the parent's goes on */
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_OK);
}

static const struct unit_test tests[] = {
    {"a call sends its parameters and answers its result", test_call},
    {"bad arguments are refused and nothing is sent", test_bad_arguments},
    {"a request above the message limit is refused", test_too_long},
    {"replies in another order", test_out_of_order},
    {"the reader's role passes on", test_role_passes_on},
    {"a late reply is dropped", test_late_reply},
    {"a cancel is settled", test_cancel_settles},
    {"deadlines of several threads", test_deadlines_of_several},
    {"the default timeout", test_default_timeout},
    {"replies in another form", test_other_forms},
    {"a reply byte by byte", test_byte_by_byte},
    {"many replies at once", test_many_at_once},
    {"a huge reply", test_huge_reply},
    {"a reply above the limit", test_reply_limit},
    {"lines that are no replies", test_bad_lines},
    {"a bad body fails its call only", test_bad_body},
    {"an error without id", test_error_without_id},
    {"the daemon dies", test_daemon_dies},
    {"the daemon dies in a line", test_daemon_dies_in_a_line},
    {"the daemon dies with requests unread", test_daemon_dies_unread},
    {"replies before the end count", test_last_words},
    {"abort", test_abort},
    {"a daemon that does not read", test_daemon_does_not_read},
    {"a child of fork() cannot use the connection", test_fork},
};

UNIT_MAIN_AROUND(tests, NULL, fake_reset)
