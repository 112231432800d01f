/* SPDX-License-Identifier: MIT */
/*
 * system_dns_hostile.c - name servers that lie, break off, fall silent, or are not there.
 */
#include <config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tests/dns_rig.h"
#include "tests/harness.h"
#include "tests/nameserver.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

#define ADDRESS_1 "3221225985"
#define ADDRESS_2 "3221225986"

static struct nameserver_rule *add(const char *name, unsigned tricks)
{
    struct nameserver_rule *rule = nameserver_add(name_rig.server, name, RR_A);

    nameserver_record(rule, 'a', name, RR_A, 300, "192.0.2.1");
    nameserver_trick(rule, tricks);
    return rule;
}

static void expect_flag(const json_t *result, const char *word)
{
    rig_expect_answer(result, "null");
    if (!rig_has_flag(result, word)) {
        char *text = json_dumps(result, JSON_COMPACT);
        UNIT_FAIL("flag %s should be there: %s", word, text);
        free(text);
    }
}

/* ---- Answers that do not belong ---- */

static void test_forgeries(void)
{
    static const struct {
        const char *name;
        unsigned trick;
    } cases[] = {
        {"id.test", TRICK_WRONG_ID},
        {"name.test", TRICK_WRONG_NAME},
        {"type.test", TRICK_WRONG_TYPE},
        {"source.test", TRICK_WRONG_SOURCE},
        {"empty.test", TRICK_EMPTY},
        {"short.test", TRICK_SHORT},
        {"all.test", TRICK_WRONG_ID | TRICK_WRONG_NAME | TRICK_WRONG_TYPE |
                         TRICK_WRONG_SOURCE | TRICK_EMPTY | TRICK_SHORT},
    };

    rig_start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)add(cases[i].name, cases[i].trick);
        unit_note("%s", cases[i].name);
        rig_expect_answer(rig_query("{s:s, s:i}", "name", cases[i].name, "timeout", 60),
                          ADDRESS_1);
        CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, cases[i].name), 1);
    }
    /* Nothing of it was kept, under whatever name. */
    rig_expect_answer(rig_query("{s:s}", "name", "other.name.test"), "null");
}

/* A forged answer that is alone ends nothing: the query goes on to its time-out. */
static void test_forgery_alone(void)
{
    rig_start();
    nameserver_trick(nameserver_add(name_rig.server, "lie.test", RR_A),
                     TRICK_WRONG_ID | TRICK_SILENT);
    expect_flag(
        rig_query("{s:s, s:f, s:i}", "name", "lie.test", "timeout", 0.05, "repeat", 2),
        "timed-out");
    nameserver_await(name_rig.server, "lie.test", 2);
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "lie.test"), 2);
}

static void test_ports(void)
{
    enum { N = 40 };
    char name[32];

    rig_start();
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "p%d.test", i);
        (void)rig_query("{s:s}", "name", name);
    }
    /* The kernel may choose one twice. */
    CU_ASSERT(nameserver_n_ports(name_rig.server) > N / 2);
}

/* ---- Answers that make no sense ---- */

static void test_malformed(void)
{
    static const struct {
        const char *name;
        unsigned trick;
    } cases[] = {{"pointer.test", TRICK_BAD_POINTER},
                 {"length.test", TRICK_BAD_LENGTH},
                 {"count.test", TRICK_BAD_COUNT}};
    json_t *result;

    rig_start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)add(cases[i].name, cases[i].trick);
        result = rig_query("{s:s}", "name", cases[i].name);
        expect_flag(result, "malformed");
        result = rig_query("{s:s, s:b}", "name", cases[i].name, "decode", 0);
        expect_flag(result, "malformed");
    }
    CU_ASSERT_EQUAL(rig_counter("dns-malformed"), 6);
}

