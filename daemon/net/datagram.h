/* SPDX-License-Identifier: MIT */
/*
 * datagram.h - a socket of single messages: send one, receive one.
 *
 * With a default destination the socket is connected: it takes datagrams from there only,
 * and an ICMP error that came back (connection-refused, host-unreachable ...) is the
 * error of the next operation. Without one the system does not tell such errors.
 *
 * Thread: the sock's home.
 */
#ifndef SOCKD_NET_DATAGRAM_H
#define SOCKD_NET_DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include "daemon/net/filename.h"
#include "daemon/net/options.h"
#include "daemon/net/sock.h"

struct datagram_plan {
    bool is_ipv6;
    bool is_v6_only;
    struct sockaddr_storage local;  /* Internet family; ss_family 0: not bound */
    struct sockaddr_storage remote; /* default destination; ss_family 0: none */
    const char *path;               /* file family: name to bind; NULL: none */
    struct option_setting settings[OPTION_COUNT];
    unsigned n_settings;
    struct identity who;
};

extern const struct sock_kind datagram_kind;

/* Makes a sock in state CONNECTING a datagram socket. False: *error, the sock is as
 * before. */
bool datagram_open(struct sock *sock, const struct datagram_plan *plan,
                   struct error *error);

struct multicast_group;

/* The interface that datagrams to groups leave by; 0: the routes tell. */
uint32_t datagram_multicast_interface(const struct sock *sock);
/* 0, or negative errno. */
int datagram_set_multicast_interface(struct sock *sock, uint32_t interface);
/* Joins or leaves a group, by that interface unless the group names one. */
int datagram_multicast(struct sock *sock, const struct multicast_group *group,
                       bool is_join);

/* Has it a default destination? */
bool datagram_has_destination(const struct sock *sock);

/* Sends one datagram; `to` NULL: to the default destination. For an operation on
 * OP_OUTPUT. */
enum op_result datagram_send(struct sock *sock, const void *bytes, size_t size,
                             const struct sockaddr_storage *to,
                             const struct identity *who, struct error *error);

struct datagram_received {
    size_t size;         /* bytes stored */
    bool is_truncated;   /* there were more */
    socklen_t from_size; /* 0: the sender has no name */
    struct sockaddr_storage from;
};
/* Receives one datagram; `is_peek`: it stays for the next operation. For an operation on
 * OP_INPUT. */
enum op_result datagram_receive(struct sock *sock, void *bytes, size_t size, bool is_peek,
                                struct datagram_received *received, struct error *error);

#endif
