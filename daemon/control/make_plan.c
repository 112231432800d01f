/* SPDX-License-Identifier: MIT */
/*
 * make_plan.c - which parameters of make-socket go together.
 *
 * Called by make-socket; calls proto and the services file. Thread: any worker.
 */
#include <config.h>
#include "daemon/control/make_plan.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "daemon/control/request.h"

enum {
    TCP = OPTION_KIND_TCP,
    TCP_LISTENER = OPTION_KIND_TCP_LISTENER,
    UDP = OPTION_KIND_UDP,
    FILE_STREAM = OPTION_KIND_FILE,
    FILE_LISTENER = OPTION_KIND_FILE_LISTENER,
    FILE_DATAGRAM = OPTION_KIND_FILE_DATAGRAM,
    INTERNET = TCP | TCP_LISTENER | UDP,
};

/* The kinds that have a use for a parameter. Those that stand nowhere here fit every
 * kind. */
static const struct use {
    enum param_id id;
    unsigned kinds;
} uses[] = {
    {PARAM_MAKE_SOCKET_IPV6, INTERNET},
    {PARAM_MAKE_SOCKET_SCOPE_ID, TCP | UDP},
    {PARAM_MAKE_SOCKET_LOCAL_HOST, INTERNET},
    {PARAM_MAKE_SOCKET_LOCAL_PORT, INTERNET},
    {PARAM_MAKE_SOCKET_REMOTE_HOST, TCP | UDP},
    {PARAM_MAKE_SOCKET_REMOTE_PORT, TCP | UDP},
    {PARAM_MAKE_SOCKET_LOCAL_FILENAME, FILE_LISTENER | FILE_DATAGRAM},
    {PARAM_MAKE_SOCKET_REMOTE_FILENAME, FILE_STREAM | FILE_DATAGRAM},
    {PARAM_MAKE_SOCKET_BACKLOG, TCP_LISTENER | FILE_LISTENER},
    {PARAM_MAKE_SOCKET_REUSE_ADDRESS, INTERNET},
    {PARAM_MAKE_SOCKET_REUSE_PORT, INTERNET},
    /* Streams accept it, as documented, and it does nothing there. */
    {PARAM_MAKE_SOCKET_BROADCAST, INTERNET},
    {PARAM_MAKE_SOCKET_KEEPALIVE, TCP | TCP_LISTENER},
    {PARAM_MAKE_SOCKET_NODELAY, TCP | TCP_LISTENER},
    {PARAM_MAKE_SOCKET_OOB_INLINE, TCP | TCP_LISTENER},
    {PARAM_MAKE_SOCKET_TCP_KEEPALIVE_IDLE_TIME, TCP | TCP_LISTENER},
    {PARAM_MAKE_SOCKET_TCP_KEEPALIVE_PROBE_INTERVAL, TCP | TCP_LISTENER},
    {PARAM_MAKE_SOCKET_TCP_KEEPALIVE_MAX_PROBES, TCP | TCP_LISTENER},
    {PARAM_MAKE_SOCKET_TCP_MD5_SIG_KEY, TCP},
    {PARAM_MAKE_SOCKET_ENCODING, TCP},
    {PARAM_MAKE_SOCKET_CONNECT_TIMEOUT, TCP | FILE_STREAM},
    {PARAM_MAKE_SOCKET_SSL_CONTEXT, TCP_LISTENER | FILE_LISTENER},
    {PARAM_MAKE_SOCKET_HANDSHAKE_TIMEOUT, TCP_LISTENER | FILE_LISTENER},
    {PARAM_MAKE_SOCKET_ALLOW_TRUNCATION, TCP_LISTENER | FILE_LISTENER},
};

static const char *kind_text(unsigned kind)
{
    switch (kind) {
    case TCP:
        return "an active internet stream";
    case TCP_LISTENER:
        return "a passive internet stream";
    case UDP:
        return "an internet datagram socket";
    case FILE_STREAM:
        return "an active file stream";
    case FILE_LISTENER:
        return "a passive file stream";
    default:
        return "a file datagram socket";
    }
}