static void test_malformed_then_next(void)
{
    struct nameserver *second;

    rig_start();
    second = nameserver_start("127.0.0.1");
    (void)add("www.test", TRICK_BAD_POINTER);
    nameserver_says(second, "www.test", RR_A, 300, "192.0.2.2");
    rig_write_resolv_conf("nameserver %s\nnameserver %s\n",
                          nameserver_text(name_rig.server), nameserver_text(second));
    (void)wire_call(name_rig.wire, "configure-dns", "{s:b}", "auto", 1);
    rig_expect_answer(rig_query("{s:s}", "name", "www.test"), ADDRESS_2);
}

static void test_endless_aliases(void)
{
    struct nameserver_rule *rule;
    char name[32], next[32];
    json_t *result;

    rig_start();
    /* In one answer, in a circle; and to itself. */
    rule = nameserver_add(name_rig.server, "a.test", RR_A);
    nameserver_record(rule, 'a', "a.test", RR_CNAME, 300, "b.test");
    nameserver_record(rule, 'a', "b.test", RR_CNAME, 300, "a.test");
    expect_flag(rig_query("{s:s}", "name", "a.test"), "alias-loop");
    rule = nameserver_add(name_rig.server, "self.test", RR_A);
    nameserver_record(rule, 'a', "self.test", RR_CNAME, 300, "self.test");
    expect_flag(rig_query("{s:s}", "name", "self.test"), "alias-loop");
    /* From answer to answer, without end. */
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "n%d.test", i);
        snprintf(next, sizeof(next), "n%d.test", i + 1);
        rule = nameserver_add(name_rig.server, name, RR_A);
        nameserver_record(rule, 'a', name, RR_CNAME, 300, next);
    }
    expect_flag(rig_query("{s:s}", "name", "n0.test"), "alias-loop");
    CU_ASSERT(nameserver_n_asked(name_rig.server, NULL) < 25);
    /* The response itself can be seen. */
    result = rig_query("{s:s, s:b}", "name", "a.test", "decode", 0);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "answer")), 2);
    (void)wire_refused(name_rig.wire, "host-not-found", "lookup-hostname", "{s:s}",
                       "host", "1.2.3.4.5");
}

/* ---- Too long for a datagram ---- */

static void test_truncated(void)
{
    struct nameserver_rule *rule;
    json_t *result;
    char address[32];

    rig_start();
    rule = nameserver_add(name_rig.server, "long.test", RR_A);
    for (int i = 1; i <= 20; i++) {
        snprintf(address, sizeof(address), "192.0.2.%d", i);
        nameserver_record(rule, 'a', "long.test", RR_A, 300, address);
    }
    nameserver_trick(rule, TRICK_TRUNCATE);
    result = rig_query("{s:s}", "name", "long.test");
    rig_expect_answer(result, ADDRESS_1);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "others")), 19);
    CU_ASSERT_EQUAL(nameserver_n_tcp(name_rig.server, "long.test"), 1);
    CU_ASSERT_FALSE(rig_has_flag(result, "truncated"));
    (void)add("big.test", TRICK_OVERSIZED);
    rig_expect_answer(rig_query("{s:s}", "name", "big.test"), ADDRESS_1);
    CU_ASSERT_EQUAL(nameserver_n_tcp(name_rig.server, "big.test"), 1);
}

static void test_broken_tcp(void)
{
    rig_start();
    (void)add("long.test", TRICK_TRUNCATE | TRICK_CLOSE_TCP);
    expect_flag(
        rig_query("{s:s, s:i, s:i}", "name", "long.test", "repeat", 1, "timeout", 60),
        "unreachable");
}

static void test_no_edns(void)
{
    rig_start();
    (void)add("old.test", TRICK_NO_EDNS);
    (void)add("older.test", TRICK_NO_EDNS);
    rig_expect_answer(rig_query("{s:s, s:i}", "name", "old.test", "timeout", 60),
                      ADDRESS_1);
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "old.test"), 2);
    rig_expect_answer(rig_query("{s:s, s:i}", "name", "older.test", "timeout", 60),
                      ADDRESS_1);
}

