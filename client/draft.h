/* SPDX-License-Identifier: MIT */
/*
 * draft.h - text in the making: bytes added at the end of a growing buffer.
 *
 * Called by all of client/; without memory the program ends (memory.h).
 */
#ifndef SOCKD_CLIENT_DRAFT_H
#define SOCKD_CLIENT_DRAFT_H

#include <stddef.h>

/* Text that grows. Owner: whoever embeds it; all zero is empty. `data` ends with a NUL
 * that is not counted, once something was added. */
struct draft {
    char *data;
    size_t size, room;
};

void draft_add(struct draft *draft, const void *bytes, size_t size);
void draft_add_string(struct draft *draft, const char *string);
void draft_add_char(struct draft *draft, char c);
void draft_printf(struct draft *draft, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The text, for the caller to free(); the struct is empty after it. Never NULL. */
char *draft_take(struct draft *draft);
void draft_fini(struct draft *draft);

#endif
