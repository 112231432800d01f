/* SPDX-License-Identifier: MIT */
/*
 * rights.c - from names of users and groups to their numbers.
 *
 * Called by main.c, which says what is unknown, and by server.c, which uses it; calls
 * base/users. Thread: main.
 */
#include <config.h>
#include "daemon/rights.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "daemon/base/log.h"
#include "daemon/base/users.h"

static bool refuse(enum config_id id, const char *what, const char *name,
                   char why[CONFIG_WHY_SIZE])
{
    char quoted[256];

    (void)snprintf(why, CONFIG_WHY_SIZE, "%s names no %s: %s", config_row(id)->name, what,
                   log_quote(quoted, sizeof quoted, name, strlen(name)));
    return false;
}

/* An option that is not there leaves *gid alone. */
static bool find_group(const struct config *config, enum config_id id, gid_t *gid,
                       char why[CONFIG_WHY_SIZE])
{
    const char *name = config_text(config, id);

    return name == NULL || users_find_group(name, gid) || refuse(id, "group", name, why);
}

bool rights_find(struct rights *rights, const struct config *config,
                 char why[CONFIG_WHY_SIZE])
{
    const char *owner = config_text(config, CONFIG_SOCKET_OWNER);
    bool has_mode = config->values[CONFIG_SOCKET_MODE].source != CONFIG_BY_DEFAULT;
    bool is_root = geteuid() == 0;

    *rights = (struct rights){
        .owner = (uid_t)-1,
        .group = (gid_t)-1,
        .mode = has_mode  ? (mode_t)config_number(config, CONFIG_SOCKET_MODE)
                : is_root ? 0660
                          : 0600,
        .has_admins = config_text(config, CONFIG_ADMIN_GROUP) != NULL,
    };
    if (owner != NULL && !users_find(owner, &rights->owner)) {
        return refuse(CONFIG_SOCKET_OWNER, "user", owner, why);
    }
    /* Unless the configuration says it: for root the group sockd, if there is one; for
     * others the user alone. */
    if (is_root && config_text(config, CONFIG_SOCKET_GROUP) == NULL) {
        (void)users_find_group("sockd", &rights->group);
    }
    return find_group(config, CONFIG_SOCKET_GROUP, &rights->group, why) &&
           find_group(config, CONFIG_ADMIN_GROUP, &rights->admins, why);
}
