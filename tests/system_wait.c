/* SPDX-License-Identifier: MIT */
/*
 * system_wait.c - wait-for-input-available and wait-for-io-available over sockets of
 * several workers.
 */
#include <config.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

enum { N = 9, WORKERS = 3 };

/* Streams that the daemon has accepted, so that they live on all workers. */
struct scene {
    struct harness *harness;
    struct wire *wire;
    int64_t sockets[N], listener;
    int port, peers[N];
};

static void scene_open(struct scene *scene)
{
    const struct harness_options options = {.workers = WORKERS};
    unsigned seen = 0;

    scene->harness = harness_start(&options);
    scene->wire = wire_open(scene->harness);
    json_t *made = wire_call(scene->wire, "make-socket", "{s:s, s:s}", "connect",
                             "passive", "local-host", "127.0.0.1");
    scene->listener = wire_int(made, "socket");
    scene->port = (int)wire_int(made, "local-port");
    for (int i = 0; i < N; i++) {
        scene->peers[i] = peer_connect("127.0.0.1", scene->port);
        scene->sockets[i] = wire_int(wire_call(scene->wire, "accept-connection", "{s:I}",
                                               "socket", scene->listener),
                                     "socket");
        seen |= 1U << (scene->sockets[i] % 64);
    }
    CU_ASSERT_EQUAL(seen, (1U << WORKERS) - 1);
}

static json_t *all_of(const struct scene *scene)
{
    json_t *list = json_array();

    for (int i = 0; i < N; i++) {
        json_array_append_new(list, json_integer(scene->sockets[i]));
    }
    return list;
}

static int64_t wait_send(const struct scene *scene, double timeout)
{
    return wire_send(scene->wire, "wait-for-input-available", "{s:o, s:f}", "sockets",
                     all_of(scene), "timeout", timeout);
}

/* The answer is this list and nothing else. */
static void expect_ready(const json_t *result, const int64_t *sockets, size_t n)
{
    const json_t *ready = json_object_get(result, "ready");

    CU_ASSERT_EQUAL_FATAL(json_array_size(ready), n);
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT_EQUAL(json_integer_value(json_array_get(ready, i)), sockets[i]);
    }
}

static json_t *pending_of(struct wire *wire, int64_t socket)
{
    json_t *shown = wire_call(wire, "describe-socket", "{s:I}", "socket", socket);

    return json_object_get(json_object_get(shown, "runtime"), "pending");
}

struct watched {
    struct wire *wire;
    const struct scene *scene;
    size_t n; /* wanted pending requests of each socket */
};

static bool is_watched(void *context)
{
    const struct watched *watched = context;

    for (int i = 0; i < N; i++) {
        if (json_array_size(pending_of(watched->wire, watched->scene->sockets[i])) !=
            watched->n) {
            return false;
        }
    }
    return true;
}

static void await_watched(const struct scene *scene, struct wire *wire, size_t n)
{
    struct watched watched = {.wire = wire, .scene = scene, .n = n};

    harness_await(is_watched, &watched, "all sockets are watched by as many as wanted");
}

static void test_each_alone(void)
{
    struct scene scene;

    scene_open(&scene);
    struct wire *other = wire_open(scene.harness);
    for (int i = 0; i < N; i++) {
        int64_t id = wait_send(&scene, 60);
        await_watched(&scene, other, 1);
        CU_ASSERT_FALSE(wire_is_answered(scene.wire, id));
        peer_print(scene.peers[i], "x");
        expect_ready(wire_result(scene.wire, id), &scene.sockets[i], 1);
        /* Nothing was consumed, and nothing is watched any more. */
        json_t *read = wire_call(scene.wire, "read", "{s:I}", "socket", scene.sockets[i]);
        CU_ASSERT_STRING_EQUAL(wire_text(read, "data"), "x");
        await_watched(&scene, other, 0);
    }
}

static void test_all_that_are_ready(void)
{
    struct scene scene;

    scene_open(&scene);
    for (int i = 0; i < N; i++) {
        peer_print(scene.peers[i], "x");
    }
    /* Until each has come; then one answer names all, in the order asked. */
    for (int i = 0; i < N; i++) {
        expect_ready(wire_call(scene.wire, "wait-for-input-available", "{s:[I], s:f}",
                               "sockets", scene.sockets[i], "timeout", 60.0),
                     &scene.sockets[i], 1);
    }
    expect_ready(wire_result(scene.wire, wait_send(&scene, 60)), scene.sockets, N);
    expect_ready(wire_result(scene.wire, wait_send(&scene, 0)), scene.sockets, N);
    /* Handles that are given twice are answered once. */
    expect_ready(wire_call(scene.wire, "wait-for-input-available", "{s:[I, I, I]}",
                           "sockets", scene.sockets[4], scene.sockets[1],
                           scene.sockets[4]),
                 (int64_t[]){scene.sockets[4], scene.sockets[1]}, 2);
}

