/* SPDX-License-Identifier: MIT */
/*
 * sock.h - one socket: its identity, its states, the operations that wait on it, its end.
 *
 * A sock lives and dies in one worker. What it can do depends on its kind: a stream
 * (stream.h), a listener (listener.h), a datagram socket (datagram.h), or an attempt to
 * connect (connector.h) that becomes a stream. The kind hooks in with a struct sock_kind.
 * sock.c keeps the queues of waiting operations, their time-outs, interrupt and close.
 *
 * Thread: everything here runs in the sock's home thread.
 */
#ifndef SOCKD_NET_SOCK_H
#define SOCKD_NET_SOCK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "daemon/base/loop.h"
#include "proto/error.h"

struct sock;
struct stream;
struct listener;
struct datagram;
struct connector;

/* The order of each enum is that of the words in commands.def. */
enum sock_type { SOCK_TYPE_STREAM, SOCK_TYPE_DATAGRAM };
enum sock_family { SOCK_FAMILY_INTERNET, SOCK_FAMILY_FILE };
enum sock_connect { SOCK_CONNECT_ACTIVE, SOCK_CONNECT_PASSIVE };
enum sock_format {
    SOCK_FORMAT_TEXT,
    SOCK_FORMAT_BINARY,
    SOCK_FORMAT_BIVALENT,
    SOCK_FORMAT_MULTIVALENT
};

enum sock_state {
    SOCK_STATE_CONNECTING, /* make-socket is under way: can be listed and interrupted */
    SOCK_STATE_OPEN,
    SOCK_STATE_LISTENING,
    SOCK_STATE_ATTACHED, /* a control connection is its raw stream */
    SOCK_STATE_CLOSING, /* close was asked: pending output goes out, the handle answers no
                           more */
};

/* How the input of a stream ended. */
enum sock_end {
    SOCK_END_NONE,
    SOCK_END_CLEAN,
    SOCK_END_TRUNCATED,
    SOCK_END_RESET,
    SOCK_END_TIMEOUT,
    SOCK_END_CLOSED,
};

const char *sock_state_name(enum sock_state state);
const char *sock_end_name(enum sock_end end); /* NULL for SOCK_END_NONE */

/* Whose it is. `client` is the control connection that made it; 0: it outlived its
 * connection. */
struct sock_owner {
    uid_t uid;
    pid_t pid;
    int64_t client;
};

enum op_direction { OP_INPUT, OP_OUTPUT };
enum op_result {
    OP_WAIT,   /* nothing to do before the next readiness */
    OP_DONE,   /* finished well */
    OP_FAILED, /* *error is set */
};

/*
 * One operation on one direction of a sock: a read, a write, an accept, a receive, a
 * connect. Embedded in what belongs to the request; operations of one direction are
 * served in order. It ends in exactly one call of `done`, after which the sock knows it
 * no more.
 */
struct op {
    struct op *next, *previous;
    struct sock *sock; /* NULL when not started or ended */
    enum op_direction direction;
    enum error_id timeout_error; /* what it fails with when the timer fires */
    struct timer *timer;         /* NULL: no time-out */
    const char
        *name; /* static: the method that waits, for describe-socket; set by the asker */
    /* Tries to get on; called at the start when no other is before it, and at each
     * readiness. Ends neither the operation nor the sock: the result says what to do. */
    enum op_result (*advance)(struct op *op, struct error *error);
    /* `error` NULL: done well. May start another operation or close the sock. */
    void (*done)(struct op *op, const struct error *error);
};

struct op_queue {
    struct op *first, *last;
    unsigned n;
};

/*
 * An observer of one direction of a sock: wait-for-input-available and its kin. It takes
 * no place in the queue and consumes nothing. `check` runs whenever something may have
 * changed; it looks for itself and may stop any watch of this sock or others. `ended`
 * runs when the sock is closed or interrupted; the watch is stopped then.
 */
