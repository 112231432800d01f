/* SPDX-License-Identifier: MIT */
/*
 * unit_tls_failures.c - tls_session.c, tls_transport.c, tls_wire.c: how sessions end,
 * well and badly, and what a hostile peer can do to them.
 */
#include <config.h>

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/check.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls_parts.h"
#include "tests/tls_ends.h"
#include "tests/unit.h"

static struct tls_context *client, *server;

static void before(void)
{
    ends_start();
    client = ends_client_context(NULL);
    server = ends_server_context(NULL);
}

static void after(void)
{
    ends_close();
    tls_context_unref(client);
    tls_context_unref(server);
    ends_stop();
}

static void only_1_2(struct tls_config *config) { config->versions = TLS_VERSION_1_2; }

static void use_1_2(void)
{
    tls_context_unref(server);
    server = ends_server_context(only_1_2);
}

/* ---- Ends ---- */

static void test_half_close(void)
{
    for (unsigned i = 0; i < 2; i++) {
        ends_pair(client, server, false);
        ends_fill(&ends_client.out, 5000, 1);
        ends_client.wants_shutdown = true;
        ends_run(ends_server_over);
        CU_ASSERT_EQUAL(ends_server.input_end, TRANSPORT_END);
        CU_ASSERT(ends_is_filled(&ends_server.in, 5000, 1));
        /* The other direction does not care. */
        ends_fill(&ends_server.out, 400000, 2);
        ends_server.wants_shutdown = true;
        ends_run(ends_client_over);
        CU_ASSERT_EQUAL(ends_client.input_end, TRANSPORT_END);
        CU_ASSERT(ends_is_filled(&ends_client.in, 400000, 2));
        ends_close();
        use_1_2();
    }
}

/* The end is asked for before anything else. */
static void test_shutdown_first(void)
{
    ends_pair(client, server, false);
    ends_client.wants_shutdown = true;
    ends_run(ends_server_over);
    CU_ASSERT_EQUAL(ends_server.input_end, TRANSPORT_END);
    CU_ASSERT_EQUAL(end_facts(&ends_client).state, TLS_STATE_ESTABLISHED);
}

static void test_farewell(void)
{
    ends_pair(client, server, false);
    ends_fill(&ends_client.out, 100, 1);
    ends_wanted_client = 0;
    ends_wanted_server = 100;
    ends_run(ends_all_has_come);
    transport_tls.farewell(ends_client.sock);
    CU_ASSERT_EQUAL(transport_tls.unsent(ends_client.sock), 0);
    end_close(&ends_client);
    ends_run(ends_server_over);
    CU_ASSERT_EQUAL(ends_server.input_end, TRANSPORT_END);
}

static bool truncation_allowed;

static void pair_for_truncation(void)
{
    struct tls_session_spec client_spec = ends_spec(client);
    struct tls_session_spec server_spec = ends_spec(server);

    server_spec.allows_truncation = truncation_allowed;
    ends_connect(true);
    end_start(&ends_client, &client_spec);
    end_start(&ends_server, &server_spec);
}

/* The end of file without a word, between two records and inside one: in its header, in
 * its body, and where as many bytes are missing as a header has. */
static void test_truncation(void)
{
    static const size_t parts[] = {0, 3, 100, 1000 + 5 + 1 + 16 - 5};

    for (unsigned i = 0; i < 8; i++) {
        truncation_allowed = i >= 4;
        pair_for_truncation();
        ends_run(ends_are_established);
        ends_fill(&ends_client.out, 1000, 1);
        ends_wanted_server = 1000;
        ends_wanted_client = 0;
        ends_run(ends_all_has_come);
        ends_lanes[0].budget = ends_lanes[0].n_carried + parts[i % 4];
        ends_fill(&ends_client.out, 1000, 3);
        ends_idle();
        ends_cut(0);
        ends_run(ends_server_over);
        CU_ASSERT(ends_is_filled(&ends_server.in, 1000, 1));
        CU_ASSERT_EQUAL(ends_server.input_end, truncation_allowed && parts[i % 4] == 0
                                                   ? TRANSPORT_END
                                                   : TRANSPORT_TRUNCATED);
        /* The output is not touched by it. */
        ends_fill(&ends_server.out, 50000, 2);
        ends_wanted_client = 50000;
        ends_run(ends_all_has_come);
        CU_ASSERT(ends_is_filled(&ends_client.in, 50000, 2));
        ends_close();
    }
}

