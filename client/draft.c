/* SPDX-License-Identifier: MIT */
/*
 * draft.c - text in the making: bytes added at the end of a growing buffer.
 */
#include <config.h>
#include "client/draft.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/memory.h"

void draft_add(struct draft *draft, const void *bytes, size_t size)
{
    if (draft->room - draft->size <= size) {
        size_t room = (draft->size + size + 64) * 2;

        draft->data = memory_grow(draft->data, room);
        draft->room = room;
    }
    if (size)
        memcpy(draft->data + draft->size, bytes, size);
    draft->size += size;
    draft->data[draft->size] = '\0';
}

void draft_add_string(struct draft *draft, const char *string)
{
    draft_add(draft, string, strlen(string));
}

void draft_add_char(struct draft *draft, char c) { draft_add(draft, &c, 1); }

void draft_printf(struct draft *draft, const char *format, ...)
{
    char *line = NULL;
    va_list args;

    va_start(args, format);
    int size = vasprintf(&line, format, args);
    va_end(args);
    if (size < 0)
        line = NULL;
    memory_need(line);
    draft_add(draft, line, (size_t)size);
    free(line);
}

char *draft_take(struct draft *draft)
{
    char *data = draft->data ? draft->data : memory_new(1);

    *draft = (struct draft){0};
    return data;
}

void draft_fini(struct draft *draft)
{
    free(draft->data);
    *draft = (struct draft){0};
}