static void test_timeouts(void)
{
    struct scene scene;

    scene_open(&scene);
    struct wire *other = wire_open(scene.harness);
    expect_ready(wire_result(scene.wire, wait_send(&scene, 0)), NULL, 0);
    expect_ready(wire_result(scene.wire, wait_send(&scene, 0.02)), NULL, 0);
    await_watched(&scene, other, 0);
    expect_ready(wire_call(scene.wire, "wait-for-input-available", "{s:[]}", "sockets"),
                 NULL, 0);
    expect_ready(wire_call(scene.wire, "wait-for-io-available", NULL), NULL, 0);
}

static void test_what_ready_means(void)
{
    struct scene scene;

    scene_open(&scene);
    json_t *udp = wire_call(scene.wire, "make-socket", "{s:s, s:s}", "type", "datagram",
                            "local-host", "127.0.0.1");
    int64_t udp_socket = wire_int(udp, "socket");
    int64_t id = wire_send(scene.wire, "wait-for-input-available", "{s:[I, I, I]}",
                           "sockets", scene.listener, udp_socket, scene.sockets[0]);
    (void)peer_connect("127.0.0.1", scene.port);
    expect_ready(wire_result(scene.wire, id), &scene.listener, 1);
    wire_call(scene.wire, "accept-connection", "{s:I}", "socket", scene.listener);
    id = wire_send(scene.wire, "wait-for-input-available", "{s:[I, I, I]}", "sockets",
                   scene.listener, udp_socket, scene.sockets[0]);
    int port, peer = peer_datagram("127.0.0.1", &port);
    peer_send(peer, "127.0.0.1", (int)wire_int(udp, "local-port"), "d", 1);
    expect_ready(wire_result(scene.wire, id), &udp_socket, 1);
    wire_call(scene.wire, "receive-from", "{s:I}", "socket", udp_socket);
    /* The end of a stream can be read. */
    peer_shut_output(scene.peers[0]);
    id = wire_send(scene.wire, "wait-for-input-available", "{s:[I, I]}", "sockets",
                   udp_socket, scene.sockets[0]);
    expect_ready(wire_result(scene.wire, id), &scene.sockets[0], 1);
    /* So can what is in the daemon's buffer already. */
    peer_print(scene.peers[1], "line\nrest");
    wire_call(scene.wire, "read-line", "{s:I}", "socket", scene.sockets[1]);
    expect_ready(wire_call(scene.wire, "wait-for-input-available", "{s:[I]}", "sockets",
                           scene.sockets[1]),
                 &scene.sockets[1], 1);
}

/* What a reader leaves, when it is ended early, is there for who waits. */
static void test_bytes_given_back(void)
{
    struct scene scene;

    scene_open(&scene);
    struct wire *other = wire_open(scene.harness);
    int64_t read = wire_send(other, "read", "{s:I, s:i}", "socket", scene.sockets[0],
                             "exactly", 100);
    wire_call(other, "socket-type", "{s:I}", "socket", scene.sockets[0]);
    peer_print(scene.peers[0], "few");
    expect_ready(wire_call(scene.wire, "wait-for-input-available", "{s:[I]}", "sockets",
                           scene.sockets[0]),
                 &scene.sockets[0], 1);
    wire_call(scene.wire, "interrupt", "{s:I}", "socket", scene.sockets[0]);
    wire_error(other, read, "interrupted");
    expect_ready(wire_call(scene.wire, "wait-for-input-available", "{s:[I]}", "sockets",
                           scene.sockets[0]),
                 &scene.sockets[0], 1);
}

/* ---- wait-for-io-available ---- */

static void expect_pair(const json_t *ready, size_t i, int64_t socket, const char *status)
{
    const json_t *pair = json_array_get(ready, i);

    CU_ASSERT_EQUAL(json_integer_value(json_array_get(pair, 0)), socket);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(pair, 1)), status);
}

