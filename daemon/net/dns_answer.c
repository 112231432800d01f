/* SPDX-License-Identifier: MIT */
/*
 * dns_answer.c - reads the response of a name server, whatever it may be.
 *
 * Called on the resolver thread with bytes from the network; the records are read by the
 * workers as well. Calls dns_name.c. Thread: any.
 *
 * The parsers of c-ares give neither the times to live of most types nor whole responses,
 * so there is one reader for all. It reads forward once, checks each count and length
 * against what is there, and refuses the whole message for one bad record.
 */
#include <config.h>
#include "daemon/net/dns_answer.h"
#include <stdlib.h>
#include <string.h>
#include "daemon/base/check.h"
#include "proto/value.h"

enum {
    HEADER_SIZE = 12,
    QUESTION_TAIL = 4,   /* type and class */
    RECORD_TAIL = 10,    /* type, class, time to live, size of the data */
    RECORD_MIN = 11,     /* with the shortest name */
    TTL_MAX = 604800,    /* a week; longer ones are mistakes (RFC 8767 section 4) */
    NEGATIVE_MAX = 10800 /* three hours (RFC 2308 section 5) */
};

static uint16_t read16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static uint32_t read32(const uint8_t *at)
{
    return (uint32_t)read16(at) << 16 | read16(at + 2);
}

static uint8_t *write16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

/* ---- Questions ---- */

size_t dns_question_write(uint8_t *message, uint16_t id, const struct dns_name *name,
                          uint16_t type, bool has_edns)
{
    uint8_t *at = message;

    at = write16(at, id);
    at = write16(at, DNS_FLAG_RECURSION_DESIRED);
    at = write16(at, 1);
    at = write16(at, 0);
    at = write16(at, 0);
    at = write16(at, has_edns);
    memcpy(at, name->wire, name->size);
    at = write16(at + name->size, type);
    at = write16(at, DNS_CLASS_IN);
    if (has_edns) {
        *at++ = 0; /* the root */
        at = write16(at, DNS_TYPE_OPT);
        at = write16(at, DNS_UDP_SIZE);
        memset(at, 0, 6); /* no further bits, no options */
        at += 6;
    }
    return (size_t)(at - message);
}

/* ---- Reading: records ---- */

struct reader {
    const uint8_t *message;
    size_t size, at;
};

/* A name within the data of a record, which ends at `end`. */
static bool check_name(const struct reader *reader, size_t *at, size_t end)
{
    struct dns_name name;

    return dns_name_read(&name, reader->message, reader->size, at) && *at <= end;
}

static bool check_texts(const struct reader *reader, size_t at, size_t end)
{
    if (at == end) {
        return false;
    }
    while (at < end) {
        at += 1u + reader->message[at];
    }
    return at == end;
}

static bool check_caa(const struct reader *reader, size_t at, size_t end)
{
    if (end - at < 2) {
        return false;
    }
    unsigned tag_size = reader->message[at + 1];

    if (tag_size == 0 || tag_size > end - at - 2) {
        return false;
    }
    for (unsigned i = 0; i < tag_size; i++) {
        uint8_t c = reader->message[at + 2 + i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9'))) {
            return false;
        }
    }
    return true;
}

/* Data of a type that we know must be what that type says, to the last byte. */
static bool check_data(const struct reader *reader, const struct dns_record *record)
{
    size_t at = record->data_at, end = at + record->data_size;

    switch (record->type) {
    case DNS_TYPE_A:
        return record->data_size == 4;
    case DNS_TYPE_AAAA:
        return record->data_size == 16;
    case DNS_TYPE_NS:
    case DNS_TYPE_CNAME:
    case DNS_TYPE_PTR:
        return check_name(reader, &at, end) && at == end;
    case DNS_TYPE_MX:
        at += 2;
        return at < end && check_name(reader, &at, end) && at == end;
    case DNS_TYPE_SRV:
        at += 6;
        return at < end && check_name(reader, &at, end) && at == end;
    case DNS_TYPE_SOA:
        return check_name(reader, &at, end) && check_name(reader, &at, end) &&
               at + 20 == end;
    case DNS_TYPE_TXT:
        return check_texts(reader, at, end);
    case DNS_TYPE_CAA:
        return check_caa(reader, at, end);
    default:
        return true;
    }
}