/* What came before the cut is delivered first, though both are there already. */
static void test_data_before_cut(void)
{
    truncation_allowed = false;
    pair_for_truncation();
    ends_run(ends_are_established);
    ends_server.is_reading = false;
    ends_fill(&ends_client.out, 100000, 1);
    ends_idle();
    ends_cut(0);
    ends_server.is_reading = true;
    ends_run(ends_server_over);
    CU_ASSERT(ends_is_filled(&ends_server.in, 100000, 1));
    CU_ASSERT_EQUAL(ends_server.input_end, TRANSPORT_TRUNCATED);
}

/* A peer that goes with unread input leaves a reset. */
static void test_reset(void)
{
    ends_pair(client, server, false);
    ends_run(ends_are_established);
    ends_idle();
    ends_fill(&ends_client.out, 1000, 1);
    ends_wanted_client = 0;
    ends_wanted_server = 1000;
    ends_run(ends_all_has_come);
    ends_server.is_reading = false;
    ends_fill(&ends_client.out, 1000, 1);
    ends_idle();
    end_close(&ends_server);
    ends_run(ends_client_over);
    struct error error = end_error(&ends_client);

    CU_ASSERT_EQUAL(ends_client.input_end, TRANSPORT_FAILED);
    CU_ASSERT_EQUAL(error.id, ERROR_CONNECTION_RESET);
    CU_ASSERT_EQUAL(error.errnum, ECONNRESET);
    ends_fill(&ends_client.out, 1, 1);
    ends_idle();
    CU_ASSERT(ends_client.has_write_failed);
}

/* A write finds the connection broken; what came before can still be read. */
static void test_read_after_broken_pipe(void)
{
    ends_pair(client, server, false);
    ends_run(ends_are_established);
    ends_client.is_reading = false;
    ends_fill(&ends_server.out, 3000, 2);
    ends_server.wants_shutdown = true;
    ends_idle();
    end_close(&ends_server);
    ends_fill(&ends_client.out, 1000, 1);
    ends_idle();
    CU_ASSERT(ends_client.has_write_failed);
    CU_ASSERT_EQUAL(ends_client.write_fault.id, ERROR_BROKEN_PIPE);
    ends_client.is_reading = true;
    ends_run(ends_client_over);
    CU_ASSERT(ends_is_filled(&ends_client.in, 3000, 2));
    CU_ASSERT_EQUAL(ends_client.input_end, TRANSPORT_END);
}

/* ---- Failures ---- */

static void test_deadline(void)
{
    struct tls_session_spec spec = ends_spec(server);

    spec.handshake_seconds = 0.05;
    ends_connect(false);
    end_start(&ends_server, &spec);
    ends_run(ends_server_over);
    CU_ASSERT_EQUAL(end_error(&ends_server).id, ERROR_HANDSHAKE_TIMEOUT);
    CU_ASSERT_EQUAL(end_facts(&ends_server).state, TLS_STATE_FAILED);
    ends_close();
    /* A peer that sends a byte now and then does not put it off. */
    ends_connect(true);
    end_start(&ends_server, &spec);
    spec.context = client;
    spec.handshake_seconds = 60;
    end_start(&ends_client, &spec);
    ends_lanes[0].step = 1;
    ends_lanes[0].budget = 50;
    ends_run(ends_server_over);
    CU_ASSERT_EQUAL(end_error(&ends_server).id, ERROR_HANDSHAKE_TIMEOUT);
}

/* The connection ends after so and so many bytes of the client's handshake, and of the
 * server's: an error, no crash, nothing left. */
static void test_cut_anywhere(void)
{
    unsigned n_failed = 0;

    for (unsigned lane = 0; lane < 2; lane++) {
        for (size_t size = 0; size < 700; size += size < 20 ? 1 : 53) {
            ends_pair(client, server, true);
            ends_lanes[lane].budget = size;
            ends_idle();
            ends_cut(lane);
            ends_run(lane == 0 ? ends_server_over : ends_client_over);
            struct end *end = lane == 0 ? &ends_server : &ends_client;
            struct error error = end_error(end);

            if (end_facts(end).state == TLS_STATE_ESTABLISHED) {
                CU_ASSERT_EQUAL(end->input_end, TRANSPORT_TRUNCATED);
            } else {
                CU_ASSERT_EQUAL(error.id, ERROR_SSL_ERROR);
                CU_ASSERT_STRING_EQUAL(error.reason, "unexpected eof while reading");
                n_failed++;
            }
            ends_close();
        }
    }
    CU_ASSERT(n_failed > 40);
}

