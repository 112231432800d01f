/* SPDX-License-Identifier: MIT */
/*
 * tls_offer.h - contexts that can be replaced while others use them.
 *
 * A published context is the place where the present one stands. A handshake takes what
 * stands there when it begins, and keeps that. A context that stands there no more is
 * retired (tls_context.h): what streams keep of it resumes nothing. An offer is what a
 * listener has: one or several such places, the choice among which (tls_choice.h) is made
 * anew when one of them has changed.
 *
 * Thread: any, for a published context; an offer belongs to one thread at a time.
 */
#ifndef SOCKD_NET_TLS_OFFER_H
#define SOCKD_NET_TLS_OFFER_H

#include <stdbool.h>
#include "proto/error.h"

struct tls_choice;
struct tls_context;
struct tls_offer;
struct tls_published;

/* Counted; takes over the caller's reference to the context. */
struct tls_published *tls_published_new(struct tls_context *context);
struct tls_published *tls_published_ref(struct tls_published *published);
void tls_published_unref(struct tls_published *published); /* NULL is fine */
/* The present context: a reference for the caller. */
struct tls_context *tls_published_get(struct tls_published *published);
/* From now on this one; takes over the caller's reference. */
void tls_published_replace(struct tls_published *published, struct tls_context *context);

enum { TLS_OFFER_MAX = 64 };

/* 1 to TLS_OFFER_MAX places, which the caller keeps references to. NULL: *error, one of
 * them, given with `parameter`, is not for servers. */
struct tls_offer *tls_offer_new(struct tls_published *const *places, unsigned n,
                                const char *parameter, struct error *error);
void tls_offer_free(struct tls_offer *offer); /* NULL is fine */
/* The choice as it is now: a reference for the caller. */
struct tls_choice *tls_offer_take(struct tls_offer *offer);
/* Whether all contexts, as they are now, demand a certificate that verifies. */
bool tls_offer_demands(const struct tls_offer *offer);

#endif
