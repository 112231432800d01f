/* SPDX-License-Identifier: MIT */
/*
 * hosts.c - reads hosts(5) into a table by name; addresses are in it by the names of
 * their PTR records.
 *
 * Called by dns_search.c; calls watched_file.c and dns_answer.c. Thread: the resolver
 * thread.
 */
#include <config.h>
#include "daemon/net/hosts.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/base/check.h"
#include "daemon/base/loop.h"
#include "daemon/net/dns_answer.h"
#include "daemon/net/watched_file.h"
#include "proto/ipaddr.h"

enum { BUCKETS = 4096, ANSWER_MAX = 64 };

/* One line of the file gives one of these for each name, and one for its address. */
struct host {
    struct host *next; /* of the bucket, in the order of the file */
    uint16_t type;
    struct dns_name name; /* in lower case */
    uint8_t data_size;
    uint8_t data[]; /* of the record: an address, or the first name of the line */
};

static struct {
    struct watched_file file;
    struct host *buckets[BUCKETS], **ends[BUCKETS];
} hosts;

static unsigned bucket_of(const struct dns_name *lower)
{
    uint32_t hash = 2166136261u;

    for (unsigned i = 0; i < lower->size; i++) {
        hash = (hash ^ lower->wire[i]) * 16777619u;
    }
    return (hash ^ hash >> 16) % BUCKETS;
}

static void clear(void)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        while (hosts.buckets[i] != NULL) {
            struct host *host = hosts.buckets[i];
            hosts.buckets[i] = host->next;
            free(host);
        }
        hosts.ends[i] = &hosts.buckets[i];
    }
}

void hosts_open(const char *path)
{
    hosts.file = (struct watched_file){.path = path, .size_max = HOSTS_FILE_MAX};
    clear();
}

void hosts_close(void) { clear(); }

/* ---- Reading ---- */

static void add(const struct dns_name *name, uint16_t type, const uint8_t *data,
                unsigned data_size)
{
    struct host *host = mem_new(sizeof *host + data_size);
    unsigned bucket;

    host->type = type;
    host->name = *name;
    dns_name_lower(&host->name);
    host->data_size = (uint8_t)data_size;
    memcpy(host->data, data, data_size);
    bucket = bucket_of(&host->name);
    *hosts.ends[bucket] = host;
    hosts.ends[bucket] = &host->next;
}

static size_t skip_blanks(const char *line, size_t size, size_t at)
{
    while (at < size && (line[at] == ' ' || line[at] == '\t' || line[at] == '\r')) {
        at++;
    }
    return at;
}

static size_t skip_word(const char *line, size_t size, size_t at)
{
    while (at < size && line[at] != ' ' && line[at] != '\t' && line[at] != '\r') {
        at++;
    }
    return at;
}

static void read_line(const char *line, size_t size)
{
    size_t at = skip_blanks(line, size, 0), end = skip_word(line, size, at);
    bool is_first = true;
    struct value_ip ip = {0};
    struct dns_name name, address;

    if (!ipaddr_parse(&ip, line + at, end - at)) {
        return;
    }
    dns_name_of_address(&address, &ip);
    while ((at = skip_blanks(line, size, end)) < size) {
        end = skip_word(line, size, at);
        if (!dns_name_parse(&name, line + at, end - at)) {
            continue;
        }
        add(&name, ip.is_ipv6 ? DNS_TYPE_AAAA : DNS_TYPE_A, ip.bytes,
            ip.is_ipv6 ? 16 : 4);
        if (is_first) {
            add(&address, DNS_TYPE_PTR, name.wire, name.size);
            is_first = false;
        }
    }
}

static void refresh(void)
{
    uint64_t now_ms = loop_now_ms(loop_self());
    size_t size = 0;

    if (!watched_file_is_new(&hosts.file, now_ms)) {
        return;
    }
    char *text = watched_file_read(&hosts.file, &size, now_ms);
    const char *at = text, *end = text + size;

    clear();
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL) {
            line_end = end;
        }
        const char *comment = memchr(at, '#', (size_t)(line_end - at));
        read_line(at, (size_t)((comment != NULL ? comment : line_end) - at));
        at = line_end + 1;
    }
    free(text);
}

/* ---- Answers ---- */

struct dns_answer *hosts_find(const struct dns_name *name, uint16_t type)
{
    struct dns_record_data records[ANSWER_MAX];
    struct dns_name lower = *name;
    unsigned n = 0;

    refresh();
    dns_name_lower(&lower);
    for (const struct host *host = hosts.buckets[bucket_of(&lower)];
         host != NULL && n < ANSWER_MAX; host = host->next) {
        if (host->type == type && dns_name_equal(&host->name, &lower)) {
            records[n++] = (struct dns_record_data){host->data, host->data_size};
        }
    }
    return n > 0 ? dns_answer_make(name, type, 0, HOSTS_TTL, records, n) : NULL;
}
