/* SPDX-License-Identifier: MIT */
/*
 * verb_serve.c - serve: listen, accept, attach, and copy standard input and output, or
 * run a command for each peer.
 *
 * Run by run.c. The listener belongs to one control connection; each peer gets a control
 * connection of its own, which becomes its byte stream.
 */
#include <config.h>
#include "client/verbs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/args.h"
#include "client/columns.h"
#include "client/memory.h"
#include "client/problem.h"
#include "client/relay.h"
#include "client/run.h"
#include "client/session.h"
#include "client/stream_verbs.h"
#include "client/tls_verbs.h"

/* The shell's convention for programs that a signal has ended. */
enum { STATUS_SIGNAL = 128, STATUS_NOT_RUN = 126 };

static const struct param_row rows[] = {
    VERB_WORD("port", VALUE_STRING, true,
              "port to listen at, 0 for any; with a / in it, the file name of a socket"),
    VERB_OPTION("keep", VALUE_BOOL, NULL, "false",
                "go on with the next peer when one has ended, until a signal comes"),
    VERB_OPTION(
        "exec", VALUE_STRING, NULL, NULL,
        "run this command by /bin/sh for each peer, with the stream as its standard "
        "input and output; with --keep for several peers at once"),
    TLS_VERB_OPTION,
    STREAM_VERB_OPTIONS,
};

/* What stays the same for all peers. Owner: run_serve(). */
struct service {
    struct context *context;
    struct session *owner; /* of the listener and, but with a command, of the peers */
    json_int_t listener;
    const char *command; /* NULL: copy standard input and output */
    bool is_kept;        /* further peers follow */
    struct relay relay;
};

/* Puts PORT, or the file name, into the parameters of make-socket. */
static void set_address(json_t *params, const json_t *words)
{
    const char *port = json_string_value(json_object_get(words, "port"));
    char *end;

    (void)json_object_set_new(params, "connect", json_string("passive"));
    if (strchr(port, '/')) {
        (void)json_object_set_new(params, "address-family", json_string("file"));
        (void)json_object_set_new(params, "local-filename", stream_verbs_file_name(port));
        return;
    }
    long number = strtol(port, &end, 10);

    (void)json_object_set_new(params, "local-port",
                              *end == '\0' && *port ? json_integer(number)
                                                    : json_string(port));
}

static void set_variable(const char *name, const json_t *description, const char *member)
{
    char *text = columns_cell_text(json_object_get(description, member));

    if (setenv(name, text, 1) < 0)
        _exit(STATUS_NOT_RUN);
    free(text);
}

static void set_child_signal(void (*handler)(int number))
{
    struct sigaction action = {.sa_handler = handler};

    (void)sigaction(SIGCHLD, &action, NULL); /* fails for wrong arguments only */
}

