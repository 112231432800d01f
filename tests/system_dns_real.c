/* SPDX-License-Identifier: MIT */
/*
 * system_dns_real.c - against name servers that others wrote: knot with a zone of the
 * test, and unbound as a resolver in front of it. Skipped where they are not installed.
 */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/dns_rig.h"
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

enum { N_MANY = 120 }; /* addresses of many.example.test: too many for a datagram */

static char directory[256];
static pid_t pids[4];
static unsigned n_pids;

static void end_servers(void)
{
    char command[300];

    while (n_pids > 0) {
        pid_t pid = pids[--n_pids];
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    if (directory[0]) {
        snprintf(command, sizeof(command), "%s", directory);
        pid_t pid = fork();
        if (pid == 0) {
            execlp("rm", "rm", "-rf", command, (char *)NULL);
            _exit(1);
        }
        waitpid(pid, NULL, 0);
        directory[0] = '\0';
    }
}

/* The path of a program in the usual places; NULL: it is not installed. */
static const char *find_program(const char *name)
{
    static const char *const folders[] = {"/usr/sbin", "/usr/local/sbin", "/usr/bin",
                                          "/usr/local/bin"};
    static char path[300];

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folders[i], name);
        if (access(path, X_OK) == 0) {
            return path;
        }
    }
    return NULL;
}

static void make_directory(void)
{
    const char *base = getenv("TMPDIR");

    unit_after_each(end_servers);
    if (directory[0]) {
        return;
    }
    snprintf(directory, sizeof(directory), "%s/sockd-real-XXXXXX", base ? base : "/tmp");
    /* unbound gives up its rights before it reads what is in there. */
    if (!mkdtemp(directory) || chmod(directory, 0755) != 0) {
        unit_bail_out("mkdtemp: %s", strerror(errno));
    }
}

static FILE *create(const char *name)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "we");
    if (!file) {
        unit_bail_out("%s: %s", path, strerror(errno));
    }
    return file;
}

