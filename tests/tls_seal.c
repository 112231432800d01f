/* SPDX-License-Identifier: MIT */
/*
 * tls_seal.c - records of TLS 1.3 by the test itself (RFC 8446, 5.2, 5.3, 7.1 to 7.3).
 *
 * Called by tests/honest.c; calls libcrypto. Thread: the one that runs the test.
 */
#include <config.h>
#include "tests/tls_seal.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "daemon/base/check.h"

enum { KEY_SIZE = 16, TAG_SIZE = 16, HEADER_SIZE = 5 };

/* HKDF-Expand-Label with an empty context and at most one block. */
static void expand(const uint8_t secret[SEAL_SECRET_SIZE], const char *label,
                   uint8_t *bytes, size_t size)
{
    uint8_t info[64], block[EVP_MAX_MD_SIZE];
    size_t length = strlen("tls13 ") + strlen(label), n = 0;
    unsigned block_size = 0;

    CHECK(size <= SEAL_SECRET_SIZE && length + 5 <= sizeof info);
    info[n++] = 0;
    info[n++] = (uint8_t)size;
    info[n++] = (uint8_t)length;
    memcpy(info + n, "tls13 ", strlen("tls13 "));
    memcpy(info + n + strlen("tls13 "), label, strlen(label));
    n += length;
    info[n++] = 0; /* the context */
    info[n++] = 1; /* the number of the block */
    CHECK(HMAC(EVP_sha256(), secret, SEAL_SECRET_SIZE, info, n, block, &block_size));
    memcpy(bytes, block, size);
}

static void use_secret(struct seal *seal)
{
    uint8_t key[KEY_SIZE];

    expand(seal->secret, "key", key, sizeof key);
    expand(seal->secret, "iv", seal->iv, sizeof seal->iv);
    CHECK(EVP_EncryptInit_ex(seal->cipher, NULL, NULL, key, NULL) == 1);
}

void seal_init(struct seal *seal, const uint8_t secret[SEAL_SECRET_SIZE],
               uint64_t n_records)
{
    if (seal->cipher == NULL) {
        seal->cipher = EVP_CIPHER_CTX_new();
        CHECK(seal->cipher != NULL &&
              EVP_EncryptInit_ex(seal->cipher, EVP_aes_128_gcm(), NULL, NULL, NULL) == 1);
    }
    memcpy(seal->secret, secret, sizeof seal->secret);
    seal->n_records = n_records;
    use_secret(seal);
}

void seal_fini(struct seal *seal)
{
    EVP_CIPHER_CTX_free(seal->cipher);
    seal->cipher = NULL;
}

void seal_update(struct seal *seal)
{
    uint8_t next[SEAL_SECRET_SIZE];

    expand(seal->secret, "traffic upd", next, sizeof next);
    memcpy(seal->secret, next, sizeof next);
    seal->n_records = 0;
    use_secret(seal);
}

size_t seal_record(struct seal *seal, uint8_t type, const void *content, size_t size,
                   size_t padding, uint8_t *record)
{
    size_t inner = size + 1 + padding, sealed = inner + TAG_SIZE;
    uint8_t nonce[sizeof seal->iv], *body = record + HEADER_SIZE;
    int n = 0;

    record[0] = 23; /* whatever is inside */
    record[1] = 3;
    record[2] = 3;
    record[3] = (uint8_t)(sealed >> 8);
    record[4] = (uint8_t)sealed;
    if (size > 0) {
        memcpy(body, content, size);
    }
    body[size] = type;
    memset(body + size + 1, 0, padding);
    memcpy(nonce, seal->iv, sizeof nonce);
    for (unsigned i = 0; i < 8; i++) {
        nonce[sizeof nonce - 1 - i] ^= (uint8_t)(seal->n_records >> (8 * i));
    }
    seal->n_records++;
    CHECK(EVP_EncryptInit_ex(seal->cipher, NULL, NULL, NULL, nonce) == 1 &&
          EVP_EncryptUpdate(seal->cipher, NULL, &n, record, HEADER_SIZE) == 1 &&
          EVP_EncryptUpdate(seal->cipher, body, &n, body, (int)inner) == 1 &&
          EVP_EncryptFinal_ex(seal->cipher, body + inner, &n) == 1 &&
          EVP_CIPHER_CTX_ctrl(seal->cipher, EVP_CTRL_GCM_GET_TAG, TAG_SIZE,
                              body + inner) == 1);
    return HEADER_SIZE + sealed;
}
