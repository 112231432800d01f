/* SPDX-License-Identifier: MIT */
/*
 * contexts.h - the TLS contexts that can be named: by handle, or by a name that is one
 * user's or the configuration's.
 *
 * A context is in one table for all workers, behind one lock that is held for the look-up
 * alone; what is found is counted. It belongs to the control connection that made it and
 * goes with that; those who use it keep theirs. Contexts of the configuration stay, and
 * are for administrators and for the users that it names.
 *
 * Thread: any.
 */
#ifndef SOCKD_CONTROL_CONTEXTS_H
#define SOCKD_CONTROL_CONTEXTS_H

#include <stdbool.h>
#include <stdint.h>
#include "daemon/net/sock.h"
#include "daemon/net/tls_context.h"
#include "proto/error.h"
#include "proto/value.h"

struct caller;
struct loop;
struct tls_offer;
struct tls_published;

/* What is put into the table. */
struct context_spec {
    const char *name; /* copied; NULL: none */
    struct sock_owner owner;
    bool is_configured;
    const uid_t *users; /* copied: those who may use a configured one, besides
                           administrators */
    unsigned n_users;
};

enum { CONTEXT_NAME_SIZE = 65 };

/* What is told of one. */
struct context_view {
    int64_t handle;
    char name[CONTEXT_NAME_SIZE]; /* "": none */
    struct sock_owner owner;
    int64_t created, updated;    /* seconds since 1970; updated 0: never */
    struct tls_context *context; /* the present one, counted */
};
void context_view_fini(struct context_view *view);

/* May a context of this name be added? False: *error names the parameter. */
bool contexts_check_name(const char *name, uid_t uid, bool is_configured,
                         struct error *error);
/* Puts one in; the handle is a number of `loop`, whose thread is running or has not
 * started; NULL: nobody runs, the configuration is only checked. Takes over the reference
 * to the context, and *config with what it points to. 0: *error, a limit is reached or
 * the name is taken; nothing was taken over. */
int64_t contexts_add(struct loop *loop, const struct context_spec *spec,
                     struct tls_context *context, struct tls_config *config,
                     struct error *error);

/* What `reference` names, for this caller. NULL: *error is no-such-context or
 * permission-denied. The caller gets a reference. */
struct tls_published *contexts_find(const struct value_reference *reference,
                                    const struct caller *caller, struct error *error);
/* Several of a server for one listener: `value` has a list of references, the error is
 * for `parameter`. NULL: *error. */
struct tls_offer *contexts_offer(const struct value *value, const struct caller *caller,
                                 const char *parameter, struct error *error);
/* As contexts_find(), to be told; context_view_fini() ends it. */
bool contexts_view(const struct value_reference *reference, const struct caller *caller,
                   struct context_view *view, struct error *error);
/* All that the caller may see with a handle above `after`, one at a time. */
bool contexts_next(int64_t after, const struct caller *caller, struct context_view *view);

/* The caller may change it. What it was made of is copied into *config for the caller to
 * change; `version` is for contexts_replace(). */
bool contexts_edit(const struct value_reference *reference, const struct caller *caller,
                   int64_t *handle, unsigned *version, struct tls_config *config,
                   struct error *error);
/* As contexts_add(). False: *error, it was closed or changed meanwhile. */
bool contexts_replace(int64_t handle, unsigned version, struct tls_context *context,
                      struct tls_config *config, struct error *error);
/* The same for the one of the configuration that has this name, whatever happened to it
 * meanwhile. False: it was closed. */
bool contexts_renew(const char *name, struct tls_context *context,
                    struct tls_config *config);

bool contexts_close(const struct value_reference *reference, const struct caller *caller,
                    struct error *error);
/* Those of a control connection that has ended. */
void contexts_close_client(int64_t client);
/* Wipes what has grown too old in them; from time to time. */
void contexts_maintain(void);
/* All of them; when no thread runs any more. */
void contexts_fini(void);

#endif
