/* SPDX-License-Identifier: MIT */
/*
 * secret_file.h - the text of a parameter of type FILE, read by the daemon for its own
 * configuration; never for a client. Thread: main.
 */
#ifndef SOCKD_CONTROL_SECRET_FILE_H
#define SOCKD_CONTROL_SECRET_FILE_H

#include <jansson.h>

struct error;
struct param_row;

/* A new reference to the text of a file, its first line, or what the files of a directory
 * hold, as the row wants it. What passes through memory on the way is wiped. NULL: *error
 * names the parameter. */
json_t *secret_file_read(const struct param_row *row, const char *path,
                         struct error *error);

#endif
