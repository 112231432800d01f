/* SPDX-License-Identifier: MIT */
/*
 * help.h - usage and help, from the rows of the table and of the verbs.
 *
 * Knows no command by name.
 */
#ifndef SOCKD_CLIENT_HELP_H
#define SOCKD_CLIENT_HELP_H

#include <stdio.h>
#include "proto/table.h"

/* What sockctl is, its options, its verbs and all commands with their summaries. */
void help_overview(FILE *out);

/* One command or verb: usage, text, words, options, results. `borrowed`: the command
 * whose options it takes too; NULL: none. */
void help_command(FILE *out, const struct command *command,
                  const struct command *const *borrowed);

/* "sockctl write [OPTIONS] SOCKET DATA". For the caller to free(). */
char *help_usage(const struct command *command);

/* Writes `text` wrapped, each line behind `indent` blanks; an empty line separates
 * paragraphs. */
void help_wrapped(FILE *out, const char *text, int indent);

#endif
