/* SPDX-License-Identifier: MIT */
/*
 * table.h - the one table of commands, as constant data.
 *
 * commands.def is expanded here into identifiers and in table.c into arrays. Dispatch,
 * checks, command-line flags, help, manual and introspection all read these arrays;
 * nothing else lists the commands.
 *
 * Names: COMMAND_MAKE_SOCKET, PARAM_MAKE_SOCKET_REMOTE_HOST, RESULT_WRITE_SIZE, and for
 * the members of objects in results FIELD_DESCRIPTION_REMOTE_HOST: always the wire name
 * in capitals.
 */
#ifndef SOCKD_PROTO_TABLE_H
#define SOCKD_PROTO_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include "proto/value.h"

enum command_id {
#define COMMAND(ID, SUFFIX, NAME, THREAD, ACCESS, FLAGS, SINCE, SUMMARY, TEXT)           \
    COMMAND_##ID,
#include "proto/commands.def"
    COMMAND_COUNT
};

/* All parameters of all commands; those of one command stand together, in the order of
 * rows. */
enum param_id {
#define PARAM(COMMAND, ID, NAME, TYPE, NEED, MIN, MAX, DEFAULT, SPEC, PLACE, HELP)       \
    PARAM_##COMMAND##_##ID,
#include "proto/commands.def"
    PARAM_COUNT
};

/* Members of results and of the objects in them. */
enum result_id {
#define RESULT(COMMAND, ID, NAME, TYPE, SPEC, HELP) RESULT_##COMMAND##_##ID,
#define FIELD(OBJECT, ID, NAME, TYPE, SPEC, HELP) FIELD_##OBJECT##_##ID,
#include "proto/commands.def"
    RESULT_COUNT
};

enum object_id {
#define OBJECT(ID, NAME, HELP) OBJECT_##ID,
#include "proto/commands.def"
    OBJECT_COUNT
};

/* On which thread a command's handler runs. */
enum command_thread {
    THREAD_HOME,     /* the worker of the control connection */
    THREAD_OWNER,    /* the worker of the handle parameter `socket` */
    THREAD_ALL,      /* the handler starts on HOME and asks all workers */
    THREAD_MAIN,     /* the main thread */
    THREAD_RESOLVER, /* the thread that asks name servers */
};

/* Who may call it. */
enum command_access {
    ACCESS_QUERY, /* everybody; touches no socket of another user */
    ACCESS_OWN,   /* everybody, on sockets of their own user; administrators on all */
    ACCESS_ANY, /* everybody; shows or touches of other users' objects what the caller may
                   see */
    ACCESS_ADMIN, /* root and the administrators' group */
};

enum command_flags {
    COMMAND_WAITS = 1,      /* may wait: takes a timeout, can be cancelled */
    COMMAND_STREAMS = 2,    /* the connection becomes a raw stream after the reply */
    COMMAND_IDEMPOTENT = 4, /* asking twice does no more than asking once */
    COMMAND_PURE = 8, /* a function of its parameters: the library answers it by itself */
    COMMAND_NULLABLE = 16, /* the whole result may be null */
    COMMAND_PIECES =
        32, /* its data may as well be given in pieces, by several calls in turn */
};

struct param_row {
    enum param_id id;
    const char *name; /* on the wire */
    enum value_type type;
    bool required;
    double min, max; /* of the number, or of the size in bytes or members; both 0: any */
    const char *preset; /* the default as JSON text; NULL: none, absent is told apart */
    const char *spec;   /* VALUE_ENUM: "stream|datagram"; VALUE_HANDLE: kind of object;
                           VALUE_OBJECT(S): name of the command whose parameters it takes */
    bool is_word;       /* on the command line a word (true) or a --option */
    const char *help;
};

struct result_row {
    const char *name;
    enum value_type type;
    const char
        *spec; /* VALUE_OBJECT(S): name of the OBJECT; VALUE_INCLUDE: members of it here;
                  VALUE_JSON: "address" when its integers are IPv4 addresses */
    const char *help;
};

struct object_row {
    const char *name;
    const char *help;
    const struct result_row *fields;
    unsigned n_fields;
};

struct command {
    enum command_id id;
    const char *name;
    enum command_thread thread;
    enum command_access access;
    unsigned flags;      /* enum command_flags */
    const char *since;   /* version that brought it */
    const char *summary; /* one line */
    const char *text;    /* paragraphs for the manual */
    const struct param_row *params;
    unsigned n_params;
    const struct result_row *results;
    unsigned n_results;
};

/* Completes the arrays (parses presets); calls arena_setup(). Before any other function
 * of this header but table_result_key(); again, from any thread: no-op. */
void table_setup(void);

const struct command *table_command(enum command_id id);
const struct command *table_find(const char *name, size_t size); /* NULL: unknown */
const struct object_row *table_object(const char *name);         /* NULL: unknown */
const struct param_row *table_param(enum param_id id);
const struct result_row *table_result(enum result_id id);
const struct object_row *table_object_row(enum object_id id);
/* The parsed default of a parameter; its `present` is false when there is none. */
const struct value *table_preset(enum param_id id);
/* `"name":` with quotes and colon, ready to be written, and its size. */
const char *table_result_key(enum result_id id, size_t *size);
/* Looks a parameter of a command up by wire name; NULL: unknown. */
const struct param_row *table_command_param(const struct command *command,
                                            const char *name, size_t size);

#endif
