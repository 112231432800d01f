/* SPDX-License-Identifier: MIT */
/*
 * tunnel_link.c - the connections of tunnels in one worker.
 *
 * Called by tunnel.c; calls dial.c and bridge.c. Thread: the worker.
 *
 * Until the two streams are joined a link holds the input queue of its front with an
 * operation: interrupt, close and the time-out end that, and its end cleans everything
 * up. So there is one way out, front_done(). What is needed only until then is freed with
 * it: an idle connection consists of two socks and a bridge.
 */
#include <config.h>
#include "daemon/net/tunnel_link.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/log.h"
#include "daemon/net/accepted.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls_choice.h"
#include "daemon/net/tls_context.h"
#include "daemon/net/tls_offer.h"
#include "daemon/net/tls_session.h"
#include "daemon/net/tunnel.h"
#include "daemon/net/tunnel_front.h"
#include "daemon/net/tunnel_note.h"
#include "proto/ipaddr.h"

/* Seconds until the next try when there was no descriptor, and for how long it is tried
 * when a target has no time limit. */
#define SHORTAGE_PAUSE 0.05
#define SHORTAGE_LIMIT 10

struct link;

/* Owner: the link, until it is joined. */
struct opening {
    struct op front, back; /* our places in the queues of the two */
    struct link *link;
    struct timer limit;
    struct later later;
    struct tunnel_front who; /* is at the front */
    struct dial *dial;       /* NULL: there is none, or it is done */
    struct error back_error; /* why the handshake with the target failed; id NONE: it is
                                not */
    unsigned target;         /* that is being tried */
    unsigned n_tried;        /* before it */
    bool is_short;           /* for want of a descriptor it waits */
    uint64_t short_since;    /* milliseconds; 0: it never was */
};

/* Owner: the list of the worker. */
struct link {
    struct link *next, **place;
    struct tunnel *tunnel; /* counted */
    struct sock *front;    /* accepted; once joined it may have gone */
    int64_t front_handle;
    struct sock *back;        /* connected, or connecting; NULL: neither */
    struct opening *opening;  /* NULL: joined */
    struct tunnel_note *note; /* NULL: none is written */
};

static _Thread_local struct link *links;

static void try_target(struct link *link);

static void count(_Atomic uint64_t *number, uint64_t n)
{
    atomic_fetch_add_explicit(number, n, memory_order_relaxed);
}

/* ---- The end ---- */

static void free_link(struct link *link)
{
    struct tunnel *tunnel = link->tunnel;

    *link->place = link->next;
    if (link->next != NULL) {
        link->next->place = link->place;
    }
    free(link);
    atomic_fetch_sub(&tunnel->counts.n_active, 1);
    tunnel_has_room(tunnel);
    tunnel_unref(tunnel);
}

static void set_short(struct link *link, bool is_short)
{
    struct opening *opening = link->opening;

    if (is_short == opening->is_short) {
        return;
    }
    opening->is_short = is_short;
    if (is_short) {
        atomic_fetch_add(&link->tunnel->n_short, 1);
    } else {
        atomic_fetch_sub(&link->tunnel->n_short, 1);
        tunnel_has_room(link->tunnel);
    }
}

static void free_opening(struct link *link)
{
    struct opening *opening = link->opening;

    if (opening != NULL) {
        set_short(link, false);
        link->opening = NULL;
        timer_stop(&opening->limit);
        later_drop(&opening->later);
        dial_stop(opening->dial);
        tunnel_front_fini(&opening->who);
        free(opening);
    }
}

/* It will not be joined: the front, if it is still there, is cut. */
static void give_up(struct link *link, const struct error *why)
{
    struct sock *front = link->front, *back = link->back;

    tunnel_note_end(link->note, link->tunnel, "failed", why->message, 0, 0);
    link->front = link->back = NULL;
    if (back != NULL) {
        op_end(&link->opening->back, NULL);
        dial_stop(link->opening->dial);
        sock_free(back);
    }
    free_opening(link);
    free_link(link);
    stream_cut(front);
    sock_close(front, true);
}

