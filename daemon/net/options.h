/* SPDX-License-Identifier: MIT */
/*
 * options.h - the socket options of the operating system, as one table.
 *
 * make-socket, set-socket-options, get-socket-options and the description read the same
 * rows. A value is an int for all of them: 0 or 1 for a boolean; linger -1 is off.
 */
#ifndef SOCKD_NET_OPTIONS_H
#define SOCKD_NET_OPTIONS_H

#include <stdbool.h>

struct sock;

/* The order is that of commands.def, in which they are set. */
enum option_id {
    OPTION_REUSE_ADDRESS,
    OPTION_REUSE_PORT,
    OPTION_BROADCAST,
    OPTION_KEEPALIVE,
    OPTION_NODELAY,
    OPTION_OOB_INLINE,
    OPTION_RECEIVE_BUFFER_SIZE,
    OPTION_SEND_BUFFER_SIZE,
    OPTION_TCP_KEEPALIVE_IDLE_TIME,
    OPTION_TCP_KEEPALIVE_PROBE_INTERVAL,
    OPTION_TCP_KEEPALIVE_MAX_PROBES,
    OPTION_LINGER,
    OPTION_RECEIVE_LOW_WATER,
    OPTION_SEND_LOW_WATER,
    OPTION_TCP_USER_TIMEOUT,
    OPTION_TCP_CORK,
    OPTION_TCP_QUICKACK,
    OPTION_TCP_NOTSENT_LOWAT,
    OPTION_PRIORITY,
    OPTION_TOS,
    OPTION_TTL,
    OPTION_IPV6_ONLY,
    OPTION_MULTICAST_TTL,
    OPTION_MULTICAST_LOOP,
    OPTION_COUNT
};

/* Kinds of socket, for the rows and for the parameters of make-socket; a set of bits. */
enum option_kind {
    OPTION_KIND_TCP = 1,
    OPTION_KIND_TCP_LISTENER = 2,
    OPTION_KIND_UDP = 4,
    OPTION_KIND_FILE = 8,
    OPTION_KIND_FILE_LISTENER = 16,
    OPTION_KIND_FILE_DATAGRAM = 32,
};

/* One option to be set. */
struct option_setting {
    enum option_id id;
    int value;
};

unsigned option_kind_of(const struct sock *sock);

const char *option_name(enum option_id id);
bool option_is_bool(enum option_id id);
/* Does it fit a socket of this one kind? */
bool option_fits(enum option_id id, unsigned kind, bool is_ipv6);

/* 0, or negative errno: nothing changed. */
int option_set(int fd, enum option_id id, bool is_ipv6, int value);
int option_get(int fd, enum option_id id, bool is_ipv6, int *value);
/* Sets all. 0, or negative errno and *failed: the first that was refused. */
int options_set(int fd, bool is_ipv6, const struct option_setting *settings, unsigned n,
                enum option_id *failed);

/* A TCP MD5 signature key for the peer at `address` (RFC 2385), at most 80 bytes. */
struct sockaddr_storage;
int option_set_md5(int fd, const struct sockaddr_storage *address, const void *key,
                   unsigned size);

#endif
