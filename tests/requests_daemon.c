/* SPDX-License-Identifier: MIT */
/*
 * requests_daemon.c - what libsockd sends and reads for names, descriptions, lists and
 * the daemon itself.
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

/* ---- Names ---- */

static int run_lookup(struct fake_call *call)
{
    struct sockd_lookup_options options = SOCKD_LOOKUP_OPTIONS_INIT;

    options.ipv6 = SOCKD_IPV6_OFF;
    options.ignore_cache = 1;
    return sockd_lookup_hostname(call->connection, "localhost", &options, 1, out.text, 64,
                                 &call->error);
}

static int run_lookup_all(struct fake_call *call)
{
    struct sockd_address_list *list = NULL;
    int status = sockd_lookup_hostname_all(call->connection, "localhost", NULL, 1, &list,
                                           &call->error);

    out.result = list;
    return status;
}

static int run_lookup_port(struct fake_call *call)
{
    return sockd_lookup_port(call->connection, call->context, SOCKD_UDP, 1, &out.number,
                             &call->error);
}

static int run_ipaddr_to_hostname(struct fake_call *call)
{
    struct sockd_lookup_options options = SOCKD_LOOKUP_OPTIONS_INIT;

    options.ipv6 = SOCKD_IPV6_OFF; /* has no meaning here */
    options.ignore_cache = 0;
    return sockd_ipaddr_to_hostname(call->connection, "127.0.0.1", &options, 1, out.text,
                                    sizeof(out.text), &call->error);
}

static int run_interfaces(struct fake_call *call)
{
    struct sockd_interface_list *list = NULL;
    int status = sockd_get_ip_interfaces(call->connection, 1, &list, &call->error);

    out.result = list;
    return status;
}

static int run_session(struct fake_call *call)
{
    struct sockd_session_defaults_options options = SOCKD_SESSION_DEFAULTS_OPTIONS_INIT;
    struct sockd_session_defaults *now = NULL;
    int status;

    options.ipv6 = SOCKD_IPV6_PREFERRED;
    options.print_hostname_in_stream = 0;
    options.dns_mode = (const char *const[]){"clib", NULL};
    options.dns_domain = "";
    options.domain_search_list = (const char *const[]){"a.example", "b.example", NULL};
    status = sockd_session_defaults(call->connection, &options, 1, &now, &call->error);
    out.result = now;
    return status;
}

static void check_lookup_port(const char *port, const char *answer, int expected)
{
    struct fake_call *call =
        fake_run(connection, run_lookup_port, (void *)(uintptr_t)port);

    fake_reply(check_request("lookup-port"), answer);
    fake_join(call);
    CU_ASSERT_EQUAL(call->status, SOCKD_OK);
    CU_ASSERT_EQUAL(out.number, expected);
}

void test_names(void)
{
    const struct sockd_address_list *list;

    operate(run_lookup, "lookup-hostname", "{\"value\":\"127.0.0.1\"}");
    CU_ASSERT_STRING_EQUAL(out.text, "127.0.0.1");
    CU_ASSERT_TRUE(json_is_false(json_object_get(fake_params(), "ipv6")));
    operate(run_lookup_all, "lookup-hostname", "{\"values\":[\"::1\",\"127.0.0.1\"]}");
    list = out.result;
    CU_ASSERT_EQUAL_FATAL(list->n_addresses, 2);
    CU_ASSERT_STRING_EQUAL(list->addresses[1], "127.0.0.1");
    check_lookup_port("domain", "{\"value\":53}", 53);
    CU_ASSERT_STRING_EQUAL(sent_text("port"), "domain");
    check_lookup_port("8080", "{\"value\":8080}", 8080);
    CU_ASSERT_EQUAL(sent_int("port"), 8080);
    operate(run_ipaddr_to_hostname, "ipaddr-to-hostname", "{\"value\":null}");
    CU_ASSERT_STRING_EQUAL(out.text, "");
}

void test_interfaces(void)
{
    const struct sockd_interface_list *list;

    operate(run_interfaces, "get-ip-interfaces",
            "{\"interfaces\":[{\"id\":1,\"name\":\"lo\",\"addresses\":[\"127.0.0.1\",\"::"
            "1\"],"
            "\"up\":true,\"running\":true,\"loopback\":true,\"broadcast\":false},{\"id\":"
            "2}]}");
    list = out.result;
    CU_ASSERT_EQUAL_FATAL(list->n_interfaces, 2);
    CU_ASSERT_EQUAL(list->interfaces[0]->id, 1);
    CU_ASSERT_STRING_EQUAL(list->interfaces[0]->name, "lo");
    CU_ASSERT_EQUAL(list->interfaces[0]->n_addresses, 2);
    CU_ASSERT_TRUE(list->interfaces[0]->loopback);
    CU_ASSERT_FALSE(list->interfaces[0]->broadcast);
    CU_ASSERT_PTR_NULL(list->interfaces[1]->name);
    CU_ASSERT_EQUAL(list->interfaces[1]->n_addresses, 0);
}

