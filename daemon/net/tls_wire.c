/* SPDX-License-Identifier: MIT */
/*
 * tls_wire.c - a BIO over the descriptor of a sock that gathers.
 *
 * Called by tls_session.c and, through the BIO, by OpenSSL; calls the kernel. Rejected:
 * OpenSSL's socket BIO (two receives and one send for each record), and its read-ahead
 * (moves all that is left for every record). Thread: the session's.
 */
#include <config.h>
#include "daemon/net/tls_wire.h"

#include <errno.h>
#include <openssl/ssl3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/check.h"
#include "daemon/base/loop.h"

enum {
    /* A batch with the headers and tags of its records, and some small ones besides. */
    LENT_SIZE = TLS_BATCH_SIZE + 4096,
    RECORD_OVERHEAD = 64,
    LEAST_RECEIVE = TLS_RECORD_SIZE + 512, /* a whole record of any cipher */
    /* Receives in one call of OpenSSL, which goes on as long as records without data
     * come: others on this worker want their turn. */
    MAX_RECEIVES = 8,
};

static _Thread_local uint8_t lent_in[LENT_SIZE], lent_out[LENT_SIZE];
static _Thread_local struct tls_wire *user; /* of the memory above */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

/* ---- Bytes ---- */

static void release(struct tls_bytes *bytes)
{
    if (!bytes->is_lent) {
        free(bytes->memory);
    }
    *bytes = (struct tls_bytes){0};
}

static void lend(struct tls_bytes *bytes, uint8_t *memory)
{
    *bytes = (struct tls_bytes){.memory = memory, .room = LENT_SIZE, .is_lent = true};
}

/* What is left of lent memory goes into memory of its own. */
static void keep(struct tls_bytes *bytes)
{
    if (bytes->size == 0) {
        release(bytes);
    } else if (bytes->is_lent) {
        uint8_t *memory = mem_resize(NULL, bytes->size);
        memcpy(memory, bytes->memory + bytes->start, bytes->size);
        *bytes = (struct tls_bytes){
            .memory = memory, .size = bytes->size, .room = bytes->size};
    }
}

static void consume(struct tls_bytes *bytes, size_t size)
{
    bytes->start += (uint32_t)size;
    bytes->size -= (uint32_t)size;
    if (bytes->size == 0) {
        bytes->start = 0;
    }
}

/* Room for more at the end. What OpenSSL writes in one call is bounded: a batch, or a
 * flight of a handshake with our own certificates. */
static void make_room(struct tls_bytes *bytes, size_t size)
{
    if (bytes->start + bytes->size + size <= bytes->room) {
        return;
    }
    size_t room = ((size_t)bytes->size + size) * 2;
    uint8_t *memory = mem_resize(NULL, room);

    if (bytes->size > 0) {
        memcpy(memory, bytes->memory + bytes->start, bytes->size);
    }
    uint32_t kept = bytes->size;

    release(bytes);
    *bytes = (struct tls_bytes){.memory = memory, .size = kept, .room = (uint32_t)room};
}

/* ---- The descriptor ---- */

void tls_wire_flush(struct tls_wire *wire)
{
    while (wire->out.size > 0 && wire->is_writable) {
        ssize_t sent = send(*wire->fd, wire->out.memory + wire->out.start, wire->out.size,
                            MSG_NOSIGNAL);
        if (sent >= 0) {
            consume(&wire->out, (size_t)sent);
        } else if (errno == EAGAIN) {
            wire->is_writable = false;
            io_watch_room(wire->io, true);
        } else if (errno != EINTR) { /* EBADF when the descriptor was closed before */
            wire->write_errno = errno;
            wire->is_mute = true;
            consume(&wire->out, wire->out.size);
        }
    }
}

/* What one receive should bring: what the caller has room for, in whole records, so that
 * little is left over. */
static size_t receive_size(const struct tls_wire *wire)
{
    size_t size = wire->wanted;

    size += (size / TLS_RECORD_SIZE + 1) * RECORD_OVERHEAD;
    if (size < LEAST_RECEIVE) {
        return LEAST_RECEIVE;
    }
    return size < LENT_SIZE ? size : LENT_SIZE;
}

static bool may_receive(const struct tls_wire *wire)
{
    return wire->is_readable && !wire->is_ended && !wire->is_deaf &&
           wire->read_errno == 0 && wire->n_receives < MAX_RECEIVES &&
           wire->out.size <= TLS_UNSENT_LIMIT;
}