/* ---- Errors and silence ---- */

static void test_errors_go_on(void)
{
    static const struct {
        int rcode;
        const char *name, *flag;
    } cases[] = {{2, "servfail.test", "nameserver-internal-error"},
                 {5, "refused.test", "refused"},
                 {4, "notimp.test", "not-implemented"},
                 {9, "notauth.test", "rcode-9"}};
    struct nameserver *second;
    struct nameserver_rule *rule;

    rig_start();
    second = nameserver_start("127.0.0.1");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rule = nameserver_add(name_rig.server, cases[i].name, RR_A);
        nameserver_rcode(rule, cases[i].rcode);
        /* With that server alone its error is the answer, and not kept. */
        expect_flag(rig_query("{s:s}", "name", cases[i].name), cases[i].flag);
        expect_flag(rig_query("{s:s}", "name", cases[i].name), cases[i].flag);
        CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, cases[i].name), 2);
    }
    (void)wire_call(name_rig.wire, "configure-dns", "{s:[s,s]}", "nameserver",
                    nameserver_text(name_rig.server), nameserver_text(second));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        nameserver_says(second, cases[i].name, RR_A, 300, "192.0.2.2");
        rig_expect_answer(rig_query("{s:s}", "name", cases[i].name), ADDRESS_2);
        CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, cases[i].name), 3);
    }
    /* That a name does not exist is no error, and the second is not asked. */
    expect_flag(rig_query("{s:s}", "name", "nowhere.test"), "no-such-domain");
    CU_ASSERT_EQUAL(nameserver_n_asked(second, NULL), 4);
}

static void test_silence(void)
{
    rig_start();
    (void)add("silent.test", TRICK_SILENT);
    (void)add("once.test", TRICK_SILENT_ONCE);
    expect_flag(
        rig_query("{s:s, s:i, s:f}", "name", "silent.test", "repeat", 3, "timeout", 0.05),
        "timed-out");
    nameserver_await(name_rig.server, "silent.test", 3);
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "silent.test"), 3);
    CU_ASSERT_EQUAL(rig_counter("dns-unanswered"), 3);
    rig_expect_answer(
        rig_query("{s:s, s:f, s:i}", "name", "once.test", "timeout", 0.1, "repeat", 100),
        ADDRESS_1);
    CU_ASSERT(nameserver_n_asked(name_rig.server, "once.test") >= 2);
}

static void test_silent_then_next(void)
{
    struct nameserver *second;

    rig_start();
    second = nameserver_start("127.0.0.1");
    (void)add("www.test", TRICK_SILENT);
    (void)add("next.test", TRICK_SILENT);
    nameserver_says(second, "www.test", RR_A, 300, "192.0.2.2");
    nameserver_says(second, "next.test", RR_A, 300, "192.0.2.2");
    (void)wire_call(name_rig.wire, "configure-dns", "{s:[s,s]}", "nameserver",
                    nameserver_text(name_rig.server), nameserver_text(second));
    rig_expect_answer(rig_query("{s:s, s:i}", "name", "www.test", "timeout", 1),
                      ADDRESS_2);
    /* Now the second is asked first: the time-out here would outlast the test. */
    rig_expect_answer(rig_query("{s:s, s:i}", "name", "next.test", "timeout", 300),
                      ADDRESS_2);
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "next.test"), 0);
}

static void test_nobody_there(void)
{
    char port[64];

    rig_start();
    snprintf(port, sizeof(port), "127.0.0.1:%d", peer_refusing_port("127.0.0.1"));
    (void)wire_call(name_rig.wire, "configure-dns", "{s:[s]}", "nameserver", port);
    /* The system says at once that nobody is there. */
    expect_flag(rig_query("{s:s, s:i}", "name", "www.test", "timeout", 300),
                "unreachable");
}

/* ---- Giving up ---- */

static bool is_only_client(void *context)
{
    (void)context;
    return wire_int(wire_call(name_rig.wire, "statistics", NULL), "clients") == 1;
}

