/* SPDX-License-Identifier: MIT */
/*
 * options.c - the table of socket options, and the calls that set and read them.
 *
 * Called by connector, listener, datagram and the option commands. Thread: any.
 */
#include <config.h>
#include "daemon/net/options.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include "daemon/base/check.h"
#include "daemon/net/sock.h"

enum option_type { TYPE_BOOL, TYPE_INT, TYPE_LINGER };

enum {
    ALL_TCP = OPTION_KIND_TCP | OPTION_KIND_TCP_LISTENER,
    ALL_INTERNET = ALL_TCP | OPTION_KIND_UDP,
    ALL_KINDS = ALL_INTERNET | OPTION_KIND_FILE | OPTION_KIND_FILE_LISTENER |
                OPTION_KIND_FILE_DATAGRAM,
};

struct option_row {
    const char *name;
    enum option_type type;
    unsigned kinds;
    int level, optname;
    int v6_level, v6_optname; /* used instead on an IPv6 socket; 0: the same */
    bool is_v6_only;
};

/* Listeners hand what they have on to the connections they accept (tcp(7), socket(7)). */
static const struct option_row rows[OPTION_COUNT] = {
    [OPTION_REUSE_ADDRESS] = {"reuse-address", TYPE_BOOL, ALL_INTERNET, SOL_SOCKET,
                              SO_REUSEADDR},
    [OPTION_REUSE_PORT] = {"reuse-port", TYPE_BOOL, ALL_INTERNET, SOL_SOCKET,
                           SO_REUSEPORT},
    [OPTION_BROADCAST] = {"broadcast", TYPE_BOOL, OPTION_KIND_UDP, SOL_SOCKET,
                          SO_BROADCAST},
    [OPTION_KEEPALIVE] = {"keepalive", TYPE_BOOL, ALL_TCP, SOL_SOCKET, SO_KEEPALIVE},
    [OPTION_NODELAY] = {"nodelay", TYPE_BOOL, ALL_TCP, IPPROTO_TCP, TCP_NODELAY},
    [OPTION_OOB_INLINE] = {"oob-inline", TYPE_BOOL, ALL_TCP, SOL_SOCKET, SO_OOBINLINE},
    [OPTION_RECEIVE_BUFFER_SIZE] = {"receive-buffer-size", TYPE_INT, ALL_KINDS,
                                    SOL_SOCKET, SO_RCVBUF},
    [OPTION_SEND_BUFFER_SIZE] = {"send-buffer-size", TYPE_INT, ALL_KINDS, SOL_SOCKET,
                                 SO_SNDBUF},
    [OPTION_TCP_KEEPALIVE_IDLE_TIME] = {"tcp-keepalive-idle-time", TYPE_INT, ALL_TCP,
                                        IPPROTO_TCP, TCP_KEEPIDLE},
    [OPTION_TCP_KEEPALIVE_PROBE_INTERVAL] = {"tcp-keepalive-probe-interval", TYPE_INT,
                                             ALL_TCP, IPPROTO_TCP, TCP_KEEPINTVL},
    [OPTION_TCP_KEEPALIVE_MAX_PROBES] = {"tcp-keepalive-max-probes", TYPE_INT, ALL_TCP,
                                         IPPROTO_TCP, TCP_KEEPCNT},
    [OPTION_LINGER] = {"linger", TYPE_LINGER, ALL_TCP, SOL_SOCKET, SO_LINGER},
    [OPTION_RECEIVE_LOW_WATER] = {"receive-low-water", TYPE_INT,
                                  ALL_TCP | OPTION_KIND_FILE, SOL_SOCKET, SO_RCVLOWAT},
    [OPTION_SEND_LOW_WATER] = {"send-low-water", TYPE_INT, ALL_KINDS, SOL_SOCKET,
                               SO_SNDLOWAT},
    [OPTION_TCP_USER_TIMEOUT] = {"tcp-user-timeout", TYPE_INT, ALL_TCP, IPPROTO_TCP,
                                 TCP_USER_TIMEOUT},
    [OPTION_TCP_CORK] = {"tcp-cork", TYPE_BOOL, ALL_TCP, IPPROTO_TCP, TCP_CORK},
    [OPTION_TCP_QUICKACK] = {"tcp-quickack", TYPE_BOOL, ALL_TCP, IPPROTO_TCP,
                             TCP_QUICKACK},
    [OPTION_TCP_NOTSENT_LOWAT] = {"tcp-notsent-lowat", TYPE_INT, ALL_TCP, IPPROTO_TCP,
                                  TCP_NOTSENT_LOWAT},
    [OPTION_PRIORITY] = {"priority", TYPE_INT, ALL_INTERNET, SOL_SOCKET, SO_PRIORITY},
    [OPTION_TOS] = {"tos", TYPE_INT, ALL_INTERNET, IPPROTO_IP, IP_TOS, IPPROTO_IPV6,
                    IPV6_TCLASS},
    [OPTION_TTL] = {"ttl", TYPE_INT, ALL_INTERNET, IPPROTO_IP, IP_TTL, IPPROTO_IPV6,
                    IPV6_UNICAST_HOPS},
    [OPTION_IPV6_ONLY] = {"ipv6-only", TYPE_BOOL, ALL_INTERNET, IPPROTO_IPV6, IPV6_V6ONLY,
                          0, 0, true},
    [OPTION_MULTICAST_TTL] = {"multicast-ttl", TYPE_INT, OPTION_KIND_UDP, IPPROTO_IP,
                              IP_MULTICAST_TTL, IPPROTO_IPV6, IPV6_MULTICAST_HOPS},
    [OPTION_MULTICAST_LOOP] = {"multicast-loop", TYPE_BOOL, OPTION_KIND_UDP, IPPROTO_IP,
                               IP_MULTICAST_LOOP, IPPROTO_IPV6, IPV6_MULTICAST_LOOP},
};

