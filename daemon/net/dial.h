/* SPDX-License-Identifier: MIT */
/*
 * dial.h - connects a sock to a place: looks its names up, then tries its addresses.
 *
 * What make-socket does for a client, for connections that the daemon makes by itself:
 * the plan is made once and used for many.
 *
 * Thread: the sock's home. A plan is constant and may be shared by all.
 */
#ifndef SOCKD_NET_DIAL_H
#define SOCKD_NET_DIAL_H

#include <stdbool.h>
#include <stdint.h>
#include "daemon/net/ends.h"
#include "daemon/net/filename.h"
#include "daemon/net/options.h"
#include "proto/error.h"
#include "proto/value.h"

struct dial;
struct sock;

/* Where to. Texts belong to whoever made it. */
struct dial_plan {
    const char *path; /* file family; NULL: internet */
    struct end remote, local;
    bool has_scope;
    uint32_t scope_id;
    struct option_setting settings[OPTION_COUNT];
    unsigned n_settings;
    struct value_text md5_key; /* text NULL: none */
    double timeout;            /* seconds for all of it; negative: none */
    struct identity who;
};

/* "host:port", "[address]:port" or the path, cut to fit. For people. */
enum { DIAL_TEXT_SIZE = 300 };
void dial_plan_text(const struct dial_plan *plan, char text[DIAL_TEXT_SIZE]);

/* `error` NULL: the sock has its descriptor, its remote address and its family, and is
 * for the caller to open. Otherwise it is as it was. The dial is gone. */
typedef void dial_done(void *arg, const struct error *error);

/* Connects a sock in state CONNECTING; `plan` lives until `done`, which may run before
 * this returns. *place is the dial as long as there is one, then NULL. */
void dial_start(struct dial **place, struct sock *sock, const struct dial_plan *plan,
                dial_done *done, void *arg);
/* Ends it without `done`. Before the sock is freed. NULL is fine. */
void dial_stop(struct dial *dial);

#endif
