/* SPDX-License-Identifier: MIT */
/*
 * bench_data.c - what a byte, a ping, a handshake and an idle connection cost on their
 * way through sockd, as ratios to a process with OpenSSL inside and to haproxy and nginx,
 * where these are installed, of the same run.
 *
 *     bench_data PATH-OF-SOCKD [SECONDS-PER-MEASUREMENT [PART-OF-A-NAME]]
 *
 * The measured process has CPU 0, this one, which is both ends of every path, CPU 1. All
 * take turns, several times over, and the median of the ratios counts: what the machine
 * does beside hits all alike. Exit status 0 however the figures come out.
 */
#include <config.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "tests/bench/data_contender.h"
#include "tests/bench/data_load.h"
#include "tests/bench/figure.h"
#include "tests/bench/load.h"

enum { N_ROUNDS = 3, N_IDLE = 1000, N_MANY = 64, MAX_RUNNERS = DATA_N_WHO + 1 };

static const char *program;
static double seconds = 0.5;
static struct data_rig rig;

enum load { LOAD_BULK, LOAD_PING, LOAD_SHAKE, LOAD_RESUME };

struct scenario {
    const char *name, *unit;
    struct data_shape shape;
    enum load load;
    enum data_way attach; /* measured, too, if it is not DATA_BY_TUNNEL */
    int n_connections;
    bool is_latency;     /* p50 is what counts, else CPU */
    bool is_rate_told;   /* and what goes through in a second */
    double scale;        /* from seconds to the unit */
    double limit_inproc; /* of the ratios; 0: not compared */
    double limit_haproxy, limit_peers;
};

/* One of those who take turns. */
struct runner {
    struct contender *contender;
    enum data_way way;
    const char *name;
    double values[N_ROUNDS], rates[N_ROUNDS];
};

#define SEAL                                                                             \
    {                                                                                    \
        .near_is_file = true, .far_is_tls = true, .reference = DATA_SOURCE               \
    }
#define OPEN                                                                             \
    {                                                                                    \
        .near_is_tls = true, .far_is_file = true, .reference = DATA_SINK                 \
    }
#define ANSWER(which, awake)                                                             \
    {                                                                                    \
        .near_is_tls = true, .far_is_file = true, .reference = DATA_ECHO, .key = which,  \
        .is_awake = awake                                                                \
    }

static const struct scenario scenarios[] = {
    {.name = "bulk, encrypting",
     .unit = "s/GB",
     .shape = SEAL,
     .load = LOAD_BULK,
     .attach = DATA_BY_ATTACH_TLS,
     .n_connections = 1,
     .is_rate_told = true,
     .scale = 1,
     .limit_inproc = 1.0,
     .limit_peers = 0.8},
    {.name = "bulk, decrypting",
     .unit = "s/GB",
     .shape = OPEN,
     .load = LOAD_BULK,
     .n_connections = 1,
     .is_rate_told = true,
     .scale = 1,
     .limit_inproc = 1.15,
     .limit_peers = 1.0},
    {.name = "plain, TCP to Unix",
     .unit = "s/GB",
     .shape = {.far_is_file = true, .reference = DATA_SPLICE},
     .load = LOAD_BULK,
     .n_connections = 1,
     .scale = 1,
     .limit_haproxy = 1.0},
    {.name = "plain, Unix to TCP",
     .unit = "s/GB",
     .shape = {.near_is_file = true, .reference = DATA_SPLICE},
     .load = LOAD_BULK,
     .attach = DATA_BY_ATTACH,
     .n_connections = 1,
     .scale = 1,
     .limit_haproxy = 1.0},
    {.name = "ping over TLS, p50, 1 connection",
     .unit = "us",
     .shape = ANSWER(DATA_ECDSA, false),
     .load = LOAD_PING,
     .n_connections = 1,
     .is_latency = true,
     .scale = 1,
     .limit_inproc = 1.5,
     .limit_peers = 1.0},
    {.name = "ping over TLS, p50, 1 connection, busy-poll",
     .unit = "us",
     .shape = ANSWER(DATA_ECDSA, true),
     .load = LOAD_PING,
     .n_connections = 1,
     .is_latency = true,
     .scale = 1,
     .limit_inproc = 1.5,
     .limit_peers = 1.0},
    {.name = "ping over TLS, CPU, 64 connections",
     .unit = "us",
     .shape = ANSWER(DATA_ECDSA, false),
     .load = LOAD_PING,
     .n_connections = N_MANY,
     .scale = 1e6,
     .limit_inproc = 1.25},
    {.name = "full handshake, ECDSA",
     .unit = "ms",
     .shape = ANSWER(DATA_ECDSA, false),
     .load = LOAD_SHAKE,
     .scale = 1e3,
     .limit_inproc = 1.0,
     .limit_peers = 1.0},
    {.name = "resumed handshake, ECDSA",
     .unit = "ms",
     .shape = ANSWER(DATA_ECDSA, false),
     .load = LOAD_RESUME,
     .scale = 1e3,
     .limit_inproc = 1.0},
    {.name = "full handshake, RSA",
     .unit = "ms",
     .shape = ANSWER(DATA_RSA, false),
     .load = LOAD_SHAKE,
     .scale = 1e3,
     .limit_inproc = 1.0},
    {.name = "resumed handshake, RSA",
     .unit = "ms",
     .shape = ANSWER(DATA_RSA, false),
     .load = LOAD_RESUME,
     .scale = 1e3,
     .limit_inproc = 1.0},
};

