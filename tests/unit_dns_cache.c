/* SPDX-License-Identifier: MIT */
/*
 * unit_dns_cache.c - what is kept and for how long: daemon/net/dns_cache, the answers of
 * name servers, and daemon/net/name_cache, finished look-ups.
 */
#include <config.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "daemon/net/dns_answer.h"
#include "daemon/net/dns_cache.h"
#include "daemon/net/name_cache.h"
#include "proto/ipaddr.h"
#include "tests/unit.h"

/* ---- Answers of name servers ---- */

static struct dns_name name_of(const char *text)
{
    struct dns_name name;

    CU_ASSERT_TRUE_FATAL(dns_name_parse(&name, text, strlen(text)));
    return name;
}

/* An answer with one address, or none when `last` is 0. */
static struct dns_answer *make(const char *text, uint8_t last, enum dns_rcode rcode)
{
    const uint8_t bytes[4] = {192, 0, 2, last};
    const struct dns_record_data data = {bytes, 4};
    struct dns_name name = name_of(text);

    return dns_answer_make(&name, DNS_TYPE_A, rcode, 300, &data, last != 0);
}

static void put(struct dns_cache *cache, const char *text, uint8_t last, uint32_t ttl,
                uint64_t now_ms)
{
    struct dns_answer *answer = make(text, last, DNS_RCODE_NONE);
    struct dns_name name = name_of(text);

    dns_cache_put(cache, &name, DNS_TYPE_A, answer, ttl, now_ms);
    dns_answer_release(answer);
}

/* The last byte of the address; 0: not there. */
static int find_type(struct dns_cache *cache, const char *text, uint16_t type,
                     uint64_t now_ms, uint32_t *ttl)
{
    struct dns_name name = name_of(text);
    const struct dns_answer *answer = dns_cache_find(cache, &name, type, now_ms, ttl);
    unsigned i = 0;

    if (!answer) {
        return 0;
    }
    const struct dns_record *record = dns_answer_next(answer, &i);
    return record ? dns_record_data(answer, record)[3] : -1;
}

static int find(struct dns_cache *cache, const char *text, uint64_t now_ms)
{
    uint32_t ttl;

    return find_type(cache, text, DNS_TYPE_A, now_ms, &ttl);
}

static void test_times(void)
{
    struct dns_cache *cache = dns_cache_new(65536);
    uint32_t ttl = 0;

    put(cache, "a.test", 1, 10, 1000);
    CU_ASSERT_EQUAL(find_type(cache, "A.TEST", DNS_TYPE_A, 1000, &ttl), 1);
    CU_ASSERT_EQUAL(ttl, 10);
    CU_ASSERT_EQUAL(find_type(cache, "a.test", DNS_TYPE_A, 1001, &ttl), 1);
    CU_ASSERT_EQUAL(ttl, 10);
    CU_ASSERT_EQUAL(find_type(cache, "a.test", DNS_TYPE_A, 10999, &ttl), 1);
    CU_ASSERT_EQUAL(ttl, 1);
    CU_ASSERT_EQUAL(find(cache, "a.test", 11000), 0);
    CU_ASSERT_EQUAL(dns_cache_n_entries(cache), 0);
    CU_ASSERT_EQUAL(dns_cache_n_bytes(cache), 0);
    put(cache, "a.test", 1, 0, 1000);
    CU_ASSERT_EQUAL(find(cache, "a.test", 1000), 0);
    dns_cache_free(cache);
}

static void test_replacing(void)
{
    struct dns_cache *cache = dns_cache_new(65536);
    uint32_t ttl;

    put(cache, "a.test", 1, 10, 0);
    put(cache, "a.test", 2, 10, 0);
    CU_ASSERT_EQUAL(find(cache, "a.test", 0), 2);
    CU_ASSERT_EQUAL(find_type(cache, "a.test", DNS_TYPE_MX, 0, &ttl), 0);
    CU_ASSERT_EQUAL(find(cache, "b.test", 0), 0);
    CU_ASSERT_EQUAL(dns_cache_n_entries(cache), 1);
    put(cache, "a.test", 3, 0, 0);
    CU_ASSERT_EQUAL(find(cache, "a.test", 0), 0);
    dns_cache_free(cache);
}

