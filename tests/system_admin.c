/* SPDX-License-Identifier: MIT */
/*
 * system_admin.c - the administrator's view: describe-socket, lists and their pages,
 * statistics, ten thousand sockets, a thousand clients that are killed.
 */
#include <config.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

enum { N_MANY = 10000, N_KILLED = 1000, PAGE = 700 };

static int64_t make_datagram(struct wire *wire, const char *name)
{
    return wire_int(wire_call(wire, "make-socket", "{s:s, s:s, s:s}", "type", "datagram",
                              "local-host", "127.0.0.1", "name", name),
                    "socket");
}

static json_t *list(struct wire *wire, const char *filter, const char *value)
{
    return json_object_get(wire_call(wire, "list-sockets", "{s:s}", filter, value),
                           "sockets");
}

static void test_describe(void)
{
    struct wire *wire = wire_open(harness_start(NULL));
    int port, listener = peer_listen("127.0.0.1", &port), peer;
    json_t *made =
        wire_call(wire, "make-socket", "{s:s, s:i, s:s, s:b}", "remote-host", "127.0.0.1",
                  "remote-port", port, "name", "probe", "keepalive", 1);
    int64_t socket = wire_int(made, "socket");
    json_t *told, *part;

    peer = peer_accept(listener);
    (void)wire_call(wire, "write", "{s:I, s:s}", "socket", socket, "data", "12345");
    peer_expect_text(peer, "12345");
    (void)wire_send(wire, "read", "{s:I}", "socket", socket);
    told = wire_call(wire, "describe-socket", "{s:I}", "socket", socket);
    CU_ASSERT_STRING_EQUAL(wire_text(told, "name"), "probe");
    CU_ASSERT_STRING_EQUAL(wire_text(told, "state"), "connected");
    CU_ASSERT_STRING_EQUAL(wire_text(told, "remote-host"), "127.0.0.1");
    CU_ASSERT_EQUAL(wire_int(told, "remote-port"), port);
    CU_ASSERT_EQUAL(wire_int(told, "worker"), socket % 64);
    part = json_object_get(told, "owner");
    CU_ASSERT_EQUAL(wire_int(part, "uid"), getuid());
    CU_ASSERT_EQUAL(wire_int(part, "pid"), getpid());
    part = json_object_get(told, "options");
    CU_ASSERT_TRUE(wire_bool(part, "keepalive"));
    CU_ASSERT_TRUE(wire_bool(part, "nodelay"));
    part = json_object_get(told, "runtime");
    CU_ASSERT_EQUAL(wire_int(part, "bytes-written"), 5);
    CU_ASSERT_EQUAL(wire_int(part, "bytes-read"), 0);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(part, "pending")), 1);
    CU_ASSERT_STRING_EQUAL(
        json_string_value(json_array_get(json_object_get(part, "pending"), 0)), "read");
}

static void test_filters(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness);
    int64_t first = make_datagram(wire, "one");
    json_t *hello = json_object_get(wire_call(wire, "hello", NULL), "client");

    (void)make_datagram(wire, "two");
    (void)wire_call(wire, "make-socket", "{s:s, s:s}", "connect", "passive", "local-host",
                    "127.0.0.1");
    CU_ASSERT_EQUAL(json_array_size(list(wire, "name", "one")), 1);
    CU_ASSERT_EQUAL(wire_int(json_array_get(list(wire, "name", "one"), 0), "socket"),
                    first);
    CU_ASSERT_EQUAL(json_array_size(list(wire, "name", "three")), 0);
    CU_ASSERT_EQUAL(json_array_size(list(wire, "type", "datagram")), 2);
    CU_ASSERT_EQUAL(json_array_size(list(wire, "type", "stream")), 1);
    CU_ASSERT_EQUAL(json_array_size(list(wire, "state", "listening")), 1);
    CU_ASSERT_EQUAL(json_array_size(list(wire, "state", "open")), 2);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(
                        wire_call(wire, "list-sockets", "{s:I, s:i}", "client",
                                  wire_int(hello, "id"), "uid", (int)getuid()),
                        "sockets")),
                    3);
    CU_ASSERT_EQUAL(
        json_array_size(json_object_get(
            wire_call(wire_open(harness), "list-sockets", "{s:i}", "uid", 12345),
            "sockets")),
        0);
}

