/* SPDX-License-Identifier: MIT */
/*
 * section.c - where in the file a parameter of a section was set.
 *
 * Called by those who read sections. Thread: any.
 */
#include <config.h>
#include "daemon/control/section.h"

#include <string.h>

static int find_line(const struct section *section, const char *name, size_t size)
{
    for (size_t i = 0; i < section->n_entries; i++) {
        const struct section_entry *entry = &section->entries[i];
        if (strlen(entry->name) == size && memcmp(entry->name, name, size) == 0) {
            return entry->line;
        }
    }
    return 0;
}

int section_line(const struct section *section, const char *parameter)
{
    int line = find_line(section, parameter, strlen(parameter));

    if (line == 0) {
        line = find_line(section, parameter, strcspn(parameter, ".["));
    }
    return line > 0 ? line : section->line;
}
