/* SPDX-License-Identifier: MIT */
/*
 * tls_ends.c - drives two TLS sessions, and the wire between them.
 *
 * Used by the unit tests of the tls_ modules. Thread: the test's.
 */
#include <config.h>
#include "tests/tls_ends.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/loop.h"
#include "daemon/base/quota.h"
#include "daemon/net/stream.h"
#include "tests/unit.h"

enum {
    MAX_SECONDS = 60, /* of one condition; generous, for slow machines and sanitizers */
    ROUND_BYTES = 64 * 1024,
};

struct cert_tree ends_tree;
struct end ends_client, ends_server;
struct wire_lane ends_lanes[2];

static struct loop *loop;
static int near[2] = {-1, -1};  /* by lane: the side of the relay where it comes in */
static int sides[2] = {-1, -1}; /* of the client and of the server, until they are used */
static bool has_relay;

void ends_start(void)
{
    loop = loop_new("test", 1);
    loop_enter(loop);
    cert_tree_init(&ends_tree);
}

void ends_stop(void)
{
    ends_close();
    cert_tree_fini(&ends_tree);
    loop_free(loop);
    loop = NULL;
    quota_fini();
    CU_ASSERT_EQUAL(ERR_peek_error(), 0);
}

struct loop *ends_loop(void) { return loop; }

/* ---- The wire ---- */

static void make_pair(int *fds)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) {
        unit_bail_out("socketpair: %s", strerror(errno));
    }
}

void ends_connect(bool is_relayed)
{
    has_relay = is_relayed;
    for (unsigned i = 0; i < 2; i++) {
        ends_lanes[i] = (struct wire_lane){.budget = SIZE_MAX, .bend_at = SIZE_MAX};
    }
    if (!is_relayed) {
        make_pair(sides);
        return;
    }
    int first[2], second[2];

    make_pair(first);
    make_pair(second);
    sides[0] = first[0];
    near[0] = first[1];
    sides[1] = second[0];
    near[1] = second[1];
}

void ends_cut(unsigned lane)
{
    ends_lanes[lane].is_cut = true;
    (void)shutdown(near[1 - lane], SHUT_WR);
}

/* One step of one direction. */
static void carry(unsigned number)
{
    struct wire_lane *lane = &ends_lanes[number];
    uint8_t bytes[ROUND_BYTES];
    size_t size = lane->step > 0 ? lane->step : sizeof bytes;

    if (lane->is_cut) {
        return;
    }
    if (size > lane->budget - lane->n_carried) {
        size = lane->budget - lane->n_carried;
    }
    if (size == 0) {
        return;
    }
    ssize_t got = recv(near[number], bytes, size, MSG_PEEK);

    if (got == 0) {
        ends_cut(number);
    }
    if (got <= 0) {
        return;
    }
    if (lane->bend_at >= lane->n_carried &&
        lane->bend_at < lane->n_carried + (size_t)got) {
        bytes[lane->bend_at - lane->n_carried] ^= 1;
    }
    ssize_t sent = send(near[1 - number], bytes, (size_t)got, MSG_NOSIGNAL);

    if (sent > 0) {
        CHECK(recv(near[number], bytes, (size_t)sent, 0) == sent);
        lane->n_carried += (size_t)sent;
    }
}

/* ---- Ends ---- */

static void end_ready(struct sock *sock, unsigned what)
{
    const struct stream *stream = sock->as.stream;

    if (stream->transport->ready != NULL) {
        (void)stream->transport->ready(sock, what);
    }
}

static void end_fini(struct sock *sock)
{
    struct stream *stream = sock->as.stream;

    if (stream->transport->fini != NULL) {
        stream->transport->fini(sock);
    }
    free(stream);
    sock->as.stream = NULL;
}

static const struct sock_kind end_kind = {
    .name = "end",
    .ready = end_ready,
    .fini = end_fini,
};

void end_open(struct end *end)
{
    static const struct sock_spec spec = {.connect = SOCK_CONNECT_ACTIVE};
    struct error error;
    int *side = &sides[end == &ends_server];

    *end = (struct end){.is_reading = true, .input_end = TRANSPORT_OK};
    end->sock = sock_new(&spec, &error);
    CHECK(end->sock != NULL && sock_set_fd(end->sock, *side) == 0);
    *side = -1;
    struct stream *stream = MEM_NEW(struct stream);

    stream->transport = &transport_plain;
    end->sock->as.stream = stream;
    sock_become(end->sock, &end_kind, SOCK_STATE_OPEN);
}

void end_start(struct end *end, const struct tls_session_spec *spec)
{
    struct error error;

    end_open(end);
    if (!tls_session_open(end->sock, spec, &error)) {
        UNIT_FAIL_NOW("session: %s", error.message);
    }
}

void end_close(struct end *end)
{
    if (end->sock != NULL) {
        sock_free(end->sock);
    }
    buffer_fini(&end->out);
    buffer_fini(&end->in);
    end->sock = NULL;
}

