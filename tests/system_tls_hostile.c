/* SPDX-License-Identifier: MIT */
/*
 * system_tls_hostile.c - peers that stall, leave or lie at every point of the handshake,
 * say something else than TLS, or never stop to say nothing; and listeners under many of
 * them.
 */
#include <config.h>

#include <openssl/err.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/tls_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

static const struct mode {
    const char *role; /* of the daemon */
    int version;
} modes[] = {
    {"client", TLS1_3_VERSION},
    {"server", TLS1_3_VERSION},
    {"client", TLS1_2_VERSION},
    {"server", TLS1_2_VERSION},
};
enum { N_MODES = sizeof modes / sizeof modes[0] };

/* ---- A handshake of which only so many bytes reach the daemon ---- */

/* The peer, and its wire, which the test carries. */
static BIO *outer;

static void open_peer(const struct mode *mode)
{
    bool is_client = strcmp(mode->role, "client") == 0;
    struct tls_peer_spec peer = is_client ? tls_server_peer() : tls_client_peer();
    BIO *inner;

    BIO_free(outer);
    peer.version = mode->version;
    tls_peer = tls_peer_new(&peer, pair.peer);
    /* So that its last byte is one that the daemon needs. */
    CU_ASSERT_EQUAL(SSL_set_num_tickets(tls_peer, 0), 1);
    SSL_set_options(tls_peer, SSL_OP_NO_TICKET);
    CU_ASSERT_EQUAL_FATAL(BIO_new_bio_pair(&inner, 65536, &outer, 65536), 1);
    SSL_set_bio(tls_peer, inner, inner);
}

/* Waits until the daemon has something for the peer, or an answer to the request: then
 * it is false. */
static bool has_more(int64_t id)
{
    struct pollfd polled[] = {{.fd = pair.peer, .events = POLLIN},
                              {.fd = wire_descriptor(pair.wire), .events = POLLIN}};

    do {
        CU_ASSERT_FATAL(poll(polled, 2, HARNESS_WAIT_MS) > 0);
        if (polled[0].revents != 0) {
            return true;
        }
    } while (!wire_is_answered(pair.wire, id));
    return false;
}

/* Carries bytes both ways until the peer is done, `budget` bytes of its have gone to the
 * daemon, or that has answered; how many have. The byte number `bend_at` gets a bit
 * changed. */
static size_t carry(int64_t id, size_t budget, size_t bend_at)
{
    char bytes[4096], byte;
    size_t n_sent = 0;

    while (SSL_do_handshake(tls_peer) != 1 || BIO_ctrl_pending(outer) > 0) {
        if (BIO_ctrl_pending(outer) == 0) {
            if (!has_more(id)) {
                break;
            }
            size_t n = peer_read(pair.peer, bytes, sizeof bytes);
            if (n == 0) {
                break; /* the daemon has had enough */
            }
            CU_ASSERT_EQUAL_FATAL(BIO_write(outer, bytes, (int)n), (int)n);
            continue;
        }
        if (n_sent == budget) {
            break;
        }
        CU_ASSERT_EQUAL_FATAL(BIO_read(outer, &byte, 1), 1);
        if (n_sent++ == bend_at) {
            byte ^= 0x20;
        }
        peer_write(pair.peer, &byte, 1);
    }
    return n_sent;
}

static json_t *params_of(const struct mode *mode, double seconds)
{
    return strcmp(mode->role, "client") == 0
               ? tls_client_params("{s:f}", "handshake-timeout", seconds)
               : tls_server_params("{s:f}", "handshake-timeout", seconds);
}

/* Another pair whose daemon is asked for its handshake; the request. */
static int64_t begin(const struct mode *mode, double seconds)
{
    pair_open(NULL);
    tls_wrap(mode->role, params_of(mode, seconds));
    int64_t id = wire_send(pair.wire, "ssl-do-handshake", "{s:I}", "socket", pair.sock);
    open_peer(mode);
    return id;
}

