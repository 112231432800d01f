/* SPDX-License-Identifier: MIT */
/*
 * traffic.c - runs many flows at once with poll().
 *
 * What is sent is a sequence of pseudo-random numbers, so the receiver knows each byte
 * from the seed alone. Place: system tests call it. Thread: that of the test.
 */
#include <config.h>
#include "tests/traffic.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"

enum {
    PIECE = 96 * 1024,
    SLOW_PIECE = 256,
    ROUND_MS = 1, /* pauses are counted in rounds, also when nobody else is left */
};

/* Bytes in order; a byte depends on its place and the seed alone. */
struct sequence {
    uint64_t seed;
    size_t at;
};

struct flow;

struct flow_side {
    struct flow *flow;
    int fd; /* -1: done */
    size_t size;
    struct sequence sent, received;
    bool has_end;
    bool is_reset;     /* a send has heard it; the next receive then tells an end */
    unsigned n_pauses; /* rounds to sit out */
};

struct flow {
    struct flow_side sides[2];
    struct traffic_plan plan;
};

static struct {
    struct flow **flows;
    size_t n, room;
    struct pollfd *polled;
    struct flow_side **sides;
} traffic;

static uint64_t word_at(const struct sequence *sequence, size_t index)
{
    uint64_t x = sequence->seed + (index + 1) * UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static void produce(const struct sequence *sequence, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t at = sequence->at + i;
        uint64_t word = word_at(sequence, at / 8);
        for (unsigned k = at % 8; k < 8 && i < size; k++) {
            bytes[i++] = (uint8_t)(word >> 8 * k);
        }
    }
}

static void drop_all(void)
{
    for (size_t i = 0; i < traffic.n; i++) {
        free(traffic.flows[i]);
    }
    free(traffic.flows);
    free(traffic.polled);
    free(traffic.sides);
    memset(&traffic, 0, sizeof traffic);
}

struct traffic_plan traffic_random(size_t most)
{
    struct traffic_plan plan = {0};

    for (unsigned i = 0; i < 2; i++) {
        /* Small ones as often as large ones. */
        size_t bound = most >> harness_random() % 16;
        plan.sizes[i] = (size_t)(harness_random() % (bound + 1));
    }
    if (harness_random() % 4 == 0) {
        plan.sizes[harness_random() % 2] = 0;
    }
    return plan;
}

void traffic_add(int first, int second, const struct traffic_plan *plan)
{
    struct flow *flow = calloc(1, sizeof *flow);
    uint64_t seeds[2] = {harness_random(), harness_random()};
    int fds[2] = {first, second};

    unit_after_each(drop_all);
    if (traffic.n == traffic.room) {
        traffic.room = traffic.room > 0 ? traffic.room * 2 : 64;
        traffic.flows = realloc(traffic.flows, traffic.room * sizeof *traffic.flows);
        traffic.polled =
            realloc(traffic.polled, 2 * traffic.room * sizeof *traffic.polled);
        traffic.sides = realloc(traffic.sides, 2 * traffic.room * sizeof *traffic.sides);
    }
    if (flow == NULL || traffic.flows == NULL || traffic.polled == NULL ||
        traffic.sides == NULL) {
        unit_bail_out("out of memory");
    }
    flow->plan = *plan;
    for (unsigned i = 0; i < 2; i++) {
        flow->sides[i] = (struct flow_side){
            .flow = flow,
            .fd = fds[i],
            .size = plan->sizes[i],
            .sent = {.seed = seeds[i]},
            .received = {.seed = seeds[1 - i]},
        };
    }
    traffic.flows[traffic.n++] = flow;
}

/* ---- One side ---- */

static bool is_first(const struct flow_side *side)
{
    return side == &side->flow->sides[0];
}

static const struct flow_side *other(const struct flow_side *side)
{
    return &side->flow->sides[is_first(side)];
}

static bool is_slow(const struct flow_side *side)
{
    return side->flow->plan.is_slow && !is_first(side);
}

static void finish(struct flow_side *side)
{
    peer_close(side->fd);
    side->fd = -1;
}

static void end_output(struct flow_side *side)
{
    if (side->sent.at == side->size) {
        /* ENOTCONN: the other side has gone, which shows when it is read from. */
        CU_ASSERT_TRUE(shutdown(side->fd, SHUT_WR) == 0 || errno == ENOTCONN);
        side->size = SIZE_MAX;
    }
}

static void send_some(struct flow_side *side)
{
    static uint8_t bytes[PIECE];
    const struct traffic_plan *plan = &side->flow->plan;
    size_t size = (size_t)(harness_random() % PIECE) >> harness_random() % 8;

    size = size > 0 ? size : 1;
    if (is_first(side) && plan->cut != TRAFFIC_WHOLE) {
        size = size < plan->cut_at - side->sent.at ? size : plan->cut_at - side->sent.at;
        if (size == 0) {
            peer_abort(side->fd);
            side->fd = -1;
            return;
        }
    }
    size = size < side->size - side->sent.at ? size : side->size - side->sent.at;
    produce(&side->sent, bytes, size);
    ssize_t n = send(side->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
        side->sent.at += (size_t)n;
        end_output(side);
    } else if (errno != EAGAIN) {
        /* The other side was cut; only then nobody may be there. */
        CU_ASSERT_TRUE(plan->cut != TRAFFIC_WHOLE);
        side->is_reset = errno == ECONNRESET;
        side->size = SIZE_MAX;
    }
}

