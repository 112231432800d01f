/* SPDX-License-Identifier: MIT */
/*
 * system_lib_dns.c - the DNS through libsockd: every type as a C struct, whole responses,
 * configuration, counters.
 */
#include <config.h>
#include "lib/sockd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/dns_rig.h"
#include "tests/harness.h"
#include "tests/lib_client.h"
#include "tests/nameserver.h"
#include "tests/unit.h"

static struct sockd *sockd;
static struct sockd_error error;
static struct sockd_dns_result *result;

static void begin(void)
{
    rig_start();
    sockd = lib_connect(name_rig.harness);
}

static void finish(void) { lib_disconnect_all(); }

/* The first record of the answer, which must be there. */
static const struct sockd_dns_record *ask(const char *name, enum sockd_dns_type type)
{
    sockd_free(result);
    MUST(sockd_dns_query(sockd, name, type, NULL, 60, &result, &error));
    CU_ASSERT_TRUE_FATAL(result->n_answer > 0);
    return &result->answer[0];
}

static bool has_flag(const char *word)
{
    for (size_t i = 0; i < result->n_flags; i++) {
        if (strcmp(result->flags[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static void add_records(void)
{
    struct nameserver_rule *mx = nameserver_add(name_rig.server, "test", RR_MX);

    nameserver_record(mx, 'a', "test", RR_MX, 300, "10 mail.test");
    nameserver_record(mx, 'a', "test", RR_MX, 300, "20 mail2.test");
    nameserver_record(mx, 'd', "mail.test", RR_AAAA, 300, "2001:db8::25");
    nameserver_says(name_rig.server, "www.test", RR_A, 300, "192.0.2.1");
    nameserver_says(name_rig.server, "www.test", RR_AAAA, 300, "2001:db8::1");
    nameserver_says(name_rig.server, "_s._tcp.test", RR_SRV, 300, "1 2 80 www.test");
    nameserver_says(name_rig.server, "test", RR_TXT, 300, "one \xff");
    nameserver_says(name_rig.server, "alias.test", RR_CNAME, 300, "www.test");
    nameserver_says(name_rig.server, "test", RR_NS, 300, "ns.test");
    nameserver_says(name_rig.server, "test", RR_SOA, 300, "ns.test admin.test 60");
    nameserver_says(name_rig.server, "test", RR_CAA, 300, "128 issue ca.test");
    nameserver_says(name_rig.server, "1.2.0.192.in-addr.arpa", RR_PTR, 300, "www.test");
}

static void test_types(void)
{
    const struct sockd_dns_record *record;

    begin();
    add_records();
    record = ask("www.test", SOCKD_DNS_A);
    CU_ASSERT_STRING_EQUAL(record->text, "192.0.2.1");
    CU_ASSERT_STRING_EQUAL(record->type, "a");
    CU_ASSERT_TRUE(result->ttl > 200 && result->ttl <= 300);
    CU_ASSERT_TRUE(has_flag("response"));
    record = ask("www.test", SOCKD_DNS_AAAA);
    CU_ASSERT_STRING_EQUAL(record->text, "2001:db8::1");
    record = ask("192.0.2.1", SOCKD_DNS_PTR);
    CU_ASSERT_STRING_EQUAL(record->text, "www.test");
    record = ask("test", SOCKD_DNS_MX);
    CU_ASSERT_EQUAL(result->n_answer, 2);
    CU_ASSERT_STRING_EQUAL(record->text, "mail.test");
    CU_ASSERT_STRING_EQUAL(record->address, "2001:db8::25");
    CU_ASSERT_EQUAL(record->preference, 10);
    CU_ASSERT_PTR_NULL(result->answer[1].address);
    record = ask("_s._tcp.test", SOCKD_DNS_SRV);
    CU_ASSERT_STRING_EQUAL(record->text, "www.test");
    CU_ASSERT(record->priority == 1 && record->weight == 2 && record->port == 80);
    record = ask("test", SOCKD_DNS_TXT);
    CU_ASSERT_EQUAL_FATAL(record->n_texts, 2);
    CU_ASSERT_STRING_EQUAL(record->texts[0].bytes, "one");
    CU_ASSERT_EQUAL(record->texts[1].size, 1);
    CU_ASSERT_EQUAL((unsigned char)record->texts[1].bytes[0], 0xff);
    record = ask("alias.test", SOCKD_DNS_CNAME);
    CU_ASSERT_STRING_EQUAL(record->text, "www.test");
    record = ask("test", SOCKD_DNS_NS);
    CU_ASSERT_STRING_EQUAL(record->text, "ns.test");
    record = ask("test", SOCKD_DNS_SOA);
    CU_ASSERT_STRING_EQUAL(record->text, "ns.test");
    CU_ASSERT_STRING_EQUAL(record->rname, "admin.test");
    CU_ASSERT(record->serial == 1 && record->refresh == 2 && record->retry == 3 &&
              record->expire == 4 && record->minimum == 60);
    record = ask("test", SOCKD_DNS_CAA);
    CU_ASSERT_EQUAL(record->critical, 1);
    CU_ASSERT_STRING_EQUAL(record->tag, "issue");
    CU_ASSERT_STRING_EQUAL(record->texts[0].bytes, "ca.test");
    sockd_free(result);
    result = NULL;
}

static void test_any(void)
{
    struct nameserver_rule *rule;
    const struct sockd_dns_record *record;

    begin();
    rule = nameserver_add(name_rig.server, "any.test", 0);
    nameserver_record(rule, 'a', "any.test", 65280, 300, "ab00cd");
    nameserver_record(rule, 'a', "any.test", RR_A, 200, "192.0.2.1");
    record = ask("any.test", SOCKD_DNS_ANY);
    CU_ASSERT_EQUAL_FATAL(result->n_answer, 2);
    CU_ASSERT_STRING_EQUAL(record->name, "any.test");
    CU_ASSERT_STRING_EQUAL(record->type, "65280");
    CU_ASSERT_EQUAL(record->ttl, 300);
    CU_ASSERT_EQUAL(record->data.size, 3);
    CU_ASSERT_EQUAL(memcmp(record->data.bytes, "\xab\0\xcd", 3), 0);
    CU_ASSERT_STRING_EQUAL(record[1].text, "192.0.2.1");
    CU_ASSERT_STRING_EQUAL(record[1].type, "a");
    sockd_free(result);
    result = NULL;
}

static void test_nothing(void)
{
    begin();
    MUST(sockd_dns_query(sockd, "nowhere.test", SOCKD_DNS_A, NULL, 60, &result, &error));
    CU_ASSERT_EQUAL(result->n_answer, 0);
    CU_ASSERT_EQUAL(result->ttl, 60);
    CU_ASSERT_TRUE(has_flag("no-such-domain"));
    CU_ASSERT_EQUAL(result->id, SOCKD_UNSET);
    sockd_free(result);
    result = NULL;
    MUST_FAIL(SOCKD_E_INVALID_PARAMS,
              sockd_dns_query(sockd, "a..b", SOCKD_DNS_A, NULL, 60, NULL, &error));
    CU_ASSERT_STRING_EQUAL(error.parameter, "name");
    MUST_FAIL(SOCKD_E_INVALID_PARAMS,
              sockd_dns_query(sockd, "a.test", (enum sockd_dns_type)77, NULL, 60, NULL,
                              &error));
    MUST_FAIL(SOCKD_E_INVALID_PARAMS,
              sockd_dns_query(sockd, NULL, SOCKD_DNS_A, NULL, 60, NULL, &error));
    MUST(sockd_dns_query(sockd, "nowhere.test", SOCKD_DNS_A, NULL, 60, NULL, &error));
}

static void test_options(void)
{
    struct sockd_dns_query_options options = SOCKD_DNS_QUERY_OPTIONS_INIT;
    const char *servers[] = {nameserver_text(nameserver_start("127.0.0.1")), NULL};

    begin();
    nameserver_trick(nameserver_add(name_rig.server, "silent.test", 0), TRICK_SILENT);
    options.repeat = 2;
    options.try_timeout = 0.05;
    MUST(sockd_dns_query(sockd, "silent.test", SOCKD_DNS_A, &options, 60, &result,
                         &error));
    CU_ASSERT_TRUE(has_flag("timed-out"));
    nameserver_await(name_rig.server, "silent.test", 2);
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "silent.test"), 2);
    sockd_free(result);
    /* The time-out of the call is another one. */
    options.try_timeout = 300;
    MUST_FAIL(SOCKD_E_TIMEOUT, sockd_dns_query(sockd, "silent.test", SOCKD_DNS_A,
                                               &options, 0.05, &result, &error));
    /* Another server, which knows nothing of it. */
    options.nameserver = servers;
    options.decode = 0;
    MUST(sockd_dns_lookup_hostname(sockd, "silent.test", &options, 60, &result, &error));
    CU_ASSERT_TRUE(has_flag("no-such-domain"));
    CU_ASSERT_TRUE(result->id >= 0 && result->flags_value > 0);
    CU_ASSERT_EQUAL(result->n_answer, 0);
    CU_ASSERT_EQUAL_FATAL(result->n_authority, 1);
    CU_ASSERT_STRING_EQUAL(result->authority[0].type, "soa");
    CU_ASSERT_EQUAL(result->n_additional, 0);
    sockd_free(result);
    result = NULL;
}

static void test_kin(void)
{
    begin();
    add_records();
    MUST(sockd_dns_lookup_hostname(sockd, "www.test", NULL, 60, &result, &error));
    CU_ASSERT_STRING_EQUAL(result->answer[0].text, "192.0.2.1");
    sockd_free(result);
    MUST(sockd_dns_ipaddr_to_hostname(sockd, "192.0.2.1", NULL, 60, &result, &error));
    CU_ASSERT_STRING_EQUAL(result->answer[0].text, "www.test");
    sockd_free(result);
    result = NULL;
}

static void test_configuration(void)
{
    struct sockd_configure_dns_options options = SOCKD_CONFIGURE_DNS_OPTIONS_INIT;
    struct sockd_dns_configuration *now;
    struct sockd_dns_nameserver_list *list;
    const char *servers[] = {"[::1]:5353", "192.0.2.1", NULL};
    const char *search[] = {"a.test", "b.test", NULL};

    begin();
    MUST(sockd_configure_dns(sockd, NULL, 60, &now, &error));
    CU_ASSERT_TRUE(now->automatic);
    CU_ASSERT_EQUAL_FATAL(now->n_nameservers, 1);
    CU_ASSERT_STRING_EQUAL(now->nameservers[0], nameserver_text(name_rig.server));
    CU_ASSERT_PTR_NULL(now->domain);
    sockd_free(now);
    options.nameserver = servers;
    options.search = search;
    options.domain = "c.test";
    MUST(sockd_configure_dns(sockd, &options, 60, &now, &error));
    CU_ASSERT_FALSE(now->automatic);
    CU_ASSERT_EQUAL_FATAL(now->n_nameservers, 2);
    CU_ASSERT_STRING_EQUAL(now->nameservers[1], "192.0.2.1:53");
    CU_ASSERT_EQUAL(now->n_search, 2);
    CU_ASSERT_STRING_EQUAL(now->domain, "c.test");
    sockd_free(now);
    MUST(sockd_dns_nameservers(sockd, 60, &list, &error));
    CU_ASSERT_EQUAL_FATAL(list->n_nameservers, 2);
    CU_ASSERT_STRING_EQUAL(list->nameservers[0].ipaddr, "::1");
    CU_ASSERT_STRING_EQUAL(list->nameservers[0].name, "localhost");
    CU_ASSERT_EQUAL(list->nameservers[0].port, 5353);
    CU_ASSERT_PTR_NULL(list->nameservers[1].name);
    CU_ASSERT_EQUAL(list->nameservers[1].sent, 0);
    CU_ASSERT_EQUAL(list->nameservers[1].received, 0);
    sockd_free(list);
    options = (struct sockd_configure_dns_options)SOCKD_CONFIGURE_DNS_OPTIONS_INIT;
    options.automatic = 1;
    MUST(sockd_configure_dns(sockd, &options, 60, NULL, &error));
    MUST(sockd_dns_nameservers(sockd, 60, NULL, &error));
}

static const struct unit_test tests[] = {
    {"every type has its members", test_types},
    {"records of any type", test_any},
    {"no answer is no error", test_nothing},
    {"options and whole responses", test_options},
    {"the shorter forms", test_kin},
    {"configuration and counters", test_configuration},
};

UNIT_MAIN_AROUND(tests, NULL, finish)
