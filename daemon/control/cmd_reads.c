/* SPDX-License-Identifier: MIT */
/*
 * cmd_reads.c - the commands that read a stream: read, peek, read-line, read-byte,
 * read-char, listen.
 *
 * Called by dispatch.c; calls net/stream.c. Thread: the sock's home.
 *
 * Each command is a `take` function: it looks at the bytes that are there, decides, and
 * writes them straight into the reply. Until it decides nothing is consumed, so that a
 * time-out, an interrupt or a cancel leaves everything to the next read.
 */
#include <config.h>

#include <string.h>

#include "daemon/control/handlers.h"
#include "daemon/control/request.h"
#include "daemon/control/text_policy.h"
#include "daemon/net/sock.h"
#include "daemon/net/stream.h"
#include "proto/text.h"
#include "proto/writer.h"

enum { UTF8_MAX = 4 };

/* Where the members of a result stand in the table. */
struct read_results {
    enum result_id data, encoding, size, eof, end;
};

/* A read under way. Owner: the request, in whose memory it lies. */
struct reading {
    struct read_op read; /* first: take functions get this one */
    struct request *request;
    bool *has_ended; /* of start(), while that runs */
    const struct read_results *results;
    enum text_policy policy;
    size_t max;
    bool is_exact;           /* `max` bytes, not fewer */
    struct value_text until; /* size 0: none */
    size_t scanned; /* bytes that hold no delimiter, as long as `epoch` is the same */
    unsigned epoch;
};

static struct reading *of_read(struct read_op *read) { return (struct reading *)read; }

static void done(struct op *op, const struct error *error)
{
    struct reading *reading = (struct reading *)op;
    struct request *request = reading->request;

    if (reading->has_ended != NULL) {
        *reading->has_ended = true;
    }
    if (error != NULL) {
        request_fail(request, error);
    } else {
        request_finish(request);
    }
}

static void cancel(struct request *request, const struct error *why)
{
    struct reading *reading = request_state(request);

    op_end(&reading->read.op, why);
}

/* Most reads end at once, and then need no place among those that wait. */
static void start(struct request *request, struct reading *reading, stream_take *take,
                  double timeout)
{
    struct sock *sock = request_sock(request);
    bool has_ended = false;

    reading->request = request;
    reading->has_ended = &has_ended;
    reading->read.take = take;
    reading->read.op.name = request_params(request)->command->name;
    reading->read.op.done = done;
    stream_read(sock, &reading->read, timeout);
    if (!has_ended) {
        reading->has_ended = NULL;
        request_wait(request, cancel, reading);
    }
}

/* A new one, if the socket can be read. NULL: the request has failed. */
static struct reading *prepare(struct request *request)
{
    struct error error;

    if (stream_get(request_sock(request), &error) == NULL) {
        request_fail(request, &error);
        return NULL;
    }
    return request_alloc(request, sizeof(struct reading));
}

/* ---- Answers ---- */

static bool is_eof(enum stream_end end)
{
    return end != STREAM_END_NONE && end != STREAM_END_ERROR;
}

/* eof and end; the read has heard of the end then. */
static void write_end(struct reading *reading, struct writer *writer, enum stream_end end)
{
    writer_result_bool(writer, reading->results->eof, is_eof(end));
    if (is_eof(end)) {
        writer_result_text(writer, reading->results->end, stream_end_name(end));
        reading->read.told_end = true;
    }
}

static void write_bytes(struct reading *reading, enum encoding encoding,
                        const uint8_t *bytes, size_t size, enum stream_end end)
{
    struct writer *writer = request_reply(reading->request);

    text_write(writer, reading->results->data, reading->results->encoding, encoding,
               bytes, size);
    writer_result_int(writer, reading->results->size, (int64_t)size);
    write_end(reading, writer, end);
}

/* How no bytes are encoded. */
static enum encoding encoding_of_nothing(enum text_policy policy)
{
    switch (policy) {
    case TEXT_BASE64:
        return ENCODING_BASE64;
    case TEXT_LATIN1:
        return ENCODING_LATIN1;
    case TEXT_UTF8:
    case TEXT_UTF8_IF_VALID:
        break;
    }
    return ENCODING_UTF8;
}

/* ---- read and peek ---- */

/* What of the view answers the request. */
struct portion {
    size_t size;
    enum text_edge edge;
    bool is_rest; /* less than asked for, because the stream ended */
};

