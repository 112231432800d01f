/* SPDX-License-Identifier: MIT */
/*
 * system_stress.c - many clients at once that do anything, in any order, to each other's
 * sockets, and leave in the middle of it. Afterwards the daemon still answers, holds
 * nothing that they left, and stops clean.
 *
 * What each request answers is not looked at: the sanitizers, the daemon's own checks and
 * the counts at the end are the judges. The seed of the harness makes a run repeatable as
 * far as the scheduler lets it.
 */
#include <config.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "tests/harness.h"
#include "tests/unit.h"
#include "tests/wire.h"

enum {
    N_CLIENTS = 12,
    N_STEPS = 400,
    N_SHARED = 64, /* handles and ports that all clients know */
    LINE_SIZE = 2048,
    DRAIN_SIZE = 65536,
};

static _Atomic int64_t shared_handles[N_SHARED];
static _Atomic int64_t shared_ports[N_SHARED];
static const char *socket_path;

struct link {
    int fd;
    char unfinished[DRAIN_SIZE * 2]; /* the beginning of a reply */
    size_t n_unfinished;
};

/* Its sockets belong to a connection that stays; everything else is asked on one that
 * comes and goes. */
struct client {
    pthread_t thread;
    uint64_t random; /* state of xorshift64 */
    struct link keeper, visitor;
    unsigned n_connections;
};

static uint64_t roll(struct client *client, uint64_t sides)
{
    client->random ^= client->random << 13;
    client->random ^= client->random >> 7;
    client->random ^= client->random << 17;
    return client->random % sides;
}

static void link_open(struct client *client, struct link *link)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (link->fd >= 0) {
        close(link->fd);
    }
    link->n_unfinished = 0;
    link->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
    if (link->fd < 0 ||
        connect(link->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        unit_bail_out("connect: %s", strerror(errno));
    }
    client->n_connections++;
}

/* Makes what a reply tells known to all: new handles and ports, and handles that are
 * gone. */
static void learn(struct client *client, const char *line)
{
    const char *member = strstr(line, "\"socket\":");
    const char *port = strstr(line, "\"local-port\":");
    int64_t handle = member ? strtoll(member + strlen("\"socket\":"), NULL, 10) : 0;

    if (strstr(line, "no-such-socket")) {
        for (int i = 0; i < N_SHARED; i++) {
            int64_t known = handle;
            (void)atomic_compare_exchange_strong(&shared_handles[i], &known, 0);
        }
    } else if (handle != 0) {
        atomic_store(&shared_handles[roll(client, N_SHARED)], handle);
    }
    if (strstr(line, "\"listening\"") && port) {
        atomic_store(&shared_ports[roll(client, N_SHARED / 8)],
                     strtoll(port + strlen("\"local-port\":"), NULL, 10));
    }
}

/* Takes what has come, waiting a little for it at the most: replies may never come. */
static void drain(struct client *client, struct link *link, int wait_ms)
{
    struct pollfd entry = {.fd = link->fd, .events = POLLIN};

    while (poll(&entry, 1, wait_ms) > 0) {
        char *line = link->unfinished, *lf;
        ssize_t n = recv(link->fd, link->unfinished + link->n_unfinished,
                         sizeof link->unfinished - link->n_unfinished - 1, MSG_DONTWAIT);
        if (n <= 0) {
            link_open(client, link);
            return;
        }
        link->n_unfinished += (size_t)n;
        link->unfinished[link->n_unfinished] = '\0';
        while ((lf = strchr(line, '\n')) != NULL) {
            *lf = '\0';
            learn(client, line);
            line = lf + 1;
        }
        link->n_unfinished = strlen(line);
        memmove(link->unfinished, line, link->n_unfinished);
        if (link->n_unfinished > DRAIN_SIZE) {
            link->n_unfinished = 0; /* raw bytes without an end of line */
        }
        wait_ms = 0;
    }
}

static void send_bytes(struct client *client, struct link *link, const char *bytes,
                       size_t size)
{
    while (size > 0) {
        ssize_t n = send(link->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            drain(client, link, 10);
        } else {
            link_open(client, link);
            return;
        }
    }
}