static bool read_record(struct reader *reader, struct dns_record *record, uint16_t *class)
{
    struct dns_name name;
    size_t name_at = reader->at;

    if (!dns_name_read(&name, reader->message, reader->size, &reader->at) ||
        reader->size - reader->at < RECORD_TAIL) {
        return false;
    }
    const uint8_t *tail = reader->message + reader->at;

    reader->at += RECORD_TAIL;
    record->name_at = (uint16_t)name_at;
    record->type = read16(tail);
    *class = read16(tail + 2);
    record->ttl = read32(tail + 4);
    record->data_size = read16(tail + 8);
    record->data_at = (uint16_t)reader->at;
    if (record->data_size > reader->size - reader->at) {
        return false;
    }
    reader->at += record->data_size;
    return true;
}

/* An OPT record is no data but says something of the message. */
static void take_options(struct dns_answer *answer, const struct dns_record *record)
{
    answer->had_edns = true;
    answer->rcode |= (record->ttl >> 24) << 4;
}

static bool read_section(struct dns_answer *answer, struct reader *reader,
                         enum dns_section section, unsigned n, unsigned *n_total)
{
    for (unsigned i = 0; i < n; i++) {
        struct dns_record *record = &answer->records[*n_total];
        uint16_t class;
        if (!read_record(reader, record, &class)) {
            return false;
        }
        if (record->type == DNS_TYPE_OPT) {
            if (section != DNS_SECTION_ADDITIONAL || answer->had_edns) {
                return false;
            }
            take_options(answer, record);
            continue;
        }
        if (class != DNS_CLASS_IN) {
            continue;
        }
        if (!check_data(reader, record)) {
            return false;
        }
        if (record->ttl > INT32_MAX) {
            record->ttl = 0; /* RFC 2181 section 8 */
        }
        answer->n_records[section]++;
        (*n_total)++;
    }
    return true;
}

/* ---- Reading: what was asked for ---- */

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static const struct dns_record *find_alias(const struct dns_answer *answer,
                                           const struct dns_name *owner)
{
    for (unsigned i = 0; i < answer->n_records[DNS_SECTION_ANSWER]; i++) {
        const struct dns_record *record = &answer->records[i];
        struct dns_name name;
        if (record->type != DNS_TYPE_CNAME) {
            continue;
        }
        dns_record_name(answer, record, &name);
        if (dns_name_equal(&name, owner)) {
            return record;
        }
    }
    return NULL;
}

/* Goes along the aliases from the name that was asked for. */
static void follow_aliases(struct dns_answer *answer, const struct dns_name *asked)
{
    struct dns_name owner = *asked;
    const struct dns_record *alias;

    answer->owner_at = HEADER_SIZE;
    if (answer->type == DNS_TYPE_CNAME || answer->type == DNS_TYPE_ANY) {
        return;
    }
    while ((alias = find_alias(answer, &owner)) != NULL) {
        if (answer->n_links == DNS_CHAIN_MAX) {
            answer->is_loop = true;
            return;
        }
        size_t skip = 0;
        answer->n_links++;
        answer->owner_at = alias->data_at;
        answer->ttl = least(answer->ttl, alias->ttl);
        dns_record_data_name(answer, alias, &skip, &owner);
    }
}

static bool is_wanted(const struct dns_answer *answer, const struct dns_record *record,
                      const struct dns_name *owner)
{
    struct dns_name name;

    if (answer->type == DNS_TYPE_ANY) {
        return true;
    }
    if (record->type != answer->type || answer->is_loop) {
        return false;
    }
    dns_record_name(answer, record, &name);
    return dns_name_equal(&name, owner);
}

/* How long the absence of something may be remembered. */
static void read_negative(struct dns_answer *answer)
{
    unsigned first = answer->n_records[DNS_SECTION_ANSWER];

    for (unsigned i = 0; i < answer->n_records[DNS_SECTION_AUTHORITY]; i++) {
        const struct dns_record *record = &answer->records[first + i];
        if (record->type == DNS_TYPE_SOA) {
            uint32_t minimum = read32(dns_record_data(answer, record) +
                                      record->data_size - sizeof(uint32_t));
            if (minimum > INT32_MAX) {
                minimum = 0;
            }
            answer->is_final = true;
            answer->ttl = least(answer->ttl, least(record->ttl, minimum));
            answer->ttl = least(answer->ttl, NEGATIVE_MAX);
            return;
        }
    }
    answer->ttl = 0;
}

