/* SPDX-License-Identifier: MIT */
/*
 * watched_file.c - by time, size and number of a file, asked at most once a second.
 *
 * Called by dns.c and hosts.c on the resolver thread. inotify would tell of a change at
 * once, but not of one to what a link or a folder on the way leads to, which is how
 * resolv.conf is replaced on most systems.
 */
#include <config.h>
#include "daemon/net/watched_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daemon/base/check.h"

bool watched_file_is_new(struct watched_file *file, uint64_t now_ms)
{
    struct stat facts;

    if (file->was_read && !file->is_distrusted &&
        now_ms - file->checked_ms < WATCHED_FILE_RECHECK_MS) {
        return false;
    }
    file->checked_ms = now_ms;
    file->is_distrusted = false;
    if (stat(file->path, &facts) < 0) {
        memset(&facts, 0, sizeof facts);
    }
    return !file->was_read || facts.st_dev != file->device ||
           facts.st_ino != file->inode || facts.st_size != file->size ||
           facts.st_mtim.tv_sec != file->changed.tv_sec ||
           facts.st_mtim.tv_nsec != file->changed.tv_nsec;
}

void watched_file_distrust(struct watched_file *file) { file->is_distrusted = true; }

static size_t read_all(int fd, char *text, size_t room)
{
    size_t size = 0;
    ssize_t n;

    while (size < room && (n = read(fd, text + size, room - size)) != 0) {
        if (n < 0 && errno != EINTR) {
            break;
        }
        size += n > 0 ? (size_t)n : 0;
    }
    return size;
}

char *watched_file_read(struct watched_file *file, size_t *size, uint64_t now_ms)
{
    /* It may be no file at all: a pipe is not waited for. */
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char *text = NULL;
    struct stat facts;

    memset(&facts, 0, sizeof facts);
    if (fd >= 0 && fstat(fd, &facts) == 0) {
        size_t room = facts.st_size > 0 ? (size_t)facts.st_size : 0;
        if (room > file->size_max) {
            room = file->size_max;
        }
        text = mem_new(room + 1);
        *size = read_all(fd, text, room);
    }
    int reason = errno;

    if (fd >= 0) {
        (void)close(fd); /* was only read */
    }
    file->was_read = true;
    file->checked_ms = now_ms;
    file->device = facts.st_dev;
    file->inode = facts.st_ino;
    file->size = facts.st_size;
    file->changed = facts.st_mtim;
    errno = reason;
    return text;
}
