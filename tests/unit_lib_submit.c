/* SPDX-License-Identifier: MIT */
/*
 * unit_lib_submit.c - the asynchronous form of libsockd against a fake daemon: callbacks,
 * the descriptor to poll, deadlines, cancels, the end.
 */
#include <config.h>
#include "lib/sockd.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/fake.h"
#include "tests/unit.h"

static const double soon = 0.05; /* a deadline that is meant to pass */

/* What callbacks have brought, in their order. */
static struct {
    unsigned n;
    uint64_t ids[64];
    int status[64];
    char result[64][32];
} seen;

static void note(struct sockd *connection, uint64_t request, const char *result,
                 const struct sockd_error *error, void *context)
{
    CU_ASSERT_PTR_NOT_NULL(connection);
    CU_ASSERT_PTR_EQUAL(context, &seen);
    CU_ASSERT_EQUAL(!result, error != NULL);
    seen.ids[seen.n] = request;
    seen.status[seen.n] = error ? error->status : SOCKD_OK;
    snprintf(seen.result[seen.n], sizeof(seen.result[0]), "%s", result ? result : "");
    seen.n++;
}

static uint64_t submit(struct sockd *connection, const char *method, double timeout)
{
    struct sockd_error error;
    uint64_t id = 0;

    if (sockd_submit(connection, method, NULL, timeout, note, &seen, &id, &error) !=
        SOCKD_OK)
        UNIT_FAIL_NOW("submit: %s", error.message);
    CU_ASSERT_EQUAL(fake_expect(method), (int64_t)id);
    return id;
}

static void await_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    CU_ASSERT_EQUAL_FATAL(poll(&poll_fd, 1, FAKE_WAIT_MS), 1);
}

static bool is_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) == 1;
}

static void begin(void) { memset(&seen, 0, sizeof(seen)); }

static void test_callbacks(void)
{
    struct sockd *connection = fake_connect();
    uint64_t ids[3];
    size_t n = 99;

    for (int i = 0; i < 3; i++)
        ids[i] = submit(connection, "wait", SOCKD_FOREVER);
    CU_ASSERT_EQUAL(sockd_process(connection, 0, &n, NULL), SOCKD_OK);
    CU_ASSERT_EQUAL(n, 0);
    fake_reply((int64_t)ids[2], "\"two\"");
    fake_refuse((int64_t)ids[0], "connection-refused", -32000);
    CU_ASSERT_EQUAL(sockd_process(connection, SOCKD_FOREVER, &n, NULL), SOCKD_OK);
    while (seen.n < 2)
        CU_ASSERT_EQUAL_FATAL(sockd_process(connection, SOCKD_FOREVER, &n, NULL),
                              SOCKD_OK);
    CU_ASSERT_EQUAL(seen.ids[0], ids[2]);
    CU_ASSERT_STRING_EQUAL(seen.result[0], "\"two\"");
    CU_ASSERT_EQUAL(seen.ids[1], ids[0]);
    CU_ASSERT_EQUAL(seen.status[1], SOCKD_E_CONNECTION_REFUSED);
    CU_ASSERT_EQUAL(sockd_process(connection, soon, &n, NULL), SOCKD_OK);
    CU_ASSERT_EQUAL(n, 0);
}

static void test_poll(void)
{
    struct sockd *connection = fake_connect();
    int fd = sockd_fd(connection, NULL);
    uint64_t id;
    size_t n;

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(sockd_fd(connection, NULL), fd);
    CU_ASSERT_FALSE(is_readable(fd));
    id = submit(connection, "wait", SOCKD_FOREVER);
    CU_ASSERT_FALSE(is_readable(fd));
    fake_reply((int64_t)id, "1");
    await_readable(fd);
    CU_ASSERT_EQUAL(sockd_process(connection, 0, &n, NULL), SOCKD_OK);
    CU_ASSERT_EQUAL(n, 1);
    CU_ASSERT_FALSE(is_readable(fd));
}