struct sock_watch {
    struct sock_watch *next, *previous;
    struct sock *sock; /* NULL: not watching */
    enum op_direction direction;
    const char *name; /* static: the method that waits, as in struct op */
    void (*check)(struct sock_watch *watch);
    void (*ended)(struct sock_watch *watch, const struct error *error);
};

/* An Internet address without the room for others; family 0: none. */
union sock_address {
    sa_family_t family;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* How a kind of socket behaves. */
struct sock_kind {
    const char *name;
    /* The descriptor became ready (IO_READ | IO_WRITE); sock.c runs the queues
     * afterwards. */
    void (*ready)(struct sock *sock, unsigned what);
    /* close was asked: true when the sock can be freed now; false: output is still going
     * out, the kind calls sock_free() when done. `is_abort` drops the output. */
    bool (*close)(struct sock *sock, bool is_abort);
    /* Frees what hangs on the sock's union; NULL: nothing to do. */
    void (*fini)(struct sock *sock);
};

enum { SOCK_MAGIC = 0x50c4d001 };

/* Owner: the worker, through its handle table. Idle it stays under 1 KiB with all it
 * points to. */
struct sock {
    unsigned magic;
    struct loop *loop; /* home */
    int64_t handle;
    const struct sock_kind *kind;
    union {
        struct stream *stream;
        struct listener *listener;
        struct datagram *datagram;
        struct connector *connector;
    } as;
    int fd; /* -1: none yet, or both halves shut */
    enum sock_type type;
    enum sock_family family;
    enum sock_connect connect;
    enum sock_format format;
    enum sock_state state;
    enum sock_end end;
    bool is_ipv6;
    bool can_read, can_write; /* last known readiness (io is edge-triggered) */
    bool is_counted;          /* taken from the owner's quota */
    struct io io;
    struct op_queue ops[2];                  /* by op_direction */
    struct sock_watch *watches, *next_watch; /* the second: of a walk under way */
    struct later later;                      /* runs the queues again, for fairness */
    struct timer *close_timer;               /* bounds CLOSING; NULL before */
    unsigned n_holds;                 /* callers up the stack that need the memory */
    bool is_dead;                     /* freed, but for its memory */
    bool is_telling;                  /* watches are being told */
    union sock_address local, remote; /* remembered where the kernel may forget */
    struct sock_owner owner;
    struct sock *owner_next, **owner_link; /* the other sockets of the same client here */
    char *name;
    char *remote_name; /* the host as it was asked for; NULL: by address, or not by us */
    char *local_filename, *remote_filename; /* file family; NULL: none */
    double read_timeout, write_timeout;     /* seconds, of socket-control; 0: none */
    uint64_t bytes_read, bytes_written;
    int64_t created; /* seconds since 1970 */
    enum error_id last_error;
    int last_errno;
};

/* What every new sock needs. */
struct sock_spec {
    enum sock_type type;
    enum sock_family family;
    enum sock_connect connect;
    enum sock_format format;
    bool is_ipv6;
    struct sock_owner owner;
    const char *name; /* copied; NULL: none */
};

/* A sock with a handle in the running loop's table, in state CONNECTING, without
 * descriptor and kind. NULL: the owner's limit is reached (*error). */
struct sock *sock_new(const struct sock_spec *spec, struct error *error);
/* Gives it its descriptor (takes ownership) and starts watching it, taken for readable
 * and writable until a call says otherwise. 0, or negative errno: then `fd` is closed. */
int sock_set_fd(struct sock *sock, int fd);
/* A send on its descriptor has found no room: the next readiness is waited for. */
void sock_no_room(struct sock *sock);
/* Stops watching and gives the descriptor to the caller; -1: there was none. The
 * addresses stay known. */
int sock_take_fd(struct sock *sock);
/* The same, and closes it: both halves are shut. */
void sock_close_fd(struct sock *sock);
/* Makes it one of `kind` (with its union member set by the caller) in `state`. */
void sock_become(struct sock *sock, const struct sock_kind *kind, enum sock_state state);
/* Fails what waits with socket-closed, closes the descriptor, gives the handle back,
 * frees. */
void sock_free(struct sock *sock);

/* Between the two the memory of the sock stays, even when it is freed meanwhile.
 * sock_release() is false when that happened: then it may not be touched any more. */
void sock_hold(struct sock *sock);
bool sock_release(struct sock *sock);

/* NULL: gone or closing. */
struct sock *sock_find(struct loop *loop, int64_t handle);
/* As sock_find(), with the error no-such-socket. */
struct sock *sock_get(struct loop *loop, int64_t handle, struct error *error);
/* wrong-kind with `wanted` ("a stream", "a listener"); returns false. */
bool sock_wrong_kind(const struct sock *sock, const char *wanted, struct error *error);

/* Starts an operation; it may end (and `done` run) before this returns. `timeout`:
 * seconds, negative: none; 0: what can't be done at once fails with `timeout`. */
void sock_start(struct sock *sock, struct op *op, enum op_direction direction,
                double timeout);
/* Ends it early: `done` runs with `error`. No-op when it has ended. */
void op_end(struct op *op, const struct error *error);
static inline bool op_is_waiting(const struct op *op) { return op->sock != NULL; }
/* Serves both queues as far as readiness allows, then tells the watches. */
void sock_run(struct sock *sock);
/* The same, from the loop, after others had their turn. Call it also when something has
 * changed for those who watch that no event of the descriptor tells. */
void sock_run_later(struct sock *sock);

/* Watches one direction; `check` and `ended` are set by the caller. Nothing is called
 * before something changes: look at the state first. */
void sock_watch(struct sock *sock, struct sock_watch *watch, enum op_direction direction);
/* No-op when it has ended. */
void sock_unwatch(struct sock_watch *watch);
/* Fails every waiting operation, and ends every watch, of the directions in `mask`
 * (1 << op_direction); their number. */
unsigned sock_interrupt(struct sock *sock, unsigned mask, const struct error *error);
/* Asks for the end: waiting operations fail with socket-closed, pending output goes out
 * first unless `is_abort`. The handle answers no more. */
void sock_close(struct sock *sock, bool is_abort);
/* Between workers, see guest.h. leave: it is taken out of its loop and has none, but
 * keeps its handle, to which `away` answers now (NULL: nothing does); nobody waits on it.
 * enter: it lives in the running loop; 0 or negative errno. discard: it never arrived. */
void sock_leave_loop(struct sock *sock, void *away);
int sock_enter_loop(struct sock *sock);
void sock_discard(struct sock *sock);
/* It belongs to somebody else from now on. False: *error, a limit of the new owner is
 * reached. */
bool sock_give(struct sock *sock, const struct sock_owner *owner, struct error *error);
/* It belongs to its user alone from now on and outlives the connection that made it. */
void sock_disown(struct sock *sock);
/* Closes all sockets of a client that has gone. */
void sock_close_client(struct loop *loop, int64_t client);
/* At stop of the loop: everything at once (is_abort), or asking for the orderly end. */
void sock_close_all(struct loop *loop, bool is_abort);
/* The loop keeps no sock any more, closing ones included. */
bool sock_none_left(struct loop *loop);

/* Remembers the last error for describe-socket. Returns `error`. */
const struct error *sock_note(struct sock *sock, const struct error *error);

/* Seconds that pending output may take after close; default 30. */
void sock_set_close_timeout(double seconds);
double sock_close_timeout(void);

/* Addresses as text, asked from the kernel when they are wanted. False: none. */
struct sockaddr_storage;
bool sock_local_address(const struct sock *sock, struct sockaddr_storage *address);
bool sock_remote_address(const struct sock *sock, struct sockaddr_storage *address);

#endif
