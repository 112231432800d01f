/* SPDX-License-Identifier: MIT */
/*
 * system_lib.c - libsockd against the real daemon: every function in one thread, with
 * plain sockets on the other side.
 */
#include <config.h>
#include "lib/sockd.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/lib_client.h"
#include "tests/unit.h"

static struct harness *harness;
static struct sockd *sockd;
static struct sockd_error error;

static void begin(void)
{
    harness = harness_start(NULL);
    sockd = lib_connect(harness);
}

static void end(void) { lib_disconnect_all(); }

/* ---- Streams ---- */

static void test_stream(void)
{
    struct sockd_read_options options = SOCKD_READ_OPTIONS_INIT;
    struct sockd_line line = SOCKD_LINE_INIT;
    enum sockd_end how = SOCKD_END_RESET;
    bool available, eof, present;
    char buffer[64];
    size_t n;
    int peer;
    int64_t socket = lib_stream(sockd, &peer);

    MUST(sockd_write(sockd, socket, "hello\r\n", 7, NULL, 5, &n, &error));
    CU_ASSERT_EQUAL(n, 7);
    peer_expect_text(peer, "hello\r\n");
    MUST(sockd_listen(sockd, socket, 5, &available, &eof, &error));
    CU_ASSERT_FALSE(available);
    peer_print(peer, "one\r\ntwo\nthree END rest");
    MUST(sockd_read_line(sockd, socket, buffer, sizeof(buffer), NULL, 5, &present, &line,
                         &error));
    CU_ASSERT_TRUE(present);
    CU_ASSERT_STRING_EQUAL(buffer, "one");
    MUST(sockd_peek(sockd, socket, buffer, 3, NULL, 5, &n, &how, &error));
    CU_ASSERT_EQUAL(n, 3);
    CU_ASSERT_EQUAL(memcmp(buffer, "two", 3), 0);
    CU_ASSERT_EQUAL(how, SOCKD_END_NONE);
    options.exactly = 1;
    MUST(sockd_read(sockd, socket, buffer, 4, &options, 5, &n, &how, &error));
    CU_ASSERT_EQUAL(memcmp(buffer, "two\n", 4), 0);
    options = (struct sockd_read_options)SOCKD_READ_OPTIONS_INIT;
    options.until = "END";
    options.until_size = 3;
    MUST(
        sockd_read(sockd, socket, buffer, sizeof(buffer), &options, 5, &n, &how, &error));
    CU_ASSERT_EQUAL(n, 9);
    CU_ASSERT_EQUAL(memcmp(buffer, "three END", 9), 0);
    peer_shut_output(peer);
    options = (struct sockd_read_options)SOCKD_READ_OPTIONS_INIT;
    options.exactly = 1;
    options.encoding = SOCKD_UTF8;
    MUST(
        sockd_read(sockd, socket, buffer, sizeof(buffer), &options, 5, &n, &how, &error));
    CU_ASSERT_EQUAL(n, 5);
    CU_ASSERT_EQUAL(how, SOCKD_END_CLEAN);
    MUST(sockd_read(sockd, socket, buffer, sizeof(buffer), NULL, 5, &n, &how, &error));
    CU_ASSERT_EQUAL(n, 0);
    CU_ASSERT_EQUAL(how, SOCKD_END_CLEAN);
    MUST(sockd_read_line(sockd, socket, buffer, sizeof(buffer), NULL, 5, &present, &line,
                         &error));
    CU_ASSERT_FALSE(present);
    MUST(sockd_shutdown(sockd, socket, SOCKD_OUTPUT, 5, &error));
    peer_expect_end(peer);
    MUST(sockd_close(sockd, socket, NULL, 5, &error));
    MUST_FAIL(SOCKD_E_NO_SUCH_SOCKET, sockd_close(sockd, socket, NULL, 5, &error));
}

