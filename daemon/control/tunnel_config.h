/* SPDX-License-Identifier: MIT */
/*
 * tunnel_config.h - a section [tunnel NAME] of the configuration as the plan of a tunnel.
 *
 * Thread: any, after table_setup().
 */
#ifndef SOCKD_CONTROL_TUNNEL_CONFIG_H
#define SOCKD_CONTROL_TUNNEL_CONFIG_H

#include <stdbool.h>
#include "proto/error.h"

struct section;
struct tunnel_plan;

/* Fills *plan; it belongs to the daemon. False: *error, and *line is the line at fault;
 * there is nothing to free. */
bool tunnel_config_read(struct tunnel_plan *plan, const struct section *section,
                        int *line, struct error *error);

#endif
