/* SPDX-License-Identifier: MIT */
/*
 * tls_session.c - the life of a TLS session: from the plain stream through the handshake
 * to its end.
 *
 * Its data are moved by tls_transport.c, the records by tls_wire.c; what others want to
 * know about it is in tls_peer.c. Called by the commands and the listeners; calls
 * OpenSSL. Thread: the sock's home.
 */
#include <config.h>
#include "daemon/net/tls_session.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/net/sock.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls_error.h"
#include "daemon/net/tls_parts.h"

enum {
    /* Messages without data that a peer may send in a second: tickets, key updates,
     * alerts. */
    MAX_CONTROL = 100,
    CONTROL_WINDOW_MS = 1000,
    PEER_SIZE = 2 * TLS_NAME_SIZE,
};

bool tls_session_is_on(const struct sock *sock)
{
    return sock->type == SOCK_TYPE_STREAM && sock->state != SOCK_STATE_CONNECTING &&
           sock->connect == SOCK_CONNECT_ACTIVE && sock->as.stream != NULL &&
           sock->as.stream->transport == &transport_tls;
}

struct tls_session *tls_session_of(const struct sock *sock)
{
    CHECK(sock->as.stream->transport == &transport_tls);
    return sock->as.stream->session;
}

struct tls_session *tls_session_of_ssl(const SSL *ssl)
{
    BIO *bio = SSL_get_rbio(ssl);
    uint8_t *wire = bio != NULL ? BIO_get_data(bio) : NULL;

    if (wire == NULL) {
        return NULL;
    }
    return (struct tls_session *)(void *)(wire - offsetof(struct tls_session, wire));
}

/* ---- The end of the handshake ---- */

/* From the loop: the sock may go on in both directions. Whoever brought the handshake to
 * its end was only one of those who wait. */
static void wake(void *arg)
{
    struct tls_session *session = arg;
    struct sock *sock = session->sock;

    if (session->handshake->is_done) {
        free(session->handshake);
        session->handshake = NULL;
    }
    sock_hold(sock);
    if (sock->kind != NULL && sock->kind->ready != NULL) {
        sock->kind->ready(sock, 0);
    }
    if (!sock->is_dead) {
        sock_run(sock);
    }
    (void)sock_release(sock); /* nothing more is done with it here */
}

static void end_handshake(struct tls_session *session)
{
    struct tls_handshake *handshake = session->handshake;

    session->sock->can_read = session->sock->can_write = true;
    if (handshake != NULL && !handshake->is_done) {
        handshake->is_done = true;
        timer_stop(&handshake->deadline);
        later_ask(&handshake->later, session->sock->loop, wake, session);
    }
}

enum transport_result tls_session_fail(struct tls_session *session,
                                       const struct error *error)
{
    if (session->fault.id == ERROR_NONE) {
        session->trouble = MEM_NEW(struct error);
        *session->trouble = *error;
        session->fault = (struct transport_fault){error->id, error->errnum};
        if (!session->is_established) {
            counters_add(loop_counters(session->sock->loop), COUNTER_HANDSHAKES_FAILED,
                         1);
        }
        session->wire.is_deaf = true; /* not mute: the alert is to go out */
        end_handshake(session);
    }
    return TRANSPORT_FAILED;
}

static enum transport_result fail_with_errno(struct tls_session *session, int errnum)
{
    struct error error;

    (void)error_set_errno(&error, errnum, session->is_established ? "read" : "handshake");
    return tls_session_fail(session, &error);
}

static enum transport_result fail_with_reason(struct tls_session *session,
                                              const char *what, const char *reason)
{
    struct error error;

    (void)tls_error_set(&error, what, reason);
    return tls_session_fail(session, &error);
}

static void deadline_is_over(void *arg)
{
    struct tls_session *session = arg;
    struct error error;

    (void)error_set(&error, ERROR_HANDSHAKE_TIMEOUT,
                    "the TLS handshake was not done within %g seconds",
                    session->handshake->seconds);
    error.action = "handshake";
    (void)tls_session_fail(session, &error);
}

/* ---- What a call of OpenSSL means ---- */

/* The wire can't tell the rest of a body that is as long as a header from a header. */
static bool is_inside_record(const struct tls_session *session)
{
    return session->wire.is_cut || strcmp(SSL_rstate_string(session->ssl), "RB") == 0;
}

/* The kernel has told the end of file. */
static enum transport_result judge_end(struct tls_session *session)
{
    if (!session->is_established) {
        return fail_with_reason(session,
                                "the peer closed the connection during the handshake",
                                "unexpected eof while reading");
    }
    return session->allows_truncation && !is_inside_record(session) ? TRANSPORT_END
                                                                    : TRANSPORT_TRUNCATED;
}

static enum transport_result judge_wait(struct tls_session *session)
{
    const struct tls_wire *wire = &session->wire;