static void test_clients(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness), *other = wire_open(harness);
    json_t *clients, *entry;
    size_t i;

    (void)wire_call(other, "hello", NULL);
    clients = json_object_get(wire_call(wire, "list-clients", NULL), "clients");
    CU_ASSERT_EQUAL(json_array_size(clients), 2);
    json_array_foreach(clients, i, entry)
    {
        CU_ASSERT_EQUAL(wire_int(entry, "pid"), getpid());
    }
}

static void test_statistics(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness);
    json_t *told, *workers, *entry;
    int64_t sockets = 0;
    size_t i;

    (void)make_datagram(wire, "a");
    told = wire_call(wire, "statistics", NULL);
    CU_ASSERT_EQUAL(wire_int(told, "pid"), harness_pid(harness));
    CU_ASSERT_EQUAL(wire_int(told, "sockets"), 1);
    CU_ASSERT_EQUAL(wire_int(told, "clients"), 1);
    CU_ASSERT_EQUAL(wire_int(json_object_get(told, "counters"), "sockets-made"), 1);
    CU_ASSERT(wire_int(json_object_get(told, "counters"), "requests") >= 2);
    workers = json_object_get(told, "workers");
    CU_ASSERT_EQUAL(json_array_size(workers), harness_workers(harness));
    json_array_foreach(workers, i, entry) { sockets += wire_int(entry, "sockets"); }
    CU_ASSERT_EQUAL(sockets, 1);
}

/* All handles of all pages, in order, each once. */
static size_t count_pages(struct wire *wire)
{
    int64_t after = 1, last = 0;
    size_t n = 0;

    for (;;) {
        json_t *page = wire_call(wire, "list-sockets", "{s:i, s:I}", "limit", PAGE,
                                 "after", (json_int_t)after);
        json_t *sockets = json_object_get(page, "sockets"), *entry;
        size_t i;
        json_array_foreach(sockets, i, entry)
        {
            if (wire_int(entry, "socket") <= last) {
                UNIT_FAIL_NOW("the handles of a list do not rise");
            }
            last = wire_int(entry, "socket");
            n++;
        }
        if (json_is_null(json_object_get(page, "next"))) {
            return n;
        }
        CU_ASSERT_EQUAL(json_array_size(sockets), PAGE);
        after = wire_int(page, "next");
        CU_ASSERT_EQUAL(after, last);
    }
}

/* Between two requests a worker may find the second one at once. */
static void test_busy_poll(void)
{
    static const char *const args[] = {"--busy-poll", "0.001", NULL};
    struct harness_options options = {.args = args};
    struct wire *wire = wire_open(harness_start(&options));
    json_int_t n_polls = 0;

    for (int i = 0; i < 1000 && n_polls == 0; i++) {
        json_t *counters =
            json_object_get(wire_call(wire, "statistics", NULL), "counters");
        n_polls = wire_int(counters, "busy-polls");
    }
    CU_ASSERT(n_polls > 0);
}

struct leaving {
    struct harness *harness;
    struct wire *wire; /* the only client that stays */
    int n_descriptors; /* as many as may be left */
};

static bool all_gone(void *context)
{
    const struct leaving *leaving = context;
    json_t *told = wire_call(leaving->wire, "statistics", NULL);

    return wire_int(told, "sockets") == 0 && wire_int(told, "clients") == 1 &&
           harness_n_descriptors(leaving->harness) <= leaving->n_descriptors;
}

