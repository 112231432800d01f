/* SPDX-License-Identifier: MIT */
/*
 * data_load.c - see data_load.h. One thread with epoll has both ends.
 *
 * A far end that gets TLS does not open it: its bytes are dropped in the kernel, so that
 * this process costs little beside the measured one.
 */
#include <config.h>
#include "tests/bench/data_load.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/bench/load.h"

enum {
    PIECE = 256 * 1024,
    TLS_PIECE = 64 * 1024,
    PING = 64,
    MAX_SAMPLES = 1 << 20,
    N_EVENTS = 64,
    WARM_UP = 10, /* part of the time before it counts */
};

/* A record of TLS 1.3 on the wire, for the bytes in it. */
static const double record_overhead = (16384.0 + 22) / 16384;

struct lane {
    struct data_end near, far;
    size_t n_pong; /* of the ping in flight, bytes that are back */
    uint64_t sent; /* when it left */
};

struct run {
    const struct contender *contender;
    struct lane *lanes;
    int n_lanes, epoll;
    uint64_t n_sent, n_received; /* bytes */
    uint64_t n_pings;
    double *samples;
    size_t n_samples;
};

/* What hangs on an event. */
struct spot {
    struct lane *lane;
    bool is_far;
};

static uint8_t bytes[PIECE];

static double own_cpu(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void watch(const struct run *run, int i, bool is_far, uint32_t events)
{
    /* The lane and which end of it, in a number. */
    struct epoll_event event = {.events = events,
                                .data.u64 = (uint64_t)i * 2 + (is_far ? 1 : 0)};
    const struct data_end *end = is_far ? &run->lanes[i].far : &run->lanes[i].near;

    data_end_unblock(end);
    if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, end->fd, &event) != 0) {
        die("epoll_ctl: %s", strerror(errno));
    }
}

static void open_run(struct run *run, const struct contender *contender, int n)
{
    *run = (struct run){.contender = contender, .n_lanes = n};
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    run->lanes = calloc((size_t)n, sizeof run->lanes[0]);
    if (run->epoll < 0 || !run->lanes) {
        die("no load: %s", strerror(errno));
    }
}

static void connect_lanes(struct run *run)
{
    for (int i = 0; i < run->n_lanes; i++) {
        contender_connect(run->contender, NULL, &run->lanes[i].near, &run->lanes[i].far);
    }
}

static void close_run(struct run *run)
{
    for (int i = 0; i < run->n_lanes; i++) {
        data_end_close(&run->lanes[i].near);
        if (run->lanes[i].far.fd >= 0) {
            data_end_close(&run->lanes[i].far);
        }
    }
    close(run->epoll);
    free(run->lanes);
    free(run->samples);
}

/* ---- The frame of all measurements ---- */

typedef void load_step(struct run *run, const struct spot *spot);

static void run_until(struct run *run, load_step *step, uint64_t end_ns)
{
    struct epoll_event events[N_EVENTS];

    while (now_ns() < end_ns) {
        int n = epoll_wait(run->epoll, events, N_EVENTS, 1000);
        if (n == 0) {
            die("%s: nothing has moved for a second",
                contender_name(run->contender->who));
        }
        for (int i = 0; i < n; i++) {
            struct spot spot = {.lane = &run->lanes[events[i].data.u64 / 2],
                                .is_far = events[i].data.u64 % 2 == 1};
            step(run, &spot);
        }
    }
}

/* Warms up and measures. Returns the seconds; CPU times are totals. */
static double measure(struct run *run, load_step *step, double seconds,
                      struct data_figures *figures)
{
    uint64_t cpu, start;
    double own;

    run_until(run, step, now_ns() + (uint64_t)(seconds * 1e9 / WARM_UP));
    run->n_sent = run->n_received = run->n_pings = 0;
    run->n_samples = 0;
    cpu = target_cpu_ns(&run->contender->target);
    own = own_cpu();
    start = now_ns();
    run_until(run, step, start + (uint64_t)(seconds * 1e9));
    figures->cpu = (double)(target_cpu_ns(&run->contender->target) - cpu) / 1e9;
    figures->load_cpu = own_cpu() - own;
    return (double)(now_ns() - start) / 1e9;
}

static void divide(struct data_figures *figures, double n, double seconds)
{
    if (n <= 0) {
        die("nothing was measured");
    }
    figures->cpu /= n;
    figures->load_cpu /= n;
    figures->per_second = n / seconds;
}

/* ---- Bulk ---- */

