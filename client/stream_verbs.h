/* SPDX-License-Identifier: MIT */
/*
 * stream_verbs.h - what connect and serve have in common: their options for the copying
 * and the line that tells whom they talk to.
 */
#ifndef SOCKD_CLIENT_STREAM_VERBS_H
#define SOCKD_CLIENT_STREAM_VERBS_H

#include <jansson.h>
#include <stdbool.h>
#include "client/verbs.h"

struct context;
struct problem;
struct relay;
struct session;

#define STREAM_VERB_OPTIONS                                                              \
    VERB_OPTION(                                                                         \
        "until", VALUE_ENUM, "both|peer|input", NULL,                                    \
        "what ends the copying. both: the end of both directions; peer: the end of "     \
        "what "                                                                          \
        "the peer sends; input: the end of standard input, once it is sent. Absent: "    \
        "peer when standard input is a terminal, else both"),                            \
        VERB_OPTION(                                                                     \
            "input", VALUE_BOOL, NULL, "true",                                           \
            "no: read nothing from standard input, and do not end that direction")

/* The relay that these options ask for. */
void stream_verbs_init_relay(const struct context *context, const json_t *params,
                             struct relay *relay);

/*
 * Copies standard input and output by way of a raw stream of the socket, which belongs to
 * `owner`. A second control connection becomes that stream, so that the first can tell
 * how it ended when it is over, and the socket ends with it whatever happens. False:
 * *problem; a connection that was reset is one, and an end that nobody can tell about.
 */
bool stream_verbs_copy(struct context *context, struct session *owner, json_int_t socket,
                       struct relay *relay, struct problem *problem);

/* "sockctl: WHAT HOST port PORT (socket N)" on standard error; `end` is local or remote.
 */
void stream_verbs_tell(const char *what, const char *end, const json_t *description);

/* The absolute form of a file name, which the daemon wants. New reference. */
json_t *stream_verbs_file_name(const char *name);

#endif
