/* SPDX-License-Identifier: MIT */
/*
 * dns_write.c - records and flags of the DNS as JSON.
 *
 * Called by cmd_dns.c; calls net/dns_answer. Thread: any.
 */
#include <config.h>
#include "daemon/control/dns_write.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/base/check.h"
#include "daemon/control/address_write.h"
#include "daemon/net/dns_answer.h"
#include "daemon/net/dns_search.h"
#include "proto/arena.h"
#include "proto/text.h"
#include "proto/value.h"
#include "proto/writer.h"

enum { SEARCHED_MAX = 64 };

/* ---- Data of records ---- */

static unsigned read16(const uint8_t *at) { return (unsigned)at[0] << 8 | at[1]; }

static uint32_t read32(const uint8_t *at)
{
    return (uint32_t)read16(at) << 16 | read16(at + 2);
}

static void write_name(struct writer *writer, const struct dns_name *name)
{
    char text[DNS_TEXT_SIZE];

    dns_name_format(name, text);
    writer_text(writer, text);
}

/* The name `skip` bytes behind the beginning of the data. */
static void write_data_name(struct writer *writer, const struct dns_answer *answer,
                            const struct dns_record *record, size_t skip)
{
    struct dns_name name;

    dns_record_data_name(answer, record, &skip, &name);
    write_name(writer, &name);
}

static void write_int(struct writer *writer, const char *key, int64_t value)
{
    writer_key(writer, key);
    writer_int(writer, value);
}

static void write_bytes(struct writer *writer, const uint8_t *bytes, size_t size)
{
    writer_begin_object(writer);
    writer_key(writer, "data");
    writer_base64(writer, bytes, size);
    writer_key(writer, "encoding");
    writer_text(writer, "base64");
    writer_end_object(writer);
}

static void write_text(struct writer *writer, const uint8_t *bytes, size_t size)
{
    if (text_is_utf8(bytes, size)) {
        writer_string(writer, (const char *)bytes, size);
    } else {
        write_bytes(writer, bytes, size);
    }
}

static bool record_ip(const struct dns_answer *answer, const struct dns_record *record,
                      struct value_ip *ip)
{
    memset(ip, 0, sizeof *ip);
    ip->is_ipv6 = record->type == DNS_TYPE_AAAA;
    if (record->type != DNS_TYPE_A && record->type != DNS_TYPE_AAAA) {
        return false;
    }
    memcpy(ip->bytes, dns_record_data(answer, record), record->data_size);
    return true;
}

/* An address of `host` that came with the answer, IPv4 if there is one. Honest servers
 * send few of them; more are not searched, so that nobody can make it a long search. */
static bool find_address(const struct dns_answer *answer, const struct dns_name *host,
                         struct value_ip *ip)
{
    unsigned n = answer->n_records[DNS_SECTION_ADDITIONAL];
    bool is_found = false;

    for (unsigned i = 0; i < n && i < SEARCHED_MAX; i++) {
        const struct dns_record *record =
            dns_answer_record(answer, DNS_SECTION_ADDITIONAL, i);
        struct dns_name name;
        struct value_ip found;
        dns_record_name(answer, record, &name);
        if (!dns_name_equal(&name, host) || !record_ip(answer, record, &found)) {
            continue;
        }
        if (!is_found || (ip->is_ipv6 && !found.is_ipv6)) {
            *ip = found;
        }
        is_found = true;
    }
    return is_found;
}

static void write_mx(struct writer *writer, const struct dns_answer *answer,
                     const struct dns_record *record)
{
    struct dns_name host;
    struct value_ip ip;
    size_t skip = 2;

    dns_record_data_name(answer, record, &skip, &host);
    writer_begin_array(writer);
    write_name(writer, &host);
    if (find_address(answer, &host, &ip)) {
        address_write(writer, &ip);
    } else {
        writer_null(writer);
    }
    writer_int(writer, read16(dns_record_data(answer, record)));
    writer_end_array(writer);
}

static void write_srv(struct writer *writer, const struct dns_answer *answer,
                      const struct dns_record *record)
{
    const uint8_t *data = dns_record_data(answer, record);

    writer_begin_object(writer);
    write_int(writer, "priority", read16(data));
    write_int(writer, "weight", read16(data + 2));
    write_int(writer, "port", read16(data + 4));
    writer_key(writer, "target");
    write_data_name(writer, answer, record, 6);
    writer_end_object(writer);
}

static void write_txt(struct writer *writer, const struct dns_answer *answer,
                      const struct dns_record *record)
{
    const uint8_t *at = dns_record_data(answer, record), *end = at + record->data_size;

    writer_begin_array(writer);
    for (; at < end; at += 1 + *at) {
        write_text(writer, at + 1, *at);
    }
    writer_end_array(writer);
}

