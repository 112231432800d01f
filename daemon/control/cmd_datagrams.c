/* SPDX-License-Identifier: MIT */
/*
 * cmd_datagrams.c - send-to, receive-from.
 * Thread: the worker of the socket.
 */
#include <config.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/control/handlers.h"
#include "daemon/control/lookup_plan.h"
#include "daemon/control/request.h"
#include "daemon/control/text_policy.h"
#include "daemon/net/datagram.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/resolver.h"
#include "daemon/net/sock.h"
#include "proto/text.h"

static bool check_datagram(const struct sock *sock, struct error *error)
{
    if (sock->kind == &datagram_kind) {
        return true;
    }
    return sock_wrong_kind(sock, "a datagram socket", error);
}

/* ---- send-to ---- */

/* Owner: the request, in whose arena it lies. It takes its place in the queue at once,
 * and the name of its destination is looked up while it stands there. */
struct send {
    struct op op; /* first: the sock hands this back */
    struct resolve resolve;
    struct request *request;
    const void *bytes;
    size_t size;
    bool has_destination, is_looking_up;
    struct sockaddr_storage to;
    uint16_t port;
    struct identity who;
};

static void refuse_parameter(enum param_id id, const char *wanted, struct error *error)
{
    (void)error_set_parameter(error, table_param(id)->name, wanted);
}

/* Parameters that the family of the socket has no use for. */
static bool check_family(const struct params *params, enum sock_family family,
                         struct error *error)
{
    static const enum param_id internet[] = {PARAM_SEND_TO_REMOTE_HOST,
                                             PARAM_SEND_TO_REMOTE_PORT,
                                             PARAM_SEND_TO_IPV6, PARAM_SEND_TO_SCOPE_ID};
    static const enum param_id file[] = {PARAM_SEND_TO_REMOTE_FILENAME};
    bool is_file = family == SOCK_FAMILY_FILE;
    const enum param_id *useless = is_file ? internet : file;
    size_t n =
        is_file ? sizeof internet / sizeof internet[0] : sizeof file / sizeof file[0];

    for (size_t i = 0; i < n; i++) {
        if (params_has(params, useless[i])) {
            refuse_parameter(
                useless[i],
                is_file ? "no value, because a file socket has no use for it"
                        : "no value, because an internet socket has no use for it",
                error);
            return false;
        }
    }
    return true;
}

/* Both parts of a destination, or neither where there is a default one. */
static bool check_destination(const struct params *params, const struct sock *sock,
                              struct error *error)
{
    bool is_file = sock->family == SOCK_FAMILY_FILE;
    bool has_host = params_has(params, PARAM_SEND_TO_REMOTE_HOST);
    bool has_port = params_has(params, PARAM_SEND_TO_REMOTE_PORT);

    if (is_file ? params_has(params, PARAM_SEND_TO_REMOTE_FILENAME)
                : has_host && has_port) {
        return true;
    }
    if (!has_host && !has_port && datagram_has_destination(sock)) {
        return true;
    }
    enum param_id missing = is_file    ? PARAM_SEND_TO_REMOTE_FILENAME
                            : has_host ? PARAM_SEND_TO_REMOTE_PORT
                                       : PARAM_SEND_TO_REMOTE_HOST;

    refuse_parameter(missing, "a value, because the datagram has no destination else",
                     error);
    return false;
}

static bool read_port(struct send *send, const struct params *params, struct error *error)
{
    const struct value *value = params_value(params, PARAM_SEND_TO_REMOTE_PORT);

    if (value->port.number >= 0) {
        send->port = (uint16_t)value->port.number;
        return true;
    }
    return resolve_port(value->port.service.text, "udp", &send->port, error);
}

