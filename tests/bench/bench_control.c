/* SPDX-License-Identifier: MIT */
/*
 * bench_control.c - what the control socket costs, as ratios to the reference server of
 * the same run: requests, latency, interrupts across workers, memory, lists, start.
 *
 *     bench_control PATH-OF-SOCKD [SECONDS-PER-MEASUREMENT]
 *
 * The measured process has CPU 0, this one CPU 1. A line per figure; `limit` is the
 * target, and the last column tells whether it was met. Exit status 0 however they come
 * out: figures of a noisy machine decide no test.
 */
#include <config.h>
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/bench/figure.h"
#include "tests/bench/load.h"
#include "tests/bench/target.h"

enum {
    REPLY_ROOM = 1 << 21,
    N_STREAMS = 10000,   /* idle sockets; each costs a descriptor here too */
    N_CONNECTIONS = 800, /* idle control connections, below the limit of one user */
    N_INTERRUPTS = 2000,
    N_STARTS = 21,
    N_LOADERS = 8,
};

static const char *program;
static double seconds = 2;
static char reply[REPLY_ROOM];

/* A datagram socket to ask about: it needs no peer. Its connection owns it. */
static int64_t make_socket(int fd)
{
    (void)ask(fd,
              "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"make-socket\",\"params\":"
              "{\"type\":\"datagram\",\"local-host\":\"127.0.0.1\"}}\n",
              reply, sizeof reply);
    return number_in(reply, "socket");
}

static void small_request(char *line, size_t size, int64_t socket)
{
    snprintf(
        line, size,
        "{\"jsonrpc\":\"2.0\",\"id\":4711,\"method\":\"socket-bytes-read\",\"params\":"
        "{\"socket\":%lld}}\n",
        (long long)socket);
}

static void bench_requests(void)
{
    static const struct {
        int n_clients, n_pipelined;
        bool is_latency; /* the limit is on p50, else on CPU */
        double limit;
    } cases[] = {{50, 1, false, 0.9},
                 {50, 16, false, 0.7},
                 {1, 16, false, 0.7},
                 {1, 1, true, 1.1}};
    struct target ours, reference;
    char line[256], what[64];
    int owner;

    printf("small requests (each figure: ours / reference, of the same run)\n");
    target_start_sockd(&ours, program, 1, "0");
    target_start_reference(&reference);
    owner = target_connect(&ours);
    small_request(line, sizeof line, make_socket(owner));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct load_plan plan = {.line = line,
                                 .n_clients = cases[i].n_clients,
                                 .n_pipelined = cases[i].n_pipelined,
                                 .seconds = seconds};
        struct load_result mine, theirs;
        load_run(&reference, &plan, &theirs);
        load_run(&ours, &plan, &mine);
        printf(
            "  %2d clients, %2d pipelined: CPU %6.2f / %6.2f us, p50 %7.1f / %7.1f us, "
            "p99 %7.1f / %7.1f us, %7.0f / %7.0f per s\n",
            plan.n_clients, plan.n_pipelined, mine.cpu_us, theirs.cpu_us, mine.p50_us,
            theirs.p50_us, mine.p99_us, theirs.p99_us,
            (double)mine.n_requests / mine.seconds,
            (double)theirs.n_requests / theirs.seconds);
        snprintf(what, sizeof what, "  %d clients, %d pipelined, %s", plan.n_clients,
                 plan.n_pipelined, cases[i].is_latency ? "p50" : "CPU");
        figure_tell(what,
                    cases[i].is_latency ? mine.p50_us / theirs.p50_us
                                        : mine.cpu_us / theirs.cpu_us,
                    "x", cases[i].limit);
    }
    close(owner);
    target_stop(&reference);
    target_stop(&ours);
}

/* Two connections on different workers, and a socket on the worker of the first. */
static void open_across(const struct target *target, int *near, int *far, int64_t *socket)
{
    *near = target_connect(target);
    *socket = make_socket(*near);
    for (;;) {
        char line[256];
        int64_t other;
        *far = target_connect(target);
        other = make_socket(*far);
        if (other % 64 != *socket % 64) {
            return;
        }
        /* Same worker: the next connection goes to the other. This one stays, for
         * balance. */
        snprintf(line, sizeof line,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"close\",\"params\":"
                 "{\"socket\":%lld}}\n",
                 (long long)other);
        (void)ask(*far, line, reply, sizeof reply);
    }
}

struct latency {
    double p50, p99;
};

