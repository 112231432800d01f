/* SPDX-License-Identifier: MIT */
/*
 * tunnel_link.h - one connection of a tunnel: from its arrival in a worker to its end.
 *
 * Who is there is found out first (PROXY header), then a target is tried after the other,
 * then the two are joined.
 *
 * Thread: the worker where it lives.
 */
#ifndef SOCKD_NET_TUNNEL_LINK_H
#define SOCKD_NET_TUNNEL_LINK_H

#include <stdbool.h>
#include "daemon/net/listener.h"

struct tunnel;

/* A connection was accepted, and is one of the tunnel's n_active. Takes the descriptor
 * over. */
void tunnel_link_start(struct tunnel *tunnel, const struct listener_accepted *accepted);
/* Ends all of the tunnel in this worker: in order, or cuts them. */
void tunnel_link_end_all(const struct tunnel *tunnel, bool is_abort);

#endif
