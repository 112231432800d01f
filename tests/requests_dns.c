/* SPDX-License-Identifier: MIT */
/*
 * requests_dns.c - what libsockd sends and reads for name servers.
 *
 * Part of unit_lib_requests. Thread: the one that runs the test, and one for each
 * operation.
 */
#include <config.h>
#include "lib/sockd.h"
#include <stdlib.h>
#include <string.h>
#include "tests/fake.h"
#include "tests/requests.h"
#include "tests/unit.h"

static const char *const servers[] = {"127.0.0.1", "[::1]:53", NULL};

static const struct sockd_dns_query_options all_options = {
    .struct_size = sizeof(struct sockd_dns_query_options),
    .nameserver = servers,
    .repeat = 3,
    .try_timeout = 1.5,
    .queue = 0,
    .decode = 0,
    .search = 1,
    .ignore_cache = 1,
};

static int run_query(struct fake_call *call)
{
    struct sockd_dns_result *result = NULL;
    int status = sockd_dns_query(call->connection, "www.test", SOCKD_DNS_MX, &all_options,
                                 1, &result, &call->error);

    out.result = result;
    return status;
}

static int run_plain_query(struct fake_call *call)
{
    struct sockd_dns_result *result = NULL;
    int status = sockd_dns_query(call->connection, "www.test", SOCKD_DNS_A, NULL, 1,
                                 &result, &call->error);

    out.result = result;
    return status;
}

static int run_lookup(struct fake_call *call)
{
    struct sockd_dns_result *result = NULL;
    int status = sockd_dns_lookup_hostname(call->connection, "www.test", &all_options, 1,
                                           &result, &call->error);

    out.result = result;
    return status;
}

static int run_reverse(struct fake_call *call)
{
    struct sockd_dns_result *result = NULL;
    int status = sockd_dns_ipaddr_to_hostname(call->connection, "192.0.2.1", &all_options,
                                              1, &result, &call->error);

    out.result = result;
    return status;
}

static int run_configure(struct fake_call *call)
{
    struct sockd_configure_dns_options options = SOCKD_CONFIGURE_DNS_OPTIONS_INIT;
    struct sockd_dns_configuration *now = NULL;
    int status;

    options.nameserver = servers;
    options.search = servers;
    options.domain = "";
    options.automatic = 0;
    status = sockd_configure_dns(call->connection, &options, 1, &now, &call->error);
    out.result = now;
    return status;
}

static int run_nameservers(struct fake_call *call)
{
    struct sockd_dns_nameserver_list *list = NULL;
    int status = sockd_dns_nameservers(call->connection, 1, &list, &call->error);

    out.result = list;
    return status;
}

static void expect_sent_options(void)
{
    json_t *given = json_object_get(fake_params(), "nameserver");

    CU_ASSERT_EQUAL(json_array_size(given), 2);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(given, 1)), "[::1]:53");
    CU_ASSERT_EQUAL(sent_int("repeat"), 3);
    CU_ASSERT_DOUBLE_EQUAL(json_number_value(json_object_get(fake_params(), "timeout")),
                           1.5, 0.001);
    CU_ASSERT_EQUAL(sent_int("queue"), 0);
    CU_ASSERT_EQUAL(sent_int("decode"), 0);
    CU_ASSERT_EQUAL(sent_int("search"), 1);
    CU_ASSERT_EQUAL(sent_int("ignore-cache"), 1);
}

