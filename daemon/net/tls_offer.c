/* SPDX-License-Identifier: MIT */
/*
 * tls_offer.c - contexts that can be replaced while others use them.
 *
 * Called by the registry of contexts and by listeners; calls tls_choice.c. Thread: any.
 */
#include <config.h>
#include "daemon/net/tls_offer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "daemon/base/check.h"
#include "daemon/net/tls_choice.h"
#include "daemon/net/tls_context.h"

/* Owner: those who count on it. */
struct tls_published {
    _Atomic unsigned n_refs;
    pthread_mutex_t lock;        /* guards what follows */
    struct tls_context *context; /* the present one */
};

struct tls_offer {
    struct tls_published *places[TLS_OFFER_MAX];
    struct tls_context *contexts[TLS_OFFER_MAX]; /* that `choice` was made of */
    unsigned n;
    struct tls_choice *choice;
};

/* ---- Places ---- */

struct tls_published *tls_published_new(struct tls_context *context)
{
    struct tls_published *published = MEM_NEW(struct tls_published);

    published->n_refs = 1;
    published->context = context;
    CHECK(pthread_mutex_init(&published->lock, NULL) == 0);
    return published;
}

struct tls_published *tls_published_ref(struct tls_published *published)
{
    (void)atomic_fetch_add(&published->n_refs, 1);
    return published;
}

void tls_published_unref(struct tls_published *published)
{
    if (published != NULL && atomic_fetch_sub(&published->n_refs, 1) == 1) {
        tls_context_retire(published->context);
        tls_context_unref(published->context);
        (void)pthread_mutex_destroy(&published->lock); /* nobody holds it */
        free(published);
    }
}

struct tls_context *tls_published_get(struct tls_published *published)
{
    pthread_mutex_lock(&published->lock);
    struct tls_context *context = tls_context_ref(published->context);

    pthread_mutex_unlock(&published->lock);
    return context;
}

void tls_published_replace(struct tls_published *published, struct tls_context *context)
{
    pthread_mutex_lock(&published->lock);
    struct tls_context *old = published->context;

    published->context = context;
    pthread_mutex_unlock(&published->lock);
    tls_context_retire(old);
    tls_context_unref(old);
}

/* ---- Offers ---- */

static void forget(struct tls_offer *offer)
{
    for (unsigned i = 0; i < offer->n; i++) {
        tls_context_unref(offer->contexts[i]);
        offer->contexts[i] = NULL;
    }
    tls_choice_unref(offer->choice);
    offer->choice = NULL;
}

/* False: *error; the offer has no choice then. */
static bool choose(struct tls_offer *offer, struct tls_context *const *contexts,
                   struct error *error)
{
    struct tls_choice *choice = tls_choice_new(contexts, offer->n, error);

    if (choice == NULL) {
        return false;
    }
    forget(offer);
    offer->choice = choice;
    for (unsigned i = 0; i < offer->n; i++) {
        offer->contexts[i] = tls_context_ref(contexts[i]);
    }
    return true;
}

static unsigned look(const struct tls_offer *offer,
                     struct tls_context *contexts[TLS_OFFER_MAX])
{
    unsigned n_changed = 0;

    for (unsigned i = 0; i < offer->n; i++) {
        contexts[i] = tls_published_get(offer->places[i]);
        n_changed += contexts[i] != offer->contexts[i];
    }
    return n_changed;
}

struct tls_offer *tls_offer_new(struct tls_published *const *places, unsigned n,
                                const char *parameter, struct error *error)
{
    struct tls_offer *offer = MEM_NEW(struct tls_offer);
    struct tls_context *contexts[TLS_OFFER_MAX];

    CHECK(n >= 1 && n <= TLS_OFFER_MAX);
    offer->n = n;
    for (unsigned i = 0; i < n; i++) {
        offer->places[i] = tls_published_ref(places[i]);
    }
    (void)look(offer, contexts);
    bool is_good = choose(offer, contexts, error);

    for (unsigned i = 0; i < n; i++) {
        tls_context_unref(contexts[i]);
    }
    if (!is_good) {
        (void)error_set_parameter(error, parameter, "contexts for servers");
        tls_offer_free(offer);
        return NULL;
    }
    return offer;
}

void tls_offer_free(struct tls_offer *offer)
{
    if (offer == NULL) {
        return;
    }
    forget(offer);
    for (unsigned i = 0; i < offer->n; i++) {
        tls_published_unref(offer->places[i]);
    }
    free(offer);
}

struct tls_choice *tls_offer_take(struct tls_offer *offer)
{
    struct tls_context *contexts[TLS_OFFER_MAX];
    struct error error;

    if (look(offer, contexts) > 0) {
        /* A context keeps its role when it is replaced, so this cannot fail. */
        CHECK(choose(offer, contexts, &error));
    }
    for (unsigned i = 0; i < offer->n; i++) {
        tls_context_unref(contexts[i]);
    }
    return tls_choice_ref(offer->choice);
}

bool tls_offer_demands(const struct tls_offer *offer)
{
    bool demands = true;

    for (unsigned i = 0; i < offer->n; i++) {
        struct tls_context *context = tls_published_get(offer->places[i]);
        struct tls_context_facts facts;
        tls_context_describe(context, &facts);
        tls_context_unref(context);
        demands = demands && facts.verify == TLS_VERIFY_REQUIRED;
    }
    return demands;
}
