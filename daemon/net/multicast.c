/* SPDX-License-Identifier: MIT */
/*
 * multicast.c - memberships by the calls of RFC 3678, which are the same for both
 * families.
 *
 * Called by datagram.c and the option commands. Thread: any.
 */
#include <config.h>
#include "daemon/net/multicast.h"
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

bool multicast_is_group(const struct multicast_group *group)
{
    if (group->address.ss_family == AF_INET6) {
        return IN6_IS_ADDR_MULTICAST(
            &((const struct sockaddr_in6 *)&group->address)->sin6_addr);
    }
    return IN_MULTICAST(
        ntohl(((const struct sockaddr_in *)&group->address)->sin_addr.s_addr));
}

/* The level is that of the group: an IPv6 socket can be in groups of both families. */
static int change(int fd, int option, const struct multicast_group *group)
{
    struct group_req request = {.gr_interface = group->interface};
    int level = group->address.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;

    memcpy(&request.gr_group, &group->address, sizeof request.gr_group);
    return setsockopt(fd, level, option, &request, sizeof request) == 0 ? 0 : -errno;
}

int multicast_join(int fd, const struct multicast_group *group)
{
    int status = change(fd, MCAST_JOIN_GROUP, group);

    return status == -EADDRINUSE ? 0 : status;
}

int multicast_leave(int fd, const struct multicast_group *group)
{
    int status = change(fd, MCAST_LEAVE_GROUP, group);

    return status == -EADDRNOTAVAIL ? 0 : status;
}

int multicast_set_interface(int fd, bool is_ipv6, uint32_t interface)
{
    struct ip_mreqn request = {.imr_ifindex = (int)interface};
    int number = (int)interface;

    if (is_ipv6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &number, sizeof number) != 0) {
        return -errno;
    }
    /* Of an IPv6 socket this is for groups of IPv4, which it may not know at all. */
    return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) == 0 ||
                   is_ipv6
               ? 0
               : -errno;
}
