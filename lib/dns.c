/* SPDX-License-Identifier: MIT */
/*
 * dns.c - name servers: the operations of commands_dns.def.
 *
 * Place: public functions on request.c and fields.c. Records have a form for each type,
 * so they are taken apart here and not by a table. Thread: any.
 */
#include <config.h>

#include "lib/internal.h"
#include "lib/shapes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/text.h"

#define N(FIELDS) (sizeof(FIELDS) / sizeof((FIELDS)[0]))

/* ---- Values ---- */

static int int_of(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);

    return json_is_integer(value) ? (int)json_integer_value(value) : SOCKD_UNSET;
}

static int64_t long_of(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);

    return json_is_integer(value) ? json_integer_value(value) : SOCKD_UNSET;
}

static const char *text_of(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

/* An IP address object as text. False: out of memory. */
static bool read_address(void *result, const json_t *json, const char **text)
{
    const char *ipv6 = text_of(json, "ipv6");
    struct sockd_ipaddr address = {0};
    char *copy;

    if (!ipv6 && !json_is_integer(json))
        return true;
    copy = result_more(result, SOCKD_HOST_SIZE);
    if (!copy)
        return false;
    if (!ipv6) {
        sockd_ipaddr_from_integer((uint32_t)json_integer_value(json), &address);
    } else if (sockd_dotted_to_ipaddr(ipv6, &address, NULL) == SOCKD_OK) {
        address.scope_id =
            (uint32_t)json_integer_value(json_object_get(json, "scope-id"));
    }
    sockd_ipaddr_to_dotted(&address, copy);
    *text = copy;
    return true;
}

/* A string, or an object with data in base64. False: out of memory. */
static bool read_bytes(void *result, const json_t *json, struct sockd_dns_text *text)
{
    const char *encoded = text_of(json, "data");
    size_t size = encoded ? strlen(encoded) : 0;
    ptrdiff_t n;
    char *bytes;

    if (!encoded) {
        text->bytes = json_is_string(json) ? json_string_value(json) : "";
        text->size = json_string_length(json);
        return true;
    }
    bytes = result_more(result, size / 4 * 3 + 1);
    if (!bytes)
        return false;
    n = text_base64_decode(encoded, size, bytes);
    text->size = n > 0 ? (size_t)n : 0;
    bytes[text->size] = 0;
    text->bytes = bytes;
    return true;
}

/* ---- Records ---- */

static bool read_texts(void *result, const json_t *json, struct sockd_dns_record *record)
{
    size_t n = json_is_array(json) ? json_array_size(json) : 1;
    struct sockd_dns_text *texts = result_more(result, (n + 1) * sizeof(*texts));

    if (!texts)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!read_bytes(result, json_is_array(json) ? json_array_get(json, i) : json,
                        &texts[i]))
            return false;
    record->n_texts = n;
    record->texts = texts;
    return true;
}

static bool read_soa(const json_t *json, struct sockd_dns_record *record)
{
    record->text = text_of(json, "mname");
    record->rname = text_of(json, "rname");
    record->serial = long_of(json, "serial");
    record->refresh = long_of(json, "refresh");
    record->retry = long_of(json, "retry");
    record->expire = long_of(json, "expire");
    record->minimum = long_of(json, "minimum");
    return true;
}

static bool read_srv(const json_t *json, struct sockd_dns_record *record)
{
    record->priority = int_of(json, "priority");
    record->weight = int_of(json, "weight");
    record->port = int_of(json, "port");
    record->text = text_of(json, "target");
    return true;
}

static bool read_mx(void *result, const json_t *json, struct sockd_dns_record *record)
{
    record->text = json_string_value(json_array_get(json, 0));
    record->preference = (int)json_integer_value(json_array_get(json, 2));
    return read_address(result, json_array_get(json, 1), &record->address);
}