static void hear_end(struct flow_side *side, bool is_reset)
{
    const struct traffic_plan *plan = &side->flow->plan;

    size_t size = side->received.at;
    bool is_good;

    if (plan->cut == TRAFFIC_WHOLE || is_first(side)) {
        is_good = !is_reset && size == plan->sizes[is_first(side)];
    } else {
        is_good = other(side)->fd == -1 && size <= plan->cut_at &&
                  (is_reset || plan->cut == TRAFFIC_CUT_MUTE);
    }
    if (!is_good) {
        UNIT_FAIL("%s: %s after %zu bytes, not as planned: sizes %zu and %zu, cut %d at "
                  "%zu, %s side",
                  plan->name != NULL ? plan->name : "a flow",
                  is_reset ? "a reset" : "an end", size, plan->sizes[0], plan->sizes[1],
                  (int)plan->cut, plan->cut_at, is_first(side) ? "first" : "second");
    }
    side->has_end = true;
}

static void receive_some(struct flow_side *side)
{
    static uint8_t bytes[PIECE], expected[PIECE];
    size_t room = is_slow(side) ? SLOW_PIECE : 1 + (size_t)(harness_random() % PIECE);
    ssize_t n = recv(side->fd, bytes, room, MSG_DONTWAIT);

    if (n > 0) {
        produce(&side->received, expected, (size_t)n);
        if (memcmp(bytes, expected, (size_t)n) != 0) {
            UNIT_FAIL_NOW("%s: other bytes than were sent, near byte %zu",
                          side->flow->plan.name != NULL ? side->flow->plan.name
                                                        : "a flow",
                          side->received.at);
        }
        side->received.at += (size_t)n;
    } else if (n == 0 || errno != EAGAIN) {
        CU_ASSERT_TRUE(n == 0 || errno == ECONNRESET);
        hear_end(side, n < 0 || side->is_reset);
    }
}

/* ---- All of them ---- */

static short wanted(const struct flow_side *side)
{
    return (short)((side->has_end ? 0 : POLLIN) | (side->size != SIZE_MAX ? POLLOUT : 0));
}

/* Those that do not pause in this round. True: some side is not done, pausing or not. */
static bool gather(size_t *n_polled, bool only_fast)
{
    bool has_more = false;

    *n_polled = 0;
    for (size_t i = 0; i < traffic.n; i++) {
        for (unsigned k = 0; k < 2; k++) {
            struct flow_side *side = &traffic.flows[i]->sides[k];
            if (side->fd < 0) {
                continue;
            }
            has_more = has_more || !(only_fast && side->flow->plan.is_slow);
            if (side->n_pauses > 0) {
                side->n_pauses--;
                continue;
            }
            traffic.polled[*n_polled] =
                (struct pollfd){.fd = side->fd, .events = wanted(side)};
            traffic.sides[(*n_polled)++] = side;
        }
    }
    return has_more;
}

static void serve(struct flow_side *side, short what)
{
    if (side->size == side->sent.at) {
        end_output(side);
    } else if ((what & (POLLOUT | POLLERR)) != 0 && side->size != SIZE_MAX) {
        send_some(side);
    }
    if (side->fd >= 0 && (what & (POLLIN | POLLHUP | POLLERR)) != 0 && !side->has_end) {
        receive_some(side);
    }
    bool is_cut = side->flow->plan.cut != TRAFFIC_WHOLE && !is_first(side);

    if (side->fd >= 0 && side->has_end && (side->size == SIZE_MAX || is_cut)) {
        finish(side);
    }
    if (harness_random() % 16 == 0) {
        side->n_pauses = (unsigned)(harness_random() % 8);
    }
    if (is_slow(side)) {
        side->n_pauses += 8;
    }
}

static void run(bool only_fast)
{
    int64_t deadline = harness_now_ms() + HARNESS_WAIT_MS;
    size_t n_polled;

    while (gather(&n_polled, only_fast)) {
        int n = poll(traffic.polled, n_polled, ROUND_MS);
        CU_ASSERT_TRUE_FATAL(n >= 0);
        for (size_t i = 0; i < n_polled; i++) {
            if (traffic.polled[i].revents != 0 && traffic.sides[i]->fd >= 0) {
                serve(traffic.sides[i], traffic.polled[i].revents);
                deadline = harness_now_ms() + HARNESS_WAIT_MS;
            }
        }
        if (harness_now_ms() > deadline) {
            UNIT_FAIL_NOW("nothing moves any more");
        }
    }
}

void traffic_run(void)
{
    run(false);
    drop_all();
}

void traffic_run_fast(void) { run(true); }