    if (session->is_flooded) {
        return fail_with_reason(session, "the peer sent too much that is no data",
                                "too many control messages");
    }
    if (wire->read_errno != 0) {
        return fail_with_errno(session, wire->read_errno);
    }
    if (wire->is_ended) {
        return judge_end(session);
    }
    /* Not before all was read: the peer may have said why it went. */
    if (!session->is_established && wire->write_errno != 0 && !wire->is_readable) {
        return fail_with_errno(session, wire->write_errno);
    }
    return TRANSPORT_AGAIN;
}

static enum transport_result judge_failure(struct tls_session *session)
{
    unsigned long code = ERR_peek_last_error();
    long verdict = SSL_get_verify_result(session->ssl);
    struct error error;

    if (verdict != X509_V_OK && ERR_GET_LIB(code) == ERR_LIB_SSL &&
        ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        (void)tls_error_verify(&error, verdict, session->verify_depth);
    } else {
        (void)tls_error_take(
            &error, session->is_established ? "TLS failed" : "the TLS handshake failed");
    }
    error.action = session->is_established ? "read" : "handshake";
    return tls_session_fail(session, &error);
}

enum transport_result tls_session_judge(struct tls_session *session, int result)
{
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return judge_wait(session);
    case SSL_ERROR_ZERO_RETURN:
        if (session->is_established) {
            return TRANSPORT_END;
        }
        return fail_with_reason(session,
                                "the peer closed the connection during the handshake",
                                "close notify");
    default:
        return judge_failure(session);
    }
}

void tls_session_count_message(int is_sent, int version, int type, const void *bytes,
                               size_t size, SSL *ssl, void *arg)
{
    (void)version;
    (void)bytes;
    (void)size;
    (void)arg;
    if (is_sent || (type != SSL3_RT_HANDSHAKE && type != SSL3_RT_ALERT)) {
        return; /* most of them */
    }
    struct tls_session *session = tls_session_of_ssl(ssl);

    if (session == NULL || !session->is_established) {
        return;
    }
    uint32_t now = (uint32_t)loop_now_ms(session->sock->loop);

    if (now - session->control_since >= CONTROL_WINDOW_MS) {
        session->control_since = now;
        session->n_control = 0;
    }
    if (++session->n_control > MAX_CONTROL) {
        session->is_flooded = true;
        session->wire.is_deaf = true;
    }
}

/* ---- The handshake ---- */

static void establish(struct tls_session *session)
{
    struct counters *counters = loop_counters(session->sock->loop);

    counters_add(counters, COUNTER_HANDSHAKES, 1);
    counters_add(counters, COUNTER_HANDSHAKES_RESUMED,
                 SSL_session_reused(session->ssl) == 1);
    session->is_established = true;
    tls_choice_unref(session->choice);
    session->choice = NULL;
    end_handshake(session);
}

enum transport_result tls_session_drive(struct tls_session *session)
{
    if (session->fault.id != ERROR_NONE) {
        return TRANSPORT_FAILED;
    }
    if (session->is_established) {
        return TRANSPORT_OK;
    }
    struct tls_handshake *handshake = session->handshake;

    if (!handshake->is_started) {
        handshake->is_started = true;
        timer_start(&handshake->deadline, session->sock->loop, handshake->seconds,
                    deadline_is_over, session);
    }
    ERR_clear_error();
    session->wire.wanted = 0;
    int result = SSL_do_handshake(session->ssl);

    if (result == 1) {
        ERR_clear_error(); /* a verdict without consequences has left its reasons */
        establish(session);
        return TRANSPORT_OK;
    }
    enum transport_result judged = tls_session_judge(session, result);

    ERR_clear_error();
    return judged;
}

void tls_session_wait(struct tls_session *session)
{
    struct sock *sock = session->sock;
    const struct tls_wire *wire = &session->wire;
    bool is_stuck = wire->out.size > TLS_UNSENT_LIMIT;
    bool has_more = wire->is_readable && !is_stuck; /* others had to have their turn */

    if (!session->is_established) {
        sock->can_read = sock->can_write = false;
        if (has_more) {
            later_ask(&session->handshake->later, sock->loop, wake, session);
        }
        return;
    }
    session->receive_waits_for_output = is_stuck;
    sock->can_read = has_more;
    if (has_more) {
        sock_run_later(sock);
    }
}

enum transport_result tls_session_handshake(struct sock *sock,
                                            struct transport_fault *fault)
{
    struct tls_session *session = tls_session_of(sock);

    tls_wire_begin(&session->wire);
    enum transport_result result = tls_session_drive(session);

    tls_wire_end(&session->wire);
    if (result == TRANSPORT_AGAIN) {
        tls_session_wait(session);
    } else if (result == TRANSPORT_FAILED) {
        *fault = session->fault;
    }
    return result;
}

/* ---- Birth ---- */

/* The name the server must have: what was asked for, or else what was connected to. */
static bool read_server_name(struct tls_session *session,
                             const struct tls_session_spec *spec, struct tls_name *name,
                             bool *has_name, struct error *error)
{
    const char *asked =
        spec->server_name != NULL ? spec->server_name : session->context->server_name;
    bool must_have =
        session->verify == TLS_VERIFY_REQUIRED || session->verify == TLS_VERIFY_OPTIONAL;

    *has_name = false;
    if (asked == NULL && spec->host == NULL) {
        return !must_have ||
               error_set_parameter(error, "server-name",
                                   "the name that the certificate must be for");
    }
    *has_name = tls_name_read(name, asked != NULL ? asked : spec->host, error);
    return *has_name || (asked == NULL && !must_have);
}

