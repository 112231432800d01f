/* SPDX-License-Identifier: MIT */
/*
 * tunnel_plan.c - from parameters to the plan of a tunnel.
 *
 * Its two ends are those of make-socket, read by make_plan.c; what a tunnel needs of them
 * is copied, because it outlives the request. Thread: any.
 */
#include <config.h>
#include "daemon/control/tunnel_plan.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/control/contexts.h"
#include "daemon/control/make_plan.h"
#include "daemon/control/request.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/tls_offer.h"
#include "daemon/net/tunnel.h"

/* The parameters of one end; they must be those of a stream. */
static bool read_end(struct make_plan *make, const struct params *params,
                     enum sock_connect connect, const struct caller *caller,
                     const char *end, struct error *error)
{
    struct sockaddr_storage address;

    if (params_word(params, PARAM_MAKE_SOCKET_TYPE) != SOCK_TYPE_STREAM) {
        (void)error_set_parameter(error, "type", "\"stream\"");
    } else if (params_has(params, PARAM_MAKE_SOCKET_CONNECT) &&
               params_word(params, PARAM_MAKE_SOCKET_CONNECT) != connect) {
        (void)error_set_parameter(error, "connect",
                                  connect == SOCK_CONNECT_PASSIVE
                                      ? "\"passive\", which is the default here"
                                      : "\"active\", which is the default here");
    } else if (params_has(params, PARAM_MAKE_SOCKET_SSL_CONTEXT)) {
        (void)error_set_parameter(error, "ssl-context",
                                  "nothing here: it is server-context of the tunnel");
    } else if (!make_plan_read_as(make, params, connect, caller, error)) {
        /* *error is set */
    } else if (make->remote_path != NULL &&
               !endpoint_from_path(&address, make->remote_path)) {
        (void)error_set_parameter(error, "remote-filename",
                                  "a path of at most 107 bytes");
    } else {
        return true;
    }
    return error_prefix_parameter(error, end);
}

static const char *keep(struct tunnel_plan *plan, const char *text)
{
    return text != NULL ? tunnel_plan_keep(plan, text, strlen(text)) : NULL;
}

static void copy_end(struct tunnel_plan *plan, struct end *to, const struct end *from)
{
    *to = *from;
    to->name = keep(plan, from->name);
}

static void copy_listen(struct tunnel_plan *plan, const struct make_plan *make)
{
    struct tunnel_listen *listen = &plan->listen;

    listen->path = keep(plan, make->local_path);
    copy_end(plan, &listen->local, &make->local);
    listen->is_ipv6 = make->ipv6 != VALUE_IPV6_FALSE;
    listen->is_v6_only = make->ipv6 == VALUE_IPV6_ONLY;
    listen->backlog = make->backlog;
    memcpy(listen->settings, make->settings, sizeof listen->settings);
    listen->n_settings = make->n_settings;
}

static void copy_target(struct tunnel_plan *plan, struct dial_plan *target,
                        const struct make_plan *make, double timeout)
{
    target->path = keep(plan, make->remote_path);
    copy_end(plan, &target->remote, &make->remote);
    copy_end(plan, &target->local, &make->local);
    target->has_scope = make->has_scope;
    target->scope_id = make->scope_id;
    memcpy(target->settings, make->settings, sizeof target->settings);
    target->n_settings = make->n_settings;
    target->md5_key = (struct value_text){
        .text = tunnel_plan_keep(plan, make->md5_key.text, make->md5_key.size),
        .size = make->md5_key.size,
    };
    target->timeout = make->connect_timeout >= 0 ? make->connect_timeout : timeout;
    target->who = make->who;
}

static bool read_ends(struct tunnel_plan *plan, const struct params *params,
                      const struct caller *caller, struct error *error)
{
    const struct value *listen = params_value(params, PARAM_MAKE_TUNNEL_LISTEN);
    const struct value *connect = params_value(params, PARAM_MAKE_TUNNEL_CONNECT);
    double timeout = params_seconds(params, PARAM_MAKE_TUNNEL_CONNECT_TIMEOUT);
    struct make_plan make;

    if (!read_end(&make, &listen->objects.items[0], SOCK_CONNECT_PASSIVE, caller,
                  "listen.", error)) {
        return false;
    }
    copy_listen(plan, &make);
    plan->targets = mem_new(connect->objects.n * sizeof *plan->targets);
    for (size_t i = 0; i < connect->objects.n; i++) {
        if (!read_end(&make, &connect->objects.items[i], SOCK_CONNECT_ACTIVE, caller,
                      "connect.", error)) {
            return false;
        }
        copy_target(plan, &plan->targets[plan->n_targets++], &make, timeout);
    }
    return true;
}

