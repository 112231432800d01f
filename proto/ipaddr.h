/* SPDX-License-Identifier: MIT */
/*
 * ipaddr.h - the documented address functions: text <-> binary Internet addresses.
 *
 * Pure, apart from interface names in scopes (if_nametoindex). Used by the daemon, and by
 * the library without a daemon.
 */
#ifndef SOCKD_PROTO_IPADDR_H
#define SOCKD_PROTO_IPADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/value.h"

enum { IPADDR_TEXT_SIZE = 64 }; /* longest text form with scope and NUL */

/* All inet_aton forms of IPv4 ("127.1", octal and hexadecimal parts), IPv6 with %scope.
 */
bool ipaddr_parse(struct value_ip *ip, const char *text, size_t size);
/* An address with a port: "127.0.0.1:53", "[::1%eth0]:53", or without: *port is -1 then.
 */
bool ipaddr_parse_endpoint(struct value_ip *ip, int *port, const char *text, size_t size);
/* The part behind %: the number or the name of an interface, which must exist then. */
bool ipaddr_parse_scope(const char *text, size_t size, uint32_t *scope_id);
bool ipaddr_is_dotted(const char *text, size_t size);
void ipaddr_from_integer(struct value_ip *ip, uint32_t number);
uint32_t ipaddr_to_integer(const struct value_ip *ip); /* IPv4 only */
/* RFC 5952 text; a scope that is not 0 is appended as interface name, or number when it
 * has none. */
void ipaddr_format(const struct value_ip *ip, char text[IPADDR_TEXT_SIZE]);
/* An IPv4-mapped IPv6 address equals its IPv4 form. */
bool ipaddr_equal(const struct value_ip *a, const struct value_ip *b, bool compare_scope);
bool ipaddr_is_mapped(const struct value_ip *ip);

/* The addresses that begin with these bits. */
struct ipaddr_network {
    struct value_ip ip; /* its other bits are 0; IPv4-mapped ones are in IPv4 form */
    unsigned n_bits;
};
/* "10.0.0.0/8", "2001:db8::/32", or one address. False: it is none, or an address inside
 * of the network. */
bool ipaddr_parse_network(struct ipaddr_network *network, const char *text, size_t size);
/* Scopes do not count; an IPv4-mapped address is one of IPv4. */
bool ipaddr_is_in(const struct value_ip *ip, const struct ipaddr_network *network);

#endif
