/* SPDX-License-Identifier: MIT */
/*
 * suffixes.h - the domains that a name without a dot is tried in: a search list.
 *
 * Constant once made, and counted, so that the session, its requests on any thread and
 * the resolver can share one.
 */
#ifndef SOCKD_NET_SUFFIXES_H
#define SOCKD_NET_SUFFIXES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include "daemon/net/dns_name.h"

enum { SUFFIXES_MAX = 16 };

/* Owner: its holders. Thread: any. */
struct suffixes {
    _Atomic unsigned n_holds;
    unsigned n;
    struct dns_name names[];
};

/* With room for `n_max` names, none in it yet. The caller holds it and may add names
 * until it is shared. */
struct suffixes *suffixes_new(unsigned n_max);
/* False: it is no domain name. There must be room. */
bool suffixes_add(struct suffixes *suffixes, const char *text, size_t size);
struct suffixes *suffixes_hold(struct suffixes *suffixes); /* NULL: NULL */
void suffixes_release(struct suffixes *suffixes);          /* NULL: no-op */

#endif
