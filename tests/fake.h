/* SPDX-License-Identifier: MIT */
/*
 * fake.h - a daemon that is played by the test: it sees every line that libsockd sends
 * and says whatever it likes, bad things too.
 *
 * The test itself is the daemon, in its own thread; calls of the library that block run
 * in other threads (fake_ask()). So nothing depends on time: a line that fake_take() has
 * seen was sent, and what fake_say() has said has been said. There is one fake per test;
 * fake_reset(), which runs after each, takes it and all its calls away.
 */
#ifndef SOCKD_TESTS_FAKE_H
#define SOCKD_TESTS_FAKE_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/sockd.h"

enum { FAKE_WAIT_MS = 60000, FAKE_MESSAGE_SIZE = 65536 };

/* Listens at a path of its own. */
void fake_listen(void);
const char *fake_path(void);
/* Lets the library connect, and answers its hello; the message limit is
 * FAKE_MESSAGE_SIZE. The connection ends with the test. */
struct sockd *fake_connect(void);
/* With another grace than one that is long enough for any machine. */
struct sockd *fake_connect_with(double grace);
/* The parts of it, for those who want to answer hello differently. */
void fake_accept(void);
void fake_say_hello(const char *result);

/* The next line of the library, parsed; valid until the next call. NULL: it has hung up.
 */
json_t *fake_take(void);
/* The same, and it must be a request of this method: its id, or 0 when it has none. */
int64_t fake_expect(const char *method);
json_t *fake_params(void); /* of the line that was taken last */

/* Sends text as it is. */
void fake_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fake_say_bytes(const void *bytes, size_t size);
void fake_say_descriptors(const int *fds, size_t n, const char *text);
/* A whole line that answers `id`. `result` is JSON text. */
void fake_reply(int64_t id, const char *result);
void fake_refuse(int64_t id, const char *identifier, int code);
/* The same in one line, for many at once. */
int fake_descriptor(void);
void fake_hang_up(void);
/* The library has sent nothing that was not taken. */
void fake_is_quiet(void);

/* A call of the library in a thread of its own. */
struct fake_call {
    pthread_t thread;
    struct sockd *connection;
    const char *method, *params;
    double timeout;
    int (*run)(struct fake_call *call); /* NULL: sockd_call() */
    bool is_started;
    /* what came out, after fake_join(): */
    int status;
    char *result;
    struct sockd_error error;
    int64_t socket;
    int fd;
    void *context;
};

/* Starts it; members that are not given are 0. Ends with the test. */
struct fake_call *fake_ask(struct sockd *connection, const char *method,
                           const char *params, double timeout);
struct fake_call *fake_run(struct sockd *connection, int (*run)(struct fake_call *call),
                           void *context);
/* Waits for its end. */
void fake_join(struct fake_call *call);

/* Takes everything away; for UNIT_MAIN_AROUND. */
void fake_reset(void);

#endif
