/* SPDX-License-Identifier: MIT */
/*
 * fuzz_proxy.c - a PROXY header means the same in whatever pieces it arrives, and what
 * was read can be written and read again.
 *
 * The first byte of the input chooses the versions that are allowed.
 */
#include <config.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/net/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum proxy_result read_copy(struct proxy_header *header, const uint8_t *data,
                                   size_t size, unsigned versions, size_t *used)
{
    /* Its own memory, so that a step over its end is noticed. */
    uint8_t *own = malloc(size > 0 ? size : 1);
    const char *why = NULL;

    if (!own) {
        abort();
    }
    memcpy(own, data, size);
    enum proxy_result result = proxy_header_read(header, own, size, versions, used, &why);
    if (result == PROXY_BAD && why == NULL) {
        abort();
    }
    free(own);
    return result;
}

static void check_again(const struct proxy_header *header)
{
    uint8_t bytes[PROXY_HEADER_MAX];
    struct proxy_header again;
    size_t used = 0;
    size_t size = proxy_header_write(header, bytes);

    if (read_copy(&again, bytes, size, header->version, &used) != PROXY_DONE ||
        used != size || again.is_unknown != header->is_unknown) {
        abort();
    }
    if (!header->is_unknown &&
        (memcmp(&again.source, &header->source, sizeof again.source) != 0 ||
         memcmp(&again.destination, &header->destination, sizeof again.source) != 0)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header whole, part;
    size_t whole_used = 0, used = 0, n = 0;

    if (size < 1) {
        return 0;
    }
    unsigned versions = data[0] % 4;
    enum proxy_result result =
        read_copy(&whole, data + 1, size - 1, versions, &whole_used);
    enum proxy_result last = PROXY_MORE;

    for (; n <= size - 1 && n <= PROXY_HEADER_MAX && last == PROXY_MORE; n++) {
        last = read_copy(&part, data + 1, n, versions, &used);
    }
    if (last != result || (result == PROXY_MORE && size - 1 >= PROXY_HEADER_MAX)) {
        abort();
    }
    if (result == PROXY_DONE) {
        if (used != whole_used || used != n - 1 ||
            memcmp(&whole, &part, sizeof whole) != 0) {
            abort();
        }
        check_again(&whole);
    }
    return 0;
}
