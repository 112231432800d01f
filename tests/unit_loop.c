/* SPDX-License-Identifier: MIT */
/*
 * unit_loop.c - loop.c: descriptors by edge and level, timers, deferred calls, signals,
 * time.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/handle.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "tests/unit.h"

static struct loop *loop;
static int ends[2]; /* a connected pair; the tests watch ends[0] */

static void before(void)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        unit_bail_out("socketpair: %s", strerror(errno));
    }
    loop = loop_new("test", 2);
}

static void after(void)
{
    loop_free(loop);
    close(ends[0]);
    close(ends[1]);
}

/* Stops the loop after some more rounds, in each of which all descriptors are asked. */
struct countdown {
    struct later later;
    int n_rounds;
};

static void count_down(void *arg)
{
    struct countdown *countdown = arg;

    if (--countdown->n_rounds > 0) {
        later_ask(&countdown->later, loop, count_down, countdown);
    } else {
        loop_stop(loop);
    }
}

static void run_rounds(int n_rounds)
{
    struct countdown countdown = {.n_rounds = n_rounds};

    later_ask(&countdown.later, loop, count_down, &countdown);
    loop_run(loop);
}

static void test_identity(void)
{
    struct loop *main_loop = loop_new("main", LOOP_MAIN);
    int data = 0;

    CU_ASSERT_PTR_NULL(loop_self());
    CU_ASSERT_STRING_EQUAL(loop_name(loop), "test");
    CU_ASSERT_EQUAL(loop_number(loop), 2);
    CU_ASSERT_EQUAL(loop_number(main_loop), LOOP_MAIN);
    loop_set_data(loop, &data);
    CU_ASSERT_PTR_EQUAL(loop_data(loop), &data);
    CU_ASSERT_EQUAL(handle_add(loop_handles(loop), HANDLE_SOCK, &data), 66);
    loop_enter(loop);
    CU_ASSERT_PTR_EQUAL(loop_self(), loop);
    loop_enter(main_loop);
    CU_ASSERT_PTR_EQUAL(loop_self(), main_loop);
    loop_stop(main_loop);
    loop_run(main_loop); /* stopped before: returns at once */
    loop_free(main_loop);
    CU_ASSERT_PTR_NULL(loop_self());
    loop_free(NULL);
}

static void test_registry(void)
{
    struct loop *loops[3] = {loop_new("w0", 0), loop_new("w1", 1),
                             loop_new("m", LOOP_MAIN)};

    CU_ASSERT_EQUAL(loop_n_workers(), 0);
    CU_ASSERT_PTR_NULL(loop_of_worker(0));
    for (int i = 0; i < 3; i++) {
        loop_register(loops[i]);
    }
    CU_ASSERT_EQUAL(loop_n_workers(), 2);
    CU_ASSERT_PTR_EQUAL(loop_of_worker(1), loops[1]);
    CU_ASSERT_PTR_NULL(loop_of_worker(2));
    CU_ASSERT_PTR_NULL(loop_of_worker(1000000));
    CU_ASSERT_PTR_EQUAL(loop_of_main(), loops[2]);
    loop_unregister_all();
    CU_ASSERT_EQUAL(loop_n_workers(), 0);
    CU_ASSERT_PTR_NULL(loop_of_main());
    for (int i = 0; i < 3; i++) {
        loop_free(loops[i]);
    }
}

struct seen {
    struct io io;
    int n_read, n_write;
    int stop_after; /* calls with IO_READ; 0: never */
};

static void see(void *arg, unsigned what)
{
    struct seen *seen = arg;

    seen->n_read += (what & IO_READ) != 0;
    seen->n_write += (what & IO_WRITE) != 0;
    if (seen->stop_after > 0 && seen->n_read == seen->stop_after) {
        loop_stop(loop);
    }
}

