/* SPDX-License-Identifier: MIT */
/*
 * description.c - what replies tell of a sock, and describe-socket.
 *
 * Used by make-socket, accept-connection, list-sockets. Addresses are asked from the
 * kernel when they are wanted, so that an idle sock keeps none.
 */
#include <config.h>
#include "daemon/control/description.h"
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "daemon/base/check.h"
#include "daemon/base/loop.h"
#include "daemon/base/users.h"
#include "daemon/control/handlers.h"
#include "daemon/control/options_write.h"
#include "daemon/control/print_form.h"
#include "daemon/control/request.h"
#include "daemon/control/timestamp.h"
#include "daemon/net/bridge.h"
#include "daemon/net/chunked.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/sock.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls_lobby.h"
#include "daemon/net/tls_session.h"
#include "proto/ipaddr.h"
#include "proto/writer.h"

static bool is_active_stream(const struct sock *sock)
{
    return sock->type == SOCK_TYPE_STREAM && sock->connect == SOCK_CONNECT_ACTIVE &&
           sock->state != SOCK_STATE_CONNECTING;
}

enum description_state description_state(const struct sock *sock)
{
    struct sockaddr_storage peer;

    switch (sock->state) {
    case SOCK_STATE_CONNECTING:
        return DESCRIPTION_CONNECTING;
    case SOCK_STATE_LISTENING:
        return DESCRIPTION_LISTENING;
    case SOCK_STATE_CLOSING:
        return DESCRIPTION_CLOSING;
    case SOCK_STATE_ATTACHED:
        return DESCRIPTION_CONNECTED;
    case SOCK_STATE_OPEN:
        break;
    }
    if (sock->type == SOCK_TYPE_DATAGRAM) {
        return sock_remote_address(sock, &peer) ? DESCRIPTION_CONNECTED
                                                : DESCRIPTION_OPEN;
    }
    return sock->end != SOCK_END_NONE ? DESCRIPTION_ENDED : DESCRIPTION_CONNECTED;
}

/* The text of a word of the table, so that the words stand in one place. */
static void write_word(struct writer *writer, enum result_id id, unsigned index)
{
    const char *spec = table_result(id)->spec;
    size_t size;
    const char *word = value_word(spec, index, &size);

    writer_result(writer, id);
    writer_string(writer, word, size);
}

static void write_filename(struct writer *writer, enum result_id id, const char *name)
{
    writer_result(writer, id);
    if (name) {
        writer_foreign(writer, name, strlen(name));
    } else {
        writer_null(writer);
    }
}

static void write_address(struct writer *writer, enum result_id host_id,
                          enum result_id port_id, bool is_known,
                          const struct sockaddr_storage *address)
{
    char text[IPADDR_TEXT_SIZE];
    struct value_ip ip;

    if (is_known && endpoint_ip(address, &ip)) {
        ipaddr_format(&ip, text);
        writer_result_text(writer, host_id, text);
        writer_result_int(writer, port_id, endpoint_port(address));
    } else {
        writer_result_null(writer, host_id);
        writer_result_null(writer, port_id);
    }
}

static void write_session(struct writer *writer, const struct sock *sock)
{
    struct tls_facts facts;

    tls_session_describe(sock, &facts);
    writer_begin_object(writer);
    write_word(writer, FIELD_TLS_ROLE, facts.role);
    writer_result_text(writer, FIELD_TLS_STATE, tls_state_name(facts.state));
    writer_result_text(writer, FIELD_TLS_VERSION, facts.version);
    writer_result_text(writer, FIELD_TLS_CIPHER, facts.cipher);
    writer_result_text(writer, FIELD_TLS_GROUP, facts.group);
    writer_result(writer, FIELD_TLS_ALPN);
    if (facts.alpn != NULL) {
        writer_foreign(writer, (const char *)facts.alpn, facts.alpn_size);
    } else {
        writer_null(writer);
    }
    write_filename(writer, FIELD_TLS_SERVER_NAME, facts.server_name);
    writer_result_bool(writer, FIELD_TLS_VERIFIED, facts.is_verified);
    writer_result_bool(writer, FIELD_TLS_RESUMED, facts.is_resumed);
    writer_end_object(writer);
}

