/* SPDX-License-Identifier: MIT */
/*
 * system_relay.c - relay: two streams of the daemon joined, on one worker or on two;
 * every byte, half-close, exact ends, interrupt, close, clients that die.
 */
#include <config.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/traffic.h"
#include "tests/unit.h"
#include "tests/wire.h"

static struct harness *harness;
static struct wire *wire;

struct leg {
    int64_t sock; /* of the daemon */
    int peer;
};

static void start(unsigned workers)
{
    struct harness_options options = {.workers = workers};

    harness = harness_start(&options);
    wire = wire_open(harness);
}

/* A stream of the daemon, TCP or Unix, made by `by`. */
static struct leg make_leg(struct wire *by, bool is_file)
{
    static unsigned n;
    struct leg leg;
    int port, listener;
    char path[108];
    json_t *made;

    if (is_file) {
        (void)snprintf(path, sizeof path, "%s/leg%u", harness_directory(harness), ++n);
        listener = peer_listen_file(path);
        made = wire_call(by, "make-socket", "{s:s, s:s}", "address-family", "file",
                         "remote-filename", path);
    } else {
        listener = peer_listen("127.0.0.1", &port);
        made = wire_call(by, "make-socket", "{s:s, s:i}", "remote-host", "127.0.0.1",
                         "remote-port", port);
    }
    leg.sock = wire_int(made, "socket");
    leg.peer = peer_accept(listener);
    peer_close(listener);
    return leg;
}

/* Two streams on different workers, if there are several: those of connections go to the
 * worker of the connection, and connections are spread. */
static void make_far_pair(struct leg *first, struct leg *second, bool is_file)
{
    struct wire *other = wire_open(harness);

    *first = make_leg(wire, is_file);
    *second = make_leg(other, false);
    for (unsigned i = 0;
         i < 8 && harness_workers(harness) > 1 && first->sock % 64 == second->sock % 64;
         i++) {
        other = wire_open(harness);
        *second = make_leg(other, false);
    }
    CU_ASSERT_TRUE(harness_workers(harness) == 1 ||
                   first->sock % 64 != second->sock % 64);
}

static void join(const struct leg *first, const struct leg *second)
{
    wire_call(wire, "relay", "{s:I, s:I}", "first", first->sock, "second", second->sock);
}

static json_t *runtime_of(int64_t sock)
{
    return json_object_get(wire_call(wire, "describe-socket", "{s:I}", "socket", sock),
                           "runtime");
}

static bool is_gone(void *context)
{
    const int64_t *sock = context;
    int64_t id = wire_send(wire, "socket-type", "{s:I}", "socket", *sock);

    return json_object_get(wire_reply(wire, id), "error") != NULL;
}

static void await_gone(struct leg *leg)
{
    harness_await(is_gone, &leg->sock, "the end of a socket");
}

static bool is_free(void *context)
{
    const int64_t *sock = context;
    int64_t id = wire_send(wire, "listen", "{s:I}", "socket", *sock);

    return json_object_get(wire_reply(wire, id), "result") != NULL;
}

static void await_free(struct leg *leg)
{
    harness_await(is_free, &leg->sock, "the end of a relay");
}

/* ---- Bytes ---- */

static void test_both_ways(void)
{
    start(1);
    struct leg first = make_leg(wire, false), second = make_leg(wire, true);

    join(&first, &second);
    peer_print(first.peer, "to the second");
    peer_expect_text(second.peer, "to the second");
    peer_print(second.peer, "and back");
    peer_expect_text(first.peer, "and back");
    CU_ASSERT_EQUAL(wire_int(runtime_of(first.sock), "relayed-to"), second.sock);
    CU_ASSERT_EQUAL(wire_int(runtime_of(second.sock), "relayed-to"), first.sock);
    CU_ASSERT_EQUAL(wire_int(runtime_of(first.sock), "bytes-read"), 13);
    CU_ASSERT_EQUAL(wire_int(runtime_of(first.sock), "bytes-written"), 8);
    peer_shut_output(first.peer);
    peer_expect_end(second.peer);
    peer_print(second.peer, "more");
    peer_expect_text(first.peer, "more");
    peer_shut_output(second.peer);
    peer_expect_end(first.peer);
    await_gone(&first);
    await_gone(&second);
}

