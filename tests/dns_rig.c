/* SPDX-License-Identifier: MIT */
/*
 * dns_rig.c - the stage for tests of names.
 *
 * Place: system tests. Thread: that of the test.
 */
#include <config.h>
#include "tests/dns_rig.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/harness.h"
#include "tests/nameserver.h"
#include "tests/unit.h"
#include "tests/wire.h"

struct dns_rig name_rig;

static char directory[256], resolv_conf[300], hosts[300];

static void clean_up(void)
{
    unlink(resolv_conf);
    unlink(hosts);
    rmdir(directory);
    memset(&name_rig, 0, sizeof(name_rig));
}

static void make_directory(void)
{
    const char *base = getenv("TMPDIR");

    unit_after_each(clean_up);
    snprintf(directory, sizeof(directory), "%s/sockd-dns-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(directory)) {
        unit_bail_out("mkdtemp: %s", strerror(errno));
    }
    snprintf(resolv_conf, sizeof(resolv_conf), "%s/resolv.conf", directory);
    snprintf(hosts, sizeof(hosts), "%s/hosts", directory);
}

static void write_file(const char *path, const char *text)
{
    char fresh[320];
    FILE *file;

    snprintf(fresh, sizeof(fresh), "%s.new", path);
    file = fopen(fresh, "we");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0 || rename(fresh, path) != 0) {
        unit_bail_out("%s: %s", path, strerror(errno));
    }
}

void rig_write_resolv_conf(const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    write_file(resolv_conf, text);
}

void rig_write_hosts(const char *text) { write_file(hosts, text); }

static void start_daemon(const char *option, const char *value)
{
    const char *args[] = {"--resolv-conf", resolv_conf, "--hosts", hosts,
                          option,          value,       NULL};
    const struct harness_options options = {.args = args};

    write_file(hosts, "");
    name_rig.harness = harness_start(&options);
    name_rig.wire = wire_open(name_rig.harness);
    /* The file has been read then. */
    (void)wire_call(name_rig.wire, "dns-nameservers", NULL);
}

void rig_start_with(const char *option, const char *value)
{
    make_directory();
    name_rig.server = nameserver_start("127.0.0.1");
    rig_write_resolv_conf("# the name server of the tests\nnameserver %s\n",
                          nameserver_text(name_rig.server));
    start_daemon(option, value);
}

void rig_start(void) { rig_start_with(NULL, NULL); }

void rig_start_alone(void)
{
    make_directory();
    rig_write_resolv_conf("options timeout:1\n");
    start_daemon(NULL, NULL);
}

json_t *rig_query(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int64_t id = wire_send_v(name_rig.wire, "dns-query", format, args);
    va_end(args);
    return wire_result(name_rig.wire, id);
}

bool rig_has_flag(const json_t *result, const char *word)
{
    const json_t *flags = json_object_get(result, "flags"), *flag;
    size_t i;

    json_array_foreach(flags, i, flag)
    {
        if (strcmp(json_string_value(flag), word) == 0) {
            return true;
        }
    }
    return false;
}

json_int_t rig_counter(const char *name)
{
    json_t *statistics = wire_call(name_rig.wire, "statistics", NULL);

    return wire_int(json_object_get(statistics, "counters"), name);
}

void rig_expect_member(const json_t *result, const char *member, const char *wanted)
{
    json_t *expected = json_loads(wanted, JSON_DECODE_ANY, NULL);
    char *text = json_dumps(result, JSON_COMPACT);

    if (!expected) {
        unit_bail_out("no JSON: %s", wanted);
    }
    if (!json_equal(json_object_get(result, member), expected)) {
        UNIT_FAIL("%s should be %s: %s", member, wanted, text);
    }
    free(text);
    json_decref(expected);
}

void rig_expect_answer(const json_t *result, const char *wanted)
{
    rig_expect_member(result, "answer", wanted);
}

const char *rig_lookup(const char *name)
{
    return wire_text(wire_call(name_rig.wire, "lookup-hostname", "{s:s}", "host", name),
                     "value");
}
