/* SPDX-License-Identifier: MIT */
/*
 * unit_mailbox.c - mailbox.c: order, one wake-up per batch, exactly one of deliver and
 * drop.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/loop.h"
#include "daemon/base/mailbox.h"
#include "tests/unit.h"

enum { N_SENDERS = 4, N_EACH = 5000 };

struct note {
    struct message message;
    int sender, number;
    struct loop *answer_to; /* ping-pong */
};

/* What became of the notes. Receivers run in one thread per test, dropping in any. */
static int n_delivered, n_misplaced, n_foreign, last_number[N_SENDERS];
static _Atomic int n_dropped;

static void reset(void)
{
    n_delivered = n_misplaced = n_foreign = 0;
    n_dropped = 0;
    for (int i = 0; i < N_SENDERS; i++) {
        last_number[i] = -1;
    }
}

static void count_note(struct message *message, struct loop *loop)
{
    struct note *note = (struct note *)message;

    n_delivered++;
    n_foreign += loop != loop_self();
    n_misplaced += note->number <= last_number[note->sender];
    last_number[note->sender] = note->number;
    free(note);
}

static void count_and_stop(struct message *message, struct loop *loop)
{
    count_note(message, loop);
    if (n_delivered == N_SENDERS * N_EACH) {
        loop_stop(loop);
    }
}

static void drop_note(struct message *message)
{
    n_dropped++;
    free(message);
}

static struct note *new_note(int sender, int number)
{
    struct note *note = MEM_NEW(struct note);

    note->message.deliver = count_note;
    note->message.drop = drop_note;
    note->sender = sender;
    note->number = number;
    return note;
}

static uint64_t read_wakes(struct loop *loop)
{
    uint64_t n = 0;

    if (read(mailbox_fd(loop_mailbox(loop)), &n, sizeof n) != sizeof n) {
        CU_ASSERT_EQUAL(errno, EAGAIN);
    }
    return n;
}

static void test_one_wake_up_per_batch(void)
{
    struct loop *loop = loop_new("test", 0);

    loop_enter(loop);
    CU_ASSERT_EQUAL(read_wakes(loop), 0);
    for (int i = 0; i < 3; i++) {
        mailbox_post(loop, &new_note(0, i)->message);
    }
    CU_ASSERT_EQUAL(read_wakes(loop), 1);
    CU_ASSERT_EQUAL(n_delivered, 0);
    mailbox_deliver(loop_mailbox(loop), loop);
    CU_ASSERT_EQUAL(n_delivered, 3);
    CU_ASSERT_EQUAL(n_misplaced, 0);
    CU_ASSERT_EQUAL(n_foreign, 0);
    mailbox_post(loop, &new_note(0, 3)->message);
    CU_ASSERT_EQUAL(read_wakes(loop), 1);
    mailbox_deliver(loop_mailbox(loop), loop);
    mailbox_deliver(loop_mailbox(loop), loop);
    CU_ASSERT_EQUAL(n_delivered, 4);
    CU_ASSERT_EQUAL(counters_get(loop_counters(loop), COUNTER_MESSAGES), 4);
    CU_ASSERT_EQUAL(n_dropped, 0);
    loop_free(loop);
}

static void post_next(struct message *message, struct loop *loop)
{
    struct note *note = (struct note *)message;

    mailbox_post(loop, &new_note(0, note->number + 1)->message);
    count_note(message, loop);
}

static void test_posted_in_delivery_waits(void)
{
    struct loop *loop = loop_new("test", 0);
    struct note *note = new_note(0, 0);

    loop_enter(loop);
    note->message.deliver = post_next;
    mailbox_post(loop, &note->message);
    CU_ASSERT_EQUAL(read_wakes(loop), 1);
    mailbox_deliver(loop_mailbox(loop), loop);
    CU_ASSERT_EQUAL(n_delivered, 1);
    CU_ASSERT_EQUAL(read_wakes(loop), 1);
    mailbox_deliver(loop_mailbox(loop), loop);
    CU_ASSERT_EQUAL(n_delivered, 2);
    loop_free(loop);
}

static void test_close_drops(void)
{
    struct loop *loop = loop_new("test", 0);

    mailbox_post(loop, &new_note(0, 0)->message);
    mailbox_close(loop_mailbox(loop));
    CU_ASSERT_EQUAL(n_dropped, 0);
    mailbox_post(loop, &new_note(0, 1)->message);
    CU_ASSERT_EQUAL(n_dropped, 1);
    loop_free(loop);
    CU_ASSERT_EQUAL(n_dropped, 2);
    CU_ASSERT_EQUAL(n_delivered, 0);
}

struct sender {
    pthread_t thread;
    int number;
    struct loop *to;
    void (*deliver)(struct message *message, struct loop *loop);
};

