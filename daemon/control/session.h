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

struct suffixes;

/* DNS names have at most 253 characters (RFC 1035 section 2.3.4). */
enum { SESSION_NAME_SIZE = 254 };

struct session {
    unsigned ipv6;                      /* *ipv6*: enum value_ipv6 */
    bool print_hostname;                /* *print-hostname-in-stream* */
    unsigned dns_mode;                  /* *dns-mode*: enum resolve_mode */
    char dns_domain[SESSION_NAME_SIZE]; /* *dns-domain*; "": none */
    struct suffixes *search;            /* *domain-search-list*; NULL: none given */
    struct suffixes *suffixes; /* what names without a dot are tried in: the list, or the
                                  domain alone; NULL: what is configured */
};

/* The defaults of a new connection. */
void session_init(struct session *session);
void session_fini(struct session *session);

#endif