void test_session(void)
{
    const struct sockd_session_defaults *now;

    operate(
        run_session, "session-defaults",
        "{\"ipv6\":\"ipv6\",\"print-hostname-in-stream\":true,\"dns-mode\":[\"acldns\"],"
        "\"dns-domain\":null,\"domain-search-list\":[]}");
    now = out.result;
    CU_ASSERT_EQUAL(now->ipv6, SOCKD_IPV6_ONLY);
    CU_ASSERT_EQUAL(now->print_hostname_in_stream, 1);
    CU_ASSERT_EQUAL(now->n_dns_mode, 1);
    CU_ASSERT_STRING_EQUAL(now->dns_mode[0], "acldns");
    CU_ASSERT_PTR_NULL(now->dns_domain);
    CU_ASSERT_EQUAL(now->n_domain_search_list, 0);
}

/* ---- The daemon ---- */

static int run_hello(struct fake_call *call)
{
    struct sockd_hello *hello = NULL;
    int status = sockd_hello(call->connection, 1, &hello, &call->error);

    out.result = hello;
    return status;
}

static int run_describe(struct fake_call *call)
{
    return sockd_describe_socket(call->connection, 7, 1, &out.description, &call->error);
}

static int run_list_sockets(struct fake_call *call)
{
    struct sockd_list_sockets_options options = SOCKD_LIST_SOCKETS_OPTIONS_INIT;
    struct sockd_socket_list *list = NULL;
    int status;

    options.name = "n";
    options.type = SOCKD_STREAM;
    options.state = SOCKD_STATE_LISTENING;
    options.client = 1;
    options.uid = 0;
    options.limit = 2;
    options.after = 9;
    status = sockd_list_sockets(call->connection, &options, 1, &list, &call->error);
    out.result = list;
    return status;
}

static int run_list_clients(struct fake_call *call)
{
    struct sockd_client_list *list = NULL;
    int status = sockd_list_clients(call->connection, 1, &list, &call->error);

    out.result = list;
    return status;
}

static int run_statistics(struct fake_call *call)
{
    struct sockd_statistics *statistics = NULL;
    int status = sockd_statistics(call->connection, 1, &statistics, &call->error);

    out.result = statistics;
    return status;
}

static int run_interrupt(struct fake_call *call)
{
    struct sockd_interrupt_options options = SOCKD_INTERRUPT_OPTIONS_INIT;

    options.direction = SOCKD_INPUT;
    options.close = 1;
    options.reason = "because";
    return sockd_interrupt(call->connection, 7, &options, 1, &out.large, &call->error);
}

static int run_cancel(struct fake_call *call)
{
    return sockd_cancel(call->connection, 12, 1, &out.flags[0], &call->error);
}

static int run_stop(struct fake_call *call)
{
    return sockd_stop(call->connection, 1, &call->error);
}

static int run_log_level(struct fake_call *call)
{
    return sockd_set_log_level(call->connection, SOCKD_LOG_DEBUG, "net", 1, &call->error);
}

static int run_discover(struct fake_call *call)
{
    return sockd_rpc_discover(call->connection, 1, &call->result, &call->error);
}

static int run_os_fd(struct fake_call *call)
{
    int fd;

    call->socket = sockd_socket_os_fd(call->connection, 7, 1, &fd, &call->error);
    return SOCKD_OK;
}

void test_daemon(void)
{
    const struct sockd_hello *hello;

    operate(
        run_hello, "hello",
        "{\"product\":\"sockd\",\"version\":\"9\",\"protocol\":1,\"limits\":"
        "{\"message-size\":5,\"reply-timeout\":2.5},\"features\":[\"attach\"],\"client\":"
        "{\"id\":3,\"pid\":4,\"uid\":0,\"gid\":5,\"user\":null,\"rights\":[\"query\"]}}");
    hello = out.result;
    CU_ASSERT_STRING_EQUAL(hello->version, "9");
    CU_ASSERT_EQUAL(hello->limits->message_size, 5);
    CU_ASSERT_EQUAL(hello->limits->reply_timeout, 2.5);
    CU_ASSERT_EQUAL(hello->client->gid, 5);
    CU_ASSERT_PTR_NULL(hello->client->user);
    CU_ASSERT_STRING_EQUAL(hello->client->rights[0], "query");
    CU_ASSERT_EQUAL(hello->client->worker, SOCKD_UNSET);
    operate(run_interrupt, "interrupt", "{\"interrupted\":3}");
    CU_ASSERT_EQUAL(out.large, 3);
    CU_ASSERT_STRING_EQUAL(sent_text("reason"), "because");
    operate(run_cancel, "cancel", "{\"cancelled\":true}");
    CU_ASSERT_TRUE(out.flags[0]);
    CU_ASSERT_EQUAL(sent_int("request"), 12);
    operate(run_stop, "stop", "{}");
    operate(run_log_level, "set-log-level", "{}");
    CU_ASSERT_STRING_EQUAL(sent_text("level"), "debug");
    CU_ASSERT_STRING_EQUAL(
        operate(run_discover, "rpc.discover", "{\"openrpc\":\"1\"}")->result,
        "{\"openrpc\":\"1\"}");
    operate(run_os_fd, "socket-os-fd", "{}");
}

