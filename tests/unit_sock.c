/* SPDX-License-Identifier: MIT */
/*
 * unit_sock.c - the life of a socket: daemon/net/sock. Operations in order, time-outs,
 * interrupts, watches, and ends that come from within callbacks.
 */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daemon/base/counters.h"
#include "daemon/base/handle.h"
#include "daemon/base/loop.h"
#include "daemon/base/placement.h"
#include "daemon/base/quota.h"
#include "daemon/net/sock.h"
#include "tests/unit.h"

enum { WORKER = 1, CLIENT = 64 };

static struct loop *loop;
static int peer; /* the other end of the sock of make_sock() */

static void before(void)
{
    loop = loop_new("test", WORKER);
    loop_enter(loop);
}

static void after(void)
{
    sock_close_all(loop, true);
    CU_ASSERT_TRUE(sock_none_left(loop));
    CU_ASSERT_EQUAL(placement_load(WORKER), 0);
    loop_free(loop);
    quota_set_limit(QUOTA_SOCKETS, 0);
    quota_fini();
}

static struct sock *new_sock(int64_t client)
{
    const struct sock_spec spec = {.owner = {.uid = 7, .client = client}, .name = "n"};
    struct error error;
    struct sock *sock = sock_new(&spec, &error);

    CU_ASSERT_FATAL(sock != NULL);
    return sock;
}

static struct sock *make_sock(const struct sock_kind *kind)
{
    struct sock *sock = new_sock(CLIENT);
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        unit_bail_out("socketpair: %s", strerror(errno));
    }
    CU_ASSERT_EQUAL(sock_set_fd(sock, ends[0]), 0);
    peer = ends[1];
    sock_become(sock, kind, SOCK_STATE_OPEN);
    return sock;
}

static const struct sock_kind plain = {.name = "plain"};

/* ---- An operation that reads one byte ---- */

struct probe {
    struct op op;
    char byte;
    int n_advanced, n_done;
    enum error_id id; /* what it ended with */
    int64_t socket;   /* in the error */
    char reason[128];
    struct probe *starts; /* started when this one ends */
    bool frees, stops;
};

static int order[16], n_ended;

static enum op_result probe_advance(struct op *op, struct error *error)
{
    struct probe *probe = (struct probe *)op;

    probe->n_advanced++;
    ssize_t n = read(op->sock->fd, &probe->byte, 1);
    if (n == 1) {
        return OP_DONE;
    }
    if (n < 0 && errno == EAGAIN) {
        op->sock->can_read = false;
        return OP_WAIT;
    }
    error_set_errno(error, n == 0 ? ECONNRESET : errno, "read");
    return OP_FAILED;
}

static void probe_done(struct op *op, const struct error *error)
{
    struct probe *probe = (struct probe *)op;

    probe->n_done++;
    CU_ASSERT_PTR_NULL(op->sock);
    if (error != NULL) {
        probe->id = error->id;
        probe->socket = error->socket;
        (void)snprintf(probe->reason, sizeof probe->reason, "%s", error->reason);
    }
    if (probe->starts != NULL) {
        struct sock *sock = sock_find(loop, probe->starts->socket);
        CU_ASSERT_FATAL(sock != NULL);
        sock_start(sock, &probe->starts->op, OP_INPUT, -1);
    }
    if (probe->frees) {
        sock_free(sock_find(loop, probe->socket));
    }
    order[n_ended++ % 16] = probe->byte;
    if (probe->stops) {
        loop_stop(loop);
    }
}

static void start(struct sock *sock, struct probe *probe, double timeout)
{
    probe->op.advance = probe_advance;
    probe->op.done = probe_done;
    sock_start(sock, &probe->op, OP_INPUT, timeout);
}

static void tell(const char *bytes)
{
    CU_ASSERT_EQUAL_FATAL(write(peer, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
}

/* ---- Tests ---- */

static void test_birth_and_death(void)
{
    struct sock *sock = make_sock(&plain);
    int64_t handle = sock->handle;
    struct error error;

    CU_ASSERT_EQUAL(handle_worker(handle), WORKER);
    CU_ASSERT_PTR_EQUAL(sock_find(loop, handle), sock);
    CU_ASSERT_EQUAL(placement_load(WORKER), 1);
    CU_ASSERT_EQUAL(fcntl(sock->fd, F_GETFD), FD_CLOEXEC);
    int fd = sock->fd;
    sock_free(sock);
    CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), -1);
    CU_ASSERT_PTR_NULL(sock_get(loop, handle, &error));
    CU_ASSERT_EQUAL(error.id, ERROR_NO_SUCH_SOCKET);
    CU_ASSERT_EQUAL(error.socket, handle);
    sock_free(NULL);
    close(peer);
}