static bool read_caa(void *result, const json_t *json, struct sockd_dns_record *record)
{
    record->critical = json_is_true(json_object_get(json, "critical"));
    record->tag = text_of(json, "tag");
    return read_texts(result, json_object_get(json, "value"), record);
}

/* The data of a record, whose type is known. False: out of memory. */
static bool read_data(void *result, const json_t *json, struct sockd_dns_record *record)
{
    switch ((enum sockd_dns_type)word_index(DNS_TYPE_WORDS, record->type)) {
    case SOCKD_DNS_A:
    case SOCKD_DNS_AAAA:
        return read_address(result, json, &record->text);
    case SOCKD_DNS_PTR:
    case SOCKD_DNS_CNAME:
    case SOCKD_DNS_NS:
        record->text = json_string_value(json);
        return true;
    case SOCKD_DNS_MX:
        return read_mx(result, json, record);
    case SOCKD_DNS_SRV:
        return read_srv(json, record);
    case SOCKD_DNS_TXT:
        return read_texts(result, json, record);
    case SOCKD_DNS_SOA:
        return read_soa(json, record);
    case SOCKD_DNS_CAA:
        return read_caa(result, json, record);
    case SOCKD_DNS_ANY:
        break;
    }
    return read_bytes(result, json, &record->data);
}

/* "a", or the number of a type that has no name here. */
static bool read_type(void *result, const json_t *json, const char **type)
{
    enum { NUMBER_SIZE = 24 };
    char *number;

    *type = json_string_value(json);
    if (*type)
        return true;
    number = result_more(result, NUMBER_SIZE);
    if (!number)
        return false;
    (void)snprintf(number, NUMBER_SIZE, "%" JSON_INTEGER_FORMAT,
                   json_integer_value(json));
    *type = number;
    return true;
}

/* `type` NULL: the record is an object that says itself what it is. */
static bool read_record(void *result, const json_t *json, const char *type,
                        struct sockd_dns_record *record)
{
    *record = (struct sockd_dns_record){.type = type,
                                        .ttl = SOCKD_UNSET,
                                        .preference = SOCKD_UNSET,
                                        .priority = SOCKD_UNSET,
                                        .weight = SOCKD_UNSET,
                                        .port = SOCKD_UNSET};
    if (type)
        return read_data(result, json, record);
    record->name = text_of(json, "name");
    record->ttl = long_of(json, "time-to-live");
    return read_type(result, json_object_get(json, "type"), &record->type) &&
           read_data(result, json_object_get(json, "answer"), record);
}

/* `first`, which may be null or absent, and the members of `rest`. False: out of memory.
 */
static bool read_records(void *result, const json_t *first, const json_t *rest,
                         const char *type, size_t *n,
                         const struct sockd_dns_record **list)
{
    bool has_first = first && !json_is_null(first);
    size_t n_all = has_first + json_array_size(rest);
    struct sockd_dns_record *records =
        result_more(result, (n_all + 1) * sizeof(*records));

    if (!records)
        return false;
    if (has_first && !read_record(result, first, type, &records[0]))
        return false;
    for (size_t i = 0; i < json_array_size(rest); i++)
        if (!read_record(result, json_array_get(rest, i), type, &records[has_first + i]))
            return false;
    *n = n_all;
    *list = records;
    return true;
}

/* ---- Results ---- */

static bool read_flags(struct sockd_dns_result *result, const json_t *json)
{
    size_t n = json_array_size(json);
    const char **flags = result_more(result, (n + 1) * sizeof(*flags));

    if (!flags)
        return false;
    for (size_t i = 0; i < n; i++)
        flags[i] = json_string_value(json_array_get(json, i));
    result->n_flags = n;
    result->flags = flags;
    return true;
}

