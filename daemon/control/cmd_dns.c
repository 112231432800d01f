/* SPDX-License-Identifier: MIT */
/*
 * cmd_dns.c - dns-query and its two kin, configure-dns, dns-nameservers.
 *
 * Thread: the resolver thread, to which these requests travel.
 */
#include <config.h>
#include <string.h>
#include "daemon/base/quota.h"
#include "daemon/control/address_write.h"
#include "daemon/control/dns_write.h"
#include "daemon/control/handlers.h"
#include "daemon/control/request.h"
#include "daemon/net/dns.h"
#include "daemon/net/dns_answer.h"
#include "daemon/net/dns_line.h"
#include "daemon/net/dns_search.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/resolver.h"
#include "daemon/net/suffixes.h"

/* ---- Asking ---- */

/* The three methods take the same parameters. */
struct query_params {
    enum param_id name, nameserver, repeat, timeout, queue, decode, search, ignore_cache;
};
#define QUERY_PARAMS(METHOD)                                                             \
    {                                                                                    \
        PARAM_##METHOD##_NAME, PARAM_##METHOD##_NAMESERVER, PARAM_##METHOD##_REPEAT,     \
            PARAM_##METHOD##_TIMEOUT, PARAM_##METHOD##_QUEUE, PARAM_##METHOD##_DECODE,   \
            PARAM_##METHOD##_SEARCH, PARAM_##METHOD##_IGNORE_CACHE                       \
    }

#define DEFAULT_TIMEOUT 5.0

/* Owner: the request, in whose arena it lies. */
struct query {
    struct dns_search search; /* first: it hands this back */
    struct request *request;
    bool is_decoded;
};

static void query_end(struct query *query)
{
    dns_search_stop(&query->search);
    quota_give(QUOTA_LOOKUPS, request_caller(query->request)->uid);
}

static void query_done(struct dns_search *search)
{
    struct query *query = (struct query *)search;
    struct request *request = query->request;
    struct writer *writer = request_reply(request);

    if (query->is_decoded) {
        dns_write_decoded(writer, &search->results[0], request_arena(request));
    } else {
        dns_write_whole(writer, &search->results[0]);
    }
    query_end(query);
    request_finish(request);
}

static void query_cancel(struct request *request, const struct error *why)
{
    query_end(request_state(request));
    request_fail(request, why);
}

static bool read_name(struct dns_search_plan *plan, const struct params *params,
                      enum param_id id, struct error *error)
{
    const struct value_host *host = &params_value(params, id)->host;

    if (plan->types[0] == DNS_TYPE_PTR && host->is_address) {
        dns_name_of_address(&plan->name, &host->ip);
        return true;
    }
    plan->is_absolute =
        host->name.size > 0 && host->name.text[host->name.size - 1] == '.';
    return dns_name_parse(&plan->name, host->name.text, host->name.size) ||
           error_set_parameter(error, table_param(id)->name,
                               "a domain name: labels of 1 to 63 bytes of ASCII with "
                               "dots between, of 253 characters");
}

static unsigned read_timeout(const struct params *params, enum param_id id)
{
    double seconds =
        params_has(params, id) ? params_seconds(params, id) : DEFAULT_TIMEOUT;

    return seconds >= 0.001 ? (unsigned)(seconds * 1000) : 1;
}

static void read_servers(struct dns_search_plan *plan,
                         struct sockaddr_storage servers[DNS_SERVERS_MAX],
                         const struct params *params, enum param_id id)
{
    if (!params_has(params, id)) {
        return;
    }
    const struct value *value = params_value(params, id);

    plan->how.servers = servers;
    for (size_t i = 0; i < value->endpoints.n; i++) {
        const struct value_endpoint *item = &value->endpoints.items[i];
        (void)endpoint_from_ip(&servers[plan->how.n_servers++], &item->ip,
                               (uint16_t)(item->port < 0 ? DNS_PORT : item->port));
    }
}

