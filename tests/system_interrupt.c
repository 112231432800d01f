/* SPDX-License-Identifier: MIT */
/*
 * system_interrupt.c - interrupt and close from elsewhere, against every kind of request
 * that waits, on every worker; and many threads that do so to the same sockets at once.
 */
#include <config.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

enum { WORKERS = 3 };

struct scene {
    struct harness *harness;
    struct wire *asker, *other; /* on different workers, as far as chance will have it */
    int64_t listener;
    int port;
};

static void scene_open(struct scene *scene)
{
    const struct harness_options options = {.workers = WORKERS};

    scene->harness = harness_start(&options);
    scene->asker = wire_open(scene->harness);
    scene->other = wire_open(scene->harness);
    json_t *made = wire_call(scene->asker, "make-socket", "{s:s, s:s}", "connect",
                             "passive", "local-host", "127.0.0.1");
    scene->listener = wire_int(made, "socket");
    scene->port = (int)wire_int(made, "local-port");
}

/* A stream of the asker; *peer is its other end. Each one lives on another worker. */
static int64_t accept_stream(const struct scene *scene, int *peer)
{
    *peer = peer_connect("127.0.0.1", scene->port);
    return wire_int(
        wire_call(scene->asker, "accept-connection", "{s:I}", "socket", scene->listener),
        "socket");
}

struct pending {
    struct wire *wire;
    int64_t socket;
    size_t n;
};

static bool has_pending(void *context)
{
    const struct pending *pending = context;
    json_t *shown =
        wire_call(pending->wire, "describe-socket", "{s:I}", "socket", pending->socket);
    json_t *list = json_object_get(json_object_get(shown, "runtime"), "pending");

    return json_array_size(list) == pending->n;
}

static void await_pending(const struct scene *scene, int64_t socket, size_t n)
{
    struct pending pending = {.wire = scene->other, .socket = socket, .n = n};

    harness_await(has_pending, &pending, "the requests wait on the socket");
}

static int64_t interrupt(const struct scene *scene, int64_t socket, const char *direction)
{
    json_t *answer = wire_call(scene->other, "interrupt", "{s:I, s:s, s:s?}", "socket",
                               socket, "reason", "because", "direction", direction);

    return wire_int(answer, "interrupted");
}

static void expect_interrupted(const struct scene *scene, int64_t id, int64_t socket)
{
    json_t *error = wire_error(scene->asker, id, "interrupted");
    json_t *data = json_object_get(error, "data");

    CU_ASSERT_EQUAL(wire_int(error, "code"), -32002);
    CU_ASSERT_STRING_EQUAL(wire_text(data, "reason"), "because");
    CU_ASSERT_EQUAL(wire_int(data, "socket"), socket);
}

/* ---- One request of each kind ---- */

static void test_reads(void)
{
    static const char *const params[][2] = {{"read", "{}"},
                                            {"read", "{\"exactly\": 100}"},
                                            {"read", "{\"until\": \"\\n\"}"},
                                            {"peek", "{}"},
                                            {"read-line", "{}"},
                                            {"read-byte", "{}"},
                                            {"read-char", "{}"}};
    struct scene scene;
    int peer;

    scene_open(&scene);
    for (unsigned i = 0; i < sizeof params / sizeof params[0]; i++) {
        int64_t socket = accept_stream(&scene, &peer);
        json_t *object = json_loads(params[i][1], 0, NULL);
        json_object_set_new(object, "socket", json_integer(socket));
        int64_t id = wire_send(scene.asker, params[i][0], "o", object);
        await_pending(&scene, socket, 1);
        CU_ASSERT_EQUAL(interrupt(&scene, socket, "output"), 0);
        CU_ASSERT_EQUAL(interrupt(&scene, socket, "input"), 1);
        expect_interrupted(&scene, id, socket);
        CU_ASSERT_EQUAL(interrupt(&scene, socket, NULL), 0);
        /* The socket goes on. */
        peer_print(peer, "still here\n");
        json_t *line = wire_call(scene.asker, "read-line", "{s:I}", "socket", socket);
        CU_ASSERT_STRING_EQUAL(wire_text(line, "line"), "still here");
    }
}

/* What a read had gathered when it was interrupted is there for the next one. */
static void test_nothing_is_lost(void)
{
    struct scene scene;
    int peer;

    scene_open(&scene);
    int64_t socket = accept_stream(&scene, &peer);
    int64_t id =
        wire_send(scene.asker, "read", "{s:I, s:i}", "socket", socket, "exactly", 10);
    await_pending(&scene, socket, 1);
    peer_print(peer, "01234");
    wire_call(scene.other, "wait-for-input-available", "{s:[I]}", "sockets", socket);
    CU_ASSERT_EQUAL(interrupt(&scene, socket, NULL), 1);
    expect_interrupted(&scene, id, socket);
    peer_print(peer, "56789");
    json_t *read =
        wire_call(scene.asker, "read", "{s:I, s:i}", "socket", socket, "exactly", 10);
    CU_ASSERT_STRING_EQUAL(wire_text(read, "data"), "0123456789");
}

