/* SPDX-License-Identifier: MIT */
/*
 * system_names.c - look-ups by the mode of the session: name servers, the file of hosts,
 * the C library; what is kept, what never leaves the machine, and who uses it.
 */
#include <config.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/dns_rig.h"
#include "tests/harness.h"
#include "tests/nameserver.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

static void set_mode(const char *mode)
{
    (void)wire_call(name_rig.wire, "session-defaults", "{s:s}", "dns-mode", mode);
}

static void expect_values(const json_t *result, const char *wanted)
{
    rig_expect_member(result, "values", wanted);
}

static json_t *look_up_all(const char *name, json_t *ipv6)
{
    return wire_call(name_rig.wire, "lookup-hostname", "{s:s, s:b, s:o}", "host", name,
                     "all", 1, "ipv6", ipv6);
}

static void refused(const char *identifier, const char *name)
{
    (void)wire_refused(name_rig.wire, identifier, "lookup-hostname", "{s:s}", "host",
                       name);
}

/* ---- Name servers ---- */

static void test_families(void)
{
    struct nameserver_rule *rule;

    rig_start();
    set_mode("acldns");
    rule = nameserver_add(name_rig.server, "www.test", RR_A);
    nameserver_record(rule, 'a', "www.test", RR_A, 300, "127.0.0.2");
    nameserver_record(rule, 'a', "www.test", RR_A, 300, "127.0.0.3");
    nameserver_says(name_rig.server, "www.test", RR_AAAA, 300, "::1");
    nameserver_says(name_rig.server, "four.test", RR_A, 300, "127.0.0.4");
    (void)nameserver_add(name_rig.server, "four.test", RR_AAAA);
    CU_ASSERT_STRING_EQUAL(rig_lookup("www.test"), "127.0.0.2");
    expect_values(look_up_all("www.test", json_false()), "[\"127.0.0.2\",\"127.0.0.3\"]");
    expect_values(look_up_all("www.test", json_true()),
                  "[\"::1\",\"127.0.0.2\",\"127.0.0.3\"]");
    expect_values(look_up_all("www.test", json_string("ipv6")), "[\"::1\"]");
    expect_values(look_up_all("four.test", json_true()), "[\"127.0.0.4\"]");
    (void)wire_refused(name_rig.wire, "host-not-found", "lookup-hostname", "{s:s, s:s}",
                       "host", "four.test", "ipv6", "ipv6");
}

static void test_failures(void)
{
    struct nameserver_rule *rule;
    json_t *error;

    rig_start();
    set_mode("acldns");
    refused("host-not-found", "nowhere.test");
    (void)nameserver_add(name_rig.server, "empty.test", 0);
    refused("host-not-found", "empty.test");
    nameserver_rcode(nameserver_add(name_rig.server, "broken.test", 0), 2);
    error = wire_refused(name_rig.wire, "dns-failure", "lookup-hostname", "{s:s}", "host",
                         "broken.test");
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "action"),
                           "look up");
    rule = nameserver_add(name_rig.server, "silent.test", 0);
    nameserver_trick(rule, TRICK_SILENT);
    int64_t id = wire_send(name_rig.wire, "lookup-hostname", "{s:s, s:i}", "host",
                           "silent.test", "timeout", 1);
    nameserver_await(name_rig.server, "silent.test", 1);
    (void)wire_error(name_rig.wire, id, "timeout");
    rule = nameserver_add(name_rig.server, "1.2.0.192.in-addr.arpa", 0);
    nameserver_trick(rule, TRICK_SILENT);
    (void)wire_refused(name_rig.wire, "timeout", "ipaddr-to-hostname", "{s:s, s:i}",
                       "address", "192.0.2.1", "timeout", 0);
    /* With both in the mode the second half of the time is for the file and the C
     * library. */
    (void)wire_call(name_rig.wire, "session-defaults", "{s:[s,s]}", "dns-mode", "acldns",
                    "clib");
    rig_write_hosts("192.0.2.5 silent.test\n");
    id = wire_send(name_rig.wire, "lookup-hostname", "{s:s, s:i}", "host", "silent.test",
                   "timeout", 2);
    CU_ASSERT_STRING_EQUAL(wire_text(wire_result(name_rig.wire, id), "value"),
                           "192.0.2.5");
}

