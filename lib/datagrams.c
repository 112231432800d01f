/* SPDX-License-Identifier: MIT */
/*
 * datagrams.c - datagrams, and waiting for several sockets: the operations of
 * commands_datagrams.def.
 *
 * Place: public functions on request.c and fields.c. Thread: any.
 */
#include <config.h>

#include "lib/internal.h"
#include "lib/shapes.h"

#include <string.h>

#define N(FIELDS) (sizeof(FIELDS) / sizeof((FIELDS)[0]))

static const struct sockd_send_to_options send_preset = SOCKD_SEND_TO_OPTIONS_INIT;
static const struct field send_fields[] = {
    MEMBER(sockd_send_to_options, remote_host, "remote-host", TEXT),
    MEMBER(sockd_send_to_options, remote_filename, "remote-filename", TEXT),
    MEMBER(sockd_send_to_options, ipv6, "ipv6", IPV6),
    MEMBER(sockd_send_to_options, scope_id, "scope-id", LONG),
};
static const struct shape send_shape = {sizeof(send_preset), send_fields, N(send_fields),
                                        &send_preset};

int sockd_send_to(struct sockd *connection, int64_t socket, const void *data, size_t size,
                  const struct sockd_send_to_options *options, double timeout,
                  size_t *sent, struct sockd_error *error)
{
    static const struct field field = {.name = "size", .type = MEMBER_SIZE};
    struct sockd_send_to_options own;
    struct request request;
    size_t answer = 0;
    void *to = &answer;
    int status;

    request_begin_waiting(&request, connection, "send-to", timeout, error);
    request_socket(&request, socket);
    request_data(&request, "data", data, size);
    if (options_copy(&own, &send_shape, options, &request, "options")) {
        options_write(&request, &send_shape, &own);
        request_port(&request, "remote-port", own.remote_port, own.remote_service);
    }
    status = request_read(&request, &field, &to, 1);
    if (status == SOCKD_OK && sent)
        *sent = answer;
    return status;
}

static const struct sockd_receive_from_options receive_preset =
    SOCKD_RECEIVE_FROM_OPTIONS_INIT;
static const struct field receive_fields[] = {
    MEMBER(sockd_receive_from_options, extract, "extract", FLAG),
};
static const struct shape receive_shape = {sizeof(receive_preset), receive_fields,
                                           N(receive_fields), &receive_preset};

static const struct sockd_datagram datagram_preset = SOCKD_DATAGRAM_INIT;
static const struct field datagram_fields[] = {
    MEMBER(sockd_datagram, size, "size", SIZE),
    MEMBER(sockd_datagram, truncated, "truncated", BOOL),
    MEMBER(sockd_datagram, remote_port, "remote-port", INT),
};
static const struct shape datagram_shape = {sizeof(datagram_preset), datagram_fields,
                                            N(datagram_fields), &datagram_preset};

static int datagram_out(const json_t *json, void *buffer, size_t size,
                        struct sockd_datagram *datagram, struct sockd_error *error)
{
    size_t n;
    int status = data_out(json, "data", buffer, size, &n, error);

    if (status != SOCKD_OK || !datagram)
        return status;
    status = answer_fill(datagram, &datagram_shape, json, error);
    if (status == SOCKD_OK)
        status = text_out(json, "remote-host", datagram->remote_host,
                          sizeof(datagram->remote_host), error);
    if (status == SOCKD_OK)
        status = text_out(json, "remote-filename", datagram->remote_filename,
                          sizeof(datagram->remote_filename), error);
    return status;
}

int sockd_receive_from(struct sockd *connection, int64_t socket, void *buffer,
                       size_t size, const struct sockd_receive_from_options *options,
                       double timeout, struct sockd_datagram *datagram,
                       struct sockd_error *error)
{
    struct sockd_receive_from_options own;
    struct request request;
    json_t *json;
    int status;

    request_begin_waiting(&request, connection, "receive-from", timeout, error);
    request_socket(&request, socket);
    request_text(&request, "encoding", "base64");
    request_int(&request, "size", size < SOCKD_READ_MAX ? (int64_t)size : SOCKD_READ_MAX);
    if (!buffer)
        request_bad(&request, "buffer", "room for the datagram, not NULL");
    answer_check(&request, datagram, &datagram_shape, "datagram");
    if (options_copy(&own, &receive_shape, options, &request, "options"))
        options_write(&request, &receive_shape, &own);
    status = request_result(&request, &json);
    if (status != SOCKD_OK)
        return status;
    status = datagram_out(json, buffer, size, datagram, error);
    json_decref(json);
    return status;
}

static void write_handles(struct request *request, const char *name,
                          const int64_t *handles, size_t n)
{
    if (n && !handles) {
        request_bad(request, name, "handles, not NULL");
        return;
    }
    writer_key(&request->writer, name);
    writer_begin_array(&request->writer);
    for (size_t i = 0; i < n; i++)
        writer_int(&request->writer, handles[i]);
    writer_end_array(&request->writer);
}

int sockd_wait_for_input_available(struct sockd *connection, const int64_t *sockets,
                                   size_t n_sockets, double timeout, int64_t *ready,
                                   size_t *n_ready, struct sockd_error *error)
{
    struct request request;
    const json_t *list;
    json_t *json;
    size_t n;
    int status;

    request_begin_waiting(&request, connection, "wait-for-input-available", timeout,
                          error);
    write_handles(&request, "sockets", sockets, n_sockets);
    status = request_result(&request, &json);
    if (status != SOCKD_OK)
        return status;
    list = json_object_get(json, "ready");
    n = json_array_size(list);
    if (!json_is_array(list) || n > n_sockets)
        status =
            fail(error, SOCKD_E_BAD_REPLY, "the result has no list of these sockets");
    for (size_t i = 0; status == SOCKD_OK && ready && i < n; i++)
        ready[i] = json_integer_value(json_array_get(list, i));
    if (status == SOCKD_OK && n_ready)
        *n_ready = n;
    json_decref(json);
    return status;
}

int sockd_wait_for_io_available(struct sockd *connection, const int64_t *input,
                                size_t n_input, const int64_t *output, size_t n_output,
                                double timeout, struct sockd_io *ready, size_t *n_ready,
                                struct sockd_error *error)
{
    struct request request;
    const json_t *list;
    json_t *json;
    size_t n;
    int status;

    request_begin_waiting(&request, connection, "wait-for-io-available", timeout, error);
    write_handles(&request, "input", input, n_input);
    write_handles(&request, "output", output, n_output);
    status = request_result(&request, &json);
    if (status != SOCKD_OK)
        return status;
    list = json_object_get(json, "ready");
    n = json_array_size(list);
    if (!json_is_array(list) || n > n_input + n_output)
        status =
            fail(error, SOCKD_E_BAD_REPLY, "the result has no list of these sockets");
    for (size_t i = 0; status == SOCKD_OK && ready && i < n; i++) {
        const json_t *pair = json_array_get(list, i);

        ready[i].socket = json_integer_value(json_array_get(pair, 0));
        ready[i].status = (enum sockd_io_status)word_index(
            IO_WORDS, json_string_value(json_array_get(pair, 1)));
    }
    if (status == SOCKD_OK && n_ready)
        *n_ready = n;
    json_decref(json);
    return status;
}
