/* SPDX-License-Identifier: MIT */
/*
 * fuzz_side.h - our side of fuzz_tls_data.c: a stream, what waits on it, what it is
 * joined to, and what it must and may do in the face of an honest peer (honest.h). What
 * is wrong aborts.
 *
 * Thread: the one that runs the test.
 */
#ifndef SOCKD_TESTS_FUZZ_SIDE_H
#define SOCKD_TESTS_FUZZ_SIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "daemon/net/bridge.h"
#include "daemon/net/stream.h"

struct loop;
struct sock;

enum { SIDE_READS = 3, SIDE_WRITES = 4 };

struct side_reader {
    struct read_op read;
    bool is_busy, refuses;
    size_t least, portion;
};

struct side_scribe {
    struct write_op write;
    bool is_busy, is_finish;
    size_t end; /* of its bytes */
};

/* All zero at the beginning, but for what is said here. */
struct fuzz_side {
    struct loop *loop;                 /* given */
    bool allows_truncation, is_narrow; /* given */
    int64_t handle;                    /* given */
    struct side_reader readers[SIDE_READS];
    struct side_scribe scribes[SIDE_WRITES];

    size_t delivered;    /* to readers, or through the bridge */
    enum stream_end end; /* that a reader was told */
    bool has_failed;     /* the input */
    bool is_input_shut, is_output_shut;
    size_t asked, accepted, flushed; /* bytes of writes */
    bool is_closed, is_aborted;
    bool is_interrupted; /* just being done */

    int far;        /* the other end of what we are joined to; -1: none, given */
    int64_t second; /* what we are joined to; -1: nothing, given */
    bool is_joined, was_far_used, is_far_shut;
    bool has_report;
    struct bridge_report report;
};
extern struct fuzz_side run;

/* Rounds of the loop. */
void side_turn(unsigned n_rounds);
/* A sock with a plain stream over one end of a pair. */
struct sock *side_open(int fds[2]);
/* The sock, when data operations may start on it; NULL otherwise. */
struct sock *side_sock(void);

/* NULL: as many wait as can. How: 1 peeks, 2 refuses what it sees. */
struct side_reader *side_read(struct sock *sock, size_t least, size_t limit,
                              size_t portion, unsigned how);
void side_write(struct sock *sock, size_t size, bool is_flush);
void side_finish(struct sock *sock);
void side_force(struct sock *sock);
bool side_is_reading(void);
bool side_is_writing(void);
/* What is said to be ready must be. */
void side_look(struct sock *sock);
void side_shut(struct sock *sock, bool is_output);
void side_close(bool is_abort);
void side_interrupt(unsigned mask);

/* What the stream is joined to, and its other end. */
void side_join(struct sock *sock);
void side_far_hear(void);
void side_far_say(size_t size);
void side_far_shut(bool is_all);

#endif