static void test_edges(void)
{
    struct seen seen = {0};
    char bytes[10];

    CU_ASSERT_EQUAL_FATAL(
        io_start(&seen.io, loop, ends[0], IO_READ | IO_WRITE, see, &seen), 0);
    CU_ASSERT(seen.io.is_on);
    run_rounds(5);
    CU_ASSERT_EQUAL(seen.n_write, 1);
    CU_ASSERT_EQUAL(seen.n_read, 0);
    /* Readable for many rounds, told once. */
    CU_ASSERT_EQUAL(write(ends[1], "ab", 2), 2);
    run_rounds(5);
    CU_ASSERT_EQUAL(seen.n_read, 1);
    /* More bytes are a new edge, although the first were not read. */
    CU_ASSERT_EQUAL(write(ends[1], "c", 1), 1);
    run_rounds(5);
    CU_ASSERT_EQUAL(seen.n_read, 2);
    CU_ASSERT_EQUAL(read(ends[0], bytes, sizeof bytes), 3);
    CU_ASSERT_EQUAL(shutdown(ends[1], SHUT_WR), 0);
    run_rounds(5);
    CU_ASSERT_EQUAL(seen.n_read, 3);
    io_stop(&seen.io);
    io_stop(&seen.io);
    CU_ASSERT_FALSE(seen.io.is_on);
}

static void test_level(void)
{
    struct seen seen = {.stop_after = 4};

    CU_ASSERT_EQUAL_FATAL(
        io_start(&seen.io, loop, ends[0], IO_READ | IO_LEVEL, see, &seen), 0);
    CU_ASSERT_EQUAL(write(ends[1], "ab", 2), 2);
    loop_run(loop);
    CU_ASSERT_EQUAL(seen.n_read, 4);
    CU_ASSERT_EQUAL(seen.n_write, 0);
    io_stop(&seen.io);
    run_rounds(3);
    CU_ASSERT_EQUAL(seen.n_read, 4);
}

static void test_stopped_before_its_turn(void)
{
    struct seen first = {.stop_after = 1}, second = {.stop_after = 1};

    /* Both became ready, one is stopped by the owner before the loop runs. */
    CU_ASSERT_EQUAL_FATAL(io_start(&first.io, loop, ends[0], IO_READ, see, &first), 0);
    CU_ASSERT_EQUAL_FATAL(io_start(&second.io, loop, ends[1], IO_READ, see, &second), 0);
    CU_ASSERT_EQUAL(write(ends[0], "a", 1), 1);
    CU_ASSERT_EQUAL(write(ends[1], "b", 1), 1);
    io_stop(&first.io);
    loop_run(loop);
    CU_ASSERT_EQUAL(first.n_read, 0);
    CU_ASSERT_EQUAL(second.n_read, 1);
    io_stop(&second.io);
}

static void free_self(void *arg, unsigned what)
{
    struct io *io = arg;

    (void)what;
    io_stop(io);
    free(io);
    loop_stop(loop);
}

static void test_freed_by_its_own_call(void)
{
    struct io *io = MEM_NEW(struct io);

    CU_ASSERT_EQUAL_FATAL(io_start(io, loop, ends[0], IO_READ | IO_WRITE, free_self, io),
                          0);
    loop_run(loop);
}

static void test_unfit_descriptor(void)
{
    struct io io = {0};
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    /* Files are always ready, which epoll does not want to be asked. */
    CU_ASSERT_FATAL(fd >= 0);
    log_set_all(LOG_LEVEL_ERROR);
    CU_ASSERT_EQUAL(io_start(&io, loop, fd, IO_READ, free_self, &io), -EPERM);
    log_set_all(LOG_LEVEL_INFO);
    CU_ASSERT_FALSE(io.is_on);
    io_stop(&io);
    close(fd);
}

static char fired[16];
static size_t n_fired;

static void fire(void *arg)
{
    fired[n_fired++] = *(const char *)arg;
    fired[n_fired] = '\0';
    if (*(const char *)arg == '.') {
        loop_stop(loop);
    }
}

