/* SPDX-License-Identifier: MIT */
/*
 * unit_dns_answer.c - names and responses of the DNS: daemon/net/dns_name and dns_answer,
 * well-formed and not; the readers of c-ares must find the same in what both understand.
 */
#include <config.h>
#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/net/dns_answer.h"
#include "proto/ipaddr.h"
#include "tests/nameserver_wire.h"
#include "tests/unit.h"

/* ---- Names ---- */

static bool parses(const char *text, struct dns_name *name)
{
    return dns_name_parse(name, text, strlen(text));
}

static void expect_text(const char *text, const char *wanted)
{
    struct dns_name name;
    char formatted[DNS_TEXT_SIZE];

    if (!parses(text, &name)) {
        UNIT_FAIL("%s is not taken for a name", text);
        return;
    }
    dns_name_format(&name, formatted);
    CU_ASSERT_STRING_EQUAL(formatted, wanted);
}

static void test_name_text(void)
{
    expect_text("www.example.com", "www.example.com");
    expect_text("www.example.com.", "www.example.com");
    expect_text("WWW.Example.COM", "WWW.Example.COM");
    expect_text(".", ".");
    expect_text("a\\.b.c", "a\\.b.c");
    expect_text("a\\\\b", "a\\\\b");
    expect_text("\\065\\066", "AB");
    expect_text("\\000\\255x", "\\000\\255x");
    expect_text("0\\0472.arpa", "0/2.arpa");
}

static void test_bad_names(void)
{
    static const char *const bad[] = {"",       "..",     "a..b",     ".a",   "a b",
                                      "a\tb",   "\x7f",   "\xc3\xa4", "a\\",  "a\\25",
                                      "a\\256", "a\\2x5", "a.b..",    "\\999"};
    struct dns_name name;
    char text[400];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parses(bad[i], &name)) {
            UNIT_FAIL("'%s' is taken for a name", bad[i]);
        }
    }
    memset(text, 'a', sizeof(text));
    text[63] = '\0';
    CU_ASSERT_TRUE(parses(text, &name));
    text[63] = 'a';
    text[64] = '\0';
    CU_ASSERT_FALSE(parses(text, &name));
}

/* 255 bytes on the wire are 253 characters. */
static void test_longest_name(void)
{
    struct dns_name name, suffix;
    char text[400];

    memset(text, 'a', sizeof(text));
    for (int dot = 63; dot < 254; dot += 64) {
        text[dot] = '.';
    }
    text[253] = '\0';
    CU_ASSERT_TRUE(parses(text, &name));
    CU_ASSERT_EQUAL(name.size, 255);
    CU_ASSERT_EQUAL(dns_name_n_labels(&name), 4);
    text[253] = 'a';
    text[254] = '\0';
    CU_ASSERT_FALSE(parses(text, &name));
    text[252] = '\0';
    CU_ASSERT_TRUE(parses(text, &name));
    CU_ASSERT_TRUE(parses("b", &suffix));
    CU_ASSERT_FALSE(dns_name_append(&name, &suffix));
    text[249] = '\0';
    CU_ASSERT_TRUE(parses(text, &name));
    CU_ASSERT_TRUE(dns_name_append(&name, &suffix));
    CU_ASSERT_EQUAL(name.size, 253);
}