/* What was received and held back before goes first. */
static void test_buffered_before(void)
{
    start(1);
    struct leg first = make_leg(wire, false), second = make_leg(wire, false);

    peer_print(first.peer, "abcdef");
    wire_call(wire, "read", "{s:I, s:i}", "socket", first.sock, "exactly", 2);
    wire_call(wire, "peek", "{s:I, s:i}", "socket", first.sock, "exactly", 4);
    wire_call(wire, "write", "{s:I, s:s, s:b}", "socket", second.sock, "data", "held ",
              "flush", 0);
    join(&first, &second);
    peer_expect_text(second.peer, "held cdef");
}

/* What came before the relay and was seen is told by no event any more. */
static void test_seen_before(void)
{
    start(1);
    for (int is_reset = 0; is_reset < 2; is_reset++) {
        struct leg first = make_leg(wire, false), second = make_leg(wire, false);
        peer_print(first.peer, "one ");
        wire_call(wire, "wait-for-input-available", "{s:[I]}", "sockets", first.sock);
        if (is_reset) {
            peer_abort(first.peer);
        } else {
            CU_ASSERT_EQUAL(send(first.peer, "!", 1, MSG_OOB), 1);
            peer_print(first.peer, "two"); /* behind the mark of the urgent byte */
        }
        wire_call(wire, "hello", NULL);
        join(&first, &second);
        peer_expect_text(second.peer, is_reset ? "one " : "one two");
        if (is_reset) {
            peer_expect_reset(second.peer);
        }
    }
}

static void test_traffic_near(void)
{
    start(1);
    for (unsigned i = 0; i < 60; i++) {
        struct leg first = make_leg(wire, i % 3 == 0),
                   second = make_leg(wire, i % 5 == 0);
        struct traffic_plan plan = traffic_random(4u << 20);
        join(&first, &second);
        traffic_add(first.peer, second.peer, &plan);
    }
    traffic_run();
}

static void test_traffic_far(void)
{
    start(3);
    for (unsigned i = 0; i < 40; i++) {
        struct leg first, second;
        struct traffic_plan plan = traffic_random(2u << 20);
        make_far_pair(&first, &second, i % 2 == 0);
        join(&first, &second);
        traffic_add(first.peer, second.peer, &plan);
    }
    traffic_run();
}

/* One side does not read: the others are not held up, and the daemon takes in only so
 * much. */
static void test_slow_reader(void)
{
    start(1);
    for (unsigned i = 0; i < 12; i++) {
        struct leg first = make_leg(wire, false), second = make_leg(wire, i % 2 == 0);
        struct traffic_plan plan = {.sizes = {12u << 20, 1u << 16}, .is_slow = i < 4};
        join(&first, &second);
        traffic_add(first.peer, second.peer, &plan);
    }
    traffic_run_fast();
    CU_ASSERT_TRUE(harness_memory_kib(harness) < 200 * 1024);
}

static void test_cuts(void)
{
    start(2);
    for (unsigned i = 0; i < 60; i++) {
        struct leg first, second;
        struct traffic_plan plan = traffic_random(2u << 20);
        bool is_file = i % 4 == 0;
        first = make_leg(wire, false);
        second = make_leg(wire, is_file);
        plan.sizes[0] += 1;
        plan.cut = is_file ? TRAFFIC_CUT_MUTE : TRAFFIC_CUT_HEARD;
        plan.cut_at = (size_t)(harness_random() % plan.sizes[0]);
        join(&first, &second);
        traffic_add(first.peer, second.peer, &plan);
    }
    traffic_run();
}

/* ---- Ends ---- */