/* The address in the form that the socket can use. */
static bool use_address(struct send *send, const struct sock *sock,
                        const struct sockaddr_storage *address, struct error *error)
{
    const struct params *params = request_params(send->request);

    if (address->ss_family == AF_INET6 && !sock->is_ipv6) {
        refuse_parameter(PARAM_SEND_TO_REMOTE_HOST,
                         "an IPv4 address, because the socket is an IPv4 socket", error);
        return false;
    }
    send->to = *address;
    endpoint_set_port(&send->to, send->port);
    if (params_has(params, PARAM_SEND_TO_SCOPE_ID)) {
        endpoint_set_scope(&send->to, params_interface(params, PARAM_SEND_TO_SCOPE_ID));
    }
    if (sock->is_ipv6) {
        endpoint_map(&send->to);
    }
    return true;
}

static void looked_up(struct resolve *resolve, const struct resolve_answer *answer,
                      const struct error *error)
{
    struct send *send = (struct send *)((char *)resolve - offsetof(struct send, resolve));
    struct sock *sock = send->op.sock;
    struct error unusable;
    unsigned best = 0;

    if (error != NULL) {
        op_end(&send->op, error);
        return;
    }
    /* The first of the socket's own family, else the first. */
    sa_family_t family = sock->is_ipv6 ? AF_INET6 : AF_INET;
    while (best < answer->n && answer->addresses[best].ss_family != family) {
        best++;
    }
    if (!use_address(send, sock, &answer->addresses[best < answer->n ? best : 0],
                     &unusable)) {
        op_end(&send->op, &unusable);
        return;
    }
    send->is_looking_up = false;
    sock_run(sock);
}

/* What a name is looked up for: what `ipv6` says; a socket that speaks both asks for both
 * when nothing is said. */
static enum resolve_family name_family(const struct send *send, const struct sock *sock)
{
    static const enum resolve_family by_word[] = {
        [VALUE_IPV6_FALSE] = RESOLVE_V4,
        [VALUE_IPV6_TRUE] = RESOLVE_ANY,
        [VALUE_IPV6_ONLY] = RESOLVE_V6,
    };
    const struct params *params = request_params(send->request);

    if (params_has(params, PARAM_SEND_TO_IPV6)) {
        return by_word[params_word(params, PARAM_SEND_TO_IPV6)];
    }
    return sock->is_ipv6 ? RESOLVE_ANY : RESOLVE_V4;
}

static bool read_destination(struct send *send, const struct sock *sock,
                             struct error *error)
{
    const struct params *params = request_params(send->request);
    struct sockaddr_storage address;

    if (params_has(params, PARAM_SEND_TO_REMOTE_FILENAME)) {
        const char *path = params_text(params, PARAM_SEND_TO_REMOTE_FILENAME).text;
        send->has_destination = true;
        if (path[0] != '/' || !endpoint_from_path(&send->to, path)) {
            refuse_parameter(PARAM_SEND_TO_REMOTE_FILENAME,
                             "an absolute path of at most 107 bytes", error);
            return false;
        }
        return true;
    }
    if (!params_has(params, PARAM_SEND_TO_REMOTE_HOST)) {
        return true;
    }
    const struct value_host *host =
        &params_value(params, PARAM_SEND_TO_REMOTE_HOST)->host;

    send->has_destination = true;
    if (!read_port(send, params, error)) {
        return false;
    }
    if (!host->is_address) {
        send->is_looking_up = true;
        return true;
    }
    (void)endpoint_from_ip(&address, &host->ip, send->port);
    return use_address(send, sock, &address, error);
}

static enum op_result send_advance(struct op *op, struct error *error)
{
    struct send *send = (struct send *)op;

    if (send->is_looking_up) {
        return OP_WAIT;
    }
    return datagram_send(op->sock, send->bytes, send->size,
                         send->has_destination ? &send->to : NULL, &send->who, error);
}

static void send_done(struct op *op, const struct error *error)
{
    struct send *send = (struct send *)op;
    struct request *request = send->request;

    resolve_cancel(&send->resolve);
    if (error != NULL) {
        request_fail(request, error);
        return;
    }
    writer_result_int(request_reply(request), RESULT_SEND_TO_SIZE, (int64_t)send->size);
    request_finish(request);
}

