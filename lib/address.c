/* SPDX-License-Identifier: MIT */
/*
 * address.c - the documented address functions, which need no daemon.
 *
 * Place: the C face of proto/ipaddr.h. Pure functions, but for the names of interfaces in
 * scopes. Thread: any.
 */
#include <config.h>

#include "lib/internal.h"

#include <string.h>
#include "proto/ipaddr.h"

_Static_assert((int)SOCKD_HOST_SIZE >= (int)IPADDR_TEXT_SIZE, "a host must fit its text");

bool sockd_ipaddrp(const struct sockd_ipaddr *address)
{
    return address && (address->family == 4 || address->family == 6);
}

bool sockd_ipv6_address_p(const struct sockd_ipaddr *address)
{
    return address && address->family == 6;
}

bool sockd_dotted_address_p(const char *text)
{
    return text && ipaddr_is_dotted(text, strlen(text));
}

static struct value_ip to_value(const struct sockd_ipaddr *address)
{
    struct value_ip ip = {.is_ipv6 = address->family == 6};

    memcpy(ip.bytes, address->bytes, ip.is_ipv6 ? 16 : 4);
    ip.scope_id = ip.is_ipv6 ? address->scope_id : 0;
    return ip;
}

static void from_value(const struct value_ip *ip, struct sockd_ipaddr *address)
{
    memset(address, 0, sizeof(*address));
    address->family = ip->is_ipv6 ? 6 : 4;
    memcpy(address->bytes, ip->bytes, ip->is_ipv6 ? 16 : 4);
    address->scope_id = ip->is_ipv6 ? ip->scope_id : 0;
}

int sockd_dotted_to_ipaddr(const char *dotted, struct sockd_ipaddr *address,
                           struct sockd_error *error)
{
    struct value_ip ip;

    if (!dotted || !ipaddr_parse(&ip, dotted, strlen(dotted)))
        return fail_parameter(error, "dotted", "an IPv4 or IPv6 address as text");
    if (address)
        from_value(&ip, address);
    return SOCKD_OK;
}

void sockd_ipaddr_to_dotted(const struct sockd_ipaddr *address, char *text)
{
    char formatted[IPADDR_TEXT_SIZE];
    struct value_ip ip;

    text[0] = 0;
    if (!sockd_ipaddrp(address))
        return;
    ip = to_value(address);
    ipaddr_format(&ip, formatted);
    memcpy(text, formatted, strlen(formatted) + 1);
}

bool sockd_ipaddr_equalp(const struct sockd_ipaddr *first,
                         const struct sockd_ipaddr *second, bool compare_scope_id)
{
    struct value_ip a, b;

    if (!sockd_ipaddrp(first) || !sockd_ipaddrp(second))
        return false;
    a = to_value(first);
    b = to_value(second);
    return ipaddr_equal(&a, &b, compare_scope_id);
}

void sockd_ipaddr_from_integer(uint32_t number, struct sockd_ipaddr *address)
{
    struct value_ip ip;

    ipaddr_from_integer(&ip, number);
    from_value(&ip, address);
}

uint32_t sockd_ipaddr_to_integer(const struct sockd_ipaddr *address)
{
    struct value_ip ip;

    if (!address || address->family != 4)
        return 0;
    ip = to_value(address);
    return ipaddr_to_integer(&ip);
}
