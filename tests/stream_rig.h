/* SPDX-License-Identifier: MIT */
/*
 * stream_rig.h - for unit tests of the stream module: a loop, a stream, its peer, and
 * operations on it.
 *
 * rig_before() and rig_after() surround each test. Thread: the one that runs the test.
 */
#ifndef SOCKD_TESTS_STREAM_RIG_H
#define SOCKD_TESTS_STREAM_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include "daemon/net/stream.h"
#include "proto/error.h"

struct loop;
struct sock;

struct stream_rig {
    struct loop *loop;
    struct sock *sock;
    int peer; /* the other end; -1: closed */
};

extern struct stream_rig rig;

void rig_before(void);
void rig_after(void);
/* Instead of the pair: a TCP connection, which knows resets. */
void rig_use_tcp(void);
/* Runs the loop until what the kernel tells now is served. */
void rig_run(void);

/* ---- The peer ---- */

void rig_say(const char *text);
/* What it got by now. */
void rig_check_heard(const char *text);
/* Reads and counts all there is. */
size_t rig_hear_all(void);
void rig_close_peer(void);
void rig_reset_peer(void);

/* ---- Reads ---- */

/* Takes at least `least` bytes, at most the limit of the op. */
struct reader {
    struct read_op read;
    size_t least;
    char bytes[1024];
    size_t size;
    enum stream_end end;
    unsigned n_takes, n_done;
    enum error_id error;
};

void rig_start_read(struct reader *reader, size_t least, size_t limit, bool is_peek);
/* A read that must be answered at once. */
void rig_check_read(size_t limit, const char *text, enum stream_end end);
void rig_check_read_fails(enum error_id error);

/* ---- Writes ---- */

struct scribe {
    struct write_op write;
    unsigned n_done;
    enum error_id error;
};

void rig_start_write(struct scribe *scribe, const void *bytes, size_t size,
                     bool is_flush);
void rig_start_finish(struct scribe *scribe);
/* Writes that must be answered at once. */
void rig_check_write(const char *text, bool is_flush);
void rig_check_write_fails(enum error_id error);
/* Fills the kernel, then the buffer of the stream, until a write waits. Returns how many
 * bytes were accepted before. */
size_t rig_fill(struct scribe *waiting, const void *bytes, size_t size);

#endif
