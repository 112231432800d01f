/* SPDX-License-Identifier: MIT */
/*
 * remote.h - commands that this build does not know, as rows made from the daemon's own
 * description (rpc.discover).
 *
 * So an older sockctl works with a newer daemon: parsing, help and output go by rows,
 * wherever these come from.
 */
#ifndef SOCKD_CLIENT_REMOTE_H
#define SOCKD_CLIENT_REMOTE_H

#include <jansson.h>
#include <stdbool.h>
#include "proto/table.h"

struct problem;
struct session;

/* Owner: whoever embeds it; all zero is empty. */
struct remote {
    struct command command; /* lives as long as this */
    json_t *document;       /* holds the texts of the rows */
};

/* Asks the daemon for the command `name`. False: *problem; that there is none is a usage
 * problem. */
bool remote_find(struct remote *remote, struct session *session, const char *name,
                 struct problem *problem);
/* The same from a document that is there already, which is taken over. */
bool remote_read(struct remote *remote, json_t *document, const char *name,
                 struct problem *problem);
void remote_fini(struct remote *remote);

#endif
