/* SPDX-License-Identifier: MIT */
/*
 * verb_shell.c - shell: commands line by line on one control connection, for people and
 * scripts.
 *
 * Run by run.c; each line goes through run.c again. What a command answers is kept, so
 * that later lines can name its handle and its other members: $, $NAME, $NAME.MEMBER.
 */
#include <config.h>
#include "client/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/args.h"
#include "client/columns.h"
#include "client/draft.h"
#include "client/memory.h"
#include "client/problem.h"
#include "client/run.h"
#include "client/session.h"
#include "client/words.h"

static const struct param_row rows[] = {
    VERB_WORD("file", VALUE_STRING, false,
              "file with the commands. Absent, or -: standard input"),
    VERB_OPTION("keep-going", VALUE_BOOL, NULL, "false",
                "go on after a command that failed; at a prompt that is always so"),
};

/* Owner: run_shell(). */
struct shell {
    struct context context;
    FILE *input;
    json_t *variables; /* object: name to the result that it stands for */
    json_t *last;      /* the last result with a handle: $ */
    unsigned line;
    bool keeps_going;
    bool is_over; /* exit was said */
    int status;   /* of the last command that failed */
};

/* ---- Variables
 * ---------------------------------------------------------------------------- */

/* What a result is worth without a member: its handle, else its value. Borrowed; NULL:
 * none. */
static const json_t *worth(const json_t *result)
{
    const json_t *handle = run_handle_of(result);

    if (handle)
        return handle;
    return json_is_object(result) ? json_object_get(result, "value") : result;
}

static bool look_up(void *state, const char *name, const char *member, struct draft *out,
                    struct problem *problem)
{
    const struct shell *shell = state;
    const json_t *result = *name ? json_object_get(shell->variables, name) : shell->last;

    if (!result && *name)
        return problem_usage(problem, "there is no variable $%s", name);
    if (!result)
        return problem_usage(problem, "$: no command has answered a handle yet");
    const json_t *value = member ? json_object_get(result, member) : worth(result);

    if (!value || json_is_null(value))
        return problem_usage(problem, "$%s%s%s has no value", name, member ? "." : "",
                             member ? member : "");
    if (json_is_string(value)) {
        draft_add(out, json_string_value(value), json_string_length(value));
        return true;
    }
    char *text = columns_cell_text(value);

    draft_add_string(out, text);
    free(text);
    return true;
}

static bool is_name(const char *text)
{
    size_t size =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    return size > 0 && text[size] == '\0';
}

/* Keeps what the line has answered. */
static void keep_result(struct shell *shell, const char *name)
{
    json_t *result = shell->context.last;

    if (!result)
        return;
    if (name)
        (void)json_object_set(shell->variables, name, result);
    if (run_handle_of(result)) {
        json_decref(shell->last);
        shell->last = json_incref(result);
    }
}

/* ---- Lines
 * -------------------------------------------------------------------------------- */

/* print and exit, which exist within the shell only. False: it is neither. */
static bool run_builtin(struct shell *shell, const struct words *words)
{
    const char *name = words->items[0].text;

    if (strcmp(name, "exit") == 0 || strcmp(name, "quit") == 0) {
        shell->is_over = true;
        return true;
    }
    if (strcmp(name, "print") != 0)
        return false;
    for (size_t i = 1; i < words->n; i++) {
        if (i > 1)
            (void)putchar(' ');
        (void)fwrite(words->items[i].text, 1, words->items[i].size, stdout);
    }
    (void)putchar('\n'); /* flushed after the line */
    return true;
}

static int run_line_words(struct shell *shell, const struct words *words,
                          struct problem *problem)
{
    bool is_assignment = words->n >= 2 && strcmp(words->items[1].text, "=") == 0 &&
                         is_name(words->items[0].text);
    size_t skipped = is_assignment ? 2 : 0;

    if (words->n == skipped)
        return is_assignment
                   ? (problem_usage(problem, "a command is missing behind the ="),
                      problem->status)
                   : STATUS_OK;
    if (!is_assignment && run_builtin(shell, words))
        return STATUS_OK;
    json_decref(shell->context.last);
    shell->context.last = NULL;
    shell->context.is_quiet = is_assignment && !shell->context.has_prompt;
    int status =
        run_words(&shell->context, words->items + skipped, words->n - skipped, problem);

    if (!problem->status)
        keep_result(shell, is_assignment ? words->items[0].text : NULL);
    return status;
}

/* At a prompt the line is known; in a script its number helps to find it. */
static void report(struct shell *shell, struct problem *problem)
{
    if (!shell->context.has_prompt)
        problem_prefix(problem, "line %u: ", shell->line);
    shell->status = problem_report(problem, shell->context.reports_json);
    if (!shell->context.has_prompt && !shell->keeps_going)
        shell->is_over = true;
    /* The next line gets a new connection; the sockets of the old one are gone. */
    if (shell->context.session && session_is_over(shell->context.session)) {
        session_close(shell->context.session);
        shell->context.session = NULL;
    }
}

