/* SPDX-License-Identifier: MIT */
/*
 * users.h - names of users, remembered so that no loop asks the name service switch.
 *
 * users_learn() may block: it runs in a job thread when a user connects for the first
 * time. Reading is for any thread. One lock of its own (`users`, a leaf: nothing is
 * called while it is held).
 */
#ifndef SOCKD_BASE_USERS_H
#define SOCKD_BASE_USERS_H

#include <stdbool.h>
#include <sys/types.h>

void users_learn(uid_t uid);
/* Whether it was learnt before: then users_learn() does nothing. */
bool users_known(uid_t uid);
/* NULL: not learnt, or the number has no name. Valid until users_fini(). */
const char *users_name(uid_t uid);
/* By name or number, asked from the system; may block. Any thread. */
bool users_find(const char *name, uid_t *uid);
/* The same for groups. */
bool users_find_group(const char *name, gid_t *gid);
void users_fini(void);

#endif