enum { BLOCK = 200000 };

/* A text of that size; the caller frees it. */
static char *new_block(void)
{
    char *block = malloc(BLOCK + 1);

    CU_ASSERT_FATAL(block != NULL);
    memset(block, 'w', BLOCK);
    block[BLOCK] = '\0';
    return block;
}

/* Writes until kernel and daemon take no more. Returns the bytes that were accepted. */
static size_t fill_output(const struct scene *scene, int64_t socket, const char *block)
{
    size_t n_written = 0;
    bool is_accepted;

    do {
        json_t *reply = wire_reply(
            scene->asker, wire_send(scene->asker, "write", "{s:I, s:s, s:f}", "socket",
                                    socket, "data", block, "timeout", 0.05));
        is_accepted = json_object_get(reply, "result") != NULL;
        n_written += is_accepted ? BLOCK : 0;
    } while (is_accepted);
    return n_written;
}

static size_t read_to_the_end(int peer, char *block)
{
    size_t n, n_read = 0;

    while ((n = peer_read(peer, block, BLOCK)) > 0) {
        n_read += n;
    }
    return n_read;
}

static void test_write(void)
{
    struct scene scene;
    int peer;
    char *block = new_block();

    scene_open(&scene);
    int64_t socket = accept_stream(&scene, &peer);
    size_t n_written = fill_output(&scene, socket, block);
    int64_t id =
        wire_send(scene.asker, "write", "{s:I, s:s}", "socket", socket, "data", block);
    int64_t finish = wire_send(scene.asker, "finish-output", "{s:I}", "socket", socket);
    await_pending(&scene, socket, 2);
    CU_ASSERT_EQUAL(interrupt(&scene, socket, "input"), 0);
    CU_ASSERT_EQUAL(interrupt(&scene, socket, "output"), 2);
    expect_interrupted(&scene, id, socket);
    expect_interrupted(&scene, finish, socket);
    /* What was accepted before arrives, and nothing of the other. */
    wire_call(scene.asker, "shutdown", "{s:I, s:s}", "socket", socket, "direction",
              "output");
    CU_ASSERT_EQUAL(read_to_the_end(peer, block), n_written);
    free(block);
}

static void test_accept_and_receive(void)
{
    struct scene scene;

    scene_open(&scene);
    int64_t id =
        wire_send(scene.asker, "accept-connection", "{s:I}", "socket", scene.listener);
    await_pending(&scene, scene.listener, 1);
    CU_ASSERT_EQUAL(interrupt(&scene, scene.listener, NULL), 1);
    expect_interrupted(&scene, id, scene.listener);
    int peer;
    CU_ASSERT(accept_stream(&scene, &peer) > 0);
    int64_t udp = wire_int(
        wire_call(scene.asker, "make-socket", "{s:s}", "type", "datagram"), "socket");
    id = wire_send(scene.asker, "receive-from", "{s:I}", "socket", udp);
    await_pending(&scene, udp, 1);
    CU_ASSERT_EQUAL(interrupt(&scene, udp, NULL), 1);
    expect_interrupted(&scene, id, udp);
}

static void test_several_at_once(void)
{
    enum { MANY = 50 };
    struct scene scene;
    int peer;
    int64_t ids[MANY];

    scene_open(&scene);
    int64_t socket = accept_stream(&scene, &peer);
    for (int i = 0; i < MANY; i++) {
        ids[i] = wire_send(scene.asker, "read", "{s:I}", "socket", socket);
    }
    await_pending(&scene, socket, MANY);
    CU_ASSERT_EQUAL(interrupt(&scene, socket, NULL), MANY);
    for (int i = 0; i < MANY; i++) {
        expect_interrupted(&scene, ids[i], socket);
    }
}

static void test_interrupt_and_close(void)
{
    struct scene scene;
    int peer;

    scene_open(&scene);
    int64_t socket = accept_stream(&scene, &peer);
    int64_t id = wire_send(scene.asker, "read", "{s:I}", "socket", socket);
    await_pending(&scene, socket, 1);
    json_t *answer = wire_call(scene.other, "interrupt", "{s:I, s:b, s:s}", "socket",
                               socket, "close", 1, "reason", "because");
    CU_ASSERT_EQUAL(wire_int(answer, "interrupted"), 1);
    expect_interrupted(&scene, id, socket);
    peer_expect_end(peer);
    wire_refused(scene.other, "no-such-socket", "interrupt", "{s:I}", "socket", socket);
}

