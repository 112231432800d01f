/* SPDX-License-Identifier: MIT */
/*
 * tls_hello.c - what a server decides when it has read a ClientHello: the context by
 * name, the protocol, the session.
 *
 * The context is chosen in the callback for the ClientHello, before OpenSSL looks for a
 * session: in the older callback for the server name, a session would already be resumed
 * under the policy of the wrong context. Called by OpenSSL. Thread: the session's.
 */
#include <config.h>

#include <openssl/tls1.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/net/tls_parts.h"

/* ---- By name ---- */

/* The host name of the extension (RFC 6066 section 3); NULL: none, or not well formed,
 * which OpenSSL answers itself. */
static const char *asked_name(SSL *ssl, size_t *size)
{
    enum {
        LIST_SIZE = 2,
        TYPE = 1,
        NAME_SIZE = 2,
        HEADER = LIST_SIZE + TYPE + NAME_SIZE
    };
    const unsigned char *bytes;
    size_t n_bytes;

    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &n_bytes) != 1 ||
        n_bytes < HEADER) {
        return NULL;
    }
    size_t list = (size_t)bytes[0] << 8 | bytes[1];
    size_t name = (size_t)bytes[3] << 8 | bytes[4];

    if (list + LIST_SIZE != n_bytes || bytes[2] != TLSEXT_NAMETYPE_host_name ||
        name + TYPE + NAME_SIZE > list) {
        return NULL;
    }
    *size = name;
    return (const char *)bytes + HEADER;
}

static int choose_context(SSL *ssl, int *alert, void *arg)
{
    struct tls_session *session = tls_session_of_ssl(ssl);
    size_t size = 0;

    (void)alert;
    (void)arg;
    if (session->choice == NULL) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    const char *name = asked_name(ssl, &size);
    struct tls_context *found = name != NULL
                                    ? tls_choice_find(session->choice, name, size)
                                    : tls_choice_default(session->choice);

    if (found != session->context) {
        struct tls_context *previous = session->context;
        session->context = tls_context_ref(found);
        CHECK(SSL_set_SSL_CTX(ssl, found->ssl_ctx) != NULL);
        session->verify = found->verify;
        session->max_depth = found->max_depth;
        tls_policy_settle(session);
        tls_context_unref(previous);
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* Tells the client that its name was understood. */
static int acknowledge_name(SSL *ssl, int *alert, void *arg)
{
    (void)alert;
    (void)arg;
    return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

/* ---- Protocol ---- */

/* In the server's order. Without a common one the handshake ends (RFC 7301 section 3.2):
 * a client that speaks another protocol must not be taken for one that speaks ours. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *size,
                           const unsigned char *offered, unsigned n_offered, void *arg)
{
    struct tls_session *session = tls_session_of_ssl(ssl);
    const struct tls_alpn *ours =
        session->alpn.bytes != NULL ? &session->alpn : &session->context->alpn;
    unsigned char *found;

    (void)arg;
    if (ours->bytes == NULL) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    if (SSL_select_next_proto(&found, size, ours->bytes, ours->size, offered,
                              n_offered) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- Sessions ---- */

/* The keys are those of the chosen context, not those of the SSL_CTX the session began
 * with. */
static int use_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv,
                          EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_sealing)
{
    struct tls_session *session = tls_session_of_ssl(ssl);
    struct tls_tickets *tickets = session->context->tickets;

    if (tickets == NULL) {
        return 0;
    }
    if (is_sealing) {
        return tls_tickets_seal(tickets, name, iv, cipher, mac);
    }
    int result = tls_tickets_open(tickets, name, iv, cipher, mac);

    /* A ticket of TLS 1.3 is for one use, so another one is due (RFC 8446 C.4). */
    return result == 1 && SSL_version(ssl) == TLS1_3_VERSION ? 2 : result;
}

/* A session is no older than the certificate that its client showed. */
static SSL_TICKET_RETURN judge_ticket(SSL *ssl, SSL_SESSION *found,
                                      const unsigned char *name, size_t size,
                                      SSL_TICKET_STATUS status, void *arg)
{
    (void)ssl;
    (void)name;
    (void)size;
    (void)arg;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) {
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    if (!tls_cache_is_fresh(found)) {
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    return status == SSL_TICKET_SUCCESS_RENEW ? SSL_TICKET_RETURN_USE_RENEW
                                              : SSL_TICKET_RETURN_USE;
}

void tls_hello_prepare(SSL_CTX *ssl_ctx)
{
    SSL_CTX_set_client_hello_cb(ssl_ctx, choose_context, NULL);
    SSL_CTX_set_tlsext_servername_callback(ssl_ctx, acknowledge_name);
    SSL_CTX_set_alpn_select_cb(ssl_ctx, choose_protocol, NULL);
    CHECK(SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl_ctx, use_ticket_key) == 1);
    CHECK(SSL_CTX_set_session_ticket_cb(ssl_ctx, NULL, judge_ticket, NULL) == 1);
}