static void test_quota(void)
{
    const struct sock_spec spec = {.owner = {.uid = 9, .client = CLIENT}};
    struct error error;

    quota_set_limit(QUOTA_SOCKETS, 1);
    struct sock *first = sock_new(&spec, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_NULL(sock_new(&spec, &error));
    CU_ASSERT_EQUAL(error.id, ERROR_LIMIT_REACHED);
    CU_ASSERT_EQUAL(error.number, 1);
    sock_free(first);
    first = sock_new(&spec, &error);
    CU_ASSERT_PTR_NOT_NULL(first);
}

static void test_order(void)
{
    struct sock *sock = make_sock(&plain);
    struct probe probes[3] = {{.byte = 0}};

    n_ended = 0;
    probes[2].stops = true;
    for (int i = 0; i < 3; i++) {
        start(sock, &probes[i], -1);
    }
    CU_ASSERT_EQUAL(probes[0].n_advanced, 1);
    CU_ASSERT_EQUAL(probes[1].n_advanced, 0);
    CU_ASSERT_EQUAL(sock->ops[OP_INPUT].n, 3);
    tell("abc");
    loop_run(loop);
    CU_ASSERT_EQUAL(n_ended, 3);
    CU_ASSERT_EQUAL(memcmp(order, (int[]){'a', 'b', 'c'}, 3 * sizeof order[0]), 0);
    CU_ASSERT_EQUAL(sock->ops[OP_INPUT].n, 0);
    close(peer);
}

static void test_done_at_once(void)
{
    struct sock *sock = make_sock(&plain);
    struct probe probe = {.byte = 0};

    tell("x");
    start(sock, &probe, 0);
    CU_ASSERT_EQUAL(probe.n_done, 1);
    CU_ASSERT_EQUAL(probe.byte, 'x');
    CU_ASSERT_EQUAL(probe.id, ERROR_NONE);
    close(peer);
}

static void test_timeouts(void)
{
    struct sock *sock = make_sock(&plain);
    struct probe now = {.byte = 0}, soon = {.stops = true}, behind = {.byte = 0};

    start(sock, &now, 0);
    CU_ASSERT_EQUAL(now.id, ERROR_TIMEOUT);
    CU_ASSERT_EQUAL(now.socket, sock->handle);
    soon.op.timeout_error = ERROR_READ_TIMEOUT;
    start(sock, &soon, 0.01);
    start(sock, &behind, -1);
    loop_run(loop);
    CU_ASSERT_EQUAL(soon.id, ERROR_READ_TIMEOUT);
    CU_ASSERT_EQUAL(counters_get(loop_counters(loop), COUNTER_TIMEOUTS), 1);
    /* Its place is free: the next one gets what comes. */
    behind.stops = true;
    tell("y");
    loop_run(loop);
    CU_ASSERT_EQUAL(behind.byte, 'y');
    close(peer);
}

static void test_failure_is_noted(void)
{
    struct sock *sock = make_sock(&plain);
    struct probe probe = {.byte = 0};

    close(peer);
    start(sock, &probe, -1);
    CU_ASSERT_EQUAL(probe.id, ERROR_CONNECTION_RESET);
    CU_ASSERT_EQUAL(sock->last_error, ERROR_CONNECTION_RESET);
    CU_ASSERT_EQUAL(sock->last_errno, ECONNRESET);
}

static void test_interrupt(void)
{
    struct sock *sock = make_sock(&plain);
    struct probe probes[3] = {{.byte = 0}}, later = {.byte = 0};
    struct error error;

    error_set(&error, ERROR_INTERRUPTED, "test");
    (void)snprintf(error.reason, sizeof error.reason, "enough");
    CU_ASSERT_EQUAL(sock_interrupt(sock, 3, &error), 0);
    for (int i = 0; i < 3; i++) {
        start(sock, &probes[i], 60);
    }
    later.socket = sock->handle;
    later.op.advance = probe_advance;
    later.op.done = probe_done;
    probes[0].starts = &later;
    CU_ASSERT_EQUAL(sock_interrupt(sock, 1U << OP_OUTPUT, &error), 0);
    CU_ASSERT_EQUAL(sock_interrupt(sock, 1U << OP_INPUT, &error), 3);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(probes[i].n_done, 1);
        CU_ASSERT_EQUAL(probes[i].id, ERROR_INTERRUPTED);
        CU_ASSERT_STRING_EQUAL(probes[i].reason, "enough");
    }
    /* What was started meanwhile goes on. */
    CU_ASSERT_EQUAL(later.n_done, 0);
    CU_ASSERT_EQUAL(sock->ops[OP_INPUT].n, 1);
    CU_ASSERT_EQUAL(counters_get(loop_counters(loop), COUNTER_INTERRUPTED), 3);
    sock_free(sock);
    CU_ASSERT_EQUAL(later.id, ERROR_SOCKET_CLOSED);
    close(peer);
}

