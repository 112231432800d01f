/* SPDX-License-Identifier: MIT */
/*
 * hosts.h - the file of hosts, kept in memory and read again when it has changed.
 *
 * The C library reads that file too, but only together with name servers that may not
 * answer. Names that stand in the file do not have to wait for them here.
 *
 * Thread: the resolver thread.
 */
#ifndef SOCKD_NET_HOSTS_H
#define SOCKD_NET_HOSTS_H

#include <stdint.h>

struct dns_answer;
struct dns_name;

enum { HOSTS_TTL = 10, HOSTS_FILE_MAX = 16 << 20 };

void hosts_open(const char *path);
void hosts_close(void);

/* What the file has for a name, as an answer to hold: types A, AAAA, and PTR for the
 * names of addresses. NULL: nothing. */
struct dns_answer *hosts_find(const struct dns_name *name, uint16_t type);

#endif
