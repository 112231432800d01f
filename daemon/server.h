/* SPDX-License-Identifier: MIT */
/*
 * server.h - the daemon as a whole: start, run, stop.
 *
 * Thread: main.
 */
#ifndef SOCKD_SERVER_H
#define SOCKD_SERVER_H

struct config;

/* Runs the daemon with this configuration until it is asked to stop. Returns the exit
 * status of the program: 0, or 1 when it could not start. */
int server_run(const struct config *config);

#endif