/* True: the delimiter is within the first `max` bytes; *size goes up to its end. */
static bool find_delimiter(struct reading *reading, const struct stream_view *view,
                           size_t *size)
{
    size_t width = reading->until.size;
    size_t extent = view->size < reading->max ? view->size : reading->max;

    if (reading->epoch != view->epoch || reading->scanned > extent) {
        reading->scanned = 0;
        reading->epoch = view->epoch;
    }
    size_t from = reading->scanned;
    const uint8_t *found =
        memmem(view->bytes + from, extent - from, reading->until.text, width);

    if (found != NULL) {
        *size = (size_t)(found - view->bytes) + width;
        return true;
    }
    /* Its beginning may be there already. */
    reading->scanned = extent >= width ? extent - width + 1 : 0;
    return false;
}

/* False: more must come. */
static bool measure(struct reading *reading, const struct stream_view *view,
                    struct portion *portion)
{
    bool is_end = view->end != STREAM_END_NONE;
    bool is_enough = view->size >= reading->max;

    *portion = (struct portion){
        .size = is_enough ? reading->max : view->size,
        .edge = is_enough ? TEXT_CUT
                : is_end  ? TEXT_END
                          : TEXT_OPEN,
    };
    if (reading->until.size > 0 && find_delimiter(reading, view, &portion->size)) {
        portion->edge = TEXT_WHOLE;
        return true;
    }
    if (!reading->is_exact && reading->until.size == 0) {
        return true;
    }
    if (is_enough) {
        portion->edge = reading->is_exact ? TEXT_WHOLE : TEXT_CUT;
        return true;
    }
    portion->edge = TEXT_WHOLE;
    portion->is_rest = true;
    return is_end;
}

static enum take_result take_bytes(struct read_op *read, const struct stream_view *view,
                                   size_t *consumed, struct error *error)
{
    struct reading *reading = of_read(read);
    struct portion portion;
    enum encoding encoding;

    if (view->size == 0) {
        write_bytes(reading, encoding_of_nothing(reading->policy), NULL, 0, view->end);
        return TAKE_DONE;
    }
    if (!measure(reading, view, &portion)) {
        return TAKE_WAIT;
    }
    switch (text_fit(reading->policy, portion.edge, view->bytes, &portion.size, &encoding,
                     error)) {
    case TEXT_WAITS:
        return TAKE_WAIT;
    case TEXT_BAD:
        return TAKE_FAILED;
    case TEXT_FITS:
        break;
    }
    write_bytes(reading, encoding, view->bytes, portion.size,
                portion.is_rest ? view->end : STREAM_END_NONE);
    *consumed = portion.size;
    return TAKE_DONE;
}

/* The parameters that read and peek have in common. */
struct read_params {
    enum param_id max, exactly, until, timeout, encoding;
};

static enum text_policy policy_of(struct request *request, enum param_id encoding)
{
    const struct params *params = request_params(request);

    return params_has(params, encoding)
               ? text_policy_forced((enum encoding)params_word(params, encoding))
               : text_policy_of(request_sock(request)->format);
}

static void read_or_peek(struct request *request, const struct read_params *ids,
                         const struct read_results *results, bool is_peek)
{
    const struct params *params = request_params(request);
    struct reading *reading = prepare(request);
    struct error error;

    if (reading == NULL) {
        return;
    }
    reading->is_exact = params_has(params, ids->exactly);
    if (reading->is_exact &&
        (params_has(params, ids->max) || params_has(params, ids->until))) {
        error_set_parameter(&error, "exactly", "no max and no until beside it");
        request_fail(request, &error);
        return;
    }
    reading->max =
        (size_t)params_int(params, reading->is_exact ? ids->exactly : ids->max);
    if (params_has(params, ids->until)) {
        reading->until = params_text(params, ids->until);
    }
    reading->policy = policy_of(request, ids->encoding);
    reading->results = results;
    reading->read.limit = reading->max;
    reading->read.is_peek = is_peek;
    start(request, reading, take_bytes, params_seconds(params, ids->timeout));
}

void handle_read(struct request *request)
{
    static const struct read_params ids = {
        .max = PARAM_READ_MAX,
        .exactly = PARAM_READ_EXACTLY,
        .until = PARAM_READ_UNTIL,
        .timeout = PARAM_READ_TIMEOUT,
        .encoding = PARAM_READ_ENCODING,
    };
    static const struct read_results results = {
        .data = RESULT_READ_DATA,
        .encoding = RESULT_READ_ENCODING,
        .size = RESULT_READ_SIZE,
        .eof = RESULT_READ_EOF,
        .end = RESULT_READ_END,
    };

    read_or_peek(request, &ids, &results, false);
}

