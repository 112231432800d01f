/* SPDX-License-Identifier: MIT */
/*
 * secret_file.c - files of the configuration of TLS.
 *
 * Called by context_config.c; calls the kernel. Thread: main.
 */
#include <config.h>
#include "daemon/control/secret_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "proto/error.h"
#include "proto/table.h"

/* Memory of a fixed size: what grew would leave its beginning behind. */
struct text {
    char *bytes;
    size_t size, room;
};

static bool fail(const struct param_row *row, const char *path, const char *why,
                 struct error *error)
{
    (void)error_set_parameter(error, row->name, "a file that can be read");
    (void)snprintf(error->message, sizeof error->message, "%s: %.120s: %s", row->name,
                   path, why);
    return false;
}

/* Adds all of a file. */
static bool add_file(struct text *text, const struct param_row *row, int directory,
                     const char *path, struct error *error)
{
    int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = 0;

    if (fd < 0) {
        return fail(row, path, strerror(errno), error);
    }
    while (text->size < text->room &&
           (got = read(fd, text->bytes + text->size, text->room - text->size)) > 0) {
        text->size += (size_t)got;
    }
    int errnum = errno;

    (void)close(fd); /* was only read */
    if (got < 0) {
        return fail(row, path, strerror(errnum), error);
    }
    return text->size < text->room || fail(row, path, "it is too long", error);
}

static bool is_file(int directory, const char *name)
{
    struct stat status;

    return fstatat(directory, name, &status, 0) == 0 && S_ISREG(status.st_mode);
}

static bool add_directory(struct text *text, const struct param_row *row,
                          const char *path, struct error *error)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    bool is_good = true;

    if (directory == NULL) {
        return fail(row, path, strerror(errno), error);
    }
    while (is_good && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.' || !is_file(dirfd(directory), entry->d_name)) {
            continue;
        }
        is_good = add_file(text, row, dirfd(directory), entry->d_name, error);
        if (is_good && text->size < text->room) {
            text->bytes[text->size++] = '\n'; /* the last line may lack one */
        }
    }
    (void)closedir(directory); /* was only read */
    return is_good;
}

json_t *secret_file_read(const struct param_row *row, const char *path,
                         struct error *error)
{
    struct text text = {.room = (size_t)row->max + 1};
    json_t *value = NULL;

    if (path[0] != '/') {
        (void)error_set_parameter(error, row->name, "an absolute path");
        return NULL;
    }
    text.bytes = mem_new(text.room + 1);
    bool is_directory = strcmp(row->spec, "directory") == 0;
    bool is_read = is_directory ? add_directory(&text, row, path, error)
                                : add_file(&text, row, AT_FDCWD, path, error);

    if (is_read && strcmp(row->spec, "line") == 0) {
        text.size = strcspn(text.bytes, "\r\n");
    }
    if (is_read) {
        value = json_stringn(text.bytes, text.size);
        if (value == NULL) {
            (void)fail(row, path, "it is no text in UTF-8", error);
        }
    }
    explicit_bzero(text.bytes, text.room);
    free(text.bytes);
    return value;
}
