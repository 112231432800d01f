/* SPDX-License-Identifier: MIT */
/*
 * filename.c - socket files, with the rights of the user who asks.
 *
 * Called by listener, connector and datagram; calls endpoint only. Thread: any. File
 * rights are per thread in Linux and are put back before each function returns.
 */
#include <config.h>
#include "daemon/net/filename.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daemon/base/check.h"
#include "daemon/net/endpoint.h"

enum {
    NO_BACKLOG = -1,
    /* Of a file whose rights are still to be set. No other has it, which is how the file
     * is known to be the one that was bound. Its owner can find out that it is stale. */
    UNFINISHED_MODE = S_IWUSR,
};

/* One at a time looks for a stale file, replaces it and listens: what another worker has
 * bound and does not listen yet looks stale. */
static pthread_mutex_t binding = PTHREAD_MUTEX_INITIALIZER;

/* True: the thread now has the user's file rights, and assumed() must be undone. With the
 * change away from root the kernel also takes the capabilities for files. */
static bool assume(const struct identity *who, int *status)
{
    *status = 0;
    if (geteuid() != 0 || who->uid == 0) {
        return false;
    }
    (void)setfsgid(who->gid); /* both answer the value before, not success */
    (void)setfsuid(who->uid);
    if ((uid_t)setfsuid((uid_t)-1) != who->uid ||
        (gid_t)setfsgid((gid_t)-1) != who->gid) {
        *status = -EPERM;
    }
    return true;
}

static void restore(bool is_assumed)
{
    if (is_assumed) {
        (void)setfsuid(geteuid());
        (void)setfsgid(getegid());
    }
}

/* Is the path a socket file at which nobody answers? Such a file is what a process leaves
 * that was killed. */
static bool is_stale(const struct sockaddr_storage *address, const char *path, int type)
{
    struct stat info;

    if (lstat(path, &info) != 0 || !S_ISSOCK(info.st_mode)) {
        return false;
    }
    int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    /* A socket of the other type is alive too: that is EPROTOTYPE. A full one: EAGAIN. */
    bool is_refused =
        connect(fd, (const struct sockaddr *)address, endpoint_size(address)) < 0 &&
        errno == ECONNREFUSED;
    (void)close(fd); /* never carried data */
    return is_refused;
}

static int bind_here(int fd, const struct sockaddr_storage *address, const char *path)
{
    const struct sockaddr *name = (const struct sockaddr *)address;
    socklen_t size = endpoint_size(address), type_size = sizeof(int);
    int type = SOCK_STREAM;

    if (bind(fd, name, size) == 0) {
        return 0;
    }
    if (errno != EADDRINUSE) {
        return -errno;
    }
    (void)getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size); /* fd is a socket */
    if (!is_stale(address, path, type)) {
        return -EADDRINUSE;
    }
    if (unlink(path) != 0 && errno != ENOENT) {
        return -errno;
    }
    return bind(fd, name, size) == 0 ? 0 : -errno;
}

/* 0, negative errno. `fd`: of the file, not of the socket. */
static int change_file(int fd, const struct filename_rights *rights, const char **action)
{
    char name[sizeof "/proc/self/fd/" + 3 * sizeof fd]; /* O_PATH has no fchmod() */
    struct stat info;

    if (fstat(fd, &info) != 0) {
        return -errno;
    }
    if (!S_ISSOCK(info.st_mode) || (info.st_mode & 07777 & ~UNFINISHED_MODE) != 0) {
        return -EADDRINUSE; /* somebody has put another one there */
    }
    *action = "set-owner";
    if (fchownat(fd, "", rights->owner, (gid_t)-1, AT_EMPTY_PATH) != 0) {
        return -errno;
    }
    *action = "set-group";
    if (fchownat(fd, "", (uid_t)-1, rights->group, AT_EMPTY_PATH) != 0) {
        return -errno;
    }
    *action = "set-mode";
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return chmod(name, rights->mode) == 0 ? 0 : -errno;
}

/* Nobody can connect yet. The path may lead through directories of others, who could give
 * it another meaning at any moment: it is followed once. */
static int set_rights(const char *path, const struct filename_rights *rights,
                      const char **action)
{
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) {
        return -errno;
    }
    int status = change_file(fd, rights, action);

    (void)close(fd); /* was never written to */
    return status;
}

/* `rights` NULL: as they come. `backlog`: NO_BACKLOG when it is no listener. */
static int bind_file(struct filename *file, int fd, const char *path,
                     const struct identity *who, const struct filename_rights *rights,
                     int backlog, const char **action)
{
    struct sockaddr_storage address;
    struct stat info;
    int status;

    *action = "bind";
    if (!endpoint_from_path(&address, path)) {
        return -ENAMETOOLONG;
    }
    /* Linux makes the file with the mode of the socket, as far as the umask lets it. */
    if (rights != NULL && fchmod(fd, UNFINISHED_MODE) != 0) {
        return -errno;
    }
    bool is_assumed = assume(who, &status);

    pthread_mutex_lock(&binding);
    if (status == 0) {
        status = bind_here(fd, &address, path);
    }
    if (status == 0 && lstat(path, &info) != 0) {
        status = -errno;
    }
    if (status == 0) {
        file->path = mem_copy_text(path);
        file->device = info.st_dev;
        file->inode = info.st_ino;
        file->who = *who;
        status = rights != NULL ? set_rights(path, rights, action) : 0;
    }
    if (status == 0 && backlog != NO_BACKLOG) {
        *action = "listen";
        status = listen(fd, backlog) == 0 ? 0 : -errno;
    }
    pthread_mutex_unlock(&binding);
    restore(is_assumed);
    return status;
}

int filename_bind(struct filename *file, int fd, const char *path,
                  const struct identity *who)
{
    const char *action;

    return bind_file(file, fd, path, who, NULL, NO_BACKLOG, &action);
}

int filename_listen(struct filename *file, int fd, const char *path,
                    const struct identity *who, const struct filename_rights *rights,
                    int backlog, const char **action)
{
    return bind_file(file, fd, path, who, rights, backlog, action);
}

void filename_remove(struct filename *file)
{
    struct stat info;
    int status;

    if (file->path == NULL) {
        return;
    }
    bool is_assumed = assume(&file->who, &status);
    if (status == 0 && lstat(file->path, &info) == 0 && info.st_dev == file->device &&
        info.st_ino == file->inode) {
        (void)unlink(
            file->path); /* somebody was faster, or the directory is closed by now */
    }
    restore(is_assumed);
    free(file->path);
    memset(file, 0, sizeof *file);
}

int filename_connect(int fd, const struct sockaddr_storage *address,
                     const struct identity *who)
{
    int status;
    bool is_assumed = assume(who, &status);

    if (status == 0 &&
        connect(fd, (const struct sockaddr *)address, endpoint_size(address)) != 0) {
        status = -errno;
    }
    restore(is_assumed);
    return status;
}

ssize_t filename_send(int fd, const void *bytes, size_t size,
                      const struct sockaddr_storage *address, const struct identity *who)
{
    int status;
    bool is_assumed = assume(who, &status);
    ssize_t n = status;

    if (status == 0) {
        n = sendto(fd, bytes, size, MSG_NOSIGNAL, (const struct sockaddr *)address,
                   endpoint_size(address));
        n = n < 0 ? -errno : n;
    }
    restore(is_assumed);
    return n;
}
