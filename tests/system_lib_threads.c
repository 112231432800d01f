/* SPDX-License-Identifier: MIT */
/*
 * system_lib_threads.c - one connection of libsockd under many threads, against the real
 * daemon: blocking calls in several of them, interrupted and closed by the others,
 * deadlines, the end.
 */
#include <config.h>
#include "lib/sockd.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/harness.h"
#include "tests/lib_client.h"
#include "tests/peer.h"
#include "tests/unit.h"

enum { N_THREADS = 8, N_ROUNDS = 100 };

static struct harness *harness;
static struct sockd *sockd;
static struct sockd_error error; /* of the thread of the test */

/* A thread with one call that blocks. */
struct worker {
    pthread_t thread;
    struct sockd *connection;
    int64_t socket;
    double timeout;
    int (*run)(struct worker *worker);
    unsigned number;
    /* what came out: */
    int status;
    struct sockd_error error;
    char buffer[64];
    size_t size;
    enum sockd_end end;
    struct sockd_description *description;
    unsigned n_good, n_bad;
};

static void begin(void)
{
    harness = harness_start(NULL);
    sockd = lib_connect(harness);
}

static void end(void) { lib_disconnect_all(); }

static void *worker_main(void *argument)
{
    struct worker *worker = argument;

    worker->status = worker->run(worker);
    return NULL;
}

static void start(struct worker *worker)
{
    if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
        unit_bail_out("no thread");
}

static void join(struct worker *worker) { pthread_join(worker->thread, NULL); }

static int run_read(struct worker *worker)
{
    return sockd_read(worker->connection, worker->socket, worker->buffer,
                      sizeof(worker->buffer), NULL, worker->timeout, &worker->size,
                      &worker->end, &worker->error);
}

static int run_accept(struct worker *worker)
{
    return sockd_accept_connection(worker->connection, worker->socket, NULL,
                                   worker->timeout, &worker->description, &worker->error);
}

static int run_wait(struct worker *worker)
{
    int64_t ready;

    return sockd_wait_for_input_available(worker->connection, &worker->socket, 1,
                                          worker->timeout, &ready, &worker->size,
                                          &worker->error);
}

/* Whether so many requests wait on a socket; the daemon says. */
struct pending {
    struct sockd *connection;
    int64_t socket;
    size_t n;
};

static bool has_pending(void *context)
{
    const struct pending *pending = context;
    struct sockd_description *description;
    bool is_so;

    MUST(sockd_describe_socket(pending->connection, pending->socket, 60, &description,
                               &error));
    is_so = description->runtime->n_pending == pending->n;
    sockd_free(description);
    return is_so;
}

static void await_pending(struct sockd *connection, int64_t socket, size_t n)
{
    struct pending pending = {connection, socket, n};

    harness_await(has_pending, &pending, "requests that wait");
}

static void begin_reads(struct worker *workers, unsigned n, int *peers)
{
    for (unsigned i = 0; i < n; i++) {
        workers[i] = (struct worker){.connection = sockd,
                                     .socket = lib_stream(sockd, &peers[i]),
                                     .timeout = SOCKD_FOREVER,
                                     .run = run_read,
                                     .number = i};
        start(&workers[i]);
    }
    for (unsigned i = 0; i < n; i++)
        await_pending(sockd, workers[i].socket, 1);
}

/* Each thread blocks in a read of its own; data come in another order. */
static void test_reads(void)
{
    struct worker workers[N_THREADS];
    int peers[N_THREADS];

    begin_reads(workers, N_THREADS, peers);
    for (int i = N_THREADS - 1; i >= 0; i--) {
        char text[16];

        snprintf(text, sizeof(text), "data %d", i);
        peer_print(peers[i], text);
        join(&workers[i]);
        lib_must(workers[i].status, SOCKD_OK, &workers[i].error, __FILE__, __LINE__,
                 "read");
        CU_ASSERT_EQUAL(workers[i].size, strlen(text));
        CU_ASSERT_EQUAL(memcmp(workers[i].buffer, text, strlen(text)), 0);
    }
}

