/* SPDX-License-Identifier: MIT */
/*
 * watched_file.h - a small text file of the system that is read again when it has
 * changed.
 *
 * Thread: that of its owner.
 */
#ifndef SOCKD_NET_WATCHED_FILE_H
#define SOCKD_NET_WATCHED_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum { WATCHED_FILE_RECHECK_MS = 1000 };

/* Owner: whoever embeds it. All zero but for the path: never read. */
struct watched_file {
    const char *path;
    size_t size_max; /* bytes that are read; the rest is left out */
    bool was_read, is_distrusted;
    uint64_t checked_ms;
    /* What the system said of it when it was read; all zero: it was not there. */
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

/* Whether it must be read (again): it has changed, or was never read. Asks the system at
 * most once in WATCHED_FILE_RECHECK_MS. */
bool watched_file_is_new(struct watched_file *file, uint64_t now_ms);
/* Asks the system the next time, however short a while ago it was asked. */
void watched_file_distrust(struct watched_file *file);
/* Its text, for free(); NULL: it is not there or can't be read (errno). A link that leads
 * elsewhere now, or a file that was replaced, is seen as well. */
char *watched_file_read(struct watched_file *file, size_t *size, uint64_t now_ms);

#endif
