/* SPDX-License-Identifier: MIT */
/*
 * quota.c - counts per user, in an array sorted by uid that holds only users who hold
 * something.
 *
 * Called where a connection or a socket begins and ends; calls check.c. Thread: any.
 */
#include <config.h>
#include "daemon/base/quota.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"

struct quota_user {
    uid_t uid;
    uint32_t n_held[QUOTA_KINDS];
};

static const struct {
    const char *user, *total; /* names of the limits, as in hello */
} names[QUOTA_KINDS] = {
    [QUOTA_CONNECTIONS] = {"connections-per-user", "connections"},
    [QUOTA_SOCKETS] = {"sockets-per-user", "sockets"},
    [QUOTA_LOOKUPS] = {"lookups-per-user", "lookups"},
    [QUOTA_CONTEXTS] = {"contexts-per-user", "contexts"},
};

static _Atomic uint32_t limits[QUOTA_KINDS], totals[QUOTA_KINDS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static struct quota_user *users;
static size_t n_users, room;
static uint32_t n_taken[QUOTA_KINDS]; /* of all users */

void quota_set_limit(enum quota_kind kind, uint32_t limit)
{
    CHECK(kind < QUOTA_KINDS);
    atomic_store_explicit(&limits[kind], limit, memory_order_relaxed);
}

uint32_t quota_limit(enum quota_kind kind)
{
    CHECK(kind < QUOTA_KINDS);
    return atomic_load_explicit(&limits[kind], memory_order_relaxed);
}

void quota_set_total(enum quota_kind kind, uint32_t limit)
{
    CHECK(kind < QUOTA_KINDS);
    atomic_store_explicit(&totals[kind], limit, memory_order_relaxed);
}

static uint32_t total_limit(enum quota_kind kind)
{
    return atomic_load_explicit(&totals[kind], memory_order_relaxed);
}

const char *quota_refusal(enum quota_kind kind, uint32_t *limit)
{
    uint32_t total = total_limit(kind);

    pthread_mutex_lock(&lock);
    bool is_total = total > 0 && n_taken[kind] >= total;
    pthread_mutex_unlock(&lock);
    *limit = is_total ? total : quota_limit(kind);
    return is_total ? names[kind].total : names[kind].user;
}

/* Where the user stands or would have to stand. */
static size_t find_place(uid_t uid)
{
    size_t low = 0, high = n_users;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (users[middle].uid < uid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void insert(size_t place, uid_t uid)
{
    if (n_users == room) {
        room = room > 0 ? room * 2 : 8;
        users = mem_resize(users, room * sizeof *users);
    }
    memmove(users + place + 1, users + place, (n_users - place) * sizeof *users);
    users[place] = (struct quota_user){.uid = uid};
    n_users++;
}

static bool holds_something(const struct quota_user *user)
{
    for (int kind = 0; kind < QUOTA_KINDS; kind++) {
        if (user->n_held[kind] > 0) {
            return true;
        }
    }
    return false;
}

bool quota_take(enum quota_kind kind, uid_t uid)
{
    uint32_t limit = quota_limit(kind), total = total_limit(kind);
    bool is_allowed = true;

    pthread_mutex_lock(&lock);
    size_t place = find_place(uid);
    if (total > 0 && n_taken[kind] >= total) {
        is_allowed = false;
    } else if (place == n_users || users[place].uid != uid) {
        /* The first of a user is within every limit, the least of which is 1. */
        insert(place, uid);
        users[place].n_held[kind] = 1;
    } else if (limit > 0 && users[place].n_held[kind] >= limit) {
        is_allowed = false;
    } else {
        users[place].n_held[kind]++;
    }
    n_taken[kind] += is_allowed;
    pthread_mutex_unlock(&lock);
    return is_allowed;
}

void quota_give(enum quota_kind kind, uid_t uid)
{
    CHECK(kind < QUOTA_KINDS);
    pthread_mutex_lock(&lock);
    size_t place = find_place(uid);
    CHECK(place < n_users && users[place].uid == uid && users[place].n_held[kind] > 0);
    users[place].n_held[kind]--;
    n_taken[kind]--;
    if (!holds_something(&users[place])) {
        n_users--;
        memmove(users + place, users + place + 1, (n_users - place) * sizeof *users);
    }
    pthread_mutex_unlock(&lock);
}

void quota_fini(void)
{
    pthread_mutex_lock(&lock);
    free(users);
    users = NULL;
    n_users = room = 0;
    memset(n_taken, 0, sizeof n_taken);
    pthread_mutex_unlock(&lock);
}