static void run(const char *program, const char *option, const char *file, int log_option)
{
    char path[512], log[512];
    pid_t pid;

    snprintf(path, sizeof(path), "%s/%s", directory, file);
    snprintf(log, sizeof(log), "%s/%s.log", directory, file);
    pid = fork();
    if (pid < 0) {
        unit_bail_out("fork: %s", strerror(errno));
    }
    if (pid == 0) {
        /* Also when the test ends in a way that nobody foresaw. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0) {
            _exit(1);
        }
        if (log_option) {
            execl(program, program, "-d", option, path, (char *)NULL);
        } else {
            execl(program, program, option, path, (char *)NULL);
        }
        _exit(1);
    }
    pids[n_pids++] = pid;
}

/* An address of this process alone, so that a port that is free there stays free: other
 * tests have theirs from the kernel at 127.0.0.1. */
static const char *server_host(void)
{
    static char host[16];
    unsigned pid = (unsigned)getpid();

    snprintf(host, sizeof(host), "127.%u.%u.%u", 64 + (pid >> 16 & 63), pid >> 8 & 255,
             pid & 255);
    return host;
}

static int free_port(void)
{
    int port, fd = peer_datagram(server_host(), &port);

    peer_close(fd);
    return port;
}

static void write_zone(void)
{
    FILE *file = create("zone");

    fputs("$ORIGIN example.test.\n$TTL 300\n"
          "@ SOA ns admin 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n"
          "www 60 A 192.0.2.1\nwww 60 A 192.0.2.2\nwww AAAA 2001:db8::1\n"
          "alias CNAME www\nfar CNAME target.other.test.\n"
          "@ MX 20 mail2\n@ MX 10 mail\nmail A 192.0.2.25\nmail2 AAAA 2001:db8::25\n"
          "@ TXT \"one\" \"two\"\n@ CAA 128 issue \"ca.test\"\n"
          "_s._tcp SRV 1 5 80 www\n*.wild A 192.0.2.9\n",
          file);
    for (int i = 0; i < N_MANY; i++) {
        fprintf(file, "many A 198.51.100.%d\n", i);
    }
    fclose(file);
    file = create("other");
    fputs("$ORIGIN other.test.\n$TTL 30\n@ SOA ns admin 1 3600 600 86400 60\n@ NS ns\n"
          "ns A 127.0.0.1\ntarget A 192.0.2.77\n",
          file);
    fclose(file);
    file = create("reverse");
    fputs("$ORIGIN 2.0.192.in-addr.arpa.\n$TTL 30\n"
          "@ SOA ns.example.test. admin.example.test. 1 3600 600 86400 60\n"
          "@ NS ns.example.test.\n1 PTR www.example.test.\n",
          file);
    fclose(file);
}

/* Returns its port; 0: it is not installed. */
static int start_knot(void)
{
    const char *program = find_program("knotd");
    int port = free_port();
    FILE *file;

    if (!program) {
        return 0;
    }
    make_directory();
    write_zone();
    file = create("knot.conf");
    fprintf(file,
            "server:\n    rundir: \"%s\"\n    listen: %s@%d\n"
            "database:\n    storage: \"%s/db\"\n"
            "template:\n  - id: default\n    storage: \"%s\"\n"
            "zone:\n  - domain: example.test\n    file: zone\n"
            "  - domain: other.test\n    file: other\n"
            "  - domain: 2.0.192.in-addr.arpa\n    file: reverse\n",
            directory, server_host(), port, directory, directory);
    fclose(file);
    run(program, "-c", "knot.conf", 0);
    return port;
}

static int start_unbound(int knot_port)
{
    const char *program = find_program("unbound");
    static const char *const zones[] = {"example.test", "other.test",
                                        "2.0.192.in-addr.arpa"};
    int port = free_port();
    FILE *file;

    if (!program) {
        return 0;
    }
    file = create("unbound.conf");
    fprintf(file,
            "server:\n  interface: %s\n  port: %d\n  directory: \"%s\"\n"
            "  chroot: \"\"\n  username: \"\"\n  pidfile: \"%s/unbound.pid\"\n"
            "  use-syslog: no\n  do-not-query-localhost: no\n  module-config: iterator\n"
            "  local-zone: \"test.\" nodefault\n"
            "  local-zone: \"2.0.192.in-addr.arpa.\" nodefault\n"
            "remote-control:\n  control-enable: no\n",
            server_host(), port, directory, directory);
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        fprintf(file, "stub-zone:\n  name: \"%s\"\n  stub-addr: %s@%d\n", zones[i],
                server_host(), knot_port);
    }
    fclose(file);
    run(program, "-c", "unbound.conf", 1);
    return port;
}

static bool answers(void *context)
{
    json_t *result = rig_query("{s:s, s:s, s:i, s:f}", "name", "www.example.test",
                               "nameserver", context, "repeat", 1, "timeout", 0.2);

    return !json_is_null(json_object_get(result, "answer"));
}

/* The daemon asks the server at this port from now on. */
static void use_server(int port)
{
    char text[64];

    snprintf(text, sizeof(text), "%s:%d", server_host(), port);
    harness_await(answers, text, "the name server to answer");
    (void)wire_call(name_rig.wire, "configure-dns", "{s:s}", "nameserver", text);
}

static json_t *ask(const char *name, const char *type)
{
    return rig_query("{s:s, s:s}", "name", name, "type", type);
}

static void check_types(void)
{
    json_t *result = ask("www.example.test", "a");

    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "others")), 1);
    CU_ASSERT(wire_int(result, "ttl") <= 60);
    rig_expect_answer(ask("www.example.test", "aaaa"),
                      "{\"ipv6\":\"2001:db8::1\",\"scope-id\":0}");
    rig_expect_answer(ask("alias.example.test", "cname"), "\"www.example.test\"");
    CU_ASSERT_FALSE(
        json_is_null(json_object_get(ask("alias.example.test", "a"), "answer")));
    rig_expect_answer(ask("far.example.test", "a"), "3221226061");
    rig_expect_answer(ask("example.test", "ns"), "\"ns.example.test\"");
    rig_expect_answer(ask("example.test", "txt"), "[\"one\",\"two\"]");
    rig_expect_answer(ask("example.test", "caa"),
                      "{\"critical\":true,\"tag\":\"issue\",\"value\":\"ca.test\"}");
    rig_expect_answer(
        ask("_s._tcp.example.test", "srv"),
        "{\"priority\":1,\"weight\":5,\"port\":80,\"target\":\"www.example.test\"}");
    rig_expect_answer(ask("anything.wild.example.test", "a"), "3221225993");
    rig_expect_answer(ask("192.0.2.1", "ptr"), "\"www.example.test\"");
    result = ask("example.test", "mx");
    CU_ASSERT_STRING_EQUAL(
        json_string_value(json_array_get(json_object_get(result, "answer"), 0)),
        "mail.example.test");
    result = ask("example.test", "soa");
    CU_ASSERT_EQUAL(wire_int(json_object_get(result, "answer"), "minimum"), 60);
    result = ask("nowhere.example.test", "a");
    CU_ASSERT_TRUE(rig_has_flag(result, "no-such-domain"));
    CU_ASSERT(wire_int(result, "ttl") <= 60);
    result = ask("www.example.test", "mx");
    CU_ASSERT_TRUE(rig_has_flag(result, "no-such-record"));
    /* More than fits into a datagram. */
    result = ask("many.example.test", "a");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "others")), N_MANY - 1);
}

