/* SPDX-License-Identifier: MIT */
/*
 * peer.c - plain sockets for the other side of a test.
 *
 * Place: system tests call it. Descriptors block; poll() with a deadline stands before
 * each wait. Thread: that of the test.
 */
#include <config.h>
#include "tests/peer.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "tests/harness.h"
#include "tests/unit.h"

/* Open descriptors, to be closed after the test. */
static struct {
    int *fds;
    unsigned n, room;
} open_fds;

static void close_all(void)
{
    while (open_fds.n > 0) {
        close(open_fds.fds[--open_fds.n]);
    }
    free(open_fds.fds);
    open_fds.fds = NULL;
    open_fds.room = 0;
}

int peer_adopt(int fd)
{
    unit_after_each(close_all);
    if (open_fds.n == open_fds.room) {
        open_fds.room = open_fds.room ? open_fds.room * 2 : 64;
        open_fds.fds = realloc(open_fds.fds, open_fds.room * sizeof(int));
        if (!open_fds.fds) {
            unit_bail_out("out of memory");
        }
    }
    open_fds.fds[open_fds.n++] = fd;
    return fd;
}

void peer_close(int fd)
{
    unsigned i;

    /* From the end: the youngest descriptors are closed most often. */
    for (i = open_fds.n; i-- > 0;) {
        if (open_fds.fds[i] == fd) {
            open_fds.fds[i] = open_fds.fds[--open_fds.n];
            close(fd);
            return;
        }
    }
    UNIT_FAIL_NOW("descriptor %d is not an open peer", fd);
}

void peer_abort(int fd)
{
    struct linger linger = {.l_onoff = 1};

    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0) {
        UNIT_FAIL_NOW("SO_LINGER: %s", strerror(errno));
    }
    peer_close(fd);
}

/* ---- Addresses ---- */

/* Large enough for every family used here. */
union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

static socklen_t parse_address(union address *address, const char *host, int port)
{
    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, host, &address->in.sin_addr) == 1) {
        address->in.sin_family = AF_INET;
        address->in.sin_port = htons((uint16_t)port);
        return sizeof(address->in);
    }
    size_t length = strcspn(host, "%");
    char bare[INET6_ADDRSTRLEN];
    (void)snprintf(bare, sizeof(bare), "%.*s", (int)length, host);
    if (inet_pton(AF_INET6, bare, &address->in6.sin6_addr) == 1) {
        address->in6.sin6_family = AF_INET6;
        address->in6.sin6_scope_id = host[length] ? if_nametoindex(host + length + 1) : 0;
        address->in6.sin6_port = htons((uint16_t)port);
        return sizeof(address->in6);
    }
    UNIT_FAIL_NOW("%s is not a numeric address", host);
}

static socklen_t file_address(union address *address, const char *path)
{
    memset(address, 0, sizeof(*address));
    address->un.sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(address->un.sun_path)) {
        UNIT_FAIL_NOW("%s: the path is too long for a socket", path);
    }
    memcpy(address->un.sun_path, path, strlen(path) + 1);
    return sizeof(address->un);
}

static int new_socket(const union address *address, int type)
{
    int fd = socket(address->any.sa_family, type | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        UNIT_FAIL_NOW("socket: %s", strerror(errno));
    }
    return peer_adopt(fd);
}

/* A socket of `type`, bound to `address`. */
static int bound_socket(const union address *address, socklen_t size, int type)
{
    int fd = new_socket(address, type);

    if (bind(fd, &address->any, size) < 0) {
        UNIT_FAIL_NOW("bind: %s", strerror(errno));
    }
    return fd;
}

int peer_local_port(int fd)
{
    union address address;
    socklen_t size = sizeof(address);

    if (getsockname(fd, &address.any, &size) < 0) {
        UNIT_FAIL_NOW("getsockname: %s", strerror(errno));
    }
    return ntohs(address.any.sa_family == AF_INET6 ? address.in6.sin6_port
                                                   : address.in.sin_port);
}

bool peer_has_ipv6(void)
{
    union address address;
    socklen_t size = parse_address(&address, "::1", 0);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, &address.any, size) == 0;

    if (fd >= 0) {
        close(fd);
    }
    return has;
}

/* ---- Listeners and connections ---- */

static void start_listening(int fd, int backlog)
{
    if (listen(fd, backlog) < 0) {
        UNIT_FAIL_NOW("listen: %s", strerror(errno));
    }
}

int peer_listen(const char *host, int *port)
{
    union address address;
    socklen_t size = parse_address(&address, host, 0);
    int fd = bound_socket(&address, size, SOCK_STREAM);

    start_listening(fd, SOMAXCONN);
    *port = peer_local_port(fd);
    return fd;
}

int peer_listen_file(const char *path)
{
    union address address;
    socklen_t size = file_address(&address, path);
    int fd = bound_socket(&address, size, SOCK_STREAM);

    start_listening(fd, SOMAXCONN);
    return fd;
}

void peer_await(int fd, short events, const char *what)
{
    struct pollfd polled = {.fd = fd, .events = events};
    int n;

    do {
        n = poll(&polled, 1, HARNESS_WAIT_MS);
    } while (n < 0 && errno == EINTR);
    if (n == 0) {
        UNIT_FAIL_NOW("waited in vain for %s", what);
    }
}

int peer_accept(int listener)
{
    int fd;

    peer_await(listener, POLLIN, "a connection");
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        UNIT_FAIL_NOW("accept: %s", strerror(errno));
    }
    return peer_adopt(fd);
}

