/* SPDX-License-Identifier: MIT */
/*
 * requests_sockets.c - what libsockd sends and reads for sockets, accessors and
 * datagrams.
 *
 * Part of unit_lib_requests. Thread: the one that runs the test, and one for each
 * operation.
 */
#include <config.h>
#include "lib/sockd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/fake.h"
#include "tests/requests.h"
#include "tests/unit.h"

/* ---- Sockets ---- */

static int run_make(struct fake_call *call)
{
    struct sockd_make_socket_options options = SOCKD_MAKE_SOCKET_OPTIONS_INIT;

    options.type = SOCKD_STREAM;
    options.format = SOCKD_MULTIVALENT;
    options.connect = SOCKD_ACTIVE;
    options.address_family = SOCKD_INTERNET;
    options.ipv6 = SOCKD_IPV6_ONLY;
    options.scope_id = 0;
    options.local_host = "::1";
    options.local_service = "domain";
    options.remote_host = "example.org";
    options.remote_port = 80;
    options.local_filename = "a \"b\"";
    options.remote_filename = "c";
    options.backlog = 5;
    options.reuse_address = 1;
    options.reuse_port = 0;
    options.broadcast = 1;
    options.keepalive = 7; /* a flag: true */
    options.nodelay = 0;
    options.oob_inline = 0;
    options.receive_buffer_size = 1000;
    options.send_buffer_size = 2000;
    options.tcp_keepalive_idle_time = 10;
    options.tcp_keepalive_probe_interval = 20;
    options.tcp_keepalive_max_probes = 3;
    options.tcp_md5_sig_key = "\xff\0k";
    options.tcp_md5_sig_key_size = 3;
    options.name = "caf\xc3\xa9";
    options.connect_timeout = 2.5;
    return sockd_make_socket(call->connection, &options, 7, &out.description,
                             &call->error);
}

void test_make_socket(void)
{
    const struct sockd_description *made;

    operate(run_make, "make-socket", "{" DESCRIPTION "}");
    CU_ASSERT_STRING_EQUAL(sent_text("format"), "multivalent");
    CU_ASSERT_STRING_EQUAL(sent_text("ipv6"), "ipv6");
    CU_ASSERT_STRING_EQUAL(sent_text("local-port"), "domain");
    CU_ASSERT_EQUAL(sent_int("remote-port"), 80);
    CU_ASSERT_STRING_EQUAL(sent_text("local-filename"), "a \"b\"");
    CU_ASSERT_EQUAL(sent_int("keepalive"), 1);
    CU_ASSERT_EQUAL(sent_int("nodelay"), 0);
    CU_ASSERT_STRING_EQUAL(sent_text("tcp-md5-sig-key"), "/wBr");
    CU_ASSERT_STRING_EQUAL(sent_text("encoding"), "base64");
    CU_ASSERT_EQUAL(json_number_value(json_object_get(fake_params(), "timeout")), 7);
    made = out.description;
    CU_ASSERT_PTR_NOT_NULL_FATAL(made);
    CU_ASSERT_EQUAL(made->socket, INT64_C(4503599627370497));
    CU_ASSERT_STRING_EQUAL(made->name, "n");
    CU_ASSERT_EQUAL(made->type, SOCKD_STREAM);
    CU_ASSERT_EQUAL(made->address_family, SOCKD_INTERNET);
    CU_ASSERT_EQUAL(made->connect, SOCKD_ACTIVE);
    CU_ASSERT_EQUAL(made->format, SOCKD_BIVALENT);
    CU_ASSERT_EQUAL(made->ipv6, 0);
    CU_ASSERT_STRING_EQUAL(made->local_host, "127.0.0.1");
    CU_ASSERT_EQUAL(made->local_port, 1024);
    CU_ASSERT_STRING_EQUAL(made->remote_host, "127.0.0.2");
    CU_ASSERT_EQUAL(made->remote_port, 80);
    CU_ASSERT_PTR_NULL(made->local_filename);
    CU_ASSERT_EQUAL(made->state, SOCKD_STATE_CONNECTED);
    CU_ASSERT_EQUAL(made->worker, SOCKD_UNSET);
    CU_ASSERT_PTR_NULL(made->owner);
    CU_ASSERT_PTR_NULL(made->runtime);
}

static int run_make_plain(struct fake_call *call)
{
    return sockd_make_socket(call->connection, NULL, SOCKD_FOREVER, &out.description,
                             &call->error);
}

