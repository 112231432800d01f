/* SPDX-License-Identifier: MIT */
/*
 * system_attach_gone.c - clients that go, or die, while their connection is or becomes a
 * raw stream: what they have sent arrives, and kept is kept.
 */
#include <config.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/stream_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

/* No request waits at the socket of this description. */
static bool nothing_waits(void *context)
{
    int64_t handle = wire_int(context, "socket");
    json_t *result = wire_call(pair.wire, "describe-socket", "{s:I}", "socket", handle);
    json_t *runtime = json_object_get(result, "runtime");

    return json_array_size(json_object_get(runtime, "pending")) == 0;
}

/* Attaches and goes, without a look at the reply. What it sends belongs to the stream. */
static void attach_and_go(int fd, const char *detach, const void *bytes, size_t size)
{
    char line[200];
    int n = snprintf(line, sizeof line,
                     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"attach\",\"params\":"
                     "{\"socket\":%lld,\"detach\":\"%s\"}}\n",
                     (long long)pair.sock, detach);

    peer_write(fd, line, (size_t)n);
    peer_write(fd, bytes, size);
    peer_close(fd);
}

static void test_client_goes_before_the_reply(void)
{
    const struct harness_options options = {.workers = 2};
    static char bytes[100000];

    pair_start_with(&options);
    memset(bytes, 'b', sizeof bytes);
    for (size_t i = 0; i < 20; i++) {
        /* More than is read at once in every second turn. */
        size_t size = i % 2 == 0 ? 1000 : sizeof bytes;
        attach_and_go(peer_connect_file(harness_socket(pair.harness)), "keep", bytes,
                      size);
        peer_expect(pair.peer, bytes, size);
        harness_await(pair_is_detached, NULL, "the end of the raw stream");
    }
    attach_and_go(peer_connect_file(harness_socket(pair.harness)), "close", bytes, 1000);
    peer_expect(pair.peer, bytes, 1000);
    peer_expect_end(pair.peer);
    harness_await(pair_is_closed, NULL, "the end of the socket");
}

/* The same by the connection that made the socket: kept is kept. */
static void test_maker_goes_before_the_reply(void)
{
    const struct harness_options options = {.workers = 2};

    pair_start_with(&options);
    for (int i = 0; i < 20; i++) {
        struct wire *maker = pair.wire;
        attach_and_go(peer_adopt(dup(wire_descriptor(maker))), "keep", "last words", 10);
        wire_close(maker);
        pair.wire = wire_open(pair.harness);
        peer_expect_text(pair.peer, "last words");
        harness_await(pair_is_detached, NULL, "the end of the raw stream");
        wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
        pair_open(NULL);
    }
}

/* A listener's connection as well, when it is there; else the request is cancelled. */
static void test_client_goes_while_it_accepts(void)
{
    static const char request[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"accept-connection\",\"params\":"
        "{\"socket\":%lld,\"attach\":true}}\nto the peer";
    const struct harness_options options = {.workers = 2};
    char line[200];

    pair_start_with(&options);
    json_t *made = wire_call(pair.wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                             "local-host", "127.0.0.1");
    int n = snprintf(line, sizeof line, request, (long long)wire_int(made, "socket"));
    for (int i = 0; i < 20; i++) {
        int peer = peer_connect("127.0.0.1", (int)wire_int(made, "local-port"));
        int fd = peer_connect_file(harness_socket(pair.harness));
        peer_write(fd, line, (size_t)n);
        peer_expect_text(peer, "to the peer");
        peer_close(fd);
        peer_expect_end(peer);
        peer_close(peer);
        fd = peer_connect_file(harness_socket(pair.harness));
        peer_write(fd, line, (size_t)n);
        peer_close(fd);
        harness_await(nothing_waits, made, "the end of the request");
    }
}

/* A write is accepted; until then the socket is attached, which is busy. */
static bool write_is_accepted(void *context)
{
    int64_t id = wire_send(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock, "data",
                           (const char *)context);
    json_t *reply = wire_reply(pair.wire, id);

    if (json_object_get(reply, "result") != NULL) {
        return true;
    }
    const json_t *data = json_object_get(json_object_get(reply, "error"), "data");

    CU_ASSERT_STRING_EQUAL_FATAL(wire_text(data, "identifier"), "busy");
    return false;
}

/* It dies between its request and the reply. When it is gone its request may still be on
 * its way, so that the socket is detached now and attached a moment later. */
static void test_client_is_gone_at_once(void)
{
    static char text[] = "alive";

    pair_start(NULL);
    for (int i = 0; i < 20; i++) {
        attach_and_go(peer_connect_file(harness_socket(pair.harness)), "keep", NULL, 0);
        harness_await(pair_is_detached, NULL, "the end of the raw stream");
    }
    harness_await(write_is_accepted, text, "the end of the last raw stream");
    peer_expect_text(pair.peer, text);
}

/* A process that attaches, says so through its pipe, and then sends and waits for ever.
 */
static pid_t attach_in_a_process(const char *detach)
{
    int ready[2];
    char byte;

    CU_ASSERT_EQUAL_FATAL(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    CU_ASSERT_TRUE_FATAL(pid >= 0);
    if (pid == 0) {
        char line[200];
        int fd = peer_connect_file(harness_socket(pair.harness));
        int n = snprintf(line, sizeof line,
                         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"attach\",\"params\":"
                         "{\"socket\":%lld,\"detach\":\"%s\"}}\n",
                         (long long)pair.sock, detach);
        if (write(fd, line, (size_t)n) == n && read(fd, line, sizeof line) > 0 &&
            write(fd, "dying words", 11) == 11 && write(ready[1], "x", 1) == 1) {
            for (;;) {
                pause();
            }
        }
        _exit(1);
    }
    close(ready[1]);
    CU_ASSERT_EQUAL_FATAL(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void test_client_is_killed(void)
{
    int status;

    pair_start(NULL);
    pid_t pid = attach_in_a_process("keep");
    peer_expect_text(pair.peer, "dying words");
    CU_ASSERT_EQUAL(kill(pid, SIGKILL), 0);
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    harness_await(pair_is_detached, NULL, "the end of the raw stream");
    peer_print(pair.peer, "who is there");
    json_t *read =
        wire_call(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "exactly", 12);
    CU_ASSERT_STRING_EQUAL(wire_text(read, "data"), "who is there");

    pid = attach_in_a_process("close");
    CU_ASSERT_EQUAL(kill(pid, SIGKILL), 0);
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    peer_expect_text(pair.peer, "dying words");
    peer_expect_end(pair.peer);
    harness_await(pair_is_closed, NULL, "the end of the socket");
}

static const struct unit_test tests[] = {
    {"the client goes before the reply", test_client_goes_before_the_reply},
    {"the maker goes before the reply", test_maker_goes_before_the_reply},
    {"the client goes while it accepts", test_client_goes_while_it_accepts},
    {"the client is gone at once", test_client_is_gone_at_once},
    {"the client is killed", test_client_is_killed},
};

UNIT_MAIN(tests)
