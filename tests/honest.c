/* SPDX-License-Identifier: MIT */
/*
 * honest.c - a peer of a TLS session that keeps an account of what it has said.
 *
 * OpenSSL tells the types of the records that it writes to a callback; their order there
 * is that in its memory, from where they come into the queue. Called by fuzz targets;
 * calls OpenSSL, tls_seal.c, honest_queue.c. Thread: the one that runs the test.
 */
#include <config.h>
#include "tests/honest.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "tests/honest_parts.h"
#include "tests/tls_seal.h"

enum {
    HEADER_SIZE = 5,
    MAX_RECORDS = 64, /* of what is said at once */
    MAX_NOTES = 1024,
    MANY_EMPTY = 30, /* OpenSSL has a bound for records that say nothing */
};

/* What the callback has told about a record that is in OpenSSL's memory. */
struct note {
    uint8_t type, level, alert;
};

struct honest_heard honest_heard;

/* What is left of a handshake. */
struct honest_session {
    SSL *ssl;
    uint8_t secret[SEAL_SECRET_SIZE]; /* of our direction */
    size_t n_sealed;                  /* records, with the keys that come from it */
};

static struct {
    SSL *ssl;
    bool is_tls13, is_raw, is_shaken, is_again, has_closed;
    struct honest_session session;
    struct seal seal;
    struct note notes[MAX_NOTES];
    size_t n_notes;
    unsigned n_empty;
} peer;

static SSL_CTX *contexts[2];
static SSL_SESSION *sessions[2]; /* by version, for a client */

/* ---- Contexts ---- */

static void note_secret(const SSL *ssl, const char *line)
{
    const char *wanted =
        SSL_is_server(ssl) ? "SERVER_TRAFFIC_SECRET_0 " : "CLIENT_TRAFFIC_SECRET_0 ";
    const char *text = strrchr(line, ' ');
    long size = 0;

    if (strncmp(line, wanted, strlen(wanted)) != 0 || text == NULL) {
        return;
    }
    uint8_t *secret = OPENSSL_hexstr2buf(text + 1, &size);

    CHECK(secret != NULL && size == SEAL_SECRET_SIZE);
    memcpy(peer.session.secret, secret, SEAL_SECRET_SIZE);
    OPENSSL_free(secret);
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    SSL_SESSION **kept = &sessions[SSL_version(ssl) == TLS1_3_VERSION];

    /* One does for all: the same handshake each time. */
    if (peer.is_again || (*kept != NULL && SSL_session_reused(ssl))) {
        return 0;
    }
    SSL_SESSION_free(*kept);
    *kept = session;
    return 1;
}

static void note_record(int is_sent, int version, int type, const void *bytes,
                        size_t size, SSL *ssl, void *arg)
{
    const uint8_t *octets = bytes;

    (void)version, (void)ssl, (void)arg;
    if (!is_sent || !peer.is_shaken) {
        return;
    }
    if (type == SSL3_RT_HEADER) {
        CHECK(peer.n_notes < MAX_NOTES);
        peer.notes[peer.n_notes++] = (struct note){.type = octets[0]};
    } else if (type == SSL3_RT_INNER_CONTENT_TYPE) {
        peer.notes[peer.n_notes - 1].type = octets[0];
    } else if (type == SSL3_RT_ALERT && size == 2) {
        peer.notes[peer.n_notes - 1].level = octets[0];
        peer.notes[peer.n_notes - 1].alert = octets[1];
    }
}

