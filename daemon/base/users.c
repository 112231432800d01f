/* SPDX-License-Identifier: MIT */
/*
 * users.c - a sorted list of the users that have connected, with their names.
 *
 * Filled by the control listener, read by replies that name an owner. Names are kept
 * until the end; there are as many as users of this machine.
 */
#include <config.h>
#include "daemon/base/users.h"
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include "daemon/base/check.h"

enum { ENTRY_BUFFER = 16384 };

struct user {
    uid_t uid;
    char *name; /* NULL: the number has none */
};

static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER;
static struct user *users;
static size_t n_users, room;

/* Where `uid` is, or belongs. The lock is held. */
static size_t place_of(uid_t uid)
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

bool users_known(uid_t uid)
{
    size_t place;
    bool known;

    pthread_mutex_lock(&users_lock);
    place = place_of(uid);
    known = place < n_users && users[place].uid == uid;
    pthread_mutex_unlock(&users_lock);
    return known;
}

void users_learn(uid_t uid)
{
    struct passwd entry, *found = NULL;
    char buffer[ENTRY_BUFFER];
    char *name = NULL;
    size_t place;

    if (users_known(uid)) {
        return;
    }
    if (getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) == 0 && found) {
        name = mem_copy_text(found->pw_name);
    }
    pthread_mutex_lock(&users_lock);
    place = place_of(uid);
    if (place < n_users && users[place].uid == uid) {
        /* Another thread was faster. */
        pthread_mutex_unlock(&users_lock);
        free(name);
        return;
    }
    if (n_users == room) {
        room = room ? room * 2 : 16;
        users = mem_resize(users, room * sizeof users[0]);
    }
    for (size_t i = n_users; i > place; i--) {
        users[i] = users[i - 1];
    }
    users[place] = (struct user){.uid = uid, .name = name};
    n_users++;
    pthread_mutex_unlock(&users_lock);
}

const char *users_name(uid_t uid)
{
    const char *name = NULL;
    size_t place;

    pthread_mutex_lock(&users_lock);
    place = place_of(uid);
    if (place < n_users && users[place].uid == uid) {
        name = users[place].name;
    }
    pthread_mutex_unlock(&users_lock);
    return name;
}

static bool is_number(const char *text, unsigned long *number)
{
    char *end;

    errno = 0;
    *number = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 &&
           *number < UINT32_MAX;
}

bool users_find(const char *name, uid_t *uid)
{
    struct passwd entry, *found = NULL;
    char space[16384];
    unsigned long number;

    if (is_number(name, &number)) {
        *uid = (uid_t)number;
        return true;
    }
    if (getpwnam_r(name, &entry, space, sizeof space, &found) != 0 || found == NULL) {
        return false;
    }
    *uid = found->pw_uid;
    return true;
}

bool users_find_group(const char *name, gid_t *gid)
{
    struct group entry, *found = NULL;
    unsigned long number;

    if (is_number(name, &number)) {
        *gid = (gid_t)number;
        return true;
    }
    size_t size = 65536; /* large groups have long lists of members */
    char *space = mem_new(size);
    bool is_found = getgrnam_r(name, &entry, space, size, &found) == 0 && found != NULL;

    if (is_found) {
        *gid = found->gr_gid;
    }
    free(space);
    return is_found;
}

void users_fini(void)
{
    pthread_mutex_lock(&users_lock);
    for (size_t i = 0; i < n_users; i++) {
        free(users[i].name);
    }
    free(users);
    users = NULL;
    n_users = 0;
    room = 0;
    pthread_mutex_unlock(&users_lock);
}
