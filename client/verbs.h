/* SPDX-License-Identifier: MIT */
/*
 * verbs.h - the everyday commands on top of those of the daemon, as rows like theirs.
 *
 * args.c, help.c and complete.c treat a verb as a command of the table. A name of the
 * table always wins, so a verb hides none.
 */
#ifndef SOCKD_CLIENT_VERBS_H
#define SOCKD_CLIENT_VERBS_H

#include <stddef.h>
#include "client/args.h"
#include "proto/table.h"

struct context;
struct problem;

struct verb {
    struct command command;             /* name, summary, text, words and options */
    const char *borrows[ARGS_BORROWED]; /* commands of the table whose options it takes */
    const char *letters; /* short forms of its options, "k:keep,e:exec"; NULL: none */
    /* Does it. Returns the exit status; with *problem set that is its status. */
    int (*run)(struct context *context, struct args *args, struct problem *problem);
};

/* One in each verb_*.c. */
extern const struct verb verb_help, verb_list, verb_show, verb_clients, verb_connect,
    verb_serve, verb_tunnel, verb_call, verb_shell, verb_cert;

/* Verb number `index`; NULL past the last one. */
const struct verb *verbs_at(size_t index);
/* The commands that it borrows from; NULL where there is none. `verb` may be NULL. */
void verbs_borrow(const struct verb *verb, const struct command *borrowed[ARGS_BORROWED]);
/* NULL: none has this name, or a command of the table has it. */
const struct verb *verbs_find(const char *name);

/* Macros for the rows of verbs. */
#define VERB_WORD(NAME, TYPE, REQUIRED, HELP)                                            \
    {                                                                                    \
        .name = NAME, .type = TYPE, .required = REQUIRED, .is_word = true, .help = HELP  \
    }
#define VERB_OPTION(NAME, TYPE, SPEC, PRESET, HELP)                                      \
    {                                                                                    \
        .name = NAME, .type = TYPE, .spec = SPEC, .preset = PRESET, .help = HELP         \
    }
#define VERB_ROWS(ROWS) .params = (ROWS), .n_params = sizeof(ROWS) / sizeof((ROWS)[0])

#endif
