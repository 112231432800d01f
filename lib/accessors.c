/* SPDX-License-Identifier: MIT */
/*
 * accessors.c - one fact of a socket each: the operations of commands_accessors.def.
 *
 * Place: public functions on request.c and fields.c. Thread: any.
 */
#include <config.h>

#include "lib/internal.h"
#include "lib/shapes.h"

/* Asks `method` of the socket and reads the member `value` into *value, which has been
 * set to what stands for null. */
static int ask(struct sockd *connection, const char *method, int64_t socket,
               double timeout, enum field_type type, const char *words, void *value,
               struct sockd_error *error)
{
    const struct field field = {.name = "value", .type = type, .words = words};
    struct request request;

    request_begin(&request, connection, method, timeout, error);
    request_socket(&request, socket);
    return request_read(&request, &field, &value, 1);
}

/* Outputs are touched only on success, and may be NULL. */
static int ask_number(struct sockd *connection, const char *method, int64_t socket,
                      double timeout, enum field_type type, const char *words, int *value,
                      struct sockd_error *error)
{
    int answer = type == MEMBER_WORD ? 0 : SOCKD_UNSET;
    int status = ask(connection, method, socket, timeout, type, words, &answer, error);

    if (status == SOCKD_OK && value)
        *value = answer;
    return status;
}

int sockd_socket_type(struct sockd *connection, int64_t socket, double timeout,
                      enum sockd_type *value, struct sockd_error *error)
{
    int number;
    int status = ask_number(connection, "socket-type", socket, timeout, MEMBER_WORD,
                            TYPE_WORDS, &number, error);

    if (status == SOCKD_OK && value)
        *value = (enum sockd_type)number;
    return status;
}

int sockd_socket_address_family(struct sockd *connection, int64_t socket, double timeout,
                                enum sockd_address_family *value,
                                struct sockd_error *error)
{
    int number;
    int status = ask_number(connection, "socket-address-family", socket, timeout,
                            MEMBER_WORD, FAMILY_WORDS, &number, error);

    if (status == SOCKD_OK && value)
        *value = (enum sockd_address_family)number;
    return status;
}

int sockd_socket_connect(struct sockd *connection, int64_t socket, double timeout,
                         enum sockd_connect_mode *value, struct sockd_error *error)
{
    int number;
    int status = ask_number(connection, "socket-connect", socket, timeout, MEMBER_WORD,
                            CONNECT_WORDS, &number, error);

    if (status == SOCKD_OK && value)
        *value = (enum sockd_connect_mode)number;
    return status;
}

int sockd_socket_format(struct sockd *connection, int64_t socket, double timeout,
                        enum sockd_format *value, struct sockd_error *error)
{
    int number;
    int status = ask_number(connection, "socket-format", socket, timeout, MEMBER_WORD,
                            FORMAT_WORDS, &number, error);

    if (status == SOCKD_OK && value)
        *value = (enum sockd_format)number;
    return status;
}

int sockd_local_port(struct sockd *connection, int64_t socket, double timeout, int *port,
                     struct sockd_error *error)
{
    return ask_number(connection, "local-port", socket, timeout, MEMBER_INT, NULL, port,
                      error);
}

int sockd_remote_port(struct sockd *connection, int64_t socket, double timeout, int *port,
                      struct sockd_error *error)
{
    return ask_number(connection, "remote-port", socket, timeout, MEMBER_INT, NULL, port,
                      error);
}

int sockd_ipv6(struct sockd *connection, int64_t socket, double timeout, int *value,
               struct sockd_error *error)
{
    return ask_number(connection, "ipv6", socket, timeout, MEMBER_FLAG, NULL, value,
                      error);
}

static int ask_text(struct sockd *connection, const char *method, int64_t socket,
                    double timeout, char *text, size_t size, struct sockd_error *error)
{
    struct request request;
    json_t *json;
    int status;

    request_begin(&request, connection, method, timeout, error);
    request_socket(&request, socket);
    status = request_result(&request, &json);
    if (status != SOCKD_OK)
        return status;
    status = text_out(json, "value", text, size, error);
    json_decref(json);
    return status;
}

int sockd_local_host(struct sockd *connection, int64_t socket, double timeout, char *host,
                     size_t size, struct sockd_error *error)
{
    return ask_text(connection, "local-host", socket, timeout, host, size, error);
}

int sockd_remote_host(struct sockd *connection, int64_t socket, double timeout,
                      char *host, size_t size, struct sockd_error *error)
{
    return ask_text(connection, "remote-host", socket, timeout, host, size, error);
}

int sockd_local_filename(struct sockd *connection, int64_t socket, double timeout,
                         char *filename, size_t size, struct sockd_error *error)
{
    return ask_text(connection, "local-filename", socket, timeout, filename, size, error);
}

int sockd_remote_filename(struct sockd *connection, int64_t socket, double timeout,
                          char *filename, size_t size, struct sockd_error *error)
{
    return ask_text(connection, "remote-filename", socket, timeout, filename, size,
                    error);
}

/* The counters: `set` other than SOCKD_UNSET goes with the question. */
static int ask_bytes(struct sockd *connection, const char *method, int64_t socket,
                     int64_t set, double timeout, int64_t *value,
                     struct sockd_error *error)
{
    static const struct field field = {.name = "value", .type = MEMBER_COUNT};
    struct request request;
    int64_t answer = 0;
    void *to = &answer;
    int status;

    request_begin(&request, connection, method, timeout, error);
    request_socket(&request, socket);
    if (set != SOCKD_UNSET)
        request_int(&request, "set", set);
    status = request_read(&request, &field, &to, 1);
    if (status == SOCKD_OK && value)
        *value = answer;
    return status;
}

int sockd_socket_bytes_read(struct sockd *connection, int64_t socket, int64_t set,
                            double timeout, int64_t *value, struct sockd_error *error)
{
    return ask_bytes(connection, "socket-bytes-read", socket, set, timeout, value, error);
}

int sockd_socket_bytes_written(struct sockd *connection, int64_t socket, int64_t set,
                               double timeout, int64_t *value, struct sockd_error *error)
{
    return ask_bytes(connection, "socket-bytes-written", socket, set, timeout, value,
                     error);
}