/* The reply to a submitted request comes to a thread that waits for its own. */
static void test_read_by_another(void)
{
    struct sockd *connection = fake_connect();
    int fd = sockd_fd(connection, NULL);
    uint64_t id = submit(connection, "wait", SOCKD_FOREVER);
    struct fake_call *call = fake_ask(connection, "block", NULL, SOCKD_FOREVER);
    int64_t call_id = fake_expect("block");
    size_t n;

    fake_reply((int64_t)id, "1");
    fake_reply(call_id, "2");
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_OK);
    await_readable(fd);
    CU_ASSERT_EQUAL(sockd_process(connection, SOCKD_FOREVER, &n, NULL), SOCKD_OK);
    CU_ASSERT_EQUAL(seen.n, 1);
    CU_ASSERT_EQUAL(seen.ids[0], id);
}

static int run_process(struct fake_call *call)
{
    size_t n;

    return sockd_process(call->connection, SOCKD_FOREVER, &n, &call->error);
}

/* A thread waits in sockd_process() while others block; whoever reads, it gets its own.
 */
static void test_process_beside_calls(void)
{
    struct sockd *connection = fake_connect();
    uint64_t id = submit(connection, "wait", SOCKD_FOREVER);
    struct fake_call *process = fake_run(connection, run_process, NULL);
    struct fake_call *call = fake_ask(connection, "block", NULL, SOCKD_FOREVER);

    fake_reply(fake_expect("block"), "2");
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_OK);
    fake_reply((int64_t)id, "1");
    fake_join(process);
    CU_ASSERT_EQUAL(process->status, SOCKD_OK);
    CU_ASSERT_EQUAL(seen.n, 1);
}

static void test_deadline(void)
{
    struct sockd *connection = fake_connect_with(soon);
    int fd = sockd_fd(connection, NULL);
    uint64_t late = submit(connection, "slow", soon), id;
    uint64_t settled;
    size_t n;

    while (!seen.n) {
        await_readable(fd);
        CU_ASSERT_EQUAL_FATAL(sockd_process(connection, 0, &n, NULL), SOCKD_OK);
    }
    CU_ASSERT_EQUAL(fake_expect("cancel"), 0);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(fake_params(), "request")),
                    (json_int_t)late);
    CU_ASSERT_EQUAL(seen.status[0], SOCKD_E_TIMEOUT);
    id = submit(connection, "fast", SOCKD_FOREVER);
    fake_reply((int64_t)late, "\"late\"");
    fake_reply((int64_t)id, "\"right\"");
    while (seen.n < 2)
        CU_ASSERT_EQUAL_FATAL(sockd_process(connection, SOCKD_FOREVER, &n, NULL),
                              SOCKD_OK);
    CU_ASSERT_EQUAL(seen.n, 2);
    CU_ASSERT_STRING_EQUAL(seen.result[1], "\"right\"");
    connection = fake_connect();
    settled = submit(connection, "slow", soon);
    CU_ASSERT_EQUAL(sockd_process(connection, 2 * soon, &n, NULL), SOCKD_OK);
    CU_ASSERT_EQUAL(n, 0);
    fake_expect("cancel");
    fake_refuse((int64_t)settled, "cancelled", -32002);
    CU_ASSERT_EQUAL(sockd_process(connection, SOCKD_FOREVER, &n, NULL), SOCKD_OK);
    CU_ASSERT_EQUAL(seen.status[2], SOCKD_E_TIMEOUT);
}

/* One thread waits without limit; a request with a deadline comes from another. */
static void test_deadline_wakes_process(void)
{
    struct sockd *connection = fake_connect_with(soon);
    struct fake_call *process = fake_run(connection, run_process, NULL);

    submit(connection, "slow", soon);
    fake_expect("cancel");
    fake_join(process);
    CU_ASSERT_EQUAL(process->status, SOCKD_OK);
    CU_ASSERT_EQUAL(seen.n, 1);
    CU_ASSERT_EQUAL(seen.status[0], SOCKD_E_TIMEOUT);
}

