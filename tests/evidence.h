/* SPDX-License-Identifier: MIT */
/*
 * evidence.h - what a daemon under test leaves in its directory: log and sanitizer
 * reports.
 *
 * Place: harness.c names the files and calls this to judge and to show them. Thread: that
 * of the test.
 */
#ifndef SOCKD_TESTS_EVIDENCE_H
#define SOCKD_TESTS_EVIDENCE_H

#include <stdbool.h>

/* Names within the directory; reports have a process number behind theirs. */
#define EVIDENCE_LOG "log"
#define EVIDENCE_REPORT "report"

/* The whole file as text, to be freed; NULL when it cannot be opened. */
char *evidence_read_file(const char *path);

/* A line of the level "error", or of a failed check, fails the running test. */
void evidence_check_log(const char *path);

/* Whether a sanitizer, or valgrind, reported anything. */
bool evidence_has_reports(const char *directory);

/* Shows the log and all reports as notes, and says where they are. */
void evidence_show(const char *directory);

/* Removes the directory with everything in it. */
void evidence_remove(const char *directory);

#endif
