/* SPDX-License-Identifier: MIT */
/*
 * system_lifecycle.c - the daemon starts, says so, answers, and ends clean, in every way
 * there is.
 */
#include <config.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/table.h"
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

static void test_hello(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness);
    json_t *hello = wire_call(wire, "hello", NULL);
    json_t *client = json_object_get(hello, "client");

    CU_ASSERT_STRING_EQUAL(wire_text(hello, "product"), "sockd");
    CU_ASSERT_STRING_EQUAL(wire_text(hello, "version"), PACKAGE_VERSION);
    CU_ASSERT_EQUAL(wire_int(hello, "protocol"), 1);
    CU_ASSERT_EQUAL(wire_int(client, "pid"), getpid());
    CU_ASSERT_EQUAL(wire_int(client, "uid"), getuid());
    CU_ASSERT_EQUAL(wire_int(client, "gid"), getgid());
    harness_stop(harness);
    wire_expect_end(wire);
}

static void test_discover(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *document = wire_call(wire, "rpc.discover", NULL);

    CU_ASSERT_EQUAL(json_array_size(json_object_get(document, "methods")), COMMAND_COUNT);
}

static void test_sigint(void)
{
    struct harness *harness = harness_start(NULL);

    harness_stop_with(harness, SIGINT);
}

static void test_stop_command(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness);

    wire_call(wire, "stop", NULL);
    harness_await_end(harness);
    wire_expect_end(wire);
}

static void test_stop_ends_waiting_requests(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness);
    int port, listener = peer_listen("127.0.0.1", &port), peer;
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:i}", "remote-host",
                             "127.0.0.1", "remote-port", port);

    peer = peer_accept(listener);
    wire_send(wire, "read", "{s:I}", "socket", wire_int(made, "socket"));
    /* Answered behind the read, so the read is waiting. */
    wire_call(wire, "describe-socket", "{s:I}", "socket", wire_int(made, "socket"));
    harness_stop(harness);
    peer_expect_end(peer);
}

static void test_stop_writes_pending_output(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness);
    int port, listener = peer_listen("127.0.0.1", &port), peer;
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:i}", "remote-host",
                             "127.0.0.1", "remote-port", port);

    peer = peer_accept(listener);
    wire_call(wire, "write", "{s:I, s:s, s:b}", "socket", wire_int(made, "socket"),
              "data", "last words", "flush", 1);
    harness_stop(harness);
    peer_expect_text(peer, "last words");
    peer_expect_end(peer);
}

static void test_stale_socket(void)
{
    struct harness *first = harness_start(NULL);
    struct harness_options options = {.socket = harness_socket(first)};

    harness_kill(first);
    CU_ASSERT_EQUAL(access(harness_socket(first), F_OK), 0);
    wire_call(wire_open(harness_start(&options)), "hello", NULL);
}

static void test_live_socket(void)
{
    struct harness *first = harness_start(NULL);
    struct harness_options options = {.socket = harness_socket(first)};

    CU_ASSERT_NOT_EQUAL(harness_start_refused(&options, harness_socket(first)), 0);
    wire_call(wire_open(first), "hello", NULL);
}

static void test_not_a_socket(void)
{
    struct harness *first = harness_start(NULL);
    char path[256];
    struct harness_options options = {.socket = path};
    FILE *file;

    snprintf(path, sizeof(path), "%s/precious", harness_directory(first));
    file = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("not a socket", file);
    fclose(file);
    CU_ASSERT_NOT_EQUAL(harness_start_refused(&options, path), 0);
    CU_ASSERT_EQUAL(access(path, F_OK), 0);
}

static void test_every_number_of_workers(void)
{
    struct harness_options options = {.workers = 1};

    for (; options.workers <= 4; options.workers++) {
        struct harness *harness = harness_start(&options);
        json_t *statistics = wire_call(wire_open(harness), "statistics", NULL);

        CU_ASSERT_EQUAL(json_array_size(json_object_get(statistics, "workers")),
                        options.workers);
        harness_stop(harness);
    }
}

static void test_as_ordinary_user(void)
{
    struct harness_options options = {.uid = 65534, .gid = 65534};
    struct harness *harness;

    if (getuid() != 0) {
        unit_skip("only root can become another user");
        return;
    }
    harness = harness_start(&options);
    wire_call(wire_open(harness), "hello", NULL);
}

static const struct unit_test tests[] = {
    {"says hello and stops on SIGTERM", test_hello},
    {"describes every command of the table", test_discover},
    {"stops on SIGINT", test_sigint},
    {"stops when asked to by command", test_stop_command},
    {"stops although requests wait", test_stop_ends_waiting_requests},
    {"writes pending output before it ends", test_stop_writes_pending_output},
    {"replaces a stale socket file", test_stale_socket},
    {"refuses the socket of a running daemon", test_live_socket},
    {"refuses a file that is no socket", test_not_a_socket},
    {"runs with one to four workers", test_every_number_of_workers},
    {"runs as an ordinary user without configuration", test_as_ordinary_user},
};

UNIT_MAIN(tests)