static bool check_uses(const struct params *params, unsigned kind, struct error *error)
{
    char wanted[sizeof error->wanted];

    for (unsigned i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        if ((uses[i].kinds & kind) == 0 && params_has(params, uses[i].id)) {
            (void)snprintf(wanted, sizeof wanted,
                           "no value, because %s has no use for it", kind_text(kind));
            return error_set_parameter(error, table_param(uses[i].id)->name, wanted);
        }
    }
    return true;
}

static bool check_needed(const struct params *params, enum param_id id, unsigned kinds,
                         unsigned kind, struct error *error)
{
    char wanted[sizeof error->wanted];

    if ((kinds & kind) == 0 || params_has(params, id)) {
        return true;
    }
    (void)snprintf(wanted, sizeof wanted, "a value, because %s needs it",
                   kind_text(kind));
    return error_set_parameter(error, table_param(id)->name, wanted);
}

/* A default destination needs both its parts. */
static bool check_destination(const struct params *params, unsigned kind,
                              struct error *error)
{
    bool has_host = params_has(params, PARAM_MAKE_SOCKET_REMOTE_HOST);
    bool has_port = params_has(params, PARAM_MAKE_SOCKET_REMOTE_PORT);

    if (kind == UDP && has_host != has_port) {
        return error_set_parameter(error, has_host ? "remote-port" : "remote-host",
                                   "a value, because a destination has host and port");
    }
    return true;
}

static bool read_kind(struct make_plan *plan, const struct params *params,
                      enum sock_connect connect, struct error *error)
{
    struct sock_spec *spec = &plan->spec;

    spec->type = (enum sock_type)params_word(params, PARAM_MAKE_SOCKET_TYPE);
    spec->family =
        (enum sock_family)params_word(params, PARAM_MAKE_SOCKET_ADDRESS_FAMILY);
    spec->connect = connect;
    spec->format = (enum sock_format)params_word(params, PARAM_MAKE_SOCKET_FORMAT);
    if (params_has(params, PARAM_MAKE_SOCKET_NAME)) {
        spec->name = params_text(params, PARAM_MAKE_SOCKET_NAME).text;
    }
    bool is_file = spec->family == SOCK_FAMILY_FILE;

    if (spec->type == SOCK_TYPE_DATAGRAM) {
        plan->kind = is_file ? FILE_DATAGRAM : UDP;
        if (spec->connect == SOCK_CONNECT_PASSIVE) {
            return error_set_parameter(error, "connect",
                                       "\"active\": only streams can be passive");
        }
    } else if (spec->connect == SOCK_CONNECT_PASSIVE) {
        plan->kind = is_file ? FILE_LISTENER : TCP_LISTENER;
    } else {
        plan->kind = is_file ? FILE_STREAM : TCP;
    }
    return true;
}

/* ---- Options ---- */

static const struct {
    enum param_id param;
    enum option_id option;
} option_params[] = {
    {PARAM_MAKE_SOCKET_REUSE_PORT, OPTION_REUSE_PORT},
    {PARAM_MAKE_SOCKET_BROADCAST, OPTION_BROADCAST},
    {PARAM_MAKE_SOCKET_KEEPALIVE, OPTION_KEEPALIVE},
    {PARAM_MAKE_SOCKET_NODELAY, OPTION_NODELAY},
    {PARAM_MAKE_SOCKET_OOB_INLINE, OPTION_OOB_INLINE},
    {PARAM_MAKE_SOCKET_RECEIVE_BUFFER_SIZE, OPTION_RECEIVE_BUFFER_SIZE},
    {PARAM_MAKE_SOCKET_SEND_BUFFER_SIZE, OPTION_SEND_BUFFER_SIZE},
    {PARAM_MAKE_SOCKET_TCP_KEEPALIVE_IDLE_TIME, OPTION_TCP_KEEPALIVE_IDLE_TIME},
    {PARAM_MAKE_SOCKET_TCP_KEEPALIVE_PROBE_INTERVAL, OPTION_TCP_KEEPALIVE_PROBE_INTERVAL},
    {PARAM_MAKE_SOCKET_TCP_KEEPALIVE_MAX_PROBES, OPTION_TCP_KEEPALIVE_MAX_PROBES},
};

static void add_setting(struct make_plan *plan, enum option_id id, int value)
{
    plan->settings[plan->n_settings++] =
        (struct option_setting){.id = id, .value = value};
}

