/* SPDX-License-Identifier: MIT */
/*
 * fuzz_side.c - our side of fuzz_tls_data.c, and the checks of what it is told.
 *
 * Calls the daemon's modules directly. Thread: the one that runs the test.
 */
#include <config.h>
#include "tests/fuzz_side.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/loop.h"
#include "daemon/net/sock.h"
#include "tests/fuzz_rig.h"
#include "tests/honest.h"

enum { NARROW_BUFFER = 4 * 1024 };

struct fuzz_side run;

void side_turn(unsigned n_rounds) { fuzz_rig_run(run.loop, n_rounds); }

/* ---- Our side ---- */

/* The sock, when data operations may start on it; NULL otherwise. */
struct sock *side_sock(void)
{
    struct sock *sock = sock_find(run.loop, run.handle);
    struct error error;

    return sock != NULL && stream_get(sock, &error) != NULL ? sock : NULL;
}

static void check_failure(const struct error *error)
{
    switch ((int)error->id) {
    case ERROR_SHUTDOWN:
        honest_must(run.is_input_shut || run.is_output_shut, "shut down by nobody");
        break;
    case ERROR_SOCKET_CLOSED:
        honest_must(run.is_closed, "closed by nobody");
        break;
    case ERROR_INTERRUPTED:
        honest_must(run.is_interrupted, "interrupted by nobody");
        break;
    default:
        honest_must(honest_may_fail(), "a failure without a reason");
        break;
    }
}

static void check_end(enum stream_end end, size_t delivered)
{
    if (end == STREAM_END_CLEAN) {
        honest_must(honest_may_end(delivered, run.allows_truncation),
                    "a clean end that was none, or before its time");
    } else if (end == STREAM_END_TRUNCATED) {
        honest_must(honest_may_be_cut(delivered), "a cut that was none");
    } else if (end == STREAM_END_ERROR) {
        honest_must(honest_may_fail(), "an error without a reason");
    }
}

static enum take_result take(struct read_op *read, const struct stream_view *view,
                             size_t *consumed, struct error *error)
{
    struct side_reader *reader = (struct side_reader *)read;

    honest_must(run.delivered + view->size <= honest.possible,
                "more than was sent is delivered");
    honest_check(true, run.delivered, view->bytes, view->size);
    check_end(view->end, run.delivered + view->size);
    if (view->size < reader->least && !view->is_full && view->end == STREAM_END_NONE) {
        return TAKE_WAIT;
    }
    if (reader->refuses) {
        (void)error_set(error, ERROR_INTERRUPTED, "refused");
        return TAKE_FAILED;
    }
    size_t n = view->size < reader->portion ? view->size : reader->portion;

    if (view->size == 0) {
        read->told_end = true;
        run.end = view->end;
    }
    if (!read->is_peek) {
        run.delivered += n;
    }
    *consumed = n;
    return TAKE_DONE;
}

static void read_done(struct op *op, const struct error *error)
{
    struct side_reader *reader = (struct side_reader *)op;

    honest_must(reader->is_busy, "a read that ends twice");
    reader->is_busy = false;
    if (error == NULL || reader->refuses) {
        return;
    }
    check_failure(error);
    if (error->id != ERROR_SHUTDOWN && error->id != ERROR_SOCKET_CLOSED &&
        error->id != ERROR_INTERRUPTED) {
        run.has_failed = true;
        honest_must(run.delivered >= honest.certain && run.delivered <= honest.possible,
                    "a failure before its time");
    }
}

/* NULL: all of them wait. */
struct side_reader *side_read(struct sock *sock, size_t least, size_t limit,
                              size_t portion, unsigned how)
{
    for (unsigned i = 0; i < SIDE_READS; i++) {
        struct side_reader *reader = &run.readers[i];
        if (!reader->is_busy) {
            *reader = (struct side_reader){
                .is_busy = true,
                .refuses = (how & 2) != 0,
                .least = least,
                .portion = portion,
            };
            reader->read.take = take;
            reader->read.limit = limit > 0 ? limit : 1;
            reader->read.is_peek = (how & 1) != 0;
            reader->read.op.name = "read";
            reader->read.op.done = read_done;
            stream_read(sock, &reader->read, -1);
            return reader;
        }
    }
    return NULL;
}

