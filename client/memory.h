/* SPDX-License-Identifier: MIT */
/*
 * memory.h - allocation that ends the program when there is no memory.
 *
 * sockctl is a short-lived program in one thread; without memory it can only say so and
 * end. Every file of client/ allocates here.
 */
#ifndef SOCKD_CLIENT_MEMORY_H
#define SOCKD_CLIENT_MEMORY_H

#include <stddef.h>

/* Zeroed memory for the caller to free(). */
void *memory_new(size_t size);
/* As realloc(); takes ownership of `block` and gives the moved one back. */
void *memory_grow(void *block, size_t size);
/* Ends the program with the status for trouble of the system when `pointer` is NULL. */
void *memory_need(void *pointer);

#endif