static void find_wanted(struct dns_answer *answer, const struct dns_name *asked)
{
    struct dns_name owner;

    answer->ttl = TTL_MAX;
    follow_aliases(answer, asked);
    answer->link_ttl = answer->ttl;
    dns_answer_owner(answer, &owner);
    for (unsigned i = 0; i < answer->n_records[DNS_SECTION_ANSWER]; i++) {
        if (is_wanted(answer, &answer->records[i], &owner)) {
            answer->n_wanted++;
            answer->ttl = least(answer->ttl, answer->records[i].ttl);
        }
    }
    if (answer->n_wanted == 0) {
        read_negative(answer);
        answer->is_final |= answer->rcode == DNS_RCODE_NO_SUCH_DOMAIN;
    }
    if ((answer->rcode != DNS_RCODE_NONE && answer->rcode != DNS_RCODE_NO_SUCH_DOMAIN) ||
        (answer->flags & DNS_FLAG_TRUNCATED) != 0) {
        answer->ttl = 0;
    }
}

/* ---- Reading: the message ---- */

static bool check_header(const uint8_t *message, size_t size)
{
    /* A response to a standard query with one question. */
    return size >= HEADER_SIZE && size <= DNS_MESSAGE_MAX &&
           (read16(message + 2) & 0xf800) == DNS_FLAG_RESPONSE &&
           read16(message + 4) == 1;
}

static bool read_question(struct reader *reader, const struct dns_name *name,
                          uint16_t type)
{
    struct dns_name asked;

    if (!dns_name_read(&asked, reader->message, reader->size, &reader->at) ||
        reader->size - reader->at < QUESTION_TAIL) {
        return false;
    }
    const uint8_t *tail = reader->message + reader->at;

    reader->at += QUESTION_TAIL;
    return dns_name_equal(&asked, name) && read16(tail) == type &&
           read16(tail + 2) == DNS_CLASS_IN;
}

static struct dns_answer *answer_new(const uint8_t *message, size_t size, unsigned room)
{
    size_t head = sizeof(struct dns_answer) + room * sizeof(struct dns_record);
    struct dns_answer *answer = mem_new(head + size);
    uint8_t *copy = (uint8_t *)answer + head;

    memcpy(copy, message, size);
    answer->message = copy;
    answer->size = (uint16_t)size;
    answer->room = (uint16_t)room;
    atomic_init(&answer->n_holds, 1);
    return answer;
}

struct dns_answer *dns_answer_parse(const uint8_t *message, size_t size,
                                    const struct dns_name *name, uint16_t type)
{
    struct reader reader = {message, size, HEADER_SIZE};
    unsigned n_total = 0, n_announced = 0;
    bool is_good = true;

    if (!check_header(message, size) || !read_question(&reader, name, type)) {
        return NULL;
    }
    for (int i = 0; i < DNS_N_SECTIONS; i++) {
        n_announced += read16(message + 6 + 2 * i);
    }
    if (n_announced > (size - reader.at) / RECORD_MIN) {
        return NULL;
    }
    struct dns_answer *answer = answer_new(message, size, n_announced);

    answer->id = read16(message);
    answer->flags = read16(message + 2);
    answer->rcode = answer->flags & 15u;
    answer->type = type;
    reader.message = answer->message;
    for (int i = 0; i < DNS_N_SECTIONS && is_good; i++) {
        is_good = read_section(answer, &reader, (enum dns_section)i,
                               read16(message + 6 + 2 * i), &n_total);
    }
    if (!is_good) {
        dns_answer_release(answer);
        return NULL;
    }
    find_wanted(answer, name);
    return answer;
}

/* ---- Answers of our own ---- */

static uint8_t *write_record(uint8_t *at, uint16_t type, uint32_t ttl,
                             const struct dns_record_data *data)
{
    at = write16(at, 0xc000 | HEADER_SIZE); /* the name of the question */
    at = write16(at, type);
    at = write16(at, DNS_CLASS_IN);
    at = write16(at, ttl >> 16);
    at = write16(at, ttl & 0xffff);
    at = write16(at, data->size);
    memcpy(at, data->bytes, data->size);
    return at + data->size;
}

struct dns_answer *dns_answer_make(const struct dns_name *name, uint16_t type,
                                   enum dns_rcode rcode, uint32_t ttl,
                                   const struct dns_record_data *records, unsigned n)
{
    enum { ROOM = 8192, HEAD = 2 + RECORD_TAIL };
    uint8_t message[ROOM];
    size_t size = dns_question_write(message, 0, name, type, false);
    unsigned n_written = 0;

    while (n_written < n && size + HEAD + records[n_written].size <= ROOM) {
        uint8_t *end = write_record(message + size, type, ttl, &records[n_written++]);
        size = (size_t)(end - message);
    }
    (void)write16(message + 2, DNS_FLAG_RESPONSE | DNS_FLAG_AUTHORITATIVE |
                                   DNS_FLAG_RECURSION_DESIRED |
                                   DNS_FLAG_RECURSION_AVAILABLE | (unsigned)rcode);
    (void)write16(message + 6, n_written);
    struct dns_answer *answer = dns_answer_parse(message, size, name, type);

    CHECK(answer != NULL);
    return answer;
}

