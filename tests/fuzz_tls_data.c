/* SPDX-License-Identifier: MIT */
/*
 * fuzz_tls_data.c - data on a stream with a TLS session, and the ways it may end, with a
 * peer that shakes hands as it should.
 *
 * The first byte chooses our side, the version and some limits; the others are a program:
 * each step is a byte that says what is done, and those that say how. The peer talks,
 * says goodbye, goes, or has its records spoiled on the way (honest.h); we read, write,
 * shut down, close, join the stream to another one. Beyond what sanitizers find, every
 * byte that was sealed before a cut has to arrive, in order, and none that was not; a
 * clean end is told after a farewell only, and a cut or a failure only when there was
 * one; what waits ends once, and does not wait when there is something for it.
 */
#include <config.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daemon/base/check.h"
#include "daemon/base/loop.h"
#include "daemon/net/sock.h"
#include "daemon/net/stream.h"
#include "daemon/net/stream_parts.h"
#include "daemon/net/tls_context.h"
#include "daemon/net/tls_parts.h"
#include "daemon/net/tls_session.h"
#include "daemon/net/tls_wait.h"
#include "tests/fuzz_rig.h"
#include "tests/fuzz_side.h"
#include "tests/honest.h"
#include "tests/ssl_memory.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    SERVER = 1,
    TLS13 = 2,
    RAW = 4,
    TRUNCATES = 8,
    NARROW = 16,    /* little fits into the sockets */
    FEW = 32,       /* records under one key of ours */
    CLOSES = 64,    /* at the end, instead of reading all */
    BIG_LIMIT = 128 /* of the output */
};
enum {
    MAX_STEPS = 40,
    KEPT = 4, /* sessions: one for each side and version */
    SMALL_LIMIT = 8 * 1024,
    PATIENCE = 100, /* rounds */
    MANY_ROUNDS = 400,
};

static struct loop *loop;
static unsigned flags; /* of the present run */
static struct tls_wait wait;
static bool is_established;
static bool is_again;                      /* handshakes are not made, but used again */
static struct tls_context *contexts[2][2]; /* role, FEW */

/* The input of the fuzzer, read from the front. */
struct tape {
    const uint8_t *bytes;
    size_t size;
};

/* ---- Set-up ---- */

static struct tls_context *context_new(enum tls_role role, bool has_few)
{
    struct tls_config config;
    struct error error;

