/* SPDX-License-Identifier: MIT */
/*
 * fuzz_address.c - an address as text: by itself, with a port, as the path of a Unix
 * socket, in a resolv.conf.
 *
 * What was read is written, and read again as the same; IPv4 is held against the C
 * library's inet_aton().
 */
#include <config.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/net/dns_config.h"
#include "daemon/net/endpoint.h"
#include "proto/ipaddr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static bool is_same(const struct value_ip *a, const struct value_ip *b)
{
    return a->is_ipv6 == b->is_ipv6 && ipaddr_equal(a, b, true);
}

/* ---- As struct sockaddr ---- */

static void check_sockaddr(const struct value_ip *ip, uint16_t port)
{
    struct sockaddr_storage address, mapped;
    char text[ENDPOINT_TEXT_SIZE];
    struct value_ip again;
    int again_port = 0;

    must(endpoint_from_ip(&address, ip, port) == endpoint_size(&address));
    must(endpoint_ip(&address, &again) && is_same(ip, &again));
    must(endpoint_port(&address) == port && endpoint_equal(&address, &address));
    endpoint_text(&address, text);
    must(strlen(text) + 1 < sizeof text);
    must(ipaddr_parse_endpoint(&again, &again_port, text, strlen(text)) == (port > 0));
    must(port == 0 || (is_same(ip, &again) && again_port == port));
    mapped = address;
    endpoint_map(&mapped);
    must(mapped.ss_family == AF_INET6 && endpoint_port(&mapped) == port);
    must(endpoint_ip(&mapped, &again) && ipaddr_equal(ip, &again, true));
    must(ip->is_ipv6 || ipaddr_is_mapped(&again));
}

/* ---- By itself ---- */

/* Room for every form there is, and more. */
static void compare(const char *text, size_t size, bool is_read,
                    const struct value_ip *ip)
{
    struct in_addr other;
    char copy[256];

    /* It would take blanks, and what is behind them, for an end. */
    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] == ':') {
            return;
        }
    }
    if (size < sizeof copy) {
        memcpy(copy, text, size);
        copy[size] = '\0';
        bool is_good = inet_aton(copy, &other) != 0;
        must(is_read == is_good);
        must(!is_read || memcmp(ip->bytes, &other, sizeof other) == 0);
    }
}

static void check_address(const char *text, size_t size)
{
    char written[IPADDR_TEXT_SIZE];
    struct value_ip ip, again;
    int port = 0;
    bool is_read = ipaddr_parse(&ip, text, size);

    must(ipaddr_is_dotted(text, size) == is_read);
    compare(text, size, is_read, &ip);
    if (!is_read) {
        return;
    }
    ipaddr_format(&ip, written);
    must(ipaddr_parse(&again, written, strlen(written)) && is_same(&ip, &again));
    must(ipaddr_parse_endpoint(&again, &port, text, size) && port == -1 &&
         is_same(&ip, &again));
    if (!ip.is_ipv6) {
        ipaddr_from_integer(&again, ipaddr_to_integer(&ip));
        must(is_same(&ip, &again));
    }
    check_sockaddr(&ip, (uint16_t)size);
}

/* ---- With a port ---- */

static void check_endpoint(const char *text, size_t size)
{
    struct sockaddr_storage server;
    struct value_ip ip;
    int port = 0;
    bool is_read = ipaddr_parse_endpoint(&ip, &port, text, size);

    must(dns_config_parse_server(&server, text, size) == is_read);
    if (is_read) {
        must(port == -1 || (port > 0 && port <= UINT16_MAX));
        must(endpoint_port(&server) == (port > 0 ? port : DNS_PORT));
        check_sockaddr(&ip, (uint16_t)(port > 0 ? port : 0));
    }
}

/* ---- Other texts ---- */

static void check_path(const char *text, size_t size)
{
    struct sockaddr_storage address;
    char copy[256], path[ENDPOINT_PATH_SIZE], whole[ENDPOINT_TEXT_SIZE];

    if (size >= sizeof copy || memchr(text, 0, size) != NULL) {
        return;
    }
    memcpy(copy, text, size);
    copy[size] = '\0';
    if (endpoint_from_path(&address, copy)) {
        endpoint_path(&address, endpoint_size(&address), path);
        endpoint_text(&address, whole);
        must(strcmp(path, copy) == 0 && strcmp(whole, copy) == 0);
    }
}

static void check_file(const char *text, size_t size)
{
    struct dns_config config;

    dns_config_init(&config);
    dns_config_parse(&config, text, size, "host.test");
    must(config.n_servers <= DNS_SERVERS_MAX && config.timeout > 0 &&
         config.attempts > 0);
    for (unsigned i = 0; i < config.n_servers; i++) {
        char server[ENDPOINT_TEXT_SIZE];
        struct sockaddr_storage again;
        endpoint_text(&config.servers[i], server);
        must(dns_config_parse_server(&again, server, strlen(server)) &&
             endpoint_equal(&again, &config.servers[i]));
    }
    dns_config_fini(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = size > 0 ? (const char *)data : "";

    check_address(text, size);
    check_endpoint(text, size);
    check_path(text, size);
    check_file(text, size);
    return 0;
}
