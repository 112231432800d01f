/* SPDX-License-Identifier: MIT */
/*
 * fake.c - a daemon that is played by the test.
 *
 * Place: tests of libsockd. Thread: the one that runs the test.
 */
#include <config.h>
#include "tests/fake.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "tests/unit.h"

enum { MAX_CALLS = 64, MAX_CONNECTIONS = 8 };

/* State of the one fake. */
static struct {
    char directory[64];
    char path[96];
    int listener, fd; /* -1: none */
    char *input;      /* bytes that came and were not taken */
    size_t size, room;
    json_t *line; /* the last one taken */
    struct fake_call *calls[MAX_CALLS];
    unsigned n_calls;
    struct sockd *connections[MAX_CONNECTIONS];
    unsigned n_connections;
} fake = {.listener = -1, .fd = -1};

void fake_listen(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *base = getenv("TMPDIR");

    if (fake.listener >= 0)
        return;
    snprintf(fake.directory, sizeof(fake.directory), "%.40s/sockd-fake-XXXXXX",
             base && strlen(base) <= 40 ? base : "/tmp");
    if (!mkdtemp(fake.directory))
        unit_bail_out("mkdtemp: %s", strerror(errno));
    snprintf(fake.path, sizeof(fake.path), "%s/socket", fake.directory);
    memcpy(address.sun_path, fake.path, strlen(fake.path) + 1);
    fake.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fake.listener < 0 ||
        bind(fake.listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fake.listener, 8) < 0)
        unit_bail_out("listen at %s: %s", fake.path, strerror(errno));
}

const char *fake_path(void) { return fake.path; }

static void await_readable(int fd, const char *what)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    int n;

    do {
        n = poll(&poll_fd, 1, FAKE_WAIT_MS);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        UNIT_FAIL_NOW("%s did not come", what);
}

void fake_accept(void)
{
    await_readable(fake.listener, "a connection");
    fake_hang_up();
    fake.fd = accept4(fake.listener, NULL, NULL, SOCK_CLOEXEC);
    if (fake.fd < 0)
        unit_bail_out("accept: %s", strerror(errno));
}

void fake_say_hello(const char *result) { fake_reply(fake_expect("hello"), result); }

static int run_connect(struct fake_call *call)
{
    struct sockd_connect_options options = SOCKD_CONNECT_OPTIONS_INIT;

    options.path = fake.path;
    options.grace = *(double *)call->context;
    return sockd_connect(&options, SOCKD_FOREVER, &call->connection, &call->error);
}

struct sockd *fake_connect(void) { return fake_connect_with(FAKE_WAIT_MS / 1000.0); }

struct sockd *fake_connect_with(double grace)
{
    struct fake_call *call;
    char hello[200];

    fake_listen();
    call = fake_run(NULL, run_connect, &grace);
    fake_accept();
    snprintf(hello, sizeof(hello),
             "{\"product\":\"fake\",\"protocol\":1,\"limits\":{\"message-size\":%d}}",
             FAKE_MESSAGE_SIZE);
    fake_say_hello(hello);
    fake_join(call);
    if (call->status != SOCKD_OK)
        UNIT_FAIL_NOW("connect: %s", call->error.message);
    fake.connections[fake.n_connections++] = call->connection;
    return call->connection;
}

/* Waits for more bytes; false: there is an end. */
static bool receive_more(void)
{
    ssize_t size;

    if (fake.size == fake.room) {
        fake.room = fake.room ? fake.room * 2 : 65536;
        fake.input = realloc(fake.input, fake.room);
        if (!fake.input)
            unit_bail_out("out of memory");
    }
    await_readable(fake.fd, "a line of the library");
    size = recv(fake.fd, fake.input + fake.size, fake.room - fake.size, 0);
    if (size <= 0)
        return false;
    fake.size += (size_t)size;
    return true;
}

json_t *fake_take(void)
{
    json_error_t detail;
    char *end;
    size_t used;

    while (!fake.size || !(end = memchr(fake.input, '\n', fake.size))) {
        if (!receive_more())
            return NULL;
    }
    used = (size_t)(end - fake.input) + 1;
    json_decref(fake.line);
    fake.line = json_loadb(fake.input, used, JSON_ALLOW_NUL, &detail);
    if (!fake.line)
        UNIT_FAIL_NOW("the library sent no JSON: %.*s", (int)used, fake.input);
    memmove(fake.input, fake.input + used, fake.size - used);
    fake.size -= used;
    return fake.line;
}

