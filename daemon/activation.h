/* SPDX-License-Identifier: MIT */
/*
 * activation.h - the control socket, where a service manager has made it
 * (sd_listen_fds(3)).
 *
 * Thread: main, before all others.
 */
#ifndef SOCKD_ACTIVATION_H
#define SOCKD_ACTIVATION_H

#include <stdbool.h>
#include "daemon/config.h"

/* *fd: the listening socket that was passed, which is the caller's now; -1: none was.
 * False: something else was passed. */
bool activation_take(int *fd, char why[CONFIG_WHY_SIZE]);

#endif
