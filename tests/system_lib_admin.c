/* SPDX-License-Identifier: MIT */
/*
 * system_lib_admin.c - libsockd against the real daemon: descriptions, lists, counters,
 * names, the defaults of a connection, and the end of the daemon.
 */
#include <config.h>
#include "lib/sockd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/contract.h"
#include "tests/harness.h"
#include "tests/lib_client.h"
#include "tests/peer.h"
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

static void test_hello(void)
{
    struct sockd_hello *hello;

    MUST(sockd_hello(sockd, 5, &hello, &error));
    CU_ASSERT_STRING_EQUAL(hello->product, "sockd");
    CU_ASSERT_EQUAL(hello->protocol, SOCKD_PROTOCOL);
    CU_ASSERT_TRUE(hello->limits->message_size > 0);
    CU_ASSERT_EQUAL(hello->client->pid, getpid());
    CU_ASSERT_EQUAL(hello->client->uid, (int64_t)getuid());
    CU_ASSERT_TRUE(hello->client->n_rights > 0);
    sockd_free(hello);
}

static void test_describe(void)
{
    struct sockd_description *it;
    int peer;
    int64_t socket = lib_stream(sockd, &peer);

    MUST(sockd_describe_socket(sockd, socket, 5, &it, &error));
    CU_ASSERT_EQUAL(it->socket, socket);
    CU_ASSERT_EQUAL(it->state, SOCKD_STATE_CONNECTED);
    CU_ASSERT_EQUAL(it->owner->uid, (int64_t)getuid());
    CU_ASSERT_EQUAL(it->owner->pid, getpid());
    CU_ASSERT_TRUE(it->worker >= 0);
    CU_ASSERT_EQUAL(strlen(it->created), strlen("2025-01-01T00:00:00Z"));
    CU_ASSERT_EQUAL(it->options->nodelay, 1);
    CU_ASSERT_EQUAL(it->runtime->n_pending, 0);
    CU_ASSERT_EQUAL(it->runtime->end, SOCKD_END_NONE);
    CU_ASSERT_EQUAL(it->runtime->read_timeout, SOCKD_FOREVER);
    CU_ASSERT_PTR_NULL(it->runtime->last_error);
    sockd_free(it);
}

static void test_lists(void)
{
    struct sockd_list_sockets_options options = SOCKD_LIST_SOCKETS_OPTIONS_INIT;
    struct sockd_make_socket_options make = SOCKD_MAKE_SOCKET_OPTIONS_INIT;
    struct sockd_description *made;
    struct sockd_socket_list *list;
    struct sockd_client_list *clients;
    size_t n = 0;
    int port;

    make.connect = SOCKD_PASSIVE;
    make.name = "mine";
    for (int i = 0; i < 7; i++) {
        MUST(sockd_make_socket(sockd, &make, 5, &made, &error));
        CU_ASSERT_STRING_EQUAL(made->name, "mine");
        sockd_free(made);
    }
    lib_listener(sockd, &port);
    options.name = "mine";
    options.limit = 3;
    do {
        MUST(sockd_list_sockets(sockd, &options, 5, &list, &error));
        for (size_t i = 0; i < list->n_sockets; i++) {
            CU_ASSERT_STRING_EQUAL(list->sockets[i]->name, "mine");
            CU_ASSERT_TRUE(list->sockets[i]->socket > options.after);
        }
        n += list->n_sockets;
        options.after = list->next;
        sockd_free(list);
    } while (options.after);
    CU_ASSERT_EQUAL(n, 7);
    lib_connect(harness);
    MUST(sockd_list_clients(sockd, 5, &clients, &error));
    CU_ASSERT_EQUAL(clients->n_clients, 2);
    for (size_t i = 0; i < clients->n_clients; i++)
        CU_ASSERT_EQUAL(clients->clients[i]->pid, getpid());
    sockd_free(clients);
}

static void test_statistics(void)
{
    struct sockd_statistics *it;
    bool has_requests = false;

    MUST(sockd_statistics(sockd, 5, &it, &error));
    CU_ASSERT_EQUAL(it->pid, harness_pid(harness));
    CU_ASSERT_EQUAL(it->clients, 1);
    CU_ASSERT_EQUAL(it->n_workers, harness_workers(harness));
    for (size_t i = 0; i < it->n_counters; i++) {
        if (strcmp(it->counters[i].name, "requests") == 0)
            has_requests = it->counters[i].value > 0;
    }
    CU_ASSERT_TRUE(has_requests);
    sockd_free(it);
}