static void test_addresses_as_names(void)
{
    static const struct {
        const char *address, *name;
    } cases[] = {
        {"192.0.2.1", "1.2.0.192.in-addr.arpa"},
        {"255.255.255.255", "255.255.255.255.in-addr.arpa"},
        {"2001:db8::567:89ab",
         "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct value_ip ip = {0};
        struct dns_name name;
        char text[DNS_TEXT_SIZE];
        CU_ASSERT_TRUE(ipaddr_parse(&ip, cases[i].address, strlen(cases[i].address)));
        dns_name_of_address(&name, &ip);
        dns_name_format(&name, text);
        CU_ASSERT_STRING_EQUAL(text, cases[i].name);
    }
}

static void test_kinds(void)
{
    static const struct {
        const char *text;
        enum dns_kind kind;
        bool is_host;
    } cases[] = {
        {"www.example.com", DNS_KIND_ORDINARY, true},
        {"localhost", DNS_KIND_LOCALHOST, true},
        {"a.LOCALHOST", DNS_KIND_LOCALHOST, true},
        {"notlocalhost", DNS_KIND_ORDINARY, true},
        {"localhost.example", DNS_KIND_ORDINARY, true},
        {"1.0.0.127.in-addr.arpa", DNS_KIND_LOOPBACK, true},
        {"1.0.0.128.in-addr.arpa", DNS_KIND_ORDINARY, true},
        {"invalid", DNS_KIND_NOWHERE, true},
        {"x.onion", DNS_KIND_NOWHERE, true},
        {"1.2.3.4", DNS_KIND_NOWHERE, true},
        {"a.0x1f", DNS_KIND_NOWHERE, true},
        {"a.0xg", DNS_KIND_ORDINARY, true},
        {"a.1b", DNS_KIND_ORDINARY, true},
        {"-a.test", DNS_KIND_ORDINARY, false},
        {"a\\032b.test", DNS_KIND_ORDINARY, false},
        {"a\\.b.test", DNS_KIND_ORDINARY, false},
        {"_x.test", DNS_KIND_ORDINARY, true},
        {".", DNS_KIND_ORDINARY, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dns_name name;
        CU_ASSERT_TRUE_FATAL(parses(cases[i].text, &name));
        if (dns_name_kind(&name) != cases[i].kind ||
            dns_name_is_host(&name) != cases[i].is_host) {
            UNIT_FAIL("%s is of kind %d", cases[i].text, (int)dns_name_kind(&name));
        }
    }
}

/* ---- Reading names from messages ---- */

static bool reads(const uint8_t *message, size_t size, size_t at, const char *wanted,
                  size_t end)
{
    struct dns_name name;
    char text[DNS_TEXT_SIZE];

    if (!dns_name_read(&name, message, size, &at)) {
        return wanted == NULL;
    }
    dns_name_format(&name, text);
    return wanted && strcmp(text, wanted) == 0 && at == end;
}

static void test_compressed(void)
{
    /* 0: test. 6: a.test, by a pointer. 10: b.a.test, by one to that. */
    static const uint8_t message[] = {4,   't', 'e', 's', 't', 0,   1,   'a',
                                      192, 0,   1,   'b', 192, 6,   192, 14,
                                      192, 20,  192, 0,   3,   'x', 'y', 0};

    CU_ASSERT_TRUE(reads(message, sizeof(message), 0, "test", 6));
    CU_ASSERT_TRUE(reads(message, sizeof(message), 6, "a.test", 10));
    CU_ASSERT_TRUE(reads(message, sizeof(message), 10, "b.a.test", 14));
    CU_ASSERT_TRUE(reads(message, sizeof(message), 14, NULL, 0)); /* at itself */
    CU_ASSERT_TRUE(reads(message, sizeof(message), 16, NULL, 0)); /* forward */
    CU_ASSERT_TRUE(reads(message, sizeof(message), 18, "test", 20));
    CU_ASSERT_TRUE(reads(message, sizeof(message), 20, NULL, 0)); /* past the end */
    CU_ASSERT_TRUE(reads(message, 19, 18, NULL, 0));              /* half a pointer */
    CU_ASSERT_TRUE(reads(message, 5, 0, NULL, 0));
    CU_ASSERT_TRUE(reads(message, 0, 0, NULL, 0));
}

/* Each pointer leads backwards, but there are too many, or the name grows too long. */
static void test_long_ways(void)
{
    uint8_t message[4096] = {0};
    size_t at = 1;

    for (int i = 0; i < 64; i++) {
        message[at] = 0xc0 | (uint8_t)((at > 1 ? at - 2 : 0) >> 8);
        message[at + 1] = (uint8_t)(at > 1 ? at - 2 : 0);
        at += 2;
    }
    CU_ASSERT_TRUE(reads(message, at, at - 2, ".", at));
    message[at] = 0xc0;
    message[at + 1] = (uint8_t)(at - 2);
    CU_ASSERT_TRUE(reads(message, at + 2, at, NULL, 0));
    memset(message, 0, sizeof(message));
    at = 0;
    for (int i = 0; i < 20; i++) {
        message[at] = 20;
        memset(message + at + 1, 'a', 20);
        message[at + 21] =
            i == 0 ? 0 : 0xc0 | (uint8_t)((at - (i == 1 ? 22u : 23u)) >> 8);
        message[at + 22] = i == 0 ? 0 : (uint8_t)(at - (i == 1 ? 22u : 23u));
        at += i == 0 ? 22 : 23;
        bool is_short = i < 12;
        struct dns_name name;
        size_t from = at - (i == 0 ? 22 : 23);
        if (dns_name_read(&name, message, at, &from) != is_short) {
            UNIT_FAIL("a name of %d labels", i + 1);
        }
    }
}

/* ---- Responses ---- */

static uint8_t message[NS_MESSAGE_MAX];
static size_t message_size;
static struct ns_question question;
static struct ns_content content;

static void begin(const char *name, int type)
{
    memset(&content, 0, sizeof(content));
    memset(&question, 0, sizeof(question));
    question.id = 4711;
    question.flags = 0x0100;
    question.type = type;
    snprintf(question.name, sizeof(question.name), "%s", name);
}

static void add(char section, const char *owner, int type, unsigned ttl, const char *data)
{
    CU_ASSERT_TRUE_FATAL(ns_add_record(&content, section, owner, type, ttl, data));
}

static struct dns_answer *parse_as(const char *name, int type)
{
    struct dns_name asked;

    CU_ASSERT_TRUE_FATAL(parses(name, &asked));
    return dns_answer_parse(message, message_size, &asked, (uint16_t)type);
}

static struct dns_answer *parse(void)
{
    message_size = ns_write(message, &question, &content);
    return parse_as(question.name, question.type);
}

static void test_response(void)
{
    struct dns_answer *answer;
    const struct dns_record *record;
    struct dns_name name;
    char text[DNS_TEXT_SIZE];
    unsigned i = 0;

    begin("www.test", 1);
    content.has_edns = true;
    add('a', "www.test", 5, 100, "w.test");
    add('a', "w.test", 1, 300, "192.0.2.1");
    add('a', "other.test", 1, 10, "192.0.2.9");
    add('a', "W.Test", 1, 200, "192.0.2.2");
    add('u', "test", 2, 400, "ns.test");
    add('d', "ns.test", 28, 500, "2001:db8::1");
    answer = parse();
    CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
    CU_ASSERT_EQUAL(answer->id, 4711);
    CU_ASSERT_EQUAL(answer->rcode, 0);
    CU_ASSERT_TRUE(answer->had_edns);
    CU_ASSERT_EQUAL(answer->n_links, 1);
    CU_ASSERT_EQUAL(answer->n_wanted, 2);
    CU_ASSERT_EQUAL(answer->ttl, 100);
    CU_ASSERT_EQUAL(answer->n_records[DNS_SECTION_ANSWER], 4);
    CU_ASSERT_EQUAL(answer->n_records[DNS_SECTION_AUTHORITY], 1);
    CU_ASSERT_EQUAL(answer->n_records[DNS_SECTION_ADDITIONAL], 1);
    record = dns_answer_next(answer, &i);
    CU_ASSERT_EQUAL(dns_record_data(answer, record)[3], 1);
    record = dns_answer_next(answer, &i);
    CU_ASSERT_EQUAL(dns_record_data(answer, record)[3], 2);
    CU_ASSERT_PTR_NULL(dns_answer_next(answer, &i));
    dns_answer_owner(answer, &name);
    dns_name_format(&name, text);
    CU_ASSERT_STRING_EQUAL(text, "w.test");
    record = dns_answer_record(answer, DNS_SECTION_ADDITIONAL, 0);
    CU_ASSERT_EQUAL(record->type, DNS_TYPE_AAAA);
    CU_ASSERT_EQUAL(record->ttl, 500);
    dns_answer_release(answer);
}

static void test_other_question(void)
{
    begin("www.test", 1);
    add('a', "www.test", 1, 300, "192.0.2.1");
    dns_answer_release(parse());
    CU_ASSERT_PTR_NULL(parse_as("www.tes", 1));
    CU_ASSERT_PTR_NULL(parse_as("www.test", 28));
    struct dns_answer *answer = parse_as("WWW.TEST", 1);
    CU_ASSERT_PTR_NOT_NULL(answer);
    dns_answer_release(answer);
    message[2] &= 0x7f; /* a question, not a response */
    CU_ASSERT_PTR_NULL(parse_as("www.test", 1));
    message[2] |= 0x88; /* another kind of query */
    CU_ASSERT_PTR_NULL(parse_as("www.test", 1));
}

static void test_negative(void)
{
    struct dns_answer *answer;

    begin("www.test", 1);
    content.rcode = 3;
    add('u', "test", 6, 900, "ns.test admin.test 60");
    answer = parse();
    CU_ASSERT_EQUAL(answer->ttl, 60);
    CU_ASSERT_TRUE(answer->is_final);
    dns_answer_release(answer);
    begin("www.test", 1);
    add('u', "test", 6, 30, "ns.test admin.test 60");
    answer = parse();
    CU_ASSERT_EQUAL(answer->ttl, 30);
    CU_ASSERT_TRUE(answer->is_final);
    dns_answer_release(answer);
    begin("www.test", 1);
    answer = parse();
    CU_ASSERT_EQUAL(answer->ttl, 0);
    CU_ASSERT_FALSE(answer->is_final);
    dns_answer_release(answer);
    begin("www.test", 1);
    add('u', "test", 6, 0x80000000, "ns.test admin.test 4294967295");
    answer = parse();
    CU_ASSERT_EQUAL(answer->ttl, 0);
    dns_answer_release(answer);
}

static void test_failures_are_not_kept(void)
{
    struct dns_answer *answer;

    begin("www.test", 1);
    add('a', "www.test", 1, 300, "192.0.2.1");
    content.rcode = 2;
    answer = parse();
    CU_ASSERT_EQUAL(answer->ttl, 0);
    dns_answer_release(answer);
    content.rcode = 0;
    content.is_truncated = true;
    answer = parse();
    CU_ASSERT_EQUAL(answer->ttl, 0);
    dns_answer_release(answer);
    /* A week is the longest. */
    begin("www.test", 1);
    add('a', "www.test", 1, 0x7fffffff, "192.0.2.1");
    answer = parse();
    CU_ASSERT_EQUAL(answer->ttl, 604800);
    dns_answer_release(answer);
}

static void test_loops(void)
{
    struct dns_answer *answer;

    begin("a.test", 1);
    add('a', "a.test", 5, 300, "b.test");
    add('a', "b.test", 5, 300, "a.test");
    add('a', "a.test", 1, 300, "192.0.2.1");
    answer = parse();
    CU_ASSERT_TRUE(answer->is_loop);
    CU_ASSERT_EQUAL(answer->n_wanted, 0);
    dns_answer_release(answer);
    question.type = 5; /* asked for the alias itself, there is none to follow */
    answer = parse();
    CU_ASSERT_FALSE(answer->is_loop);
    CU_ASSERT_EQUAL(answer->n_wanted, 1);
    dns_answer_release(answer);
}

/* Data that is not what its type says. */
static void test_bad_data(void)
{
    static const struct {
        int type;
        const char *hex;
    } cases[] = {
        {1, "c00002"},     {1, "c000020100"},    {28, "c0000201"},
        {2, "0161"},       {2, "01610000"},      {5, ""},
        {5, "c0ff"},       {12, "3f61"},         {15, "000a"},
        {15, "000a0161"},  {33, "000100020050"}, {33, "0001000200500161"},
        {6, "0000"},       {6, "000000000001"},  {16, ""},
        {16, "0561"},      {257, "00"},          {257, "0000"},
        {257, "00056973"}, {257, "00022d2d61"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin("www.test", cases[i].type);
        /* Made as a type that takes anything, then renamed. */
        add('a', "www.test", 65000, 300, cases[i].hex);
        content.records[0].type = cases[i].type;
        struct dns_answer *answer = parse();
        if (answer) {
            UNIT_FAIL("data %s of type %d is taken", cases[i].hex, cases[i].type);
            dns_answer_release(answer);
        }
    }
}

/* However it is cut off, it is refused, and nothing behind its end is read. */
static void test_cut_off(void)
{
    struct dns_name asked;

    begin("www.test", 15);
    add('a', "www.test", 15, 300, "10 mail.test");
    add('a', "www.test", 15, 300, "20 mail2.test");
    add('u', "test", 6, 300, "ns.test admin.test 60");
    message_size = ns_write(message, &question, &content);
    CU_ASSERT_TRUE_FATAL(parses("www.test", &asked));
    for (size_t size = 0; size < message_size; size++) {
        uint8_t *exact = malloc(size > 0 ? size : 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
        memcpy(exact, message, size);
        CU_ASSERT_PTR_NULL(dns_answer_parse(exact, size, &asked, 15));
        free(exact);
    }
}

static void test_counts(void)
{
    begin("www.test", 1);
    add('a', "www.test", 1, 300, "192.0.2.1");
    dns_answer_release(parse());
    message[6] = 0xff; /* 65281 records announced */
    CU_ASSERT_PTR_NULL(parse_as("www.test", 1));
    message[6] = 0;
    message[7] = 2;
    CU_ASSERT_PTR_NULL(parse_as("www.test", 1));
    message[7] = 1;
    message[5] = 2; /* two questions */
    CU_ASSERT_PTR_NULL(parse_as("www.test", 1));
    message[5] = 0;
    CU_ASSERT_PTR_NULL(parse_as("www.test", 1));
}

static void test_other_classes(void)
{
    struct dns_answer *answer;
    struct dns_name asked;

    begin("www.test", 1);
    add('a', "www.test", 1, 300, "192.0.2.1");
    message_size = ns_write(message, &question, &content);
    message[message_size - 4 - 2 - 4 - 1] = 3; /* class CHAOS */
    CU_ASSERT_TRUE_FATAL(parses("www.test", &asked));
    answer = dns_answer_parse(message, message_size, &asked, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
    CU_ASSERT_EQUAL(answer->n_wanted, 0);
    dns_answer_release(answer);
}

/* ---- Questions ---- */

static void test_question(void)
{
    uint8_t bytes[DNS_QUERY_SIZE];
    struct ns_question read_back;
    struct dns_name name;
    unsigned char *theirs;
    int their_size;

    CU_ASSERT_TRUE_FATAL(parses("www.test", &name));
    size_t size = dns_question_write(bytes, 4711, &name, DNS_TYPE_MX, true);
    CU_ASSERT_TRUE(ns_read(&read_back, bytes, size));
    CU_ASSERT_EQUAL(read_back.id, 4711);
    CU_ASSERT_EQUAL(read_back.type, 15);
    CU_ASSERT_STRING_EQUAL(read_back.name, "www.test");
    CU_ASSERT_TRUE(read_back.has_edns);
    CU_ASSERT_EQUAL_FATAL(
        ares_create_query("www.test", 1, 15, 4711, 1, &theirs, &their_size, DNS_UDP_SIZE),
        ARES_SUCCESS);
    CU_ASSERT_EQUAL_FATAL((size_t)their_size, size);
    CU_ASSERT_EQUAL(memcmp(theirs, bytes, size), 0);
    ares_free_string(theirs);
}

/* ---- As c-ares reads it ---- */

static void test_as_cares(void)
{
    struct ares_addrttl addresses[8];
    struct ares_mx_reply *mx;
    struct dns_answer *answer;
    int n = 8;

    begin("www.test", 1);
    add('a', "www.test", 5, 100, "w.test");
    add('a', "w.test", 1, 300, "192.0.2.1");
    add('a', "w.test", 1, 300, "192.0.2.2");
    answer = parse();
    CU_ASSERT_EQUAL_FATAL(
        ares_parse_a_reply(message, (int)message_size, NULL, addresses, &n),
        ARES_SUCCESS);
    CU_ASSERT_EQUAL(n, answer->n_wanted);
    CU_ASSERT_EQUAL((uint32_t)addresses[0].ttl, answer->ttl);
    dns_answer_release(answer);
    begin("test", 15);
    add('a', "test", 15, 300, "10 mail.test");
    answer = parse();
    CU_ASSERT_EQUAL_FATAL(ares_parse_mx_reply(message, (int)message_size, &mx),
                          ARES_SUCCESS);
    CU_ASSERT_STRING_EQUAL(mx->host, "mail.test");
    CU_ASSERT_EQUAL(answer->n_wanted, 1);
    ares_free_data(mx);
    dns_answer_release(answer);
}

/* ---- Our own answers ---- */

static void test_local(void)
{
    struct dns_name name;
    struct dns_answer *answer;

    CU_ASSERT_TRUE_FATAL(parses("www.test", &name));
    CU_ASSERT_PTR_NULL(dns_answer_local(&name, DNS_TYPE_A));
    CU_ASSERT_TRUE_FATAL(parses("x.localhost", &name));
    answer = dns_answer_local(&name, DNS_TYPE_AAAA);
    CU_ASSERT_EQUAL(answer->n_wanted, 1);
    dns_answer_release(answer);
    answer = dns_answer_local(&name, DNS_TYPE_MX);
    CU_ASSERT_EQUAL(answer->n_wanted, 0);
    CU_ASSERT_EQUAL(answer->rcode, DNS_RCODE_NONE);
    dns_answer_release(answer);
    CU_ASSERT_TRUE_FATAL(parses("x.invalid", &name));
    answer = dns_answer_local(&name, DNS_TYPE_A);
    CU_ASSERT_EQUAL(answer->rcode, DNS_RCODE_NO_SUCH_DOMAIN);
    dns_answer_release(answer);
}

static const struct unit_test tests[] = {
    {"names become text and back", test_name_text},
    {"bad names are refused", test_bad_names},
    {"the longest name", test_longest_name},
    {"addresses have names", test_addresses_as_names},
    {"names that mean something", test_kinds},
    {"names in messages are compressed", test_compressed},
    {"names lead nobody on long ways", test_long_ways},
    {"a response is read", test_response},
    {"a response to something else is none", test_other_question},
    {"how long nothing may be remembered", test_negative},
    {"failures and pieces are not remembered", test_failures_are_not_kept},
    {"aliases in a circle", test_loops},
    {"data that does not fit its type", test_bad_data},
    {"responses that are cut off", test_cut_off},
    {"counts that are wrong", test_counts},
    {"records of other classes", test_other_classes},
    {"a question is written", test_question},
    {"c-ares reads the same", test_as_cares},
    {"answers of our own", test_local},
};

UNIT_MAIN(tests)
