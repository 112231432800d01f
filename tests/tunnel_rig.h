/* SPDX-License-Identifier: MIT */
/*
 * tunnel_rig.h - tunnels for tests: made, with both ends of a connection, and watched.
 */
#ifndef SOCKD_TESTS_TUNNEL_RIG_H
#define SOCKD_TESTS_TUNNEL_RIG_H

#include <jansson.h>
#include <stdint.h>

struct wire;

/* A tunnel from `port` to the listener `target`. */
struct tunnel {
    int64_t handle, listener;
    int port, target, target_port;
};

/* `more`: further parameters, a new reference; NULL: none. */
struct tunnel tunnel_make(struct wire *wire, json_t *more);
/* A connection through it. */
void tunnel_pair(const struct tunnel *tunnel, int *front, int *back);
/* What list-tunnels tells of it; NULL: it is gone. Valid until the next call. */
json_t *tunnel_listed(struct wire *wire, int64_t handle);
/* Waits until a member there has this value. */
void tunnel_await(struct wire *wire, int64_t handle, const char *member, int64_t value);

#endif
