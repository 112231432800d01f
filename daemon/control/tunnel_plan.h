/* SPDX-License-Identifier: MIT */
/*
 * tunnel_plan.h - the parameters of make-tunnel as a plan of the tunnel.
 *
 * Used by make-tunnel and, for the sections of the configuration, by the server. Nothing
 * here waits, unless said otherwise. Thread: any.
 */
#ifndef SOCKD_CONTROL_TUNNEL_PLAN_H
#define SOCKD_CONTROL_TUNNEL_PLAN_H

#include <stdbool.h>
#include "proto/error.h"
#include "proto/params.h"

struct caller;
struct tunnel_plan;

/* Fills *plan, whose texts are copies. False: *error names the parameter, with the end
 * that it belongs to in front ("listen.local-port"); there is nothing to free. */
bool tunnel_plan_read(struct tunnel_plan *plan, const struct params *params,
                      const struct caller *caller, struct error *error);

/* Are there names of users and groups in the plan, to be looked up before it is used? */
bool tunnel_plan_has_names(const struct tunnel_plan *plan);
/* Looks them up, which may block. False: *error names the parameter. */
bool tunnel_plan_find_names(struct tunnel_plan *plan, struct error *error);

#endif
