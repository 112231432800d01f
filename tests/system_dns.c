/* SPDX-License-Identifier: MIT */
/*
 * system_dns.c - dns-query and its kin, configure-dns, the cache: against an honest name
 * server of the suite's own.
 */
#include <config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/dns_rig.h"
#include "tests/harness.h"
#include "tests/nameserver.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

/* 192.0.2.1 and its neighbours as integers. */
#define ADDRESS_1 "3221225985"
#define ADDRESS_2 "3221225986"

static void expect_flag(const json_t *result, const char *word, bool is_there)
{
    if (rig_has_flag(result, word) != is_there) {
        char *text = json_dumps(result, JSON_COMPACT);
        UNIT_FAIL("flag %s should %sbe there: %s", word, is_there ? "" : "not ", text);
        free(text);
    }
}

/* ---- Types ---- */

static void test_addresses(void)
{
    struct nameserver_rule *rule;
    json_t *result;

    rig_start();
    rule = nameserver_add(name_rig.server, "www.test", RR_A);
    nameserver_record(rule, 'a', "www.test", RR_A, 300, "192.0.2.1");
    nameserver_record(rule, 'a', "www.test", RR_A, 200, "192.0.2.2");
    nameserver_says(name_rig.server, "www.test", RR_AAAA, 300, "2001:db8::1");
    result = rig_query("{s:s}", "name", "www.test");
    rig_expect_answer(result, ADDRESS_1);
    rig_expect_member(result, "others", "[" ADDRESS_2 "]");
    CU_ASSERT_EQUAL(wire_int(result, "ttl"), 200);
    expect_flag(result, "response", true);
    expect_flag(result, "authoritative", true);
    expect_flag(result, "no-such-record", false);
    result = rig_query("{s:s, s:s}", "name", "WWW.Test.", "type", "aaaa");
    rig_expect_answer(result, "{\"ipv6\":\"2001:db8::1\",\"scope-id\":0}");
}

static void test_names(void)
{
    rig_start();
    nameserver_says(name_rig.server, "1.2.0.192.in-addr.arpa", RR_PTR, 300, "www.test");
    nameserver_says(name_rig.server, "alias.test", RR_CNAME, 300, "www.test");
    nameserver_says(name_rig.server, "test", RR_NS, 300, "ns.test");
    rig_expect_answer(rig_query("{s:s, s:s}", "name", "192.0.2.1", "type", "ptr"),
                      "\"www.test\"");
    /* An address by its number, and the very name that is asked for. */
    rig_expect_answer(
        rig_query("{s:I, s:s}", "name", (json_int_t)3221225985, "type", "ptr"),
        "\"www.test\"");
    rig_expect_answer(
        rig_query("{s:s, s:s}", "name", "1.2.0.192.in-addr.arpa", "type", "ptr"),
        "\"www.test\"");
    rig_expect_answer(rig_query("{s:s, s:s}", "name", "alias.test", "type", "cname"),
                      "\"www.test\"");
    rig_expect_answer(rig_query("{s:s, s:s}", "name", "test", "type", "ns"),
                      "\"ns.test\"");
    nameserver_says(
        name_rig.server,
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
        RR_PTR, 300, "six.test");
    rig_expect_answer(rig_query("{s:s, s:s}", "name", "2001:db8::1", "type", "ptr"),
                      "\"six.test\"");
}

static void test_services(void)
{
    struct nameserver_rule *mx, *srv;
    json_t *result;

    rig_start();
    mx = nameserver_add(name_rig.server, "test", RR_MX);
    nameserver_record(mx, 'a', "test", RR_MX, 300, "20 second.test");
    nameserver_record(mx, 'a', "test", RR_MX, 300, "10 first.test");
    nameserver_record(mx, 'd', "second.test", RR_AAAA, 300, "2001:db8::2");
    nameserver_record(mx, 'd', "second.test", RR_A, 300, "192.0.2.2");
    result = rig_query("{s:s, s:s}", "name", "test", "type", "mx");
    rig_expect_answer(result, "[\"first.test\",null,10]");
    rig_expect_member(result, "others", "[[\"second.test\"," ADDRESS_2 ",20]]");
    srv = nameserver_add(name_rig.server, "_s._tcp.test", RR_SRV);
    nameserver_record(srv, 'a', "_s._tcp.test", RR_SRV, 300, "2 0 81 c.test");
    nameserver_record(srv, 'a', "_s._tcp.test", RR_SRV, 300, "1 5 80 b.test");
    nameserver_record(srv, 'a', "_s._tcp.test", RR_SRV, 300, "1 9 80 a.test");
    result = rig_query("{s:s, s:s}", "name", "_s._tcp.test", "type", "srv");
    rig_expect_answer(result,
                      "{\"priority\":1,\"weight\":9,\"port\":80,\"target\":\"a.test\"}");
    rig_expect_member(result, "others",
                      "[{\"priority\":1,\"weight\":5,\"port\":80,\"target\":\"b.test\"},"
                      "{\"priority\":2,\"weight\":0,\"port\":81,\"target\":\"c.test\"}]");
}

