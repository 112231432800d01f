/* SPDX-License-Identifier: MIT */
/*
 * check.h - assertions that stay on, magic numbers, allocation that cannot fail.
 *
 * CHECK is for our own mistakes only; what a client or peer sends must never reach one.
 */
#ifndef SOCKD_BASE_CHECK_H
#define SOCKD_BASE_CHECK_H

#include <stddef.h>

#define CHECK(condition)                                                                 \
    ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

/* For a struct that comes back from a `void *`: its first member is `unsigned magic`. */
#define CHECK_MAGIC(object, value) CHECK((object) != NULL && (object)->magic == (value))

_Noreturn void check_failed(const char *file, int line, const char *condition);

/* Zeroed memory of a small, fixed size; out of memory aborts. */
void *mem_new(size_t size) __attribute__((malloc, returns_nonnull));
#define MEM_NEW(type) ((type *)mem_new(sizeof(type)))
/* As realloc(), but aborts. For sizes that are bounded by a limit. */
void *mem_resize(void *memory, size_t size) __attribute__((returns_nonnull));
char *mem_copy_text(const char *text);

#endif
