/* SPDX-License-Identifier: MIT */
/*
 * internal.h - what the files of libsockd know of each other.
 *
 * The files, lowest first: error.c; wire.c (bytes to and from the daemon); call.c
 * (requests and replies, matched by id); request.c (requests put together); submit.c,
 * attach.c, connection.c; fields.c (C structs to JSON and back); the files of operations.
 *
 * Blocking calls share one connection without a thread of its own: one of the waiting
 * threads, the reader, polls and reads the socket for all of them and hands each reply to
 * its call; the others sleep on a condition of their own. A reader that has its reply
 * passes the role on. The lock of a connection is never held over anything that blocks.
 */
#ifndef SOCKD_LIB_INTERNAL_H
#define SOCKD_LIB_INTERNAL_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "lib/sockd.h"
#include "proto/frame.h"
#include "proto/writer.h"

enum {
    N_BUCKETS = 64,          /* of the table of calls; a power of 2 */
    INPUT_SIZE = 32768,      /* read from the socket at once */
    MAX_DESCRIPTORS = 16,    /* received and not yet matched to their replies */
    PREFIX_SIZE = 48,        /* room for the beginning of a line, with the id */
    OUTPUT_LIMIT = 16 << 20, /* bytes that may wait for a daemon that does not read */
};

/* Points of CLOCK_MONOTONIC in nanoseconds; NEVER: no limit. */
#define NEVER INT64_MAX

/* What came of a call. */
struct answer {
    int status;    /* SOCKD_OK: `body` is the text of a result or of an error object */
    bool is_error; /* which of them */
    bool is_fault; /* the connection ended; its `fault` says how */
    bool is_cancelled; /* a cancel was sent at the deadline */
    char *body;        /* NUL-terminated; NULL when `status` says why there is none */
    size_t size;       /* of the body */
    int fd;            /* descriptor that came with it; -1: none */
};

/*
 * One request that was sent and is not finished. Owner: the thread that blocks in it, or
 * the connection for submitted ones. It lies in the connection's table until its reply
 * comes, also when its owner has given up (is_abandoned): the late reply then is known
 * for what it is. Everything here belongs to the connection's lock.
 */
struct call {
    struct call *next;                          /* in its bucket */
    struct call *previous_waiter, *next_waiter; /* blocking calls that wait */
    struct call *next_due; /* submitted calls whose callback is due */
    uint64_t id;
    bool is_in_table, is_waiting, is_due; /* in which of the lists it is */
    bool is_abandoned;
    bool takes_fd; /* its result comes with a descriptor */
    bool is_done;  /* `answer` is set */
    struct answer answer;
    int64_t deadline;
    pthread_cond_t ready; /* blocking: it is done, or the reader's role is free */
    sockd_reply_fn *done; /* submitted calls; else NULL */
    void *context;
};

/* Lines that could not be sent at once. */
struct output {
    char *data;
    size_t start, size, room; /* of `size` bytes the first `start` are sent */
};

struct sockd {
    pthread_mutex_t lock;
    pid_t pid;   /* the process it belongs to: a child of fork() may only disconnect */
    int fd;      /* -1: given away by attach */
    int wake_fd; /* an eventfd that gets the reader out of poll() */
    bool is_reading;    /* a thread is the reader */
    bool reader_writes; /* and it polls for room to write, too */
    bool is_exclusive;  /* attach is under way: no other calls */
    bool is_dead;       /* `fault` is what every call fails with */
    struct sockd_error fault;
    uint64_t last_id;
    struct call *buckets[N_BUCKETS];
    unsigned n_calls;    /* in the table and not abandoned */
    unsigned n_fd_calls; /* in the table, whose reply brings a descriptor */
    struct call *waiters;
    struct output output;
    bool is_mute; /* the daemon takes nothing more; what it sent is still to be read */
    _Atomic(double) default_timeout;
    int64_t grace; /* ns: how long an answer to a cancel, or a late one, is awaited */
    size_t message_limit; /* longest line that the daemon takes; 0: not known */
    /* reading; belongs to the reader, or to the lock while there is none */
    struct frame frame;
    int descriptors[MAX_DESCRIPTORS];
    unsigned n_descriptors;
    char input[INPUT_SIZE];
    /* submitted requests */
    struct call *first_due, *last_due;
    pthread_cond_t due;            /* a call became due, or the reader's role is free */
    unsigned n_processing;         /* threads that wait on `due` */
    int64_t next_expiry;           /* no submitted call has an earlier deadline */
    int poll_fd, due_fd, timer_fd; /* -1 until sockd_fd() is called */
    bool poll_writes;              /* poll_fd watches for room to write */
};

