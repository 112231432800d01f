/* SPDX-License-Identifier: MIT */
/*
 * unit_lib_errors.c - errors as values: every identifier, every member, connections that
 * can't be made, where the daemon is looked for, and the address functions.
 */
#include <config.h>
#include "lib/sockd.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "proto/error.h"
#include "proto/message.h"
#include "tests/fake.h"
#include "tests/unit.h"

/* ---- Replies ---- */

/* Has the daemon answer with this error, as the daemon itself writes it. */
static struct fake_call *answer_error(struct sockd *connection, const struct error *error)
{
    struct fake_call *call = fake_ask(connection, "a", NULL, SOCKD_FOREVER);
    struct writer writer = {0};
    char id[24];
    int size = snprintf(id, sizeof(id), "%lld", (long long)fake_expect("a"));

    message_error(&writer, id, (size_t)size, error);
    writer_raw(&writer, "\n", 1, false);
    CU_ASSERT_FALSE_FATAL(writer.failed);
    fake_say_bytes(writer.data, writer.size);
    writer_fini(&writer);
    fake_join(call);
    return call;
}

static void test_every_identifier(void)
{
    struct sockd *connection = fake_connect();

    for (int id = ERROR_NONE + 1; id < ERROR_COUNT; id++) {
        const struct error_row *row = error_row((enum error_id)id);
        struct fake_call *call;
        struct error error;

        error_set(&error, (enum error_id)id, "sentence %d", id);
        if (id % 50 == 0) {
            fake_reset();
            connection = fake_connect();
        }
        call = answer_error(connection, &error);
        if (strcmp(call->error.identifier, row->identifier) != 0)
            UNIT_FAIL("%s came out as %s", row->identifier, call->error.identifier);
        CU_ASSERT_EQUAL(call->status, sockd_status_by_identifier(row->identifier));
        CU_ASSERT_EQUAL(call->error.status, call->status);
        CU_ASSERT_NOT_EQUAL(call->status, SOCKD_E_OTHER);
        CU_ASSERT_EQUAL(call->error.code, row->code);
        CU_ASSERT_EQUAL(call->error.retryable, row->retryable);
        CU_ASSERT_STRING_EQUAL(sockd_status_identifier(call->status), row->identifier);
        CU_ASSERT_STRING_EQUAL(sockd_status_text(call->status), row->text);
    }
}

static void test_members(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *call;
    struct error error;

    error_set_errno(&error, ECONNREFUSED, "connect");
    error.socket = 42;
    call = answer_error(connection, &error);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_CONNECTION_REFUSED);
    CU_ASSERT_EQUAL(call->error.errnum, ECONNREFUSED);
    CU_ASSERT_STRING_EQUAL(call->error.action, "connect");
    CU_ASSERT_EQUAL(call->error.socket, 42);
    error_set_parameter(&error, "remote-port", "a port");
    call = answer_error(connection, &error);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(call->error.parameter, "remote-port");
    CU_ASSERT_STRING_EQUAL(call->error.wanted, "a port");
    error_set_limit(&error, "sockets-per-user", 1024);
    call = answer_error(connection, &error);
    CU_ASSERT_STRING_EQUAL(call->error.limit, "sockets-per-user");
    CU_ASSERT_EQUAL(call->error.value, 1024);
    error_set(&error, ERROR_INTERRUPTED, "interrupted");
    snprintf(error.reason, sizeof(error.reason), "caf\xc3\xa9");
    call = answer_error(connection, &error);
    CU_ASSERT_STRING_EQUAL(call->error.reason, "caf\xc3\xa9");
    error_set(&error, ERROR_PERMISSION_DENIED, "no");
    snprintf(error.subject, sizeof(error.subject), "own");
    call = answer_error(connection, &error);
    CU_ASSERT_STRING_EQUAL(call->error.rule, "own");
    error_set(&error, ERROR_CERTIFICATE_VERIFY_FAILED, "no");
    error.number = 18;
    error.depth = 2;
    call = answer_error(connection, &error);
    CU_ASSERT_EQUAL(call->error.value, 18);
    CU_ASSERT_EQUAL(call->error.depth, 2);
}

