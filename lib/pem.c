/* SPDX-License-Identifier: MIT */
/*
 * pem.c - files with certificates, keys and passwords, read as the user that the program
 * runs as: the daemon opens no file for a client.
 *
 * Of a PEM file only the PEM texts are taken: what people write around them need not be
 * UTF-8, and a line has a limit. Everything is wiped before it is freed.
 *
 * Place: below the operations of tls.c; the command-line client calls sockd_read_file().
 * Thread: any.
 */
#include <config.h>

#include "lib/internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/fields.h"

enum { FILE_LIMIT = 8 << 20, FIRST_ROOM = 16384, MAX_CERTIFICATES = 4096 };

/* Text in the making, that leaves nothing behind. */
struct secret {
    char *data; /* ends with a NUL */
    size_t size, room;
};

static void secret_fini(struct secret *secret)
{
    if (secret->data)
        explicit_bzero(secret->data, secret->room);
    free(secret->data);
    *secret = (struct secret){0};
}

static bool secret_reserve(struct secret *secret, size_t more)
{
    size_t room = secret->room ? secret->room : FIRST_ROOM;
    char *data;

    while (room < secret->size + more + 1)
        room *= 2;
    if (room == secret->room)
        return true;
    data = calloc(1, room);
    if (!data)
        return false;
    if (secret->data) {
        memcpy(data, secret->data, secret->size);
        explicit_bzero(secret->data, secret->room);
    }
    free(secret->data);
    secret->data = data;
    secret->room = room;
    return true;
}

static bool secret_add(struct secret *secret, const char *bytes, size_t size)
{
    if (!secret_reserve(secret, size))
        return false;
    memcpy(secret->data + secret->size, bytes, size);
    secret->size += size;
    secret->data[secret->size] = 0;
    return true;
}

/* ---- Files ---- */

/* Where a file is read for; the path of a directory's file is put together first. */
struct reading {
    const char *path;
    struct sockd_error *error;
    int status;
};

static bool bad_file(struct reading *reading, int errnum)
{
    const char *text = strerrordesc_np(errnum);

    reading->status = fail(reading->error, SOCKD_E_INVALID_PARAMS, "%s: %s",
                           reading->path, text ? text : "unknown error");
    if (reading->error) {
        reading->error->errnum = errnum;
        (void)snprintf(reading->error->wanted, sizeof(reading->error->wanted),
                       "a file that can be read");
    }
    return false;
}

static bool bad_content(struct reading *reading, const char *text)
{
    reading->status =
        fail(reading->error, SOCKD_E_INVALID_PARAMS, "%s: %s", reading->path, text);
    if (reading->error)
        (void)snprintf(reading->error->wanted, sizeof(reading->error->wanted), "%s",
                       "a file in PEM form");
    return false;
}

static bool no_memory(struct reading *reading)
{
    reading->status = fail_memory(reading->error);
    return false;
}

/* Reads to the end; what is no regular file (a pipe) has no size before. */
static bool read_all(struct reading *reading, int fd, struct secret *secret)
{
    for (;;) {
        ssize_t n;

        if (!secret_reserve(secret, FIRST_ROOM))
            return no_memory(reading);
        n = read(fd, secret->data + secret->size, FIRST_ROOM);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return bad_file(reading, errno);
        secret->size += (size_t)n;
        secret->data[secret->size] = 0;
        if (n == 0)
            return true;
        if (secret->size > FILE_LIMIT)
            return bad_file(reading, EFBIG);
    }
}

static bool read_path(struct reading *reading, struct secret *secret)
{
    int fd = open(reading->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    bool is_good;

    if (fd < 0)
        return bad_file(reading, errno);
    is_good = read_all(reading, fd, secret);
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
static bool add_pem(struct reading *reading, struct secret *secret,
                    const struct secret *from)
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
        if (!secret_add(secret, at, size) || !secret_add(secret, "\n", 1))
            return no_memory(reading);
        has_some = true;
        at = end;
    }
    return has_some || bad_content(reading, "there is no PEM text in it");
}

