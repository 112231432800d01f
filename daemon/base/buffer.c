/* SPDX-License-Identifier: MIT */
/*
 * buffer.c - a contiguous queue of bytes: grows by doubling, gives its memory back when
 * empty.
 *
 * Called by whoever holds bytes back (streams, connections); calls check.c only. Thread:
 * owner's.
 */
#include <config.h>
#include "daemon/base/buffer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"

enum { BUFFER_FIRST_ROOM = 512 };

static void move_to(struct buffer *buffer, size_t start)
{
    if (buffer->size > 0) {
        memmove(buffer->memory + start, buffer->memory + buffer->start, buffer->size);
    }
    buffer->start = start;
}

/* Makes room for `more` bytes beyond the present ones, counted from the start of the
 * memory. */
static void make_room(struct buffer *buffer, size_t more)
{
    CHECK(more <= SIZE_MAX / 4 && buffer->size <= SIZE_MAX / 4);
    size_t wanted = buffer->size + more;

    if (buffer->start + wanted <= buffer->room) {
        return;
    }
    /* Moving the bytes down is worth it only when a good part of the memory was consumed
     * before: else a nearly full buffer that is emptied and filled in small steps would
     * be moved as a whole in each of them. */
    bool is_worth_moving = buffer->start >= buffer->room / 4;
    move_to(buffer, 0);
    if (wanted <= buffer->room && is_worth_moving) {
        return;
    }
    size_t room = buffer->room > 0 ? buffer->room * 2 : BUFFER_FIRST_ROOM;
    while (room < wanted) {
        room *= 2;
    }
    buffer->memory = mem_resize(buffer->memory, room);
    buffer->room = room;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t size)
{
    CHECK(size > 0);
    make_room(buffer, size);
    return buffer->memory + buffer->start + buffer->size;
}

void buffer_added(struct buffer *buffer, size_t size)
{
    CHECK(size <= buffer->room - buffer->start - buffer->size);
    buffer->size += size;
    if (buffer->size == 0) {
        buffer_fini(buffer);
    }
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t size)
{
    if (size > 0) {
        memcpy(buffer_reserve(buffer, size), bytes, size);
        buffer->size += size;
    }
}

void buffer_add_front(struct buffer *buffer, const void *bytes, size_t size)
{
    if (size == 0) {
        return;
    }
    if (buffer->start < size) {
        make_room(buffer, size);
        move_to(buffer, size);
    }
    buffer->start -= size;
    buffer->size += size;
    memcpy(buffer->memory + buffer->start, bytes, size);
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    CHECK(size <= buffer->size);
    buffer->start += size;
    buffer->size -= size;
    if (buffer->size == 0) {
        buffer_fini(buffer);
    }
}

void buffer_fini(struct buffer *buffer)
{
    free(buffer->memory);
    *buffer = (struct buffer){0};
}
