/* SPDX-License-Identifier: MIT */
/*
 * system_lib_memory.c - libsockd without memory: each allocation of each operation fails
 * once, and the operation ends with an error value, or well, and leaks nothing.
 *
 * The program has its own malloc() and its kin, which count. Sanitizers have theirs, too:
 * with them the test is skipped.
 */
#include <config.h>
#include "lib/sockd.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/harness.h"
#include "tests/lib_client.h"
#include "tests/peer.h"
#include "tests/unit.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#endif

#ifndef HAS_SANITIZER

/* Of the thread of the test; everything else allocates as usual. */
static _Thread_local struct {
    bool is_on;
    int fails_in; /* allocations until one fails; negative: none does */
    bool has_failed;
    int64_t n_live; /* blocks allocated and not freed */
} memory = {.fails_in = -1};

/* glibc offers its own under these names for programs like this one. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static bool may_allocate(void)
{
    if (!memory.is_on)
        return true;
    if (memory.fails_in == 0) {
        memory.fails_in = -1;
        memory.has_failed = true;
        errno = ENOMEM;
        return false;
    }
    memory.fails_in -= memory.fails_in > 0;
    memory.n_live++;
    return true;
}

void *malloc(size_t size) { return may_allocate() ? __libc_malloc(size) : NULL; }

void *calloc(size_t n, size_t size)
{
    return may_allocate() ? __libc_calloc(n, size) : NULL;
}

void *realloc(void *block, size_t size)
{
    if (!may_allocate())
        return NULL;
    if (block)
        memory.n_live -= memory.is_on;
    return __libc_realloc(block, size);
}

void free(void *block)
{
    if (block)
        memory.n_live -= memory.is_on;
    __libc_free(block);
}

static struct harness *harness;
static struct sockd *sockd;
static struct sockd_error error;
static int64_t stream;
static int peer;

static void begin(void)
{
    harness = harness_start(NULL);
    sockd = lib_connect(harness);
    stream = lib_stream(sockd, &peer);
}

static void end(void) { lib_disconnect_all(); }

/* ---- Operations; each frees what it was given ---- */

static int do_connect(void)
{
    struct sockd_connect_options options = SOCKD_CONNECT_OPTIONS_INIT;
    struct sockd *connection;
    int status;

    options.path = harness_socket(harness);
    status = sockd_connect(&options, 60, &connection, &error);
    if (status == SOCKD_OK)
        sockd_disconnect(connection);
    return status;
}

static int do_call(void)
{
    char *result;
    int status = sockd_call(sockd, "hello", "{}", 60, &result, &error);

    if (status == SOCKD_OK)
        sockd_free(result);
    return status;
}

static int do_describe(void)
{
    struct sockd_description *description;
    int status = sockd_describe_socket(sockd, stream, 60, &description, &error);

    if (status == SOCKD_OK)
        sockd_free(description);
    return status;
}

static int do_list(void)
{
    struct sockd_socket_list *list;
    int status = sockd_list_sockets(sockd, NULL, 60, &list, &error);

    if (status == SOCKD_OK)
        sockd_free(list);
    return status;
}

static int do_statistics(void)
{
    struct sockd_statistics *statistics;
    int status = sockd_statistics(sockd, 60, &statistics, &error);

    if (status == SOCKD_OK)
        sockd_free(statistics);
    return status;
}

static int do_write(void)
{
    char data[5000];

    memset(data, 'w', sizeof(data));
    return sockd_write(sockd, stream, data, sizeof(data), NULL, 60, NULL, &error);
}

static int do_peek(void)
{
    char data[200];
    size_t n;

    return sockd_peek(sockd, stream, data, sizeof(data), NULL, 60, &n, NULL, &error);
}

static int do_options(void)
{
    struct sockd_socket_options now = SOCKD_SOCKET_OPTIONS_INIT;

    return sockd_get_socket_options(sockd, stream, 60, &now, &error);
}

static void ignore_reply(struct sockd *connection, uint64_t request, const char *result,
                         const struct sockd_error *why, void *context)
{
    (void)connection, (void)request, (void)result;
    *(int *)context = why ? why->status : SOCKD_OK;
}

static int do_submit(void)
{
    int answer = -1;
    int status =
        sockd_submit(sockd, "hello", NULL, 60, ignore_reply, &answer, NULL, &error);

    while (status == SOCKD_OK && answer == -1)
        status = sockd_process(sockd, 60, NULL, &error);
    return answer > 0 ? answer : status;
}

static int do_fail(void)
{
    int status = sockd_close(sockd, 1, NULL, 60, &error);

    return status == SOCKD_E_NO_SUCH_SOCKET ? SOCKD_OK : status;
}

/* Lets the first, second, third... allocation fail until the operation needs no more. */
static void exhaust(const char *name, int (*operation)(void))
{
    enum { MANY = 10000 };

    for (int n = 0; n < MANY; n++) {
        int64_t live;
        int status;

        memory.has_failed = false;
        memory.fails_in = n;
        live = memory.n_live;
        memory.is_on = true;
        status = operation();
        memory.is_on = false;
        if (!memory.has_failed) {
            memory.fails_in = -1;
            lib_must(status, SOCKD_OK, &error, __FILE__, __LINE__, name);
            unit_note("%s: %d allocations", name, n);
            return;
        }
        if (status != SOCKD_OK && status != SOCKD_E_OUT_OF_MEMORY)
            UNIT_FAIL("%s without allocation %d: %s, %s", name, n, error.identifier,
                      error.message);
        if (memory.n_live != live)
            UNIT_FAIL("%s without allocation %d: %lld blocks more", name, n,
                      (long long)(memory.n_live - live));
        if (sockd_hello(sockd, 60, NULL, &error) != SOCKD_OK) {
            /* A line or a reply that could not be kept ends the connection, with a
             * reason. */
            CU_ASSERT_EQUAL(error.status, SOCKD_E_OUT_OF_MEMORY);
            lib_disconnect_all();
            sockd = lib_connect(harness);
            stream = lib_stream(sockd, &peer);
            peer_print(peer, "some data to be looked at");
        }
    }
    UNIT_FAIL("%s does not end", name);
}

static void test_operations(void)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } operations[] = {
        {"connect", do_connect},
        {"call", do_call},
        {"describe", do_describe},
        {"list", do_list},
        {"write", do_write},
        {"peek", do_peek},
        {"statistics", do_statistics},
        {"fail", do_fail},
        {"get-socket-options", do_options},
        {"submit", do_submit},
    };

    peer_print(peer, "some data to be looked at");
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        exhaust(operations[i].name, operations[i].run);
}

#else

static void begin(void) {}
static void end(void) {}
static void test_operations(void) { unit_skip("sanitizers have their own malloc()"); }

#endif

static const struct unit_test tests[] = {
    {"every allocation fails once", test_operations},
};

UNIT_MAIN_AROUND(tests, begin, end)
