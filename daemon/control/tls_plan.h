/* SPDX-License-Identifier: MIT */
/*
 * tls_plan.h - from the keywords of TLS to what a context is made of.
 *
 * The makers of contexts and of streams, update-context and the sections of the
 * configuration have the same keywords; each is found by its wire name. Thread: any.
 */
#ifndef SOCKD_CONTROL_TLS_PLAN_H
#define SOCKD_CONTROL_TLS_PLAN_H

#include <stdbool.h>
#include "daemon/net/tls_context.h"
#include "daemon/net/tls_session.h"
#include "proto/error.h"

struct arena;
struct params;
struct value;

/* The value of a parameter that was given; NULL: it was not, or the command has none of
 * this name. */
const struct value *tls_plan_value(const struct params *params, const char *name);

/* What the keywords say; those that were not given keep their defaults. All it points to
 * belongs to the parameters and the arena. False: *error. */
bool tls_plan_config(struct tls_config *config, const struct params *params,
                     enum tls_role role, struct arena *arena, struct error *error);
/* Replaces in *config, which owns what it points to, the texts that were given. */
void tls_plan_update(struct tls_config *config, const struct params *params);
/* What a stream has differently from its context. False: *error, also for a keyword that
 * cannot be overridden. */
bool tls_plan_overrides(struct tls_overrides *overrides, const struct params *params,
                        struct error *error);
bool tls_plan_has_overrides(const struct tls_overrides *overrides);
/* The list `alpn`. NULL and n 0: not given. */
const char *const *tls_plan_alpn(const struct params *params, struct arena *arena,
                                 unsigned *n);

#endif
