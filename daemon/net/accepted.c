/* SPDX-License-Identifier: MIT */
/*
 * accepted.c - a connection that a listener has taken becomes a stream.
 *
 * Called by accept-connection, tls_lobby.c and tunnel_link.c; calls sock.c and stream.c.
 * Thread: see accepted.h.
 */
#include <config.h>
#include "daemon/net/accepted.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/quota.h"
#include "daemon/net/listener.h"
#include "daemon/net/stream.h"

void accepted_plan_init(struct accepted_plan *plan, const struct sock *listener,
                        const struct sock_owner *owner)
{
    *plan = (struct accepted_plan){
        .owner = *owner,
        .family = listener->family,
        .format = listener->format,
    };
    if (listener->local_filename != NULL) {
        (void)snprintf(plan->path, sizeof plan->path, "%s", listener->local_filename);
    }
}

bool accepted_has_room(uid_t uid, struct error *error)
{
    if (!quota_take(QUOTA_SOCKETS, uid)) {
        uint32_t limit;
        const char *name = quota_refusal(QUOTA_SOCKETS, &limit);
        return error_set_limit(error, name, limit);
    }
    quota_give(QUOTA_SOCKETS, uid);
    return true;
}

static void set_addresses(struct sock *sock, const struct accepted_plan *plan,
                          const struct listener_accepted *accepted)
{
    char path[ENDPOINT_PATH_SIZE];

    if (plan->family == SOCK_FAMILY_INTERNET) {
        memcpy(&sock->remote, &accepted->peer, sizeof sock->remote);
        return;
    }
    sock->local_filename = plan->path[0] != '\0' ? mem_copy_text(plan->path) : NULL;
    endpoint_path(&accepted->peer, accepted->peer_size, path);
    sock->remote_filename = path[0] != '\0' ? mem_copy_text(path) : NULL;
}

struct sock *accepted_open(const struct accepted_plan *plan,
                           const struct listener_accepted *accepted, struct error *error)
{
    struct sock_spec spec = {
        .type = SOCK_TYPE_STREAM,
        .family = plan->family,
        .connect = SOCK_CONNECT_ACTIVE,
        .format = plan->format,
        .is_ipv6 = accepted->peer.ss_family == AF_INET6,
        .owner = plan->owner,
        .name = plan->name,
    };
    struct sock *sock = sock_new(&spec, error);

    if (sock == NULL) {
        (void)close(accepted->fd); /* the peer sees the connection end */
        return NULL;
    }
    int status = sock_set_fd(sock, accepted->fd);

    if (status < 0) {
        error_set_errno(error, -status, "accept");
        sock_free(sock);
        return NULL;
    }
    set_addresses(sock, plan, accepted);
    stream_open(sock);
    return sock;
}
