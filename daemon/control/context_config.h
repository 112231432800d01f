/* SPDX-License-Identifier: MIT */
/*
 * context_config.h - a section [context NAME] of the configuration becomes a TLS context.
 *
 * Its keys are the parameters of make-ssl-server-context, or with `role = client` those
 * of make-ssl-client-context; texts are given by the names of files, which the daemon
 * reads. `users` are those who may use it, besides administrators. Thread: main.
 */
#ifndef SOCKD_CONTROL_CONTEXT_CONFIG_H
#define SOCKD_CONTROL_CONTEXT_CONFIG_H

#include <stdbool.h>

struct error;
struct loop;
struct section;
struct tls_config;
struct tls_context;

/* Makes the context and puts it into the table (contexts.h). Reads files. False: *error,
 * and *line is that at fault. `loop`: see contexts_add(). */
bool context_config_read(const struct section *section, struct loop *loop, int *line,
                         struct error *error);
/* The same without the table: a reference to the context, and what it was made of
 * (tls_config_fini()). Any thread; one that is not a loop's ends with
 * arena_thread_end(). */
bool context_config_build(const struct section *section, struct tls_context **context,
                          struct tls_config *config, int *line, struct error *error);

#endif
