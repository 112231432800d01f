/* SPDX-License-Identifier: MIT */
/*
 * bench_names.c - what look-ups cost: cached ones beside a request of the control socket,
 * uncached ones beside unbound as a forwarder, both beside getaddrinfo(), and what others
 * notice of 200 that hang.
 *
 *     bench_names PATH-OF-SOCKD [SECONDS-PER-MEASUREMENT]
 *
 * The measured process has CPU 0, this one and the name server that all ask CPU 1. That
 * server is the simplest there can be: one address for every name. Without unbound its
 * column is left out. Root only, since name servers are configured.
 *
 * The CPU of getaddrinfo() is all that the program needs which wants the name; that of
 * sockd and unbound is theirs alone, without what it costs the program to ask them.
 */
#include <config.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/bench/clib.h"
#include "tests/bench/figure.h"
#include "tests/bench/load.h"
#include "tests/bench/target.h"

enum {
    IN_FLIGHT = 50,
    ROUNDS = 5,
    N_HANGING = 200,
    N_LATENCIES = 5000,
    REPLY_ROOM = 1 << 20
};

static const char *program;
static double seconds = 2;
static char reply[REPLY_ROOM];

/* ---- The name server that all ask ---- */

static int udp_socket(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        die("socket: %s", strerror(errno));
    }
    *port = ntohs(address.sin_port);
    return fd;
}

/* The question as it came, without its OPT record, and one address. */
static size_t make_answer(unsigned char *message, size_t size)
{
    static const unsigned char record[] = {0xc0, 12, 0, 1, 0,   1, 0, 0,
                                           1,    44, 0, 4, 192, 0, 2, 1};
    size_t end = 12;

    while (end < size && message[end] != 0) {
        end += message[end] + 1u;
    }
    end += 5;
    message[2] |= 0x80;
    message[3] = 0x80;
    memset(message + 4, 0, 8);
    message[5] = message[7] = 1;
    memcpy(message + end, record, sizeof record);
    return end + sizeof record;
}

static pid_t start_server(uint16_t *port)
{
    int fd = udp_socket(port);
    pid_t pid = fork();

    if (pid != 0) {
        close(fd);
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bind_to_cpu(1);
    for (;;) {
        unsigned char message[4096];
        struct sockaddr_storage from;
        socklen_t from_size = sizeof from;
        ssize_t n = recvfrom(fd, message, 1024, 0, (struct sockaddr *)&from, &from_size);
        if (n > 12) {
            size_t size = make_answer(message, (size_t)n);
            (void)sendto(fd, message, size, 0, (struct sockaddr *)&from, from_size);
        }
    }
}

static void configure(int fd, const char *servers)
{
    char line[256];

    snprintf(line, sizeof line,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"configure-dns\",\"params\":"
             "{\"nameserver\":%s}}\n",
             servers);
    (void)ask(fd, line, reply, sizeof reply);
    if (strstr(reply, "\"error\"")) {
        die("the name server could not be configured: %s", reply);
    }
}

/* ---- Cached ---- */

/* `port` 0: the file of hosts. */
static void tell_clib(const char *what, uint16_t port)
{
    struct clib_rate rate;

    if (clib_measure(&rate, IN_FLIGHT, port, seconds)) {
        printf("%s by getaddrinfo, %d threads: %.0f per s, CPU %.2f us\n", what,
               IN_FLIGHT, rate.per_second, rate.cpu_us);
    } else {
        printf("%s by getaddrinfo: left out, this machine looks up names otherwise\n",
               what);
    }
}

static struct load_result cost_of(const struct target *target, const char *line)
{
    struct load_plan plan = {
        .line = line, .n_clients = 50, .n_pipelined = 1, .seconds = seconds};
    struct load_result result;

    load_run(target, &plan, &result);
    return result;
}

static void bench_cached(const struct target *target, int fd)
{
    static const char lookup[] = "{\"jsonrpc\":\"2.0\",\"id\":4711,\"method\":"
                                 "\"lookup-hostname\",\"params\":{\"host\":"
                                 "\"www.example.bench\"}}\n";
    char request[256];

    (void)ask(fd,
              "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"make-socket\",\"params\":"
              "{\"type\":\"datagram\",\"local-host\":\"127.0.0.1\"}}\n",
              reply, sizeof reply);
    snprintf(request, sizeof request,
             "{\"jsonrpc\":\"2.0\",\"id\":4711,\"method\":\"socket-bytes-read\","
             "\"params\":{\"socket\":%lld}}\n",
             (long long)number_in(reply, "socket"));
    (void)ask(fd, lookup, reply, sizeof reply);
    /* In turn, so that what the machine does beside hits both. */
    double best_lookup = 1e9, best_request = 1e9, best_rate = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct load_result cost = cost_of(target, request);
        best_request = cost.cpu_us < best_request ? cost.cpu_us : best_request;
        cost = cost_of(target, lookup);
        best_lookup = cost.cpu_us < best_lookup ? cost.cpu_us : best_lookup;
        double rate = (double)cost.n_requests / cost.seconds;
        best_rate = rate > best_rate ? rate : best_rate;
    }
    printf("cached lookup-hostname: %.0f per s, CPU %.2f us; a request on a socket "
           "%.2f us\n",
           best_rate, best_lookup, best_request);
    tell_clib("a name of the file of hosts", 0);
    figure_tell("cached lookup-hostname / a control request, CPU",
                best_lookup / best_request, "x", 1.15);
}

