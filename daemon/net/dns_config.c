/* SPDX-License-Identifier: MIT */
/*
 * dns_config.c - reads resolv.conf(5).
 *
 * Called by dns.c on the resolver thread; calls endpoint.c and suffixes.c.
 */
#include <config.h>
#include "daemon/net/dns_config.h"
#include <string.h>
#include "daemon/net/endpoint.h"
#include "daemon/net/suffixes.h"
#include "proto/ipaddr.h"

/* As in resolv.conf(5), whose limits on what it says hold here, too. */
enum { TIMEOUT = 5, TIMEOUT_MAX = 30, ATTEMPTS = 2, ATTEMPTS_MAX = 5 };

static void clear(struct dns_config *config)
{
    suffixes_release(config->search);
    config->search = NULL;
    config->domain.size = 0;
    config->n_servers = 0;
    config->timeout = TIMEOUT;
    config->attempts = ATTEMPTS;
}

void dns_config_init(struct dns_config *config)
{
    memset(config, 0, sizeof *config);
    clear(config);
}

void dns_config_fini(struct dns_config *config) { clear(config); }

bool dns_config_parse_server(struct sockaddr_storage *server, const char *text,
                             size_t size)
{
    struct value_ip ip = {0};
    int port;

    if (!ipaddr_parse_endpoint(&ip, &port, text, size)) {
        return false;
    }
    (void)endpoint_from_ip(server, &ip, (uint16_t)(port < 0 ? DNS_PORT : port));
    return true;
}

/* ---- The file ---- */

/* A word of a line; `size` 0: there is none. */
struct word {
    const char *text;
    size_t size;
};

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static struct word next_word(const char **at, const char *end)
{
    while (*at < end && is_blank(**at)) {
        (*at)++;
    }
    struct word word = {*at, 0};

    while (*at < end && !is_blank(**at)) {
        (*at)++;
    }
    word.size = (size_t)(*at - word.text);
    return word;
}

static bool is(struct word word, const char *text)
{
    return word.size == strlen(text) && memcmp(word.text, text, word.size) == 0;
}

static void take_server(struct dns_config *config, struct word word)
{
    if (config->n_servers < DNS_SERVERS_MAX &&
        dns_config_parse_server(&config->servers[config->n_servers], word.text,
                                word.size)) {
        config->n_servers++;
    }
}

static void take_search(struct dns_config *config, const char *at, const char *end,
                        unsigned n_max)
{
    struct suffixes *search = suffixes_new(n_max);
    struct word word;

    while (search->n < n_max && (word = next_word(&at, end)).size > 0) {
        (void)suffixes_add(search, word.text, word.size); /* others may be good */
    }
    suffixes_release(config->search);
    config->search = search;
    if (search->n > 0) {
        config->domain = search->names[0];
    }
}

/* "timeout:3"; other options are for other resolvers. */
static void take_option(struct dns_config *config, struct word word)
{
    const char *colon = memchr(word.text, ':', word.size);
    unsigned number = 0;

    if (colon == NULL) {
        return;
    }
    for (const char *at = colon + 1; at < word.text + word.size; at++) {
        if (*at < '0' || *at > '9' || number > 1000) {
            return;
        }
        number = number * 10 + (unsigned)(*at - '0');
    }
    word.size = (size_t)(colon - word.text);
    if (is(word, "timeout") && number > 0) {
        config->timeout = number < TIMEOUT_MAX ? number : TIMEOUT_MAX;
    } else if (is(word, "attempts") && number > 0) {
        config->attempts = number < ATTEMPTS_MAX ? number : ATTEMPTS_MAX;
    }
}

static void take_line(struct dns_config *config, const char *at, const char *end)
{
    struct word key = next_word(&at, end), word;

    if (is(key, "nameserver")) {
        take_server(config, next_word(&at, end));
    } else if (is(key, "search")) {
        take_search(config, at, end, SUFFIXES_MAX);
    } else if (is(key, "domain")) {
        take_search(config, at, end, 1);
    } else if (is(key, "options")) {
        while ((word = next_word(&at, end)).size > 0) {
            take_option(config, word);
        }
    }
}

void dns_config_parse(struct dns_config *config, const char *text, size_t size,
                      const char *host_name)
{
    const char *end = text + size, *dot = strchr(host_name, '.');

    clear(config);
    if (dot != NULL) {
        take_search(config, dot + 1, dot + strlen(dot), 1);
    }
    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        if (line_end == NULL) {
            line_end = end;
        }
        take_line(config, text, line_end);
        text = line_end + 1;
    }
}
