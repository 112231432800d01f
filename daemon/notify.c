/* SPDX-License-Identifier: MIT */
/*
 * notify.c - READY=1, RELOADING=1, STOPPING=1 and STATUS=, through libsystemd or by
 * ourselves.
 *
 * Called by the server. Thread: main.
 */
#include <config.h>
#include "daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_LIBSYSTEMD
#include <systemd/sd-daemon.h>
#else
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#endif

#include "daemon/base/log.h"

/* 0 or negative errno. */
#ifdef HAVE_LIBSYSTEMD
static int send_state(const char *state)
{
    int status = sd_notify(0, state);

    return status < 0 ? status : 0;
}
#else
static int send_state(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int status = 0;

    if (path == NULL || (path[0] != '/' && path[0] != '@')) {
        return 0;
    }
    size_t size = strlen(path);
    if (size >= sizeof address.sun_path) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, size);
    if (path[0] == '@') {
        address.sun_path[0] = '\0'; /* a name that is no file */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    socklen_t address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
               address_size) < 0) {
        status = -errno;
    }
    close(fd);
    return status;
}
#endif

static void tell(const char *state, const char *sentence)
{
    char text[256];

    (void)snprintf(text, sizeof text, "%s\nSTATUS=%s", state, sentence);
    int status = send_state(text);
    if (status < 0) {
        log_line(LOG_DAEMON, LOG_LEVEL_WARN,
                 "The service manager could not be told. state=%s reason=\"%s\"", state,
                 strerror(-status));
    }
}

void notify_ready(const char *status) { tell("READY=1", status); }

void notify_reloading(const char *status) { tell("RELOADING=1", status); }

void notify_stopping(const char *status) { tell("STOPPING=1", status); }