static void test_nowhere(void)
{
    struct dns_cache *cache = dns_cache_new(65536);
    struct dns_answer *answer = make("a.test", 0, DNS_RCODE_NO_SUCH_DOMAIN);
    struct dns_name name = name_of("a.test"), alias = name_of("alias.test");
    uint32_t ttl;

    dns_cache_put(cache, &name, DNS_TYPE_A, answer, 10, 0);
    CU_ASSERT_EQUAL(find_type(cache, "a.test", DNS_TYPE_MX, 0, &ttl), -1);
    /* Under the name of an alias it says nothing of other types. */
    dns_cache_put(cache, &alias, DNS_TYPE_A, answer, 10, 0);
    CU_ASSERT_EQUAL(find(cache, "alias.test", 0), -1);
    CU_ASSERT_EQUAL(find_type(cache, "alias.test", DNS_TYPE_MX, 0, &ttl), 0);
    dns_answer_release(answer);
    /* Now there is something. */
    put(cache, "a.test", 1, 10, 0);
    CU_ASSERT_EQUAL(find(cache, "a.test", 0), 1);
    CU_ASSERT_EQUAL(find_type(cache, "a.test", DNS_TYPE_MX, 0, &ttl), 0);
    dns_cache_free(cache);
}

static void test_bound(void)
{
    enum { LIMIT = 8192, N = 1000 };
    struct dns_cache *cache = dns_cache_new(LIMIT);
    char text[32];

    put(cache, "loved.test", 7, 1000, 0);
    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof(text), "n%d.test", i);
        put(cache, text, 1, 1000, 0);
        CU_ASSERT(dns_cache_n_bytes(cache) <= LIMIT);
        /* What is used stays. */
        if (find(cache, "loved.test", 0) != 7) {
            UNIT_FAIL("forgotten after %d others", i);
            break;
        }
    }
    CU_ASSERT(dns_cache_n_entries(cache) > 10);
    CU_ASSERT_EQUAL(find(cache, "n999.test", 0), 1);
    CU_ASSERT_EQUAL(find(cache, "n0.test", 0), 0);
    dns_cache_clear(cache);
    CU_ASSERT_EQUAL(dns_cache_n_entries(cache), 0);
    CU_ASSERT_EQUAL(dns_cache_n_bytes(cache), 0);
    dns_cache_free(cache);
    /* No room at all. */
    cache = dns_cache_new(0);
    put(cache, "a.test", 1, 1000, 0);
    CU_ASSERT_EQUAL(find(cache, "a.test", 0), 0);
    dns_cache_free(cache);
    dns_cache_free(NULL);
}

static void test_shared(void)
{
    struct dns_cache *cache = dns_cache_new(65536);
    struct dns_answer *answer = make("a.test", 1, DNS_RCODE_NONE);
    struct dns_name name = name_of("a.test");
    unsigned i = 0;

    dns_cache_put(cache, &name, DNS_TYPE_A, answer, 10, 0);
    dns_cache_free(cache);
    /* Ours is still there. */
    CU_ASSERT_PTR_NOT_NULL(dns_answer_next(answer, &i));
    dns_answer_release(answer);
}

/* ---- Finished look-ups ---- */

static void keep(const char *name, uint8_t last, double seconds, uint64_t now_ms)
{
    struct value_ip ip = {.bytes = {192, 0, 2, last}};
    struct name_key key;

    CU_ASSERT_TRUE(name_key_host(&key, name, 3));
    name_cache_put(&key, name_cache_generation(), &ip, 1, seconds, now_ms);
}

static int kept(const char *name, unsigned way, uint64_t now_ms)
{
    struct value_ip ips[4];
    struct name_key key;

    CU_ASSERT_TRUE(name_key_host(&key, name, way));
    return name_cache_find(&key, now_ms, ips, 4) > 0 ? ips[0].bytes[3] : 0;
}

