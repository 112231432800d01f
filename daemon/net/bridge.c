/* SPDX-License-Identifier: MIT */
/*
 * bridge.c - joins two streams: runs the two ways between them, and ends them together.
 *
 * Called by cmd_relay.c, tunnel_link.c and stream.c; calls relay.c and the raw functions
 * of stream.c. Thread: the home of both socks.
 *
 * As an attachment does it, a bridge holds all queues of its socks with an operation
 * each. So it is run by their readiness, and interrupt and close reach it like any other
 * operation. What they call may not end the sock, therefore the bridge ends in a deferred
 * call - or in bridge_drop(), when a sock goes first; the other one then follows in the
 * deferred call.
 */
#include <config.h>
#include "daemon/net/bridge.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/net/relay.h"
#include "daemon/net/stream.h"

/* Seconds between looks at whether a stream that is to be cut has delivered its bytes: no
 * event tells. */
#define LOOK_FIRST 0.002
#define LOOK_LAST 0.25

enum { DISCARD_BUDGET = 16 }; /* pieces at once, before others have their turn */

struct bridge;

struct side {
    struct relay_end end; /* first: the relay hands this back */
    struct bridge *bridge;
    struct sock *sock;       /* NULL: it has gone */
    struct op input, output; /* our places in its queues */
    bool is_cut;             /* it ends without a farewell */
};

/* Owner: itself; both streams point to it. */
struct bridge {
    struct side sides[2];
    struct relay_way ways[2]; /* ways[i] begins at sides[i] */
    struct bridge_rules rules;
    struct later ending;
    struct timer *timer; /* nothing moves, or a stream that is cut delivers; NULL: off */
    uint64_t moved_ms;   /* when something moved last */
    double look;         /* seconds until the next look */
    uint64_t cut_ms;     /* when it was cut; 0: not yet */
    enum bridge_end end;
    bool is_ending, was_told;
    bridge_over *over;
    void *arg;
};

static void end_bridge(void *arg);

const char *bridge_end_name(enum bridge_end end)
{
    static const char *const names[] = {
        [BRIDGE_END_CLEAN] = "clean",   [BRIDGE_END_CUT] = "cut",
        [BRIDGE_END_IDLE] = "idle",     [BRIDGE_END_INTERRUPTED] = "interrupted",
        [BRIDGE_END_CLOSED] = "closed",
    };
    return names[end];
}

/* ---- The ends of the ways ---- */

static struct side *side_of(struct relay_end *end) { return (struct side *)(void *)end; }

static struct side *other_side(struct side *side)
{
    return &side->bridge->sides[side == side->bridge->sides];
}

/* Errors stay with the sock, for describe-socket. */

static enum transport_result side_receive(struct relay_end *end, void *bytes, size_t size,
                                          size_t *n)
{
    struct error error;

    return stream_receive(side_of(end)->sock, bytes, size, n, &error);
}

static enum transport_result side_send(struct relay_end *end, const void *bytes,
                                       size_t size, size_t *n)
{
    struct error error;

    return stream_send(side_of(end)->sock, bytes, size, n, &error);
}

static void side_finish(struct relay_end *end, enum transport_result ended)
{
    struct side *side = side_of(end);

    if (ended == TRANSPORT_END && !side->is_cut) {
        stream_shutdown(side->sock, OP_OUTPUT);
    } else {
        side->is_cut = true;
    }
}

/* What this side sends has nowhere to go any more, so it cannot end well. */
static void side_refuse(struct relay_end *end) { side_of(end)->is_cut = true; }

static bool side_has_pipes(const struct relay_end *end)
{
    return stream_has_pipes(((const struct side *)(const void *)end)->sock);
}

static enum transport_result side_receive_pipe(struct relay_end *end, int pipe,
                                               size_t size, bool looks_first, size_t *n)
{
    struct error error;

    return stream_receive_pipe(side_of(end)->sock, pipe, size, looks_first, n, &error);
}

static enum transport_result side_send_pipe(struct relay_end *end, int pipe, size_t size,
                                            size_t *n)
{
    struct error error;

    return stream_send_pipe(side_of(end)->sock, pipe, size, n, &error);
}

static const struct relay_end_kind side_kind = {
    .name = "socket",
    .receive = side_receive,
    .send = side_send,
    .finish = side_finish,
    .refuse = side_refuse,
    .has_pipes = side_has_pipes,
    .receive_pipe = side_receive_pipe,
    .send_pipe = side_send_pipe,
};

/* Does what comes by this way have nowhere to go, for good? An interrupt might want it
 * back. */