/* Nothing that is not given is sent; what is null or of a newer daemon is absent. */
void test_make_socket_plain(void)
{
    operate(run_make_plain, "make-socket",
            "{\"socket\":1,\"type\":\"seqpacket\",\"connect\":null,\"ipv6\":null,"
            "\"local-port\":null,\"local-host\":7,\"state\":\"resting\"}");
    CU_ASSERT_EQUAL(json_object_size(fake_params()), 0);
    CU_ASSERT_EQUAL(out.description->type, 0);
    CU_ASSERT_EQUAL(out.description->connect, 0);
    CU_ASSERT_EQUAL(out.description->ipv6, SOCKD_UNSET);
    CU_ASSERT_EQUAL(out.description->local_port, SOCKD_UNSET);
    CU_ASSERT_PTR_NULL(out.description->local_host);
    CU_ASSERT_EQUAL(out.description->state, 0);
}

static int run_accept(struct fake_call *call)
{
    struct sockd_accept_connection_options options = SOCKD_ACCEPT_CONNECTION_OPTIONS_INIT;

    options.wait = 0;
    return sockd_accept_connection(call->connection, 7, &options, 1, &out.description,
                                   &call->error);
}

static int run_accept_attached(struct fake_call *call)
{
    return sockd_accept_attached(call->connection, 7, 1, &out.description, &call->fd,
                                 &call->error);
}

static int run_attach(struct fake_call *call)
{
    return sockd_attach(call->connection, 7, SOCKD_DETACH_CLOSE, 1, &call->fd,
                        &call->error);
}

void test_accept_connection(void)
{
    operate(run_accept, "accept-connection", "null");
    CU_ASSERT_PTR_NULL(out.description);
    operate(run_accept, "accept-connection", "{" DESCRIPTION "}");
    CU_ASSERT_EQUAL(out.description->remote_port, 80);
    sockd_free(out.description);
    out.description = NULL;
    operate(run_accept_attached, "accept-connection", "{" DESCRIPTION "}");
    CU_ASSERT_EQUAL(out.description->remote_port, 80);
    connection = fake_connect();
    operate(run_attach, "attach", "{\"socket\":7}");
}

static int run_shutdown(struct fake_call *call)
{
    return sockd_shutdown(call->connection, 7, SOCKD_OUTPUT, 1, &call->error);
}

static int run_close(struct fake_call *call)
{
    struct sockd_close_options options = SOCKD_CLOSE_OPTIONS_INIT;

    options.abort = 1;
    return sockd_close(call->connection, 7, &options, 1, &call->error);
}

static int run_md5(struct fake_call *call)
{
    return sockd_set_tcp_md5_sig(call->connection, 7, "::1", "\1\2\3\4", 4, 1,
                                 &call->error);
}

void test_small_operations(void)
{
    operate(run_shutdown, "shutdown", "{}");
    CU_ASSERT_STRING_EQUAL(sent_text("direction"), "output");
    operate(run_close, "close", "{}");
    CU_ASSERT_EQUAL(sent_int("socket"), 7);
    CU_ASSERT_EQUAL(sent_int("abort"), 1);
    operate(run_md5, "set-tcp-md5-sig", "{}");
    CU_ASSERT_STRING_EQUAL(sent_text("key"), "AQIDBA==");
}

static int run_set_options(struct fake_call *call)
{
    struct sockd_socket_options options = SOCKD_SOCKET_OPTIONS_INIT;

    options.reuse_address = options.reuse_port = options.broadcast = options.keepalive =
        1;
    options.nodelay = options.oob_inline = 0;
    options.receive_buffer_size = options.send_buffer_size = 4096;
    options.tcp_keepalive_idle_time = options.tcp_keepalive_probe_interval = 9;
    options.tcp_keepalive_max_probes = 9;
    options.linger = -1;
    options.receive_low_water = options.send_low_water = 1;
    options.tcp_user_timeout = 0;
    options.tcp_cork = options.tcp_quickack = 1;
    options.tcp_notsent_lowat = 0;
    options.priority = options.tos = 0;
    options.ttl = 64;
    options.ipv6_only = 1;
    options.multicast_ttl = options.multicast_loop = 0;
    options.multicast_interface = 3;
    options.multicast_join = (const char *const[]){"239.1.2.3", "ff02::5%3", NULL};
    options.multicast_leave = (const char *const[]){"239.1.2.4%lo", NULL};
    out.options = (struct sockd_socket_options)SOCKD_SOCKET_OPTIONS_INIT;
    return sockd_set_socket_options(call->connection, 7, &options, 1, &out.options,
                                    &call->error);
}

