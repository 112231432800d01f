/* SPDX-License-Identifier: MIT */
/*
 * peer.h - the other side of the daemon's sockets: plain listeners, connections and
 * datagrams.
 *
 * Ports are chosen by the kernel. Every wait has a deadline, every failure fails the test
 * for good, and every descriptor is closed after the test at the latest. Hosts are
 * numeric, with % and the name of an interface or without.
 *
 * Thread: the one that runs the test.
 */
#ifndef SOCKD_TESTS_PEER_H
#define SOCKD_TESTS_PEER_H

#include <stdbool.h>
#include <stddef.h>

/* Listeners; *port says where. */
int peer_listen(const char *host, int *port);
int peer_listen_file(const char *path);
/* The next connection of a listener. */
int peer_accept(int listener);

int peer_connect(const char *host, int port);
int peer_connect_file(const char *path);

/* Bound datagram sockets. `path` NULL: without a name. */
int peer_datagram(const char *host, int *port);
int peer_datagram_file(const char *path);
/* Sends one datagram; the second form to a file. */
void peer_send(int fd, const char *host, int port, const void *data, size_t size);
void peer_send_file(int fd, const char *path, const void *data, size_t size);
/* Receives one datagram; returns its size. */
size_t peer_receive(int fd, void *data, size_t room);

/* A port where a connection is refused, and one where an attempt gets no answer at all.
 * They stay so until the end of the test. */
int peer_refusing_port(const char *host);
int peer_silent_port(const char *host);

/* All of it, or the test fails. */
void peer_write(int fd, const void *data, size_t size);
void peer_print(int fd, const char *text);
/* At least one byte, at most `room`; 0 at the end of the stream. */
size_t peer_read(int fd, void *data, size_t room);
/* Reads exactly these bytes. */
void peer_expect(int fd, const void *data, size_t size);
void peer_expect_text(int fd, const char *text);
/* The same for any source: `read` answers at least one byte, 0 at the end. */
void peer_expect_from(size_t (*read)(void *source, void *data, size_t room), void *source,
                      const void *data, size_t size);
/* The stream ends here: with an end of file, or with a reset. */
void peer_expect_end(int fd);
void peer_expect_reset(int fd);

void peer_shut_output(int fd);
void peer_close(int fd);
/* Closes with a reset. */
void peer_abort(int fd);

int peer_local_port(int fd);
/* Whether this machine has IPv6 on its loopback. */
bool peer_has_ipv6(void);

/* Waits for poll() events; fails the test for good, naming `what`, when they do not come.
 */
void peer_await(int fd, short events, const char *what);

/* Makes another descriptor end with the test. Returns it. */
int peer_adopt(int fd);

#endif
