/* SPDX-License-Identifier: MIT */
/*
 * loop.c - a libevent base with name, mailbox, cached time and deferred calls.
 *
 * Called by everything that has a descriptor or a timer; calls libevent, mailbox.c.
 * Thread: the home thread of the loop, but for loop_new() and loop_mailbox().
 *
 * One turn of loop_run() is one round: wait, call what is ready, then the deferred calls.
 * The deferred calls stand outside of libevent because an event that activates itself
 * again would be run on and on in the same pass, before any descriptor.
 */
#include <config.h>
#include "daemon/base/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/handle.h"
#include "daemon/base/log.h"
#include "daemon/base/mailbox.h"

#define LOOP_MAGIC 0x100b1e55u
#define TIMER_MAX_SECONDS (100.0 * 365 * 86400)

/* Owner: the server (main loop) or the worker. Home thread: the one that runs it. Other
 * threads hold a pointer for mailbox_post() and to read the counters. */
struct loop {
    unsigned magic;
    int number; /* of the worker, or LOOP_MAIN, or LOOP_RESOLVER */
    char *name;
    struct event_base *base;
    struct mailbox *mailbox;
    struct event mail; /* the mailbox's eventfd */
    struct later
        later; /* head of the ring of deferred calls: `link` is the last one's `next` */
    uint64_t now_ms;     /* 0: not read in this round */
    uint64_t look_until; /* without sleeping; monotonic nanoseconds */
    bool had_event;      /* since that was set */
    void *data;
    bool is_running, is_stopping;
    struct handle_table handles; /* of workers only */
    struct counters counters;
};

static _Thread_local struct loop *self;

/* Constant while threads run. */
static struct loop *main_loop, *resolver_loop, *worker_loops[HANDLE_MAX_WORKERS];
static unsigned n_worker_loops;
static uint64_t busy_poll; /* nanoseconds */

static void libevent_log(int severity, const char *message)
{
    static const enum log_level levels[] = {
        [EVENT_LOG_DEBUG] = LOG_LEVEL_DEBUG,
        [EVENT_LOG_MSG] = LOG_LEVEL_INFO,
        [EVENT_LOG_WARN] = LOG_LEVEL_WARN,
        [EVENT_LOG_ERR] = LOG_LEVEL_ERROR,
    };
    enum log_level level = LOG_LEVEL_ERROR;

    if (severity >= EVENT_LOG_DEBUG && severity <= EVENT_LOG_ERR) {
        level = levels[severity];
    }
    log_line(LOG_DAEMON, level, "libevent: %s", message);
}

static void libevent_fatal(int code)
{
    (void)code; /* the sentence went to the log before */
    check_failed(__FILE__, __LINE__, "libevent can go on");
}

static void set_up_libevent(void)
{
    event_set_log_callback(libevent_log);
    event_set_fatal_callback(libevent_fatal);
}

static struct event_base *new_base(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, set_up_libevent);
    struct event_config *config = event_config_new();
    CHECK(config != NULL);
    /* No changelist: descriptors are duplicated into other processes, and libevent
     * forbids it then. The environment must not bring it in either. */
    CHECK(event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0);
    CHECK(event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0);
    CHECK(event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_O1) == 0);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    CHECK(base != NULL);
    return base;
}

static void mail_ready(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;

    (void)fd, (void)what;
    CHECK_MAGIC(loop, LOOP_MAGIC);
    loop->had_event = true;
    mailbox_deliver(loop->mailbox, loop);
}

struct loop *loop_new(const char *name, int number)
{
    struct loop *loop = MEM_NEW(struct loop);

    loop->magic = LOOP_MAGIC;
    loop->number = number;
    loop->name = mem_copy_text(name);
    loop->base = new_base();
    loop->mailbox = mailbox_new();
    if (number >= 0) {
        handle_table_init(&loop->handles, number);
    }
    loop->later.next = &loop->later;
    loop->later.link = &loop->later.next;
    /* Edge-triggered: mailbox.c says why. */
    CHECK(event_assign(&loop->mail, loop->base, mailbox_fd(loop->mailbox),
                       EV_READ | EV_ET | EV_PERSIST, mail_ready, loop) == 0);
    CHECK(event_add(&loop->mail, NULL) == 0);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    CHECK_MAGIC(loop, LOOP_MAGIC);
    CHECK(!loop->is_running);
    CHECK(loop->later.next == &loop->later);
    event_del(&loop->mail);
    mailbox_free(loop->mailbox);
    event_base_free(loop->base);
    handle_table_fini(&loop->handles);
    if (self == loop) {
        self = NULL;
    }
    free(loop->name);
    loop->magic = 0;
    free(loop);
}

/* Takes a deferred call out of its ring. The ring is closed by its head, so this needs
 * neither the loop nor to know whether it is the last one. */
static void unlink_later(struct later *later)
{
    *later->link = later->next;
    later->next->link = later->link;
    later->link = NULL;
    later->next = NULL;
}

