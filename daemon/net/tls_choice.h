/* SPDX-License-Identifier: MIT */
/*
 * tls_choice.h - several server contexts behind one listener, chosen by the name that the
 * client asks for (SNI, RFC 6066).
 *
 * Immutable and counted, like the contexts it holds. Thread: any.
 */
#ifndef SOCKD_NET_TLS_CHOICE_H
#define SOCKD_NET_TLS_CHOICE_H

#include <stddef.h>
#include "proto/error.h"

struct tls_context;
struct tls_choice;

/* The first context is the default. Each serves its server-name, or else the names of its
 * certificate; of two that serve the same name the earlier has it. A reference for the
 * caller, who keeps those to the contexts. NULL: *error; one of them is no server's. */
struct tls_choice *tls_choice_new(struct tls_context *const *contexts,
                                  unsigned n_contexts, struct error *error);
struct tls_choice *tls_choice_ref(struct tls_choice *choice);
void tls_choice_unref(struct tls_choice *choice); /* NULL is fine */

struct tls_context *tls_choice_default(const struct tls_choice *choice);
/* By the exact name, else by a wildcard one label above it, else the default. The name
 * need not end with a NUL. */
struct tls_context *tls_choice_find(const struct tls_choice *choice, const char *name,
                                    size_t size);

#endif
