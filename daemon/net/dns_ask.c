/* SPDX-License-Identifier: MIT */
/*
 * dns_ask.c - a look-up that travels to the resolver thread and back.
 *
 * Called by resolver.c in the workers; calls dns_search.c on the resolver thread. The job
 * belongs to the message that carries it, and to the resolver thread in between. Its
 * `ask` is read and written by the worker only, also while the job is away: cleared, it
 * tells the returning job that nobody waits. The worker calls a job back by its number,
 * since it cannot know whether it is on its way home already.
 */
#include <config.h>
#include "daemon/net/dns_ask.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/base/check.h"
#include "daemon/base/loop.h"
#include "daemon/base/mailbox.h"
#include "daemon/base/quota.h"
#include "daemon/net/dns_answer.h"
#include "daemon/net/hosts.h"
#include "daemon/net/suffixes.h"

enum { BUCKETS = 1024 };

struct ask_job {
    struct message message; /* first: mailboxes hand this back */
    struct loop *asker;
    struct dns_ask *ask; /* the worker's */
    uint64_t number;
    uid_t uid;
    struct dns_search_plan plan; /* holds its suffixes */
    bool asks_servers, asks_hosts, holds_quota;
    struct dns_search search;
    struct ask_job *next, **link; /* under way, by number; the resolver thread's */
};

static _Atomic uint64_t last_number;
static struct ask_job *jobs[BUCKETS]; /* the resolver thread's */

static void give_quota(struct ask_job *job)
{
    if (job->holds_quota) {
        job->holds_quota = false;
        quota_give(QUOTA_LOOKUPS, job->uid);
    }
}

static void job_free(struct message *message)
{
    struct ask_job *job = (struct ask_job *)message;

    dns_search_stop(&job->search);
    suffixes_release(job->plan.suffixes);
    give_quota(job);
    free(job);
}

/* ---- Home again ---- */

static void job_returned(struct message *message, struct loop *loop)
{
    struct ask_job *job = (struct ask_job *)message;
    struct dns_ask *ask = job->ask;

    (void)loop;
    give_quota(job); /* whoever goes on with the C library needs the place */
    if (ask != NULL) {
        ask->job = NULL;
        ask->done(ask, job->search.results);
    }
    job_free(message);
}

/* ---- On the resolver thread ---- */

static void unlink_job(struct ask_job *job)
{
    *job->link = job->next;
    if (job->next != NULL) {
        job->next->link = job->link;
    }
}

static void send_home(struct ask_job *job)
{
    unlink_job(job);
    job->message.deliver = job_returned;
    mailbox_post(job->asker, &job->message);
}

static bool has_found(const struct ask_job *job)
{
    for (unsigned i = 0; i < job->plan.n_types; i++) {
        const struct dns_answer *answer = job->search.results[i].answer;
        if (answer != NULL && answer->n_wanted > 0) {
            return true;
        }
    }
    return false;
}

static void ask_hosts(struct ask_job *job)
{
    for (unsigned i = 0; i < job->plan.n_types; i++) {
        struct dns_result *result = &job->search.results[i];
        struct dns_answer *answer = hosts_find(&job->plan.name, job->plan.types[i]);
        if (answer != NULL) {
            dns_answer_release(result->answer);
            *result = (struct dns_result){DNS_ANSWERED, answer, answer->ttl};
        }
    }
}

static void search_done(struct dns_search *search)
{
    struct ask_job *job =
        (struct ask_job *)(void *)((char *)search - offsetof(struct ask_job, search));

    if (job->asks_hosts && !has_found(job)) {
        ask_hosts(job);
    }
    send_home(job);
}

/* The file says more of the loopback addresses than we know by ourselves. */
static bool is_for_hosts_only(const struct ask_job *job)
{
    return !job->asks_servers || dns_name_kind(&job->plan.name) == DNS_KIND_LOOPBACK;
}

static void job_arrived(struct message *message, struct loop *loop)
{
    struct ask_job *job = (struct ask_job *)message;
    struct ask_job **bucket = &jobs[job->number % BUCKETS];

    (void)loop;
    job->next = *bucket;
    job->link = bucket;
    if (job->next != NULL) {
        job->next->link = &job->next;
    }
    *bucket = job;
    if (job->asks_hosts && is_for_hosts_only(job)) {
        ask_hosts(job);
    }
    if (has_found(job)) {
        send_home(job);
        return;
    }
    if (!job->asks_servers) {
        for (unsigned i = 0; i < job->plan.n_types; i++) {
            job->search.results[i].outcome = DNS_NO_NAMESERVER;
        }
        send_home(job);
        return;
    }
    dns_search_start(&job->search, &job->plan, search_done);
}

struct recall {
    struct message message;
    uint64_t number;
};

static void recall_drop(struct message *message) { free(message); }

static void recall_arrived(struct message *message, struct loop *loop)
{
    struct recall *recall = (struct recall *)message;
    struct ask_job *job = jobs[recall->number % BUCKETS];

    (void)loop;
    while (job != NULL && job->number != recall->number) {
        job = job->next;
    }
    if (job != NULL) {
        unlink_job(job);
        job_free(&job->message);
    }
    free(recall);
}

void dns_ask_end(void)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        while (jobs[i] != NULL) {
            struct ask_job *job = jobs[i];
            unlink_job(job);
            job_free(&job->message);
        }
    }
}

/* ---- In the worker ---- */

bool dns_ask_start(struct dns_ask *ask, const struct dns_ask_plan *plan,
                   void (*done)(struct dns_ask *ask, const struct dns_result *results),
                   struct error *error)
{
    uint32_t limit;

    CHECK(ask->job == NULL && plan->search.how.n_servers == 0);
    /* The file alone is looked into at once. So whoever turns to it after the servers
     * needs no second place while the first is on its way back. */
    if (plan->asks_servers && !quota_take(QUOTA_LOOKUPS, plan->uid)) {
        const char *name = quota_refusal(QUOTA_LOOKUPS, &limit);
        return error_set_limit(error, name, limit);
    }
    struct ask_job *job = MEM_NEW(struct ask_job);

    job->asker = loop_self();
    job->ask = ask;
    job->number = 1 + atomic_fetch_add_explicit(&last_number, 1, memory_order_relaxed);
    job->uid = plan->uid;
    job->plan = plan->search;
    job->asks_servers = job->holds_quota = plan->asks_servers;
    job->asks_hosts = plan->asks_hosts;
    job->plan.suffixes = suffixes_hold(plan->search.suffixes);
    job->message.deliver = job_arrived;
    job->message.drop = job_free;
    ask->job = job;
    ask->done = done;
    mailbox_post(loop_of_resolver(), &job->message);
    return true;
}

void dns_ask_cancel(struct dns_ask *ask)
{
    struct ask_job *job = ask->job;

    if (job == NULL) {
        return;
    }
    job->ask = NULL;
    ask->job = NULL;
    struct recall *recall = MEM_NEW(struct recall);

    recall->number = job->number;
    recall->message.deliver = recall_arrived;
    recall->message.drop = recall_drop;
    mailbox_post(loop_of_resolver(), &recall->message);
}
