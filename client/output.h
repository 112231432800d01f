/* SPDX-License-Identifier: MIT */
/*
 * output.h - a result as text for people, by the RESULT rows of its command.
 *
 * Knows no command by name. What a result looks like follows from its rows: data are
 * written as the bytes they are, a member named value or values stands alone, lists of
 * objects are tables, and everything else is one "name: value" a line.
 */
#ifndef SOCKD_CLIENT_OUTPUT_H
#define SOCKD_CLIENT_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "proto/table.h"

/* Writes the result. Members that stand beside data or a value go to `notes` as one line;
 * NULL: nowhere. Returns STATUS_OK, or STATUS_END when the result says that a stream has
 * ended and brings nothing. */
int output_result(FILE *out, FILE *notes, const struct command *command, json_t *result);

/* The bytes of the member `row` of a result, decoded. For the caller to free(); NULL when
 * it is null or absent. */
char *output_data(const json_t *result, const struct result_row *row, size_t *size);

/* Rows of an object as lines, for the members of VALUE_INCLUDE too: calls `visit` for
 * each row in the order of the table. */
void output_each_row(const struct result_row *rows, unsigned n_rows,
                     void (*visit)(const struct result_row *row, void *state),
                     void *state);

/* Pairs of names and values on one line. For the caller to free(). */
char *output_pairs(const json_t *pairs);

/* A table of objects: a column for each row that has a value in at least one of them. */
void output_table(FILE *out, const struct object_row *object, const json_t *list);

/* An owner as "user/pid", for the caller to free(). */
char *output_owner(const json_t *owner);

#endif