static struct latency one_request(int fd, int64_t socket)
{
    enum { N = 5000 };
    static double samples[N];
    char line[256];

    small_request(line, sizeof line, socket);
    for (int i = 0; i < N; i++) {
        uint64_t start = now_ns();
        (void)ask(fd, line, reply, sizeof reply);
        samples[i] = (double)(now_ns() - start) / 1000;
    }
    return (struct latency){quantile(samples, N, 0.5), quantile(samples, N, 0.99)};
}

static _Atomic bool stop_loading;

struct loader {
    const struct target *target;
    int64_t socket;
};

/* One client in a closed loop, to keep the workers busy; a pause leaves this machine a
 * breath. */
static void *load_thread(void *arg)
{
    const struct loader *loader = arg;
    int fd = target_connect(loader->target);
    char line[256], answer[512];

    small_request(line, sizeof line, loader->socket);
    while (!atomic_load(&stop_loading)) {
        (void)ask(fd, line, answer, sizeof answer);
        usleep(200);
    }
    close(fd);
    return NULL;
}

/* A receive-from that waits on `far` for a socket of the other worker is ended from
 * `third`. */
static double interrupt_p99(int far, int third, int64_t socket)
{
    static double samples[N_INTERRUPTS];
    char wait[256], interrupt[256];
    static char got[REPLY_ROOM];

    snprintf(wait, sizeof wait,
             "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"receive-from\",\"params\":"
             "{\"socket\":%lld}}\n",
             (long long)socket);
    snprintf(interrupt, sizeof interrupt,
             "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"interrupt\",\"params\":"
             "{\"socket\":%lld}}\n",
             (long long)socket);
    for (int i = 0; i < N_INTERRUPTS; i++) {
        uint64_t start;
        ssize_t n;
        if (send(far, wait, strlen(wait), MSG_NOSIGNAL) < 0) {
            die("send: %s", strerror(errno));
        }
        /* Nothing tells that it waits: an interrupt that came too early counts 0 and is
         * sent again, its time starting anew. */
        do {
            start = now_ns();
            (void)ask(third, interrupt, got, sizeof got);
        } while (number_in(got, "interrupted") == 0);
        n = read(far, reply, sizeof reply);
        if (n <= 0 || !memmem(reply, (size_t)n, "interrupted", 11)) {
            die("the waiting request was not interrupted");
        }
        samples[i] = (double)(now_ns() - start) / 1000;
    }
    return quantile(samples, N_INTERRUPTS, 0.99);
}

static void bench_workers(void)
{
    struct target target;
    int near, far;
    int64_t socket;
    pthread_t threads[N_LOADERS];
    struct loader loader;
    struct latency home, across;
    double p99;

    printf("two workers\n");
    target_start_sockd(&target, program, 2, "0");
    open_across(&target, &near, &far, &socket);
    home = one_request(near, socket);
    across = one_request(far, socket);
    printf("  one request: p50 %.1f us at home, %.1f us across workers\n", home.p50,
           across.p50);
    figure_tell("one request across workers / at home, p50", across.p50 / home.p50, "x",
                2);
    loader = (struct loader){.target = &target, .socket = socket};
    atomic_store(&stop_loading, false);
    for (int i = 0; i < N_LOADERS; i++) {
        pthread_create(&threads[i], NULL, load_thread, &loader);
    }
    home = one_request(near, socket);
    p99 = interrupt_p99(far, near, socket);
    atomic_store(&stop_loading, true);
    for (int i = 0; i < N_LOADERS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("  under load: interrupt p99 %.1f us, one request p50 %.1f us, p99 %.1f us\n",
           p99, home.p50, home.p99);
    figure_tell("interrupt across workers p99 / one request p50", p99 / home.p50, "x", 3);
    figure_tell("interrupt across workers p99 / one request p99", p99 / home.p99, "x", 0);
    close(near);
    close(far);
    target_stop(&target);
}

static int listen_here(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        die("listen: %s", strerror(errno));
    }
    *port = ntohs(address.sin_port);
    return fd;
}

