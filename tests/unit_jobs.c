/* SPDX-License-Identifier: MIT */
/*
 * unit_jobs.c - jobs.c: work beside the loop, its way back, and every way to stop.
 */
#include <config.h>

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/base/check.h"
#include "daemon/base/jobs.h"
#include "daemon/base/loop.h"
#include "tests/unit.h"

enum { MAX_THREADS = 3, N_JOBS = 300, WAIT_SECONDS = 60 };

struct sum {
    struct job job;
    int number;
    long result;
    pthread_t worked_in;
    bool were_signals_blocked;
};

static struct loop *loop;
static int n_done, n_wrong, n_wanted;
static _Atomic int n_worked, n_dropped, n_at_once, most_at_once;
static sem_t gate; /* jobs that wait wait here */

static void before(void)
{
    n_done = n_wrong = n_wanted = 0;
    n_worked = n_dropped = n_at_once = most_at_once = 0;
    sem_init(&gate, 0, 0);
    loop = loop_new("test", 0);
}

static void after(void)
{
    loop_free(loop);
    sem_destroy(&gate);
}

static void nap(void)
{
    const struct timespec ms = {.tv_nsec = 1000000};

    nanosleep(&ms, NULL);
}

static void work_sum(struct job *job)
{
    struct sum *sum = (struct sum *)job;
    sigset_t blocked;
    int n = ++n_at_once;

    if (n > most_at_once) {
        most_at_once = n;
    }
    for (int i = 1; i <= sum->number; i++) {
        sum->result += i;
    }
    sum->worked_in = pthread_self();
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    sum->were_signals_blocked = sigismember(&blocked, SIGTERM) == 1 &&
                                sigismember(&blocked, SIGINT) == 1 &&
                                sigismember(&blocked, SIGUSR1) == 1;
    n_worked++;
    n_at_once--;
}

static void sum_done(struct job *job)
{
    struct sum *sum = (struct sum *)job;

    n_wrong += sum->result != (long)sum->number * (sum->number + 1) / 2;
    n_wrong += pthread_equal(sum->worked_in, pthread_self()) != 0;
    n_wrong += !sum->were_signals_blocked;
    n_wrong += loop_self() != loop;
    free(sum);
    if (++n_done == n_wanted) {
        loop_stop(loop);
    }
}

static void drop_job(struct job *job)
{
    free(job);
    n_dropped++;
}

static struct sum *new_sum(void (*work)(struct job *job), int number)
{
    struct sum *sum = MEM_NEW(struct sum);

    sum->job.work = work;
    sum->job.done = sum_done;
    sum->job.drop = drop_job;
    sum->number = number;
    return sum;
}

static void submit(void (*work)(struct job *job), int number)
{
    jobs_submit(&new_sum(work, number)->job, loop);
}

static void run_jobs(int n)
{
    n_done = 0;
    n_wanted = n;
    for (int i = 0; i < n; i++) {
        submit(work_sum, i);
    }
    loop_run(loop);
    CU_ASSERT_EQUAL(n_done, n);
    CU_ASSERT_EQUAL(n_wrong, 0);
}

static void test_work_and_return(void)
{
    jobs_start(MAX_THREADS, MAX_THREADS);
    run_jobs(N_JOBS);
    CU_ASSERT_EQUAL(n_worked, N_JOBS);
    CU_ASSERT(most_at_once <= MAX_THREADS);
    run_jobs(1);
    jobs_stop();
    CU_ASSERT_EQUAL(n_dropped, 0);
}

static void wait_at_gate(struct job *job)
{
    n_at_once++;
    while (sem_wait(&gate) != 0) {
    }
    n_at_once--;
    ((struct sum *)job)->number = 0;
    work_sum(job);
}

/* Whether the condition came true within a generous time. */
#define AWAIT(condition)                                                                 \
    do {                                                                                 \
        for (int i_ = 0; i_ < WAIT_SECONDS * 1000 && !(condition); i_++) {               \
            nap();                                                                       \
        }                                                                                \
        CU_ASSERT_FATAL(condition);                                                      \
    } while (0)

static void test_all_threads_are_used(void)
{
    jobs_start(MAX_THREADS, MAX_THREADS);
    n_wanted = MAX_THREADS + 2;
    for (int i = 0; i < n_wanted; i++) {
        submit(wait_at_gate, 0);
    }
    AWAIT(n_at_once == MAX_THREADS);
    for (int i = 0; i < n_wanted; i++) {
        sem_post(&gate);
    }
    loop_run(loop);
    CU_ASSERT_EQUAL(n_done, MAX_THREADS + 2);
    CU_ASSERT_EQUAL(n_wrong, 0);
    jobs_stop();
}

enum { N_HANGING = 4, MAX_HANGING = 2 };

/* Two of them begin. */
static void start_hanging(struct sum *jobs[N_HANGING])
{
    for (int i = 0; i < N_HANGING; i++) {
        jobs[i] = new_sum(wait_at_gate, 0);
        jobs[i]->job.may_hang = true;
        jobs_submit(&jobs[i]->job, loop);
    }
    AWAIT(n_at_once == MAX_HANGING);
}

static void end_hanging(int n)
{
    n_done = 0;
    n_wanted = n;
    for (int i = 0; i < n; i++) {
        sem_post(&gate);
    }
    loop_run(loop);
    CU_ASSERT_EQUAL(n_done, n);
}

