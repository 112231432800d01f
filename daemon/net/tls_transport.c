/* SPDX-License-Identifier: MIT */
/*
 * tls_transport.c - the bytes of a TLS session: received, sent, ended, for stream.c.
 *
 * Called through transport_tls; calls OpenSSL, whose records go through tls_wire.c.
 * Thread: the sock's home.
 */
#include <config.h>

#include <errno.h>
#include <sys/socket.h>

#include "daemon/base/check.h"
#include "daemon/net/sock.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls_error.h"
#include "daemon/net/tls_parts.h"

/* ---- Keys ---- */

/* The keys are used up long before they are weak. */
static void update_keys(struct tls_session *session, int type, uint32_t *n_records)
{
    *n_records = 0;
    if (SSL_version(session->ssl) != TLS1_3_VERSION || session->is_output_shut) {
        return;
    }
    /* Can't be done in the middle of another such message: then the next round does it.
     */
    if (SSL_key_update(session->ssl, type) == 1) {
        (void)SSL_do_handshake(session->ssl);
    }
    tls_error_clear();
}

static void count_sealed(struct tls_session *session, size_t size)
{
    session->n_sealed += (uint32_t)((size + TLS_RECORD_SIZE - 1) / TLS_RECORD_SIZE);
    if (session->n_sealed >= session->context->n_records) {
        update_keys(session, SSL_KEY_UPDATE_NOT_REQUESTED, &session->n_sealed);
    }
}

static void count_opened(struct tls_session *session)
{
    if (SSL_pending(session->ssl) == 0 &&
        ++session->n_opened >= session->context->n_records) {
        update_keys(session, SSL_KEY_UPDATE_REQUESTED, &session->n_opened);
    }
}

/* ---- Receiving ---- */

/* What a receive answers without looking any further; OK: nothing yet. */
static enum transport_result known_end(const struct tls_session *session,
                                       struct transport_fault *fault)
{
    if (session->is_input_shut) {
        return TRANSPORT_END;
    }
    if (session->input_end != TRANSPORT_OK) {
        return session->input_end;
    }
    if (session->fault.id != ERROR_NONE) {
        *fault = session->fault;
        return TRANSPORT_FAILED;
    }
    return TRANSPORT_OK;
}

/* Opens the records that are there. OK: at least one byte; how it then ended is
 * remembered for the next call. */
static enum transport_result open_records(struct tls_session *session, uint8_t *bytes,
                                          size_t size, size_t *n)
{
    enum transport_result result = TRANSPORT_OK;
    size_t total = 0;

    do {
        size_t got = 0;

        session->wire.wanted = (uint32_t)(size - total);
        tls_error_clear();
        int done = SSL_read_ex(session->ssl, bytes + total, size - total, &got);
        if (done != 1) {
            result = tls_session_judge(session, done);
            break;
        }
        total += got;
        count_opened(session);
    } while (total < size &&
             (SSL_pending(session->ssl) > 0 || tls_wire_has_record(&session->wire)));
    if (result == TRANSPORT_END || result == TRANSPORT_TRUNCATED) {
        session->input_end = result;
    }
    *n = total;
    return total > 0 ? TRANSPORT_OK : result;
}

static enum transport_result tls_receive(struct sock *sock, void *bytes, size_t size,
                                         size_t *n, struct transport_fault *fault)
{
    struct tls_session *session = tls_session_of(sock);
    enum transport_result result = known_end(session, fault);
    size_t room = size < TLS_BATCH_SIZE ? size : TLS_BATCH_SIZE;

    if (result != TRANSPORT_OK) {
        return result;
    }
    tls_wire_begin(&session->wire);
    result = tls_session_drive(session);
    if (result == TRANSPORT_OK) {
        session->wire.wanted = (uint32_t)room;
        result = SSL_pending(session->ssl) == 0 && tls_wire_is_dry(&session->wire)
                     ? TRANSPORT_AGAIN
                     : open_records(session, bytes, room, n);
    }
    tls_wire_end(&session->wire);
    if (result == TRANSPORT_AGAIN) {
        tls_session_wait(session);
    } else if (result == TRANSPORT_FAILED) {
        *fault = session->fault;
    }
    return result;
}

/* ---- Sending ---- */