static void test_many_sockets(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness), *second = wire_open(harness);
    int before;

    /* What is answered was accepted, and counts. */
    (void)wire_call(wire, "hello", NULL);
    (void)wire_call(second, "hello", NULL);
    before = harness_n_descriptors(harness);
    for (int i = 0; i < N_MANY; i++) {
        (void)make_datagram(i % 2 ? wire : second, "many");
    }
    CU_ASSERT_EQUAL(count_pages(wire), N_MANY);
    CU_ASSERT(harness_n_descriptors(harness) >= before + N_MANY);
    wire_close(second);
    wire_close(wire);
    struct leaving leaving = {harness, wire_open(harness), before};
    harness_await(all_gone, &leaving, "all sockets to be closed with their connections");
}

/* In the child: connects, starts something that waits, tells so, and waits for its end.
 */
static _Noreturn void killed_client(const char *path, int kind, int port, int ready)
{
    struct wire *wire = wire_open_path(path);
    int64_t socket;

    switch (kind % 4) {
    case 0: /* a read that waits */
        socket = wire_int(wire_call(wire, "make-socket", "{s:s, s:i}", "remote-host",
                                    "127.0.0.1", "remote-port", port),
                          "socket");
        (void)wire_send(wire, "read", "{s:I}", "socket", socket);
        break;
    case 1: /* an accept that waits */
        socket = wire_int(wire_call(wire, "make-socket", "{s:s, s:s}", "connect",
                                    "passive", "local-host", "127.0.0.1"),
                          "socket");
        (void)wire_send(wire, "accept-connection", "{s:I}", "socket", socket);
        break;
    case 2: /* half a line */
        wire_send_bytes(wire, "{\"jsonrpc\":\"2.0\",", 17);
        break;
    default: /* a raw stream */
        socket = wire_int(wire_call(wire, "make-socket", "{s:s, s:i}", "remote-host",
                                    "127.0.0.1", "remote-port", port),
                          "socket");
        (void)wire_call(wire, "attach", "{s:I}", "socket", socket);
        break;
    }
    if (write(ready, "x", 1) != 1) {
        _exit(1);
    }
    for (;;) {
        pause();
    }
}

static void kill_some(struct harness *harness, int port, int n)
{
    pid_t children[50];
    int ready[2];
    char byte;

    CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
    for (int i = 0; i < n; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            killed_client(harness_socket(harness), i, port, ready[1]);
        }
    }
    for (int i = 0; i < n; i++) {
        CU_ASSERT_EQUAL_FATAL(read(ready[0], &byte, 1), 1);
    }
    for (int i = 0; i < n; i++) {
        kill(children[i], SIGKILL);
    }
    for (int i = 0; i < n; i++) {
        waitpid(children[i], NULL, 0);
    }
    close(ready[0]);
    close(ready[1]);
}

static void test_killed_clients(void)
{
    struct harness *harness = harness_start(NULL);
    int port, listener = peer_listen("127.0.0.1", &port);
    struct leaving leaving = {harness, wire_open(harness), 0};
    long memory;

    (void)fcntl(listener, F_SETFD, FD_CLOEXEC);
    (void)wire_call(leaving.wire, "hello", NULL);
    leaving.n_descriptors = harness_n_descriptors(harness);
    kill_some(harness, port, 48); /* memory of the first ones is not counted */
    harness_await(all_gone, &leaving, "the first killed clients to be gone");
    memory = harness_memory_kib(harness);
    for (int n = 0; n < N_KILLED; n += 50) {
        kill_some(harness, port, 50);
    }
    harness_await(all_gone, &leaving, "all killed clients to be gone");
    unit_note("memory %ld KiB before, %ld KiB after", memory,
              harness_memory_kib(harness));
    CU_ASSERT(harness_keeps_freed_memory() ||
              harness_memory_kib(harness) < memory + 2048);
}

static void raise_limit(void)
{
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

static const struct unit_test tests[] = {
    {"describe-socket tells everything", test_describe},
    {"list-sockets filters", test_filters},
    {"list-clients tells who is there", test_clients},
    {"statistics add up", test_statistics},
    {"busy-poll reaches the workers", test_busy_poll},
    {"ten thousand sockets are made, listed in pages, and closed", test_many_sockets},
    {"a thousand killed clients leave nothing behind", test_killed_clients},
};

UNIT_MAIN_AROUND(tests, raise_limit, NULL)
