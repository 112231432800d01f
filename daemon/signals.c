/* SPDX-License-Identifier: MIT */
/*
 * signals.c - SIGTERM, SIGINT, SIGHUP, SIGPIPE.
 *
 * Called by the server and main.c; calls loop.c. Thread: main.
 */
#include <config.h>
#include "daemon/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

#include "daemon/base/check.h"
#include "daemon/base/loop.h"

enum { WATCHED = 3 };
static const int numbers[WATCHED] = {SIGTERM, SIGINT, SIGHUP};

static struct signal_watch watches[WATCHED];
static void (*stop_asked)(int number);
static void (*reload_asked)(void);

void signals_ignore_pipe(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    CHECK(sigaction(SIGPIPE, &ignore, NULL) == 0);
}

static void change_mask(int how)
{
    sigset_t set;

    sigemptyset(&set);
    for (int i = 0; i < WATCHED; i++) {
        sigaddset(&set, numbers[i]);
    }
    CHECK(pthread_sigmask(how, &set, NULL) == 0);
}

void signals_block(void) { change_mask(SIG_BLOCK); }

void signals_unblock(void) { change_mask(SIG_UNBLOCK); }

static void arrived(void *arg, int number)
{
    (void)arg;
    if (number == SIGHUP) {
        reload_asked();
    } else {
        stop_asked(number);
    }
}

int signals_start(struct loop *loop, void (*stop)(int number), void (*reload)(void))
{
    stop_asked = stop;
    reload_asked = reload;
    for (int i = 0; i < WATCHED; i++) {
        int status = signal_watch_start(&watches[i], loop, numbers[i], arrived, NULL);
        if (status < 0) {
            return status;
        }
    }
    return 0;
}

void signals_stop(void)
{
    for (int i = 0; i < WATCHED; i++) {
        signal_watch_stop(&watches[i]);
    }
}
