/* SPDX-License-Identifier: MIT */
/*
 * pool.h - all workers: made, started, asked to drain, ended.
 *
 * Thread: main.
 */
#ifndef SOCKD_POOL_H
#define SOCKD_POOL_H

/* Makes `n` workers (1 to HANDLE_MAX_WORKERS), with their loops registered. */
void pool_open(unsigned n);
/* Starts their threads. 0 or negative errno; then pool_end() ends those that run. */
int pool_start(void);
/* Asks all workers to read no more requests and to write what is pending. `quiet` runs in
 * the main loop when the last of them has nothing left. */
void pool_drain(void (*quiet)(void));
/* Ends all workers at once and waits for their threads. */
void pool_end(void);
/* Frees them. After pool_end(), when nobody can post to them any more. */
void pool_close(void);

#endif