static const struct option_row *row_of(enum option_id id)
{
    CHECK(id < OPTION_COUNT);
    return &rows[id];
}

unsigned option_kind_of(const struct sock *sock)
{
    bool is_file = sock->family == SOCK_FAMILY_FILE;

    if (sock->type == SOCK_TYPE_DATAGRAM) {
        return is_file ? OPTION_KIND_FILE_DATAGRAM : OPTION_KIND_UDP;
    }
    if (sock->connect == SOCK_CONNECT_PASSIVE) {
        return is_file ? OPTION_KIND_FILE_LISTENER : OPTION_KIND_TCP_LISTENER;
    }
    return is_file ? OPTION_KIND_FILE : OPTION_KIND_TCP;
}

const char *option_name(enum option_id id) { return row_of(id)->name; }

bool option_is_bool(enum option_id id) { return row_of(id)->type == TYPE_BOOL; }

bool option_fits(enum option_id id, unsigned kind, bool is_ipv6)
{
    const struct option_row *row = row_of(id);

    return (row->kinds & kind) != 0 && (is_ipv6 || !row->is_v6_only);
}

static bool uses_v6(const struct option_row *row, bool is_ipv6)
{
    return is_ipv6 && row->v6_level != 0;
}

int option_set(int fd, enum option_id id, bool is_ipv6, int value)
{
    const struct option_row *row = row_of(id);
    struct linger linger = {.l_onoff = value >= 0, .l_linger = value > 0 ? value : 0};
    const void *bytes = &value;
    socklen_t size = sizeof value;

    if (row->type == TYPE_LINGER) {
        bytes = &linger;
        size = sizeof linger;
    }
    if (uses_v6(row, is_ipv6)) {
        if (setsockopt(fd, row->v6_level, row->v6_optname, bytes, size) != 0) {
            return -errno;
        }
        /* Packets of such a socket to IPv4 peers take the other one; it is refused where
         * there can be none. */
        (void)setsockopt(fd, row->level, row->optname, bytes, size);
        return 0;
    }
    return setsockopt(fd, row->level, row->optname, bytes, size) == 0 ? 0 : -errno;
}

int option_get(int fd, enum option_id id, bool is_ipv6, int *value)
{
    const struct option_row *row = row_of(id);
    bool is_v6 = uses_v6(row, is_ipv6);
    struct linger linger = {0};
    int number = 0;
    void *bytes = row->type == TYPE_LINGER ? (void *)&linger : (void *)&number;
    socklen_t size = row->type == TYPE_LINGER ? sizeof linger : sizeof number;

    if (getsockopt(fd, is_v6 ? row->v6_level : row->level,
                   is_v6 ? row->v6_optname : row->optname, bytes, &size) != 0) {
        return -errno;
    }
    if (row->type == TYPE_LINGER) {
        number = linger.l_onoff ? linger.l_linger : -1;
    }
    *value = row->type == TYPE_BOOL ? number != 0 : number;
    return 0;
}

int options_set(int fd, bool is_ipv6, const struct option_setting *settings, unsigned n,
                enum option_id *failed)
{
    for (unsigned i = 0; i < n; i++) {
        int status = option_set(fd, settings[i].id, is_ipv6, settings[i].value);
        if (status < 0) {
            *failed = settings[i].id;
            return status;
        }
    }
    return 0;
}

int option_set_md5(int fd, const struct sockaddr_storage *address, const void *key,
                   unsigned size)
{
    struct tcp_md5sig md5 = {.tcpm_keylen = (uint16_t)size};

    if (size > TCP_MD5SIG_MAXKEYLEN) {
        return -EINVAL;
    }
    memcpy(&md5.tcpm_addr, address, sizeof *address);
    memcpy(md5.tcpm_key, key, size);
    int status =
        setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &md5, sizeof md5) == 0 ? 0 : -errno;
    explicit_bzero(&md5, sizeof md5);
    return status;
}
