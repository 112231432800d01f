/* SPDX-License-Identifier: MIT */
/*
 * lookup_plan.h - how a caller looks names up: by the defaults of its session.
 *
 * Thread: any.
 */
#ifndef SOCKD_CONTROL_LOOKUP_PLAN_H
#define SOCKD_CONTROL_LOOKUP_PLAN_H

#include "daemon/net/resolver.h"

struct request;

/* `name` must live as long as the request. */
struct resolve_plan lookup_plan(const struct request *request, const char *name,
                                enum resolve_family family);

#endif