static void check_lookups(void)
{
    json_t *result;

    CU_ASSERT_EQUAL(strncmp(rig_lookup("www.example.test"), "192.0.2.", 8), 0);
    result = wire_call(name_rig.wire, "lookup-hostname", "{s:s, s:b, s:b}", "host",
                       "alias.example.test", "all", 1, "ipv6", 1);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "values")), 3);
    result =
        wire_call(name_rig.wire, "ipaddr-to-hostname", "{s:s}", "address", "192.0.2.1");
    CU_ASSERT_STRING_EQUAL(wire_text(result, "value"), "www.example.test");
    (void)wire_call(name_rig.wire, "session-defaults", "{s:s}", "dns-mode", "acldns");
    (void)wire_refused(name_rig.wire, "host-not-found", "lookup-hostname", "{s:s}",
                       "host", "nowhere.example.test");
}

static void test_knot(void)
{
    int port = start_knot();

    if (port == 0) {
        unit_skip("knot is not installed");
        return;
    }
    rig_start_alone();
    use_server(port);
    check_types();
    check_lookups();
    json_t *result = rig_query("{s:s, s:b}", "name", "www.example.test", "decode", 0);
    CU_ASSERT_TRUE(rig_has_flag(result, "authoritative"));
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "answer")), 2);
    /* A zone that it does not have is refused, which is no answer. */
    result = ask("www.stranger.test", "a");
    CU_ASSERT_TRUE(rig_has_flag(result, "refused"));
}

static void test_unbound(void)
{
    int knot = find_program("unbound") ? start_knot() : 0;
    json_t *result;

    if (knot == 0) {
        unit_skip("knot or unbound is not installed");
        return;
    }
    rig_start_alone();
    /* unbound would remember for long that it was not there yet. */
    use_server(knot);
    use_server(start_unbound(knot));
    check_types();
    check_lookups();
    result = ask("www.example.test", "a");
    CU_ASSERT_TRUE(rig_has_flag(result, "recursion-available"));
    result = rig_query("{s:s, s:s, s:b}", "name", "far.example.test", "type", "a",
                       "decode", 0);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "answer")), 2);
}

static const struct unit_test tests[] = {
    {"knot, with a zone of ours", test_knot},
    {"unbound, which resolves", test_unbound},
};

UNIT_MAIN(tests)