/* Interrupted by another thread of the same connection: nothing is lost, the socket goes
 * on. */
static void test_interrupt(void)
{
    struct sockd_interrupt_options options = SOCKD_INTERRUPT_OPTIONS_INIT;
    struct worker workers[N_THREADS];
    int peers[N_THREADS];
    int64_t interrupted;

    begin_reads(workers, N_THREADS, peers);
    options.reason = "enough";
    options.direction = SOCKD_INPUT;
    for (unsigned i = 0; i < N_THREADS; i++) {
        MUST(sockd_interrupt(sockd, workers[i].socket, &options, 60, &interrupted,
                             &error));
        CU_ASSERT_EQUAL(interrupted, 1);
        join(&workers[i]);
        CU_ASSERT_EQUAL(workers[i].status, SOCKD_E_INTERRUPTED);
        CU_ASSERT_STRING_EQUAL(workers[i].error.reason, "enough");
        peer_print(peers[i], "still here");
        workers[i].status = run_read(&workers[i]);
        CU_ASSERT_EQUAL(workers[i].status, SOCKD_OK);
        CU_ASSERT_EQUAL(workers[i].size, 10);
    }
    MUST(sockd_interrupt(sockd, workers[0].socket, NULL, 60, &interrupted, &error));
    CU_ASSERT_EQUAL(interrupted, 0);
}

/* Closed by another thread, and by another connection. */
static void test_close(void)
{
    struct sockd_close_options drop = SOCKD_CLOSE_OPTIONS_INIT;
    struct sockd *other = lib_connect(harness);
    struct worker workers[N_THREADS];
    int peers[N_THREADS];

    drop.abort = 1;
    begin_reads(workers, N_THREADS, peers);
    for (unsigned i = 0; i < N_THREADS; i++) {
        MUST(sockd_close(i % 2 ? sockd : other, workers[i].socket, i % 3 ? NULL : &drop,
                         60, &error));
        join(&workers[i]);
        CU_ASSERT_EQUAL(workers[i].status, SOCKD_E_SOCKET_CLOSED);
    }
}

/* Several threads wait at one listener: each connection is taken once, in their order. */
static void test_accepts(void)
{
    struct worker workers[N_THREADS];
    int port, peers[N_THREADS];
    int64_t listener = lib_listener(sockd, &port);

    for (unsigned i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){.connection = sockd,
                                     .socket = listener,
                                     .timeout = SOCKD_FOREVER,
                                     .run = run_accept};
        start(&workers[i]);
        await_pending(sockd, listener, i + 1);
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        peers[i] = peer_connect("127.0.0.1", port);
        join(&workers[i]);
        lib_must(workers[i].status, SOCKD_OK, &workers[i].error, __FILE__, __LINE__,
                 "accept");
        CU_ASSERT_EQUAL(workers[i].description->remote_port, peer_local_port(peers[i]));
        sockd_free(workers[i].description);
    }
}

/* Deadlines pass in some threads while others go on. */
static void test_deadlines(void)
{
    struct worker patient[N_THREADS], hasty[N_THREADS];
    int peers[N_THREADS];

    begin_reads(patient, N_THREADS, peers);
    for (unsigned i = 0; i < N_THREADS; i++) {
        hasty[i] = patient[i];
        hasty[i].timeout = 0.01 * (i + 1);
        start(&hasty[i]);
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        join(&hasty[i]);
        CU_ASSERT_EQUAL(hasty[i].status, SOCKD_E_TIMEOUT);
        peer_print(peers[i], "x");
        join(&patient[i]);
        CU_ASSERT_EQUAL(patient[i].status, SOCKD_OK);
        CU_ASSERT_EQUAL(patient[i].size, 1);
    }
}

