/* SPDX-License-Identifier: MIT */
/*
 * tunnel.c - tunnels: opened, accepting, ended.
 *
 * Called by cmd_tunnels.c and by the server, for those of the configuration; calls the
 * listener and tunnel_link.c. Thread: the tunnel's home, but for the counting of
 * references and the arrivals in other workers.
 */
#include <config.h>
#include "daemon/net/tunnel.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/handle.h"
#include "daemon/base/log.h"
#include "daemon/base/mailbox.h"
#include "daemon/base/placement.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/tls_choice.h"
#include "daemon/net/tls_offer.h"
#include "daemon/net/tunnel_link.h"
#include "proto/ipaddr.h"

enum {
    ACCEPT_BUDGET = 16, /* connections taken before others have their turn */
    LINK_SOCKS = 2,     /* of one connection, for the load of a worker */
};

const char *tunnel_plan_keep(struct tunnel_plan *plan, const char *text, size_t size)
{
    if (text == NULL) {
        return NULL;
    }
    char *copy = mem_new(size + 1);

    memcpy(copy, text, size);
    plan->texts = mem_resize(plan->texts, (plan->n_texts + 1) * sizeof *plan->texts);
    plan->texts[plan->n_texts++] = copy;
    return copy;
}

void tunnel_plan_fini(struct tunnel_plan *plan)
{
    for (unsigned i = 0; i < plan->n_texts; i++) {
        free(plan->texts[i]);
    }
    free(plan->texts);
    free(plan->targets);
    free(plan->client_names);
    free(plan->client_networks);
    tls_offer_free(plan->server);
    tls_published_unref(plan->client);
    *plan = (struct tunnel_plan){0};
}

/* ---- References ---- */

struct tunnel *tunnel_ref(struct tunnel *tunnel)
{
    atomic_fetch_add(&tunnel->n_refs, 1);
    return tunnel;
}

void tunnel_unref(struct tunnel *tunnel)
{
    if (atomic_fetch_sub(&tunnel->n_refs, 1) == 1) {
        tunnel_plan_fini(&tunnel->plan);
        free(tunnel);
    }
}

/* ---- Words between workers ---- */

/* Holds the tunnel. */
struct word {
    struct message message;
    struct tunnel *tunnel;
    struct listener_accepted accepted; /* fd -1: none */
    struct tls_choice *choice;         /* for it; NULL: none */
    bool is_abort;
};

static void forget(struct message *message)
{
    struct word *word = (struct word *)message;

    if (word->accepted.fd >= 0) {
        (void)close(word->accepted.fd); /* the peer sees the connection end */
    }
    tls_choice_unref(word->choice);
    tunnel_unref(word->tunnel);
    free(word);
}

static struct word *new_word(struct tunnel *tunnel,
                             void (*deliver)(struct message *, struct loop *))
{
    struct word *word = MEM_NEW(struct word);

    word->message.deliver = deliver;
    word->message.drop = forget;
    word->tunnel = tunnel_ref(tunnel);
    word->accepted.fd = -1;
    return word;
}

static void say(unsigned worker, struct word *word)
{
    mailbox_post(loop_of_worker(worker), &word->message);
}

static void end_connections(struct message *message, struct loop *loop)
{
    struct word *word = (struct word *)message;

    (void)loop;
    tunnel_link_end_all(word->tunnel, word->is_abort);
    forget(message);
}

static void arrived(struct message *message, struct loop *loop)
{
    struct word *word = (struct word *)message;

    placement_add((unsigned)loop_number(loop), -LINK_SOCKS);
    tunnel_link_start(word->tunnel, &word->accepted, word->choice);
    word->accepted.fd = -1;
    word->choice = NULL;
    forget(message);
}

static void room_again(struct message *message, struct loop *loop)
{
    struct tunnel *tunnel = ((struct word *)message)->tunnel;

    (void)loop;
    if (tunnel->listener != NULL) {
        sock_run_later(tunnel->listener);
    }
    forget(message);
}

void tunnel_has_room(struct tunnel *tunnel)
{
    if (atomic_exchange(&tunnel->is_full, false)) {
        say(tunnel->worker, new_word(tunnel, room_again));
    }
}

/* ---- Accepting ---- */

static void place(struct tunnel *tunnel, const struct listener_accepted *accepted)
{
    unsigned worker = placement_spread();
    /* The contexts as they are now. */
    struct tls_choice *choice =
        tunnel->plan.server != NULL ? tls_offer_take(tunnel->plan.server) : NULL;

    if (worker == tunnel->worker) {
        tunnel_link_start(tunnel, accepted, choice);
        return;
    }
    struct word *word = new_word(tunnel, arrived);

    word->accepted = *accepted;
    word->choice = choice;
    /* Counted before it is there, so that those that follow go elsewhere. */
    placement_add(worker, LINK_SOCKS);
    say(worker, word);
}