static void bench_list(const struct target *target, int fd)
{
    uint64_t cpu = target_cpu_ns(target);
    int64_t after = 0;
    int n = 0;
    char line[256];

    do {
        snprintf(line, sizeof line,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list-sockets\",\"params\":"
                 "{\"limit\":1000,\"after\":%lld}}\n",
                 (long long)(after ? after : 1));
        (void)ask(fd, line, reply, sizeof reply);
        for (const char *at = reply; (at = strstr(at, "\"socket\":")) != NULL; at++) {
            n++;
        }
        after = strstr(reply, "\"next\":null") ? 0 : number_in(reply, "next");
    } while (after != 0);
    if (n != N_STREAMS) {
        die("list-sockets has %d sockets, not %d", n, N_STREAMS);
    }
    figure_tell("list-sockets, CPU per 1,000 sockets",
                (double)(target_cpu_ns(target) - cpu) / 1e6 / (n / 1000.0), "ms", 10);
}

static void bench_memory(void)
{
    struct target target;
    static int peers[N_STREAMS], connections[N_CONNECTIONS];
    uint64_t before;
    uint16_t port;
    int listener = listen_here(&port), owner;
    char line[256];

    printf("memory and lists\n");
    target_start_sockd(&target, program, 1, "0");
    owner = target_connect(&target);
    snprintf(line, sizeof line,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"make-socket\",\"params\":"
             "{\"remote-host\":\"127.0.0.1\",\"remote-port\":%u}}\n",
             port);
    (void)ask(owner, line, reply, sizeof reply); /* what is made once is not counted */
    close(accept(listener, NULL, NULL));
    close(owner);
    owner = target_connect(&target);
    (void)ask(owner, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\"}\n", reply,
              sizeof reply);
    before = target_memory(&target);
    for (int i = 0; i < N_STREAMS; i++) {
        (void)ask(owner, line, reply, sizeof reply);
        peers[i] = accept(listener, NULL, NULL);
        if (peers[i] < 0) {
            die("accept: %s (%s)", strerror(errno), reply);
        }
    }
    figure_tell("idle plain socket",
                (double)(target_memory(&target) - before) / 1024 / N_STREAMS, "KiB", 1);
    bench_list(&target, owner);
    before = target_memory(&target);
    for (int i = 0; i < N_CONNECTIONS; i++) {
        connections[i] = target_connect(&target);
        (void)ask(connections[i], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\"}\n",
                  reply, sizeof reply);
    }
    figure_tell("idle control connection",
                (double)(target_memory(&target) - before) / 1024 / N_CONNECTIONS, "KiB",
                4);
    for (int i = 0; i < N_CONNECTIONS; i++) {
        close(connections[i]);
    }
    for (int i = 0; i < N_STREAMS; i++) {
        close(peers[i]);
    }
    close(owner);
    close(listener);
    target_stop(&target);
}

/* From fork() to READY=1, as systemd would see it. */
static double start_once(void)
{
    char directory[] = "/tmp/sockd-bench-XXXXXX", path[64], name[64], text[256] = "";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    uint64_t start;
    double ms;
    pid_t pid;

    if (!mkdtemp(directory)) {
        die("mkdtemp: %s", strerror(errno));
    }
    snprintf(path, sizeof path, "%s/s", directory);
    snprintf(name, sizeof name, "%s/n", directory);
    memcpy(address.sun_path, name, strlen(name) + 1);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        die("bind: %s", strerror(errno));
    }
    start = now_ns();
    pid = fork();
    if (pid == 0) {
        unbind_cpus();
        setenv("NOTIFY_SOCKET", name, 1);
        execl(program, program, "--socket", path, "--log-level", "error", (char *)NULL);
        die("cannot run %s: %s", program, strerror(errno));
    }
    while (!strstr(text, "READY=1")) {
        ssize_t n = recv(fd, text, sizeof text - 1, 0);
        if (n < 0) {
            die("recv: %s", strerror(errno));
        }
        text[n] = '\0';
    }
    ms = (double)(now_ns() - start) / 1e6;
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    close(fd);
    unlink(name);
    rmdir(directory);
    return ms;
}

static void bench_start(void)
{
    double samples[N_STARTS];

    printf("start\n");
    for (int i = 0; i < N_STARTS; i++) {
        samples[i] = start_once();
    }
    figure_tell("start to ready, median", quantile(samples, N_STARTS, 0.5), "ms", 20);
}

int main(int argc, char **argv)
{
    struct rlimit files;

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s PATH-OF-SOCKD [SECONDS]\n", argv[0]);
        return 2;
    }
    program = argv[1];
    if (argc == 3) {
        seconds = strtod(argv[2], NULL);
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    bind_to_cpu(1);
    bench_requests();
    bench_workers();
    bench_memory();
    bench_start();
    return 0;
}
