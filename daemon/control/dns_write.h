/* SPDX-License-Identifier: MIT */
/*
 * dns_write.h - answers of name servers in replies (OPERATIONS section 5).
 *
 * Thread: any.
 */
#ifndef SOCKD_CONTROL_DNS_WRITE_H
#define SOCKD_CONTROL_DNS_WRITE_H

struct arena;
struct dns_result;
struct writer;

/* The members of a dns-result into an open object: answer, ttl, others, flags. `arena` is
 * for what is needed meanwhile. */
void dns_write_decoded(struct writer *writer, const struct dns_result *result,
                       struct arena *arena);
/* The whole response. */
void dns_write_whole(struct writer *writer, const struct dns_result *result);

#endif