/* Points of a handshake of `total` bytes where it is stopped. Signatures differ by some
 * bytes from one to the next, so the last points stay away from the very end. */
enum { N_POINTS = 11 };

static size_t point(size_t total, size_t i)
{
    const size_t points[N_POINTS] = {
        0, 1, 4, 5, 6, 11, total / 4, total / 2, total - 30, total - 24, total - 16};

    return points[i];
}

static size_t whole(const struct mode *mode)
{
    int64_t id = begin(mode, 60);
    size_t total = carry(id, SIZE_MAX, SIZE_MAX);

    wire_result(pair.wire, id);
    CU_ASSERT_FATAL(total > 30);
    return total;
}

static void finish(void)
{
    wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
    peer_close(pair.peer);
}

static void test_stalls(void)
{
    pair_start(NULL);
    for (size_t m = 0; m < N_MODES; m++) {
        size_t total = whole(&modes[m]);
        for (size_t i = 0; i < N_POINTS; i++) {
            int64_t id = begin(&modes[m], 0.02);
            int64_t read = wire_send(pair.wire, "read", "{s:I}", "socket", pair.sock);
            (void)carry(id, point(total, i), SIZE_MAX);
            wire_error(pair.wire, id, "handshake-timeout");
            wire_error(pair.wire, read, "handshake-timeout");
            wire_refused(pair.wire, "handshake-timeout", "write", "{s:I, s:s}", "socket",
                         pair.sock, "data", "x");
            CU_ASSERT_STRING_EQUAL(wire_text(tls_facts(), "state"), "failed");
            finish();
        }
    }
}

static void test_leaves(void)
{
    pair_start(NULL);
    for (size_t m = 0; m < N_MODES; m++) {
        size_t total = whole(&modes[m]);
        for (size_t i = 0; i < N_POINTS; i++) {
            int64_t id = begin(&modes[m], 60);
            (void)carry(id, point(total, i), SIZE_MAX);
            peer_shut_output(pair.peer);
            json_t *error = wire_error(pair.wire, id, "ssl-error");
            CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "reason"),
                                   "unexpected eof while reading");
            finish();
            id = begin(&modes[m], 60);
            (void)carry(id, point(total, i), SIZE_MAX);
            peer_abort(pair.peer);
            wire_error(pair.wire, id, "connection-reset");
            wire_call(pair.wire, "close", "{s:I}", "socket", pair.sock);
        }
    }
}

/* A changed bit anywhere in what is protected: no handshake, but an answer. */
static void test_lies(void)
{
    pair_start(NULL);
    for (size_t m = 0; m < N_MODES; m++) {
        size_t total = whole(&modes[m]);
        for (size_t at = 11; at < total; at += 1 + total / 20) {
            /* Whoever waits for bytes that were never meant has a deadline. */
            int64_t id = begin(&modes[m], 0.05);
            (void)carry(id, SIZE_MAX, at);
            json_t *error = json_object_get(wire_reply(pair.wire, id), "error");
            if (error == NULL) {
                /* In TLS 1.3 the server speaks last: then it is the peer that finds it.
                 */
                CU_ASSERT_STRING_EQUAL(modes[m].role, "client");
                CU_ASSERT_FALSE(SSL_is_init_finished(tls_peer));
            }
            finish();
        }
    }
}

/* ---- Something else than TLS ---- */