static int run_get_options(struct fake_call *call)
{
    out.options = (struct sockd_socket_options)SOCKD_SOCKET_OPTIONS_INIT;
    return sockd_get_socket_options(call->connection, 7, 1, &out.options, &call->error);
}

static void check_options(void)
{
    CU_ASSERT_EQUAL(out.options.struct_size, sizeof(out.options));
    CU_ASSERT_EQUAL(out.options.reuse_address, 1);
    CU_ASSERT_EQUAL(out.options.reuse_port, 0);
    CU_ASSERT_EQUAL(out.options.broadcast, SOCKD_UNSET);
    CU_ASSERT_EQUAL(out.options.receive_buffer_size, 131072);
    CU_ASSERT_EQUAL(out.options.send_buffer_size, SOCKD_UNSET);
    CU_ASSERT_EQUAL(out.options.linger, -1);
    CU_ASSERT_EQUAL(out.options.tos, 16);
    CU_ASSERT_EQUAL(out.options.ipv6_only, 0);
}

void test_options(void)
{
    operate(run_set_options, "set-socket-options", "{" OPTIONS "}");
    CU_ASSERT_EQUAL(sent_int("linger"), -1);
    CU_ASSERT_TRUE(json_is_false(json_object_get(fake_params(), "nodelay")));
    check_options();
    operate(run_get_options, "get-socket-options", "{" OPTIONS "}");
    check_options();
}

/* A program that was built with an older header: its struct is shorter. */
static int run_old_options(struct fake_call *call)
{
    struct sockd_socket_options options = SOCKD_SOCKET_OPTIONS_INIT;

    memset(&out.options, 0x55, sizeof(out.options));
    out.options.struct_size = options.struct_size =
        offsetof(struct sockd_socket_options, nodelay);
    options.broadcast = 1;
    memset(&options.nodelay, 0x55,
           sizeof(options) - offsetof(struct sockd_socket_options, nodelay));
    return sockd_set_socket_options(call->connection, 7, &options, 1, &out.options,
                                    &call->error);
}

void test_older_program(void)
{
    operate(run_old_options, "set-socket-options", "{" OPTIONS "}");
    CU_ASSERT_EQUAL(json_object_size(fake_params()), 2);
    CU_ASSERT_EQUAL(sent_int("broadcast"), 1);
    CU_ASSERT_EQUAL(out.options.struct_size,
                    offsetof(struct sockd_socket_options, nodelay));
    CU_ASSERT_EQUAL(out.options.keepalive, 1);
    CU_ASSERT_EQUAL(out.options.nodelay, 0x55555555);
    CU_ASSERT_EQUAL(out.options.ipv6_only, 0x55555555);
}

static int run_control(struct fake_call *call)
{
    struct sockd_socket_control control = SOCKD_SOCKET_CONTROL_INIT;

    control.output_chunking = 1;
    control.output_chunking_eof = 0;
    control.input_chunking = 0;
    control.read_timeout = 1.5;
    control.write_timeout = SOCKD_FOREVER;
    out.control = (struct sockd_socket_control)SOCKD_SOCKET_CONTROL_INIT;
    return sockd_socket_control(call->connection, 7, &control, 1, &out.control,
                                &call->error);
}

void test_control(void)
{
    operate(run_control, "socket-control",
            "{\"output-chunking\":true,\"input-chunking\":false,\"read-timeout\":1.5,"
            "\"write-timeout\":null}");
    CU_ASSERT_EQUAL(json_number_value(json_object_get(fake_params(), "write-timeout")),
                    -1);
    CU_ASSERT_EQUAL(out.control.output_chunking, 1);
    CU_ASSERT_EQUAL(out.control.input_chunking, 0);
    CU_ASSERT_EQUAL(out.control.read_timeout, 1.5);
    CU_ASSERT_EQUAL(out.control.write_timeout, SOCKD_FOREVER);
}

/* ---- Accessors ---- */

