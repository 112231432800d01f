/* SPDX-License-Identifier: MIT */
/*
 * names.c - names, interfaces and the defaults of a connection: the operations of
 * commands_addresses.def that need the daemon.
 *
 * Place: public functions on request.c and fields.c. Thread: any.
 */
#include <config.h>

#include "lib/internal.h"
#include "lib/shapes.h"

#include <string.h>

#define N(FIELDS) (sizeof(FIELDS) / sizeof((FIELDS)[0]))

static const struct sockd_lookup_options lookup_preset = SOCKD_LOOKUP_OPTIONS_INIT;
static const struct field lookup_fields[] = {
    MEMBER(sockd_lookup_options, ignore_cache, "ignore-cache", FLAG),
    MEMBER(sockd_lookup_options, ipv6, "ipv6", IPV6),
};
static const struct shape lookup_shape = {sizeof(lookup_preset), lookup_fields,
                                          N(lookup_fields), &lookup_preset};

static void begin_lookup(struct request *request, struct sockd *connection,
                         const char *host, const struct sockd_lookup_options *options,
                         bool all, double timeout, struct sockd_error *error)
{
    struct sockd_lookup_options own;

    request_begin_waiting(request, connection, "lookup-hostname", timeout, error);
    request_text(request, "host", host);
    if (all)
        request_bool(request, "all", true);
    if (options_copy(&own, &lookup_shape, options, request, "options"))
        options_write(request, &lookup_shape, &own);
}

int sockd_lookup_hostname(struct sockd *connection, const char *host,
                          const struct sockd_lookup_options *options, double timeout,
                          char *address, size_t size, struct sockd_error *error)
{
    struct request request;
    json_t *json;
    int status;

    begin_lookup(&request, connection, host, options, false, timeout, error);
    status = request_result(&request, &json);
    if (status != SOCKD_OK)
        return status;
    status = text_out(json, "value", address, size, error);
    json_decref(json);
    return status;
}

static const struct field addresses_fields[] = {
    MEMBER(sockd_address_list, addresses, "values", TEXTS),
};
static const struct shape addresses_shape = {sizeof(struct sockd_address_list),
                                             addresses_fields, N(addresses_fields), NULL};

int sockd_lookup_hostname_all(struct sockd *connection, const char *host,
                              const struct sockd_lookup_options *options, double timeout,
                              struct sockd_address_list **list, struct sockd_error *error)
{
    struct request request;

    begin_lookup(&request, connection, host, options, true, timeout, error);
    return request_make(&request, &addresses_shape, false, list);
}

int sockd_lookup_port(struct sockd *connection, const char *port,
                      enum sockd_protocol protocol, double timeout, int *value,
                      struct sockd_error *error)
{
    static const struct field field = {.name = "value", .type = MEMBER_INT};
    enum { MAX_DIGITS = 5 };
    struct request request;
    int answer = SOCKD_UNSET;
    void *to = &answer;
    int status;

    request_begin_waiting(&request, connection, "lookup-port", timeout, error);
    if (port && *port && strlen(port) <= MAX_DIGITS &&
        !port[strspn(port, "0123456789")]) {
        int number = 0;

        for (const char *digit = port; *digit; digit++)
            number = number * 10 + (*digit - '0');
        request_int(&request, "port", number);
    } else {
        request_text(&request, "port", port);
    }
    request_word(&request, "protocol", PROTOCOL_WORDS, (int)protocol);
    status = request_read(&request, &field, &to, 1);
    if (status == SOCKD_OK && value)
        *value = answer;
    return status;
}

int sockd_ipaddr_to_hostname(struct sockd *connection, const char *address,
                             const struct sockd_lookup_options *options, double timeout,
                             char *name, size_t size, struct sockd_error *error)
{
    struct sockd_lookup_options own;
    struct request request;
    json_t *json;
    int status;

    request_begin_waiting(&request, connection, "ipaddr-to-hostname", timeout, error);
    request_text(&request, "address", address);
    if (options_copy(&own, &lookup_shape, options, &request, "options")) {
        own.ipv6 = 0; /* the address is of one kind already */
        options_write(&request, &lookup_shape, &own);
    }
    status = request_result(&request, &json);
    if (status != SOCKD_OK)
        return status;
    status = text_out(json, "value", name, size, error);
    json_decref(json);
    return status;
}

static const struct field interface_fields[] = {
    MEMBER(sockd_interface, id, "id", INT),
    MEMBER(sockd_interface, name, "name", TEXT),
    MEMBER(sockd_interface, addresses, "addresses", TEXTS),
    MEMBER(sockd_interface, up, "up", BOOL),
    MEMBER(sockd_interface, running, "running", BOOL),
    MEMBER(sockd_interface, loopback, "loopback", BOOL),
    MEMBER(sockd_interface, broadcast, "broadcast", BOOL),
    MEMBER(sockd_interface, multicast, "multicast", BOOL),
    MEMBER(sockd_interface, point_to_point, "point-to-point", BOOL),
};
static const struct shape interface_shape = {sizeof(struct sockd_interface),
                                             interface_fields, N(interface_fields), NULL};
static const struct field interfaces_fields[] = {
    MEMBER(sockd_interface_list, interfaces, "interfaces", OBJECTS,
           .shape = &interface_shape),
};
static const struct shape interfaces_shape = {
    sizeof(struct sockd_interface_list), interfaces_fields, N(interfaces_fields), NULL};

int sockd_get_ip_interfaces(struct sockd *connection, double timeout,
                            struct sockd_interface_list **list, struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "get-ip-interfaces", timeout, error);
    return request_make(&request, &interfaces_shape, false, list);
}

static const struct sockd_session_defaults_options session_preset =
    SOCKD_SESSION_DEFAULTS_OPTIONS_INIT;
static const struct field session_fields[] = {
    MEMBER(sockd_session_defaults_options, ipv6, "ipv6", IPV6),
    MEMBER(sockd_session_defaults_options, print_hostname_in_stream,
           "print-hostname-in-stream", FLAG),
    MEMBER(sockd_session_defaults_options, dns_mode, "dns-mode", TEXTS),
    MEMBER(sockd_session_defaults_options, dns_domain, "dns-domain", TEXT),
    MEMBER(sockd_session_defaults_options, domain_search_list, "domain-search-list",
           TEXTS),
};
static const struct shape session_shape = {sizeof(session_preset), session_fields,
                                           N(session_fields), &session_preset};

static const struct field session_now_fields[] = {
    MEMBER(sockd_session_defaults, ipv6, "ipv6", IPV6),
    MEMBER(sockd_session_defaults, print_hostname_in_stream, "print-hostname-in-stream",
           FLAG),
    MEMBER(sockd_session_defaults, dns_mode, "dns-mode", TEXTS),
    MEMBER(sockd_session_defaults, dns_domain, "dns-domain", TEXT),
    MEMBER(sockd_session_defaults, domain_search_list, "domain-search-list", TEXTS),
};
static const struct shape session_now_shape = {sizeof(struct sockd_session_defaults),
                                               session_now_fields, N(session_now_fields),
                                               NULL};

int sockd_session_defaults(struct sockd *connection,
                           const struct sockd_session_defaults_options *options,
                           double timeout, struct sockd_session_defaults **now,
                           struct sockd_error *error)
{
    struct sockd_session_defaults_options own;
    struct request request;

    request_begin(&request, connection, "session-defaults", timeout, error);
    if (options_copy(&own, &session_shape, options, &request, "options"))
        options_write(&request, &session_shape, &own);
    return request_make(&request, &session_now_shape, false, now);
}
