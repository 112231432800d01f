/* SPDX-License-Identifier: MIT */
/*
 * system_shortage.c - what happens to sockets when descriptors run short, and at the
 * limits of a user or a client.
 */
#include <config.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/stream_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

static int64_t handle_of(const json_t *made) { return wire_int(made, "socket"); }

static int64_t counter(struct wire *wire, const char *name)
{
    return wire_int(json_object_get(wire_call(wire, "statistics", NULL), "counters"),
                    name);
}

/* No descriptor can be had any more, or again as many as at the start. Those that are
 * open stay; how many they are does not matter, since a limit is one on their numbers. */
static void allow_descriptors(const struct harness *harness, bool is_allowed)
{
    struct rlimit limit;

    CU_ASSERT_EQUAL_FATAL(prlimit(harness_pid(harness), RLIMIT_NOFILE, NULL, &limit), 0);
    limit.rlim_cur = is_allowed ? limit.rlim_max : STDERR_FILENO + 1;
    CU_ASSERT_EQUAL_FATAL(prlimit(harness_pid(harness), RLIMIT_NOFILE, &limit, NULL), 0);
}

struct paused {
    struct wire *wire;
    int64_t n;
};

static bool has_paused(void *context)
{
    const struct paused *paused = context;

    return counter(paused->wire, "accept-pauses") >= paused->n;
}

static long cpu_ticks(const struct harness *harness)
{
    char path[64], text[512];
    unsigned long user = 0, system = 0;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)harness_pid(harness));
    FILE *file = fopen(path, "re");
    CU_ASSERT_FATAL(file != NULL && fgets(text, sizeof text, file) != NULL);
    fclose(file);
    const char *rest = strrchr(text, ')');
    CU_ASSERT_EQUAL_FATAL(sscanf(rest,
                                 ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                                 &user, &system),
                          2);
    return (long)(user + system);
}

static void test_accept_pauses(void)
{
    const struct harness_options options = {.workers = 2};
    struct harness *harness = harness_start(&options);
    struct wire *wire = wire_open(harness);
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                             "local-host", "127.0.0.1");
    struct paused paused = {.wire = wire, .n = 1};
    int port = (int)wire_int(made, "local-port");

    allow_descriptors(harness, false);
    int64_t id = wire_send(wire, "accept-connection", "{s:I}", "socket", handle_of(made));
    int peer = peer_connect("127.0.0.1", port);
    harness_await(has_paused, &paused, "accept has paused");
    CU_ASSERT_FALSE(wire_is_answered(wire, id));
    /* It tries again from time to time, and does not spin: ten tries are a second. */
    long ticks = cpu_ticks(harness);
    int64_t begin = harness_now_ms();
    paused.n = counter(wire, "accept-pauses") + 5;
    harness_await(has_paused, &paused, "accept has paused again");
    CU_ASSERT(harness_now_ms() - begin >= 400);
    unit_note("%ld clock ticks while it paused", cpu_ticks(harness) - ticks);
    /* Other requests go on, and those that need a descriptor say what is missing. */
    json_t *error =
        wire_refused(wire, "unknown", "make-socket", "{s:s}", "type", "datagram");
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "errno"), "EMFILE");
    error = wire_refused(wire, "unknown", "make-socket", "{s:s, s:i}", "remote-host",
                         "127.0.0.1", "remote-port", port);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "errno"), "EMFILE");
    allow_descriptors(harness, true);
    json_t *accepted = wire_result(wire, id);
    CU_ASSERT_EQUAL(wire_int(accepted, "remote-port"), peer_local_port(peer));
}

static void test_paused_listener_ends(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness);
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                             "local-host", "127.0.0.1");
    struct paused paused = {.wire = wire, .n = 1};

    allow_descriptors(harness, false);
    int64_t id = wire_send(wire, "accept-connection", "{s:I}", "socket", handle_of(made));
    (void)peer_connect("127.0.0.1", (int)wire_int(made, "local-port"));
    harness_await(has_paused, &paused, "accept has paused");
    wire_call(wire, "close", "{s:I}", "socket", handle_of(made));
    wire_error(wire, id, "socket-closed");
    allow_descriptors(harness, true);
}