static void read_options(struct make_plan *plan, const struct params *params)
{
    bool reuse = plan->kind == TCP_LISTENER;

    if (params_has(params, PARAM_MAKE_SOCKET_REUSE_ADDRESS)) {
        reuse = params_bool(params, PARAM_MAKE_SOCKET_REUSE_ADDRESS);
    }
    if (reuse) {
        add_setting(plan, OPTION_REUSE_ADDRESS, 1);
    }
    for (unsigned i = 0; i < sizeof option_params / sizeof option_params[0]; i++) {
        enum param_id param = option_params[i].param;
        enum option_id option = option_params[i].option;
        /* IPv6 makes no difference for these. What is off in every new socket needs no
         * call. */
        if (!option_fits(option, plan->kind, false)) {
            continue;
        }
        if (option_is_bool(option)) {
            bool has_value = params_has(params, param) || table_preset(param)->present;
            if (has_value && params_bool(params, param)) {
                add_setting(plan, option, 1);
            }
        } else if (params_has(params, param)) {
            add_setting(plan, option, (int)params_int(params, param));
        }
    }
}

/* ---- Ends ---- */

static bool read_host(struct end *end, const struct params *params, enum param_id id)
{
    if (!params_has(params, id)) {
        return false;
    }
    const struct value_host *host = &params_value(params, id)->host;

    end->has_host = true;
    end->ip = host->ip;
    end->name = host->is_address ? NULL : host->name.text;
    return true;
}

static bool read_port(struct end *end, const struct params *params, enum param_id id,
                      bool is_stream, struct error *error)
{
    if (!params_has(params, id)) {
        return true;
    }
    const struct value *value = params_value(params, id);

    end->has_port = true;
    if (value->port.number >= 0) {
        end->port = (uint16_t)value->port.number;
        return true;
    }
    return resolve_port(value->port.service.text, is_stream ? "tcp" : "udp", &end->port,
                        error);
}

static bool is_literal(const struct end *end)
{
    return end->has_host && end->name == NULL;
}

/* An address that is given decides the family that names are looked up for; without one
 * it is `ipv6`. */
static bool read_families(struct make_plan *plan, struct error *error)
{
    static const enum resolve_family by_word[] = {
        [VALUE_IPV6_FALSE] = RESOLVE_V4,
        [VALUE_IPV6_TRUE] = RESOLVE_ANY,
        [VALUE_IPV6_ONLY] = RESOLVE_V6,
    };
    struct end *ends[2] = {&plan->local, &plan->remote};
    static const char *const names[2] = {"local-host", "remote-host"};

    for (unsigned i = 0; i < 2; i++) {
        const struct end *other = ends[1 - i];
        ends[i]->family = by_word[plan->ipv6];
        if (is_literal(ends[i]) && !ends[i]->ip.is_ipv6 &&
            plan->ipv6 == VALUE_IPV6_ONLY) {
            return error_set_parameter(error, names[i],
                                       "an IPv6 address, because ipv6 is \"ipv6\"");
        }
        /* An IPv6 datagram socket reaches IPv4 destinations, too. */
        if (is_literal(other) && (plan->kind != UDP || !other->ip.is_ipv6)) {
            ends[i]->family = other->ip.is_ipv6 ? RESOLVE_V6 : RESOLVE_V4;
        } else if (is_literal(other) && plan->ipv6 == VALUE_IPV6_FALSE) {
            ends[i]->family = RESOLVE_ANY;
        }
    }
    bool may_map = plan->kind == UDP && plan->local.ip.is_ipv6;

    if (is_literal(&plan->local) && is_literal(&plan->remote) &&
        plan->local.ip.is_ipv6 != plan->remote.ip.is_ipv6 && !may_map) {
        return error_set_parameter(error, "local-host",
                                   "an address of the same family as remote-host");
    }
    return true;
}

/* A daemon that runs as root can bind ports that its users cannot. */
static bool may_bind(const struct caller *caller, uint16_t port, struct error *error)
{
    static const char path[] = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    unsigned start = 1024;

    if (port == 0 || geteuid() != 0 || caller->is_admin || caller->uid == 0) {
        return true;
    }
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%u", &start) != 1) {
            start = 1024;
        }
        (void)fclose(file); /* was only read */
    }
    if (port >= start) {
        return true;
    }
    error_set_errno(error, EACCES, "bind");
    (void)snprintf(error->subject, sizeof error->subject, "privileged-port");
    (void)snprintf(error->message, sizeof error->message,
                   "ports below %u are for administrators", start);
    return false;
}

