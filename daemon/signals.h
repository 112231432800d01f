/* SPDX-License-Identifier: MIT */
/*
 * signals.h - signals as events of the main loop; the other threads never see one.
 *
 * Thread: main.
 */
#ifndef SOCKD_SIGNALS_H
#define SOCKD_SIGNALS_H

struct loop;

/* First of all: writing to a connection that is gone is an error, not a death. */
void signals_ignore_pipe(void);

/* Around the start of other threads, which inherit the blocked signals. */
void signals_block(void);
void signals_unblock(void);

/* SIGTERM and SIGINT call `stop` with their number, each time; SIGHUP calls `reload`. 0
 * or negative errno. */
int signals_start(struct loop *loop, void (*stop)(int number), void (*reload)(void));
void signals_stop(void);

#endif