/* A newer daemon's identifier, texts that are too long, members of other types. */
static void test_strange_errors(void)
{
    struct sockd *connection = fake_connect();
    struct fake_call *call = fake_ask(connection, "a", NULL, SOCKD_FOREVER);
    char text[400];

    fake_refuse(fake_expect("a"), "invented-later", -32042);
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_OTHER);
    CU_ASSERT_STRING_EQUAL(call->error.identifier, "invented-later");
    CU_ASSERT_EQUAL(call->error.code, -32042);
    for (size_t i = 0; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa9", 3);
    call = fake_ask(connection, "a", NULL, SOCKD_FOREVER);
    fake_refuse(fake_expect("a"), text, -32000);
    fake_join(call);
    CU_ASSERT_EQUAL(strlen(call->error.identifier), 38); /* whole characters */
    call = fake_ask(connection, "a", NULL, SOCKD_FOREVER);
    fake_say("{\"jsonrpc\":\"2.0\",\"id\":%lld,\"error\":{\"code\":\"x\",\"message\":7,"
             "\"data\":[1]}}\n",
             (long long)fake_expect("a"));
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_OTHER);
    CU_ASSERT_STRING_EQUAL(call->error.message, "");
}

static void test_statuses(void)
{
    static const int own[] = {SOCKD_E_OTHER, SOCKD_E_NO_DAEMON, SOCKD_E_BAD_REPLY,
                              SOCKD_E_OUT_OF_MEMORY};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        CU_ASSERT_EQUAL(sockd_status_by_identifier(sockd_status_identifier(own[i])),
                        own[i]);
        CU_ASSERT_PTR_NOT_NULL(sockd_status_text(own[i]));
    }
    CU_ASSERT_STRING_EQUAL(sockd_status_text(SOCKD_OK), "no error");
    CU_ASSERT_PTR_NULL(sockd_status_identifier(SOCKD_OK));
    CU_ASSERT_PTR_NULL(sockd_status_identifier(9999));
    CU_ASSERT_PTR_NULL(sockd_status_text(-1));
    CU_ASSERT_EQUAL(sockd_status_by_identifier("nonsense"), SOCKD_E_OTHER);
    CU_ASSERT_EQUAL(sockd_status_by_identifier(NULL), SOCKD_E_OTHER);
    CU_ASSERT_EQUAL(sizeof(struct sockd_error), 984); /* the size is part of the ABI */
    CU_ASSERT_PTR_NOT_NULL(sockd_version());
}

/* ---- Connecting ---- */

static int try_path(const char *path, struct sockd_error *error)
{
    struct sockd_connect_options options = SOCKD_CONNECT_OPTIONS_INIT;
    struct sockd *connection = NULL;
    int status;

    options.path = path;
    status = sockd_connect(&options, 5, &connection, error);
    CU_ASSERT_PTR_NULL(connection);
    return status;
}

static void test_no_daemon(void)
{
    struct sockd_error error;
    char long_path[200];

    CU_ASSERT_EQUAL(try_path("/nonexistent/sockd", &error), SOCKD_E_NO_DAEMON);
    CU_ASSERT_EQUAL(error.errnum, ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "/nonexistent/sockd"));
    CU_ASSERT_EQUAL(try_path("/dev/null", NULL), SOCKD_E_NO_DAEMON);
    memset(long_path, 'a', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = 0;
    CU_ASSERT_EQUAL(try_path(long_path, &error), SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "path");
}

static int run_connect(struct fake_call *call)
{
    struct sockd_connect_options options = SOCKD_CONNECT_OPTIONS_INIT;

    options.path = fake_path();
    return sockd_connect(&options, call->context ? 0.05 : SOCKD_FOREVER,
                         &call->connection, &call->error);
}

static void check_hello(const char *answer, int status)
{
    struct fake_call *call = fake_run(NULL, run_connect, NULL);

    fake_accept();
    fake_say_hello(answer);
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, status);
    CU_ASSERT_EQUAL(call->error.status, status);
    CU_ASSERT_PTR_NULL(call->connection);
}

