/* SPDX-License-Identifier: MIT */
/*
 * fuzz_tls.c - bytes of a peer, whatever they may be, on a stream with a TLS session.
 *
 * The first byte chooses our side and what we do: read or write first, shut the output
 * down, see the peer go; and what we make of the certificate of the peer. The rest comes
 * in pieces, the size of which the second byte says; after some of them, all at once, as
 * each costs a turn of the loop. A reader and a writer wait on the stream all the time;
 * whatever comes, each of them ends once, and nothing is left when the stream is closed.
 */
#include <config.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daemon/base/check.h"
#include "daemon/base/loop.h"
#include "daemon/net/sock.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls_context.h"
#include "daemon/net/tls_session.h"
#include "daemon/net/tls_wait.h"
#include "tests/fuzz_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    SERVER = 1,
    WRITES_FIRST = 2,
    SHUTS = 4,
    GOES = 8,
    BUFFERED = 16,
    CURIOUS = 32, /* any certificate will do; else only one that verifies */
};
enum { MAX_PIECES = 24 };

static struct loop *loop;
static struct tls_context *contexts[2][2]; /* role, CURIOUS */

static struct {
    struct read_op read;
    struct write_op write;
    struct tls_wait wait;
    unsigned n_reads, n_writes, n_waits;
} ops;

/* Either side has the certificate, trusts it, and asks the other one for it. */
static struct tls_context *context_new(enum tls_role role, bool is_curious)
{
    struct tls_config config;
    struct error error;

    tls_config_init(&config, role);
    fuzz_rig_identify(&config);
    config.verify = is_curious ? TLS_VERIFY_REQUEST : TLS_VERIFY_REQUIRED;
    struct tls_context *context = tls_context_new(&config, &error);

    CHECK(context != NULL);
    return context;
}

static void set_up(void)
{
    for (unsigned i = 0; i < 2; i++) {
        contexts[TLS_CLIENT][i] = context_new(TLS_CLIENT, i != 0);
        contexts[TLS_SERVER][i] = context_new(TLS_SERVER, i != 0);
    }
    loop = loop_new("fuzz", 0);
    loop_enter(loop);
}

/* ---- What waits ---- */

static enum take_result take(struct read_op *read, const struct stream_view *view,
                             size_t *consumed, struct error *error)
{
    (void)error;
    *consumed = view->size;
    read->told_end = view->size == 0;
    return TAKE_DONE;
}

static void read_done(struct op *op, const struct error *error)
{
    (void)op, (void)error;
    ops.n_reads++;
}

static void write_done(struct op *op, const struct error *error)
{
    (void)op, (void)error;
    ops.n_writes++;
}

static void wait_done(struct tls_wait *wait, const struct error *error)
{
    (void)wait, (void)error;
    ops.n_waits++;
}

static void start_read(struct sock *sock)
{
    ops.read.take = take;
    ops.read.limit = STREAM_PIECE;
    ops.read.op.done = read_done;
    stream_read(sock, &ops.read, -1);
}

static void start_write(struct sock *sock)
{
    static const uint8_t bytes[] = "hello";

    ops.write.bytes = bytes;
    ops.write.size = sizeof bytes;
    ops.write.is_flush = true;
    ops.write.op.done = write_done;
    stream_write(sock, &ops.write, -1);
}

/* ---- The peer ---- */

/* What we say is of no interest, but has to go. */
static void hear(int peer)
{
    uint8_t heard[4096];

    while (recv(peer, heard, sizeof heard, MSG_DONTWAIT) == sizeof heard) {
    }
}

static void say(int peer, const uint8_t *data, size_t size, size_t piece)
{
    for (unsigned n_pieces = 0; size > 0; n_pieces++) {
        size_t n = n_pieces < MAX_PIECES && piece < size ? piece : size;
        ssize_t sent = send(peer, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent <= 0) {
            return; /* it listens no more, or has to be served first */
        }
        data += sent;
        size -= (size_t)sent;
        fuzz_rig_run(loop, 1);
        hear(peer);
    }
}

static struct sock *open_sock(unsigned flags, const uint8_t **data, size_t *size,
                              int fds[2])
{
    static const struct sock_spec sock_spec = {.connect = SOCK_CONNECT_ACTIVE};
    struct tls_session_spec spec = {
        .context =
            contexts[flags & SERVER ? TLS_SERVER : TLS_CLIENT][flags & CURIOUS ? 1 : 0],
        .host = "server.test",
        .handshake_seconds = 3600,
        .allows_truncation = (flags & GOES) != 0,
    };
    struct error error;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    struct sock *sock = sock_new(&sock_spec, &error);

    CHECK(sock != NULL && sock_set_fd(sock, fds[0]) == 0);
    stream_open(sock);
    if ((flags & BUFFERED) != 0) {
        spec.received = *data;
        spec.received_size = *size / 2;
        *data += *size / 2;
        *size -= *size / 2;
    }
    CHECK(tls_session_open(sock, &spec, &error));
    return sock;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fds[2];

    if (size < 2) {
        return 0;
    }
    if (loop == NULL) {
        set_up();
    }
    unsigned flags = data[0];
    size_t piece = (size_t)data[1] * 16 + 1;

    data += 2;
    size -= 2;
    memset(&ops, 0, sizeof ops);
    struct sock *sock = open_sock(flags, &data, &size, fds);

    if ((flags & WRITES_FIRST) != 0) {
        start_write(sock);
        start_read(sock);
    } else {
        start_read(sock);
        start_write(sock);
    }
    tls_wait_start(sock, &ops.wait, "ssl-do-handshake", -1, wait_done);
    if ((flags & SHUTS) != 0) {
        stream_shutdown(sock, OP_OUTPUT);
    }
    say(fds[1], data, size, piece);
    if ((flags & GOES) != 0) {
        (void)shutdown(fds[1], SHUT_WR);
    }
    fuzz_rig_run(loop, 2);
    (void)stream_input_ready(sock);
    (void)stream_output_ready(sock);
    sock_close(sock, (flags & SHUTS) == 0);
    fuzz_rig_run(loop, 1);
    sock_close_all(loop, true);
    (void)close(fds[1]);
    fuzz_rig_run(loop, 1);
    if (ops.n_reads != 1 || ops.n_writes != 1 || ops.n_waits != 1 ||
        !sock_none_left(loop)) {
        abort();
    }
    return 0;
}
