/* SPDX-License-Identifier: MIT */
/*
 * instance.h - what the commands know of the running daemon as a whole.
 *
 * The server sets it before the workers start; from then on it is constant. Thread: any.
 */
#ifndef SOCKD_CONTROL_INSTANCE_H
#define SOCKD_CONTROL_INSTANCE_H

#include <stdint.h>

/* `started`: seconds since 1970. `stop` asks for the orderly end; main thread only. */
void instance_set(int64_t started, void (*stop)(void));
int64_t instance_started(void);
void instance_stop(void);

#endif
