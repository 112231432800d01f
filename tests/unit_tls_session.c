/* SPDX-License-Identifier: MIT */
/*
 * unit_tls_session.c - tls_session.c, tls_transport.c, tls_wire.c: handshakes and data of
 * two sessions against each other, and their readiness.
 */
#include <config.h>

#include <string.h>
#include <sys/socket.h>

#include "daemon/net/stream.h"
#include "daemon/net/tls_offer.h"
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

/* ---- Data ---- */

static void check_facts(const char *version)
{
    struct tls_facts facts = end_facts(&ends_client);

    CU_ASSERT_EQUAL(facts.state, TLS_STATE_ESTABLISHED);
    CU_ASSERT_STRING_EQUAL(facts.version, version);
    CU_ASSERT_STRING_EQUAL(facts.server_name, "server.test");
    CU_ASSERT_PTR_NOT_NULL(facts.cipher);
    CU_ASSERT_PTR_NOT_NULL(facts.group);
    CU_ASSERT(facts.is_verified);
    CU_ASSERT_FALSE(facts.is_resumed);
    CU_ASSERT_PTR_NULL(facts.alpn);
    facts = end_facts(&ends_server);
    CU_ASSERT_STRING_EQUAL(facts.version, version);
    CU_ASSERT_STRING_EQUAL(facts.server_name, "server.test");
    CU_ASSERT_EQUAL(facts.role, TLS_SERVER);
    CU_ASSERT_FALSE(facts.is_verified); /* nobody asked for a certificate */
}

static void test_1_3(void)
{
    ends_pair(client, server, false);
    CU_ASSERT_EQUAL(end_facts(&ends_client).state, TLS_STATE_NEW);
    ends_talk(1000, 2000);
    check_facts("tlsv1.3");
    CU_ASSERT_STRING_EQUAL(end_facts(&ends_client).cipher, "TLS_AES_256_GCM_SHA384");
}

static void test_1_2(void)
{
    use_1_2();
    ends_pair(client, server, false);
    ends_talk(1000, 2000);
    check_facts("tlsv1.2");
    CU_ASSERT_STRING_EQUAL(end_facts(&ends_client).cipher,
                           "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
}

/* Only one of them ever does anything; the other reads. */
static void test_write_first(void)
{
    ends_pair(client, server, false);
    ends_client.is_reading = false;
    ends_fill(&ends_client.out, 10, 1);
    ends_wanted_client = 0;
    ends_wanted_server = 10;
    ends_run(ends_all_has_come);
    CU_ASSERT(ends_is_filled(&ends_server.in, 10, 1));
    ends_close();
    ends_pair(client, server, false);
    ends_server.is_reading = false;
    ends_fill(&ends_server.out, 10, 2);
    ends_wanted_client = 10;
    ends_wanted_server = 0;
    ends_run(ends_all_has_come);
    CU_ASSERT(ends_is_filled(&ends_client.in, 10, 2));
}

/* Nobody reads or writes: the handshake that was begun goes on by itself. */
static void test_handshake_alone(void)
{
    struct transport_fault fault;

    ends_pair(client, server, false);
    ends_client.is_reading = ends_server.is_reading = false;
    ends_idle();
    CU_ASSERT_EQUAL(end_facts(&ends_client).state, TLS_STATE_NEW);
    CU_ASSERT_EQUAL(tls_session_handshake(ends_client.sock, &fault), TRANSPORT_AGAIN);
    CU_ASSERT_EQUAL(tls_session_handshake(ends_server.sock, &fault), TRANSPORT_AGAIN);
    CU_ASSERT_EQUAL(end_facts(&ends_client).state, TLS_STATE_HANDSHAKE);
    ends_run(ends_are_established);
    CU_ASSERT_EQUAL(tls_session_handshake(ends_client.sock, &fault), TRANSPORT_OK);
    CU_ASSERT(ends_client.sock->can_write);
    CU_ASSERT(ends_server.sock->can_read);
}

/* Every byte by itself, in every version. */
static void test_bytewise(void)
{
    for (unsigned i = 0; i < 2; i++) {
        ends_pair(client, server, true);
        ends_lanes[0].step = ends_lanes[1].step = 1;
        ends_talk(300, 300);
        ends_close();
        use_1_2();
    }
}

/* Odd pieces everywhere: of the wire, and of who reads and writes. */
static void test_pieces(void)
{
    static const size_t pieces[] = {3, 1000, 16384, 16389, 40000};

    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        ends_pair(client, server, true);
        ends_lanes[0].step = pieces[i];
        ends_lanes[1].step = pieces[i] + 1;
        ends_client.chunk = 7919;
        ends_server.chunk = pieces[i] < 100 ? 0 : pieces[i];
        ends_talk(100000, 70000);
        ends_close();
    }
}

