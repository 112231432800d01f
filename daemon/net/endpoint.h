/* SPDX-License-Identifier: MIT */
/*
 * endpoint.h - addresses of sockets: from values and paths to struct sockaddr, and to
 * text.
 *
 * Pure functions. A sockaddr_storage holds an Internet address or the path of a Unix
 * socket.
 */
#ifndef SOCKD_NET_ENDPOINT_H
#define SOCKD_NET_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "proto/ipaddr.h"

/* "[address%scope]:port" or a path, and NUL. */
enum { ENDPOINT_TEXT_SIZE = 128, ENDPOINT_PATH_SIZE = 109 };

/* Returns the size of the sockaddr made, as connect() and bind() want it. */
socklen_t endpoint_from_ip(struct sockaddr_storage *address, const struct value_ip *ip,
                           uint16_t port);
/* The wildcard address. */
socklen_t endpoint_any(struct sockaddr_storage *address, bool is_ipv6, uint16_t port);
/* False, and nothing done: the path is empty or longer than a Unix socket can have. */
bool endpoint_from_path(struct sockaddr_storage *address, const char *path);
/* False: not an Internet address. */
bool endpoint_ip(const struct sockaddr_storage *address, struct value_ip *ip);
/* Size of what is in it, by its family. */
socklen_t endpoint_size(const struct sockaddr_storage *address);

/* 0 where there is none. */
uint16_t endpoint_port(const struct sockaddr_storage *address);
void endpoint_set_port(struct sockaddr_storage *address, uint16_t port);
/* IPv6 only; others stay as they are. */
void endpoint_set_scope(struct sockaddr_storage *address, uint32_t scope_id);
/* An IPv4 address becomes its IPv4-mapped IPv6 form, for an IPv6 socket that speaks both.
 */
void endpoint_map(struct sockaddr_storage *address);
/* Same family, address, port and scope. */
bool endpoint_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

/* The address without port: "127.0.0.1", "fe80::1%eth0"; "" when it is not an Internet
 * one. */
void endpoint_host_text(const struct sockaddr_storage *address,
                        char text[IPADDR_TEXT_SIZE]);
/* With port, for messages and the log. */
void endpoint_text(const struct sockaddr_storage *address, char text[ENDPOINT_TEXT_SIZE]);
/* The path in an address of `size` bytes that the kernel has filled in; "": none. The
 * name of an abstract socket begins with '@'. */
void endpoint_path(const struct sockaddr_storage *address, socklen_t size,
                   char path[ENDPOINT_PATH_SIZE]);

#endif