/* The contexts, and what is asked of the certificates of those who come. */
static bool read_tls(struct tunnel_plan *plan, const struct params *params,
                     const struct caller *caller, struct error *error)
{
    if (params_has(params, PARAM_MAKE_TUNNEL_SERVER_CONTEXT)) {
        plan->server =
            contexts_offer(params_value(params, PARAM_MAKE_TUNNEL_SERVER_CONTEXT), caller,
                           "server-context", error);
        if (plan->server == NULL) {
            return error_set_blame(error, "server-context");
        }
    }
    if (params_has(params, PARAM_MAKE_TUNNEL_CLIENT_CONTEXT)) {
        plan->client = contexts_find(
            &params_value(params, PARAM_MAKE_TUNNEL_CLIENT_CONTEXT)->reference, caller,
            error);
        if (plan->client == NULL) {
            return error_set_blame(error, "client-context");
        }
        struct tls_context *context = tls_published_get(plan->client);
        bool is_clients = tls_context_role(context) == TLS_CLIENT;
        tls_context_unref(context);
        if (!is_clients) {
            return error_set_parameter(error, "client-context", "a context for clients");
        }
    }
    plan->allows_truncation = params_bool(params, PARAM_MAKE_TUNNEL_ALLOW_TRUNCATION);
    return true;
}

static bool read_names(struct tunnel_plan *plan, const struct params *params,
                       struct error *error)
{
    if (!params_has(params, PARAM_MAKE_TUNNEL_CLIENT_NAMES)) {
        return true;
    }
    const struct value *names = params_value(params, PARAM_MAKE_TUNNEL_CLIENT_NAMES);

    if (plan->server == NULL) {
        return error_set_parameter(error, "client-names",
                                   "nothing without server-context");
    }
    if (!tls_offer_demands(plan->server)) {
        return error_set_parameter(error, "client-names",
                                   "a server-context with verify = required");
    }
    plan->client_names = mem_new(names->strings.n * sizeof *plan->client_names);
    for (size_t i = 0; i < names->strings.n; i++) {
        const struct value_text *name = &names->strings.items[i];
        plan->client_names[plan->n_client_names++] =
            tunnel_plan_keep(plan, name->text, name->size);
    }
    return true;
}

static double limit(const struct params *params, enum param_id id)
{
    double seconds = params_seconds(params, id);

    return seconds > 0 ? seconds : 0;
}

bool tunnel_plan_read(struct tunnel_plan *plan, const struct params *params,
                      const struct caller *caller, struct error *error)
{
    static const unsigned versions[] = {0, PROXY_V1, PROXY_V2, PROXY_V1 | PROXY_V2};

    *plan = (struct tunnel_plan){
        .owner = {.uid = caller->uid, .pid = caller->pid, .client = caller->client},
        .who = {.uid = caller->uid, .gid = caller->gid},
        .max_connections =
            (unsigned)params_int(params, PARAM_MAKE_TUNNEL_MAX_CONNECTIONS),
        .rules = {.idle = limit(params, PARAM_MAKE_TUNNEL_IDLE_TIMEOUT),
                  .half_closed = limit(params, PARAM_MAKE_TUNNEL_HALF_CLOSED_TIMEOUT)},
        .handshake = params_seconds(params, PARAM_MAKE_TUNNEL_HANDSHAKE_TIMEOUT),
        .accept_proxy = versions[params_word(params, PARAM_MAKE_TUNNEL_ACCEPT_PROXY)],
        .send_proxy = versions[params_word(params, PARAM_MAKE_TUNNEL_SEND_PROXY)],
    };
    if (!read_ends(plan, params, caller, error) ||
        !read_tls(plan, params, caller, error) || !read_names(plan, params, error)) {
        tunnel_plan_fini(plan);
        return false;
    }
    if (params_has(params, PARAM_MAKE_TUNNEL_NAME)) {
        plan->name = keep(plan, params_text(params, PARAM_MAKE_TUNNEL_NAME).text);
    }
    return true;
}