/* A server that never answers for one of the families does not hold up the other. */
static void test_half_an_answer(void)
{
    rig_start();
    set_mode("acldns");
    nameserver_says(name_rig.server, "half.test", RR_A, 300, "192.0.2.1");
    nameserver_trick(nameserver_add(name_rig.server, "half.test", RR_AAAA), TRICK_SILENT);
    expect_values(look_up_all("half.test", json_true()), "[\"192.0.2.1\"]");
    /* What is not the whole truth is not kept. */
    CU_ASSERT_EQUAL(rig_counter("lookups-cached"), 0);
    expect_values(look_up_all("half.test", json_true()), "[\"192.0.2.1\"]");
    CU_ASSERT_EQUAL(rig_counter("lookups-cached"), 0);
}

static void test_kept(void)
{
    struct wire *other;

    rig_start();
    nameserver_says(name_rig.server, "www.test", RR_A, 300, "192.0.2.1");
    for (int i = 0; i < 8; i++) {
        /* Whoever asks, and from whatever worker. */
        other = wire_open(name_rig.harness);
        json_t *result = wire_call(other, "lookup-hostname", "{s:s}", "host",
                                   i % 2 ? "WWW.test" : "www.TEST");
        CU_ASSERT_STRING_EQUAL(wire_text(result, "value"), "192.0.2.1");
    }
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "www.test"), 1);
    CU_ASSERT_EQUAL(rig_counter("lookups-cached"), 7);
    nameserver_says(name_rig.server, "www.test", RR_A, 300, "192.0.2.2");
    CU_ASSERT_STRING_EQUAL(rig_lookup("www.test"), "192.0.2.1");
    (void)wire_call(name_rig.wire, "lookup-hostname", "{s:s, s:b}", "host", "www.test",
                    "ignore-cache", 1);
    for (int i = 0; i < 8; i++) {
        other = wire_open(name_rig.harness);
        CU_ASSERT_STRING_EQUAL(
            wire_text(wire_call(other, "lookup-hostname", "{s:s}", "host", "www.test"),
                      "value"),
            "192.0.2.2");
    }
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "www.test"), 2);
    /* Other servers: nothing is known any more. */
    (void)wire_call(name_rig.wire, "configure-dns", "{s:s}", "nameserver",
                    nameserver_text(name_rig.server));
    CU_ASSERT_STRING_EQUAL(rig_lookup("www.test"), "192.0.2.2");
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "www.test"), 3);
}

/* ---- The file of hosts, the C library ---- */

/* What name servers leave unanswered is looked up elsewhere, at the limit, too. */
static void test_at_the_limit(void)
{
    rig_start_with("--lookups-per-user", "1");
    rig_write_hosts("192.0.2.7 silent.test\n");
    nameserver_trick(nameserver_add(name_rig.server, "silent.test", 0), TRICK_SILENT);
    const json_t *result = wire_call(name_rig.wire, "lookup-hostname", "{s:s, s:f}",
                                     "host", "silent.test", "timeout", 2.0);

    CU_ASSERT_STRING_EQUAL(wire_text(result, "value"), "192.0.2.7");
}

static bool finds_new_host(void *context)
{
    (void)context;
    int64_t id = wire_send(name_rig.wire, "lookup-hostname", "{s:s, s:b}", "host",
                           "b.test", "ignore-cache", 1);
    const json_t *result = json_object_get(wire_reply(name_rig.wire, id), "result");

    return result && strcmp(wire_text(result, "value"), "192.0.2.9") == 0;
}