void ends_close(void)
{
    end_close(&ends_client);
    end_close(&ends_server);
    for (unsigned i = 0; i < 2; i++) {
        if (sides[i] >= 0) {
            close(sides[i]);
        }
        if (near[i] >= 0) {
            close(near[i]);
        }
        sides[i] = near[i] = -1;
    }
}

struct tls_session_spec ends_spec(struct tls_context *context)
{
    return (struct tls_session_spec){
        .context = context,
        .host = "server.test",
        .place = "1",
        .handshake_seconds = MAX_SECONDS,
    };
}

void ends_pair(struct tls_context *client, struct tls_context *server, bool is_relayed)
{
    struct tls_session_spec client_spec = ends_spec(client);
    struct tls_session_spec server_spec = ends_spec(server);

    ends_connect(is_relayed);
    end_start(&ends_client, &client_spec);
    end_start(&ends_server, &server_spec);
}

/* ---- Moving ---- */

static void move_input(struct end *end)
{
    const struct transport *transport = end->sock->as.stream->transport;
    size_t size = end->chunk > 0 ? end->chunk : STREAM_PIECE;
    size_t n = 0;

    if (!end->is_reading || end->input_end != TRANSPORT_OK || !end->sock->can_read) {
        return;
    }
    uint8_t *room = buffer_reserve(&end->in, size);
    enum transport_result result =
        transport->receive(end->sock, room, size, &n, &end->fault);

    buffer_added(&end->in, result == TRANSPORT_OK ? n : 0);
    if (result != TRANSPORT_OK && result != TRANSPORT_AGAIN) {
        end->input_end = result;
    }
}

static void move_output(struct end *end)
{
    const struct transport *transport = end->sock->as.stream->transport;
    enum transport_result result = TRANSPORT_OK;
    size_t n = 0;

    if (end->has_write_failed || !end->sock->can_write || end->is_shut) {
        return;
    }
    if (end->out.size > 0) {
        size_t size =
            end->chunk > 0 && end->chunk < end->out.size ? end->chunk : end->out.size;
        result = transport->send(end->sock, buffer_bytes(&end->out), size, &n,
                                 &end->write_fault);
        if (result == TRANSPORT_OK) {
            buffer_consume(&end->out, n);
        }
    } else if (end->wants_shutdown) {
        result = transport->shutdown_output(end->sock, &end->write_fault);
        end->is_shut = result == TRANSPORT_OK;
    }
    end->has_write_failed = result == TRANSPORT_FAILED;
}

struct run {
    struct later later;
    bool (*is_met)(void);
    struct timespec start;
    unsigned n_rounds; /* left, when there is no condition */
    bool is_late;
};

static void one_round(void *arg)
{
    struct run *run = arg;
    struct timespec now;

    if (has_relay) {
        carry(0);
        carry(1);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct end *end = i == 0 ? &ends_client : &ends_server;
        if (end->sock != NULL) {
            move_output(end);
            move_input(end);
        }
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    run->is_late = now.tv_sec - run->start.tv_sec > MAX_SECONDS;
    bool is_over = run->is_met != NULL ? run->is_met() : run->n_rounds-- == 0;

    if (is_over || run->is_late) {
        loop_stop(loop);
    } else {
        later_ask(&run->later, loop, one_round, run);
    }
}

static bool run_rounds(struct run *run)
{
    (void)clock_gettime(CLOCK_MONOTONIC, &run->start);
    later_ask(&run->later, loop, one_round, run);
    loop_run(loop);
    return !run->is_late;
}

void ends_run(bool (*is_met)(void))
{
    struct run run = {.is_met = is_met};

    if (!run_rounds(&run)) {
        struct error client = end_error(&ends_client), server = end_error(&ends_server);
        UNIT_FAIL_NOW("the condition is not met; client: %s; server: %s",
                      client.id != ERROR_NONE ? client.message : "fine",
                      server.id != ERROR_NONE ? server.message : "fine");
    }
}

void ends_idle(void)
{
    struct run run = {.n_rounds = 100};

    (void)run_rounds(&run);
}

/* ---- Looking ---- */

struct tls_facts end_facts(const struct end *end)
{
    struct tls_facts facts;

    tls_session_describe(end->sock, &facts);
    return facts;
}

struct error end_error(const struct end *end)
{
    struct error error = {.id = ERROR_NONE};

    if (end->sock != NULL && end->input_end == TRANSPORT_FAILED) {
        end->sock->as.stream->transport->explain(end->sock, &end->fault, "read", &error);
    }
    return error;
}

bool ends_are_established(void)
{
    return (end_facts(&ends_client).state == TLS_STATE_ESTABLISHED &&
            end_facts(&ends_server).state == TLS_STATE_ESTABLISHED);
}

bool ends_client_over(void) { return ends_client.input_end != TRANSPORT_OK; }

bool ends_server_over(void) { return ends_server.input_end != TRANSPORT_OK; }

bool ends_are_over(void) { return ends_client_over() && ends_server_over(); }

/* ---- Data ---- */

void ends_fill(struct buffer *buffer, size_t size, unsigned seed)
{
    uint8_t *bytes = size > 0 ? buffer_reserve(buffer, size) : NULL;

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)((i * 2654435761U + seed) >> 8);
    }
    if (size > 0) {
        buffer_added(buffer, size);
    }
}

