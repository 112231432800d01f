/* SPDX-License-Identifier: MIT */
/*
 * tunnel_rig.c - a daemon with tunnels to listeners of the test.
 *
 * Used by the system tests of tunnels. Thread: the test's.
 */
#include <config.h>
#include "tests/tunnel_rig.h"

#include <poll.h>
#include <sys/socket.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

struct tunnel_rig tunnel_rig;

void tunnel_rig_start_with(const struct harness_options *options)
{
    tunnel_rig.harness = harness_start(options);
    tunnel_rig.wire = wire_open(tunnel_rig.harness);
}

void tunnel_rig_start(unsigned workers)
{
    struct harness_options options = {.workers = workers};

    tunnel_rig_start_with(&options);
}

struct rig_tunnel rig_tunnel(struct wire *by, json_t *more)
{
    struct rig_tunnel tunnel;

    tunnel.target = peer_listen("127.0.0.1", &tunnel.target_port);
    json_t *params = json_pack("{s:{s:s}, s:{s:s, s:i}}", "listen", "local-host",
                               "127.0.0.1", "connect", "remote-host", "127.0.0.1",
                               "remote-port", tunnel.target_port);
    if (more != NULL) {
        CU_ASSERT_EQUAL(json_object_update(params, more), 0);
        json_decref(more);
    }
    json_t *made = wire_call(by, "make-tunnel", "O", params);
    json_decref(params);
    tunnel.handle = wire_int(made, "tunnel");
    tunnel.listener = wire_int(json_object_get(made, "listener"), "socket");
    tunnel.port = (int)wire_int(json_object_get(made, "listener"), "local-port");
    return tunnel;
}

void rig_pair(const struct rig_tunnel *tunnel, int *front, int *back)
{
    *front = peer_connect("127.0.0.1", tunnel->port);
    *back = peer_accept(tunnel->target);
}

/* ---- Full ---- */

enum { PERIOD = 251, A_MOMENT_MS = 300 };

uint8_t rig_byte(size_t i) { return (uint8_t)(i % PERIOD); }

static size_t send_some(int fd, size_t n_sent)
{
    static uint8_t bytes[PERIOD + (64 << 10)];

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = rig_byte(i);
    }
    ssize_t n = send(fd, bytes + n_sent % PERIOD, sizeof bytes - PERIOD,
                     MSG_DONTWAIT | MSG_NOSIGNAL);
    return n > 0 ? (size_t)n : 0;
}

size_t rig_stuff(int front, int back)
{
    struct pollfd ends[2] = {{.fd = front, .events = POLLOUT},
                             {.fd = back, .events = POLLOUT}};
    size_t n_sent[2] = {0};

    while (poll(ends, 2, A_MOMENT_MS) > 0) {
        for (unsigned i = 0; i < 2; i++) {
            CU_ASSERT_EQUAL_FATAL(ends[i].revents & (POLLERR | POLLHUP), 0);
            n_sent[i] += send_some(ends[i].fd, n_sent[i]);
        }
    }
    return n_sent[0];
}

/* ---- What the daemon tells ---- */

json_t *rig_listed(int64_t handle)
{
    json_t *result = wire_call(tunnel_rig.wire, "list-tunnels", NULL), *item;
    size_t i;

    json_array_foreach(json_object_get(result, "tunnels"), i, item)
    {
        if (wire_int(item, "tunnel") == handle) {
            return item;
        }
    }
    return NULL;
}

struct wanted {
    int64_t handle;
    const char *member;
    int64_t value;
};

static bool has_value(void *context)
{
    const struct wanted *wanted = context;
    const json_t *item = rig_listed(wanted->handle);

    return item != NULL && wire_int(item, wanted->member) == wanted->value;
}

void rig_await_value(int64_t handle, const char *member, int64_t value)
{
    struct wanted wanted = {handle, member, value};

    harness_await(has_value, &wanted, member);
}

static bool has_sockets(void *context)
{
    const int64_t *n = context;

    return wire_int(wire_call(tunnel_rig.wire, "statistics", NULL), "sockets") == *n;
}

void rig_await_sockets(int64_t n) { harness_await(has_sockets, &n, "sockets"); }
