/* SPDX-License-Identifier: MIT */
/*
 * list_part.h - one worker's part of a list (list-sockets, list-clients, list-tunnels),
 * in the order of handles.
 *
 * For the parts of a scatter. Thread: that of the worker, then that of the request.
 */
#ifndef SOCKD_CONTROL_LIST_PART_H
#define SOCKD_CONTROL_LIST_PART_H

#include <stddef.h>
#include <stdint.h>
#include "proto/writer.h"

/* One object of a list, already as JSON text. */
struct list_entry {
    int64_t handle;
    size_t start, size; /* in the part's text */
};

/* All zero is an empty one. Owner: the scatter. */
struct list_part {
    struct writer text; /* the entries one behind the other */
    struct list_entry *entries;
    size_t n_entries, room;
};

void list_part_fini(void *memory);
/* An entry: its members are written into part->text between the two. */
void list_part_begin(struct list_part *part, int64_t handle);
void list_part_end(struct list_part *part);

/* Writes the entries of all parts in the order of their handles, at most `limit`. Answers
 * the handle to go on after, or 0 when none is left. */
int64_t list_merge(struct writer *writer, void **parts, unsigned n_parts, size_t limit);

#endif
