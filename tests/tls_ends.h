/* SPDX-License-Identifier: MIT */
/*
 * tls_ends.h - two TLS sessions against each other in one loop, with a wire between them
 * that can be slow, cut or bent.
 *
 * An end is a sock with a stream that the test drives as stream.c would: it calls the
 * transport only while the sock says that this is worth while. The wire is two socket
 * pairs and the test in between, which carries bytes from one to the other.
 *
 * Thread: the test's.
 */
#ifndef SOCKD_TESTS_TLS_ENDS_H
#define SOCKD_TESTS_TLS_ENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "daemon/base/buffer.h"
#include "daemon/net/sock.h"
#include "daemon/net/tls_choice.h"
#include "daemon/net/tls_context.h"
#include "daemon/net/tls_session.h"
#include "tests/certs.h"

struct ssl_st;
struct ssl_ctx_st;

/* One side: a session of ours. */
struct end {
    struct sock *sock;
    struct buffer out, in;           /* to be sent; received */
    bool is_reading;                 /* false: receives nothing, whatever there is */
    bool wants_shutdown, is_shut;    /* of the output, when `out` is empty */
    enum transport_result input_end; /* OK: none yet */
    struct transport_fault fault;    /* of the input, when that has FAILED */
    bool has_write_failed;
    struct transport_fault write_fault;
    size_t chunk; /* most bytes of one receive or send; 0: all */
};

/* What lies between. */
struct wire_lane {
    size_t step;   /* bytes carried at a time; 0: all that fit */
    size_t budget; /* bytes after which it stops; SIZE_MAX: never */
    size_t n_carried;
    size_t bend_at; /* the byte with this number gets a bit changed; SIZE_MAX: none */
    bool is_cut;    /* its far end was told the end of file */
};

/* Starts and ends what all tests need: a loop, a tree of certificates. */
void ends_start(void);
void ends_stop(void);
struct loop *ends_loop(void);
extern struct cert_tree ends_tree;

/* A socket pair; [0] goes to a sock. With `is_relayed` there is the wire between them. */
void ends_connect(bool is_relayed);
extern struct wire_lane ends_lanes[2]; /* [0]: from the client, [1]: from the server */
/* No byte more in this direction, and its end of file. */
void ends_cut(unsigned lane);

extern struct end ends_client, ends_server;
/* A sock with a plain stream on one side of the pair. */
void end_open(struct end *end);
/* The same with a session; fails the test when that cannot be. */
void end_start(struct end *end, const struct tls_session_spec *spec);
/* Frees the sock with all that hangs on it; the descriptor is closed. */
void end_close(struct end *end);

/* Both sides with these contexts, client for server.test. */
void ends_pair(struct tls_context *client, struct tls_context *server, bool is_relayed);
/* The spec that ends_pair() uses. */
struct tls_session_spec ends_spec(struct tls_context *context);
/* Closes what is open; called after each test, too. */
void ends_close(void);

/* Runs the loop, moving what can be moved, until the condition is met. Fails the test
 * when that takes too long. */
void ends_run(bool (*is_met)(void));
/* Some rounds more, in which nothing may change what matters. */
void ends_idle(void);

/* Conditions. */
bool ends_are_established(void);
bool ends_are_over(void); /* both inputs have ended */
bool ends_client_over(void);
bool ends_server_over(void);

/* Bytes that show where they come from. */
void ends_fill(struct buffer *buffer, size_t size, unsigned seed);
bool ends_is_filled(const struct buffer *buffer, size_t size, unsigned seed);
/* A condition: both sides have received as much as they should. */
extern size_t ends_wanted_client, ends_wanted_server;
bool ends_all_has_come(void);
/* Data both ways, then both say goodbye; the ends must be clean and the data whole. */
void ends_talk(size_t from_client, size_t from_server);
/* The kernel takes little of what it sends. */
void end_shrink_buffers(struct end *end);

struct tls_facts end_facts(const struct end *end);
/* The error behind the end of the input; its id is NONE when there is none. */
struct error end_error(const struct end *end);

/* Contexts of the usual tree; the caller frees them. `change` may be NULL. */
struct tls_context *ends_client_context(void (*change)(struct tls_config *config));
struct tls_context *ends_server_context(void (*change)(struct tls_config *config));
/* Fails the test when it cannot be made. */
struct tls_context *ends_context(const struct tls_config *config);
struct tls_text text_of(const char *text);

/* A handshake and, when that succeeds, a byte each way; both ends stay for the test to
 * look at. */
void ends_greet(const struct tls_session_spec *client,
                const struct tls_session_spec *server);
/* The same with contexts of these; `client_spec` gets its context from it. */
void ends_meet(const struct tls_config *client, const struct tls_config *server,
               struct tls_session_spec *client_spec);

/* A peer of plain OpenSSL on the other side of ends_connect(false), for what our own
 * sessions would never do. The caller drives it. */
struct ssl_st *ends_bare_peer(struct ssl_ctx_st *ssl_ctx, bool is_server);
/* Gets on with both until the handshakes are done. */
void ends_bare_handshake(struct end *end, struct ssl_st *peer);

#endif
