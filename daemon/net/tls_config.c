/* SPDX-License-Identifier: MIT */
/*
 * tls_config.c - the texts of a context as one thing that can be kept: copied for a job
 * thread, or for the update to come.
 *
 * Called by the commands on contexts. Pure functions; any thread.
 */
#include <config.h>
#include "daemon/net/tls_context.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/net/tls_library.h"

static void copy_text(struct tls_text *text)
{
    if (text->bytes != NULL) {
        char *bytes = mem_new(text->size + 1);
        memcpy(bytes, text->bytes, text->size);
        text->bytes = bytes;
    }
}

static void copy_words(const char **words)
{
    *words = *words != NULL ? mem_copy_text(*words) : NULL;
}

void tls_config_copy(struct tls_config *to, const struct tls_config *from)
{
    *to = *from;
    copy_text(&to->certificate);
    copy_text(&to->key);
    copy_text(&to->password);
    copy_text(&to->ca);
    copy_text(&to->ca_directory);
    copy_text(&to->crl);
    copy_words(&to->ciphers);
    copy_words(&to->ciphersuites);
    copy_words(&to->groups);
    copy_words(&to->server_name);
    if (from->alpn == NULL) {
        return;
    }
    const char **names = mem_new((from->n_alpn + 1) * sizeof *names);

    for (unsigned i = 0; i < from->n_alpn; i++) {
        names[i] = mem_copy_text(from->alpn[i]);
    }
    to->alpn = names;
}

/* The memory is our own, whatever the type says to those who read it. */
static void free_const(const void *memory) { free((void *)(uintptr_t)memory); }

static void wipe_text(struct tls_text *text)
{
    if (text->bytes != NULL) {
        tls_wipe((void *)(uintptr_t)text->bytes, text->size);
        free_const(text->bytes);
    }
}

void tls_config_fini(struct tls_config *config)
{
    wipe_text(&config->certificate); /* the key may stand in it */
    wipe_text(&config->key);
    wipe_text(&config->password);
    wipe_text(&config->ca);
    wipe_text(&config->ca_directory);
    wipe_text(&config->crl);
    free_const(config->ciphers);
    free_const(config->ciphersuites);
    free_const(config->groups);
    free_const(config->server_name);
    for (unsigned i = 0; config->alpn != NULL && i < config->n_alpn; i++) {
        free_const(config->alpn[i]);
    }
    free_const(config->alpn);
    *config = (struct tls_config){0};
}
