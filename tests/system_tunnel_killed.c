/* SPDX-License-Identifier: MIT */
/*
 * system_tunnel_killed.c - kill -9 of each party of TLS tunnels at any moment: the
 * client, the target, the daemon that seals, the one that opens. Those who are left hold
 * nothing of it any more: no connection, no socket, no descriptor, no memory.
 *
 * client - plain - near daemon - TLS - far daemon - plain - target. Client and target are
 * processes; the moment is a random one after some connections have come to the target.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/net/pipes.h"
#include "tests/certs.h"
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

enum {
    N_CONNECTIONS = 8,
    N_ROUNDS = 12, /* of processes that are killed */
    N_WARM = 4,    /* rounds after which memory has its size */
    N_DAEMONS = 4, /* that are killed, of each side */
    CREDIT = 200 * 1024,
    GROWTH_KIB = 8 * 1024,
};

/* A daemon and its tunnel. */
struct station {
    struct harness *harness;
    struct wire *wire;
    int port;
    int n_descriptors;
};

static struct {
    struct cert_tree tree;
    struct station near, far;
    int listener, port; /* of the target */
    pid_t client, target;
} all;

/* ---- Stations ---- */

static void open_station(struct station *station, const char *kind, json_t *context,
                         int to)
{
    /* Nobody shall be waited for who is dead. */
    static const char *const args[] = {"--close-timeout", "3600", NULL};
    const struct harness_options options = {.workers = 2, .args = args};
    char command[64], member[32];

    (void)snprintf(command, sizeof command, "make-ssl-%s-context", kind);
    (void)snprintf(member, sizeof member, "%s-context", kind);
    station->harness = harness_start(&options);
    station->wire = wire_open(station->harness);
    json_t *made = wire_call(station->wire, command, "o", context);
    json_t *tunnel =
        wire_call(station->wire, "make-tunnel", "{s:{s:s}, s:{s:s, s:i}, s:I}", "listen",
                  "local-host", "127.0.0.1", "connect", "remote-host", "127.0.0.1",
                  "remote-port", to, member, wire_int(made, "context"));
    station->port = (int)wire_int(json_object_get(tunnel, "listener"), "local-port");
    station->n_descriptors = harness_n_descriptors(station->harness);
}

