/* SPDX-License-Identifier: MIT */
/*
 * unit_stream_output.c - the writing direction of a stream: what is held back, what
 * waits, shutdown, failures, close, chunks.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/net/stream.h"
#include "tests/stream_rig.h"
#include "tests/unit.h"

static void test_write(void)
{
    rig_check_write("hello", true);
    rig_check_heard("hello");
    CU_ASSERT_PTR_NULL(rig.sock->as.stream->output.memory);
    CU_ASSERT_EQUAL(rig.sock->bytes_written, 5);
    rig_check_write("", true);
    rig_check_heard("");
}

static void test_hold_back(void)
{
    struct error error;

    rig_check_write("one ", false);
    rig_check_write("two ", false);
    rig_check_heard("");
    CU_ASSERT_EQUAL(stream_output_buffered(rig.sock), 8);
    CU_ASSERT_TRUE(stream_force(rig.sock, &error));
    rig_check_heard("one two ");
    rig_check_write("three ", false);
    rig_check_write("four", true);
    rig_check_heard("three four");
    rig_check_write("five", false);
    sock_close(rig.sock, false);
    rig_check_heard("five");
}

static void test_back_pressure(void)
{
    static char bytes[65536];
    struct scribe waiting, second, finish;
    size_t accepted = rig_fill(&waiting, bytes, sizeof bytes);

    CU_ASSERT_TRUE(stream_output_buffered(rig.sock) <= STREAM_OUTPUT_LIMIT);
    CU_ASSERT_TRUE(stream_output_buffered(rig.sock) > STREAM_OUTPUT_LIMIT - sizeof bytes);
    rig_start_write(&second, "behind", 6, true); /* it would fit, but it comes later */
    CU_ASSERT_EQUAL(second.n_done, 0);
    rig_start_finish(&finish);
    size_t heard = 0;
    while (finish.n_done == 0) {
        heard += rig_hear_all();
        rig_run();
    }
    CU_ASSERT_EQUAL(waiting.n_done, 1);
    CU_ASSERT_EQUAL(second.n_done, 1);
    CU_ASSERT_EQUAL(finish.error, ERROR_NONE);
    CU_ASSERT_EQUAL(heard + rig_hear_all(), accepted + sizeof bytes + 6);
    CU_ASSERT_PTR_NULL(rig.sock->as.stream->output.memory);
}

static void test_waiting_write_is_taken_back_whole(void)
{
    static char bytes[65536];
    struct scribe waiting, finish;
    struct error error;
    size_t accepted = rig_fill(&waiting, bytes, sizeof bytes);

    error_set(&error, ERROR_CANCELLED, "test");
    op_end(&waiting.write.op, &error);
    CU_ASSERT_EQUAL(waiting.error, ERROR_CANCELLED);
    rig_start_finish(&finish);
    size_t heard = 0;
    while (finish.n_done == 0) {
        heard += rig_hear_all();
        rig_run();
    }
    CU_ASSERT_EQUAL(heard + rig_hear_all(), accepted);
}

/* Larger than the buffer: accepted when that is empty. */
static void test_large_write(void)
{
    size_t size = 4 * STREAM_OUTPUT_LIMIT;
    char *bytes = calloc(1, size);
    struct scribe first, second;

    rig_start_write(&first, bytes, size, true);
    CU_ASSERT_EQUAL(first.n_done, 1);
    rig_start_write(&second, bytes, size, true);
    CU_ASSERT_EQUAL(second.n_done, 0);
    size_t heard = 0;
    while (heard < 2 * size) {
        heard += rig_hear_all();
        rig_run();
    }
    CU_ASSERT_EQUAL(second.n_done, 1);
    CU_ASSERT_EQUAL(heard, 2 * size);
    free(bytes);
}

