/* SPDX-License-Identifier: MIT */
/*
 * data_rig.h - what both ends of every measured path are made of: certificates, listeners
 * for the far end, and connections with TLS or without.
 *
 * A path leads from a near end through the measured process to a far end; both are here.
 * Connections are set up in blocking calls and then made non-blocking.
 */
#ifndef SOCKD_TESTS_BENCH_DATA_RIG_H
#define SOCKD_TESTS_BENCH_DATA_RIG_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum data_key { DATA_ECDSA, DATA_RSA, DATA_N_KEYS };

/* Where somebody listens: a socket file, or a port of 127.0.0.1 when `path` is empty. */
struct data_place {
    char path[96];
    uint16_t port;
};

struct data_identity {
    char *certificate, *key; /* PEM */
    char file[96];           /* both, for programs that want one */
    SSL_CTX *server;         /* with it */
};

/* Owner: the program; made once, before the first process is started. */
struct data_rig {
    char directory[64];
    struct data_identity identities[DATA_N_KEYS];
    SSL_CTX *client;       /* verifies nothing: that is not measured here */
    int far_tcp, far_file; /* listeners */
    struct data_place tcp_place, file_place; /* theirs */
};

void data_rig_init(struct data_rig *rig);
void data_rig_fini(struct data_rig *rig);

/* One end of a connection. */
struct data_end {
    int fd;
    SSL *ssl; /* NULL: plain */
};

int data_listen_port(uint16_t *port);
int data_listen_file(const char *path);
/* Blocking, up to the end of the handshake. `session` is to be resumed; NULL: none. */
struct data_end data_connect(const struct data_place *place, SSL_CTX *context,
                             SSL_SESSION *session);
struct data_end data_accept(int listener, SSL_CTX *context);
void data_end_unblock(const struct data_end *end);
void data_end_close(struct data_end *end);

/* As of read() and write() on a non-blocking descriptor: -1 for nothing now, 0 for the
 * end. Several records at once where there are some. */
ssize_t data_receive(const struct data_end *end, void *bytes, size_t size);
ssize_t data_send(const struct data_end *end, const void *bytes, size_t size);
/* All of it, waiting for it; aborts the program when the connection ends before. */
void data_send_all(const struct data_end *end, const void *bytes, size_t size);
void data_receive_all(const struct data_end *end, void *bytes, size_t size);

#endif