static void open_stations(void)
{
    all.listener = peer_listen("127.0.0.1", &all.port);
    CU_ASSERT_EQUAL(fcntl(all.listener, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    open_station(&all.far, "server",
                 json_pack("{s:s, s:s}", "certificate", all.tree.chain, "key",
                           all.tree.leaf->key_pem),
                 all.port);
    open_station(&all.near, "client",
                 json_pack("{s:s, s:s}", "ca-file", all.tree.root->pem, "server-name",
                           "server.test"),
                 all.far.port);
}

static bool holds_nothing(void *context)
{
    const struct station *station = context;
    json_t *tunnels = wire_call(station->wire, "list-tunnels", NULL);
    const json_t *tunnel = json_array_get(json_object_get(tunnels, "tunnels"), 0);
    int stray;

    /* What the far daemon has connected and the target never saw. */
    while ((stray = accept(all.listener, NULL, NULL)) >= 0) {
        close(stray);
    }
    return wire_int(tunnel, "connections") == 0 &&
           wire_int(wire_call(station->wire, "statistics", NULL), "sockets") == 1 &&
           harness_n_descriptors(station->harness) <=
               station->n_descriptors + 2 * 2 * PIPES_SPARE;
}

static void await_nothing(struct station *station)
{
    harness_await(holds_nothing, station, "a daemon that holds nothing any more");
}

/* ---- Processes ---- */

/* Sends no more than it may: what it was given at first and what has come. So there are
 * bytes on their way at any moment, but no flood that the kernel would have to drop. */
struct talker {
    int fd; /* -1: over */
    size_t credit;
};

static char bytes[20000];

static bool hear(struct talker *talker)
{
    ssize_t n = recv(talker->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    talker->credit += n > 0 ? (size_t)n : 0;
    return n > 0 || (n < 0 && errno == EAGAIN);
}

static bool say(struct talker *talker)
{
    size_t size = talker->credit < sizeof bytes ? talker->credit : sizeof bytes;
    ssize_t n = send(talker->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    talker->credit -= n > 0 ? (size_t)n : 0;
    return n > 0 || errno == EAGAIN;
}

static void talk(struct talker *talker, short what)
{
    bool goes_on = (what & (POLLIN | POLLHUP | POLLERR)) == 0 || hear(talker);

    if (!goes_on || ((what & POLLOUT) != 0 && !say(talker))) {
        close(talker->fd);
        talker->fd = -1;
    }
}

/* For ever. */
static void run_talkers(struct talker *talkers, int n, int listener, int told)
{
    struct pollfd polled[N_CONNECTIONS + 1];

    for (;;) {
        for (int i = 0; i < n; i++) {
            short out = talkers[i].credit > 0 ? POLLOUT : 0;
            polled[i] =
                (struct pollfd){.fd = talkers[i].fd, .events = (short)(POLLIN | out)};
        }
        polled[n] =
            (struct pollfd){.fd = n < N_CONNECTIONS ? listener : -1, .events = POLLIN};
        if (poll(polled, (nfds_t)n + 1, -1) < 0) {
            _exit(1);
        }
        for (int i = 0; i < n; i++) {
            if (polled[i].revents != 0) {
                talk(&talkers[i], polled[i].revents);
            }
        }
        if (polled[n].revents != 0) {
            int fd = accept(listener, NULL, NULL);
            if (fd >= 0) {
                talkers[n++] = (struct talker){.fd = fd};
                (void)!write(told, "x", 1); /* if nobody hears it, we are killed soon */
            }
        }
    }
}

/* `told` gets a byte for each connection that comes. */
static pid_t start_target(int told)
{
    pid_t pid = fork();

    CU_ASSERT_TRUE_FATAL(pid >= 0);
    if (pid == 0) {
        struct talker talkers[N_CONNECTIONS];
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* it cannot fail */
        run_talkers(talkers, 0, all.listener, told);
    }
    return pid;
}

static pid_t start_client(void)
{
    pid_t pid = fork();

    CU_ASSERT_TRUE_FATAL(pid >= 0);
    if (pid == 0) {
        struct talker talkers[N_CONNECTIONS];
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* it cannot fail */
        for (int i = 0; i < N_CONNECTIONS; i++) {
            talkers[i] = (struct talker){.fd = peer_connect("127.0.0.1", all.near.port),
                                         .credit = CREDIT};
        }
        run_talkers(talkers, N_CONNECTIONS, -1, -1);
    }
    return pid;
}

static void kill_process(pid_t *pid)
{
    if (*pid > 0) {
        CU_ASSERT_EQUAL(kill(*pid, SIGKILL), 0);
        CU_ASSERT_EQUAL(waitpid(*pid, NULL, 0), *pid);
        *pid = 0;
    }
}

/* Both, and some traffic: none to all of the connections have come to the target, and
 * a moment more has passed. */
static void start_traffic(void)
{
    unsigned n_wanted = (unsigned)(harness_random() % (N_CONNECTIONS + 1));
    int told[2];
    char byte;

    CU_ASSERT_EQUAL_FATAL(pipe2(told, O_CLOEXEC), 0);
    all.target = start_target(told[1]);
    all.client = start_client();
    for (unsigned i = 0; i < n_wanted; i++) {
        peer_await(told[0], POLLIN, "a connection to the target");
        CU_ASSERT_EQUAL(read(told[0], &byte, 1), 1);
    }
    (void)poll(NULL, 0, (int)(harness_random() % 8)); /* any moment will do */
    close(told[0]);
    close(told[1]);
}

/* ---- The tests ---- */

static void begin(void)
{
    cert_tree_init(&all.tree);
    open_stations();
}

static void end(void)
{
    kill_process(&all.client);
    kill_process(&all.target);
    cert_tree_fini(&all.tree);
}

/* The other process lives on meanwhile: it is not its end that ends all. */
static void kill_processes(pid_t *victim)
{
    long far_kib = 0, near_kib = 0;

    begin();
    for (unsigned i = 0; i < N_ROUNDS; i++) {
        start_traffic();
        kill_process(victim);
        await_nothing(&all.near);
        await_nothing(&all.far);
        kill_process(&all.client);
        kill_process(&all.target);
        if (i == N_WARM) {
            near_kib = harness_memory_kib(all.near.harness);
            far_kib = harness_memory_kib(all.far.harness);
        }
    }
    near_kib = harness_memory_kib(all.near.harness) - near_kib;
    far_kib = harness_memory_kib(all.far.harness) - far_kib;
    unit_note("the near daemon has grown by %ld KiB, the far one by %ld", near_kib,
              far_kib);
    CU_ASSERT_TRUE(harness_keeps_freed_memory() ||
                   (near_kib < GROWTH_KIB && far_kib < GROWTH_KIB));
    end();
}

static void test_client(void) { kill_processes(&all.client); }

static void test_target(void) { kill_processes(&all.target); }

static void kill_daemons(struct station *victim, struct station *survivor)
{
    for (unsigned i = 0; i < N_DAEMONS; i++) {
        begin();
        start_traffic();
        wire_close(victim->wire);
        harness_kill(victim->harness);
        await_nothing(survivor);
        end();
        harness_stop(survivor->harness);
    }
}

static void test_near(void) { kill_daemons(&all.near, &all.far); }

static void test_far(void) { kill_daemons(&all.far, &all.near); }

static const struct unit_test tests[] = {
    {"the client is killed", test_client},
    {"the target is killed", test_target},
    {"the daemon that seals is killed", test_near},
    {"the daemon that opens is killed", test_far},
};

UNIT_MAIN(tests)
