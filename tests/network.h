/* SPDX-License-Identifier: MIT */
/*
 * network.h - two networks that only the test has: near, where the daemon is started, and
 * far, with a cable between them.
 *
 *     near0 10.9.0.1/24, fe80::1  ---  far0 10.9.0.2/24, fe80::2
 *     near1 (down)                ---  far1 (down)
 *
 * Each has its loopback. Far answers what it gets for 10.10.0.0/24 with "host
 * unreachable", and for 10.11.0.0/24 with "network unreachable". The thread of the test
 * is near unless it says otherwise; sockets stay where they were made. Everything ends
 * with the test.
 *
 * Thread: the one that runs the test.
 */
#ifndef SOCKD_TESTS_NETWORK_H
#define SOCKD_TESTS_NETWORK_H

#include <stdbool.h>

/* False: they can't be made here, and the test is skipped. */
bool network_start(void);
void network_go_far(void);
void network_go_near(void);
/* Runs ip(8) with these words where the thread is; it must succeed. */
void network_ip(const char *words);
/* Writes a setting of the network where the thread is, below /proc/sys/net. */
void network_tell_kernel(const char *path, const char *value);

#endif