static bool is_refused(const struct bridge *bridge, const struct relay_way *way)
{
    return way->ended == TRANSPORT_OK &&
           (bridge->is_ending ? bridge->end == BRIDGE_END_CUT
                              : way->is_broken && !bridge->rules.is_kept);
}

/* Receives it and forgets it. Left where it is it would stop its sender, and many a
 * sender does not read what there is for it before it has sent: each would wait for the
 * other. */
static void discard(struct bridge *bridge, struct relay_way *way)
{
    struct side *side = side_of(way->from);
    enum transport_result result = TRANSPORT_OK;
    size_t n;

    if (side->sock == NULL || !is_refused(bridge, way)) {
        return;
    }
    for (unsigned i = 0; i < DISCARD_BUDGET && result == TRANSPORT_OK; i++) {
        result = side_receive(way->from, stream_scratch(), STREAM_PIECE, &n);
    }
    if (result == TRANSPORT_OK) {
        sock_run_later(side->sock);
    } else if (result != TRANSPORT_AGAIN) {
        way->ended = result;
    }
}

/* ---- The end ---- */

static void tell_over(struct bridge *bridge, struct loop *loop)
{
    struct bridge_report report = {
        .end = bridge->end,
        .n_moved = {bridge->ways[0].n_moved, bridge->ways[1].n_moved},
    };

    if (!bridge->was_told) {
        bridge->was_told = true;
        counters_add(loop_counters(loop), COUNTER_BYTES_RELAYED,
                     report.n_moved[0] + report.n_moved[1]);
        if (bridge->end != BRIDGE_END_CLEAN) {
            counters_add(loop_counters(loop), COUNTER_RELAYS_CUT, 1);
        }
        bridge->over(bridge->arg, &report);
    }
}

/* Leaves the sock free of the bridge. */
static struct sock *leave(struct side *side)
{
    struct sock *sock = side->sock;

    if (sock != NULL) {
        side->sock = NULL;
        sock->as.stream->bridge = NULL;
        op_end(&side->input, NULL);
        op_end(&side->output, NULL);
        if (sock->state == SOCK_STATE_ATTACHED) {
            sock->state = SOCK_STATE_OPEN;
        }
    }
    return sock;
}

static void free_bridge(struct bridge *bridge, struct loop *loop)
{
    later_drop(&bridge->ending);
    timer_end(&bridge->timer);
    for (unsigned i = 0; i < 2; i++) {
        relay_fini(&bridge->ways[i]);
    }
    tell_over(bridge, loop);
    free(bridge);
}

/* Whoever received the bytes that are on their way gets them back. */
static void give_back(struct bridge *bridge)
{
    for (unsigned i = 0; i < 2; i++) {
        struct relay_way *way = &bridge->ways[i];
        relay_collect(way);
        if (way->buffer.size > 0 && bridge->sides[i].sock != NULL) {
            stream_unread(bridge->sides[i].sock, buffer_bytes(&way->buffer),
                          way->buffer.size);
        }
        buffer_fini(&way->buffer);
    }
}

static void close_side(struct side *side)
{
    bool is_cut = side->is_cut;
    struct sock *sock = leave(side);

    if (sock == NULL) {
        return;
    }
    if (is_cut) {
        stream_cut(sock);
    }
    sock_close(sock, is_cut);
}

/* Reset meanwhile: what the kernel counts as not acknowledged then stays so for ever. */
static bool is_reset(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
           info.tcpi_state == TCP_CLOSE;
}

static bool has_delivered(const struct side *side)
{
    const struct sock *sock = side->sock;
    int n_queued = 0;

    if (sock == NULL || !side->is_cut || sock->fd < 0 || stream_output_failed(sock)) {
        return true;
    }
    if (stream_output_buffered(sock) > 0) {
        return false;
    }
    /* A reset takes with it what the peer has not acknowledged. */
    return sock->family != SOCK_FAMILY_INTERNET ||
           ioctl(sock->fd, SIOCOUTQ, &n_queued) < 0 || n_queued == 0 ||
           is_reset(sock->fd);
}

/* False: a side that is to be cut has bytes on their way. When nothing has moved for too
 * long, nothing will. */
static bool is_delivered(struct bridge *bridge)
{
    struct loop *loop = loop_self();
    uint64_t now = loop_now_ms(loop);

    if (bridge->end != BRIDGE_END_CUT) {
        return true;
    }
    if (has_delivered(&bridge->sides[0]) && has_delivered(&bridge->sides[1])) {
        return true;
    }
    if (bridge->cut_ms == 0) {
        bridge->cut_ms = now;
        bridge->look = LOOK_FIRST;
    } else if ((double)(now - bridge->cut_ms) >= sock_close_timeout() * 1000) {
        return true;
    }
    timer_begin(&bridge->timer, loop, bridge->look, end_bridge, bridge);
    bridge->look = bridge->look * 2 < LOOK_LAST ? bridge->look * 2 : LOOK_LAST;
    return false;
}