/* A bit is changed anywhere: the handshake fails, or the data do, and never silently. */
static void test_bent_anywhere(void)
{
    for (unsigned lane = 0; lane < 2; lane++) {
        for (size_t at = 0; at < 1500; at += 61) {
            ends_pair(client, server, true);
            ends_lanes[lane].bend_at = at;
            ends_fill(&ends_client.out, 2000, 1);
            ends_fill(&ends_server.out, 2000, 2);
            ends_client.wants_shutdown = ends_server.wants_shutdown = true;
            ends_idle();
            CU_ASSERT_FALSE(ends_is_filled(&ends_server.in, 2000, 1) &&
                            ends_is_filled(&ends_client.in, 2000, 2) &&
                            ends_client.input_end == TRANSPORT_END &&
                            ends_server.input_end == TRANSPORT_END);
            ends_close();
        }
    }
}

static void send_raw(const char *text)
{
    struct sock *sock = ends_client.sock;

    CU_ASSERT(send(sock->fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

static void test_no_tls(void)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "http request"},
        {"\x80\x2e\x01\x00\x02 old", "unsupported protocol"},
        {"hello, is there anybody?\r\n", "wrong version number"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_session_spec spec = ends_spec(server);
        ends_connect(false);
        end_start(&ends_server, &spec);
        end_open(&ends_client);
        ends_client.is_reading = false;
        send_raw(cases[i].text);
        (void)shutdown(ends_client.sock->fd, SHUT_WR);
        ends_run(ends_server_over);
        struct error error = end_error(&ends_server);

        CU_ASSERT_EQUAL(error.id, ERROR_SSL_ERROR);
        if (i != 1) {
            CU_ASSERT_STRING_EQUAL(error.reason, cases[i].reason);
        }
        CU_ASSERT_STRING_EQUAL(error.library, "SSL routines");
        ends_close();
    }
}

/* The versions have nothing in common: both know why. */
static void test_versions_apart(void)
{
    struct tls_overrides overrides = TLS_OVERRIDES_NONE;
    struct tls_session_spec client_spec = ends_spec(client);
    struct tls_session_spec server_spec;

    use_1_2();
    server_spec = ends_spec(server);
    overrides.versions = TLS_VERSION_1_3;
    client_spec.overrides = &overrides;
    ends_connect(false);
    end_start(&ends_client, &client_spec);
    end_start(&ends_server, &server_spec);
    ends_run(ends_are_over);
    CU_ASSERT_STRING_EQUAL(end_error(&ends_server).reason, "unsupported protocol");
    CU_ASSERT_EQUAL(end_error(&ends_server).number, 0);
    CU_ASSERT_EQUAL(end_error(&ends_client).number, SSL_AD_PROTOCOL_VERSION);
    CU_ASSERT_STRING_EQUAL(end_error(&ends_client).reason,
                           "tlsv1 alert protocol version");
}

/* Sessions may go at any moment. */
static void test_close_anywhere(void)
{
    for (unsigned n_rounds = 0; n_rounds < 30; n_rounds++) {
        ends_pair(client, server, true);
        ends_lanes[0].step = ends_lanes[1].step = 100;
        ends_fill(&ends_client.out, 100, 1);
        ends_lanes[0].budget = (size_t)n_rounds * 40;
        ends_idle();
        ends_close();
    }
}

/* ---- Keys and floods ---- */

static void few_records(struct tls_config *config) { config->n_records = 3; }

static unsigned n_updates;

static void count_updates(int is_sent, int version, int type, const void *bytes,
                          size_t size, SSL *ssl, void *arg)
{
    if (type == SSL3_RT_HANDSHAKE && is_sent && size > 0 &&
        *(const uint8_t *)bytes == SSL3_MT_KEY_UPDATE) {
        n_updates++;
    }
    tls_session_count_message(is_sent, version, type, bytes, size, ssl, arg);
}

static void test_own_key_updates(void)
{
    tls_context_unref(client);
    client = ends_client_context(few_records);
    ends_pair(client, server, false);
    SSL_set_msg_callback(tls_session_of(ends_client.sock)->ssl, count_updates);
    n_updates = 0;
    /* 50 records of the client, then 50 of the server, whose keys the client asks to be
     * changed. */
    ends_talk((size_t)50 * TLS_RECORD_SIZE, (size_t)50 * TLS_RECORD_SIZE);
    CU_ASSERT(n_updates >= 12);
    CU_ASSERT(tls_session_of(ends_client.sock)->n_sealed < 7);
}

/* In TLS 1.2 there is no such thing; it must not be tried. */
static void test_no_key_update_in_1_2(void)
{
    tls_context_unref(client);
    client = ends_client_context(few_records);
    use_1_2();
    ends_pair(client, server, false);
    ends_talk((size_t)20 * TLS_RECORD_SIZE, 100);
}

static SSL_CTX *bare_context(bool is_server)
{
    SSL_CTX *ssl_ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());

    CHECK(ssl_ctx != NULL);
    if (is_server) {
        CHECK(SSL_CTX_use_certificate(ssl_ctx, ends_tree.leaf->x509) == 1 &&
              SSL_CTX_use_PrivateKey(ssl_ctx, ends_tree.leaf->key) == 1 &&
              SSL_CTX_add1_chain_cert(ssl_ctx, ends_tree.middle->x509) == 1);
    }
    return ssl_ctx;
}

