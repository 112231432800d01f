/* SPDX-License-Identifier: MIT */
/*
 * files.h - parameters whose value stands in a file: certificates, keys, passwords.
 *
 * Called by args.c for rows of VALUE_FILE; calls libsockd, which reads as the user that
 * runs the program.
 */
#ifndef SOCKD_CLIENT_FILES_H
#define SOCKD_CLIENT_FILES_H

#include <jansson.h>

struct param_row;
struct problem;

/* What the file holds, as the row wants it. New reference; NULL: *problem names the file.
 */
json_t *files_read(const struct param_row *row, const char *path,
                   struct problem *problem);

#endif