static void test_bytes(void)
{
    struct sockd_write_options hold = SOCKD_WRITE_OPTIONS_INIT;
    unsigned char all[512], back[512];
    enum sockd_end how;
    int32_t character;
    int peer, value;
    int64_t socket = lib_stream(sockd, &peer);
    struct sockd_read_options options = SOCKD_READ_OPTIONS_INIT;
    size_t n;

    for (unsigned i = 0; i < sizeof(all); i++)
        all[i] = (unsigned char)i;
    MUST(sockd_write(sockd, socket, all, sizeof(all), NULL, 5, NULL, &error));
    peer_expect(peer, all, sizeof(all));
    peer_write(peer, all, sizeof(all));
    options.exactly = 1;
    MUST(sockd_read(sockd, socket, back, sizeof(back), &options, 5, &n, &how, &error));
    CU_ASSERT_EQUAL(n, sizeof(back));
    CU_ASSERT_EQUAL(memcmp(all, back, sizeof(all)), 0);
    peer_print(peer, "\xff\xe2\x82\xac");
    MUST_FAIL(SOCKD_E_INVALID_ENCODING,
              sockd_read_char(sockd, socket, 5, &character, &how, &error));
    MUST(sockd_read_byte(sockd, socket, 5, &value, &how, &error));
    CU_ASSERT_EQUAL(value, 255);
    MUST(sockd_read_char(sockd, socket, 5, &character, &how, &error));
    CU_ASSERT_EQUAL(character, 0x20ac);
    MUST(sockd_write_byte(sockd, socket, 0xfe, 5, &error));
    MUST(sockd_write_char(sockd, socket, 0x1f600, 5, &error));
    peer_expect_text(peer, "\xfe\xf0\x9f\x98\x80");
    hold.flush = 0;
    MUST(sockd_write(sockd, socket, "held", 4, &hold, 5, &n, &error));
    MUST(sockd_force_output(sockd, socket, 5, &error));
    MUST(sockd_finish_output(sockd, socket, 5, &error));
    peer_expect_text(peer, "held");
    peer_shut_output(peer);
    MUST(sockd_read_byte(sockd, socket, 5, &value, &how, &error));
    CU_ASSERT_EQUAL(value, -1);
    CU_ASSERT_EQUAL(how, SOCKD_END_CLEAN);
    MUST(sockd_read_char(sockd, socket, 5, &character, &how, &error));
    CU_ASSERT_EQUAL(character, -1);
}

enum { LARGE = 3000000 };

static void *read_large(void *argument)
{
    int peer = *(int *)argument;
    unsigned char *data = malloc(LARGE);
    size_t size = 0, wrong = 0;

    while (size < LARGE) {
        ssize_t n = read(peer, data + size, LARGE - size);

        if (n <= 0)
            break;
        size += (size_t)n;
    }
    for (size_t i = 0; i < size; i++)
        wrong += data[i] != (unsigned char)(i * 7 >> 3);
    free(data);
    return (void *)(uintptr_t)(size == LARGE && !wrong);
}

/* Longer than a message of the protocol may be, and back in large reads. */
static void test_large(void)
{
    unsigned char *data = malloc(LARGE);
    enum sockd_end how = SOCKD_END_NONE;
    size_t n, size = 0;
    pthread_t reader;
    void *is_right;
    int peer;
    int64_t socket = lib_stream(sockd, &peer);

    for (size_t i = 0; i < LARGE; i++)
        data[i] = (unsigned char)(i * 7 >> 3);
    pthread_create(&reader, NULL, read_large, &peer);
    MUST(sockd_write(sockd, socket, data, LARGE, NULL, 60, &n, &error));
    CU_ASSERT_EQUAL(n, LARGE);
    pthread_join(reader, &is_right);
    CU_ASSERT_PTR_NOT_NULL(is_right);
    memset(data, 'x', 200000);
    peer_write(peer, data, 200000);
    peer_shut_output(peer);
    while (how == SOCKD_END_NONE) {
        MUST(sockd_read(sockd, socket, data, LARGE, NULL, 60, &n, &how, &error));
        size += n;
    }
    CU_ASSERT_EQUAL(size, 200000);
    free(data);
}

