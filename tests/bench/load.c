/* SPDX-License-Identifier: MIT */
/* load.c - see load.h. One epoll thread drives all clients. */
#include <config.h>
#include "tests/bench/load.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_SAMPLES = 1 << 21, N_EVENTS = 64, REPLY_ROOM = 1 << 16 };

struct client {
    int fd;
    int n_missing; /* replies that have not come */
    uint64_t sent; /* when the batch went out */
};

struct run {
    struct client *clients;
    char *batch;
    size_t batch_size;
    int n_pipelined;
    double *samples;
    size_t n_samples;
    uint64_t n_replies;
};

static void send_batch(const struct run *run, struct client *client)
{
    size_t done = 0;

    client->sent = now_ns();
    client->n_missing = run->n_pipelined;
    while (done < run->batch_size) {
        ssize_t n =
            send(client->fd, run->batch + done, run->batch_size - done, MSG_NOSIGNAL);
        if (n <= 0) {
            die("send: %s", strerror(errno));
        }
        done += (size_t)n;
    }
}

static void receive(struct run *run, struct client *client)
{
    static char reply[REPLY_ROOM];
    ssize_t n = read(client->fd, reply, sizeof reply);

    if (n <= 0) {
        die("the server has closed a connection");
    }
    for (const char *at = reply, *end = reply + n;
         (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++) {
        client->n_missing--;
        run->n_replies++;
    }
    if (memmem(reply, (size_t)n, "\"error\":", 8)) {
        die("the server answers errors: %.200s", reply);
    }
    if (client->n_missing == 0) {
        if (run->n_samples < MAX_SAMPLES) {
            run->samples[run->n_samples++] = (double)(now_ns() - client->sent) / 1000;
        }
        send_batch(run, client);
    }
}

static void run_until(struct run *run, int epoll, uint64_t end)
{
    struct epoll_event events[N_EVENTS];

    while (now_ns() < end) {
        int n = epoll_wait(epoll, events, N_EVENTS, 100);
        for (int i = 0; i < n; i++) {
            receive(run, events[i].data.ptr);
        }
    }
}

static void run_start(struct run *run, const struct target *target,
                      const struct load_plan *plan, int epoll)
{
    size_t line_size = strlen(plan->line);

    run->n_pipelined = plan->n_pipelined;
    run->batch_size = line_size * (size_t)plan->n_pipelined;
    run->batch = malloc(run->batch_size);
    run->samples = malloc(MAX_SAMPLES * sizeof run->samples[0]);
    run->clients = calloc((size_t)plan->n_clients, sizeof run->clients[0]);
    if (!run->batch || !run->samples || !run->clients) {
        die("out of memory");
    }
    for (int i = 0; i < plan->n_pipelined; i++) {
        memcpy(run->batch + (size_t)i * line_size, plan->line, line_size);
    }
    for (int i = 0; i < plan->n_clients; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &run->clients[i]};
        run->clients[i].fd = target_connect(target);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, run->clients[i].fd, &event) != 0) {
            die("epoll_ctl: %s", strerror(errno));
        }
        send_batch(run, &run->clients[i]);
    }
}

void load_run(const struct target *target, const struct load_plan *plan,
              struct load_result *result)
{
    struct run run = {0};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    uint64_t start, cpu;

    run_start(&run, target, plan, epoll);
    run_until(&run, epoll, now_ns() + (uint64_t)(plan->seconds * 1e8));
    run.n_samples = 0;
    run.n_replies = 0;
    cpu = target_cpu_ns(target);
    start = now_ns();
    run_until(&run, epoll, start + (uint64_t)(plan->seconds * 1e9));
    result->cpu_us = (double)(target_cpu_ns(target) - cpu) / 1000 / (double)run.n_replies;
    result->seconds = (double)(now_ns() - start) / 1e9;
    result->n_requests = run.n_replies;
    result->p50_us = quantile(run.samples, run.n_samples, 0.5);
    result->p99_us = quantile(run.samples, run.n_samples, 0.99);
    for (int i = 0; i < plan->n_clients; i++) {
        close(run.clients[i].fd);
    }
    close(epoll);
    free(run.clients);
    free(run.samples);
    free(run.batch);
}

size_t ask(int fd, const char *line, char *reply, size_t room)
{
    size_t size = 0, line_size = strlen(line);

    if (send(fd, line, line_size, MSG_NOSIGNAL) != (ssize_t)line_size) {
        die("send: %s", strerror(errno));
    }
    while (size == 0 || reply[size - 1] != '\n') {
        ssize_t n = read(fd, reply + size, room - 1 - size);
        if (n <= 0) {
            die("no reply to %s", line);
        }
        size += (size_t)n;
    }
    reply[--size] = '\0';
    return size;
}

int64_t number_in(const char *reply, const char *name)
{
    char key[64];
    const char *at;

    snprintf(key, sizeof key, "\"%s\":", name);
    at = strstr(reply, key);
    if (!at) {
        die("no %s in %s", name, reply);
    }
    return strtoll(at + strlen(key), NULL, 10);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double quantile(double *samples, size_t n, double q)
{
    if (n == 0) {
        die("nothing was measured");
    }
    qsort(samples, n, sizeof samples[0], compare);
    return samples[(size_t)(q * (double)(n - 1))];
}
