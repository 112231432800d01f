/* SPDX-License-Identifier: MIT */
/*
 * pem_file.c - files with certificates, keys and passwords.
 *
 * Called by the library, as the user that the program runs as, and by the daemon for its
 * own configuration; never for a client. Everything is wiped before it is freed. Thread:
 * any.
 */
#include <config.h>
#include "proto/pem_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_LIMIT = 8 << 20, FIRST_ROOM = 16384, MAX_CERTIFICATES = 4096 };

void pem_text_fini(struct pem_text *text)
{
    if (text->data)
        explicit_bzero(text->data, text->room);
    free(text->data);
    *text = (struct pem_text){0};
}

static bool reserve(struct pem_text *text, size_t more)
{
    size_t room = text->room ? text->room : FIRST_ROOM;
    char *data;

    while (room < text->size + more + 1)
        room *= 2;
    if (room == text->room)
        return true;
    data = calloc(1, room);
    if (!data)
        return false;
    if (text->data) {
        memcpy(data, text->data, text->size);
        explicit_bzero(text->data, text->room);
    }
    free(text->data);
    text->data = data;
    text->room = room;
    return true;
}

static bool add(struct pem_text *text, const char *bytes, size_t size)
{
    if (!reserve(text, size))
        return false;
    memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = 0;
    return true;
}

/* ---- Files ---- */

/* Where a file is read for; the path of a directory's file is put together first. */
struct reading {
    const char *path;
    bool may_wait;
    struct pem_fault *fault;
};

static bool refuse(const struct reading *reading, int errnum, const char *what)
{
    struct pem_fault *fault = reading->fault;

    (void)snprintf(fault->path, sizeof(fault->path), "%s", reading->path);
    fault->errnum = errnum;
    fault->what = what;
    return false;
}

static bool bad_file(const struct reading *reading, int errnum)
{
    const char *what = strerrordesc_np(errnum);

    return refuse(reading, errnum, what ? what : "unknown error");
}

static bool bad_content(const struct reading *reading, const char *what)
{
    return refuse(reading, 0, what);
}

static bool no_memory(const struct reading *reading) { return bad_file(reading, ENOMEM); }

/* Reads to the end; what is no regular file (a pipe) has no size before. */
static bool read_all(const struct reading *reading, int fd, struct pem_text *text)
{
    for (;;) {
        ssize_t n;

        if (!reserve(text, FIRST_ROOM))
            return no_memory(reading);
        n = read(fd, text->data + text->size, FIRST_ROOM);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return bad_file(reading, errno);
        text->size += (size_t)n;
        text->data[text->size] = 0;
        if (n == 0)
            return true;
        if (text->size > FILE_LIMIT)
            return bad_file(reading, EFBIG);
    }
}

static bool read_path(const struct reading *reading, struct pem_text *text)
{
    int fd = open(reading->path,
                  O_RDONLY | O_CLOEXEC | O_NOCTTY | (reading->may_wait ? 0 : O_NONBLOCK));
    bool is_good;

    if (fd < 0)
        return bad_file(reading, errno);
    is_good = read_all(reading, fd, text);
    (void)close(fd); /* nothing was written */
    return is_good;
}

/* ---- PEM ---- */

static const char begin_mark[] = "-----BEGIN ", end_mark[] = "-----END ";

/* The next line that begins with a mark, in a text that ends with a NUL. */
static const char *find_line(const char *text, const char *mark)
{
    for (const char *at = text; (at = strstr(at, mark)) != NULL; at++) {
        if (at == text || at[-1] == '\n' || at[-1] == '\r')
            return at;
    }
    return NULL;
}

/* Adds the PEM texts that stand in `from`. */
static bool add_pem(const struct reading *reading, struct pem_text *text,
                    const struct pem_text *from)
{
    const char *at = from->data;
    bool has_some = false;

    while ((at = find_line(at, begin_mark)) != NULL) {
        const char *end = find_line(at, end_mark);
        size_t size;

        if (!end)
            return bad_content(reading, "a PEM text in it has no end");
        end += strcspn(end, "\r\n");
        size = (size_t)(end - at);
        if (!add(text, at, size) || !add(text, "\n", 1))
            return no_memory(reading);
        has_some = true;
        at = end;
    }
    return has_some || bad_content(reading, "there is no PEM text in it");
}