static enum transport_result seal(struct tls_session *session, const void *bytes,
                                  size_t size, size_t *n)
{
    size_t batch = size < TLS_BATCH_SIZE ? size : TLS_BATCH_SIZE;

    tls_error_clear();
    int done = SSL_write_ex(session->ssl, bytes, batch, n);

    if (done == 1) {
        count_sealed(session, *n);
        return TRANSPORT_OK;
    }
    enum transport_result result = tls_session_judge(session, done);

    if (result == TRANSPORT_AGAIN) {
        /* A message of the peer that began before must end first. */
        session->send_waits_for_input = true;
        session->sock->can_write = false;
    } else if (result == TRANSPORT_END || result == TRANSPORT_TRUNCATED) {
        session->input_end = result; /* in the middle of such a message */
        session->wire.write_errno = EPIPE;
        result = TRANSPORT_FAILED;
    }
    return result;
}

/* Why nothing more can be sent; OK: it can. */
static enum transport_result output_failure(const struct tls_session *session,
                                            struct transport_fault *fault)
{
    if (session->fault.id != ERROR_NONE) {
        *fault = session->fault;
    } else if (session->wire.write_errno != 0) {
        *fault = (struct transport_fault){error_id_of_errno(session->wire.write_errno),
                                          session->wire.write_errno};
    } else {
        return TRANSPORT_OK;
    }
    return TRANSPORT_FAILED;
}

static enum transport_result tls_send(struct sock *sock, const void *bytes, size_t size,
                                      size_t *n, struct transport_fault *fault)
{
    struct tls_session *session = tls_session_of(sock);
    struct tls_wire *wire = &session->wire;
    enum transport_result result = output_failure(session, fault);

    if (result != TRANSPORT_OK) {
        return result;
    }
    CHECK(!session->is_output_shut);
    tls_wire_begin(wire);
    tls_wire_flush(wire);
    if (wire->out.size > 0) { /* of an earlier batch */
        sock->can_write = false;
        result = TRANSPORT_AGAIN;
    } else {
        result = tls_session_drive(session);
        if (result == TRANSPORT_AGAIN) {
            tls_wire_flush(wire);
            tls_session_wait(session);
        } else if (result == TRANSPORT_OK) {
            result = seal(session, bytes, size, n);
        }
    }
    tls_wire_end(wire);
    /* What the kernel has no room for waits here; one batch is enough. */
    if (wire->out.size > 0) {
        sock->can_write = false;
    }
    return result == TRANSPORT_AGAIN || output_failure(session, fault) == TRANSPORT_OK
               ? result
               : TRANSPORT_FAILED;
}

/* ---- Ends ---- */

/* Writes close_notify, once. AGAIN: a message of the peer has to end first. */
static enum transport_result say_goodbye(struct tls_session *session)
{
    if (session->is_output_shut) {
        return TRANSPORT_OK;
    }
    tls_error_clear();
    int result = SSL_shutdown(session->ssl);

    tls_error_clear();
    if (result < 0 && SSL_in_init(session->ssl)) {
        session->send_waits_for_input = true;
        return TRANSPORT_AGAIN;
    }
    session->is_output_shut = true;
    session->wire.is_mute = true; /* nothing may follow, be it an answer */
    return TRANSPORT_OK;
}

static enum transport_result tls_shutdown_output(struct sock *sock,
                                                 struct transport_fault *fault)
{
    struct tls_session *session = tls_session_of(sock);
    enum transport_result result = output_failure(session, fault);

    if (result != TRANSPORT_OK || session->is_end_sent) {
        return result;
    }
    tls_wire_begin(&session->wire);
    result = tls_session_drive(session);
    if (result == TRANSPORT_AGAIN) {
        tls_wire_flush(&session->wire);
        tls_session_wait(session);
    } else if (result == TRANSPORT_OK) {
        result = say_goodbye(session);
    }
    tls_wire_end(&session->wire);
    if (result == TRANSPORT_OK && session->wire.out.size > 0) {
        result = TRANSPORT_AGAIN;
    }
    if (result == TRANSPORT_AGAIN) {
        sock->can_write = false;
        return result;
    }
    if (output_failure(session, fault) != TRANSPORT_OK) {
        return TRANSPORT_FAILED;
    }
    /* An error would be that the connection broke: the peer has heard of its end. */
    (void)shutdown(sock->fd, SHUT_WR);
    session->is_end_sent = true;
    return TRANSPORT_OK;
}