static bool has_room(struct tunnel *tunnel)
{
    unsigned limit = tunnel->plan.max_connections;

    return (limit == 0 || atomic_load(&tunnel->counts.n_active) < limit) &&
           atomic_load(&tunnel->n_short) == 0;
}

/* Otherwise whoever makes room tells. */
static bool take_room(struct tunnel *tunnel)
{
    if (has_room(tunnel)) {
        return true;
    }
    atomic_store(&tunnel->is_full, true);
    /* It may have been made in between, and nobody have been seen to wait. */
    if (!has_room(tunnel)) {
        return false;
    }
    atomic_store(&tunnel->is_full, false);
    return true;
}

/* May it come from there? What a header tells does not count: it is the peer that must be
 * trusted to send one. */
static bool may_come(const struct tunnel_plan *plan, const struct sockaddr_storage *peer)
{
    struct value_ip ip;

    if (plan->n_client_networks == 0) {
        return true;
    }
    bool is_known = endpoint_ip(peer, &ip);

    for (unsigned i = 0; is_known && i < plan->n_client_networks; i++) {
        if (ipaddr_is_in(&ip, &plan->client_networks[i])) {
            return true;
        }
    }
    return false;
}

static void turn_away(struct tunnel *tunnel, const struct listener_accepted *accepted)
{
    char text[ENDPOINT_TEXT_SIZE];

    (void)close(accepted->fd); /* never carried data */
    atomic_fetch_add(&tunnel->counts.n_refused, 1);
    endpoint_text(&accepted->peer, text);
    LOG_RATED(LOG_NET, LOG_LEVEL_INFO,
              "A connection to a tunnel is refused: its address is not among "
              "client-addresses. tunnel=%lld source=%s",
              (long long)tunnel->handle, text);
}

static enum op_result accept_some(struct op *op, struct error *error)
{
    struct tunnel *tunnel =
        (struct tunnel *)(void *)((char *)op - offsetof(struct tunnel, accepting));
    struct listener_accepted accepted;

    for (unsigned n = 0; n < ACCEPT_BUDGET; n++) {
        if (!op->sock->can_read || !take_room(tunnel)) {
            return OP_WAIT;
        }
        enum op_result result = listener_accept(op->sock, &accepted, error);
        if (result != OP_DONE) {
            return result;
        }
        atomic_fetch_add(&tunnel->counts.n_accepted, 1);
        if (!may_come(&tunnel->plan, &accepted.peer)) {
            turn_away(tunnel, &accepted);
            continue;
        }
        atomic_fetch_add(&tunnel->counts.n_active, 1);
        place(tunnel, &accepted);
    }
    sock_run_later(op->sock);
    return OP_WAIT;
}

/* ---- The end ---- */

/* The listener ends, whoever wanted it. */
static void accepting_done(struct op *op, const struct error *error)
{
    struct tunnel *tunnel =
        (struct tunnel *)(void *)((char *)op - offsetof(struct tunnel, accepting));
    struct sock *listener = tunnel->listener;

    handle_remove(loop_handles(listener->loop), tunnel->handle);
    tunnel->listener = NULL;
    for (unsigned i = 0; tunnel->rest != TUNNEL_REST_KEEP && i < loop_n_workers(); i++) {
        struct word *word = new_word(tunnel, end_connections);
        word->is_abort = tunnel->rest == TUNNEL_REST_CUT;
        say(i, word);
    }
    if (error == NULL || error->id != ERROR_SOCKET_CLOSED) {
        sock_close(listener, true);
    }
    tunnel_unref(tunnel);
}

struct tunnel *tunnel_find(struct loop *loop, int64_t handle)
{
    return handle_find(loop_handles(loop), handle, HANDLE_TUNNEL);
}

bool tunnel_owns(const struct sock *sock)
{
    const struct op *first = sock->ops[OP_INPUT].first;

    return first != NULL && first->advance == accept_some;
}

void tunnel_close(struct tunnel *tunnel, bool is_abort)
{
    tunnel->rest = is_abort ? TUNNEL_REST_CUT : TUNNEL_REST_KEEP;
    sock_close(tunnel->listener, true);
}

/* ---- Opening ---- */

/* Owner: itself, until `opened`; the listener's operation, once there is a listener. */
struct opening {
    struct resolve resolve; /* first: the resolver hands this back */
    struct tunnel *tunnel;
    struct op op; /* on the sock, while its name is being looked up */
    tunnel_opened *opened;
    void *arg;
};

static void finish(struct opening *opening, const struct error *error)
{
    struct tunnel *tunnel = opening->tunnel;
    struct sock *sock = tunnel->listener;

    resolve_cancel(&opening->resolve);
    op_end(&opening->op, NULL);
    if (error != NULL) {
        tunnel->listener = NULL;
        sock_free(sock);
        opening->opened(opening->arg, NULL, error);
        tunnel_unref(tunnel);
        free(opening);
        return;
    }
    tunnel->handle = handle_add(loop_handles(sock->loop), HANDLE_TUNNEL, tunnel);
    tunnel->accepting.name = "make-tunnel";
    tunnel->accepting.advance = accept_some;
    tunnel->accepting.done = accepting_done;
    opening->opened(opening->arg, tunnel, NULL);
    free(opening);
    sock_start(sock, &tunnel->accepting, OP_INPUT, -1);
}