/* ---- Uncached ---- */

struct rate {
    double per_second, cpu_us;
};

static unsigned name_number;

static void send_lookups(int fd, int n)
{
    static char lines[IN_FLIGHT * 128];
    size_t size = 0;

    for (int i = 0; i < n; i++) {
        size += (size_t)snprintf(lines + size, sizeof lines - size,
                                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
                                 "\"lookup-hostname\",\"params\":{\"host\":"
                                 "\"n%u.bench\"}}\n",
                                 name_number++);
    }
    if (n > 0 && send(fd, lines, size, MSG_NOSIGNAL) != (ssize_t)size) {
        die("send: %s", strerror(errno));
    }
}

static int take_replies(int fd)
{
    ssize_t n = read(fd, reply, sizeof reply);
    int lines = 0;

    if (n <= 0 || memmem(reply, (size_t)n, "\"error\"", 7)) {
        die("a look-up failed: %.*s", n > 0 ? (int)n : 0, reply);
    }
    for (const char *at = reply, *end = reply + n;
         (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++) {
        lines++;
    }
    return lines;
}

static struct rate rate_of_sockd(const struct target *target, int fd)
{
    uint64_t start, cpu, end;
    uint64_t n = 0;

    send_lookups(fd, IN_FLIGHT);
    start = now_ns();
    cpu = target_cpu_ns(target);
    end = start + (uint64_t)(seconds * 1e9);
    while (now_ns() < end) {
        int lines = take_replies(fd);
        n += (uint64_t)lines;
        send_lookups(fd, lines);
    }
    struct rate rate = {(double)n / ((double)(now_ns() - start) / 1e9),
                        (double)(target_cpu_ns(target) - cpu) / 1000 / (double)n};
    for (int left = IN_FLIGHT; left > 0;) {
        left -= take_replies(fd);
    }
    return rate;
}

static size_t make_question(unsigned char *message)
{
    char label[16];
    size_t length = (size_t)snprintf(label, sizeof label, "u%u", name_number);

    memset(message, 0, 12);
    message[0] = (unsigned char)(name_number >> 8);
    message[1] = (unsigned char)name_number++;
    message[2] = message[5] = 1;
    message[12] = (unsigned char)length;
    memcpy(message + 13, label, length);
    memcpy(message + 13 + length, "\5bench\0\0\1\0\1", 11);
    return 24 + length;
}

static void send_question(int fd, const struct sockaddr_in *to)
{
    unsigned char message[64];
    size_t size = make_question(message);

    if (sendto(fd, message, size, 0, (const struct sockaddr *)to, sizeof *to) < 0) {
        die("sendto: %s", strerror(errno));
    }
}

static struct rate rate_of_unbound(const struct target *target, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 1};
    uint16_t mine;
    int fd = udp_socket(&mine);
    uint64_t start = now_ns(), cpu = target_cpu_ns(target);
    uint64_t end = start + (uint64_t)(seconds * 1e9), n = 0;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (int i = 0; i < IN_FLIGHT; i++) {
        send_question(fd, &to);
    }
    while (now_ns() < end) {
        unsigned char message[4096];
        if (recv(fd, message, sizeof message, 0) > 0) {
            n++;
            send_question(fd, &to);
        } else {
            die("unbound does not answer");
        }
    }
    close(fd);
    return (struct rate){(double)n / ((double)(now_ns() - start) / 1e9),
                         (double)(target_cpu_ns(target) - cpu) / 1000 / (double)n};
}

/* False: it is not installed. */
static bool start_unbound(struct target *target, uint16_t server, uint16_t *port)
{
    static const char path[] = "/usr/sbin/unbound";
    char config[128];
    FILE *file;

    if (access(path, X_OK) != 0) {
        return false;
    }
    close(udp_socket(port));
    snprintf(target->directory, sizeof target->directory, "/tmp/sockd-bench-XXXXXX");
    if (!mkdtemp(target->directory)) {
        die("mkdtemp: %s", strerror(errno));
    }
    snprintf(target->path, sizeof target->path, "%s/s", target->directory);
    snprintf(config, sizeof config, "%s/s", target->directory);
    file = fopen(config, "w");
    if (!file) {
        die("%s: %s", config, strerror(errno));
    }
    fprintf(
        file,
        "server:\n  interface: 127.0.0.1\n  port: %u\n  num-threads: 1\n"
        "  directory: \"%s\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n"
        "  use-syslog: no\n  logfile: \"/dev/null\"\n  verbosity: 0\n  "
        "do-not-query-localhost: no\n"
        "  module-config: iterator\n  msg-cache-size: 256m\n  rrset-cache-size: 256m\n"
        "remote-control:\n  control-enable: no\n"
        "forward-zone:\n  name: \".\"\n  forward-addr: 127.0.0.1@%u\n",
        *port, target->directory, server);
    fclose(file);
    target->pid = fork();
    if (target->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        bind_to_cpu(0);
        execl(path, path, "-d", "-c", config, (char *)NULL);
        die("%s: %s", path, strerror(errno));
    }
    return true;
}

