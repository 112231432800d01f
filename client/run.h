/* SPDX-License-Identifier: MIT */
/*
 * run.h - one command line from its words to its exit status.
 *
 * Called by main.c for the arguments of the program and by the shell for each line.
 */
#ifndef SOCKD_CLIENT_RUN_H
#define SOCKD_CLIENT_RUN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "client/settings.h"

struct args;
struct problem;
struct relay;
struct session;
struct word;

/* What a command line runs in. Owner: main.c, or the shell, which makes its own. */
struct context {
    struct settings settings; /* of the command line that runs */
    struct session *session;  /* opened at the first need */
    bool is_shell;            /* a line of many: the connection stays for the next one */
    bool has_prompt;          /* people type the lines: SIGINT cancels a call */
    bool input_is_script; /* standard input holds the lines, so no command may read it */
    bool is_quiet;        /* the result goes to a variable only */
    bool reports_json; /* set: the line that ran wanted JSON, so its problem does too */
    json_t *last;      /* the last result; the shell's variables take it */
};

/* Runs the words: options, then a command of the table, a verb, or a command that the
 * daemon knows. Returns the exit status; with *problem set that is its status, and the
 * caller reports it. */
int run_words(struct context *context, const struct word *words, size_t n,
              struct problem *problem);

/* The connection of the context, opened if need be. NULL: *problem. */
struct session *run_session(struct context *context, struct problem *problem);
/* A connection of its own, for a raw stream. The caller closes it. NULL: *problem. */
struct session *run_new_session(struct context *context, struct problem *problem);

/* Calls, and prints the result by the rows of the command. Returns the exit status. */
int run_call(struct context *context, const struct command *command, const json_t *params,
             struct problem *problem);
/* The handle in a result: its first member that is named as a kind of handle is.
 * Borrowed; NULL: none. */
const json_t *run_handle_of(const json_t *result);
/* Prints the JSON text of a result; false: standard output can't be written. */
bool run_print_json(const char *text, struct problem *problem);
/* Prints what was written to standard output so far; false: it can't be written. */
bool run_flush(struct problem *problem);

/* The standard input as a whole. For the caller to free(); NULL: *problem. */
char *run_read_input(struct context *context, size_t *size, struct problem *problem);

/* A relay of standard input and output, as the settings of the terminal suggest. */
void run_init_relay(const struct context *context, struct relay *relay);

#endif
