/* SPDX-License-Identifier: MIT */
/*
 * cmd_make_socket.c - make-socket: place, look names up, connect or listen, answer.
 *
 * Thread: the worker that the new socket lives on.
 *
 * The sock exists from the start, in state connecting. What makes it is one operation on
 * its output queue: whoever interrupts or closes the sock, and the time-out, end that
 * operation, and its end cleans everything up. So there is one way out, make_done().
 */
#include <config.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/placement.h"
#include "daemon/control/contexts.h"
#include "daemon/control/description.h"
#include "daemon/control/handlers.h"
#include "daemon/control/limits.h"
#include "daemon/control/lookup_plan.h"
#include "daemon/control/make_plan.h"
#include "daemon/control/request.h"
#include "daemon/net/connector.h"
#include "daemon/net/datagram.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/ends.h"
#include "daemon/net/listener.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls_lobby.h"
#include "daemon/net/tls_offer.h"

/* An operation with the time-out 0 would end before it has begun; what is done at once is
 * done before this timer fires. */
#define AT_ONCE 1e-9

/* Owner: the request, in whose arena it lies. */
struct make {
    struct op op; /* first: the sock hands this back */
    struct request *request;
    struct sock *sock;
    struct make_plan plan;
    struct ends ends;
    struct tls_offer *offer; /* of a listener; NULL: its connections are plain */
    struct connector_plan connector;
};

static void make_end(struct make *make, const struct error *error)
{
    op_end(&make->op, error);
}

/* ---- The end ---- */

static void make_done(struct op *op, const struct error *error)
{
    struct make *make = (struct make *)op;
    struct request *request = make->request;
    struct sock *sock = make->sock;

    ends_cancel(&make->ends);
    tls_offer_free(make->offer);
    if (error != NULL) {
        if (make->plan.kind & (OPTION_KIND_TCP | OPTION_KIND_FILE)) {
            counters_add(loop_counters(sock->loop), COUNTER_CONNECT_FAILURES, 1);
        }
        sock_free(sock);
        request_fail(request, error);
        return;
    }
    request_brings_socket(request);
    description_write(request_reply(request), sock);
    request_finish(request);
}

static void make_cancel(struct request *request, const struct error *why)
{
    make_end(request_state(request), why);
}

static enum op_result make_advance(struct op *op, struct error *error)
{
    (void)op, (void)error;
    return OP_WAIT; /* it is ended by what goes on beside the sock */
}

/* ---- Streams ---- */

static void connected(void *arg, const struct error *error)
{
    struct make *make = arg;
    struct sock *sock = make->sock;

    if (error == NULL) {
        if (make->plan.remote_path != NULL) {
            sock->remote_filename = mem_copy_text(make->plan.remote_path);
        }
        if (make->plan.remote.name != NULL) {
            sock->remote_name = mem_copy_text(make->plan.remote.name);
        }
        stream_open(sock);
    }
    make_end(make, error);
}

static void make_connection(struct make *make)
{
    struct connector_plan *connector = &make->connector;
    const struct make_plan *plan = &make->plan;

    if (plan->kind == OPTION_KIND_FILE) {
        if (!endpoint_from_path(&connector->remotes[0], plan->remote_path)) {
            struct error error;
            error_set_parameter(&error, "remote-filename", "a path of at most 107 bytes");
            make_end(make, &error);
            return;
        }
        connector->n_remotes = 1;
    } else {
        connector->n_remotes =
            make->ends.remote.n; /* looked up into connector->remotes */
        ends_plan_locals(&make->ends, &plan->local, connector);
    }
    memcpy(connector->settings, plan->settings, sizeof connector->settings);
    connector->n_settings = plan->n_settings;
    connector->md5_key = plan->md5_key.text;
    connector->md5_size = (unsigned)plan->md5_key.size;
    connector->timeout = plan->connect_timeout;
    connector->who = plan->who;
    connector_start(make->sock, connector, connected, make);
}

/* Its connections are accepted when their handshake is done. */
static void add_lobby(struct make *make)
{
    const struct params *params = request_params(make->request);
    struct tls_lobby_plan plan = {
        .offer = make->offer,
        .seconds = params_seconds(params, PARAM_MAKE_SOCKET_HANDSHAKE_TIMEOUT),
        .allows_truncation = params_bool(params, PARAM_MAKE_SOCKET_ALLOW_TRUNCATION),
        .limit = control_limits()->handshakes,
    };

    if (make->offer != NULL) {
        make->offer = NULL;
        tls_lobby_open(make->sock, &plan);
    }
}

static bool make_listener(struct make *make, struct error *error)
{
    const struct make_plan *plan = &make->plan;
    struct listener_plan listener = {
        .path = plan->local_path,
        .is_v6_only = plan->ipv6 == VALUE_IPV6_ONLY,
        .backlog = plan->backlog,
        .n_settings = plan->n_settings,
        .who = plan->who,
    };

    if (make->ends.local.n > 0) {
        listener.address = make->ends.local.addresses[0];
    } else {
        (void)endpoint_any(&listener.address, plan->ipv6 != VALUE_IPV6_FALSE,
                           plan->local.port);
    }
    memcpy(listener.settings, plan->settings, sizeof listener.settings);
    if (!listener_open(make->sock, &listener, error)) {
        return false;
    }
    add_lobby(make);
    return true;
}

/* ---- Datagrams ---- */

/* The default destination in a form that the socket can use. */
static bool choose_destination(const struct make *make, struct datagram_plan *datagram,
                               struct error *error)
{
    const struct end_lookup *remote = &make->ends.remote;
    sa_family_t family = datagram->is_ipv6 ? AF_INET6 : AF_INET;