static void bulk_step(struct run *run, const struct spot *spot)
{
    const struct data_end *end = spot->is_far ? &spot->lane->far : &spot->lane->near;
    ssize_t n;

    if (!spot->is_far) {
        n = data_send(end, bytes, end->ssl ? TLS_PIECE : PIECE);
        run->n_sent += n > 0 ? (size_t)n : 0;
    } else if (run->contender->shape.far_is_file) {
        n = data_receive(end, bytes, PIECE);
        run->n_received += n > 0 ? (size_t)n : 0;
    } else {
        n = recv(end->fd, bytes, PIECE, MSG_TRUNC | MSG_DONTWAIT);
        n = n < 0 && errno == EAGAIN ? -1 : n;
        run->n_received += n > 0 ? (size_t)n : 0;
    }
    if (n == 0) {
        die("%s has ended a connection", contender_name(run->contender->who));
    }
}

void data_bulk(const struct contender *contender, enum data_way way, int n_connections,
               double seconds, struct data_figures *figures)
{
    bool is_source =
        contender->who == DATA_REFERENCE && contender->shape.reference == DATA_SOURCE;
    int64_t context = way == DATA_BY_ATTACH_TLS ? contender_client_context(contender) : 0;
    struct run run;
    double took, n;

    open_run(&run, contender, n_connections);
    for (int i = 0; i < n_connections && way != DATA_BY_TUNNEL; i++) {
        contender_attach(contender, context, &run.lanes[i].near, &run.lanes[i].far);
    }
    if (way == DATA_BY_TUNNEL) {
        connect_lanes(&run);
    }
    for (int i = 0; i < n_connections; i++) {
        if (!is_source) {
            watch(&run, i, false, EPOLLOUT);
        }
        if (run.lanes[i].far.fd >= 0) {
            watch(&run, i, true, EPOLLIN);
        }
    }
    took = measure(&run, bulk_step, seconds, figures);
    n = is_source ? (double)run.n_received / record_overhead : (double)run.n_sent;
    divide(figures, n / 1e9, took);
    close_run(&run);
}

/* ---- Pings ---- */

static void send_ping(struct lane *lane)
{
    lane->n_pong = 0;
    lane->sent = now_ns();
    data_send_all(&lane->near, bytes, PING);
}

static void ping_step(struct run *run, const struct spot *spot)
{
    struct lane *lane = spot->lane;
    ssize_t n = data_receive(spot->is_far ? &lane->far : &lane->near, bytes, PING);

    if (n == 0) {
        die("%s has ended a connection", contender_name(run->contender->who));
    }
    if (n < 0) {
        return; /* a ticket */
    }
    if (spot->is_far) {
        data_send_all(&lane->far, bytes, (size_t)n);
        return;
    }
    lane->n_pong += (size_t)n;
    if (lane->n_pong == PING) {
        if (run->n_samples < MAX_SAMPLES) {
            run->samples[run->n_samples++] = (double)(now_ns() - lane->sent) / 1000;
        }
        run->n_pings++;
        send_ping(lane);
    }
}

void data_ping(const struct contender *contender, int n_connections, double seconds,
               struct data_figures *figures)
{
    struct run run;
    double took;

    open_run(&run, contender, n_connections);
    connect_lanes(&run);
    run.samples = malloc(MAX_SAMPLES * sizeof run.samples[0]);
    if (!run.samples) {
        die("out of memory");
    }
    for (int i = 0; i < n_connections; i++) {
        watch(&run, i, false, EPOLLIN);
        if (run.lanes[i].far.fd >= 0) {
            watch(&run, i, true, EPOLLIN);
        }
        send_ping(&run.lanes[i]);
    }
    took = measure(&run, ping_step, seconds, figures);
    figures->p50_us = quantile(run.samples, run.n_samples, 0.5);
    divide(figures, (double)run.n_pings, took);
    close_run(&run);
}

/* ---- Memory ---- */

double data_idle(const struct contender *contender, int n_connections)
{
    struct run run;
    uint64_t before = 0;
    double each;

    open_run(&run, contender, n_connections + 1);
    for (int i = 0; i <= n_connections; i++) {
        struct lane *lane = &run.lanes[i];
        contender_connect(contender, NULL, &lane->near, &lane->far);
        data_send_all(&lane->near, bytes, PING);
        if (lane->far.fd >= 0) {
            data_receive_all(&lane->far, bytes, PING);
            data_send_all(&lane->far, bytes, PING);
        }
        data_receive_all(&lane->near, bytes, PING);
        if (i == 0) { /* what is made once is not counted */
            before = target_memory(&contender->target);
        }
    }
    each = (double)(target_memory(&contender->target) - before) / n_connections;
    close_run(&run);
    return each;
}
