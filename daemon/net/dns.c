/* SPDX-License-Identifier: MIT */
/*
 * dns.c - the configuration in force, and what depends on it.
 *
 * Called by the resolver thread and by what runs there; calls dns_config.c, dns_line.c,
 * dns_cache.c. Thread: the resolver thread.
 */
#include <config.h>
#include "daemon/net/dns.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "daemon/base/check.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/net/dns_cache.h"
#include "daemon/net/dns_line.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/hosts.h"
#include "daemon/net/name_cache.h"
#include "daemon/net/watched_file.h"

static struct {
    struct dns_config config;
    struct watched_file file;
    struct dns_server *servers[DNS_SERVERS_MAX]; /* in the order of the configuration */
    unsigned n_servers;
    struct dns_cache *cache;
    uint64_t generation;
} dns;

static void close_servers(struct dns_server **servers, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (servers[i] != NULL) {
            dns_server_close(servers[i]);
            dns_server_release(servers[i]);
        }
    }
}

/* A server that was there before stays, with its counts and what is known of it. */
static struct dns_server *take_server(struct dns_server **old, unsigned n_old,
                                      const struct sockaddr_storage *address)
{
    for (unsigned i = 0; i < n_old; i++) {
        if (old[i] != NULL && endpoint_equal(&old[i]->address, address)) {
            struct dns_server *server = old[i];
            old[i] = NULL;
            return server;
        }
    }
    return dns_server_new(address);
}

static void apply(void)
{
    struct dns_server *old[DNS_SERVERS_MAX];
    unsigned n_old = dns.n_servers;

    memcpy(old, dns.servers, sizeof old);
    dns.n_servers = dns.config.n_servers;
    for (unsigned i = 0; i < dns.n_servers; i++) {
        dns.servers[i] = take_server(old, n_old, &dns.config.servers[i]);
    }
    close_servers(old, n_old);
    dns.generation++;
    dns_flights_unshare();
    dns_cache_clear(dns.cache);
    name_cache_clear();
    log_line(LOG_DNS, LOG_LEVEL_INFO, "Name servers are configured. n=%u by=%s",
             dns.n_servers, dns.config.is_auto ? dns.file.path : "configure-dns");
}

void dns_configure(struct dns_config *config)
{
    dns_config_fini(&dns.config);
    dns.config = *config;
    apply();
}

void dns_configure_auto(void)
{
    char host_name[256] = "";
    size_t size = 0;
    char *text = watched_file_read(&dns.file, &size, loop_now_ms(loop_self()));

    if (text == NULL) {
        log_line(LOG_DNS, LOG_LEVEL_WARN,
                 "The file of name servers can't be read, so none is known. "
                 "file=\"%s\" reason=\"%s\"",
                 dns.file.path, strerror(errno));
    }
    (void)gethostname(host_name, sizeof host_name - 1); /* "" then */
    dns_config_parse(&dns.config, text != NULL ? text : "", size, host_name);
    dns.config.is_auto = true;
    free(text);
    apply();
}

const struct dns_config *dns_config_in_force(void)
{
    if (dns.config.is_auto && watched_file_is_new(&dns.file, loop_now_ms(loop_self()))) {
        dns_configure_auto();
    }
    return &dns.config;
}

void dns_config_distrust(void) { watched_file_distrust(&dns.file); }

uint64_t dns_generation(void) { return dns.generation; }

struct dns_server *const *dns_servers(unsigned *n)
{
    (void)dns_config_in_force();
    *n = dns.n_servers;
    return dns.servers;
}

struct dns_cache *dns_cache_in_use(void) { return dns.cache; }

void dns_open(const struct dns_plan *plan)
{
    CHECK(dns.cache == NULL);
    dns_lines_start();
    dns.cache = dns_cache_new(plan->cache_size);
    dns_config_init(&dns.config);
    dns.file = (struct watched_file){.path = plan->resolv_conf, .size_max = DNS_FILE_MAX};
    hosts_open(plan->hosts);
    dns_configure_auto();
}

void dns_close(void)
{
    CHECK(dns_flights() == 0);
    for (unsigned i = 0; i < dns.n_servers; i++) {
        dns_server_release(dns.servers[i]);
    }
    dns.n_servers = 0;
    dns_lines_stop();
    dns_config_fini(&dns.config);
    dns_cache_free(dns.cache);
    dns.cache = NULL;
    hosts_close();
}