    tls_config_init(&config, role);
    fuzz_rig_identify(&config);
    config.verify = TLS_VERIFY_NONE;
    config.n_records = has_few ? 3 : 0;
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

/* ---- The tape ---- */

static uint8_t next(struct tape *tape)
{
    if (tape->size == 0) {
        return 0;
    }
    tape->size--;
    return *tape->bytes++;
}

/* Small ones exactly, large ones in steps. */
static size_t next_size(struct tape *tape)
{
    size_t n = next(tape);

    if (n < 96) {
        return n;
    }
    if (n < 224) {
        return n < 192 ? 96 + (n - 96) * 64 : 8 * 1024 + (n - 192) * 512;
    }
    return 24 * 1024 + (n - 224) * 1024;
}

/* ---- The program ---- */

static void spoil(struct tape *tape)
{
    size_t n_queued = honest_n_queued();
    uint8_t how = next(tape);
    size_t record = next(tape);
    uint8_t bytes[256];
    size_t size = 0;

    record = n_queued > 0 ? record % n_queued : 0;
    switch (how % 5) {
    case 0:
        size = (size_t)next(tape) * 67;
        honest_flip(record, size, next(tape));
        break;
    case 1:
        honest_shorten(record, next_size(tape));
        break;
    case 2:
        honest_drop(record);
        break;
    case 3:
        honest_repeat(record);
        break;
    default:
        for (size_t n = next(tape); size < n && tape->size > 0; size++) {
            bytes[size] = next(tape);
        }
        honest_insert(record, bytes, size);
        break;
    }
}

static void seal(struct tape *tape)
{
    uint8_t how = next(tape), content[256];
    size_t size = 0;

    switch (how % 5) {
    case 0:
        content[0] = (next(tape) & 1) != 0 ? 2 : 1;
        content[1] = next(tape);
        honest_seal(21, content, 2, how / 5u);
        break;
    case 1:
    case 2:
        for (size_t n = next(tape); size < n && tape->size > 0; size++) {
            content[size] = next(tape);
        }
        /* Of an unknown type, or a handshake message. */
        honest_seal(how % 5 == 1 ? 22 : 24 + next(tape) % 200, content, size, how / 5u);
        break;
    case 3:
        honest_seal(23, NULL, 0, how / 5u);
        break;
    default:
        size = next_size(tape);
        honest_say_padded(size, next_size(tape) / 4);
        break;
    }
}

/* What the peer does. */
static void step_of_peer(unsigned step, struct tape *tape)
{
    size_t size;

    switch (step) {
    case 0:
        size = next_size(tape);
        honest_say(size, (size_t)next(tape) * 64 + 1);
        break;
    case 1:
        (void)honest_send(next_size(tape));
        break;
    case 2:
        (void)honest_send(SIZE_MAX);
        break;
    case 3:
        honest_close_notify();
        break;
    case 4:
        honest_cut();
        break;
    case 5:
        if ((next(tape) & 7) == 0) {
            honest_go();
        }
        break;
    case 6:
        spoil(tape);
        break;
    case 7:
        honest_key_update((next(tape) & 1) != 0);
        break;
    case 8:
        honest_start_anew();
        break;
    case 9:
        seal(tape);
        break;
    case 10:
        honest_hear_nonsense();
        break;
    default:
        honest_hear();
        break;
    }
}

/* What we do with a stream that is open and not joined. */
static void step_of_ours(unsigned step, struct tape *tape, struct sock *sock)
{
    size_t least, limit;
    uint8_t how;

    switch (step) {
    case 0:
        least = next_size(tape);
        limit = next_size(tape);
        how = next(tape);
        (void)side_read(sock, least, limit, (how & 4) != 0 ? next_size(tape) : SIZE_MAX,
                        how);
        break;
    case 1:
        (void)side_read(sock, 1, STREAM_PIECE, SIZE_MAX, 0);
        break;
    case 2:
        limit = next_size(tape);
        side_write(sock, limit, (next(tape) & 1) != 0);
        break;
    case 3:
        side_finish(sock);
        break;
    case 4:
        side_force(sock);
        break;
    case 5:
        side_look(sock);
        break;
    case 6:
        side_shut(sock, true);
        break;
    case 7:
        side_shut(sock, false);
        break;
    default:
        side_join(sock);
        break;
    }
}

static void step_of_loop(unsigned step, struct tape *tape)
{
    switch (step) {
    case 0:
        side_turn(1u + next(tape) % 4u);
        break;
    case 1:
        side_close((next(tape) & 1) != 0);
        break;
    case 2:
        side_interrupt(next(tape) % 3u + 1);
        break;
    case 3:
        side_far_say(next_size(tape));
        break;
    case 4:
        side_far_shut((next(tape) & 1) != 0);
        break;
    default:
        side_far_hear();
        break;
    }
}

static void step(struct tape *tape)
{
    enum { OF_PEER = 12, OF_OURS = 9, OF_LOOP = 6 };
    unsigned number = next(tape) % (OF_PEER + OF_OURS + OF_LOOP);

    if (number < OF_PEER) {
        step_of_peer(number, tape);
        side_turn(1);
    } else if (number < OF_PEER + OF_LOOP) {
        step_of_loop(number - OF_PEER, tape);
    } else {
        struct sock *sock = side_sock();
        if (sock != NULL) {
            step_of_ours(number - OF_PEER - OF_LOOP, tape, sock);
        }
    }
}

/* ---- From the handshake to the end ---- */

static void wait_done(struct tls_wait *ended, const struct error *error)
{
    (void)ended;
    honest_must(error == NULL, error != NULL ? error->message : "");
    is_established = true;
}

static struct honest_spec peer_spec(void)
{
    return (struct honest_spec){
        .is_server = (flags & SERVER) == 0,
        .is_tls13 = (flags & TLS13) != 0,
        .is_raw = (flags & RAW) != 0,
        .certificate = fuzz_certificate,
        .key = fuzz_key,
    };
}

static struct tls_context *context(void)
{
    return contexts[(flags & SERVER) != 0 ? TLS_SERVER : TLS_CLIENT][(flags & FEW) != 0];
}

/* ---- Sessions that are used again ---- */

static struct {
    struct tls_session ours; /* but for what belongs to its sock */
    struct honest_session *theirs;
} kept[KEPT];

/* Copies what is behind the handshake of the running session. */
static void keep(struct sock *sock)
{
    struct tls_session *session = tls_session_of(sock);
    struct tls_session *ours = &kept[flags % KEPT].ours;

    /* Tickets are no part of it. */
    (void)stream_input_ready(sock);
    side_turn(2);
    CHECK(session->wire.in.size == 0 && session->wire.out.size == 0 &&
          session->handshake == NULL && session->trouble == NULL);
    *ours = (struct tls_session){.ssl = session->ssl,
                                 .input_end = TRANSPORT_OK,
                                 .verify = session->verify,
                                 .max_depth = session->max_depth,
                                 .is_established = true};
    free(kept[flags % KEPT].theirs);
    kept[flags % KEPT].theirs = honest_keep();
    session->ssl = NULL;
    sock_close_all(loop, true);
    side_turn(1);
}

static void start_again(struct sock *sock, int fd)
{
    struct tls_session *session = MEM_NEW(struct tls_session);
    struct honest_spec peer = peer_spec();

    ssl_memory_restore();
    *session = kept[flags % KEPT].ours;
    session->sock = sock;
    session->context = tls_context_ref(context());
    session->allows_truncation = (flags & TRUNCATES) != 0;
    tls_wire_init(&session->wire, &sock->fd, &sock->io);
    BIO_set_data(SSL_get_rbio(session->ssl), &session->wire);
    sock->as.stream->session = session;
    sock->as.stream->transport = &transport_tls;
    honest_start_again(&peer, kept[flags % KEPT].theirs, fd);
}

/* ---- Beginnings ---- */

static void shake_hands(struct sock *sock, int fd)
{
    struct tls_session_spec spec = {
        .context = context(),
        .host = "server.test",
        .handshake_seconds = 3600,
        .allows_truncation = (flags & TRUNCATES) != 0,
    };
    struct honest_spec peer = peer_spec();
    struct error error;

    CHECK(tls_session_open(sock, &spec, &error));
    honest_start(&peer, fd);
    tls_wait_start(sock, &wait, "ssl-do-handshake", -1, wait_done);
    for (unsigned i = 0; !honest_shake() || !is_established; i++) {
        honest_must(i < MANY_ROUNDS, "the handshake does not end");
        side_turn(1);
    }
}

static struct sock *begin(unsigned chosen)
{
    int fds[2];

