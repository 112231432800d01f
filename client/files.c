/* SPDX-License-Identifier: MIT */
/*
 * files.c - parameters whose value stands in a file: certificates, keys, passwords.
 */
#include <config.h>
#include "client/files.h"

#include <string.h>

#include "client/columns.h"
#include "client/problem.h"
#include "lib/sockd.h"
#include "proto/table.h"

/* By the word that stands in the row. */
static enum sockd_file_kind kind_of(const struct param_row *row)
{
    if (strcmp(row->spec, "directory") == 0)
        return SOCKD_PEM_DIRECTORY;
    return strcmp(row->spec, "line") == 0 ? SOCKD_SECRET_FILE : SOCKD_PEM_FILE;
}

json_t *files_read(const struct param_row *row, const char *path, struct problem *problem)
{
    struct sockd_error error;
    char *text = NULL;
    json_t *json = NULL;

    if (sockd_read_file(path, kind_of(row), &text, &error) != SOCKD_OK) {
        (void)problem_usage(problem, "--%s: %s", row->name, error.message);
        return NULL;
    }
    json = json_string(text);
    if (!json)
        (void)problem_usage(problem, "--%s: %s: this is not UTF-8 text", row->name, path);
    sockd_wipe(text);
    return json;
}
