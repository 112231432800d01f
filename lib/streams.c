/* SPDX-License-Identifier: MIT */
/*
 * streams.c - reading, writing and interrupting streams: the operations of
 * commands_streams.def.
 *
 * Place: public functions on request.c and fields.c. Reads ask for base64, because that
 * is what any bytes can be, unless the caller wants whole characters.
 *
 * Thread: any.
 */
#include <config.h>

#include "lib/internal.h"
#include "lib/shapes.h"

#include <string.h>
#include "proto/text.h"

#define N(FIELDS) (sizeof(FIELDS) / sizeof((FIELDS)[0]))

enum {
    DEFAULT_MESSAGE_LIMIT = 1048576, /* of a daemon that tells none */
    LINE_OVERHEAD = 512,             /* of a write request, but for its data */
    N_BYTES_IN_CHAR = 4,
};

/* ---- Reading ---- */

static const struct sockd_read_options read_preset = SOCKD_READ_OPTIONS_INIT;
static const struct shape read_shape = {.size = sizeof(read_preset),
                                        .preset = &read_preset};

static void write_encoding(struct request *request, enum sockd_encoding encoding)
{
    if (encoding == SOCKD_BYTES || encoding == SOCKD_UTF8)
        request_text(request, "encoding", encoding == SOCKD_UTF8 ? "utf-8" : "base64");
    else
        request_bad(request, "encoding", "SOCKD_BYTES or SOCKD_UTF8");
}

/* The delimiter is written in the encoding of the answer. */
static void write_until(struct request *request, const struct sockd_read_options *options)
{
    if (!options->until)
        return;
    if (options->encoding == SOCKD_UTF8 &&
        !text_is_utf8(options->until, options->until_size)) {
        request_bad(request, "until", "UTF-8 text, as `encoding` is SOCKD_UTF8");
        return;
    }
    writer_key(&request->writer, "until");
    if (options->encoding == SOCKD_UTF8)
        writer_string(&request->writer, options->until, options->until_size);
    else
        writer_base64(&request->writer, options->until, options->until_size);
}

static void write_read(struct request *request, const struct sockd_read_options *options,
                       size_t size)
{
    bool exactly = options->exactly != SOCKD_UNSET && options->exactly;

    write_encoding(request, options->encoding);
    write_until(request, options);
    if (exactly && size > SOCKD_READ_MAX)
        request_bad(request, "size", "at most SOCKD_READ_MAX with `exactly`");
    request_int(request, exactly ? "exactly" : "max",
                size < SOCKD_READ_MAX ? (int64_t)size : SOCKD_READ_MAX);
}

static enum sockd_end end_of(const json_t *json)
{
    int end = word_index(END_WORDS, json_string_value(json_object_get(json, "end")));

    /* An end of a kind that is not known here must not be taken for none. */
    if (!end && json_is_true(json_object_get(json, "eof")))
        return SOCKD_END_CLEAN;
    return (enum sockd_end)end;
}

static int read_or_peek(struct sockd *connection, const char *method, int64_t socket,
                        void *buffer, size_t size,
                        const struct sockd_read_options *options, double timeout,
                        size_t *n_read, enum sockd_end *end, struct sockd_error *error)
{
    struct sockd_read_options own;
    struct request request;
    json_t *json;
    size_t n;
    int status;

    request_begin_waiting(&request, connection, method, timeout, error);
    request_socket(&request, socket);
    if (!buffer || !n_read)
        request_bad(&request, buffer ? "n_read" : "buffer", "a place, not NULL");
    if (options_copy(&own, &read_shape, options, &request, "options"))
        write_read(&request, &own, size);
    status = request_result(&request, &json);
    if (status != SOCKD_OK)
        return status;
    status = data_out(json, "data", buffer, size, &n, error);
    if (status == SOCKD_OK) {
        *n_read = n;
        if (end)
            *end = end_of(json);
    }
    json_decref(json);
    return status;
}

int sockd_read(struct sockd *connection, int64_t socket, void *buffer, size_t size,
               const struct sockd_read_options *options, double timeout, size_t *n_read,
               enum sockd_end *end, struct sockd_error *error)
{
    return read_or_peek(connection, "read", socket, buffer, size, options, timeout,
                        n_read, end, error);
}

int sockd_peek(struct sockd *connection, int64_t socket, void *buffer, size_t size,
               const struct sockd_read_options *options, double timeout, size_t *n_read,
               enum sockd_end *end, struct sockd_error *error)
{
    return read_or_peek(connection, "peek", socket, buffer, size, options, timeout,
                        n_read, end, error);
}

static const struct sockd_read_line_options read_line_preset =
    SOCKD_READ_LINE_OPTIONS_INIT;
