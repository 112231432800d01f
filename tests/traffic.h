/* SPDX-License-Identifier: MIT */
/*
 * traffic.h - streams of random bytes through the daemon, both ways at once, every byte
 * checked at the other end.
 *
 * A flow has two descriptors of the test with the daemon between them. Each side sends
 * its bytes in pieces of random sizes, pauses at random while others go on, and ends its
 * direction when it is done; so half-closed streams come by themselves. A flow may be cut
 * instead: one side resets its connection at some byte.
 *
 * Thread: the one that runs the test.
 */
#ifndef SOCKD_TESTS_TRAFFIC_H
#define SOCKD_TESTS_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>

/* How the other side must hear of a cut. */
enum traffic_cut {
    TRAFFIC_WHOLE,     /* there is none */
    TRAFFIC_CUT_HEARD, /* as a reset */
    TRAFFIC_CUT_MUTE,  /* as an end, or a reset: its kind of stream has no sure sign */
};

struct traffic_plan {
    size_t sizes[2]; /* bytes that the first and the second side send */
    enum traffic_cut cut;
    size_t cut_at; /* the first side resets when it has sent so many */
    bool is_slow;  /* the second side reads little and seldom */
    const char
        *name; /* of this kind of flow, for whoever reads of a failure; may be NULL */
};

/* Of random sizes up to `most`, one in four of them empty in one direction. */
struct traffic_plan traffic_random(size_t most);

/* Adds a flow, over connected descriptors, which are closed at its end. */
void traffic_add(int first, int second, const struct traffic_plan *plan);
/* Runs all flows to their ends and checks them. */
void traffic_run(void);
/* The same until those that are not slow are done; the others go on later. */
void traffic_run_fast(void);

#endif