/* Much more than fits anywhere, both ways at once. */
static void test_large(void)
{
    for (unsigned i = 0; i < 2; i++) {
        ends_pair(client, server, false);
        if (i == 1) {
            end_shrink_buffers(&ends_client);
            end_shrink_buffers(&ends_server);
        }
        ends_talk(3000000, 2000000);
        ends_close();
    }
}

/* Both write until nothing goes any more, and only then does one of them read. */
static void test_both_full(void)
{
    ends_pair(client, server, false);
    ends_client.is_reading = ends_server.is_reading = false;
    ends_fill(&ends_client.out, 2000000, 1);
    ends_fill(&ends_server.out, 2000000, 2);
    ends_idle();
    struct tls_session *session = tls_session_of(ends_client.sock);

    CU_ASSERT(ends_client.out.size > 0);
    CU_ASSERT(session->wire.out.size <= TLS_UNSENT_LIMIT);
    CU_ASSERT_FALSE(ends_client.sock->can_write);
    CU_ASSERT_EQUAL(transport_tls.unsent(ends_client.sock), session->wire.out.size);
    ends_server.is_reading = true;
    ends_wanted_client = 0;
    ends_wanted_server = 2000000;
    ends_run(ends_all_has_come);
    ends_client.is_reading = true;
    ends_wanted_client = 2000000;
    ends_run(ends_all_has_come);
    CU_ASSERT(ends_is_filled(&ends_server.in, 2000000, 1));
    CU_ASSERT(ends_is_filled(&ends_client.in, 2000000, 2));
}

/* Nothing is held for those who are idle. */
static void test_idle_memory(void)
{
    ends_pair(client, server, false);
    ends_fill(&ends_client.out, 100000, 1);
    ends_wanted_client = 0;
    ends_wanted_server = 100000;
    ends_run(ends_all_has_come);
    ends_idle();
    for (unsigned i = 0; i < 2; i++) {
        struct tls_session *session =
            tls_session_of((i == 0 ? &ends_client : &ends_server)->sock);
        CU_ASSERT_PTR_NULL(session->wire.in.memory);
        CU_ASSERT_PTR_NULL(session->wire.out.memory);
        CU_ASSERT_PTR_NULL(session->handshake);
    }
}

/* ---- Readiness ---- */

static bool is_readable(void)
{
    return ends_server.sock->can_read &&
           (transport_tls.state(ends_server.sock) & TRANSPORT_READABLE) != 0;
}

/* Waiting for input gets the handshake going, takes nothing away, and sees the end. */
static void test_state(void)
{
    ends_pair(client, server, false);
    ends_server.is_reading = false;
    CU_ASSERT_EQUAL(transport_tls.state(ends_server.sock), 0);
    ends_fill(&ends_client.out, 20, 1);
    ends_run(is_readable);
    ends_idle();
    CU_ASSERT(is_readable());
    ends_server.is_reading = true;
    ends_wanted_client = 0;
    ends_wanted_server = 20;
    ends_run(ends_all_has_come);
    CU_ASSERT(ends_is_filled(&ends_server.in, 20, 1));
    ends_server.is_reading = false;
    ends_idle();
    CU_ASSERT_FALSE(is_readable());
    ends_client.wants_shutdown = true;
    ends_run(is_readable);
    CU_ASSERT_FALSE(transport_tls.state(ends_server.sock) & TRANSPORT_BROKEN);
    ends_server.is_reading = true;
    ends_run(ends_server_over);
    CU_ASSERT_EQUAL(ends_server.input_end, TRANSPORT_END);
}

