/* SPDX-License-Identifier: MIT */
/*
 * data_handshakes.c - handshakes under load (see data_load.h): threads that connect one
 * time after the other, and one that answers at the far end.
 */
#include <config.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include "tests/bench/data_load.h"

enum { N_CLIENTS = 8, STOP_MS = 20 };

struct party {
    const struct contender *contender;
    bool is_resumed;
    _Atomic bool is_over, is_far_over;
    _Atomic uint64_t n_done;
};

static void *answer(void *arg)
{
    struct party *party = arg;
    const struct contender *contender = party->contender;
    int listener =
        contender->shape.far_is_file ? contender->rig->far_file : contender->rig->far_tcp;

    while (!atomic_load(&party->is_far_over)) {
        struct pollfd entry = {.fd = listener, .events = POLLIN};
        struct data_end end;
        char byte;
        if (poll(&entry, 1, STOP_MS) <= 0) {
            continue;
        }
        end = data_accept(listener, NULL);
        data_receive_all(&end, &byte, 1);
        data_send_all(&end, &byte, 1);
        data_end_close(&end);
    }
    return NULL;
}

static SSL_SESSION *shake_once(const struct party *party, SSL_SESSION *session)
{
    const struct contender *contender = party->contender;
    struct data_end end = data_connect(&contender->near, contender->rig->client, session);
    char byte = 'x';

    if (session && SSL_session_reused(end.ssl) != 1) {
        die("%s has not resumed a session", contender_name(contender->who));
    }
    SSL_SESSION_free(session);
    session = NULL;
    data_send_all(&end, &byte, 1);
    data_receive_all(&end, &byte, 1);
    if (party->is_resumed) {
        session = SSL_get1_session(end.ssl); /* the ticket has come before the byte */
    }
    data_end_close(&end);
    return session;
}

static void *shake_hands(void *arg)
{
    struct party *party = arg;
    SSL_SESSION *session = NULL;

    while (!atomic_load(&party->is_over)) {
        session = shake_once(party, session);
        atomic_fetch_add(&party->n_done, 1);
    }
    SSL_SESSION_free(session);
    return NULL;
}

static void pass_time(double seconds) { usleep((useconds_t)(seconds * 1e6)); }

/* Until all have been served, and what is made once is made. */
static void warm_up(struct party *party)
{
    uint64_t deadline = now_ns() + 10000000000u;

    while (atomic_load(&party->n_done) < (uint64_t)N_CLIENTS * 2) {
        if (now_ns() > deadline) {
            die("%s does not answer", contender_name(party->contender->who));
        }
        usleep(1000);
    }
}

void data_handshakes(const struct contender *contender, bool is_resumed, double seconds,
                     struct data_figures *figures)
{
    struct party party = {.contender = contender, .is_resumed = is_resumed};
    pthread_t far, clients[N_CLIENTS];
    uint64_t start, cpu, n;

    pthread_create(&far, NULL, answer, &party);
    for (int i = 0; i < N_CLIENTS; i++) {
        pthread_create(&clients[i], NULL, shake_hands, &party);
    }
    warm_up(&party);
    n = atomic_load(&party.n_done);
    cpu = target_cpu_ns(&contender->target);
    start = now_ns();
    pass_time(seconds);
    n = atomic_load(&party.n_done) - n;
    cpu = target_cpu_ns(&contender->target) - cpu;
    figures->per_second = (double)n * 1e9 / (double)(now_ns() - start);
    if (n == 0) {
        die("%s: no handshake is done", contender_name(contender->who));
    }
    figures->cpu = (double)cpu / 1e9 / (double)n;
    atomic_store(&party.is_over, true);
    for (int i = 0; i < N_CLIENTS; i++) {
        pthread_join(clients[i], NULL);
    }
    /* The far end goes last: the clients wait for its answers. */
    atomic_store(&party.is_far_over, true);
    pthread_join(far, NULL);
}
