/* SPDX-License-Identifier: MIT */
/*
 * system_addresses.c - the documented address functions and look-ups, over the wire.
 *
 * The arithmetic has its own tests (unit_ipaddr.c); here the JSON forms, the errors and
 * what the look-ups find in /etc/hosts and /etc/services count.
 */
#include <config.h>
#include <net/if.h>
#include <string.h>
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

static struct wire *wire;

static void start(void) { wire = wire_open(harness_start(NULL)); }

/* `method {parameter: JSON}` answers `wanted` as value. */
static void expect_value(const char *method, const char *params, const char *wanted)
{
    json_t *given = json_loads(params, 0, NULL);
    json_t *expected = json_loads(wanted, JSON_DECODE_ANY, NULL);
    json_t *result = wire_call(wire, method, "o", given);

    if (!json_equal(json_object_get(result, "value"), expected)) {
        char *text = json_dumps(result, 0);
        UNIT_FAIL("%s %s answers %s, not %s", method, params, text, wanted);
        free(text);
    }
    json_decref(expected);
}

static void test_predicates(void)
{
    start();
    expect_value("ipaddrp", "{\"object\":3229900653}", "true");
    expect_value("ipaddrp", "{\"object\":0}", "true");
    expect_value("ipaddrp", "{\"object\":4294967295}", "true");
    expect_value("ipaddrp", "{\"object\":4294967296}", "false");
    expect_value("ipaddrp", "{\"object\":-1}", "false");
    expect_value("ipaddrp", "{\"object\":\"127.0.0.1\"}", "false");
    expect_value("ipaddrp", "{\"object\":{\"ipv6\":\"::1\"}}", "true");
    expect_value("ipaddrp", "{\"object\":{\"ipv6\":\"nonsense\"}}", "false");
    expect_value("ipaddrp", "{\"object\":[1]}", "false");
    expect_value("ipv6-address-p", "{\"object\":{\"ipv6\":\"::1\",\"scope-id\":2}}",
                 "true");
    expect_value("ipv6-address-p", "{\"object\":1}", "false");
    expect_value("ipv6-address-p", "{\"object\":\"::1\"}", "false");
    expect_value("dotted-address-p", "{\"object\":\"127.1\"}", "true");
    expect_value("dotted-address-p", "{\"object\":\"::ffff:1.2.3.4\"}", "true");
    expect_value("dotted-address-p", "{\"object\":\"localhost\"}", "false");
    expect_value("dotted-address-p", "{\"object\":2130706433}", "false");
}

static void test_conversions(void)
{
    start();
    expect_value("dotted-to-ipaddr", "{\"dotted\":\"192.132.95.109\"}", "3229900653");
    expect_value("dotted-to-ipaddr", "{\"dotted\":\"127.1\"}", "2130706433");
    expect_value("dotted-to-ipaddr", "{\"dotted\":\"2001:DB8::1\"}",
                 "{\"ipv6\":\"2001:db8::1\",\"scope-id\":0}");
    expect_value("dotted-to-ipaddr", "{\"dotted\":\"no\",\"errorp\":false}", "null");
    expect_value("ipaddr-to-dotted", "{\"address\":3229900653}", "\"192.132.95.109\"");
    expect_value("ipaddr-to-dotted", "{\"address\":3229900653,\"values\":true}",
                 "[192,132,95,109]");
    expect_value("ipaddr-to-dotted",
                 "{\"address\":{\"ipv6\":\"0:0::1\"},\"values\":true}", "\"::1\"");
    expect_value("ipaddr-equalp", "{\"first\":2130706433,\"second\":\"127.0.0.1\"}",
                 "true");
    expect_value("ipaddr-equalp",
                 "{\"first\":2130706433,\"second\":{\"ipv6\":\"::ffff:127.0.0.1\"}}",
                 "true");
    expect_value("ipaddr-equalp", "{\"first\":1,\"second\":2}", "false");
    expect_value("ipaddr-equalp",
                 "{\"first\":{\"ipv6\":\"fe80::1\",\"scope-id\":1},"
                 "\"second\":{\"ipv6\":\"fe80::1\",\"scope-id\":2}}",
                 "true");
    expect_value("ipaddr-equalp",
                 "{\"first\":{\"ipv6\":\"fe80::1\",\"scope-id\":1},"
                 "\"second\":{\"ipv6\":\"fe80::1\",\"scope-id\":2},"
                 "\"compare-scope-id\":true}",
                 "false");
}