static void test_lookups(void)
{
    name_cache_clear();
    keep("www.test", 1, 10, 1000);
    CU_ASSERT_EQUAL(kept("WWW.test", 3, 1000), 1);
    CU_ASSERT_EQUAL(kept("www.test", 2, 1000), 0); /* looked up in another way */
    CU_ASSERT_EQUAL(kept("www.test", 3, 11000), 0);
    keep("www.test", 2, 10, 1000);
    CU_ASSERT_EQUAL(kept("www.test", 3, 1000), 2);
    keep("www.test", 3, 0, 1000);
    CU_ASSERT_EQUAL(kept("www.test", 3, 1000), 2);
    name_cache_clear();
    CU_ASSERT_EQUAL(kept("www.test", 3, 1000), 0);
}

static void test_names(void)
{
    struct value_ip ip = {.bytes = {192, 0, 2, 1}}, other = {.is_ipv6 = true};
    struct name_key key;
    char text[NAME_CACHE_TEXT_SIZE];

    name_cache_clear();
    name_key_address(&key, &ip);
    CU_ASSERT_FALSE(name_cache_find_name(&key, 0, text));
    name_cache_put_name(&key, name_cache_generation(), "www.test", 10, 0);
    CU_ASSERT_TRUE(name_cache_find_name(&key, 0, text));
    CU_ASSERT_STRING_EQUAL(text, "www.test");
    name_cache_put_name(&key, name_cache_generation(), NULL, 10, 0);
    CU_ASSERT_TRUE(name_cache_find_name(&key, 0, text));
    CU_ASSERT_STRING_EQUAL(text, "");
    name_key_address(&key, &other);
    CU_ASSERT_FALSE(name_cache_find_name(&key, 0, text));
}

/* Who began before the table was cleared brings what is old. */
static void test_late(void)
{
    struct value_ip ip = {.bytes = {192, 0, 2, 1}};
    struct name_key key;
    uint64_t before = name_cache_generation();

    CU_ASSERT_TRUE(name_key_host(&key, "late.test", 3));
    name_cache_clear();
    name_cache_put(&key, before, &ip, 1, 10, 0);
    CU_ASSERT_EQUAL(kept("late.test", 3, 0), 0);
}

static void test_long_names(void)
{
    struct name_key key;
    char name[NAME_CACHE_KEY_MAX + 1];

    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    CU_ASSERT_FALSE(name_key_host(&key, name, 0));
    name[255] = '\0';
    CU_ASSERT_TRUE(name_key_host(&key, name, 0));
}

static void test_many(void)
{
    char name[32];
    int n = 0;

    name_cache_clear();
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "n%d.test", i);
        keep(name, 1, 10, (uint64_t)i);
    }
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "n%d.test", i);
        n += kept(name, 3, 1);
    }
    /* Bounded, but not by throwing everything away. */
    CU_ASSERT(n > 1000 && n <= 2048);
    CU_ASSERT_EQUAL(kept("n19999.test", 3, 1), 1);
    name_cache_clear();
}

static void *use(void *arg)
{
    char name[32];

    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "n%d.test", i % 300);
        if (i % 3 == *(const int *)arg) {
            keep(name, (uint8_t)(i % 300 % 200 + 1), 10, 1);
        } else if (i % 1000 == 500) {
            name_cache_clear();
        } else {
            int last = kept(name, 3, 1);
            if (last != 0 && last != i % 300 % 200 + 1) {
                return arg;
            }
        }
    }
    return NULL;
}

static void test_threads(void)
{
    int numbers[4] = {0, 1, 2, 0};
    pthread_t threads[4];
    void *result;

    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, use, &numbers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &result);
        CU_ASSERT_PTR_NULL(result);
    }
    name_cache_clear();
}

static const struct unit_test tests[] = {
    {"answers have their time", test_times},
    {"newer answers replace older ones", test_replacing},
    {"a name that does not exist has nothing of any type", test_nowhere},
    {"the cache is bounded, and keeps what is used", test_bound},
    {"an answer outlives the cache", test_shared},
    {"look-ups are kept by name and way", test_lookups},
    {"names of addresses are kept, and that there is none", test_names},
    {"what began before a change is not kept", test_late},
    {"long names", test_long_names},
    {"many names", test_many},
    {"many threads", test_threads},
};

UNIT_MAIN(tests)
