/* SPDX-License-Identifier: MIT */
/*
 * cmd_names.c - look-ups of hosts and services, and the interfaces (OPERATIONS section
 * 5).
 *
 * Thread: the worker of the connection; names are found by net/resolver without blocking
 * it.
 */
#include <config.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/loop.h"
#include "daemon/control/handlers.h"
#include "daemon/control/lookup_plan.h"
#include "daemon/control/request.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/resolver.h"
#include "proto/ipaddr.h"

/* A look-up that waits. Lives in the arena of its request. */
struct lookup {
    struct resolve resolve; /* first: the resolver hands this back */
    struct request *request;
    unsigned ipv6; /* enum value_ipv6: what is preferred */
};

static void lookup_cancel(struct request *request, const struct error *why)
{
    struct lookup *lookup = request_state(request);

    resolve_cancel(&lookup->resolve);
    request_fail(request, why);
}

static struct lookup *lookup_new(struct request *request)
{
    struct lookup *lookup = request_alloc(request, sizeof *lookup);

    lookup->request = request;
    request_wait(request, lookup_cancel, lookup);
    return lookup;
}

static void count_cached(const struct request *request)
{
    struct counters *counters = loop_counters(request_loop(request));

    counters_add(counters, COUNTER_LOOKUPS, 1);
    counters_add(counters, COUNTER_LOOKUPS_CACHED, 1);
}

static void write_ip(struct writer *writer, const struct value_ip *ip)
{
    char text[IPADDR_TEXT_SIZE];

    ipaddr_format(ip, text);
    writer_text(writer, text);
}

/* Those of the wanted family only, the preferred ones first: `pass` 0 takes the
 * preferred. */
static bool belongs_to_pass(const struct sockaddr_storage *address, unsigned ipv6,
                            int pass)
{
    bool is_preferred = ipv6 == VALUE_IPV6_FALSE || address->ss_family == AF_INET6;

    return is_preferred == (pass == 0);
}

static void reply_addresses(struct request *request, unsigned ipv6,
                            const struct resolve_answer *answer)
{
    bool wants_all = params_bool(request_params(request), PARAM_LOOKUP_HOSTNAME_ALL);
    struct writer *writer = request_reply(request);
    unsigned n_written = 0;

    writer_result(writer, wants_all ? RESULT_LOOKUP_HOSTNAME_VALUES
                                    : RESULT_LOOKUP_HOSTNAME_VALUE);
    if (wants_all) {
        writer_begin_array(writer);
    }
    for (int pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < answer->n; i++) {
            struct value_ip ip;
            if ((wants_all || n_written == 0) &&
                belongs_to_pass(&answer->addresses[i], ipv6, pass) &&
                endpoint_ip(&answer->addresses[i], &ip)) {
                write_ip(writer, &ip);
                n_written++;
            }
        }
    }
    if (wants_all) {
        writer_end_array(writer);
    }
    request_finish(request);
}

static void lookup_hostname_done(struct resolve *resolve,
                                 const struct resolve_answer *answer,
                                 const struct error *error)
{
    struct lookup *lookup = (struct lookup *)resolve;

    if (error) {
        request_fail(lookup->request, error);
    } else {
        reply_addresses(lookup->request, lookup->ipv6, answer);
    }
}

/* An address needs no look-up. */
static void reply_host_address(struct request *request, const struct value_ip *ip)
{
    struct resolve_answer answer;

    answer.n = 1;
    (void)endpoint_from_ip(&answer.addresses[0], ip, 0);
    reply_addresses(request, ip->is_ipv6 ? VALUE_IPV6_TRUE : VALUE_IPV6_FALSE, &answer);
}

static unsigned wanted_ipv6(const struct request *request)
{
    const struct params *params = request_params(request);

    return params_has(params, PARAM_LOOKUP_HOSTNAME_IPV6)
               ? params_word(params, PARAM_LOOKUP_HOSTNAME_IPV6)
               : request_caller(request)->ipv6;
}

void handle_lookup_hostname(struct request *request)
{
    static const enum resolve_family families[] = {
        [VALUE_IPV6_FALSE] = RESOLVE_V4,
        [VALUE_IPV6_TRUE] = RESOLVE_ANY,
        [VALUE_IPV6_ONLY] = RESOLVE_V6,
    };
    const struct params *params = request_params(request);
    const struct value_host *host =
        &params_value(params, PARAM_LOOKUP_HOSTNAME_HOST)->host;
    unsigned ipv6 = wanted_ipv6(request);
    struct resolve_answer answer;
    char text[DNS_TEXT_SIZE];

    if (host->is_address) {
        reply_host_address(request, &host->ip);
        return;
    }
    struct resolve_plan plan = lookup_plan(request, host->name.text, families[ipv6]);

    plan.ignore_cache = params_bool(params, PARAM_LOOKUP_HOSTNAME_IGNORE_CACHE);
    if (resolve_now(&plan, &answer, text)) {
        count_cached(request);
        reply_addresses(request, ipv6, &answer);
        return;
    }
    struct lookup *lookup = lookup_new(request);

    lookup->ipv6 = ipv6;
    resolve_start(&lookup->resolve, &plan,
                  params_seconds(params, PARAM_LOOKUP_HOSTNAME_TIMEOUT),
                  lookup_hostname_done);
}

