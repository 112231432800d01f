/* SPDX-License-Identifier: MIT */
/*
 * resolver_thread.h - the thread that asks name servers, with a loop of its own.
 *
 * Owner: the server. Thread: main.
 */
#ifndef SOCKD_RESOLVER_THREAD_H
#define SOCKD_RESOLVER_THREAD_H

struct dns_plan;

/* The loop, registered, and its desk; `plan` is copied. Before any thread runs. */
void resolver_thread_open(const struct dns_plan *plan);
/* 0 or negative errno. */
int resolver_thread_start(void);
/* Ends the thread and what waits there. When the workers have ended. No-op when it was
 * not started. */
void resolver_thread_end(void);
/* Frees the loop. No-op when there is none. */
void resolver_thread_close(void);

#endif
