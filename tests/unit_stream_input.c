/* SPDX-License-Identifier: MIT */
/*
 * unit_stream_input.c - the reading direction of a stream: what is fetched and when, what
 * waits, how it ends, chunks.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/net/chunked.h"
#include "daemon/net/stream.h"
#include "tests/stream_rig.h"
#include "tests/unit.h"

static void test_read(void)
{
    rig_say("hello");
    rig_check_read(100, "hello", STREAM_END_NONE);
    CU_ASSERT_EQUAL(stream_input_buffered(rig.sock), 0);
    CU_ASSERT_PTR_NULL(rig.sock->as.stream->input.memory);
    rig_say("more than that");
    rig_check_read(4, "more", STREAM_END_NONE);
    rig_check_read(100, " than that", STREAM_END_NONE);
    CU_ASSERT_EQUAL(rig.sock->bytes_read, 19);
}

static void test_nothing_is_fetched_unasked(void)
{
    int n = 0;

    rig_say("hello");
    rig_run();
    CU_ASSERT_EQUAL(stream_input_buffered(rig.sock), 0);
    CU_ASSERT_EQUAL(ioctl(rig.sock->fd, FIONREAD, &n), 0);
    CU_ASSERT_EQUAL(n, 5);
    CU_ASSERT_TRUE(stream_input_ready(rig.sock));
    CU_ASSERT_EQUAL(stream_input_buffered(rig.sock), 0);
    rig_check_read(2, "he", STREAM_END_NONE);
    CU_ASSERT_EQUAL(ioctl(rig.sock->fd, FIONREAD, &n), 0);
    CU_ASSERT_EQUAL(n, 3); /* no more than was asked for */
}

static void test_read_waits(void)
{
    struct reader reader;

    rig_start_read(&reader, 10, 10, false);
    CU_ASSERT_EQUAL(reader.n_done, 0);
    CU_ASSERT_FALSE(stream_input_ready(rig.sock));
    rig_say("12345");
    rig_run();
    CU_ASSERT_EQUAL(reader.n_done, 0);
    CU_ASSERT_EQUAL(stream_input_buffered(rig.sock), 5);
    rig_say("67890abc");
    rig_run();
    CU_ASSERT_EQUAL_FATAL(reader.n_done, 1);
    CU_ASSERT_STRING_EQUAL(reader.bytes, "1234567890");
    rig_check_read(100, "abc", STREAM_END_NONE);
}

static void test_order_of_reads(void)
{
    struct reader first, second;

    rig_start_read(&first, 1, 3, false);
    rig_start_read(&second, 1, 3, false);
    rig_say("onetwo");
    rig_run();
    CU_ASSERT_STRING_EQUAL(first.bytes, "one");
    CU_ASSERT_STRING_EQUAL(second.bytes, "two");
}

static void test_peek(void)
{
    struct reader reader;

    rig_say("hello");
    rig_start_read(&reader, 1, 3, true);
    CU_ASSERT_STRING_EQUAL(reader.bytes, "hel");
    rig_start_read(&reader, 1, 10, true);
    CU_ASSERT_STRING_EQUAL(reader.bytes, "hel"); /* it does not ask the kernel again */
    rig_start_read(&reader, 5, 10, true);
    CU_ASSERT_STRING_EQUAL(reader.bytes, "hello");
    rig_check_read(100, "hello", STREAM_END_NONE);
}

static void test_interrupt_consumes_nothing(void)
{
    struct reader reader;
    struct error error;

    rig_say("1234");
    rig_start_read(&reader, 10, 10, false);
    error_set(&error, ERROR_INTERRUPTED, "test");
    CU_ASSERT_EQUAL(sock_interrupt(rig.sock, 1U << OP_INPUT, &error), 1);
    CU_ASSERT_EQUAL(reader.error, ERROR_INTERRUPTED);
    rig_check_read(100, "1234", STREAM_END_NONE);
}

static void test_end(void)
{
    struct reader reader;

    rig_say("rest");
    rig_close_peer();
    rig_start_read(&reader, 10, 10, false);
    CU_ASSERT_EQUAL_FATAL(reader.n_done, 1);
    CU_ASSERT_STRING_EQUAL(reader.bytes, "rest");
    CU_ASSERT_EQUAL(reader.end, STREAM_END_CLEAN);
    CU_ASSERT_TRUE(stream_input_ready(rig.sock));
    rig_check_read(10, "", STREAM_END_CLEAN);
    rig_check_read(10, "", STREAM_END_CLEAN);
    CU_ASSERT_EQUAL(rig.sock->end, SOCK_END_CLEAN);
}

static void test_reset_after_data(void)
{
    rig_use_tcp();
    rig_say("last words");
    rig_run();
    rig_reset_peer();
    rig_run();
    rig_check_read(100, "last words", STREAM_END_NONE);
    rig_check_read_fails(ERROR_CONNECTION_RESET);
    rig_check_read_fails(ERROR_CONNECTION_RESET);
    CU_ASSERT_EQUAL(rig.sock->end, SOCK_END_RESET);
    CU_ASSERT_TRUE(stream_input_failed(rig.sock));
}

/* The send takes the error of the socket; the end of file that a receive then sees is
 * none. */