/* Into the lent memory: the number of bytes; 0 at the end of file; negative: none. */
static ssize_t receive(struct tls_wire *wire)
{
    ssize_t got;

    if (!wire->in.is_lent) {
        release(&wire->in);
        lend(&wire->in, lent_in);
    }
    wire->n_receives++;
    do {
        got = recv(*wire->fd, wire->in.memory, receive_size(wire), 0);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        wire->in.start = 0;
        wire->in.size = (uint32_t)got;
    } else if (got < 0 && errno == EAGAIN) {
        wire->is_readable = false;
    } else if (got < 0) {
        wire->read_errno = errno;
    }
    return got;
}

/* `asked`: by OpenSSL, which asks for a header between records, and for the rest of one
 * inside it. False: nothing has come. */
static bool fetch(struct tls_wire *wire, size_t asked)
{
    tls_wire_flush(wire); /* the peer may be waiting for it */
    if (!may_receive(wire)) {
        return false;
    }
    ssize_t got = receive(wire);

    if (got == 0) {
        wire->is_ended = true;
        wire->is_cut = asked != SSL3_RT_HEADER_LENGTH;
    }
    return got > 0;
}

bool tls_wire_is_dry(struct tls_wire *wire)
{
    CHECK(wire == user);
    if (wire->in.size > 0) {
        return false;
    }
    tls_wire_flush(wire);
    /* The end of file is told as often as it is asked for, so it is left to the BIO. */
    return may_receive(wire) && receive(wire) < 0 && wire->read_errno == 0;
}

/* ---- The BIO ---- */

static int bio_read(BIO *bio, char *bytes, size_t size, size_t *n)
{
    struct tls_wire *wire = BIO_get_data(bio);

    CHECK(wire == user);
    BIO_clear_retry_flags(bio);
    *n = 0;
    if (wire->in.size == 0 && !fetch(wire, size)) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *n = size < wire->in.size ? size : wire->in.size;
    memcpy(bytes, wire->in.memory + wire->in.start, *n);
    consume(&wire->in, *n);
    return 1;
}

static int bio_write(BIO *bio, const char *bytes, size_t size, size_t *n)
{
    struct tls_wire *wire = BIO_get_data(bio);

    CHECK(wire == user);
    BIO_clear_retry_flags(bio);
    *n = size;
    if (wire->is_mute) {
        return 1; /* nobody would get it */
    }
    if (wire->out.is_lent && wire->out.size + size > LENT_SIZE) {
        tls_wire_flush(wire);
    }
    make_room(&wire->out, size);
    memcpy(wire->out.memory + wire->out.start + wire->out.size, bytes, size);
    wire->out.size += (uint32_t)size;
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    /* OpenSSL flushes at the end of each flight; the end of the call does that better. */
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sockd wire");
    CHECK(method != NULL && BIO_meth_set_read_ex(method, bio_read) == 1 &&
          BIO_meth_set_write_ex(method, bio_write) == 1 &&
          BIO_meth_set_ctrl(method, bio_control) == 1);
}

BIO *tls_wire_bio(struct tls_wire *wire)
{
    CHECK(pthread_once(&once, make_method) == 0);
    BIO *bio = BIO_new(method);

    CHECK(bio != NULL);
    BIO_set_data(bio, wire);
    BIO_set_init(bio, 1);
    return bio;
}

/* ---- Life ---- */

void tls_wire_init(struct tls_wire *wire, const int *fd, struct io *io)
{
    *wire =
        (struct tls_wire){.fd = fd, .io = io, .is_readable = true, .is_writable = true};
}

void tls_wire_fini(struct tls_wire *wire)
{
    CHECK(user != wire);
    release(&wire->in);
    release(&wire->out);
}

void tls_wire_begin(struct tls_wire *wire)
{
    CHECK(user == NULL);
    user = wire;
    wire->n_receives = 0;
    if (wire->in.size == 0) {
        lend(&wire->in, lent_in);
    }
    if (wire->out.size == 0) {
        lend(&wire->out, lent_out);
    }
}

void tls_wire_end(struct tls_wire *wire)
{
    CHECK(user == wire);
    tls_wire_flush(wire);
    keep(&wire->in);
    keep(&wire->out);
    user = NULL;
}

bool tls_wire_has_record(const struct tls_wire *wire)
{
    const uint8_t *header = wire->in.memory + wire->in.start;

    return wire->in.size >= SSL3_RT_HEADER_LENGTH &&
           wire->in.size - SSL3_RT_HEADER_LENGTH >=
               ((uint32_t)header[3] << 8 | header[4]);
}

void tls_wire_put_back(struct tls_wire *wire, const void *bytes, size_t size)
{
    CHECK(user == NULL && wire->in.size == 0);
    if (size > 0) {
        make_room(&wire->in, size);
        memcpy(wire->in.memory, bytes, size);
        wire->in.size = (uint32_t)size;
    }
}