static int run_cancel(struct fake_call *call)
{
    bool cancelled = false;
    int status = sockd_cancel(call->connection, *(uint64_t *)call->context, SOCKD_FOREVER,
                              &cancelled, &call->error);

    call->socket = cancelled;
    return status;
}

static void test_cancel(void)
{
    struct sockd *connection = fake_connect();
    uint64_t id = submit(connection, "wait", SOCKD_FOREVER);
    struct fake_call *cancel = fake_run(connection, run_cancel, &id);
    int64_t cancel_id = fake_expect("cancel");
    size_t n;

    CU_ASSERT_EQUAL(json_integer_value(json_object_get(fake_params(), "request")),
                    (json_int_t)id);
    fake_refuse((int64_t)id, "cancelled", -32002);
    fake_reply(cancel_id, "{\"cancelled\":true}");
    fake_join(cancel);
    CU_ASSERT_EQUAL(cancel->status, SOCKD_OK);
    CU_ASSERT_EQUAL(cancel->socket, 1);
    CU_ASSERT_EQUAL(sockd_process(connection, SOCKD_FOREVER, &n, NULL), SOCKD_OK);
    CU_ASSERT_EQUAL(seen.status[0], SOCKD_E_CANCELLED);
}

static void test_daemon_dies(void)
{
    struct sockd *connection = fake_connect();
    int fd = sockd_fd(connection, NULL);
    struct sockd_error error;
    uint64_t id = submit(connection, "a", SOCKD_FOREVER);
    size_t n = 0;

    submit(connection, "b", SOCKD_FOREVER);
    submit(connection, "c", SOCKD_FOREVER);
    fake_reply((int64_t)id, "1");
    fake_hang_up();
    while (seen.n < 3) {
        await_readable(fd);
        CU_ASSERT_EQUAL_FATAL(sockd_process(connection, 0, &n, NULL), SOCKD_OK);
    }
    CU_ASSERT_EQUAL(seen.status[0], SOCKD_OK);
    CU_ASSERT_EQUAL(seen.status[1], SOCKD_E_NO_DAEMON);
    CU_ASSERT_EQUAL(seen.status[2], SOCKD_E_NO_DAEMON);
    CU_ASSERT_EQUAL(sockd_process(connection, 0, &n, &error), SOCKD_E_NO_DAEMON);
    CU_ASSERT_EQUAL(error.status, SOCKD_E_NO_DAEMON);
    CU_ASSERT_EQUAL(sockd_fd(connection, &error), -1);
    CU_ASSERT_EQUAL(sockd_submit(connection, "d", NULL, 1, note, &seen, NULL, &error),
                    SOCKD_E_NO_DAEMON);
    CU_ASSERT_EQUAL(seen.n, 3);
}

/* The end of the connection brings every callback, from within sockd_disconnect(). */
static void test_disconnect(void)
{
    struct fake_call *call;
    struct sockd *connection = fake_connect();

    for (int i = 0; i < 5; i++)
        submit(connection, "wait", SOCKD_FOREVER);
    call = fake_ask(connection, "block", NULL, SOCKD_FOREVER);
    fake_expect("block");
    sockd_abort(connection);
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_NO_DAEMON);
    CU_ASSERT_EQUAL(seen.n, 0);
    fake_reset(); /* disconnects */
    CU_ASSERT_EQUAL(seen.n, 5);
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(seen.status[i], SOCKD_E_NO_DAEMON);
}

static void count(struct sockd *connection, uint64_t request, const char *result,
                  const struct sockd_error *error, void *context)
{
    (void)connection, (void)request, (void)result, (void)error;
    ++*(unsigned *)context;
}

