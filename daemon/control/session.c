/* SPDX-License-Identifier: MIT */
/*
 * session.c - the documented variables of a control connection, and session-defaults.
 *
 * The connection owns one struct session; make-socket and the look-ups read it.
 */
#include <config.h>
#include "daemon/control/session.h"
#include <string.h>
#include "daemon/control/connection.h"
#include "daemon/control/handlers.h"
#include "daemon/control/request.h"
#include "daemon/net/resolver.h"
#include "daemon/net/suffixes.h"

void session_init(struct session *session)
{
    memset(session, 0, sizeof *session);
    session->print_hostname = true;
    session->dns_mode = RESOLVE_BY_DNS | RESOLVE_BY_CLIB;
}

void session_fini(struct session *session)
{
    suffixes_release(session->search);
    suffixes_release(session->suffixes);
    session->search = session->suffixes = NULL;
}

static bool refuse_domain(const char *parameter, struct error *error)
{
    return error_set_parameter(error, parameter,
                               "domain names in ASCII of at most 253 characters");
}

/* An empty list is one, too: no name is tried in any domain then. */
static bool read_search(struct suffixes **search, const struct value *value,
                        struct error *error)
{
    size_t n = value->strings.n;
    struct suffixes *list = suffixes_new((unsigned)n);

    for (size_t i = 0; i < n; i++) {
        const struct value_text *name = &value->strings.items[i];
        if (!suffixes_add(list, name->text, name->size)) {
            suffixes_release(list);
            return refuse_domain("domain-search-list", error);
        }
    }
    *search = list;
    return true;
}

static bool check_domain(struct value_text domain, struct error *error)
{
    struct dns_name name;

    return domain.size == 0 ||
           (domain.size < SESSION_NAME_SIZE &&
            dns_name_parse(&name, domain.text, domain.size)) ||
           refuse_domain("dns-domain", error);
}

static unsigned dns_mode_of(const struct value *value)
{
    unsigned mode = 0;

    for (size_t i = 0; i < value->strings.n; i++) {
        bool is_clib = strcmp(value->strings.items[i].text, "clib") == 0;
        mode |= is_clib ? (unsigned)RESOLVE_BY_CLIB : (unsigned)RESOLVE_BY_DNS;
    }
    return mode;
}

static void choose_suffixes(struct session *session)
{
    struct suffixes *chosen = suffixes_hold(session->search);

    if (chosen == NULL && session->dns_domain[0] != '\0') {
        chosen = suffixes_new(1);
        (void)suffixes_add(chosen, session->dns_domain, strlen(session->dns_domain));
    }
    suffixes_release(session->suffixes);
    session->suffixes = chosen;
}

/* Everything is checked before anything is set. */
static bool set_domains(struct session *session, const struct params *params,
                        struct error *error)
{
    struct suffixes *search = NULL;
    struct value_text domain = {0};

    if (params_has(params, PARAM_SESSION_DEFAULTS_DNS_DOMAIN)) {
        domain = params_text(params, PARAM_SESSION_DEFAULTS_DNS_DOMAIN);
        if (!check_domain(domain, error)) {
            return false;
        }
    }
    if (params_has(params, PARAM_SESSION_DEFAULTS_DOMAIN_SEARCH_LIST) &&
        !read_search(&search,
                     params_value(params, PARAM_SESSION_DEFAULTS_DOMAIN_SEARCH_LIST),
                     error)) {
        return false;
    }
    if (domain.text != NULL) {
        memcpy(session->dns_domain, domain.text, domain.size + 1);
    }
    if (search != NULL) {
        suffixes_release(session->search);
        session->search = search;
    }
    choose_suffixes(session);
    return true;
}

static bool set_session(struct session *session, const struct params *params,
                        struct error *error)
{
    if ((params_has(params, PARAM_SESSION_DEFAULTS_DNS_DOMAIN) ||
         params_has(params, PARAM_SESSION_DEFAULTS_DOMAIN_SEARCH_LIST)) &&
        !set_domains(session, params, error)) {
        return false;
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
    if (session->dns_mode & RESOLVE_BY_DNS) {
        writer_text(writer, "acldns");
    }
    if (session->dns_mode & RESOLVE_BY_CLIB) {
        writer_text(writer, "clib");
    }
    writer_end_array(writer);
    writer_result_text(writer, RESULT_SESSION_DEFAULTS_DNS_DOMAIN,
                       session->dns_domain[0] ? session->dns_domain : NULL);
    writer_result(writer, RESULT_SESSION_DEFAULTS_DOMAIN_SEARCH_LIST);
    writer_begin_array(writer);
    for (unsigned i = 0; session->search != NULL && i < session->search->n; i++) {
        char text[DNS_TEXT_SIZE];
        dns_name_format(&session->search->names[i], text);
        writer_text(writer, text);
    }
    writer_end_array(writer);
    request_finish(request);
}
