/* SPDX-License-Identifier: MIT */
/*
 * tls_session.h - TLS on one connected stream, as a transport.
 *
 * tls_session_open() replaces the transport of a stream; from then on its bytes are
 * sealed. Nothing is sent before the first receive, send or tls_session_handshake(): that
 * begins the handshake, which then goes on by itself, whoever waits, until it is done,
 * has failed, or its deadline is over.
 *
 * The ends of the input: the peer's close_notify is END; an end of file without it is
 * TRUNCATED, unless the session allows that and it came between two records; everything
 * else has FAILED. Bytes that came before the end are received first. Each direction ends
 * for itself, as TLS 1.3 has it, and we do the same with TLS 1.2: after the end of the
 * input, output is still sealed and sent, and the other way round.
 *
 * Readiness is that of the session, not of the descriptor: sock->can_read and can_write
 * are cleared when a call has to wait, whichever event it is that it waits for, and set
 * again by transport->ready(). Whoever runs the sock's kind calls that first.
 *
 * Thread: the sock's home.
 */
#ifndef SOCKD_NET_TLS_SESSION_H
#define SOCKD_NET_TLS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "daemon/net/tls_context.h"
#include "daemon/net/transport.h"
#include "proto/error.h"

struct certificate_list;
struct sock;
struct tls_choice;
struct tls_session;

extern const struct transport transport_tls;

/* What one stream may have differently from its context; the rest of a context can't be
 * overridden. */
struct tls_overrides {
    unsigned versions;                  /* 0: as the context */
    const char *ciphers, *ciphersuites; /* NULL: as the context */
    int verify;                         /* enum tls_verify; -1: as the context */
    int max_depth;                      /* -1: as the context */
    int prefers_server_order;           /* 0, 1; -1: as the context */
};
#define TLS_OVERRIDES_NONE                                                               \
    {                                                                                    \
        .verify = -1, .max_depth = -1, .prefers_server_order = -1                        \
    }

/* Nothing in it is kept, but for references. */
struct tls_session_spec {
    struct tls_context *context; /* its role is that of the session */
    struct tls_choice *choice;   /* server: by the name the client asks for; else NULL */
    const char *server_name;     /* client; NULL: the context's, else `host` */
    const char *host;        /* client: what was connected to, name or address; or NULL */
    const char *place;       /* client: tells apart peers of one name ("443"); or NULL */
    const char *const *alpn; /* instead of the context's; NULL: the context's */
    unsigned n_alpn;
    const struct tls_overrides *overrides; /* NULL: none; not beside a choice */
    double handshake_seconds;              /* from its first step to its end */
    bool allows_truncation;                /* for peers that never say goodbye */
    const void *received; /* bytes of the session that the stream had already received */
    size_t received_size;
};

/* Puts a session on a stream whose transport is the plain one. False: *error names the
 * parameter, and the stream is as it was. */
bool tls_session_open(struct sock *sock, const struct tls_session_spec *spec,
                      struct error *error);

/* Gets on with the handshake, without data. OK: it is done; AGAIN; FAILED. */
enum transport_result tls_session_handshake(struct sock *sock,
                                            struct transport_fault *fault);

enum tls_state {
    TLS_STATE_NEW,         /* nothing was sent or received */
    TLS_STATE_HANDSHAKE,   /* under way */
    TLS_STATE_ESTABLISHED, /* data may flow; the ends of it are the stream's */
    TLS_STATE_FAILED,
};
const char *tls_state_name(enum tls_state state);

/* Texts live as long as the session, or are static; NULL where it is not known (yet). */
struct tls_facts {
    enum tls_role role;
    enum tls_state state;
    const char *version;     /* "tlsv1.3" */
    const char *cipher;      /* the name IANA gives it */
    const char *own_cipher;  /* the name OpenSSL gives it */
    const char *group;       /* of the key exchange */
    const char *server_name; /* that the client asked for */
    const uint8_t *alpn;     /* NULL: none was agreed on */
    size_t alpn_size;
    bool has_certificate; /* the peer has shown one, now or in the session before */
    bool is_verified;     /* there is a certificate, it was looked at, and it is good */
    bool is_resumed;
    enum tls_verify verify;
};

/* Is there a session on this sock? The others want that. */
bool tls_session_is_on(const struct sock *sock);
void tls_session_describe(const struct sock *sock, struct tls_facts *facts);
/* As documented: 0 before the handshake, and when nothing was verified. */
long tls_session_verify_result(const struct sock *sock, const char **text);
/* The certificate of the peer, added to `list`, and with `is_chain` those behind it: the
 * chain that was verified, or else what the peer sent. Nothing when it has sent none. */
void tls_session_peer(const struct sock *sock, bool is_chain,
                      struct certificate_list *list);
/* The error behind a fault of this transport, with all that OpenSSL said. */
void tls_session_explain(const struct sock *sock, const struct transport_fault *fault,
                         const char *action, struct error *error);

#endif