static void test_io(void)
{
    struct scene scene;

    scene_open(&scene);
    json_t *result =
        wire_call(scene.wire, "wait-for-io-available", "{s:[I, I], s:[I]}", "input",
                  scene.sockets[0], scene.sockets[1], "output", scene.sockets[1]);
    const json_t *ready = json_object_get(result, "ready");
    CU_ASSERT_EQUAL_FATAL(json_array_size(ready), 1);
    expect_pair(ready, 0, scene.sockets[1], "out");
    peer_print(scene.peers[1], "x");
    wire_call(scene.wire, "wait-for-input-available", "{s:[I]}", "sockets",
              scene.sockets[1]);
    result = wire_call(scene.wire, "wait-for-io-available", "{s:[I, I], s:[I, I]}",
                       "input", scene.sockets[1], scene.sockets[1], "output",
                       scene.sockets[1], scene.sockets[2]);
    ready = json_object_get(result, "ready");
    CU_ASSERT_EQUAL_FATAL(json_array_size(ready), 3);
    expect_pair(ready, 0, scene.sockets[1], "in");
    expect_pair(ready, 1, scene.sockets[1], "out");
    expect_pair(ready, 2, scene.sockets[2], "out");
    wire_refused(scene.wire, "wrong-kind", "wait-for-io-available", "{s:[I]}", "output",
                 scene.listener);
}

static void test_io_of_full_output(void)
{
    struct scene scene;
    char *block = malloc(100001);

    CU_ASSERT_FATAL(block != NULL);
    memset(block, 'x', 100000);
    block[100000] = '\0';
    scene_open(&scene);
    json_t *reply;
    size_t n_written = 0;
    do {
        reply = wire_reply(scene.wire,
                           wire_send(scene.wire, "write", "{s:I, s:s, s:f}", "socket",
                                     scene.sockets[0], "data", block, "timeout", 0.05));
        n_written += json_object_get(reply, "result") != NULL ? 100000 : 0;
    } while (json_object_get(reply, "result") != NULL);
    json_t *result = wire_call(scene.wire, "wait-for-io-available", "{s:[I], s:f}",
                               "output", scene.sockets[0], "timeout", 0.05);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "ready")), 0);
    int64_t id = wire_send(scene.wire, "wait-for-io-available", "{s:[I]}", "output",
                           scene.sockets[0]);
    while (n_written > 0) {
        size_t n =
            peer_read(scene.peers[0], block, n_written < 100000 ? n_written : 100000);
        CU_ASSERT_FATAL(n > 0);
        n_written -= n;
    }
    expect_pair(json_object_get(wire_result(scene.wire, id), "ready"), 0,
                scene.sockets[0], "out");
    free(block);
}

static void test_io_errors(void)
{
    struct scene scene;

    scene_open(&scene);
    peer_abort(scene.peers[0]);
    json_t *result = wire_call(scene.wire, "wait-for-io-available", "{s:[I]}", "input",
                               scene.sockets[0]);
    const json_t *pair = json_array_get(json_object_get(result, "ready"), 0);
    CU_ASSERT_EQUAL(json_integer_value(json_array_get(pair, 0)), scene.sockets[0]);
    wire_refused(scene.wire, "connection-reset", "read", "{s:I}", "socket",
                 scene.sockets[0]);
    result = wire_call(scene.wire, "wait-for-io-available", "{s:[I], s:[I]}", "input",
                       scene.sockets[0], "output", scene.sockets[0]);
    const json_t *ready = json_object_get(result, "ready");
    CU_ASSERT_EQUAL_FATAL(json_array_size(ready), 2);
    expect_pair(ready, 0, scene.sockets[0], "in-error");
    expect_pair(ready, 1, scene.sockets[0], "out-error");
}

/* ---- Ends ---- */

