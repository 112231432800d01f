/* SPDX-License-Identifier: MIT */
/*
 * unit_connector.c - connecting to one of several addresses: daemon/net/connector, with
 * addresses that refuse, are silent, or answer.
 */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daemon/base/counters.h"
#include "daemon/base/loop.h"
#include "daemon/base/quota.h"
#include "daemon/net/connector.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/sock.h"
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"

enum { WORKER = 0 };

static struct loop *loop;
static struct sock *sock;
static struct connector_plan plan;
static bool is_done;
static struct error outcome; /* id ERROR_NONE: connected */

static void set_up(enum sock_family family)
{
    const struct sock_spec spec = {.family = family, .owner = {.client = 64}};
    struct error error;

    loop = loop_new("test", WORKER);
    loop_enter(loop);
    sock = sock_new(&spec, &error);
    memset(&plan, 0, sizeof plan);
    plan.timeout = -1;
    plan.who.uid = geteuid();
    plan.who.gid = getegid();
    is_done = false;
    memset(&outcome, 0, sizeof outcome);
}

static void tear_down(void)
{
    sock_close_all(loop, true);
    loop_free(loop);
    quota_fini();
}

static void add(const char *host, int port)
{
    struct value_ip ip;

    CU_ASSERT_TRUE_FATAL(ipaddr_parse(&ip, host, strlen(host)));
    (void)endpoint_from_ip(&plan.remotes[plan.n_remotes++], &ip, (uint16_t)port);
}

static void done(void *arg, const struct error *error)
{
    CU_ASSERT_PTR_EQUAL(arg, &plan);
    CU_ASSERT_FALSE(is_done);
    is_done = true;
    if (error != NULL) {
        outcome = *error;
    }
    loop_stop(loop);
}

/* Ends when the connector does. */
static void run(void)
{
    connector_start(sock, &plan, done, &plan);
    loop_run(loop);
    CU_ASSERT_TRUE(is_done);
}

static uint64_t n_tries(void)
{
    return counters_get(loop_counters(loop), COUNTER_CONNECT_TRIES);
}

static void expect_connected(const char *host, int port)
{
    struct sockaddr_storage address;
    char text[IPADDR_TEXT_SIZE];

    CU_ASSERT_EQUAL(outcome.id, ERROR_NONE);
    CU_ASSERT_TRUE_FATAL(sock_remote_address(sock, &address));
    endpoint_host_text(&address, text);
    CU_ASSERT_STRING_EQUAL(text, host);
    CU_ASSERT_EQUAL(endpoint_port(&address), port);
    CU_ASSERT_TRUE(sock->fd >= 0);
    CU_ASSERT_EQUAL(sock->is_ipv6, strchr(host, ':') != NULL);
}

static int n_open_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

static void test_one(void)
{
    int port, listener = peer_listen("127.0.0.1", &port);

    set_up(SOCK_FAMILY_INTERNET);
    add("127.0.0.1", port);
    run();
    expect_connected("127.0.0.1", port);
    CU_ASSERT_EQUAL(n_tries(), 1);
    (void)peer_accept(listener);
    tear_down();
}

static void test_refused_then_next(void)
{
    int port, n_before;

    (void)peer_listen("127.0.0.1", &port);
    int refusing = peer_refusing_port("127.0.0.1");
    set_up(SOCK_FAMILY_INTERNET);
    add("127.0.0.1", refusing);
    add("127.0.0.2", refusing);
    add("127.0.0.1", port);
    n_before = n_open_descriptors();
    int64_t begin = harness_now_ms();
    run();
    expect_connected("127.0.0.1", port);
    CU_ASSERT_EQUAL(n_tries(), 3);
    CU_ASSERT_EQUAL(n_open_descriptors(), n_before + 1);
    /* It does not wait for the delay of 250 ms, let alone twice. */
    unit_note("three attempts in %lld ms", (long long)(harness_now_ms() - begin));
    tear_down();
}

