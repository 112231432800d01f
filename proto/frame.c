/* SPDX-License-Identifier: MIT */
/*
 * frame.c - bytes to lines.
 *
 * Place: between the control connection's input buffer and message_parse(); the library
 * uses it for replies. The usual case, whole lines in the input, copies nothing and
 * allocates nothing.
 *
 * Thread: the one that holds the frame.
 */
#include <config.h>

#include "proto/frame.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 256 };

/* Strips the CR. False: nothing but white space, nobody has to see it. */
static bool finish_line(const char *line, size_t *size)
{
    if (*size && line[*size - 1] == '\r')
        --*size;
    for (size_t i = 0; i < *size; i++) {
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return true;
    }
    return false;
}

/* A line may hold secrets: what the frame has left is nobody's. */
static void wipe_kept(struct frame *frame)
{
    if (frame->data)
        explicit_bzero(frame->data, frame->room);
    free(frame->data);
}

static void drop_kept(struct frame *frame)
{
    wipe_kept(frame);
    frame->data = NULL;
    frame->size = frame->room = 0;
}

static enum frame_result break_off(struct frame *frame)
{
    drop_kept(frame);
    frame->is_broken = true;
    return FRAME_TOO_LONG;
}

/* Room grows by doubling, so that a line that comes in small pieces is not copied for
 * each of them, and never past the limit. */
static enum frame_result keep(struct frame *frame, const char *bytes, size_t size)
{
    if (size > frame->limit - frame->size)
        return break_off(frame);
    if (size > frame->room - frame->size) {
        size_t room = frame->room ? frame->room : FIRST_ROOM;
        char *data;

        while (room < frame->size + size)
            room = room > SIZE_MAX / 2 ? SIZE_MAX : room * 2;
        if (room > frame->limit)
            room = frame->limit;
        data = malloc(room);
        if (!data)
            return FRAME_NO_MEMORY;
        if (frame->size)
            memcpy(data, frame->data, frame->size);
        wipe_kept(frame);
        frame->data = data;
        frame->room = room;
    }
    memcpy(frame->data + frame->size, bytes, size);
    frame->size += size;
    return FRAME_MORE;
}

/* The line that was begun earlier, if the input ends it. */
static enum frame_result next_kept(struct frame *frame, const char **input, size_t *size,
                                   char **line, size_t *line_size)
{
    const char *end = memchr(*input, '\n', *size);
    size_t used = end ? (size_t)(end - *input) : *size;
    enum frame_result result = keep(frame, *input, used);

    if (result != FRAME_MORE)
        return result;
    *input += end ? used + 1 : used;
    *size -= end ? used + 1 : used;
    if (!end)
        return FRAME_MORE;
    *line = frame->data;
    *line_size = frame->size;
    frame->size = 0; /* the bytes themselves stay until the next call */
    return FRAME_LINE;
}

enum frame_result frame_next(struct frame *frame, const char **input, size_t *size,
                             char **line, size_t *line_size)
{
    enum frame_result result;

    if (frame->is_broken)
        return FRAME_TOO_LONG;
    while (frame->size) {
        result = next_kept(frame, input, size, line, line_size);
        if (result != FRAME_LINE || finish_line(*line, line_size))
            return result;
    }
    if (frame->data)
        drop_kept(frame); /* the line that the last call answered: an idle frame holds
                             nothing */
    while (*size) {
        const char *begin = *input;
        const char *end = memchr(begin, '\n', *size);
        size_t length = end ? (size_t)(end - begin) : *size;

        if (length > frame->limit)
            return break_off(frame);
        if (!end) {
            result = keep(frame, begin, length);
            if (result == FRAME_MORE) {
                *input += length;
                *size = 0;
            }
            return result;
        }
        *input += length + 1;
        *size -= length + 1;
        if (finish_line(begin, &length)) {
            /* The caller's buffer is its own to change; `input` is const because we do
             * not. */
            *line = (char *)(uintptr_t)begin;
            *line_size = length;
            return FRAME_LINE;
        }
    }
    return FRAME_MORE;
}

void frame_fini(struct frame *frame)
{
    drop_kept(frame);
    frame->is_broken = false;
}
