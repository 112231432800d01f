/* SPDX-License-Identifier: MIT */
/*
 * reload.c - certificates, keys and lists of the configured contexts, read again.
 *
 * Called by the server at SIGHUP; calls context_config.c in job threads, one job for each
 * context, and contexts.c when they come back. What is not good fails alone: the renewed
 * certificate of one service does not wait for another's. Thread: main.
 */
#include <config.h>
#include "daemon/reload.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/base/jobs.h"
#include "daemon/base/log.h"
#include "daemon/config.h"
#include "daemon/control/context_config.h"
#include "daemon/control/contexts.h"
#include "daemon/control/section.h"
#include "daemon/net/tls_context.h"
#include "proto/arena.h"
#include "proto/error.h"

/* Owner: the job threads and the mailbox. */
struct renewal {
    struct job job; /* first: it comes back as this */
    const struct section *section;
    struct tls_context *context; /* NULL: *error */
    struct tls_config config;
    struct error error;
    int line;
};

static struct {
    const struct config *config;
    struct loop *loop;
    void (*done)(void);
    unsigned n_left, n_renewed, n_kept;
    bool is_asked_again;
} reload;

static void renewal_free(struct job *job)
{
    struct renewal *renewal = (struct renewal *)job;

    tls_context_unref(renewal->context);
    tls_config_fini(&renewal->config);
    free(renewal);
}

static void work(struct job *job)
{
    struct renewal *renewal = (struct renewal *)job;

    (void)context_config_build(renewal->section, &renewal->context, &renewal->config,
                               &renewal->line, &renewal->error);
    arena_thread_end();
}

static void begin(void);

static void end(void)
{
    log_line(LOG_DAEMON, LOG_LEVEL_INFO,
             "The files of the contexts were read again. renewed=%u kept=%u",
             reload.n_renewed, reload.n_kept);
    if (reload.is_asked_again) {
        begin();
    } else {
        reload.done();
    }
}

static void come_back(struct job *job)
{
    struct renewal *renewal = (struct renewal *)job;

    if (renewal->context == NULL) {
        reload.n_kept++;
        log_line(LOG_DAEMON, LOG_LEVEL_WARN,
                 "A context keeps what it has: %s:%d: %s context=%s", reload.config->file,
                 renewal->line, renewal->error.message, renewal->section->name);
    } else if (contexts_renew(renewal->section->name, renewal->context,
                              &renewal->config)) {
        reload.n_renewed++;
        renewal->context = NULL;
    }
    renewal_free(job);
    if (--reload.n_left == 0) {
        end();
    }
}

static void begin(void)
{
    reload.is_asked_again = false;
    reload.n_renewed = reload.n_kept = 0;
    for (const struct section *section = reload.config->sections; section != NULL;
         section = section->next) {
        if (strcmp(section->kind, "context") != 0) {
            continue;
        }
        struct renewal *renewal = MEM_NEW(struct renewal);
        renewal->job.work = work;
        renewal->job.done = come_back;
        renewal->job.drop = renewal_free;
        renewal->section = section;
        reload.n_left++;
        jobs_submit(&renewal->job, reload.loop);
    }
    if (reload.n_left == 0) {
        end();
    }
}

void reload_start(const struct config *config, struct loop *loop, void (*done)(void))
{
    reload.config = config;
    reload.loop = loop;
    reload.done = done;
    if (reload.n_left > 0) {
        reload.is_asked_again = true;
    } else {
        begin();
    }
}