static void test_timers(void)
{
    struct timer timers[6] = {0};
    char names[] = "abcde.";

    n_fired = 0;
    timer_start(&timers[5], loop, 0.08, fire, &names[5]);
    timer_start(&timers[1], loop, 0.04, fire, &names[1]);
    timer_start(&timers[0], loop, -1, fire, &names[0]);
    timer_start(&timers[2], loop, 1e300, fire, &names[2]);
    timer_start(&timers[3], loop, 0.01, fire, &names[3]);
    timer_start(&timers[4], loop, 3600, fire, &names[4]);
    timer_stop(&timers[3]);
    timer_stop(&timers[3]);
    timer_start(&timers[4], loop, 0.001, fire, &names[4]); /* restarted, sooner */
    CU_ASSERT(timers[4].is_on);
    uint64_t start_ms = loop_now_ms(loop);
    loop_run(loop);
    CU_ASSERT_STRING_EQUAL(fired, "aeb.");
    /* The clock of timers ticks coarsely, hence the margin. */
    CU_ASSERT(loop_now_ms(loop) - start_ms >= 60);
    CU_ASSERT_FALSE(timers[4].is_on);
    CU_ASSERT(timers[2].is_on);
    timer_stop(&timers[2]);
}

static void fire_and_free(void *arg)
{
    free(arg);
    loop_stop(loop);
}

static void fire_again(void *arg)
{
    struct timer *timer = arg;

    CU_ASSERT_FALSE(timer->is_on);
    timer_start(timer, loop, 0.001, fire_and_free, timer);
}

static void test_timer_restarts_and_frees_itself(void)
{
    struct timer *timer = MEM_NEW(struct timer);

    timer_start(timer, loop, 0, fire_again, timer);
    loop_run(loop);
}

static uint64_t n_busy_polls(void)
{
    return counters_get(loop_counters(loop), COUNTER_BUSY_POLLS);
}

static void stop_after_a_poll(void *arg)
{
    if (n_busy_polls() > 0) {
        loop_stop(loop);
    } else {
        timer_start(arg, loop, 0.001, stop_after_a_poll, arg);
    }
}

/* Each event is followed by a look, but the next event may be there already. */
static void test_busy_poll(void)
{
    struct timer timer = {0};

    loop_set_busy_poll(0.01);
    stop_after_a_poll(&timer); /* after no event: it sleeps first */
    CU_ASSERT_EQUAL(n_busy_polls(), 0);
    loop_run(loop);
    loop_set_busy_poll(0);
    CU_ASSERT(n_busy_polls() > 0);
}

static void pass_by(void *arg) { (void)arg; }