static void test_scopes(void)
{
    char name[IF_NAMESIZE], text[64], params[128], wanted[128];

    start();
    if (!if_indextoname(1, name)) {
        unit_skip("there is no interface number 1");
        return;
    }
    snprintf(text, sizeof text, "fe80::1%%%s", name);
    snprintf(params, sizeof params, "{\"dotted\":\"%s\"}", text);
    expect_value("dotted-to-ipaddr", params, "{\"ipv6\":\"fe80::1\",\"scope-id\":1}");
    snprintf(wanted, sizeof wanted, "\"%s\"", text);
    expect_value("ipaddr-to-dotted",
                 "{\"address\":{\"ipv6\":\"fe80::1\",\"scope-id\":1}}", wanted);
    expect_value("dotted-to-ipaddr", "{\"dotted\":\"fe80::1%1\"}",
                 "{\"ipv6\":\"fe80::1\",\"scope-id\":1}");
}

static void test_bad_addresses(void)
{
    json_t *error;

    start();
    error = wire_refused(wire, "invalid-params", "dotted-to-ipaddr", "{s:s}", "dotted",
                         "256.1.1.1.1");
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                           "dotted");
    error = wire_refused(wire, "invalid-params", "ipaddr-to-dotted", "{s:s}", "address",
                         "localhost");
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                           "address");
}

static void test_lookup_hostname(void)
{
    json_t *result;

    start();
    expect_value("lookup-hostname", "{\"host\":\"localhost\",\"ipv6\":false}",
                 "\"127.0.0.1\"");
    expect_value("lookup-hostname", "{\"host\":\"127.1\"}", "\"127.0.0.1\"");
    expect_value("lookup-hostname", "{\"host\":2130706433}", "\"127.0.0.1\"");
    expect_value("lookup-hostname", "{\"host\":{\"ipv6\":\"::1\"}}", "\"::1\"");
    result = wire_call(wire, "lookup-hostname", "{s:s, s:b, s:b, s:b}", "host",
                       "localhost", "all", 1, "ipv6", 0, "ignore-cache", 1);
    CU_ASSERT(json_array_size(json_object_get(result, "values")) >= 1);
    CU_ASSERT_PTR_NULL(json_object_get(result, "value"));
    result = wire_call(wire, "lookup-hostname", "{s:s, s:b}", "host", "::1", "all", 1);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "values")), 1);
}

static void test_lookup_fails(void)
{
    json_t *error;

    start();
    /* RFC 6761 section 6.4: a name that exists nowhere. Without a name server the answer
     * may be a failure of the name service instead. */
    int64_t id = wire_send(wire, "lookup-hostname", "{s:s, s:i}", "host",
                           "no.such.invalid", "timeout", 60);
    json_t *reply = wire_reply(wire, id);
    error = json_object_get(json_object_get(reply, "error"), "data");
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT(strcmp(wire_text(error, "identifier"), "host-not-found") == 0 ||
              strcmp(wire_text(error, "identifier"), "dns-failure") == 0);
    CU_ASSERT_STRING_EQUAL(wire_text(error, "action"), "look up");
    /* The file of hosts is asked without a name server, so this one is certain. */
    (void)wire_refused(wire, "invalid-params", "lookup-hostname", "{s:s}", "host", "");
}

static void test_lookup_timeout(void)
{
    static const char *const args[] = {"--resolv-conf", "/dev/null", "--hosts",
                                       "/dev/null", NULL};
    const struct harness_options options = {.args = args};

    wire = wire_open(harness_start(&options));
    (void)wire_call(wire, "session-defaults", "{s:s}", "dns-mode", "acldns");
    /* No time at all: what another thread must be asked for always comes later. */
    (void)wire_refused(wire, "timeout", "lookup-hostname", "{s:s, s:i}", "host",
                       "www.test", "timeout", 0);
    (void)wire_refused(wire, "timeout", "ipaddr-to-hostname", "{s:s, s:i}", "address",
                       "192.0.2.1", "timeout", 0);
    /* What is known needs none. */
    expect_value("lookup-hostname",
                 "{\"host\":\"localhost\",\"ipv6\":false,\"timeout\":0}",
                 "\"127.0.0.1\"");
}