static void test_other_types(void)
{
    struct nameserver_rule *rule;
    json_t *result;

    rig_start();
    rule = nameserver_add(name_rig.server, "test", RR_TXT);
    nameserver_record(rule, 'a', "test", RR_TXT, 300, "one two");
    nameserver_record(rule, 'a', "test", RR_TXT, 300, "three");
    result = rig_query("{s:s, s:s}", "name", "test", "type", "txt");
    rig_expect_answer(result, "[\"one\",\"two\"]");
    rig_expect_member(result, "others", "[[\"three\"]]");
    nameserver_says(name_rig.server, "latin.test", RR_TXT, 300, "\xe9");
    rig_expect_answer(rig_query("{s:s, s:s}", "name", "latin.test", "type", "txt"),
                      "[{\"data\":\"6Q==\",\"encoding\":\"base64\"}]");
    nameserver_says(name_rig.server, "test", RR_SOA, 300, "ns.test admin.test 60");
    rig_expect_answer(rig_query("{s:s, s:s}", "name", "test", "type", "soa"),
                      "{\"mname\":\"ns.test\",\"rname\":\"admin.test\",\"serial\":1,"
                      "\"refresh\":2,\"retry\":3,\"expire\":4,\"minimum\":60}");
    nameserver_says(name_rig.server, "test", RR_CAA, 300, "128 issue ca.test");
    rig_expect_answer(rig_query("{s:s, s:s}", "name", "test", "type", "caa"),
                      "{\"critical\":true,\"tag\":\"issue\",\"value\":\"ca.test\"}");
    rule = nameserver_add(name_rig.server, "any.test", 0);
    nameserver_record(rule, 'a', "any.test", RR_A, 300, "192.0.2.1");
    nameserver_record(rule, 'a', "any.test", 65280, 300, "abcd");
    result = rig_query("{s:s, s:s}", "name", "any.test", "type", "any");
    rig_expect_answer(result, "{\"name\":\"any.test\",\"type\":\"a\",\"class\":1,"
                              "\"time-to-live\":300,\"answer\":" ADDRESS_1 "}");
    rig_expect_member(result, "others",
                      "[{\"name\":\"any.test\",\"type\":65280,\"class\":1,"
                      "\"time-to-live\":300,\"answer\":{\"data\":\"q80=\","
                      "\"encoding\":\"base64\"}}]");
}

static void test_whole(void)
{
    struct nameserver_rule *rule;
    json_t *result;

    rig_start();
    rule = nameserver_add(name_rig.server, "www.test", RR_A);
    nameserver_record(rule, 'a', "www.test", RR_CNAME, 100, "w.test");
    nameserver_record(rule, 'a', "w.test", RR_A, 300, "192.0.2.1");
    nameserver_record(rule, 'u', "test", RR_NS, 400, "ns.test");
    nameserver_record(rule, 'd', "ns.test", RR_A, 500, "192.0.2.2");
    result = rig_query("{s:s, s:b}", "name", "www.test", "decode", 0);
    rig_expect_answer(result, "[{\"name\":\"www.test\",\"type\":\"cname\",\"class\":1,"
                              "\"time-to-live\":100,\"answer\":\"w.test\"},"
                              "{\"name\":\"w.test\",\"type\":\"a\",\"class\":1,"
                              "\"time-to-live\":300,\"answer\":" ADDRESS_1 "}]");
    rig_expect_member(result, "authority",
                      "[{\"name\":\"test\",\"type\":\"ns\",\"class\":1,"
                      "\"time-to-live\":400,\"answer\":\"ns.test\"}]");
    rig_expect_member(result, "additional",
                      "[{\"name\":\"ns.test\",\"type\":\"a\",\"class\":1,"
                      "\"time-to-live\":500,\"answer\":" ADDRESS_2 "}]");
    CU_ASSERT_EQUAL(wire_int(result, "flags-value"), 0x8580);
    CU_ASSERT(wire_int(result, "id") >= 0);
    expect_flag(result, "recursion-available", true);
    /* Not from the cache, and not into it. */
    (void)rig_query("{s:s, s:b}", "name", "www.test", "decode", 0);
    (void)rig_query("{s:s}", "name", "www.test");
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "www.test"), 3);
}

