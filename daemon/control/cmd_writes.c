/* SPDX-License-Identifier: MIT */
/*
 * cmd_writes.c - the commands that write to a stream: write, force-output, finish-output,
 * write-byte, write-char.
 *
 * Called by dispatch.c; calls net/stream.c. Thread: the sock's home.
 */
#include <config.h>

#include "daemon/control/handlers.h"
#include "daemon/control/request.h"
#include "daemon/net/sock.h"
#include "daemon/net/stream.h"
#include "proto/text.h"
#include "proto/writer.h"

/* A write under way. Owner: the request, in whose memory it lies. */
struct writing {
    struct write_op write; /* first: op functions get this one */
    struct request *request;
    bool *has_ended; /* of start(), while that runs */
    uint8_t byte;    /* write-byte: what is written */
    void (*answer)(struct writing *writing);
};

static void done(struct op *op, const struct error *error)
{
    struct writing *writing = (struct writing *)op;

    if (writing->has_ended != NULL) {
        *writing->has_ended = true;
    }
    if (error != NULL) {
        request_fail(writing->request, error);
    } else {
        writing->answer(writing);
    }
}

static void cancel(struct request *request, const struct error *why)
{
    struct writing *writing = request_state(request);

    op_end(&writing->write.op, why);
}

typedef void write_start(struct sock *sock, struct write_op *write, double timeout);

/* Most writes end at once, and then need no place among those that wait. */
static void start(struct request *request, struct writing *writing, write_start *begin,
                  double timeout)
{
    bool has_ended = false;

    writing->request = request;
    writing->has_ended = &has_ended;
    writing->write.op.name = request_params(request)->command->name;
    writing->write.op.done = done;
    begin(request_sock(request), &writing->write, timeout);
    if (!has_ended) {
        writing->has_ended = NULL;
        request_wait(request, cancel, writing);
    }
}

/* A new one, if the socket can be written to. NULL: the request has failed. */
static struct writing *prepare(struct request *request)
{
    struct error error;

    if (stream_get(request_sock(request), &error) == NULL) {
        request_fail(request, &error);
        return NULL;
    }
    return request_alloc(request, sizeof(struct writing));
}

/* ---- write ---- */

static void answer_size(struct writing *writing)
{
    struct writer *writer = request_reply(writing->request);

    writer_result_int(writer, RESULT_WRITE_SIZE, (int64_t)writing->write.size);
    request_finish(writing->request);
}

void handle_write(struct request *request)
{
    const struct params *params = request_params(request);
    struct value_text data = params_text(params, PARAM_WRITE_DATA);
    struct writing *writing = prepare(request);

    if (writing == NULL) {
        return;
    }
    writing->write.bytes = (const uint8_t *)data.text;
    writing->write.size = data.size;
    writing->write.is_flush = params_bool(params, PARAM_WRITE_FLUSH);
    writing->answer = answer_size;
    start(request, writing, stream_write, params_seconds(params, PARAM_WRITE_TIMEOUT));
}

/* ---- write-byte, write-char ---- */

static void answer_byte(struct writing *writing)
{
    struct writer *writer = request_reply(writing->request);

    writer_result_int(writer, RESULT_WRITE_BYTE_VALUE, writing->byte);
    request_finish(writing->request);
}

void handle_write_byte(struct request *request)
{
    const struct params *params = request_params(request);
    struct writing *writing = prepare(request);

    if (writing == NULL) {
        return;
    }
    writing->byte = (uint8_t)params_int(params, PARAM_WRITE_BYTE_VALUE);
    writing->write.bytes = &writing->byte;
    writing->write.size = 1;
    writing->write.is_flush = true;
    writing->answer = answer_byte;
    start(request, writing, stream_write,
          params_seconds(params, PARAM_WRITE_BYTE_TIMEOUT));
}

static void answer_char(struct writing *writing)
{
    struct writer *writer = request_reply(writing->request);

    writer_result(writer, RESULT_WRITE_CHAR_VALUE);
    writer_string(writer, (const char *)writing->write.bytes, writing->write.size);
    request_finish(writing->request);
}

/* The text is valid UTF-8: every byte but those within a character begins one. */
static bool is_one_char(struct value_text text)
{
    size_t n_chars = 0;

    for (size_t i = 0; i < text.size; i++) {
        n_chars += ((uint8_t)text.text[i] & 0xc0) != 0x80 ? 1 : 0;
    }
    return n_chars == 1;
}

void handle_write_char(struct request *request)
{
    const struct params *params = request_params(request);
    struct value_text value = params_text(params, PARAM_WRITE_CHAR_VALUE);
    struct error error;

    if (!is_one_char(value)) {
        error_set_parameter(&error, "value", "a string of exactly one character");
        request_fail(request, &error);
        return;
    }
    struct writing *writing = prepare(request);

    if (writing == NULL) {
        return;
    }
    writing->write.bytes = (const uint8_t *)value.text;
    writing->write.size = value.size;
    writing->write.is_flush = true;
    writing->answer = answer_char;
    start(request, writing, stream_write,
          params_seconds(params, PARAM_WRITE_CHAR_TIMEOUT));
}

/* ---- force-output, finish-output ---- */

void handle_force_output(struct request *request)
{
    struct sock *sock = request_sock(request);
    struct error error;

    if (stream_get(sock, &error) == NULL || !stream_force(sock, &error)) {
        error.socket = sock->handle;
        request_fail(request, &error);
        return;
    }
    request_ok(request);
}

static void answer_nothing(struct writing *writing) { request_ok(writing->request); }

void handle_finish_output(struct request *request)
{
    struct writing *writing = prepare(request);

    if (writing == NULL) {
        return;
    }
    writing->answer = answer_nothing;
    start(request, writing, stream_finish,
          params_seconds(request_params(request), PARAM_FINISH_OUTPUT_TIMEOUT));
}