static void test_hosts(void)
{
    struct wire *other;

    rig_start();
    rig_write_hosts("# comment\n192.0.2.7 a.test alias.test # more\n\n"
                    "192.0.2.8\ta.test\n2001:db8::7 A.TEST\nnonsense c.test\n"
                    "192.0.2.6 www.test b.test");
    nameserver_says(name_rig.server, "www.test", RR_A, 300, "192.0.2.1");
    /* After the name servers, which win. */
    CU_ASSERT_STRING_EQUAL(rig_lookup("www.test"), "192.0.2.1");
    CU_ASSERT_STRING_EQUAL(rig_lookup("alias.test"), "192.0.2.7");
    expect_values(look_up_all("a.test", json_true()),
                  "[\"2001:db8::7\",\"192.0.2.7\",\"192.0.2.8\"]");
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "c.test"), 0);
    /* By itself when the mode says so. */
    other = wire_open(name_rig.harness);
    (void)wire_call(other, "session-defaults", "{s:s}", "dns-mode", "clib");
    unsigned n = nameserver_n_asked(name_rig.server, NULL);
    CU_ASSERT_STRING_EQUAL(
        wire_text(wire_call(other, "lookup-hostname", "{s:s}", "host", "www.test"),
                  "value"),
        "192.0.2.6");
    CU_ASSERT_STRING_EQUAL(
        wire_text(wire_call(other, "ipaddr-to-hostname", "{s:s}", "address", "192.0.2.7"),
                  "value"),
        "a.test");
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, NULL), n);
    set_mode("acldns");
    refused("host-not-found", "alias.test");
    /* A file that was replaced is read again. */
    (void)wire_call(name_rig.wire, "session-defaults", "{s:[s,s]}", "dns-mode", "clib",
                    "acldns");
    rig_write_hosts("192.0.2.9 b.test\n");
    harness_await(finds_new_host, NULL, "the new file of hosts");
}

/* A name of this machine's own file of hosts; NULL: there is none to ask for. */
static const char *machine_name(char *name, size_t size, char *address)
{
    FILE *file = fopen("/etc/hosts", "re");
    char line[1024];
    bool is_found = false;

    while (file && !is_found && fgets(line, sizeof(line), file)) {
        char word[256] = "";
        is_found = sscanf(line, "127.%15s %255s", address, word) == 2 &&
                   !strstr(word, "localhost") && strlen(word) < size;
        snprintf(name, size, "%.200s", word);
    }
    if (file) {
        fclose(file);
    }
    return is_found ? name : NULL;
}

static void test_clib(void)
{
    char name[256], address[16], wanted[32];
    json_t *result;

    if (!machine_name(name, sizeof(name), address)) {
        unit_skip("the file of hosts has no name but localhost");
        return;
    }
    /* The daemon's own file is empty, and no name server is known. */
    rig_start_alone();
    snprintf(wanted, sizeof(wanted), "127.%s", address);
    CU_ASSERT_STRING_EQUAL(rig_lookup(name), wanted);
    set_mode("acldns");
    result = wire_call(name_rig.wire, "lookup-hostname", "{s:s}", "host", name);
    CU_ASSERT_STRING_EQUAL(wire_text(result, "value"), wanted);
    set_mode("clib");
    CU_ASSERT_STRING_EQUAL(rig_lookup(name), wanted);
    /* What is no name at all. */
    refused("host-not-found", "a..b");
}

/* ---- What stays at home ---- */

