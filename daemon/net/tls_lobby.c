/* SPDX-License-Identifier: MIT */
/*
 * tls_lobby.c - handshakes before accept-connection.
 *
 * Called by listener.c and by accept-connection; calls the listener, tls_session.c and
 * tls_wait.c. Thread: the home of the listener; each handshake is done in the worker of
 * its connection. Between them go messages, which name the listener by its handle. When
 * it ends, each worker is told: messages of one sender keep their order, so that what it
 * sent there before has arrived.
 */
#include <config.h>
#include "daemon/net/tls_lobby.h"

#include <stdlib.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/handle.h"
#include "daemon/base/log.h"
#include "daemon/base/mailbox.h"
#include "daemon/base/placement.h"
#include "daemon/net/accepted.h"
#include "daemon/net/listener.h"
#include "daemon/net/sock.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls_choice.h"
#include "daemon/net/tls_offer.h"
#include "daemon/net/tls_session.h"
#include "daemon/net/tls_wait.h"

enum { ADMIT_BUDGET = 32 }; /* connections taken before others have their turn */

/* Owner: the listener. */
struct tls_lobby {
    struct sock *listener;
    struct tls_lobby_plan plan;
    struct later later;
    unsigned n_under_way;
    uint64_t n_failed;
    int64_t *line; /* a ring of plan.limit places */
    unsigned first, n_line;
};

/* A connection on its way through. It goes to a worker, stays there with its sock, and
 * comes back as the news of how that went. */
struct passage {
    struct message message;
    struct tls_wait wait;
    int64_t listener;
    unsigned home;
    struct accepted_plan plan;
    struct listener_accepted accepted; /* fd -1: a sock has it */
    struct tls_choice *choice;         /* counted */
    double seconds;
    bool allows_truncation;
    struct sock *sock;            /* while the handshake is under way */
    struct passage *next, **link; /* the same: in `here` */
    int64_t socket;               /* of the sock; 0: it has failed */
};

/* Those whose handshakes are under way in the running thread. */
static _Thread_local struct passage *here;

/* ---- The way back ---- */

static void passage_free(struct passage *passage)
{
    if (passage->accepted.fd >= 0) {
        (void)close(passage->accepted.fd); /* the peer sees the connection end */
    }
    tls_choice_unref(passage->choice);
    free(passage);
}

static void forget(struct message *message) { passage_free((struct passage *)message); }

/* A stream that nobody will accept. */
struct dismissal {
    struct message message;
    int64_t socket; /* or the listener that is no more */
};

static void forget_dismissal(struct message *message) { free(message); }

static void dismissed(struct message *message, struct loop *loop)
{
    struct sock *sock = sock_find(loop, ((struct dismissal *)message)->socket);

    free(message);
    if (sock != NULL) {
        sock_close(sock, true);
    }
}

static void tell(unsigned worker, void (*deliver)(struct message *, struct loop *),
                 int64_t socket)
{
    struct dismissal *dismissal = MEM_NEW(struct dismissal);

    dismissal->message.deliver = deliver;
    dismissal->message.drop = forget_dismissal;
    dismissal->socket = socket;
    mailbox_post(loop_of_worker(worker), &dismissal->message);
}

static void dismiss(int64_t socket) { tell(handle_worker(socket), dismissed, socket); }

static void come_back(struct message *message, struct loop *loop)
{
    struct passage *passage = (struct passage *)message;
    struct sock *listener = sock_find(loop, passage->listener);
    struct tls_lobby *lobby = listener != NULL ? tls_lobby_of(listener) : NULL;
    int64_t socket = passage->socket;

    passage_free(passage);
    if (lobby == NULL) {
        if (socket != 0) {
            dismiss(socket);
        }
        return;
    }
    lobby->n_under_way--;
    if (socket == 0) {
        lobby->n_failed++;
    } else {
        lobby->line[(lobby->first + lobby->n_line++) % lobby->plan.limit] = socket;
    }
    tls_lobby_admit(listener);
    sock_run_later(listener);
}

static void send_back(struct passage *passage, int64_t socket)
{
    passage->socket = socket;
    passage->message.deliver = come_back;
    passage->message.drop = forget;
    mailbox_post(loop_of_worker(passage->home), &passage->message);
}

/* ---- In the worker of the connection ---- */

static void stay(struct passage *passage, struct sock *sock)
{
    passage->sock = sock;
    passage->next = here;
    passage->link = &here;
    if (here != NULL) {
        here->link = &passage->next;
    }
    here = passage;
}

static struct sock *leave(struct passage *passage)
{
    struct sock *sock = passage->sock;

    *passage->link = passage->next;
    if (passage->next != NULL) {
        passage->next->link = passage->link;
    }
    passage->sock = NULL;
    return sock;
}

static void shaken(struct tls_wait *wait, const struct error *error)
{
    struct passage *passage =
        (struct passage *)(void *)((char *)wait - offsetof(struct passage, wait));
    struct sock *sock = leave(passage);

    if (error == NULL) {
        send_back(passage, sock->handle);
        return;
    }
    LOG_RATED(LOG_TLS, LOG_LEVEL_DEBUG, "A handshake failed: %s listener=%lld",
              error->message, (long long)passage->listener);
    send_back(passage, 0);
    sock_close(sock, false); /* the alert goes out; no-op when it is being closed */
}

