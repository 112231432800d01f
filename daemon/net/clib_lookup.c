/* SPDX-License-Identifier: MIT */
/*
 * clib_lookup.c - getaddrinfo() and getnameinfo() on the job threads.
 *
 * Called by resolver.c; calls base/jobs and the C library. A job and its asker know each
 * other only in the asker's thread: the job's `resolve` is cleared when the asker gives
 * up, and the answer of such a job is thrown away. One that no thread has begun with is
 * dropped then.
 */
#include <config.h>
#include "daemon/net/clib_lookup.h"
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/base/check.h"
#include "daemon/base/jobs.h"
#include "daemon/base/quota.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/resolver.h"

/* Owner: the job pool while it works, then the asker's loop. */
struct resolve_job {
    struct job job;          /* first: the pool hands this back */
    struct resolve *resolve; /* NULL: nobody waits any more */
    void (*done)(struct resolve *resolve, struct resolve_answer *answer,
                 struct error *error);
    uid_t uid; /* in whose quota it counts until it is freed */
    /* the question */
    char *host; /* NULL: the name of `address` is asked */
    int family;
    struct sockaddr_storage address;
    socklen_t address_size;
    /* the answer */
    int result; /* of getaddrinfo() or getnameinfo() */
    int errnum; /* when result is EAI_SYSTEM */
    struct resolve_answer answer;
    char name[NI_MAXHOST];
};

static struct resolve_job *job_of(struct job *job) { return (struct resolve_job *)job; }

static void job_free(struct job *job)
{
    struct resolve_job *rj = job_of(job);

    quota_give(QUOTA_LOOKUPS, rj->uid);
    free(rj->host);
    free(rj);
}

static void add_address(struct resolve_answer *answer, const struct addrinfo *info)
{
    if (answer->n < RESOLVER_MAX_ADDRESSES &&
        info->ai_addrlen <= sizeof answer->addresses[0]) {
        memcpy(&answer->addresses[answer->n++], info->ai_addr, info->ai_addrlen);
    }
}

static void work_addresses(struct job *job)
{
    struct resolve_job *rj = job_of(job);
    struct addrinfo hints = {.ai_family = rj->family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;

    rj->result = getaddrinfo(rj->host, NULL, &hints, &found);
    rj->errnum = errno;
    if (rj->result != 0) {
        return;
    }
    for (const struct addrinfo *info = found; info; info = info->ai_next) {
        add_address(&rj->answer, info);
    }
    freeaddrinfo(found);
}

static void work_name(struct job *job)
{
    struct resolve_job *rj = job_of(job);

    rj->result = getnameinfo((const struct sockaddr *)&rj->address, rj->address_size,
                             rj->name, sizeof rj->name, NULL, 0, NI_NAMEREQD);
    rj->errnum = errno;
    if (rj->result == 0) {
        rj->answer.name = rj->name;
    } else if (rj->result == EAI_NONAME) {
        rj->result = 0;
    }
}

static void set_lookup_error(struct error *error, const struct resolve_job *rj)
{
    const char *what = rj->host ? rj->host : "the address";

    switch (rj->result) {
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
#endif
        (void)error_set(error, ERROR_HOST_NOT_FOUND, "no address for host '%.120s'",
                        what);
        break;
    case EAI_SYSTEM:
        (void)error_set_errno(error, rj->errnum, "look up");
        break;
    default:
        (void)error_set(error, ERROR_DNS_FAILURE, "looking up '%.120s': %s", what,
                        gai_strerror(rj->result));
        break;
    }
}

static void job_done(struct job *job)
{
    struct resolve_job *rj = job_of(job);
    struct resolve *resolve = rj->resolve;
    struct error error;

    if (resolve) {
        resolve->job = NULL;
        if (rj->result == 0) {
            rj->done(resolve, &rj->answer, NULL);
        } else {
            set_lookup_error(&error, rj);
            rj->done(resolve, NULL, &error);
        }
    }
    job_free(job);
}

bool clib_lookup_start(struct resolve *resolve,
                       void (*done)(struct resolve *resolve,
                                    struct resolve_answer *answer, struct error *error),
                       struct error *error)
{
    const struct resolve_plan *plan = &resolve->plan;
    uint32_t limit;

    CHECK(resolve->job == NULL);
    if (!quota_take(QUOTA_LOOKUPS, plan->uid)) {
        const char *name = quota_refusal(QUOTA_LOOKUPS, &limit);
        return error_set_limit(error, name, limit);
    }
    struct resolve_job *rj = MEM_NEW(struct resolve_job);

    rj->uid = plan->uid;
    resolve->job = rj;
    rj->resolve = resolve;
    rj->done = done;
    rj->job.may_hang = true;
    rj->job.done = job_done;
    rj->job.drop = job_free;
    if (plan->name != NULL) {
        rj->host = mem_copy_text(plan->name);
        rj->family = plan->family == RESOLVE_V4   ? AF_INET
                     : plan->family == RESOLVE_V6 ? AF_INET6
                                                  : AF_UNSPEC;
        rj->job.work = work_addresses;
    } else {
        rj->address_size = endpoint_from_ip(&rj->address, &plan->ip, 0);
        rj->job.work = work_name;
    }
    jobs_submit(&rj->job, loop_self());
    return true;
}

void clib_lookup_cancel(struct resolve *resolve)
{
    struct resolve_job *rj = resolve->job;

    if (rj == NULL) {
        return;
    }
    rj->resolve = NULL;
    resolve->job = NULL;
    if (jobs_withdraw(&rj->job)) {
        job_free(&rj->job);
    }
}