static void reply_name(struct request *request, const char *name)
{
    writer_result_text(request_reply(request), RESULT_IPADDR_TO_HOSTNAME_VALUE, name);
    request_finish(request);
}

static void ipaddr_to_hostname_done(struct resolve *resolve,
                                    const struct resolve_answer *answer,
                                    const struct error *error)
{
    struct lookup *lookup = (struct lookup *)resolve;

    if (error) {
        request_fail(lookup->request, error);
    } else {
        reply_name(lookup->request, answer->name);
    }
}

void handle_ipaddr_to_hostname(struct request *request)
{
    const struct params *params = request_params(request);
    struct resolve_plan plan = lookup_plan(request, NULL, RESOLVE_ANY);
    struct resolve_answer answer;
    char text[DNS_TEXT_SIZE];

    plan.ip = params_value(params, PARAM_IPADDR_TO_HOSTNAME_ADDRESS)->ip;
    plan.ignore_cache = params_bool(params, PARAM_IPADDR_TO_HOSTNAME_IGNORE_CACHE);
    if (resolve_now(&plan, &answer, text)) {
        count_cached(request);
        reply_name(request, answer.name);
        return;
    }
    struct lookup *lookup = lookup_new(request);

    resolve_start(&lookup->resolve, &plan,
                  params_seconds(params, PARAM_IPADDR_TO_HOSTNAME_TIMEOUT),
                  ipaddr_to_hostname_done);
}

void handle_lookup_port(struct request *request)
{
    const struct params *params = request_params(request);
    const struct value *port = params_value(params, PARAM_LOOKUP_PORT_PORT);
    bool is_udp = params_word(params, PARAM_LOOKUP_PORT_PROTOCOL) == 1;
    uint16_t number = (uint16_t)port->port.number;
    struct error error;

    if (port->port.number < 0 &&
        !resolve_port(port->port.service.text, is_udp ? "udp" : "tcp", &number, &error)) {
        request_fail(request, &error);
        return;
    }
    writer_result_int(request_reply(request), RESULT_LOOKUP_PORT_VALUE, number);
    request_finish(request);
}

static void write_interface_addresses(struct writer *writer, const struct ifaddrs *all,
                                      const char *name)
{
    writer_result(writer, FIELD_INTERFACE_ADDRESSES);
    writer_begin_array(writer);
    for (const struct ifaddrs *entry = all; entry; entry = entry->ifa_next) {
        struct value_ip ip;
        struct sockaddr_storage address;
        sa_family_t family = entry->ifa_addr ? entry->ifa_addr->sa_family : AF_UNSPEC;
        size_t size = family == AF_INET    ? sizeof(struct sockaddr_in)
                      : family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                           : 0;
        if (size == 0 || strcmp(entry->ifa_name, name) != 0) {
            continue;
        }
        memset(&address, 0, sizeof address);
        memcpy(&address, entry->ifa_addr, size);
        if (endpoint_ip(&address, &ip)) {
            write_ip(writer, &ip);
        }
    }
    writer_end_array(writer);
}

static void write_interface(struct writer *writer, const struct ifaddrs *all,
                            const struct if_nameindex *entry)
{
    unsigned flags = 0;

    for (const struct ifaddrs *address = all; address; address = address->ifa_next) {
        if (strcmp(address->ifa_name, entry->if_name) == 0) {
            flags = address->ifa_flags;
            break;
        }
    }
    writer_begin_object(writer);
    writer_result_int(writer, FIELD_INTERFACE_ID, entry->if_index);
    writer_result(writer, FIELD_INTERFACE_NAME);
    writer_foreign(writer, entry->if_name, strlen(entry->if_name));
    write_interface_addresses(writer, all, entry->if_name);
    writer_result_bool(writer, FIELD_INTERFACE_UP, flags & IFF_UP);
    writer_result_bool(writer, FIELD_INTERFACE_RUNNING, flags & IFF_RUNNING);
    writer_result_bool(writer, FIELD_INTERFACE_LOOPBACK, flags & IFF_LOOPBACK);
    writer_result_bool(writer, FIELD_INTERFACE_BROADCAST, flags & IFF_BROADCAST);
    writer_result_bool(writer, FIELD_INTERFACE_MULTICAST, flags & IFF_MULTICAST);
    writer_result_bool(writer, FIELD_INTERFACE_POINT_TO_POINT, flags & IFF_POINTOPOINT);
    writer_end_object(writer);
}

void handle_get_ip_interfaces(struct request *request)
{
    struct if_nameindex *names = if_nameindex();
    struct ifaddrs *addresses = NULL;
    struct writer *writer;

    if (!names || getifaddrs(&addresses) != 0) {
        struct error error;
        (void)error_set_errno(&error, errno, "list interfaces");
        if (names) {
            if_freenameindex(names);
        }
        request_fail(request, &error);
        return;
    }
    writer = request_reply(request);
    writer_result(writer, RESULT_GET_IP_INTERFACES_INTERFACES);
    writer_begin_array(writer);
    for (const struct if_nameindex *entry = names; entry->if_index != 0; entry++) {
        write_interface(writer, addresses, entry);
    }
    writer_end_array(writer);
    request_finish(request);
    freeifaddrs(addresses);
    if_freenameindex(names);
}