static void test_shutdown_output(void)
{
    char byte;

    rig_check_write("kept", true);
    rig_check_write("dropped", false);
    stream_shutdown(rig.sock, OP_OUTPUT);
    rig_check_heard("kept");
    CU_ASSERT_EQUAL(recv(rig.peer, &byte, 1, MSG_DONTWAIT), 0);
    rig_check_write_fails(ERROR_SHUTDOWN);
    rig_say("still heard");
    rig_check_read(100, "still heard", STREAM_END_NONE);
    stream_shutdown(rig.sock, OP_INPUT);
    CU_ASSERT_EQUAL(rig.sock->fd, -1);
    rig_check_read_fails(ERROR_SHUTDOWN);
    rig_check_write_fails(ERROR_SHUTDOWN);
}

static void test_shutdown_behind_waiting_writes(void)
{
    static char bytes[65536];
    struct scribe waiting, held, late;
    size_t accepted = rig_fill(&waiting, bytes, sizeof bytes);
    char byte;

    rig_start_write(&held, "dropped", 7, false);
    stream_shutdown(rig.sock, OP_OUTPUT);
    stream_shutdown(rig.sock, OP_INPUT);
    rig_start_write(&late, "late", 4, true);
    size_t heard = 0;
    while (waiting.n_done == 0 || rig.sock->fd >= 0) {
        heard += rig_hear_all();
        rig_run();
    }
    CU_ASSERT_EQUAL(waiting.error, ERROR_NONE);
    CU_ASSERT_EQUAL(held.error, ERROR_NONE);
    CU_ASSERT_EQUAL(late.error, ERROR_SHUTDOWN);
    CU_ASSERT_EQUAL(heard + rig_hear_all(), accepted + sizeof bytes);
    CU_ASSERT_EQUAL(recv(rig.peer, &byte, 1, MSG_DONTWAIT), 0);
}

/* A flush that was asked for before the shutdown takes with it what was held back before
 * it, else there would be a gap. */
static void test_shutdown_behind_waiting_flushes(void)
{
    static char bytes[65536];
    struct scribe waiting, held, flushing, more, finish, late;
    size_t accepted = rig_fill(&waiting, bytes, sizeof bytes);
    char byte;

    rig_start_write(&held, "held ", 5, false);
    rig_start_write(&flushing, "sent", 4, true);
    rig_start_write(&more, ", too", 5, false);
    rig_start_finish(&finish);
    stream_shutdown(rig.sock, OP_OUTPUT);
    rig_start_finish(&late);
    size_t heard = 0;
    while (!rig.sock->as.stream->is_output_shut) {
        heard += rig_hear_all();
        rig_run();
    }
    CU_ASSERT_EQUAL(held.n_done + flushing.n_done + more.n_done, 3);
    CU_ASSERT_EQUAL(flushing.error, ERROR_NONE);
    CU_ASSERT_EQUAL(finish.n_done + late.n_done, 2);
    CU_ASSERT_EQUAL(finish.error, ERROR_NONE);
    CU_ASSERT_EQUAL(heard + rig_hear_all(),
                    accepted + sizeof bytes + strlen("held sent, too"));
    CU_ASSERT_EQUAL(recv(rig.peer, &byte, 1, MSG_DONTWAIT), 0);
}

static void test_broken_pipe(void)
{
    rig_close_peer();
    rig_check_write_fails(ERROR_BROKEN_PIPE);
    rig_check_write_fails(ERROR_BROKEN_PIPE);
    CU_ASSERT_TRUE(stream_output_failed(rig.sock));
    rig_check_read(100, "", STREAM_END_CLEAN);
}

static void test_reset_while_output_waits(void)
{
    static char bytes[65536];
    struct scribe waiting;

    rig_use_tcp();
    (void)rig_fill(&waiting, bytes, sizeof bytes);
    rig_reset_peer();
    while (waiting.n_done == 0) {
        rig_run();
    }
    CU_ASSERT_EQUAL(waiting.error, ERROR_CONNECTION_RESET);
    CU_ASSERT_EQUAL(stream_output_buffered(rig.sock), 0);
    rig_check_read_fails(ERROR_CONNECTION_RESET);
}