static void write_soa(struct writer *writer, const struct dns_answer *answer,
                      const struct dns_record *record)
{
    static const char *const numbers[] = {"serial", "refresh", "retry", "expire",
                                          "minimum"};
    struct dns_name name;
    size_t skip = 0;

    writer_begin_object(writer);
    writer_key(writer, "mname");
    dns_record_data_name(answer, record, &skip, &name);
    write_name(writer, &name);
    writer_key(writer, "rname");
    dns_record_data_name(answer, record, &skip, &name);
    write_name(writer, &name);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        write_int(writer, numbers[i],
                  read32(dns_record_data(answer, record) + skip + 4 * i));
    }
    writer_end_object(writer);
}

static void write_caa(struct writer *writer, const struct dns_answer *answer,
                      const struct dns_record *record)
{
    const uint8_t *data = dns_record_data(answer, record);
    unsigned tag_size = data[1];

    writer_begin_object(writer);
    writer_key(writer, "critical");
    writer_bool(writer, data[0] & 0x80);
    writer_key(writer, "tag");
    writer_string(writer, (const char *)data + 2, tag_size);
    writer_key(writer, "value");
    write_text(writer, data + 2 + tag_size, record->data_size - 2u - tag_size);
    writer_end_object(writer);
}

static void write_data(struct writer *writer, const struct dns_answer *answer,
                       const struct dns_record *record)
{
    struct value_ip ip;

    switch (record->type) {
    case DNS_TYPE_A:
    case DNS_TYPE_AAAA:
        (void)record_ip(answer, record, &ip);
        address_write(writer, &ip);
        break;
    case DNS_TYPE_NS:
    case DNS_TYPE_CNAME:
    case DNS_TYPE_PTR:
        write_data_name(writer, answer, record, 0);
        break;
    case DNS_TYPE_MX:
        write_mx(writer, answer, record);
        break;
    case DNS_TYPE_SRV:
        write_srv(writer, answer, record);
        break;
    case DNS_TYPE_TXT:
        write_txt(writer, answer, record);
        break;
    case DNS_TYPE_SOA:
        write_soa(writer, answer, record);
        break;
    case DNS_TYPE_CAA:
        write_caa(writer, answer, record);
        break;
    default:
        write_bytes(writer, dns_record_data(answer, record), record->data_size);
        break;
    }
}

/* ---- Records ---- */

static void write_type(struct writer *writer, unsigned type)
{
    static const struct {
        unsigned type;
        const char *name;
    } names[] = {
        {DNS_TYPE_A, "a"},     {DNS_TYPE_NS, "ns"},   {DNS_TYPE_CNAME, "cname"},
        {DNS_TYPE_SOA, "soa"}, {DNS_TYPE_PTR, "ptr"}, {DNS_TYPE_MX, "mx"},
        {DNS_TYPE_TXT, "txt"}, {DNS_TYPE_SRV, "srv"}, {DNS_TYPE_AAAA, "aaaa"},
        {DNS_TYPE_CAA, "caa"},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].type == type) {
            writer_text(writer, names[i].name);
            return;
        }
    }
    writer_int(writer, type);
}

static void write_record(struct writer *writer, const struct dns_answer *answer,
                         const struct dns_record *record)
{
    struct dns_name name;

    dns_record_name(answer, record, &name);
    writer_begin_object(writer);
    writer_result(writer, FIELD_DNS_RR_NAME);
    write_name(writer, &name);
    writer_result(writer, FIELD_DNS_RR_TYPE);
    write_type(writer, record->type);
    writer_result_int(writer, FIELD_DNS_RR_CLASS, DNS_CLASS_IN);
    writer_result_int(writer, FIELD_DNS_RR_TIME_TO_LIVE, record->ttl);
    writer_result(writer, FIELD_DNS_RR_ANSWER);
    write_data(writer, answer, record);
    writer_end_object(writer);
}

static void write_section(struct writer *writer, enum result_id id,
                          const struct dns_answer *answer, enum dns_section section)
{
    writer_result(writer, id);
    if (answer == NULL) {
        writer_null(writer);
        return;
    }
    writer_begin_array(writer);
    for (unsigned i = 0; i < answer->n_records[section]; i++) {
        write_record(writer, answer, dns_answer_record(answer, section, i));
    }
    writer_end_array(writer);
}

/* ---- Flags ---- */

static void write_rcode(struct writer *writer, unsigned rcode)
{
    static const char *const names[] = {
        [DNS_RCODE_FORMAT_ERROR] = "format-error",
        [DNS_RCODE_SERVER_FAILURE] = "nameserver-internal-error",
        [DNS_RCODE_NO_SUCH_DOMAIN] = "no-such-domain",
        [DNS_RCODE_NOT_IMPLEMENTED] = "not-implemented",
        [DNS_RCODE_REFUSED] = "refused",
    };
    char number[24];

    if (rcode == DNS_RCODE_NONE) {
        return;
    }
    if (rcode < sizeof names / sizeof names[0]) {
        writer_text(writer, names[rcode]);
        return;
    }
    (void)snprintf(number, sizeof number, "rcode-%u", rcode);
    writer_text(writer, number);
}