static bool seal(struct passage *passage, struct sock *sock, struct error *error)
{
    const struct tls_session_spec spec = {
        .context = tls_choice_default(passage->choice),
        .choice = passage->choice,
        .handshake_seconds = passage->seconds,
        .allows_truncation = passage->allows_truncation,
    };

    return tls_session_open(sock, &spec, error);
}

static void begin(struct passage *passage)
{
    struct error error;
    struct sock *sock = accepted_open(&passage->plan, &passage->accepted, &error);

    passage->accepted.fd = -1;
    if (sock == NULL || !seal(passage, sock, &error)) {
        LOG_RATED(LOG_TLS, LOG_LEVEL_WARN, "A connection is lost: %s listener=%lld",
                  error.message, (long long)passage->listener);
        sock_free(sock);
        send_back(passage, 0);
        return;
    }
    stay(passage, sock);
    tls_wait_start(sock, &passage->wait, "accept-connection", -1, shaken);
}

static void arrive(struct message *message, struct loop *loop)
{
    (void)loop;
    begin((struct passage *)message);
}

/* The listener has gone: nobody waits for these. */
static void forsaken(struct message *message, struct loop *loop)
{
    int64_t listener = ((struct dismissal *)message)->socket;
    struct passage *next;

    (void)loop;
    free(message);
    for (struct passage *passage = here; passage != NULL; passage = next) {
        next = passage->next; /* shaken() takes this one out */
        if (passage->listener == listener) {
            sock_close(passage->sock, true);
        }
    }
}

/* ---- At home ---- */

static void send_away(struct tls_lobby *lobby, const struct listener_accepted *accepted)
{
    struct sock *listener = lobby->listener;
    struct passage *passage = MEM_NEW(struct passage);
    unsigned worker = placement_spread();

    passage->listener = listener->handle;
    passage->home = (unsigned)loop_number(listener->loop);
    accepted_plan_init(&passage->plan, listener, &listener->owner);
    passage->plan.owner.client = 0;
    passage->accepted = *accepted;
    passage->choice = tls_offer_take(lobby->plan.offer);
    passage->seconds = lobby->plan.seconds;
    passage->allows_truncation = lobby->plan.allows_truncation;
    passage->message.deliver = arrive;
    passage->message.drop = forget;
    lobby->n_under_way++;
    mailbox_post(loop_of_worker(worker), &passage->message);
}

static bool is_full(const struct tls_lobby *lobby)
{
    return lobby->n_under_way + lobby->n_line >= lobby->plan.limit;
}

static void admit_later(void *arg)
{
    tls_lobby_admit(((struct tls_lobby *)arg)->listener);
}

void tls_lobby_admit(struct sock *listener)
{
    struct tls_lobby *lobby = tls_lobby_of(listener);
    struct listener_accepted accepted;
    struct error error;

    for (unsigned n = 0; n < ADMIT_BUDGET; n++) {
        if (!listener->can_read || is_full(lobby)) {
            return;
        }
        if (!accepted_has_room(listener->owner.uid, &error)) {
            listener_pause(listener, error.message);
            return;
        }
        enum op_result result = listener_accept(listener, &accepted, &error);
        if (result == OP_FAILED) {
            listener_pause(listener, error.message);
            return;
        }
        if (result == OP_WAIT) {
            return;
        }
        send_away(lobby, &accepted);
    }
    later_ask(&lobby->later, listener->loop, admit_later, lobby);
}

bool tls_lobby_has_next(const struct tls_lobby *lobby) { return lobby->n_line > 0; }

int64_t tls_lobby_take(struct tls_lobby *lobby)
{
    CHECK(lobby->n_line > 0);
    int64_t socket = lobby->line[lobby->first];

    lobby->first = (lobby->first + 1) % lobby->plan.limit;
    lobby->n_line--;
    /* Not from within: that may accept, and an operation is just being served. */
    later_ask(&lobby->later, lobby->listener->loop, admit_later, lobby);
    return socket;
}

unsigned tls_lobby_under_way(const struct tls_lobby *lobby) { return lobby->n_under_way; }

uint64_t tls_lobby_failed(const struct tls_lobby *lobby) { return lobby->n_failed; }

/* ---- Life ---- */

void tls_lobby_open(struct sock *listener, const struct tls_lobby_plan *plan)
{
    struct tls_lobby *lobby = MEM_NEW(struct tls_lobby);

    CHECK(plan->limit > 0);
    lobby->listener = listener;
    lobby->plan = *plan;
    lobby->line = mem_resize(NULL, plan->limit * sizeof *lobby->line);
    listener_set_lobby(listener, lobby);
    later_ask(&lobby->later, listener->loop, admit_later, lobby);
}

void tls_lobby_close(struct sock *listener)
{
    struct tls_lobby *lobby = tls_lobby_of(listener);

    later_drop(&lobby->later);
    for (unsigned i = 0; i < lobby->n_line; i++) {
        dismiss(lobby->line[(lobby->first + i) % lobby->plan.limit]);
    }
    for (unsigned i = 0; lobby->n_under_way > 0 && i < loop_n_workers(); i++) {
        tell(i, forsaken, listener->handle);
    }
    tls_offer_free(lobby->plan.offer);
    free(lobby->line);
    free(lobby);
}