static const struct shape read_line_shape = {.size = sizeof(read_line_preset),
                                             .preset = &read_line_preset};

static const struct sockd_line line_preset = SOCKD_LINE_INIT;
static const struct field line_fields[] = {
    MEMBER(sockd_line, missing_newline, "missing-newline", BOOL),
};
static const struct shape line_shape = {sizeof(line_preset), line_fields, N(line_fields),
                                        &line_preset};

static int line_out(const json_t *json, char *buffer, size_t size, bool *present,
                    struct sockd_line *line, struct sockd_error *error)
{
    bool is_line = !json_is_null(json_object_get(json, "line"));
    size_t n = 0;
    int status = SOCKD_OK;

    if (is_line)
        status = data_out(json, "line", buffer, size - 1, &n, error);
    if (status == SOCKD_OK && line)
        status = answer_fill(line, &line_shape, json, error);
    if (status != SOCKD_OK)
        return status;
    buffer[n] = 0;
    if (line) {
        line->size = n;
        line->end = end_of(json);
    }
    if (present)
        *present = is_line;
    return SOCKD_OK;
}

int sockd_read_line(struct sockd *connection, int64_t socket, char *buffer, size_t size,
                    const struct sockd_read_line_options *options, double timeout,
                    bool *present, struct sockd_line *line, struct sockd_error *error)
{
    struct sockd_read_line_options own;
    struct request request;
    json_t *json;
    int status;

    request_begin_waiting(&request, connection, "read-line", timeout, error);
    request_socket(&request, socket);
    if (!buffer || size < 2)
        request_bad(&request, buffer ? "size" : "buffer", "room for a line and its NUL");
    answer_check(&request, line, &line_shape, "line");
    request_int(&request, "max",
                size - 1 < SOCKD_READ_MAX ? (int64_t)size - 1 : SOCKD_READ_MAX);
    if (options_copy(&own, &read_line_shape, options, &request, "options"))
        write_encoding(&request, own.encoding);
    status = request_result(&request, &json);
    if (status != SOCKD_OK)
        return status;
    status = line_out(json, buffer, size, present, line, error);
    json_decref(json);
    return status;
}

int sockd_listen(struct sockd *connection, int64_t socket, double timeout,
                 bool *available, bool *eof, struct sockd_error *error)
{
    static const struct field fields[] = {{.name = "available", .type = MEMBER_BOOL},
                                          {.name = "eof", .type = MEMBER_BOOL}};
    void *const to[] = {available, eof};
    struct request request;

    request_begin(&request, connection, "listen", timeout, error);
    request_socket(&request, socket);
    return request_read(&request, fields, to, N(fields));
}

/* The common part of read-byte and read-char: a new reference to the result. */
static int read_one(struct sockd *connection, const char *method, int64_t socket,
                    double timeout, json_t **json, enum sockd_end *end,
                    struct sockd_error *error)
{
    struct request request;
    int status;

    request_begin_waiting(&request, connection, method, timeout, error);
    request_socket(&request, socket);
    status = request_result(&request, json);
    if (status == SOCKD_OK && end)
        *end = end_of(*json);
    return status;
}

int sockd_read_byte(struct sockd *connection, int64_t socket, double timeout, int *value,
                    enum sockd_end *end, struct sockd_error *error)
{
    const json_t *member;
    json_t *json;
    int status = read_one(connection, "read-byte", socket, timeout, &json, end, error);

    if (status != SOCKD_OK)
        return status;
    member = json_object_get(json, "value");
    if (value)
        *value = json_is_integer(member) ? (int)json_integer_value(member) : -1;
    json_decref(json);
    return SOCKD_OK;
}

/* The first character of valid UTF-8. */
static int32_t decode_char(const unsigned char *bytes)
{
    if (bytes[0] < 0x80)
        return bytes[0];
    if (bytes[0] < 0xE0)
        return (bytes[0] & 0x1F) << 6 | (bytes[1] & 0x3F);
    if (bytes[0] < 0xF0)
        return (bytes[0] & 0x0F) << 12 | (bytes[1] & 0x3F) << 6 | (bytes[2] & 0x3F);
    return (bytes[0] & 0x07) << 18 | (bytes[1] & 0x3F) << 12 | (bytes[2] & 0x3F) << 6 |
           (bytes[3] & 0x3F);
}

