/* SPDX-License-Identifier: MIT */
/*
 * unit_dns_config.c - resolv.conf(5) as text and as a file that changes:
 * daemon/net/dns_config and watched_file; the order of addresses:
 * daemon/net/address_order.
 */
#include <config.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daemon/net/address_order.h"
#include "daemon/net/dns_config.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/suffixes.h"
#include "daemon/net/watched_file.h"
#include "tests/peer.h"
#include "tests/unit.h"

static struct dns_config config;

static void read_text(const char *text, const char *host_name)
{
    dns_config_fini(&config);
    dns_config_init(&config);
    dns_config_parse(&config, text, strlen(text), host_name);
}

static void expect_server(unsigned i, const char *wanted)
{
    char text[ENDPOINT_TEXT_SIZE];

    CU_ASSERT_FATAL(i < config.n_servers);
    endpoint_text(&config.servers[i], text);
    CU_ASSERT_STRING_EQUAL(text, wanted);
}

static void expect_search(const char *wanted)
{
    char text[DNS_TEXT_SIZE], all[2048] = "";
    size_t n = 0;

    for (unsigned i = 0; config.search && i < config.search->n; i++) {
        dns_name_format(&config.search->names[i], text);
        n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", i ? " " : "", text);
    }
    CU_ASSERT_STRING_EQUAL(all, wanted);
}

static void test_servers(void)
{
    read_text("# comment\n; another\nnameserver 192.0.2.1\n  nameserver\t::1 junk\r\n"
              "nameserver 192.0.2.2:5353\nnameserver [::1]:54\nnameserver nonsense\n"
              "nameserver 192.0.2.3:0\nnameserver 192.0.2.4:65536\nnameserver\n"
              "nameservers 192.0.2.9\nnameserver fe80::1%lo\nnameserver 127.1",
              "");
    CU_ASSERT_EQUAL_FATAL(config.n_servers, 6);
    expect_server(0, "192.0.2.1:53");
    expect_server(1, "[::1]:53");
    expect_server(2, "192.0.2.2:5353");
    expect_server(3, "[::1]:54");
    expect_server(4, "[fe80::1%lo]:53");
    expect_server(5, "127.0.0.1:53");
    read_text("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\n"
              "nameserver 1.1.1.4\nnameserver 1.1.1.5\nnameserver 1.1.1.6\n"
              "nameserver 1.1.1.7\nnameserver 1.1.1.8\nnameserver 1.1.1.9\n",
              "");
    CU_ASSERT_EQUAL(config.n_servers, DNS_SERVERS_MAX);
}

static void test_search(void)
{
    read_text("", "");
    expect_search("");
    CU_ASSERT_EQUAL(config.domain.size, 0);
    read_text("", "host.example.test");
    expect_search("example.test");
    read_text("search a.test  b.test.\tc..test d.test\n", "host.example.test");
    expect_search("a.test b.test d.test");
    read_text("search a.test\ndomain b.test c.test\n", "");
    expect_search("b.test");
    read_text("domain b.test\nsearch a.test\n", "");
    expect_search("a.test");
    read_text("search 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18\n", "");
    CU_ASSERT_EQUAL(config.search->n, SUFFIXES_MAX);
    read_text("search .\n", "");
    expect_search("");
}

static void test_options(void)
{
    read_text("", "");
    CU_ASSERT_EQUAL(config.attempts, 2);
    CU_ASSERT_DOUBLE_EQUAL(config.timeout, 5, 0.001);
    read_text("options rotate timeout:1 attempts:3 ndots:2 edns0\n", "");
    CU_ASSERT_EQUAL(config.attempts, 3);
    CU_ASSERT_DOUBLE_EQUAL(config.timeout, 1, 0.001);
    read_text("options timeout:1000 attempts:1000\n", "");
    CU_ASSERT_EQUAL(config.attempts, 5);
    CU_ASSERT_DOUBLE_EQUAL(config.timeout, 30, 0.001);
    read_text("options timeout:0 attempts: timeout:x timeout:-1 timeout:99999999999\n",
              "");
    CU_ASSERT_EQUAL(config.attempts, 2);
    CU_ASSERT_DOUBLE_EQUAL(config.timeout, 5, 0.001);
    dns_config_fini(&config);
}