static void test_reset_seen_by_send(void)
{
    struct error error;
    size_t n;

    rig_use_tcp();
    rig_say("last words");
    rig_reset_peer();
    CU_ASSERT_EQUAL(stream_send(rig.sock, "x", 1, &n, &error), TRANSPORT_FAILED);
    CU_ASSERT_EQUAL(error.id, ERROR_CONNECTION_RESET);
    rig_check_read(100, "last words", STREAM_END_NONE);
    rig_check_read_fails(ERROR_CONNECTION_RESET);
}

static void test_shutdown_input(void)
{
    struct reader reader;

    rig_say("lost");
    rig_start_read(&reader, 10, 10, false);
    stream_shutdown(rig.sock, OP_INPUT);
    CU_ASSERT_EQUAL(reader.n_done, 1);
    CU_ASSERT_EQUAL(reader.error, ERROR_SHUTDOWN);
    rig_check_read_fails(ERROR_SHUTDOWN);
    CU_ASSERT_EQUAL(stream_input_buffered(rig.sock), 0);
}

/* ---- Chunks ---- */

static void test_input_chunks(void)
{
    const char *name, *value;
    size_t at = 0;
    struct reader reader;

    CU_ASSERT_PTR_NULL(stream_trailers(rig.sock));
    rig_say("head\n5\r\nhel");
    rig_check_read(5, "head\n", STREAM_END_NONE);
    stream_set_input_chunking(rig.sock, true);
    rig_check_read(100, "hel", STREAM_END_NONE);
    CU_ASSERT_FALSE(stream_input_ready(rig.sock));
    rig_say("lo\r\n0\r\nA: b\r\n\r\nnext");
    rig_run();
    rig_check_read(100, "lo", STREAM_END_NONE);
    CU_ASSERT_TRUE(stream_input_ready(rig.sock));
    rig_start_read(&reader, 1, 100, true);
    CU_ASSERT_EQUAL(reader.end, STREAM_END_CHUNK);
    rig_start_read(&reader, 1, 100, true);
    CU_ASSERT_EQUAL(reader.end, STREAM_END_CHUNK); /* peek leaves the mark */
    CU_ASSERT_TRUE(stream_input_chunking(rig.sock->as.stream));
    rig_check_read(100, "", STREAM_END_CHUNK);
    CU_ASSERT_FALSE(stream_input_chunking(rig.sock->as.stream));
    rig_check_read(100, "next", STREAM_END_NONE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream_trailers(rig.sock));
    CU_ASSERT_TRUE(chunked_trailer_next(stream_trailers(rig.sock), &at, &name, &value));
    CU_ASSERT_STRING_EQUAL(name, "A");
    CU_ASSERT_STRING_EQUAL(value, "b");
    stream_set_input_chunking(rig.sock, true);
    CU_ASSERT_PTR_NULL(stream_trailers(rig.sock));
}

static void test_chunked_body_one_byte_at_a_time(void)
{
    static const char text[] = "3;x=\"y\"\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    struct reader reader;

    stream_set_input_chunking(rig.sock, true);
    rig_start_read(&reader, 100, 100, false);
    for (const char *at = text; *at != '\0'; at++) {
        CU_ASSERT_EQUAL(reader.n_done, 0);
        CU_ASSERT_EQUAL(send(rig.peer, at, 1, 0), 1);
        rig_run();
    }
    CU_ASSERT_EQUAL_FATAL(reader.n_done, 1);
    CU_ASSERT_STRING_EQUAL(reader.bytes, "abcde");
    CU_ASSERT_EQUAL(reader.end, STREAM_END_CHUNK);
}

static void test_bad_chunks(void)
{
    stream_set_input_chunking(rig.sock, true);
    rig_say("2\r\nokzz rest");
    rig_check_read(100, "ok", STREAM_END_NONE);
    rig_check_read_fails(ERROR_CHUNKING_ERROR);
    rig_check_read_fails(ERROR_CHUNKING_ERROR);
    stream_set_input_chunking(rig.sock, false);
    rig_check_read(100, "zz rest", STREAM_END_NONE);
}

static void test_end_inside_chunks(void)
{
    stream_set_input_chunking(rig.sock, true);
    rig_say("5\r\nhel");
    rig_close_peer();
    rig_check_read(100, "hel", STREAM_END_NONE);
    rig_check_read_fails(ERROR_CHUNKING_ERROR);
    stream_set_input_chunking(rig.sock, false);
    rig_check_read(100, "", STREAM_END_CLEAN);
}

static void test_chunking_turned_off_midway(void)
{
    struct reader reader;

    stream_set_input_chunking(rig.sock, true);
    rig_start_read(&reader, 10, 10, false);
    rig_say("5\r\nhelloX");
    rig_run();
    CU_ASSERT_EQUAL(reader.n_done, 1); /* it ends at the fault */
    CU_ASSERT_STRING_EQUAL(reader.bytes, "hello");
    stream_unread(rig.sock, "again ", 6);
    stream_set_input_chunking(rig.sock, false);
    rig_check_read(100, "again X", STREAM_END_NONE);
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
    {"input chunks", test_input_chunks},
    {"a chunked body byte by byte", test_chunked_body_one_byte_at_a_time},
    {"bad chunks", test_bad_chunks},
    {"the end inside a chunked body", test_end_inside_chunks},
    {"chunking turned off midway", test_chunking_turned_off_midway},
};

UNIT_MAIN_AROUND(tests, rig_before, rig_after)
