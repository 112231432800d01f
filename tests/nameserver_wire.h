/* SPDX-License-Identifier: MIT */
/*
 * nameserver_wire.h - messages of the DNS for the name server of the tests: a question
 * read, an answer written, well or badly.
 *
 * Pure functions.
 */
#ifndef SOCKD_TESTS_NAMESERVER_WIRE_H
#define SOCKD_TESTS_NAMESERVER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NS_MESSAGE_MAX = 65535, NS_RECORDS = 24, NS_DATA = 300 };

struct ns_question {
    unsigned id;
    unsigned flags;
    char name[256]; /* plain names only */
    int type;
    bool has_edns;
};

struct ns_record {
    char section; /* 'a', 'u' or 'd' */
    char owner[256];
    int type;
    unsigned ttl;
    uint8_t data[NS_DATA];
    size_t size;
};

struct ns_content {
    int rcode;
    bool is_truncated, has_edns;
    struct ns_record records[NS_RECORDS];
    unsigned n_records;
};

/* False: nothing that this server understands. */
bool ns_read(struct ns_question *question, const uint8_t *message, size_t size);
/* False: the text does not fit the type, or there is no room. */
bool ns_add_record(struct ns_content *content, char section, const char *owner, int type,
                   unsigned ttl, const char *text);
/* Returns the size of the answer. `message` has NS_MESSAGE_MAX bytes. */
size_t ns_write(uint8_t *message, const struct ns_question *question,
                const struct ns_content *content);
/* Behind a whole answer: one more record, which is broken. */
size_t ns_append_bad_pointer(uint8_t *message, size_t size);
size_t ns_append_bad_length(uint8_t *message, size_t size);

#endif
