/* SPDX-License-Identifier: MIT */
/*
 * server.c - what is started in which order, and ended in the reverse.
 *
 * Called by main.c; calls everything at the top of the daemon. Thread: main.
 *
 * The stop: the control socket is closed; the workers read no more requests, end what is
 * under way and write what is pending; when all of them are quiet, or the time is up, or
 * a second signal comes, they are ended and joined. Only then memory is freed, so that no
 * message meets a loop that is gone.
 */
#include <config.h>
#include "daemon/server.h"

#include <errno.h>
#include <event2/event.h>
#include <grp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/activation.h"
#include "daemon/base/handle.h"
#include "daemon/base/jobs.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/base/quota.h"
#include "daemon/base/users.h"
#include "daemon/config.h"
#include "daemon/control/connection_life.h"
#include "daemon/context_sections.h"
#include "daemon/control/contexts.h"
#include "daemon/control/credentials.h"
#include "daemon/control/desk.h"
#include "daemon/control/instance.h"
#include "daemon/control/limits.h"
#include "daemon/control/listener.h"
#include "daemon/net/dns.h"
#include "daemon/net/sock.h"
#include "daemon/net/stream.h"
#include "daemon/notify.h"
#include "daemon/pool.h"
#include "daemon/reload.h"
#include "daemon/resolver_thread.h"
#include "daemon/rights.h"
#include "daemon/signals.h"
#include "daemon/tunnels.h"
#include "proto/arena.h"
#include "proto/table.h"

enum {
    MAINTENANCE_SECONDS = 600,
    QUICK_THREADS = 2 /* for what must not wait behind look-ups: clients, files */
};

static struct {
    const struct config *config;
    struct loop *loop;
    struct control_listener *listener;
    struct timer timer; /* bounds the stop */
    struct timer maintenance;
    bool is_ready, is_stopping, is_ending;
    bool has_failed; /* the start */
} server;

/* ---- Stop -----------------------------------------------------------------------------
 */

static void end(void)
{
    if (!server.is_ending) {
        server.is_ending = true;
        timer_stop(&server.timer);
        loop_stop(server.loop);
    }
}

static void time_is_up(void *arg)
{
    (void)arg;
    log_line(LOG_DAEMON, LOG_LEVEL_WARN,
             "The time for pending output is over: the rest is dropped.");
    end();
}

static void request_stop(void)
{
    if (server.is_stopping) {
        return;
    }
    server.is_stopping = true;
    log_line(LOG_DAEMON, LOG_LEVEL_INFO, "Stopping.");
    notify_stopping("writing pending output");
    control_listener_close(server.listener);
    server.listener = NULL;
    timer_start(&server.timer, server.loop,
                config_seconds(server.config, CONFIG_STOP_TIMEOUT), time_is_up, NULL);
    pool_drain(end);
}

static void signalled(int number)
{
    log_line(LOG_DAEMON, LOG_LEVEL_INFO, "A signal came. signal=%s",
             sigabbrev_np(number));
    if (server.is_stopping) {
        end();
    } else {
        request_stop();
    }
}

/* ---- Reload ---------------------------------------------------------------------------
 */

static void reloaded(void)
{
    if (server.is_ready && !server.is_stopping) {
        notify_ready("serving clients");
    }
}

static void reload_asked(void)
{
    if (server.is_stopping) {
        return;
    }
    log_line(LOG_DAEMON, LOG_LEVEL_INFO, "A signal came. signal=HUP");
    if (server.is_ready) {
        notify_reloading("reading certificates");
    }
    reload_start(server.config, server.loop, reloaded);
}

/* ---- Start: what the system gives -----------------------------------------------------
 */

static bool failed(const char *what, const char *why)
{
    log_line(LOG_DAEMON, LOG_LEVEL_ERROR, "%s: %s", what, why);
    return false;
}

/* Every client and every socket takes a descriptor; the soft limit is for programs that
 * use select(). */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max) {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
        log_line(LOG_DAEMON, LOG_LEVEL_WARN,
                 "The limit of descriptors could not be raised. reason=\"%s\"",
                 strerror(errno));
    }
}

