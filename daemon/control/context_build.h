/* SPDX-License-Identifier: MIT */
/*
 * context_build.h - a TLS context made in a job thread: reading certificates, and those
 * of the system, takes time.
 *
 * Thread: the loop that asks.
 */
#ifndef SOCKD_CONTROL_CONTEXT_BUILD_H
#define SOCKD_CONTROL_CONTEXT_BUILD_H

struct context_build;
struct error;
struct tls_config;
struct tls_context;

/* `context` NULL: *error. Else the reference is the receiver's, who may take *config over
 * as well; what it leaves there is wiped. */
typedef void context_built(void *arg, struct tls_context *context,
                           struct tls_config *config, const struct error *error);

/* Takes *config over, with what it points to (tls_config_copy()). `done` runs later. */
struct context_build *context_build_start(struct tls_config *config, context_built *done,
                                          void *arg);
/* Nobody waits for it any more: `done` does not run. Before it has run. */
void context_build_forget(struct context_build *build);

#endif
