/* SPDX-License-Identifier: MIT */
/*
 * unit_output.c - results as text for people, problems as lines, statuses and JSON.
 */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/columns.h"
#include "client/output.h"
#include "client/problem.h"
#include "proto/table.h"
#include "tests/unit.h"

/* Writes the result of a command; *status is what output_result() returned. For free().
 */
static char *shown(const char *name, const char *result, int *status, bool has_notes)
{
    char *text = NULL;
    size_t size = 0;
    json_t *json = json_loads(result, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    FILE *out = open_memstream(&text, &size);

    table_setup();
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    *status =
        output_result(out, has_notes ? out : NULL, table_find(name, strlen(name)), json);
    (void)fclose(out);
    json_decref(json);
    return text;
}

static void check(const char *name, const char *result, const char *expected,
                  int expected_status)
{
    int status;
    char *text = shown(name, result, &status, false);

    if (strcmp(text, expected) != 0 || status != expected_status)
        UNIT_FAIL("%s: status %d, text:\n%s", name, status, text);
    free(text);
}

static void test_values(void)
{
    check("lookup-port", "{\"value\":80}", "80\n", STATUS_OK);
    check("ipaddrp", "{\"value\":false}", "false\n", STATUS_OK);
    check("remote-host", "{\"value\":null}", "\n", STATUS_OK);
    check("lookup-hostname", "{\"values\":[\"a\",\"b\"]}", "a\nb\n", STATUS_OK);
    check("ipaddr-to-dotted", "{\"value\":[127,0,0,1]}", "127\n0\n0\n1\n", STATUS_OK);
    check("dotted-to-ipaddr", "{\"value\":{\"ipv6\":\"::1\",\"scope-id\":0}}",
          "{\"ipv6\":\"::1\",\"scope-id\":0}\n", STATUS_OK);
    check("read-byte", "{\"value\":65,\"eof\":false}", "65\n", STATUS_OK);
    check("read-byte", "{\"value\":null,\"eof\":true,\"end\":\"clean\"}", "", STATUS_END);
}

/* Names of certificates, alone and in a table. */
static void test_pairs(void)
{
    check("get-ssl-peer-certificate",
          "{\"certificate\":{\"version\":3,\"subject\":[[\"C\",\"NL\"],[\"CN\","
          "\"a\\u001b\"]],"
          "\"subject-alt-name\":[]}}",
          "certificate:\n  version:          3\n  subject:          C=NL, CN=a\\x1b\n"
          "  subject-alt-name: -\n",
          STATUS_OK);
    check(
        "list-contexts",
        "{\"contexts\":[{\"context\":5,\"verify\":false,\"subject\":[[\"CN\",\"a\"]]}]}",
        "CONTEXT  VERIFY  SUBJECT\n      5  false   CN=a\n", STATUS_OK);
}

static void test_data(void)
{
    int status;

    check("read", "{\"data\":\"ab\",\"encoding\":\"utf-8\",\"size\":2,\"eof\":false}",
          "ab", STATUS_OK);
    check("read", "{\"data\":\"YWI=\",\"encoding\":\"base64\",\"size\":2,\"eof\":true}",
          "ab", STATUS_OK);
    check("read",
          "{\"data\":\"\xc3\xbf\",\"encoding\":\"latin-1\",\"size\":1,\"eof\":false}",
          "\xff", STATUS_OK);
    check("read",
          "{\"data\":\"\",\"encoding\":\"utf-8\",\"size\":0,\"eof\":true,"
          "\"end\":\"clean\"}",
          "", STATUS_END);
    check("read-line",
          "{\"line\":\"x\",\"encoding\":\"utf-8\",\"missing-newline\":false,"
          "\"eof\":false}",
          "x\n", STATUS_OK);
    check("read-line",
          "{\"line\":\"\",\"encoding\":\"utf-8\",\"missing-newline\":false,"
          "\"eof\":false}",
          "\n", STATUS_OK);
    check("read-line",
          "{\"line\":\"x\",\"encoding\":\"utf-8\",\"missing-newline\":true,\"eof\":true}",
          "x", STATUS_OK);
    check("read-line", "{\"line\":null,\"missing-newline\":true,\"eof\":true}", "",
          STATUS_END);

    char *text = shown("receive-from",
                       "{\"data\":\"x\",\"encoding\":\"utf-8\",\"size\":1,"
                       "\"remote-host\":\"::1\",\"remote-port\":9}",
                       &status, true);

    CU_ASSERT_STRING_EQUAL(
        text, "x(encoding: utf-8, size: 1, remote-host: ::1, remote-port: 9)\n");
    free(text);
}

static void test_members(void)
{
    check("write", "{\"size\":5}", "size: 5\n", STATUS_OK);
    check("close", "{}", "", STATUS_OK);
    check("cancel", "{\"cancelled\":true,\"of-a-newer-daemon\":[1,2]}",
          "cancelled:         true\nof-a-newer-daemon: 1 2\n", STATUS_OK);
    /* In the order of the rows, nested objects indented, null left out. */
    check(
        "describe-socket",
        "{\"owner\":{\"pid\":7,\"uid\":0,\"user\":null},\"state\":\"open\",\"socket\":5,"
        "\"tls\":null,\"runtime\":{\"pending\":[]}}",
        "socket: 5\nstate:  open\nowner:\n  uid: 0\n  pid: 7\nruntime:\n  pending: -\n",
        STATUS_OK);
    /* Nothing that a peer chose reaches the terminal raw. */
    check("describe-socket", "{\"name\":\"\\u001b[31m\\u0000\\u0085\\n\"}",
          "name: \\x1b[31m\\x00\\xc2\\x85\\n\n", STATUS_OK);
}

static void test_tables(void)
{
    check(
        "get-ip-interfaces",
        "{\"interfaces\":[{\"id\":1,\"name\":\"lo\",\"up\":true},"
        "{\"id\":10,\"name\":\"\xc3\xa4\",\"up\":false,\"addresses\":[\"::1\",\"a\"]}]}",
        "ID  NAME  ADDRESSES  UP\n"
        " 1  lo    -          true\n"
        "10  \xc3\xa4     ::1 a      false\n",
        STATUS_OK);
    check("get-ip-interfaces", "{\"interfaces\":[]}",
          "ID  NAME  ADDRESSES  UP  RUNNING  LOOPBACK  BROADCAST  MULTICAST  "
          "POINT-TO-POINT\n",
          STATUS_OK);
    check("statistics",
          "{\"pid\":3,\"counters\":{\"a\":1},\"workers\":[{\"worker\":0,\"clients\":2}]}",
          "pid: 3\ncounters:\n  a: 1\nworkers:\nWORKER  CLIENTS\n     0        2\n",
          STATUS_OK);
}

static void check_visible(const char *text, size_t size, const char *expected)
{
    char *visible = columns_visible(text, size);

    CU_ASSERT_STRING_EQUAL(visible, expected);
    free(visible);
}

static void test_visible(void)
{
    check_visible("plain \xc3\xa4", 8, "plain \xc3\xa4");
    check_visible("", 0, "");
    check_visible("a\0b", 3, "a\\x00b");
    check_visible("\x1b\x7f\t\r\n", 5, "\\x1b\\x7f\\t\\r\\n");
    check_visible("\xff\xc3", 2, "\\xff\\xc3");
    check_visible("\xc2\x9b"
                  "1m",
                  4, "\\xc2\\x9b1m");
    check_visible("\xe2\x82\xac\xe2\x82", 5, "\xe2\x82\xac\\xe2\\x82");
    CU_ASSERT_EQUAL(columns_width("\xc3\xa4\xe2\x82\xac"), 2);
}

static void test_problems(void)
{
    struct problem problem = {0};
    json_t *error = json_loads(
        "{\"code\":-32602,\"message\":\"no such word\",\"data\":{\"identifier\":"
        "\"invalid-params\",\"parameter\":\"type\",\"wanted\":\"one of a, b\"}}",
        0, NULL);

    CU_ASSERT_FALSE(problem_reply(&problem, "make-socket", error));
    CU_ASSERT_EQUAL(problem.status, STATUS_USAGE);
    CU_ASSERT_STRING_EQUAL(problem.line,
                           "make-socket: invalid-params: no such word; parameter type; "
                           "wanted: one of a, b");
    problem_prefix(&problem, "line %d: ", 3);
    CU_ASSERT_EQUAL(strncmp(problem.line, "line 3: make-socket: ", 21), 0);
    CU_ASSERT_FALSE(problem_usage(&problem, "%s", "wrong"));
    CU_ASSERT_STRING_EQUAL(problem.line, "wrong");
    CU_ASSERT_PTR_NULL(problem.json);
    CU_ASSERT_FALSE(problem_system(&problem, 2, "file %d", 1));
    CU_ASSERT_STRING_EQUAL(problem.line, "file 1: No such file or directory");
    CU_ASSERT_EQUAL(problem.status, STATUS_SYSTEM);
    problem_fini(&problem);

    CU_ASSERT_EQUAL(problem_status(-32700), STATUS_PROTOCOL);
    CU_ASSERT_EQUAL(problem_status(-32603), STATUS_PROTOCOL);
    CU_ASSERT_EQUAL(problem_status(-32601), STATUS_USAGE);
    CU_ASSERT_EQUAL(problem_status(-32602), STATUS_USAGE);
    CU_ASSERT_EQUAL(problem_status(-32000), 10);
    CU_ASSERT_EQUAL(problem_status(-32008), 18);
    CU_ASSERT_EQUAL(problem_status(-32099), 109);
    CU_ASSERT_EQUAL(problem_status(0), STATUS_PROTOCOL);
}

static const struct unit_test tests[] = {
    {"values stand alone", test_values},
    {"pairs of names and values", test_pairs},
    {"data are the bytes they are", test_data},
    {"members, one a line", test_members},
    {"tables", test_tables},
    {"nothing reaches a terminal raw", test_visible},
    {"problems and their statuses", test_problems},
};
UNIT_MAIN(tests)