static void test_limit_per_user(void)
{
    const char *const args[] = {"--sockets-per-user", "3", NULL};
    const struct harness_options options = {.args = args};
    struct harness *harness = harness_start(&options);
    struct wire *wire = wire_open(harness), *other = wire_open(harness);
    json_t *listener = wire_call(wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                                 "local-host", "127.0.0.1");
    int64_t sockets[2];

    for (int i = 0; i < 2; i++) {
        sockets[i] =
            handle_of(wire_call(wire, "make-socket", "{s:s}", "type", "datagram"));
    }
    json_t *error =
        wire_refused(other, "limit-reached", "make-socket", "{s:s}", "type", "datagram");
    json_t *data = json_object_get(error, "data");
    CU_ASSERT_STRING_EQUAL(wire_text(data, "limit"), "sockets-per-user");
    CU_ASSERT_EQUAL(wire_int(data, "value"), 3);
    /* A connection that there is no room for stays with the kernel. */
    int peer = peer_connect("127.0.0.1", (int)wire_int(listener, "local-port"));
    wire_refused(wire, "limit-reached", "accept-connection", "{s:I}", "socket",
                 handle_of(listener));
    wire_call(wire, "close", "{s:I}", "socket", sockets[0]);
    json_t *accepted =
        wire_call(wire, "accept-connection", "{s:I}", "socket", handle_of(listener));
    CU_ASSERT_EQUAL(wire_int(accepted, "remote-port"), peer_local_port(peer));
    /* What is closed, or left by its client, counts no more. */
    wire_close(wire);
    for (int i = 0; i < 3; i++) {
        json_t *reply;
        do {
            reply = wire_reply(
                other, wire_send(other, "make-socket", "{s:s}", "type", "datagram"));
        } while (json_object_get(reply, "result") == NULL);
    }
    wire_refused(other, "limit-reached", "make-socket", "{s:s}", "type", "datagram");
}

enum { LARGE_TEXT = 100 * 1024 };

/* The request's id. */
static int64_t write_much(void)
{
    static char text[LARGE_TEXT + 1];

    memset(text, 'x', LARGE_TEXT);
    return wire_send(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock, "data", text);
}

/* A peer that does not read, a client that goes on writing: what waits is bounded. Close
 * is served, and ends what waits. */
static void test_waiting_requests_hold_no_end_of_memory(void)
{
    static const char *const args[] = {"--request-queue-size", "256K", NULL};
    enum { N_WRITES = 200 };
    struct harness_options options = {.args = args};
    int64_t writes[N_WRITES];
    int n_waiting = 0, n_closed = 0;

    pair_start_with(&options);
    for (int i = 0; i < N_WRITES; i++) {
        writes[i] = write_much();
    }
    json_t *error = wire_error(pair.wire, writes[N_WRITES - 1], "limit-reached");
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "limit"),
                           "request-queue-size");
    CU_ASSERT_EQUAL(wire_int(json_object_get(error, "data"), "value"), 256 * 1024);
    for (int i = 0; i < N_WRITES - 1; i++) {
        n_waiting += !wire_is_answered(pair.wire, writes[i]);
    }
    CU_ASSERT(n_waiting == 1 || n_waiting == 2);
    wire_call(pair.wire, "close", "{s:I, s:b}", "socket", pair.sock, "abort", 1);
    for (int i = 0; i < N_WRITES - 1; i++) {
        json_t *reply = wire_reply(pair.wire, writes[i]);
        json_t *data = json_object_get(json_object_get(reply, "error"), "data");
        n_closed += data && strcmp(wire_text(data, "identifier"), "socket-closed") == 0;
    }
    CU_ASSERT_EQUAL(n_closed, n_waiting);
    pair_open(NULL);
    wire_result(pair.wire, write_much()); /* there is room again */
}

static const struct unit_test tests[] = {
    {"accept pauses while descriptors are short", test_accept_pauses},
    {"a listener that pauses can be closed", test_paused_listener_ends},
    {"sockets of one user", test_limit_per_user},
    {"waiting requests hold no end of memory",
     test_waiting_requests_hold_no_end_of_memory},
};
UNIT_MAIN(tests)