static void test_silent_then_next(void)
{
    int port, n_before;

    (void)peer_listen("127.0.0.1", &port);
    int silent = peer_silent_port("127.0.0.1");
    set_up(SOCK_FAMILY_INTERNET);
    add("127.0.0.1", silent);
    add("127.0.0.1", port);
    add("127.0.0.3", port); /* never tried */
    n_before = n_open_descriptors();
    int64_t begin = harness_now_ms();
    run();
    CU_ASSERT_TRUE(harness_now_ms() - begin >= 240);
    expect_connected("127.0.0.1", port);
    CU_ASSERT_EQUAL(n_tries(), 2);
    CU_ASSERT_EQUAL(n_open_descriptors(), n_before + 1);
    tear_down();
}

static void test_all_refused(void)
{
    int refusing = peer_refusing_port("127.0.0.1");

    set_up(SOCK_FAMILY_INTERNET);
    add("127.0.0.1", refusing);
    add("127.0.0.2", refusing);
    run();
    CU_ASSERT_EQUAL(outcome.id, ERROR_CONNECTION_REFUSED);
    CU_ASSERT_EQUAL(outcome.errnum, ECONNREFUSED);
    CU_ASSERT_STRING_EQUAL(outcome.action, "connect");
    CU_ASSERT_EQUAL(sock->fd, -1);
    CU_ASSERT_EQUAL(n_tries(), 2);
    tear_down();
}

/* An address that cannot be reached at all does not hide what another one answered. */
static void test_the_error_that_says_most(void)
{
    int refusing = peer_refusing_port("127.0.0.1");

    set_up(SOCK_FAMILY_INTERNET);
    add("127.0.0.1", refusing);
    add("::1", refusing);
    plan.is_local_host = false;
    /* Not an address of this machine: the IPv6 attempt fails at bind. */
    struct value_ip foreign;
    CU_ASSERT_TRUE(ipaddr_parse(&foreign, "2001:db8::1", 11));
    (void)endpoint_from_ip(&plan.locals[1], &foreign, 0);
    run();
    CU_ASSERT_EQUAL(outcome.id, ERROR_CONNECTION_REFUSED);
    tear_down();
}

static void test_families_in_turn(void)
{
    int port;

    if (!peer_has_ipv6()) {
        unit_skip("no IPv6 on the loopback");
        return;
    }
    (void)peer_listen("::1", &port);
    int silent = peer_silent_port("127.0.0.1");
    set_up(SOCK_FAMILY_INTERNET);
    add("127.0.0.1", silent);
    add("127.0.0.1", silent);
    add("127.0.0.1", silent);
    add("::1", port);
    run();
    /* The IPv6 address was the second one to be tried. */
    expect_connected("::1", port);
    CU_ASSERT_EQUAL(n_tries(), 2);
    tear_down();
}

static void test_local_host_chooses_the_family(void)
{
    int port4, port6;
    struct value_ip local;

    if (!peer_has_ipv6()) {
        unit_skip("no IPv6 on the loopback");
        return;
    }
    (void)peer_listen("127.0.0.1", &port4);
    int listener = peer_listen("::1", &port6);
    set_up(SOCK_FAMILY_INTERNET);
    add("127.0.0.1", port4);
    add("::1", port6);
    plan.is_local_host = true;
    CU_ASSERT_TRUE(ipaddr_parse(&local, "::1", 3));
    (void)endpoint_from_ip(&plan.locals[1], &local, 0);
    run();
    expect_connected("::1", port6);
    CU_ASSERT_EQUAL(n_tries(), 1);
    (void)peer_accept(listener);
    tear_down();
    /* No address of the right family at all. */
    set_up(SOCK_FAMILY_INTERNET);
    add("127.0.0.1", port4);
    plan.is_local_host = true;
    (void)endpoint_from_ip(&plan.locals[1], &local, 0);
    run();
    CU_ASSERT_EQUAL(outcome.id, ERROR_ADDRESS_NOT_AVAILABLE);
    tear_down();
}

static void test_local_port(void)
{
    int port, listener = peer_listen("127.0.0.1", &port);
    struct sockaddr_storage address;
    /* A port that is free, because it was so a moment ago. */
    int local = peer_refusing_port("127.0.0.2");

    set_up(SOCK_FAMILY_INTERNET);
    add("127.0.0.1", port);
    struct value_ip ip;
    CU_ASSERT_TRUE(ipaddr_parse(&ip, "127.0.0.3", 9));
    (void)endpoint_from_ip(&plan.locals[0], &ip, (uint16_t)local);
    run();
    CU_ASSERT_EQUAL(outcome.id, ERROR_NONE);
    CU_ASSERT_TRUE(sock_local_address(sock, &address));
    CU_ASSERT_EQUAL(endpoint_port(&address), local);
    (void)peer_accept(listener);
    tear_down();
}