static void run_later(struct loop *loop)
{
    struct later batch;

    if (loop->later.next == &loop->later) {
        return;
    }
    /* The ring changes its head, so that what these calls ask for waits for the next
     * round. */
    batch = loop->later;
    batch.next->link = &batch.next;
    *batch.link = &batch;
    loop->later.next = &loop->later;
    loop->later.link = &loop->later.next;
    while (batch.next != &batch) {
        struct later *later = batch.next;
        unlink_later(later);
        later->run(later->arg);
    }
}

void loop_enter(struct loop *loop)
{
    CHECK_MAGIC(loop, LOOP_MAGIC);
    CHECK(!loop->is_running || self == loop);
    self = loop;
}

void loop_set_busy_poll(double seconds) { busy_poll = (uint64_t)(seconds * 1e9); }

static uint64_t monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Is it better to look for the next event than to sleep? At least one look follows each
 * event, however late it comes. */
static bool is_awake(struct loop *loop)
{
    if (busy_poll == 0 || loop->number < 0) {
        return false;
    }
    uint64_t now = monotonic_ns();

    if (loop->had_event) {
        loop->had_event = false;
        loop->look_until = now + busy_poll;
        return true;
    }
    return now < loop->look_until;
}

static void run_round(struct loop *loop)
{
    bool has_later = loop->later.next != &loop->later;
    bool is_look = !has_later && is_awake(loop);
    int flags = has_later || is_look ? EVLOOP_NONBLOCK : EVLOOP_ONCE;

    loop->now_ms = 0;
    CHECK(event_base_loop(loop->base, flags) == 0);
    if (is_look && !loop->had_event) {
        counters_add(&loop->counters, COUNTER_BUSY_POLLS, 1);
    }
}

void loop_run(struct loop *loop)
{
    loop_enter(loop);
    CHECK(!loop->is_running);
    loop->is_running = true;
    while (!loop->is_stopping) {
        run_round(loop);
        run_later(loop);
    }
    loop->now_ms = 0;
    loop->is_running = loop->is_stopping = false;
}

void loop_stop(struct loop *loop)
{
    CHECK(loop == self);
    loop->is_stopping = true;
}

bool loop_is_stopping(const struct loop *loop) { return loop->is_stopping; }

struct loop *loop_self(void) { return self; }

int loop_number(const struct loop *loop) { return loop->number; }

const char *loop_name(const struct loop *loop) { return loop->name; }

struct mailbox *loop_mailbox(struct loop *loop) { return loop->mailbox; }

struct handle_table *loop_handles(struct loop *loop)
{
    CHECK(loop->number >= 0);
    return &loop->handles;
}

struct counters *loop_counters(struct loop *loop) { return &loop->counters; }

uint64_t loop_now_ms(struct loop *loop)
{
    if (loop->now_ms != 0) {
        return loop->now_ms;
    }
    uint64_t now_ms = monotonic_ns() / 1000000;

    /* Outside of a round nothing would ever make the number new again. */
    if (loop->is_running) {
        loop->now_ms = now_ms;
    }
    return now_ms;
}

void loop_set_data(struct loop *loop, void *data) { loop->data = data; }

void *loop_data(const struct loop *loop) { return loop->data; }

void loop_register(struct loop *loop)
{
    CHECK_MAGIC(loop, LOOP_MAGIC);
    if (loop->number == LOOP_MAIN) {
        CHECK(main_loop == NULL);
        main_loop = loop;
        return;
    }
    if (loop->number == LOOP_RESOLVER) {
        CHECK(resolver_loop == NULL);
        resolver_loop = loop;
        return;
    }
    CHECK(loop->number == (int)n_worker_loops && n_worker_loops < HANDLE_MAX_WORKERS);
    worker_loops[n_worker_loops++] = loop;
}

struct loop *loop_of_worker(unsigned worker)
{
    return worker < n_worker_loops ? worker_loops[worker] : NULL;
}

unsigned loop_n_workers(void) { return n_worker_loops; }

struct loop *loop_of_main(void) { return main_loop; }

struct loop *loop_of_resolver(void) { return resolver_loop; }

struct loop *loop_at(int number)
{
    return number == LOOP_MAIN       ? main_loop
           : number == LOOP_RESOLVER ? resolver_loop
                                     : loop_of_worker((unsigned)number);
}

void loop_unregister_all(void)
{
    main_loop = NULL;
    resolver_loop = NULL;
    n_worker_loops = 0;
}

/* Registration is for the home thread, and for whoever prepares a loop that does not run
 * yet. */
static void check_may_register(const struct loop *loop)
{
    CHECK_MAGIC(loop, LOOP_MAGIC);
    CHECK(loop == self || !loop->is_running);
}

/* Adds an assigned event; libevent leaves the reason of a failure in errno. */
static int add_event(struct event *event)
{
    errno = 0;
    if (event_add(event, NULL) == 0) {
        return 0;
    }
    return errno != 0 ? -errno : -EINVAL;
}

