/* SPDX-License-Identifier: MIT */
/*
 * cmd_tls_streams.c - make-ssl-client-stream, make-ssl-server-stream.
 *
 * Two things have to be there before the session can begin: a context, named or made for
 * this stream in a job thread; and an output that is empty, because what was written
 * before belongs to the plain stream. Called by dispatch.c; calls tls_session.c. Thread:
 * the worker of the socket.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/control/context_build.h"
#include "daemon/control/contexts.h"
#include "daemon/control/description.h"
#include "daemon/control/handlers.h"
#include "daemon/control/request.h"
#include "daemon/control/tls_plan.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/sock.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls_choice.h"
#include "daemon/net/tls_context.h"
#include "daemon/net/tls_offer.h"
#include "daemon/net/tls_session.h"
#include "proto/ipaddr.h"

/* Owner: the request, in whose arena it lies, but for the references. */
struct sealing {
    struct write_op finish; /* first: the sock hands this back */
    struct request *request;
    int64_t socket;
    enum tls_role role;
    struct context_build *build; /* under way; NULL: not */
    struct tls_context *context;
    struct tls_choice *choice; /* several contexts of a server */
    struct tls_overrides overrides;
    bool has_overrides;
};

static bool is_given(const struct sealing *sealing, const char *name)
{
    const struct value *value = tls_plan_value(request_params(sealing->request), name);

    return value != NULL && value->boolean;
}

/* ---- The end ---- */

static void release(struct sealing *sealing)
{
    tls_context_unref(sealing->context);
    tls_choice_unref(sealing->choice);
    sealing->context = NULL;
    sealing->choice = NULL;
}

static void fail(struct sealing *sealing, struct error *error)
{
    if (error->socket == 0) {
        error->socket = sealing->socket;
    }
    release(sealing);
    request_fail(sealing->request, error);
}

static void cancel(struct request *request, const struct error *why)
{
    struct sealing *sealing = request_state(request);

    if (sealing->build != NULL) {
        struct error error = *why;
        context_build_forget(sealing->build);
        fail(sealing, &error);
    } else {
        op_end(&sealing->finish.op, why);
    }
}

/* ---- The session ---- */

static bool has_ended(const struct sock *sock)
{
    const struct stream *stream = sock->as.stream;

    return sock->fd < 0 || stream->is_input_shut || stream->is_output_ending ||
           stream->end != STREAM_END_NONE || stream->read_fault.id != ERROR_NONE ||
           stream->write_fault.id != ERROR_NONE;
}

/* The sock, if a session can begin on it. NULL: *error. */
static struct sock *find_plain(struct sealing *sealing, struct error *error)
{
    struct sock *sock = sock_get(request_loop(sealing->request), sealing->socket, error);
    struct stream *stream = sock != NULL ? stream_get(sock, error) : NULL;

    if (stream == NULL) {
        return NULL;
    }
    if (stream->session != NULL) {
        (void)error_set(error, ERROR_WRONG_KIND, "the socket speaks TLS already");
    } else if (has_ended(sock)) {
        (void)error_set(error, ERROR_SHUTDOWN, "a direction of the socket has ended");
    } else if (sock->ops[OP_INPUT].n > 0) {
        (void)error_set(error, ERROR_BUSY, "other requests wait on the socket");
    } else if (stream_input_chunking(stream)) {
        (void)error_set(error, ERROR_BUSY,
                        "input chunking is on: turn it off with socket-control");
    } else if (stream->input.size > 0 && !is_given(sealing, "allow-buffered")) {
        (void)error_set(error, ERROR_WRONG_KIND,
                        "bytes that were received in plain have not been read yet");
    } else {
        return sock;
    }
    return NULL;
}

/* What a client is connected to: the name as it was given, or the address. */
static void describe_peer(const struct sock *sock, struct tls_session_spec *spec,
                          char host[IPADDR_TEXT_SIZE], char place[16])
{
    struct sockaddr_storage address;
    struct value_ip ip;

    spec->host = sock->remote_name;
    if (!sock_remote_address(sock, &address) || !endpoint_ip(&address, &ip)) {
        return;
    }
    if (spec->host == NULL) {
        ipaddr_format(&ip, host);
        spec->host = host;
    }
    (void)snprintf(place, 16, "%u", (unsigned)endpoint_port(&address));
    spec->place = place;
}

static bool open_session(struct sealing *sealing, struct sock *sock, struct error *error)
{
    const struct params *params = request_params(sealing->request);
    struct stream *stream = sock->as.stream;
    const struct value *name = tls_plan_value(params, "server-name");
    const struct param_row *seconds =
        table_command_param(params->command, "handshake-timeout", 17);
    char host[IPADDR_TEXT_SIZE], place[16];
    struct tls_session_spec spec = {
        .context = sealing->choice != NULL ? tls_choice_default(sealing->choice)
                                           : sealing->context,
        .choice = sealing->choice,
        .overrides = sealing->has_overrides ? &sealing->overrides : NULL,
        .handshake_seconds = params_seconds(params, seconds->id),
        .allows_truncation = is_given(sealing, "allow-truncation"),
        .received = buffer_bytes(&stream->input),
        .received_size = stream->input.size,
    };

    spec.alpn = tls_plan_alpn(params, request_arena(sealing->request), &spec.n_alpn);
    if (sealing->role == TLS_CLIENT) {
        spec.server_name = name != NULL ? name->text.text : NULL;
        describe_peer(sock, &spec, host, place);
    }
    if (spec.handshake_seconds <= 0) {
        return error_set_parameter(error, "handshake-timeout", "more than 0 seconds");
    }
    if (!tls_session_open(sock, &spec, error)) {
        return false;
    }
    stream_has_session(sock);
    return true;
}

