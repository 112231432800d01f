/* SPDX-License-Identifier: MIT */
/*
 * system_clients.c - how clients end, how much they may ask for, and cancel.
 */
#include <config.h>

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/lines.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

#define CALL(ID, METHOD) "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"method\":\"" METHOD "\"}"

static int64_t make_stream(struct wire *wire, int *peer)
{
    int port, listener = peer_listen("127.0.0.1", &port);
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:i}", "remote-host",
                             "127.0.0.1", "remote-port", port);

    *peer = peer_accept(listener);
    return wire_int(made, "socket");
}

/* A client that asks, and what it waits for. */
struct count {
    struct wire *wire;
    const char *member; /* of statistics, or of its counters */
    int64_t wanted;
};

static bool count_is(void *context)
{
    const struct count *count = context;
    json_t *statistics = wire_call(count->wire, "statistics", NULL);
    const json_t *counters = json_object_get(statistics, "counters");
    bool is_counter = json_object_get(counters, count->member) != NULL;

    return wire_int(is_counter ? counters : statistics, count->member) == count->wanted;
}

static void await_count(struct wire *wire, const char *member, int64_t wanted)
{
    struct count count = {.wire = wire, .member = member, .wanted = wanted};

    harness_await(count_is, &count, member);
}

/* ---- Ends of clients ------------------------------------------------------------------
 */

static void test_hello(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    json_t *hello = wire_call(wire, "hello", NULL), *feature;
    static const char *const wanted[] = {"attach", "cancel", "sni", "tls"};
    size_t i, n_found = 0;

    CU_ASSERT_STRING_EQUAL(wire_text(hello, "product"), "sockd");
    CU_ASSERT_EQUAL(wire_int(hello, "protocol"), 1);
    for (size_t k = 0; k < sizeof(wanted) / sizeof(wanted[0]); k++) {
        json_array_foreach(json_object_get(hello, "features"), i, feature)
        {
            n_found += strcmp(json_string_value(feature), wanted[k]) == 0;
        }
    }
    CU_ASSERT_EQUAL(n_found, sizeof(wanted) / sizeof(wanted[0]));
}

static void test_half_close(void)
{
    struct harness_options options = {.workers = 2};
    struct harness *harness = harness_start(&options);
    struct wire *owner = wire_open(harness), *wire = wire_open(harness);
    int peer;
    int64_t socket = make_stream(owner, &peer);
    int64_t read = wire_send(wire, "read", "{s:I}", "socket", socket);
    int64_t hello = wire_send(wire, "hello", NULL);

    wire_shut_output(wire);
    wire_result(wire, hello);
    peer_print(peer, "late");
    CU_ASSERT_STRING_EQUAL(wire_text(wire_result(wire, read), "data"), "late");
    wire_expect_end(wire);
}

/* With nothing in flight the end of the requests is the end of the client. */
static void test_half_close_when_idle(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *watcher = wire_open(harness), *wire = wire_open(harness);
    int peer;

    (void)make_stream(wire, &peer);
    wire_shut_output(wire);
    wire_expect_end(wire);
    peer_expect_end(peer);
    await_count(watcher, "sockets", 0);
    await_count(watcher, "clients", 1);
}

static void test_line_without_end(void)
{
    struct lines *lines = lines_open(harness_start(NULL));
    static const char text[] = CALL("1", "hello") "\n" CALL("2", "hello");

    peer_write(lines_descriptor(lines), text, sizeof text - 1);
    peer_shut_output(lines_descriptor(lines));
    lines_expect_part(lines, "\"id\":1,\"result\"");
    lines_expect_part(lines, "\"id\":2,\"result\"");
    lines_expect_end(lines);
}

/* A client that closes after asking for something that waits on another worker. */
static void test_close_cancels(void)
{
    struct harness_options options = {.workers = 3};
    struct harness *harness = harness_start(&options);
    struct wire *owner = wire_open(harness);
    int peer;
    int64_t socket = make_stream(owner, &peer);

    for (int i = 0; i < 3; i++) {
        struct wire *wire = wire_open(harness);
        wire_send(wire, "read", "{s:I}", "socket", socket);
        wire_send(wire, "read", "{s:I}", "socket", socket);
        wire_call(wire, "describe-socket", "{s:I}", "socket", socket);
        wire_close(wire);
        await_count(owner, "requests-cancelled", 2 * (i + 1));
    }
    await_count(owner, "clients", 1);
    /* Nothing that they waited for was consumed. */
    peer_print(peer, "mine");
    json_t *read = wire_call(owner, "read", "{s:I}", "socket", socket);
    CU_ASSERT_STRING_EQUAL(wire_text(read, "data"), "mine");
}