static bool read_internet(struct make_plan *plan, const struct params *params,
                          const struct caller *caller, struct error *error)
{
    bool is_stream = plan->spec.type == SOCK_TYPE_STREAM;

    plan->ipv6 = params_has(params, PARAM_MAKE_SOCKET_IPV6)
                     ? params_word(params, PARAM_MAKE_SOCKET_IPV6)
                     : caller->ipv6;
    if (params_has(params, PARAM_MAKE_SOCKET_SCOPE_ID)) {
        plan->has_scope = true;
        plan->scope_id = params_interface(params, PARAM_MAKE_SOCKET_SCOPE_ID);
    }
    (void)read_host(&plan->local, params, PARAM_MAKE_SOCKET_LOCAL_HOST);
    (void)read_host(&plan->remote, params, PARAM_MAKE_SOCKET_REMOTE_HOST);
    return read_port(&plan->local, params, PARAM_MAKE_SOCKET_LOCAL_PORT, is_stream,
                     error) &&
           read_port(&plan->remote, params, PARAM_MAKE_SOCKET_REMOTE_PORT, is_stream,
                     error) &&
           may_bind(caller, plan->local.port, error) && read_families(plan, error);
}

/* The daemon has no current directory that a client could mean. */
static bool read_path(const char **path, const struct params *params, enum param_id id,
                      struct error *error)
{
    if (!params_has(params, id)) {
        return true;
    }
    struct value_text text = params_text(params, id);

    if (text.text[0] != '/' || strlen(text.text) != text.size) {
        return error_set_parameter(error, table_param(id)->name,
                                   "an absolute path of at most 107 bytes");
    }
    *path = text.text;
    return true;
}

bool make_plan_read(struct make_plan *plan, const struct params *params,
                    const struct caller *caller, struct error *error)
{
    return make_plan_read_as(
        plan, params, (enum sock_connect)params_word(params, PARAM_MAKE_SOCKET_CONNECT),
        caller, error);
}

bool make_plan_read_as(struct make_plan *plan, const struct params *params,
                       enum sock_connect connect, const struct caller *caller,
                       struct error *error)
{
    memset(plan, 0, sizeof *plan);
    plan->spec.owner = (struct sock_owner){
        .uid = caller->uid, .pid = caller->pid, .client = caller->client};
    plan->who = (struct identity){.uid = caller->uid, .gid = caller->gid};
    plan->backlog = (int)params_int(params, PARAM_MAKE_SOCKET_BACKLOG);
    plan->connect_timeout = params_seconds(params, PARAM_MAKE_SOCKET_CONNECT_TIMEOUT);
    if (!read_kind(plan, params, connect, error) ||
        !check_uses(params, plan->kind, error) ||
        !check_needed(params, PARAM_MAKE_SOCKET_REMOTE_HOST, TCP, plan->kind, error) ||
        !check_needed(params, PARAM_MAKE_SOCKET_REMOTE_PORT, TCP, plan->kind, error) ||
        !check_needed(params, PARAM_MAKE_SOCKET_REMOTE_FILENAME, FILE_STREAM, plan->kind,
                      error) ||
        !check_needed(params, PARAM_MAKE_SOCKET_LOCAL_FILENAME, FILE_LISTENER, plan->kind,
                      error) ||
        !check_destination(params, plan->kind, error)) {
        return false;
    }
    read_options(plan, params);
    if (params_has(params, PARAM_MAKE_SOCKET_TCP_MD5_SIG_KEY)) {
        plan->md5_key = params_text(params, PARAM_MAKE_SOCKET_TCP_MD5_SIG_KEY);
    }
    if ((plan->kind & INTERNET) != 0) {
        return read_internet(plan, params, caller, error);
    }
    return read_path(&plan->local_path, params, PARAM_MAKE_SOCKET_LOCAL_FILENAME,
                     error) &&
           read_path(&plan->remote_path, params, PARAM_MAKE_SOCKET_REMOTE_FILENAME,
                     error);
}