static void test_bad_names(void)
{
    static const char *const names[] = {
        "a..b",
        ".a",
        "a1234567890123456789012345678901234567890123456789012345678901234.test",
        "b\303\274cher.test",
        "a\\256.test",
        "a\\"};
    json_t *error;

    rig_start();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        error = wire_refused(name_rig.wire, "invalid-params", "dns-query", "{s:s}",
                             "name", names[i]);
        CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                               "name");
    }
    /* An address has a name only in questions for it. */
    (void)wire_refused(name_rig.wire, "invalid-params", "dns-query", "{s:i}", "name", 1);
    error = wire_refused(name_rig.wire, "invalid-params", "dns-query", "{s:s, s:s}",
                         "name", "a.test", "nameserver", "no-address");
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                           "nameserver");
    (void)wire_refused(name_rig.wire, "invalid-params", "dns-query", "{s:s, s:i}", "name",
                       "a.test", "repeat", 0);
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, NULL), 0);
    /* What looks odd but is a name: escapes, underscores. */
    nameserver_says(name_rig.server, "a_b.test", RR_A, 300, "192.0.2.1");
    rig_expect_answer(rig_query("{s:s}", "name", "\\097_b.test"), ADDRESS_1);
}

/* ---- Nothing ---- */

static void test_nothing(void)
{
    json_t *result;

    rig_start();
    nameserver_says(name_rig.server, "www.test", RR_A, 300, "192.0.2.1");
    (void)nameserver_add(name_rig.server, "www.test", RR_MX);
    result = rig_query("{s:s}", "name", "nowhere.test");
    rig_expect_answer(result, "null");
    CU_ASSERT_EQUAL(wire_int(result, "ttl"), 60);
    expect_flag(result, "no-such-domain", true);
    expect_flag(result, "no-such-record", false);
    result = rig_query("{s:s, s:s}", "name", "www.test", "type", "mx");
    rig_expect_answer(result, "null");
    rig_expect_member(result, "ttl", "null");
    expect_flag(result, "no-such-domain", false);
    expect_flag(result, "no-such-record", true);
}

static void test_no_nameserver(void)
{
    json_t *result;

    rig_start_alone();
    result = rig_query("{s:s}", "name", "www.test");
    rig_expect_answer(result, "null");
    expect_flag(result, "no-nameserver", true);
    result = rig_query("{s:s, s:b}", "name", "www.test", "decode", 0);
    rig_expect_answer(result, "null");
    rig_expect_member(result, "id", "null");
    rig_expect_member(result, "authority", "null");
    expect_flag(result, "no-nameserver", true);
}

/* ---- Aliases ---- */

