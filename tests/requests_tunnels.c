/* SPDX-License-Identifier: MIT */
/*
 * requests_tunnels.c - what libsockd sends and reads for relays and tunnels.
 *
 * Part of unit_lib_requests. Thread: the one that runs the test, and one for each
 * operation.
 */
#include <config.h>
#include "lib/sockd.h"
#include "tests/fake.h"
#include "tests/requests.h"
#include "tests/unit.h"

static struct sockd_relay_report report;

static int run_relay(struct fake_call *call)
{
    return sockd_relay(call->connection, 1, 2, 1, NULL, &call->error);
}

static int run_relay_to_its_end(struct fake_call *call)
{
    report = (struct sockd_relay_report)SOCKD_RELAY_REPORT_INIT;
    return sockd_relay(call->connection, 1, 2, 1, &report, &call->error);
}

static int run_make(struct fake_call *call)
{
    struct sockd_make_tunnel_options options = SOCKD_MAKE_TUNNEL_OPTIONS_INIT;
    struct sockd_make_socket_options more = SOCKD_MAKE_SOCKET_OPTIONS_INIT;
    struct sockd_made_tunnel *made = NULL;
    int status;

    more.nodelay = 0;
    options.listen = "127.0.0.1:8443";
    options.connect = (const char *const[]){"[::1]:80", "/run/web", NULL};
    options.connect_more = &more;
    options.name = "web";
    options.max_connections = 5;
    options.connect_timeout = 1.5;
    options.handshake_timeout = 2.5;
    options.idle_timeout = 3.5;
    options.half_closed_timeout = 4.5;
    options.accept_proxy = SOCKD_PROXY_ANY;
    options.send_proxy = SOCKD_PROXY_V2;
    options.log_connections = 1;
    options.client_addresses = (const char *const[]){"10.0.0.0/8", "::1", NULL};
    options.connect_order = SOCKD_CONNECT_ROUND_ROBIN;
    options.listen_mode = "0660";
    options.listen_owner = "alice";
    options.listen_group = "0";
    status = sockd_make_tunnel(call->connection, &options, 1, &made, &call->error);
    out.result = made;
    return status;
}

static int run_list(struct fake_call *call)
{
    struct sockd_tunnel_list *list = NULL;
    int status = sockd_list_tunnels(call->connection, 1, &list, &call->error);

    out.result = list;
    return status;
}

static int run_close(struct fake_call *call)
{
    struct sockd_close_tunnel_options options = SOCKD_CLOSE_TUNNEL_OPTIONS_INIT;

    options.abort = 1;
    return sockd_close_tunnel(call->connection, 7, &options, 1, &call->error);
}

void test_relays(void)
{
    operate(run_relay, "relay", "{}");
    CU_ASSERT_EQUAL(sent_int("first"), 1);
    CU_ASSERT_EQUAL(sent_int("second"), 2);
    CU_ASSERT_PTR_NULL(json_object_get(fake_params(), "wait"));
    operate(run_relay_to_its_end, "relay",
            "{\"end\":\"interrupted\",\"forward\":7,\"back\":9007199254740991}");
    CU_ASSERT_EQUAL(sent_int("wait"), 1);
    CU_ASSERT_EQUAL(report.end, SOCKD_RELAY_INTERRUPTED);
    CU_ASSERT_EQUAL(report.forward, 7);
    CU_ASSERT_EQUAL(report.back, 9007199254740991);
}

static void expect_sent_places(void)
{
    const json_t *listen = json_object_get(fake_params(), "listen");
    const json_t *targets = json_object_get(fake_params(), "connect");
    const json_t *first = json_array_get(targets, 0),
                 *second = json_array_get(targets, 1);

    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(listen, "local-host")),
                           "127.0.0.1");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(listen, "local-port")), 8443);
    CU_ASSERT_PTR_NULL(json_object_get(listen, "nodelay"));
    CU_ASSERT_EQUAL(json_array_size(targets), 2);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(first, "remote-host")),
                           "::1");
    CU_ASSERT_TRUE(json_is_false(json_object_get(first, "nodelay")));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(second, "remote-filename")),
                           "/run/web");
}

void test_tunnels(void)
{
    const struct sockd_made_tunnel *made;
    const struct sockd_tunnel_list *list;

    operate(run_make, "make-tunnel", "{\"tunnel\":7,\"listener\":{" DESCRIPTION "}}");
    expect_sent_places();
    CU_ASSERT_STRING_EQUAL(sent_text("name"), "web");
    CU_ASSERT_EQUAL(sent_int("max-connections"), 5);
    CU_ASSERT_STRING_EQUAL(sent_text("accept-proxy"), "any");
    CU_ASSERT_STRING_EQUAL(sent_text("send-proxy"), "v2");
    CU_ASSERT_EQUAL(sent_int("log-connections"), 1);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(fake_params(), "client-addresses")),
                    2);
    CU_ASSERT_STRING_EQUAL(sent_text("connect-order"), "round-robin");
    CU_ASSERT_STRING_EQUAL(sent_text("listen-mode"), "0660");
    CU_ASSERT_STRING_EQUAL(sent_text("listen-owner"), "alice");
    CU_ASSERT_STRING_EQUAL(sent_text("listen-group"), "0");
    made = out.result;
    CU_ASSERT_EQUAL(made->tunnel, 7);
    CU_ASSERT_EQUAL(made->listener->local_port, 1024);
    sockd_free(out.result);
    operate(run_list, "list-tunnels",
            "{\"tunnels\":[{\"tunnel\":7,\"name\":null,\"connect\":[\"a:1\",\"b:2\"],"
            "\"cut\":3,\"owner\":{\"uid\":5},\"bytes-out\":11}]}");
    list = out.result;
    CU_ASSERT_EQUAL_FATAL(list->n_tunnels, 1);
    CU_ASSERT_PTR_NULL(list->tunnels[0]->name);
    CU_ASSERT_EQUAL_FATAL(list->tunnels[0]->n_connect, 2);
    CU_ASSERT_STRING_EQUAL(list->tunnels[0]->connect[1], "b:2");
    CU_ASSERT_EQUAL(list->tunnels[0]->cut, 3);
    CU_ASSERT_EQUAL(list->tunnels[0]->owner->uid, 5);
    CU_ASSERT_EQUAL(list->tunnels[0]->bytes_out, 11);
    sockd_free(out.result);
    out.result = NULL;
    operate(run_close, "close-tunnel", "{}");
    CU_ASSERT_EQUAL(sent_int("tunnel"), 7);
    CU_ASSERT_EQUAL(sent_int("abort"), 1);
}
