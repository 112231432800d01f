/* SPDX-License-Identifier: MIT */
/*
 * tls_peer.c - sessions of plain OpenSSL for system tests.
 *
 * Calls peer.c, which owns the descriptors. Thread: the one that runs the test.
 */
#include <config.h>
#include "tests/tls_peer.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"

enum { MAX_OPEN = 1024 };

static SSL *open_sessions[MAX_OPEN];
static unsigned n_open;

static void free_all(void)
{
    while (n_open > 0) {
        SSL_free(open_sessions[--n_open]);
    }
    ERR_clear_error();
}

static void need(bool is_fine, const char *what)
{
    if (!is_fine) {
        unit_bail_out("tls_peer: %s: %s", what,
                      ERR_reason_error_string(ERR_peek_last_error()));
    }
}

/* ---- Making ---- */

static X509 *next_certificate(BIO *bio)
{
    return PEM_read_bio_X509(bio, NULL, NULL, NULL);
}

static void use_certificate(SSL_CTX *context, const struct tls_peer_spec *spec)
{
    BIO *bio = BIO_new_mem_buf(spec->certificate, -1);
    X509 *x509 = next_certificate(bio);

    need(x509 != NULL && SSL_CTX_use_certificate(context, x509) == 1, "certificate");
    X509_free(x509);
    while ((x509 = next_certificate(bio)) != NULL) {
        need(SSL_CTX_add0_chain_cert(context, x509) == 1, "chain");
    }
    BIO_free(bio);
    bio = BIO_new_mem_buf(spec->key, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    need(key != NULL && SSL_CTX_use_PrivateKey(context, key) == 1, "key");
    EVP_PKEY_free(key);
    BIO_free(bio);
}

static void use_authorities(SSL_CTX *context, const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);

    for (X509 *x509; (x509 = next_certificate(bio)) != NULL; X509_free(x509)) {
        need(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), x509) == 1, "store");
        SSL_CTX_add_client_CA(context, x509);
    }
    BIO_free(bio);
}

/* "a,b" as a list of counted strings; its size. */
static size_t alpn_bytes(const char *text, unsigned char *bytes, size_t room)
{
    size_t size = strlen(text) + 1, at = 0;

    need(size <= room, "a short list of protocols");
    memcpy(bytes + 1, text, size - 1);
    for (size_t i = 1; i <= size; i++) {
        if (i == size || bytes[i] == ',') {
            bytes[at] = (unsigned char)(i - at - 1);
            at = i;
        }
    }
    return size;
}

/* As a server it takes the first of its own that the client has. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                       const unsigned char *in, unsigned in_size, void *arg)
{
    unsigned char mine[256];
    size_t size = alpn_bytes(arg, mine, sizeof mine);

    (void)ssl;
    for (size_t i = 0; i < size; i += 1 + (size_t)mine[i]) {
        for (size_t k = 0; k < in_size; k += 1 + (size_t)in[k]) {
            if (mine[i] == in[k] && memcmp(mine + i + 1, in + k + 1, in[k]) == 0) {
                *out = in + k + 1;
                *out_size = in[k];
                return SSL_TLSEXT_ERR_OK;
            }
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Whatever comes is fine for a peer that only wants to see it. */
static int accept_all(int is_fine, X509_STORE_CTX *store)
{
    (void)is_fine;
    (void)store;
    return 1;
}

SSL_CTX *tls_peer_context(const struct tls_peer_spec *spec)
{
    SSL_CTX *context =
        SSL_CTX_new(spec->is_server ? TLS_server_method() : TLS_client_method());

    need(context != NULL, "context");
    SSL_CTX_set_security_level(context, spec->is_weak ? 0 : 2);
    SSL_CTX_set_min_proto_version(context,
                                  spec->version ? spec->version : TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(context, spec->version);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"test", 4);
    if (spec->certificate != NULL) {
        use_certificate(context, spec);
    }
    if (spec->ca != NULL) {
        use_authorities(context, spec->ca);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                           NULL);
    } else if (spec->asks) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, accept_all);
    }
    if (spec->alpn != NULL && spec->is_server) {
        /* It is only read. */
        SSL_CTX_set_alpn_select_cb(context, choose_alpn, (void *)(uintptr_t)spec->alpn);
    }
    need(spec->ciphers == NULL || SSL_CTX_set_cipher_list(context, spec->ciphers) == 1,
         "ciphers");
    need(spec->ciphersuites == NULL ||
             SSL_CTX_set_ciphersuites(context, spec->ciphersuites) == 1,
         "ciphersuites");
    return context;
}

static void set_deadline(int fd)
{
    struct timeval time = {.tv_sec = HARNESS_WAIT_MS / 1000};

    need(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0 &&
             setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) == 0,
         "deadline");
}