    flags = chosen;
    is_established = false;
    run = (struct fuzz_side){
        .loop = loop,
        .allows_truncation = (flags & TRUNCATES) != 0,
        .is_narrow = (flags & NARROW) != 0,
        .far = -1,
        .second = -1,
    };
    stream_set_output_limit((flags & BIG_LIMIT) != 0 ? STREAM_OUTPUT_LIMIT : SMALL_LIMIT);
    struct sock *sock = side_open(fds);

    run.handle = sock->handle;
    if (is_again) {
        start_again(sock, fds[1]);
    } else {
        shake_hands(sock, fds[1]);
    }
    return sock;
}

/* Of libFuzzer, before anything else; the test that replays a corpus does without, and
 * shakes hands for each. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    ssl_memory_use();
    set_up();
    /* Twice: OpenSSL makes some of its memory when it needs it. */
    for (unsigned i = 0; i < 2 * KEPT; i++) {
        keep(begin(i % KEPT));
    }
    ssl_memory_keep();
    is_again = true;
    return 0;
}

/* Everything gets its way. */
static void settle(void)
{
    for (unsigned i = 0; i < 3; i++) {
        (void)honest_send(SIZE_MAX);
        side_turn(1);
        honest_hear();
        side_far_hear();
    }
}

static bool is_over(void)
{
    return run.end != STREAM_END_NONE || run.has_failed || run.is_input_shut;
}

