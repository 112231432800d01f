/* SPDX-License-Identifier: MIT */
/*
 * buffer.h - a bounded queue of bytes, contiguous, that holds memory only while it holds
 * bytes.
 *
 * Owner: whoever embeds it; all zero is empty. Who adds checks the bound first.
 * Thread: that of the owner.
 */
#ifndef SOCKD_BASE_BUFFER_H
#define SOCKD_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *memory;
    size_t start, size, room; /* bytes are memory[start .. start + size) */
};

/* The bytes, buffer->size of them; NULL when there is no memory. */
static inline const uint8_t *buffer_bytes(const struct buffer *buffer)
{
    /* By integers, since an offset from NULL, even of zero, is undefined. */
    return (const uint8_t *)((uintptr_t)buffer->memory + buffer->start);
}

/* Room for `size` (at least 1) more bytes at the end; write there, then buffer_added().
 * The bytes may move. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t size);
/* `size` of the bytes reserved were written. Call it with 0 too when none came: an empty
 * buffer then gives its memory back. */
void buffer_added(struct buffer *buffer, size_t size);
/* `bytes` may not lie in the buffer itself. */
void buffer_add(struct buffer *buffer, const void *bytes, size_t size);
void buffer_add_front(struct buffer *buffer, const void *bytes, size_t size);
/* Removes from the front; the memory is freed with the last byte. */
void buffer_consume(struct buffer *buffer, size_t size);
/* Frees the memory; the buffer is empty and may be used again. */
void buffer_fini(struct buffer *buffer);

#endif
