/* SPDX-License-Identifier: MIT */
/*
 * connection_life.h - the inside of a control connection, for the files that read from it
 * and write to it.
 *
 * connection.c reads and writes the descriptor and decides when it ends; dispatch.c takes
 * its lines; call.c brings its replies; handover.c turns it into a raw stream; desk.c
 * ends it with the thread.
 */
#ifndef SOCKD_CONTROL_CONNECTION_LIFE_H
#define SOCKD_CONTROL_CONNECTION_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "daemon/base/buffer.h"
#include "daemon/base/loop.h"
#include "daemon/control/call.h"
#include "daemon/control/request.h"
#include "daemon/control/session.h"
#include "proto/frame.h"
#include "proto/writer.h"

struct desk;

enum { CONNECTION_MAGIC = 0xc0221ec7 };

enum connection_state {
    CONNECTION_OPEN,
    CONNECTION_STREAMING, /* a request is under way that may make it a raw stream */
    CONNECTION_HANDING,   /* its reply is being written */
    CONNECTION_ATTACHED,  /* the descriptor is with the socket; a shell stays */
    CONNECTION_REFUSING,  /* an error was the last word: written, shut, input discarded */
    CONNECTION_GONE,      /* waits for the replies of its requests, to drop them */
};

/* What is watched of the descriptor. */
enum connection_watch {
    WATCH_NOTHING,
    WATCH_INPUT,
    WATCH_BOTH, /* output is stuck */
    WATCH_END,  /* nothing is read: room for output, and that the client goes away */
};

/* A descriptor that goes with a byte of the output. */
struct passing {
    struct passing *next;
    uint64_t offset; /* of the byte, counted from the first one of the connection */
    int fd;
};

/* Where the stream goes when the reply is written. */
struct connection_heir {
    int worker;
    int64_t socket;
    request_stream_start *start;
};

/* Owner: the desk of its home; it ends with connection_settle() in state GONE. Idle it
 * stays under 4 KiB with all it points to. */
struct connection {
    unsigned magic;
    struct loop *loop;               /* home */
    struct connection *next, **link; /* of the desk */
    int fd;
    enum connection_state state;
    enum connection_watch watch;
    struct io input_io, output_io; /* WATCH_END: input_io alone, for both */
    struct timer timer;            /* until a client that does not read is closed */
    struct later later;            /* settles it after others brought replies */
    struct caller caller;
    struct session session;
    int64_t connected; /* seconds since 1970 */
    uint64_t n_requests, bytes_in, bytes_out;

    /* Input */
    struct frame frame;
    struct buffer held; /* read, but not yet of use: belongs to a stream, or waits for
                           output to be read */
    bool has_end;       /* the client has shut its writing side */
    bool is_leaving;    /* the client has gone, its bytes are for a stream to come */
    bool is_busy;       /* a callback works on it, and settles it at its end */

    /* Output */
    struct writer output; /* whole lines */
    size_t n_sent;        /* bytes of it that were sent */
    struct passing *passings, *last_passing;
    bool is_shut;                   /* our writing side */
    const struct request *replying; /* is writing its reply; NULL: nobody */

    struct call_list calls;
    uint64_t workers; /* bit i: worker i may have sockets of it */
    struct connection_heir heir;
};

struct caller *connection_caller(struct connection *connection);
struct call_list *connection_calls(struct connection *connection);

/* Replies can still reach the client. */
bool connection_takes_replies(const struct connection *connection);
/* Whole lines are written here, each ended with connection_end_line(). */
struct writer *connection_output(struct connection *connection);
void connection_end_line(struct connection *connection);
/* The descriptor, which it takes, goes with the byte at `start` of the output. */
void connection_pass_fd(struct connection *connection, size_t start, int fd);
/* Bytes of it that are not sent. */
size_t connection_queued(const struct connection *connection);
/* Sends what the client takes; it may be gone afterwards. */
void connection_flush(struct connection *connection);
/* The first descriptor that was to go with the output is sent, or not wanted. */
void connection_drop_passing(struct connection *connection);

/* A line of error without id. */
void connection_complain(struct connection *connection, const struct error *error);
/* The error is the last word: the line is written, then the connection ends. */
void connection_refuse(struct connection *connection, const struct error *error);

/* Its timer: the client did not read, or was refused long enough. */
void connection_time_over(void *arg);
/* Something was written or ended: looks after it, now or soon. */
void connection_touched(struct connection *connection);
/* The client has gone, or is sent away. */
void connection_gone(struct connection *connection);
/* Sends what can be sent, does what is due, frees it when it is over. The last thing a
 * callback does. */
void connection_settle(struct connection *connection);

/* The client has, or gets, a socket in this worker. */
/* Those that it has in this worker are closed. */
void connection_close_sockets_at(const struct connection *connection, int worker);
void connection_has_socket_at(struct connection *connection, int worker);

/* handover.c: the stream is to go to `worker`; the request for it failed; the reply has
 * been written. */
void connection_hand_over(struct connection *connection, int worker, int64_t socket,
                          request_stream_start *start);
void connection_stays(struct connection *connection);
void connection_hand_over_now(struct connection *connection);

/* For the desk: stop reading requests; is all output written; end all; free all. */
void connection_stop_all(struct desk *desk);
bool connection_all_written(struct desk *desk);
void connection_end_all(struct desk *desk);
void connection_free_all(struct desk *desk);

/* dispatch.c: takes one line, whose requests may end before this returns. */
void dispatch_line(struct connection *connection, char *line, size_t size);
/* Once, before the workers start. */
void dispatch_setup(void);

#endif