/* Its bytes; 0: no Unicode character has this number. */
static size_t encode_char(int32_t c, char bytes[N_BYTES_IN_CHAR])
{
    if (c < 0 || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    if (c < 0x80) {
        bytes[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        bytes[0] = (char)(0xC0 | c >> 6);
        bytes[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        bytes[0] = (char)(0xE0 | c >> 12);
        bytes[1] = (char)(0x80 | (c >> 6 & 0x3F));
        bytes[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    bytes[0] = (char)(0xF0 | c >> 18);
    bytes[1] = (char)(0x80 | (c >> 12 & 0x3F));
    bytes[2] = (char)(0x80 | (c >> 6 & 0x3F));
    bytes[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

int sockd_read_char(struct sockd *connection, int64_t socket, double timeout,
                    int32_t *value, enum sockd_end *end, struct sockd_error *error)
{
    const json_t *member;
    json_t *json;
    int status = read_one(connection, "read-char", socket, timeout, &json, end, error);

    if (status != SOCKD_OK)
        return status;
    member = json_object_get(json, "value");
    if (value)
        *value = json_is_string(member)
                     ? decode_char((const unsigned char *)json_string_value(member))
                     : -1;
    json_decref(json);
    return SOCKD_OK;
}

/* ---- Writing ---- */

static const struct sockd_write_options write_preset = SOCKD_WRITE_OPTIONS_INIT;
static const struct field write_fields[] = {
    MEMBER(sockd_write_options, flush, "flush", FLAG),
};
static const struct shape write_shape = {sizeof(write_preset), write_fields,
                                         N(write_fields), &write_preset};

/* Bytes that fit into one message whatever they are. */
static size_t piece_size(const struct sockd *connection)
{
    size_t limit =
        connection->message_limit ? connection->message_limit : DEFAULT_MESSAGE_LIMIT;

    return limit > 2 * LINE_OVERHEAD ? (limit - LINE_OVERHEAD) / 4 * 3
                                     : LINE_OVERHEAD / 4 * 3;
}

/* One message of a write; `timeout` counts from now. */
static int write_piece(struct sockd *connection, int64_t socket, const char *data,
                       size_t size, const struct sockd_write_options *options,
                       double timeout, struct sockd_error *error)
{
    struct sockd_write_options own;
    struct request request;

    request_begin_waiting(&request, connection, "write", timeout, error);
    request_socket(&request, socket);
    request_data(&request, "data", data, size);
    if (options_copy(&own, &write_shape, options, &request, "options"))
        options_write(&request, &write_shape, &own);
    return request_done(&request);
}

int sockd_write(struct sockd *connection, int64_t socket, const void *data, size_t size,
                const struct sockd_write_options *options, double timeout,
                size_t *n_written, struct sockd_error *error)
{
    const char *bytes = data;
    size_t done = 0, piece = connection ? piece_size(connection) : size;
    int64_t deadline = NEVER;
    int status;

    if (n_written)
        *n_written = 0;
    if (connection && size > piece)
        (void)deadline_after(timeout, connection->default_timeout, &deadline);
    do {
        size_t n = size - done < piece ? size - done : piece;

        if (deadline != NEVER) {
            int64_t left = deadline - now_ns();

            timeout = left > 0 ? (double)left / 1e9 : 0;
        }
        status = write_piece(connection, socket, bytes ? bytes + done : NULL, n, options,
                             timeout, error);
        if (status == SOCKD_OK)
            done += n;
    } while (status == SOCKD_OK && done < size);
    if (n_written)
        *n_written = done;
    return status;
}

int sockd_force_output(struct sockd *connection, int64_t socket, double timeout,
                       struct sockd_error *error)
{
    struct request request;

    request_begin(&request, connection, "force-output", timeout, error);
    request_socket(&request, socket);
    return request_done(&request);
}

int sockd_finish_output(struct sockd *connection, int64_t socket, double timeout,
                        struct sockd_error *error)
{
    struct request request;

    request_begin_waiting(&request, connection, "finish-output", timeout, error);
    request_socket(&request, socket);
    return request_done(&request);
}

int sockd_write_byte(struct sockd *connection, int64_t socket, unsigned char value,
                     double timeout, struct sockd_error *error)
{
    struct request request;

    request_begin_waiting(&request, connection, "write-byte", timeout, error);
    request_socket(&request, socket);
    request_int(&request, "value", value);
    return request_done(&request);
}

int sockd_write_char(struct sockd *connection, int64_t socket, int32_t value,
                     double timeout, struct sockd_error *error)
{
    struct request request;
    char bytes[N_BYTES_IN_CHAR];
    size_t size = encode_char(value, bytes);

    request_begin_waiting(&request, connection, "write-char", timeout, error);
    request_socket(&request, socket);
    if (!size)
        request_bad(&request, "value", "the number of a Unicode character");
    writer_key(&request.writer, "value");
    writer_string(&request.writer, bytes, size);
    return request_done(&request);
}