static void test_garbage(void)
{
    static const struct {
        const char *bytes;
        size_t size;
    } garbage[] = {
        {"GET / HTTP/1.0\r\n\r\n", 18},
        {"SSH-2.0-OpenSSH_9.2\r\n", 21},
        {"EHLO you\r\n", 10},
        {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10},
        {"\x17\x03\x03\x00\x05hello", 10},                /* data before any key */
        {"\x16\x03\x03\xff\xff", 5},                      /* too long a record */
        {"\x16\x03\x01\x00\x00\x16\x03\x01\x00\x00", 10}, /* empty ones */
        {"\x14\x03\x03\x00\x01\x01\x14\x03\x03\x00\x01\x01", 12},
        {"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", 11}, /* as SSL 2 greets */
        {"\x15\x03\x03\x00\x02\x02\x28", 7},                  /* an alert */
        {"\x16\x03\x03\x00\x04\xfe\x00\x00\x00", 9},          /* no such message */
    };

    pair_start(NULL);
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        for (int role = 0; role < 2; role++) {
            pair_open(NULL);
            tls_wrap(role ? "server" : "client",
                     role ? tls_server_params(NULL) : tls_client_params(NULL));
            int64_t id =
                wire_send(pair.wire, "ssl-do-handshake", "{s:I}", "socket", pair.sock);
            peer_write(pair.peer, garbage[i].bytes, garbage[i].size);
            peer_shut_output(pair.peer);
            json_t *error = wire_error(pair.wire, id, "ssl-error");
            CU_ASSERT(wire_text(json_object_get(error, "data"), "reason")[0] != '\0');
            wire_refused(pair.wire, "ssl-error", "read", "{s:I}", "socket", pair.sock);
            finish();
        }
    }
}

/* An alert in the handshake is told with its number. */
static void test_alert(void)
{
    struct tls_peer_spec peer = tls_client_peer();

    pair_start(NULL);
    tls_wrap("server", tls_server_params(NULL));
    peer.server_name = "other.test"; /* the peer refuses the certificate */
    json_t *error = tls_refuse(&peer, "ssl-error");
    json_t *data = json_object_get(error, "data");
    CU_ASSERT_EQUAL(wire_int(data, "alert"), SSL_AD_BAD_CERTIFICATE);
    CU_ASSERT_PTR_NOT_NULL(strstr(wire_text(data, "reason"), "alert bad certificate"));
}

/* ---- Floods ---- */

static void test_flood_of_updates(void)
{
    for (int role = 0; role < 2; role++) {
        if (role == 0) {
            tls_start("client", NULL, NULL);
        } else {
            tls_again("server", NULL, NULL);
        }
        int64_t id = wire_send(pair.wire, "read", "{s:I}", "socket", pair.sock);
        bool is_stopped = false;
        for (unsigned i = 0; i < 1000000 && !is_stopped; i++) {
            is_stopped = SSL_key_update(tls_peer, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 ||
                         SSL_do_handshake(tls_peer) != 1 ||
                         (i % 64 == 0 && wire_is_answered(pair.wire, id));
        }
        CU_ASSERT(is_stopped);
        wire_error(pair.wire, id, "ssl-error");
        ERR_clear_error();
    }
}

/* ---- A listener under many of them ---- */

static int64_t listener;

static int64_t count(const char *member)
{
    json_t *described =
        wire_call(pair.wire, "describe-socket", "{s:I}", "socket", listener);

    return wire_int(json_object_get(described, "runtime"), member);
}

static bool are_counted(void *context)
{
    const int64_t *n = context;

    return count("handshakes") == n[0] && count("handshakes-failed") == n[1];
}

static int listen_with(double seconds)
{
    int64_t context = tls_context("server", tls_server_params(NULL));
    json_t *made = wire_call(pair.wire, "make-socket", "{s:s, s:s, s:I, s:f}", "connect",
                             "passive", "local-host", "127.0.0.1", "ssl-context", context,
                             "handshake-timeout", seconds);

    listener = wire_int(made, "socket");
    return (int)wire_int(made, "local-port");
}

/* A good client gets through whoever stands at the door; none of these is delivered. */
static void test_stalled_listener(void)
{
    enum { N = 60 };
    static const char garbage[1000]; /* more than the records promise that were begun */
    struct tls_peer_spec peer = tls_client_peer();
    int fds[N];

    pair.harness = harness_start(NULL);
    pair.wire = wire_open(pair.harness);
    int port = listen_with(60);
    int64_t id = wire_send(pair.wire, "accept-connection", "{s:I}", "socket", listener);
    for (int i = 0; i < N; i++) {
        fds[i] = peer_connect("127.0.0.1", port);
        peer_write(fds[i], "\x16\x03\x01\x02\x00\x01", (size_t)(i % 7));
    }
    pair.peer = peer_connect("127.0.0.1", port);
    tls_peer = tls_peer_new(&peer, pair.peer);
    tls_peer_handshake(tls_peer);
    json_t *made = wire_result(pair.wire, id);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(made, "tls"), "state"),
                           "established");
    pair.sock = wire_int(made, "socket");
    tls_talk();
    harness_await(are_counted, &(int64_t[]){N, 0}, "handshakes under way");
    int n_before = harness_n_descriptors(pair.harness);
    for (int i = 0; i < N; i++) {
        if (i % 2) {
            peer_abort(fds[i]);
        } else {
            peer_write(fds[i], garbage, sizeof garbage);
        }
    }
    harness_await(are_counted, &(int64_t[]){0, N}, "failed handshakes");
    CU_ASSERT_EQUAL(harness_n_descriptors(pair.harness), n_before - N);
    id = wire_send(pair.wire, "accept-connection", "{s:I, s:b}", "socket", listener,
                   "wait", 0);
    json_t *nobody = json_object_get(wire_reply(pair.wire, id), "result");
    CU_ASSERT(json_is_null(nobody));
    tls_talk();
}

