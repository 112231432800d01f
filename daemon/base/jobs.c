/* SPDX-License-Identifier: MIT */
/*
 * jobs.c - the threads for work that blocks.
 *
 * jobs_submit() is called by loops, start and stop by the server; calls mailbox.c to hand
 * jobs back. Thread: any.
 *
 * A job waits in a queue, is worked on, and is posted to its asker, unless the pool is
 * stopped meanwhile. A thread that ends joins the one that ended before it, and
 * jobs_stop() joins the last: so none is left, and nobody waits for one that still works.
 * Threads whose work outlives the stop belong to a generation that is over; they detach
 * themselves.
 */
#include <config.h>
#include "daemon/base/jobs.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "daemon/base/check.h"
#include "daemon/base/log.h"

enum { IDLE_SECONDS = 3 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_cond_t arrived; /* a job came, or the pool stops */
static pthread_cond_t changed; /* for jobs_stop(): a thread ended or has posted */

struct queue {
    struct job *first, **end; /* `end` NULL: never used */
    unsigned n;
};

/* All of it is guarded by the lock. */
static struct {
    bool is_running;
    unsigned generation; /* raised by jobs_stop() */
    unsigned max_threads, max_hanging;
    unsigned n_threads;          /* of this generation, until they end */
    unsigned n_idle;             /* of them, those that wait for `arrived` */
    unsigned n_posting;          /* of them, those that hand a job to its asker */
    unsigned n_hanging;          /* of them, those with work that may hang */
    struct queue quick, hanging; /* jobs that wait */
    bool has_ended;
    pthread_t ended; /* the thread that ended last and was not joined yet */
} pool;

static void init_conditions(void)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    CHECK(pthread_cond_init(&arrived, &attributes) == 0);
    CHECK(pthread_cond_init(&changed, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
}

static struct timespec after_ms(int ms)
{
    struct timespec when;

    clock_gettime(CLOCK_MONOTONIC, &when);
    when.tv_sec += ms / 1000;
    when.tv_nsec += ms % 1000 * 1000000L;
    if (when.tv_nsec >= 1000000000L) {
        when.tv_sec++;
        when.tv_nsec -= 1000000000L;
    }
    return when;
}

static struct job *job_of(struct message *message)
{
    return (struct job *)((char *)message - offsetof(struct job, message));
}

static void deliver_job(struct message *message, struct loop *loop)
{
    struct job *job = job_of(message);

    (void)loop;
    job->done(job);
}

static void drop_job(struct message *message)
{
    struct job *job = job_of(message);

    job->drop(job);
}

/* ---- The queues, with the lock held ---- */

static void append(struct queue *queue, struct job *job)
{
    if (queue->first == NULL) {
        queue->end = &queue->first;
    }
    job->next = NULL;
    job->link = queue->end;
    *queue->end = job;
    queue->end = &job->next;
    queue->n++;
}

static void unlink_job(struct job *job)
{
    struct queue *queue = job->may_hang ? &pool.hanging : &pool.quick;

    *job->link = job->next;
    if (job->next != NULL) {
        job->next->link = job->link;
    } else {
        queue->end = job->link;
    }
    job->link = NULL;
    queue->n--;
}

/* Jobs that may hang for which there is a place now. */
static unsigned n_places(void)
{
    unsigned n = pool.max_hanging - pool.n_hanging;

    return n < pool.hanging.n ? n : pool.hanging.n;
}

/* NULL: there is none to begin with now. */
static struct job *next_job(void)
{
    return pool.quick.first != NULL ? pool.quick.first
           : n_places() > 0         ? pool.hanging.first
                                    : NULL;
}

/* ---- Threads ---- */

/* With the lock held: the next job, or NULL when the thread is to end. */
static struct job *wait_for_job(unsigned generation)
{
    struct timespec until = after_ms(IDLE_SECONDS * 1000);
    bool is_late = false;

    while (pool.generation == generation && pool.is_running && next_job() == NULL &&
           !is_late) {
        pool.n_idle++;
        is_late = pthread_cond_timedwait(&arrived, &lock, &until) == ETIMEDOUT;
        pool.n_idle--;
    }
    if (pool.generation != generation || !pool.is_running) {
        return NULL;
    }
    struct job *job = next_job();

    if (job != NULL) {
        unlink_job(job);
        pool.n_hanging += job->may_hang;
    }
    return job;
}

/* Called with the lock held, returns without it: the last thing a thread does. */
static void end_thread(unsigned generation)
{
    if (pool.generation != generation) {
        pthread_mutex_unlock(&lock);
        pthread_detach(pthread_self());
        return;
    }
    bool must_join = pool.has_ended;
    pthread_t before = pool.ended;

    pool.ended = pthread_self();
    pool.has_ended = true;
    pool.n_threads--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    if (must_join) {
        pthread_join(before, NULL);
    }
}

static void *thread_main(void *arg)
{
    unsigned generation = (unsigned)(uintptr_t)arg;
    struct job *job;

    pthread_mutex_lock(&lock);
    while ((job = wait_for_job(generation)) != NULL) {
        pthread_mutex_unlock(&lock);
        job->work(job);
        pthread_mutex_lock(&lock);
        if (pool.generation == generation) {
            pool.n_hanging -= job->may_hang;
        }
        /* The asker's loop is sure to exist only while jobs_stop() has not returned, and
         * that waits for those who post. */
        if (pool.generation != generation || !pool.is_running) {
            pthread_mutex_unlock(&lock);
            job->drop(job);
            pthread_mutex_lock(&lock);
            break;
        }
        pool.n_posting++;
        pthread_mutex_unlock(&lock);
        mailbox_post(job->asker, &job->message);
        pthread_mutex_lock(&lock);
        pool.n_posting--;
        pthread_cond_broadcast(&changed);
    }
    end_thread(generation);
    return NULL;
}

/* With the lock held. Signals belong to the main loop, so the thread is born with all
 * blocked. */
static bool start_thread(void)
{
    sigset_t all, before;
    pthread_t thread;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int status =
        pthread_create(&thread, NULL, thread_main, (void *)(uintptr_t)pool.generation);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status != 0) {
        return false;
    }
    pool.n_threads++;
    return true;
}

void jobs_start(unsigned max_threads, unsigned max_hanging)
{
    CHECK(max_hanging > 0 && max_hanging <= max_threads);
    pthread_once(&once, init_conditions);
    pthread_mutex_lock(&lock);
    CHECK(!pool.is_running);
    pool.is_running = true;
    pool.max_threads = max_threads;
    pool.max_hanging = max_hanging;
    pthread_mutex_unlock(&lock);
}

/* With the lock held: whether a thread will come to the job without another one being
 * started. Idle ones may have been woken for earlier jobs and not run yet: they count as
 * taken. */
static bool has_thread(const struct job *job)
{
    bool has_no_place =
        job->may_hang && pool.hanging.n + pool.n_hanging >= pool.max_hanging;

    return has_no_place || pool.n_idle > pool.quick.n + n_places();
}

void jobs_submit(struct job *job, struct loop *asker)
{
    job->asker = asker;
    job->message.deliver = deliver_job;
    job->message.drop = drop_job;
    pthread_mutex_lock(&lock);
    if (!pool.is_running) {
        pthread_mutex_unlock(&lock);
        job->drop(job);
        return;
    }
    bool is_served =
        has_thread(job) || (pool.n_threads < pool.max_threads && start_thread());
    if (!is_served && pool.n_threads == 0) {
        /* The system gives us no thread at all. A loop that waits is better than a
         * request that is never answered. */
        pthread_mutex_unlock(&lock);
        LOG_RATED(LOG_DAEMON, LOG_LEVEL_WARN,
                  "No thread can be started: a job holds up its loop.");
        job->work(job);
        mailbox_post(asker, &job->message);
        return;
    }
    append(job->may_hang ? &pool.hanging : &pool.quick, job);
    pthread_cond_signal(&arrived);
    pthread_mutex_unlock(&lock);
}

bool jobs_withdraw(struct job *job)
{
    pthread_mutex_lock(&lock);
    bool has_waited = job->link != NULL;

    if (has_waited) {
        unlink_job(job);
    }
    pthread_mutex_unlock(&lock);
    return has_waited;
}

/* With the lock held: until all threads ended, or only such are left as still work and
 * the time is over. Handing over takes no time, so those who do it are always waited for.
 */
static void wait_for_threads(void)
{
    struct timespec until = after_ms(JOBS_STOP_MS);
    bool is_late = false;

    while (pool.n_threads > 0 && !(is_late && pool.n_posting == 0)) {
        if (is_late) {
            pthread_cond_wait(&changed, &lock);
        } else {
            is_late = pthread_cond_timedwait(&changed, &lock, &until) == ETIMEDOUT;
        }
    }
}

void jobs_stop(void)
{
    pthread_mutex_lock(&lock);
    if (!pool.is_running) {
        pthread_mutex_unlock(&lock);
        return;
    }
    pool.is_running = false;
    struct queue waiting = {0};
    struct job *job;

    while ((job = pool.quick.first) != NULL || (job = pool.hanging.first) != NULL) {
        unlink_job(job);
        append(&waiting, job);
        job->link = NULL;
    }
    pthread_cond_broadcast(&arrived);
    wait_for_threads();
    unsigned n_left = pool.n_threads;
    bool must_join = pool.has_ended;
    pthread_t ended = pool.ended;
    pool.generation++;
    pool.n_threads = pool.n_hanging = 0;
    pool.has_ended = false;
    pthread_mutex_unlock(&lock);
    if (must_join) {
        pthread_join(ended, NULL);
    }
    if (n_left > 0) {
        log_line(LOG_DAEMON, LOG_LEVEL_WARN,
                 "Work of job threads is left unfinished. threads=%u", n_left);
    }
    while ((job = waiting.first) != NULL) {
        waiting.first = job->next;
        job->drop(job);
    }
}
