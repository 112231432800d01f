/* SPDX-License-Identifier: MIT */
/*
 * params.h - the parameters of one request, checked against the table and typed.
 *
 * A handler reads them by identifier and never sees JSON or text to parse. An absent
 * parameter answers its default from the table; asking for the value of one that has
 * neither is a bug and aborts, so ask params_has() first.
 */
#ifndef SOCKD_PROTO_PARAMS_H
#define SOCKD_PROTO_PARAMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/table.h"
#include "proto/value.h"

struct arena;
struct error;

/* Owner: the request; values live in the request's arena. */
struct params {
    const struct command *command;
    struct value *values; /* command->n_params, in the order of rows */
};

/* Checks `object` (may be NULL: no parameters) against the rows of `command`. Everything
 * is checked before anything is used: unknown, missing, type, range, encoding. Thread:
 * any. */
bool params_check(struct params *params, const struct command *command, json_t *object,
                  struct arena *arena, struct error *error);

/* Given by the caller (not null). */
bool params_has(const struct params *params, enum param_id id);
/* The value, or the default. */
const struct value *params_value(const struct params *params, enum param_id id);
bool params_bool(const struct params *params, enum param_id id);
int64_t params_int(const struct params *params, enum param_id id);   /* INT, HANDLE */
unsigned params_word(const struct params *params, enum param_id id); /* ENUM, SWITCH,
                                                                        IPV6 */
uint32_t params_interface(const struct params *params, enum param_id id);
/* Negative when absent and without default: no limit. */
double params_seconds(const struct params *params, enum param_id id);
struct value_text params_text(const struct params *params,
                              enum param_id id); /* STRING, FILE, DATA */

/* The enums of every command are words of one spec; these are the common ones. */
enum encoding {
    ENCODING_UTF8,
    ENCODING_BASE64,
    ENCODING_LATIN1
}; /* "utf-8|base64|latin-1" */

#endif
