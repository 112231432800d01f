/* SPDX-License-Identifier: MIT */
/*
 * error.h - the error of a request, as a value.
 *
 * The rows of errors.def name every error that can stand in a reply. A struct error is
 * set once, where the failure is detected, and passed up untouched; message.c turns it
 * into JSON.
 */
#ifndef SOCKD_PROTO_ERROR_H
#define SOCKD_PROTO_ERROR_H

#include <stdbool.h>
#include <stdint.h>

enum error_id {
    ERROR_NONE, /* no error */
#define ERROR(ID, IDENTIFIER, CODE, RETRYABLE, TEXT) ERROR_##ID,
#include "proto/errors.def"
    ERROR_COUNT
};

struct error_row {
    const char *identifier; /* kebab-case name in data.identifier */
    int code;               /* JSON-RPC code by kind */
    bool retryable;
    const char *text; /* for the manual */
};

/* Text members are "" and numbers 0 where they do not apply. Fixed size: lives on stacks.
 */
struct error {
    enum error_id id;
    int errnum;     /* errno value, 0: none */
    int64_t socket; /* handle, 0: none */
    int64_t number; /* ERROR_LIMIT_REACHED: value of the limit; certificate: verify code;
                       ssl-error: alert of the peer */
    int depth;      /* certificate-verify-failed */
    bool is_final;  /* the same request never succeeds, whatever the row says */
    const char *action; /* static: what was attempted, "connect" */
    char parameter[64]; /* name of the parameter at fault, with its path:
                           "listen.local-port" */
    char wanted[128];   /* what that parameter takes */
    char subject[64];  /* limit-reached: name of the limit; permission-denied: the rule */
    char reason[128];  /* interrupted: the caller's reason; ssl-error: OpenSSL's reason */
    char library[32];  /* ssl-error: OpenSSL's library */
    char message[200]; /* sentence for people */
};

const struct error_row *error_row(enum error_id id);

/* ERROR_NONE when no row has this identifier. */
enum error_id error_by_identifier(const char *identifier);

/* The documented identifier of an errno value on Linux; ERROR_UNKNOWN for the others. */
enum error_id error_id_of_errno(int errnum);

/* "ECONNREFUSED", or "" when the number has no name. */
const char *error_errno_name(int errnum);

/* The reverse of error_errno_name(); 0 for "", a number as it is, and -1 for an unknown
 * name. */
int error_errno_by_name(const char *name);

/* A lasting copy of an action that came from elsewhere; "" for one too many or too long.
 */
const char *error_action(const char *action);

/* The setters clear *error first. `action` is kept as a pointer. All return false, so
 * that a caller can end in `return error_...`. */
bool error_set(struct error *error, enum error_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool error_set_errno(struct error *error, int errnum, const char *action);
bool error_set_parameter(struct error *error, const char *parameter, const char *wanted);
/* Puts `prefix` before the name of the parameter at fault, when there is one. */
bool error_prefix_parameter(struct error *error, const char *prefix);
bool error_set_limit(struct error *error, const char *limit, int64_t value);
/* Names the parameter at fault, and changes nothing else. */
bool error_set_blame(struct error *error, const char *parameter);
/* Says that waiting does not mend it, though it may mend others of this identifier. */
bool error_set_final(struct error *error);
/* Replaces the sentence for people, and nothing else. */
bool error_set_message(struct error *error, const char *message);

#endif
