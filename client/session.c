/* SPDX-License-Identifier: MIT */
/*
 * session.c - one control connection to the daemon, through libsockd.
 *
 * Thread: the main one.
 */
#include <config.h>
#include "client/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/memory.h"
#include "client/problem.h"
#include "client/settings.h"
#include "lib/sockd.h"
#include "proto/error.h"

struct session {
    struct sockd *connection;
    bool cancels; /* session_cancel_on_interrupt() */
};

/* An answer that is waited for; filled by take_reply(). */
struct answer {
    bool is_there;
    char *text; /* NULL: `error` */
    struct sockd_error error;
};

static volatile sig_atomic_t was_interrupted;

static void add_text(json_t *data, const char *name, const char *text)
{
    if (*text)
        (void)json_object_set_new(data, name, json_string(text));
}

/* The error object as the daemon sent it, as far as the library tells. */
static bool fail(struct problem *problem, const char *method,
                 const struct sockd_error *error)
{
    if (error->status == SOCKD_E_NO_DAEMON || error->status == SOCKD_E_OUT_OF_MEMORY)
        return problem_system(problem, 0, "%s", error->message);

    json_t *data = memory_need(json_object());

    add_text(data, "identifier", error->identifier);
    if (error->errnum)
        add_text(data, "errno", error_errno_name(error->errnum));
    add_text(data, "action", error->action);
    add_text(data, "parameter", error->parameter);
    add_text(data, "wanted", error->wanted);
    if (error->socket)
        (void)json_object_set_new(data, "socket", json_integer(error->socket));
    (void)json_object_set_new(data, "retryable", json_boolean(error->retryable));
    add_text(data, "reason", error->reason);
    add_text(data, "library", error->library);
    add_text(data, "rule", error->rule);
    add_text(data, "limit", error->limit);
    if (*error->limit)
        (void)json_object_set_new(data, "value", json_integer(error->value));
    if (error->status == SOCKD_E_CERTIFICATE_VERIFY_FAILED) {
        (void)json_object_set_new(data, "depth", json_integer(error->depth));
        (void)json_object_set_new(data, "verify-code", json_integer(error->value));
    }

    enum error_id id = error_by_identifier(error->identifier);
    int code = error->code ? error->code
                           : error_row(id != ERROR_NONE ? id : ERROR_INTERNAL)->code;
    json_t *object =
        json_pack("{s:i,s:s,s:o}", "code", code, "message", error->message, "data", data);

    return problem_reply(problem, method, memory_need(object));
}

struct session *session_open(const struct settings *settings, struct problem *problem)
{
    struct sockd_connect_options options = SOCKD_CONNECT_OPTIONS_INIT;
    struct session *session = memory_new(sizeof(*session));
    struct sockd_error error;
    double timeout = settings->timeout >= 0 ? settings->timeout : SOCKD_FOREVER;

    options.path = settings->socket_path;
    options.default_timeout = timeout;
    if (sockd_connect(&options, timeout, &session->connection, &error) == SOCKD_OK)
        return session;
    (void)fail(problem, NULL, &error);
    free(session);
    return NULL;
}

void session_close(struct session *session)
{
    if (!session)
        return;
    sockd_disconnect(session->connection);
    free(session);
}

bool session_is_over(struct session *session)
{
    struct sockd_error error;

    return sockd_process(session->connection, 0, NULL, &error) == SOCKD_E_NO_DAEMON;
}

/* ---- Calls
 * -------------------------------------------------------------------------------- */

static void take_reply(struct sockd *connection, uint64_t request, const char *result,
                       const struct sockd_error *error, void *context)
{
    struct answer *answer = context;

    (void)connection;
    (void)request;
    answer->is_there = true;
    if (error)
        answer->error = *error;
    else
        answer->text = memory_need(strdup(result));
}

/* Waits for the answer; SIGINT comes during the wait only, by `mask`, and cancels the
 * request. */
static int wait_for_answer(struct session *session, uint64_t request,
                           struct answer *answer, const sigset_t *mask)
{
    int fd = sockd_fd(session->connection, &answer->error);

    if (fd < 0)
        return answer->error.status;
    while (!answer->is_there) {
        struct pollfd waited = {.fd = fd, .events = POLLIN};
        int status = sockd_process(session->connection, 0, NULL, &answer->error);

        if (status != SOCKD_OK && !answer->is_there)
            return status;
        if (answer->is_there)
            break;
        if (ppoll(&waited, 1, NULL, mask) < 0 && was_interrupted) {
            was_interrupted = 0;
            /* Whether it comes too late shows in the answer. */
            (void)sockd_cancel(session->connection, request, SOCKD_DEFAULT, NULL, NULL);
        }
    }
    return answer->text ? SOCKD_OK : answer->error.status;
}

static int call_cancellably(struct session *session, const char *method,
                            const char *params, char **text, struct sockd_error *error)
{
    struct answer answer = {0};
    sigset_t interrupt, before;
    uint64_t request;

    (void)sigemptyset(&interrupt);
    (void)sigaddset(&interrupt, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &interrupt, &before);
    was_interrupted = 0;
    int status = sockd_submit(session->connection, method, params, SOCKD_DEFAULT,
                              take_reply, &answer, &request, &answer.error);

    if (status == SOCKD_OK)
        status = wait_for_answer(session, request, &answer, &before);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    *text = answer.text;
    *error = answer.error;
    return status;
}