static void link_over(void *arg, const struct bridge_report *report)
{
    struct link *link = arg;
    struct tunnel_counts *counts = &link->tunnel->counts;

    count(&counts->n_in, report->n_moved[0]);
    count(&counts->n_out, report->n_moved[1]);
    if (report->end != BRIDGE_END_CLEAN) {
        count(&counts->n_cut, 1);
    }
    tunnel_note_end(link->note, link->tunnel, bridge_end_name(report->end), NULL,
                    report->n_moved[0], report->n_moved[1]);
    free_link(link);
}

static struct link *link_of_front(struct op *op)
{
    return ((struct opening *)(void *)((char *)op - offsetof(struct opening, front)))
        ->link;
}

static struct link *link_of_back(struct op *op)
{
    return ((struct opening *)(void *)((char *)op - offsetof(struct opening, back)))
        ->link;
}

static void front_done(struct op *op, const struct error *error)
{
    if (error != NULL) {
        give_up(link_of_front(op), error);
    }
}

/* Its end, unless it is joined, ends the link. */
static void fail(struct link *link, const struct error *error)
{
    op_end(&link->opening->front, error);
}

/* ---- Joining ---- */

static const char *name_of(const struct tunnel *tunnel)
{
    return tunnel->plan.name != NULL ? tunnel->plan.name : "";
}

static void send_header(struct link *link)
{
    unsigned version = link->tunnel->plan.send_proxy;
    uint8_t bytes[PROXY_HEADER_MAX];

    if (version != 0) {
        stream_push(
            link->back, bytes,
            tunnel_front_header(&link->opening->who, link->front, version, bytes));
    }
}

static void join(struct link *link)
{
    struct sock *front = link->front, *back = link->back;

    op_end(&link->opening->back, NULL);
    op_end(&link->opening->front, NULL);
    free_opening(link);
    front->state = SOCK_STATE_OPEN;
    bridge_start(front, back, &link->tunnel->plan.rules, link_over, link);
}

/* ---- Targets ---- */

static bool is_shortage(int errnum)
{
    return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS || errnum == ENOMEM;
}

static void try_again(void *arg) { try_target(arg); }

/* Waits for a descriptor, while the tunnel accepts nobody else. False: it took too long.
 */
static bool wait_for_descriptor(struct link *link)
{
    struct opening *opening = link->opening;
    double limit = link->tunnel->plan.targets[opening->target].timeout;
    uint64_t now = loop_now_ms(loop_self());

    if (opening->short_since == 0) {
        opening->short_since = now;
    } else if ((double)(now - opening->short_since) >=
               (limit >= 0 ? limit : SHORTAGE_LIMIT) * 1000) {
        return false;
    }
    if (!opening->is_short) {
        counters_add(loop_counters(loop_self()), COUNTER_ACCEPT_PAUSES, 1);
    }
    set_short(link, true);
    timer_start(&opening->limit, loop_self(), SHORTAGE_PAUSE, try_again, link);
    return true;
}

static void next_target(struct link *link, const struct error *error)
{
    const struct tunnel *tunnel = link->tunnel;
    struct opening *opening = link->opening;
    char name[64];

    if (is_shortage(error->errnum) && wait_for_descriptor(link)) {
        return;
    }
    counters_add(loop_counters(loop_self()), COUNTER_CONNECT_FAILURES, 1);
    if (++opening->n_tried < tunnel->plan.n_targets) {
        opening->target = (opening->target + 1) % tunnel->plan.n_targets;
        try_target(link);
        return;
    }
    LOG_RATED(LOG_NET, LOG_LEVEL_WARN,
              "A tunnel reached no target: %s tunnel=%lld name=%s", error->message,
              (long long)tunnel->handle,
              log_quote(name, sizeof name, name_of(tunnel), strlen(name_of(tunnel))));
    count(&link->tunnel->counts.n_failed, 1);
    fail(link, error);
}

static void lose_target(struct link *link, const struct error *error)
{
    struct sock *back = link->back;

    link->back = NULL;
    op_end(&link->opening->back, NULL);
    sock_free(back);
    next_target(link, error);
}

/* From the loop: the handshake with the target is over. */
static void shaken(void *arg)
{
    struct link *link = arg;
    struct error error = link->opening->back_error;

    if (error.id == ERROR_NONE) {
        join(link);
        return;
    }
    link->opening->back_error.id = ERROR_NONE;
    lose_target(link, &error);
}

