/* SPDX-License-Identifier: MIT */
/*
 * section.h - a section of the configuration file that names an object, as it was read:
 * `[tunnel web]` and its lines.
 *
 * Its lines are the parameters of the command that makes such an object. Thread: main.
 */
#ifndef SOCKD_CONTROL_SECTION_H
#define SOCKD_CONTROL_SECTION_H

#include <stddef.h>

struct section_entry {
    char *name, *value;
    int line; /* of the file */
};

/* Owner: the configuration. */
struct section {
    struct section *next;
    char *kind; /* "context", "tunnel" */
    char *name;
    int line; /* of its header */
    struct section_entry *entries;
    size_t n_entries;
};

/* The line that sets this parameter, or its part before the dot ("connect" for
 * "connect.remote-port"); without one that of the header. */
int section_line(const struct section *section, const char *parameter);

#endif