static bool read_pem(const struct reading *reading, struct pem_text *text)
{
    struct pem_text raw = {0};
    bool is_good = read_path(reading, &raw) && add_pem(reading, text, &raw);

    pem_text_fini(&raw);
    return is_good;
}

/* ---- Directories ---- */

/* "5f15c80c.0": how OpenSSL names a certificate, by the hash of its subject. */
static bool is_hashed(const char *name)
{
    size_t size = strspn(name, "0123456789abcdef");

    return size == 8 && name[8] == '.' && name[9] &&
           strspn(name + 9, "0123456789") == strlen(name + 9);
}

static bool is_certificate(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && (strcmp(dot, ".pem") == 0 || strcmp(dot, ".crt") == 0 ||
                   strcmp(dot, ".cer") == 0);
}

static int take_hashed(const struct dirent *entry) { return is_hashed(entry->d_name); }

static int take_certificate(const struct dirent *entry)
{
    return is_certificate(entry->d_name);
}

/* One file of a directory; one that goes away meanwhile, or is no file, is left out. */
static bool read_member(const struct reading *reading, int directory, const char *name,
                        struct pem_text *text)
{
    char path[sizeof(reading->fault->path)];
    const struct reading member = {.path = path, .fault = reading->fault};
    struct pem_text raw = {0};
    struct stat facts;
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    bool is_good;

    (void)snprintf(path, sizeof(path), "%s/%s", reading->path, name);
    if (fd < 0)
        return errno == ENOENT || bad_file(&member, errno);
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        (void)close(fd);
        return true;
    }
    is_good = read_all(&member, fd, &raw) && add_pem(&member, text, &raw);
    (void)close(fd);
    pem_text_fini(&raw);
    return is_good;
}

/* The hashed names, as OpenSSL does; where there are none, what is called a certificate.
 */
static bool read_directory(const struct reading *reading, struct pem_text *text)
{
    struct dirent **names = NULL;
    int directory = open(reading->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int n = -1;
    bool is_good = true;

    if (directory < 0)
        return bad_file(reading, errno);
    n = scandirat(directory, ".", &names, take_hashed, alphasort);
    if (n == 0) {
        free(names);
        names = NULL;
        n = scandirat(directory, ".", &names, take_certificate, alphasort);
    }
    if (n < 0)
        is_good = bad_file(reading, errno);
    else if (n == 0)
        is_good = bad_content(reading, "there is no certificate in it");
    else if (n > MAX_CERTIFICATES)
        is_good = bad_file(reading, EFBIG);
    for (int i = 0; is_good && i < n; i++)
        is_good = read_member(reading, directory, names[i]->d_name, text);
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
    (void)close(directory);
    return is_good;
}

static bool read_line(const struct reading *reading, struct pem_text *text)
{
    struct pem_text raw = {0};
    bool is_good = read_path(reading, &raw);

    if (is_good && !add(text, raw.data, strcspn(raw.data, "\r\n")))
        is_good = no_memory(reading);
    pem_text_fini(&raw);
    return is_good;
}

/* ---- For others ---- */

bool pem_file_read(struct pem_text *text, const char *path, enum pem_kind kind,
                   bool may_wait, struct pem_fault *fault)
{
    const struct reading reading = {.path = path, .may_wait = may_wait, .fault = fault};

    switch (kind) {
    case PEM_KIND_FILE:
        return read_pem(&reading, text);
    case PEM_KIND_DIRECTORY:
        return read_directory(&reading, text);
    case PEM_KIND_LINE:
        return read_line(&reading, text);
    }
    return refuse(&reading, EINVAL, "no kind of file");
}

bool pem_is_text(const char *text)
{
    return strncmp(text, begin_mark, sizeof(begin_mark) - 1) == 0;
}
