/* SPDX-License-Identifier: MIT */
/*
 * harness.h - a real sockd for a test: started in a directory of its own, awaited,
 * stopped, judged.
 *
 * The daemon gets a socket in a private directory and a NOTIFY_SOCKET, and is ready when
 * it says READY=1: the path it takes under systemd. The number of workers comes from a
 * printed seed; SOCKD_TEST_SEED repeats a run. Whatever a test leaves behind, also by a
 * fatal assertion, is stopped and closed after it; a daemon must then end with status 0,
 * without a sanitizer's report, without an error line in its log, and without its socket
 * file. After a failure the log is shown and the directory kept.
 *
 * Environment: SOCKD_DAEMON is the program (else daemon/sockd of the build);
 * SOCKD_WRAPPER words to put before it ("valgrind --error-exitcode=97").
 *
 * Thread: the one that runs the test.
 */
#ifndef SOCKD_TESTS_HARNESS_H
#define SOCKD_TESTS_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Longest wait for any one thing. Reached only when a test fails. */
enum { HARNESS_WAIT_MS = 60000 };

/* Owner: harness.c; ends with the test. */
struct harness;

struct harness_options {
    unsigned workers;        /* 0: from the seed, 1 to 4 */
    const char *const *args; /* further arguments, ended by NULL; may be NULL */
    const char *config;      /* text of the configuration file; NULL: an empty one */
    const char *socket; /* path of the control socket; NULL: in the private directory */
    uid_t uid;          /* not 0: runs as this user (the test must be root) */
    gid_t gid;
    bool expect_errors; /* error lines in the log are part of the test */
};

/* Starts a daemon and waits until it is ready. `options` may be NULL. Fails the test for
 * good when the daemon does not start. */
struct harness *harness_start(const struct harness_options *options);

/* As harness_start(), for a daemon that must refuse to start: returns its exit status.
 * The log must contain `text`. */
int harness_start_refused(const struct harness_options *options, const char *text);

/* SIGTERM and all checks. Open clients may still be there. No-op when already stopped. */
void harness_stop(struct harness *harness);

/* As above with another signal. */
void harness_stop_with(struct harness *harness, int signal_number);

/* SIGKILL, no checks. The socket file stays: for tests of stale ones. */
void harness_kill(struct harness *harness);

/* Waits for the daemon to end by itself and checks as harness_stop() does. */
void harness_await_end(struct harness *harness);

pid_t harness_pid(const struct harness *harness);
const char *harness_socket(const struct harness *harness);    /* path */
const char *harness_directory(const struct harness *harness); /* path, private */
unsigned harness_workers(const struct harness *harness);

/* What the daemon holds, from /proc. */
int harness_n_descriptors(const struct harness *harness);
long harness_memory_kib(const struct harness *harness); /* resident */
/* Does it keep what was freed for a while, as sanitizers and valgrind do, so that its
 * memory tells nothing about leaks? They find these themselves. */
bool harness_keeps_freed_memory(void);

/* Whether the log has `text` in it; the second form waits for it. */
bool harness_log_has(const struct harness *harness, const char *text);
void harness_await_log(const struct harness *harness, const char *text);

/* The next message to the service manager that begins with this line ("READY=1"), after
 * the one that it started with. */
void harness_await_notice(const struct harness *harness, const char *line);
/* The same with a bound of its own. False: the daemon ended first, or it was too long. */
bool harness_is_told(const struct harness *harness, const char *line, int64_t wait_ms);

/* Asks `condition` at once, then quickly, then slowly, until it holds; fails the test for
 * good (naming `what`) after HARNESS_WAIT_MS. */
void harness_await(bool (*condition)(void *context), void *context, const char *what);

/* Pseudo-random numbers from the seed of the run. */
uint64_t harness_random(void);
uint64_t harness_seed(void);

/* Milliseconds of the monotonic clock. */
int64_t harness_now_ms(void);

#endif
