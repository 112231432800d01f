/* SPDX-License-Identifier: MIT */
/*
 * certificate_write.c - certificates in replies.
 *
 * Called by the commands of TLS; calls the writer. Thread: any.
 */
#include <config.h>
#include "daemon/control/certificate_write.h"

#include "daemon/net/certificate.h"
#include "proto/writer.h"

void certificate_write_pairs(struct writer *writer, const struct certificate_pairs *pairs)
{
    writer_begin_array(writer);
    for (unsigned i = 0; i < pairs->n; i++) {
        writer_begin_array(writer);
        writer_text(writer, pairs->items[i].name);
        writer_string(writer, pairs->items[i].value, pairs->items[i].size);
        writer_end_array(writer);
    }
    writer_end_array(writer);
}

static void write_pairs(struct writer *writer, enum result_id id,
                        const struct certificate_pairs *pairs)
{
    writer_result(writer, id);
    certificate_write_pairs(writer, pairs);
}

static void write_time(struct writer *writer, enum result_id text_id,
                       enum result_id number_id, const char *text, int64_t universal)
{
    if (text[0] != '\0') {
        writer_result_text(writer, text_id, text);
        writer_result_int(writer, number_id, universal);
    } else {
        writer_result_null(writer, text_id);
        writer_result_null(writer, number_id);
    }
}

void certificate_write(struct writer *writer, const struct certificate *certificate)
{
    const char *key = certificate->key;

    writer_begin_object(writer);
    writer_result_int(writer, FIELD_CERTIFICATE_VERSION, certificate->version);
    writer_result_text(writer, FIELD_CERTIFICATE_SERIAL_NUMBER, certificate->serial);
    writer_result_text(writer, FIELD_CERTIFICATE_SERIAL_NUMBER_HEX,
                       certificate->serial_hex);
    write_pairs(writer, FIELD_CERTIFICATE_ISSUER, &certificate->issuer);
    write_pairs(writer, FIELD_CERTIFICATE_SUBJECT, &certificate->subject);
    write_time(writer, FIELD_CERTIFICATE_NOT_BEFORE,
               FIELD_CERTIFICATE_NOT_BEFORE_UNIVERSAL, certificate->not_before,
               certificate->not_before_universal);
    write_time(writer, FIELD_CERTIFICATE_NOT_AFTER, FIELD_CERTIFICATE_NOT_AFTER_UNIVERSAL,
               certificate->not_after, certificate->not_after_universal);
    write_pairs(writer, FIELD_CERTIFICATE_SUBJECT_ALT_NAME,
                &certificate->alternative_names);
    writer_result_text(writer, FIELD_CERTIFICATE_FINGERPRINT_SHA256,
                       certificate->fingerprint);
    writer_result_text(writer, FIELD_CERTIFICATE_KEY, key[0] != '\0' ? key : NULL);
    writer_result_text(writer, FIELD_CERTIFICATE_PEM, certificate->pem);
    writer_end_object(writer);
}
