/* SPDX-License-Identifier: MIT */
/*
 * tls_lobby.h - where the connections of a listener do their TLS handshakes before they
 * are accepted.
 *
 * A listener with a lobby takes connections from the kernel as they come, whether anybody
 * wants to accept or not, so that one that stalls is in nobody's way. The handshakes are
 * done in all workers; those that are done wait in line. As long as the lobby is full -
 * handshakes under way and connections in line together - more wait in the kernel.
 *
 * Until it is accepted a connection belongs to the user of the listener, and to no
 * client; it goes when the listener goes.
 *
 * Thread: the home of the listener.
 */
#ifndef SOCKD_NET_TLS_LOBBY_H
#define SOCKD_NET_TLS_LOBBY_H

#include <stdbool.h>
#include <stdint.h>

struct sock;
struct tls_lobby;
struct tls_offer;

struct tls_lobby_plan {
    struct tls_offer *offer; /* the lobby takes it over */
    double seconds;          /* from the arrival to the end of the handshake */
    bool allows_truncation;
    unsigned limit;
};

/* For a listener that is open (listener_open()). */
void tls_lobby_open(struct sock *listener, const struct tls_lobby_plan *plan);
/* For listener.c: the listener ends; there is something to take; the same, later. */
void tls_lobby_close(struct sock *listener);
void tls_lobby_admit(struct sock *listener);

/* NULL: the listener has none. */
struct tls_lobby *tls_lobby_of(const struct sock *listener);
/* Is a connection in line? */
bool tls_lobby_has_next(const struct tls_lobby *lobby);
/* Takes the first in line: the handle of a stream, in the worker that it names, whose
 * handshake is done. It may have gone meanwhile. */
int64_t tls_lobby_take(struct tls_lobby *lobby);
/* Handshakes under way, and how many have failed. */
unsigned tls_lobby_under_way(const struct tls_lobby *lobby);
uint64_t tls_lobby_failed(const struct tls_lobby *lobby);

#endif