/* The one address of each family that bears the name localhost. */
static bool is_of_localhost(const struct dns_name *name)
{
    static const struct value_ip ipv4 = {.bytes = {127, 0, 0, 1}};
    static const struct value_ip ipv6 = {.is_ipv6 = true, .bytes[15] = 1};
    struct dns_name four, six;

    dns_name_of_address(&four, &ipv4);
    dns_name_of_address(&six, &ipv6);
    return dns_name_equal(name, &four) || dns_name_equal(name, &six);
}

struct dns_answer *dns_answer_local(const struct dns_name *name, uint16_t type)
{
    static const uint8_t ipv4[4] = {127, 0, 0, 1}, ipv6[16] = {[15] = 1};
    static const uint8_t localhost[] = "\011localhost";
    enum { TTL = 86400 };
    enum dns_rcode rcode = DNS_RCODE_NONE;
    struct dns_record_data data = {0};

    switch (dns_name_kind(name)) {
    case DNS_KIND_ORDINARY:
        return NULL;
    case DNS_KIND_LOCALHOST:
        if (type == DNS_TYPE_A) {
            data = (struct dns_record_data){ipv4, sizeof ipv4};
        } else if (type == DNS_TYPE_AAAA) {
            data = (struct dns_record_data){ipv6, sizeof ipv6};
        }
        break;
    case DNS_KIND_LOOPBACK:
        if (!is_of_localhost(name)) {
            rcode = DNS_RCODE_NO_SUCH_DOMAIN;
        } else if (type == DNS_TYPE_PTR) {
            data = (struct dns_record_data){localhost, sizeof localhost};
        }
        break;
    case DNS_KIND_NOWHERE:
        rcode = DNS_RCODE_NO_SUCH_DOMAIN;
        break;
    }
    return dns_answer_make(name, type, rcode, TTL, &data, data.size > 0);
}

/* ---- Use ---- */

struct dns_answer *dns_answer_hold(struct dns_answer *answer)
{
    atomic_fetch_add_explicit(&answer->n_holds, 1, memory_order_relaxed);
    return answer;
}

void dns_answer_release(struct dns_answer *answer)
{
    if (answer != NULL &&
        atomic_fetch_sub_explicit(&answer->n_holds, 1, memory_order_acq_rel) == 1) {
        free(answer);
    }
}

size_t dns_answer_n_bytes(const struct dns_answer *answer)
{
    return sizeof *answer + answer->room * sizeof answer->records[0] + answer->size;
}

const struct dns_record *dns_answer_record(const struct dns_answer *answer,
                                           enum dns_section section, unsigned i)
{
    unsigned first = 0;

    CHECK(i < answer->n_records[section]);
    for (int before = 0; before < (int)section; before++) {
        first += answer->n_records[before];
    }
    return &answer->records[first + i];
}

const struct dns_record *dns_answer_next(const struct dns_answer *answer, unsigned *i)
{
    struct dns_name owner;

    dns_answer_owner(answer, &owner);
    while (*i < answer->n_records[DNS_SECTION_ANSWER]) {
        const struct dns_record *record = &answer->records[(*i)++];
        if (is_wanted(answer, record, &owner)) {
            return record;
        }
    }
    return NULL;
}

/* Every name that is read here was read when the answer came, so it can be read again. */
static void read_name_again(const struct dns_answer *answer, size_t *at,
                            struct dns_name *name)
{
    CHECK(dns_name_read(name, answer->message, answer->size, at));
}

bool dns_answer_is_about(const struct dns_answer *answer, const struct dns_name *name)
{
    struct dns_name asked;
    size_t at = HEADER_SIZE;

    read_name_again(answer, &at, &asked);
    return dns_name_equal(&asked, name);
}

void dns_answer_owner(const struct dns_answer *answer, struct dns_name *name)
{
    size_t at = answer->owner_at;

    read_name_again(answer, &at, name);
}

void dns_record_name(const struct dns_answer *answer, const struct dns_record *record,
                     struct dns_name *name)
{
    size_t at = record->name_at;

    read_name_again(answer, &at, name);
}

void dns_record_data_name(const struct dns_answer *answer,
                          const struct dns_record *record, size_t *skip,
                          struct dns_name *name)
{
    size_t at = record->data_at + *skip;

    read_name_again(answer, &at, name);
    *skip = at - record->data_at;
}