bool session_call(struct session *session, const char *method, const json_t *params,
                  char **text, struct problem *problem)
{
    char *sent = memory_need(json_dumps(params, JSON_COMPACT));
    struct sockd_error error = {0};
    char *received = NULL;
    int status;

    if (session->cancels) {
        status = call_cancellably(session, method, sent, &received, &error);
    } else {
        char *result = NULL;

        status =
            sockd_call(session->connection, method, sent, SOCKD_DEFAULT, &result, &error);
        if (status == SOCKD_OK)
            received = memory_need(strdup(result));
        sockd_free(result);
    }
    explicit_bzero(sent, strlen(sent)); /* it may hold a key */
    free(sent);
    if (status != SOCKD_OK)
        return fail(problem, method, &error);
    if (text)
        *text = received;
    else
        free(received);
    return true;
}

json_t *session_parse(const char *text, struct problem *problem)
{
    json_error_t error;
    json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);

    if (!json)
        (void)problem_system(problem, 0, "the daemon's answer is no JSON: %s",
                             error.text);
    return json;
}

json_t *session_call_json(struct session *session, const char *method,
                          const json_t *params, struct problem *problem)
{
    char *text = NULL;

    if (!session_call(session, method, params, &text, problem))
        return NULL;
    json_t *json = session_parse(text, problem);

    free(text);
    return json;
}

static void note_interrupt(int number)
{
    (void)number;
    was_interrupted = 1;
}

void session_cancel_on_interrupt(struct session *session)
{
    struct sigaction action = {.sa_handler = note_interrupt};

    /* Without SA_RESTART: a read of the prompt ends with EINTR, too. */
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL); /* fails for wrong arguments only */
    session->cancels = true;
}

bool session_await_input(int fd)
{
    sigset_t interrupt, before;

    (void)sigemptyset(&interrupt);
    (void)sigaddset(&interrupt, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &interrupt, &before);
    while (!was_interrupted) {
        struct pollfd waited = {.fd = fd, .events = POLLIN};

        if (ppoll(&waited, 1, NULL, &before) >= 0 || errno != EINTR)
            break;
    }
    bool has_input = !was_interrupted;

    was_interrupted = 0;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return has_input;
}

/* ---- Raw streams
 * -------------------------------------------------------------------------- */

int session_attach(struct session *session, json_int_t socket, bool is_kept,
                   struct problem *problem)
{
    struct sockd_error error;
    int fd = -1;

    if (sockd_attach(session->connection, socket,
                     is_kept ? SOCKD_DETACH_KEEP : SOCKD_DETACH_CLOSE, SOCKD_DEFAULT, &fd,
                     &error) == SOCKD_OK)
        return fd;
    (void)fail(problem, "attach", &error);
    return -1;
}

static json_t *ends_json(const struct sockd_description *description)
{
    json_t *json = memory_need(
        json_pack("{s:I,s:s*,s:s*,s:s*,s:s*}", "socket", (json_int_t)description->socket,
                  "local-host", description->local_host, "remote-host",
                  description->remote_host, "local-filename", description->local_filename,
                  "remote-filename", description->remote_filename));

    if (description->local_port != SOCKD_UNSET)
        (void)json_object_set_new(json, "local-port",
                                  json_integer(description->local_port));
    if (description->remote_port != SOCKD_UNSET)
        (void)json_object_set_new(json, "remote-port",
                                  json_integer(description->remote_port));
    return json;
}

int session_accept(struct session *session, json_int_t socket, double timeout,
                   json_t **description, struct problem *problem)
{
    struct sockd_description *described = NULL;
    struct sockd_error error;
    int fd = -1;

    if (sockd_accept_attached(session->connection, socket,
                              timeout >= 0 ? timeout : SOCKD_FOREVER, &described, &fd,
                              &error) != SOCKD_OK) {
        (void)fail(problem, "accept-connection", &error);
        return -1;
    }
    if (description)
        *description = ends_json(described);
    sockd_free(described);
    return fd;
}

/* ---- Holding
 * ------------------------------------------------------------------------------ */

static bool input_counts(void)
{
    struct stat status;

    return fstat(STDIN_FILENO, &status) == 0 &&
           (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || isatty(STDIN_FILENO));
}

/* What comes in is of no interest, only its end. */
static bool input_ended(void)
{
    char ignored[4096];
    ssize_t size = read(STDIN_FILENO, ignored, sizeof(ignored));

    return size == 0 || (size < 0 && errno != EINTR && errno != EAGAIN);
}

bool session_hold(struct session *session, struct problem *problem)
{
    struct sockd_error error = {0};
    sigset_t mask;
    bool is_over = false;
    int status = SOCKD_OK;

    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGINT);
    (void)sigaddset(&mask, SIGTERM);
    (void)sigaddset(&mask, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &mask, NULL);
    int signals = signalfd(-1, &mask, SFD_CLOEXEC);

    if (signals < 0)
        return problem_system(problem, errno, "no signals can be waited for");
    struct pollfd waited[] = {
        {.fd = sockd_fd(session->connection, &error), .events = POLLIN},
        {.fd = signals, .events = POLLIN},
        {.fd = input_counts() ? STDIN_FILENO : -1, .events = POLLIN},
    };

    while (!is_over && status == SOCKD_OK) {
        if (poll(waited, 3, -1) < 0)
            continue;
        if (waited[0].revents)
            status = sockd_process(session->connection, 0, NULL, &error);
        is_over = waited[1].revents || (waited[2].revents && input_ended());
    }
    (void)close(signals);
    return status == SOCKD_OK || fail(problem, NULL, &error);
}
