/* SPDX-License-Identifier: MIT */
/* instance.c - the facts that the server leaves for the commands. */
#include <config.h>
#include "daemon/control/instance.h"
#include <stddef.h>
#include "daemon/base/check.h"

static int64_t start_time;
static void (*stop_server)(void);

void instance_set(int64_t started, void (*stop)(void))
{
    start_time = started;
    stop_server = stop;
}

int64_t instance_started(void) { return start_time; }

void instance_stop(void)
{
    CHECK(stop_server != NULL);
    stop_server();
}