static void test_hello(void)
{
    int one = 1;
    struct fake_call *call;

    fake_listen();
    check_hello("{\"protocol\":2}", SOCKD_E_NOT_SUPPORTED);
    check_hello("{}", SOCKD_E_NOT_SUPPORTED);
    check_hello("{", SOCKD_E_BAD_REPLY);
    call = fake_run(NULL, run_connect, NULL);
    fake_accept();
    fake_hang_up();
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_NO_DAEMON);
    /* Nobody answers the hello. */
    call = fake_run(NULL, run_connect, &one);
    fake_accept();
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_E_TIMEOUT);
}

/* The listener's queue is full and nobody accepts: the time to connect ends the attempt.
 */
static void test_connect_timeout(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct sockd_connect_options options = SOCKD_CONNECT_OPTIONS_INIT;
    struct sockd *connection = NULL;
    struct sockd_error error;
    int filler[16];
    int n = 0;

    fake_listen();
    memcpy(address.sun_path, fake_path(), strlen(fake_path()) + 1);
    for (; n < 16; n++) {
        filler[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connect(filler[n], (struct sockaddr *)&address, sizeof(address)) < 0)
            break;
    }
    CU_ASSERT_TRUE_FATAL(n < 16);
    options.path = fake_path();
    CU_ASSERT_EQUAL(sockd_connect(&options, 0.05, &connection, &error), SOCKD_E_TIMEOUT);
    CU_ASSERT_EQUAL(sockd_connect(&options, 0, &connection, &error), SOCKD_E_TIMEOUT);
    CU_ASSERT_PTR_NULL(connection);
    for (int i = 0; i <= n; i++)
        close(filler[i]);
}