static void test_at_home(void)
{
    static const char *const nowhere[] = {"256.1.1.1", "1.2.3.4.5", "127.0.0.0x1ff.",
                                          "a.invalid", "x.onion",   "999999999999"};
    static const char *const modes[] = {"acldns", "clib"};

    rig_start();
    for (int mode = 0; mode < 2; mode++) {
        set_mode(modes[mode]);
        CU_ASSERT_STRING_EQUAL(rig_lookup("localhost"), "127.0.0.1");
        CU_ASSERT_STRING_EQUAL(rig_lookup("LocalHost."), "127.0.0.1");
        CU_ASSERT_STRING_EQUAL(rig_lookup("www.localhost"), "127.0.0.1");
        expect_values(look_up_all("a.b.localhost", json_string("ipv6")), "[\"::1\"]");
        for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
            refused("host-not-found", nowhere[i]);
        }
        /* These are addresses. */
        CU_ASSERT_STRING_EQUAL(rig_lookup("127.1"), "127.0.0.1");
        CU_ASSERT_STRING_EQUAL(rig_lookup("0x7f.1"), "127.0.0.1");
        CU_ASSERT_STRING_EQUAL(rig_lookup("2130706433"), "127.0.0.1");
    }
    rig_expect_answer(rig_query("{s:s, s:s}", "name", "::1", "type", "ptr"),
                      "\"localhost\"");
    rig_expect_answer(rig_query("{s:s, s:s}", "name", "127.9.9.9", "type", "ptr"),
                      "null");
    rig_expect_answer(rig_query("{s:s, s:s}", "name", "localhost", "type", "mx"), "null");
    rig_expect_answer(rig_query("{s:s}", "name", "256.1.1.1"), "null");
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, NULL), 0);
}

static const char *name_of(const char *address)
{
    json_t *result =
        wire_call(name_rig.wire, "ipaddr-to-hostname", "{s:s}", "address", address);
    const json_t *value = json_object_get(result, "value");

    return json_is_null(value) ? "(none)" : wire_text(result, "value");
}

static void test_reverse(void)
{
    rig_start();
    nameserver_says(name_rig.server, "1.2.0.192.in-addr.arpa", RR_PTR, 300, "www.test");
    nameserver_says(name_rig.server, "2.2.0.192.in-addr.arpa", RR_PTR, 300,
                    "<script>.test");
    rig_write_hosts("192.0.2.3 three.test other.test\n127.0.1.1 me.test\n");
    set_mode("acldns");
    CU_ASSERT_STRING_EQUAL(name_of("192.0.2.1"), "www.test");
    /* What strangers write there need not be the name of a host. */
    CU_ASSERT_STRING_EQUAL(name_of("192.0.2.2"), "(none)");
    CU_ASSERT_STRING_EQUAL(name_of("192.0.2.9"), "(none)");
    CU_ASSERT_STRING_EQUAL(name_of("127.0.0.1"), "localhost");
    CU_ASSERT_STRING_EQUAL(name_of("::1"), "localhost");
    CU_ASSERT_STRING_EQUAL(name_of("127.0.5.5"), "(none)");
    unsigned n = nameserver_n_asked(name_rig.server, NULL);
    CU_ASSERT_EQUAL(n, 3);
    CU_ASSERT_STRING_EQUAL(name_of("192.0.2.1"), "www.test");
    CU_ASSERT_STRING_EQUAL(name_of("192.0.2.9"), "(none)");
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, NULL), n);
    nameserver_says(name_rig.server, "1.2.0.192.in-addr.arpa", RR_PTR, 300, "new.test");
    (void)wire_call(name_rig.wire, "ipaddr-to-hostname", "{s:s, s:b}", "address",
                    "192.0.2.1", "ignore-cache", 1);
    CU_ASSERT_STRING_EQUAL(name_of("192.0.2.1"), "new.test");
    (void)wire_call(name_rig.wire, "session-defaults", "{s:[s,s]}", "dns-mode", "clib",
                    "acldns");
    CU_ASSERT_STRING_EQUAL(name_of("192.0.2.3"), "three.test");
    n = nameserver_n_asked(name_rig.server, NULL);
    CU_ASSERT_STRING_EQUAL(name_of("127.0.1.1"), "me.test");
    CU_ASSERT_STRING_EQUAL(name_of("127.0.6.6"), "(none)");
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, NULL), n);
}

/* ---- Who uses it ---- */

