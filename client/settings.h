/* SPDX-License-Identifier: MIT */
/*
 * settings.h - the options of sockctl itself, the same for all commands.
 *
 * They are rows as those of the commands, so that args.c, help.c and complete.c treat
 * them alike.
 */
#ifndef SOCKD_CLIENT_SETTINGS_H
#define SOCKD_CLIENT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include "proto/table.h"

struct problem;

struct settings {
    char *socket_path; /* NULL: the library searches for it */
    double timeout;    /* seconds to wait for each reply; negative: no limit */
    bool is_json;
    bool is_verbose;
    bool is_held;       /* --hold */
    bool wants_help;    /* --help */
    bool wants_version; /* --version */
};

struct setting_row {
    struct param_row row;
    char letter; /* short form, or 0 */
};

void settings_init(struct settings *settings);
void settings_fini(struct settings *settings);
/* A copy that settings_fini() frees by itself. */
void settings_copy(struct settings *copy, const struct settings *settings);

/* Setting number `index`; NULL past the last one. */
const struct setting_row *settings_at(size_t index);
/* NULL: none has this name, or this letter. */
const struct param_row *settings_find(const char *name, size_t size);
const struct param_row *settings_find_letter(char letter);
/* Sets what `row` stands for. False: *problem says what is wrong with the text. */
bool settings_set(struct settings *settings, const struct param_row *row,
                  const char *text, struct problem *problem);

#endif