int peer_connect(const char *host, int port)
{
    union address address;
    socklen_t size = parse_address(&address, host, port);
    int fd = new_socket(&address, SOCK_STREAM);

    if (connect(fd, &address.any, size) < 0) {
        UNIT_FAIL_NOW("connect to %s port %d: %s", host, port, strerror(errno));
    }
    return fd;
}

int peer_connect_file(const char *path)
{
    union address address;
    socklen_t size = file_address(&address, path);
    int fd = new_socket(&address, SOCK_STREAM);

    if (connect(fd, &address.any, size) < 0) {
        UNIT_FAIL_NOW("connect to %s: %s", path, strerror(errno));
    }
    return fd;
}

int peer_refusing_port(const char *host)
{
    union address address;
    socklen_t size = parse_address(&address, host, 0);

    /* Bound but not listening: nobody else can get the port meanwhile. */
    return peer_local_port(bound_socket(&address, size, SOCK_STREAM));
}

int peer_silent_port(const char *host)
{
    union address address;
    socklen_t size = parse_address(&address, host, 0);
    int fd = bound_socket(&address, size, SOCK_STREAM);
    int port = peer_local_port(fd);

    /* Linux drops a SYN while more connections wait than the backlog says: one, here. */
    start_listening(fd, 0);
    peer_connect(host, port);
    return port;
}

/* ---- Datagrams ---- */

int peer_datagram(const char *host, int *port)
{
    union address address;
    socklen_t size = parse_address(&address, host, 0);
    int fd = bound_socket(&address, size, SOCK_DGRAM);

    *port = peer_local_port(fd);
    return fd;
}

int peer_datagram_file(const char *path)
{
    union address address;
    socklen_t size;

    if (!path) {
        address.any.sa_family = AF_UNIX;
        return new_socket(&address, SOCK_DGRAM);
    }
    size = file_address(&address, path);
    return bound_socket(&address, size, SOCK_DGRAM);
}

static void send_to(int fd, const union address *address, socklen_t address_size,
                    const void *data, size_t size)
{
    if (sendto(fd, data, size, MSG_NOSIGNAL, &address->any, address_size) !=
        (ssize_t)size) {
        UNIT_FAIL_NOW("sendto: %s", strerror(errno));
    }
}

void peer_send(int fd, const char *host, int port, const void *data, size_t size)
{
    union address address;
    socklen_t address_size = parse_address(&address, host, port);

    send_to(fd, &address, address_size, data, size);
}

void peer_send_file(int fd, const char *path, const void *data, size_t size)
{
    union address address;
    socklen_t address_size = file_address(&address, path);

    send_to(fd, &address, address_size, data, size);
}

size_t peer_receive(int fd, void *data, size_t room)
{
    ssize_t n;

    peer_await(fd, POLLIN, "a datagram");
    n = recv(fd, data, room, 0);
    if (n < 0) {
        UNIT_FAIL_NOW("recv: %s", strerror(errno));
    }
    return (size_t)n;
}

/* ---- Streams ---- */

void peer_write(int fd, const void *data, size_t size)
{
    const char *rest = data;
    ssize_t n;

    while (size > 0) {
        peer_await(fd, POLLOUT, "room to write");
        n = send(fd, rest, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            UNIT_FAIL_NOW("a peer cannot write: %s", strerror(errno));
        }
        if (n > 0) {
            rest += n;
            size -= (size_t)n;
        }
    }
}

void peer_print(int fd, const char *text) { peer_write(fd, text, strlen(text)); }

size_t peer_read(int fd, void *data, size_t room)
{
    ssize_t n;

    peer_await(fd, POLLIN, "bytes");
    n = recv(fd, data, room, 0);
    if (n < 0) {
        UNIT_FAIL_NOW("a peer cannot read: %s", strerror(errno));
    }
    return (size_t)n;
}

void peer_expect_from(size_t (*read)(void *source, void *data, size_t room), void *source,
                      const void *data, size_t size)
{
    const char *wanted = data;
    char got[4096];
    size_t done = 0, n;

    while (done < size) {
        n = read(source, got, size - done < sizeof(got) ? size - done : sizeof(got));
        if (n == 0) {
            UNIT_FAIL_NOW("the stream ended after %zu of %zu bytes", done, size);
        }
        if (memcmp(got, wanted + done, n) != 0) {
            UNIT_FAIL_NOW("other bytes than wanted near byte %zu: \"%.*s\"", done,
                          (int)(n < 60 ? n : 60), got);
        }
        done += n;
    }
}

static size_t read_descriptor(void *source, void *data, size_t room)
{
    return peer_read(*(int *)source, data, room);
}

void peer_expect(int fd, const void *data, size_t size)
{
    peer_expect_from(read_descriptor, &fd, data, size);
}

void peer_expect_text(int fd, const char *text) { peer_expect(fd, text, strlen(text)); }

void peer_expect_end(int fd)
{
    char byte;

    if (peer_read(fd, &byte, 1) != 0) {
        UNIT_FAIL_NOW("a peer got a byte (%d) where the stream should end", byte);
    }
}

void peer_expect_reset(int fd)
{
    char rest[4096];
    ssize_t n;

    do {
        peer_await(fd, POLLIN, "a reset");
        n = recv(fd, rest, sizeof(rest), 0);
    } while (n > 0);
    if (n == 0 || errno != ECONNRESET) {
        UNIT_FAIL_NOW("a peer saw %s instead of a reset",
                      n == 0 ? "an end" : strerror(errno));
    }
}

void peer_shut_output(int fd)
{
    if (shutdown(fd, SHUT_WR) < 0) {
        UNIT_FAIL_NOW("shutdown: %s", strerror(errno));
    }
}