/* ---- Clients that are killed ----------------------------------------------------------
 */

enum { KILLED_KINDS = 7, KILLED = 10 * KILLED_KINDS };

static void child_say(int fd, const char *text)
{
    size_t size = strlen(text);

    if (send(fd, text, size, MSG_NOSIGNAL) != (ssize_t)size) {
        _exit(1);
    }
}

/* The handle in the reply to a make-socket. */
static long long child_make(int fd, const char *params)
{
    char text[4096];
    size_t size = 0;

    (void)snprintf(text, sizeof text,
                   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"make-socket\","
                   "\"params\":{%s}}\n",
                   params);
    child_say(fd, text);
    do {
        ssize_t n = recv(fd, text + size, sizeof text - 1 - size, 0);
        if (n <= 0) {
            _exit(1);
        }
        size += (size_t)n;
        text[size] = '\0';
    } while (strchr(text, '\n') == NULL);
    const char *member = strstr(text, "\"socket\":");
    if (member == NULL) {
        _exit(1);
    }
    return strtoll(member + strlen("\"socket\":"), NULL, 10);
}

/* A client of one kind: does something, tells that it has, and waits for its death. */
_Noreturn static void child_run(int kind, int fd, int port, int silent_port, int ready)
{
    char text[512], params[128];
    long long socket;

    (void)snprintf(params, sizeof params,
                   "\"remote-host\":\"127.0.0.1\",\"remote-port\":%d", port);
    switch (kind) {
    case 0: /* waits for data */
    case 1: /* the same within a batch */
    case 2: /* is a raw stream */
        socket = child_make(fd, params);
        (void)snprintf(text, sizeof text,
                       "%s{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"%s\","
                       "\"params\":{\"socket\":%lld}}%s\n",
                       kind == 1 ? "[" : "", kind == 2 ? "attach" : "read", socket,
                       kind == 1 ? "]" : "");
        child_say(fd, text);
        break;
    case 3: /* waits for a connection */
        socket = child_make(fd, "\"connect\":\"passive\",\"local-host\":\"127.0.0.1\"");
        (void)snprintf(text, sizeof text,
                       "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"accept-connection\","
                       "\"params\":{\"socket\":%lld}}\n",
                       socket);
        child_say(fd, text);
        break;
    case 4: /* is connecting */
        (void)snprintf(text, sizeof text,
                       "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"make-socket\","
                       "\"params\":{\"remote-host\":\"127.0.0.1\",\"remote-port\":%d}}\n",
                       silent_port);
        child_say(fd, text);
        break;
    case 5: /* half a request, after a socket */
        (void)child_make(fd, params);
        child_say(fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"meth");
        break;
    default: /* replies that are not read */
        for (int i = 0; i < 20; i++) {
            child_say(fd, CALL("2", "rpc.discover") "\n");
        }
        break;
    }
    if (write(ready, "x", 1) != 1) {
        _exit(1);
    }
    for (;;) {
        pause();
    }
}

struct descriptors {
    const struct harness *harness;
    int wanted;
};

static bool has_descriptors(void *context)
{
    const struct descriptors *descriptors = context;

    return harness_n_descriptors(descriptors->harness) == descriptors->wanted;
}

