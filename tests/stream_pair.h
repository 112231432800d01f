/* SPDX-License-Identifier: MIT */
/*
 * stream_pair.h - for system tests of streams: a daemon, a control connection, a
 * connected socket of the daemon and its peer in the test.
 *
 * Thread: the one that runs the test; everything ends with the test.
 */
#ifndef SOCKD_TESTS_STREAM_PAIR_H
#define SOCKD_TESTS_STREAM_PAIR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct harness;
struct harness_options;
struct wire;

struct stream_pair {
    struct harness *harness;
    struct wire *wire; /* made the socket */
    int64_t sock;
    int peer; /* the other side of `sock` */
};

/* The pair of the running test. */
extern struct stream_pair pair;

/* A daemon and a pair. `format` NULL: the default. */
void pair_start(const char *format);
void pair_start_with(const struct harness_options *options);
/* Another socket and peer in the same daemon, in the place of the present ones. */
void pair_open(const char *format);

/* For harness_await(): nobody has it attached; it is gone. */
bool pair_is_detached(void *context);
bool pair_is_closed(void *context);

/* The peer sends the text; returns when it can be read from the socket. */
void pair_say(const char *text);
/* `read` with the parameter socket alone, and with an encoding. */
json_t *pair_read(void);
json_t *pair_read_as(const char *encoding);
json_t *pair_read_exactly(int n);
json_t *pair_write(const char *text);
/* What describe-socket says in `runtime`. */
json_t *pair_runtime(void);

/* The result of a read: bytes and no end; bytes and an end. */
void pair_check_data(const json_t *result, const char *data, const char *encoding);
void pair_check_end(const json_t *result, const char *data, const char *end);

#endif
