/* SPDX-License-Identifier: MIT */
/*
 * memory.c - allocation that ends the program when there is no memory.
 *
 * Called by all of client/; calls nothing of ours but the exit statuses.
 */
#include <config.h>
#include "client/memory.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/problem.h"

void *memory_need(void *pointer)
{
    if (!pointer) {
        (void)fputs("sockctl: out of memory\n", stderr); /* nothing else can be done */
        exit(STATUS_SYSTEM);
    }
    return pointer;
}

void *memory_new(size_t size) { return memory_need(calloc(1, size ? size : 1)); }

void *memory_grow(void *block, size_t size)
{
    return memory_need(realloc(block, size ? size : 1));
}