void handle_peek(struct request *request)
{
    static const struct read_params ids = {
        .max = PARAM_PEEK_MAX,
        .exactly = PARAM_PEEK_EXACTLY,
        .until = PARAM_PEEK_UNTIL,
        .timeout = PARAM_PEEK_TIMEOUT,
        .encoding = PARAM_PEEK_ENCODING,
    };
    static const struct read_results results = {
        .data = RESULT_PEEK_DATA,
        .encoding = RESULT_PEEK_ENCODING,
        .size = RESULT_PEEK_SIZE,
        .eof = RESULT_PEEK_EOF,
        .end = RESULT_PEEK_END,
    };

    read_or_peek(request, &ids, &results, true);
}

/* ---- read-line ---- */

/* The line in what is there, without its end; *used counts that in. */
struct line {
    size_t size, used;
    bool has_newline;
    enum text_edge edge;
    bool is_rest;
};

/* False: more must come. */
static bool find_line(struct reading *reading, const struct stream_view *view,
                      struct line *line)
{
    size_t max = reading->max;
    size_t extent = view->size < max + 2 ? view->size : max + 2;

    *line = (struct line){.edge = TEXT_WHOLE};
    if (reading->epoch != view->epoch || reading->scanned > extent) {
        reading->scanned = 0;
        reading->epoch = view->epoch;
    }
    const uint8_t *found =
        memchr(view->bytes + reading->scanned, '\n', extent - reading->scanned);

    if (found != NULL) {
        line->size = (size_t)(found - view->bytes);
        line->used = line->size + 1;
        line->has_newline = true;
        if (line->size > 0 && found[-1] == '\r') {
            line->size--;
        }
        if (line->size <= max) {
            return true;
        }
    }
    reading->scanned = extent;
    line->has_newline = false;
    if (view->size >= max) {
        line->size = line->used = max;
        line->edge = TEXT_CUT;
        return true;
    }
    line->size = line->used = view->size;
    line->is_rest = true;
    return view->end != STREAM_END_NONE;
}

static void write_no_line(struct reading *reading, enum stream_end end)
{
    struct writer *writer = request_reply(reading->request);

    writer_result_null(writer, reading->results->data);
    text_write_encoding(writer, reading->results->encoding,
                        encoding_of_nothing(reading->policy));
    writer_result_bool(writer, RESULT_READ_LINE_MISSING_NEWLINE, true);
    write_end(reading, writer, end);
}

static enum take_result take_line(struct read_op *read, const struct stream_view *view,
                                  size_t *consumed, struct error *error)
{
    struct reading *reading = of_read(read);
    enum encoding encoding = encoding_of_nothing(reading->policy);
    struct line line;

    if (view->size == 0) {
        write_no_line(reading, view->end);
        return TAKE_DONE;
    }
    if (!find_line(reading, view, &line)) {
        return TAKE_WAIT;
    }
    size_t whole = line.size;

    if (whole > 0) {
        enum text_fit fit = text_fit(reading->policy, line.edge, view->bytes, &line.size,
                                     &encoding, error);
        if (fit == TEXT_BAD) {
            return TAKE_FAILED;
        }
    }
    struct writer *writer = request_reply(reading->request);

    text_write(writer, reading->results->data, reading->results->encoding, encoding,
               view->bytes, line.size);
    writer_result_bool(writer, RESULT_READ_LINE_MISSING_NEWLINE, !line.has_newline);
    write_end(reading, writer, line.is_rest ? view->end : STREAM_END_NONE);
    *consumed = line.used - (whole - line.size); /* less a split character */
    return TAKE_DONE;
}

void handle_read_line(struct request *request)
{
    static const struct read_results results = {
        .data = RESULT_READ_LINE_LINE,
        .encoding = RESULT_READ_LINE_ENCODING,
        .eof = RESULT_READ_LINE_EOF,
        .end = RESULT_READ_LINE_END,
    };
    const struct params *params = request_params(request);
    struct reading *reading = prepare(request);

    if (reading == NULL) {
        return;
    }
    reading->max = (size_t)params_int(params, PARAM_READ_LINE_MAX);
    reading->policy = policy_of(request, PARAM_READ_LINE_ENCODING);
    reading->results = &results;
    reading->read.limit = reading->max + 2; /* and a line's end */
    start(request, reading, take_line, params_seconds(params, PARAM_READ_LINE_TIMEOUT));
}

