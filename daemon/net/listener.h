/* SPDX-License-Identifier: MIT */
/*
 * listener.h - a passive stream socket: takes the connections that arrive.
 *
 * A connection is taken from the kernel only when an operation asks for one. When the
 * process or the system runs out of descriptors the listener pauses for a moment, so that
 * it neither spins nor fails those who wait.
 *
 * An IPv6 listener takes IPv4 connections too (their peers show as ::ffff:a.b.c.d),
 * whatever the system's own default is; with ipv6 "ipv6" it takes IPv6 alone.
 *
 * Thread: the sock's home.
 */
#ifndef SOCKD_NET_LISTENER_H
#define SOCKD_NET_LISTENER_H

#include <stdbool.h>
#include <sys/socket.h>
#include "daemon/net/filename.h"
#include "daemon/net/options.h"
#include "daemon/net/sock.h"

struct listener_plan {
    struct sockaddr_storage address;      /* Internet family */
    const char *path;                     /* file family */
    const struct filename_rights *rights; /* of its file; NULL: those of the umask */
    bool is_v6_only;
    int backlog;
    struct option_setting settings[OPTION_COUNT];
    unsigned n_settings;
    struct identity who;
};

extern const struct sock_kind listener_kind;

/* Makes a sock in state CONNECTING a listener. False: *error, the sock is as before; the
 * action is "set-owner", "set-group" or "set-mode" when the file may not have these
 * rights. */
bool listener_open(struct sock *sock, const struct listener_plan *plan,
                   struct error *error);

/* One connection: a descriptor that the caller owns, and who is at its other end. */
struct listener_accepted {
    int fd;
    socklen_t peer_size; /* as endpoint_path() wants it */
    struct sockaddr_storage peer;
};
/* Takes one. For an operation on OP_INPUT. */
enum op_result listener_accept(struct sock *sock, struct listener_accepted *accepted,
                               struct error *error);
/* Takes none for a moment. */
void listener_pause(struct sock *sock, const char *why);

/* For tls_lobby.c: from now on it is the lobby that takes them. */
struct tls_lobby;
void listener_set_lobby(struct sock *sock, struct tls_lobby *lobby);

#endif