static void write_response_flags(struct writer *writer, const struct dns_answer *answer)
{
    static const struct {
        unsigned flag;
        const char *name;
    } names[] = {
        {DNS_FLAG_RESPONSE, "response"},
        {DNS_FLAG_AUTHORITATIVE, "authoritative"},
        {DNS_FLAG_TRUNCATED, "truncated"},
        {DNS_FLAG_RECURSION_DESIRED, "recursion-desired"},
        {DNS_FLAG_RECURSION_AVAILABLE, "recursion-available"},
        {DNS_FLAG_AUTHENTIC_DATA, "authentic-data"},
        {DNS_FLAG_CHECKING_DISABLED, "checking-disabled"},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (answer->flags & names[i].flag) {
            writer_text(writer, names[i].name);
        }
    }
    write_rcode(writer, answer->rcode);
    if (answer->rcode == DNS_RCODE_NONE && answer->n_wanted == 0) {
        writer_text(writer, "no-such-record");
    }
}

static void write_flags(struct writer *writer, const struct dns_result *result)
{
    static const char *const outcomes[] = {
        [DNS_LATE] = "timed-out",      [DNS_UNREACHABLE] = "unreachable",
        [DNS_MALFORMED] = "malformed", [DNS_NO_NAMESERVER] = "no-nameserver",
        [DNS_LOOP] = "alias-loop",
    };

    writer_result(writer, FIELD_DNS_RESULT_FLAGS);
    writer_begin_array(writer);
    if (result->answer != NULL) {
        write_response_flags(writer, result->answer);
    } else {
        writer_text(writer, outcomes[result->outcome]);
    }
    writer_end_array(writer);
}

/* ---- Results ---- */

/* A record and its place among the others: the least rank first. */
struct ranked {
    const struct dns_record *record;
    uint64_t rank;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *first = a, *second = b;

    return first->rank < second->rank ? -1 : first->rank > second->rank;
}

/* Preference of MX; priority of SRV, and for equal ones the greatest weight. All others
 * stay in the order in which they came. */
static uint64_t rank_of(const struct dns_answer *answer, const struct dns_record *record,
                        unsigned place)
{
    const uint8_t *data = dns_record_data(answer, record);
    uint64_t rank = 0;

    if (record->type == DNS_TYPE_MX) {
        rank = (uint64_t)read16(data) << 16;
    } else if (record->type == DNS_TYPE_SRV) {
        rank = (uint64_t)read16(data) << 16 | (0xffff - read16(data + 2));
    }
    return rank << 16 | place;
}

static unsigned rank_wanted(const struct dns_answer *answer, struct ranked **list,
                            struct arena *arena)
{
    const struct dns_record *record;
    unsigned n = 0, i = 0;

    *list = arena_alloc(arena, answer->n_wanted * sizeof **list + 1);
    CHECK(*list != NULL);
    while ((record = dns_answer_next(answer, &i)) != NULL) {
        (*list)[n] = (struct ranked){record, rank_of(answer, record, n)};
        n++;
    }
    qsort(*list, n, sizeof **list, compare_ranked);
    return n;
}

static void write_one(struct writer *writer, const struct dns_answer *answer,
                      const struct dns_record *record)
{
    if (answer->type == DNS_TYPE_ANY) {
        write_record(writer, answer, record);
    } else {
        write_data(writer, answer, record);
    }
}

void dns_write_decoded(struct writer *writer, const struct dns_result *result,
                       struct arena *arena)
{
    const struct dns_answer *answer = result->answer;
    struct ranked *list = NULL;
    unsigned n = answer != NULL ? rank_wanted(answer, &list, arena) : 0;

    writer_result(writer, FIELD_DNS_RESULT_ANSWER);
    if (n > 0) {
        write_one(writer, answer, list[0].record);
    } else {
        writer_null(writer);
    }
    if (n > 0 || result->ttl > 0) {
        writer_result_int(writer, FIELD_DNS_RESULT_TTL, result->ttl);
    } else {
        writer_result_null(writer, FIELD_DNS_RESULT_TTL);
    }
    writer_result(writer, FIELD_DNS_RESULT_OTHERS);
    writer_begin_array(writer);
    for (unsigned i = 1; i < n; i++) {
        write_one(writer, answer, list[i].record);
    }
    writer_end_array(writer);
    write_flags(writer, result);
}

void dns_write_whole(struct writer *writer, const struct dns_result *result)
{
    const struct dns_answer *answer = result->answer;

    if (answer != NULL) {
        writer_result_int(writer, FIELD_DNS_RESULT_ID, answer->id);
    } else {
        writer_result_null(writer, FIELD_DNS_RESULT_ID);
    }
    write_flags(writer, result);
    if (answer != NULL) {
        writer_result_int(writer, FIELD_DNS_RESULT_FLAGS_VALUE, answer->flags);
    } else {
        writer_result_null(writer, FIELD_DNS_RESULT_FLAGS_VALUE);
    }
    write_section(writer, FIELD_DNS_RESULT_ANSWER, answer, DNS_SECTION_ANSWER);
    write_section(writer, FIELD_DNS_RESULT_AUTHORITY, answer, DNS_SECTION_AUTHORITY);
    write_section(writer, FIELD_DNS_RESULT_ADDITIONAL, answer, DNS_SECTION_ADDITIONAL);
}
