/* SPDX-License-Identifier: MIT */
/*
 * program.h - programs of others as peers of the daemon: openssl, gnutls-cli, curl,
 * nginx.
 *
 * A program runs with pipes: the test says what it reads, and collects what it prints, on
 * both of its outputs. What a test waits for is a condition (a text, a port that listens,
 * the end), never a time. Programs that still run after the test are killed, each by its
 * number; they die with the test, too, should that end unforeseen.
 *
 * Every failure fails the test for good and shows what the program has printed.
 *
 * Thread: the one that runs the test.
 */
#ifndef SOCKD_TESTS_PROGRAM_H
#define SOCKD_TESTS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

/* Owner: program.c; ends with the test. */
struct program;

/* The path of a program in the usual places; NULL: not installed, and the running test is
 * marked as skipped. The text lives until the next call. */
const char *program_find(const char *name);

/* `words` are the name and the arguments, ended by NULL; the name is looked for as above
 * and must be there. */
struct program *program_start(const char *const words[]);
/* The same with one line in which blanks part the words; there are no quotes. */
struct program *program_run(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

void program_say(struct program *program, const char *text);
/* The end of what it reads. */
void program_end_input(struct program *program);

/* What it has printed so far, without waiting; each NUL as a blank. */
const char *program_output(struct program *program);
/* Waits until it has printed this (also before). */
void program_await(struct program *program, const char *text);
/* The same for a text that comes several times. */
void program_await_times(struct program *program, const char *text, unsigned n);
/* The IPv4 port that it listens on, when that is so. */
int program_port(struct program *program);
/* Waits for its end; the status of its exit, or 128 and the signal. */
int program_status(struct program *program);
/* SIGTERM, and waits. */
void program_stop(struct program *program);

#endif
