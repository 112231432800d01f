/* SPDX-License-Identifier: MIT */
/*
 * notify.h - tells the service manager how the daemon does (sd_notify(3)).
 *
 * Without a service manager nothing happens. Thread: main.
 */
#ifndef SOCKD_NOTIFY_H
#define SOCKD_NOTIFY_H

/* Clients can connect; or a reload is done. `status` is a sentence for people. */
void notify_ready(const char *status);
void notify_reloading(const char *status);
void notify_stopping(const char *status);

#endif