static void test_wait(void)
{
    start(2);
    struct leg first, second;

    make_far_pair(&first, &second, true);
    int64_t id = wire_send(wire, "relay", "{s:I, s:I, s:b}", "first", first.sock,
                           "second", second.sock, "wait", 1);
    peer_print(first.peer, "12345");
    peer_expect_text(second.peer, "12345");
    CU_ASSERT_FALSE(wire_is_answered(wire, id));
    peer_close(first.peer);
    peer_expect_end(second.peer);
    peer_close(second.peer);
    json_t *result = wire_result(wire, id);
    CU_ASSERT_STRING_EQUAL(wire_text(result, "end"), "clean");
    CU_ASSERT_EQUAL(wire_int(result, "forward"), 5);
    CU_ASSERT_EQUAL(wire_int(result, "back"), 0);

    first = make_leg(wire, false);
    second = make_leg(wire, false);
    id = wire_send(wire, "relay", "{s:I, s:I, s:b}", "first", first.sock, "second",
                   second.sock, "wait", 1);
    peer_print(first.peer, "x");
    peer_expect_text(second.peer, "x");
    peer_abort(first.peer);
    CU_ASSERT_STRING_EQUAL(wire_text(wire_result(wire, id), "end"), "cut");
    peer_expect_reset(second.peer);

    first = make_leg(wire, false);
    second = make_leg(wire, false);
    id = wire_send(wire, "relay", "{s:I, s:I, s:b}", "first", first.sock, "second",
                   second.sock, "wait", 1);
    CU_ASSERT_TRUE(
        wire_bool(wire_call(wire, "cancel", "{s:I}", "request", id), "cancelled"));
    wire_error(wire, id, "cancelled");
    await_free(&first);
    await_free(&second);
    wire_refused(wire, "timeout", "relay", "{s:I, s:I, s:b, s:f}", "first", first.sock,
                 "second", second.sock, "wait", 1, "timeout", 0.05);
    await_free(&first);
    await_free(&second);
}