bool side_is_writing(void)
{
    bool is_busy = false;

    for (unsigned i = 0; i < SIDE_WRITES; i++) {
        is_busy = is_busy || run.scribes[i].is_busy;
    }
    return is_busy;
}

/* Bytes of the other end of a bridge may still be there, unread; those that were held
 * back at a shutdown are gone. */
static void note_flushed(void)
{
    if (!run.was_far_used && !run.is_output_shut) {
        run.flushed = run.accepted;
    }
}

static void write_done(struct op *op, const struct error *error)
{
    struct side_scribe *scribe = (struct side_scribe *)op;

    honest_must(scribe->is_busy, "a write that ends twice");
    scribe->is_busy = false;
    if (error != NULL) {
        check_failure(error);
        /* Those behind it fail as well: their bytes may be written again. */
        if (!side_is_writing()) {
            run.asked = run.accepted;
        }
        return;
    }
    if (scribe->is_finish) {
        note_flushed();
        return;
    }
    honest_must(scribe->end >= run.accepted, "writes that change places");
    run.accepted = scribe->end;
    if (scribe->write.is_flush && !run.was_far_used) {
        run.flushed = scribe->end;
    }
}

static struct side_scribe *free_scribe(void)
{
    for (unsigned i = 0; i < SIDE_WRITES; i++) {
        if (!run.scribes[i].is_busy) {
            run.scribes[i] = (struct side_scribe){.is_busy = true};
            run.scribes[i].write.op.name = "write";
            run.scribes[i].write.op.done = write_done;
            return &run.scribes[i];
        }
    }
    return NULL;
}

void side_write(struct sock *sock, size_t size, bool is_flush)
{
    size_t left = HONEST_MAX_BYTES - run.asked;

    size = size < left ? size : left;
    /* What fails, or is not read, would leave a gap. */
    if (run.is_output_shut || run.was_far_used || honest_may_fail()) {
        size = 0;
    }
    struct side_scribe *scribe = free_scribe();

    if (scribe == NULL) {
        return;
    }
    scribe->write.bytes = honest_pattern(false) + run.asked;
    scribe->write.size = size;
    scribe->write.is_flush = is_flush;
    run.asked += size;
    scribe->end = run.asked;
    stream_write(sock, &scribe->write, -1);
}

void side_finish(struct sock *sock)
{
    struct side_scribe *scribe = free_scribe();

    if (scribe != NULL) {
        scribe->is_finish = true;
        stream_finish(sock, &scribe->write, -1);
    }
}

void side_force(struct sock *sock)
{
    struct error error;

    if (stream_force(sock, &error)) {
        note_flushed();
    } else {
        check_failure(&error);
    }
}

bool side_is_reading(void)
{
    bool is_busy = false;

    for (unsigned i = 0; i < SIDE_READS; i++) {
        is_busy = is_busy || run.readers[i].is_busy;
    }
    return is_busy;
}

/* What is said to be ready must be. */
void side_look(struct sock *sock)
{
    if (stream_input_failed(sock)) {
        honest_must(honest_may_fail() || run.is_input_shut, "a failure that was none");
    }
    if (stream_output_failed(sock)) {
        honest_must(honest_may_fail() || run.is_output_shut, "a failure that was none");
    }
    (void)stream_output_ready(sock);
    if (stream_input_ready(sock) && !side_is_reading()) {
        struct side_reader *reader = side_read(sock, 1, 1, 1, 1);
        honest_must(!reader->is_busy, "ready, and yet nothing is there");
    }
}

void side_shut(struct sock *sock, bool is_output)
{
    if (is_output) {
        run.is_output_shut = true;
    } else {
        run.is_input_shut = true;
    }
    stream_shutdown(sock, is_output ? OP_OUTPUT : OP_INPUT);
}