static void test_ended_op_lets_the_next_try(void)
{
    struct sock *sock = make_sock(&plain);
    struct probe first = {.byte = 0}, second = {.stops = true};
    struct error error;

    start(sock, &first, -1);
    start(sock, &second, -1);
    tell("z");
    error_set(&error, ERROR_CANCELLED, "test");
    op_end(&first.op, &error);
    CU_ASSERT_EQUAL(first.id, ERROR_CANCELLED);
    op_end(&first.op, &error);
    CU_ASSERT_EQUAL(first.n_done, 1);
    loop_run(loop);
    CU_ASSERT_EQUAL(second.byte, 'z');
    close(peer);
}

static void test_freed_by_a_callback(void)
{
    struct sock *sock = make_sock(&plain);
    struct probe probes[3] = {{.byte = 0}};
    struct error error;

    for (int i = 0; i < 3; i++) {
        start(sock, &probes[i], -1);
    }
    probes[0].frees = true;
    error_set(&error, ERROR_INTERRUPTED, "test");
    (void)sock_interrupt(sock, 1U << OP_INPUT, &error);
    CU_ASSERT_EQUAL(probes[0].id, ERROR_INTERRUPTED);
    CU_ASSERT_EQUAL(probes[1].id, ERROR_SOCKET_CLOSED);
    CU_ASSERT_EQUAL(probes[2].id, ERROR_SOCKET_CLOSED);
    CU_ASSERT_TRUE(sock_none_left(loop));
    close(peer);
}

/* ---- Watches ---- */

struct observer {
    struct sock_watch watch;
    int n_checks, n_ended;
    enum error_id id;
    struct observer *removes; /* unwatched at the first check */
    bool stops;
};

static void observer_check(struct sock_watch *watch)
{
    struct observer *observer = (struct observer *)watch;

    observer->n_checks++;
    if (observer->removes != NULL) {
        sock_unwatch(&observer->removes->watch);
    }
    if (observer->stops) {
        loop_stop(loop);
    }
}

static void observer_ended(struct sock_watch *watch, const struct error *error)
{
    struct observer *observer = (struct observer *)watch;

    observer->n_ended++;
    observer->id = error->id;
    if (observer->removes != NULL) {
        sock_unwatch(&observer->removes->watch);
    }
}

static void watch(struct sock *sock, struct observer *observer,
                  enum op_direction direction)
{
    observer->watch.check = observer_check;
    observer->watch.ended = observer_ended;
    sock_watch(sock, &observer->watch, direction);
}

static void test_watches_are_told(void)
{
    struct sock *sock = make_sock(&plain);
    struct observer first = {.n_checks = 0}, second = {.stops = true};

    watch(sock, &first, OP_INPUT);
    watch(sock, &second, OP_INPUT); /* told before the first */
    CU_ASSERT_EQUAL(first.n_checks, 0);
    tell("a");
    loop_run(loop);
    CU_ASSERT_TRUE(first.n_checks > 0);
    CU_ASSERT_EQUAL(first.n_checks, second.n_checks);
    /* Removing the next one, and oneself, while they are told. */
    int n_checks = first.n_checks;
    second.removes = &first;
    sock_run_later(sock);
    loop_run(loop);
    CU_ASSERT_EQUAL(first.n_checks, n_checks);
    second.removes = &second;
    sock_run(sock);
    CU_ASSERT_PTR_NULL(sock->watches);
    sock_unwatch(&second.watch);
    close(peer);
}

static void test_watches_end(void)
{
    struct sock *sock = make_sock(&plain);
    struct observer input = {.n_ended = 0}, output = {.n_ended = 0},
                    both = {.n_ended = 0};
    struct error error;

    watch(sock, &input, OP_INPUT);
    watch(sock, &output, OP_OUTPUT);
    error_set(&error, ERROR_INTERRUPTED, "test");
    CU_ASSERT_EQUAL(sock_interrupt(sock, 1U << OP_INPUT, &error), 1);
    CU_ASSERT_EQUAL(input.id, ERROR_INTERRUPTED);
    CU_ASSERT_EQUAL(output.n_ended, 0);
    /* The end of one takes the other with it, as a request for both does. */
    watch(sock, &both, OP_INPUT);
    both.removes = &output;
    output.removes = &both;
    sock_close(sock, false);
    CU_ASSERT_EQUAL(both.n_ended + output.n_ended, 1);
    CU_ASSERT_TRUE(both.id == ERROR_SOCKET_CLOSED || output.id == ERROR_SOCKET_CLOSED);
    close(peer);
}