/* Handles that exist, existed, or, now and then, never will. */
static long long any_handle(struct client *client)
{
    uint64_t start = roll(client, N_SHARED);

    for (uint64_t i = 0; i < N_SHARED && roll(client, 100) != 0; i++) {
        int64_t known = atomic_load(&shared_handles[(start + i) % N_SHARED]);
        if (known != 0) {
            return known;
        }
    }
    return (long long)roll(client, 100000);
}

static const char *any_bool(struct client *client)
{
    return roll(client, 2) ? "true" : "false";
}

static const char *any_direction(struct client *client)
{
    return roll(client, 2) ? "input" : "output";
}

/* The requests that take a handle and little else. */
static void about_socket(struct client *client, char *line, const char **method)
{
    static const char *const methods[] = {"describe-socket", "get-socket-options",
                                          "force-output",    "finish-output",
                                          "listen",          "read-byte",
                                          "read-char",       "local-port",
                                          "remote-host",     "peek",
                                          "read-line",       "socket-bytes-read",
                                          "socket-os-fd",    "read",
                                          "receive-from",    "accept-connection"};

    *method = methods[roll(client, sizeof methods / sizeof methods[0])];
    snprintf(line, LINE_SIZE, "{\"socket\":%lld}", any_handle(client));
}

static void make_something(struct client *client, char *line)
{
    long long port = atomic_load(&shared_ports[roll(client, N_SHARED / 8)]);

    switch (roll(client, 4)) {
    case 0:
        snprintf(line, LINE_SIZE,
                 "{\"connect\":\"passive\",\"local-host\":\"127.0.0.1\"}");
        break;
    case 1:
        snprintf(line, LINE_SIZE, "{\"type\":\"datagram\",\"local-host\":\"127.0.0.1\"}");
        break;
    default:
        snprintf(line, LINE_SIZE,
                 "{\"remote-host\":\"127.0.0.1\",\"remote-port\":%lld,\"timeout\":%llu}",
                 port ? port : 1, (unsigned long long)roll(client, 3));
        break;
    }
}

static void change_something(struct client *client, char *line, const char **method)
{
    long long handle = any_handle(client);

    switch (roll(client, 6)) {
    case 0:
        *method = "interrupt";
        snprintf(line, LINE_SIZE, "{\"socket\":%lld,\"close\":%s,\"reason\":\"stress\"}",
                 handle, roll(client, 5) ? "false" : "true");
        break;
    case 1:
        *method = "close";
        snprintf(line, LINE_SIZE, "{\"socket\":%lld,\"abort\":%s}", handle,
                 any_bool(client));
        break;
    case 2:
        *method = "shutdown";
        snprintf(line, LINE_SIZE, "{\"socket\":%lld,\"direction\":\"%s\"}", handle,
                 any_direction(client));
        break;
    case 3:
        *method = "socket-control";
        snprintf(line, LINE_SIZE,
                 "{\"socket\":%lld,\"output-chunking\":%s,\"input-chunking\":%s,"
                 "\"read-timeout\":%llu}",
                 handle, any_bool(client), any_bool(client),
                 (unsigned long long)roll(client, 3) + 1);
        break;
    case 4:
        *method = "set-socket-options";
        snprintf(line, LINE_SIZE, "{\"socket\":%lld,\"keepalive\":%s}", handle,
                 any_bool(client));
        break;
    default:
        *method = "wait-for-io-available";
        snprintf(line, LINE_SIZE,
                 "{\"input\":[%lld,%lld],\"output\":[%lld],\"timeout\":%llu}", handle,
                 any_handle(client), any_handle(client),
                 (unsigned long long)roll(client, 2));
        break;
    }
}

static void ask_something(struct client *client, char *line, const char **method)
{
    switch (roll(client, 8)) {
    case 0:
        *method = "make-socket";
        make_something(client, line);
        break;
    case 1:
        *method = "write";
        snprintf(
            line, LINE_SIZE, "{\"socket\":%lld,\"data\":\"%.*s\",\"flush\":%s}",
            any_handle(client), (int)roll(client, 64) + 1,
            "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz",
            any_bool(client));
        break;
    case 2:
    case 3:
        change_something(client, line, method);
        break;
    case 4:
        *method = "cancel";
        snprintf(line, LINE_SIZE, "{\"request\":%llu}",
                 (unsigned long long)roll(client, N_STEPS));
        break;
    case 5:
        *method = roll(client, 2) ? "list-sockets" : "statistics";
        snprintf(line, LINE_SIZE, "{}");
        break;
    default:
        about_socket(client, line, method);
        break;
    }
}

