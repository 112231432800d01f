/* SPDX-License-Identifier: MIT */
/*
 * resolver_thread.c - the life of the resolver thread.
 *
 * Called by the server; calls net/dns and the desk. Thread: main, but for run() and what
 * it calls. Workers hand it look-ups (net/dns_ask), and requests about the DNS travel to
 * it whole.
 */
#include <config.h>
#include "daemon/resolver_thread.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "daemon/base/check.h"
#include "daemon/base/loop.h"
#include "daemon/base/mailbox.h"
#include "daemon/control/desk.h"
#include "daemon/net/dns.h"
#include "daemon/net/dns_ask.h"
#include "daemon/net/name_cache.h"
#include "proto/arena.h"

static struct {
    struct loop *loop;
    struct dns_plan plan;
    pthread_t thread;
    bool is_running;
} resolver;

void resolver_thread_open(const struct dns_plan *plan)
{
    resolver.plan = *plan;
    resolver.loop = loop_new("resolver", LOOP_RESOLVER);
    loop_register(resolver.loop);
    desk_open(resolver.loop);
}

static void *run(void *arg)
{
    struct loop *loop = arg;

    (void)pthread_setname_np(pthread_self(), loop_name(loop)); /* for ps only */
    loop_enter(loop);
    dns_open(&resolver.plan);
    loop_run(loop);
    dns_ask_end();
    dns_close();
    arena_thread_end();
    return NULL;
}

int resolver_thread_start(void)
{
    int status = pthread_create(&resolver.thread, NULL, run, resolver.loop);

    resolver.is_running = status == 0;
    return -status;
}

static void end_arrived(struct message *message, struct loop *loop)
{
    free(message);
    desk_end_requests(loop);
    loop_stop(loop);
}

static void drop(struct message *message) { free(message); }

void resolver_thread_end(void)
{
    if (!resolver.is_running) {
        return;
    }
    struct message *message = MEM_NEW(struct message);

    message->deliver = end_arrived;
    message->drop = drop;
    mailbox_post(resolver.loop, message);
    CHECK(pthread_join(resolver.thread, NULL) == 0);
    resolver.is_running = false;
}

void resolver_thread_close(void)
{
    if (resolver.loop == NULL) {
        return;
    }
    desk_close(resolver.loop);
    loop_free(resolver.loop);
    resolver.loop = NULL;
    name_cache_clear();
}