static void test_cancel(void)
{
    struct wire *other;
    json_t *result;
    int64_t id;

    rig_start();
    (void)add("silent.test", TRICK_SILENT);
    (void)add("other.test", TRICK_SILENT);
    id = wire_send(name_rig.wire, "dns-query", "{s:s, s:i}", "name", "silent.test",
                   "timeout", 300);
    nameserver_await(name_rig.server, "silent.test", 1);
    result = wire_call(name_rig.wire, "cancel", "{s:I}", "request", id);
    CU_ASSERT_TRUE(wire_bool(result, "cancelled"));
    (void)wire_error(name_rig.wire, id, "cancelled");
    /* A client that goes takes its question with it: the next one asks anew. */
    other = wire_open(name_rig.harness);
    (void)wire_send(other, "dns-query", "{s:s, s:i}", "name", "silent.test", "timeout",
                    300);
    nameserver_await(name_rig.server, "silent.test", 2);
    (void)wire_send(other, "lookup-hostname", "{s:s}", "host", "other.test");
    wire_close(other);
    /* While it was still there its question would be shared. */
    harness_await(is_only_client, NULL, "the end of the other client");
    id = wire_send(name_rig.wire, "lookup-hostname", "{s:s, s:i}", "host", "other.test",
                   "timeout", 0);
    (void)wire_error(name_rig.wire, id, "timeout");
    /* And the daemon ends while one waits. */
    (void)wire_send(name_rig.wire, "dns-query", "{s:s, s:i}", "name", "silent.test",
                    "timeout", 300);
    nameserver_await(name_rig.server, "silent.test", 3);
    harness_stop(name_rig.harness);
}

static void test_limit(void)
{
    json_t *error;

    rig_start_with("--lookups-per-user", "2");
    (void)add("a.test", TRICK_HOLD);
    (void)add("b.test", TRICK_HOLD);
    int64_t a = wire_send(name_rig.wire, "dns-query", "{s:s, s:i}", "name", "a.test",
                          "timeout", 300);
    int64_t b = wire_send(name_rig.wire, "lookup-hostname", "{s:s}", "host", "b.test");
    nameserver_await(name_rig.server, "a.test", 1);
    nameserver_await(name_rig.server, "b.test", 1);
    error = wire_refused(name_rig.wire, "limit-reached", "dns-query", "{s:s}", "name",
                         "c.test");
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "limit"),
                           "lookups-per-user");
    (void)wire_refused(name_rig.wire, "limit-reached", "lookup-hostname", "{s:s}", "host",
                       "c.test");
    nameserver_release(name_rig.server);
    rig_expect_answer(wire_result(name_rig.wire, a), ADDRESS_1);
    CU_ASSERT_STRING_EQUAL(wire_text(wire_result(name_rig.wire, b), "value"),
                           "192.0.2.1");
    rig_expect_answer(rig_query("{s:s}", "name", "a.test"), ADDRESS_1);
}

/* Each of these has its own time to wait, which must not mean its own socket. */
static void test_many_timeouts(void)
{
    enum { N = 200, LINES = 64 };
    char name[32];

    rig_start();
    int n = harness_n_descriptors(name_rig.harness);

    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "t%d.test", i);
        (void)add(name, TRICK_HOLD);
        (void)wire_send(name_rig.wire, "dns-query", "{s:s, s:f}", "name", name, "timeout",
                        200 + i / 4.0);
    }
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "t%d.test", i);
        nameserver_await(name_rig.server, name, 1);
    }
    CU_ASSERT(harness_n_descriptors(name_rig.harness) <= n + LINES);
    /* And the time is what was asked for, whatever that of the line. */
    (void)add("short.test", TRICK_SILENT);
    expect_flag(
        rig_query("{s:s, s:f, s:i}", "name", "short.test", "timeout", 0.101, "repeat", 3),
        "timed-out");
    nameserver_await(name_rig.server, "short.test", 3);
    CU_ASSERT_EQUAL(rig_counter("dns-unanswered"), 3);
}