/* ---- A scenario ---- */

static void run_once(const struct scenario *scenario, struct runner *runner, int round)
{
    struct data_figures figures = {0};

    switch (scenario->load) {
    case LOAD_BULK:
        data_bulk(runner->contender, runner->way, scenario->n_connections, seconds,
                  &figures);
        break;
    case LOAD_PING:
        data_ping(runner->contender, scenario->n_connections, seconds, &figures);
        break;
    case LOAD_SHAKE:
    case LOAD_RESUME:
    default:
        data_handshakes(runner->contender, scenario->load == LOAD_RESUME, seconds,
                        &figures);
        break;
    }
    runner->values[round] =
        (scenario->is_latency ? figures.p50_us : figures.cpu) * scenario->scale;
    runner->rates[round] = figures.per_second;
}

static double median(const double values[N_ROUNDS])
{
    double copy[N_ROUNDS];

    memcpy(copy, values, sizeof copy);
    return quantile(copy, N_ROUNDS, 0.5);
}

/* Of the ratios, not of the values: the two of a round are neighbours in time. */
static double ratio(const double ours[N_ROUNDS], const double theirs[N_ROUNDS])
{
    double ratios[N_ROUNDS];

    for (int i = 0; i < N_ROUNDS; i++) {
        ratios[i] = ours[i] / theirs[i];
    }
    return quantile(ratios, N_ROUNDS, 0.5);
}

static bool is_ours(const struct runner *runner)
{
    return runner->contender->who == DATA_SOCKD;
}

static void compare(const struct runner *ours, const struct runner *theirs, double limit)
{
    char what[96];

    snprintf(what, sizeof what, "  %s / %s", ours->name, theirs->name);
    figure_tell(what, ratio(ours->values, theirs->values), "x", limit);
}

static double limit_against(const struct scenario *scenario, enum data_who who)
{
    switch (who) {
    case DATA_REFERENCE:
        return scenario->limit_inproc;
    case DATA_HAPROXY:
        return scenario->limit_haproxy > 0 ? scenario->limit_haproxy
                                           : scenario->limit_peers;
    case DATA_NGINX:
        return scenario->limit_peers;
    case DATA_SOCKD:
    case DATA_N_WHO:
    default:
        return 0;
    }
}

static void tell_rates(const struct runner *runners, int n)
{
    char what[96];

    for (int i = 1; i < n; i++) {
        if (!is_ours(&runners[i]) && runners[i].contender->who != DATA_REFERENCE) {
            snprintf(what, sizeof what, "  GB/s, sockd / %s", runners[i].name);
            figure_tell_least(what, ratio(runners[0].rates, runners[i].rates), "x", 1.0);
        }
    }
}

static void tell_scenario(const struct scenario *scenario, const struct runner *runners,
                          int n)
{
    printf("%s (%s%s):", scenario->name, scenario->is_latency ? "" : "CPU ",
           scenario->unit);
    for (int i = 0; i < n; i++) {
        printf("%s %s %.3f", i > 0 ? "," : "", runners[i].name,
               median(runners[i].values));
        if (scenario->load == LOAD_BULK) {
            printf(" (%.2f GB/s)", median(runners[i].rates));
        }
    }
    printf("\n");
    for (int ours = 0; ours < n; ours++) {
        for (int i = 0; i < n && is_ours(&runners[ours]); i++) {
            double limit = limit_against(scenario, runners[i].contender->who);
            if (limit > 0) {
                compare(&runners[ours], &runners[i], limit);
            }
        }
    }
    if (scenario->is_rate_told) {
        tell_rates(runners, n);
    }
}