static void send_cancel(struct request *request, const struct error *why)
{
    struct send *send = request_state(request);

    op_end(&send->op, why);
}

static bool send_read(struct send *send, const struct sock *sock, struct error *error)
{
    const struct params *params = request_params(send->request);
    const struct caller *caller = request_caller(send->request);
    struct value_text data = params_text(params, PARAM_SEND_TO_DATA);

    send->bytes = data.text;
    send->size = data.size;
    send->who = (struct identity){.uid = caller->uid, .gid = caller->gid};
    if (params_has(params, PARAM_SEND_TO_SIZE)) {
        int64_t size = params_int(params, PARAM_SEND_TO_SIZE);
        if ((uint64_t)size > data.size) {
            refuse_parameter(PARAM_SEND_TO_SIZE, "at most the number of bytes in data",
                             error);
            return false;
        }
        send->size = (size_t)size;
    }
    return check_datagram(sock, error) && check_family(params, sock->family, error) &&
           check_destination(params, sock, error) && read_destination(send, sock, error);
}

void handle_send_to(struct request *request)
{
    const struct params *params = request_params(request);
    struct sock *sock = request_sock(request);
    struct send *send = request_alloc(request, sizeof *send);
    double timeout = params_seconds(params, PARAM_SEND_TO_TIMEOUT);
    struct error error;

    send->request = request;
    if (!send_read(send, sock, &error)) {
        request_fail(request, &error);
        return;
    }
    send->op.name = params->command->name;
    send->op.advance = send_advance;
    send->op.done = send_done;
    request_wait(request, send_cancel, send);
    if (send->is_looking_up && timeout != 0) {
        const char *name =
            params_value(params, PARAM_SEND_TO_REMOTE_HOST)->host.name.text;
        struct resolve_plan plan = lookup_plan(request, name, name_family(send, sock));
        resolve_start(&send->resolve, &plan, -1, looked_up);
    }
    sock_start(sock, &send->op, OP_OUTPUT, timeout);
}

/* ---- receive-from ---- */

/* Owner: the request, in whose arena it lies. */
struct receive {
    struct op op; /* first: the sock hands this back */
    struct request *request;
    size_t room;
    bool is_file; /* family of the socket */
    bool is_extract;
    enum text_policy policy;
    char *bytes; /* `room` of them, from malloc(), while there are some */
    struct datagram_received received;
};

static enum text_policy choose_policy(const struct params *params,
                                      enum sock_format format)
{
    if (params_has(params, PARAM_RECEIVE_FROM_ENCODING)) {
        unsigned word = params_word(params, PARAM_RECEIVE_FROM_ENCODING);
        return text_policy_forced((enum encoding)word);
    }
    return text_policy_of(format);
}

/* Nothing is consumed by a datagram that cannot be answered: it is looked at first. */
static enum op_result receive_text(struct receive *receive, struct error *error)
{
    struct datagram_received *received = &receive->received;
    enum op_result result = datagram_receive(receive->op.sock, receive->bytes,
                                             receive->room, true, received, error);

    if (result != OP_DONE) {
        return result;
    }
    if (!text_is_utf8(receive->bytes, received->size)) {
        error_set(error, ERROR_INVALID_ENCODING, "the datagram is not valid UTF-8");
        return OP_FAILED;
    }
    result = datagram_receive(receive->op.sock, receive->bytes, receive->room, false,
                              received, error);
    if (result == OP_DONE && !text_is_utf8(receive->bytes, received->size)) {
        /* A program that got the descriptor with socket-os-fd took the first one. */
        error_set(error, ERROR_INVALID_ENCODING, "the datagram is not valid UTF-8");
        return OP_FAILED;
    }
    return result;
}

static enum op_result receive_advance(struct op *op, struct error *error)
{
    struct receive *receive = (struct receive *)op;
    enum op_result result;