/* ---- Close ---- */

static int n_closes, n_finis;
static bool was_abort;

static bool slow_close(struct sock *sock, bool is_abort)
{
    (void)sock;
    n_closes++;
    was_abort = is_abort;
    return false;
}

static void slow_fini(struct sock *sock)
{
    (void)sock;
    n_finis++;
    if (n_closes < 0) {
        loop_stop(loop);
    }
}

static const struct sock_kind slow = {
    .name = "slow", .close = slow_close, .fini = slow_fini};

static void test_close_takes_its_time(void)
{
    struct sock *sock = make_sock(&slow);
    int64_t handle = sock->handle;
    struct probe probe = {.byte = 0};

    n_closes = n_finis = 0;
    start(sock, &probe, -1);
    sock_close(sock, false);
    CU_ASSERT_EQUAL(probe.id, ERROR_SOCKET_CLOSED);
    CU_ASSERT_PTR_NULL(sock_find(loop, handle));
    CU_ASSERT_FALSE(sock_none_left(loop));
    CU_ASSERT_EQUAL(n_closes, 1);
    sock_close(sock, false); /* asked already */
    CU_ASSERT_EQUAL(n_closes, 1);
    sock_close(sock, true);
    CU_ASSERT_TRUE(was_abort);
    CU_ASSERT_EQUAL(n_finis, 1);
    CU_ASSERT_TRUE(sock_none_left(loop));
    close(peer);
}

static void test_close_has_a_limit(void)
{
    struct sock *sock = make_sock(&slow);
    double seconds = sock_close_timeout();

    n_finis = 0;
    sock_set_close_timeout(0.01);
    sock_close(sock, false);
    CU_ASSERT_EQUAL(n_finis, 0);
    n_closes = -1; /* the end stops the loop */
    loop_run(loop);
    CU_ASSERT_EQUAL(n_finis, 1);
    CU_ASSERT_TRUE(sock_none_left(loop));
    sock_set_close_timeout(seconds);
    close(peer);
}

static void test_sockets_of_a_client(void)
{
    enum { N = 40 };
    /* Numbers that meet in one list as well as others. */
    const int64_t clients[] = {CLIENT, CLIENT + 64, CLIENT + 64 * 1024, CLIENT + 1};
    int64_t handles[N];

    for (int i = 0; i < N; i++) {
        handles[i] = new_sock(clients[i % 4])->handle;
    }
    sock_close_client(loop, CLIENT + 64 * 1024);
    for (int i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(sock_find(loop, handles[i]) == NULL, i % 4 == 2);
    }
    sock_close_client(loop, 12345);
    CU_ASSERT_EQUAL(handle_count(loop_handles(loop), HANDLE_SOCK), N - N / 4);
}

static void test_addresses_outlive_the_descriptor(void)
{
    struct sock *sock = new_sock(CLIENT);
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_storage address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    CU_ASSERT_FALSE(sock_local_address(sock, &address));
    CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    CU_ASSERT_EQUAL(sock_set_fd(sock, fd), 0);
    CU_ASSERT_TRUE(sock_local_address(sock, &address));
    in_port_t port = ((struct sockaddr_in *)&address)->sin_port;
    CU_ASSERT_NOT_EQUAL(port, 0);
    CU_ASSERT_FALSE(sock_remote_address(sock, &address));
    sock_close_fd(sock);
    CU_ASSERT_EQUAL(sock->fd, -1);
    CU_ASSERT_TRUE(sock_local_address(sock, &address));
    CU_ASSERT_EQUAL(((struct sockaddr_in *)&address)->sin_port, port);
    sock_close_fd(sock);
}

static const struct unit_test tests[] = {
    {"a handle is found while the sock lives", test_birth_and_death},
    {"sockets per user are limited", test_quota},
    {"operations end in the order asked", test_order},
    {"what can be done at once is done at once", test_done_at_once},
    {"time-outs end an operation and no other", test_timeouts},
    {"a failure is remembered", test_failure_is_noted},
    {"an interrupt ends what waits, not what is started then", test_interrupt},
    {"after an early end the next one tries", test_ended_op_lets_the_next_try},
    {"a callback may free the sock", test_freed_by_a_callback},
    {"watches are told of changes", test_watches_are_told},
    {"watches end with interrupt and close", test_watches_end},
    {"close may take its time, abort not", test_close_takes_its_time},
    {"the time of a close is limited", test_close_has_a_limit},
    {"a client's sockets are found and closed", test_sockets_of_a_client},
    {"addresses outlive the descriptor", test_addresses_outlive_the_descriptor},
};
UNIT_MAIN_AROUND(tests, before, after)