    for (unsigned i = 0; i < remote->n; i++) {
        if (remote->addresses[i].ss_family == family) {
            datagram->remote = remote->addresses[i];
            return true;
        }
    }
    if (datagram->is_ipv6 && !datagram->is_v6_only && remote->n > 0) {
        datagram->remote = remote->addresses[0];
        endpoint_map(&datagram->remote);
        return true;
    }
    return error_set_parameter(error, "remote-host",
                               datagram->is_ipv6 ? "a host with an IPv6 address"
                                                 : "a host with an IPv4 address");
}

static bool plan_udp(const struct make *make, struct datagram_plan *datagram,
                     struct error *error)
{
    const struct make_plan *plan = &make->plan;
    bool has_remote = plan->remote.has_host;

    if (make->ends.local.n > 0) {
        datagram->local = make->ends.local.addresses[0];
        datagram->is_ipv6 = datagram->local.ss_family == AF_INET6;
    } else if (has_remote) {
        datagram->is_ipv6 = make->ends.remote.addresses[0].ss_family == AF_INET6;
    } else {
        datagram->is_ipv6 = plan->ipv6 != VALUE_IPV6_FALSE;
    }
    /* Bound at once, so that it has a port to be told to others; a connected one gets its
     * port with the destination. */
    if (make->ends.local.n == 0 && (plan->local.port != 0 || !has_remote)) {
        (void)endpoint_any(&datagram->local, datagram->is_ipv6, plan->local.port);
    }
    return !has_remote || choose_destination(make, datagram, error);
}

static bool make_datagram(struct make *make, struct error *error)
{
    const struct make_plan *plan = &make->plan;
    struct datagram_plan datagram = {
        .is_v6_only = plan->ipv6 == VALUE_IPV6_ONLY,
        .path = plan->local_path,
        .n_settings = plan->n_settings,
        .who = plan->who,
    };

    memcpy(datagram.settings, plan->settings, sizeof datagram.settings);
    if (plan->kind == OPTION_KIND_UDP) {
        if (!plan_udp(make, &datagram, error)) {
            return false;
        }
    } else if (plan->remote_path != NULL &&
               !endpoint_from_path(&datagram.remote, plan->remote_path)) {
        return error_set_parameter(error, "remote-filename",
                                   "a path of at most 107 bytes");
    }
    if (!datagram_open(make->sock, &datagram, error)) {
        return false;
    }
    if (plan->remote_path != NULL) {
        make->sock->remote_filename = mem_copy_text(plan->remote_path);
    }
    return true;
}

/* ---- Names ---- */

/* All addresses are known. */
static void make_go(struct make *make)
{
    struct error error;
    unsigned kind = make->plan.kind;

    if (kind == OPTION_KIND_TCP || kind == OPTION_KIND_FILE) {
        make_connection(make);
        return;
    }
    bool is_listener =
        kind == OPTION_KIND_TCP_LISTENER || kind == OPTION_KIND_FILE_LISTENER;
    bool is_made =
        is_listener ? make_listener(make, &error) : make_datagram(make, &error);
    make_end(make, is_made ? NULL : &error);
}

static void looked_up(struct ends *ends, const struct error *error)
{
    struct make *make =
        (struct make *)(void *)((char *)ends - offsetof(struct make, ends));

    if (error != NULL) {
        make_end(make, error);
    } else {
        make_go(make);
    }
}

/* Addresses of remote hosts go where the connector wants them. */
static void look_up(struct make *make)
{
    const struct make_plan *plan = &make->plan;
    struct resolve_plan how = lookup_plan(make->request, NULL, RESOLVE_ANY);
    struct ends *ends = &make->ends;

    ends->local.addresses = request_alloc(
        make->request, RESOLVER_MAX_ADDRESSES * sizeof *ends->local.addresses);
    ends->remote.addresses = make->connector.remotes;
    ends->remote.has_scope = plan->has_scope;
    ends->remote.scope_id = plan->scope_id;
    if (ends_look_up(ends, &plan->local, &plan->remote, &how, looked_up)) {
        make_go(make);
    }
}

/* ---- The beginning ---- */

static bool find_contexts(struct make *make, struct request *request, struct error *error)
{
    const struct params *params = request_params(request);

    if (!params_has(params, PARAM_MAKE_SOCKET_SSL_CONTEXT)) {
        return true;
    }
    if (params_seconds(params, PARAM_MAKE_SOCKET_HANDSHAKE_TIMEOUT) <= 0) {
        return error_set_parameter(error, "handshake-timeout", "more than 0 seconds");
    }
    make->offer = contexts_offer(params_value(params, PARAM_MAKE_SOCKET_SSL_CONTEXT),
                                 request_caller(request), "ssl-context", error);
    return make->offer != NULL;
}

static void make_start(struct request *request)
{
    const struct params *params = request_params(request);
    struct make *make = request_alloc(request, sizeof *make);
    double timeout = params_seconds(params, PARAM_MAKE_SOCKET_TIMEOUT);
    struct error error;

    if (!make_plan_read(&make->plan, params, request_caller(request), &error) ||
        !find_contexts(make, request, &error) ||
        (make->sock = sock_new(&make->plan.spec, &error)) == NULL) {
        tls_offer_free(make->offer);
        request_fail(request, &error);
        return;
    }
    make->request = request;
    make->op.name = params->command->name;
    make->op.advance = make_advance;
    make->op.done = make_done;
    request_wait(request, make_cancel, make);
    sock_start(make->sock, &make->op, OP_OUTPUT, timeout == 0 ? AT_ONCE : timeout);
    look_up(make);
}

void handle_make_socket(struct request *request)
{
    unsigned home = (unsigned)loop_number(request_loop(request));

    request_move(request, placement_near(home), make_start);
}
