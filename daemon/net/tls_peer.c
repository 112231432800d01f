/* SPDX-License-Identifier: MIT */
/*
 * tls_peer.c - what others may know about a session: its facts, the certificate of its
 * peer, its failure.
 *
 * Called by the commands that describe. Thread: the sock's home.
 */
#include <config.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/net/certificate.h"
#include "daemon/net/sock.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls_parts.h"

const char *tls_state_name(enum tls_state state)
{
    static const char *const names[] = {
        [TLS_STATE_NEW] = "new",
        [TLS_STATE_HANDSHAKE] = "handshake",
        [TLS_STATE_ESTABLISHED] = "established",
        [TLS_STATE_FAILED] = "failed",
    };
    return names[state];
}

static enum tls_state state_of(const struct tls_session *session)
{
    if (session->fault.id != ERROR_NONE) {
        return TLS_STATE_FAILED;
    }
    if (session->is_established) {
        return TLS_STATE_ESTABLISHED;
    }
    return session->handshake->is_started ? TLS_STATE_HANDSHAKE : TLS_STATE_NEW;
}

static const char *version_of(const SSL *ssl)
{
    switch (SSL_version(ssl)) {
    case TLS1_VERSION:
        return tls_version_name(TLS_VERSION_1_0);
    case TLS1_1_VERSION:
        return tls_version_name(TLS_VERSION_1_1);
    case TLS1_2_VERSION:
        return tls_version_name(TLS_VERSION_1_2);
    case TLS1_3_VERSION:
        return tls_version_name(TLS_VERSION_1_3);
    default:
        return NULL;
    }
}

static const char *group_of(SSL *ssl)
{
    int nid = (int)SSL_get_negotiated_group(ssl);

    return nid != NID_undef ? SSL_group_to_name(ssl, nid) : NULL;
}

void tls_session_describe(const struct sock *sock, struct tls_facts *facts)
{
    const struct tls_session *session = tls_session_of(sock);
    SSL *ssl = session->ssl;

    *facts = (struct tls_facts){
        .role = session->context->role,
        .state = state_of(session),
        .verify = session->verify,
        .server_name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name),
    };
    if (!session->is_established) {
        return;
    }
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    const unsigned char *alpn;
    unsigned alpn_size;

    facts->version = version_of(ssl);
    facts->cipher = cipher != NULL ? SSL_CIPHER_standard_name(cipher) : NULL;
    facts->own_cipher = cipher != NULL ? SSL_CIPHER_get_name(cipher) : NULL;
    facts->group = group_of(ssl);
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_size);
    facts->alpn = alpn_size > 0 ? alpn : NULL;
    facts->alpn_size = alpn_size;
    facts->is_resumed = SSL_session_reused(ssl) == 1;
    facts->has_certificate = SSL_get0_peer_certificate(ssl) != NULL;
    facts->is_verified = session->verify != TLS_VERIFY_NONE && facts->has_certificate &&
                         SSL_get_verify_result(ssl) == X509_V_OK;
    ERR_clear_error();
}

long tls_session_verify_result(const struct sock *sock, const char **text)
{
    const struct tls_session *session = tls_session_of(sock);
    long code = session->verify != TLS_VERIFY_NONE ? SSL_get_verify_result(session->ssl)
                                                   : X509_V_OK;

    *text = X509_verify_cert_error_string(code);
    return code;
}

void tls_session_peer(const struct sock *sock, bool is_chain,
                      struct certificate_list *list)
{
    const struct tls_session *session = tls_session_of(sock);
    SSL *ssl = session->ssl;
    const X509 *leaf = SSL_get0_peer_certificate(ssl);
    STACK_OF(X509) *chain =
        SSL_get_verify_result(ssl) == X509_V_OK ? SSL_get0_verified_chain(ssl) : NULL;

    if (leaf == NULL) {
        return;
    }
    certificate_list_add(list, certificate_new(leaf));
    if (chain == NULL) {
        chain = SSL_get_peer_cert_chain(ssl);
    }
    for (int i = 0; is_chain && i < sk_X509_num(chain); i++) {
        const X509 *x509 = sk_X509_value(chain, i);
        /* A client's list begins with the leaf, a server's does not. */
        if (i > 0 || X509_cmp(x509, leaf) != 0) {
            certificate_list_add(list, certificate_new(x509));
        }
    }
}

void tls_session_explain(const struct sock *sock, const struct transport_fault *fault,
                         const char *action, struct error *error)
{
    const struct tls_session *session = tls_session_of(sock);

    if (session->trouble == NULL || session->fault.id != fault->id) {
        transport_explain(fault, action, error);
        return;
    }
    *error = *session->trouble;
    if (error->errnum != 0) {
        transport_explain(fault, action, error);
    }
}