static void test_chunking(void)
{
    struct sockd_socket_control control = SOCKD_SOCKET_CONTROL_INIT, now = control;
    enum sockd_end how;
    char buffer[64];
    size_t n;
    int peer;
    int64_t socket = lib_stream(sockd, &peer);

    control.output_chunking = control.input_chunking = 1;
    control.read_timeout = 0.0625; /* a number that a float can hold */
    MUST(sockd_socket_control(sockd, socket, &control, 5, &now, &error));
    CU_ASSERT_EQUAL(now.output_chunking, 1);
    CU_ASSERT_EQUAL(now.input_chunking, 1);
    CU_ASSERT_EQUAL(now.read_timeout, 0.0625);
    CU_ASSERT_EQUAL(now.write_timeout, SOCKD_FOREVER);
    MUST_FAIL(SOCKD_E_READ_TIMEOUT,
              sockd_read(sockd, socket, buffer, 9, NULL, 5, &n, &how, &error));
    MUST(sockd_write(sockd, socket, "hello", 5, NULL, 5, NULL, &error));
    control = (struct sockd_socket_control)SOCKD_SOCKET_CONTROL_INIT;
    control.output_chunking_eof = 1;
    control.read_timeout = SOCKD_FOREVER;
    MUST(sockd_socket_control(sockd, socket, &control, 5, &now, &error));
    CU_ASSERT_EQUAL(now.output_chunking, 0);
    CU_ASSERT_EQUAL(now.read_timeout, SOCKD_FOREVER);
    peer_expect_text(peer, "5\r\nhello\r\n0\r\n\r\n");
    peer_print(peer, "3\r\nabc\r\n0\r\nT: 1\r\n\r\nafter");
    MUST(sockd_read(sockd, socket, buffer, sizeof(buffer), NULL, 5, &n, &how, &error));
    CU_ASSERT_EQUAL(n, 3);
    MUST(sockd_read(sockd, socket, buffer, sizeof(buffer), NULL, 5, &n, &how, &error));
    CU_ASSERT_EQUAL(n, 0);
    CU_ASSERT_EQUAL(how, SOCKD_END_CHUNK);
    MUST(sockd_read(sockd, socket, buffer, sizeof(buffer), NULL, 5, &n, &how, &error));
    CU_ASSERT_EQUAL(n, 5);
    CU_ASSERT_EQUAL(how, SOCKD_END_NONE);
}

/* ---- Listeners, families, options ---- */

static void test_listener(void)
{
    struct sockd_accept_connection_options options = SOCKD_ACCEPT_CONNECTION_OPTIONS_INIT;
    struct sockd_description *accepted = NULL;
    char host[SOCKD_HOST_SIZE];
    int port, peer;
    int64_t listener = lib_listener(sockd, &port);

    options.wait = 0;
    MUST(sockd_accept_connection(sockd, listener, &options, 5, &accepted, &error));
    CU_ASSERT_PTR_NULL(accepted);
    MUST_FAIL(SOCKD_E_TIMEOUT,
              sockd_accept_connection(sockd, listener, NULL, 0.02, &accepted, &error));
    peer = peer_connect("127.0.0.1", port);
    MUST(sockd_accept_connection(sockd, listener, NULL, 5, &accepted, &error));
    CU_ASSERT_PTR_NOT_NULL_FATAL(accepted);
    CU_ASSERT_EQUAL(accepted->remote_port, peer_local_port(peer));
    CU_ASSERT_EQUAL(accepted->local_port, port);
    CU_ASSERT_EQUAL(accepted->state, SOCKD_STATE_CONNECTED);
    MUST(sockd_write(sockd, accepted->socket, "hi", 2, NULL, 5, NULL, &error));
    peer_expect_text(peer, "hi");
    MUST(sockd_local_host(sockd, accepted->socket, 5, host, sizeof(host), &error));
    CU_ASSERT_STRING_EQUAL(host, "127.0.0.1");
    MUST_FAIL(SOCKD_E_WRONG_KIND, sockd_accept_connection(sockd, accepted->socket, NULL,
                                                          5, &accepted, &error));
    sockd_free(accepted);
}