static void attach_something(struct client *client, unsigned number)
{
    char line[LINE_SIZE];

    link_open(client, &client->visitor); /* nothing may be pending on it */
    snprintf(line, sizeof line,
             "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"attach\",\"params\":"
             "{\"socket\":%lld,\"detach\":\"%s\"}}\nraw bytes\n",
             number, any_handle(client), roll(client, 2) ? "keep" : "close");
    send_bytes(client, &client->visitor, line, strlen(line));
    drain(client, &client->visitor, 5);
}

static void request_something(struct client *client, unsigned number)
{
    char params[LINE_SIZE], line[LINE_SIZE + 256];
    const char *method = "hello";
    struct link *link = &client->visitor;

    ask_something(client, params, &method);
    if (strcmp(method, "make-socket") == 0 || strcmp(method, "accept-connection") == 0) {
        link = &client->keeper;
    }
    snprintf(line, sizeof line,
             roll(client, 10)
                 ? "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"%s\",\"params\":%s}\n"
                 : "[{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"%s\",\"params\":%s}]\n",
             number, method, params);
    send_bytes(client, link, line, strlen(line));
    drain(client, link, link == &client->keeper ? 20 : (int)roll(client, 5));
}

static void step(struct client *client, unsigned number)
{
    static const char *const garbage[] = {
        "{\n", "\n\n[]\n", "[1,{}]\n", "\xff\xfe\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rea"};
    const char *some = garbage[roll(client, sizeof garbage / sizeof garbage[0])];

    switch (roll(client, 50)) {
    case 0:
        /* Leaves in the middle of whatever it asked, sometimes with all its sockets. */
        link_open(client, roll(client, 10) ? &client->visitor : &client->keeper);
        break;
    case 1:
        send_bytes(client, &client->visitor, some, strlen(some));
        break;
    case 2:
    case 3:
        attach_something(client, number);
        break;
    default:
        request_something(client, number);
        break;
    }
}

static void *run_client(void *arg)
{
    struct client *client = arg;

    link_open(client, &client->keeper);
    link_open(client, &client->visitor);
    for (unsigned i = 0; i < N_STEPS; i++) {
        step(client, i);
    }
    close(client->keeper.fd);
    close(client->visitor.fd);
    return NULL;
}

struct leaving {
    struct harness *harness;
    struct wire *wire;
    int n_descriptors; /* as many as may be left */
};

static bool nothing_left(void *context)
{
    const struct leaving *leaving = context;
    json_t *told = wire_call(leaving->wire, "statistics", NULL);

    return wire_int(told, "sockets") == 0 && wire_int(told, "clients") == 1 &&
           harness_n_descriptors(leaving->harness) == leaving->n_descriptors;
}

static void test_stress(void)
{
    struct harness *harness = harness_start(NULL);
    static struct client clients[N_CLIENTS];
    struct wire *wire = wire_open(harness);
    struct leaving leaving = {harness, wire, 0};
    unsigned n_connections = 0;

    (void)wire_call(wire, "hello", NULL);
    leaving.n_descriptors = harness_n_descriptors(harness);
    socket_path = harness_socket(harness);
    for (int i = 0; i < N_CLIENTS; i++) {
        clients[i].random = harness_random() | 1;
        clients[i].keeper.fd = clients[i].visitor.fd = -1;
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&clients[i].thread, NULL, run_client, &clients[i]), 0);
    }
    for (int i = 0; i < N_CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        n_connections += clients[i].n_connections;
    }
    json_t *counters = json_object_get(wire_call(wire, "statistics", NULL), "counters");
    unit_note(
        "%u connections, %lld requests, %lld errors, %lld sockets, %lld raw streams, "
        "%lld interrupted",
        n_connections, (long long)wire_int(counters, "requests"),
        (long long)wire_int(counters, "errors"),
        (long long)wire_int(counters, "sockets-made"),
        (long long)wire_int(counters, "attached"),
        (long long)wire_int(counters, "requests-interrupted"));
    harness_await(nothing_left, &leaving, "everything the clients left to be ended");
    harness_stop(harness);
}

static const struct unit_test tests[] = {
    {"clients that do anything leave nothing behind", test_stress},
};

UNIT_MAIN(tests)