static SSL *flooder;

static bool flood_goes_on(void)
{
    for (unsigned i = 0; i < 20; i++) {
        if (SSL_key_update(flooder, SSL_KEY_UPDATE_REQUESTED) == 1) {
            (void)SSL_do_handshake(flooder);
        }
    }
    char bytes[1024];

    (void)SSL_read(flooder, bytes, sizeof bytes); /* their answers */
    ERR_clear_error();
    return ends_server_over();
}

static void test_key_update_flood(void)
{
    struct tls_session_spec spec = ends_spec(server);
    SSL_CTX *ssl_ctx = bare_context(false);

    ends_connect(false);
    end_start(&ends_server, &spec);
    flooder = ends_bare_peer(ssl_ctx, false);
    ends_bare_handshake(&ends_server, flooder);
    ends_run(flood_goes_on);
    CU_ASSERT_EQUAL(end_error(&ends_server).id, ERROR_SSL_ERROR);
    CU_ASSERT(strstr(end_error(&ends_server).reason, "too many") != NULL);
    SSL_free(flooder);
    SSL_CTX_free(ssl_ctx);
}

static SSL *other;
static char heard[64];

static int n_heard;

static bool other_heard(void)
{
    int got = SSL_read(other, heard, sizeof heard);

    ERR_clear_error();
    n_heard = got > 0 ? got : n_heard;
    return n_heard > 0;
}

static bool other_wrote(void)
{
    bool is_done = SSL_write(other, "ping", 4) == 4;

    ERR_clear_error();
    return is_done;
}

/* Asks for key updates, whose answers nobody reads, and never fast enough to be a flood.
 */
static bool asks_on(void)
{
    tls_session_of(ends_server.sock)->n_control = 0;
    for (unsigned i = 0; i < 20; i++) {
        if (SSL_key_update(other, SSL_KEY_UPDATE_REQUESTED) == 1) {
            (void)SSL_do_handshake(other);
        }
    }
    ERR_clear_error();
    return tls_session_of(ends_server.sock)->receive_waits_for_output ||
           ends_server_over();
}

static size_t n_read;

static bool other_reads_all(void)
{
    char bytes[16384];
    int got;

    tls_session_of(ends_server.sock)->n_control = 0;
    (void)SSL_do_handshake(other);
    while ((got = SSL_read(other, bytes, sizeof bytes)) > 0) {
        n_read += (size_t)got;
    }
    ERR_clear_error();
    return n_read >= 1000000;
}

/* What a peer makes us answer waits behind our output; it does not grow without bound,
 * and nothing is lost by it. */
