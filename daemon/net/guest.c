/* SPDX-License-Identifier: MIT */
/*
 * guest.c - socks on their way between workers, and the notes that stay at home.
 *
 * Called by cmd_relay.c, dispatch.c, connection.c, desk.c and sock.c; calls sock.c.
 * Thread: any worker, each with notes of its own.
 */
#include <config.h>
#include "daemon/net/guest.h"

#include <stdlib.h>

#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/handle.h"
#include "daemon/base/mailbox.h"
#include "daemon/net/stream.h"

/* What stays at home. Owner: the handle table of the home. */
struct note {
    int64_t handle, client;
    unsigned worker;    /* where the sock is */
    bool has_no_client; /* that has gone meanwhile */
};

struct journey {
    struct message message;
    struct sock *sock;
};

/* To or from home, about a sock. */
struct word {
    struct message message;
    int64_t handle; /* of the sock, or of the client whose socks are to be closed */
};

static bool is_home(const struct sock *sock)
{
    return (int)handle_worker(sock->handle) == loop_number(sock->loop);
}

/* ---- Journeys ---- */

bool guest_may_leave(const struct sock *sock, struct error *error)
{
    const struct stream *stream = sock->as.stream;
    const char *why = NULL;

    if (sock->ops[OP_INPUT].n + sock->ops[OP_OUTPUT].n > 0 || sock->watches != NULL) {
        why = "other requests wait on the socket";
    } else if (sock->state != SOCK_STATE_OPEN || sock->n_holds > 0 || sock->fd < 0) {
        why = "the socket does something else";
    } else if (stream->transport->may_travel != NULL &&
               !stream->transport->may_travel(sock)) {
        why = "the TLS handshake of the socket is under way";
    }
    if (why == NULL) {
        return true;
    }
    error_set(error, ERROR_BUSY, "%s", why);
    error->socket = sock->handle;
    return false;
}

static void lose(struct message *message)
{
    struct journey *journey = (struct journey *)message;

    sock_discard(journey->sock);
    free(journey);
}

static void arrive(struct message *message, struct loop *loop)
{
    struct journey *journey = (struct journey *)message;
    struct sock *sock = journey->sock;
    struct note *note = handle_find(loop_handles(loop), sock->handle, HANDLE_AWAY);

    free(journey);
    int status = sock_enter_loop(sock); /* in the place of the note */
    bool is_orphan =
        note != NULL && note->has_no_client && note->client == sock->owner.client;

    free(note);
    if (status < 0) {
        sock_free(sock);
        return;
    }
    const struct transport *transport = sock->as.stream->transport;

    if (transport->unsent != NULL && transport->unsent(sock) > 0) {
        sock_no_room(sock); /* it waited for room where it comes from */
    }
    if (is_orphan) {
        sock_close(sock, false);
    }
    counters_add(loop_counters(loop), COUNTER_SOCKETS_MOVED, 1);
}

void guest_send(struct sock *sock, unsigned worker)
{
    struct journey *journey = MEM_NEW(struct journey);
    struct note *note = NULL;

    if (is_home(sock)) {
        note = MEM_NEW(struct note);
        note->handle = sock->handle;
        note->client = sock->owner.client;
        note->worker = worker;
    }
    sock_leave_loop(sock, note);
    journey->message.deliver = arrive;
    journey->message.drop = lose;
    journey->sock = sock;
    mailbox_post(loop_of_worker(worker), &journey->message);
}

bool guest_send_home(struct sock *sock)
{
    struct error error;

    if (is_home(sock)) {
        return true;
    }
    if (!guest_may_leave(sock, &error)) {
        sock_close(sock, false);
        return false;
    }
    guest_send(sock, handle_worker(sock->handle));
    return true;
}

int guest_worker(struct loop *loop, int64_t handle)
{
    const struct note *note = handle_find(loop_handles(loop), handle, HANDLE_AWAY);

    return note != NULL ? (int)note->worker : -1;
}

/* ---- Words ---- */

static void forget(struct message *message) { free(message); }

static void say(unsigned worker, void (*deliver)(struct message *, struct loop *),
                int64_t handle)
{
    struct word *word = MEM_NEW(struct word);

    word->message.deliver = deliver;
    word->message.drop = forget;
    word->handle = handle;
    mailbox_post(loop_of_worker(worker), &word->message);
}

static void ended_abroad(struct message *message, struct loop *loop)
{
    int64_t handle = ((struct word *)message)->handle;
    struct note *note = handle_find(loop_handles(loop), handle, HANDLE_AWAY);

    free(message);
    if (note != NULL) {
        handle_remove(loop_handles(loop), handle);
        free(note);
    }
}

void guest_ended(const struct sock *sock)
{
    if (!is_home(sock)) {
        say(handle_worker(sock->handle), ended_abroad, sock->handle);
    }
}

static void client_has_gone(struct message *message, struct loop *loop)
{
    int64_t client = ((struct word *)message)->handle;

    free(message);
    sock_close_client(loop, client);
}

void guest_close_client(struct loop *loop, int64_t client)
{
    int64_t handle = 0;
    struct note *note;

    /* Few are away at a time. */
    if (handle_count(loop_handles(loop), HANDLE_AWAY) == 0) {
        return;
    }
    while ((note = handle_next(loop_handles(loop), handle, HANDLE_AWAY, &handle)) !=
           NULL) {
        if (note->client == client && !note->has_no_client) {
            note->has_no_client = true;
            say(note->worker, client_has_gone, client);
        }
    }
}

void guest_forget_all(struct loop *loop)
{
    int64_t handle = 0;
    struct note *note;

    while ((note = handle_next(loop_handles(loop), handle, HANDLE_AWAY, &handle)) !=
           NULL) {
        handle_remove(loop_handles(loop), handle);
        free(note);
    }
}
