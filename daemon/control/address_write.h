/* SPDX-License-Identifier: MIT */
/*
 * address_write.h - an IP address object, as the documented functions answer it.
 *
 * Thread: any.
 */
#ifndef SOCKD_CONTROL_ADDRESS_WRITE_H
#define SOCKD_CONTROL_ADDRESS_WRITE_H

struct value_ip;
struct writer;

/* An integer for IPv4, {"ipv6", "scope-id"} for IPv6. */
void address_write(struct writer *writer, const struct value_ip *ip);

#endif