static bool open_session(struct link *link, struct error *error)
{
    const struct tunnel_plan *plan = &link->tunnel->plan;
    const struct end *remote = &plan->targets[link->opening->target].remote;
    char host[IPADDR_TEXT_SIZE], port[8];
    struct tls_context *context;

    if (stream_output_buffered(link->back) > 0) {
        return error_set(error, ERROR_CONNECTION_ABORTED,
                         "the target did not take the PROXY header");
    }
    context = tls_published_get(plan->client);
    ipaddr_format(&remote->ip, host);
    (void)snprintf(port, sizeof port, "%u", remote->port);
    struct tls_session_spec spec = {
        .context = context,
        .host = remote->name != NULL ? remote->name : host,
        .place = port,
        .handshake_seconds = plan->handshake,
        .allows_truncation = plan->allows_truncation,
    };

    if (!remote->has_host) { /* a socket file */
        spec.host = NULL;
    }
    bool is_done = tls_session_open(link->back, &spec, error);

    tls_context_unref(context);
    return is_done;
}

static void connected(void *arg, const struct error *error)
{
    struct link *link = arg;
    struct error why;

    if (error != NULL) {
        lose_target(link, error);
        return;
    }
    stream_open(link->back);
    send_header(link);
    if (link->tunnel->plan.client == NULL) {
        join(link);
    } else if (open_session(link, &why)) {
        sock_run_later(link->back);
    } else {
        lose_target(link, &why);
    }
}

/* Until it is connected it is ended by what goes on beside the sock; then it is the
 * handshake that waits here. */
static enum op_result back_advance(struct op *op, struct error *error)
{
    struct link *link = link_of_back(op);
    struct opening *opening = link->opening;
    struct transport_fault fault;

    (void)error;
    if (opening->dial != NULL || op->sock->fd < 0 || !tls_session_is_on(op->sock) ||
        opening->back_error.id != ERROR_NONE) {
        return OP_WAIT;
    }
    enum transport_result result = tls_session_handshake(op->sock, &fault);

    if (result == TRANSPORT_AGAIN) {
        return OP_WAIT;
    }
    if (result != TRANSPORT_OK) {
        tls_session_explain(op->sock, &fault, "handshake", &opening->back_error);
    }
    later_ask(&opening->later, op->sock->loop, shaken, link);
    return OP_WAIT;
}

/* Somebody has ended the attempt from outside. */
static void back_done(struct op *op, const struct error *error)
{
    if (error != NULL) {
        fail(link_of_back(op), error);
    }
}

static void try_target(struct link *link)
{
    const struct tunnel_plan *plan = &link->tunnel->plan;
    struct opening *opening = link->opening;
    const struct dial_plan *target = &plan->targets[opening->target];
    struct sock_spec spec = {
        .type = SOCK_TYPE_STREAM,
        .family = target->path != NULL ? SOCK_FAMILY_FILE : SOCK_FAMILY_INTERNET,
        .connect = SOCK_CONNECT_ACTIVE,
        .format = SOCK_FORMAT_BIVALENT,
        .owner = plan->owner,
        .name = plan->name,
    };
    struct error error;

    tunnel_note_target(link->note, opening->target);
    link->back = sock_new(&spec, &error);
    if (link->back == NULL) {
        count(&link->tunnel->counts.n_refused, 1);
        fail(link, &error);
        return;
    }
    opening->back.name = "make-tunnel";
    opening->back.advance = back_advance;
    opening->back.done = back_done;
    sock_start(link->back, &opening->back, OP_OUTPUT, -1);
    dial_start(&opening->dial, link->back, target, connected, link);
}

/* ---- The front ---- */

static void note_refused(struct link *link, const struct error *error)
{
    char name[64];

    count(&link->tunnel->counts.n_refused, 1);
    LOG_RATED(LOG_NET, LOG_LEVEL_INFO,
              "A connection to a tunnel is refused: %s tunnel=%lld name=%s",
              error->message, (long long)link->tunnel->handle,
              log_quote(name, sizeof name, name_of(link->tunnel),
                        strlen(name_of(link->tunnel))));
}

/* From the loop: what it does may end the operation. */
static void go_on(void *arg)
{
    struct link *link = arg;
    struct tunnel *tunnel = link->tunnel;

    timer_stop(&link->opening->limit);
    if (link->opening->who.has_header && !link->opening->who.header.is_unknown) {
        tunnel_note_source(link->note, &link->opening->who.header.source);
    }
    if (tunnel->plan.takes_turns) {
        link->opening->target =
            atomic_fetch_add(&tunnel->n_turns, 1) % tunnel->plan.n_targets;
    }
    try_target(link);
}