#define ACCESSOR(NAME, TYPE, MEMBER_OF_OUT)                                              \
    static int run_##NAME(struct fake_call *call)                                        \
    {                                                                                    \
        TYPE value;                                                                      \
        int status = sockd_##NAME(call->connection, 7, 1, &value, &call->error);         \
                                                                                         \
        out.MEMBER_OF_OUT = (int)value;                                                  \
        return status;                                                                   \
    }
ACCESSOR(socket_type, enum sockd_type, number)
ACCESSOR(socket_address_family, enum sockd_address_family, number)
ACCESSOR(socket_connect, enum sockd_connect_mode, number)
ACCESSOR(socket_format, enum sockd_format, number)
ACCESSOR(local_port, int, number)
ACCESSOR(remote_port, int, number)
ACCESSOR(ipv6, int, number)

#define TEXT_ACCESSOR(NAME)                                                              \
    static int run_##NAME(struct fake_call *call)                                        \
    {                                                                                    \
        return sockd_##NAME(call->connection, 7, 1, out.text, SOCKD_HOST_SIZE,           \
                            &call->error);                                               \
    }
TEXT_ACCESSOR(local_host)
TEXT_ACCESSOR(remote_host)
TEXT_ACCESSOR(local_filename)
TEXT_ACCESSOR(remote_filename)

static int run_bytes_read(struct fake_call *call)
{
    return sockd_socket_bytes_read(call->connection, 7, 0, 1, &out.large, &call->error);
}

static int run_bytes_written(struct fake_call *call)
{
    return sockd_socket_bytes_written(call->connection, 7, INT64_C(1) << 40, 1,
                                      &out.large, &call->error);
}

static void check_number(int (*run)(struct fake_call *), const char *method,
                         const char *answer, int expected)
{
    operate(run, method, answer);
    if (out.number != expected)
        UNIT_FAIL("%s: %d, not %d", method, out.number, expected);
}

void test_accessors(void)
{
    check_number(run_socket_type, "socket-type", "{\"value\":\"datagram\"}",
                 SOCKD_DATAGRAM);
    check_number(run_socket_address_family, "socket-address-family",
                 "{\"value\":\"file\"}", SOCKD_FILE);
    check_number(run_socket_connect, "socket-connect", "{\"value\":\"passive\"}",
                 SOCKD_PASSIVE);
    check_number(run_socket_connect, "socket-connect", "{\"value\":null}", 0);
    check_number(run_socket_format, "socket-format", "{\"value\":\"text\"}", SOCKD_TEXT);
    check_number(run_local_port, "local-port", "{\"value\":0}", 0);
    check_number(run_local_port, "local-port", "{\"value\":null}", SOCKD_UNSET);
    check_number(run_remote_port, "remote-port", "{\"value\":65535}", 65535);
    check_number(run_ipv6, "ipv6", "{\"value\":true}", 1);
    check_number(run_ipv6, "ipv6", "{\"value\":null}", SOCKD_UNSET);
    operate(run_local_host, "local-host", "{\"value\":\"fe80::1%lo\"}");
    CU_ASSERT_STRING_EQUAL(out.text, "fe80::1%lo");
    operate(run_remote_host, "remote-host", "{\"value\":null}");
    CU_ASSERT_STRING_EQUAL(out.text, "");
    operate(run_local_filename, "local-filename", "{\"value\":\"a/b\"}");
    CU_ASSERT_STRING_EQUAL(out.text, "a/b");
    operate(run_remote_filename, "remote-filename", "{\"value\":\"\"}");
    CU_ASSERT_STRING_EQUAL(out.text, "");
    operate(run_bytes_read, "socket-bytes-read", "{\"value\":9007199254740991}");
    CU_ASSERT_EQUAL(out.large, INT64_C(9007199254740991));
    CU_ASSERT_EQUAL(sent_int("set"), 0);
    operate(run_bytes_written, "socket-bytes-written", "{\"value\":5}");
    CU_ASSERT_EQUAL(out.large, 5);
}

static int run_short_text(struct fake_call *call)
{
    int status = sockd_local_host(call->connection, 7, 1, out.text, 4, &call->error);

    call->socket = status;
    return SOCKD_OK;
}