static void test_aliases(void)
{
    struct nameserver_rule *rule;
    json_t *result;

    rig_start();
    /* All in one answer. */
    rule = nameserver_add(name_rig.server, "one.test", RR_A);
    nameserver_record(rule, 'a', "two.test", RR_CNAME, 50, "three.test");
    nameserver_record(rule, 'a', "three.test", RR_A, 300, "192.0.2.1");
    nameserver_record(rule, 'a', "one.test", RR_CNAME, 300, "two.test");
    nameserver_record(rule, 'a', "stranger.test", RR_A, 300, "203.0.113.66");
    result = rig_query("{s:s}", "name", "one.test");
    rig_expect_answer(result, ADDRESS_1);
    rig_expect_member(result, "others", "[]");
    CU_ASSERT_EQUAL(wire_int(result, "ttl"), 50);
    /* Each must be asked for. */
    rule = nameserver_add(name_rig.server, "a.test", RR_A);
    nameserver_record(rule, 'a', "a.test", RR_CNAME, 40, "b.test");
    rule = nameserver_add(name_rig.server, "b.test", RR_A);
    nameserver_record(rule, 'a', "b.test", RR_CNAME, 300, "c.test");
    nameserver_says(name_rig.server, "c.test", RR_A, 300, "192.0.2.2");
    result = rig_query("{s:s}", "name", "a.test");
    rig_expect_answer(result, ADDRESS_2);
    CU_ASSERT_EQUAL(wire_int(result, "ttl"), 40);
    /* The target that is not there. */
    rule = nameserver_add(name_rig.server, "lost.test", RR_A);
    nameserver_record(rule, 'a', "lost.test", RR_CNAME, 300, "nowhere.test");
    result = rig_query("{s:s}", "name", "lost.test");
    rig_expect_answer(result, "null");
    expect_flag(result, "no-such-domain", true);
    /* That lost.test leads nowhere does not mean that it is nowhere. */
    nameserver_says(name_rig.server, "lost.test", RR_MX, 300, "10 mail.test");
    result = rig_query("{s:s, s:s}", "name", "lost.test", "type", "mx");
    rig_expect_answer(result, "[\"mail.test\",null,10]");
}

/* ---- The cache ---- */

static void test_cache(void)
{
    json_t *result;

    rig_start();
    nameserver_says(name_rig.server, "www.test", RR_A, 300, "192.0.2.1");
    for (int i = 0; i < 3; i++) {
        result = rig_query("{s:s}", "name", i == 1 ? "WWW.TEST" : "www.test");
        rig_expect_answer(result, ADDRESS_1);
        CU_ASSERT(wire_int(result, "ttl") > 200 && wire_int(result, "ttl") <= 300);
    }
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "www.test"), 1);
    CU_ASSERT_EQUAL(rig_counter("dns-cache-hits"), 2);
    CU_ASSERT_EQUAL(rig_counter("dns-cache-misses"), 1);
    /* queue false goes past it, both ways. */
    nameserver_says(name_rig.server, "www.test", RR_A, 300, "192.0.2.2");
    rig_expect_answer(rig_query("{s:s, s:b}", "name", "www.test", "queue", 0), ADDRESS_2);
    rig_expect_answer(rig_query("{s:s}", "name", "www.test"), ADDRESS_1);
    /* ignore-cache asks, and keeps the answer. */
    rig_expect_answer(rig_query("{s:s, s:b}", "name", "www.test", "ignore-cache", 1),
                      ADDRESS_2);
    rig_expect_answer(rig_query("{s:s}", "name", "www.test"), ADDRESS_2);
    /* A name that does not exist has no records of any type. */
    (void)rig_query("{s:s}", "name", "nowhere.test");
    unsigned n = nameserver_n_asked(name_rig.server, NULL);
    result = rig_query("{s:s, s:s}", "name", "nowhere.test", "type", "mx");
    expect_flag(result, "no-such-domain", true);
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, NULL), n);
}

static bool is_asked_again(void *context)
{
    (void)context;
    rig_expect_answer(rig_query("{s:s}", "name", "short.test"), ADDRESS_1);
    return nameserver_n_asked(name_rig.server, "short.test") > 1;
}

static void test_expiry(void)
{
    rig_start();
    nameserver_says(name_rig.server, "never.test", RR_A, 0, "192.0.2.1");
    nameserver_says(name_rig.server, "short.test", RR_A, 1, "192.0.2.1");
    (void)rig_query("{s:s}", "name", "never.test");
    (void)rig_query("{s:s}", "name", "never.test");
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "never.test"), 2);
    harness_await(is_asked_again, NULL, "the end of an answer's time");
}

static void test_small_cache(void)
{
    char name[32];

    rig_start_with("--dns-cache-size", "2K");
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "n%d.test", i);
        nameserver_says(name_rig.server, name, RR_A, 300, "192.0.2.1");
        rig_expect_answer(rig_query("{s:s}", "name", name), ADDRESS_1);
    }
    (void)rig_query("{s:s}", "name", "n39.test");
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "n39.test"), 1);
    (void)rig_query("{s:s}", "name", "n0.test");
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "n0.test"), 2);
}