int64_t fake_expect(const char *method)
{
    json_t *line = fake_take();
    const char *got = json_string_value(json_object_get(line, "method"));

    if (!got || strcmp(got, method) != 0)
        UNIT_FAIL_NOW("the library sent %s where %s was expected", got ? got : "nothing",
                      method);
    if (strcmp(json_string_value(json_object_get(line, "jsonrpc")), "2.0") != 0)
        UNIT_FAIL("the request has no version");
    return json_integer_value(json_object_get(line, "id"));
}

json_t *fake_params(void) { return json_object_get(fake.line, "params"); }

void fake_say_bytes(const void *bytes, size_t size)
{
    const char *at = bytes;

    while (size) {
        ssize_t sent = send(fake.fd, at, size, MSG_NOSIGNAL);

        if (sent < 0)
            UNIT_FAIL_NOW("send: %s", strerror(errno));
        at += sent;
        size -= (size_t)sent;
    }
}

void fake_say(const char *format, ...)
{
    va_list args;
    char *text;
    int size;

    va_start(args, format);
    size = vasprintf(&text, format, args);
    va_end(args);
    if (size < 0)
        unit_bail_out("out of memory");
    fake_say_bytes(text, (size_t)size);
    free(text);
}

void fake_say_descriptors(const int *fds, size_t n, const char *text)
{
    char control[CMSG_SPACE(16 * sizeof(int))] __attribute__((aligned(8))) = {0};
    struct iovec part = {.iov_base = (char *)(uintptr_t)text, .iov_len = strlen(text)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);

    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(head), fds, n * sizeof(int));
    if (sendmsg(fake.fd, &message, MSG_NOSIGNAL) != (ssize_t)strlen(text))
        UNIT_FAIL_NOW("sendmsg: %s", strerror(errno));
}

void fake_reply(int64_t id, const char *result)
{
    fake_say("{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":%s}\n", (long long)id, result);
}

void fake_refuse(int64_t id, const char *identifier, int code)
{
    fake_say("{\"jsonrpc\":\"2.0\",\"id\":%lld,\"error\":{\"code\":%d,\"message\":\"no\","
             "\"data\":{\"identifier\":\"%s\"}}}\n",
             (long long)id, code, identifier);
}

int fake_descriptor(void) { return fake.fd; }

void fake_hang_up(void)
{
    if (fake.fd >= 0)
        close(fake.fd);
    fake.fd = -1;
    fake.size = 0;
}

void fake_is_quiet(void)
{
    char byte;

    if (fake.size || recv(fake.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
        UNIT_FAIL("the library sent something nobody expected");
}

static void *call_main(void *argument)
{
    struct fake_call *call = argument;

    if (call->run)
        call->status = call->run(call);
    else
        call->status = sockd_call(call->connection, call->method, call->params,
                                  call->timeout, &call->result, &call->error);
    return NULL;
}

static struct fake_call *start(const struct fake_call *what)
{
    struct fake_call *call = malloc(sizeof(*call));

    if (!call || fake.n_calls == MAX_CALLS)
        unit_bail_out("too many calls");
    *call = *what;
    fake.calls[fake.n_calls++] = call;
    if (pthread_create(&call->thread, NULL, call_main, call) != 0)
        unit_bail_out("no thread");
    call->is_started = true;
    return call;
}

struct fake_call *fake_ask(struct sockd *connection, const char *method,
                           const char *params, double timeout)
{
    return start(&(struct fake_call){.connection = connection,
                                     .method = method,
                                     .params = params,
                                     .timeout = timeout,
                                     .fd = -1});
}

struct fake_call *fake_run(struct sockd *connection, int (*run)(struct fake_call *call),
                           void *context)
{
    return start(&(struct fake_call){.connection = connection,
                                     .run = run,
                                     .timeout = SOCKD_FOREVER,
                                     .context = context,
                                     .fd = -1});
}

void fake_join(struct fake_call *call)
{
    if (call->is_started)
        pthread_join(call->thread, NULL);
    call->is_started = false;
}

void fake_reset(void)
{
    fake_hang_up(); /* ends the calls that still wait */
    for (unsigned i = 0; i < fake.n_calls; i++) {
        fake_join(fake.calls[i]);
        sockd_free(fake.calls[i]->result);
        if (fake.calls[i]->fd >= 0)
            close(fake.calls[i]->fd);
        free(fake.calls[i]);
    }
    fake.n_calls = 0;
    while (fake.n_connections)
        sockd_disconnect(fake.connections[--fake.n_connections]);
    if (fake.listener >= 0) {
        close(fake.listener);
        unlink(fake.path);
        rmdir(fake.directory);
    }
    fake.listener = -1;
    free(fake.input);
    fake.input = NULL;
    fake.size = fake.room = 0;
    json_decref(fake.line);
    fake.line = NULL;
}
