/* SPDX-License-Identifier: MIT */
/*
 * transport.h - the bytes of a stream on their way to and from the kernel: one interface.
 *
 * stream.c does all its I/O through the transport of the stream and never touches the
 * descriptor itself, so that the logic of reads, writes and ends is the same whatever
 * lies below. transport_plain is the descriptor as it is; a session that encrypts brings
 * another one, and its state in stream->session.
 *
 * Thread: the sock's home.
 */
#ifndef SOCKD_NET_TRANSPORT_H
#define SOCKD_NET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/error.h"

struct sock;

enum transport_result {
    TRANSPORT_OK,        /* *n bytes, at least one */
    TRANSPORT_AGAIN,     /* nothing before the next readiness; sock->can_... is cleared */
    TRANSPORT_END,       /* the peer's end of file */
    TRANSPORT_TRUNCATED, /* the end came without the farewell the transport demands */
    TRANSPORT_FAILED,    /* *fault says how */
};

/* Small enough to be kept in an idle stream; transport_explain() makes an error of it. */
struct transport_fault {
    enum error_id id; /* ERROR_NONE: none */
    int errnum;       /* 0: not from the system */
};

/* What transport's `state` answers. */
enum transport_state {
    TRANSPORT_READABLE =
        1,                /* receive() would answer at once: bytes, the end, a failure */
    TRANSPORT_BROKEN = 2, /* the connection has failed */
};

struct transport {
    const char *name;
    enum transport_result (*receive)(struct sock *sock, void *bytes, size_t size,
                                     size_t *n, struct transport_fault *fault);
    enum transport_result (*send)(struct sock *sock, const void *bytes, size_t size,
                                  size_t *n, struct transport_fault *fault);
    /* Tells the peer that no more comes. OK, AGAIN or FAILED. */
    enum transport_result (*shutdown_output)(struct sock *sock,
                                             struct transport_fault *fault);
    /* No more input is wanted. */
    void (*shutdown_input)(struct sock *sock);
    /* Of enum transport_state. Consumes nothing, not even a pending error. */
    unsigned (*state)(const struct sock *sock);
    /* Frees what stream->session holds; NULL: it holds nothing. */
    void (*fini)(struct sock *sock);

    /* What follows is for transports with bytes and events of their own; NULL: as the
     * descriptor. */

    /* The descriptor became ready for `what` (IO_...; 0: the transport has asked to be
     * called). Returns what the stream may try now; sock->can_... is set accordingly. */
    unsigned (*ready)(struct sock *sock, unsigned what);
    /* Bytes behind send() and shutdown_output() that the kernel has not taken yet. */
    size_t (*unsent)(const struct sock *sock);
    /* Says goodbye before the descriptor is closed, unless that was done. What the kernel
     * does not take at once is told by unsent(). */
    void (*farewell)(struct sock *sock);
    /* Instead of transport_explain(). */
    void (*explain)(const struct sock *sock, const struct transport_fault *fault,
                    const char *action, struct error *error);

    /* May the sock go to another thread now? NULL: always. */
    bool (*may_travel)(const struct sock *sock);

    /* What follows moves bytes between the kernel's buffers without copying them
     * (splice(2)); NULL: this transport has to see its bytes. `pipe` is empty before
     * receive_pipe() and has at least `size` bytes before send_pipe(). OK with *n 0: it
     * does not go this way now, use receive() or send(). `looks_first`: it is likely that
     * there is nothing. */
    enum transport_result (*receive_pipe)(struct sock *sock, int pipe, size_t size,
                                          bool looks_first, size_t *n,
                                          struct transport_fault *fault);
    enum transport_result (*send_pipe)(struct sock *sock, int pipe, size_t size,
                                       size_t *n, struct transport_fault *fault);
};

/* The same for a descriptor that is no sock's; *can_read is cleared on AGAIN, and errno
 * says how it has FAILED. */
enum transport_result transport_receive_pipe(int fd, int pipe, size_t size,
                                             bool looks_first, size_t *n, bool *can_read);
enum transport_result transport_send_pipe(int fd, int pipe, size_t size, size_t *n);

/* Reads what the kernel has and forgets it. False: nothing more for now. */
bool transport_discard(int fd, void *memory, size_t size);

/* `action`: "read", "write". */
void transport_explain(const struct transport_fault *fault, const char *action,
                       struct error *error);

extern const struct transport transport_plain;

#endif