static void test_file_family(void)
{
    struct sockd_make_socket_options options = SOCKD_MAKE_SOCKET_OPTIONS_INIT;
    struct sockd_description *made, *accepted;
    char filename[SOCKD_FILENAME_SIZE], path[200];
    int peer, value;

    snprintf(path, sizeof(path), "%.150s/a socket", harness_directory(harness));
    options.address_family = SOCKD_FILE;
    options.connect = SOCKD_PASSIVE;
    options.local_filename = path;
    MUST(sockd_make_socket(sockd, &options, 5, &made, &error));
    CU_ASSERT_EQUAL(made->address_family, SOCKD_FILE);
    CU_ASSERT_EQUAL(made->state, SOCKD_STATE_LISTENING);
    CU_ASSERT_EQUAL(made->local_port, SOCKD_UNSET);
    CU_ASSERT_EQUAL(made->ipv6, SOCKD_UNSET);
    peer = peer_connect_file(path);
    MUST(sockd_accept_connection(sockd, made->socket, NULL, 5, &accepted, &error));
    peer_print(peer, "x");
    MUST(sockd_read_byte(sockd, accepted->socket, 5, &value, NULL, &error));
    CU_ASSERT_EQUAL(value, 'x');
    MUST(
        sockd_local_filename(sockd, made->socket, 5, filename, sizeof(filename), &error));
    CU_ASSERT_STRING_EQUAL(filename, path);
    MUST(sockd_remote_filename(sockd, accepted->socket, 5, filename, sizeof(filename),
                               &error));
    CU_ASSERT_STRING_EQUAL(filename, "");
    MUST(sockd_ipv6(sockd, made->socket, 5, &value, &error));
    CU_ASSERT_EQUAL(value, SOCKD_UNSET);
    sockd_free(accepted);
    sockd_free(made);
}

static void test_options(void)
{
    struct sockd_socket_options options = SOCKD_SOCKET_OPTIONS_INIT, now = options;
    int peer, flag = 0;
    socklen_t size = sizeof(flag);
    int64_t socket = lib_stream(sockd, &peer);
    int fd;

    options.nodelay = 0;
    options.keepalive = 1;
    options.tcp_keepalive_idle_time = 77;
    options.linger = 3;
    MUST(sockd_set_socket_options(sockd, socket, &options, 5, &now, &error));
    CU_ASSERT_EQUAL(now.nodelay, 0);
    CU_ASSERT_EQUAL(now.keepalive, 1);
    CU_ASSERT_EQUAL(now.tcp_keepalive_idle_time, 77);
    CU_ASSERT_EQUAL(now.linger, 3);
    CU_ASSERT_EQUAL(now.broadcast, SOCKD_UNSET);
    /* It is true of the descriptor itself. */
    MUST(sockd_socket_os_fd(sockd, socket, 5, &fd, &error));
    CU_ASSERT_EQUAL(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &flag, &size), 0);
    CU_ASSERT_EQUAL(flag, 77);
    CU_ASSERT_EQUAL(write(fd, "by hand", 7), 7);
    peer_expect_text(peer, "by hand");
    close(fd);
    now = (struct sockd_socket_options)SOCKD_SOCKET_OPTIONS_INIT;
    MUST(sockd_get_socket_options(sockd, socket, 5, &now, &error));
    CU_ASSERT_EQUAL(now.linger, 3);
    options = (struct sockd_socket_options)SOCKD_SOCKET_OPTIONS_INIT;
    options.broadcast = 1;
    MUST_FAIL(SOCKD_E_PROTOCOL_NOT_AVAILABLE,
              sockd_set_socket_options(sockd, socket, &options, 5, NULL, &error));
    CU_ASSERT_STRING_EQUAL(error.parameter, "broadcast");
}

