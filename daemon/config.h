/* SPDX-License-Identifier: MIT */
/*
 * config.h - the options of the daemon: defaults, configuration file, command line.
 *
 * The command line wins over the file, the file over the defaults. config.def has the
 * table. Thread: main, before the others start; constant afterwards.
 */
#ifndef SOCKD_CONFIG_H
#define SOCKD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_id {
#define OPTION(ID, NAME, TYPE, MIN, MAX, DEFAULT, UNIT, TEXT) CONFIG_##ID,
#include "daemon/config.def"
    CONFIG_COUNT
};

enum config_type {
    CONFIG_TYPE_NUMBER,
    CONFIG_TYPE_SIZE,
    CONFIG_TYPE_SECONDS,
    CONFIG_TYPE_MODE,
    CONFIG_TYPE_LEVEL,
    CONFIG_TYPE_TEXT,
};

struct config_row {
    const char *name;
    enum config_type type;
    double min, max;
    const char *preset; /* "": found by the daemon itself */
    const char *unit, *text;
};

enum config_source { CONFIG_BY_DEFAULT, CONFIG_BY_FILE, CONFIG_BY_ARGUMENT };

struct config_value {
    enum config_source source;
    int64_t number; /* NUMBER, SIZE, MODE, LEVEL */
    double seconds;
    char *text; /* TEXT; NULL: none */
};

/* What else the command line asks for. */
enum config_action {
    CONFIG_RUN,
    CONFIG_CHECK,   /* --check-config: say whether it is good, and end */
    CONFIG_VERSION, /* --version */
    CONFIG_HELP,    /* --help */
};

struct section;

/* Owner: the caller. */
struct config {
    struct config_value values[CONFIG_COUNT];
    struct section *sections; /* those that name an object, in the order of the file */
    enum config_action action;
    char *file; /* that was read; NULL: none */
};

/* Long enough for every sentence that is made here. */
enum { CONFIG_WHY_SIZE = 512 };

const struct config_row *config_row(enum config_id id);
const struct config_row *config_find(const char *name, enum config_id *id);
/* "a number of bytes from 1024 to 67108864, such as 64K" */
void config_describe(const struct config_row *row, char *text, size_t size);

/* The defaults. */
void config_init(struct config *config);
void config_fini(struct config *config);

/* Sets one option from text, unless a stronger source has set it; the text is checked in
 * any case. False: `why` says what it takes. */
bool config_set(struct config *config, enum config_id id, const char *text,
                enum config_source source, char why[CONFIG_WHY_SIZE]);

/* Reads a file. False: `why` has file, line and sentence. */
bool config_read_file(struct config *config, const char *path, char why[CONFIG_WHY_SIZE]);

/* All of it: defaults, the file that --config names or that stands at its usual place,
 * the command line. False: `why` has the sentence; the action is CONFIG_RUN. */
bool config_load(struct config *config, int argc, char **argv, char why[CONFIG_WHY_SIZE]);

/* The path of the control socket: --socket, else $SOCKD_SOCKET, else the option of the
 * file, else by the kind of user. False: there is none (`why`). */
bool config_socket_path(const struct config *config, char *path, size_t size,
                        char why[CONFIG_WHY_SIZE]);

/* The text of --help. */
void config_print_help(void);

static inline int64_t config_number(const struct config *config, enum config_id id)
{
    return config->values[id].number;
}
static inline double config_seconds(const struct config *config, enum config_id id)
{
    return config->values[id].seconds;
}
static inline const char *config_text(const struct config *config, enum config_id id)
{
    return config->values[id].text;
}

#endif
