/* SPDX-License-Identifier: MIT */
/*
 * tunnel_note.c - the lines of the log about connections of tunnels.
 *
 * Called by tunnel_link.c. Thread: the worker of the connection.
 */
#include <config.h>
#include "daemon/net/tunnel_note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/net/dial.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/sock.h"
#include "daemon/net/tunnel.h"

/* Owner: the link. */
struct tunnel_note {
    char source[ENDPOINT_TEXT_SIZE];
    uint64_t since; /* milliseconds */
    int target;     /* -1: none was tried */
};

struct tunnel_note *tunnel_note_new(const struct tunnel *tunnel, const struct sock *front)
{
    struct sockaddr_storage address;

    if (!tunnel->plan.logs_connections) {
        return NULL;
    }
    struct tunnel_note *note = MEM_NEW(struct tunnel_note);

    note->since = loop_now_ms(front->loop);
    note->target = -1;
    if (sock_remote_address(front, &address)) {
        endpoint_text(&address, note->source);
    } else {
        (void)snprintf(note->source, sizeof note->source, "local"); /* a socket file */
    }
    return note;
}

void tunnel_note_source(struct tunnel_note *note, const struct sockaddr_storage *source)
{
    if (note != NULL) {
        endpoint_text(source, note->source);
    }
}

void tunnel_note_target(struct tunnel_note *note, unsigned target)
{
    if (note != NULL) {
        note->target = (int)target;
    }
}

/* The texts are foreign: names, paths, what a peer has said. */
static const char *quote(char *out, size_t size, const char *text)
{
    return log_quote(out, size, text, strlen(text));
}

void tunnel_note_end(struct tunnel_note *note, const struct tunnel *tunnel,
                     const char *end, const char *reason, uint64_t n_in, uint64_t n_out)
{
    const char *name = tunnel->plan.name != NULL ? tunnel->plan.name : "";
    char names[128], sources[ENDPOINT_TEXT_SIZE + 16], targets[DIAL_TEXT_SIZE + 16];
    char reasons[256], place[DIAL_TEXT_SIZE] = "";

    if (note == NULL) {
        return;
    }
    if (note->target >= 0) {
        dial_plan_text(&tunnel->plan.targets[note->target], place);
    }
    log_line(LOG_NET, LOG_LEVEL_INFO,
             "A connection of a tunnel is over. tunnel=%lld name=%s source=%s target=%s "
             "seconds=%.3f in=%llu out=%llu end=%s%s%s",
             (long long)tunnel->handle, quote(names, sizeof names, name),
             quote(sources, sizeof sources, note->source),
             quote(targets, sizeof targets, place),
             (double)(loop_now_ms(loop_self()) - note->since) / 1000,
             (unsigned long long)n_in, (unsigned long long)n_out, end,
             reason != NULL ? " reason=" : "",
             reason != NULL ? quote(reasons, sizeof reasons, reason) : "");
    free(note);
}