static void test_accessors(void)
{
    enum sockd_address_family family;
    enum sockd_connect_mode mode;
    enum sockd_format format;
    enum sockd_type type;
    int64_t bytes;
    int peer, value;
    char text[SOCKD_HOST_SIZE];
    int64_t socket = lib_stream(sockd, &peer);

    MUST(sockd_socket_type(sockd, socket, 5, &type, &error));
    CU_ASSERT_EQUAL(type, SOCKD_STREAM);
    MUST(sockd_socket_address_family(sockd, socket, 5, &family, &error));
    CU_ASSERT_EQUAL(family, SOCKD_INTERNET);
    MUST(sockd_socket_connect(sockd, socket, 5, &mode, &error));
    CU_ASSERT_EQUAL(mode, SOCKD_ACTIVE);
    MUST(sockd_socket_format(sockd, socket, 5, &format, &error));
    CU_ASSERT_EQUAL(format, SOCKD_BIVALENT);
    MUST(sockd_remote_port(sockd, socket, 5, &value, &error));
    CU_ASSERT_EQUAL(value, peer_local_port(peer));
    MUST(sockd_local_port(sockd, socket, 5, &value, &error));
    CU_ASSERT_TRUE(value > 0);
    MUST(sockd_remote_host(sockd, socket, 5, text, sizeof(text), &error));
    CU_ASSERT_STRING_EQUAL(text, "127.0.0.1");
    MUST(sockd_ipv6(sockd, socket, 5, &value, &error));
    CU_ASSERT_EQUAL(value, 0);
    MUST(sockd_write(sockd, socket, "12345", 5, NULL, 5, NULL, &error));
    MUST(sockd_finish_output(sockd, socket, 5, &error));
    MUST(sockd_socket_bytes_written(sockd, socket, SOCKD_UNSET, 5, &bytes, &error));
    CU_ASSERT_EQUAL(bytes, 5);
    MUST(sockd_socket_bytes_written(sockd, socket, 100, 5, &bytes, &error));
    CU_ASSERT_EQUAL(bytes, 100);
    MUST(sockd_socket_bytes_read(sockd, socket, SOCKD_UNSET, 5, &bytes, &error));
    CU_ASSERT_EQUAL(bytes, 0);
}

/* ---- Datagrams, waiting ---- */

static int64_t datagram_socket(int *port)
{
    struct sockd_make_socket_options options = SOCKD_MAKE_SOCKET_OPTIONS_INIT;
    struct sockd_description *made;
    int64_t socket;

    options.type = SOCKD_DATAGRAM;
    options.local_host = "127.0.0.1";
    MUST(sockd_make_socket(sockd, &options, 5, &made, &error));
    *port = made->local_port;
    socket = made->socket;
    sockd_free(made);
    return socket;
}

static void test_datagrams(void)
{
    struct sockd_receive_from_options padded = SOCKD_RECEIVE_FROM_OPTIONS_INIT;
    struct sockd_send_to_options options = SOCKD_SEND_TO_OPTIONS_INIT;
    struct sockd_datagram datagram = SOCKD_DATAGRAM_INIT;
    char buffer[32];
    int port, peer_port, peer = peer_datagram("127.0.0.1", &peer_port);
    int64_t socket = datagram_socket(&port);
    size_t n;

    options.remote_host = "127.0.0.1";
    options.remote_port = peer_port;
    MUST(sockd_send_to(sockd, socket, "\0\xff", 2, &options, 5, &n, &error));
    CU_ASSERT_EQUAL(n, 2);
    CU_ASSERT_EQUAL(peer_receive(peer, buffer, sizeof(buffer)), 2);
    CU_ASSERT_EQUAL(memcmp(buffer, "\0\xff", 2), 0);
    peer_send(peer, "127.0.0.1", port, "datagram", 8);
    MUST(sockd_receive_from(sockd, socket, buffer, sizeof(buffer), NULL, 5, &datagram,
                            &error));
    CU_ASSERT_EQUAL(datagram.size, 8);
    CU_ASSERT_FALSE(datagram.truncated);
    CU_ASSERT_EQUAL(datagram.remote_port, peer_port);
    CU_ASSERT_STRING_EQUAL(datagram.remote_host, "127.0.0.1");
    peer_send(peer, "127.0.0.1", port, "datagram", 8);
    MUST(sockd_receive_from(sockd, socket, buffer, 4, NULL, 5, &datagram, &error));
    CU_ASSERT_TRUE(datagram.truncated);
    peer_send(peer, "127.0.0.1", port, "ab", 2);
    padded.extract = 0;
    memset(buffer, 'z', sizeof(buffer));
    MUST(sockd_receive_from(sockd, socket, buffer, 6, &padded, 5, &datagram, &error));
    CU_ASSERT_EQUAL(datagram.size, 2);
    CU_ASSERT_EQUAL(memcmp(buffer, "ab\0\0\0\0zz", 8), 0);
    MUST_FAIL(SOCKD_E_TIMEOUT, sockd_receive_from(sockd, socket, buffer, 6, NULL, 0.02,
                                                  &datagram, &error));
}