static void end_bridge(void *arg)
{
    struct bridge *bridge = arg;
    bool is_kept = bridge->end == BRIDGE_END_INTERRUPTED && bridge->rules.is_kept;

    if (is_kept) {
        give_back(bridge);
        (void)leave(&bridge->sides[0]);
        (void)leave(&bridge->sides[1]);
    } else {
        tell_over(bridge, loop_self());
        if (!is_delivered(bridge)) {
            discard(bridge, &bridge->ways[0]);
            discard(bridge, &bridge->ways[1]);
            return;
        }
        for (unsigned i = 0; i < 2; i++) {
            close_side(&bridge->sides[i]);
        }
    }
    free_bridge(bridge, loop_self());
}

static void ask_end(struct bridge *bridge, enum bridge_end end)
{
    if (bridge->is_ending) {
        return;
    }
    bridge->is_ending = true;
    bridge->end = end;
    timer_end(&bridge->timer);
    if (end != BRIDGE_END_CLEAN && end != BRIDGE_END_CLOSED) {
        bridge->sides[0].is_cut = bridge->sides[1].is_cut = true;
    }
    later_ask(&bridge->ending, loop_self(), end_bridge, bridge);
}

/* What was received from one side goes to the other, as far as that takes anything. */
static void deliver(struct bridge *bridge, unsigned i)
{
    struct relay_way *way = &bridge->ways[i];
    struct sock *to = bridge->sides[1 - i].sock;

    relay_collect(way);
    if (!to->as.stream->is_output_ending && !stream_output_failed(to)) {
        way->n_moved += way->buffer.size;
        stream_push(to, buffer_bytes(&way->buffer), way->buffer.size);
    }
    buffer_fini(&way->buffer);
}

void bridge_drop(struct sock *sock, bool is_abort)
{
    struct bridge *bridge = sock->as.stream->bridge;

    if (bridge == NULL) {
        return;
    }
    struct side *side = &bridge->sides[bridge->sides[1].sock == sock];
    struct side *other = other_side(side);

    if (!bridge->is_ending) {
        /* The last that is done for the two of them: what was received is delivered. */
        for (unsigned i = 0; i < 2 && other->sock != NULL && !is_abort; i++) {
            deliver(bridge, i);
        }
        /* A cut that is known does not become a clean end by an orderly close. */
        ask_end(bridge, other->is_cut && !is_abort ? BRIDGE_END_CUT : BRIDGE_END_CLOSED);
        other->is_cut = other->is_cut || is_abort;
    }
    (void)leave(side);
    if (other->sock == NULL) {
        free_bridge(bridge, sock->loop);
    }
}

/* ---- Time-outs ---- */

static bool is_half_closed(const struct bridge *bridge)
{
    return bridge->ways[0].state == RELAY_OVER || bridge->ways[1].state == RELAY_OVER;
}

static double time_limit(const struct bridge *bridge)
{
    return is_half_closed(bridge) && bridge->rules.half_closed > 0
               ? bridge->rules.half_closed
               : bridge->rules.idle;
}

static void watch_time(void *arg)
{
    struct bridge *bridge = arg;
    double limit = time_limit(bridge);
    double idle = (double)(loop_now_ms(loop_self()) - bridge->moved_ms) / 1000;

    if (limit <= 0 || bridge->is_ending) {
        return;
    }
    if (idle < limit) {
        timer_begin(&bridge->timer, loop_self(), limit - idle, watch_time, bridge);
    } else {
        counters_add(loop_counters(loop_self()), COUNTER_TIMEOUTS, 1);
        ask_end(bridge, BRIDGE_END_IDLE);
    }
}

/* ---- Running ---- */

static bool is_cut_off(const struct relay_way *way)
{
    return way->state == RELAY_OVER && way->ended != TRANSPORT_OK &&
           way->ended != TRANSPORT_END;
}

static void judge(struct bridge *bridge)
{
    const struct relay_way *ways = bridge->ways;

    if (is_cut_off(&ways[0]) || is_cut_off(&ways[1])) {
        ask_end(bridge, BRIDGE_END_CUT);
    } else if (ways[0].state == RELAY_OVER && ways[1].state == RELAY_OVER) {
        ask_end(bridge, ways[0].is_broken || ways[1].is_broken ? BRIDGE_END_CUT
                                                               : BRIDGE_END_CLEAN);
    }
}