void test_text_too_long(void)
{
    struct fake_call *call =
        operate(run_short_text, "local-host", "{\"value\":\"1.2.3.4\"}");

    CU_ASSERT_EQUAL(call->socket, SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(call->error.parameter, "size");
    CU_ASSERT_STRING_EQUAL(out.text, "");
}

/* ---- Datagrams and waiting ---- */

static int run_send_to(struct fake_call *call)
{
    struct sockd_send_to_options options = SOCKD_SEND_TO_OPTIONS_INIT;

    options.remote_host = "host";
    options.remote_port = 53;
    options.remote_filename = "f";
    options.ipv6 = SOCKD_IPV6_PREFERRED;
    options.scope_id = 2;
    return sockd_send_to(call->connection, 7, "d\xc3\xa9j\xc3\xa0", 6, &options, 1,
                         &out.size, &call->error);
}

static int run_receive_from(struct fake_call *call)
{
    struct sockd_receive_from_options options = SOCKD_RECEIVE_FROM_OPTIONS_INIT;

    options.extract = 0;
    out.datagram = (struct sockd_datagram)SOCKD_DATAGRAM_INIT;
    return sockd_receive_from(call->connection, 7, out.bytes, 6, &options, 1,
                              &out.datagram, &call->error);
}

void test_datagrams(void)
{
    operate(run_send_to, "send-to", "{\"size\":6}");
    CU_ASSERT_EQUAL(out.size, 6);
    CU_ASSERT_STRING_EQUAL(sent_text("data"), "d\xc3\xa9j\xc3\xa0");
    CU_ASSERT_PTR_NULL(json_object_get(fake_params(), "encoding"));
    CU_ASSERT_TRUE(json_is_true(json_object_get(fake_params(), "ipv6")));
    operate(run_receive_from, "receive-from",
            "{\"data\":\"AQIDAAAA\",\"encoding\":\"base64\",\"size\":3,"
            "\"remote-host\":\"10.0.0.1\",\"remote-port\":53,\"truncated\":true}");
    CU_ASSERT_EQUAL(memcmp(out.bytes, "\1\2\3\0\0\0", 6), 0);
    CU_ASSERT_EQUAL(out.datagram.size, 3);
    CU_ASSERT_TRUE(out.datagram.truncated);
    CU_ASSERT_STRING_EQUAL(out.datagram.remote_host, "10.0.0.1");
    CU_ASSERT_EQUAL(out.datagram.remote_port, 53);
    CU_ASSERT_STRING_EQUAL(out.datagram.remote_filename, "");
    operate(
        run_receive_from, "receive-from",
        "{\"data\":\"\",\"encoding\":\"base64\",\"size\":0,\"remote-filename\":\"x\"}");
    CU_ASSERT_FALSE(out.datagram.truncated);
    CU_ASSERT_EQUAL(out.datagram.remote_port, SOCKD_UNSET);
    CU_ASSERT_STRING_EQUAL(out.datagram.remote_filename, "x");
}

static const int64_t some[] = {3, 4, 5};

static int run_wait_input(struct fake_call *call)
{
    return sockd_wait_for_input_available(call->connection, some, 3, 0, out.handles,
                                          &out.size, &call->error);
}

static int run_wait_io(struct fake_call *call)
{
    return sockd_wait_for_io_available(call->connection, some, 2, some + 1, 2, 1, out.io,
                                       &out.size, &call->error);
}

void test_waiting(void)
{
    operate(run_wait_input, "wait-for-input-available", "{\"ready\":[5,3]}");
    CU_ASSERT_EQUAL(out.size, 2);
    CU_ASSERT_EQUAL(out.handles[0], 5);
    CU_ASSERT_EQUAL(out.handles[1], 3);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(fake_params(), "sockets")), 3);
    operate(run_wait_input, "wait-for-input-available", "{\"ready\":[]}");
    CU_ASSERT_EQUAL(out.size, 0);
    operate(run_wait_io, "wait-for-io-available",
            "{\"ready\":[[3,\"in\"],[4,\"in-error\"],[4,\"out\"],[5,\"out-error\"]]}");
    CU_ASSERT_EQUAL(out.size, 4);
    CU_ASSERT_EQUAL(out.io[0].status, SOCKD_IN);
    CU_ASSERT_EQUAL(out.io[1].socket, 4);
    CU_ASSERT_EQUAL(out.io[1].status, SOCKD_IN_ERROR);
    CU_ASSERT_EQUAL(out.io[2].status, SOCKD_OUT);
    CU_ASSERT_EQUAL(out.io[3].status, SOCKD_OUT_ERROR);
}
