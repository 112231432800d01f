/* SPDX-License-Identifier: MIT */
/*
 * unit_lib_attach.c - connections that become raw streams, and descriptors that come with
 * replies, against a fake daemon.
 */
#include <config.h>
#include "lib/sockd.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/fake.h"
#include "tests/unit.h"

static int run_attach(struct fake_call *call)
{
    return sockd_attach(call->connection, 7, SOCKD_DETACH_KEEP, call->timeout, &call->fd,
                        &call->error);
}

static void expect_bytes(int fd, const char *text)
{
    char buffer[200] = "";
    size_t size = 0;

    while (size < strlen(text)) {
        ssize_t n = read(fd, buffer + size, sizeof(buffer) - 1 - size);

        if (n <= 0)
            break;
        size += (size_t)n;
    }
    CU_ASSERT_STRING_EQUAL(buffer, text);
}

/* Reply and stream in one piece: the library takes not one byte too many. */
static void test_attach(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *attach = fake_run(connection, run_attach, NULL);
    struct sockd_error error;
    int64_t id = fake_expect("attach");

    CU_ASSERT_EQUAL(json_integer_value(json_object_get(fake_params(), "socket")), 7);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(fake_params(), "detach")),
                           "keep");
    fake_say("{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"socket\":7}}\nfirst\nsecond",
             (long long)id);
    fake_join(attach);
    CU_ASSERT_EQUAL_FATAL(attach->status, SOCKD_OK);
    CU_ASSERT_FALSE(fcntl(attach->fd, F_GETFL) & O_NONBLOCK);
    CU_ASSERT_TRUE(fcntl(attach->fd, F_GETFD) & FD_CLOEXEC);
    expect_bytes(attach->fd, "first\nsecond");
    CU_ASSERT_EQUAL(write(attach->fd, "up\n", 3), 3);
    expect_bytes(fake_descriptor(), "up\n");
    CU_ASSERT_EQUAL(sockd_stop(connection, 1, &error), SOCKD_E_NOT_CONNECTED);
    CU_ASSERT_EQUAL(
        sockd_attach(connection, 1, SOCKD_DETACH_KEEP, 1, &attach->fd, &error),
        SOCKD_E_NOT_CONNECTED);
    CU_ASSERT_EQUAL(sockd_fd(connection, &error), -1);
    /* The stream goes on when the connection object goes. */
    sockd_abort(connection);
    CU_ASSERT_EQUAL(write(attach->fd, "more", 4), 4);
    expect_bytes(fake_descriptor(), "more");
}

static void test_split_reply(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *attach;
    char reply[200];
    int size;

    CU_ASSERT_TRUE(sockd_fd(connection, NULL) >= 0); /* a poll set must let go of it */
    attach = fake_run(connection, run_attach, NULL);
    size = snprintf(reply, sizeof(reply),
                    "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"socket\":7}}\nx",
                    (long long)fake_expect("attach"));
    for (int i = 0; i < size; i++)
        fake_say_bytes(reply + i, 1);
    fake_join(attach);
    CU_ASSERT_EQUAL_FATAL(attach->status, SOCKD_OK);
    expect_bytes(attach->fd, "x");
}

static void test_refused(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *attach = fake_run(connection, run_attach, NULL), *call;

    fake_refuse(fake_expect("attach"), "no-such-socket", -32003);
    fake_join(attach);
    CU_ASSERT_EQUAL(attach->status, SOCKD_E_NO_SUCH_SOCKET);
    CU_ASSERT_EQUAL(attach->fd, -1);
    call = fake_ask(connection, "a", NULL, SOCKD_FOREVER);
    fake_reply(fake_expect("a"), "1");
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_OK);
}

static void nothing(struct sockd *connection, uint64_t request, const char *result,
                    const struct sockd_error *error, void *context)
{
    (void)connection, (void)request, (void)result, (void)error, (void)context;
}