void test_describe(void)
{
    const struct sockd_description *it;

    operate(run_describe, "describe-socket",
            "{" DESCRIPTION
            ",\"owner\":{\"uid\":1000,\"pid\":5,\"user\":\"u\",\"client\":null},"
            "\"worker\":2,\"options\":{" OPTIONS "},\"created\":\"2025-01-01T00:00:00Z\","
            "\"runtime\":{\"bytes-read\":5,\"bytes-written\":6,\"pending\":[\"read\","
            "\"read\"],"
            "\"attached\":false,\"input-shutdown\":true,\"trailers\":null,"
            "\"read-timeout\":null,\"write-timeout\":1,\"end\":\"reset\",\"last-error\":"
            "{\"identifier\":\"connection-reset\",\"errno\":\"ECONNRESET\"}}}");
    it = out.description;
    CU_ASSERT_EQUAL(it->owner->uid, 1000);
    CU_ASSERT_EQUAL(it->owner->client, 0);
    CU_ASSERT_EQUAL(it->worker, 2);
    CU_ASSERT_EQUAL(it->options->receive_buffer_size, 131072);
    CU_ASSERT_EQUAL(it->options->broadcast, SOCKD_UNSET);
    CU_ASSERT_STRING_EQUAL(it->created, "2025-01-01T00:00:00Z");
    CU_ASSERT_EQUAL(it->runtime->n_pending, 2);
    CU_ASSERT_STRING_EQUAL(it->runtime->pending[1], "read");
    CU_ASSERT_TRUE(it->runtime->input_shutdown);
    CU_ASSERT_PTR_NULL(it->runtime->trailers);
    CU_ASSERT_EQUAL(it->runtime->read_timeout, SOCKD_FOREVER);
    CU_ASSERT_EQUAL(it->runtime->write_timeout, 1);
    CU_ASSERT_EQUAL(it->runtime->end, SOCKD_END_RESET);
    CU_ASSERT_STRING_EQUAL(it->runtime->last_error->errno_name, "ECONNRESET");
    CU_ASSERT_PTR_NULL(it->runtime->last_error->action);
}

void test_lists(void)
{
    const struct sockd_socket_list *sockets;
    const struct sockd_client_list *clients;

    operate(run_list_sockets, "list-sockets",
            "{\"sockets\":[{" DESCRIPTION
            ",\"owner\":{\"uid\":7},\"worker\":0},{" DESCRIPTION "}],\"next\":11}");
    CU_ASSERT_EQUAL(sent_int("uid"), 0);
    CU_ASSERT_STRING_EQUAL(sent_text("state"), "listening");
    sockets = out.result;
    CU_ASSERT_EQUAL_FATAL(sockets->n_sockets, 2);
    CU_ASSERT_EQUAL(sockets->sockets[0]->owner->uid, 7);
    CU_ASSERT_EQUAL(sockets->sockets[1]->remote_port, 80);
    CU_ASSERT_EQUAL(sockets->next, 11);
    sockd_free(out.result);
    operate(run_list_clients, "list-clients",
            "{\"clients\":[{\"id\":1,\"pid\":2,\"uid\":3,\"gid\":4,\"user\":\"u\","
            "\"rights\":[],"
            "\"worker\":1,\"connected\":\"t\",\"requests\":5,\"pending\":6,"
            "\"queued\":8}]}");
    clients = out.result;
    CU_ASSERT_EQUAL_FATAL(clients->n_clients, 1);
    CU_ASSERT_EQUAL(clients->clients[0]->queued, 8);
    CU_ASSERT_EQUAL(clients->clients[0]->worker, 1);
}

void test_statistics(void)
{
    const struct sockd_statistics *it;

    operate(run_statistics, "statistics",
            "{\"version\":\"9\",\"pid\":5,\"started\":\"t\",\"uptime\":1.5,\"clients\":2,"
            "\"sockets\":3,\"counters\":{\"a\":1,\"b\":2},\"workers\":[{\"worker\":0,"
            "\"clients\":1,\"sockets\":2,\"counters\":{\"a\":1}}]}");
    it = out.result;
    CU_ASSERT_EQUAL(it->uptime, 1.5);
    CU_ASSERT_EQUAL_FATAL(it->n_counters, 2);
    CU_ASSERT_EQUAL(it->counters[0].value + it->counters[1].value, 3);
    CU_ASSERT_EQUAL_FATAL(it->n_workers, 1);
    CU_ASSERT_EQUAL(it->workers[0]->sockets, 2);
    CU_ASSERT_STRING_EQUAL(it->workers[0]->counters[0].name, "a");
}
