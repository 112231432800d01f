/* SPDX-License-Identifier: MIT */
/*
 * columns.h - values as text that is safe on a terminal, and tables with aligned columns.
 *
 * Called by output.c and the verbs. Text that comes from elsewhere (names, error texts)
 * may hold escape sequences; nothing of it reaches the terminal raw.
 */
#ifndef SOCKD_CLIENT_COLUMNS_H
#define SOCKD_CLIENT_COLUMNS_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/* The text with control bytes and bytes that are not UTF-8 written as \xNN (and \n, \r,
 * \t). For the caller to free(). */
char *columns_visible(const char *text, size_t size);

/* A value on one line: text as it is (made visible), numbers, true, false, list members
 * with blanks between them, objects as JSON, null as "". For the caller to free(). */
char *columns_cell_text(const json_t *value);

/* Columns that a text takes on a terminal, counted in characters. */
size_t columns_width(const char *text);

struct columns;

/* A table with these headings (n of them); free with columns_free(). */
struct columns *columns_new(const char *const *headings, size_t n);
/* The next cell, row by row; takes ownership. "" is shown as "-". */
void columns_add(struct columns *columns, char *cell);
/* Writes headings and rows. Columns of numbers only are aligned to the right. */
void columns_print(const struct columns *columns, FILE *out);
void columns_free(struct columns *columns);

#endif