/* The descriptor stays open for reading: in the middle of a handshake, and for messages
 * that the output depends on, it is needed. */
static void tls_shutdown_input(struct sock *sock)
{
    tls_session_of(sock)->is_input_shut = true;
}

static void tls_farewell(struct sock *sock)
{
    struct tls_session *session = tls_session_of(sock);

    if (!session->is_established || session->is_output_shut || sock->fd < 0 ||
        session->fault.id != ERROR_NONE || session->wire.write_errno != 0) {
        return;
    }
    tls_wire_begin(&session->wire);
    /* When it cannot be said now there is no later: the peer sees a cut. */
    (void)say_goodbye(session);
    tls_wire_end(&session->wire);
}

static size_t tls_unsent(const struct sock *sock)
{
    return tls_session_of(sock)->wire.out.size;
}

/* ---- Readiness ---- */

/* Is there a byte, an end, a failure? Nothing of it is taken away. */
static enum transport_result look(struct tls_session *session)
{
    uint8_t byte;
    size_t n;

    enum transport_result result = tls_session_drive(session);

    if (result != TRANSPORT_OK) {
        return result;
    }
    session->wire.wanted = 0;
    tls_error_clear();
    int done = SSL_peek_ex(session->ssl, &byte, 1, &n);

    result = done == 1 ? TRANSPORT_OK : tls_session_judge(session, done);
    if (result == TRANSPORT_END || result == TRANSPORT_TRUNCATED) {
        session->input_end = result;
    }
    return result;
}

static unsigned tls_state(const struct sock *sock)
{
    struct tls_session *session = tls_session_of(sock);
    struct transport_fault fault;
    enum transport_result result = known_end(session, &fault);

    if (result == TRANSPORT_OK) {
        tls_wire_begin(&session->wire);
        result = look(session);
        tls_wire_end(&session->wire);
    }
    if (result == TRANSPORT_AGAIN) {
        tls_session_wait(session);
    }
    return (result != TRANSPORT_AGAIN ? TRANSPORT_READABLE : 0u) |
           (session->fault.id != ERROR_NONE || session->wire.write_errno != 0
                ? TRANSPORT_BROKEN
                : 0u);
}

static void go_on(struct tls_session *session)
{
    tls_wire_begin(&session->wire);
    tls_wire_flush(&session->wire);
    bool is_under_way = tls_session_is_shaking(session) && session->handshake->is_started;
    enum transport_result result =
        is_under_way ? tls_session_drive(session) : TRANSPORT_OK;

    tls_wire_end(&session->wire);
    if (result == TRANSPORT_AGAIN) {
        tls_session_wait(session);
    }
}

static unsigned tls_ready(struct sock *sock, unsigned what)
{
    struct tls_session *session = tls_session_of(sock);
    struct tls_wire *wire = &session->wire;

    wire->is_readable = wire->is_readable || (what & IO_READ) != 0;
    wire->is_writable = wire->is_writable || (what & IO_WRITE) != 0;
    go_on(session);
    if ((what & IO_READ) != 0 && session->send_waits_for_input) {
        session->send_waits_for_input = false;
        sock->can_write = true;
    }
    if (session->receive_waits_for_output && wire->out.size <= TLS_UNSENT_LIMIT) {
        session->receive_waits_for_output = false;
        sock->can_read = true;
    }
    if (wire->out.size > 0) {
        sock->can_write = false;
    }
    return (sock->can_read ? IO_READ : 0u) | (sock->can_write ? IO_WRITE : 0u);
}

/* What is registered with the loop, and the deadline, are those of the handshake. */
static bool tls_may_travel(const struct sock *sock)
{
    return tls_session_of(sock)->handshake == NULL;
}

const struct transport transport_tls = {
    .name = "tls",
    .receive = tls_receive,
    .send = tls_send,
    .shutdown_output = tls_shutdown_output,
    .shutdown_input = tls_shutdown_input,
    .state = tls_state,
    .fini = tls_session_fini,
    .ready = tls_ready,
    .unsent = tls_unsent,
    .farewell = tls_farewell,
    .explain = tls_session_explain,
    .may_travel = tls_may_travel,
};