static int run_exchange(struct worker *worker)
{
    struct sockd_read_options exactly = SOCKD_READ_OPTIONS_INIT;

    exactly.exactly = 1;
    for (unsigned i = 0; i < N_ROUNDS; i++) {
        char text[32];
        int size = snprintf(text, sizeof(text), "%u/%u.", worker->number, i);
        int status = sockd_write(worker->connection, worker->socket, text, (size_t)size,
                                 NULL, 60, NULL, &worker->error);

        if (status == SOCKD_OK)
            status = sockd_read(worker->connection, worker->socket, worker->buffer,
                                (size_t)size, &exactly, 60, &worker->size, NULL,
                                &worker->error);
        if (status != SOCKD_OK)
            return status;
        if (worker->size == (size_t)size &&
            memcmp(worker->buffer, text, worker->size) == 0)
            worker->n_good++;
    }
    return SOCKD_OK;
}

static void *echo(void *argument)
{
    int fd = *(int *)argument;
    char buffer[256];
    ssize_t size;

    while ((size = read(fd, buffer, sizeof(buffer))) > 0) {
        if (write(fd, buffer, (size_t)size) != size)
            break;
    }
    return NULL;
}

/* Every reply goes to the thread it is for. */
static void test_exchange(void)
{
    struct worker workers[N_THREADS];
    pthread_t echoes[N_THREADS];
    int peers[N_THREADS];

    for (unsigned i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){.connection = sockd,
                                     .socket = lib_stream(sockd, &peers[i]),
                                     .run = run_exchange,
                                     .number = i};
        pthread_create(&echoes[i], NULL, echo, &peers[i]);
    }
    for (unsigned i = 0; i < N_THREADS; i++)
        start(&workers[i]);
    for (unsigned i = 0; i < N_THREADS; i++) {
        join(&workers[i]);
        lib_must(workers[i].status, SOCKD_OK, &workers[i].error, __FILE__, __LINE__,
                 "an exchange");
        CU_ASSERT_EQUAL(workers[i].n_good, N_ROUNDS);
        MUST(sockd_close(sockd, workers[i].socket, NULL, 60, &error));
        pthread_join(echoes[i], NULL);
    }
}

/* Threads that read, write, interrupt, wait and give up on the same few sockets. Each
 * call must end in one of the ways it can. */
static struct {
    int64_t sockets[2];
    atomic_uint n_answered;
} storm;

static int storm_step(struct worker *worker, uint32_t random)
{
    struct sockd_interrupt_options options = SOCKD_INTERRUPT_OPTIONS_INIT;
    int64_t socket = storm.sockets[random & 1];
    size_t n;

    switch (random >> 1 & 7) {
    case 0:
    case 1:
    case 2:
        return sockd_read(worker->connection, socket, worker->buffer, 8, NULL,
                          (double)(random >> 8 & 3) / 1000, &n, NULL, &worker->error);
    case 3:
        return sockd_write(worker->connection, socket, "12345678", 8, NULL, 60, &n,
                           &worker->error);
    case 4:
        options.direction = SOCKD_INPUT;
        return sockd_interrupt(worker->connection, socket, &options, 60, NULL,
                               &worker->error);
    case 5:
        return sockd_wait_for_input_available(worker->connection, storm.sockets, 2,
                                              (double)(random >> 8 & 3) / 1000, NULL, &n,
                                              &worker->error);
    case 6:
        return sockd_call(worker->connection, "read",
                          (socket == storm.sockets[0] ? "{\"socket\":1,\"max\":1}"
                                                      : "{\"nonsense\":1}"),
                          60, NULL, &worker->error);
    default:
        return sockd_peek(worker->connection, socket, worker->buffer, 8, NULL, 0, &n,
                          NULL, &worker->error);
    }
}