    if (!op->sock->can_read) {
        return OP_WAIT;
    }
    receive->bytes = malloc(receive->room);
    if (receive->bytes == NULL) {
        error_set(error, ERROR_NO_BUFFER_SPACE, "no memory for %zu bytes", receive->room);
        return OP_FAILED;
    }
    if (receive->policy == TEXT_UTF8) {
        result = receive_text(receive, error);
    } else {
        result = datagram_receive(op->sock, receive->bytes, receive->room, false,
                                  &receive->received, error);
    }
    if (result != OP_DONE) {
        free(receive->bytes);
        receive->bytes = NULL;
    }
    return result;
}

static void write_data(struct writer *writer, const struct receive *receive)
{
    size_t size = receive->is_extract ? receive->received.size : receive->room;
    enum encoding encoding = ENCODING_UTF8;

    if (receive->policy == TEXT_LATIN1) {
        encoding = ENCODING_LATIN1;
    } else if (receive->policy == TEXT_BASE64 || (receive->policy == TEXT_UTF8_IF_VALID &&
                                                  !text_is_utf8(receive->bytes, size))) {
        encoding = ENCODING_BASE64;
    }
    text_write(writer, RESULT_RECEIVE_FROM_DATA, RESULT_RECEIVE_FROM_ENCODING, encoding,
               receive->bytes, size);
}

static void write_sender(struct writer *writer, const struct datagram_received *received,
                         bool is_file)
{
    char path[ENDPOINT_PATH_SIZE], host[IPADDR_TEXT_SIZE];

    if (is_file) {
        endpoint_path(&received->from, received->from_size, path);
        writer_result(writer, RESULT_RECEIVE_FROM_REMOTE_FILENAME);
        writer_foreign(writer, path, strlen(path));
        return;
    }
    endpoint_host_text(&received->from, host);
    writer_result_text(writer, RESULT_RECEIVE_FROM_REMOTE_HOST, host);
    writer_result_int(writer, RESULT_RECEIVE_FROM_REMOTE_PORT,
                      endpoint_port(&received->from));
}

static void receive_done(struct op *op, const struct error *error)
{
    struct receive *receive = (struct receive *)op;
    struct request *request = receive->request;
    const struct datagram_received *received = &receive->received;

    if (error != NULL) {
        request_fail(request, error);
        return;
    }
    if (!receive->is_extract) {
        memset(receive->bytes + received->size, 0, receive->room - received->size);
    }
    struct writer *writer = request_reply(request);

    write_data(writer, receive);
    writer_result_int(writer, RESULT_RECEIVE_FROM_SIZE, (int64_t)received->size);
    write_sender(writer, received, receive->is_file);
    if (received->is_truncated) {
        writer_result_bool(writer, RESULT_RECEIVE_FROM_TRUNCATED, true);
    }
    free(receive->bytes);
    request_finish(request);
}

static void receive_cancel(struct request *request, const struct error *why)
{
    struct receive *receive = request_state(request);

    op_end(&receive->op, why);
}

void handle_receive_from(struct request *request)
{
    const struct params *params = request_params(request);
    struct sock *sock = request_sock(request);
    struct error error;

    if (!check_datagram(sock, &error)) {
        request_fail(request, &error);
        return;
    }
    struct receive *receive = request_alloc(request, sizeof *receive);

    receive->request = request;
    receive->room = (size_t)params_int(params, PARAM_RECEIVE_FROM_SIZE);
    receive->is_file = sock->family == SOCK_FAMILY_FILE;
    receive->is_extract = params_bool(params, PARAM_RECEIVE_FROM_EXTRACT);
    receive->policy = choose_policy(params, sock->format);
    receive->op.name = params->command->name;
    receive->op.advance = receive_advance;
    receive->op.done = receive_done;
    request_wait(request, receive_cancel, receive);
    sock_start(sock, &receive->op, OP_INPUT,
               params_seconds(params, PARAM_RECEIVE_FROM_TIMEOUT));
}
