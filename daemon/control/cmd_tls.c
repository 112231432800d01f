/* SPDX-License-Identifier: MIT */
/*
 * cmd_tls.c - ssl-do-handshake, get-ssl-peer-certificate, get-ssl-verify-result,
 * openssl-version.
 *
 * Called by dispatch.c; calls tls_session.c and tls_wait.c. Thread: the worker of the
 * socket; openssl-version: that of the connection.
 */
#include <config.h>

#include "daemon/control/certificate_write.h"
#include "daemon/control/description.h"
#include "daemon/control/handlers.h"
#include "daemon/control/request.h"
#include "daemon/net/certificate.h"
#include "daemon/net/sock.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls_library.h"
#include "daemon/net/tls_session.h"
#include "daemon/net/tls_wait.h"

/* A stream with a session, attached or not. */
static bool has_session(struct sock *sock, struct error *error)
{
    if (stream_of(sock, error) == NULL) {
        return false;
    }
    return tls_session_is_on(sock) || sock_wrong_kind(sock, "a TLS stream", error);
}

/* ---- Waiting for the handshake ---- */

/* Owner: the request, in whose arena it lies. */
struct shaking {
    struct tls_wait wait; /* first: it is handed back */
    struct request *request;
    struct sock *sock; /* valid in `done` without an error */
    void (*answer)(struct request *request, struct sock *sock);
};

static void shaken(struct tls_wait *wait, const struct error *error)
{
    struct shaking *shaking = (struct shaking *)wait;

    if (error != NULL) {
        request_fail(shaking->request, error);
    } else {
        shaking->answer(shaking->request, shaking->sock);
    }
}

static void shaking_cancel(struct request *request, const struct error *why)
{
    struct shaking *shaking = request_state(request);

    tls_wait_end(&shaking->wait, why);
}

static void shake(struct request *request, double timeout,
                  void (*answer)(struct request *request, struct sock *sock))
{
    struct sock *sock = request_sock(request);
    struct error error;

    if (!has_session(sock, &error)) {
        request_fail(request, &error);
        return;
    }
    struct shaking *shaking = request_alloc(request, sizeof *shaking);

    shaking->request = request;
    shaking->sock = sock;
    shaking->answer = answer;
    request_wait(request, shaking_cancel, shaking);
    tls_wait_start(sock, &shaking->wait, request_params(request)->command->name, timeout,
                   shaken);
}

/* ---- ssl-do-handshake ---- */

static void answer_handshake(struct request *request, struct sock *sock)
{
    description_write(request_reply(request), sock);
    request_finish(request);
}

void handle_ssl_do_handshake(struct request *request)
{
    shake(request,
          params_seconds(request_params(request), PARAM_SSL_DO_HANDSHAKE_TIMEOUT),
          answer_handshake);
}

/* ---- get-ssl-peer-certificate ---- */

static void answer_certificate(struct request *request, struct sock *sock)
{
    bool is_chain =
        params_bool(request_params(request), PARAM_GET_SSL_PEER_CERTIFICATE_CHAIN);
    struct writer *writer = request_reply(request);
    struct certificate_list list = {0};

    tls_session_peer(sock, is_chain, &list);
    writer_result(writer, RESULT_GET_SSL_PEER_CERTIFICATE_CERTIFICATE);
    if (list.n > 0) {
        certificate_write(writer, list.items[0]);
    } else {
        writer_null(writer);
    }
    if (is_chain) {
        writer_result(writer, RESULT_GET_SSL_PEER_CERTIFICATE_CHAIN);
        writer_begin_array(writer);
        for (unsigned i = 1; i < list.n; i++) {
            certificate_write(writer, list.items[i]);
        }
        writer_end_array(writer);
    }
    certificate_list_fini(&list);
    request_finish(request);
}

void handle_get_ssl_peer_certificate(struct request *request)
{
    shake(request,
          params_seconds(request_params(request), PARAM_GET_SSL_PEER_CERTIFICATE_TIMEOUT),
          answer_certificate);
}

/* ---- get-ssl-verify-result ---- */

void handle_get_ssl_verify_result(struct request *request)
{
    struct sock *sock = request_sock(request);
    struct tls_facts facts;
    struct error error;
    const char *text;

    if (!has_session(sock, &error)) {
        request_fail(request, &error);
        return;
    }
    long code = tls_session_verify_result(sock, &text);
    struct writer *writer = request_reply(request);

    tls_session_describe(sock, &facts);
    writer_result_int(writer, RESULT_GET_SSL_VERIFY_RESULT_CODE, code);
    writer_result_text(writer, RESULT_GET_SSL_VERIFY_RESULT_TEXT, text);
    writer_result_bool(writer, RESULT_GET_SSL_VERIFY_RESULT_VERIFIED, facts.is_verified);
    request_finish(request);
}

/* ---- openssl-version ---- */

static void write_version(struct writer *writer, enum result_id id,
                          const struct tls_library_version *version)
{
    writer_result(writer, id);
    writer_begin_object(writer);
    writer_result_text(writer, FIELD_OPENSSL_VERSION_TEXT, version->text);
    writer_result_int(writer, FIELD_OPENSSL_VERSION_MAJOR, version->major);
    writer_result_int(writer, FIELD_OPENSSL_VERSION_MINOR, version->minor);
    writer_result_int(writer, FIELD_OPENSSL_VERSION_PATCH, version->patch);
    writer_end_object(writer);
}

void handle_openssl_version(struct request *request)
{
    struct writer *writer = request_reply(request);
    struct tls_library_version loaded, built;

    tls_library_versions(&loaded, &built);
    write_version(writer, RESULT_OPENSSL_VERSION_LOADED, &loaded);
    write_version(writer, RESULT_OPENSSL_VERSION_BUILT, &built);
    request_finish(request);
}
