/* SPDX-License-Identifier: MIT */
/*
 * rights.h - who may connect, and who administers, by the configuration.
 *
 * Thread: main.
 */
#ifndef SOCKD_RIGHTS_H
#define SOCKD_RIGHTS_H

#include <stdbool.h>
#include <sys/types.h>
#include "daemon/config.h"

struct rights {
    /* Of the control socket; -1: left as they are. */
    uid_t owner;
    gid_t group;
    mode_t mode;
    bool has_admins;
    gid_t admins;
};

/* Asks the system for the users and groups that are named. False: one is unknown. */
bool rights_find(struct rights *rights, const struct config *config,
                 char why[CONFIG_WHY_SIZE]);

#endif
