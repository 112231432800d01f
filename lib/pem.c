/* SPDX-License-Identifier: MIT */
/*
 * pem.c - files with certificates, keys and passwords, read as the user that the program
 * runs as: the daemon opens no file for a client.
 *
 * Place: below the operations of tls.c, above proto/pem_file.c; the command-line client
 * calls sockd_read_file(). Thread: any.
 */
#include <config.h>

#include "lib/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "lib/fields.h"
#include "proto/pem_file.h"

static int blame(const struct pem_fault *fault, struct sockd_error *error)
{
    int status;

    if (fault->errnum == ENOMEM)
        return fail_memory(error);
    status = fail(error, SOCKD_E_INVALID_PARAMS, "%s: %s", fault->path, fault->what);
    if (error) {
        error->errnum = fault->errnum;
        (void)snprintf(error->wanted, sizeof(error->wanted), "%s",
                       fault->errnum ? "a file that can be read" : "a file in PEM form");
    }
    return status;
}

static int read_kind(struct pem_text *secret, const char *path, enum sockd_file_kind kind,
                     struct sockd_error *error)
{
    static const enum pem_kind kinds[] = {
        [SOCKD_PEM_FILE] = PEM_KIND_FILE,
        [SOCKD_PEM_DIRECTORY] = PEM_KIND_DIRECTORY,
        [SOCKD_SECRET_FILE] = PEM_KIND_LINE,
    };
    struct pem_fault fault;

    if ((unsigned)kind >= sizeof(kinds) / sizeof(kinds[0]))
        return fail_parameter(error, "kind", "one of enum sockd_file_kind");
    return pem_file_read(secret, path, kinds[kind], true, &fault) ? SOCKD_OK
                                                                  : blame(&fault, error);
}

int sockd_read_file(const char *path, enum sockd_file_kind kind, char **text,
                    struct sockd_error *error)
{
    struct pem_text secret = {0};
    char *copy;
    int status;

    if (!path || !text)
        return fail_parameter(error, path ? "text" : "path", "not NULL");
    status = read_kind(&secret, path, kind, error);
    if (status == SOCKD_OK) {
        copy = result_new(secret.size + 1, NULL);
        if (copy)
            *text = memcpy(copy, secret.data, secret.size + 1);
        else
            status = fail_memory(error);
    }
    pem_text_fini(&secret);
    return status;
}

void sockd_wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    sockd_free(text);
}

void pem_write(struct request *request, const char *name, const char *kind,
               const char *path)
{
    enum sockd_file_kind kinds[] = {SOCKD_PEM_FILE, SOCKD_PEM_DIRECTORY};
    struct pem_text secret = {0};
    int status;

    if (pem_is_text(path)) {
        request_secret(request, name, path);
        return;
    }
    if (request->status != SOCKD_OK)
        return;
    status = read_kind(&secret, path, kinds[kind[0] == 'd'], request->error);
    if (status == SOCKD_OK)
        request_secret(request, name, secret.data);
    else
        request->status = status;
    if (status == SOCKD_E_INVALID_PARAMS && request->error)
        (void)snprintf(request->error->parameter, sizeof(request->error->parameter), "%s",
                       name);
    pem_text_fini(&secret);
}
