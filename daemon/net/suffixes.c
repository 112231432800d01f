/* SPDX-License-Identifier: MIT */
/*
 * suffixes.c - search lists and who holds them.
 *
 * Used by the session, dns_config.c and dns_search.c. Thread: any.
 */
#include <config.h>
#include "daemon/net/suffixes.h"
#include <stdlib.h>
#include "daemon/base/check.h"

struct suffixes *suffixes_new(unsigned n_max)
{
    struct suffixes *suffixes =
        mem_new(sizeof *suffixes + n_max * sizeof suffixes->names[0]);

    atomic_init(&suffixes->n_holds, 1);
    return suffixes;
}

bool suffixes_add(struct suffixes *suffixes, const char *text, size_t size)
{
    struct dns_name *name = &suffixes->names[suffixes->n];

    /* The root adds nothing to a name that is tried by itself anyway. */
    if (!dns_name_parse(name, text, size) || dns_name_n_labels(name) == 0) {
        return false;
    }
    suffixes->n++;
    return true;
}

struct suffixes *suffixes_hold(struct suffixes *suffixes)
{
    if (suffixes != NULL) {
        atomic_fetch_add_explicit(&suffixes->n_holds, 1, memory_order_relaxed);
    }
    return suffixes;
}

void suffixes_release(struct suffixes *suffixes)
{
    if (suffixes != NULL &&
        atomic_fetch_sub_explicit(&suffixes->n_holds, 1, memory_order_acq_rel) == 1) {
        free(suffixes);
    }
}
