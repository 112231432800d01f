/* SPDX-License-Identifier: MIT */
/*
 * credentials.c - SO_PEERCRED and SO_PEERGROUPS.
 *
 * Called by the control listener; calls the kernel only. The groups of the client's
 * process come from the kernel, so no name service has to be asked who is in which group.
 * Thread: main.
 */
#include <config.h>
#include "daemon/control/credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/control/request.h"

/* From <asm-generic/socket.h>, for C libraries older than the kernel. */
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

static struct {
    bool is_set;
    gid_t group;
} admin;

void credentials_set_admin_group(gid_t group)
{
    admin.group = group;
    admin.is_set = true;
}

static bool contains(const gid_t *groups, size_t n, gid_t group)
{
    for (size_t i = 0; i < n; i++) {
        if (groups[i] == group) {
            return true;
        }
    }
    return false;
}

/* Whether the client had the administrators' group among its supplementary ones when it
 * connected. A kernel that cannot say it says no. */
static bool is_in_admin_group(int fd)
{
    gid_t few[64];
    gid_t *groups = few;
    socklen_t size = sizeof few;
    int status = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size);

    if (status < 0 && errno == ERANGE) {
        /* `size` says how much is needed: at most 65536 groups. */
        groups = mem_new(size);
        status = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size);
    }
    bool is_member = status == 0 && contains(groups, size / sizeof *groups, admin.group);
    if (groups != few) {
        free(groups);
    }
    return is_member;
}

int credentials_read(int fd, struct caller *caller)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
        return -errno;
    }
    *caller = (struct caller){.pid = peer.pid, .uid = peer.uid, .gid = peer.gid};
    caller->is_admin =
        peer.uid == 0 || peer.uid == geteuid() ||
        (admin.is_set && (peer.gid == admin.group || is_in_admin_group(fd)));
    return 0;
}