/* Nothing is received any more from the side that this way leads to, and it may be that
 * nothing is sent: then only this look shows that it has gone. */
static bool has_gone(const struct bridge *bridge, const struct relay_way *way)
{
    const struct relay_way *back = &bridge->ways[way == bridge->ways];

    return way->state == RELAY_OPEN && back->state == RELAY_OVER &&
           stream_output_failed(side_of(way->to)->sock);
}

static enum op_result run_way(struct bridge *bridge, struct relay_way *way,
                              struct sock *sock)
{
    if (bridge->is_ending || way->state == RELAY_OVER) {
        discard(bridge, way);
        judge(bridge);
        return OP_WAIT;
    }
    uint64_t n_moved = way->n_moved;

    if (relay_run(way)) {
        sock_run_later(sock);
    } else if (has_gone(bridge, way)) {
        relay_break(way);
    }
    if (way->n_moved != n_moved) {
        bridge->moved_ms = loop_now_ms(sock->loop);
    }
    if (way->state == RELAY_OVER) {
        bridge->moved_ms = loop_now_ms(sock->loop);
        watch_time(bridge);
        discard(bridge, way);
        judge(bridge);
    }
    return OP_WAIT;
}

static enum op_result advance_input(struct op *op, struct error *error)
{
    struct bridge *bridge = op->sock->as.stream->bridge;

    (void)error;
    return run_way(bridge, &bridge->ways[op->sock == bridge->sides[1].sock], op->sock);
}

static enum op_result advance_output(struct op *op, struct error *error)
{
    struct bridge *bridge = op->sock->as.stream->bridge;

    (void)error;
    return run_way(bridge, &bridge->ways[op->sock != bridge->sides[1].sock], op->sock);
}

static void interrupted(struct side *side, const struct error *error)
{
    if (error != NULL && error->id != ERROR_SOCKET_CLOSED) {
        ask_end(side->bridge, BRIDGE_END_INTERRUPTED);
    } /* else bridge_drop() follows, or has come before */
}

static void input_done(struct op *op, const struct error *error)
{
    interrupted((struct side *)(void *)((char *)op - offsetof(struct side, input)),
                error);
}

static void output_done(struct op *op, const struct error *error)
{
    interrupted((struct side *)(void *)((char *)op - offsetof(struct side, output)),
                error);
}

/* ---- The beginning ---- */

static void init_side(struct bridge *bridge, unsigned i, struct sock *sock)
{
    struct side *side = &bridge->sides[i];

    side->end.kind = &side_kind;
    side->bridge = bridge;
    side->sock = sock;
    side->input.name = side->output.name = "relay";
    side->input.advance = advance_input;
    side->output.advance = advance_output;
    side->input.done = input_done;
    side->output.done = output_done;
    bridge->ways[i].from = bridge->ways[1 - i].to = &side->end;
    /* Its end was sent before: nothing can follow, and so nothing is received for it. */
    if (sock->as.stream->is_output_ending) {
        bridge->ways[1 - i].state = RELAY_OVER;
    }
    sock->as.stream->bridge = bridge;
    sock->state = SOCK_STATE_ATTACHED;
}

void bridge_start(struct sock *first, struct sock *second,
                  const struct bridge_rules *rules, bridge_over *over, void *arg)
{
    struct bridge *bridge = MEM_NEW(struct bridge);
    struct sock *socks[2] = {first, second};
    struct error error;

    CHECK_HOME(first);
    CHECK(first != second && second->loop == first->loop);
    bridge->rules = *rules;
    bridge->over = over;
    bridge->arg = arg;
    bridge->moved_ms = loop_now_ms(first->loop);
    init_side(bridge, 0, first);
    init_side(bridge, 1, second);
    counters_add(loop_counters(first->loop), COUNTER_RELAYS, 1);
    /* Held back output was written before: it goes first. Its failure shows soon. */
    for (unsigned i = 0; i < 2; i++) {
        if (!socks[i]->as.stream->is_output_ending) {
            (void)stream_force(socks[i], &error);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        sock_start(socks[i], &bridge->sides[i].input, OP_INPUT, -1);
        sock_start(socks[i], &bridge->sides[i].output, OP_OUTPUT, -1);
    }
    judge(bridge);
    watch_time(bridge);
}

struct sock *bridge_other(const struct sock *sock)
{
    const struct bridge *bridge = sock->as.stream->bridge;

    return bridge == NULL ? NULL : bridge->sides[bridge->sides[0].sock == sock].sock;
}
