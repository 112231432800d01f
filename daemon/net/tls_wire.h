/* SPDX-License-Identifier: MIT */
/*
 * tls_wire.h - the records of a session on their way to and from the descriptor.
 *
 * Records are received many at a time and sent many at a time: one system call for some
 * 64 KiB in either direction. The memory for them is the thread's and is lent to one
 * session for the time of one call (tls_wire_begin() to tls_wire_end()); what is left
 * then, half a record received, records that the kernel had no room for, is copied into
 * memory of its own, which lasts as long as there are bytes in it. So an idle session has
 * none.
 *
 * OpenSSL sees a BIO that never fails. The end of file and the errors of the descriptor
 * are noted here for the session to judge; were they given to OpenSSL, a peer that ends
 * one direction without a word would end the other one, too.
 *
 * Private to the tls_ modules. Thread: the session's.
 */
#ifndef SOCKD_NET_TLS_WIRE_H
#define SOCKD_NET_TLS_WIRE_H

#include <openssl/bio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io;

enum {
    TLS_RECORD_SIZE = 16 * 1024, /* of plain bytes */
    TLS_BATCH_SIZE = 128 * 1024, /* plain bytes sealed for one send */
    /* Records that wait for the kernel, above which nothing is received any more: what
     * the peer sends could make us answer. A batch is below it. */
    TLS_UNSENT_LIMIT = 192 * 1024,
};

struct tls_bytes {
    uint8_t *memory;
    uint32_t start, size, room;
    bool is_lent; /* the memory is the thread's */
};

/* Owner: the session, which embeds it. */
struct tls_wire {
    const int *fd; /* the sock's; -1 when that has none any more */
    struct io *io; /* that watches it */
    struct tls_bytes in, out;
    int read_errno, write_errno;   /* how the descriptor failed; 0: it has not */
    uint32_t wanted;               /* plain bytes the caller has room for */
    uint8_t n_receives;            /* in this call */
    bool is_readable, is_writable; /* last known readiness; io is edge-triggered */
    bool is_ended;                 /* the kernel told the end of file */
    bool is_cut;                   /* and it was inside a record */
    bool is_deaf;                  /* nothing is to be received any more */
    bool is_mute;                  /* nothing is to be sent any more */
};

void tls_wire_init(struct tls_wire *wire, const int *fd, struct io *io);
void tls_wire_fini(struct tls_wire *wire);
/* For one SSL; it frees the BIO. The wire must not move. */
BIO *tls_wire_bio(struct tls_wire *wire);

/* Around calls of OpenSSL; not nested. The end sends what was written. */
void tls_wire_begin(struct tls_wire *wire);
void tls_wire_end(struct tls_wire *wire);
/* As far as the kernel takes it. */
void tls_wire_flush(struct tls_wire *wire);
/* Has nothing come, neither bytes nor an end? Found out without OpenSSL, whose way to
 * find it out costs as much as a small record. */
bool tls_wire_is_dry(struct tls_wire *wire);
/* Is a whole record there, so that opening it needs no system call? */
bool tls_wire_has_record(const struct tls_wire *wire);
/* Bytes that were received before there was a session, for it to read first. */
void tls_wire_put_back(struct tls_wire *wire, const void *bytes, size_t size);

#endif