static void *send_notes(void *arg)
{
    const struct sender *sender = arg;

    for (int i = 0; i < N_EACH; i++) {
        struct note *note = new_note(sender->number, i);
        note->message.deliver = sender->deliver;
        mailbox_post(sender->to, &note->message);
    }
    return NULL;
}

static void start_senders(struct sender *senders, struct loop *to,
                          void (*deliver)(struct message *message, struct loop *loop))
{
    for (int i = 0; i < N_SENDERS; i++) {
        senders[i] = (struct sender){.number = i, .to = to, .deliver = deliver};
        CU_ASSERT_FATAL(
            pthread_create(&senders[i].thread, NULL, send_notes, &senders[i]) == 0);
    }
}

static void join_senders(const struct sender *senders)
{
    for (int i = 0; i < N_SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
    }
}

static void test_order_of_several_senders(void)
{
    struct loop *loop = loop_new("test", 0);
    struct sender senders[N_SENDERS];

    start_senders(senders, loop, count_and_stop);
    loop_run(loop); /* ends with the last note: no wake-up may get lost */
    join_senders(senders);
    CU_ASSERT_EQUAL(n_delivered, N_SENDERS * N_EACH);
    CU_ASSERT_EQUAL(n_misplaced, 0);
    CU_ASSERT_EQUAL(n_foreign, 0);
    CU_ASSERT_EQUAL(n_dropped, 0);
    loop_free(loop);
}

static void close_in_the_midst(struct message *message, struct loop *loop)
{
    count_note(message, loop);
    if (n_delivered == N_EACH) {
        mailbox_close(loop_mailbox(loop));
        loop_stop(loop);
    }
}

static void test_exactly_one_end_each(void)
{
    struct loop *loop = loop_new("test", 0);
    struct sender senders[N_SENDERS];

    start_senders(senders, loop, close_in_the_midst);
    loop_run(loop);
    join_senders(senders);
    loop_free(loop);
    CU_ASSERT(n_delivered >= N_EACH);
    CU_ASSERT_EQUAL(n_delivered + n_dropped, N_SENDERS * N_EACH);
    CU_ASSERT_EQUAL(n_misplaced, 0);
}

static void stop_at_once(struct message *message, struct loop *loop)
{
    count_note(message, loop);
    loop_stop(loop);
}

/* What stands behind the end of a thread in one batch comes too late: what it would begin
 * nobody would end. */
static void test_stop_drops_the_rest(void)
{
    struct loop *loop = loop_new("test", 0);
    struct note *last = new_note(0, 1);

    loop_enter(loop);
    last->message.deliver = stop_at_once;
    mailbox_post(loop, &new_note(0, 0)->message);
    mailbox_post(loop, &last->message);
    mailbox_post(loop, &new_note(0, 2)->message);
    mailbox_post(loop, &new_note(0, 3)->message);
    mailbox_deliver(loop_mailbox(loop), loop);
    CU_ASSERT_EQUAL(n_delivered, 2);
    CU_ASSERT_EQUAL(n_dropped, 2);
    loop_free(loop);
}

enum { N_PINGS = 5000 };

static void *run_loop(void *arg)
{
    loop_run(arg);
    return NULL;
}

static void stop_there(struct message *message, struct loop *loop)
{
    free(message);
    loop_stop(loop);
}

/* One note goes to and fro, so at each post the receiver sleeps or is about to. */
static void bounce(struct message *message, struct loop *loop)
{
    struct note *note = (struct note *)message;
    struct loop *to = note->answer_to;

    note->number++;
    if (note->number < N_PINGS) {
        note->answer_to = loop;
        mailbox_post(to, message);
        return;
    }
    note->message.deliver = stop_there;
    mailbox_post(to, message);
    loop_stop(loop);
}

static void test_ping_pong(void)
{
    struct loop *near = loop_new("near", 0), *far = loop_new("far", 1);
    struct note *note = new_note(0, 0);
    pthread_t thread;

    note->message.deliver = bounce;
    note->answer_to = near;
    CU_ASSERT_FATAL(pthread_create(&thread, NULL, run_loop, far) == 0);
    mailbox_post(far, &note->message);
    loop_run(near);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(counters_get(loop_counters(near), COUNTER_MESSAGES) +
                        counters_get(loop_counters(far), COUNTER_MESSAGES),
                    N_PINGS + 1);
    CU_ASSERT_EQUAL(n_dropped, 0);
    loop_free(near);
    loop_free(far);
}

static const struct unit_test tests[] = {
    {"one wake-up per batch", test_one_wake_up_per_batch},
    {"what is posted in a delivery waits for the next batch",
     test_posted_in_delivery_waits},
    {"a closed mailbox drops", test_close_drops},
    {"order holds for each of several senders", test_order_of_several_senders},
    {"each message is delivered or dropped once", test_exactly_one_end_each},
    {"what follows a stop is dropped", test_stop_drops_the_rest},
    {"two loops play ping-pong", test_ping_pong},
};

UNIT_MAIN_AROUND(tests, reset, NULL)
