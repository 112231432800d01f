/* SPDX-License-Identifier: MIT */
/*
 * tunnel_plan.h - the parameters of make-tunnel as a plan of the tunnel.
 *
 * Used by make-tunnel and, for the sections of the configuration, by the server. Nothing
 * here waits. Thread: any.
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

#endif
