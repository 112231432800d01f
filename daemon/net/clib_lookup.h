/* SPDX-License-Identifier: MIT */
/*
 * clib_lookup.h - names through the C library, in a job thread.
 *
 * What nsswitch.conf(5) names beside name servers and the file of hosts is found only
 * here.
 *
 * Thread: the loop of the asker.
 */
#ifndef SOCKD_NET_CLIB_LOOKUP_H
#define SOCKD_NET_CLIB_LOOKUP_H

struct error;
struct resolve;
struct resolve_answer;

/* Looks up what resolve->plan says. `done` runs later, never before this returns; `error`
 * and `answer` are valid during the call only. */
void clib_lookup_start(struct resolve *resolve,
                       void (*done)(struct resolve *resolve,
                                    struct resolve_answer *answer, struct error *error));
/* `done` will not run any more. No-op when idle. */
void clib_lookup_cancel(struct resolve *resolve);

#endif
