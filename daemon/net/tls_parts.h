/* SPDX-License-Identifier: MIT */
/*
 * tls_parts.h - what the tls_ modules know of each other: the insides of a context and of
 * a session. Nobody else includes it.
 */
#ifndef SOCKD_NET_TLS_PARTS_H
#define SOCKD_NET_TLS_PARTS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include "daemon/base/loop.h"
#include "daemon/net/tls_cache.h"
#include "daemon/net/tls_choice.h"
#include "daemon/net/tls_context.h"
#include "daemon/net/tls_session.h"
#include "daemon/net/tls_tickets.h"
#include "daemon/net/tls_verify.h"
#include "daemon/net/tls_wire.h"
#include "daemon/net/transport.h"

/* Protocols in the form of the wire: each with its length before it. */
struct tls_alpn {
    uint8_t *bytes; /* NULL: none */
    unsigned size;
};

/* False: *error names alpn. The caller frees `bytes`. */
bool tls_alpn_read(struct tls_alpn *alpn, const char *const *names, unsigned n_names,
                   struct error *error);

/* Immutable but for the tickets and the cache, which have locks of their own. */
struct tls_context {
    _Atomic unsigned n_refs;
    uint64_t number; /* no other context of this process has it */
    SSL_CTX *ssl_ctx;
    enum tls_role role;
    unsigned versions;
    enum tls_verify verify;
    enum tls_crl_check crl_check;
    int max_depth;
    int level; /* security level; overrides do not fall below it */
    bool allows_weak, prefers_server_order, has_sessions, has_own_trust;
    unsigned n_tickets;
    uint32_t n_records;
    char *groups;      /* NULL: OpenSSL's own */
    char *server_name; /* NULL: none */
    char **names;      /* server: those it serves */
    unsigned n_names;
    struct tls_alpn alpn;
    struct tls_tickets *tickets; /* server with sessions */
    struct tls_cache *cache;     /* client with sessions */
};

/* OpenSSL's callbacks of a server's handshake (tls_hello.c). */
void tls_hello_prepare(SSL_CTX *ssl_ctx);

/* Policy (tls_policy.c). What a session takes from its context besides what comes with
 * the SSL_CTX: for one that was begun with another SSL_CTX, or has overrides. */
void tls_policy_settle(struct tls_session *session);
/* Sessions of one context and policy may be resumed among themselves, and no others. */
void tls_policy_isolate(SSL_CTX *ssl_ctx, SSL *ssl, const struct tls_context *context,
                        enum tls_verify verify, int max_depth);
/* Weak versions, if there are any: allowed? */
bool tls_policy_allows(unsigned versions, bool allows_weak, struct error *error);
bool tls_policy_override(struct tls_session *session,
                         const struct tls_overrides *overrides, struct error *error);

/* What only a handshake needs. */
struct tls_handshake {
    struct timer deadline;
    struct later later; /* wakes the sock up when all is done */
    double seconds;
    bool is_started, is_done;
};

/* Owner: the sock's stream. Home: the sock's. What is large in it exists only while it is
 * needed. */
struct tls_session {
    SSL *ssl;
    struct sock *sock;
    struct tls_context *context;     /* the one chosen */
    struct tls_choice *choice;       /* server: NULL when there is no choice */
    struct tls_handshake *handshake; /* NULL: over, well or not */
    struct tls_wire wire;
    struct tls_alpn alpn;         /* instead of the context's; server */
    char *peer;                   /* client: where its sessions are kept; NULL: nowhere */
    struct error *trouble;        /* details of `fault`; NULL: none */
    struct transport_fault fault; /* why the session is over */
    enum transport_result input_end; /* OK: none yet; else END or TRUNCATED */
    enum tls_verify verify;          /* of this session */
    int verify_depth;                /* where verification failed */
    int max_depth;
    uint32_t n_sealed, n_opened; /* records with the present keys */
    uint32_t control_since;      /* milliseconds: the window of n_control */
    uint16_t n_control;          /* control messages received in it */
    bool is_established;         /* the handshake was done */
    bool is_output_shut;         /* close_notify is out or on its way */
    bool is_end_sent;            /* and the end of file, too */
    bool is_input_shut;
    bool is_flooded;
    bool allows_truncation;
    bool send_waits_for_input, receive_waits_for_output;
};

/* OpenSSL's callback for every message: counts those that carry no data. */
void tls_session_count_message(int is_sent, int version, int type, const void *bytes,
                               size_t size, SSL *ssl, void *arg);

/* The session of a stream that has one. */
struct tls_session *tls_session_of(const struct sock *sock);
/* That of an SSL, for OpenSSL's callbacks; NULL: an SSL that has none. Found through the
 * BIO, which costs no memory; the data of applications in an SSL would. */
struct tls_session *tls_session_of_ssl(const SSL *ssl);

/* ---- Between tls_session.c and tls_transport.c; within tls_wire_begin() and _end() ----
 */

/* Gets on with the handshake; OK: it is done. */
enum transport_result tls_session_drive(struct tls_session *session);
/* What a call of OpenSSL that did not succeed means: AGAIN, END, TRUNCATED or FAILED. */
enum transport_result tls_session_judge(struct tls_session *session, int result);
/* The session is over. */
enum transport_result tls_session_fail(struct tls_session *session,
                                       const struct error *error);
/* After a call that ended in AGAIN, outside of the wire: sees to it that there will be
 * another one. */
void tls_session_wait(struct tls_session *session);
/* transport_tls's. */
void tls_session_fini(struct sock *sock);
/* The handshake is under way: others wait for it. */
static inline bool tls_session_is_shaking(const struct tls_session *session)
{
    return !session->is_established && session->fault.id == ERROR_NONE;
}

#endif
