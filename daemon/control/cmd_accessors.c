/* SPDX-License-Identifier: MIT */
/*
 * cmd_accessors.c - one fact of a socket each, as the documented readers.
 * Thread: the worker of the socket.
 */
#include <config.h>
#include <string.h>
#include <sys/socket.h>
#include "daemon/control/handlers.h"
#include "daemon/control/request.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/sock.h"
#include "proto/ipaddr.h"
#include "proto/value.h"

/* The word of the row's own list. */
static void finish_word(struct request *request, enum result_id id, unsigned index)
{
    struct writer *writer = request_reply(request);
    size_t size;
    const char *word = value_word(table_result(id)->spec, index, &size);

    writer_result(writer, id);
    writer_string(writer, word, size);
    request_finish(request);
}

static void finish_null(struct request *request, enum result_id id)
{
    writer_result_null(request_reply(request), id);
    request_finish(request);
}

static void finish_text(struct request *request, enum result_id id, const char *text)
{
    struct writer *writer = request_reply(request);

    writer_result(writer, id);
    if (text != NULL) {
        writer_foreign(writer, text, strlen(text));
    } else {
        writer_null(writer);
    }
    request_finish(request);
}

static void finish_host(struct request *request, enum result_id id, bool is_known,
                        const struct sockaddr_storage *address)
{
    char text[IPADDR_TEXT_SIZE];

    if (!is_known) {
        finish_null(request, id);
        return;
    }
    endpoint_host_text(address, text);
    finish_text(request, id, text);
}

static void finish_port(struct request *request, enum result_id id, bool is_known,
                        const struct sockaddr_storage *address)
{
    if (!is_known) {
        finish_null(request, id);
        return;
    }
    writer_result_int(request_reply(request), id, endpoint_port(address));
    request_finish(request);
}

void handle_socket_type(struct request *request)
{
    finish_word(request, RESULT_SOCKET_TYPE_VALUE, request_sock(request)->type);
}

void handle_socket_address_family(struct request *request)
{
    finish_word(request, RESULT_SOCKET_ADDRESS_FAMILY_VALUE,
                request_sock(request)->family);
}

void handle_socket_connect(struct request *request)
{
    const struct sock *sock = request_sock(request);

    if (sock->type == SOCK_TYPE_DATAGRAM) {
        finish_null(request, RESULT_SOCKET_CONNECT_VALUE);
    } else {
        finish_word(request, RESULT_SOCKET_CONNECT_VALUE, sock->connect);
    }
}

void handle_socket_format(struct request *request)
{
    finish_word(request, RESULT_SOCKET_FORMAT_VALUE, request_sock(request)->format);
}

void handle_local_host(struct request *request)
{
    struct sockaddr_storage address;
    bool is_known = sock_local_address(request_sock(request), &address);

    finish_host(request, RESULT_LOCAL_HOST_VALUE, is_known, &address);
}

void handle_local_port(struct request *request)
{
    struct sockaddr_storage address;
    bool is_known = sock_local_address(request_sock(request), &address);

    finish_port(request, RESULT_LOCAL_PORT_VALUE, is_known, &address);
}

void handle_remote_host(struct request *request)
{
    struct sockaddr_storage address;
    bool is_known = sock_remote_address(request_sock(request), &address);

    finish_host(request, RESULT_REMOTE_HOST_VALUE, is_known, &address);
}

void handle_remote_port(struct request *request)
{
    struct sockaddr_storage address;
    bool is_known = sock_remote_address(request_sock(request), &address);

    finish_port(request, RESULT_REMOTE_PORT_VALUE, is_known, &address);
}

void handle_local_filename(struct request *request)
{
    finish_text(request, RESULT_LOCAL_FILENAME_VALUE,
                request_sock(request)->local_filename);
}

void handle_remote_filename(struct request *request)
{
    finish_text(request, RESULT_REMOTE_FILENAME_VALUE,
                request_sock(request)->remote_filename);
}

void handle_ipv6(struct request *request)
{
    const struct sock *sock = request_sock(request);

    if (sock->family == SOCK_FAMILY_FILE) {
        finish_null(request, RESULT_IPV6_VALUE);
        return;
    }
    writer_result_bool(request_reply(request), RESULT_IPV6_VALUE, sock->is_ipv6);
    request_finish(request);
}
