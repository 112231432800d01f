/* SPDX-License-Identifier: MIT */
/*
 * tls_pair.h - stream_pair.h with TLS on it: a socket of the daemon with a session, and
 * plain OpenSSL (tls_peer.h) on the descriptor of its peer.
 *
 * Parameters are JSON objects that a call takes over. tls_before() and tls_after()
 * surround each test and make the certificates.
 *
 * Thread: the one that runs the test.
 */
#ifndef SOCKD_TESTS_TLS_PAIR_H
#define SOCKD_TESTS_TLS_PAIR_H

#include <jansson.h>
#include <stdint.h>
#include "tests/certs.h"
#include "tests/stream_pair.h"
#include "tests/tls_peer.h"

void tls_before(void);
void tls_after(void);
/* Of the program; see certs.h. */
extern struct cert_tree tls_tree;
/* The peer of the pair; NULL: it has no session yet. */
extern SSL *tls_peer;

/* What the makers of streams and contexts take, more by json_pack() (NULL: nothing
 * more, which wins over the usual): a client that trusts the root and wants server.test;
 * a server that shows the leaf. */
json_t *tls_client_params(const char *format, ...);
json_t *tls_server_params(const char *format, ...);
/* The peers for these. */
struct tls_peer_spec tls_server_peer(void); /* shows the leaf */
struct tls_peer_spec tls_client_peer(void); /* trusts the root, wants server.test */

/* make-ssl-ROLE-stream on the pair of the test; the description. */
json_t *tls_wrap(const char *role, json_t *params);
/* Opens tls_peer on the pair's peer; shakes hands, asked for by ssl-do-handshake; the
 * description that answers it. */
json_t *tls_greet(const struct tls_peer_spec *peer);
/* The same where the daemon must refuse; the error. The peer's side may have failed. */
json_t *tls_refuse(const struct tls_peer_spec *peer, const char *identifier);

/* All of it: pair_start(), tls_wrap(), tls_greet(); `role` is the daemon's. `params` and
 * `peer` NULL: the usual ones. The `tls` of the description. */
json_t *tls_start(const char *role, json_t *params, const struct tls_peer_spec *peer);
/* The same on another pair of the daemon that runs, in the place of the present one. */
json_t *tls_again(const char *role, json_t *params, const struct tls_peer_spec *peer);

/* For peers that are programs; pair.sock is then the socket that was accepted or
 * connected, and there is no pair.peer. A port that the daemon listens on (`more` NULL:
 * without further parameters of make-socket); the next connection of it, with
 * make-ssl-server-stream and the handshake; a connection with make-ssl-client-stream and
 * the handshake. The latter two answer the `tls` of the description. */
int tls_listen(json_t *more);
json_t *tls_accept(json_t *params);
json_t *tls_connect(int port, json_t *params);
/* The same without TLS, yet. */
void tls_accept_plain(void);
void tls_connect_plain(int port);
/* Does the handshake of pair.sock, whose peer does it by itself. */
json_t *tls_shake(void);
/* Writes root.pem, leaf.pem, chain.pem and key.pem; the directory, which ends with the
 * daemon. */
const char *tls_write_files(void);

/* What describe-socket says in `tls`. */
json_t *tls_facts(void);
/* A word both ways. */
void tls_talk(void);
/* make-ssl-ROLE-context; its handle. */
int64_t tls_context(const char *role, json_t *params);

#endif