/* Constant, because the records name their type by it. */
static const char *const type_words[] = {
    [0] = "a",
    [SOCKD_DNS_A] = "a",
    [SOCKD_DNS_AAAA] = "aaaa",
    [SOCKD_DNS_PTR] = "ptr",
    [SOCKD_DNS_MX] = "mx",
    [SOCKD_DNS_SRV] = "srv",
    [SOCKD_DNS_TXT] = "txt",
    [SOCKD_DNS_CNAME] = "cname",
    [SOCKD_DNS_NS] = "ns",
    [SOCKD_DNS_SOA] = "soa",
    [SOCKD_DNS_CAA] = "caa",
    [SOCKD_DNS_ANY] = NULL, /* each says it itself */
};

static bool read_result(struct sockd_dns_result *result, const json_t *json,
                        enum sockd_dns_type type)
{
    const json_t *answer = json_object_get(json, "answer");
    bool is_whole = json_object_get(json, "id") != NULL;

    result->ttl = long_of(json, "ttl");
    result->id = int_of(json, "id");
    result->flags_value = int_of(json, "flags-value");
    if (!read_flags(result, json_object_get(json, "flags")))
        return false;
    if (!is_whole)
        return read_records(result, answer, json_object_get(json, "others"),
                            type_words[type], &result->n_answer, &result->answer);
    return read_records(result, NULL, answer, NULL, &result->n_answer, &result->answer) &&
           read_records(result, NULL, json_object_get(json, "authority"), NULL,
                        &result->n_authority, &result->authority) &&
           read_records(result, NULL, json_object_get(json, "additional"), NULL,
                        &result->n_additional, &result->additional);
}

static int make_result(json_t *json, enum sockd_dns_type type,
                       struct sockd_dns_result **result, struct sockd_error *error)
{
    struct sockd_dns_result *made;

    if (!json_is_object(json)) {
        json_decref(json);
        return fail(error, SOCKD_E_BAD_REPLY, "the result is no object");
    }
    made = result_new(sizeof(*made), json); /* texts point into it */
    if (!made)
        return fail_memory(error);
    if (!read_result(made, json, type)) {
        sockd_free(made);
        return fail_memory(error);
    }
    if (result)
        *result = made;
    else
        sockd_free(made);
    return SOCKD_OK;
}

/* ---- Questions ---- */

static const struct sockd_dns_query_options query_preset = SOCKD_DNS_QUERY_OPTIONS_INIT;
static const struct field query_fields[] = {
    MEMBER(sockd_dns_query_options, nameserver, "nameserver", TEXTS),
    MEMBER(sockd_dns_query_options, repeat, "repeat", INT),
    MEMBER(sockd_dns_query_options, try_timeout, "timeout", SECONDS),
    MEMBER(sockd_dns_query_options, queue, "queue", FLAG),
    MEMBER(sockd_dns_query_options, decode, "decode", FLAG),
    MEMBER(sockd_dns_query_options, search, "search", FLAG),
    MEMBER(sockd_dns_query_options, ignore_cache, "ignore-cache", FLAG),
};
static const struct shape query_shape = {sizeof(query_preset), query_fields,
                                         N(query_fields), &query_preset};

static int ask(struct sockd *connection, const char *method, const char *name,
               enum sockd_dns_type type, bool sends_type,
               const struct sockd_dns_query_options *options, double timeout,
               struct sockd_dns_result **result, struct sockd_error *error)
{
    struct sockd_dns_query_options own;
    struct request request;
    json_t *json;
    int status;

    /* The daemon's own timeout is that of one try, so ours alone ends the call. */
    request_begin(&request, connection, method, timeout, error);
    request_text(&request, "name", name);
    if (sends_type)
        request_word(&request, "type", DNS_TYPE_WORDS, (int)type);
    if (options_copy(&own, &query_shape, options, &request, "options"))
        options_write(&request, &query_shape, &own);
    status = request_result(&request, &json);
    if (status != SOCKD_OK)
        return status;
    return make_result(json, type, result, error);
}

int sockd_dns_query(struct sockd *connection, const char *name, enum sockd_dns_type type,
                    const struct sockd_dns_query_options *options, double timeout,
                    struct sockd_dns_result **result, struct sockd_error *error)
{
    return ask(connection, "dns-query", name, type, true, options, timeout, result,
               error);
}

