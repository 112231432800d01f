/* SPDX-License-Identifier: MIT */
/*
 * session.h - one control connection to the daemon, through libsockd.
 *
 * Together with files.c all of client/ that calls the library. Called by run.c, remote.c
 * and the verbs.
 */
#ifndef SOCKD_CLIENT_SESSION_H
#define SOCKD_CLIENT_SESSION_H

#include <jansson.h>
#include <stdbool.h>

struct problem;
struct settings;
struct session;

/* Connects within the time-out of the settings. NULL: *problem says why not. */
struct session *session_open(const struct settings *settings, struct problem *problem);
/* Ends the connection; the daemon then closes its sockets. NULL: no-op. */
void session_close(struct session *session);

/* The daemon has gone, or has ended the connection. */
bool session_is_over(struct session *session);

/* Calls a method and waits for the answer. *text (may be NULL) is the JSON text of the
 * result as it came, for the caller to free(). False: *problem. */
bool session_call(struct session *session, const char *method, const json_t *params,
                  char **text, struct problem *problem);
/* The same, parsed. New reference; NULL: *problem. */
json_t *session_call_json(struct session *session, const char *method,
                          const json_t *params, struct problem *problem);
/* The JSON text of a result, parsed. New reference; NULL: *problem. */
json_t *session_parse(const char *text, struct problem *problem);

/* From now on SIGINT cancels the call that waits, and no longer ends the program: for
 * people at a prompt. */
void session_cancel_on_interrupt(struct session *session);

/* Waits until a read of `fd` would not wait. False: SIGINT came instead; it is not lost
 * when it comes just before the wait. After session_cancel_on_interrupt() only. */
bool session_await_input(int fd);

/* The connection becomes the raw stream of a socket: attach. It is used up; only
 * session_close() is left. -1: *problem. The caller closes the descriptor. */
int session_attach(struct session *session, json_int_t socket, bool is_kept,
                   struct problem *problem);
/* The same for the next connection that arrives at a listener. *description (may be NULL)
 * gets the members of its description that name its ends; new reference. `timeout`:
 * seconds to wait for it; negative: no limit. */
int session_accept(struct session *session, json_int_t socket, double timeout,
                   json_t **description, struct problem *problem);

/* Waits until standard input ends, SIGINT, SIGTERM or SIGHUP comes, or the connection is
 * over. Standard input counts when it is a terminal, a pipe or a socket: a program in the
 * background has /dev/null there. False: the daemon has gone; *problem. */
bool session_hold(struct session *session, struct problem *problem);

#endif
