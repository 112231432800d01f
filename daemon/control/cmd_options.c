/* SPDX-License-Identifier: MIT */
/*
 * cmd_options.c - set-socket-options, get-socket-options, set-tcp-md5-sig.
 * Thread: the worker of the socket.
 */
#include <config.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "daemon/control/handlers.h"
#include "daemon/control/options_write.h"
#include "daemon/control/request.h"
#include "daemon/net/datagram.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/listener.h"
#include "daemon/net/multicast.h"
#include "daemon/net/options.h"
#include "daemon/net/sock.h"
#include "proto/ipaddr.h"
#include "proto/table.h"

/* In the order in which they are set. */
static const enum param_id params_of[OPTION_COUNT] = {
    [OPTION_REUSE_ADDRESS] = PARAM_SET_SOCKET_OPTIONS_REUSE_ADDRESS,
    [OPTION_REUSE_PORT] = PARAM_SET_SOCKET_OPTIONS_REUSE_PORT,
    [OPTION_BROADCAST] = PARAM_SET_SOCKET_OPTIONS_BROADCAST,
    [OPTION_KEEPALIVE] = PARAM_SET_SOCKET_OPTIONS_KEEPALIVE,
    [OPTION_NODELAY] = PARAM_SET_SOCKET_OPTIONS_NODELAY,
    [OPTION_OOB_INLINE] = PARAM_SET_SOCKET_OPTIONS_OOB_INLINE,
    [OPTION_RECEIVE_BUFFER_SIZE] = PARAM_SET_SOCKET_OPTIONS_RECEIVE_BUFFER_SIZE,
    [OPTION_SEND_BUFFER_SIZE] = PARAM_SET_SOCKET_OPTIONS_SEND_BUFFER_SIZE,
    [OPTION_TCP_KEEPALIVE_IDLE_TIME] = PARAM_SET_SOCKET_OPTIONS_TCP_KEEPALIVE_IDLE_TIME,
    [OPTION_TCP_KEEPALIVE_PROBE_INTERVAL] =
        PARAM_SET_SOCKET_OPTIONS_TCP_KEEPALIVE_PROBE_INTERVAL,
    [OPTION_TCP_KEEPALIVE_MAX_PROBES] = PARAM_SET_SOCKET_OPTIONS_TCP_KEEPALIVE_MAX_PROBES,
    [OPTION_LINGER] = PARAM_SET_SOCKET_OPTIONS_LINGER,
    [OPTION_RECEIVE_LOW_WATER] = PARAM_SET_SOCKET_OPTIONS_RECEIVE_LOW_WATER,
    [OPTION_SEND_LOW_WATER] = PARAM_SET_SOCKET_OPTIONS_SEND_LOW_WATER,
    [OPTION_TCP_USER_TIMEOUT] = PARAM_SET_SOCKET_OPTIONS_TCP_USER_TIMEOUT,
    [OPTION_TCP_CORK] = PARAM_SET_SOCKET_OPTIONS_TCP_CORK,
    [OPTION_TCP_QUICKACK] = PARAM_SET_SOCKET_OPTIONS_TCP_QUICKACK,
    [OPTION_TCP_NOTSENT_LOWAT] = PARAM_SET_SOCKET_OPTIONS_TCP_NOTSENT_LOWAT,
    [OPTION_PRIORITY] = PARAM_SET_SOCKET_OPTIONS_PRIORITY,
    [OPTION_TOS] = PARAM_SET_SOCKET_OPTIONS_TOS,
    [OPTION_TTL] = PARAM_SET_SOCKET_OPTIONS_TTL,
    [OPTION_IPV6_ONLY] = PARAM_SET_SOCKET_OPTIONS_IPV6_ONLY,
    [OPTION_MULTICAST_TTL] = PARAM_SET_SOCKET_OPTIONS_MULTICAST_TTL,
    [OPTION_MULTICAST_LOOP] = PARAM_SET_SOCKET_OPTIONS_MULTICAST_LOOP,
};

/* While it connects, and after both halves were shut down, there is nothing to ask. */
static bool check_descriptor(const struct sock *sock, struct error *error)
{
    if (sock->fd >= 0) {
        return true;
    }
    error_set(error, ERROR_NOT_CONNECTED, "the socket has no descriptor in this state");
    error->socket = sock->handle;
    return false;
}

/* False, and the error of the system, which names the option. */
static bool refuse(const struct sock *sock, enum param_id id, int status,
                   struct error *error)
{
    error_set_errno(error, -status, "set-socket-options");
    error->socket = sock->handle;
    (void)snprintf(error->parameter, sizeof error->parameter, "%s",
                   table_param(id)->name);
    return false;
}

static bool set_option(const struct sock *sock, enum option_id id,
                       const struct params *params, struct error *error)
{
    enum param_id param = params_of[id];
    int value =
        option_is_bool(id) ? params_bool(params, param) : (int)params_int(params, param);
    int status = -ENOPROTOOPT;

    if (option_fits(id, option_kind_of(sock), sock->is_ipv6)) {
        status = option_set(sock->fd, id, sock->is_ipv6, value);
    }
    return status == 0 || refuse(sock, param, status, error);
}