SSL *tls_peer_open(SSL_CTX *context, const struct tls_peer_spec *spec, int fd)
{
    SSL *ssl = SSL_new(context);
    unsigned char protocols[256];

    need(ssl != NULL && n_open < MAX_OPEN && SSL_set_fd(ssl, fd) == 1, "session");
    unit_after_each(free_all);
    open_sessions[n_open++] = ssl;
    set_deadline(fd);
    if (spec->is_server) {
        SSL_set_accept_state(ssl);
        return ssl;
    }
    SSL_set_connect_state(ssl);
    if (spec->server_name != NULL) {
        /* SSL_set_tlsext_host_name() casts const away; the name is copied. */
        char name[256];
        (void)snprintf(name, sizeof name, "%s", spec->server_name);
        need(SSL_set_tlsext_host_name(ssl, name) == 1, "server name");
        need(spec->ca == NULL || SSL_set1_host(ssl, spec->server_name) == 1, "host");
    }
    if (spec->alpn != NULL) {
        size_t size = alpn_bytes(spec->alpn, protocols, sizeof protocols);
        need(SSL_set_alpn_protos(ssl, protocols, (unsigned)size) == 0, "protocols");
    }
    need(spec->session == NULL || SSL_set_session(ssl, spec->session) == 1, "session");
    return ssl;
}

SSL *tls_peer_new(const struct tls_peer_spec *spec, int fd)
{
    SSL_CTX *context = tls_peer_context(spec);
    SSL *ssl = tls_peer_open(context, spec, fd);

    SSL_CTX_free(context); /* the session has its own reference */
    return ssl;
}

/* ---- Handshakes ---- */

bool tls_peer_try(SSL *ssl)
{
    ERR_clear_error();
    errno = 0;
    return SSL_do_handshake(ssl) == 1;
}

/* What went wrong, in words. */
static const char *trouble(SSL *ssl, int returned)
{
    int kind = SSL_get_error(ssl, returned);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason != NULL                  ? reason
           : kind == SSL_ERROR_SYSCALL     ? strerror(errno)
           : kind == SSL_ERROR_ZERO_RETURN ? "close_notify"
                                           : "no reason";
}

void tls_peer_handshake(SSL *ssl)
{
    if (!tls_peer_try(ssl)) {
        UNIT_FAIL_NOW("a peer's handshake failed: %s", trouble(ssl, -1));
    }
}

int tls_peer_reason(void)
{
    int reason = ERR_GET_REASON(ERR_peek_last_error());

    ERR_clear_error();
    return reason;
}

int tls_peer_alert(SSL *ssl)
{
    char byte;
    int reason = tls_peer_reason();

    if (reason == 0 && SSL_is_init_finished(ssl) && SSL_read(ssl, &byte, 1) <= 0) {
        reason = tls_peer_reason();
    }
    return reason > SSL_AD_REASON_OFFSET ? reason - SSL_AD_REASON_OFFSET : 0;
}

/* ---- Data ---- */

void tls_peer_write(SSL *ssl, const void *data, size_t size)
{
    size_t n;

    ERR_clear_error();
    int returned = SSL_write_ex(ssl, data, size, &n);
    if (returned != 1) {
        UNIT_FAIL_NOW("a peer cannot write: %s", trouble(ssl, returned));
    }
}

void tls_peer_print(SSL *ssl, const char *text)
{
    tls_peer_write(ssl, text, strlen(text));
}

size_t tls_peer_read(SSL *ssl, void *data, size_t room)
{
    size_t n = 0;

    ERR_clear_error();
    int returned = SSL_read_ex(ssl, data, room, &n);
    if (returned != 1 && SSL_get_error(ssl, returned) != SSL_ERROR_ZERO_RETURN) {
        UNIT_FAIL_NOW("a peer cannot read: %s", trouble(ssl, returned));
    }
    return n;
}

static size_t read_session(void *source, void *data, size_t room)
{
    return tls_peer_read(source, data, room);
}

void tls_peer_expect(SSL *ssl, const void *data, size_t size)
{
    peer_expect_from(read_session, ssl, data, size);
}

void tls_peer_expect_text(SSL *ssl, const char *text)
{
    tls_peer_expect(ssl, text, strlen(text));
}

void tls_peer_expect_end(SSL *ssl)
{
    char byte;

    if (tls_peer_read(ssl, &byte, 1) != 0) {
        UNIT_FAIL_NOW("a peer got a byte (%d) where the stream should end", byte);
    }
}

void tls_peer_expect_cut(SSL *ssl)
{
    char byte;
    size_t n;

    ERR_clear_error();
    int returned = SSL_read_ex(ssl, &byte, 1, &n);
    if (returned == 1) {
        UNIT_FAIL_NOW("a peer got a byte (%d) where the stream should break off", byte);
    }
    if (SSL_get_error(ssl, returned) != SSL_ERROR_SSL ||
        tls_peer_reason() != SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        UNIT_FAIL_NOW("a peer saw another end than a cut: %s", trouble(ssl, returned));
    }
}

void tls_peer_shut_output(SSL *ssl)
{
    ERR_clear_error();
    int returned = SSL_shutdown(ssl);

    if (returned < 0) {
        UNIT_FAIL_NOW("a peer cannot say goodbye: %s", trouble(ssl, returned));
    }
}
