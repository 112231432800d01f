/* SPDX-License-Identifier: MIT */
/*
 * tunnels.h - the tunnels of the configuration.
 *
 * Thread: main.
 */
#ifndef SOCKD_TUNNELS_H
#define SOCKD_TUNNELS_H

#include <stdbool.h>
#include "daemon/config.h"

/* Are the sections [tunnel NAME] good? False: `why` has file, line and sentence. */
bool tunnels_check(const struct config *config, char why[CONFIG_WHY_SIZE]);
/* Opens them, spread over the workers, which run. `done` is called later in the running
 * loop of main when all are open, or one is not: then `why` is not NULL. With none it is
 * called before this returns. */
void tunnels_start(const struct config *config, void (*done)(const char *why));

#endif