static void io_event(evutil_socket_t fd, short what, void *arg)
{
    struct io *io = arg;

    (void)fd;
    self->had_event = true;
    io->ready(io->arg, (what & EV_READ ? (unsigned)IO_READ : 0u) |
                           (what & EV_WRITE ? (unsigned)IO_WRITE : 0u));
}

int io_start(struct io *io, struct loop *loop, int fd, unsigned what, io_ready *ready,
             void *arg)
{
    check_may_register(loop);
    CHECK(!io->is_on && fd >= 0);
    CHECK((what & (IO_READ | IO_WRITE)) != 0);
    int events = EV_PERSIST | (what & IO_READ ? EV_READ : 0) |
                 (what & IO_WRITE ? EV_WRITE : 0) | (what & IO_LEVEL ? 0 : EV_ET);

    io->room = NULL;
    io->ready = ready;
    io->arg = arg;
    CHECK(event_assign(&io->event, loop->base, fd, (short)events, io_event, io) == 0);
    int status = add_event(&io->event);
    io->is_on = status == 0;
    return status;
}

void io_stop(struct io *io)
{
    if (io->is_on) {
        io_watch_room(io, false);
        io->is_on = false;
        event_del(&io->event);
    }
}

void io_watch_room(struct io *io, bool is_on)
{
    CHECK(io->is_on);
    if (!is_on && io->room != NULL) {
        event_del(io->room);
        free(io->room);
        io->room = NULL;
    } else if (is_on && io->room == NULL &&
               (event_get_events(&io->event) & EV_WRITE) == 0) {
        io->room = MEM_NEW(struct event);
        CHECK(event_assign(io->room, event_get_base(&io->event), event_get_fd(&io->event),
                           EV_PERSIST | EV_WRITE | EV_ET, io_event, io) == 0);
        CHECK(add_event(io->room) == 0); /* the descriptor is watched already */
    }
}

static void timer_event(evutil_socket_t fd, short what, void *arg)
{
    struct timer *timer = arg;

    (void)fd, (void)what;
    self->had_event = true;
    timer->is_on = false;
    timer->fire(timer->arg);
}

void timer_start(struct timer *timer, struct loop *loop, double seconds, timer_fire *fire,
                 void *arg)
{
    check_may_register(loop);
    if (!(seconds > 0)) {
        seconds = 0;
    } else if (seconds > TIMER_MAX_SECONDS) {
        seconds = TIMER_MAX_SECONDS;
    }
    struct timeval wait = {.tv_sec = (time_t)seconds};

    wait.tv_usec = (suseconds_t)((seconds - (double)wait.tv_sec) * 1e6);
    timer->fire = fire;
    timer->arg = arg;
    if (!timer->is_on) {
        CHECK(event_assign(&timer->event, loop->base, -1, 0, timer_event, timer) == 0);
        timer->is_on = true;
    }
    /* Fails only for want of memory for the heap of timers. */
    CHECK(event_add(&timer->event, &wait) == 0);
}

void timer_stop(struct timer *timer)
{
    if (timer->is_on) {
        timer->is_on = false;
        event_del(&timer->event);
    }
}

void timer_begin(struct timer **timer, struct loop *loop, double seconds,
                 timer_fire *fire, void *arg)
{
    if (*timer == NULL) {
        *timer = MEM_NEW(struct timer);
    }
    timer_start(*timer, loop, seconds, fire, arg);
}

void timer_end(struct timer **timer)
{
    if (*timer != NULL) {
        timer_stop(*timer);
        free(*timer);
        *timer = NULL;
    }
}

void later_ask(struct later *later, struct loop *loop, later_run *run, void *arg)
{
    check_may_register(loop);
    later->run = run;
    later->arg = arg;
    if (later->link == NULL) {
        later->next = &loop->later;
        later->link = loop->later.link;
        *later->link = later;
        loop->later.link = &later->next;
    }
}

void later_drop(struct later *later)
{
    if (later->link != NULL) {
        unlink_later(later);
    }
}

static void signal_event(evutil_socket_t number, short what, void *arg)
{
    struct signal_watch *watch = arg;

    (void)what;
    watch->arrived(watch->arg, number);
}

int signal_watch_start(struct signal_watch *watch, struct loop *loop, int number,
                       void (*arrived)(void *arg, int number), void *arg)
{
    check_may_register(loop);
    watch->arrived = arrived;
    watch->arg = arg;
    CHECK(event_assign(&watch->event, loop->base, number, EV_SIGNAL | EV_PERSIST,
                       signal_event, watch) == 0);
    return add_event(&watch->event);
}

void signal_watch_stop(struct signal_watch *watch)
{
    /* All zero, or not started because of an error: libevent never saw it. */
    if (event_initialized(&watch->event)) {
        event_del(&watch->event);
    }
}