/* But for what is held back. */
static bool is_written(const struct sock *sock)
{
    return !side_is_writing() && stream_is_sent(sock);
}

/* All that was sent is read, all that waits is written - unless it waits for what the
 * peer does not say - and then comes the end. */
static void read_all(void)
{
    struct sock *sock;

    for (unsigned i = 0; (sock = side_sock()) != NULL && !is_over(); i++) {
        honest_must(i < MANY_ROUNDS, "the end does not come");
        if (!side_is_reading()) {
            (void)side_read(sock, 1, STREAM_PIECE, SIZE_MAX, 0);
        }
        settle();
        if (honest_n_queued() == 0 && (is_written(sock) || i > PATIENCE)) {
            honest_cut();
        }
    }
}

/* The same through the bridge, the other end of which has nothing more to say. */
static void relay_all(void)
{
    bool is_heard = run.far >= 0;

    side_far_shut(false);
    for (unsigned i = 0; run.is_joined; i++) {
        honest_must(i < MANY_ROUNDS, "the bridge does not end");
        settle();
        if (honest_n_queued() == 0) {
            honest_cut();
        }
    }
    side_far_hear();
    if (is_heard && !run.is_input_shut && !run.is_closed) {
        honest_must(run.delivered >= honest.certain, "the bridge has lost bytes");
    }
}

/* Our side has gone, and the peer has heard all of it. */
static void check_heard(void)
{
    bool was_shut = run.is_output_shut && !run.is_aborted;
    bool was_closed = run.is_closed && !run.is_aborted;
    bool was_joined = run.second >= 0;

    for (unsigned i = 0; !honest_heard.has_end; i++) {
        honest_must(i < MANY_ROUNDS, "the connection does not end");
        settle();
    }
    honest_must(honest_heard.n_bytes <= run.accepted, "bytes that were not accepted");
    if (honest_heard.has_farewell) {
        honest_must(run.is_output_shut || was_closed || was_joined,
                    "a farewell that nobody asked for");
        honest_must(honest_heard.n_bytes >= run.flushed, "a farewell before its time");
    }
    if (honest_is_well() && !was_joined && (was_shut || was_closed)) {
        honest_must(honest_heard.has_farewell, "no farewell");
        honest_must(run.is_output_shut || honest_heard.n_bytes == run.accepted,
                    "bytes are lost in an orderly close");
    }
}

static void end(void)
{
    if (run.is_joined) {
        relay_all();
    } else if ((flags & CLOSES) == 0 && side_sock() != NULL) {
        read_all();
    }
    side_close((flags & CLOSES) == 0);
    check_heard();
    sock_close_all(loop, true);
    honest_stop();
    side_far_shut(true);
    side_turn(1);
    honest_must(!side_is_reading() && !side_is_writing() && !run.is_joined &&
                    sock_none_left(loop),
                "something is left");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tape tape = {data, size};

    if (size < 1) {
        return 0;
    }
    if (loop == NULL) {
        set_up();
    }
    (void)begin(next(&tape));
    for (unsigned n = 0; tape.size > 0 && n < MAX_STEPS; n++) {
        step(&tape);
    }
    end();
    return 0;
}
