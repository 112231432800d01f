/* SPDX-License-Identifier: MIT */
/*
 * reference.h - the smallest server that could do the control socket's work with jansson:
 * one epoll thread that parses a line, looks at two members, builds an answer and dumps
 * it. What sockd costs is told as a ratio to it, in the same run.
 */
#ifndef SOCKD_TESTS_BENCH_REFERENCE_H
#define SOCKD_TESTS_BENCH_REFERENCE_H

/* Serves until SIGTERM ends the process. */
_Noreturn void reference_serve(const char *path);

#endif
