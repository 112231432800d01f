/* SPDX-License-Identifier: MIT */
/*
 * counters.c - the names and explanations of the counters, from counters.def.
 *
 * Called by `statistics`; calls nothing. Thread: any (constant data).
 */
#include <config.h>
#include "daemon/base/counters.h"

#include "daemon/base/check.h"

static const char *const names[COUNTER_COUNT] = {
#define COUNTER(ID, NAME, HELP) NAME,
#include "daemon/base/counters.def"
};

static const char *const helps[COUNTER_COUNT] = {
#define COUNTER(ID, NAME, HELP) HELP,
#include "daemon/base/counters.def"
};

const char *counter_name(enum counter_id id)
{
    CHECK(id < COUNTER_COUNT);
    return names[id];
}

const char *counter_help(enum counter_id id)
{
    CHECK(id < COUNTER_COUNT);
    return helps[id];
}