/* Socket files are opened with the rights of the user who asks. The groups that root came
 * with would be added to these, in every thread. */
static void drop_groups(void)
{
    if (geteuid() == 0 && setgroups(0, NULL) < 0) {
        log_line(LOG_DAEMON, LOG_LEVEL_WARN,
                 "The supplementary groups could not be dropped. reason=\"%s\"",
                 strerror(errno));
    }
}

static unsigned n_processors(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) < 0) {
        return 1;
    }
    int n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > HANDLE_MAX_WORKERS ? HANDLE_MAX_WORKERS : (unsigned)n;
}

/* ---- Start: configuration -------------------------------------------------------------
 */

static unsigned number(enum config_id id)
{
    return (unsigned)config_number(server.config, id);
}

static void set_limits(void)
{
    struct control_limits limits = {
        .message_size = number(CONFIG_MESSAGE_SIZE),
        .nesting = number(CONFIG_NESTING),
        .batch_size = number(CONFIG_BATCH_SIZE),
        .requests_in_flight = number(CONFIG_REQUESTS_IN_FLIGHT),
        .request_queue_size = number(CONFIG_REQUEST_QUEUE_SIZE),
        .connections = number(CONFIG_CONNECTIONS),
        .connections_per_user = number(CONFIG_CONNECTIONS_PER_USER),
        .sockets = number(CONFIG_SOCKETS),
        .sockets_per_user = number(CONFIG_SOCKETS_PER_USER),
        .lookups = number(CONFIG_LOOKUPS),
        .lookups_per_user = number(CONFIG_LOOKUPS_PER_USER),
        .contexts = number(CONFIG_CONTEXTS),
        .contexts_per_user = number(CONFIG_CONTEXTS_PER_USER),
        .handshakes = number(CONFIG_HANDSHAKES),
        .allows_weak_tls = number(CONFIG_ALLOW_WEAK_TLS) != 0,
        .reply_queue_size = number(CONFIG_REPLY_QUEUE_SIZE),
        .reply_timeout = config_seconds(server.config, CONFIG_REPLY_TIMEOUT),
        .input_buffer_size = STREAM_PIECE,
        .output_buffer_size = number(CONFIG_OUTPUT_BUFFER_SIZE),
        .close_timeout = config_seconds(server.config, CONFIG_CLOSE_TIMEOUT),
    };

    control_set_limits(&limits);
    quota_set_limit(QUOTA_CONNECTIONS, limits.connections_per_user);
    quota_set_total(QUOTA_CONNECTIONS, limits.connections);
    quota_set_limit(QUOTA_SOCKETS, limits.sockets_per_user);
    quota_set_total(QUOTA_SOCKETS, limits.sockets);
    quota_set_limit(QUOTA_LOOKUPS, limits.lookups_per_user);
    quota_set_total(QUOTA_LOOKUPS, limits.lookups);
    quota_set_limit(QUOTA_CONTEXTS, limits.contexts_per_user);
    quota_set_total(QUOTA_CONTEXTS, limits.contexts);
    sock_set_close_timeout(limits.close_timeout);
    loop_set_busy_poll(config_seconds(server.config, CONFIG_BUSY_POLL));
    stream_set_output_limit(limits.output_buffer_size);
}

static bool open_listener(void)
{
    struct control_listener_plan plan;
    char path[108], why[CONFIG_WHY_SIZE];
    struct rights rights;
    int fd;

    if (!activation_take(&fd, why)) {
        return failed("cannot start", why);
    }
    if (fd < 0 && !config_socket_path(server.config, path, sizeof path, why)) {
        return failed("no control socket", why);
    }
    if (fd < 0 && strcmp(path, "/run/sockd/sockd.sock") == 0 && geteuid() == 0) {
        /* Under a service manager it is there already; whatever else is wrong with it
         * shows when the socket is bound. */
        (void)mkdir("/run/sockd", 0755);
    }
    if (!rights_find(&rights, server.config, why)) {
        return failed("cannot start", why); /* it was there a moment ago */
    }
    if (rights.has_admins) {
        credentials_set_admin_group(rights.admins);
    }
    plan = (struct control_listener_plan){
        .fd = fd,
        .path = path,
        .owner = rights.owner,
        .group = rights.group,
        .mode = rights.mode,
    };
    server.listener = control_listener_open(server.loop, &plan, why, sizeof why);
    if (server.listener == NULL) {
        return failed("cannot start", why);
    }
    return true;
}