static void test_close_flushes(void)
{
    static char bytes[65536];
    struct scribe waiting;
    size_t accepted = rig_fill(&waiting, bytes, sizeof bytes);
    size_t heard = 0;

    sock_close(rig.sock, false);
    CU_ASSERT_EQUAL(waiting.error, ERROR_SOCKET_CLOSED);
    CU_ASSERT_FALSE(sock_none_left(rig.loop));
    while (!sock_none_left(rig.loop)) {
        heard += rig_hear_all();
        rig_run();
    }
    CU_ASSERT_EQUAL(heard + rig_hear_all(), accepted);
}

/* Unread input at close would make the kernel reset the connection and drop what it had
 * not sent. */
static void test_close_with_unread_input(void)
{
    char bytes[16];

    rig_use_tcp();
    rig_say("never read");
    rig_run();
    rig_check_write("last words", true);
    sock_close(rig.sock, false);
    CU_ASSERT_EQUAL(recv(rig.peer, bytes, sizeof bytes, 0), 10);
    CU_ASSERT_EQUAL(recv(rig.peer, bytes, sizeof bytes, 0), 0);
}

/* It is accepted when the buffer is empty, which is also when the end may go out. */
static void test_shutdown_behind_a_large_write(void)
{
    size_t size = 4 * STREAM_OUTPUT_LIMIT;
    char *bytes = calloc(1, size), byte;
    struct scribe first, last;

    rig_start_write(&first, bytes, size, true);
    rig_start_write(&last, bytes, size, true);
    CU_ASSERT_EQUAL(last.n_done, 0);
    stream_shutdown(rig.sock, OP_OUTPUT);
    size_t heard = 0;
    while (last.n_done == 0 || rig.sock->as.stream->output.size > 0) {
        heard += rig_hear_all();
        rig_run();
    }
    CU_ASSERT_EQUAL(last.error, ERROR_NONE);
    CU_ASSERT_EQUAL(heard + rig_hear_all(), 2 * size);
    CU_ASSERT_EQUAL(recv(rig.peer, &byte, 1, MSG_DONTWAIT), 0);
    free(bytes);
}

static void test_output_chunks(void)
{
    const struct write_op turn = {.is_refused = false};
    struct error error;

    rig_check_write("held ", false);
    stream_set_output_chunking(rig.sock, true);
    rig_check_write("back", true);
    rig_check_heard("9\r\nheld back\r\n");
    rig_check_write("", true);
    CU_ASSERT_TRUE(stream_force(rig.sock, &error));
    rig_check_heard("");
    rig_check_write("x", true);
    rig_check_heard("1\r\nx\r\n");
    rig_check_write("yz", false);
    CU_ASSERT_TRUE(stream_end_output_chunks(rig.sock, &turn, &error));
    rig_check_heard("2\r\nyz\r\n0\r\n\r\n");
    rig_check_write("plain", true);
    rig_check_heard("plain");
    CU_ASSERT_FALSE(rig.sock->as.stream->is_output_chunked);
}

static const struct unit_test tests[] = {
    {"a write goes out at once", test_write},
    {"bytes are held back until flushed", test_hold_back},
    {"writes wait while the buffer is full, in order", test_back_pressure},
    {"a waiting write is taken back whole", test_waiting_write_is_taken_back_whole},
    {"a write larger than the buffer", test_large_write},
    {"shutdown of the output, then of both", test_shutdown_output},
    {"shutdown lets waiting writes out first", test_shutdown_behind_waiting_writes},
    {"shutdown lets out what they flush", test_shutdown_behind_waiting_flushes},
    {"shutdown lets a large one out first", test_shutdown_behind_a_large_write},
    {"a peer that is gone is a broken pipe", test_broken_pipe},
    {"a reset while output waits", test_reset_while_output_waits},
    {"close writes what waits", test_close_flushes},
    {"close with unread input loses no output", test_close_with_unread_input},
    {"output chunks", test_output_chunks},
};

UNIT_MAIN_AROUND(tests, rig_before, rig_after)
