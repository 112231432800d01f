/* SPDX-License-Identifier: MIT */
/*
 * lookup_plan.c - from the caller of a request to the plan of a look-up.
 *
 * Called by make-socket, send-to and the name commands. Thread: any.
 */
#include <config.h>
#include "daemon/control/lookup_plan.h"
#include "daemon/control/request.h"

struct resolve_plan lookup_plan(const struct request *request, const char *name,
                                enum resolve_family family)
{
    const struct caller *caller = request_caller(request);

    return (struct resolve_plan){
        .name = name,
        .family = family,
        .mode = caller->dns_mode,
        .suffixes = caller->suffixes,
        .uid = caller->uid,
    };
}