static void test_connect_timeout(void)
{
    set_up(SOCK_FAMILY_INTERNET);
    add("127.0.0.1", peer_silent_port("127.0.0.1"));
    plan.timeout = 0.05;
    int n_before = n_open_descriptors();
    run();
    CU_ASSERT_EQUAL(outcome.id, ERROR_CONNECTION_TIMED_OUT);
    CU_ASSERT_EQUAL(outcome.errnum, ETIMEDOUT);
    CU_ASSERT_EQUAL(n_open_descriptors(), n_before);
    tear_down();
}

static void test_stop(void)
{
    set_up(SOCK_FAMILY_INTERNET);
    add("127.0.0.1", peer_silent_port("127.0.0.1"));
    int n_before = n_open_descriptors();
    connector_start(sock, &plan, done, &plan);
    CU_ASSERT_EQUAL(n_open_descriptors(), n_before + 1);
    connector_stop(sock);
    CU_ASSERT_EQUAL(n_open_descriptors(), n_before);
    connector_stop(sock);
    CU_ASSERT_FALSE(is_done);
    /* Freeing the sock does the same. */
    connector_start(sock, &plan, done, &plan);
    sock_free(sock);
    CU_ASSERT_EQUAL(n_open_descriptors(), n_before);
    CU_ASSERT_FALSE(is_done);
    tear_down();
}

/* ---- Files ---- */

static char path[64];

static void accept_one(void *arg) { peer_close(peer_accept(*(int *)arg)); }

static void test_full_backlog_is_waited_for(void)
{
    struct timer timer = {.is_on = false};

    (void)snprintf(path, sizeof path, "/tmp/unit_connector.%d", getpid());
    (void)unlink(path);
    int listener = peer_listen_file(path), fd;
    struct sockaddr_storage address;
    CU_ASSERT_EQUAL(listen(listener, 0), 0);
    CU_ASSERT_TRUE(endpoint_from_path(&address, path));
    /* Fills the backlog. */
    do {
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        peer_adopt(fd);
    } while (connect(fd, (struct sockaddr *)&address, endpoint_size(&address)) == 0);
    CU_ASSERT_EQUAL(errno, EAGAIN);
    set_up(SOCK_FAMILY_FILE);
    plan.remotes[0] = address;
    plan.n_remotes = 1;
    connector_start(sock, &plan, done, &plan);
    CU_ASSERT_FALSE(is_done);
    timer_start(&timer, loop, 0.02, accept_one, &listener);
    loop_run(loop);
    CU_ASSERT_TRUE(is_done);
    CU_ASSERT_EQUAL(outcome.id, ERROR_NONE);
    CU_ASSERT_EQUAL(n_tries(), 1);
    timer_stop(&timer);
    tear_down();
    (void)unlink(path);
}

static void test_file_errors(void)
{
    set_up(SOCK_FAMILY_FILE);
    CU_ASSERT_TRUE(endpoint_from_path(&plan.remotes[0], "/no/such/file"));
    plan.n_remotes = 1;
    run();
    CU_ASSERT_EQUAL(outcome.errnum, ENOENT);
    tear_down();
}

static const struct unit_test tests[] = {
    {"one address", test_one},
    {"a refusal makes the next one start at once", test_refused_then_next},
    {"silence makes the next one start after the delay", test_silent_then_next},
    {"all refused", test_all_refused},
    {"the error that says most is told", test_the_error_that_says_most},
    {"families are tried in turn", test_families_in_turn},
    {"a local host chooses the family", test_local_host_chooses_the_family},
    {"a local address with port is bound", test_local_port},
    {"connect-timeout ends all attempts", test_connect_timeout},
    {"a stopped connector leaves nothing", test_stop},
    {"a full backlog of a Unix socket is waited for", test_full_backlog_is_waited_for},
    {"errors of files", test_file_errors},
};
UNIT_MAIN(tests)
