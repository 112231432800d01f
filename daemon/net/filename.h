/* SPDX-License-Identifier: MIT */
/*
 * filename.h - Unix sockets in the file system: bind, replace what is stale, remove, and
 * all that with the rights of the user who asks.
 *
 * The daemon may run as root for users that are not. Each call that walks the file system
 * for such a user is made with that user's file rights (setfsuid), so that nobody reaches
 * a socket through the daemon that he could not reach without it. His supplementary
 * groups do not count.
 *
 * Thread: any; nothing here waits.
 */
#ifndef SOCKD_NET_FILENAME_H
#define SOCKD_NET_FILENAME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* For whom the file system is walked. */
struct identity {
    uid_t uid;
    gid_t gid;
};

/* Whose a new socket file is, and who may connect. (uid_t)-1, (gid_t)-1: as it is. */
struct filename_rights {
    mode_t mode;
    uid_t owner;
    gid_t group;
};

/* A file that filename_bind() made; all zero: none. Owner: whoever embeds it. */
struct filename {
    char *path;
    dev_t device;
    ino_t inode;
    struct identity who;
};

/* Binds `fd` to the path. A socket file that nobody listens at is replaced; one that is
 * alive gives -EADDRINUSE, and so does any other file. 0 or negative errno. */
int filename_bind(struct filename *file, int fd, const char *path,
                  const struct identity *who);
/* The same for a listener, which listens when this returns: until then others could take
 * its file for that of one that is gone. `rights` NULL: as the umask of the daemon has
 * it; else they are the file's before anybody can connect. After a failure *action tells
 * what was attempted, and filename_remove() is due, too. */
int filename_listen(struct filename *file, int fd, const char *path,
                    const struct identity *who, const struct filename_rights *rights,
                    int backlog, const char **action);
/* Removes the file, if it is still the one that was bound. No-op when there is none. */
void filename_remove(struct filename *file);

/* connect() and sendto() with the user's rights. 0 (bytes sent), or negative errno. */
int filename_connect(int fd, const struct sockaddr_storage *address,
                     const struct identity *who);
ssize_t filename_send(int fd, const void *bytes, size_t size,
                      const struct sockaddr_storage *address, const struct identity *who);

#endif