/* ---- Start and run --------------------------------------------------------------------
 */

static bool prepare(void)
{
    unsigned n = number(CONFIG_WORKERS);

    log_setup();
    log_set_all((enum log_level)config_number(server.config, CONFIG_LOG_LEVEL));
    raise_descriptor_limit();
    drop_groups();
    table_setup();
    dispatch_setup();
    set_limits();
    users_learn(0);
    users_learn(geteuid());
    instance_set((int64_t)time(NULL), request_stop);
    server.loop = loop_new("main", LOOP_MAIN);
    loop_register(server.loop);
    desk_open(server.loop);
    loop_enter(server.loop);
    pool_open(n > 0 ? n : n_processors());
    resolver_thread_open(&(struct dns_plan){
        .resolv_conf = config_text(server.config, CONFIG_RESOLV_CONF),
        .hosts = config_text(server.config, CONFIG_HOSTS),
        .cache_size = (size_t)config_number(server.config, CONFIG_DNS_CACHE_SIZE),
    });
    jobs_start(number(CONFIG_JOB_THREADS) + QUICK_THREADS, number(CONFIG_JOB_THREADS));
    char why[CONFIG_WHY_SIZE];

    if (!context_sections_read(server.config, why)) {
        return failed("cannot start", why);
    }
    return open_listener();
}

/* What the configuration names is there (why NULL), or the start has failed. */
static void serve(const char *why)
{
    if (server.is_stopping || server.is_ending) {
        return; /* a signal was faster */
    }
    int status = why == NULL ? control_listener_start(server.listener) : 0;

    if (why != NULL || status < 0) {
        server.has_failed = true;
        (void)failed("cannot start", why != NULL ? why : strerror(-status));
        end();
        return;
    }
    log_line(LOG_DAEMON, LOG_LEVEL_INFO, "Ready. version=%s workers=%u pid=%ld",
             PACKAGE_VERSION, loop_n_workers(), (long)getpid());
    server.is_ready = true;
    notify_ready("serving clients");
}

/* Ticket keys and sessions grow too old by the hour. */
static void maintain(void *arg)
{
    (void)arg;
    contexts_maintain();
    timer_start(&server.maintenance, server.loop, MAINTENANCE_SECONDS, maintain, NULL);
}

static bool start(void)
{
    signals_block();
    int status = pool_start();
    if (status == 0) {
        status = resolver_thread_start();
    }
    if (status == 0) {
        status = signals_start(server.loop, signalled, reload_asked);
    }
    signals_unblock();
    if (status < 0) {
        return failed("cannot start", strerror(-status));
    }
    maintain(NULL);
    tunnels_start(server.config, serve);
    return !server.has_failed;
}

static void finish(void)
{
    control_listener_close(server.listener);
    server.listener = NULL;
    pool_end();
    resolver_thread_end();
    jobs_stop();
    timer_stop(&server.timer);
    timer_stop(&server.maintenance);
    signals_stop();
    pool_close();
    resolver_thread_close();
    desk_close(server.loop);
    loop_free(server.loop);
    server.loop = NULL;
    loop_unregister_all();
    contexts_fini();
    users_fini();
    quota_fini();
    arena_thread_end();
    libevent_global_shutdown();
}

int server_run(const struct config *config)
{
    server.config = config;
    bool is_started = prepare() && start();

    if (is_started) {
        loop_run(server.loop);
    }
    finish();
    if (is_started) {
        log_line(LOG_DAEMON, LOG_LEVEL_INFO, "Stopped.");
    }
    return is_started && !server.has_failed ? 0 : 1;
}