static void query_start(struct request *request, uint16_t type,
                        const struct query_params *ids)
{
    const struct params *params = request_params(request);
    const struct caller *caller = request_caller(request);
    struct sockaddr_storage servers[DNS_SERVERS_MAX];
    struct dns_search_plan plan = {
        .types = {type},
        .n_types = 1,
        .has_search = params_bool(params, ids->search),
        .suffixes = caller->suffixes,
        .how.repeat = (unsigned)params_int(params, ids->repeat),
        .how.timeout_ms = read_timeout(params, ids->timeout),
        .how.is_whole = !params_bool(params, ids->decode),
        .how.is_fresh = params_bool(params, ids->ignore_cache),
    };
    struct error error;
    uint32_t limit;

    plan.how.is_direct = plan.how.is_whole || !params_bool(params, ids->queue);
    read_servers(&plan, servers, params, ids->nameserver);
    if (!read_name(&plan, params, ids->name, &error)) {
        request_fail(request, &error);
        return;
    }
    if (!quota_take(QUOTA_LOOKUPS, caller->uid)) {
        const char *name = quota_refusal(QUOTA_LOOKUPS, &limit);
        (void)error_set_limit(&error, name, limit);
        request_fail(request, &error);
        return;
    }
    struct query *query = request_alloc(request, sizeof *query);

    query->request = request;
    query->is_decoded = !plan.how.is_whole;
    request_wait(request, query_cancel, query);
    dns_search_start(&query->search, &plan, query_done);
}

void handle_dns_query(struct request *request)
{
    static const struct query_params ids = QUERY_PARAMS(DNS_QUERY);
    /* In the order of the words. */
    static const uint16_t types[] = {
        DNS_TYPE_A,   DNS_TYPE_AAAA, DNS_TYPE_PTR,   DNS_TYPE_MX,
        DNS_TYPE_SRV, DNS_TYPE_TXT,  DNS_TYPE_CNAME, DNS_TYPE_NS,
        DNS_TYPE_SOA, DNS_TYPE_CAA,  DNS_TYPE_ANY,
    };

    query_start(request,
                types[params_word(request_params(request), PARAM_DNS_QUERY_TYPE)], &ids);
}

void handle_dns_lookup_hostname(struct request *request)
{
    static const struct query_params ids = QUERY_PARAMS(DNS_LOOKUP_HOSTNAME);

    query_start(request, DNS_TYPE_A, &ids);
}

void handle_dns_ipaddr_to_hostname(struct request *request)
{
    static const struct query_params ids = QUERY_PARAMS(DNS_IPADDR_TO_HOSTNAME);

    query_start(request, DNS_TYPE_PTR, &ids);
}

/* ---- Configuration ---- */

static bool may_configure(const struct caller *caller, struct error *error)
{
    if (caller->is_admin) {
        return true;
    }
    (void)error_set(error, ERROR_PERMISSION_DENIED,
                    "name servers are set by root and the administrators' group");
    memcpy(error->subject, "admin", sizeof "admin");
    return false;
}

static void take_servers(struct dns_config *config, const struct params *params)
{
    struct dns_search_plan plan = {0};

    if (!params_has(params, PARAM_CONFIGURE_DNS_NAMESERVER)) {
        return;
    }
    read_servers(&plan, config->servers, params, PARAM_CONFIGURE_DNS_NAMESERVER);
    config->n_servers = plan.how.n_servers;
}

static bool take_search(struct dns_config *config, const struct params *params,
                        struct error *error)
{
    if (!params_has(params, PARAM_CONFIGURE_DNS_SEARCH)) {
        return true;
    }
    const struct value *value = params_value(params, PARAM_CONFIGURE_DNS_SEARCH);

    suffixes_release(config->search);
    config->search = suffixes_new((unsigned)value->strings.n);
    for (size_t i = 0; i < value->strings.n; i++) {
        const struct value_text *item = &value->strings.items[i];
        if (!suffixes_add(config->search, item->text, item->size)) {
            return error_set_parameter(error, "search", "domain names in ASCII");
        }
    }
    return true;
}

static bool take_domain(struct dns_config *config, const struct params *params,
                        struct error *error)
{
    if (!params_has(params, PARAM_CONFIGURE_DNS_DOMAIN)) {
        return true;
    }
    struct value_text domain = params_text(params, PARAM_CONFIGURE_DNS_DOMAIN);

    config->domain.size = 0;
    if (domain.size == 0) {
        return true;
    }
    if (!dns_name_parse(&config->domain, domain.text, domain.size) ||
        dns_name_n_labels(&config->domain) == 0) {
        return error_set_parameter(error, "domain", "a domain name in ASCII");
    }
    if (config->search == NULL || config->search->n == 0) {
        suffixes_release(config->search);
        config->search = suffixes_new(1);
        (void)suffixes_add(config->search, domain.text, domain.size);
    }
    return true;
}

