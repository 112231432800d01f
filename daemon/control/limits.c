/* SPDX-License-Identifier: MIT */
/* limits.c - keeps the limits that the server took from the configuration. */
#include <config.h>
#include "daemon/control/limits.h"

static struct control_limits limits_in_force;

const struct control_limits *control_limits(void) { return &limits_in_force; }

void control_set_limits(const struct control_limits *limits)
{
    limits_in_force = *limits;
}
