/* SPDX-License-Identifier: MIT */
/*
 * requests.h - the parts of unit_lib_requests: operations of libsockd that are run
 * against a fake daemon, one after the other.
 *
 * An operation runs in a thread of its own and leaves what it has got in `out`; the
 * thread of the test reads what was sent, answers, and looks at `out` when the operation
 * has ended.
 */
#ifndef SOCKD_TESTS_REQUESTS_H
#define SOCKD_TESTS_REQUESTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/sockd.h"

struct fake_call;

#define DESCRIPTION                                                                      \
    "\"socket\":4503599627370497,\"name\":\"n\",\"type\":\"stream\","                    \
    "\"address-family\":\"internet\",\"connect\":\"active\",\"format\":\"bivalent\","    \
    "\"ipv6\":false,\"local-host\":\"127.0.0.1\",\"local-port\":1024,"                   \
    "\"remote-host\":\"127.0.0.2\",\"remote-port\":80,\"local-filename\":null,"          \
    "\"remote-filename\":null,\"state\":\"connected\",\"tls\":null,\"newer\":[1]"

#define OPTIONS                                                                          \
    "\"reuse-address\":true,\"reuse-port\":false,\"keepalive\":true,\"nodelay\":true,"   \
    "\"receive-buffer-size\":131072,\"linger\":-1,\"tcp-user-timeout\":0,\"tos\":16,"    \
    "\"ttl\":64,\"ipv6-only\":false"

/* What the operations answer is kept here, for the thread of the test to look at. */
struct requests_out {
    struct sockd_description *description;
    void *result;
    char text[400];
    char bytes[64];
    int number;
    int32_t character;
    int64_t large;
    size_t size;
    bool flags[2];
    enum sockd_end end;
    int64_t handles[4];
    struct sockd_io io[4];
    struct sockd_datagram datagram;
    struct sockd_line line;
    struct sockd_socket_options options;
    struct sockd_socket_control control;
};
extern struct requests_out out;

/* The connection of the running test. */
extern struct sockd *connection;

/* Takes the next line, which must be a request of `method`, and holds it against the
 * table. Its id. */
int64_t check_request(const char *method);
/* Runs an operation, which must send `method`, and answers it. It must be content. */
struct fake_call *operate(int (*run)(struct fake_call *), const char *method,
                          const char *answer);
/* A parameter that was sent. */
const char *sent_text(const char *name);
json_int_t sent_int(const char *name);

/* ---- Tests ---- */

void test_make_socket(void);
void test_make_socket_plain(void);
void test_accept_connection(void);
void test_small_operations(void);
void test_options(void);
void test_older_program(void);
void test_control(void);
void test_accessors(void);
void test_text_too_long(void);
void test_datagrams(void);
void test_waiting(void);
void test_read(void);
void test_read_bad_data(void);
void test_read_line(void);
void test_single_steps(void);
void test_write(void);
void test_write_large(void);
void test_names(void);
void test_interfaces(void);
void test_session(void);
void test_dns_queries(void);
void test_dns_odd_results(void);
void test_dns_configuration(void);
void test_relays(void);
void test_tunnels(void);
void test_daemon(void);
void test_describe(void);
void test_lists(void);
void test_statistics(void);
void test_contexts(void);
void test_context_lists(void);
void test_tls_streams(void);
void test_peer_certificate(void);
void test_tls_sockets(void);
void test_files(void);
void test_bad_files(void);

#endif