/* ---- Close ---- */

static void test_close_ends_what_waits(void)
{
    struct scene scene;
    int peer;

    scene_open(&scene);
    for (int i = 0; i < 2 * WORKERS; i++) {
        int64_t socket = accept_stream(&scene, &peer), ids[3];
        for (int k = 0; k < 3; k++) {
            ids[k] = wire_send(scene.asker, "read", "{s:I}", "socket", socket);
        }
        await_pending(&scene, socket, 3);
        wire_call(scene.other, "close", "{s:I}", "socket", socket);
        for (int k = 0; k < 3; k++) {
            json_t *error = wire_error(scene.asker, ids[k], "socket-closed");
            CU_ASSERT_EQUAL(wire_int(json_object_get(error, "data"), "socket"), socket);
        }
        peer_expect_end(peer);
    }
    int64_t id =
        wire_send(scene.asker, "accept-connection", "{s:I}", "socket", scene.listener);
    await_pending(&scene, scene.listener, 1);
    wire_call(scene.other, "close", "{s:I}", "socket", scene.listener);
    wire_error(scene.asker, id, "socket-closed");
}

static void test_close_writes_first(void)
{
    struct scene scene;
    int peer;
    char *block = new_block();

    scene_open(&scene);
    int64_t socket = accept_stream(&scene, &peer);
    size_t n_written = fill_output(&scene, socket, block);
    wire_call(scene.other, "close", "{s:I}", "socket", socket);
    wire_refused(scene.other, "no-such-socket", "socket-type", "{s:I}", "socket", socket);
    CU_ASSERT_EQUAL(read_to_the_end(peer, block), n_written);
    free(block);
}

static void test_abort_drops(void)
{
    struct scene scene;
    int peer;
    char *block = new_block();

    scene_open(&scene);
    int64_t socket = accept_stream(&scene, &peer);
    size_t n_written = fill_output(&scene, socket, block);
    wire_call(scene.other, "close", "{s:I, s:b}", "socket", socket, "abort", 1);
    /* The descriptor is closed at once; what the kernel has still arrives. */
    CU_ASSERT(read_to_the_end(peer, block) < n_written);
    free(block);
}

/* ---- Many threads ---- */

enum { THREADS = 8, ROUNDS = 150, SHARED = 6 };

struct storm {
    const char *path;
    _Atomic int64_t sockets[SHARED];
    int64_t listener;
    int port;
    _Atomic int n_bad, n_interrupted, n_closed, n_read;
};

struct client {
    struct storm *storm;
    FILE *stream;
    unsigned seed;
    int64_t id;
};

static int connect_raw(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        return -1;
    }
    return fd;
}

/* New reference to the reply; NULL: the daemon has failed. */
static json_t *exchange(struct client *client, const char *method, json_t *params)
{
    char *line = NULL;
    size_t room = 0;
    json_t *request =
        json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id",
                  (json_int_t)++client->id, "method", method, "params", params);
    char *text = json_dumps(request, JSON_COMPACT);

    json_decref(request);
    (void)fprintf(client->stream, "%s\n", text);
    free(text);
    json_t *reply =
        fflush(client->stream) == 0 && getline(&line, &room, client->stream) > 0
            ? json_loads(line, 0, NULL)
            : NULL;
    free(line);
    if (json_integer_value(json_object_get(reply, "id")) != client->id) {
        client->storm->n_bad++;
    }
    return reply;
}

static const char *identifier(const json_t *reply)
{
    const char *name = json_string_value(json_object_get(
        json_object_get(json_object_get(reply, "error"), "data"), "identifier"));

    return name != NULL ? name : "";
}

/* A thread that is through takes its streams with it, also those that another one has
 * accepted the other end of. */