static void test_asked_once(void)
{
    enum { N = 20 };
    struct nameserver_rule *rule;
    int64_t ids[N];

    rig_start();
    rule = nameserver_add(name_rig.server, "slow.test", RR_A);
    nameserver_record(rule, 'a', "slow.test", RR_A, 0, "192.0.2.1");
    nameserver_trick(rule, TRICK_HOLD);
    for (int i = 0; i < N; i++) {
        ids[i] = wire_send(name_rig.wire, "dns-query", "{s:s, s:i}", "name", "slow.test",
                           "timeout", 300);
    }
    /* The first is at the server, the last is at the daemon: it has answered this. */
    nameserver_await(name_rig.server, "slow.test", 1);
    (void)wire_call(name_rig.wire, "dns-nameservers", NULL);
    nameserver_release(name_rig.server);
    for (int i = 0; i < N; i++) {
        rig_expect_answer(wire_result(name_rig.wire, ids[i]), ADDRESS_1);
    }
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "slow.test"), 1);
}

/* ---- The search list ---- */

static void test_search(void)
{
    struct wire *other;
    json_t *result;

    rig_start();
    nameserver_says(name_rig.server, "db.second.test", RR_A, 300, "192.0.2.1");
    (void)wire_call(name_rig.wire, "configure-dns", "{s:[s,s]}", "search", "first.test",
                    "second.test");
    result = rig_query("{s:s, s:b}", "name", "db", "search", 1);
    rig_expect_answer(result, ADDRESS_1);
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, NULL), 3);
    /* Without search, and with a dot at the end or within, it is the name alone. */
    result = rig_query("{s:s}", "name", "db");
    expect_flag(result, "no-such-domain", true);
    result = rig_query("{s:s, s:b}", "name", "db.", "search", 1);
    expect_flag(result, "no-such-domain", true);
    result = rig_query("{s:s, s:b}", "name", "db.x", "search", 1);
    expect_flag(result, "no-such-domain", true);
    result = wire_call(name_rig.wire, "dns-lookup-hostname", "{s:s}", "name", "db");
    rig_expect_answer(result, ADDRESS_1);
    CU_ASSERT_STRING_EQUAL(rig_lookup("db"), "192.0.2.1");
    /* A session has its own list, or a domain. */
    other = wire_open(name_rig.harness);
    (void)wire_call(other, "session-defaults", "{s:[], s:[s]}", "domain-search-list",
                    "dns-mode", "acldns");
    (void)wire_refused(other, "host-not-found", "lookup-hostname", "{s:s}", "host", "db");
    result = wire_call(other, "dns-lookup-hostname", "{s:s}", "name", "db");
    rig_expect_answer(result, "null");
    other = wire_open(name_rig.harness);
    (void)wire_call(other, "session-defaults", "{s:s}", "dns-domain", "second.test");
    result = wire_call(other, "dns-lookup-hostname", "{s:s}", "name", "db");
    rig_expect_answer(result, ADDRESS_1);
}

static void test_kin(void)
{
    json_t *result;

    rig_start();
    nameserver_says(name_rig.server, "www.test", RR_A, 0, "192.0.2.1");
    nameserver_says(name_rig.server, "1.2.0.192.in-addr.arpa", RR_PTR, 0, "www.test");
    result = wire_call(
        name_rig.wire, "dns-lookup-hostname", "{s:s, s:s, s:i, s:f, s:b, s:b, s:b, s:b}",
        "name", "www.test", "nameserver", nameserver_text(name_rig.server), "repeat", 2,
        "timeout", 60.5, "queue", 0, "decode", 0, "search", 0, "ignore-cache", 1);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "answer")), 1);
    result = wire_call(name_rig.wire, "dns-ipaddr-to-hostname",
                       "{s:I, s:s, s:i, s:f, s:b, s:b, s:b, s:b}", "name",
                       (json_int_t)3221225985, "nameserver",
                       nameserver_text(name_rig.server), "repeat", 2, "timeout", 60.5,
                       "queue", 0, "decode", 1, "search", 0, "ignore-cache", 1);
    rig_expect_answer(result, "\"www.test\"");
    result =
        wire_call(name_rig.wire, "dns-ipaddr-to-hostname", "{s:s}", "name", "192.0.2.9");
    rig_expect_answer(result, "null");
    result = wire_call(name_rig.wire, "dns-ipaddr-to-hostname", "{s:s, s:b}", "name",
                       "192.0.2.1", "decode", 0);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "answer")), 1);
}

