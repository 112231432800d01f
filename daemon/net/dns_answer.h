/* SPDX-License-Identifier: MIT */
/*
 * dns_answer.h - questions to name servers, and what they answer, as records.
 *
 * An answer is read once, strictly, where it arrives: every name and every record of a
 * type that we know is checked then, so that whoever uses it later cannot fail. It is
 * constant from then on and counted, so that threads may share it.
 */
#ifndef SOCKD_NET_DNS_ANSWER_H
#define SOCKD_NET_DNS_ANSWER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "daemon/net/dns_name.h"

/* Types of records (RFC 1035 and followers). */
enum dns_type {
    DNS_TYPE_A = 1,
    DNS_TYPE_NS = 2,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_SOA = 6,
    DNS_TYPE_PTR = 12,
    DNS_TYPE_MX = 15,
    DNS_TYPE_TXT = 16,
    DNS_TYPE_AAAA = 28,
    DNS_TYPE_SRV = 33,
    DNS_TYPE_OPT = 41,
    DNS_TYPE_ANY = 255,
    DNS_TYPE_CAA = 257,
};

/* Bits of the header beside the code of the response. */
enum dns_flag {
    DNS_FLAG_RESPONSE = 0x8000,
    DNS_FLAG_AUTHORITATIVE = 0x0400,
    DNS_FLAG_TRUNCATED = 0x0200,
    DNS_FLAG_RECURSION_DESIRED = 0x0100,
    DNS_FLAG_RECURSION_AVAILABLE = 0x0080,
    DNS_FLAG_AUTHENTIC_DATA = 0x0020,
    DNS_FLAG_CHECKING_DISABLED = 0x0010,
};

enum dns_rcode {
    DNS_RCODE_NONE,
    DNS_RCODE_FORMAT_ERROR,
    DNS_RCODE_SERVER_FAILURE,
    DNS_RCODE_NO_SUCH_DOMAIN,
    DNS_RCODE_NOT_IMPLEMENTED,
    DNS_RCODE_REFUSED,
};

enum dns_section { DNS_SECTION_ANSWER, DNS_SECTION_AUTHORITY, DNS_SECTION_ADDITIONAL };
enum {
    DNS_N_SECTIONS = 3,
    DNS_CLASS_IN = 1,
    DNS_MESSAGE_MAX = 65535,
    DNS_QUERY_SIZE = 12 + DNS_NAME_MAX + 4 + 11, /* the longest that we send */
    DNS_UDP_SIZE = 1232, /* what we take by UDP: not cut into fragments on the way */
    DNS_CHAIN_MAX = 16,  /* aliases that are followed */
};

/* Places in the message of the answer. */
struct dns_record {
    uint32_t ttl; /* seconds */
    uint16_t type;
    uint16_t name_at, data_at, data_size;
};

/* Owner: its holders. Constant but for n_holds. Thread: any. */
struct dns_answer {
    _Atomic unsigned n_holds;
    uint16_t id, flags; /* of the header as it came */
    uint16_t type;      /* that was asked for */
    unsigned rcode;     /* with the bits that EDNS adds */
    uint16_t size;      /* of the message */
    uint16_t room;      /* for records */
    bool had_edns;
    /* What was asked for. */
    uint16_t owner_at; /* the name at the end of the aliases */
    uint16_t n_links;  /* aliases on the way there */
    uint16_t n_wanted; /* records of the wanted type at that name */
    bool is_loop;      /* the aliases have no end */
    bool is_final;     /* nothing wanted, and the server says that there is nothing */
    /* Seconds that it may be kept: the least of the records that lead to the answer; of a
     * negative one what the SOA record says (RFC 2308); 0: not at all. */
    uint32_t ttl;
    uint32_t link_ttl; /* the least of the aliases alone */
    uint16_t n_records[DNS_N_SECTIONS];
    const uint8_t *message;
    struct dns_record records[]; /* of all sections; OPT and other classes left out */
};

/* Writes a question into `message`, which has DNS_QUERY_SIZE bytes; `has_edns`: with an
 * OPT record (RFC 6891). Returns its size. */
size_t dns_question_write(uint8_t *message, uint16_t id, const struct dns_name *name,
                          uint16_t type, bool has_edns);

/* NULL: the message is malformed, or answers another question. The caller holds it. */
struct dns_answer *dns_answer_parse(const uint8_t *message, size_t size,
                                    const struct dns_name *name, uint16_t type);
/* The data of one record. */
struct dns_record_data {
    const uint8_t *bytes;
    unsigned size;
};
/* An answer as if a server had sent it, with records of that type; as many of them as fit
 * into a message. */
struct dns_answer *dns_answer_make(const struct dns_name *name, uint16_t type,
                                   enum dns_rcode rcode, uint32_t ttl,
                                   const struct dns_record_data *records, unsigned n);
/* What we answer by ourselves for a name that is never asked of a server; NULL: it is an
 * ordinary one. */
struct dns_answer *dns_answer_local(const struct dns_name *name, uint16_t type);
struct dns_answer *dns_answer_hold(struct dns_answer *answer);
void dns_answer_release(struct dns_answer *answer); /* NULL: no-op */
/* Whether this is the name that was asked for. */
bool dns_answer_is_about(const struct dns_answer *answer, const struct dns_name *name);
/* Of memory. */
size_t dns_answer_n_bytes(const struct dns_answer *answer);

const struct dns_record *dns_answer_record(const struct dns_answer *answer,
                                           enum dns_section section, unsigned i);
/* The wanted records one after the other; `*i` begins as 0. NULL: no more. */
const struct dns_record *dns_answer_next(const struct dns_answer *answer, unsigned *i);
void dns_answer_owner(const struct dns_answer *answer, struct dns_name *name);

static inline const uint8_t *dns_record_data(const struct dns_answer *answer,
                                             const struct dns_record *record)
{
    return answer->message + record->data_at;
}
void dns_record_name(const struct dns_answer *answer, const struct dns_record *record,
                     struct dns_name *name);
/* The name that stands `skip` bytes behind the beginning of the data. For SOA records
 * `skip` moves to what follows it. */
void dns_record_data_name(const struct dns_answer *answer,
                          const struct dns_record *record, size_t *skip,
                          struct dns_name *name);

#endif
