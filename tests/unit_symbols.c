/* SPDX-License-Identifier: MIT */
/*
 * unit_symbols.c - proto/symbols.def is true: the methods, the functions and the tests
 * that it names exist, and no documented symbol is missing.
 */
#include <config.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/sockd.h"
#include "proto/table.h"
#include "tests/unit.h"

enum { N_DOCUMENTED = 109 };

static const struct row {
    const char *name, *package, *method, *how, *program, *title;
    bool is_reserved;
} rows[] = {
#define SYMBOL(NAME, PACKAGE, METHOD, HOW, PROGRAM, TITLE)                               \
    {NAME, PACKAGE, METHOD, HOW, PROGRAM, TITLE, false},
#define RESERVED(NAME, PACKAGE, METHOD, HOW)                                             \
    {NAME, PACKAGE, METHOD, HOW, NULL, NULL, true},
#define LEFT_OUT(NAME, PACKAGE, WHY) {NAME, PACKAGE, NULL, WHY, NULL, NULL, false},
#include "proto/symbols.def"
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

static void test_count(void)
{
    CU_ASSERT_EQUAL(N_ROWS, N_DOCUMENTED);
    for (unsigned i = 0; i < N_ROWS; i++) {
        for (unsigned k = 0; k < i; k++) {
            if (strcmp(rows[i].name, rows[k].name) == 0) {
                UNIT_FAIL("%s stands there twice", rows[i].name);
            }
        }
        if (!rows[i].method && !rows[i].how[0]) {
            UNIT_FAIL("%s is left out without a reason", rows[i].name);
        }
    }
}

static void test_methods(void)
{
    for (unsigned i = 0; i < N_ROWS; i++) {
        const struct row *row = &rows[i];
        bool exists = row->method && table_find(row->method, strlen(row->method));
        if (row->method && !row->is_reserved && !exists) {
            UNIT_FAIL("%s: there is no method %s", row->name, row->method);
        }
        /* The row must tell of it then, and name the test. */
        if (row->is_reserved && exists) {
            UNIT_FAIL("%s is reserved, but there is %s", row->name, row->method);
        }
    }
}

static void test_functions(void)
{
    char function[128];

    /* One that is called, so that the library is linked at all. */
    CU_ASSERT_PTR_NOT_NULL(sockd_status_text(SOCKD_OK));
    for (unsigned i = 0; i < N_ROWS; i++) {
        if (!rows[i].method || rows[i].is_reserved) {
            continue;
        }
        snprintf(function, sizeof(function), "sockd_%s", rows[i].method);
        for (char *at = function; *at; at++) {
            *at = *at == '-' ? '_' : *at;
        }
        if (!dlsym(RTLD_DEFAULT, function)) {
            UNIT_FAIL("%s: the library has no %s()", rows[i].name, function);
        }
    }
}

static char *read_file(const char *program)
{
    const char *source = getenv("SOCKD_SRCDIR");
    char path[1024];
    char *text = NULL;
    size_t room = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/tests/%s.c", source ? source : ".", program);
    file = fopen(path, "re");
    if (file && getdelim(&text, &room, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    if (file) {
        fclose(file);
    }
    return text;
}

static void test_tests(void)
{
    char wanted[200];

    for (unsigned i = 0; i < N_ROWS; i++) {
        if (!rows[i].program) {
            continue;
        }
        char *text = read_file(rows[i].program);
        snprintf(wanted, sizeof(wanted), "{\"%s\",", rows[i].title);
        if (!text || !strstr(text, wanted)) {
            UNIT_FAIL("%s: tests/%s.c has no test \"%s\"", rows[i].name, rows[i].program,
                      rows[i].title);
        }
        free(text);
    }
}

static const struct unit_test tests[] = {
    {"every documented symbol has a row", test_count},
    {"the methods are in the table", test_methods},
    {"the functions are in the library", test_functions},
    {"the tests are there", test_tests},
};

static void before(void) { table_setup(); }

UNIT_MAIN_AROUND(tests, before, NULL)