static void test_killed_clients(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *watcher = wire_open(harness);
    int port, silent_port = peer_silent_port("127.0.0.1");
    int ready[2], n_ready = 0, status;
    struct descriptors descriptors = {.harness = harness};
    pid_t children[KILLED];
    char byte;

    (void)peer_listen("127.0.0.1", &port);
    CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
    wire_call(watcher, "statistics", NULL);
    descriptors.wanted = harness_n_descriptors(harness);
    for (int i = 0; i < KILLED; i++) {
        int fd = peer_connect_file(harness_socket(harness));
        children[i] = fork();
        CU_ASSERT_TRUE_FATAL(children[i] >= 0);
        if (children[i] == 0) {
            child_run(i % KILLED_KINDS, fd, port, silent_port, ready[1]);
        }
        peer_close(fd);
    }
    close(ready[1]);
    while (read(ready[0], &byte, 1) == 1 && ++n_ready < KILLED) {
        continue;
    }
    close(ready[0]);
    CU_ASSERT_EQUAL(n_ready, KILLED);
    for (int i = 0; i < KILLED; i++) {
        CU_ASSERT_EQUAL(kill(children[i], SIGKILL), 0);
        CU_ASSERT_EQUAL(waitpid(children[i], &status, 0), children[i]);
        CU_ASSERT(WIFSIGNALED(status));
    }
    await_count(watcher, "clients", 1);
    await_count(watcher, "sockets", 0);
    harness_await(has_descriptors, &descriptors, "descriptors as at the beginning");
}

/* ---- Limits ---------------------------------------------------------------------------
 */

static void test_long_line(void)
{
    static const char *const args[] = {"--message-size", "4K", NULL};
    struct harness_options options = {.args = args};
    struct harness *harness = harness_start(&options);
    struct lines *lines = lines_open(harness), *other = lines_open(harness);
    char *text = calloc(1, 3000000);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    /* Exactly as long as it may be. */
    memset(text, ' ', 4096);
    memcpy(text, CALL("1", "hello"), strlen(CALL("1", "hello")));
    text[4096] = '\0';
    lines_say(lines, "%s", text);
    lines_expect_part(lines, "\"id\":1,\"result\"");
    /* Far too long: the client can write all of it, and then read why it is closed. */
    memset(text, ' ', 3000000);
    peer_write(lines_descriptor(lines), text, 3000000);
    free(text);
    lines_expect_part(lines,
                      "\"retryable\":false,\"limit\":\"message-size\",\"value\":4096");
    lines_expect_end(lines);
    lines_settle(other);
}

static void test_requests_in_flight(void)
{
    static const char *const args[] = {"--requests-in-flight", "4", NULL};
    struct harness_options options = {.args = args};
    struct harness *harness = harness_start(&options);
    struct wire *owner = wire_open(harness), *wire = wire_open(harness);
    int peer;
    int64_t socket = make_stream(owner, &peer), reads[4];

    for (int i = 0; i < 4; i++) {
        reads[i] = wire_send(wire, "read", "{s:I}", "socket", socket);
    }
    json_t *error =
        wire_refused(wire, "limit-reached", "read", "{s:I}", "socket", socket);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "limit"),
                           "requests-in-flight");
    CU_ASSERT_EQUAL(wire_int(json_object_get(error, "data"), "value"), 4);
    CU_ASSERT_TRUE(wire_bool(json_object_get(error, "data"), "retryable"));
    /* What never waits is served all the same, and makes room. */
    wire_call(wire, "hello", NULL);
    CU_ASSERT(
        wire_bool(wire_call(wire, "cancel", "{s:I}", "request", reads[1]), "cancelled"));
    wire_error(wire, reads[1], "cancelled");
    reads[1] = wire_send(wire, "read", "{s:I}", "socket", socket);
    peer_print(peer, "a");
    wire_result(wire, reads[0]);
    wire_call(wire, "describe-socket", "{s:I}", "socket", socket);
    wire_close(wire);
    await_count(owner, "limits-reached", 1);
    await_count(owner, "requests-cancelled", 4);
}

static void test_connections_per_user(void)
{
    static const char *const args[] = {"--connections-per-user", "3", NULL};
    struct harness_options options = {.args = args};
    struct harness *harness = harness_start(&options);
    struct wire *wires[3];

    for (int i = 0; i < 3; i++) {
        wires[i] = wire_open(harness);
        wire_call(wires[i], "hello", NULL);
    }
    struct lines *lines = lines_open(harness);
    lines_expect_part(lines, "\"limit\":\"connections-per-user\",\"value\":3");
    lines_expect_end(lines);
    wire_close(wires[0]);
    await_count(wires[1], "clients", 2);
    wire_call(wire_open(harness), "hello", NULL);
}

