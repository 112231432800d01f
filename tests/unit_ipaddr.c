/* SPDX-License-Identifier: MIT */
/*
 * unit_ipaddr.c - ipaddr.c: all forms of addresses, their text, and when they are equal.
 */
#include <config.h>

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "proto/ipaddr.h"
#include "tests/unit.h"

static const struct {
    const char *text;
    uint32_t address;
} good_ipv4[] = {
    {"0.0.0.0", 0},
    {"127.0.0.1", 0x7F000001},
    {"255.255.255.255", 0xFFFFFFFF},
    {"192.132.95.84", 0xC0845F54},
    {"127.1", 0x7F000001},
    {"127.0.1", 0x7F000001},
    {"10.1.256", 0x0A010100},
    {"10.1.65535", 0x0A01FFFF},
    {"10.16777215", 0x0AFFFFFF},
    {"0", 0},
    {"1", 1},
    {"4294967295", 0xFFFFFFFF},
    {"3229900653", 0xC0845F6D},
    {"0x7f.1", 0x7F000001},
    {"0X7F000001", 0x7F000001},
    {"0177.0.0.01", 0x7F000001},
    {"037777777777", 0xFFFFFFFF},
    {"0xffffffff", 0xFFFFFFFF},
    {"00.00.00.00", 0},
    {"0x0.0x0", 0},
};

static const char *const bad[] = {
    "",
    ".",
    "1.",
    ".1",
    "1..2",
    "1.2.3.4.",
    "1.2.3.4.5",
    "256.0.0.1",
    "1.256.0.1",
    "1.2.3.256",
    "1.2.65536",
    "1.16777216",
    "4294967296",
    "99999999999999999999",
    "0x",
    "0x.1",
    "0xg",
    "08",
    "1.09",
    "0x100000000",
    " 1.2.3.4",
    "1.2.3.4 ",
    "1.2.3.4\n",
    "+1.2.3.4",
    "-1",
    "1.2.3.4%lo",
    "localhost",
    "a",
    "ff",
    "1.2.3.a",
    ":",
    ":::",
    "1::2::3",
    "12345::",
    "::1%",
    "::1%nosuchinterface0",
    "::1%4294967296",
    "::1%1x",
    "[::1]",
    "::ffff:256.0.0.1",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "::1 ",
    "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
};

static void test_ipv4(void)
{
    struct value_ip ip;

    for (size_t i = 0; i < sizeof(good_ipv4) / sizeof(good_ipv4[0]); i++) {
        memset(&ip, 0xFF, sizeof(ip));
        if (!ipaddr_parse(&ip, good_ipv4[i].text, strlen(good_ipv4[i].text)) ||
            ip.is_ipv6 || ipaddr_to_integer(&ip) != good_ipv4[i].address) {
            UNIT_FAIL("\"%s\" was read wrong", good_ipv4[i].text);
        }
        CU_ASSERT(ipaddr_is_dotted(good_ipv4[i].text, strlen(good_ipv4[i].text)));
    }
    /* Only `size` bytes count. */
    CU_ASSERT(ipaddr_parse(&ip, "1.2.3.4567", 7));
    CU_ASSERT_EQUAL(ipaddr_to_integer(&ip), 0x01020304);
}

static void test_bad(void)
{
    struct value_ip ip;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (ipaddr_parse(&ip, bad[i], strlen(bad[i]))) {
            UNIT_FAIL("\"%s\" was taken for an address", bad[i]);
        }
        CU_ASSERT_FALSE(ipaddr_is_dotted(bad[i], strlen(bad[i])));
    }
    CU_ASSERT_FALSE(ipaddr_parse(&ip, "1.2.3.4\0", 8));
    CU_ASSERT_FALSE(ipaddr_parse(&ip, "::1\0", 4));
    CU_ASSERT_FALSE(ipaddr_parse(&ip, "::1%l\0o", 7));
}

static void check_ipv6(const char *text, const char *canonical, uint32_t scope_id)
{
    char formatted[IPADDR_TEXT_SIZE];
    struct value_ip ip;

    if (!ipaddr_parse(&ip, text, strlen(text))) {
        UNIT_FAIL("\"%s\" was refused", text);
        return;
    }
    CU_ASSERT(ip.is_ipv6);
    CU_ASSERT_EQUAL(ip.scope_id, scope_id);
    ipaddr_format(&ip, formatted);
    CU_ASSERT_STRING_EQUAL(formatted, canonical);
}

static void test_ipv6(void)
{
    unsigned loopback = if_nametoindex("lo");
    char text[64];

    check_ipv6("::", "::", 0);
    check_ipv6("::1", "::1", 0);
    check_ipv6("0:0:0:0:0:0:0:1", "::1", 0);
    check_ipv6("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1", 0);
    check_ipv6("::ffff:192.0.2.1", "::ffff:192.0.2.1", 0);
    check_ipv6("fe80::1%0", "fe80::1", 0);
    check_ipv6("fe80::1%4294967295", "fe80::1%4294967295", 4294967295);
    if (loopback) {
        snprintf(text, sizeof(text), "fe80::1%%%u", loopback);
        check_ipv6("fe80::1%lo", "fe80::1%lo", loopback);
        check_ipv6(text, "fe80::1%lo", loopback);
    }
}

