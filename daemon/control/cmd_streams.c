/* SPDX-License-Identifier: MIT */
/*
 * cmd_streams.c - the commands that steer a stream: shutdown, socket-control, and the
 * counters of its bytes.
 *
 * Reading is in cmd_reads.c, writing in cmd_writes.c. Called by dispatch.c; calls
 * net/stream.c. Thread: the sock's home.
 */
#include <config.h>

#include "daemon/control/handlers.h"
#include "daemon/control/request.h"
#include "daemon/net/sock.h"
#include "daemon/net/stream.h"
#include "proto/writer.h"

/* The words of shutdown's `direction`. */
enum { SHUTDOWN_INPUT, SHUTDOWN_OUTPUT };

void handle_shutdown(struct request *request)
{
    struct sock *sock = request_sock(request);
    unsigned word = params_word(request_params(request), PARAM_SHUTDOWN_DIRECTION);
    struct error error;

    if (stream_get(sock, &error) == NULL) {
        request_fail(request, &error);
        return;
    }
    /* The reply first: reads that wait may end in this, and whoever hears of that may
     * close the socket. */
    request_ok(request);
    stream_shutdown(sock, word == SHUTDOWN_INPUT ? OP_INPUT : OP_OUTPUT);
}

/* ---- socket-control ---- */

/* A change of output chunking. Owner: the request, in whose memory it lies. It has its
 * turn among the writes: those asked before it go out as they were meant. */
struct control {
    struct write_op turn; /* first: op functions get this one */
    struct request *request;
};

static bool is_given(const struct params *params, enum param_id id)
{
    return params_has(params, id) && params_bool(params, id);
}

static bool has_output_chunking(const struct params *params)
{
    return params_has(params, PARAM_SOCKET_CONTROL_OUTPUT_CHUNKING) ||
           params_has(params, PARAM_SOCKET_CONTROL_OUTPUT_CHUNKING_EOF);
}

static bool set_output_chunking(struct sock *sock, const struct params *params,
                                const struct write_op *turn, struct error *error)
{
    const struct stream *stream = sock->as.stream;
    bool is_ending = is_given(params, PARAM_SOCKET_CONTROL_OUTPUT_CHUNKING_EOF);
    bool is_on = params_has(params, PARAM_SOCKET_CONTROL_OUTPUT_CHUNKING)
                     ? params_bool(params, PARAM_SOCKET_CONTROL_OUTPUT_CHUNKING)
                     : stream->is_output_chunked;

    if (is_ending && !is_on) {
        return error_set_parameter(error, "output-chunking-eof",
                                   "true only while output is chunked");
    }
    stream_set_output_chunking(sock, is_on);
    return !is_ending || stream_end_output_chunks(sock, turn, error);
}

static void set_timeout(double *timeout, const struct params *params, enum param_id id)
{
    if (params_has(params, id)) {
        double seconds = params_seconds(params, id);
        *timeout = seconds > 0 ? seconds : 0;
    }
}

static void write_timeout(struct writer *writer, enum result_id id, double timeout)
{
    if (timeout > 0) {
        writer_result_double(writer, id, timeout);
    } else {
        writer_result_null(writer, id);
    }
}

static void fail_control(struct request *request, struct error *error)
{
    error->socket = request_sock(request)->handle;
    request_fail(request, error);
}

/* Everything but output chunking, which is as it was asked for. */
static void finish_control(struct request *request)
{
    const struct params *params = request_params(request);
    struct sock *sock = request_sock(request);
    const struct stream *stream = sock->as.stream;

    if (params_has(params, PARAM_SOCKET_CONTROL_INPUT_CHUNKING)) {
        stream_set_input_chunking(
            sock, params_bool(params, PARAM_SOCKET_CONTROL_INPUT_CHUNKING));
    }
    set_timeout(&sock->read_timeout, params, PARAM_SOCKET_CONTROL_READ_TIMEOUT);
    set_timeout(&sock->write_timeout, params, PARAM_SOCKET_CONTROL_WRITE_TIMEOUT);

    struct writer *writer = request_reply(request);

    writer_result_bool(writer, RESULT_SOCKET_CONTROL_OUTPUT_CHUNKING,
                       stream->is_output_chunked);
    writer_result_bool(writer, RESULT_SOCKET_CONTROL_INPUT_CHUNKING,
                       stream_input_chunking(stream));
    write_timeout(writer, RESULT_SOCKET_CONTROL_READ_TIMEOUT, sock->read_timeout);
    write_timeout(writer, RESULT_SOCKET_CONTROL_WRITE_TIMEOUT, sock->write_timeout);
    request_finish(request);
}

static void control_done(struct op *op, const struct error *why)
{
    const struct control *control = (struct control *)op;
    struct request *request = control->request;
    struct error error;

    if (why != NULL) {
        request_fail(request, why);
    } else if (!set_output_chunking(request_sock(request), request_params(request),
                                    &control->turn, &error)) {
        fail_control(request, &error);
    } else {
        finish_control(request);
    }
}

static void control_cancel(struct request *request, const struct error *why)
{
    struct control *control = request_state(request);

    op_end(&control->turn.op, why);
}

void handle_socket_control(struct request *request)
{
    const struct params *params = request_params(request);
    struct sock *sock = request_sock(request);
    bool has_turn = has_output_chunking(params);
    bool is_data = has_turn || params_has(params, PARAM_SOCKET_CONTROL_INPUT_CHUNKING);
    struct error error;

    if ((is_data ? stream_get(sock, &error) : stream_of(sock, &error)) == NULL) {
        fail_control(request, &error);
        return;
    }
    if (!has_turn) {
        finish_control(request);
        return;
    }
    struct control *control = request_alloc(request, sizeof *control);

    control->request = request;
    control->turn.op.name = params->command->name;
    control->turn.op.done = control_done;
    request_wait(request, control_cancel, control);
    stream_turn(sock, &control->turn);
}

/* ---- Counters ---- */

static void answer_counter(struct request *request, uint64_t *counter, enum param_id set,
                           enum result_id value)
{
    const struct params *params = request_params(request);

    if (params_has(params, set)) {
        *counter = (uint64_t)params_int(params, set);
    }
    writer_result_int(request_reply(request), value, (int64_t)*counter);
    request_finish(request);
}

void handle_socket_bytes_read(struct request *request)
{
    answer_counter(request, &request_sock(request)->bytes_read,
                   PARAM_SOCKET_BYTES_READ_SET, RESULT_SOCKET_BYTES_READ_VALUE);
}

void handle_socket_bytes_written(struct request *request)
{
    answer_counter(request, &request_sock(request)->bytes_written,
                   PARAM_SOCKET_BYTES_WRITTEN_SET, RESULT_SOCKET_BYTES_WRITTEN_VALUE);
}