static void stop(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

static void test_no_busy_poll(void)
{
    struct timer timers[3] = {0};

    for (int i = 0; i < 3; i++) {
        timer_start(&timers[i], loop, 0.001 * (i + 1), i < 2 ? pass_by : stop, NULL);
    }
    loop_run(loop);
    CU_ASSERT_EQUAL(n_busy_polls(), 0);
}

static struct later laters[4];
static char names[] = "0123.";

static void run_and_drop_third(void *arg)
{
    fire(arg);
    later_drop(&laters[2]);
}

static void test_later_order(void)
{
    struct later last = {0};

    n_fired = 0;
    later_ask(&laters[1], loop, fire, &names[1]);
    later_ask(&laters[0], loop, run_and_drop_third, &names[0]);
    later_ask(&laters[2], loop, fire, &names[2]);
    later_ask(&laters[3], loop, fire, &names[0]);
    later_ask(&laters[3], loop, fire, &names[3]); /* once only, as asked last */
    later_ask(&last, loop, fire, &names[4]);
    loop_run(loop);
    CU_ASSERT_STRING_EQUAL(fired, "103.");
    later_drop(&laters[0]);
    /* The last of the ring, and the only one. */
    later_ask(&laters[0], loop, fire, &names[0]);
    later_ask(&laters[1], loop, fire, &names[1]);
    later_drop(&laters[1]);
    later_ask(&laters[2], loop, fire, &names[2]);
    later_drop(&laters[0]);
    later_drop(&laters[2]);
    n_fired = 0;
    later_ask(&laters[1], loop, fire, &names[1]);
    run_rounds(2);
    CU_ASSERT_STRING_EQUAL(fired, "1");
}

static bool is_in_callback, was_in_callback;
static struct later asked;

static void note_callback(void *arg)
{
    (void)arg;
    was_in_callback = is_in_callback;
    loop_stop(loop);
}

static void ask_in_callback(void *arg, unsigned what)
{
    (void)arg, (void)what;
    is_in_callback = true;
    later_ask(&asked, loop, note_callback, NULL);
    is_in_callback = false;
}

static void test_later_runs_after_the_callback(void)
{
    struct io io = {0};

    was_in_callback = true;
    CU_ASSERT_EQUAL_FATAL(io_start(&io, loop, ends[0], IO_WRITE, ask_in_callback, NULL),
                          0);
    loop_run(loop);
    CU_ASSERT_FALSE(was_in_callback);
    io_stop(&io);
}

static void ask_for_ever(void *arg) { later_ask(arg, loop, ask_for_ever, arg); }

static void test_busy_object_starves_no_one(void)
{
    struct later busy = {0};
    struct seen seen = {.stop_after = 1};
    struct timer timer = {0};
    char dot = '.';

    later_ask(&busy, loop, ask_for_ever, &busy);
    CU_ASSERT_EQUAL_FATAL(io_start(&seen.io, loop, ends[0], IO_READ, see, &seen), 0);
    CU_ASSERT_EQUAL(write(ends[1], "a", 1), 1);
    loop_run(loop); /* ended by the descriptor */
    CU_ASSERT_EQUAL(seen.n_read, 1);
    n_fired = 0;
    timer_start(&timer, loop, 0.005, fire, &dot);
    loop_run(loop); /* ended by the timer */
    CU_ASSERT_STRING_EQUAL(fired, ".");
    io_stop(&seen.io);
    later_drop(&busy);
}

static uint64_t first_ms, same_ms, next_ms;

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void read_later(void *arg)
{
    (void)arg;
    next_ms = loop_now_ms(loop);
    loop_stop(loop);
}

static void read_twice(void *arg)
{
    first_ms = loop_now_ms(loop);
    while (clock_ms() < first_ms + 3) {
    }
    same_ms = loop_now_ms(loop);
    timer_start(arg, loop, 0, read_later, NULL);
}

static void test_time_stands_still_in_a_round(void)
{
    struct timer timer = {0};
    uint64_t start_ms = clock_ms();

    timer_start(&timer, loop, 0, read_twice, &timer);
    loop_run(loop);
    CU_ASSERT(first_ms >= start_ms);
    CU_ASSERT_EQUAL(same_ms, first_ms);
    CU_ASSERT(next_ms >= first_ms + 3);
    CU_ASSERT(loop_now_ms(loop) >= next_ms);
}

static int arrived_number;

static void arrive(void *arg, int number)
{
    arrived_number = number;
    loop_stop(arg);
}

static void test_signals(void)
{
    struct signal_watch watch = {0}, unused = {0};
    struct sigaction action;

    CU_ASSERT_EQUAL_FATAL(signal_watch_start(&watch, loop, SIGUSR1, arrive, loop), 0);
    for (int i = 0; i < 2; i++) {
        arrived_number = 0;
        raise(SIGUSR1);
        loop_run(loop);
        CU_ASSERT_EQUAL(arrived_number, SIGUSR1);
    }
    signal_watch_stop(&watch);
    signal_watch_stop(&watch);
    signal_watch_stop(&unused);
    CU_ASSERT_EQUAL(sigaction(SIGUSR1, NULL, &action), 0);
    CU_ASSERT(action.sa_handler == SIG_DFL);
}

static const struct unit_test tests[] = {
    {"name, number, data and home thread", test_identity},
    {"loops are found by number", test_registry},
    {"a descriptor tells each edge once", test_edges},
    {"by level it tells as long as it is ready", test_level},
    {"what is stopped before its turn is not called", test_stopped_before_its_turn},
    {"a registration may be freed by its own call", test_freed_by_its_own_call},
    {"a descriptor that cannot be watched is an error", test_unfit_descriptor},
    {"timers fire in the order of their time", test_timers},
    {"a timer restarts and frees itself", test_timer_restarts_and_frees_itself},
    {"busy-poll looks after an event", test_busy_poll},
    {"without it the loop sleeps", test_no_busy_poll},
    {"deferred calls run in order, once", test_later_order},
    {"a deferred call runs after the callback", test_later_runs_after_the_callback},
    {"a busy object starves neither descriptors nor timers",
     test_busy_object_starves_no_one},
    {"time stands still in a round", test_time_stands_still_in_a_round},
    {"signals arrive and are given back", test_signals},
};

UNIT_MAIN_AROUND(tests, before, after)
