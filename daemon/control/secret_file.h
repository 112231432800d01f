/* SPDX-License-Identifier: MIT */
/*
 * secret_file.h - the text of a parameter of type FILE, read by the daemon for its own
 * configuration; never for a client. Thread: main, or a job thread.
 */
#ifndef SOCKD_CONTROL_SECRET_FILE_H
#define SOCKD_CONTROL_SECRET_FILE_H

#include <jansson.h>

struct error;
struct param_row;

/* A new reference to the PEM texts of a file or of a directory, or to the first line of a
 * file, as the row wants it. What passes through memory on the way is wiped. NULL: *error
 * names the parameter. */
json_t *secret_file_read(const struct param_row *row, const char *path,
                         struct error *error);

#endif
