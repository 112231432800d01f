/* SPDX-License-Identifier: MIT */
/*
 * make_plan.h - the parameters of make-socket, checked against each other and gathered.
 *
 * The table has checked each parameter for itself; which of them fit together depends on
 * the kind of socket that is asked for. Nothing here waits: names of hosts stay names.
 */
#ifndef SOCKD_CONTROL_MAKE_PLAN_H
#define SOCKD_CONTROL_MAKE_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include "daemon/net/filename.h"
#include "daemon/net/options.h"
#include "daemon/net/ends.h"
#include "daemon/net/sock.h"
#include "proto/error.h"
#include "proto/params.h"
#include "proto/value.h"

struct caller;

/* Text points into the parameters. */
struct make_plan {
    unsigned kind; /* one of enum option_kind */
    struct sock_spec spec;
    unsigned ipv6; /* enum value_ipv6 */
    struct end local, remote;
    bool has_scope;
    uint32_t scope_id;
    const char *local_path, *remote_path; /* NULL: none */
    int backlog;
    struct option_setting settings[OPTION_COUNT];
    unsigned n_settings;
    struct value_text md5_key; /* text NULL: none */
    double connect_timeout;
    struct identity who;
};

/* False: *error names the parameter that is missing, of no use, or does not fit. */
bool make_plan_read(struct make_plan *plan, const struct params *params,
                    const struct caller *caller, struct error *error);
/* The same for a place where only one kind of `connect` makes sense, whatever the
 * parameter says. */
bool make_plan_read_as(struct make_plan *plan, const struct params *params,
                       enum sock_connect connect, const struct caller *caller,
                       struct error *error);

#endif