static void await_unbound(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_usec = 100000};
    uint16_t mine;
    int fd = udp_socket(&mine);
    unsigned char message[512];

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (int i = 0; i < 100; i++) {
        send_question(fd, &to);
        if (recv(fd, message, sizeof message, 0) > 0) {
            close(fd);
            return;
        }
        usleep(20000); /* refused at once while nobody listens */
    }
    die("unbound was not ready in time");
}

static void bench_uncached(const struct target *target, int fd, uint16_t server)
{
    struct target unbound;
    struct rate ours, theirs;
    uint16_t port;

    tell_clib("uncached", server);
    if (!start_unbound(&unbound, server, &port)) {
        ours = rate_of_sockd(target, fd);
        printf("uncached, %d in flight: %.0f per s, CPU %.2f us; unbound is not "
               "installed\n",
               IN_FLIGHT, ours.per_second, ours.cpu_us);
        return;
    }
    await_unbound(port);
    theirs = rate_of_unbound(&unbound, port);
    ours = rate_of_sockd(target, fd);
    printf("uncached, %d in flight: sockd %.0f per s, CPU %.2f us; unbound %.0f per s, "
           "CPU %.2f us\n",
           IN_FLIGHT, ours.per_second, ours.cpu_us, theirs.per_second, theirs.cpu_us);
    figure_tell_least("uncached look-ups per s / unbound",
                      ours.per_second / theirs.per_second, "x", 0.7);
    target_stop(&unbound);
}

/* ---- While others hang ---- */

static void latencies(int fd, double *p50, double *p99)
{
    static double samples[N_LATENCIES];

    for (int i = 0; i < N_LATENCIES; i++) {
        uint64_t start = now_ns();
        (void)ask(fd,
                  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ipaddrp\",\"params\":"
                  "{\"object\":1}}\n",
                  reply, sizeof reply);
        samples[i] = (double)(now_ns() - start) / 1000;
    }
    *p50 = quantile(samples, N_LATENCIES, 0.5);
    *p99 = quantile(samples, N_LATENCIES, 0.99);
}

struct latency {
    double p50, p99;
};

static void take_best(struct latency *best, int fd)
{
    double p50, p99;

    latencies(fd, &p50, &p99); /* whatever was changed before is done then */
    latencies(fd, &p50, &p99);
    if (p50 < best->p50) {
        *best = (struct latency){p50, p99};
    }
}

static void bench_hanging(const struct target *target, int fd)
{
    struct latency without = {1e9, 0}, with = {1e9, 0};
    uint16_t silent;
    int listener = udp_socket(&silent);
    char servers[64];

    snprintf(servers, sizeof servers, "\"127.0.0.1:%u\"", silent);
    configure(fd, servers);
    /* In turn, as above. */
    for (int round = 0; round < ROUNDS; round++) {
        take_best(&without, fd);
        int hanging = target_connect(target);
        for (int i = 0; i < N_HANGING; i += IN_FLIGHT) {
            send_lookups(hanging, IN_FLIGHT);
        }
        take_best(&with, fd);
        close(hanging);
    }
    printf("one request: p50 %.1f us, p99 %.1f us; while %d look-ups hang p50 %.1f us, "
           "p99 %.1f us\n",
           without.p50, without.p99, N_HANGING, with.p50, with.p99);
    figure_tell("latency while look-ups hang / without, p50", with.p50 / without.p50, "x",
                1.2);
    close(listener);
}

int main(int argc, char **argv)
{
    struct target target;
    char servers[64];
    uint16_t port;
    pid_t server;
    int fd;

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s PATH-OF-SOCKD [SECONDS]\n", argv[0]);
        return 2;
    }
    program = argv[1];
    if (argc == 3) {
        seconds = strtod(argv[2], NULL);
    }
    if (geteuid() != 0) {
        printf("names: left out, only root configures name servers\n");
        return 0;
    }
    bind_to_cpu(1);
    server = start_server(&port);
    target_start_sockd(&target, program, 1, "0");
    fd = target_connect(&target);
    snprintf(servers, sizeof servers, "\"127.0.0.1:%u\"", port);
    configure(fd, servers);
    printf("names\n");
    bench_cached(&target, fd);
    bench_uncached(&target, fd, port);
    bench_hanging(&target, fd);
    close(fd);
    target_stop(&target);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return 0;
}
