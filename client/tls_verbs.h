/* SPDX-License-Identifier: MIT */
/*
 * tls_verbs.h - what connect, serve, tunnel and cert have in common about TLS.
 *
 * A client borrows the options of make-socket and of make-ssl-client-stream, a server
 * those of make-socket, or make-tunnel, and make-ssl-server-context.
 */
#ifndef SOCKD_CLIENT_TLS_VERBS_H
#define SOCKD_CLIENT_TLS_VERBS_H

#include <jansson.h>
#include <stdbool.h>

struct args;
struct problem;
struct session;

#define TLS_VERB_OPTION                                                                  \
    VERB_OPTION("tls", VALUE_BOOL, NULL, "false",                                        \
                "speak TLS; the options of it want this")

/* Sorts the options: those that a connected socket has no use for are TLS's. False: there
 * are some of TLS, but --tls is not; *problem. */
bool tls_verbs_take_options(struct args *args, bool is_client, struct problem *problem);

/* Speaks TLS on a connected socket, the handshake included, with the borrowed options.
 * The description; new reference. NULL: *problem. */
json_t *tls_verbs_connect(struct session *session, struct args *args, json_int_t socket,
                          struct problem *problem);

/* With --tls: makes a context and puts it as `name` into the parameters of what listens.
 * False: *problem. */
bool tls_verbs_listen(struct session *session, struct args *args, const char *name,
                      struct problem *problem);

/* "sockctl: TLS 1.3, CIPHER, ..." on standard error, for a description. */
void tls_verbs_tell(const json_t *description);

/* "TLS 1.3, CIPHER, ..." for the member tls of a description. For the caller to free().
 */
char *tls_verbs_facts(const json_t *tls);

#endif
