/* SPDX-License-Identifier: MIT */
/*
 * tunnel_front.h - who is at the front of a tunnel's connection: the PROXY header that
 * has to come first, the TLS handshake, and whether the certificate is one that may pass.
 *
 * Thread: the home of the sock.
 */
#ifndef SOCKD_NET_TUNNEL_FRONT_H
#define SOCKD_NET_TUNNEL_FRONT_H

#include <stdbool.h>
#include "daemon/base/buffer.h"
#include "daemon/net/proxy_header.h"
#include "daemon/net/sock.h"

struct tls_choice;
struct tunnel_plan;

/* All zero at the beginning. Owner: the link. */
struct tunnel_front {
    struct buffer bytes; /* of the header */
    bool has_header;
    struct proxy_header header;
    struct tls_choice *choice; /* for the session; NULL: none is wanted */
    bool has_session;          /* of TLS */
    bool is_known;             /* all of it was good */
};
void tunnel_front_fini(struct tunnel_front *front);

/* Must something be said before there is a target? */
bool tunnel_front_asks(const struct tunnel_plan *plan);
/* Gets on with it, for an operation on the sock's input. DONE: it is known who is there.
 */
enum op_result tunnel_front_advance(struct tunnel_front *front,
                                    const struct tunnel_plan *plan, struct sock *sock,
                                    struct error *error);
/* Writes the PROXY header for the target, of this version; its size. When it is known who
 * is there. */
size_t tunnel_front_header(const struct tunnel_front *front, const struct sock *sock,
                           unsigned version, uint8_t bytes[PROXY_HEADER_MAX]);

#endif
