/* SPDX-License-Identifier: MIT */
/*
 * pem_file.h - files with certificates, keys and passwords: those of a client, which the
 * library reads, and those of the configuration, which the daemon reads, alike.
 *
 * Of a PEM file only the PEM texts are taken: what people write around them need not be
 * UTF-8, and a line has a limit. Thread: any.
 */
#ifndef SOCKD_PROTO_PEM_FILE_H
#define SOCKD_PROTO_PEM_FILE_H

#include <stdbool.h>
#include <stddef.h>

enum pem_kind {
    PEM_KIND_FILE,
    /* The files that are named by hashes, as OpenSSL does; where there are none, those
     * that are called .pem, .crt or .cer. */
    PEM_KIND_DIRECTORY,
    PEM_KIND_LINE, /* no PEM: the first line */
};

/* Text in the making, that leaves nothing behind. All zero is an empty one. */
struct pem_text {
    char *data; /* ends with a NUL; NULL: empty */
    size_t size, room;
};
void pem_text_fini(struct pem_text *text); /* wipes it */

/* Why a file could not be read. */
struct pem_fault {
    char path[256];
    int errnum;       /* ENOMEM: no fault of the file; 0: it could be read */
    const char *what; /* a sentence, never NULL */
};

/* Adds what the file holds. `may_wait`: it may be a pipe. False: *fault; the text is to
 * be wiped all the same. */
bool pem_file_read(struct pem_text *text, const char *path, enum pem_kind kind,
                   bool may_wait, struct pem_fault *fault);

/* The text itself, and no path of one: it begins like PEM. */
bool pem_is_text(const char *text);

#endif