static bool configure(const struct params *params, struct error *error)
{
    bool is_auto_given = params_has(params, PARAM_CONFIGURE_DNS_AUTO);
    struct dns_config config;

    if (is_auto_given && params_bool(params, PARAM_CONFIGURE_DNS_AUTO)) {
        dns_configure_auto();
        return true;
    }
    config = *dns_config_in_force();
    (void)suffixes_hold(config.search);
    config.is_auto = false;
    take_servers(&config, params);
    if (!take_search(&config, params, error) || !take_domain(&config, params, error)) {
        dns_config_fini(&config);
        return false;
    }
    dns_configure(&config);
    return true;
}

static void write_suffixes(struct writer *writer, const struct suffixes *suffixes)
{
    char text[DNS_TEXT_SIZE];

    writer_begin_array(writer);
    for (unsigned i = 0; suffixes != NULL && i < suffixes->n; i++) {
        dns_name_format(&suffixes->names[i], text);
        writer_text(writer, text);
    }
    writer_end_array(writer);
}

static void reply_configuration(struct request *request)
{
    const struct dns_config *config = dns_config_in_force();
    struct writer *writer = request_reply(request);
    char text[DNS_TEXT_SIZE];

    writer_result_bool(writer, RESULT_CONFIGURE_DNS_AUTO, config->is_auto);
    writer_result(writer, RESULT_CONFIGURE_DNS_NAMESERVERS);
    writer_begin_array(writer);
    for (unsigned i = 0; i < config->n_servers; i++) {
        endpoint_text(&config->servers[i], text);
        writer_text(writer, text);
    }
    writer_end_array(writer);
    writer_result(writer, RESULT_CONFIGURE_DNS_SEARCH);
    write_suffixes(writer, config->search);
    if (config->domain.size > 0) {
        dns_name_format(&config->domain, text);
    }
    writer_result_text(writer, RESULT_CONFIGURE_DNS_DOMAIN,
                       config->domain.size > 0 ? text : NULL);
    request_finish(request);
}

void handle_configure_dns(struct request *request)
{
    const struct params *params = request_params(request);
    bool is_given = params_has(params, PARAM_CONFIGURE_DNS_NAMESERVER) ||
                    params_has(params, PARAM_CONFIGURE_DNS_SEARCH) ||
                    params_has(params, PARAM_CONFIGURE_DNS_DOMAIN) ||
                    params_has(params, PARAM_CONFIGURE_DNS_AUTO);
    struct error error;

    dns_config_distrust();
    if (is_given &&
        (!may_configure(request_caller(request), &error) || !configure(params, &error))) {
        request_fail(request, &error);
        return;
    }
    reply_configuration(request);
}

void handle_dns_nameservers(struct request *request)
{
    unsigned n;

    dns_config_distrust();
    struct dns_server *const *servers = dns_servers(&n);
    struct writer *writer = request_reply(request);
    char text[DNS_TEXT_SIZE];

    writer_result(writer, RESULT_DNS_NAMESERVERS_NAMESERVERS);
    writer_begin_array(writer);
    for (unsigned i = 0; i < n; i++) {
        const struct dns_server *server = servers[i];
        struct value_ip ip = {0};
        (void)endpoint_ip(&server->address, &ip);
        bool has_name = resolve_known_name(&ip, text) && text[0] != '\0';
        writer_begin_object(writer);
        writer_result_text(writer, FIELD_DNS_NAMESERVER_NAME, has_name ? text : NULL);
        writer_result(writer, FIELD_DNS_NAMESERVER_IPADDR);
        address_write(writer, &ip);
        writer_result_int(writer, FIELD_DNS_NAMESERVER_PORT,
                          endpoint_port(&server->address));
        writer_result_int(writer, FIELD_DNS_NAMESERVER_SENT, (int64_t)server->n_sent);
        writer_result_int(writer, FIELD_DNS_NAMESERVER_RECEIVED,
                          (int64_t)server->n_received);
        writer_end_object(writer);
    }
    writer_end_array(writer);
    request_finish(request);
}
