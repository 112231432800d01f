/* SPDX-License-Identifier: MIT */
/*
 * stream_rig.c - a stream over a socket pair or loopback TCP in a loop of the test's own,
 * with reads and writes to try on it.
 *
 * Calls the daemon's modules directly. Thread: the one that runs the test.
 */
#include <config.h>
#include "tests/stream_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/loop.h"
#include "tests/unit.h"

struct stream_rig rig;

static void open_over(int fd)
{
    struct sock_spec spec = {.type = SOCK_TYPE_STREAM, .family = SOCK_FAMILY_FILE};
    struct error error;

    rig.sock = sock_new(&spec, &error);
    if (rig.sock == NULL || sock_set_fd(rig.sock, fd) != 0) {
        unit_bail_out("no sock");
    }
    stream_open(rig.sock);
}

void rig_before(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        unit_bail_out("socketpair: %s", strerror(errno));
    }
    rig.loop = loop_new("test", 0);
    loop_enter(rig.loop);
    open_over(ends[0]);
    rig.peer = ends[1];
}

void rig_close_peer(void)
{
    if (rig.peer >= 0) {
        close(rig.peer);
        rig.peer = -1;
    }
}

static void stop(void *arg)
{
    (void)arg;
    loop_stop(rig.loop);
}

void rig_run(void)
{
    for (int i = 0; i < 4; i++) {
        struct later later = {0};
        later_ask(&later, rig.loop, stop, NULL);
        loop_run(rig.loop);
    }
}

void rig_after(void)
{
    loop_enter(rig.loop);
    sock_close_all(rig.loop, true);
    rig_close_peer();
    rig_run();
    loop_free(rig.loop);
}

void rig_use_tcp(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    sock_close(rig.sock, true);
    rig_close_peer();
    if (bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0 ||
        connect(fd, (struct sockaddr *)&address, size) != 0) {
        unit_bail_out("loopback: %s", strerror(errno));
    }
    rig.peer = accept(listener, NULL, NULL);
    close(listener);
    (void)ioctl(fd, FIONBIO, &(int){1});
    open_over(fd);
}

void rig_reset_peer(void)
{
    struct linger linger = {.l_onoff = 1};

    CU_ASSERT_EQUAL(setsockopt(rig.peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger),
                    0);
    rig_close_peer();
}

void rig_say(const char *text)
{
    CU_ASSERT_EQUAL(send(rig.peer, text, strlen(text), MSG_NOSIGNAL),
                    (ssize_t)strlen(text));
}

void rig_check_heard(const char *text)
{
    char bytes[4096];
    ssize_t n = recv(rig.peer, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n < 0) {
        CU_ASSERT_EQUAL(errno, EAGAIN);
        n = 0;
    }
    CU_ASSERT_EQUAL(n, (ssize_t)strlen(text));
    CU_ASSERT_EQUAL(memcmp(bytes, text, (size_t)n), 0);
}

size_t rig_hear_all(void)
{
    static char bytes[65536];
    size_t size = 0;
    ssize_t n;

    while ((n = recv(rig.peer, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
        size += (size_t)n;
    }
    return size;
}

/* ---- Reads ---- */

static enum take_result take(struct read_op *read, const struct stream_view *view,
                             size_t *consumed, struct error *error)
{
    struct reader *reader = (struct reader *)read;

    (void)error;
    reader->n_takes++;
    if (view->size < reader->least && !view->is_full && view->end == STREAM_END_NONE) {
        return TAKE_WAIT;
    }
    size_t n = view->size < read->limit ? view->size : read->limit;
    memcpy(reader->bytes, view->bytes, n);
    reader->bytes[n] = '\0';
    reader->size = n;
    reader->end = n < reader->least || view->size == 0 ? view->end : STREAM_END_NONE;
    read->told_end = reader->end != STREAM_END_NONE;
    *consumed = n;
    return TAKE_DONE;
}

static void read_done(struct op *op, const struct error *error)
{
    struct reader *reader = (struct reader *)op;

    reader->n_done++;
    reader->error = error != NULL ? error->id : ERROR_NONE;
}

void rig_start_read(struct reader *reader, size_t least, size_t limit, bool is_peek)
{
    *reader = (struct reader){.least = least};
    reader->read.take = take;
    reader->read.limit = limit;
    reader->read.is_peek = is_peek;
    reader->read.op.name = "read";
    reader->read.op.done = read_done;
    stream_read(rig.sock, &reader->read, -1);
}

void rig_check_read(size_t limit, const char *text, enum stream_end end)
{
    struct reader reader;

    rig_start_read(&reader, 1, limit, false);
    CU_ASSERT_EQUAL_FATAL(reader.n_done, 1);
    CU_ASSERT_EQUAL(reader.error, ERROR_NONE);
    CU_ASSERT_STRING_EQUAL(reader.bytes, text);
    CU_ASSERT_EQUAL(reader.end, end);
}

void rig_check_read_fails(enum error_id error)
{
    struct reader reader;

    rig_start_read(&reader, 1, 100, false);
    CU_ASSERT_EQUAL_FATAL(reader.n_done, 1);
    CU_ASSERT_EQUAL(reader.error, error);
}

/* ---- Writes ---- */

static void write_done(struct op *op, const struct error *error)
{
    struct scribe *scribe = (struct scribe *)op;

    scribe->n_done++;
    scribe->error = error != NULL ? error->id : ERROR_NONE;
}

void rig_start_write(struct scribe *scribe, const void *bytes, size_t size, bool is_flush)
{
    *scribe = (struct scribe){0};
    scribe->write.bytes = bytes;
    scribe->write.size = size;
    scribe->write.is_flush = is_flush;
    scribe->write.op.name = "write";
    scribe->write.op.done = write_done;
    stream_write(rig.sock, &scribe->write, -1);
}

void rig_check_write(const char *text, bool is_flush)
{
    struct scribe scribe;

    rig_start_write(&scribe, text, strlen(text), is_flush);
    CU_ASSERT_EQUAL(scribe.n_done, 1);
    CU_ASSERT_EQUAL(scribe.error, ERROR_NONE);
}

void rig_check_write_fails(enum error_id error)
{
    struct scribe scribe;

    rig_start_write(&scribe, "x", 1, true);
    CU_ASSERT_EQUAL(scribe.n_done, 1);
    CU_ASSERT_EQUAL(scribe.error, error);
}

void rig_start_finish(struct scribe *scribe)
{
    *scribe = (struct scribe){0};
    scribe->write.op.name = "finish-output";
    scribe->write.op.done = write_done;
    stream_finish(rig.sock, &scribe->write, -1);
}

size_t rig_fill(struct scribe *waiting, const void *bytes, size_t size)
{
    size_t accepted = 0;

    for (;;) {
        rig_start_write(waiting, bytes, size, true);
        if (waiting->n_done == 0) {
            return accepted;
        }
        CU_ASSERT_EQUAL_FATAL(waiting->error, ERROR_NONE);
        accepted += size;
    }
}
