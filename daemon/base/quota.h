/* SPDX-License-Identifier: MIT */
/*
 * quota.h - how much of something each user holds, over all workers.
 *
 * Thread: any; one lock of its own (`quota`, a leaf: nothing is called while it is held).
 */
#ifndef SOCKD_BASE_QUOTA_H
#define SOCKD_BASE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum quota_kind {
    QUOTA_CONNECTIONS,
    QUOTA_SOCKETS,
    QUOTA_LOOKUPS,
    QUOTA_CONTEXTS,
    QUOTA_KINDS
};

/* 0: no limit. Before the first thread, or at reload. */
void quota_set_limit(enum quota_kind kind, uint32_t limit);
uint32_t quota_limit(enum quota_kind kind);
/* The same for all users together. */
void quota_set_total(enum quota_kind kind, uint32_t limit);
/* False: the limit of this user or of all is reached, nothing was taken. */
bool quota_take(enum quota_kind kind, uid_t uid);
/* After a refusal: the name of the limit, for the error, and its value. */
const char *quota_refusal(enum quota_kind kind, uint32_t *limit);
void quota_give(enum quota_kind kind, uid_t uid);
void quota_fini(void);

#endif