void side_close(bool is_abort)
{
    struct sock *sock = sock_find(run.loop, run.handle);

    if (sock != NULL) {
        run.is_closed = true;
        run.is_aborted = is_abort;
        sock_close(sock, is_abort);
    }
}

/* ---- The bridge ---- */

static void bridge_is_over(void *arg, const struct bridge_report *report)
{
    (void)arg;
    honest_must(!run.has_report, "a bridge that ends twice");
    run.has_report = true;
    run.report = *report;
    run.is_joined = false;
    if (report->end == BRIDGE_END_CLEAN) {
        honest_must(run.is_input_shut ||
                        honest_may_end(honest.certain, run.allows_truncation),
                    "a bridge that ends well although it was cut");
        run.flushed = run.is_output_shut ? run.flushed : run.accepted;
    } else if (report->end == BRIDGE_END_CUT) {
        honest_must(honest_may_fail() || honest.is_cut || run.far < 0,
                    "a bridge is cut by nobody");
    }
}

void side_far_hear(void)
{
    static uint8_t bytes[64 * 1024];
    ssize_t n;

    while (run.far >= 0 && (n = recv(run.far, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
        honest_must(run.delivered + (size_t)n <= honest.possible,
                    "more than was sent is relayed");
        honest_check(true, run.delivered, bytes, (size_t)n);
        run.delivered += (size_t)n;
    }
}

void side_far_say(size_t size)
{
    size_t left = HONEST_MAX_BYTES - run.asked;

    if (run.far < 0 || run.is_far_shut || side_is_writing()) {
        return;
    }
    ssize_t n = send(run.far, honest_pattern(false) + run.asked,
                     size < left ? size : left, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n > 0) {
        run.was_far_used = true;
        run.asked += (size_t)n;
        run.accepted = run.asked;
    }
}

void side_far_shut(bool is_all)
{
    if (run.far < 0) {
        return;
    }
    run.is_far_shut = true;
    if (is_all) {
        side_far_hear();
        (void)close(run.far);
        run.far = -1;
    } else {
        (void)shutdown(run.far, SHUT_WR);
    }
}

static void narrow(int fd)
{
    if (run.is_narrow) {
        static const int size = NARROW_BUFFER;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
}

struct sock *side_open(int fds[2])
{
    static const struct sock_spec spec = {.connect = SOCK_CONNECT_ACTIVE,
                                          .family = SOCK_FAMILY_FILE};
    struct error error;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    narrow(fds[0]);
    narrow(fds[1]);
    struct sock *sock = sock_new(&spec, &error);

    CHECK(sock != NULL && sock_set_fd(sock, fds[0]) == 0);
    stream_open(sock);
    return sock;
}

void side_join(struct sock *sock)
{
    static const struct bridge_rules rules = {.is_kept = true};
    struct sock *second = sock_find(run.loop, run.second);
    struct error error;
    int fds[2];

    if (stream_get_whole(sock, &error) == NULL) {
        return;
    }
    if (second == NULL && run.far < 0) {
        second = side_open(fds);
        run.second = second->handle;
        run.far = fds[1];
        run.is_far_shut = false;
    }
    if (second != NULL && stream_get_whole(second, &error) != NULL) {
        run.is_joined = true;
        run.has_report = false;
        bridge_start(sock, second, &rules, bridge_is_over, NULL);
    }
}

void side_interrupt(unsigned mask)
{
    struct sock *sock = sock_find(run.loop, run.handle);
    struct error error;

    if (sock != NULL) {
        (void)error_set(&error, ERROR_INTERRUPTED, "interrupted");
        run.is_interrupted = true;
        (void)sock_interrupt(sock, mask, &error);
        side_turn(1);
        run.is_interrupted = false;
        side_far_hear();
        /* The bridge may have passed on the end of the other side. */
        run.is_output_shut = run.is_output_shut ||
                             (side_sock() != NULL && sock->as.stream->is_output_ending);
    }
}
