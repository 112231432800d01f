/* SPDX-License-Identifier: MIT */
/* clib.c - look-ups by getaddrinfo() in a child, whose threads count together. */
#include <config.h>
#include "tests/bench/clib.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <resolv.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/bench/target.h"

enum { STACK_SIZE = 256 * 1024 };

/* Lies in memory that the child shares. */
struct shared {
    uint16_t port;
    _Atomic uint64_t n_done;
    _Atomic unsigned n_started;
    _Atomic bool has_failed;
};

/* Files of the system cannot name a port, the state of a thread can. */
static void ask_server_at(uint16_t port)
{
    (void)res_init();
    _res.nscount = 1;
    _res.nsaddr_list[0] = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    _res.options &= ~(unsigned long)(RES_DNSRCH | RES_DEFNAMES);
}

static void *look_up(void *arg)
{
    static const struct addrinfo hints = {.ai_family = AF_INET,
                                          .ai_socktype = SOCK_STREAM};
    struct shared *shared = arg;
    unsigned number = atomic_fetch_add(&shared->n_started, 1);
    char name[64] = "localhost";

    if (shared->port != 0) {
        ask_server_at(shared->port);
    }
    for (unsigned i = 0;; i++) {
        struct addrinfo *found = NULL;
        if (shared->port != 0) {
            snprintf(name, sizeof name, "g%u-%u.bench", number, i);
        }
        if (getaddrinfo(name, NULL, &hints, &found) != 0) {
            atomic_store(&shared->has_failed, true);
            return NULL;
        }
        freeaddrinfo(found);
        atomic_fetch_add(&shared->n_done, 1);
    }
}

static _Noreturn void run_child(struct shared *shared, int n_threads)
{
    pthread_attr_t attributes;
    pthread_t thread;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bind_to_cpu(0);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    for (int i = 0; i < n_threads; i++) {
        if (pthread_create(&thread, &attributes, look_up, shared) != 0) {
            atomic_store(&shared->has_failed, true);
        }
    }
    for (;;) {
        pause(); /* until it is killed */
    }
}

static void await_first(const struct shared *shared)
{
    uint64_t deadline = now_ns() + 20000000000u;

    while (atomic_load(&shared->n_done) == 0 && !atomic_load(&shared->has_failed)) {
        if (now_ns() > deadline) {
            die("getaddrinfo() does not come back");
        }
        usleep(1000);
    }
}

bool clib_measure(struct clib_rate *rate, int n_threads, uint16_t port, double seconds)
{
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED) {
        die("mmap: %s", strerror(errno));
    }
    shared->port = port;
    struct target child = {.pid = fork()};

    if (child.pid == 0) {
        run_child(shared, n_threads);
    }
    await_first(shared);
    uint64_t start = now_ns(), cpu = target_cpu_ns(&child);
    uint64_t n = atomic_load(&shared->n_done);

    usleep((useconds_t)(seconds * 1e6));
    cpu = target_cpu_ns(&child) - cpu;
    n = atomic_load(&shared->n_done) - n;
    bool is_good = !atomic_load(&shared->has_failed) && n > 0;
    if (is_good) {
        *rate = (struct clib_rate){(double)n / ((double)(now_ns() - start) / 1e9),
                                   (double)cpu / 1000 / (double)n};
    }
    kill(child.pid, SIGKILL);
    waitpid(child.pid, NULL, 0);
    munmap(shared, sizeof *shared);
    return is_good;
}