static void test_connections_of_all(void)
{
    static const char *const args[] = {"--connections", "1", NULL};
    struct harness_options options = {.args = args};
    struct harness *harness = harness_start(&options);

    wire_call(wire_open(harness), "hello", NULL);
    struct lines *lines = lines_open(harness);
    lines_expect_part(lines, "\"limit\":\"connections\",\"value\":1");
    lines_expect_end(lines);
}

static bool has_wrapper;

static void forget_wrapper(void)
{
    if (has_wrapper) {
        unsetenv("SOCKD_WRAPPER");
        has_wrapper = false;
    }
}

/* Without descriptors clients are told so, and served again when there are some. */
static void test_no_descriptors(void)
{
    struct harness_options options = {.workers = 1, .expect_errors = true};
    struct lines *clients[256];
    int n = 0;

    if (access("/usr/bin/prlimit", X_OK) < 0 || getenv("SOCKD_WRAPPER") != NULL) {
        unit_skip("needs prlimit, and the place of SOCKD_WRAPPER");
        return;
    }
    CU_ASSERT_EQUAL_FATAL(setenv("SOCKD_WRAPPER", "/usr/bin/prlimit --nofile=48:48", 1),
                          0);
    has_wrapper = true;
    struct harness *harness = harness_start(&options);
    for (bool is_served = true; is_served; n++) {
        CU_ASSERT_TRUE_FATAL(n < 256);
        clients[n] = lines_open(harness);
        (void)lines_push(clients[n], CALL("1", "hello") "\n",
                         strlen(CALL("1", "hello") "\n"));
        const char *line = lines_hear(clients[n]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(line);
        is_served = strstr(line, "\"limit\":\"descriptors\"") == NULL;
    }
    CU_ASSERT(n > 10);
    /* Every further one is told. */
    for (int i = 0; i < 3; i++) {
        struct lines *late = lines_open(harness);
        lines_expect_part(late, "\"limit\":\"descriptors\"");
        lines_expect_end(late);
        lines_close(late);
    }
    lines_close(clients[--n]);
    while (n > 5) {
        lines_close(clients[--n]);
    }
    lines_settle(clients[0]);
    struct wire *wire = wire_open(harness);
    wire_call(wire, "hello", NULL);
    await_count(wire, "clients", 6);
}

/* ---- Clients that do not read ---------------------------------------------------------
 */

static void test_slow_reader_gets_all(void)
{
    enum { N = 200 };
    static const char *const args[] = {"--reply-queue-size", "64K", NULL};
    struct harness_options options = {.args = args};
    struct harness *harness = harness_start(&options);
    struct lines *lines = lines_open(harness), *other = lines_open(harness);
    char text[128], all[N * 64];
    size_t size = 0;

    /* In one piece: the kernel's queue of small pieces is short. */
    for (int i = 0; i < N; i++) {
        size += (size_t)snprintf(
            all + size, sizeof all - size,
            "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"rpc.discover\"}\n", i);
    }
    peer_write(lines_descriptor(lines), all, size);
    lines_say(lines, CALL("\"last\"", "hello"));
    /* Nobody else is held up. */
    lines_settle(other);
    for (int i = 0; i < N; i++) {
        (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{",
                       i);
        const char *line = lines_hear(lines);
        CU_ASSERT_TRUE_FATAL(line != NULL && strncmp(line, text, strlen(text)) == 0);
    }
    lines_expect_part(lines, "\"id\":\"last\",\"result\"");
}

static void test_slow_reader_is_closed(void)
{
    static const char *const args[] = {"--reply-queue-size", "64K", "--reply-timeout",
                                       "0.2", NULL};
    struct harness_options options = {.args = args, .workers = 2};
    struct harness *harness = harness_start(&options);
    struct wire *watcher = wire_open(harness);
    struct lines *lines = lines_open(harness);
    static const char request[] = CALL("1", "rpc.discover") "\n";
    char byte;

    /* Until the daemon takes no more: its queue is full, and so is the kernel's. */
    while (lines_push(lines, request, sizeof request - 1) == sizeof request - 1) {
        continue;
    }
    await_count(watcher, "clients-slow", 1);
    await_count(watcher, "clients", 1);
    CU_ASSERT(harness_log_has(harness, "did not read its replies"));
    while (recv(lines_descriptor(lines), &byte, 1, 0) > 0) {
        continue; /* what was sent before may still be read, then it ends */
    }
    lines_close(lines);
}

/* ---- Cancel ---------------------------------------------------------------------------
 */

static void cancel_on(struct wire *wire, int64_t socket, int peer)
{
    int64_t first = wire_send(wire, "read", "{s:I}", "socket", socket);
    int64_t second = wire_send(wire, "read", "{s:I}", "socket", socket);

    CU_ASSERT(
        wire_bool(wire_call(wire, "cancel", "{s:I}", "request", first), "cancelled"));
    wire_error(wire, first, "cancelled");
    CU_ASSERT_FALSE(
        wire_bool(wire_call(wire, "cancel", "{s:I}", "request", first), "cancelled"));
    CU_ASSERT_FALSE(
        wire_bool(wire_call(wire, "cancel", "{s:s}", "request", "none"), "cancelled"));
    peer_print(peer, "for the second");
    CU_ASSERT_STRING_EQUAL(wire_text(wire_result(wire, second), "data"),
                           "for the second");
    CU_ASSERT_FALSE(
        wire_bool(wire_call(wire, "cancel", "{s:I}", "request", second), "cancelled"));
}

static void test_cancel(void)
{
    struct harness_options options = {.workers = 2};
    struct harness *harness = harness_start(&options);
    struct wire *home = wire_open(harness), *far = wire_open(harness);
    int peer;
    int64_t socket = make_stream(home, &peer);

    cancel_on(home, socket, peer);
    cancel_on(far, socket, peer);
}

/* Requests of another connection are not one's own, whatever their ids. */
static void test_cancel_only_own(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *home = wire_open(harness), *other = wire_open(harness);
    int peer;
    int64_t socket = make_stream(home, &peer);
    int64_t read = wire_send(home, "read", "{s:I}", "socket", socket);

    wire_call(home, "describe-socket", "{s:I}", "socket", socket);
    CU_ASSERT_FALSE(
        wire_bool(wire_call(other, "cancel", "{s:I}", "request", read), "cancelled"));
    peer_print(peer, "x");
    wire_result(home, read);
}

/* Among requests of the same id the oldest is cancelled; a string is not a number. */
static void test_cancel_same_id(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *owner = wire_open(harness);
    struct lines *lines = lines_open(harness);
    int peer;
    int64_t socket = make_stream(owner, &peer);

    for (int max = 1; max <= 3; max++) {
        lines_say(lines,
                  "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"read\","
                  "\"params\":{\"socket\":%lld,\"max\":%d}}",
                  max == 1 ? "\"7\"" : "7", (long long)socket, max);
    }
    lines_say(lines, "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"cancel\","
                     "\"params\":{\"request\":7}}");
    lines_expect_part(lines, "\"id\":7,\"error\":{\"code\":-32002");
    lines_expect(lines, "{\"jsonrpc\":\"2.0\",\"id\":8,\"result\":{\"cancelled\":true}}");
    peer_print(peer, "abcd");
    lines_expect_part(lines, "\"id\":\"7\",\"result\":{\"data\":\"a\"");
    lines_expect_part(lines, "\"id\":7,\"result\":{\"data\":\"bcd\"");
}

static const struct unit_test tests[] = {
    {"hello tells what there is", test_hello},
    {"a client that shut its writing side gets its replies", test_half_close},
    {"an idle client that shuts its writing side has ended", test_half_close_when_idle},
    {"the last line needs no line feed", test_line_without_end},
    {"the end of a client cancels what it waits for", test_close_cancels},
    {"killed clients leave nothing", test_killed_clients},
    {"a line that is too long is told and ends the client", test_long_line},
    {"requests in flight have a limit", test_requests_in_flight},
    {"connections of a user have a limit", test_connections_per_user},
    {"connections of all users have a limit", test_connections_of_all},
    {"without descriptors clients are told so", test_no_descriptors},
    {"a client that reads slowly gets all", test_slow_reader_gets_all},
    {"a client that does not read is closed", test_slow_reader_is_closed},
    {"cancel ends a waiting request on any worker", test_cancel},
    {"cancel knows only requests of its connection", test_cancel_only_own},
    {"cancel takes the oldest of the same id", test_cancel_same_id},
};

UNIT_MAIN_AROUND(tests, NULL, forget_wrapper)
