/* SPDX-License-Identifier: MIT */
/*
 * session.h - the documented variables, per control connection.
 *
 * Owner: the connection (daemon/control/connection.h answers it). Thread: the
 * connection's home.
 */
#ifndef SOCKD_CONTROL_SESSION_H
#define SOCKD_CONTROL_SESSION_H

#include <stdbool.h>

/* DNS names have at most 253 characters (RFC 1035 section 2.3.4). */
enum { SESSION_NAME_SIZE = 254, SESSION_MAX_DOMAINS = 16 };

/* dns-mode is a set: the order of its words does not matter. */
enum session_dns { SESSION_DNS_ACLDNS = 1, SESSION_DNS_CLIB = 2 };

struct session {
    unsigned ipv6;                      /* *ipv6*: enum value_ipv6 */
    bool print_hostname;                /* *print-hostname-in-stream* */
    unsigned dns_mode;                  /* *dns-mode*: enum session_dns bits */
    char dns_domain[SESSION_NAME_SIZE]; /* *dns-domain*; "": none */
    char (*domains)[SESSION_NAME_SIZE]; /* *domain-search-list*; NULL: none */
    unsigned n_domains;
};

/* The defaults of a new connection. */
void session_init(struct session *session);
void session_fini(struct session *session);

#endif