/* All that was written before is with the kernel. */
static void finished(struct op *op, const struct error *why)
{
    struct sealing *sealing = (struct sealing *)op;
    struct request *request = sealing->request;
    struct error error;
    struct sock *sock = NULL;

    if (why != NULL) {
        error = *why;
    } else {
        sock = find_plain(sealing, &error);
        sock = sock != NULL && open_session(sealing, sock, &error) ? sock : NULL;
    }
    if (sock == NULL) {
        fail(sealing, &error);
        return;
    }
    release(sealing);
    description_write(request_reply(request), sock);
    request_finish(request);
}

/* The context is there. */
static void go_on(struct sealing *sealing)
{
    struct error error;
    struct sock *sock = find_plain(sealing, &error);

    if (sock == NULL) {
        fail(sealing, &error);
        return;
    }
    sealing->finish.op.name = request_params(sealing->request)->command->name;
    sealing->finish.op.done = finished;
    request_wait(sealing->request, cancel, sealing);
    stream_finish(sock, &sealing->finish, -1);
}

/* ---- The context ---- */

static void built(void *arg, struct tls_context *context, struct tls_config *config,
                  const struct error *why)
{
    struct sealing *sealing = arg;

    (void)config; /* it is wiped */
    sealing->build = NULL;
    sealing->context = context;
    if (why != NULL) {
        struct error error = *why;
        fail(sealing, &error);
    } else {
        go_on(sealing);
    }
}

static void build(struct sealing *sealing)
{
    struct request *request = sealing->request;
    struct tls_config given, config;
    struct error error;

    if (!tls_plan_config(&given, request_params(request), sealing->role,
                         request_arena(request), &error)) {
        fail(sealing, &error);
        return;
    }
    given.has_sessions = false; /* nobody else could resume them */
    given.server_name = NULL;   /* it is that of the stream */
    tls_config_copy(&config, &given);
    request_wait(request, cancel, sealing);
    sealing->build = context_build_start(&config, built, sealing);
}

static bool check_role(const struct sealing *sealing, const struct tls_context *context,
                       struct error *error)
{
    if (tls_context_role(context) == sealing->role) {
        return true;
    }
    return error_set_parameter(error, "context",
                               sealing->role == TLS_CLIENT ? "a context for clients"
                                                           : "contexts for servers");
}

static bool find_one(struct sealing *sealing, const struct value_reference *reference,
                     struct error *error)
{
    struct tls_published *published =
        contexts_find(reference, request_caller(sealing->request), error);

    if (published == NULL) {
        return false;
    }
    sealing->context = tls_published_get(published);
    tls_published_unref(published);
    return check_role(sealing, sealing->context, error);
}

static bool find_several(struct sealing *sealing, const struct value *value,
                         struct error *error)
{
    struct tls_offer *offer =
        contexts_offer(value, request_caller(sealing->request), "context", error);

    if (offer == NULL) {
        return false;
    }
    sealing->choice = tls_offer_take(offer);
    tls_offer_free(offer);
    return true;
}

static bool find_contexts(struct sealing *sealing, const struct value *value,
                          struct error *error)
{
    if (!tls_plan_overrides(&sealing->overrides, request_params(sealing->request),
                            error)) {
        return false;
    }
    sealing->has_overrides = tls_plan_has_overrides(&sealing->overrides);
    if (value->type == VALUE_REFERENCE) {
        return find_one(sealing, &value->reference, error);
    }
    if (value->references.n == 1) {
        return find_one(sealing, &value->references.items[0], error);
    }
    if (sealing->has_overrides) {
        return error_set_parameter(error, "context",
                                   "one context, where something of it is overridden");
    }
    return find_several(sealing, value, error);
}

static void seal(struct request *request, enum tls_role role)
{
    struct sealing *sealing = request_alloc(request, sizeof *sealing);
    const struct value *context = tls_plan_value(request_params(request), "context");
    struct error error;

    sealing->request = request;
    sealing->socket = request_sock(request)->handle;
    sealing->role = role;
    if (find_plain(sealing, &error) == NULL) {
        fail(sealing, &error);
    } else if (context == NULL) {
        build(sealing);
    } else if (find_contexts(sealing, context, &error)) {
        go_on(sealing);
    } else {
        fail(sealing, &error);
    }
}

void handle_make_ssl_client_stream(struct request *request) { seal(request, TLS_CLIENT); }

void handle_make_ssl_server_stream(struct request *request) { seal(request, TLS_SERVER); }