static void test_waiting(void)
{
    int64_t sockets[2], ready[2];
    struct sockd_io io[4];
    int peers[2];
    size_t n;

    for (int i = 0; i < 2; i++)
        sockets[i] = lib_stream(sockd, &peers[i]);
    MUST(sockd_wait_for_input_available(sockd, sockets, 2, 0.02, ready, &n, &error));
    CU_ASSERT_EQUAL(n, 0);
    peer_print(peers[1], "x");
    MUST(sockd_wait_for_input_available(sockd, sockets, 2, 5, ready, &n, &error));
    CU_ASSERT_EQUAL_FATAL(n, 1);
    CU_ASSERT_EQUAL(ready[0], sockets[1]);
    MUST(sockd_wait_for_io_available(sockd, sockets, 2, sockets, 1, 5, io, &n, &error));
    CU_ASSERT_TRUE_FATAL(n >= 1 && n <= 2);
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT_TRUE(io[i].status == SOCKD_IN || io[i].status == SOCKD_OUT);
        CU_ASSERT_EQUAL(io[i].socket, sockets[io[i].status == SOCKD_IN]);
    }
    MUST(
        sockd_wait_for_input_available(sockd, NULL, 0, SOCKD_FOREVER, ready, &n, &error));
    CU_ASSERT_EQUAL(n, 0);
}

/* ---- Errors and deadlines ---- */

static void test_errors(void)
{
    struct sockd_make_socket_options options = SOCKD_MAKE_SOCKET_OPTIONS_INIT;
    struct sockd_description *made;

    options.remote_host = "127.0.0.1";
    options.remote_port = peer_refusing_port("127.0.0.1");
    MUST_FAIL(SOCKD_E_CONNECTION_REFUSED,
              sockd_make_socket(sockd, &options, 5, &made, &error));
    CU_ASSERT_EQUAL(error.errnum, ECONNREFUSED);
    CU_ASSERT_EQUAL(error.code, -32000);
    options.remote_port = 70000;
    MUST_FAIL(SOCKD_E_INVALID_PARAMS,
              sockd_make_socket(sockd, &options, 5, &made, &error));
    CU_ASSERT_STRING_EQUAL(error.parameter, "remote-port");
    options.remote_port = peer_silent_port("127.0.0.1");
    MUST_FAIL(SOCKD_E_TIMEOUT, sockd_make_socket(sockd, &options, 0.05, &made, &error));
    options.connect_timeout = 0.05;
    MUST_FAIL(SOCKD_E_CONNECTION_TIMED_OUT,
              sockd_make_socket(sockd, &options, 60, &made, &error));
}

/* A deadline of the library alone: the request is cancelled, and nothing is lost. */
static void test_deadline(void)
{
    enum sockd_end how;
    char params[64], buffer[16];
    size_t n;
    int peer;
    int64_t socket = lib_stream(sockd, &peer);

    snprintf(params, sizeof(params), "{\"socket\": %lld}", (long long)socket);
    MUST_FAIL(SOCKD_E_TIMEOUT, sockd_call(sockd, "read", params, 0.05, NULL, &error));
    peer_print(peer, "later");
    MUST(sockd_read(sockd, socket, buffer, sizeof(buffer), NULL, 5, &n, &how, &error));
    CU_ASSERT_EQUAL(n, 5);
    MUST_FAIL(SOCKD_E_TIMEOUT, sockd_read(sockd, socket, buffer, sizeof(buffer), NULL, 0,
                                          &n, &how, &error));
    sockd_set_default_timeout(sockd, 0.02);
    MUST_FAIL(SOCKD_E_TIMEOUT, sockd_read(sockd, socket, buffer, sizeof(buffer), NULL,
                                          SOCKD_DEFAULT, &n, &how, &error));
}

/* ---- The asynchronous form ---- */

static struct {
    unsigned n;
    int status;
    char result[200];
} reply;

static void take_reply(struct sockd *connection, uint64_t request, const char *result,
                       const struct sockd_error *why, void *context)
{
    (void)connection, (void)request, (void)context;
    reply.n++;
    reply.status = why ? why->status : SOCKD_OK;
    snprintf(reply.result, sizeof(reply.result), "%s", result ? result : "");
}