void description_write(struct writer *writer, const struct sock *sock)
{
    bool is_internet = sock->family == SOCK_FAMILY_INTERNET;
    struct sockaddr_storage local, remote;
    bool has_local = is_internet && sock_local_address(sock, &local);
    bool has_remote = is_internet && sock_remote_address(sock, &remote);

    writer_result_int(writer, FIELD_DESCRIPTION_SOCKET, sock->handle);
    if (sock->name) {
        writer_result_text(writer, FIELD_DESCRIPTION_NAME, sock->name);
    }
    write_word(writer, FIELD_DESCRIPTION_TYPE, sock->type);
    write_word(writer, FIELD_DESCRIPTION_ADDRESS_FAMILY, sock->family);
    if (sock->type == SOCK_TYPE_STREAM) {
        write_word(writer, FIELD_DESCRIPTION_CONNECT, sock->connect);
    } else {
        writer_result_null(writer, FIELD_DESCRIPTION_CONNECT);
    }
    write_word(writer, FIELD_DESCRIPTION_FORMAT, sock->format);
    if (is_internet) {
        writer_result_bool(writer, FIELD_DESCRIPTION_IPV6, sock->is_ipv6);
    } else {
        writer_result_null(writer, FIELD_DESCRIPTION_IPV6);
    }
    write_address(writer, FIELD_DESCRIPTION_LOCAL_HOST, FIELD_DESCRIPTION_LOCAL_PORT,
                  has_local, &local);
    write_address(writer, FIELD_DESCRIPTION_REMOTE_HOST, FIELD_DESCRIPTION_REMOTE_PORT,
                  has_remote, &remote);
    write_filename(writer, FIELD_DESCRIPTION_LOCAL_FILENAME, sock->local_filename);
    write_filename(writer, FIELD_DESCRIPTION_REMOTE_FILENAME, sock->remote_filename);
    write_word(writer, FIELD_DESCRIPTION_STATE, description_state(sock));
    writer_result(writer, FIELD_DESCRIPTION_TLS);
    if (tls_session_is_on(sock)) {
        write_session(writer, sock);
    } else {
        writer_null(writer);
    }
}

void description_write_owner(struct writer *writer, const struct sock_owner *owner)
{
    writer_result(writer, FIELD_LISTED_SOCKET_OWNER);
    writer_begin_object(writer);
    writer_result_int(writer, FIELD_OWNER_UID, owner->uid);
    writer_result_int(writer, FIELD_OWNER_PID, owner->pid);
    writer_result_text(writer, FIELD_OWNER_USER, users_name(owner->uid));
    if (owner->client != 0) {
        writer_result_int(writer, FIELD_OWNER_CLIENT, owner->client);
    } else {
        writer_result_null(writer, FIELD_OWNER_CLIENT);
    }
    writer_end_object(writer);
}

static void write_pending(struct writer *writer, const struct sock *sock)
{
    writer_result(writer, FIELD_RUNTIME_PENDING);
    writer_begin_array(writer);
    for (int direction = OP_INPUT; direction <= OP_OUTPUT; direction++) {
        for (const struct op *op = sock->ops[direction].first; op; op = op->next) {
            writer_text(writer, op->name);
        }
    }
    for (const struct sock_watch *watch = sock->watches; watch; watch = watch->next) {
        writer_text(writer, watch->name);
    }
    writer_end_array(writer);
}

static void write_timeout(struct writer *writer, enum result_id id, double seconds)
{
    if (seconds > 0) {
        writer_result_double(writer, id, seconds);
    } else {
        writer_result_null(writer, id);
    }
}

static void write_trailers(struct writer *writer, const struct sock *sock)
{
    const struct chunked_trailers *trailers = stream_trailers(sock);
    const char *name, *value;
    size_t at = 0;

    writer_result(writer, FIELD_RUNTIME_TRAILERS);
    if (!trailers) {
        writer_null(writer);
        return;
    }
    writer_begin_array(writer);
    while (chunked_trailer_next(trailers, &at, &name, &value)) {
        char line[CHUNKED_MAX_TRAILERS + sizeof ": "];
        int size = snprintf(line, sizeof line, "%s: %s", name, value);
        CHECK(size > 0 && (size_t)size < sizeof line);
        writer_foreign(writer, line, (size_t)size);
    }
    writer_end_array(writer);
}