static int run_storm(struct worker *worker)
{
    uint32_t random = (uint32_t)harness_seed() + worker->number;

    for (unsigned i = 0; i < N_ROUNDS; i++) {
        random = random * 1664525 + 1013904223;
        switch (storm_step(worker, random >> 8)) {
        case SOCKD_OK:
        case SOCKD_E_TIMEOUT:
        case SOCKD_E_INTERRUPTED:
        case SOCKD_E_NO_SUCH_SOCKET:
        case SOCKD_E_INVALID_PARAMS:
            worker->n_good++;
            break;
        default:
            worker->n_bad++;
        }
        atomic_fetch_add(&storm.n_answered, 1);
    }
    return SOCKD_OK;
}

static void test_storm(void)
{
    struct worker workers[N_THREADS];
    pthread_t echoes[2];
    int peers[2];

    for (int i = 0; i < 2; i++) {
        storm.sockets[i] = lib_stream(sockd, &peers[i]);
        pthread_create(&echoes[i], NULL, echo, &peers[i]);
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){.connection = sockd, .run = run_storm, .number = i};
        start(&workers[i]);
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        join(&workers[i]);
        if (workers[i].n_bad)
            UNIT_FAIL("thread %u: %u calls ended strangely, the last error is %s: %s", i,
                      workers[i].n_bad, workers[i].error.identifier,
                      workers[i].error.message);
        CU_ASSERT_EQUAL(workers[i].n_good, N_ROUNDS);
    }
    CU_ASSERT_EQUAL(atomic_load(&storm.n_answered), N_THREADS * N_ROUNDS);
    MUST(sockd_hello(sockd, 60, NULL, &error));
    for (int i = 0; i < 2; i++) {
        struct sockd_close_options drop = SOCKD_CLOSE_OPTIONS_INIT;

        drop.abort = 1;
        MUST(sockd_close(sockd, storm.sockets[i], &drop, 60, &error));
        pthread_join(echoes[i], NULL);
    }
}

/* Reads, accepts and waits of several threads, and the daemon is killed. */
static void test_daemon_dies(void)
{
    struct worker workers[3 * N_THREADS];
    int port, peers[N_THREADS];
    int64_t listener = lib_listener(sockd, &port);
    unsigned n = 0;

    begin_reads(workers, N_THREADS, peers);
    for (n = N_THREADS; n < 3 * N_THREADS; n++) {
        workers[n] = (struct worker){.connection = sockd,
                                     .socket = listener,
                                     .timeout = SOCKD_FOREVER,
                                     .run = n % 2 ? run_accept : run_wait};
        start(&workers[n]);
    }
    harness_kill(harness);
    for (unsigned i = 0; i < n; i++) {
        join(&workers[i]);
        CU_ASSERT_EQUAL(workers[i].status, SOCKD_E_NO_DAEMON);
        CU_ASSERT_EQUAL(workers[i].error.status, SOCKD_E_NO_DAEMON);
    }
    MUST_FAIL(SOCKD_E_NO_DAEMON, sockd_hello(sockd, 60, NULL, &error));
}

static void test_abort(void)
{
    struct worker workers[N_THREADS];
    struct sockd *other = lib_connect(harness);
    int peers[N_THREADS];

    begin_reads(workers, N_THREADS, peers);
    sockd_abort(sockd);
    for (unsigned i = 0; i < N_THREADS; i++) {
        join(&workers[i]);
        CU_ASSERT_EQUAL(workers[i].status, SOCKD_E_NO_DAEMON);
        peer_expect_end(peers[i]); /* the daemon has closed what belonged to it */
    }
    MUST(sockd_hello(other, 60, NULL, &error));
}

static const struct unit_test tests[] = {
    {"reads in several threads", test_reads},
    {"interrupted by another thread", test_interrupt},
    {"closed by another thread", test_close},
    {"accepts in several threads", test_accepts},
    {"deadlines in several threads", test_deadlines},
    {"an exchange in several threads", test_exchange},
    {"a storm of calls on the same sockets", test_storm},
    {"the daemon dies", test_daemon_dies},
    {"abort", test_abort},
};

UNIT_MAIN_AROUND(tests, begin, end)