static void test_ipv4_text(void)
{
    char text[IPADDR_TEXT_SIZE];
    struct value_ip ip;

    ipaddr_from_integer(&ip, 0xC0845F54);
    CU_ASSERT_FALSE(ip.is_ipv6);
    ipaddr_format(&ip, text);
    CU_ASSERT_STRING_EQUAL(text, "192.132.95.84");
    ipaddr_from_integer(&ip, 0);
    ipaddr_format(&ip, text);
    CU_ASSERT_STRING_EQUAL(text, "0.0.0.0");
}

static bool equal(const char *a, const char *b, bool compare_scope)
{
    struct value_ip ip_a, ip_b;

    CU_ASSERT(ipaddr_parse(&ip_a, a, strlen(a)));
    CU_ASSERT(ipaddr_parse(&ip_b, b, strlen(b)));
    CU_ASSERT_EQUAL(ipaddr_equal(&ip_a, &ip_b, compare_scope),
                    ipaddr_equal(&ip_b, &ip_a, compare_scope));
    return ipaddr_equal(&ip_a, &ip_b, compare_scope);
}

static void test_equal(void)
{
    struct value_ip ip;

    CU_ASSERT(equal("127.1", "0x7f000001", true));
    CU_ASSERT(equal("127.0.0.1", "::ffff:127.0.0.1", false));
    CU_ASSERT(equal("127.0.0.1", "::ffff:127.0.0.1", true));
    CU_ASSERT(equal("::ffff:1.2.3.4", "::ffff:102:304", true));
    CU_ASSERT_FALSE(equal("127.0.0.1", "127.0.0.2", false));
    CU_ASSERT_FALSE(equal("0.0.0.1", "::1", false));
    CU_ASSERT_FALSE(equal("0.0.0.0", "::", false));
    CU_ASSERT_FALSE(equal("127.0.0.1", "::127.0.0.1", false));
    CU_ASSERT(equal("fe80::1%1", "fe80::1%2", false));
    CU_ASSERT_FALSE(equal("fe80::1%1", "fe80::1%2", true));
    CU_ASSERT_FALSE(equal("fe80::1%1", "fe80::1", true));
    CU_ASSERT(ipaddr_parse(&ip, "::ffff:1.2.3.4", 14) && ipaddr_is_mapped(&ip));
    CU_ASSERT(ipaddr_parse(&ip, "::1.2.3.4", 9) && !ipaddr_is_mapped(&ip));
    CU_ASSERT(ipaddr_parse(&ip, "1.2.3.4", 7) && !ipaddr_is_mapped(&ip));
}

static bool is_in(const char *address, const char *text)
{
    struct ipaddr_network network;
    struct value_ip ip;

    CU_ASSERT(ipaddr_parse(&ip, address, strlen(address)));
    CU_ASSERT(ipaddr_parse_network(&network, text, strlen(text)));
    return ipaddr_is_in(&ip, &network);
}

static void test_networks(void)
{
    static const char *const none[] = {
        "",           "/8",          "10.0.0.0/",   "10.0.0.0/33",
        "10.0.0.1/8", "10/8",        "10.0.0.0/8x", "10.0.0.0/-1",
        "::1/64",     "::/129",      "fe80::%1/10", "10.0.0.0/8/8",
        "a.example",  "0.0.0.0/0000"};
    struct ipaddr_network network;

    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        CU_ASSERT_FALSE(ipaddr_parse_network(&network, none[i], strlen(none[i])));
    CU_ASSERT(is_in("10.255.0.1", "10.0.0.0/8"));
    CU_ASSERT_FALSE(is_in("11.0.0.0", "10.0.0.0/8"));
    CU_ASSERT(is_in("10.0.0.7", "10.0.0.4/30"));
    CU_ASSERT_FALSE(is_in("10.0.0.8", "10.0.0.4/30"));
    CU_ASSERT_FALSE(is_in("10.0.0.3", "10.0.0.4/30"));
    CU_ASSERT(is_in("192.0.2.1", "192.0.2.1"));
    CU_ASSERT_FALSE(is_in("192.0.2.2", "192.0.2.1"));
    CU_ASSERT(is_in("1.2.3.4", "0.0.0.0/0"));
    CU_ASSERT_FALSE(is_in("::1", "0.0.0.0/0"));
    CU_ASSERT_FALSE(is_in("0.0.0.1", "::/0"));
    CU_ASSERT(is_in("2001:db8:1::7", "2001:db8::/32"));
    CU_ASSERT_FALSE(is_in("2001:db9::", "2001:db8::/32"));
    CU_ASSERT(is_in("2001:db8:8000::", "2001:db8:8000::/33"));
    CU_ASSERT_FALSE(is_in("2001:db8:7fff::", "2001:db8:8000::/33"));
    CU_ASSERT(is_in("fe80::1%1", "fe80::/10"));
    CU_ASSERT(is_in("::1", "::1"));
    /* IPv4 in either form, on either side. */
    CU_ASSERT(is_in("::ffff:10.1.2.3", "10.0.0.0/8"));
    CU_ASSERT(is_in("10.1.2.3", "::ffff:10.0.0.0/104"));
    CU_ASSERT(is_in("10.1.2.3", "::ffff:10.1.2.3"));
    CU_ASSERT_FALSE(is_in("::ffff:11.1.2.3", "10.0.0.0/8"));
}

static const struct unit_test tests[] = {
    {"IPv4 in all forms", test_ipv4}, {"texts that are no addresses", test_bad},
    {"IPv6 and scopes", test_ipv6},   {"text of IPv4", test_ipv4_text},
    {"equality", test_equal},         {"networks", test_networks},
};

UNIT_MAIN(tests)
