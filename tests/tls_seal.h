/* SPDX-License-Identifier: MIT */
/*
 * tls_seal.h - records of TLS 1.3 sealed by the test itself: of any type, with any
 * content, under the keys of a real session. A library would not write them.
 *
 * TLS_AES_128_GCM_SHA256 only. Thread: the one that runs the test.
 */
#ifndef SOCKD_TESTS_TLS_SEAL_H
#define SOCKD_TESTS_TLS_SEAL_H

#include <stddef.h>
#include <stdint.h>

enum {
    SEAL_SECRET_SIZE = 32,
    SEAL_CONTENT_MAX = 16 * 1024,
    /* The header, the type of the content, the tag. */
    SEAL_OVERHEAD = 5 + 1 + 16,
};

struct evp_cipher_ctx_st;

/* One direction of a session. */
struct seal {
    struct evp_cipher_ctx_st *cipher;
    uint8_t secret[SEAL_SECRET_SIZE];
    uint8_t iv[12];
    uint64_t n_records; /* sealed with the present key */
};

/* From the traffic secret of the session, which has sealed that many records with it. */
void seal_init(struct seal *seal, const uint8_t secret[SEAL_SECRET_SIZE],
               uint64_t n_records);
void seal_fini(struct seal *seal);
/* Writes a record with `padding` zeros behind its content; the size of it, which is
 * size + padding + SEAL_OVERHEAD. */
size_t seal_record(struct seal *seal, uint8_t type, const void *content, size_t size,
                   size_t padding, uint8_t *record);
/* The next keys, after a KeyUpdate was sealed with the present ones. */
void seal_update(struct seal *seal);

#endif