static void resume(struct tls_session *session, const struct tls_session_spec *spec,
                   const struct tls_name *name)
{
    char peer[PEER_SIZE];
    int size = snprintf(peer, sizeof peer, "%s|%s|%d|%d", name->text,
                        spec->place != NULL ? spec->place : "", (int)session->verify,
                        session->max_depth);

    if (session->context->cache == NULL || size < 0 || (size_t)size >= sizeof peer) {
        return;
    }
    session->peer = mem_copy_text(peer);
    SSL_SESSION *known = tls_cache_take(session->context->cache, peer);

    if (known != NULL) {
        (void)SSL_set_session(session->ssl, known); /* else the handshake is a full one */
        SSL_SESSION_free(known);
    }
}

static bool begin_client(struct tls_session *session, const struct tls_session_spec *spec,
                         struct error *error)
{
    SSL *ssl = session->ssl;
    struct tls_name name;
    bool has_name;

    SSL_set_connect_state(ssl);
    if (!read_server_name(session, spec, &name, &has_name, error)) {
        return false;
    }
    if (session->alpn.bytes != NULL) {
        CHECK(SSL_set_alpn_protos(ssl, session->alpn.bytes, session->alpn.size) == 0);
    }
    if (has_name) {
        if (!name.is_address) {
            CHECK(SSL_set_tlsext_host_name(ssl, name.text) == 1);
        }
        tls_verify_expect(ssl, &name);
        resume(session, spec, &name);
    }
    return true;
}

static void session_free(struct tls_session *session)
{
    struct tls_handshake *handshake = session->handshake;

    if (handshake != NULL) {
        timer_stop(&handshake->deadline);
        later_drop(&handshake->later);
        free(handshake);
    }
    if (session->ssl != NULL) {
        /* That a connection ended without a word says nothing against its session since
         * TLS 1.1; OpenSSL would let go of it. */
        if (session->fault.id == ERROR_NONE) {
            SSL_set_shutdown(session->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        }
        SSL_free(session->ssl);
        ERR_clear_error();
    }
    tls_wire_fini(&session->wire);
    tls_context_unref(session->context);
    tls_choice_unref(session->choice);
    free(session->alpn.bytes);
    free(session->peer);
    free(session->trouble);
    free(session);
}

static struct tls_session *session_new(struct sock *sock,
                                       const struct tls_session_spec *spec)
{
    struct tls_session *session = MEM_NEW(struct tls_session);
    struct tls_context *context = spec->context;

    session->sock = sock;
    session->context = tls_context_ref(context);
    session->choice = spec->choice != NULL ? tls_choice_ref(spec->choice) : NULL;
    session->verify = context->verify;
    session->max_depth = context->max_depth;
    session->allows_truncation = spec->allows_truncation;
    session->input_end = TRANSPORT_OK;
    session->handshake = MEM_NEW(struct tls_handshake);
    session->handshake->seconds = spec->handshake_seconds;
    tls_wire_init(&session->wire, &sock->fd, &sock->io);
    session->ssl = SSL_new(context->ssl_ctx);
    CHECK(session->ssl != NULL);
    BIO *bio = tls_wire_bio(&session->wire);

    SSL_set_bio(session->ssl, bio, bio);
    return session;
}

bool tls_session_open(struct sock *sock, const struct tls_session_spec *spec,
                      struct error *error)
{
    struct stream *stream = sock->as.stream;

    CHECK_HOME(sock);
    CHECK(stream->transport == &transport_plain && spec->handshake_seconds > 0);
    CHECK(spec->choice == NULL ||
          (tls_choice_default(spec->choice) == spec->context && spec->overrides == NULL));
    ERR_clear_error();
    struct tls_session *session = session_new(sock, spec);
    bool is_done = true;

    if (spec->alpn != NULL) {
        is_done = tls_alpn_read(&session->alpn, spec->alpn, spec->n_alpn, error);
    }
    if (is_done && spec->overrides != NULL) {
        is_done = tls_policy_override(session, spec->overrides, error);
    }
    if (is_done && spec->context->role == TLS_CLIENT) {
        is_done = begin_client(session, spec, error);
    } else if (is_done) {
        SSL_set_accept_state(session->ssl);
    }
    ERR_clear_error();
    if (!is_done) {
        session_free(session);
        return false;
    }
    tls_wire_put_back(&session->wire, spec->received, spec->received_size);
    stream->session = session;
    stream->transport = &transport_tls;
    sock->can_read = sock->can_write = sock->fd >= 0;
    return true;
}

void tls_session_fini(struct sock *sock)
{
    session_free(tls_session_of(sock));
    sock->as.stream->session = NULL;
    sock->as.stream->transport = &transport_plain;
}
