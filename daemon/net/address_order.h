/* SPDX-License-Identifier: MIT */
/*
 * address_order.h - which of several addresses to try first (RFC 6724 section 6).
 *
 * Thread: any.
 */
#ifndef SOCKD_NET_ADDRESS_ORDER_H
#define SOCKD_NET_ADDRESS_ORDER_H

struct sockaddr_storage;

/* Sorts at most 32 of them; equals keep their order. The system is asked for the address
 * that it would use to reach each of them, which neither sends anything nor waits. */
void address_order(struct sockaddr_storage *addresses, unsigned n);

#endif