/* Those that stall are gone when their time is over, without anybody who accepts. */
static void test_listener_deadline(void)
{
    enum { N = 20 };
    int fds[N];

    pair.harness = harness_start(NULL);
    pair.wire = wire_open(pair.harness);
    int port = listen_with(0.02);
    for (int i = 0; i < N; i++) {
        fds[i] = peer_connect("127.0.0.1", port);
        peer_write(fds[i], "\x16\x03\x01\x02\x00\x01", (size_t)(i % 7));
    }
    for (int i = 0; i < N; i++) {
        char bytes[64];
        /* An alert may come before the end. */
        while (peer_read(fds[i], bytes, sizeof bytes) > 0) {
        }
    }
    harness_await(are_counted, &(int64_t[]){0, N}, "failed handshakes");
    wire_refused(pair.wire, "timeout", "accept-connection", "{s:I, s:f}", "socket",
                 listener, "timeout", 0.01);
}

/* Closed in the middle of handshakes, whose deadline is far away. */
static void test_listener_closed(void)
{
    enum { N = 20 };
    int fds[N];

    pair.harness = harness_start(NULL);
    pair.wire = wire_open(pair.harness);
    int port = listen_with(3600);
    int n_before = harness_n_descriptors(pair.harness);

    for (int i = 0; i < N; i++) {
        fds[i] = peer_connect("127.0.0.1", port);
        peer_write(fds[i], "\x16\x03\x01\x02\x00\x01", (size_t)(i % 7));
    }
    harness_await(are_counted, &(int64_t[]){N, 0}, "handshakes under way");
    CU_ASSERT_EQUAL(harness_n_descriptors(pair.harness), n_before + N);
    wire_call(pair.wire, "close", "{s:I}", "socket", listener);
    for (int i = 0; i < N; i++) {
        char byte;
        peer_await(fds[i], POLLIN, "the end of a connection");
        CU_ASSERT(recv(fds[i], &byte, 1, 0) <= 0);
    }
}

static void after(void)
{
    BIO_free(outer);
    outer = NULL;
    tls_after();
}

static const struct unit_test tests[] = {
    {"a peer that stalls, anywhere", test_stalls},
    {"a peer that leaves, anywhere", test_leaves},
    {"a changed bit, anywhere", test_lies},
    {"something else than TLS", test_garbage},
    {"an alert is told", test_alert},
    {"a flood of key updates", test_flood_of_updates},
    {"a listener with many that stall", test_stalled_listener},
    {"a listener's deadline", test_listener_deadline},
    {"a listener closed under handshakes", test_listener_closed},
};

UNIT_MAIN_AROUND(tests, tls_before, after)