/* An interrupt gives both back, wherever they were, with what was not delivered. */
static void test_interrupt(void)
{
    static char bytes[1 << 20];
    size_t n_sent = 0, n_read = 0;

    start(2);
    struct leg first, second;
    make_far_pair(&first, &second, true);
    join(&first, &second);
    peer_print(second.peer, "through");
    peer_expect_text(first.peer, "through");
    /* Until nothing goes any more: the peer of the first does not read. */
    for (struct timeval limit = {.tv_usec = 300000};;) {
        CU_ASSERT_EQUAL(
            setsockopt(second.peer, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
        ssize_t n = send(second.peer, bytes, sizeof bytes, MSG_NOSIGNAL);
        if (n <= 0) {
            break;
        }
        n_sent += (size_t)n;
    }
    for (unsigned i = 0; i < 2; i++) {
        wire_refused(wire, "busy", "read", "{s:I}", "socket",
                     i == 0 ? first.sock : second.sock);
    }
    json_t *result = wire_call(wire, "interrupt", "{s:I, s:s}", "socket", second.sock,
                               "direction", "input");
    CU_ASSERT_TRUE(wire_int(result, "interrupted") > 0);
    await_free(&first);
    await_free(&second);
    peer_shut_output(second.peer);
    CU_ASSERT_EQUAL(shutdown(first.peer, SHUT_WR), 0);
    wire_call(wire, "shutdown", "{s:I, s:s}", "socket", first.sock, "direction",
              "output");
    for (size_t n; (n = peer_read(first.peer, bytes, sizeof bytes)) > 0;) {
        n_read += n;
    }
    for (json_t *read;;) {
        read = wire_call(wire, "read", "{s:I, s:s, s:i}", "socket", second.sock,
                         "encoding", "latin-1", "max", 65536);
        n_read += (size_t)wire_int(read, "size");
        if (wire_bool(read, "eof")) {
            break;
        }
    }
    CU_ASSERT_EQUAL(n_read, n_sent);
    CU_ASSERT_TRUE(n_sent > 0);
    /* At home again, and of use. */
    wire_call(wire, "wait-for-input-available", "{s:[I,I]}", "sockets", first.sock,
              second.sock);
}

static void test_close(void)
{
    for (unsigned is_abort = 0; is_abort < 2; is_abort++) {
        start(2);
        struct leg first, second;
        make_far_pair(&first, &second, false);
        join(&first, &second);
        peer_print(first.peer, "x");
        peer_expect_text(second.peer, "x");
        wire_call(wire, "close", "{s:I, s:b}", "socket", second.sock, "abort",
                  (int)is_abort);
        await_gone(&first);
        await_gone(&second);
        if (is_abort) {
            peer_expect_reset(first.peer);
        } else {
            peer_expect_end(first.peer);
        }
        harness_stop(harness);
    }
}

static bool has_read_four(void *context)
{
    const int64_t *sock = context;

    return wire_int(runtime_of(*sock), "bytes-read") == 4;
}

/* What the first has sent is lost, since the second takes nothing: however orderly that
 * is closed then, the first hears of a cut, after the last bytes for it. */
static void test_close_hides_no_cut(void)
{
    start(1);
    struct leg first = make_leg(wire, false), second = make_leg(wire, true);
    int64_t id = wire_send(wire, "relay", "{s:I, s:I, s:b}", "first", first.sock,
                           "second", second.sock, "wait", 1);
    struct wire *other = wire_open(harness);

    CU_ASSERT_EQUAL(shutdown(second.peer, SHUT_RD), 0);
    peer_print(first.peer, "lost");
    harness_await(has_read_four, &first.sock, "four bytes to be read");
    peer_print(second.peer, "last");
    wire_call(other, "close", "{s:I}", "socket", second.sock);
    peer_expect_text(first.peer, "last");
    peer_expect_reset(first.peer);
    CU_ASSERT_STRING_EQUAL(wire_text(wire_result(wire, id), "end"), "cut");
    await_gone(&first);
}

/* Bytes that were on their way when one side was closed are delivered, and counted. */
static void test_close_counts(void)
{
    static char bytes[1 << 20];
    struct timeval limit = {.tv_usec = 300000};
    size_t n_read = 0;

    start(1);
    struct leg first = make_leg(wire, false), second = make_leg(wire, true);
    int64_t id = wire_send(wire, "relay", "{s:I, s:I, s:b}", "first", first.sock,
                           "second", second.sock, "wait", 1);
    struct wire *other = wire_open(harness);

    /* Until nothing goes any more: the peer of the first does not read. */
    CU_ASSERT_EQUAL(
        setsockopt(second.peer, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
    while (send(second.peer, bytes, sizeof bytes, MSG_NOSIGNAL) > 0) {
    }
    wire_call(other, "close", "{s:I}", "socket", second.sock);
    for (size_t n; (n = peer_read(first.peer, bytes, sizeof bytes)) > 0;) {
        n_read += n;
    }
    json_t *result = wire_result(wire, id);
    CU_ASSERT_STRING_EQUAL(wire_text(result, "end"), "closed");
    CU_ASSERT_EQUAL(wire_int(result, "back"), (int64_t)n_read);
    json_t *counters = json_object_get(wire_call(wire, "statistics", NULL), "counters");
    CU_ASSERT_EQUAL(wire_int(counters, "bytes-relayed"), (int64_t)n_read);
}

static void test_refused(void)
{
    start(2);
    struct leg first, second;
    make_far_pair(&first, &second, false);
    json_t *listener = wire_call(wire, "make-socket", "{s:s, s:s}", "connect", "passive",
                                 "local-host", "127.0.0.1");
    int64_t passive = wire_int(listener, "socket");

    wire_refused(wire, "invalid-params", "relay", "{s:I, s:I}", "first", first.sock,
                 "second", first.sock);
    wire_refused(wire, "wrong-kind", "relay", "{s:I, s:I}", "first", first.sock, "second",
                 passive);
    wire_refused(wire, "wrong-kind", "relay", "{s:I, s:I}", "first", passive, "second",
                 second.sock);
    wire_refused(wire, "no-such-socket", "relay", "{s:I, s:I}", "first", first.sock,
                 "second", (int64_t)1 << 40);
    wire_refused(wire, "no-such-socket", "relay", "{s:I, s:I}", "first",
                 ((int64_t)1 << 40) + 63, "second", first.sock);
    wire_send(wire, "read", "{s:I}", "socket", second.sock);
    wire_refused(wire, "busy", "relay", "{s:I, s:I}", "first", first.sock, "second",
                 second.sock);
    wire_refused(wire, "busy", "relay", "{s:I, s:I}", "first", second.sock, "second",
                 first.sock);
    wire_call(wire, "interrupt", "{s:I}", "socket", second.sock);
    /* Watched from elsewhere, it stays; then the other one travels. */
    struct wire *other = wire_open(harness);
    wire_send(other, "wait-for-input-available", "{s:[I]}", "sockets", second.sock);
    wire_call(other, "listen", "{s:I}", "socket", second.sock);
    join(&first, &second);
    peer_print(first.peer, "to and fro");
    peer_expect_text(second.peer, "to and fro");
    wire_refused(wire, "busy", "relay", "{s:I, s:I}", "first", first.sock, "second",
                 second.sock);
    wire_refused(wire, "busy", "attach", "{s:I}", "socket", first.sock);
    wire_refused(other, "busy", "wait-for-input-available", "{s:[I]}", "sockets",
                 first.sock);
}

/* A socket that is relayed far from its home is no prey of the next who wants it. */
static void test_refused_far(void)
{
    struct leg first, second;

    start(3);
    make_far_pair(&first, &second, false);
    struct leg third = make_leg(wire, false);
    CU_ASSERT_EQUAL(third.sock % 64, first.sock % 64);
    join(&first, &second);
    wire_refused(wire, "busy", "relay", "{s:I, s:I}", "first", third.sock, "second",
                 second.sock);
    peer_print(first.peer, "still there");
    peer_expect_text(second.peer, "still there");
    /* Nor is the one that nobody took. */
    peer_print(third.peer, "as ever");
    CU_ASSERT_STRING_EQUAL(wire_text(wire_call(wire, "read", "{s:I, s:i}", "socket",
                                               third.sock, "exactly", 7),
                                     "data"),
                           "as ever");
}

/* Whoever made a socket dies, and its socket with it, wherever that is; the other one
 * follows. */
static void test_client_dies(void)
{
    for (unsigned i = 0; i < 2; i++) {
        start(2);
        struct wire *makers[2] = {wire_open(harness), wire_open(harness)};
        struct leg legs[2];
        for (unsigned k = 0; k < 2; k++) {
            legs[k] = make_leg(makers[k], false);
        }
        join(&legs[0], &legs[1]);
        peer_print(legs[0].peer, "x");
        peer_expect_text(legs[1].peer, "x");
        wire_close(makers[i]);
        peer_expect_end(legs[0].peer);
        peer_expect_end(legs[1].peer);
        await_gone(&legs[0]);
        await_gone(&legs[1]);
        harness_stop(harness);
    }
}

static void test_stop(void)
{
    start(2);
    struct leg first, second;
    make_far_pair(&first, &second, true);
    join(&first, &second);
    peer_print(first.peer, "x");
    peer_expect_text(second.peer, "x");
    harness_stop(harness);
    peer_expect_end(second.peer);
    peer_expect_end(first.peer);
}

/* Descriptors of pipes are not kept but for a few. */
static void test_descriptors(void)
{
    start(1);
    int n_before = harness_n_descriptors(harness);

    for (unsigned i = 0; i < 20; i++) {
        struct leg first = make_leg(wire, false), second = make_leg(wire, true);
        struct traffic_plan plan = {.sizes = {1u << 20, 1u << 20}};
        join(&first, &second);
        traffic_add(first.peer, second.peer, &plan);
    }
    traffic_run();
    json_t *counters = json_object_get(wire_call(wire, "statistics", NULL), "counters");
    CU_ASSERT_EQUAL(wire_int(counters, "relays"), 20);
    CU_ASSERT_TRUE(harness_n_descriptors(harness) <= n_before + 4 + 40);
}

static const struct unit_test tests[] = {
    {"bytes run both ways, and each way ends for itself", test_both_ways},
    {"bytes that were there before come first", test_buffered_before},
    {"what was seen before is not lost", test_seen_before},
    {"random traffic on one worker", test_traffic_near},
    {"random traffic between workers", test_traffic_far},
    {"a slow reader holds nobody else up", test_slow_reader},
    {"a cut is passed on as a cut", test_cuts},
    {"wait tells how it ended", test_wait},
    {"an interrupt gives both sockets back", test_interrupt},
    {"closing one closes the other", test_close},
    {"closing one hides no cut", test_close_hides_no_cut},
    {"closing one counts what is delivered", test_close_counts},
    {"what is refused", test_refused},
    {"a relay far from home is left alone", test_refused_far},
    {"a client dies", test_client_dies},
    {"the daemon stops", test_stop},
    {"pipes are not kept", test_descriptors},
};

UNIT_MAIN(tests)
