/* SPDX-License-Identifier: MIT */
/*
 * limits.h - what clients may use at most, as configured.
 *
 * The server sets it before the workers start; from then on it is constant. Thread: any.
 */
#ifndef SOCKD_CONTROL_LIMITS_H
#define SOCKD_CONTROL_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

/* In numbers of things 0 means no limit. */
struct control_limits {
    size_t message_size;           /* bytes of one line of a client, without its LF */
    unsigned nesting;              /* levels of lists and objects in it */
    unsigned batch_size;           /* members of one batch */
    unsigned requests_in_flight;   /* waiting at once, of one connection */
    size_t request_queue_size;     /* bytes that they may hold */
    unsigned connections;          /* control connections of all users */
    unsigned connections_per_user; /* and of one */
    unsigned sockets;              /* sockets of all users */
    unsigned sockets_per_user;     /* and of one */
    unsigned lookups;           /* of names by name servers, under way at once, of all */
    unsigned lookups_per_user;  /* and of one */
    unsigned contexts;          /* TLS contexts of all users */
    unsigned contexts_per_user; /* and of one */
    unsigned handshakes;        /* TLS handshakes of one listener, and connections whose
                                   handshake is done and that nobody has accepted */
    bool allows_weak_tls;       /* below TLS 1.2, where it is asked for by name */
    size_t reply_queue_size;    /* bytes of replies for a client that does not read */
    double reply_timeout;       /* seconds until such a client is closed */
    size_t input_buffer_size;   /* bytes received ahead for one socket */
    size_t output_buffer_size;  /* bytes of output one socket holds */
    double close_timeout;       /* seconds that output may take after a close */
};

const struct control_limits *control_limits(void);
void control_set_limits(const struct control_limits *limits);

#endif