static void test_submit(void)
{
    char params[64];
    bool cancelled;
    uint64_t request;
    int peer;
    int64_t socket = lib_stream(sockd, &peer);
    struct pollfd poll_fd = {.fd = sockd_fd(sockd, &error), .events = POLLIN};

    memset(&reply, 0, sizeof(reply));
    snprintf(params, sizeof(params), "{\"socket\": %lld}", (long long)socket);
    MUST(sockd_submit(sockd, "read", params, SOCKD_FOREVER, take_reply, NULL, &request,
                      &error));
    MUST(sockd_process(sockd, 0, NULL, &error));
    CU_ASSERT_EQUAL(reply.n, 0);
    peer_print(peer, "data");
    while (!reply.n) {
        CU_ASSERT_EQUAL_FATAL(poll(&poll_fd, 1, HARNESS_WAIT_MS), 1);
        MUST(sockd_process(sockd, 0, NULL, &error));
    }
    CU_ASSERT_EQUAL(reply.status, SOCKD_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(reply.result, "\"data\":\"data\""));
    MUST(sockd_submit(sockd, "read", params, SOCKD_FOREVER, take_reply, NULL, &request,
                      &error));
    MUST(sockd_cancel(sockd, request, 5, &cancelled, &error));
    CU_ASSERT_TRUE(cancelled);
    while (reply.n < 2)
        MUST(sockd_process(sockd, 60, NULL, &error));
    CU_ASSERT_EQUAL(reply.status, SOCKD_E_CANCELLED);
    MUST(sockd_cancel(sockd, request, 5, &cancelled, &error));
    CU_ASSERT_FALSE(cancelled);
}

/* ---- Raw streams ---- */

static void test_attach(void)
{
    struct sockd_description *description;
    struct sockd *other = lib_connect(harness);
    char buffer[16];
    int peer, fd;
    int64_t socket = lib_stream(sockd, &peer);

    peer_print(peer, "before");
    MUST(sockd_peek(sockd, socket, buffer, 6, NULL, 5, &(size_t){0}, NULL, &error));
    MUST(sockd_attach(other, socket, SOCKD_DETACH_KEEP, 5, &fd, &error));
    peer_adopt(fd);
    peer_expect_text(fd, "before");
    peer_print(fd, "up");
    peer_expect_text(peer, "up");
    peer_print(peer, "down");
    peer_expect_text(fd, "down");
    MUST_FAIL(SOCKD_E_NOT_CONNECTED, sockd_hello(other, 5, NULL, &error));
    peer_shut_output(fd);
    peer_expect_end(peer);
    peer_close(peer);
    peer_expect_end(fd);
    MUST(sockd_describe_socket(sockd, socket, 5, &description, &error));
    CU_ASSERT_EQUAL(description->runtime->end, SOCKD_END_CLEAN);
    sockd_free(description);
}

static void test_accept_attached(void)
{
    struct sockd_description *description;
    struct sockd *other = lib_connect(harness);
    int port, peer, fd;
    int64_t listener = lib_listener(sockd, &port);

    MUST_FAIL(SOCKD_E_TIMEOUT,
              sockd_accept_attached(other, listener, 0.05, &description, &fd, &error));
    peer = peer_connect("127.0.0.1", port);
    peer_print(peer, "hello");
    MUST(sockd_accept_attached(other, listener, 5, &description, &fd, &error));
    peer_adopt(fd);
    peer_expect_text(fd, "hello");
    CU_ASSERT_EQUAL(description->remote_port, peer_local_port(peer));
    sockd_free(description);
    peer_print(fd, "bye");
    peer_close(fd);
    peer_expect_text(peer, "bye");
    peer_expect_end(peer);
}

static const struct unit_test tests[] = {
    {"a stream from its beginning to its end", test_stream},
    {"bytes, characters, held output", test_bytes},
    {"large writes and reads", test_large},
    {"chunking and time-outs", test_chunking},
    {"a listener", test_listener},
    {"the file family", test_file_family},
    {"options and the descriptor", test_options},
    {"accessors", test_accessors},
    {"datagrams", test_datagrams},
    {"waiting for several sockets", test_waiting},
    {"errors", test_errors},
    {"deadlines lose nothing", test_deadline},
    {"submitted requests", test_submit},
    {"attach", test_attach},
    {"accept and attach", test_accept_attached},
};

UNIT_MAIN_AROUND(tests, begin, end)