void test_dns_queries(void)
{
    static const char nothing[] = "{\"id\":null,\"flags\":[\"timed-out\"],"
                                  "\"flags-value\":null,\"answer\":null,"
                                  "\"authority\":null,\"additional\":null}";
    const struct sockd_dns_result *result;

    operate(run_query, "dns-query", nothing);
    CU_ASSERT_STRING_EQUAL(sent_text("name"), "www.test");
    CU_ASSERT_STRING_EQUAL(sent_text("type"), "mx");
    expect_sent_options();
    result = out.result;
    CU_ASSERT_EQUAL(result->n_answer, 0);
    CU_ASSERT_EQUAL(result->id, SOCKD_UNSET);
    CU_ASSERT_EQUAL_FATAL(result->n_flags, 1);
    CU_ASSERT_STRING_EQUAL(result->flags[0], "timed-out");
    sockd_free(out.result);
    operate(run_lookup, "dns-lookup-hostname", nothing);
    expect_sent_options();
    sockd_free(out.result);
    operate(run_reverse, "dns-ipaddr-to-hostname", nothing);
    CU_ASSERT_STRING_EQUAL(sent_text("name"), "192.0.2.1");
    expect_sent_options();
    sockd_free(out.result);
    /* What is not set is not sent, and the time-out of the call is none of a try. */
    operate(run_plain_query, "dns-query",
            "{\"answer\":3221225985,\"ttl\":5,\"others\":[1],\"flags\":[]}");
    CU_ASSERT_EQUAL(json_object_size(fake_params()), 2);
    result = out.result;
    CU_ASSERT_EQUAL(result->ttl, 5);
    CU_ASSERT_EQUAL_FATAL(result->n_answer, 2);
    CU_ASSERT_STRING_EQUAL(result->answer[0].text, "192.0.2.1");
    CU_ASSERT_STRING_EQUAL(result->answer[1].text, "0.0.0.1");
}

/* Whatever a daemon sends, nothing is read that is not there. */
void test_dns_odd_results(void)
{
    static const char *const odd[] = {
        "{}",
        "{\"answer\":{},\"others\":7,\"flags\":{}}",
        "{\"answer\":\"x\",\"ttl\":\"y\",\"others\":[null,[],{}],\"flags\":[]}",
        "{\"id\":1,\"answer\":[{}],\"authority\":[{\"type\":\"mx\",\"answer\":5}],"
        "\"additional\":[{\"type\":\"txt\",\"answer\":[1,{\"data\":\"===\"}]},"
        "{\"type\":99,\"answer\":{\"data\":\"!!\"}},{\"type\":\"soa\",\"answer\":[]},"
        "{\"type\":\"a\",\"answer\":{\"ipv6\":\"no\"}}]}",
    };

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        operate(run_plain_query, "dns-query", odd[i]);
        CU_ASSERT_PTR_NOT_NULL(out.result);
        sockd_free(out.result);
        out.result = NULL;
    }
}

void test_dns_configuration(void)
{
    const struct sockd_dns_configuration *now;
    const struct sockd_dns_nameserver_list *list;

    operate(run_configure, "configure-dns",
            "{\"auto\":true,\"nameservers\":[\"127.0.0.1:53\"],\"search\":[],"
            "\"domain\":\"test\"}");
    CU_ASSERT_EQUAL(sent_int("auto"), 0);
    CU_ASSERT_STRING_EQUAL(sent_text("domain"), "");
    now = out.result;
    CU_ASSERT_TRUE(now->automatic);
    CU_ASSERT_EQUAL(now->n_nameservers, 1);
    CU_ASSERT_STRING_EQUAL(now->domain, "test");
    sockd_free(out.result);
    operate(run_nameservers, "dns-nameservers",
            "{\"nameservers\":[{\"name\":null,\"ipaddr\":{\"ipv6\":\"::1\","
            "\"scope-id\":0},\"port\":53,\"sent\":7,\"received\":6}]}");
    list = out.result;
    CU_ASSERT_EQUAL_FATAL(list->n_nameservers, 1);
    CU_ASSERT_PTR_NULL(list->nameservers[0].name);
    CU_ASSERT_STRING_EQUAL(list->nameservers[0].ipaddr, "::1");
    CU_ASSERT_EQUAL(list->nameservers[0].sent, 7);
    CU_ASSERT_EQUAL(list->nameservers[0].received, 6);
}
