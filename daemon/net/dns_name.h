/* SPDX-License-Identifier: MIT */
/*
 * dns_name.h - domain names as they travel (RFC 1035 section 3.1), and as text.
 *
 * Pure functions. In text a dot or backslash within a label is written \. and \\, any
 * byte that is no printable ASCII as \DDD (RFC 1035 section 5.1); text without such
 * escapes is what people write.
 */
#ifndef SOCKD_NET_DNS_NAME_H
#define SOCKD_NET_DNS_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct value_ip;

enum {
    DNS_NAME_MAX = 255,   /* bytes of a name, the root's included */
    DNS_TEXT_SIZE = 1024, /* its longest text, with NUL */
};

/* Labels with their lengths, ended by that of the root; `size` 0: no name. */
struct dns_name {
    uint8_t size;
    uint8_t wire[DNS_NAME_MAX];
};

/* "www.example.com", with or without a dot at the end; "." is the root. False: a label is
 * empty or longer than 63 bytes, the name is longer than 255, or a byte is no ASCII. */
bool dns_name_parse(struct dns_name *name, const char *text, size_t size);
/* Without a dot at the end; the root is ".". */
void dns_name_format(const struct dns_name *name, char text[DNS_TEXT_SIZE]);

/* Reads a name at `*at` of a message, compressed or not, and moves *at behind it. A
 * pointer must lead backwards, and there may be 64 at the most, so that no message can
 * send the reader in circles or on long ways. */
bool dns_name_read(struct dns_name *name, const uint8_t *message, size_t size,
                   size_t *at);

/* Letters of both cases are equal. */
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);
void dns_name_lower(struct dns_name *name);
unsigned dns_name_n_labels(const struct dns_name *name); /* the root's not counted */
/* Puts `suffix` behind it. False: that would be too long. */
bool dns_name_append(struct dns_name *name, const struct dns_name *suffix);

/* The name that the PTR record of an address stands at. */
void dns_name_of_address(struct dns_name *name, const struct value_ip *ip);

/* Letters, digits, hyphens and underscores only: the name of a host, as opposed to
 * something that a stranger's server would like us to take for one. */
bool dns_name_is_host(const struct dns_name *name);

/*
 * Names that mean something without any name server, and must not be sent to one.
 */
enum dns_kind {
    DNS_KIND_ORDINARY,
    DNS_KIND_LOCALHOST, /* localhost and below: the loopback addresses (RFC 6761, 6.3) */
    DNS_KIND_LOOPBACK,  /* PTR name of a loopback address (RFC 6303) */
    /* What exists nowhere: below invalid (RFC 6761, 6.4) and onion (RFC 7686), and what
     * ends in a number: a mistyped address (RFC 1123 section 2.1 keeps such names out of
     * the DNS). */
    DNS_KIND_NOWHERE,
};
enum dns_kind dns_name_kind(const struct dns_name *name);

#endif
