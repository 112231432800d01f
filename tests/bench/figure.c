/* SPDX-License-Identifier: MIT */
/* figure.c - see figure.h. */
#include <config.h>
#include "tests/bench/figure.h"
#include <stdbool.h>
#include <stdio.h>

static void tell(const char *what, double value, const char *unit, const char *kind,
                 double target, bool is_met)
{
    printf("  %-52s %9.2f %-6s", what, value, unit);
    if (target > 0) {
        printf(" %s %7.2f  %s", kind, target, is_met ? "met" : "MISSED");
    }
    printf("\n");
    fflush(stdout);
}

void figure_tell(const char *what, double value, const char *unit, double limit)
{
    tell(what, value, unit, "limit", limit, value <= limit);
}

void figure_tell_least(const char *what, double value, const char *unit, double least)
{
    tell(what, value, unit, "least", least, value >= least);
}
