/* SPDX-License-Identifier: MIT */
/*
 * lines.h - a control connection as bare lines of text, for tests of the protocol itself:
 * what is no request, what a batch looks like, who says what in which order.
 *
 * Every wait has a deadline, every failure fails the test for good. All is closed after
 * the test. Thread: the one that runs the test.
 */
#ifndef SOCKD_TESTS_LINES_H
#define SOCKD_TESTS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct harness;
/* Owner: lines.c; ends with the test. */
struct lines;

struct lines *lines_open(const struct harness *harness);
int lines_descriptor(const struct lines *lines);
/* No more of it; the descriptor is closed. */
void lines_close(struct lines *lines);

/* Sends a text and a line feed. */
void lines_say(struct lines *lines, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Sends as much as goes without waiting; what went. */
size_t lines_push(struct lines *lines, const char *bytes, size_t size);

/* The next line, without its line feed; valid until the next call. NULL: the end. */
const char *lines_hear(struct lines *lines);
/* The next line is exactly this, or has this in it. */
void lines_expect(struct lines *lines, const char *text);
void lines_expect_part(struct lines *lines, const char *part);
/* The connection ends here, orderly or by a reset. */
void lines_expect_end(struct lines *lines);
/* The daemon has done everything that was said before: a round trip. */
void lines_settle(struct lines *lines);

#endif