/* In the child: never comes back. */
static _Noreturn void run_command(const char *command, int fd, const json_t *peer)
{
    if (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
        _exit(STATUS_NOT_RUN);
    set_child_signal(SIG_DFL);
    set_variable("SOCKCTL_SOCKET", peer, "socket");
    set_variable("SOCKCTL_LOCAL_HOST", peer, "local-host");
    set_variable("SOCKCTL_LOCAL_PORT", peer, "local-port");
    set_variable("SOCKCTL_REMOTE_HOST", peer, "remote-host");
    set_variable("SOCKCTL_REMOTE_PORT", peer, "remote-port");
    (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(STATUS_NOT_RUN);
}

/* Returns the exit status of the command; with further peers to come it is not waited
 * for. */
static int start_command(const struct service *service, int fd, const json_t *peer,
                         struct problem *problem)
{
    int result = 0;
    pid_t child = fork();

    if (child == 0)
        run_command(service->command, fd, peer);
    if (child < 0)
        (void)problem_system(problem, errno, "no process for the command");
    (void)close(fd);
    if (child < 0 || service->is_kept)
        return problem->status;
    while (waitpid(child, &result, 0) < 0)
        if (errno != EINTR) {
            (void)problem_system(problem, errno, "the command could not be waited for");
            return problem->status;
        }
    return WIFEXITED(result) ? WEXITSTATUS(result) : STATUS_SIGNAL + WTERMSIG(result);
}

/* The stream is the command's alone, so the connection that accepts becomes it. */
static int serve_by_command(const struct service *service, struct problem *problem)
{
    struct session *session = run_new_session(service->context, problem);
    json_t *peer = NULL;
    int status = STATUS_OK;
    int fd =
        session ? session_accept(session, service->listener, -1, &peer, problem) : -1;

    if (fd >= 0 && service->context->settings.is_verbose)
        stream_verbs_tell("connection from", "remote", peer);
    if (fd >= 0)
        status = start_command(service, fd, peer, problem);
    json_decref(peer);
    session_close(session);
    return status;
}

static void close_peer(const struct service *service, json_int_t socket)
{
    json_t *params = memory_need(json_pack("{s:I}", "socket", socket));
    struct problem ignored = {0}; /* it may have been closed from elsewhere */

    (void)session_call(service->owner, "close", params, NULL, &ignored);
    json_decref(params);
    problem_fini(&ignored);
}

static void serve_by_copying(struct service *service, struct problem *problem)
{
    json_t *params = memory_need(json_pack("{s:I}", "socket", service->listener));
    json_t *peer =
        session_call_json(service->owner, "accept-connection", params, problem);

    json_decref(params);
    if (!peer)
        return;
    json_int_t socket = json_integer_value(json_object_get(peer, "socket"));

    if (service->context->settings.is_verbose)
        stream_verbs_tell("connection from", "remote", peer);
    if (!stream_verbs_copy(service->context, service->owner, socket, &service->relay,
                           problem) &&
        service->is_kept) {
        /* One broken stream is no reason to stop serving the others. */
        (void)problem_report(problem, false);
        problem_fini(problem);
    }
    close_peer(service, socket);
    json_decref(peer);
}

static int run_serve(struct context *context, struct args *args, struct problem *problem)
{
    struct service service = {
        .context = context,
        .command = json_string_value(json_object_get(args->params, "exec")),
        .is_kept = json_is_true(json_object_get(args->params, "keep")),
    };
    struct session *session = tls_verbs_take_options(args, false, problem)
                                  ? run_new_session(context, problem)
                                  : NULL;
    int status = STATUS_OK;

    set_address(args->borrowed_params[0], args->params);
    json_t *made =
        session && tls_verbs_listen(session, args, "ssl-context", problem)
            ? session_call_json(session, "make-socket", args->borrowed_params[0], problem)
            : NULL;

    if (made) {
        service.owner = session;
        service.listener = json_integer_value(json_object_get(made, "socket"));
        stream_verbs_init_relay(context, args->params, &service.relay);
        if (service.is_kept && service.command)
            set_child_signal(SIG_IGN); /* nobody waits for them */
        stream_verbs_tell("listening at", "local", made);
        do
            if (service.command)
                status = serve_by_command(&service, problem);
            else
                serve_by_copying(&service, problem);
        while (service.is_kept && !problem->status);
    }
    json_decref(made);
    session_close(session);
    return problem->status ? problem->status : status;
}

const struct verb verb_serve = {
    .command = {.name = "serve",
                .summary = "listen at PORT and copy standard input and output",
                .text = "Listens, takes one connection and copies as connect does it. A "
                        "line on standard "
                        "error tells the address and the handle of the listener. With "
                        "--exec the command "
                        "finds the peer in the environment: SOCKCTL_REMOTE_HOST, "
                        "SOCKCTL_REMOTE_PORT, "
                        "SOCKCTL_LOCAL_HOST, SOCKCTL_LOCAL_PORT and SOCKCTL_SOCKET.\n\n"
                        "With --tls and --certificate peers have to speak TLS; those "
                        "whose handshake fails are left out.",
                VERB_ROWS(rows)},
    .borrows = {"make-socket", "make-ssl-server-context"},
    .letters = "k:keep,e:exec",
    .run = run_serve,
};
