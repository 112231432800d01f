/* SPDX-License-Identifier: MIT */
/*
 * main.c - sockctl, the command line of sockd: one command line, its exit status.
 *
 * SIGINT, SIGTERM and SIGPIPE keep their default effect: the program ends, the daemon
 * sees the end of the connection, gives up what was under way and closes the sockets.
 */
#include <config.h>

#include <locale.h>
#include <string.h>

#include "client/complete.h"
#include "client/problem.h"
#include "client/run.h"
#include "client/session.h"
#include "client/words.h"
#include "proto/table.h"

int main(int argc, char **argv)
{
    struct context context = {0};
    struct problem problem = {0};
    struct words words = {0};

    (void)setlocale(LC_CTYPE, "");
    table_setup();
    if (argc == 3 && strcmp(argv[1], "--complete") == 0)
        return complete_line(argv[2]);
    for (int i = 1; i < argc; i++)
        words_add(&words, argv[i], strlen(argv[i]));
    settings_init(&context.settings);
    int status = run_words(&context, words.items, words.n, &problem);

    if (problem.status)
        status = problem_report(&problem, context.reports_json);
    session_close(context.session);
    json_decref(context.last);
    settings_fini(&context.settings);
    problem_fini(&problem);
    words_fini(&words);
    return status;
}