static void test_names(void)
{
    struct sockd_address_list *list;
    struct sockd_interface_list *interfaces;
    char text[256];
    int port;
    bool has_loopback = false;

    MUST(sockd_lookup_hostname(sockd, "127.1", NULL, 5, text, sizeof(text), &error));
    CU_ASSERT_STRING_EQUAL(text, "127.0.0.1");
    MUST(sockd_lookup_hostname_all(sockd, "127.0.0.1", NULL, 5, &list, &error));
    CU_ASSERT_EQUAL(list->n_addresses, 1);
    sockd_free(list);
    MUST_FAIL(SOCKD_E_HOST_NOT_FOUND,
              sockd_lookup_hostname(sockd, "no-such-host.invalid", NULL, 60, text,
                                    sizeof(text), &error));
    MUST(sockd_lookup_port(sockd, "443", SOCKD_TCP, 5, &port, &error));
    CU_ASSERT_EQUAL(port, 443);
    MUST_FAIL(SOCKD_E_SERVICE_NOT_FOUND,
              sockd_lookup_port(sockd, "no-such-service", SOCKD_TCP, 5, &port, &error));
    MUST(sockd_ipaddr_to_hostname(sockd, "127.0.0.1", NULL, 60, text, sizeof(text),
                                  &error));
    MUST(sockd_get_ip_interfaces(sockd, 5, &interfaces, &error));
    for (size_t i = 0; i < interfaces->n_interfaces; i++)
        has_loopback = has_loopback || interfaces->interfaces[i]->loopback;
    CU_ASSERT_TRUE(has_loopback);
    sockd_free(interfaces);
}

static void test_session(void)
{
    struct sockd_session_defaults_options options = SOCKD_SESSION_DEFAULTS_OPTIONS_INIT;
    struct sockd_session_defaults *now;

    options.ipv6 = SOCKD_IPV6_PREFERRED;
    options.domain_search_list = (const char *const[]){"a.example", NULL};
    MUST(sockd_session_defaults(sockd, &options, 5, &now, &error));
    CU_ASSERT_EQUAL(now->ipv6, SOCKD_IPV6_PREFERRED);
    CU_ASSERT_EQUAL_FATAL(now->n_domain_search_list, 1);
    CU_ASSERT_STRING_EQUAL(now->domain_search_list[0], "a.example");
    sockd_free(now);
}

static void test_discover(void)
{
    char *document, *result;

    MUST(sockd_rpc_discover(sockd, 5, &document, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(document, "\"openrpc\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(document, "make-socket"));
    MUST(sockd_call(sockd, "rpc.discover", NULL, 5, &result, &error));
    CU_ASSERT_STRING_EQUAL(document, result);
    sockd_free(document);
    sockd_free(result);
    MUST(sockd_set_log_level(sockd, SOCKD_LOG_DEBUG, NULL, 5, &error));
    MUST_FAIL(SOCKD_E_INVALID_PARAMS,
              sockd_set_log_level(sockd, SOCKD_LOG_DEBUG, "no-such-module", 5, &error));
    MUST_FAIL(SOCKD_E_METHOD_NOT_FOUND,
              sockd_call(sockd, "juggle", NULL, 5, NULL, &error));
}

static void test_md5(void)
{
    int port;
    int64_t listener = lib_listener(sockd, &port);
    int status =
        sockd_set_tcp_md5_sig(sockd, listener, "127.0.0.1", "\xffkey", 4, 5, &error);

    /* Kernels may be built without it. */
    if (status != SOCKD_OK)
        lib_must(status, SOCKD_E_PROTOCOL_NOT_AVAILABLE, &error, __FILE__, __LINE__,
                 "md5");
}

static void test_stop(void)
{
    MUST(sockd_stop(sockd, 5, &error));
    harness_await_end(harness);
    MUST_FAIL(SOCKD_E_NO_DAEMON, sockd_hello(sockd, 5, NULL, &error));
}

static const struct unit_test tests[] = {
    {"hello", test_hello},
    {"describe-socket", test_describe},
    {"lists in pages", test_lists},
    {"statistics", test_statistics},
    {"names and interfaces", test_names},
    {"the defaults of a connection", test_session},
    {"discovery and the log level", test_discover},
    {"tcp md5 signatures", test_md5},
    {"stop", test_stop},
};

UNIT_MAIN_AROUND(tests, begin, end)
