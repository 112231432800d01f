/* SPDX-License-Identifier: MIT */
/*
 * session.c - the documented variables of a control connection, and session-defaults.
 *
 * The connection owns one struct session; make-socket and the look-ups read it.
 */
#include <config.h>
#include "daemon/control/session.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/base/check.h"
#include "daemon/control/connection.h"
#include "daemon/control/handlers.h"
#include "daemon/control/request.h"

void session_init(struct session *session)
{
    memset(session, 0, sizeof *session);
    session->print_hostname = true;
    session->dns_mode = SESSION_DNS_ACLDNS | SESSION_DNS_CLIB;
}

void session_fini(struct session *session)
{
    free(session->domains);
    session->domains = NULL;
    session->n_domains = 0;
}

/* Domain names are checked as a whole before one of them is taken. */
static bool domain_fits(const struct value_text *name, const char *parameter,
                        struct error *error)
{
    if (name->size < SESSION_NAME_SIZE && strlen(name->text) == name->size) {
        return true;
    }
    return error_set_parameter(error, parameter,
                               "domain names of at most 253 characters");
}

static bool set_domains(struct session *session, const struct value *value,
                        struct error *error)
{
    size_t n = value->strings.n;

    for (size_t i = 0; i < n; i++) {
        if (!domain_fits(&value->strings.items[i], "domain-search-list", error)) {
            return false;
        }
    }
    session_fini(session);
    if (n > 0) {
        session->domains = mem_new(n * sizeof session->domains[0]);
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(session->domains[i], value->strings.items[i].text,
               value->strings.items[i].size + 1);
    }
    session->n_domains = (unsigned)n;
    return true;
}

static unsigned dns_mode_of(const struct value *value)
{
    unsigned mode = 0;

    for (size_t i = 0; i < value->strings.n; i++) {
        bool is_clib = strcmp(value->strings.items[i].text, "clib") == 0;
        mode |= is_clib ? SESSION_DNS_CLIB : SESSION_DNS_ACLDNS;
    }
    return mode;
}

static bool set_session(struct session *session, const struct params *params,
                        struct error *error)
{
    if (params_has(params, PARAM_SESSION_DEFAULTS_DNS_DOMAIN)) {
        struct value_text domain = params_text(params, PARAM_SESSION_DEFAULTS_DNS_DOMAIN);
        if (!domain_fits(&domain, "dns-domain", error)) {
            return false;
        }
    }
    if (params_has(params, PARAM_SESSION_DEFAULTS_DOMAIN_SEARCH_LIST) &&
        !set_domains(session,
                     params_value(params, PARAM_SESSION_DEFAULTS_DOMAIN_SEARCH_LIST),
                     error)) {
        return false;
    }
    if (params_has(params, PARAM_SESSION_DEFAULTS_DNS_DOMAIN)) {
        struct value_text domain = params_text(params, PARAM_SESSION_DEFAULTS_DNS_DOMAIN);
        memcpy(session->dns_domain, domain.text, domain.size + 1);
    }
    if (params_has(params, PARAM_SESSION_DEFAULTS_IPV6)) {
        session->ipv6 = params_word(params, PARAM_SESSION_DEFAULTS_IPV6);
    }
    if (params_has(params, PARAM_SESSION_DEFAULTS_PRINT_HOSTNAME_IN_STREAM)) {
        session->print_hostname =
            params_bool(params, PARAM_SESSION_DEFAULTS_PRINT_HOSTNAME_IN_STREAM);
    }
    if (params_has(params, PARAM_SESSION_DEFAULTS_DNS_MODE)) {
        session->dns_mode =
            dns_mode_of(params_value(params, PARAM_SESSION_DEFAULTS_DNS_MODE));
    }
    return true;
}

static void write_ipv6(struct writer *writer, unsigned ipv6)
{
    writer_result(writer, RESULT_SESSION_DEFAULTS_IPV6);
    if (ipv6 == VALUE_IPV6_ONLY) {
        writer_text(writer, "ipv6");
    } else {
        writer_bool(writer, ipv6 == VALUE_IPV6_TRUE);
    }
}

void handle_session_defaults(struct request *request)
{
    struct session *session = connection_session(request_connection(request));
    struct error error;
    struct writer *writer;

    if (!set_session(session, request_params(request), &error)) {
        request_fail(request, &error);
        return;
    }
    writer = request_reply(request);
    write_ipv6(writer, session->ipv6);
    writer_result_bool(writer, RESULT_SESSION_DEFAULTS_PRINT_HOSTNAME_IN_STREAM,
                       session->print_hostname);
    writer_result(writer, RESULT_SESSION_DEFAULTS_DNS_MODE);
    writer_begin_array(writer);
    if (session->dns_mode & SESSION_DNS_ACLDNS) {
        writer_text(writer, "acldns");
    }
    if (session->dns_mode & SESSION_DNS_CLIB) {
        writer_text(writer, "clib");
    }
    writer_end_array(writer);
    writer_result_text(writer, RESULT_SESSION_DEFAULTS_DNS_DOMAIN,
                       session->dns_domain[0] ? session->dns_domain : NULL);
    writer_result(writer, RESULT_SESSION_DEFAULTS_DOMAIN_SEARCH_LIST);
    writer_begin_array(writer);
    for (unsigned i = 0; i < session->n_domains; i++) {
        writer_text(writer, session->domains[i]);
    }
    writer_end_array(writer);
    request_finish(request);
}
