/* SPDX-License-Identifier: MIT */
/*
 * multicast.h - groups that a UDP socket is a member of, and the interface of those that
 * it sends to.
 *
 * Thread: any; the system keeps the memberships and ends them with the descriptor.
 */
#ifndef SOCKD_NET_MULTICAST_H
#define SOCKD_NET_MULTICAST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct multicast_group {
    struct sockaddr_storage address;
    uint32_t interface; /* 0: the routes tell */
};

/* Whether the address is that of a group. */
bool multicast_is_group(const struct multicast_group *group);
/* 0, or negative errno. What is so already is no failure. */
int multicast_join(int fd, const struct multicast_group *group);
int multicast_leave(int fd, const struct multicast_group *group);
/* By which interface datagrams to groups leave; 0: the routes tell. 0, or negative errno.
 */
int multicast_set_interface(int fd, bool is_ipv6, uint32_t interface);

#endif