/* ---- Configuration ---- */

static void test_configure(void)
{
    struct nameserver *second;
    json_t *result;
    char wanted[128];

    rig_start();
    second = nameserver_start("127.0.0.1");
    nameserver_says(name_rig.server, "www.test", RR_A, 300, "192.0.2.1");
    nameserver_says(second, "www.test", RR_A, 300, "192.0.2.2");
    result = wire_call(name_rig.wire, "configure-dns", NULL);
    CU_ASSERT_TRUE(wire_bool(result, "auto"));
    snprintf(wanted, sizeof(wanted), "[\"%s\"]", nameserver_text(name_rig.server));
    rig_expect_member(result, "nameservers", wanted);
    rig_expect_answer(rig_query("{s:s}", "name", "www.test"), ADDRESS_1);
    /* Other servers, other answers: what was kept is forgotten. */
    result = wire_call(name_rig.wire, "configure-dns", "{s:[s], s:s}", "nameserver",
                       nameserver_text(second), "domain", "test");
    CU_ASSERT_FALSE(wire_bool(result, "auto"));
    CU_ASSERT_STRING_EQUAL(wire_text(result, "domain"), "test");
    rig_expect_member(result, "search", "[\"test\"]");
    rig_expect_answer(rig_query("{s:s}", "name", "www.test"), ADDRESS_2);
    /* What is not given stays. */
    result = wire_call(name_rig.wire, "configure-dns", "{s:[s]}", "search", "b.test");
    snprintf(wanted, sizeof(wanted), "[\"%s\"]", nameserver_text(second));
    rig_expect_member(result, "nameservers", wanted);
    rig_expect_member(result, "search", "[\"b.test\"]");
    (void)wire_refused(name_rig.wire, "invalid-params", "configure-dns", "{s:[s]}",
                       "search", "b..test");
    (void)wire_refused(name_rig.wire, "invalid-params", "configure-dns", "{s:s}",
                       "domain", ".");
    result = wire_call(name_rig.wire, "configure-dns", "{s:[]}", "nameserver");
    rig_expect_member(result, "nameservers", "[]");
    /* auto overrides everything. */
    result = wire_call(name_rig.wire, "configure-dns", "{s:b, s:s}", "auto", 1,
                       "nameserver", "192.0.2.1");
    CU_ASSERT_TRUE(wire_bool(result, "auto"));
    rig_expect_answer(rig_query("{s:s}", "name", "www.test"), ADDRESS_1);
}

static bool asks_second(void *context)
{
    return nameserver_n_asked(context, "www.test") > 0 ||
           (rig_query("{s:s}", "name", "www.test"), false);
}

static void test_file_changes(void)
{
    struct nameserver *second;
    json_t *result;

    rig_start();
    second = nameserver_start("127.0.0.1");
    nameserver_says(name_rig.server, "www.test", RR_A, 300, "192.0.2.1");
    nameserver_says(second, "www.test", RR_A, 300, "192.0.2.2");
    rig_expect_answer(rig_query("{s:s}", "name", "www.test"), ADDRESS_1);
    rig_write_resolv_conf("search a.test b.test\nnameserver %s\noptions timeout:1\n",
                          nameserver_text(second));
    harness_await(asks_second, second, "the second name server to be asked");
    rig_expect_answer(rig_query("{s:s}", "name", "www.test"), ADDRESS_2);
    result = wire_call(name_rig.wire, "configure-dns", NULL);
    rig_expect_member(result, "search", "[\"a.test\",\"b.test\"]");
    CU_ASSERT_STRING_EQUAL(wire_text(result, "domain"), "a.test");
    /* Who asks for them gets those of now, not of a moment ago. */
    for (int i = 1; i <= 5; i++) {
        rig_write_resolv_conf("search c%d.test\nnameserver 127.0.0.%d\n", i, i);
        result = wire_call(name_rig.wire, "dns-nameservers", NULL);
        result = json_array_get(json_object_get(result, "nameservers"), 0);
        CU_ASSERT_EQUAL(wire_int(result, "ipaddr"), 0x7f000000 + i);
    }
}