static void test_connect_options(void)
{
    struct sockd_connect_options options = SOCKD_CONNECT_OPTIONS_INIT;
    struct sockd *connection = NULL;
    struct sockd_error error;

    CU_ASSERT_EQUAL(sockd_connect(&options, 1, NULL, &error), SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(sockd_connect(&options, -7, &connection, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "timeout");
    options.default_timeout = NAN;
    CU_ASSERT_EQUAL(sockd_connect(&options, 1, &connection, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "default_timeout");
    options = (struct sockd_connect_options)SOCKD_CONNECT_OPTIONS_INIT;
    options.grace = -1;
    CU_ASSERT_EQUAL(sockd_connect(&options, 1, &connection, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "grace");
    options.struct_size = 3;
    CU_ASSERT_EQUAL(sockd_connect(&options, 1, &connection, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "options");
}

static void test_paths(void)
{
    char path[128], directory[128], expected[200];

    fake_listen();
    snprintf(directory, sizeof(directory), "%s", fake_path());
    *strrchr(directory, '/') = 0;
    setenv("SOCKD_SOCKET", "/somewhere/else", 1);
    CU_ASSERT_EQUAL(sockd_default_path(path, sizeof(path), NULL), SOCKD_OK);
    CU_ASSERT_STRING_EQUAL(path, "/somewhere/else");
    CU_ASSERT_EQUAL(sockd_default_path(path, 5, NULL), SOCKD_E_INVALID_PARAMS);
    setenv("SOCKD_SOCKET", "", 1); /* as if it were not there */
    setenv("XDG_RUNTIME_DIR", directory, 1);
    snprintf(expected, sizeof(expected), "%s/sockd.sock", directory);
    if (access("/run/sockd/sockd.sock", F_OK) < 0) {
        CU_ASSERT_EQUAL(symlink(fake_path(), expected), 0);
        CU_ASSERT_EQUAL(sockd_default_path(path, sizeof(path), NULL), SOCKD_OK);
        CU_ASSERT_STRING_EQUAL(path, expected);
        unlink(expected);
        CU_ASSERT_EQUAL(sockd_default_path(path, sizeof(path), NULL), SOCKD_OK);
        CU_ASSERT_STRING_EQUAL(path, geteuid() == 0 ? "/run/sockd/sockd.sock" : expected);
        struct sockd_error error;
        struct sockd *connection;
        CU_ASSERT_EQUAL(sockd_connect(NULL, 1, &connection, &error), SOCKD_E_NO_DAEMON);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "/run/sockd/sockd.sock"));
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, expected));
    }
    unsetenv("XDG_RUNTIME_DIR");
    CU_ASSERT_EQUAL(sockd_default_path(path, sizeof(path), NULL), SOCKD_OK);
    CU_ASSERT_STRING_EQUAL(path, "/run/sockd/sockd.sock");
    CU_ASSERT_EQUAL(sockd_default_path(NULL, 0, NULL), SOCKD_OK);
    unsetenv("SOCKD_SOCKET");
}

/* ---- Addresses ---- */

static void check_address(const char *text, const char *expected, int family)
{
    struct sockd_ipaddr address;
    char back[SOCKD_HOST_SIZE];

    CU_ASSERT_TRUE(sockd_dotted_address_p(text));
    if (sockd_dotted_to_ipaddr(text, &address, NULL) != SOCKD_OK) {
        UNIT_FAIL("%s is an address", text);
        return;
    }
    CU_ASSERT_TRUE(sockd_ipaddrp(&address));
    CU_ASSERT_EQUAL(sockd_ipv6_address_p(&address), family == 6);
    CU_ASSERT_EQUAL(address.family, family);
    sockd_ipaddr_to_dotted(&address, back);
    CU_ASSERT_STRING_EQUAL(back, expected);
}

static void test_addresses(void)
{
    struct sockd_ipaddr one, two, none = {0};
    struct sockd_error error;
    char text[SOCKD_HOST_SIZE] = "x";

    check_address("127.1", "127.0.0.1", 4);
    check_address("192.132.95.84", "192.132.95.84", 4);
    check_address("0x7f.1", "127.0.0.1", 4);
    check_address("::1", "::1", 6);
    check_address("2001:DB8:0:0:0:0:0:1", "2001:db8::1", 6);
    check_address("fe80::1%lo", "fe80::1%lo", 6);
    CU_ASSERT_FALSE(sockd_dotted_address_p("example.org"));
    CU_ASSERT_FALSE(sockd_dotted_address_p(NULL));
    CU_ASSERT_EQUAL(sockd_dotted_to_ipaddr("1.2.3.4.5", &one, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "dotted");
    CU_ASSERT_EQUAL(sockd_dotted_to_ipaddr(NULL, &one, NULL), SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_FALSE(sockd_ipaddrp(&none));
    CU_ASSERT_FALSE(sockd_ipaddrp(NULL));
    sockd_ipaddr_to_dotted(&none, text);
    CU_ASSERT_STRING_EQUAL(text, "");
    sockd_ipaddr_from_integer(3229900653u, &one);
    sockd_ipaddr_to_dotted(&one, text);
    CU_ASSERT_STRING_EQUAL(text, "192.132.95.109");
    CU_ASSERT_EQUAL(sockd_ipaddr_to_integer(&one), 3229900653u);
    CU_ASSERT_EQUAL(sockd_dotted_to_ipaddr("::ffff:192.132.95.109", &two, NULL),
                    SOCKD_OK);
    CU_ASSERT_EQUAL(sockd_ipaddr_to_integer(&two), 0);
    CU_ASSERT_TRUE(sockd_ipaddr_equalp(&one, &two, true));
    CU_ASSERT_EQUAL(sockd_dotted_to_ipaddr("fe80::1%1", &one, NULL), SOCKD_OK);
    CU_ASSERT_EQUAL(sockd_dotted_to_ipaddr("fe80::1", &two, NULL), SOCKD_OK);
    CU_ASSERT_EQUAL(one.scope_id, 1);
    CU_ASSERT_TRUE(sockd_ipaddr_equalp(&one, &two, false));
    CU_ASSERT_FALSE(sockd_ipaddr_equalp(&one, &two, true));
    CU_ASSERT_FALSE(sockd_ipaddr_equalp(&one, &none, false));
    CU_ASSERT_FALSE(sockd_ipaddr_equalp(NULL, &one, false));
}

static const struct unit_test tests[] = {
    {"every identifier of the daemon", test_every_identifier},
    {"every member of an error", test_members},
    {"errors that this version does not know", test_strange_errors},
    {"statuses", test_statuses},
    {"no daemon", test_no_daemon},
    {"hello", test_hello},
    {"a connect that takes too long", test_connect_timeout},
    {"bad options of connect", test_connect_options},
    {"where the daemon is looked for", test_paths},
    {"addresses", test_addresses},
};

UNIT_MAIN_AROUND(tests, NULL, fake_reset)
