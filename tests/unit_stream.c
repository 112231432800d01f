/* SPDX-License-Identifier: MIT */
/*
 * unit_stream.c - the stream module over socket pairs and loopback TCP: what is read from
 * the kernel and when, what waits, what is kept, how directions end.
 */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/loop.h"
#include "daemon/net/chunked.h"
#include "daemon/net/stream.h"
#include "tests/unit.h"

static struct loop *loop;
static struct sock *sock;
static int peer; /* the other end; -1: closed */

/* ---- The set-up ---- */

static void open_over(int fd)
{
    struct sock_spec spec = {.type = SOCK_TYPE_STREAM, .family = SOCK_FAMILY_FILE};
    struct error error;

    sock = sock_new(&spec, &error);
    if (sock == NULL || sock_set_fd(sock, fd) != 0) {
        unit_bail_out("no sock");
    }
    stream_open(sock);
}

static void before(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        unit_bail_out("socketpair: %s", strerror(errno));
    }
    loop = loop_new("test", 0);
    loop_enter(loop);
    open_over(ends[0]);
    peer = ends[1];
}

static void close_peer(void)
{
    if (peer >= 0) {
        close(peer);
        peer = -1;
    }
}

static void stop(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

/* Runs the loop until what the kernel tells now is served. */
static void run(void)
{
    for (int i = 0; i < 4; i++) {
        struct later later = {0};
        later_ask(&later, loop, stop, NULL);
        loop_run(loop);
    }
}

static void after(void)
{
    loop_enter(loop);
    sock_close_all(loop, true);
    close_peer();
    run();
    loop_free(loop);
}

/* Instead of the pair: a TCP connection, which knows resets. */
static void use_tcp(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    sock_close(sock, true);
    close_peer();
    if (bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0 ||
        connect(fd, (struct sockaddr *)&address, size) != 0) {
        unit_bail_out("loopback: %s", strerror(errno));
    }
    peer = accept(listener, NULL, NULL);
    close(listener);
    (void)ioctl(fd, FIONBIO, &(int){1});
    open_over(fd);
}

static void reset_peer(void)
{
    struct linger linger = {.l_onoff = 1};

    CU_ASSERT_EQUAL(setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    close_peer();
}

static void say(const char *text)
{
    CU_ASSERT_EQUAL(send(peer, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What the peer got by now. */
static void check_heard(const char *text)
{
    char bytes[4096];
    ssize_t n = recv(peer, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n < 0) {
        CU_ASSERT_EQUAL(errno, EAGAIN);
        n = 0;
    }
    CU_ASSERT_EQUAL(n, (ssize_t)strlen(text));
    CU_ASSERT_EQUAL(memcmp(bytes, text, (size_t)n), 0);
}

/* Reads and counts all there is. */
static size_t hear_all(void)
{
    static char bytes[65536];
    size_t size = 0;
    ssize_t n;

    while ((n = recv(peer, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
        size += (size_t)n;
    }
    return size;
}

/* ---- Reads ---- */

/* Takes at least `least` bytes, at most `limit`. */
struct reader {
    struct read_op read;
    size_t least;
    char bytes[1024];
    size_t size;
    enum stream_end end;
    unsigned n_takes, n_done;
    enum error_id error;
};

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

static void start_read(struct reader *reader, size_t least, size_t limit, bool is_peek)
{
    *reader = (struct reader){.least = least};
    reader->read.take = take;
    reader->read.limit = limit;
    reader->read.is_peek = is_peek;
    reader->read.op.name = "read";
    reader->read.op.done = read_done;
    stream_read(sock, &reader->read, -1);
}

/* A read that must be answered at once. */
static void check_read(size_t limit, const char *text, enum stream_end end)
{
    struct reader reader;

    start_read(&reader, 1, limit, false);
    CU_ASSERT_EQUAL_FATAL(reader.n_done, 1);
    CU_ASSERT_EQUAL(reader.error, ERROR_NONE);
    CU_ASSERT_STRING_EQUAL(reader.bytes, text);
    CU_ASSERT_EQUAL(reader.end, end);
}

static void check_read_fails(enum error_id error)
{
    struct reader reader;

    start_read(&reader, 1, 100, false);
    CU_ASSERT_EQUAL_FATAL(reader.n_done, 1);
    CU_ASSERT_EQUAL(reader.error, error);
}

static void test_read(void)
{
    say("hello");
    check_read(100, "hello", STREAM_END_NONE);
    CU_ASSERT_EQUAL(stream_input_buffered(sock), 0);
    CU_ASSERT_PTR_NULL(sock->as.stream->input.memory);
    say("more than that");
    check_read(4, "more", STREAM_END_NONE);
    check_read(100, " than that", STREAM_END_NONE);
    CU_ASSERT_EQUAL(sock->bytes_read, 19);
}

static void test_nothing_is_fetched_unasked(void)
{
    int n = 0;

    say("hello");
    run();
    CU_ASSERT_EQUAL(stream_input_buffered(sock), 0);
    CU_ASSERT_EQUAL(ioctl(sock->fd, FIONREAD, &n), 0);
    CU_ASSERT_EQUAL(n, 5);
    CU_ASSERT_TRUE(stream_input_ready(sock));
    CU_ASSERT_EQUAL(stream_input_buffered(sock), 0);
    check_read(2, "he", STREAM_END_NONE);
    CU_ASSERT_EQUAL(ioctl(sock->fd, FIONREAD, &n), 0);
    CU_ASSERT_EQUAL(n, 3); /* no more than was asked for */
}

static void test_read_waits(void)
{
    struct reader reader;

    start_read(&reader, 10, 10, false);
    CU_ASSERT_EQUAL(reader.n_done, 0);
    CU_ASSERT_FALSE(stream_input_ready(sock));
    say("12345");
    run();
    CU_ASSERT_EQUAL(reader.n_done, 0);
    CU_ASSERT_EQUAL(stream_input_buffered(sock), 5);
    say("67890abc");
    run();
    CU_ASSERT_EQUAL_FATAL(reader.n_done, 1);
    CU_ASSERT_STRING_EQUAL(reader.bytes, "1234567890");
    check_read(100, "abc", STREAM_END_NONE);
}

static void test_order_of_reads(void)
{
    struct reader first, second;

    start_read(&first, 1, 3, false);
    start_read(&second, 1, 3, false);
    say("onetwo");
    run();
    CU_ASSERT_STRING_EQUAL(first.bytes, "one");
    CU_ASSERT_STRING_EQUAL(second.bytes, "two");
}

static void test_peek(void)
{
    struct reader reader;

    say("hello");
    start_read(&reader, 1, 3, true);
    CU_ASSERT_STRING_EQUAL(reader.bytes, "hel");
    start_read(&reader, 1, 10, true);
    CU_ASSERT_STRING_EQUAL(reader.bytes, "hel"); /* it does not ask the kernel again */
    start_read(&reader, 5, 10, true);
    CU_ASSERT_STRING_EQUAL(reader.bytes, "hello");
    check_read(100, "hello", STREAM_END_NONE);
}

static void test_interrupt_consumes_nothing(void)
{
    struct reader reader;
    struct error error;

    say("1234");
    start_read(&reader, 10, 10, false);
    error_set(&error, ERROR_INTERRUPTED, "test");
    CU_ASSERT_EQUAL(sock_interrupt(sock, 1U << OP_INPUT, &error), 1);
    CU_ASSERT_EQUAL(reader.error, ERROR_INTERRUPTED);
    check_read(100, "1234", STREAM_END_NONE);
}

static void test_end(void)
{
    struct reader reader;

    say("rest");
    close_peer();
    start_read(&reader, 10, 10, false);
    CU_ASSERT_EQUAL_FATAL(reader.n_done, 1);
    CU_ASSERT_STRING_EQUAL(reader.bytes, "rest");
    CU_ASSERT_EQUAL(reader.end, STREAM_END_CLEAN);
    CU_ASSERT_TRUE(stream_input_ready(sock));
    check_read(10, "", STREAM_END_CLEAN);
    check_read(10, "", STREAM_END_CLEAN);
    CU_ASSERT_EQUAL(sock->end, SOCK_END_CLEAN);
}

static void test_reset_after_data(void)
{
    use_tcp();
    say("last words");
    run();
    reset_peer();
    run();
    check_read(100, "last words", STREAM_END_NONE);
    check_read_fails(ERROR_CONNECTION_RESET);
    check_read_fails(ERROR_CONNECTION_RESET);
    CU_ASSERT_EQUAL(sock->end, SOCK_END_RESET);
    CU_ASSERT_TRUE(stream_input_failed(sock));
}

/* The send takes the error of the socket; the end of file that a receive then sees is
 * none. */
static void test_reset_seen_by_send(void)
{
    struct error error;
    size_t n;

    use_tcp();
    say("last words");
    reset_peer();
    CU_ASSERT_EQUAL(stream_send(sock, "x", 1, &n, &error), TRANSPORT_FAILED);
    CU_ASSERT_EQUAL(error.id, ERROR_CONNECTION_RESET);
    check_read(100, "last words", STREAM_END_NONE);
    check_read_fails(ERROR_CONNECTION_RESET);
}

static void test_shutdown_input(void)
{
    struct reader reader;

    say("lost");
    start_read(&reader, 10, 10, false);
    stream_shutdown(sock, OP_INPUT);
    CU_ASSERT_EQUAL(reader.n_done, 1);
    CU_ASSERT_EQUAL(reader.error, ERROR_SHUTDOWN);
    check_read_fails(ERROR_SHUTDOWN);
    CU_ASSERT_EQUAL(stream_input_buffered(sock), 0);
}

/* ---- Writes ---- */

struct scribe {
    struct write_op write;
    unsigned n_done;
    enum error_id error;
};

static void write_done(struct op *op, const struct error *error)
{
    struct scribe *scribe = (struct scribe *)op;

    scribe->n_done++;
    scribe->error = error != NULL ? error->id : ERROR_NONE;
}

static void start_write(struct scribe *scribe, const void *bytes, size_t size,
                        bool is_flush)
{
    *scribe = (struct scribe){0};
    scribe->write.bytes = bytes;
    scribe->write.size = size;
    scribe->write.is_flush = is_flush;
    scribe->write.op.name = "write";
    scribe->write.op.done = write_done;
    stream_write(sock, &scribe->write, -1);
}

static void check_write(const char *text, bool is_flush)
{
    struct scribe scribe;

    start_write(&scribe, text, strlen(text), is_flush);
    CU_ASSERT_EQUAL(scribe.n_done, 1);
    CU_ASSERT_EQUAL(scribe.error, ERROR_NONE);
}

static void check_write_fails(enum error_id error)
{
    struct scribe scribe;

    start_write(&scribe, "x", 1, true);
    CU_ASSERT_EQUAL(scribe.n_done, 1);
    CU_ASSERT_EQUAL(scribe.error, error);
}

static void start_finish(struct scribe *scribe)
{
    *scribe = (struct scribe){0};
    scribe->write.op.name = "finish-output";
    scribe->write.op.done = write_done;
    stream_finish(sock, &scribe->write, -1);
}

static void test_write(void)
{
    check_write("hello", true);
    check_heard("hello");
    CU_ASSERT_PTR_NULL(sock->as.stream->output.memory);
    CU_ASSERT_EQUAL(sock->bytes_written, 5);
    check_write("", true);
    check_heard("");
}

static void test_hold_back(void)
{
    struct error error;

    check_write("one ", false);
    check_write("two ", false);
    check_heard("");
    CU_ASSERT_EQUAL(stream_output_buffered(sock), 8);
    CU_ASSERT_TRUE(stream_force(sock, &error));
    check_heard("one two ");
    check_write("three ", false);
    check_write("four", true);
    check_heard("three four");
    check_write("five", false);
    sock_close(sock, false);
    check_heard("five");
}

/* Fills the kernel, then the buffer of the stream, until a write waits. */
static size_t fill(struct scribe *waiting, const void *bytes, size_t size)
{
    size_t accepted = 0;

    for (;;) {
        start_write(waiting, bytes, size, true);
        if (waiting->n_done == 0) {
            return accepted;
        }
        CU_ASSERT_EQUAL_FATAL(waiting->error, ERROR_NONE);
        accepted += size;
    }
}

static void test_back_pressure(void)
{
    static char bytes[65536];
    struct scribe waiting, second, finish;
    size_t accepted = fill(&waiting, bytes, sizeof bytes);

    CU_ASSERT_TRUE(stream_output_buffered(sock) <= STREAM_OUTPUT_LIMIT);
    CU_ASSERT_TRUE(stream_output_buffered(sock) > STREAM_OUTPUT_LIMIT - sizeof bytes);
    start_write(&second, "behind", 6, true); /* it would fit, but it comes later */
    CU_ASSERT_EQUAL(second.n_done, 0);
    start_finish(&finish);
    size_t heard = 0;
    while (finish.n_done == 0) {
        heard += hear_all();
        run();
    }
    CU_ASSERT_EQUAL(waiting.n_done, 1);
    CU_ASSERT_EQUAL(second.n_done, 1);
    CU_ASSERT_EQUAL(finish.error, ERROR_NONE);
    CU_ASSERT_EQUAL(heard + hear_all(), accepted + sizeof bytes + 6);
    CU_ASSERT_PTR_NULL(sock->as.stream->output.memory);
}

static void test_waiting_write_is_taken_back_whole(void)
{
    static char bytes[65536];
    struct scribe waiting, finish;
    struct error error;
    size_t accepted = fill(&waiting, bytes, sizeof bytes);

    error_set(&error, ERROR_CANCELLED, "test");
    op_end(&waiting.write.op, &error);
    CU_ASSERT_EQUAL(waiting.error, ERROR_CANCELLED);
    start_finish(&finish);
    size_t heard = 0;
    while (finish.n_done == 0) {
        heard += hear_all();
        run();
    }
    CU_ASSERT_EQUAL(heard + hear_all(), accepted);
}

/* Larger than the buffer: accepted when that is empty. */
static void test_large_write(void)
{
    size_t size = 4 * STREAM_OUTPUT_LIMIT;
    char *bytes = calloc(1, size);
    struct scribe first, second;

    start_write(&first, bytes, size, true);
    CU_ASSERT_EQUAL(first.n_done, 1);
    start_write(&second, bytes, size, true);
    CU_ASSERT_EQUAL(second.n_done, 0);
    size_t heard = 0;
    while (heard < 2 * size) {
        heard += hear_all();
        run();
    }
    CU_ASSERT_EQUAL(second.n_done, 1);
    CU_ASSERT_EQUAL(heard, 2 * size);
    free(bytes);
}

static void test_shutdown_output(void)
{
    char byte;

    check_write("kept", true);
    check_write("dropped", false);
    stream_shutdown(sock, OP_OUTPUT);
    check_heard("kept");
    CU_ASSERT_EQUAL(recv(peer, &byte, 1, MSG_DONTWAIT), 0);
    check_write_fails(ERROR_SHUTDOWN);
    say("still heard");
    check_read(100, "still heard", STREAM_END_NONE);
    stream_shutdown(sock, OP_INPUT);
    CU_ASSERT_EQUAL(sock->fd, -1);
    check_read_fails(ERROR_SHUTDOWN);
    check_write_fails(ERROR_SHUTDOWN);
}

static void test_shutdown_behind_waiting_writes(void)
{
    static char bytes[65536];
    struct scribe waiting, held, late;
    size_t accepted = fill(&waiting, bytes, sizeof bytes);
    char byte;

    start_write(&held, "dropped", 7, false);
    stream_shutdown(sock, OP_OUTPUT);
    stream_shutdown(sock, OP_INPUT);
    start_write(&late, "late", 4, true);
    size_t heard = 0;
    while (waiting.n_done == 0 || sock->fd >= 0) {
        heard += hear_all();
        run();
    }
    CU_ASSERT_EQUAL(waiting.error, ERROR_NONE);
    CU_ASSERT_EQUAL(held.error, ERROR_NONE);
    CU_ASSERT_EQUAL(late.error, ERROR_SHUTDOWN);
    CU_ASSERT_EQUAL(heard + hear_all(), accepted + sizeof bytes);
    CU_ASSERT_EQUAL(recv(peer, &byte, 1, MSG_DONTWAIT), 0);
}

static void test_broken_pipe(void)
{
    close_peer();
    check_write_fails(ERROR_BROKEN_PIPE);
    check_write_fails(ERROR_BROKEN_PIPE);
    CU_ASSERT_TRUE(stream_output_failed(sock));
    check_read(100, "", STREAM_END_CLEAN);
}

static void test_reset_while_output_waits(void)
{
    static char bytes[65536];
    struct scribe waiting;

    use_tcp();
    (void)fill(&waiting, bytes, sizeof bytes);
    reset_peer();
    while (waiting.n_done == 0) {
        run();
    }
    CU_ASSERT_EQUAL(waiting.error, ERROR_CONNECTION_RESET);
    CU_ASSERT_EQUAL(stream_output_buffered(sock), 0);
    check_read_fails(ERROR_CONNECTION_RESET);
}

static void test_close_flushes(void)
{
    static char bytes[65536];
    struct scribe waiting;
    size_t accepted = fill(&waiting, bytes, sizeof bytes);
    size_t heard = 0;

    sock_close(sock, false);
    CU_ASSERT_EQUAL(waiting.error, ERROR_SOCKET_CLOSED);
    CU_ASSERT_FALSE(sock_none_left(loop));
    while (!sock_none_left(loop)) {
        heard += hear_all();
        run();
    }
    CU_ASSERT_EQUAL(heard + hear_all(), accepted);
}

/* Unread input at close would make the kernel reset the connection and drop what it had
 * not sent. */
static void test_close_with_unread_input(void)
{
    char bytes[16];

    use_tcp();
    say("never read");
    run();
    check_write("last words", true);
    sock_close(sock, false);
    CU_ASSERT_EQUAL(recv(peer, bytes, sizeof bytes, 0), 10);
    CU_ASSERT_EQUAL(recv(peer, bytes, sizeof bytes, 0), 0);
}

/* ---- Chunks ---- */

static void test_output_chunks(void)
{
    struct error error;

    check_write("held ", false);
    stream_set_output_chunking(sock, true);
    check_write("back", true);
    check_heard("9\r\nheld back\r\n");
    check_write("", true);
    CU_ASSERT_TRUE(stream_force(sock, &error));
    check_heard("");
    check_write("x", true);
    check_heard("1\r\nx\r\n");
    check_write("yz", false);
    CU_ASSERT_TRUE(stream_end_output_chunks(sock, &error));
    check_heard("2\r\nyz\r\n0\r\n\r\n");
    check_write("plain", true);
    check_heard("plain");
    CU_ASSERT_FALSE(sock->as.stream->is_output_chunked);
}

static void test_input_chunks(void)
{
    const char *name, *value;
    size_t at = 0;
    struct reader reader;

    CU_ASSERT_PTR_NULL(stream_trailers(sock));
    say("head\n5\r\nhel");
    check_read(5, "head\n", STREAM_END_NONE);
    stream_set_input_chunking(sock, true);
    check_read(100, "hel", STREAM_END_NONE);
    CU_ASSERT_FALSE(stream_input_ready(sock));
    say("lo\r\n0\r\nA: b\r\n\r\nnext");
    run();
    check_read(100, "lo", STREAM_END_NONE);
    CU_ASSERT_TRUE(stream_input_ready(sock));
    start_read(&reader, 1, 100, true);
    CU_ASSERT_EQUAL(reader.end, STREAM_END_CHUNK);
    start_read(&reader, 1, 100, true);
    CU_ASSERT_EQUAL(reader.end, STREAM_END_CHUNK); /* peek leaves the mark */
    CU_ASSERT_TRUE(stream_input_chunking(sock->as.stream));
    check_read(100, "", STREAM_END_CHUNK);
    CU_ASSERT_FALSE(stream_input_chunking(sock->as.stream));
    check_read(100, "next", STREAM_END_NONE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream_trailers(sock));
    CU_ASSERT_TRUE(chunked_trailer_next(stream_trailers(sock), &at, &name, &value));
    CU_ASSERT_STRING_EQUAL(name, "A");
    CU_ASSERT_STRING_EQUAL(value, "b");
    stream_set_input_chunking(sock, true);
    CU_ASSERT_PTR_NULL(stream_trailers(sock));
}

static void test_chunked_body_one_byte_at_a_time(void)
{
    static const char text[] = "3;x=\"y\"\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    struct reader reader;

    stream_set_input_chunking(sock, true);
    start_read(&reader, 100, 100, false);
    for (const char *at = text; *at != '\0'; at++) {
        CU_ASSERT_EQUAL(reader.n_done, 0);
        CU_ASSERT_EQUAL(send(peer, at, 1, 0), 1);
        run();
    }
    CU_ASSERT_EQUAL_FATAL(reader.n_done, 1);
    CU_ASSERT_STRING_EQUAL(reader.bytes, "abcde");
    CU_ASSERT_EQUAL(reader.end, STREAM_END_CHUNK);
}

static void test_bad_chunks(void)
{
    stream_set_input_chunking(sock, true);
    say("2\r\nokzz rest");
    check_read(100, "ok", STREAM_END_NONE);
    check_read_fails(ERROR_CHUNKING_ERROR);
    check_read_fails(ERROR_CHUNKING_ERROR);
    stream_set_input_chunking(sock, false);
    check_read(100, "zz rest", STREAM_END_NONE);
}

static void test_end_inside_chunks(void)
{
    stream_set_input_chunking(sock, true);
    say("5\r\nhel");
    close_peer();
    check_read(100, "hel", STREAM_END_NONE);
    check_read_fails(ERROR_CHUNKING_ERROR);
    stream_set_input_chunking(sock, false);
    check_read(100, "", STREAM_END_CLEAN);
}

static void test_chunking_turned_off_midway(void)
{
    struct reader reader;

    stream_set_input_chunking(sock, true);
    start_read(&reader, 10, 10, false);
    say("5\r\nhelloX");
    run();
    CU_ASSERT_EQUAL(reader.n_done, 1); /* it ends at the fault */
    CU_ASSERT_STRING_EQUAL(reader.bytes, "hello");
    stream_unread(sock, "again ", 6);
    stream_set_input_chunking(sock, false);
    check_read(100, "again X", STREAM_END_NONE);
}

static const struct unit_test tests[] = {
    {"a read takes what is there", test_read},
    {"nothing is fetched unasked", test_nothing_is_fetched_unasked},
    {"a read waits for what it wants", test_read_waits},
    {"reads are served in order", test_order_of_reads},
    {"peek leaves everything", test_peek},
    {"an interrupt consumes nothing", test_interrupt_consumes_nothing},
    {"the end of the stream", test_end},
    {"a reset comes after the data before it", test_reset_after_data},
    {"a reset that a send has seen is no clean end", test_reset_seen_by_send},
    {"shutdown of the input", test_shutdown_input},
    {"a write goes out at once", test_write},
    {"bytes are held back until flushed", test_hold_back},
    {"writes wait while the buffer is full, in order", test_back_pressure},
    {"a waiting write is taken back whole", test_waiting_write_is_taken_back_whole},
    {"a write larger than the buffer", test_large_write},
    {"shutdown of the output, then of both", test_shutdown_output},
    {"shutdown lets waiting writes out first", test_shutdown_behind_waiting_writes},
    {"a peer that is gone is a broken pipe", test_broken_pipe},
    {"a reset while output waits", test_reset_while_output_waits},
    {"close writes what waits", test_close_flushes},
    {"close with unread input loses no output", test_close_with_unread_input},
    {"output chunks", test_output_chunks},
    {"input chunks", test_input_chunks},
    {"a chunked body byte by byte", test_chunked_body_one_byte_at_a_time},
    {"bad chunks", test_bad_chunks},
    {"the end inside a chunked body", test_end_inside_chunks},
    {"chunking turned off midway", test_chunking_turned_off_midway},
};

UNIT_MAIN_AROUND(tests, before, after)
