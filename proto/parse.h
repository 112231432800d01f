/* SPDX-License-Identifier: MIT */
/*
 * parse.h - one JSON text to a tree of jansson, in an arena.
 */
#ifndef SOCKD_PROTO_PARSE_H
#define SOCKD_PROTO_PARSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct arena;
struct error;

/* Takes exactly the JSON of RFC 8259, with white space around it, except for the limits:
 * nesting beyond `max_depth`, a member that stands twice in an object, numbers that do
 * not fit 64 bits; these are limit-reached, everything else is parse-error. NUL in the
 * name of a member is a parse-error, too. The tree is bound to the rules of arena_json().
 * Thread: any, after arena_setup(). */
bool parse_json(const char *text, size_t size, unsigned max_depth, struct arena *arena,
                json_t **out, struct error *error);

#endif
