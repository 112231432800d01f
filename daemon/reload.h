/* SPDX-License-Identifier: MIT */
/*
 * reload.h - the files that the sections [context NAME] of the configuration name are
 * read again, and the contexts are replaced while their streams go on.
 *
 * Thread: main.
 */
#ifndef SOCKD_RELOAD_H
#define SOCKD_RELOAD_H

struct config;
struct loop;

/* Reads in job threads. A context whose files are not good stays as it is, which is
 * logged. `done` runs later in `loop`, which is the running one, when all are through; an
 * order that comes before that is carried out after it, and both are done then. */
void reload_start(const struct config *config, struct loop *loop, void (*done)(void));

#endif
