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

#include <stdbool.h>

struct error;
struct resolve;
struct resolve_answer;

/* Looks up what resolve->plan says. `done` runs later, never before this returns; `error`
 * and `answer` are valid during the call only. False: the user has too many look-ups
 * under way already (*error). */
bool clib_lookup_start(struct resolve *resolve,
                       void (*done)(struct resolve *resolve,
                                    struct resolve_answer *answer, struct error *error),
                       struct error *error);
/* `done` will not run any more. A look-up that has begun cannot be stopped, and counts as
 * one of the user's until it ends by itself. No-op when idle. */
void clib_lookup_cancel(struct resolve *resolve);

#endif
