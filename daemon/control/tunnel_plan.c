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
#include "daemon/base/users.h"
#include "daemon/control/contexts.h"
#include "daemon/control/make_plan.h"
#include "daemon/control/request.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/tls_offer.h"
#include "daemon/net/tunnel.h"
#include "proto/ipaddr.h"

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

/* ---- The socket file ---- */

/* The mode that it has when only its owner or its group is said. */
enum { SOCKET_MODE = 0660 };

static bool read_mode(mode_t *mode, const char *text, struct error *error)
{
    *mode = (mode_t)strtoul(text, NULL, 8); /* of at most four digits */
    return (strspn(text, "01234567") == strlen(text) && *mode <= 0777) ||
           error_set_parameter(error, "listen-mode", "an octal number from 0 to 777");
}

/* Owner and group: the daemon has rights that its callers have not; where it isn't root
 * it even changes files with its own. The log is not for everybody to fill. */
static bool may_have(const struct caller *caller, const char *parameter,
                     struct error *error)
{
    if (caller->is_admin) {
        return true;
    }
    (void)error_set(error, ERROR_PERMISSION_DENIED, "%s is for administrators",
                    parameter);
    memcpy(error->subject, "admin", sizeof "admin");
    return error_set_blame(error, parameter);
}

static bool read_log(struct tunnel_plan *plan, const struct params *params,
                     const struct caller *caller, struct error *error)
{
    plan->logs_connections = params_bool(params, PARAM_MAKE_TUNNEL_LOG_CONNECTIONS);
    return !plan->logs_connections || may_have(caller, "log-connections", error);
}

static bool read_rights(struct tunnel_plan *plan, const struct params *params,
                        const struct caller *caller, struct error *error)
{
    static const enum param_id ids[] = {PARAM_MAKE_TUNNEL_LISTEN_MODE,
                                        PARAM_MAKE_TUNNEL_LISTEN_OWNER,
                                        PARAM_MAKE_TUNNEL_LISTEN_GROUP};
    struct tunnel_listen *listen = &plan->listen;
    const char *texts[3] = {NULL};

    listen->rights = (struct filename_rights){SOCKET_MODE, (uid_t)-1, (gid_t)-1};
    for (unsigned i = 0; i < 3; i++) {
        const char *name = table_param(ids[i])->name;
        if (!params_has(params, ids[i])) {
            continue;
        }
        if (listen->path == NULL) {
            return error_set_parameter(error, name, "nothing without a socket file");
        }
        if (i > 0 && !may_have(caller, name, error)) {
            return false;
        }
        texts[i] = params_text(params, ids[i]).text;
        listen->has_rights = true;
    }
    listen->owner = keep(plan, texts[1]);
    listen->group = keep(plan, texts[2]);
    return texts[0] == NULL || read_mode(&listen->rights.mode, texts[0], error);
}

bool tunnel_plan_has_names(const struct tunnel_plan *plan)
{
    return plan->listen.owner != NULL || plan->listen.group != NULL;
}

bool tunnel_plan_find_names(struct tunnel_plan *plan, struct error *error)
{
    struct tunnel_listen *listen = &plan->listen;

    if (listen->owner != NULL && !users_find(listen->owner, &listen->rights.owner)) {
        return error_set_parameter(error, "listen-owner", "a user of this system");
    }
    if (listen->group != NULL &&
        !users_find_group(listen->group, &listen->rights.group)) {
        return error_set_parameter(error, "listen-group", "a group of this system");
    }
    return true;
}

/* ---- TLS ---- */

static bool has_file_target(const struct tunnel_plan *plan)
{
    for (unsigned i = 0; i < plan->n_targets; i++) {
        if (plan->targets[i].path != NULL) {
            return true;
        }
    }
    return false;
}

/* What can't ever work is refused now, not when the first connection comes. */
static bool fits_targets(const struct tunnel_plan *plan,
                         const struct tls_context *context, struct error *error)
{
    if (tls_context_role(context) != TLS_CLIENT) {
        return error_set_parameter(error, "client-context", "a context for clients");
    }
    return !tls_context_needs_name(context) || !has_file_target(plan) ||
           error_set_parameter(error, "client-context",
                               "a context with a server-name, or one that does not "
                               "verify: a socket file has no name");
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
        bool is_fit = fits_targets(plan, context, error);
        tls_context_unref(context);
        if (!is_fit) {
            return false;
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

static bool read_networks(struct tunnel_plan *plan, const struct params *params,
                          struct error *error)
{
    static const char parameter[] = "client-addresses";

    if (!params_has(params, PARAM_MAKE_TUNNEL_CLIENT_ADDRESSES)) {
        return true;
    }
    const struct value *texts = params_value(params, PARAM_MAKE_TUNNEL_CLIENT_ADDRESSES);

    if (plan->listen.path != NULL) {
        return error_set_parameter(error, parameter, "nothing with a socket file");
    }
    plan->client_networks = mem_new(texts->strings.n * sizeof *plan->client_networks);
    for (size_t i = 0; i < texts->strings.n; i++) {
        const struct value_text *text = &texts->strings.items[i];
        if (!ipaddr_parse_network(&plan->client_networks[plan->n_client_networks++],
                                  text->text, text->size)) {
            return error_set_parameter(error, parameter,
                                       "addresses and networks such as 10.0.0.0/8");
        }
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
        .takes_turns = params_word(params, PARAM_MAKE_TUNNEL_CONNECT_ORDER) != 0,
        .handshake = params_seconds(params, PARAM_MAKE_TUNNEL_HANDSHAKE_TIMEOUT),
        .accept_proxy = versions[params_word(params, PARAM_MAKE_TUNNEL_ACCEPT_PROXY)],
        .send_proxy = versions[params_word(params, PARAM_MAKE_TUNNEL_SEND_PROXY)],
    };
    if (!read_ends(plan, params, caller, error) ||
        !read_rights(plan, params, caller, error) ||
        !read_log(plan, params, caller, error) ||
        !read_tls(plan, params, caller, error) || !read_names(plan, params, error) ||
        !read_networks(plan, params, error)) {
        tunnel_plan_fini(plan);
        return false;
    }
    if (params_has(params, PARAM_MAKE_TUNNEL_NAME)) {
        plan->name = keep(plan, params_text(params, PARAM_MAKE_TUNNEL_NAME).text);
    }
    return true;
}