static void run_line(struct shell *shell, const char *line, size_t size)
{
    struct problem problem = {0};
    struct words words = {0};

    if (words_split(&words, line, size, look_up, shell, &problem))
        (void)run_line_words(shell, &words, &problem);
    /* A reader at the other end of a pipe waits for the answer to each line. */
    if (!problem.status)
        (void)run_flush(&problem);
    if (problem.status)
        report(shell, &problem);
    words_fini(&words);
    problem_fini(&problem);
}

static void prompt(const struct shell *shell)
{
    if (shell->context.has_prompt) {
        (void)fputs("sockctl> ", stdout);
        (void)fflush(stdout); /* a prompt that can't be shown is missed by nobody */
    }
}

/* Takes a backslash at the end off. False: there is none, or an escaped one. */
static bool take_continuation(struct draft *line)
{
    size_t size = line->size, n_backslashes = 0;

    if (size > 0 && line->data[size - 1] == '\n')
        size--;
    while (n_backslashes < size && line->data[size - 1 - n_backslashes] == '\\')
        n_backslashes++;
    if (n_backslashes % 2 == 0)
        return false;
    line->size = size - 1;
    return true;
}

/* One line, with those that continue it. False: there is none, or it was interrupted. */
static bool read_line(struct shell *shell, struct draft *line)
{
    char *part = NULL;
    size_t room = 0;
    ssize_t size;

    do {
        if (shell->context.has_prompt && !session_await_input(fileno(shell->input))) {
            size = -1;
            errno = EINTR;
            break;
        }
        errno = 0;
        size = getline(&part, &room, shell->input);
        if (size > 0) {
            draft_add(line, part, (size_t)size);
            shell->line++;
        }
    } while (size > 0 && take_continuation(line));
    free(part);
    return line->size > 0 && (size >= 0 || errno == 0);
}

static void read_lines(struct shell *shell)
{
    while (!shell->is_over) {
        struct draft line = {0};

        prompt(shell);
        bool has_line = read_line(shell, &line);
        bool is_interrupted = !has_line && errno == EINTR && shell->context.has_prompt;

        if (has_line) {
            run_line(shell, line.data, line.size);
        } else if (is_interrupted) {
            clearerr(shell->input);
            (void)putchar('\n');
        }
        draft_fini(&line);
        if (!has_line && !is_interrupted)
            break;
    }
    if (shell->context.has_prompt && !shell->is_over)
        (void)putchar('\n');
}

static int run_shell(struct context *context, struct args *args, struct problem *problem)
{
    const char *file = json_string_value(json_object_get(args->params, "file"));
    bool is_stdin = !file || strcmp(file, "-") == 0;
    struct shell shell = {
        .context = {.is_shell = true},
        .keeps_going = json_is_true(json_object_get(args->params, "keep-going")),
    };

    if (context->is_shell)
        return problem_usage(problem, "this is a shell already"), problem->status;
    shell.input = is_stdin ? stdin : fopen(file, "re");
    if (!shell.input)
        return problem_system(problem, errno, "%s", file), problem->status;
    shell.context.has_prompt = is_stdin && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    shell.context.input_is_script = is_stdin && !shell.context.has_prompt;
    settings_copy(&shell.context.settings, &context->settings);
    shell.variables = memory_need(json_object());
    /* Without a daemon there is no use in reading on. */
    if (run_session(&shell.context, problem))
        read_lines(&shell);
    if (!is_stdin)
        (void)fclose(shell.input);
    session_close(shell.context.session);
    settings_fini(&shell.context.settings);
    json_decref(shell.context.last);
    json_decref(shell.last);
    json_decref(shell.variables);
    return shell.context.has_prompt ? STATUS_OK : shell.status;
}

const struct verb verb_shell = {
    .command =
        {.name = "shell",
         .summary = "read commands from standard input or a file, all on one connection",
         .text = "Each line is a command as on the command line, without the word "
                 "sockctl. Sockets "
                 "live until the shell ends. \"NAME = COMMAND...\" keeps the answer "
                 "under a name: "
                 "$NAME is its handle, or its value, and $NAME.MEMBER any member of it. "
                 "$ is the "
                 "last answer with a handle and $.MEMBER a member of that.\n\n"
                 "Blanks separate words. '...' is taken as it is; \"...\" knows \\n \\r "
                 "\\t \\0 "
                 "\\xNN and variables; # starts a comment. print WORDS shows words, exit "
                 "ends.\n\n"
                 "A script ends at the first command that fails, with its exit status.",
         VERB_ROWS(rows)},
    .letters = "k:keep-going",
    .run = run_shell,
};
