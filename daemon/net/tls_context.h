/* SPDX-License-Identifier: MIT */
/*
 * tls_context.h - what TLS streams share: certificate and key, what is trusted, ciphers,
 * the policy of verification, sessions that may be resumed.
 *
 * A context is built and checked as a whole, off the workers, from texts that somebody
 * else has read; from then on it is immutable, counted, and used by sessions on all
 * workers. To change one, build another and publish that: sessions keep what they have.
 *
 * All workers share the SSL_CTX. Counted with OpenSSL 3.0.22 under two and eight threads,
 * a handshake (both ends) takes some 3600 read locks and 110 write locks, and it is the
 * same number with an SSL_CTX for each thread, and with a whole library context for each:
 * they belong to the algorithms that are looked up. About one write lock in 10,000 was
 * contended in all three. So one SSL_CTX costs nothing, as long as OpenSSL's own session
 * cache in it, which has a lock, serves only old clients without tickets.
 *
 * Thread: a job thread builds it; any may hold it.
 */
#ifndef SOCKD_NET_TLS_CONTEXT_H
#define SOCKD_NET_TLS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "daemon/net/tls_method.h"
#include "proto/error.h"

struct certificate_list;

enum tls_role { TLS_CLIENT, TLS_SERVER };

/* What is done about the certificate of the peer. */
enum tls_verify {
    TLS_VERIFY_NONE,     /* not looked at; a server asks for none */
    TLS_VERIFY_REQUEST,  /* asked for and looked at, any is accepted */
    TLS_VERIFY_OPTIONAL, /* if there is one it must verify */
    TLS_VERIFY_REQUIRED, /* there must be one, and it must verify */
};

enum tls_crl_check { TLS_CRL_NONE, TLS_CRL_LEAF, TLS_CRL_CHAIN };

/* Text of somebody else; `bytes` NULL: not given. */
struct tls_text {
    const char *bytes;
    size_t size;
};

/* Everything belongs to the caller, who wipes what is secret (tls_wipe()). */
struct tls_config {
    enum tls_role role;
    unsigned versions;            /* of enum tls_version */
    bool allows_weak;             /* policy: TLS below 1.2, ciphers below 128 bits */
    struct tls_text certificate;  /* PEM: the leaf, then its chain */
    struct tls_text key;          /* PEM; not given: it is in `certificate` */
    struct tls_text password;     /* of the key */
    struct tls_text ca;           /* PEM: each certificate is trusted, root or not */
    struct tls_text ca_directory; /* PEM of all that the directory held */
    struct tls_text crl; /* PEM; without it a check of revocation never succeeds */
    enum tls_crl_check crl_check;
    enum tls_verify verify;
    int max_depth;
    const char *ciphers, *ciphersuites, *groups; /* NULL: OpenSSL's own */
    bool prefers_server_order;                   /* server */
    const char
        *server_name; /* client: sent and verified; server: the name it serves, "*."
                         in front for all below; NULL: the names of its certificate
                       */
    const char *const *alpn; /* protocols, preferred first */
    unsigned n_alpn;
    bool has_sessions;  /* resumption */
    unsigned n_tickets; /* that a server sends after a full handshake */
    uint64_t n_records; /* sealed with one key before it is updated; 0: what the ciphers
                           allow */
};

enum { TLS_MAX_TICKETS = 16, TLS_MAX_DEPTH = 100 };

/* The defaults of OPERATIONS: verify required for clients, none for servers. */
void tls_config_init(struct tls_config *config, enum tls_role role);
/* With copies of all it points to; tls_config_fini() wipes and frees them. */
void tls_config_copy(struct tls_config *to, const struct tls_config *from);
void tls_config_fini(struct tls_config *config);

struct tls_context;

/* A reference for the caller. NULL: *error names the parameter that is wrong and says
 * what it takes. May read the certificates of the system: not on a worker. */
struct tls_context *tls_context_new(const struct tls_config *config, struct error *error);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context); /* NULL is fine */

/* No handshake will begin with it any more: keys of tickets are wiped and sessions that
 * could be resumed let go, whatever streams still hold it. Any thread; once. */
void tls_context_retire(struct tls_context *context);

enum tls_role tls_context_role(const struct tls_context *context);
/* Does it verify the server's certificate, but not know for which name? Then the place
 * that is connected to must have one. */
bool tls_context_needs_name(const struct tls_context *context);

/* For those who describe it. */
struct tls_context_facts {
    enum tls_role role;
    unsigned versions;
    enum tls_verify verify;
    int max_depth;
    enum tls_crl_check crl_check;
    bool has_sessions;
    bool has_certificate;
    const char *server_name; /* NULL: none */
    unsigned n_ticket_keys;  /* server */
    unsigned n_sessions;     /* client: that could be resumed */
};
void tls_context_describe(struct tls_context *context, struct tls_context_facts *facts);
/* Its own certificate and the chain it sends; added to `list`. The key cannot be asked
 * for. */
void tls_context_certificates(struct tls_context *context, struct certificate_list *list);
/* Wipes ticket keys and sessions that are too old. From time to time; any thread. */
void tls_context_maintain(struct tls_context *context);

#endif
