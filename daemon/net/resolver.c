/* SPDX-License-Identifier: MIT */
/*
 * resolver.c - name look-ups on the job threads.
 *
 * Used by connector, datagram and the name commands; below it stand base/jobs and the C
 * library. A job and its asker know each other only in the asker's thread: the job's
 * `resolve` is cleared when the asker gives up, and the answer of such a job is thrown
 * away.
 */
#include <config.h>
#include "daemon/net/resolver.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/jobs.h"

enum { SERVICE_BUFFER = 2048 };

/* Owner: the job pool while it works, then the asker's loop. */
struct resolve_job {
    struct job job;          /* first: the pool hands this back */
    struct resolve *resolve; /* NULL: nobody waits any more */
    /* the question */
    char *host; /* NULL: the name of `address` is asked */
    int family;
    struct sockaddr_storage address;
    socklen_t address_size;
    /* the answer */
    int result; /* of getaddrinfo() or getnameinfo() */
    int errnum; /* when result is EAI_SYSTEM */
    struct resolve_answer answer;
};

static struct resolve_job *resolve_job_of(struct job *job)
{
    return (struct resolve_job *)job;
}

static void resolve_job_free(struct job *job)
{
    struct resolve_job *rj = resolve_job_of(job);

    free(rj->host);
    free(rj->answer.name);
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
    struct resolve_job *rj = resolve_job_of(job);
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
    struct resolve_job *rj = resolve_job_of(job);
    char name[NI_MAXHOST];

    rj->result = getnameinfo((const struct sockaddr *)&rj->address, rj->address_size,
                             name, sizeof name, NULL, 0, NI_NAMEREQD);
    rj->errnum = errno;
    if (rj->result == 0) {
        rj->answer.name = mem_copy_text(name);
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
    error->action = "look up";
}

static void job_done(struct job *job)
{
    struct resolve_job *rj = resolve_job_of(job);
    struct resolve *resolve = rj->resolve;
    struct error error;

    if (resolve) {
        resolve->job = NULL;
        timer_stop(&resolve->timer);
        if (rj->result == 0) {
            resolve->done(resolve, &rj->answer, NULL);
        } else {
            set_lookup_error(&error, rj);
            resolve->done(resolve, NULL, &error);
        }
    }
    resolve_job_free(job);
}

static void ran_out(void *arg)
{
    struct resolve *resolve = arg;
    struct error error;

    resolve_cancel(resolve);
    (void)error_set(&error, ERROR_TIMEOUT, "the name was not found in time");
    error.action = "look up";
    resolve->done(resolve, NULL, &error);
}

static void submit(struct resolve *resolve, struct resolve_job *rj, double timeout,
                   resolve_done *done)
{
    struct loop *loop = loop_self();

    CHECK(resolve->job == NULL);
    resolve->done = done;
    counters_add(loop_counters(loop), COUNTER_LOOKUPS, 1);
    if (timeout >= 0) {
        timer_start(&resolve->timer, loop, timeout, ran_out, resolve);
    }
    if (timeout == 0) {
        /* A name is never found at once; a fast answer must not win by chance. */
        resolve_job_free(&rj->job);
        return;
    }
    resolve->job = rj;
    rj->resolve = resolve;
    rj->job.done = job_done;
    rj->job.drop = resolve_job_free;
    jobs_submit(&rj->job, loop);
}

void resolve_start(struct resolve *resolve, const char *name, enum resolve_family family,
                   double timeout, resolve_done *done)
{
    struct resolve_job *rj = MEM_NEW(struct resolve_job);

    rj->host = mem_copy_text(name);
    rj->family = family == RESOLVE_V4   ? AF_INET
                 : family == RESOLVE_V6 ? AF_INET6
                                        : AF_UNSPEC;
    rj->job.work = work_addresses;
    submit(resolve, rj, timeout, done);
}

void resolve_name_start(struct resolve *resolve, const struct sockaddr *address,
                        socklen_t size, double timeout, resolve_done *done)
{
    struct resolve_job *rj = MEM_NEW(struct resolve_job);

    CHECK(size <= sizeof rj->address);
    memcpy(&rj->address, address, size);
    rj->address_size = size;
    rj->job.work = work_name;
    submit(resolve, rj, timeout, done);
}

void resolve_cancel(struct resolve *resolve)
{
    timer_stop(&resolve->timer);
    if (resolve->job) {
        resolve->job->resolve = NULL;
        resolve->job = NULL;
    }
}

bool resolve_port(const char *service, const char *protocol, uint16_t *port,
                  struct error *error)
{
    struct servent entry, *found = NULL;
    char buffer[SERVICE_BUFFER];

    if (getservbyname_r(service, protocol, &entry, buffer, sizeof buffer, &found) != 0 ||
        !found) {
        return error_set(error, ERROR_SERVICE_NOT_FOUND, "no %s service '%.120s'",
                         protocol, service);
    }
    *port = ntohs((uint16_t)found->s_port);
    return true;
}
