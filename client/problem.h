/* SPDX-License-Identifier: MIT */
/*
 * problem.h - what went wrong, as one line for people, one JSON text for programs, one
 * exit status.
 *
 * Whoever detects a problem sets it; main.c and the shell report it. The exit statuses
 * are part of the interface and stand in sockctl.1.
 */
#ifndef SOCKD_CLIENT_PROBLEM_H
#define SOCKD_CLIENT_PROBLEM_H

#include <jansson.h>
#include <stdbool.h>

enum exit_status {
    STATUS_OK = 0,
    STATUS_USAGE = 1,  /* the command line, or a parameter that the daemon refuses */
    STATUS_SYSTEM = 2, /* no daemon, connection lost, trouble with a file of this side */
    STATUS_PROTOCOL = 3, /* faults of the protocol or of the daemon itself */
    STATUS_END = 4,      /* no error: nothing more to read, the stream has ended */
    STATUS_ERROR = 10,   /* and one more for each code below -32000: -32003 is 13 */
};

/* Owner: whoever embeds it; all zero is none. */
struct problem {
    int status;
    char *line;   /* without the name of the program and without line feed */
    json_t *json; /* the error object of the reply; NULL: made from the line */
};

/* The setters replace what was there and return false, so that a caller can end in them.
 */
bool problem_usage(struct problem *problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A problem of this side; `errnum` 0: none. */
bool problem_system(struct problem *problem, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The error object of a reply; takes ownership. `method` may be NULL. */
bool problem_reply(struct problem *problem, const char *method, json_t *error);

/* Puts text before the line. */
void problem_prefix(struct problem *problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The exit status of a JSON-RPC code. */
int problem_status(json_int_t code);

/* The error object, made from the line if there is none. New reference. */
json_t *problem_object(const struct problem *problem);

/* Writes "sockctl: LINE" to standard error and, with `as_json`, {"error": OBJECT} to
 * standard output. Returns the status. */
int problem_report(const struct problem *problem, bool as_json);

void problem_fini(struct problem *problem);

#endif