static void run_scenario(const struct scenario *scenario)
{
    struct contender contenders[DATA_N_WHO];
    struct runner runners[MAX_RUNNERS] = {0};
    int n = 0, n_contenders = 0;

    for (enum data_who who = 0; who < DATA_N_WHO; who++) {
        struct contender *contender = &contenders[n_contenders];
        if (!contender_program(who)) {
            continue;
        }
        contender_start(contender, who, program, 1, &rig, &scenario->shape);
        n_contenders++;
        runners[n++] = (struct runner){
            .contender = contender,
            .name = who == DATA_REFERENCE && scenario->shape.reference == DATA_SPLICE
                        ? "splice"
                        : contender_name(who)};
    }
    if (scenario->attach != DATA_BY_TUNNEL) {
        runners[n++] = (struct runner){
            .contender = &contenders[0], .way = scenario->attach, .name = "sockd attach"};
    }
    for (int round = 0; round < N_ROUNDS; round++) {
        for (int i = 0; i < n; i++) {
            run_once(scenario, &runners[i], round);
        }
    }
    tell_scenario(scenario, runners, n);
    for (int i = 0; i < n_contenders; i++) {
        contender_stop(&contenders[i]);
    }
}

/* ---- By JSON ---- */

static void bench_json(void)
{
    static const struct data_shape shape = SEAL; /* of a tunnel that is not used */
    double plain[N_ROUNDS], tls[N_ROUNDS];
    struct contender contender;

    contender_start(&contender, DATA_SOCKD, program, 1, &rig, &shape);
    for (int i = 0; i < N_ROUNDS; i++) {
        plain[i] = data_json(&contender, false, seconds);
        tls[i] = data_json(&contender, true, seconds);
    }
    contender_stop(&contender);
    printf("json, a write and a read of 64 bytes (CPU us): plain %.2f, TLS %.2f\n",
           median(plain) * 1e6, median(tls) * 1e6);
    figure_tell("  TLS / plain", ratio(tls, plain), "x", 0);
}

/* ---- Memory ---- */

static void bench_idle(void)
{
    static const struct data_shape shape = ANSWER(DATA_ECDSA, false);

    printf("idle TLS connections\n");
    for (enum data_who who = 0; who < DATA_N_WHO; who++) {
        struct contender contender;
        char what[64];
        if (!contender_program(who)) {
            continue;
        }
        contender_start(&contender, who, program, 1, &rig, &shape);
        snprintf(what, sizeof what, "  %s, each", contender_name(who));
        figure_tell(what, data_idle(&contender, N_IDLE) / 1024, "KiB",
                    who == DATA_SOCKD ? 15 : 0);
        contender_stop(&contender);
    }
}

/* ---- Workers ---- */

static void run_workers(int n_workers, struct data_figures *figures)
{
    static const struct data_shape shape = SEAL;
    struct contender contender;

    contender_start(&contender, DATA_SOCKD, program, n_workers, &rig, &shape);
    data_bulk(&contender, DATA_BY_TUNNEL, N_MANY, seconds * 2, figures);
    contender_stop(&contender);
}

/* This process wants a CPU, too. What it leaves of the machine's sets the limit: 85 % of
 * what is possible then, which with CPUs enough is 1.7. */
static void bench_workers(void)
{
    double n_cpus = (double)sysconf(_SC_NPROCESSORS_ONLN);
    double ratios[N_ROUNDS], possible[N_ROUNDS], most;

    for (int i = 0; i < N_ROUNDS; i++) {
        struct data_figures one, two;
        run_workers(1, &one);
        unbind_cpus();
        run_workers(2, &two);
        bind_to_cpu(1);
        ratios[i] = two.per_second / one.per_second;
        most = n_cpus / (one.cpu + one.load_cpu);
        most = most < 2 / one.cpu ? most : 2 / one.cpu;
        possible[i] = most / one.per_second;
    }
    most = median(possible);
    printf(
        "two workers, %d connections, encrypting: on these CPUs, beside the load, %.2f "
        "times one worker is possible\n",
        N_MANY, most < 2 ? most : 2);
    figure_tell_least("  two workers / one, GB/s", median(ratios), "x",
                      0.85 * (most < 2 ? most : 2));
}

/* ---- All ---- */

static void tell_absent(void)
{
    for (enum data_who who = DATA_HAPROXY; who < DATA_N_WHO; who++) {
        if (!contender_program(who)) {
            printf("%s is not installed, so it is not compared\n", contender_name(who));
        }
    }
}

int main(int argc, char **argv)
{
    const char *name = argc > 3 ? argv[3] : "";
    struct rlimit files;

    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: %s PATH-OF-SOCKD [SECONDS [NAME]]\n", argv[0]);
        return 2;
    }
    program = argv[1];
    if (argc > 2) {
        seconds = strtod(argv[2], NULL) / N_ROUNDS; /* each is measured so often */
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    bind_to_cpu(1);
    data_rig_init(&rig);
    tell_absent();
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        if (strstr(scenarios[i].name, name)) {
            run_scenario(&scenarios[i]);
        }
    }
    if (strstr("json", name)) {
        bench_json();
    }
    if (strstr("idle", name)) {
        bench_idle();
    }
    if (strstr("workers", name)) {
        bench_workers();
    }
    data_rig_fini(&rig);
    return 0;
}
