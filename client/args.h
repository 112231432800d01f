/* SPDX-License-Identifier: MIT */
/*
 * args.h - words of the command line to parameters, by the PARAM rows.
 *
 * Knows no command by name: rows with is_word are filled by words in their order, the
 * others by
 * --options. Called by main.c, run.c and the verbs; calls value_from_text() of proto.
 */
#ifndef SOCKD_CLIENT_ARGS_H
#define SOCKD_CLIENT_ARGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "client/words.h"
#include "proto/table.h"

struct problem;
struct settings;

/* Commands whose options another one takes, too; where they overlap the first has it. */
enum { ARGS_BORROWED = 2 };

/* Owner: whoever embeds it; set `command` (and `borrowed`) before args_parse(). */
struct args {
    const struct command *command;                 /* takes words and options */
    const struct command *borrowed[ARGS_BORROWED]; /* NULL: none */
    const char *letters; /* short forms of options, as struct verb has them; NULL */
    json_t *params;      /* of `command`: an object */
    json_t *borrowed_params[ARGS_BORROWED]; /* objects, NULL without a command */
    /* A parameter for data that standard input supplies: given as "-", or required and
     * not given. NULL: none. See args_set_data(). */
    const struct param_row *input;
    bool is_input_asked; /* it was given as "-" */
};

/*
 * The options before the command. *n_taken: how many words these were. False: *problem.
 */
bool args_settings(struct settings *settings, const struct word *words, size_t n,
                   size_t *n_taken, struct problem *problem);

/* The words behind the name of the command. Options that the command does not have are
 * looked up among the settings. With settings->wants_help nothing is checked for
 * completeness. False: *problem says what is wrong. */
bool args_parse(struct args *args, struct settings *settings, const struct word *words,
                size_t n, struct problem *problem);

/* Whether the command's own parameters that are words are those their rows name. The
 * daemon checks the commands it knows; this is for those that it does not. False:
 * *problem. */
bool args_check_words(struct args *args, struct problem *problem);

/* Supplies the bytes of `row` (args->input): as text where that is possible, else as
 * base64 when the command takes an encoding. May be called again with the next piece. */
bool args_set_data(struct args *args, const struct param_row *row, const void *bytes,
                   size_t size, struct problem *problem);

void args_fini(struct args *args);

/* Takes no value: --NAME is true and --no-NAME is false. */
bool args_is_flag(const struct param_row *row);
/* --no-NAME is false: a flag, or a switch that has this word. */
bool args_is_negatable(const struct param_row *row);
/* Takes several values; given again it adds to them. */
bool args_is_list(const struct param_row *row);

/* The row of a parameter, found by its name. Unlike table_command_param() it works for
 * commands that are not of the table, too. NULL: none. */
const struct param_row *args_row(const struct command *command, const char *name,
                                 size_t size);

/* The row that the word "--NAME...", without its dashes and its value, stands for: of the
 * command, then of the borrowed one, then a setting; *is_negated for --no-NAME. NULL:
 * none. */
const struct param_row *args_find_option(const struct args *args, const char *name,
                                         size_t size, bool *is_negated);

#endif