static void use_certificate(SSL_CTX *context, const struct honest_spec *spec)
{
    BIO *bio = BIO_new_mem_buf(spec->certificate, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    CHECK(SSL_CTX_use_certificate(context, certificate) == 1);
    X509_free(certificate);
    BIO_free(bio);
    bio = BIO_new_mem_buf(spec->key, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

    CHECK(SSL_CTX_use_PrivateKey(context, key) == 1);
    EVP_PKEY_free(key);
    BIO_free(bio);
}

static SSL_CTX *context_of(const struct honest_spec *spec)
{
    int groups[] = {NID_X25519, NID_X9_62_prime256v1};
    SSL_CTX *context = contexts[spec->is_server];

    if (context != NULL) {
        return context;
    }
    context = SSL_CTX_new(spec->is_server ? TLS_server_method() : TLS_client_method());
    CHECK(context != NULL);
    if (spec->is_server) {
        use_certificate(context, spec);
        CHECK(SSL_CTX_set_num_tickets(context, 1) == 1);
    } else {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT |
                                                    SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(context, keep_session);
    }
    /* The sizes of records tell those of their data, and key shares are cheap. */
    CHECK(SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES128-GCM-SHA256") == 1 &&
          SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") == 1 &&
          SSL_CTX_set1_groups(context, groups, 2) == 1);
    SSL_CTX_set_keylog_callback(context, note_secret);
    SSL_CTX_set_msg_callback(context, note_record);
    SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    contexts[spec->is_server] = context;
    return context;
}

/* ---- What it has written ---- */

static void add_record(const uint8_t *record, size_t size, const struct note *note)
{
    size_t overhead = peer.is_tls13 ? SEAL_OVERHEAD : HEADER_SIZE + 8 + 16;
    uint8_t *bytes = honest_queue_room(size);
    enum honest_kind kind = HONEST_DOUBTFUL;
    size_t n_data = 0;

    if (bytes == NULL && honest_heard.has_end) {
        return;
    }
    honest_must(bytes != NULL, "the queue of the peer is full");
    memcpy(bytes, record, size);
    switch (note->type) {
    case SSL3_RT_APPLICATION_DATA:
        kind = HONEST_DATA;
        n_data = size - overhead;
        honest.sealed += n_data;
        break;
    case SSL3_RT_HANDSHAKE:
        kind = HONEST_MESSAGE;
        break;
    case SSL3_RT_ALERT:
        kind = note->alert == SSL_AD_CLOSE_NOTIFY ? HONEST_CLOSE
               : note->level == SSL3_AL_FATAL     ? HONEST_FATAL
                                                  : HONEST_DOUBTFUL;
        break;
    default:
        break;
    }
    struct honest_piece *piece = honest_queue_add(bytes, size, kind, n_data);

    /* Shorter than its message: only a ticket in more than one record is that long. */
    piece->is_unfinished = kind == HONEST_MESSAGE && size >= 512;
}

/* What OpenSSL has written. */
static void collect(void)
{
    static struct note no_note;
    uint8_t *bytes = NULL;
    long size = BIO_get_mem_data(SSL_get_wbio(peer.ssl), &bytes);
    size_t n_notes = 0;

    while (size >= HEADER_SIZE) {
        long n = HEADER_SIZE + (bytes[3] << 8 | bytes[4]);
        CHECK(n <= size);
        if (!peer.is_shaken) {
            uint8_t *room = honest_queue_room((size_t)n);
            CHECK(room != NULL);
            memcpy(room, bytes, (size_t)n);
            (void)honest_queue_add(room, (size_t)n, HONEST_DATA, 0);
        } else if (!peer.is_raw) {
            add_record(bytes, (size_t)n,
                       n_notes < peer.n_notes ? &peer.notes[n_notes] : &no_note);
        }
        n_notes++;
        bytes += n;
        size -= n;
    }
    peer.n_notes = 0;
    (void)BIO_reset(SSL_get_wbio(peer.ssl));
    ERR_clear_error();
}

/* ---- Life ---- */

static void begin(const struct honest_spec *spec, int fd)
{
    honest_heard = (struct honest_heard){0};
    honest_queue_start(fd);
    peer.is_tls13 = spec->is_tls13;
    peer.is_raw = spec->is_raw && spec->is_tls13;
    peer.is_shaken = peer.is_again = peer.has_closed = false;
    peer.n_notes = 0;
    peer.n_empty = 0;
}

void honest_start(const struct honest_spec *spec, int fd)
{
    int version = spec->is_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;

    begin(spec, fd);
    peer.ssl = SSL_new(context_of(spec));
    CHECK(peer.ssl != NULL && SSL_set_min_proto_version(peer.ssl, version) == 1 &&
          SSL_set_max_proto_version(peer.ssl, version) == 1);
    SSL_set_bio(peer.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (spec->is_server) {
        SSL_set_accept_state(peer.ssl);
    } else {
        SSL_set_connect_state(peer.ssl);
        if (sessions[spec->is_tls13] != NULL) {
            (void)SSL_set_session(peer.ssl, sessions[spec->is_tls13]);
        }
    }
}

struct honest_session *honest_keep(void)
{
    struct honest_session *session = MEM_NEW(struct honest_session);

    CHECK(peer.is_shaken && honest_n_queued() == 0);
    honest_hear();
    *session = peer.session;
    session->ssl = peer.ssl;
    honest_go();
    peer.ssl = NULL;
    return session;
}

void honest_start_again(const struct honest_spec *spec,
                        const struct honest_session *session, int fd)
{
    begin(spec, fd);
    peer.ssl = session->ssl;
    peer.session = *session;
    peer.is_shaken = peer.is_again = true;
    if (peer.is_raw) {
        seal_init(&peer.seal, session->secret, session->n_sealed);
    }
}

void honest_stop(void)
{
    honest_go();
    if (!peer.is_again) {
        /* A session whose connection was cut is as good as any other. */
        SSL_set_shutdown(peer.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(peer.ssl);
    }
    peer.ssl = NULL;
    ERR_clear_error();
}

/* False: nothing has come. */
static bool receive(void)
{
    static uint8_t bytes[64 * 1024];
    int fd = honest_queue_fd();
    ssize_t n = fd < 0 ? 0 : recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n > 0) {
        CHECK(BIO_write(SSL_get_rbio(peer.ssl), bytes, (int)n) == n);
    } else if (n == 0 || errno != EAGAIN) {
        honest_heard.has_end = true;
    }
    return n > 0;
}

bool honest_shake(void)
{
    if (!peer.is_shaken) {
        (void)receive();
        bool is_done = SSL_do_handshake(peer.ssl) == 1;
        collect();
        /* Tickets of a server come with its last step; they are sealed with the keys that
         * are used from now on. */
        if (is_done) {
            peer.session.n_sealed = SSL_is_server(peer.ssl) ? honest_n_queued() : 0;
            if (peer.is_tls13) {
                seal_init(&peer.seal, peer.session.secret, peer.session.n_sealed);
            }
            peer.is_shaken = true;
            honest_heard.is_resumed = SSL_session_reused(peer.ssl);
        }
        (void)honest_send(SIZE_MAX);
    }
    return peer.is_shaken;
}

/* ---- What it says ---- */

static void say_raw(size_t size, size_t record)
{
    while (size > 0) {
        size_t n = size < record ? size : record;
        uint8_t *bytes = honest_queue_room(n + SEAL_OVERHEAD);
        if (bytes == NULL) {
            return;
        }
        (void)seal_record(&peer.seal, SSL3_RT_APPLICATION_DATA,
                          honest_pattern(true) + honest.sealed, n, 0, bytes);
        (void)honest_queue_add(bytes, n + SEAL_OVERHEAD, HONEST_DATA, n);
        honest.sealed += n;
        size -= n;
    }
}

void honest_say(size_t size, size_t record)
{
    size_t left = HONEST_MAX_BYTES - honest.sealed, n = 0;

    size = size < left ? size : left;
    if (record < size / MAX_RECORDS) {
        record = size / MAX_RECORDS;
    }
    if (!honest_queue_is_roomy()) {
        return;
    }
    if (peer.is_raw) {
        say_raw(size, record);
        return;
    }
    while (size > 0 && !peer.has_closed &&
           SSL_write_ex(peer.ssl, honest_pattern(true) + honest.sealed,
                        size < record ? size : record, &n) == 1) {
        collect();
        size -= n;
    }
    collect();
}

void honest_seal(uint8_t type, const void *content, size_t size, size_t padding)
{
    const uint8_t *octets = content;
    uint8_t *bytes = honest_queue_room(size + padding + SEAL_OVERHEAD);
    enum honest_kind kind = HONEST_DOUBTFUL;

    CHECK(type != SSL3_RT_APPLICATION_DATA || size == 0);
    if (!peer.is_raw || bytes == NULL) {
        return;
    }
    if (type == SSL3_RT_ALERT && size == 2 && octets[1] == SSL_AD_CLOSE_NOTIFY) {
        kind = HONEST_CLOSE;
    } else if (type == SSL3_RT_ALERT && size == 2 && octets[1] != SSL_AD_USER_CANCELLED) {
        kind = HONEST_FATAL;
    } else if (type == SSL3_RT_APPLICATION_DATA && size == 0 &&
               peer.n_empty++ < MANY_EMPTY) {
        kind = HONEST_DATA;
    }
    (void)honest_queue_add(
        bytes, seal_record(&peer.seal, type, content, size, padding, bytes), kind, 0);
}

void honest_say_padded(size_t size, size_t padding)
{
    size_t left = HONEST_MAX_BYTES - honest.sealed;

    size = size < left ? size : left;
    size = size < HONEST_MAX_RECORD ? size : HONEST_MAX_RECORD;
    uint8_t *bytes = honest_queue_room(size + padding + SEAL_OVERHEAD);

    if (!peer.is_raw || bytes == NULL || size == 0) {
        return;
    }
    (void)honest_queue_add(
        bytes,
        seal_record(&peer.seal, SSL3_RT_APPLICATION_DATA,
                    honest_pattern(true) + honest.sealed, size, padding, bytes),
        size + padding <= HONEST_MAX_RECORD ? HONEST_DATA : HONEST_DOUBTFUL, size);
    honest.sealed += size;
}

void honest_close_notify(void)
{
    static const uint8_t alert[2] = {SSL3_AL_WARNING, SSL_AD_CLOSE_NOTIFY};

    if (peer.is_raw) {
        honest_seal(SSL3_RT_ALERT, alert, sizeof alert, 0);
    } else {
        peer.has_closed = true;
        (void)SSL_shutdown(peer.ssl);
        collect();
    }
}

void honest_key_update(bool is_requested)
{
    const uint8_t message[5] = {SSL3_MT_KEY_UPDATE, 0, 0, 1, is_requested};
    size_t size = sizeof message + SEAL_OVERHEAD;

    if (peer.is_raw) {
        uint8_t *bytes = honest_queue_room(size);
        if (bytes != NULL) {
            (void)seal_record(&peer.seal, SSL3_RT_HANDSHAKE, message, sizeof message, 0,
                              bytes);
            (void)honest_queue_add(bytes, size, HONEST_MESSAGE, 0);
            seal_update(&peer.seal);
        }
        return;
    }
    if (peer.is_tls13 && !peer.has_closed &&
        SSL_key_update(peer.ssl, is_requested ? SSL_KEY_UPDATE_REQUESTED
                                              : SSL_KEY_UPDATE_NOT_REQUESTED) == 1) {
        (void)SSL_do_handshake(peer.ssl);
    }
    collect();
}

void honest_start_anew(void)
{
    if (peer.is_raw || peer.has_closed) {
        return;
    }
    if (!peer.is_tls13) {
        (void)SSL_renegotiate(peer.ssl);
        (void)SSL_do_handshake(peer.ssl);
    } else if (SSL_is_server(peer.ssl) && SSL_new_session_ticket(peer.ssl) == 1) {
        (void)SSL_do_handshake(peer.ssl);
    }
    collect();
}

void honest_hear_nonsense(void)
{
    static const uint8_t nonsense[32] = {23, 3, 3, 0, sizeof nonsense - HEADER_SIZE};

    if (!peer.is_raw) {
        CHECK(BIO_write(SSL_get_rbio(peer.ssl), nonsense, sizeof nonsense) ==
              sizeof nonsense);
        honest_hear();
        honest_heard.has_failed = true;
    }
}

/* ---- Hearing ---- */

static void read_bytes(void)
{
    static uint8_t bytes[HONEST_MAX_RECORD];
    size_t n;

    ERR_clear_error();
    if (honest_heard.has_failed) {
        return; /* OpenSSL calls that a farewell, later */
    }
    while (SSL_read_ex(peer.ssl, bytes, sizeof bytes, &n) == 1) {
        honest_check(false, honest_heard.n_bytes, bytes, n);
        honest_heard.n_bytes += n;
    }
    int error = SSL_get_error(peer.ssl, 0);

    if (error == SSL_ERROR_ZERO_RETURN) {
        honest_heard.has_farewell = true;
    } else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        honest_heard.has_failed = true;
    }
}

void honest_hear(void)
{
    while (receive()) {
    }
    /* Answers need room, unless nobody hears them. */
    if (peer.is_shaken &&
        (peer.is_raw || honest_heard.has_end || honest_queue_is_roomy())) {
        read_bytes();
        collect();
    }
}
