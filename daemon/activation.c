/* SPDX-License-Identifier: MIT */
/*
 * activation.c - reads LISTEN_PID and LISTEN_FDS.
 *
 * Called by server.c. Without libsystemd, which would do the same in as many lines.
 * Thread: main.
 */
#include <config.h>
#include "daemon/activation.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST_FD = 3 };

static long number_in(const char *name)
{
    const char *text = getenv(name);

    return text != NULL ? strtol(text, NULL, 10) : 0;
}

static bool has(int fd, int option, int wanted)
{
    int value;
    socklen_t size = sizeof value;

    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

bool activation_take(int *fd, char why[CONFIG_WHY_SIZE])
{
    /* The variables of a parent are not for us. */
    long n = number_in("LISTEN_PID") == (long)getpid() ? number_in("LISTEN_FDS") : 0;

    *fd = -1;
    if (n == 0) {
        return true;
    }
    if (n != 1 || !has(FIRST_FD, SO_DOMAIN, AF_UNIX) ||
        !has(FIRST_FD, SO_TYPE, SOCK_STREAM) || !has(FIRST_FD, SO_ACCEPTCONN, 1)) {
        (void)snprintf(why, CONFIG_WHY_SIZE,
                       "the service manager must pass one listening Unix stream socket");
        return false;
    }
    int flags = fcntl(FIRST_FD, F_GETFL);

    if (flags < 0 || fcntl(FIRST_FD, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) < 0) {
        (void)snprintf(why, CONFIG_WHY_SIZE, "the socket of the service manager: %s",
                       strerror(errno));
        return false;
    }
    *fd = FIRST_FD;
    return true;
}
