/* SPDX-License-Identifier: MIT */
/*
 * check.c - the end of the process on a mistake of ours, and allocation that ends it
 * likewise.
 *
 * Called from everywhere in the daemon; calls the C library only. Thread: any.
 */
#include <config.h>
#include "daemon/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void check_failed(const char *file, int line, const char *condition)
{
    char text[512];
    int len = snprintf(text, sizeof text, "sockd: check failed at %s:%d: %s\n", file,
                       line, condition);
    size_t size = len < 0 ? 0 : (size_t)len;

    if (size >= sizeof text) {
        size = sizeof text - 1;
        text[size - 1] = '\n';
    }
    /* Nothing can be done about a failing write: the core dump still tells the place. */
    ssize_t written = write(STDERR_FILENO, text, size);
    (void)written;
    abort();
}

void *mem_new(size_t size)
{
    void *memory = calloc(1, size);

    CHECK(memory != NULL);
    return memory;
}

void *mem_resize(void *memory, size_t size)
{
    /* realloc(memory, 0) may free and return NULL, which no caller could tell from
     * failure. */
    CHECK(size > 0);
    void *resized = realloc(memory, size);

    CHECK(resized != NULL);
    return resized;
}

char *mem_copy_text(const char *text)
{
    char *copy = strdup(text);

    CHECK(copy != NULL);
    return copy;
}
