/* SPDX-License-Identifier: MIT */
/*
 * verb_help.c - help: explains sockctl or one command.
 */
#include <config.h>
#include "client/verbs.h"

#include <stdio.h>
#include <string.h>

#include "client/args.h"
#include "client/help.h"
#include "client/problem.h"
#include "client/remote.h"
#include "client/run.h"

static int run_help(struct context *context, struct args *args, struct problem *problem)
{
    const char *name = json_string_value(json_object_get(args->params, "command"));
    const struct command *command = name ? table_find(name, strlen(name)) : NULL;
    const struct verb *verb = name ? verbs_find(name) : NULL;
    struct remote remote = {0};

    if (!name) {
        help_overview(stdout);
    } else if (command) {
        help_command(stdout, command, NULL);
    } else if (verb) {
        const struct command *borrowed[ARGS_BORROWED];

        verbs_borrow(verb, borrowed);
        help_command(stdout, &verb->command, borrowed);
    } else {
        struct session *session = run_session(context, problem);

        if (session && remote_find(&remote, session, name, problem))
            help_command(stdout, &remote.command, NULL);
        remote_fini(&remote);
    }
    return problem->status;
}

static const struct param_row rows[] = {
    VERB_WORD("command", VALUE_STRING, false,
              "the command to explain. Absent: sockctl itself"),
};

const struct verb verb_help = {
    .command =
        {.name = "help",
         .summary = "explain sockctl or one command",
         .text = "Commands that this sockctl does not know are explained by the daemon.",
         VERB_ROWS(rows)},
    .run = run_help,
};
