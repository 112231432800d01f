/* SPDX-License-Identifier: MIT */
/*
 * tunnel_rig.h - for tests of tunnels: a daemon, tunnels to a listener of the test, and
 * what the daemon tells of them.
 *
 * Thread: the one that runs the test; everything ends with the test.
 */
#ifndef SOCKD_TESTS_TUNNEL_RIG_H
#define SOCKD_TESTS_TUNNEL_RIG_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct harness;
struct harness_options;
struct wire;

/* A tunnel from `port` to the listener `target`. */
struct rig_tunnel {
    int64_t handle, listener;
    int port, target, target_port;
};

struct tunnel_rig {
    struct harness *harness;
    struct wire *wire;
};
extern struct tunnel_rig tunnel_rig;

void tunnel_rig_start(unsigned workers);
void tunnel_rig_start_with(const struct harness_options *options);

/* A tunnel between ports of 127.0.0.1. `more`: further parameters, a new reference; NULL:
 * none. */
struct rig_tunnel rig_tunnel(struct wire *by, json_t *more);
/* A connection through it: the client's descriptor and the target's. */
void rig_pair(const struct rig_tunnel *tunnel, int *front, int *back);
/* Sends from both ends until neither takes more for a moment; nobody reads. Byte i of
 * each is rig_byte(i). Were the moment too short, a test would see less, and still pass.
 * Returns how many bytes the first has sent. */
size_t rig_stuff(int front, int back);
uint8_t rig_byte(size_t i);

/* Its entry in list-tunnels; NULL: there is none. */
json_t *rig_listed(int64_t handle);
/* Waits until the entry says so. */
void rig_await_value(int64_t handle, const char *member, int64_t value);
/* Waits until the daemon has so many sockets. */
void rig_await_sockets(int64_t n);

#endif
