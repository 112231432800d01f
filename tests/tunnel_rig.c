/* SPDX-License-Identifier: MIT */
/*
 * tunnel_rig.c - tunnels for tests.
 */
#include <config.h>
#include "tests/tunnel_rig.h"
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

struct tunnel tunnel_make(struct wire *wire, json_t *more)
{
    struct tunnel tunnel;

    tunnel.target = peer_listen("127.0.0.1", &tunnel.target_port);
    json_t *params = json_pack("{s:{s:s}, s:{s:s, s:i}}", "listen", "local-host",
                               "127.0.0.1", "connect", "remote-host", "127.0.0.1",
                               "remote-port", tunnel.target_port);
    if (more != NULL) {
        CU_ASSERT_EQUAL(json_object_update(params, more), 0);
        json_decref(more);
    }
    json_t *made = wire_call(wire, "make-tunnel", "O", params);
    json_decref(params);
    tunnel.handle = wire_int(made, "tunnel");
    tunnel.listener = wire_int(json_object_get(made, "listener"), "socket");
    tunnel.port = (int)wire_int(json_object_get(made, "listener"), "local-port");
    return tunnel;
}

void tunnel_pair(const struct tunnel *tunnel, int *front, int *back)
{
    *front = peer_connect("127.0.0.1", tunnel->port);
    *back = peer_accept(tunnel->target);
}

json_t *tunnel_listed(struct wire *wire, int64_t handle)
{
    json_t *list = json_object_get(wire_call(wire, "list-tunnels", NULL), "tunnels"),
           *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (wire_int(item, "tunnel") == handle) {
            return item;
        }
    }
    return NULL;
}

struct wanted {
    struct wire *wire;
    int64_t handle;
    const char *member;
    int64_t value;
};

static bool has_value(void *context)
{
    const struct wanted *wanted = context;
    const json_t *item = tunnel_listed(wanted->wire, wanted->handle);

    return item != NULL && wire_int(item, wanted->member) == wanted->value;
}

void tunnel_await(struct wire *wire, int64_t handle, const char *member, int64_t value)
{
    struct wanted wanted = {wire, handle, member, value};

    harness_await(has_value, &wanted, member);
}