/* Bytes that the plain stream had received are the beginning of the session. */
static void test_bytes_before(void)
{
    struct tls_session_spec spec = ends_spec(server);
    struct tls_session_spec client_spec = ends_spec(client);
    uint8_t hello[4096];
    struct transport_fault fault;

    ends_connect(false);
    end_start(&ends_client, &client_spec);
    end_open(&ends_server);
    CU_ASSERT_EQUAL(tls_session_handshake(ends_client.sock, &fault), TRANSPORT_AGAIN);
    ssize_t size = recv(ends_server.sock->fd, hello, sizeof hello, 0);
    struct error error;

    CU_ASSERT_FATAL(size > 100);
    spec.received = hello;
    spec.received_size = (size_t)size;
    CU_ASSERT_FATAL(tls_session_open(ends_server.sock, &spec, &error));
    ends_talk(10, 10);
}

static void test_input_shut(void)
{
    ends_pair(client, server, false);
    transport_tls.shutdown_input(ends_server.sock);
    ends_run(ends_server_over);
    CU_ASSERT_EQUAL(ends_server.input_end, TRANSPORT_END);
    /* It cannot read, but the handshake can. */
    ends_fill(&ends_server.out, 5000, 2);
    ends_server.wants_shutdown = true;
    ends_run(ends_client_over);
    CU_ASSERT(ends_is_filled(&ends_client.in, 5000, 2));
    CU_ASSERT_EQUAL(ends_client.input_end, TRANSPORT_END);
}

/* ---- Contexts that are replaced ---- */

static unsigned n_stored(void)
{
    return tls_tickets_count(server->tickets) + tls_cache_count(client->cache) +
           (unsigned)SSL_CTX_sess_number(server->ssl_ctx);
}

static void byte_each_way(unsigned seed)
{
    ends_fill(&ends_client.out, 1, seed);
    ends_fill(&ends_server.out, 1, seed);
    ends_wanted_client++;
    ends_wanted_server++;
    ends_run(ends_all_has_come);
}

/* Streams go on, and what could resume them is gone at once, though they hold the
 * context; handshakes under way are done, and leave nothing either. */
static void check_retirement(void)
{
    struct tls_published *places[] = {tls_published_new(tls_context_ref(client)),
                                      tls_published_new(tls_context_ref(server))};

    ends_wanted_client = ends_wanted_server = 0;
    ends_pair(client, server, false);
    byte_each_way(1);
    CU_ASSERT(n_stored() >= 2);
    tls_published_replace(places[0], ends_client_context(NULL));
    tls_published_replace(places[1], ends_server_context(NULL));
    CU_ASSERT_EQUAL(n_stored(), 0);
    byte_each_way(2);
    ends_close();
    ends_pair(client, server, false);
    ends_talk(10, 10);
    CU_ASSERT_FALSE(end_facts(&ends_server).is_resumed);
    CU_ASSERT_EQUAL(tls_tickets_count(server->tickets), 0);
    CU_ASSERT_EQUAL(tls_cache_count(client->cache), 0);
    tls_published_unref(places[0]);
    tls_published_unref(places[1]);
}

static void test_retired(void) { check_retirement(); }

static void test_retired_1_2(void)
{
    use_1_2();
    check_retirement();
}

static const struct unit_test tests[] = {
    {"TLS 1.3", test_1_3},
    {"TLS 1.2", test_1_2},
    {"who writes without reading, either side", test_write_first},
    {"a handshake goes on by itself", test_handshake_alone},
    {"one byte at a time", test_bytewise},
    {"pieces of odd sizes", test_pieces},
    {"megabytes both ways, through narrow sockets too", test_large},
    {"both sides full", test_both_full},
    {"idle sessions hold no buffers", test_idle_memory},
    {"readiness without reading", test_state},
    {"bytes received before the session", test_bytes_before},
    {"input shut, output going on", test_input_shut},
    {"contexts that are replaced", test_retired},
    {"contexts that are replaced, TLS 1.2", test_retired_1_2},
};

UNIT_MAIN_AROUND(tests, before, after)
