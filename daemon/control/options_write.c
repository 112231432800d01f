/* SPDX-License-Identifier: MIT */
/*
 * options_write.c - socket options to JSON.
 *
 * Called by the option commands and the description. Thread: the sock's home.
 */
#include <config.h>
#include "daemon/control/options_write.h"
#include "daemon/net/datagram.h"
#include "daemon/net/options.h"
#include "daemon/net/sock.h"
#include "proto/table.h"
#include "proto/writer.h"

static const enum result_id fields[OPTION_COUNT] = {
    [OPTION_REUSE_ADDRESS] = FIELD_OPTIONS_REUSE_ADDRESS,
    [OPTION_REUSE_PORT] = FIELD_OPTIONS_REUSE_PORT,
    [OPTION_BROADCAST] = FIELD_OPTIONS_BROADCAST,
    [OPTION_KEEPALIVE] = FIELD_OPTIONS_KEEPALIVE,
    [OPTION_NODELAY] = FIELD_OPTIONS_NODELAY,
    [OPTION_OOB_INLINE] = FIELD_OPTIONS_OOB_INLINE,
    [OPTION_RECEIVE_BUFFER_SIZE] = FIELD_OPTIONS_RECEIVE_BUFFER_SIZE,
    [OPTION_SEND_BUFFER_SIZE] = FIELD_OPTIONS_SEND_BUFFER_SIZE,
    [OPTION_TCP_KEEPALIVE_IDLE_TIME] = FIELD_OPTIONS_TCP_KEEPALIVE_IDLE_TIME,
    [OPTION_TCP_KEEPALIVE_PROBE_INTERVAL] = FIELD_OPTIONS_TCP_KEEPALIVE_PROBE_INTERVAL,
    [OPTION_TCP_KEEPALIVE_MAX_PROBES] = FIELD_OPTIONS_TCP_KEEPALIVE_MAX_PROBES,
    [OPTION_LINGER] = FIELD_OPTIONS_LINGER,
    [OPTION_RECEIVE_LOW_WATER] = FIELD_OPTIONS_RECEIVE_LOW_WATER,
    [OPTION_SEND_LOW_WATER] = FIELD_OPTIONS_SEND_LOW_WATER,
    [OPTION_TCP_USER_TIMEOUT] = FIELD_OPTIONS_TCP_USER_TIMEOUT,
    [OPTION_TCP_CORK] = FIELD_OPTIONS_TCP_CORK,
    [OPTION_TCP_QUICKACK] = FIELD_OPTIONS_TCP_QUICKACK,
    [OPTION_TCP_NOTSENT_LOWAT] = FIELD_OPTIONS_TCP_NOTSENT_LOWAT,
    [OPTION_PRIORITY] = FIELD_OPTIONS_PRIORITY,
    [OPTION_TOS] = FIELD_OPTIONS_TOS,
    [OPTION_TTL] = FIELD_OPTIONS_TTL,
    [OPTION_IPV6_ONLY] = FIELD_OPTIONS_IPV6_ONLY,
    [OPTION_MULTICAST_TTL] = FIELD_OPTIONS_MULTICAST_TTL,
    [OPTION_MULTICAST_LOOP] = FIELD_OPTIONS_MULTICAST_LOOP,
};

void options_write(struct writer *writer, const struct sock *sock)
{
    unsigned kind = option_kind_of(sock);
    int value;

    if (sock->fd < 0) {
        return;
    }
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        enum option_id id = (enum option_id)i;
        if (!option_fits(id, kind, sock->is_ipv6) ||
            option_get(sock->fd, id, sock->is_ipv6, &value) < 0) {
            continue;
        }
        if (option_is_bool(id)) {
            writer_result_bool(writer, fields[i], value != 0);
        } else {
            writer_result_int(writer, fields[i], value);
        }
    }
    if (kind == OPTION_KIND_UDP) {
        writer_result_int(writer, FIELD_OPTIONS_MULTICAST_INTERFACE,
                          datagram_multicast_interface(sock));
    }
}