static void test_busy(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *call = fake_ask(connection, "wait", NULL, SOCKD_FOREVER), *attach;
    struct sockd_error error;
    int64_t id = fake_expect("wait");
    int fd = -1;

    CU_ASSERT_EQUAL(sockd_attach(connection, 7, SOCKD_DETACH_CLOSE, 1, &fd, &error),
                    SOCKD_E_BUSY);
    fake_is_quiet();
    fake_reply(id, "1");
    fake_join(call);
    CU_ASSERT_EQUAL(sockd_submit(connection, "a", NULL, 1, nothing, NULL, NULL, &error),
                    SOCKD_OK);
    id = fake_expect("a");
    CU_ASSERT_EQUAL(sockd_attach(connection, 7, SOCKD_DETACH_CLOSE, 1, &fd, &error),
                    SOCKD_E_BUSY);
    fake_reply(id, "1");
    CU_ASSERT_EQUAL(sockd_process(connection, SOCKD_FOREVER, NULL, &error), SOCKD_OK);
    /* And while it is under way, nothing else. */
    attach = fake_run(connection, run_attach, NULL);
    id = fake_expect("attach");
    CU_ASSERT_EQUAL(sockd_stop(connection, 1, &error), SOCKD_E_BUSY);
    CU_ASSERT_EQUAL(sockd_submit(connection, "a", NULL, 1, nothing, NULL, NULL, &error),
                    SOCKD_E_BUSY);
    CU_ASSERT_EQUAL(sockd_process(connection, 0, NULL, &error), SOCKD_E_BUSY);
    fake_reply(id, "{\"socket\":7}");
    fake_join(attach);
    CU_ASSERT_EQUAL(attach->status, SOCKD_OK);
    CU_ASSERT_EQUAL(fd, -1);
}

/* A late reply of a request that was given up comes first. */
static void test_after_late_reply(void)
{
    struct sockd *connection = fake_connect_with(0.02);
    struct fake_call *late = fake_ask(connection, "slow", NULL, 0.02), *attach;
    int64_t late_id = fake_expect("slow"), id;

    fake_expect("cancel");
    fake_join(late);
    CU_ASSERT_EQUAL(late->status, SOCKD_E_TIMEOUT);
    attach = fake_run(connection, run_attach, NULL);
    id = fake_expect("attach");
    fake_refuse(late_id, "cancelled", -32002);
    fake_say("{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"socket\":7}}\nbytes",
             (long long)id);
    fake_join(attach);
    CU_ASSERT_EQUAL_FATAL(attach->status, SOCKD_OK);
    expect_bytes(attach->fd, "bytes");
}

static int run_short_attach(struct fake_call *call)
{
    return sockd_attach(call->connection, 7, SOCKD_DETACH_CLOSE, 0.05, &call->fd,
                        &call->error);
}

/* An attach can't be cancelled: bytes of a cancel might be the first of the stream. */
static void test_timeout(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *attach = fake_run(connection, run_short_attach, NULL);

    fake_expect("attach");
    CU_ASSERT_PTR_NULL(fake_take()); /* no cancel, but the end */
    fake_join(attach);
    CU_ASSERT_EQUAL(attach->status, SOCKD_E_TIMEOUT);
    CU_ASSERT_EQUAL(sockd_stop(connection, 1, NULL), SOCKD_E_NO_DAEMON);
}

static void test_daemon_dies(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *attach = fake_run(connection, run_attach, NULL);

    fake_expect("attach");
    fake_say("{\"jsonrpc\":");
    fake_hang_up();
    fake_join(attach);
    CU_ASSERT_EQUAL(attach->status, SOCKD_E_NO_DAEMON);
}

static int run_accept(struct fake_call *call)
{
    struct sockd_description *description = NULL;
    int status = sockd_accept_attached(call->connection, 9, call->timeout, &description,
                                       &call->fd, &call->error);

    if (status == SOCKD_OK)
        call->socket = description->socket;
    sockd_free(description);
    return status;
}

static void test_accept(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *accept = fake_run(connection, run_accept, NULL);
    int64_t id = fake_expect("accept-connection");

    CU_ASSERT_TRUE(json_is_true(json_object_get(fake_params(), "attach")));
    fake_refuse(id, "timeout", -32001);
    fake_join(accept);
    CU_ASSERT_EQUAL(accept->status, SOCKD_E_TIMEOUT);
    accept = fake_run(connection, run_accept, NULL);
    id = fake_expect("accept-connection");
    fake_say("{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"socket\":12}}\nhi",
             (long long)id);
    fake_join(accept);
    CU_ASSERT_EQUAL_FATAL(accept->status, SOCKD_OK);
    CU_ASSERT_EQUAL(accept->socket, 12);
    expect_bytes(accept->fd, "hi");
}

static int run_os_fd(struct fake_call *call)
{
    return sockd_socket_os_fd(call->connection, call->socket, SOCKD_FOREVER, &call->fd,
                              &call->error);
}

/* A file that is told from others by its content. */
static int make_file(const char *content)
{
    char name[] = "/tmp/sockd-fd-XXXXXX";
    int fd = mkstemp(name);

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    unlink(name);
    CU_ASSERT_EQUAL(pwrite(fd, content, strlen(content), 0), (ssize_t)strlen(content));
    return fd;
}