static void test_rights(void)
{
    struct harness_options options = {
        .args = (const char *const[]){"--socket-mode", "0666", NULL}};
    struct wire *stranger;
    json_t *error;

    if (geteuid() != 0) {
        unit_skip("only root can be somebody else");
        return;
    }
    stranger = wire_open_as(harness_start(&options), 65534, 65534);
    (void)wire_call(stranger, "configure-dns", NULL);
    error =
        wire_refused(stranger, "permission-denied", "configure-dns", "{s:b}", "auto", 1);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "rule"), "admin");
}

static void test_counters(void)
{
    json_t *list, *server;
    char port[16];

    rig_start();
    nameserver_says(name_rig.server, "www.test", RR_A, 300, "192.0.2.1");
    (void)rig_query("{s:s}", "name", "www.test");
    (void)rig_query("{s:s}", "name", "nowhere.test");
    list =
        json_object_get(wire_call(name_rig.wire, "dns-nameservers", NULL), "nameservers");
    CU_ASSERT_EQUAL_FATAL(json_array_size(list), 1);
    server = json_array_get(list, 0);
    snprintf(port, sizeof(port), "%d", nameserver_port(name_rig.server));
    rig_expect_member(server, "port", port);
    rig_expect_member(server, "ipaddr", "2130706433");
    rig_expect_member(server, "name", "\"localhost\"");
    CU_ASSERT_EQUAL(wire_int(server, "sent"), 2);
    CU_ASSERT_EQUAL(wire_int(server, "received"), 2);
}

static void test_given_servers(void)
{
    struct nameserver *second;

    rig_start();
    second = nameserver_start(peer_has_ipv6() ? "::1" : "127.0.0.1");
    nameserver_says(name_rig.server, "www.test", RR_A, 300, "192.0.2.1");
    nameserver_says(second, "www.test", RR_A, 300, "192.0.2.2");
    rig_expect_answer(rig_query("{s:s}", "name", "www.test"), ADDRESS_1);
    rig_expect_answer(rig_query("{s:s, s:s}", "name", "www.test", "nameserver",
                                nameserver_text(second)),
                      ADDRESS_2);
    rig_expect_answer(rig_query("{s:s, s:[s, s]}", "name", "www.test", "nameserver",
                                nameserver_text(second),
                                nameserver_text(name_rig.server)),
                      ADDRESS_2);
    /* Asked each time, and nothing of it is kept. */
    rig_expect_answer(rig_query("{s:s}", "name", "www.test"), ADDRESS_1);
    CU_ASSERT_EQUAL(nameserver_n_asked(second, "www.test"), 2);
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "www.test"), 1);
    /* Who names a server wants to know what it says even of names that stay at home. */
    nameserver_says(second, "localhost", RR_A, 300, "192.0.2.2");
    rig_expect_answer(rig_query("{s:s, s:s}", "name", "localhost", "nameserver",
                                nameserver_text(second)),
                      ADDRESS_2);
    (void)wire_call(name_rig.wire, "configure-dns", "{s:[s]}", "nameserver",
                    nameserver_text(second));
    rig_expect_answer(rig_query("{s:s}", "name", "www.test"), ADDRESS_2);
}

static const struct unit_test tests[] = {
    {"addresses, with the rest and the time", test_addresses},
    {"names: ptr, cname, ns", test_names},
    {"mx and srv come sorted", test_services},
    {"txt, soa, caa, any, and unknown types", test_other_types},
    {"without decode the whole response", test_whole},
    {"bad names and servers are named", test_bad_names},
    {"no domain and no record are told apart", test_nothing},
    {"no name server", test_no_nameserver},
    {"aliases are followed", test_aliases},
    {"answers are kept, as asked", test_cache},
    {"answers have their time", test_expiry},
    {"the cache is bounded", test_small_cache},
    {"what many ask is asked once", test_asked_once},
    {"names without a dot are searched", test_search},
    {"dns-lookup-hostname and dns-ipaddr-to-hostname", test_kin},
    {"name servers are configured", test_configure},
    {"the system's file is read again", test_file_changes},
    {"name servers can be given for one query", test_given_servers},
    {"only administrators configure", test_rights},
    {"name servers have counters", test_counters},
};

UNIT_MAIN(tests)