static void test_sockets(void)
{
    int port, listener = peer_listen("127.0.0.1", &port);
    int udp_port, udp = peer_datagram("127.0.0.1", &udp_port);
    json_t *made;
    char text[16];

    rig_start();
    set_mode("acldns");
    nameserver_says(name_rig.server, "peer.test", RR_A, 300, "127.0.0.1");
    made = wire_call(name_rig.wire, "make-socket", "{s:s, s:i}", "remote-host",
                     "peer.test", "remote-port", port);
    CU_ASSERT_STRING_EQUAL(wire_text(made, "remote-host"), "127.0.0.1");
    (void)peer_accept(listener);
    made = wire_call(name_rig.wire, "make-socket", "{s:s}", "type", "datagram");
    (void)wire_call(name_rig.wire, "send-to", "{s:I, s:s, s:s, s:i}", "socket",
                    wire_int(made, "socket"), "data", "hello", "remote-host", "peer.test",
                    "remote-port", udp_port);
    CU_ASSERT_EQUAL(peer_receive(udp, text, sizeof(text)), 5);
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, "peer.test"), 1);
    (void)wire_refused(name_rig.wire, "host-not-found", "make-socket", "{s:s, s:i}",
                       "remote-host", "nowhere.test", "remote-port", port);
    (void)wire_refused(name_rig.wire, "host-not-found", "send-to", "{s:I, s:s, s:s, s:i}",
                       "socket", wire_int(made, "socket"), "data", "x", "remote-host",
                       "nowhere.test", "remote-port", udp_port);
    /* Given up by its socket's end. */
    nameserver_trick(nameserver_add(name_rig.server, "silent.test", 0), TRICK_SILENT);
    int64_t id = wire_send(name_rig.wire, "send-to", "{s:I, s:s, s:s, s:i}", "socket",
                           wire_int(made, "socket"), "data", "x", "remote-host",
                           "silent.test", "remote-port", udp_port);
    nameserver_await(name_rig.server, "silent.test", 1);
    /* Meanwhile the worker serves others, be they of the same connection. */
    json_t *other = wire_call(name_rig.wire, "make-socket", "{s:s}", "type", "datagram");
    (void)wire_call(name_rig.wire, "send-to", "{s:I, s:s, s:s, s:i}", "socket",
                    wire_int(other, "socket"), "data", "hello", "remote-host",
                    "127.0.0.1", "remote-port", udp_port);
    CU_ASSERT_EQUAL(peer_receive(udp, text, sizeof(text)), 5);
    (void)wire_refused(name_rig.wire, "timeout", "make-tunnel",
                       "{s:{s:s}, s:{s:s, s:i}, s:f}", "listen", "local-host",
                       "silent.test", "connect", "remote-host", "127.0.0.1",
                       "remote-port", port, "timeout", 0.05);
    CU_ASSERT_FALSE(wire_is_answered(name_rig.wire, id));
    (void)wire_call(name_rig.wire, "close", "{s:I}", "socket", wire_int(made, "socket"));
    (void)wire_error(name_rig.wire, id, "socket-closed");
}

static const char *printed(const json_t *made)
{
    return wire_text(wire_call(name_rig.wire, "describe-socket", "{s:I}", "socket",
                               wire_int(made, "socket")),
                     "printed");
}

static bool has_no_sockets(void *context)
{
    (void)context;
    return wire_int(wire_call(name_rig.wire, "statistics", NULL), "sockets") == 0;
}

/* A tunnel that is given up while its listener has no address yet ends at once. */
static void test_late_tunnel(void)
{
    rig_start();
    struct nameserver_rule *rule = nameserver_add(name_rig.server, "late.test", RR_A);
    nameserver_record(rule, 'a', "late.test", RR_A, 60, "127.0.0.1");
    nameserver_trick(rule, TRICK_HOLD);
    wire_refused(name_rig.wire, "timeout", "make-tunnel", "{s:{s:s}, s:{s:s, s:i}, s:f}",
                 "listen", "local-host", "late.test", "connect", "remote-host",
                 "127.0.0.1", "remote-port", 9, "timeout", 0.05);
    nameserver_await(name_rig.server, "late.test", 1);
    harness_await(has_no_sockets, NULL, "the end of a listener");
    nameserver_release(name_rig.server);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(
                        wire_call(name_rig.wire, "list-tunnels", NULL), "tunnels")),
                    0);
}

