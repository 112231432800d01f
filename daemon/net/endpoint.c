/* SPDX-License-Identifier: MIT */
/*
 * endpoint.c - struct sockaddr made and taken apart, in one place.
 *
 * Called by the kinds of sockets, the commands and the description; calls proto/ipaddr
 * only. Thread: any.
 */
#include <config.h>
#include "daemon/net/endpoint.h"
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static struct sockaddr_in *as_v4(struct sockaddr_storage *address)
{
    return (struct sockaddr_in *)address;
}

static struct sockaddr_in6 *as_v6(struct sockaddr_storage *address)
{
    return (struct sockaddr_in6 *)address;
}

static const struct sockaddr_in *look_v4(const struct sockaddr_storage *address)
{
    return (const struct sockaddr_in *)address;
}

static const struct sockaddr_in6 *look_v6(const struct sockaddr_storage *address)
{
    return (const struct sockaddr_in6 *)address;
}

socklen_t endpoint_from_ip(struct sockaddr_storage *address, const struct value_ip *ip,
                           uint16_t port)
{
    memset(address, 0, sizeof *address);
    if (ip->is_ipv6) {
        address->ss_family = AF_INET6;
        memcpy(&as_v6(address)->sin6_addr, ip->bytes, 16);
        as_v6(address)->sin6_scope_id = ip->scope_id;
    } else {
        address->ss_family = AF_INET;
        memcpy(&as_v4(address)->sin_addr, ip->bytes, 4);
    }
    endpoint_set_port(address, port);
    return endpoint_size(address);
}

socklen_t endpoint_any(struct sockaddr_storage *address, bool is_ipv6, uint16_t port)
{
    const struct value_ip wildcard = {.is_ipv6 = is_ipv6};

    return endpoint_from_ip(address, &wildcard, port);
}

bool endpoint_from_path(struct sockaddr_storage *address, const char *path)
{
    struct sockaddr_un *un = (struct sockaddr_un *)address;
    size_t size = strlen(path);

    if (size == 0 || size >= sizeof un->sun_path) {
        return false;
    }
    memset(address, 0, sizeof *address);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, size);
    return true;
}

bool endpoint_ip(const struct sockaddr_storage *address, struct value_ip *ip)
{
    if (address->ss_family != AF_INET && address->ss_family != AF_INET6) {
        return false;
    }
    memset(ip, 0, sizeof *ip);
    ip->is_ipv6 = address->ss_family == AF_INET6;
    if (ip->is_ipv6) {
        memcpy(ip->bytes, &look_v6(address)->sin6_addr, 16);
        ip->scope_id = look_v6(address)->sin6_scope_id;
    } else {
        memcpy(ip->bytes, &look_v4(address)->sin_addr, 4);
    }
    return true;
}

socklen_t endpoint_size(const struct sockaddr_storage *address)
{
    switch (address->ss_family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    case AF_UNIX:
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                           strlen(((const struct sockaddr_un *)address)->sun_path) + 1);
    default:
        return sizeof(sa_family_t);
    }
}

uint16_t endpoint_port(const struct sockaddr_storage *address)
{
    switch (address->ss_family) {
    case AF_INET:
        return ntohs(look_v4(address)->sin_port);
    case AF_INET6:
        return ntohs(look_v6(address)->sin6_port);
    default:
        return 0;
    }
}

void endpoint_set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET) {
        as_v4(address)->sin_port = htons(port);
    } else if (address->ss_family == AF_INET6) {
        as_v6(address)->sin6_port = htons(port);
    }
}

void endpoint_set_scope(struct sockaddr_storage *address, uint32_t scope_id)
{
    if (address->ss_family == AF_INET6) {
        as_v6(address)->sin6_scope_id = scope_id;
    }
}

void endpoint_map(struct sockaddr_storage *address)
{
    struct value_ip ip;

    if (address->ss_family != AF_INET || !endpoint_ip(address, &ip)) {
        return;
    }
    uint16_t port = endpoint_port(address);

    memmove(ip.bytes + 12, ip.bytes, 4);
    memset(ip.bytes, 0, 10);
    memset(ip.bytes + 10, 0xff, 2);
    ip.is_ipv6 = true;
    (void)endpoint_from_ip(address, &ip, port);
}

bool endpoint_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    struct value_ip ip_a, ip_b;

    if (a->ss_family != b->ss_family || endpoint_port(a) != endpoint_port(b)) {
        return false;
    }
    if (!endpoint_ip(a, &ip_a) || !endpoint_ip(b, &ip_b)) {
        return endpoint_size(a) == endpoint_size(b) &&
               memcmp(a, b, endpoint_size(a)) == 0;
    }
    return ip_a.scope_id == ip_b.scope_id && memcmp(ip_a.bytes, ip_b.bytes, 16) == 0;
}

void endpoint_host_text(const struct sockaddr_storage *address,
                        char text[IPADDR_TEXT_SIZE])
{
    struct value_ip ip;

    text[0] = '\0';
    if (endpoint_ip(address, &ip)) {
        ipaddr_format(&ip, text);
    }
}

void endpoint_text(const struct sockaddr_storage *address, char text[ENDPOINT_TEXT_SIZE])
{
    char host[IPADDR_TEXT_SIZE], path[ENDPOINT_PATH_SIZE];

    if (address->ss_family == AF_UNIX) {
        endpoint_path(address, endpoint_size(address), path);
        (void)snprintf(text, ENDPOINT_TEXT_SIZE, "%s", path);
        return;
    }
    endpoint_host_text(address, host);
    (void)snprintf(text, ENDPOINT_TEXT_SIZE,
                   address->ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host,
                   (unsigned)endpoint_port(address));
}

void endpoint_path(const struct sockaddr_storage *address, socklen_t size,
                   char path[ENDPOINT_PATH_SIZE])
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)address;
    const size_t start = offsetof(struct sockaddr_un, sun_path);

    path[0] = '\0';
    if (size <= start || address->ss_family != AF_UNIX) {
        return;
    }
    size_t room = size - start < sizeof un->sun_path ? size - start : sizeof un->sun_path;

    if (un->sun_path[0] != '\0') {
        room = strnlen(un->sun_path, room);
        memcpy(path, un->sun_path, room);
    } else {
        /* Abstract: any bytes, the first is NUL. Inner NULs would cut the text. */
        for (size_t i = 0; i < room; i++) {
            path[i] = un->sun_path[i] == '\0' ? '@' : un->sun_path[i];
        }
    }
    path[room] = '\0';
}