static enum op_result front_advance(struct op *op, struct error *error)
{
    struct link *link = link_of_front(op);
    struct opening *opening = link->opening;

    if (tunnel_front_asks(&link->tunnel->plan) && !opening->who.is_known) {
        enum op_result result =
            tunnel_front_advance(&opening->who, &link->tunnel->plan, op->sock, error);
        if (result == OP_DONE) {
            later_ask(&opening->later, op->sock->loop, go_on, link);
            return OP_WAIT;
        }
        if (result == OP_FAILED) {
            note_refused(link, error);
        }
        return result;
    }
    /* It may go while its target is being looked for; what it has sent waits. */
    if (stream_input_failed(op->sock)) {
        error_set(error, ERROR_CONNECTION_RESET, "the client has gone");
        return OP_FAILED;
    }
    return OP_WAIT;
}

static void too_slow(void *arg)
{
    struct link *link = arg;
    struct error error;

    counters_add(loop_counters(loop_self()), COUNTER_TIMEOUTS, 1);
    count(&link->tunnel->counts.n_refused, 1);
    error_set(&error, ERROR_TIMEOUT, "nothing was said in time");
    fail(link, &error);
}

/* ---- The beginning ---- */

static struct sock *make_front(const struct tunnel_plan *plan,
                               const struct listener_accepted *accepted,
                               struct error *error)
{
    struct accepted_plan opening = {
        .owner = plan->owner,
        .family = plan->listen.path != NULL ? SOCK_FAMILY_FILE : SOCK_FAMILY_INTERNET,
        .format = SOCK_FORMAT_BIVALENT,
        .name = plan->name,
    };

    if (plan->listen.path != NULL) {
        (void)snprintf(opening.path, sizeof opening.path, "%s", plan->listen.path);
    }
    struct sock *sock = accepted_open(&opening, accepted, error);

    if (sock != NULL) {
        sock->state = SOCK_STATE_ATTACHED;
    }
    return sock;
}

static void refuse(struct tunnel *tunnel, const struct error *error)
{
    LOG_RATED(LOG_NET, LOG_LEVEL_WARN, "A connection was refused: %s tunnel=%lld",
              error->message, (long long)tunnel->handle);
    count(&tunnel->counts.n_refused, 1);
    atomic_fetch_sub(&tunnel->counts.n_active, 1);
    tunnel_has_room(tunnel);
}

void tunnel_link_start(struct tunnel *tunnel, const struct listener_accepted *accepted,
                       struct tls_choice *choice)
{
    struct error error;
    struct sock *front = make_front(&tunnel->plan, accepted, &error);

    if (front == NULL) {
        refuse(tunnel, &error);
        tls_choice_unref(choice);
        return;
    }
    struct link *link = MEM_NEW(struct link);
    struct opening *opening = MEM_NEW(struct opening);

    link->tunnel = tunnel_ref(tunnel);
    link->front = front;
    link->front_handle = front->handle;
    link->opening = opening;
    link->note = tunnel_note_new(tunnel, front);
    link->place = &links;
    link->next = links;
    if (links != NULL) {
        links->place = &link->next;
    }
    links = link;
    opening->link = link;
    opening->who.choice = choice;
    opening->front.name = "make-tunnel";
    opening->front.advance = front_advance;
    opening->front.done = front_done;
    if (tunnel_front_asks(&tunnel->plan)) {
        timer_start(&opening->limit, front->loop, tunnel->plan.handshake, too_slow, link);
    } else {
        later_ask(&opening->later, front->loop, go_on, link);
    }
    sock_start(front, &opening->front, OP_INPUT, -1);
}

void tunnel_link_end_all(const struct tunnel *tunnel, bool is_abort)
{
    struct link *link = links;

    while (link != NULL) {
        if (link->tunnel != tunnel) {
            link = link->next;
            continue;
        }
        /* It takes the link with it now or, joined, in this round; then it may have been
         * closed a moment ago. */
        struct sock *front = sock_find(loop_self(), link->front_handle);
        link = link->next;
        if (front == NULL) {
            continue;
        }
        if (is_abort) {
            stream_cut(front);
        }
        sock_close(front, is_abort);
    }
}