/* ---- Files that change ---- */

static char path[256];

static void write_file(const char *text)
{
    char fresh[300];
    FILE *file;

    snprintf(fresh, sizeof(fresh), "%s.new", path);
    file = fopen(fresh, "we");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0 || rename(fresh, path) != 0) {
        unit_bail_out("%s: %s", path, strerror(errno));
    }
}

static void test_file(void)
{
    struct watched_file file = {.path = path, .size_max = 6};
    const char *base = getenv("TMPDIR");
    size_t size;
    char *text;

    snprintf(path, sizeof(path), "%s/sockd-watched-%ld", base ? base : "/tmp",
             (long)getpid());
    CU_ASSERT_TRUE(watched_file_is_new(&file, 1000));
    CU_ASSERT_PTR_NULL(watched_file_read(&file, &size, 1000));
    CU_ASSERT_FALSE(watched_file_is_new(&file, 5000));
    write_file("one");
    /* It was asked a moment ago. */
    CU_ASSERT_FALSE(watched_file_is_new(&file, 5999));
    CU_ASSERT_TRUE(watched_file_is_new(&file, 6000));
    text = watched_file_read(&file, &size, 6000);
    CU_ASSERT_EQUAL(size, 3);
    CU_ASSERT_EQUAL(memcmp(text, "one", 3), 0);
    free(text);
    CU_ASSERT_FALSE(watched_file_is_new(&file, 9000));
    write_file("two and more");
    CU_ASSERT_TRUE(watched_file_is_new(&file, 10000));
    text = watched_file_read(&file, &size, 10000);
    CU_ASSERT_EQUAL(size, 6);
    free(text);
    unlink(path);
    CU_ASSERT_TRUE(watched_file_is_new(&file, 12000));
    CU_ASSERT_PTR_NULL(watched_file_read(&file, &size, 12000));
    /* A folder is no file, and a pipe is not waited for. */
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    text = watched_file_read(&file, &size, 14000);
    CU_ASSERT_EQUAL(size, 0);
    free(text);
    unlink(path);
}

/* ---- The order of addresses ---- */

static void expect_order(const char *given, const char *wanted)
{
    struct sockaddr_storage addresses[8];
    char copy[256], text[256] = "", host[IPADDR_TEXT_SIZE];
    unsigned n = 0;
    size_t at = 0;
    char *rest = copy, *word;

    snprintf(copy, sizeof(copy), "%s", given);
    while ((word = strsep(&rest, " "))) {
        struct value_ip ip = {0};
        CU_ASSERT_TRUE_FATAL(ipaddr_parse(&ip, word, strlen(word)));
        (void)endpoint_from_ip(&addresses[n++], &ip, 0);
    }
    address_order(addresses, n);
    for (unsigned i = 0; i < n; i++) {
        endpoint_host_text(&addresses[i], host);
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "", host);
    }
    CU_ASSERT_STRING_EQUAL(text, wanted);
}

static void test_order(void)
{
    expect_order("127.0.0.3", "127.0.0.3");
    /* Equals stay as they come. */
    expect_order("127.0.0.3 127.0.0.1 127.0.0.2", "127.0.0.3 127.0.0.1 127.0.0.2");
    if (!peer_has_ipv6()) {
        unit_skip("there is no IPv6 on loopback");
        return;
    }
    expect_order("127.0.0.1 ::1", "::1 127.0.0.1");
    expect_order("::1 127.0.0.1", "::1 127.0.0.1");
    /* What can't be reached is last: there is no such interface. */
    expect_order("fe80::1%4000000 127.0.0.1", "127.0.0.1 fe80::1%4000000");
}

static const struct unit_test tests[] = {
    {"name servers are read", test_servers},
    {"the search list is read", test_search},
    {"options are read", test_options},
    {"a file is read again when it has changed", test_file},
    {"addresses are put in order", test_order},
};

UNIT_MAIN(tests)
