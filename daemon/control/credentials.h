/* SPDX-License-Identifier: MIT */
/*
 * credentials.h - who is at the other end of a control connection, as the kernel says.
 *
 * Thread: main.
 */
#ifndef SOCKD_CONTROL_CREDENTIALS_H
#define SOCKD_CONTROL_CREDENTIALS_H

#include <stdbool.h>
#include <sys/types.h>

struct caller;

/* Members of this group are administrators, as root and the daemon's own user are. Before
 * the listener starts; without it there is no such group. */
void credentials_set_admin_group(gid_t group);

/* Fills in the caller of a connected Unix socket, but for the client. 0 or negative
 * errno. */
int credentials_read(int fd, struct caller *caller);

#endif