/* ---- Nobody waits for a server that hangs, but those who asked it ---- */

/* For whoever reads the log; it decides nothing. */
static void note_latency(struct wire *other, const char *when)
{
    enum { N_REQUESTS = 2000 };
    struct timespec begin, end;

    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < N_REQUESTS; i++) {
        (void)wire_call(i % 2 ? other : name_rig.wire, "hello", NULL);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    unit_note("%s: %.1f us for each request", when,
              ((double)(end.tv_sec - begin.tv_sec) * 1e6 +
               (double)(end.tv_nsec - begin.tv_nsec) / 1e3) /
                  N_REQUESTS);
}

static void test_hanging(void)
{
    enum { N = 200 };
    struct nameserver *second;
    struct wire *other;
    int64_t ids[N], late;
    char name[32];

    rig_start();
    second = nameserver_start("127.0.0.1");
    nameserver_says(second, "good.test", RR_A, 300, "192.0.2.2");
    rig_write_hosts("192.0.2.7 filed.test\n");
    other = wire_open(name_rig.harness);
    note_latency(other, "before");
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "dead%d.test", i);
        (void)add(name, TRICK_HOLD);
        ids[i] = wire_send(name_rig.wire, i % 2 ? "lookup-hostname" : "dns-query",
                           "{s:s, s:i}", i % 2 ? "host" : "name", name, "timeout", 300);
    }
    snprintf(name, sizeof(name), "dead%d.test", N - 1);
    nameserver_await(name_rig.server, name, 1);
    /* Thousands of requests are served while not one of these has ended. */
    note_latency(other, "while 200 look-ups hang");
    /* Names that need no such server are found: by another one, by the file. */
    CU_ASSERT_STRING_EQUAL(
        wire_text(wire_call(other, "lookup-hostname", "{s:s}", "host", "localhost"),
                  "value"),
        "127.0.0.1");
    rig_expect_answer(wire_call(other, "dns-query", "{s:s, s:s}", "name", "good.test",
                                "nameserver", nameserver_text(second)),
                      ADDRESS_2);
    (void)wire_call(other, "session-defaults", "{s:s}", "dns-mode", "clib");
    CU_ASSERT_STRING_EQUAL(
        wire_text(wire_call(other, "lookup-hostname", "{s:s}", "host", "filed.test"),
                  "value"),
        "192.0.2.7");
    for (int i = 0; i < N; i++) {
        CU_ASSERT_FALSE(wire_is_answered(name_rig.wire, ids[i]));
    }
    late = wire_send(name_rig.wire, "dns-query", "{s:s}", "name", "nowhere.test");
    rig_expect_answer(wire_result(name_rig.wire, late), "null");
    nameserver_release(name_rig.server);
    for (int i = 0; i < N; i++) {
        (void)wire_result(name_rig.wire, ids[i]);
    }
}

static const struct unit_test tests[] = {
    {"answers that do not belong are dropped", test_forgeries},
    {"a forged answer alone ends nothing", test_forgery_alone},
    {"questions come from many ports", test_ports},
    {"answers that make no sense", test_malformed},
    {"after such an answer the next server is asked", test_malformed_then_next},
    {"aliases without end", test_endless_aliases},
    {"answers that do not fit are asked for over TCP", test_truncated},
    {"a TCP connection that is closed", test_broken_tcp},
    {"a server that does not know EDNS", test_no_edns},
    {"errors go on to the next server", test_errors_go_on},
    {"silent servers are asked as often as said", test_silence},
    {"a silent server is asked last the next time", test_silent_then_next},
    {"a server that is not there", test_nobody_there},
    {"cancelled, left alone, stopped", test_cancel},
    {"look-ups are limited", test_limit},
    {"200 different times to wait", test_many_timeouts},
    {"200 look-ups hang and nobody else waits", test_hanging},
};

UNIT_MAIN(tests)