/* A daemon that reads nothing is not given memory without end. */
static void test_limit(void)
{
    enum { SIZE = 60000 };
    struct sockd *connection = fake_connect();
    struct sockd_error error;
    char *params = malloc(SIZE + 3);
    unsigned n = 0, n_submitted = 0;
    uint64_t id, last = 0;
    int64_t taken;
    struct fake_call *process;
    int status;

    memset(params, 'z', SIZE);
    memcpy(params, "{\"x\":\"", 6);
    memcpy(params + SIZE, "\"}", 3);
    for (;;) {
        status = sockd_submit(connection, "big", params, SOCKD_FOREVER, count, &n, &id,
                              &error);
        if (status != SOCKD_OK)
            break;
        last = id;
        n_submitted++;
    }
    free(params);
    CU_ASSERT_EQUAL(status, SOCKD_E_LIMIT_REACHED);
    CU_ASSERT_STRING_EQUAL(error.limit, "unsent-bytes");
    /* All that was taken arrives, when the daemon reads at last. */
    process = fake_run(connection, run_process, NULL);
    do {
        taken = fake_expect("big");
    } while (taken < (int64_t)last);
    fake_reply(taken, "1");
    fake_join(process);
    CU_ASSERT_EQUAL(n, 1);
    fake_reset(); /* disconnects */
    CU_ASSERT_EQUAL(n, n_submitted);
}

static void test_arguments(void)
{
    struct sockd *connection = fake_connect();
    struct sockd_error error;
    unsigned n = 0;
    size_t n_done;

    CU_ASSERT_EQUAL(sockd_submit(connection, "a", NULL, 1, NULL, NULL, NULL, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "done");
    CU_ASSERT_EQUAL(sockd_submit(connection, "a", "{", 1, count, &n, NULL, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(sockd_submit(NULL, "a", NULL, 1, count, &n, NULL, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(sockd_process(NULL, 0, NULL, &error), SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(sockd_process(connection, -9, NULL, &error), SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(sockd_fd(NULL, &error), -1);
    CU_ASSERT_EQUAL(sockd_process(connection, 0, &n_done, &error), SOCKD_OK);
    CU_ASSERT_EQUAL(n, 0);
    fake_is_quiet();
}

static int run_nothing(struct fake_call *call)
{
    return sockd_stop(call->connection, SOCKD_FOREVER, &call->error);
}

/* A callback may submit the next request, and another thread may block meanwhile. */
static void chain(struct sockd *connection, uint64_t request, const char *result,
                  const struct sockd_error *error, void *context)
{
    unsigned *left = context;

    (void)request, (void)result;
    CU_ASSERT_PTR_NULL(error);
    if (--*left)
        CU_ASSERT_EQUAL(sockd_submit(connection, "next", NULL, SOCKD_FOREVER, chain, left,
                                     NULL, NULL),
                        SOCKD_OK);
}

static void test_chain(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *call = fake_run(connection, run_nothing, NULL);
    int64_t call_id = fake_expect("stop");
    unsigned left = 20;

    CU_ASSERT_EQUAL(
        sockd_submit(connection, "next", NULL, SOCKD_FOREVER, chain, &left, NULL, NULL),
        SOCKD_OK);
    while (left) {
        fake_reply(fake_expect("next"), "{}");
        CU_ASSERT_EQUAL_FATAL(sockd_process(connection, SOCKD_FOREVER, NULL, NULL),
                              SOCKD_OK);
    }
    fake_reply(call_id, "{}");
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_OK);
}

static const struct unit_test tests[] = {
    {"callbacks run in the order of replies", test_callbacks},
    {"a descriptor tells when there is something to do", test_poll},
    {"another thread reads the reply", test_read_by_another},
    {"process beside blocking calls", test_process_beside_calls},
    {"deadlines of submitted requests", test_deadline},
    {"a deadline wakes a thread in process", test_deadline_wakes_process},
    {"cancel", test_cancel},
    {"the daemon dies", test_daemon_dies},
    {"disconnect runs every callback", test_disconnect},
    {"a limit on what waits to be sent", test_limit},
    {"bad arguments are refused", test_arguments},
    {"callbacks that submit", test_chain},
};

UNIT_MAIN_AROUND(tests, begin, fake_reset)