static bool is_file(int fd, const char *content)
{
    char text[32] = "";

    return fd >= 0 && pread(fd, text, sizeof(text) - 1, 0) == (ssize_t)strlen(content) &&
           strcmp(text, content) == 0;
}

static void test_os_fd(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *first = fake_run(connection, run_os_fd, NULL), *second;
    int64_t first_id = fake_expect("socket-os-fd"), second_id;
    int fds[] = {make_file("one"), make_file("two")};
    char text[300];

    second = fake_run(connection, run_os_fd, NULL);
    second_id = fake_expect("socket-os-fd");
    /* The descriptor of the second goes first, with its reply, in pieces. */
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"res",
             (long long)second_id);
    fake_say_descriptors(&fds[1], 1, text);
    fake_say("ult\":{}}\n");
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{}}\n",
             (long long)first_id);
    fake_say_descriptors(&fds[0], 1, text);
    fake_join(first);
    fake_join(second);
    CU_ASSERT_EQUAL(first->status, SOCKD_OK);
    CU_ASSERT_EQUAL(second->status, SOCKD_OK);
    CU_ASSERT_TRUE(is_file(first->fd, "one"));
    CU_ASSERT_TRUE(is_file(second->fd, "two"));
    CU_ASSERT_TRUE(fcntl(first->fd, F_GETFD) & FD_CLOEXEC);
    close(fds[0]);
    close(fds[1]);
}

static unsigned count_descriptors(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* Descriptors that nobody waits for are closed. */
static void test_unwanted(void)
{
    struct sockd *connection = fake_connect_with(0.02);
    struct fake_call *call = fake_ask(connection, "socket-os-fd", "{\"socket\":1}", 0.02);
    int64_t id = fake_expect("socket-os-fd");
    int many[16];
    unsigned before;
    char text[200];

    fake_expect("cancel");
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_TIMEOUT);
    for (int i = 0; i < 16; i++)
        many[i] = 1;
    before = count_descriptors();
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{}}\n",
             (long long)id);
    fake_say_descriptors(many, 1, text); /* the late reply's */
    call = fake_ask(connection, "a", NULL, SOCKD_FOREVER);
    id = fake_expect("a");
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{}}\n",
             (long long)id);
    fake_say_descriptors(many, 16, text); /* nobody's */
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_OK);
    call = fake_ask(connection, "socket-os-fd", "{\"socket\":1}", SOCKD_FOREVER);
    id = fake_expect("socket-os-fd");
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{}}\n",
             (long long)id);
    fake_say_descriptors(many, 1, text); /* of a call that wants text only */
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_OK);
    CU_ASSERT_EQUAL(count_descriptors(), before);
}

static void test_missing(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *call = fake_run(connection, run_os_fd, NULL);

    fake_reply(fake_expect("socket-os-fd"), "{}");
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_BAD_REPLY);
    CU_ASSERT_EQUAL(call->fd, -1);
    call = fake_run(connection, run_os_fd, NULL);
    fake_refuse(fake_expect("socket-os-fd"), "not-supported", -32003);
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_NOT_SUPPORTED);
}

static void test_arguments(void)
{
    struct sockd *connection = fake_connect();
    struct sockd_error error;
    int fd;

    CU_ASSERT_EQUAL(sockd_attach(connection, 1, SOCKD_DETACH_KEEP, 1, NULL, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "fd");
    CU_ASSERT_EQUAL(sockd_attach(connection, 1, (enum sockd_detach)0, 1, &fd, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "detach");
    CU_ASSERT_EQUAL(sockd_accept_attached(connection, 1, 1, NULL, NULL, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(sockd_socket_os_fd(connection, 1, 1, NULL, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(sockd_attach(NULL, 1, SOCKD_DETACH_KEEP, 1, &fd, &error),
                    SOCKD_E_INVALID_PARAMS);
    fake_is_quiet();
}

static const struct unit_test tests[] = {
    {"attach takes no byte of the stream", test_attach},
    {"a reply in pieces", test_split_reply},
    {"attach is refused and the connection goes on", test_refused},
    {"attach excludes other calls", test_busy},
    {"attach after a late reply", test_after_late_reply},
    {"a timeout ends the connection without a cancel", test_timeout},
    {"the daemon dies during attach", test_daemon_dies},
    {"accept and attach", test_accept},
    {"descriptors go to the calls they belong to", test_os_fd},
    {"unwanted descriptors are closed", test_unwanted},
    {"a descriptor that does not come", test_missing},
    {"bad arguments are refused", test_arguments},
};

UNIT_MAIN_AROUND(tests, NULL, fake_reset)
