/* SPDX-License-Identifier: MIT */
/*
 * fuzz_chunked.c - a chunked body does not depend on the pieces in which it arrives.
 *
 * The first byte of the input chooses the size of the pieces; the rest is the coded
 * stream. It is decoded as a whole and in pieces, and both must agree on body, end, fault
 * and trailers.
 */
#include <config.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/net/chunked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came of one way of decoding. */
struct outcome {
    uint8_t *body;
    size_t body_size;
    size_t used; /* bytes of input that belong to the body, its end included */
    enum chunked_state state;
    struct chunked_trailers *trailers;
};

static void decode(struct outcome *outcome, const uint8_t *data, size_t size, size_t step)
{
    struct chunked_decoder decoder = {0};
    size_t n = 0, n_body = 0, n_used = 0;
    bool goes_on = true;

    outcome->body = malloc(size + 1);
    if (!outcome->body) {
        abort();
    }
    for (; goes_on && outcome->used < size && decoder.state != CHUNKED_DONE;) {
        uint8_t *piece;

        n = size - outcome->used < step ? size - outcome->used : step;
        /* Its own memory, so that a step over its end is noticed. */
        piece = malloc(n);
        if (!piece) {
            abort();
        }
        memcpy(piece, data + outcome->used, n);
        goes_on = chunked_decode(&decoder, piece, n, &n_body, &n_used);
        if (n_body > n_used || n_used > n ||
            (goes_on && decoder.state != CHUNKED_DONE && n_used != n) ||
            goes_on != (decoder.state != CHUNKED_BROKEN) ||
            (!goes_on && !decoder.fault)) {
            abort();
        }
        memcpy(outcome->body + outcome->body_size, piece, n_body);
        outcome->body_size += n_body;
        outcome->used += n_used;
        free(piece);
    }
    outcome->state = decoder.state;
    if (decoder.state == CHUNKED_DONE) {
        outcome->trailers = chunked_take_trailers(&decoder);
    }
    chunked_decoder_fini(&decoder);
}

static void compare_trailers(const struct outcome *first, const struct outcome *second)
{
    const char *name[2], *value[2];
    size_t at[2] = {0, 0};
    bool is_there;

    do {
        is_there = chunked_trailer_next(first->trailers, &at[0], &name[0], &value[0]);
        if (is_there !=
                chunked_trailer_next(second->trailers, &at[1], &name[1], &value[1]) ||
            (is_there &&
             (strcmp(name[0], name[1]) != 0 || strcmp(value[0], value[1]) != 0))) {
            abort();
        }
    } while (is_there);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole = {0}, pieces = {0};

    if (size < 2) {
        return 0;
    }
    decode(&whole, data + 1, size - 1, size);
    decode(&pieces, data + 1, size - 1, 1 + data[0] % 16);
    if (whole.state != pieces.state || whole.body_size != pieces.body_size ||
        memcmp(whole.body, pieces.body, whole.body_size) != 0 ||
        (whole.state == CHUNKED_DONE && whole.used != pieces.used)) {
        abort();
    }
    if (whole.state == CHUNKED_DONE) {
        compare_trailers(&whole, &pieces);
    }
    chunked_trailers_free(whole.trailers);
    chunked_trailers_free(pieces.trailers);
    free(whole.body);
    free(pieces.body);
    return 0;
}
