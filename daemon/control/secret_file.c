/* SPDX-License-Identifier: MIT */
/*
 * secret_file.c - files of the configuration of TLS.
 *
 * Called by context_config.c; calls proto/pem_file.c, as the library does for clients.
 * Thread: main, or a job thread.
 */
#include <config.h>
#include "daemon/control/secret_file.h"

#include <stdio.h>
#include <string.h>

#include "proto/error.h"
#include "proto/pem_file.h"
#include "proto/table.h"

static enum pem_kind kind_of(const struct param_row *row)
{
    return strcmp(row->spec, "directory") == 0 ? PEM_KIND_DIRECTORY
           : strcmp(row->spec, "line") == 0    ? PEM_KIND_LINE
                                               : PEM_KIND_FILE;
}

static void blame(const struct param_row *row, const char *path, const char *why,
                  struct error *error)
{
    (void)error_set_parameter(error, row->name, "a file that can be read");
    (void)snprintf(error->message, sizeof error->message, "%s: %.120s: %s", row->name,
                   path, why);
}

json_t *secret_file_read(const struct param_row *row, const char *path,
                         struct error *error)
{
    struct pem_text text = {0};
    struct pem_fault fault;
    json_t *value = NULL;

    if (path[0] != '/') {
        (void)error_set_parameter(error, row->name, "an absolute path");
    } else if (!pem_file_read(&text, path, kind_of(row), false, &fault)) {
        blame(row, fault.path, fault.what, error);
    } else if ((value = json_stringn(text.data != NULL ? text.data : "", text.size)) ==
               NULL) {
        blame(row, path, "it is no text in UTF-8", error);
    }
    pem_text_fini(&text);
    return value;
}
