/* SPDX-License-Identifier: MIT */
/*
 * loop.h - one libevent base of one thread: descriptors, timers, deferred calls, its
 * mailbox.
 *
 * The base has no locks: everything registered with a loop is touched by the loop's
 * thread only. Other threads reach it by mailbox_post() alone. libevent ends in loop.c;
 * the event structs stand here only so that they can be embedded.
 *
 * Locks of the daemon, in order: the mailbox of a loop, the queue of the job threads, the
 * quotas, the parts of the name cache, the binding of socket files, the table of TLS
 * contexts, the place of a published one, the certificates of the system, ticket keys,
 * the sessions of a client context. No function holds two of them.
 */
#ifndef SOCKD_BASE_LOOP_H
#define SOCKD_BASE_LOOP_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct mailbox;
struct counters;
struct handle_table;

/* `number`: the worker's number, or one of these, which have no handles. The name is
 * copied. Thread: any. Cannot fail. */
enum { LOOP_MAIN = -1, LOOP_RESOLVER = -2 };
struct loop *loop_new(const char *name, int number);
/* The loop is not running, nothing is registered with it, and nobody can post to it any
 * more (threads joined, jobs stopped). Drops what is in the mailbox. */
void loop_free(struct loop *loop);
/* Makes the running thread the loop's home thread, for work before and after loop_run().
 */
void loop_enter(struct loop *loop);
/* Runs in the calling thread until loop_stop(). The caller's thread becomes the home
 * thread and stays it. */
void loop_run(struct loop *loop);
/* From the home thread: loop_run() returns after the present round; called before it, at
 * once. */
void loop_stop(struct loop *loop);
/* Between the two: messages that are left are dropped. Thread: home. */
bool loop_is_stopping(const struct loop *loop);

/* Seconds after an event during which a worker looks for the next one, instead of
 * sleeping; 0, the default: none. Before the workers start. */
void loop_set_busy_poll(double seconds);

/* The loop whose home is the running thread; NULL in job threads. */
struct loop *loop_self(void);
int loop_number(const struct loop *loop);
const char *loop_name(const struct loop *loop);
struct mailbox *loop_mailbox(struct loop *loop);
/* The handles of the objects that live in this loop, which is a worker's. */
struct handle_table *loop_handles(struct loop *loop);
/* The counters of this loop's thread. */
struct counters *loop_counters(struct loop *loop);
uint64_t loop_now_ms(struct loop *loop); /* monotonic, read once per round */
/* What the thread hangs on its loop (the worker); set before loop_run(). */
void loop_set_data(struct loop *loop, void *data);
void *loop_data(const struct loop *loop);

/* The loops by number: the pool registers the workers' in the order of their numbers, the
 * server that of the main thread, before any thread runs; constant from then on. */
void loop_register(struct loop *loop);
struct loop *loop_of_worker(unsigned worker); /* NULL: no such worker */
unsigned loop_n_workers(void);
struct loop *loop_of_main(void);
struct loop *loop_of_resolver(void); /* NULL: there is none */
/* By any number. NULL: no such loop. */
struct loop *loop_at(int number);
void loop_unregister_all(void);

/* The object's home must be the running thread. */
#define CHECK_HOME(object) CHECK((object)->loop == loop_self())

/*
 * A descriptor, edge-triggered by default: `ready` is called when it *becomes* readable
 * or writable, so the owner remembers both and goes on until EAGAIN. One registration
 * serves the descriptor's whole life: no system call per operation. With IO_LEVEL only
 * `what` is watched, as long as it stays ready.
 */
enum io_what { IO_READ = 1, IO_WRITE = 2, IO_LEVEL = 4 };
typedef void io_ready(void *arg, unsigned what);
struct io {
    struct event event;
    struct event *room; /* tells of room to write; NULL: nobody waits for it */
    io_ready *ready;
    void *arg;
    bool is_on;
};
/* 0 or negative errno. `what`: IO_READ | IO_WRITE, or either of them with IO_LEVEL.
 * `ready` may free the io after stopping it. */
int io_start(struct io *io, struct loop *loop, int fd, unsigned what, io_ready *ready,
             void *arg);
void io_stop(struct io *io); /* before the descriptor is closed; no-op when off */
/* For one that was started with IO_READ alone: is it to tell of IO_WRITE, too? To be
 * asked for when a send has found no room, and given up when it tells what is known: a
 * Unix socket tells of room whenever its peer has read something, and with IO_WRITE
 * watched, every event that came while it was being served counts as one. */
void io_watch_room(struct io *io, bool is_on);

/* A timer that fires once. All zero is a stopped one; starting a running one restarts it.
 * Time beyond 100 years is cut to that. `fire` may free the timer. */
typedef void timer_fire(void *arg);
struct timer {
    struct event event;
    timer_fire *fire;
    void *arg;
    bool is_on;
};
void timer_start(struct timer *timer, struct loop *loop, double seconds, timer_fire *fire,
                 void *arg);
void timer_stop(struct timer *timer);
/* The same for a timer that is seldom wanted: it has memory from begin to end only, fired
 * or not. NULL is one that has not begun; begin starts a running one again. */
void timer_begin(struct timer **timer, struct loop *loop, double seconds,
                 timer_fire *fire, void *arg);
void timer_end(struct timer **timer);

/*
 * A call made before the loop waits again, after the callback that asked for it. All zero
 * is one that is not queued; asking for one that is queued changes what it calls, not its
 * place. What is asked for by such a call runs in the next round, after the descriptors
 * that became ready.
 */
typedef void later_run(void *arg);
struct later {
    struct later *next, **link; /* link is NULL when not queued */
    later_run *run;
    void *arg;
};
void later_ask(struct later *later, struct loop *loop, later_run *run, void *arg);
void later_drop(struct later *later);

/* Signals are events of the main loop only: one loop of the process may watch them. 0 or
 * negative errno. */
struct signal_watch {
    struct event event;
    void (*arrived)(void *arg, int number);
    void *arg;
};
int signal_watch_start(struct signal_watch *watch, struct loop *loop, int number,
                       void (*arrived)(void *arg, int number), void *arg);
void signal_watch_stop(struct signal_watch *watch);

#endif
