/* SPDX-License-Identifier: MIT */
/*
 * placement.h - which worker a new socket goes to.
 *
 * A socket goes to the worker of the connection that asks for it, so that its operations
 * need no hop between threads, unless that worker is crowded; accepted sockets are
 * spread. The load of a worker is the number of its sockets, told by the workers in
 * relaxed atomics. Thread: any.
 */
#ifndef SOCKD_BASE_PLACEMENT_H
#define SOCKD_BASE_PLACEMENT_H

void placement_add(unsigned worker, int n); /* by the worker: it has `n` more sockets */
unsigned placement_load(unsigned worker);
unsigned
placement_near(unsigned home);   /* home, or the least loaded when home is crowded */
unsigned placement_spread(void); /* the least loaded; ties in turn */

#endif
