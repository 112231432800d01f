/* SPDX-License-Identifier: MIT */
/*
 * list_part.c - what one worker answers to a list, and the lists of all put together.
 *
 * Called by the handlers of lists, in each worker and where the request is.
 */
#include <config.h>
#include "daemon/control/list_part.h"

#include <stdlib.h>

#include "daemon/base/check.h"
#include "daemon/base/handle.h"

void list_part_fini(void *memory)
{
    struct list_part *part = memory;

    writer_fini(&part->text);
    free(part->entries);
}

void list_part_begin(struct list_part *part, int64_t handle)
{
    if (part->n_entries == part->room) {
        part->room = part->room ? part->room * 2 : 64;
        part->entries = mem_resize(part->entries, part->room * sizeof part->entries[0]);
    }
    part->entries[part->n_entries].handle = handle;
    part->entries[part->n_entries].start = part->text.size;
    part->text.needs_comma = false;
    writer_begin_object(&part->text);
}

void list_part_end(struct list_part *part)
{
    struct list_entry *entry = &part->entries[part->n_entries++];

    writer_end_object(&part->text);
    entry->size = part->text.size - entry->start;
}

int64_t list_merge(struct writer *writer, void **parts, unsigned n_parts, size_t limit)
{
    size_t at[HANDLE_MAX_WORKERS] = {0};
    int64_t last = 0;

    for (size_t n = 0;; n++) {
        const struct list_part *best = NULL;
        unsigned best_worker = 0;
        for (unsigned i = 0; i < n_parts; i++) {
            const struct list_part *part = parts[i];
            if (part && at[i] < part->n_entries &&
                (!best ||
                 part->entries[at[i]].handle < best->entries[at[best_worker]].handle)) {
                best = part;
                best_worker = i;
            }
        }
        if (!best) {
            return 0;
        }
        if (n == limit) {
            return last;
        }
        const struct list_entry *entry = &best->entries[at[best_worker]++];
        writer_raw(writer, best->text.data + entry->start, entry->size, true);
        last = entry->handle;
    }
}