/* ---- Multicast ---- */

/* "239.1.2.3", "239.1.2.3%eth0", "ff02::1%2". */
static bool read_group(const struct value_text *text, struct multicast_group *group)
{
    const char *percent = memchr(text->text, '%', text->size);
    size_t size = percent != NULL ? (size_t)(percent - text->text) : text->size;
    struct value_ip ip = {0};

    group->interface = 0;
    return (percent == NULL ||
            ipaddr_parse_scope(percent + 1, text->size - size - 1, &group->interface)) &&
           ipaddr_parse(&ip, text->text, size) &&
           endpoint_from_ip(&group->address, &ip, 0) && multicast_is_group(group);
}

static bool set_groups(struct sock *sock, enum param_id id, bool is_join,
                       const struct params *params, struct error *error)
{
    const struct value *value = params_value(params, id);
    struct multicast_group group;

    for (size_t i = 0; i < value->strings.n; i++) {
        if (!read_group(&value->strings.items[i], &group)) {
            return error_set_parameter(error, table_param(id)->name,
                                       "addresses of groups, each with % and an "
                                       "interface or without");
        }
        int status = datagram_multicast(sock, &group, is_join);
        if (status < 0) {
            return refuse(sock, id, status, error);
        }
    }
    return true;
}

/* The options that are no single number of the system. */
static bool set_multicast(struct sock *sock, const struct params *params,
                          struct error *error)
{
    static const enum param_id interface = PARAM_SET_SOCKET_OPTIONS_MULTICAST_INTERFACE;
    static const enum param_id join = PARAM_SET_SOCKET_OPTIONS_MULTICAST_JOIN;
    static const enum param_id leave = PARAM_SET_SOCKET_OPTIONS_MULTICAST_LEAVE;
    bool is_udp = option_kind_of(sock) == OPTION_KIND_UDP;
    static const enum param_id ids[] = {interface, join, leave};

    for (unsigned i = 0; i < 3 && !is_udp; i++) {
        if (params_has(params, ids[i])) {
            return refuse(sock, ids[i], -ENOPROTOOPT, error);
        }
    }
    if (params_has(params, interface)) {
        int status =
            datagram_set_multicast_interface(sock, params_interface(params, interface));
        if (status < 0) {
            return refuse(sock, interface, status, error);
        }
    }
    return (!params_has(params, join) || set_groups(sock, join, true, params, error)) &&
           (!params_has(params, leave) || set_groups(sock, leave, false, params, error));
}

static void finish_options(struct request *request, const struct sock *sock)
{
    options_write(request_reply(request), sock);
    request_finish(request);
}

void handle_set_socket_options(struct request *request)
{
    const struct params *params = request_params(request);
    struct sock *sock = request_sock(request);
    struct error error;

    if (!check_descriptor(sock, &error)) {
        request_fail(request, &error);
        return;
    }
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        if (params_has(params, params_of[i]) &&
            !set_option(sock, (enum option_id)i, params, &error)) {
            request_fail(request, &error);
            return;
        }
    }
    if (!set_multicast(sock, params, &error)) {
        request_fail(request, &error);
        return;
    }
    finish_options(request, sock);
}

void handle_get_socket_options(struct request *request)
{
    struct sock *sock = request_sock(request);
    struct error error;

    if (!check_descriptor(sock, &error)) {
        request_fail(request, &error);
        return;
    }
    finish_options(request, sock);
}

/* The address in the form that the listener sees of this peer. */
static bool md5_address(const struct sock *sock, const struct value_ip *ip,
                        struct sockaddr_storage *address, struct error *error)
{
    if (ip->is_ipv6 && !sock->is_ipv6) {
        return error_set_parameter(error, "address",
                                   "an IPv4 address for an IPv4 listener");
    }
    (void)endpoint_from_ip(address, ip, 0);
    if (sock->is_ipv6) {
        endpoint_map(address);
    }
    return true;
}

void handle_set_tcp_md5_sig(struct request *request)
{
    const struct params *params = request_params(request);
    struct sock *sock = request_sock(request);
    struct value_text key = params_text(params, PARAM_SET_TCP_MD5_SIG_KEY);
    struct sockaddr_storage address;
    struct error error;

    if (sock->kind != &listener_kind || sock->family != SOCK_FAMILY_INTERNET) {
        (void)sock_wrong_kind(sock, "a listener of the internet family", &error);
        request_fail(request, &error);
        return;
    }
    if (!md5_address(sock, &params_value(params, PARAM_SET_TCP_MD5_SIG_ADDRESS)->ip,
                     &address, &error)) {
        request_fail(request, &error);
        return;
    }
    int status = option_set_md5(sock->fd, &address, key.text, (unsigned)key.size);

    if (status < 0) {
        error_set_errno(&error, -status, "set-tcp-md5-sig");
        error.socket = sock->handle;
        request_fail(request, &error);
        return;
    }
    request_ok(request);
}