/* ---- error.c ---- */

int fail(struct sockd_error *error, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int fail_errno(struct sockd_error *error, int status, int errnum, const char *action);
int fail_parameter(struct sockd_error *error, const char *parameter, const char *wanted);
int fail_limit(struct sockd_error *error, const char *limit, int64_t value);
int fail_memory(struct sockd_error *error);
/* From the error object of a reply; returns its status. */
int fail_reply(struct sockd_error *error, const json_t *object);
/* Copies *from; returns its status. */
int fail_copy(struct sockd_error *error, const struct sockd_error *from);

/* ---- wire.c: all with the lock held ---- */

struct iovec;
struct msghdr;

/* Sends what can be sent without blocking and keeps the rest. `parts` make up whole
 * lines. */
int wire_send(struct sockd *connection, struct iovec *parts, int n_parts,
              struct sockd_error *error);
/* Sends kept lines as far as possible. */
void wire_flush(struct sockd *connection);
/* Becomes the reader until something came or `deadline` passed, or another thread asks
 * for attention; the lock is open meanwhile. There must be no reader. With `deadline` 0
 * it does not wait. Finished calls are marked and their threads woken. */
void wire_read(struct sockd *connection, int64_t deadline);
/* Hands one line to the call it answers. False: the connection is dead now. */
bool wire_take_line(struct sockd *connection, const char *line, size_t size);
/* Keeps descriptors that came with bytes of the stream. */
void wire_take_descriptors(struct sockd *connection, struct msghdr *message);
/* Ends everything: all calls fail with this error. */
void wire_die(struct sockd *connection, int status, int errnum, const char *message);
/* Gets the reader out of its wait; it then looks at everything again. */
void wire_wake(struct sockd *connection);
/* Puts poll_fd in step with what there is to send. */
void wire_update_poll(struct sockd *connection);

/* ---- call.c ---- */

int64_t now_ns(void);
/* The moment that is `timeout` seconds away. False: `timeout` is no time. */
bool deadline_after(double timeout, double default_timeout, int64_t *deadline);
/* A time in nanoseconds, for waits. */
struct timespec;
void timespec_of(int64_t ns, struct timespec *time);

/* Takes the lock when the connection can be used; else returns the error's status,
 * unlocked. */
int connection_enter(struct sockd *connection, struct sockd_error *error);
/* Passes the reader's role on when it is free, and opens the lock. */
void connection_leave(struct sockd *connection);

/* Registers a call and sends its line: the beginning with the id, then `rest`. Lock held.
 */
int call_start(struct sockd *connection, const char *rest, size_t size, bool takes_fd,
               struct call **call, struct sockd_error *error);
/* Sends the notification that cancels a call. Lock held. */
void call_cancel(struct sockd *connection, struct call *call);
struct call *call_find(struct sockd *connection, uint64_t id); /* lock held; NULL: none */
/* Takes a call out of the table and gives it its answer, whose body it owns then. Lock
 * held. */
void call_finish(struct sockd *connection, struct call *call,
                 const struct answer *answer);
/* Gives up: what comes later is dropped. Lock held. */
void call_abandon(struct sockd *connection, struct call *call);
/* Moves the answer out and frees the call, or leaves it to its late reply. Lock held. */
void call_take(struct sockd *connection, struct call *call, struct answer *answer);
/* Parses a text; NULL: it is none, or ERROR_INTERNAL: there was no memory. A new
 * reference. */
struct error;
json_t *read_json(const char *text, size_t size, struct error *why);
/* Reads an answer and frees it. SOCKD_OK: *result is a new reference; `text` (may be
 * NULL) takes the body over. Lock not held. */
int answer_read(struct sockd *connection, struct answer *answer, json_t **result,
                char **text, struct sockd_error *error);

/* ---- request.c ---- */

/* A request that is being written: the text that follows the id of its line. */
struct request {
    struct sockd *connection;
    struct sockd_error *error;
    struct writer writer;
    int64_t deadline;
    int status;     /* not SOCKD_OK: a parameter was wrong, *error says which */
    bool takes_fd;  /* the reply brings a descriptor */
    bool is_secret; /* the text is wiped before it is freed */
    int fd;         /* that descriptor; -1: none */
};

/* Opens the parameters of a request; the caller writes members and ends with
 * request_result() or request_done(), whatever happened in between. `method` is a plain
 * name. */
void request_begin(struct request *request, struct sockd *connection, const char *method,
                   double timeout, struct sockd_error *error);
/* The same for methods that take the parameter timeout: the daemon is told the time, and
 * the library waits a little longer than that. */
void request_begin_waiting(struct request *request, struct sockd *connection,
                           const char *method, double timeout, struct sockd_error *error);
/* A whole request from texts of the program, checked. */
void request_from_text(struct request *request, struct sockd *connection,
                       const char *method, const char *params, double timeout,
                       struct sockd_error *error);
void request_socket(struct request *request, int64_t socket); /* the parameter "socket" */
/* A port by its number, or by the name of its service; neither: absent. */
void request_port(struct request *request, const char *name, int number,
                  const char *service);
void request_int(struct request *request, const char *name, int64_t value);
void request_seconds(struct request *request, const char *name, double seconds);
void request_bool(struct request *request, const char *name, bool value);
/* NULL: the parameter is required, and missing. */
void request_text(struct request *request, const char *name, const char *text);
/* The same for a secret: what is sent is wiped afterwards. */
void request_secret(struct request *request, const char *name, const char *text);
/* TLS contexts: one by its handle (not 0), one by its name, or several. */
void request_contexts(struct request *request, const char *name, int64_t handle,
                      const char *context_name, const int64_t *handles, size_t n);
/* Bytes, as UTF-8 where they are and that is shorter, else as base64, and `encoding`. */
void request_data(struct request *request, const char *name, const void *bytes,
                  size_t size);
/* Notes that a parameter is wrong. */
void request_bad(struct request *request, const char *parameter, const char *wanted);
/* Sends it, waits, and answers the result: a new reference. Frees the request. */
int request_result(struct request *request, json_t **result);
/* For results that do not matter. */
int request_done(struct request *request);
/* For results that are wanted as text, for sockd_free(). */
int request_result_text(struct request *request, char **result);
/* Closes the parameters: the text is complete. Lock not held. */
int request_end(struct request *request);
void request_fini(struct request *request);

/* ---- pem.c ---- */

/* Writes what a file holds; `kind` is the spec of its row: "file", "directory", "line".
 */
void pem_write(struct request *request, const char *name, const char *kind,
               const char *path);

/* ---- data.c: members of results ---- */

/* Copies the bytes of the member, written as the member `encoding` says. They must fit.
 */
int data_out(const json_t *json, const char *member, void *buffer, size_t room,
             size_t *size, struct sockd_error *error);
/* Copies a text member, "" for null; `to` NULL: no-op. A small `size` is the caller's
 * fault. */
int text_out(const json_t *json, const char *member, char *to, size_t size,
             struct sockd_error *error);

/* ---- submit.c ---- */

/* Puts a finished submitted call into the list of those whose callback is due. Lock held.
 */
void submit_due(struct sockd *connection, struct call *call);
/* Runs the callbacks of what is left, after the end of the connection. */
void submit_fini(struct sockd *connection);

#endif