static bool read_pem(struct reading *reading, struct secret *secret)
{
    struct secret raw = {0};
    bool is_good = read_path(reading, &raw) && add_pem(reading, secret, &raw);

    secret_fini(&raw);
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
static bool read_member(struct reading *reading, int directory, const char *name,
                        struct secret *secret)
{
    char path[sizeof(reading->error->message)];
    struct reading member = {.path = path, .error = reading->error};
    struct secret raw = {0};
    struct stat facts;
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    bool is_good;

    (void)snprintf(path, sizeof(path), "%s/%s", reading->path, name);
    if (fd < 0 && errno == ENOENT)
        return true;
    if (fd < 0) {
        (void)bad_file(&member, errno);
        reading->status = member.status;
        return false;
    }
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        (void)close(fd);
        return true;
    }
    is_good = read_all(&member, fd, &raw) && add_pem(&member, secret, &raw);
    (void)close(fd);
    secret_fini(&raw);
    reading->status = member.status;
    return is_good;
}

/* The hashed names, as OpenSSL does; where there are none, what is called a certificate.
 */
static bool read_directory(struct reading *reading, struct secret *secret)
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
        is_good = read_member(reading, directory, names[i]->d_name, secret);
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
    (void)close(directory);
    return is_good;
}

static bool read_line(struct reading *reading, struct secret *secret)
{
    struct secret raw = {0};
    bool is_good = read_path(reading, &raw);

    if (is_good && !secret_add(secret, raw.data, strcspn(raw.data, "\r\n")))
        is_good = no_memory(reading);
    secret_fini(&raw);
    return is_good;
}

/* ---- For others ---- */

static int read_kind(struct secret *secret, const char *path, enum sockd_file_kind kind,
                     struct sockd_error *error)
{
    struct reading reading = {.path = path, .error = error};
    bool is_good = false;

    switch (kind) {
    case SOCKD_PEM_FILE:
        is_good = read_pem(&reading, secret);
        break;
    case SOCKD_PEM_DIRECTORY:
        is_good = read_directory(&reading, secret);
        break;
    case SOCKD_SECRET_FILE:
        is_good = read_line(&reading, secret);
        break;
    }
    if (!is_good && reading.status == SOCKD_OK)
        reading.status = fail_parameter(error, "kind", "one of enum sockd_file_kind");
    return reading.status;
}

int sockd_read_file(const char *path, enum sockd_file_kind kind, char **text,
                    struct sockd_error *error)
{
    struct secret secret = {0};
    char *copy;
    int status;

    if (!path || !text)
        return fail_parameter(error, path ? "text" : "path", "not NULL");
    status = read_kind(&secret, path, kind, error);
    if (status == SOCKD_OK) {
        copy = result_new(secret.size + 1, NULL);
        if (copy)
            *text = memcpy(copy, secret.data, secret.size + 1);
        else
            status = fail_memory(error);
    }
    secret_fini(&secret);
    return status;
}

void sockd_wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    sockd_free(text);
}

void pem_write(struct request *request, const char *name, const char *kind,
               const char *path)
{
    enum sockd_file_kind kinds[] = {SOCKD_PEM_FILE, SOCKD_PEM_DIRECTORY};
    struct secret secret = {0};
    int status;

    if (strncmp(path, begin_mark, sizeof(begin_mark) - 1) == 0) {
        request_secret(request, name, path);
        return;
    }
    if (request->status != SOCKD_OK)
        return;
    status = read_kind(&secret, path, kinds[kind[0] == 'd'], request->error);
    if (status == SOCKD_OK)
        request_secret(request, name, secret.data);
    else
        request->status = status;
    if (status == SOCKD_E_INVALID_PARAMS && request->error)
        (void)snprintf(request->error->parameter, sizeof(request->error->parameter), "%s",
                       name);
    secret_fini(&secret);
}