static void expect_printed(const json_t *made, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void expect_printed(const json_t *made, const char *format, ...)
{
    char begin[400], wanted[512];
    va_list args;

    va_start(args, format);
    vsnprintf(begin, sizeof(begin), format, args);
    va_end(args);
    snprintf(wanted, sizeof(wanted), "%s @ #x%llx>", begin,
             (unsigned long long)wire_int(made, "socket"));
    if (strcmp(printed(made), wanted) != 0) {
        UNIT_FAIL("printed should be %s: %s", wanted, printed(made));
    }
}

static void test_printed(void)
{
    json_t *listener, *stream, *datagram, *file;
    char path[300];
    int port, peer = peer_listen("127.0.0.2", &port);

    rig_start();
    nameserver_says(name_rig.server, "2.0.0.127.in-addr.arpa", RR_PTR, 300, "never.test");
    listener = wire_call(name_rig.wire, "make-socket", "{s:s, s:i}", "connect", "passive",
                         "local-port", 0);
    expect_printed(listener, "#<multivalent stream socket waiting for connection at */%d",
                   (int)wire_int(listener, "local-port"));
    datagram = wire_call(name_rig.wire, "make-socket", "{s:s, s:s, s:s}", "type",
                         "datagram", "local-host", "127.0.0.1", "format", "text");
    expect_printed(datagram,
                   "#<text datagram socket waiting for connection at localhost/%d",
                   (int)wire_int(datagram, "local-port"));
    stream = wire_call(name_rig.wire, "make-socket", "{s:s, s:i, s:s, s:s}",
                       "remote-host", "127.0.0.2", "remote-port", port, "local-host",
                       "127.0.0.1", "format", "binary");
    (void)peer_accept(peer);
    expect_printed(stream,
                   "#<binary stream socket connected from localhost/%d to 127.0.0.2/%d",
                   (int)wire_int(stream, "local-port"), port);
    rig_write_hosts("127.0.0.2 two.test\n");
    CU_ASSERT_STRING_EQUAL(name_of("127.0.0.2"), "two.test");
    expect_printed(stream,
                   "#<binary stream socket connected from localhost/%d to two.test/%d",
                   (int)wire_int(stream, "local-port"), port);
    (void)wire_call(name_rig.wire, "session-defaults", "{s:b}",
                    "print-hostname-in-stream", 0);
    expect_printed(stream,
                   "#<binary stream socket connected from 127.0.0.1/%d to 127.0.0.2/%d",
                   (int)wire_int(stream, "local-port"), port);
    snprintf(path, sizeof(path), "%s/printed", harness_directory(name_rig.harness));
    file = wire_call(name_rig.wire, "make-socket", "{s:s, s:s, s:s}", "address-family",
                     "file", "connect", "passive", "local-filename", path);
    expect_printed(file, "#<multivalent stream socket waiting for connection at %s",
                   path);
    /* Nobody was asked for the sake of printing. */
    CU_ASSERT_EQUAL(nameserver_n_asked(name_rig.server, NULL), 0);
}

static const struct unit_test tests[] = {
    {"families as asked", test_families},
    {"failures have their names", test_failures},
    {"one family does not wait for the other for long", test_half_an_answer},
    {"what was found is kept, for everybody", test_kept},
    {"the file of hosts comes second", test_hosts},
    {"silent name servers at the limit of look-ups", test_at_the_limit},
    {"the C library comes last", test_clib},
    {"names that stay at home", test_at_home},
    {"names of addresses", test_reverse},
    {"make-socket and send-to look up alike", test_sockets},
    {"a tunnel comes too late", test_late_tunnel},
    {"sockets are printed", test_printed},
};

UNIT_MAIN(tests)
