/* SPDX-License-Identifier: MIT */
/*
 * context_build.c - a TLS context made in a job thread.
 *
 * Called by the commands that make contexts and streams; calls tls_context.c. Thread: the
 * loop that asks; the work is done in a job thread.
 */
#include <config.h>
#include "daemon/control/context_build.h"

#include <stdlib.h>

#include "daemon/base/check.h"
#include "daemon/base/jobs.h"
#include "daemon/base/loop.h"
#include "daemon/net/tls_context.h"

/* Owner: the job threads and the mailbox, as a job. */
struct context_build {
    struct job job; /* first: it comes back as this */
    struct tls_config config;
    struct tls_context *context;
    struct error error;
    context_built *done; /* NULL: forgotten */
    void *arg;
};

static void build_free(struct job *job)
{
    struct context_build *build = (struct context_build *)job;

    tls_context_unref(build->context);
    tls_config_fini(&build->config);
    free(build);
}

static void work(struct job *job)
{
    struct context_build *build = (struct context_build *)job;

    build->context = tls_context_new(&build->config, &build->error);
}

static void come_back(struct job *job)
{
    struct context_build *build = (struct context_build *)job;
    struct tls_context *context = build->context;

    if (build->done != NULL) {
        build->context = NULL;
        build->done(build->arg, context, &build->config,
                    context == NULL ? &build->error : NULL);
    }
    build_free(job);
}

struct context_build *context_build_start(struct tls_config *config, context_built *done,
                                          void *arg)
{
    struct context_build *build = MEM_NEW(struct context_build);

    build->job.work = work;
    build->job.done = come_back;
    build->job.drop = build_free;
    build->config = *config;
    *config = (struct tls_config){0};
    build->done = done;
    build->arg = arg;
    jobs_submit(&build->job, loop_self());
    return build;
}

void context_build_forget(struct context_build *build) { build->done = NULL; }