/* Names the parameter that brought the failure, where it is one of the tunnel's own. */
static void blame(struct error *error, const char *path)
{
    char message[sizeof error->message];
    static const char *const parameters[][2] = {
        {"set-owner", "listen-owner"},
        {"set-group", "listen-group"},
        {"set-mode", "listen-mode"},
    };

    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
        if (strcmp(error->action, parameters[i][0]) == 0) {
            (void)snprintf(message, sizeof message, "%s of %s: %s", parameters[i][1],
                           path, strerror(error->errnum));
            (void)error_set_message(error, message);
            (void)error_set_blame(error, parameters[i][1]);
        }
    }
}

static void listen_at(struct opening *opening, const struct sockaddr_storage *address)
{
    const struct tunnel_plan *plan = &opening->tunnel->plan;
    struct listener_plan listener = {
        .path = plan->listen.path,
        .rights = plan->listen.has_rights ? &plan->listen.rights : NULL,
        .is_v6_only = plan->listen.is_v6_only,
        .backlog = plan->listen.backlog,
        .n_settings = plan->listen.n_settings,
        .who = plan->who,
    };
    struct error error;

    if (address != NULL) {
        listener.address = *address;
        endpoint_set_port(&listener.address, plan->listen.local.port);
    } else {
        (void)endpoint_any(&listener.address, plan->listen.is_ipv6,
                           plan->listen.local.port);
    }
    memcpy(listener.settings, plan->listen.settings, sizeof listener.settings);
    if (!listener_open(opening->tunnel->listener, &listener, &error)) {
        blame(&error, plan->listen.path);
        finish(opening, &error);
        return;
    }
    finish(opening, NULL);
}

static void looked_up(struct resolve *resolve, const struct resolve_answer *answer,
                      const struct error *error)
{
    struct opening *opening = (struct opening *)resolve;

    if (error != NULL) {
        finish(opening, error);
    } else {
        listen_at(opening, &answer->addresses[0]);
    }
}

static enum op_result wait_for_name(struct op *op, struct error *error)
{
    (void)op, (void)error;
    return OP_WAIT;
}

static void given_up(struct op *op, const struct error *error)
{
    if (error != NULL) {
        finish((struct opening *)(void *)((char *)op - offsetof(struct opening, op)),
               error);
    }
}

static void look_up(struct opening *opening)
{
    const struct end *local = &opening->tunnel->plan.listen.local;
    struct resolve_plan plan = {.name = local->name,
                                .family = local->family,
                                .mode = RESOLVE_BY_DNS | RESOLVE_BY_CLIB,
                                .uid = opening->tunnel->plan.who.uid};

    opening->op.name = "make-tunnel";
    opening->op.advance = wait_for_name;
    opening->op.done = given_up;
    sock_start(opening->tunnel->listener, &opening->op, OP_OUTPUT, -1);
    resolve_start(&opening->resolve, &plan, -1, looked_up);
}

void tunnel_open(struct tunnel_plan *plan, int64_t *listener, tunnel_opened *opened,
                 void *arg)
{
    struct tunnel *tunnel = MEM_NEW(struct tunnel);
    struct sock_spec spec = {
        .type = SOCK_TYPE_STREAM,
        .family = plan->listen.path != NULL ? SOCK_FAMILY_FILE : SOCK_FAMILY_INTERNET,
        .connect = SOCK_CONNECT_PASSIVE,
        .format = SOCK_FORMAT_BIVALENT,
        .owner = plan->owner,
        .name = plan->name,
    };
    struct sockaddr_storage address;
    struct error error;

    tunnel->n_refs = 1;
    tunnel->plan = *plan;
    *plan = (struct tunnel_plan){0};
    tunnel->worker = (unsigned)loop_number(loop_self());
    tunnel->created = (int64_t)time(NULL);
    tunnel->listener = sock_new(&spec, &error);
    if (tunnel->listener == NULL) {
        opened(arg, NULL, &error);
        tunnel_unref(tunnel);
        return;
    }
    if (listener != NULL) {
        *listener = tunnel->listener->handle;
    }
    struct opening *opening = MEM_NEW(struct opening);
    const struct end *local = &tunnel->plan.listen.local;

    opening->tunnel = tunnel;
    opening->opened = opened;
    opening->arg = arg;
    if (local->has_host && local->name != NULL) {
        look_up(opening);
    } else if (local->has_host) {
        (void)endpoint_from_ip(&address, &local->ip, 0);
        listen_at(opening, &address);
    } else {
        listen_at(opening, NULL);
    }
}
