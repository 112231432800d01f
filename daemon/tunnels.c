/* SPDX-License-Identifier: MIT */
/*
 * tunnels.c - opens the tunnels of the configuration at start.
 *
 * Called by main.c and the server; each tunnel is opened in its worker, by message, and
 * the answer comes back by message. Thread: main, but for what its messages do in the
 * workers.
 */
#include <config.h>
#include "daemon/tunnels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/base/mailbox.h"
#include "daemon/control/section.h"
#include "daemon/control/tunnel_config.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/tunnel.h"
#include "proto/table.h"

static struct {
    unsigned n_missing;
    bool has_failed;
    void (*done)(const char *why);
} starting;

/* Goes to a worker with the plan and comes back with what became of it. */
struct order {
    struct message message;
    struct tunnel_plan plan;
    char name[64];
    bool is_open;
    struct error error;
};

static bool read_section(const struct config *config, const struct section *section,
                         struct tunnel_plan *plan, char why[CONFIG_WHY_SIZE])
{
    struct error error;
    int line;

    if (tunnel_config_read(plan, section, &line, &error)) {
        return true;
    }
    (void)snprintf(why, CONFIG_WHY_SIZE, "%.200s:%d: %.250s", config->file, line,
                   error.message);
    return false;
}

bool tunnels_check(const struct config *config, char why[CONFIG_WHY_SIZE])
{
    bool is_good = true;

    table_setup();
    for (const struct section *section = config->sections; is_good && section != NULL;
         section = section->next) {
        struct tunnel_plan plan;
        if (strcmp(section->kind, "tunnel") != 0) {
            continue;
        }
        is_good = read_section(config, section, &plan, why);
        if (is_good) {
            tunnel_plan_fini(&plan);
        }
    }
    return is_good;
}

/* ---- Opening --------------------------------------------------------------------------
 */

static void drop(struct message *message)
{
    struct order *order = (struct order *)message;

    tunnel_plan_fini(&order->plan);
    free(order);
}

/* In main. */
static void answered(struct message *message, struct loop *loop)
{
    struct order *order = (struct order *)message;
    char why[CONFIG_WHY_SIZE];

    (void)loop;
    CHECK(starting.n_missing > 0);
    starting.n_missing--;
    if (!starting.has_failed && !order->is_open) {
        starting.has_failed = true;
        (void)snprintf(why, sizeof why, "[tunnel %s]: %.300s", order->name,
                       order->error.message);
        starting.done(why);
    } else if (!starting.has_failed && starting.n_missing == 0) {
        starting.done(NULL);
    }
    free(order);
}

static void opened(void *arg, struct tunnel *tunnel, const struct error *error)
{
    struct order *order = arg;

    order->is_open = error == NULL;
    if (error != NULL) {
        order->error = *error;
    } else {
        log_line(LOG_NET, LOG_LEVEL_INFO, "A tunnel is open. tunnel=%lld name=%s",
                 (long long)tunnel->handle, order->name);
    }
    order->message.deliver = answered;
    mailbox_post(loop_of_main(), &order->message);
}

/* In the worker. */
static void ordered(struct message *message, struct loop *loop)
{
    struct order *order = (struct order *)message;

    (void)loop;
    tunnel_open(&order->plan, NULL, opened, order);
}

void tunnels_start(const struct config *config, void (*done)(const char *why))
{
    char why[CONFIG_WHY_SIZE];
    unsigned turn = 0;

    starting.done = done;
    for (const struct section *section = config->sections; section != NULL;
         section = section->next) {
        if (strcmp(section->kind, "tunnel") != 0) {
            continue;
        }
        struct order *order = MEM_NEW(struct order);
        order->message.deliver = ordered;
        order->message.drop = drop;
        (void)snprintf(order->name, sizeof order->name, "%s", section->name);
        if (!read_section(config, section, &order->plan, why)) {
            free(order);
            starting.has_failed = true;
            done(why);
            return;
        }
        starting.n_missing++;
        mailbox_post(loop_of_worker(turn++ % loop_n_workers()), &order->message);
    }
    if (starting.n_missing == 0) {
        done(NULL);
    }
}