static bool says_closed(const char *name)
{
    static const char *const names[] = {"socket-closed", "no-such-socket", "broken-pipe",
                                        "connection-reset"};

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void count(struct storm *storm, const char *method, const json_t *reply)
{
    const char *name = identifier(reply);
    bool is_result = json_object_get(reply, "result") != NULL;

    if (strcmp(name, "interrupted") == 0) {
        storm->n_interrupted++;
    } else if (says_closed(name)) {
        storm->n_closed++;
    } else if (is_result && strcmp(method, "read") == 0) {
        storm->n_read++;
    } else if (!is_result && strcmp(name, "timeout") != 0) {
        (void)fprintf(stderr, "# %s: unexpected %s\n", method, name);
        storm->n_bad++;
    }
}

/* Puts a new stream in the place of one that was closed. */
static void refill(struct client *client, unsigned place)
{
    struct storm *storm = client->storm;
    json_t *made = exchange(
        client, "make-socket",
        json_pack("{s:s, s:i}", "remote-host", "127.0.0.1", "remote-port", storm->port));
    json_t *far = exchange(
        client, "accept-connection",
        json_pack("{s:I, s:f}", "socket", (json_int_t)storm->listener, "timeout", 60.0));
    const json_t *handle = json_object_get(json_object_get(far, "result"), "socket");

    if (handle == NULL || json_object_get(made, "result") == NULL) {
        (void)fprintf(stderr, "# refill: %s %s\n", identifier(made), identifier(far));
        storm->n_bad++;
    } else {
        storm->sockets[place] = json_integer_value(handle);
    }
    json_decref(made);
    json_decref(far);
}

static void act(struct client *client)
{
    static const char *const methods[] = {"read",
                                          "read",
                                          "read",
                                          "write",
                                          "interrupt",
                                          "close",
                                          "wait-for-input-available"};
    struct storm *storm = client->storm;
    unsigned place = (unsigned)rand_r(&client->seed) % SHARED;
    const char *method = methods[(unsigned)rand_r(&client->seed) % 7];
    json_int_t socket = storm->sockets[place];
    json_t *params = json_pack("{s:I}", "socket", socket);

    if (strcmp(method, "read") == 0) {
        json_object_set_new(params, "timeout", json_real(0.02));
    } else if (strcmp(method, "write") == 0) {
        json_object_set_new(params, "data", json_string("storm"));
    } else if (strncmp(method, "wait", 4) == 0) {
        json_decref(params);
        params =
            json_pack("{s:[I, I], s:f}", "sockets", socket,
                      (json_int_t)storm->sockets[(place + 1) % SHARED], "timeout", 0.02);
    }
    json_t *reply = exchange(client, method, params);
    count(storm, method, reply);
    if (strcmp(method, "close") == 0 && json_object_get(reply, "result") != NULL) {
        refill(client, place);
    }
    json_decref(reply);
}

static void *storm_thread(void *arg)
{
    struct client *client = arg;
    int fd = connect_raw(client->storm->path);

    client->stream = fd >= 0 ? fdopen(fd, "r+") : NULL;
    if (client->stream == NULL) {
        client->storm->n_bad++;
        return NULL;
    }
    for (int i = 0; i < ROUNDS; i++) {
        act(client);
    }
    (void)fclose(client->stream);
    return NULL;
}

static bool is_calm(void *context)
{
    json_t *list = json_object_get(wire_call(context, "list-sockets", NULL), "sockets");

    return json_array_size(list) == 1; /* the listener */
}

static void test_storm(void)
{
    struct scene scene;
    struct storm storm = {.n_bad = 0};
    struct client clients[THREADS];
    pthread_t threads[THREADS];
    int peer;

    scene_open(&scene);
    storm.path = harness_socket(scene.harness);
    storm.listener = scene.listener;
    storm.port = scene.port;
    for (int i = 0; i < SHARED; i++) {
        storm.sockets[i] = accept_stream(&scene, &peer);
    }
    for (int i = 0; i < THREADS; i++) {
        clients[i] = (struct client){.storm = &storm,
                                     .seed = (unsigned)harness_random() + (unsigned)i};
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&threads[i], NULL, storm_thread, &clients[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CU_ASSERT_EQUAL(storm.n_bad, 0);
    unit_note("interrupted %d, closed %d, read %d", storm.n_interrupted, storm.n_closed,
              storm.n_read);
    /* It still answers; what the clients had made has gone with them. */
    for (int i = 0; i < SHARED; i++) {
        json_t *reply = wire_reply(scene.asker, wire_send(scene.asker, "close", "{s:I}",
                                                          "socket", storm.sockets[i]));
        CU_ASSERT(json_object_get(reply, "result") != NULL ||
                  strcmp(identifier(reply), "no-such-socket") == 0);
    }
    harness_await(is_calm, scene.asker, "only the listener is left");
}

static const struct unit_test tests[] = {
    {"every kind of read", test_reads},
    {"what was gathered is not lost", test_nothing_is_lost},
    {"writes and finish-output", test_write},
    {"accept and receive", test_accept_and_receive},
    {"several requests at once", test_several_at_once},
    {"interrupt with close", test_interrupt_and_close},
    {"close ends what waits", test_close_ends_what_waits},
    {"close writes first what was accepted", test_close_writes_first},
    {"abort drops it", test_abort_drops},
    {"many threads, the same sockets", test_storm},
};
UNIT_MAIN(tests)