bool ends_is_filled(const struct buffer *buffer, size_t size, unsigned seed)
{
    struct buffer expected = {0};

    if (buffer->size != size) {
        return false;
    }
    ends_fill(&expected, size, seed);
    bool is_same = memcmp(buffer_bytes(&expected), buffer_bytes(buffer), size) == 0;

    buffer_fini(&expected);
    return is_same;
}

size_t ends_wanted_client, ends_wanted_server;

bool ends_all_has_come(void)
{
    return ends_client.in.size >= ends_wanted_client &&
           ends_server.in.size >= ends_wanted_server;
}

void ends_talk(size_t from_client, size_t from_server)
{
    ends_fill(&ends_client.out, from_client, 1);
    ends_fill(&ends_server.out, from_server, 2);
    ends_client.wants_shutdown = ends_server.wants_shutdown = true;
    ends_run(ends_are_over);
    CU_ASSERT(ends_is_filled(&ends_server.in, from_client, 1));
    CU_ASSERT(ends_is_filled(&ends_client.in, from_server, 2));
    CU_ASSERT_EQUAL(ends_client.input_end, TRANSPORT_END);
    CU_ASSERT_EQUAL(ends_server.input_end, TRANSPORT_END);
}

void end_shrink_buffers(struct end *end)
{
    int size = 4096;

    CU_ASSERT(setsockopt(end->sock->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
}

/* ---- Contexts ---- */

struct tls_text text_of(const char *text)
{
    return (struct tls_text){text, strlen(text)};
}

struct tls_context *ends_context(const struct tls_config *config)
{
    struct error error;
    struct tls_context *context = tls_context_new(config, &error);

    if (context == NULL) {
        UNIT_FAIL_NOW("context: %s", error.message);
    }
    return context;
}

struct tls_context *ends_client_context(void (*change)(struct tls_config *config))
{
    struct tls_config config;

    tls_config_init(&config, TLS_CLIENT);
    config.ca = text_of(ends_tree.root->pem);
    if (change != NULL) {
        change(&config);
    }
    return ends_context(&config);
}

struct tls_context *ends_server_context(void (*change)(struct tls_config *config))
{
    struct tls_config config;

    tls_config_init(&config, TLS_SERVER);
    config.certificate = text_of(ends_tree.chain);
    config.key = text_of(ends_tree.leaf->key_pem);
    if (change != NULL) {
        change(&config);
    }
    return ends_context(&config);
}

/* ---- Meeting ---- */

static bool is_decided(void)
{
    return (ends_client_over() || ends_client.in.size > 0) &&
           (ends_server_over() || ends_server.in.size > 0);
}

void ends_greet(const struct tls_session_spec *client,
                const struct tls_session_spec *server)
{
    ends_close();
    ends_connect(false);
    end_start(&ends_client, client);
    end_start(&ends_server, server);
    buffer_add(&ends_client.out, "c", 1);
    buffer_add(&ends_server.out, "s", 1);
    ends_run(is_decided);
}

void ends_meet(const struct tls_config *client, const struct tls_config *server,
               struct tls_session_spec *client_spec)
{
    struct tls_context *client_context = ends_context(client);
    struct tls_context *server_context = ends_context(server);
    struct tls_session_spec server_spec = ends_spec(server_context);

    client_spec->context = client_context;
    ends_greet(client_spec, &server_spec);
    tls_context_unref(client_context);
    tls_context_unref(server_context);
}

/* ---- Plain OpenSSL ---- */

SSL *ends_bare_peer(SSL_CTX *ssl_ctx, bool is_server)
{
    int *side = &sides[is_server];
    SSL *ssl = SSL_new(ssl_ctx);

    CHECK(ssl != NULL && SSL_set_fd(ssl, *side) == 1);
    if (is_server) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
    }
    return ssl; /* the descriptor stays ends_close()'s */
}

static struct {
    struct end *end;
    SSL *peer;
} bare;

static bool bare_is_done(void)
{
    bool is_done = SSL_do_handshake(bare.peer) == 1;

    ERR_clear_error();
    return is_done && end_facts(bare.end).state == TLS_STATE_ESTABLISHED;
}

void ends_bare_handshake(struct end *end, SSL *peer)
{
    bare.end = end;
    bare.peer = peer;
    ends_run(bare_is_done);
}
