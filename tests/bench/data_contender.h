/* SPDX-License-Identifier: MIT */
/*
 * data_contender.h - who is measured on a path: sockd, the reference, and the programs of
 * others that are installed.
 */
#ifndef SOCKD_TESTS_BENCH_DATA_CONTENDER_H
#define SOCKD_TESTS_BENCH_DATA_CONTENDER_H

#include "tests/bench/data_reference.h"
#include "tests/bench/data_rig.h"
#include "tests/bench/target.h"

/* The ends of a path: a port or a socket file each, with TLS or without. */
struct data_shape {
    bool near_is_file, far_is_file, near_is_tls, far_is_tls;
    enum data_key key;        /* of the server that the near end meets */
    enum data_role reference; /* what the reference does in its place */
    bool is_awake; /* looks for events without sleeping, where there is such a setting */
};

enum data_who { DATA_SOCKD, DATA_REFERENCE, DATA_HAPROXY, DATA_NGINX, DATA_N_WHO };

struct contender {
    enum data_who who;
    const struct data_rig *rig;
    struct data_shape shape;
    struct target target;
    struct data_place near; /* where it listens */
    int control;            /* to sockd; -1 for the others */
    int listener;           /* for the child that is the reference */
};

const char *contender_name(enum data_who who);
/* The path of the program; NULL: it is not installed. Sockd's is `program`. */
const char *contender_program(enum data_who who);

/* Starts it with a tunnel of this shape, on CPU 0; sockd with more `workers` on all. */
void contender_start(struct contender *contender, enum data_who who,
                     const char *sockd_program, int workers, const struct data_rig *rig,
                     const struct data_shape *shape);
void contender_stop(struct contender *contender);

/* Does it make, take or echo the bytes itself, so that there is no far end? */
bool contender_has_far(const struct contender *contender);

/* Connections through it. The far end is `fd` -1 where there is none. */
void contender_connect(const struct contender *contender, SSL_SESSION *session,
                       struct data_end *near, struct data_end *far);
/* The same by attach: the near end is a control connection, which leads to the far end;
 * `context`: of the client side, 0: plain. */
int64_t contender_client_context(const struct contender *contender);
void contender_attach(const struct contender *contender, int64_t context,
                      struct data_end *near, struct data_end *far);

#endif
