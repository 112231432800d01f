/* SPDX-License-Identifier: MIT */
/* reference.c - see reference.h. Its simplicity is its point: no limits, no checks. */
#include <config.h>
#include "tests/bench/reference.h"
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "tests/bench/target.h"

enum { INPUT_SIZE = 65536, OUTPUT_SIZE = 1 << 18, N_EVENTS = 64 };

struct client {
    int fd;
    size_t size;
    char input[INPUT_SIZE];
};

/* One request line to one answer line; its size. */
static size_t answer(const char *line, size_t size, char *out, size_t room)
{
    json_t *request = json_loadb(line, size, 0, NULL);
    json_t *reply;
    size_t n;

    if (!request) {
        die("the reference server was sent bad JSON");
    }
    reply = json_pack("{s:s,s:O,s:{s:I}}", "jsonrpc", "2.0", "id",
                      json_object_get(request, "id"), "result", "value",
                      json_integer_value(
                          json_object_get(json_object_get(request, "params"), "socket")));
    n = json_dumpb(reply, out, room - 1, JSON_COMPACT);
    out[n++] = '\n';
    json_decref(reply);
    json_decref(request);
    return n;
}

static void send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        bytes += n;
        size -= (size_t)n;
    }
}

/* False: the client is gone. */
static bool serve_client(struct client *client)
{
    static char out[OUTPUT_SIZE];
    ssize_t n = read(client->fd, client->input + client->size, INPUT_SIZE - client->size);
    char *line = client->input, *end, *lf;
    size_t n_out = 0;

    if (n <= 0) {
        return false;
    }
    client->size += (size_t)n;
    end = client->input + client->size;
    while ((lf = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        n_out += answer(line, (size_t)(lf - line), out + n_out, OUTPUT_SIZE - n_out);
        line = lf + 1;
    }
    client->size = (size_t)(end - line);
    memmove(client->input, line, client->size);
    send_all(client->fd, out, n_out);
    return true;
}

static void accept_client(int epoll, int listener)
{
    struct client *client = calloc(1, sizeof *client);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

    if (!client || (client->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event) != 0) {
        die("reference server, accept: %s", strerror(errno));
    }
}

void reference_serve(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct epoll_event event = {.events = EPOLLIN}, events[N_EVENTS];
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 512) != 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) {
        die("reference server: %s", strerror(errno));
    }
    for (;;) {
        int n = epoll_wait(epoll, events, N_EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct client *client = events[i].data.ptr;
            if (!client) {
                accept_client(epoll, listener);
            } else if (!serve_client(client)) {
                close(client->fd);
                free(client);
            }
        }
    }
}