static void test_reverse(void)
{
    json_t *result;

    start();
    result = wire_call(wire, "ipaddr-to-hostname", "{s:s, s:i, s:b}", "address",
                       "127.0.0.1", "timeout", 60, "ignore-cache", 1);
    CU_ASSERT_STRING_EQUAL(wire_text(result, "value"), "localhost");
}

static void test_lookup_port(void)
{
    json_t *error;

    start();
    expect_value("lookup-port", "{\"port\":\"http\",\"protocol\":\"tcp\"}", "80");
    expect_value("lookup-port",
                 "{\"port\":\"domain\",\"protocol\":\"udp\",\"timeout\":5}", "53");
    expect_value("lookup-port", "{\"port\":4711,\"protocol\":\"tcp\"}", "4711");
    (void)wire_refused(wire, "service-not-found", "lookup-port", "{s:s, s:s}", "port",
                       "no-such-service", "protocol", "tcp");
    error = wire_refused(wire, "invalid-params", "lookup-port", "{s:i, s:s}", "port",
                         65536, "protocol", "tcp");
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                           "port");
    error = wire_refused(wire, "invalid-params", "lookup-port", "{s:i, s:s}", "port", 1,
                         "protocol", "sctp");
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "parameter"),
                           "protocol");
}

static void test_interfaces(void)
{
    json_t *list, *entry;
    size_t i;
    bool has_loopback = false;

    start();
    list = json_object_get(wire_call(wire, "get-ip-interfaces", NULL), "interfaces");
    json_array_foreach(list, i, entry)
    {
        if (wire_bool(entry, "loopback")) {
            has_loopback = true;
            CU_ASSERT_EQUAL((unsigned)wire_int(entry, "id"),
                            if_nametoindex(wire_text(entry, "name")));
        }
    }
    CU_ASSERT(has_loopback);
}

static void test_session(void)
{
    struct wire *other;
    json_t *result;

    start();
    result = wire_call(wire, "session-defaults", NULL);
    CU_ASSERT_FALSE(wire_bool(result, "ipv6"));
    CU_ASSERT_TRUE(wire_bool(result, "print-hostname-in-stream"));
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "dns-mode")), 2);
    result =
        wire_call(wire, "session-defaults", "{s:s, s:b, s:[s], s:s, s:[s, s]}", "ipv6",
                  "ipv6", "print-hostname-in-stream", 0, "dns-mode", "clib", "dns-domain",
                  "example.net", "domain-search-list", "a.example", "b.example");
    CU_ASSERT_STRING_EQUAL(wire_text(result, "ipv6"), "ipv6");
    CU_ASSERT_STRING_EQUAL(wire_text(result, "dns-domain"), "example.net");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "domain-search-list")), 2);
    CU_ASSERT_STRING_EQUAL(
        json_string_value(json_array_get(json_object_get(result, "dns-mode"), 0)),
        "clib");
    /* What is given takes effect: only IPv6 answers now. */
    expect_value("lookup-hostname", "{\"host\":\"::1\"}", "\"::1\"");
    result = wire_call(wire, "session-defaults", "{s:b}", "ipv6", 1);
    CU_ASSERT_TRUE(wire_bool(result, "ipv6"));
    CU_ASSERT_STRING_EQUAL(wire_text(result, "dns-domain"), "example.net");
    /* They are those of one connection. */
    other = wire_open(harness_start(NULL));
    CU_ASSERT_FALSE(wire_bool(wire_call(other, "session-defaults", NULL), "ipv6"));
    (void)wire_refused(wire, "invalid-params", "session-defaults", "{s:[s]}", "dns-mode",
                       "other");
}

static const struct unit_test tests[] = {
    {"predicates tell addresses from text", test_predicates},
    {"addresses become text and back", test_conversions},
    {"scopes are numbers or names", test_scopes},
    {"bad addresses are named", test_bad_addresses},
    {"a host is looked up", test_lookup_hostname},
    {"a name without address is an error", test_lookup_fails},
    {"a look-up has a time-out", test_lookup_timeout},
    {"an address has a name", test_reverse},
    {"a service has a port", test_lookup_port},
    {"interfaces are listed", test_interfaces},
    {"session defaults hold for one connection", test_session},
};

UNIT_MAIN(tests)
