/* SPDX-License-Identifier: MIT */
/*
 * fuzz_dns.c - a response of a name server, whatever it may be, read and written as JSON.
 *
 * The question is taken from the message itself, so that most inputs get behind it. What
 * was read must be readable again, and the JSON must be JSON.
 */
#include <config.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/control/dns_write.h"
#include "daemon/net/dns_answer.h"
#include "daemon/net/dns_search.h"
#include "proto/arena.h"
#include "proto/table.h"
#include "proto/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_out(struct dns_answer *answer)
{
    struct dns_result result = {.answer = answer, .ttl = answer->ttl};
    struct writer writer = {0};
    struct arena arena = {0};

    writer_begin_array(&writer);
    writer_begin_object(&writer);
    dns_write_decoded(&writer, &result, &arena);
    writer_end_object(&writer);
    writer_begin_object(&writer);
    dns_write_whole(&writer, &result);
    writer_end_object(&writer);
    writer_end_array(&writer);
    arena_fini(&arena);
    json_t *json = json_loadb(writer.data, writer.size, JSON_ALLOW_NUL, NULL);
    if (!json) {
        abort();
    }
    json_decref(json);
    writer_fini(&writer);
}

static void check_names(const struct dns_answer *answer)
{
    const struct dns_record *record;
    struct dns_name name, again;
    char text[DNS_TEXT_SIZE];
    unsigned i = 0, n = 0;

    while ((record = dns_answer_next(answer, &i)) != NULL) {
        dns_record_name(answer, record, &name);
        dns_name_format(&name, text);
        if (!dns_name_parse(&again, text, strlen(text)) ||
            !dns_name_equal(&name, &again)) {
            abort();
        }
        n++;
    }
    if (n != answer->n_wanted || answer->n_links > DNS_CHAIN_MAX) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_name asked;
    size_t at = 12;

    table_setup();
    if (size < 16 || !dns_name_read(&asked, data, size, &at) || size - at < 2) {
        return 0;
    }
    struct dns_answer *answer =
        dns_answer_parse(data, size, &asked, (uint16_t)(data[at] << 8 | data[at + 1]));
    if (answer) {
        check_names(answer);
        write_out(answer);
        dns_answer_release(answer);
    }
    return 0;
}
