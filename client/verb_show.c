/* SPDX-License-Identifier: MIT */
/*
 * verb_show.c - show: everything about some sockets.
 *
 * Run by run.c; calls describe-socket for each of them.
 */
#include <config.h>
#include "client/verbs.h"

#include <stdio.h>

#include "client/args.h"
#include "client/memory.h"
#include "client/problem.h"
#include "client/run.h"

static int run_show(struct context *context, struct args *args, struct problem *problem)
{
    const struct command *command = table_command(COMMAND_DESCRIBE_SOCKET);
    const json_t *handles = json_object_get(args->params, "handles");
    int status = STATUS_OK;
    size_t i;
    json_t *handle;

    json_array_foreach(handles, i, handle)
    {
        json_t *params = memory_need(json_pack("{s:O}", "socket", handle));

        if (i > 0 && !context->settings.is_json)
            (void)putchar('\n');
        status = run_call(context, command, params, problem);
        json_decref(params);
        if (problem->status)
            break;
    }
    return status;
}

static const struct param_row rows[] = {
    {.name = "handles",
     .type = VALUE_HANDLES,
     .required = true,
     .is_word = true,
     .spec = "socket",
     .help = "handles of the sockets, as ls shows them"},
};

const struct verb verb_show = {
    .command =
        {.name = "show",
         .summary = "tell everything about a socket",
         .text = "Shows what describe-socket answers; members that do not apply are left "
                 "out.",
         VERB_ROWS(rows)},
    .run = run_show,
};