/* ---- Single steps ---- */

static enum take_result take_byte(struct read_op *read, const struct stream_view *view,
                                  size_t *consumed, struct error *error)
{
    struct reading *reading = of_read(read);
    struct writer *writer = request_reply(reading->request);

    (void)error;
    if (view->size == 0) {
        writer_result_null(writer, reading->results->data);
        write_end(reading, writer, view->end);
        return TAKE_DONE;
    }
    writer_result_int(writer, reading->results->data, view->bytes[0]);
    write_end(reading, writer, STREAM_END_NONE);
    *consumed = 1;
    return TAKE_DONE;
}

void handle_read_byte(struct request *request)
{
    static const struct read_results results = {
        .data = RESULT_READ_BYTE_VALUE,
        .eof = RESULT_READ_BYTE_EOF,
        .end = RESULT_READ_BYTE_END,
    };
    struct reading *reading = prepare(request);

    if (reading == NULL) {
        return;
    }
    reading->results = &results;
    reading->read.limit = 1;
    start(request, reading, take_byte,
          params_seconds(request_params(request), PARAM_READ_BYTE_TIMEOUT));
}

/* Bytes of the character that begins with this one; 1 for what begins none, too. */
static size_t width_of(uint8_t first)
{
    return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
}

static enum take_result take_char(struct read_op *read, const struct stream_view *view,
                                  size_t *consumed, struct error *error)
{
    struct reading *reading = of_read(read);
    struct writer *writer;

    if (view->size == 0) {
        writer = request_reply(reading->request);
        writer_result_null(writer, reading->results->data);
        write_end(reading, writer, view->end);
        return TAKE_DONE;
    }
    size_t width = width_of(view->bytes[0]);
    bool is_split = false;
    size_t size = view->size < width ? view->size : width;
    size_t prefix = text_utf8_prefix(view->bytes, size, &is_split);

    if (prefix == 0 && is_split && view->end == STREAM_END_NONE && view->size < width) {
        return TAKE_WAIT;
    }
    if (prefix != width) {
        error_set(error, ERROR_INVALID_ENCODING, "the next bytes are no UTF-8 character");
        return TAKE_FAILED;
    }
    writer = request_reply(reading->request);
    writer_result(writer, reading->results->data);
    writer_string(writer, (const char *)view->bytes, width);
    write_end(reading, writer, STREAM_END_NONE);
    *consumed = width;
    return TAKE_DONE;
}

void handle_read_char(struct request *request)
{
    static const struct read_results results = {
        .data = RESULT_READ_CHAR_VALUE,
        .eof = RESULT_READ_CHAR_EOF,
        .end = RESULT_READ_CHAR_END,
    };
    struct reading *reading = prepare(request);

    if (reading == NULL) {
        return;
    }
    reading->results = &results;
    reading->read.limit = UTF8_MAX;
    start(request, reading, take_char,
          params_seconds(request_params(request), PARAM_READ_CHAR_TIMEOUT));
}

/* ---- listen ---- */

/* A peek that does not wait: only it knows whether an end or a byte is what is ready. */
static enum take_result take_listen(struct read_op *read, const struct stream_view *view,
                                    size_t *consumed, struct error *error)
{
    struct reading *reading = of_read(read);
    struct writer *writer = request_reply(reading->request);

    (void)consumed, (void)error;
    writer_result_bool(writer, RESULT_LISTEN_AVAILABLE, view->size > 0);
    writer_result_bool(writer, RESULT_LISTEN_EOF, view->size == 0);
    return TAKE_DONE;
}

static void answer_nothing(struct request *request)
{
    struct writer *writer = request_reply(request);

    writer_result_bool(writer, RESULT_LISTEN_AVAILABLE, false);
    writer_result_bool(writer, RESULT_LISTEN_EOF, false);
    request_finish(request);
}

void handle_listen(struct request *request)
{
    struct sock *sock = request_sock(request);
    struct reading *reading = prepare(request);

    if (reading == NULL) {
        return;
    }
    /* Where a read waits there is nothing for another. */
    if (sock->ops[OP_INPUT].n > 0 || !stream_input_ready(sock)) {
        answer_nothing(request);
        return;
    }
    reading->read.limit = 1;
    reading->read.is_peek = true;
    start(request, reading, take_listen, 0);
}
