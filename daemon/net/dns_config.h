/* SPDX-License-Identifier: MIT */
/*
 * dns_config.h - which name servers are asked, and how: given by configure-dns, or read
 * from the system's file.
 *
 * Thread: that of its owner (the resolver thread).
 */
#ifndef SOCKD_NET_DNS_CONFIG_H
#define SOCKD_NET_DNS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "daemon/net/dns_name.h"

struct suffixes;

enum {
    DNS_SERVERS_MAX = 8,
    DNS_PORT = 53,
    DNS_FILE_MAX = 65536, /* bytes of resolv.conf that are read */
};

/* Owner: whoever embeds it. */
struct dns_config {
    bool is_auto; /* by the system's file */
    unsigned n_servers;
    struct sockaddr_storage servers[DNS_SERVERS_MAX]; /* with ports */
    struct suffixes *search;                          /* NULL: none */
    struct dns_name domain; /* of this machine; size 0: unknown */
    double timeout;         /* seconds of one try of a look-up */
    unsigned attempts;      /* of a look-up, at each server */
};

/* No server, and the usual times (resolv.conf(5)). */
void dns_config_init(struct dns_config *config);
void dns_config_fini(struct dns_config *config);

/* A server by its address, "127.0.0.1", "::1", or with a port, "127.0.0.1:53",
 * "[fe80::1%eth0]:53". */
bool dns_config_parse_server(struct sockaddr_storage *server, const char *text,
                             size_t size);

/* Takes what it says from the text of a resolv.conf(5); what it does not say becomes as
 * dns_config_init() has it, and the search list that of `host_name` (may be ""). Lines
 * that nobody understands are skipped. */
void dns_config_parse(struct dns_config *config, const char *text, size_t size,
                      const char *host_name);

#endif