static void test_answers_are_bounded(void)
{
    struct tls_session_spec spec = ends_spec(server);
    SSL_CTX *ssl_ctx = bare_context(false);

    ends_connect(false);
    end_start(&ends_server, &spec);
    other = ends_bare_peer(ssl_ctx, false);
    ends_bare_handshake(&ends_server, other);
    struct tls_session *session = tls_session_of(ends_server.sock);

    end_shrink_buffers(&ends_server);
    ends_fill(&ends_server.out, 1000000, 2);
    ends_run(asks_on);
    CU_ASSERT_EQUAL(ends_server.input_end, TRANSPORT_OK);
    CU_ASSERT(session->wire.out.size > TLS_UNSENT_LIMIT);
    CU_ASSERT(session->wire.out.size < 2 * TLS_UNSENT_LIMIT);
    n_read = 0;
    ends_run(other_reads_all);
    CU_ASSERT_EQUAL(n_read, 1000000);
    CU_ASSERT_FALSE(session->receive_waits_for_output);
    ends_wanted_client = 0;
    ends_wanted_server = 4;
    ends_run(other_wrote);
    ends_run(ends_all_has_come);
    SSL_free(other);
    SSL_CTX_free(ssl_ctx);
}

/* The peer changes keys now and then, asks for ours, and goes on; also while our output
 * has ended, when no answer may be sent any more. */
static void test_peer_key_updates(void)
{
    struct tls_session_spec spec = ends_spec(server);
    SSL_CTX *ssl_ctx = bare_context(false);

    ends_connect(false);
    end_start(&ends_server, &spec);
    other = ends_bare_peer(ssl_ctx, false);
    ends_bare_handshake(&ends_server, other);
    ends_wanted_client = ends_wanted_server = 0;
    for (unsigned i = 0; i < 20; i++) {
        if (i == 10) {
            ends_server.wants_shutdown = true;
            ends_idle();
            CU_ASSERT(ends_server.is_shut);
        }
        CU_ASSERT(SSL_key_update(other, i % 2 == 0 ? SSL_KEY_UPDATE_REQUESTED
                                                   : SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
        ends_run(other_wrote);
        ends_wanted_server += 4;
        ends_run(ends_all_has_come);
        if (i < 10) {
            ends_fill(&ends_server.out, 3, 2);
            n_heard = 0;
            ends_run(other_heard);
            CU_ASSERT_EQUAL(n_heard, 3);
        }
    }
    CU_ASSERT_EQUAL(SSL_read(other, heard, sizeof heard), 0);
    CU_ASSERT_EQUAL(SSL_get_shutdown(other), SSL_RECEIVED_SHUTDOWN);
    CU_ASSERT_EQUAL(tls_session_of(ends_server.sock)->wire.write_errno, 0);
    SSL_free(other);
    SSL_CTX_free(ssl_ctx);
}

/* Renegotiation is refused, and the connection goes on. */
static void test_renegotiation(void)
{
    struct tls_session_spec spec;
    SSL_CTX *ssl_ctx = bare_context(false);

    use_1_2();
    spec = ends_spec(server);
    ends_connect(false);
    end_start(&ends_server, &spec);
    other = ends_bare_peer(ssl_ctx, false);
    ends_bare_handshake(&ends_server, other);
    CU_ASSERT(SSL_renegotiate(other) == 1);
    (void)SSL_do_handshake(other);
    ends_idle();
    CU_ASSERT_EQUAL(SSL_do_handshake(other), -1);
    CU_ASSERT_EQUAL(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
    ERR_clear_error();
    CU_ASSERT_EQUAL(end_facts(&ends_server).state, TLS_STATE_ESTABLISHED);
    CU_ASSERT_EQUAL(ends_server.input_end, TRANSPORT_OK);
    SSL_free(other);
    SSL_CTX_free(ssl_ctx);
}

static const struct unit_test tests[] = {
    {"each direction ends for itself", test_half_close},
    {"the end first of all", test_shutdown_first},
    {"goodbye before the close", test_farewell},
    {"an end without goodbye", test_truncation},
    {"data before the cut", test_data_before_cut},
    {"a reset", test_reset},
    {"reading after a write that failed", test_read_after_broken_pipe},
    {"the deadline of the handshake", test_deadline},
    {"handshakes cut anywhere", test_cut_anywhere},
    {"bytes bent anywhere", test_bent_anywhere},
    {"peers that do not speak TLS", test_no_tls},
    {"no version in common", test_versions_apart},
    {"sessions closed anywhere", test_close_anywhere},
    {"own key updates", test_own_key_updates},
    {"no key updates in TLS 1.2", test_no_key_update_in_1_2},
    {"a flood of key updates", test_key_update_flood},
    {"answers that nobody reads", test_answers_are_bounded},
    {"key updates of the peer, after our end too", test_peer_key_updates},
    {"renegotiation", test_renegotiation},
};

UNIT_MAIN_AROUND(tests, before, after)