int sockd_dns_lookup_hostname(struct sockd *connection, const char *name,
                              const struct sockd_dns_query_options *options,
                              double timeout, struct sockd_dns_result **result,
                              struct sockd_error *error)
{
    return ask(connection, "dns-lookup-hostname", name, SOCKD_DNS_A, false, options,
               timeout, result, error);
}

int sockd_dns_ipaddr_to_hostname(struct sockd *connection, const char *address,
                                 const struct sockd_dns_query_options *options,
                                 double timeout, struct sockd_dns_result **result,
                                 struct sockd_error *error)
{
    return ask(connection, "dns-ipaddr-to-hostname", address, SOCKD_DNS_PTR, false,
               options, timeout, result, error);
}

/* ---- Configuration ---- */

static const struct sockd_configure_dns_options configure_preset =
    SOCKD_CONFIGURE_DNS_OPTIONS_INIT;
static const struct field configure_fields[] = {
    MEMBER(sockd_configure_dns_options, nameserver, "nameserver", TEXTS),
    MEMBER(sockd_configure_dns_options, search, "search", TEXTS),
    MEMBER(sockd_configure_dns_options, domain, "domain", TEXT),
    MEMBER(sockd_configure_dns_options, automatic, "auto", FLAG),
};
static const struct shape configure_shape = {sizeof(configure_preset), configure_fields,
                                             N(configure_fields), &configure_preset};

static const struct field configuration_fields[] = {
    MEMBER(sockd_dns_configuration, automatic, "auto", BOOL),
    MEMBER(sockd_dns_configuration, nameservers, "nameservers", TEXTS),
    MEMBER(sockd_dns_configuration, search, "search", TEXTS),
    MEMBER(sockd_dns_configuration, domain, "domain", TEXT),
};
static const struct shape configuration_shape = {sizeof(struct sockd_dns_configuration),
                                                 configuration_fields,
                                                 N(configuration_fields), NULL};

int sockd_configure_dns(struct sockd *connection,
                        const struct sockd_configure_dns_options *options, double timeout,
                        struct sockd_dns_configuration **now, struct sockd_error *error)
{
    struct sockd_configure_dns_options own;
    struct request request;

    request_begin(&request, connection, "configure-dns", timeout, error);
    if (options_copy(&own, &configure_shape, options, &request, "options"))
        options_write(&request, &configure_shape, &own);
    return request_make(&request, &configuration_shape, false, now);
}

static bool read_nameservers(struct sockd_dns_nameserver_list *list, const json_t *json)
{
    size_t n = json_array_size(json);
    struct sockd_dns_nameserver *servers = result_more(list, (n + 1) * sizeof(*servers));

    if (!servers)
        return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *server = json_array_get(json, i);

        servers[i].name = text_of(server, "name");
        servers[i].port = int_of(server, "port");
        servers[i].sent = long_of(server, "sent");
        servers[i].received = long_of(server, "received");
        if (!read_address(list, json_object_get(server, "ipaddr"), &servers[i].ipaddr))
            return false;
    }
    list->n_nameservers = n;
    list->nameservers = servers;
    return true;
}

int sockd_dns_nameservers(struct sockd *connection, double timeout,
                          struct sockd_dns_nameserver_list **list,
                          struct sockd_error *error)
{
    struct sockd_dns_nameserver_list *made;
    struct request request;
    json_t *json;
    int status;

    request_begin(&request, connection, "dns-nameservers", timeout, error);
    status = request_result(&request, &json);
    if (status != SOCKD_OK)
        return status;
    made = result_new(sizeof(*made), json);
    if (!made)
        return fail_memory(error);
    if (!read_nameservers(made, json_object_get(json, "nameservers"))) {
        sockd_free(made);
        return fail_memory(error);
    }
    if (list)
        *list = made;
    else
        sockd_free(made);
    return SOCKD_OK;
}