/* Work that hangs leaves threads to other work, and does not wait for it either. */
static void test_hanging_work(void)
{
    struct sum *jobs[N_HANGING];

    jobs_start(MAX_THREADS, MAX_HANGING);
    start_hanging(jobs);
    run_jobs(20);
    CU_ASSERT_EQUAL(n_at_once, MAX_HANGING);
    end_hanging(N_HANGING);
    CU_ASSERT(most_at_once <= MAX_THREADS);
    jobs_stop();
    CU_ASSERT_EQUAL(n_wrong, 0);
    CU_ASSERT_EQUAL(n_dropped, 0);
}

/* What nobody has begun with can be taken back, once; the last of a queue, and all. */
static void test_withdraw(void)
{
    struct sum *jobs[N_HANGING];

    jobs_start(MAX_THREADS, MAX_HANGING);
    start_hanging(jobs);
    CU_ASSERT_FALSE(jobs_withdraw(&jobs[0]->job));
    CU_ASSERT_FALSE(jobs_withdraw(&jobs[1]->job));
    CU_ASSERT_TRUE(jobs_withdraw(&jobs[3]->job));
    CU_ASSERT_FALSE(jobs_withdraw(&jobs[3]->job));
    CU_ASSERT_TRUE(jobs_withdraw(&jobs[2]->job));
    jobs_submit(&jobs[2]->job, loop);
    free(jobs[3]);
    end_hanging(N_HANGING - 1);
    jobs_stop();
    CU_ASSERT_EQUAL(n_wrong, 0);
    CU_ASSERT_EQUAL(n_dropped, 0);
}

static void test_not_running_drops(void)
{
    submit(work_sum, 1);
    CU_ASSERT_EQUAL(n_dropped, 1);
    jobs_stop();
    jobs_start(1, 1);
    jobs_stop();
    submit(work_sum, 1);
    CU_ASSERT_EQUAL(n_dropped, 2);
    CU_ASSERT_EQUAL(n_worked, 0);
}

static _Atomic int n_probes;

/* Works until the pool is being stopped, which shows in a job that is dropped at once. */
static void work_until_stop(struct job *job)
{
    (void)job;
    n_at_once++;
    for (int before_it = n_dropped; n_dropped == before_it; nap()) {
        before_it = n_dropped;
        n_probes++;
        submit(work_sum, 0);
    }
}

static void test_stop_drops_waiting_and_working(void)
{
    n_probes = 0;
    jobs_start(1, 1);
    submit(work_until_stop, 0);
    AWAIT(n_at_once == 1);
    for (int i = 0; i < 5; i++) {
        submit(work_sum, i);
    }
    jobs_stop();
    /* All is over: the one that worked, those behind it, and its probes. */
    CU_ASSERT_EQUAL(n_dropped, 1 + 5 + n_probes);
    CU_ASSERT_EQUAL(n_worked, 0);
    CU_ASSERT_EQUAL(n_done, 0);
}

static void test_stop_leaves_endless_work_alone(void)
{
    jobs_start(2, 2);
    submit(wait_at_gate, 0);
    submit(wait_at_gate, 0);
    submit(work_sum, 0);
    AWAIT(n_at_once == 2);
    jobs_stop();
    CU_ASSERT_EQUAL(n_dropped, 1);
    CU_ASSERT_EQUAL(n_at_once, 2);
    /* The loop goes, and the pool works again, while the old work still lasts. */
    loop_free(loop);
    loop = loop_new("second", 0);
    jobs_start(2, 2);
    run_jobs(20);
    sem_post(&gate);
    sem_post(&gate);
    AWAIT(n_dropped == 3);
    run_jobs(20);
    jobs_stop();
    CU_ASSERT_EQUAL(n_wrong, 0);
    CU_ASSERT_EQUAL(n_dropped, 3);
}

static void test_done_but_not_delivered(void)
{
    /* The way back is a message: it is dropped with the mailbox. */
    jobs_start(1, 1);
    submit(work_sum, 1);
    submit(work_sum, 2);
    AWAIT(n_worked == 2);
    jobs_stop();
    loop_free(loop);
    CU_ASSERT_EQUAL(n_dropped, 2);
    CU_ASSERT_EQUAL(n_done, 0);
    loop = loop_new("second", 0);
}

static int count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int n = 0;

    CU_ASSERT_FATAL(tasks != NULL);
    for (const struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        n += entry->d_name[0] != '.';
    }
    closedir(tasks);
    return n;
}

static void test_idle_threads_end(void)
{
    jobs_start(MAX_THREADS, MAX_THREADS);
    n_wanted = MAX_THREADS;
    for (int i = 0; i < MAX_THREADS; i++) {
        submit(wait_at_gate, 0);
    }
    AWAIT(n_at_once == MAX_THREADS);
    int n_with = count_threads();
    for (int i = 0; i < MAX_THREADS; i++) {
        sem_post(&gate);
    }
    loop_run(loop);
    AWAIT(count_threads() == n_with - MAX_THREADS);
    run_jobs(10); /* others start */
    jobs_stop();
}

static const struct unit_test tests[] = {
    {"work runs beside the loop and returns to it", test_work_and_return},
    {"threads start up to the bound", test_all_threads_are_used},
    {"work that hangs leaves threads to others", test_hanging_work},
    {"work that has not begun is taken back", test_withdraw},
    {"a pool that does not run drops", test_not_running_drops},
    {"stopping drops what waits and what works", test_stop_drops_waiting_and_working},
    {"stopping leaves endless work alone", test_stop_leaves_endless_work_alone},
    {"what was not delivered is dropped", test_done_but_not_delivered},
    {"idle threads end", test_idle_threads_end},
};

UNIT_MAIN_AROUND(tests, before, after)