static void write_stream(struct writer *writer, const struct sock *sock)
{
    const struct stream *stream = sock->as.stream;

    writer_result_int(writer, FIELD_RUNTIME_INPUT_BUFFERED,
                      (int64_t)stream_input_buffered(sock));
    writer_result_int(writer, FIELD_RUNTIME_OUTPUT_BUFFERED,
                      (int64_t)stream_output_buffered(sock));
    const struct sock *other = bridge_other(sock);

    writer_result_bool(writer, FIELD_RUNTIME_ATTACHED, stream->attachment != NULL);
    if (other != NULL) {
        writer_result_int(writer, FIELD_RUNTIME_RELAYED_TO, other->handle);
    } else {
        writer_result_null(writer, FIELD_RUNTIME_RELAYED_TO);
    }
    writer_result_bool(writer, FIELD_RUNTIME_INPUT_SHUTDOWN, stream->is_input_shut);
    writer_result_bool(writer, FIELD_RUNTIME_OUTPUT_SHUTDOWN,
                       stream->is_output_ending || stream->is_output_shut);
    writer_result_bool(writer, FIELD_RUNTIME_OUTPUT_CHUNKING, stream->is_output_chunked);
    writer_result_bool(writer, FIELD_RUNTIME_INPUT_CHUNKING,
                       stream_input_chunking(stream));
    write_trailers(writer, sock);
    write_timeout(writer, FIELD_RUNTIME_READ_TIMEOUT, sock->read_timeout);
    write_timeout(writer, FIELD_RUNTIME_WRITE_TIMEOUT, sock->write_timeout);
    writer_result_text(writer, FIELD_RUNTIME_END, sock_end_name(sock->end));
}

static void write_last_error(struct writer *writer, const struct sock *sock)
{
    writer_result(writer, FIELD_RUNTIME_LAST_ERROR);
    if (sock->last_error == ERROR_NONE) {
        writer_null(writer);
        return;
    }
    writer_begin_object(writer);
    writer_result_text(writer, FIELD_LAST_ERROR_IDENTIFIER,
                       error_row(sock->last_error)->identifier);
    if (sock->last_errno != 0) {
        writer_result_text(writer, FIELD_LAST_ERROR_ERRNO,
                           error_errno_name(sock->last_errno));
    }
    writer_end_object(writer);
}

void description_write_more(struct writer *writer, const struct sock *sock)
{
    char created[TIMESTAMP_SIZE];

    description_write_owner(writer, &sock->owner);
    writer_result_int(writer, RESULT_DESCRIBE_SOCKET_WORKER, loop_number(sock->loop));
    writer_result(writer, RESULT_DESCRIBE_SOCKET_OPTIONS);
    if (sock->fd >= 0) {
        writer_begin_object(writer);
        options_write(writer, sock);
        writer_end_object(writer);
    } else {
        writer_null(writer);
    }
    timestamp_format(sock->created, created);
    writer_result_text(writer, RESULT_DESCRIBE_SOCKET_CREATED, created);
    writer_result(writer, RESULT_DESCRIBE_SOCKET_RUNTIME);
    writer_begin_object(writer);
    writer_result_int(writer, FIELD_RUNTIME_BYTES_READ, (int64_t)sock->bytes_read);
    writer_result_int(writer, FIELD_RUNTIME_BYTES_WRITTEN, (int64_t)sock->bytes_written);
    write_pending(writer, sock);
    if (is_active_stream(sock)) {
        write_stream(writer, sock);
    }
    const struct tls_lobby *lobby = tls_lobby_of(sock);

    if (lobby != NULL) {
        writer_result_int(writer, FIELD_RUNTIME_HANDSHAKES, tls_lobby_under_way(lobby));
        writer_result_int(writer, FIELD_RUNTIME_HANDSHAKES_FAILED,
                          (int64_t)tls_lobby_failed(lobby));
    }
    write_last_error(writer, sock);
    writer_end_object(writer);
}

void handle_describe_socket(struct request *request)
{
    struct sock *sock = request_sock(request);
    struct writer *writer = request_reply(request);
    char printed[PRINT_FORM_SIZE];

    description_write(writer, sock);
    description_write_more(writer, sock);
    print_form(sock, request_caller(request)->print_hostname, printed);
    writer_result(writer, RESULT_DESCRIBE_SOCKET_PRINTED);
    writer_foreign(writer, printed, strlen(printed));
    request_finish(request);
}
