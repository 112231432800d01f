/* SPDX-License-Identifier: MIT */
/* target.c - processes under measurement, read through /proc. */
#include <config.h>
#include "tests/bench/target.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tests/bench/reference.h"

void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void bind_to_cpu(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0 && errno != EINVAL) {
        die("cannot bind to CPU %d: %s", cpu, strerror(errno));
    }
}

void unbind_cpus(void)
{
    cpu_set_t set;

    memset(&set, 0xff, sizeof set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        die("cannot use all CPUs: %s", strerror(errno));
    }
}

static void make_directory(struct target *target)
{
    snprintf(target->directory, sizeof target->directory, "/tmp/sockd-bench-XXXXXX");
    if (!mkdtemp(target->directory)) {
        die("mkdtemp: %s", strerror(errno));
    }
    snprintf(target->path, sizeof target->path, "%s/s", target->directory);
}

static int try_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

/* Asks again until the socket answers; the process must stay alive meanwhile. */
static void await_ready(const struct target *target)
{
    uint64_t deadline = now_ns() + 10000000000u;

    for (;;) {
        int fd = try_connect(target->path);
        if (fd >= 0) {
            close(fd);
            return;
        }
        if (waitpid(target->pid, NULL, WNOHANG) != 0) {
            die("the server ended while it was starting");
        }
        if (now_ns() > deadline) {
            die("the server was not ready after 10 seconds");
        }
        usleep(1000);
    }
}

/* A benchmark that dies leaves no process behind. */
static void end_with_parent(void)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        die("prctl: %s", strerror(errno));
    }
}

void target_start_sockd(struct target *target, const char *program, int workers,
                        const char *busy_poll)
{
    char number[16];

    make_directory(target);
    snprintf(number, sizeof number, "%d", workers);
    target->pid = fork();
    if (target->pid == 0) {
        end_with_parent();
        if (workers == 1) {
            bind_to_cpu(0);
        } else {
            unbind_cpus();
        }
        execl(program, program, "--socket", target->path, "--workers", number,
              "--busy-poll", busy_poll, "--log-level", "error", (char *)NULL);
        die("cannot run %s: %s", program, strerror(errno));
    }
    await_ready(target);
}

void target_start_child(struct target *target,
                        void (*run)(const struct target *target, void *arg), void *arg)
{
    make_directory(target);
    target->pid = fork();
    if (target->pid == 0) {
        end_with_parent();
        bind_to_cpu(0);
        run(target, arg);
        die("the measured process has nothing more to do");
    }
    await_ready(target);
}

static void run_reference(const struct target *target, void *arg)
{
    (void)arg;
    reference_serve(target->path);
}

void target_start_reference(struct target *target)
{
    target_start_child(target, run_reference, NULL);
}

void target_stop(struct target *target)
{
    kill(target->pid, SIGTERM);
    waitpid(target->pid, NULL, 0);
    unlink(target->path);
    rmdir(target->directory);
}

uint64_t target_cpu_ns(const struct target *target)
{
    char path[64];
    uint64_t sum = 0;
    DIR *tasks;

    snprintf(path, sizeof path, "/proc/%d/task", (int)target->pid);
    tasks = opendir(path);
    if (!tasks) {
        die("%s: %s", path, strerror(errno));
    }
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        char name[384];
        uint64_t ns;
        FILE *file;
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(name, sizeof name, "%s/%s/schedstat", path, entry->d_name);
        file = fopen(name, "r");
        if (file) {
            if (fscanf(file, "%" SCNu64, &ns) == 1) {
                sum += ns;
            }
            fclose(file);
        }
    }
    closedir(tasks);
    return sum;
}

uint64_t target_memory(const struct target *target)
{
    char path[64], line[256];
    unsigned long long kib = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)target->pid);
    file = fopen(path, "r");
    if (!file) {
        die("%s: %s", path, strerror(errno));
    }
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "Pss: %llu kB", &kib) == 1) {
            break;
        }
    }
    fclose(file);
    return kib * 1024;
}

int target_connect(const struct target *target)
{
    int fd = try_connect(target->path);

    if (fd < 0) {
        die("connect %s: %s", target->path, strerror(errno));
    }
    return fd;
}