static void test_closed_and_interrupted(void)
{
    struct scene scene;

    scene_open(&scene);
    struct wire *other = wire_open(scene.harness);
    for (int i = 0; i < 3; i++) {
        int64_t id = wait_send(&scene, 60);
        await_watched(&scene, other, 1);
        json_t *answer =
            wire_call(other, "interrupt", "{s:I, s:s, s:s}", "socket", scene.sockets[i],
                      "direction", "input", "reason", "enough");
        CU_ASSERT_EQUAL(wire_int(answer, "interrupted"), 1);
        json_t *error = wire_error(scene.wire, id, "interrupted");
        json_t *data = json_object_get(error, "data");
        CU_ASSERT_STRING_EQUAL(wire_text(data, "reason"), "enough");
        CU_ASSERT_EQUAL(wire_int(data, "socket"), scene.sockets[i]);
        await_watched(&scene, other, 0);
    }
    int64_t id = wait_send(&scene, 60);
    await_watched(&scene, other, 1);
    CU_ASSERT_EQUAL(wire_int(wire_call(other, "interrupt", "{s:I, s:s}", "socket",
                                       scene.sockets[0], "direction", "output"),
                             "interrupted"),
                    0);
    wire_call(other, "close", "{s:I}", "socket", scene.sockets[5]);
    json_t *error = wire_error(scene.wire, id, "socket-closed");
    CU_ASSERT_EQUAL(wire_int(json_object_get(error, "data"), "socket"), scene.sockets[5]);
    error = wire_error(scene.wire, wait_send(&scene, 60), "no-such-socket");
    CU_ASSERT_EQUAL(wire_int(json_object_get(error, "data"), "socket"), scene.sockets[5]);
    wire_refused(scene.wire, "no-such-socket", "wait-for-input-available", "{s:[i]}",
                 "sockets", 63);
}

static void test_cancelled_and_left(void)
{
    struct scene scene;

    scene_open(&scene);
    struct wire *other = wire_open(scene.harness);
    int64_t id = wait_send(&scene, 60);
    await_watched(&scene, other, 1);
    json_t *answer = wire_call(scene.wire, "cancel", "{s:I}", "request", id);
    CU_ASSERT_TRUE(wire_bool(answer, "cancelled"));
    wire_error(scene.wire, id, "cancelled");
    await_watched(&scene, other, 0);
    /* A client that goes leaves nothing behind. */
    struct wire *gone = wire_open(scene.harness);
    wire_send(gone, "wait-for-input-available", "{s:o}", "sockets", all_of(&scene));
    await_watched(&scene, other, 1);
    wire_close(gone);
    await_watched(&scene, other, 0);
    /* And one that is stopped while it waits ends clean. */
    wait_send(&scene, 60);
    await_watched(&scene, other, 1);
}

static void test_rights(void)
{
    const char *const args[] = {"--socket-mode", "0666", NULL};
    const struct harness_options options = {.args = args, .workers = 2};

    if (getuid() != 0) {
        unit_skip("only root can be several users");
        return;
    }
    struct harness *harness = harness_start(&options);
    struct wire *owner = wire_open_as(harness, 64001, 64001);
    struct wire *other = wire_open_as(harness, 64002, 64002);
    json_t *first = wire_call(owner, "make-socket", "{s:s}", "type", "datagram");
    json_t *own = wire_call(other, "make-socket", "{s:s}", "type", "datagram");
    json_t *error =
        wire_refused(other, "permission-denied", "wait-for-input-available", "{s:[I, I]}",
                     "sockets", wire_int(own, "socket"), wire_int(first, "socket"));
    CU_ASSERT_EQUAL(wire_int(json_object_get(error, "data"), "socket"),
                    wire_int(first, "socket"));
}

/* Many waits over the same sockets, all answered. */
static void test_many_waits(void)
{
    enum { MANY = 20 };
    struct scene scene;
    int64_t ids[MANY];

    scene_open(&scene);
    for (int round = 0; round < 5; round++) {
        int chosen = (int)(harness_random() % N);
        for (int i = 0; i < MANY; i++) {
            ids[i] = wait_send(&scene, 60);
        }
        peer_print(scene.peers[chosen], "x");
        for (int i = 0; i < MANY; i++) {
            expect_ready(wire_result(scene.wire, ids[i]), &scene.sockets[chosen], 1);
        }
        wire_call(scene.wire, "read", "{s:I}", "socket", scene.sockets[chosen]);
    }
}

static const struct unit_test tests[] = {
    {"each of several sockets wakes the wait", test_each_alone},
    {"all that are ready are told", test_all_that_are_ready},
    {"time-outs answer an empty list", test_timeouts},
    {"what ready means, by kind", test_what_ready_means},
    {"bytes that a reader gave back", test_bytes_given_back},
    {"input and output", test_io},
    {"output that is full", test_io_of_full_output},
    {"errors of either direction", test_io_errors},
    {"closed and interrupted while waited for", test_closed_and_interrupted},
    {"cancelled, and left by the client", test_cancelled_and_left},
    {"rights count for each socket", test_rights},
    {"many waits for the same sockets", test_many_waits},
};
UNIT_MAIN(tests)
