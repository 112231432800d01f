/* SPDX-License-Identifier: MIT */
/*
 * contract_coverage.c - fails for every command, parameter and error that no test has
 * exercised.
 *
 * Runs after all other tests and reads the records that contract.c made of them. What
 * cannot be exercised stands with its reason in unexercised.txt; a line there that is not
 * true (any more) is a failure, too.
 */
#include <config.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proto/error.h"
#include "proto/table.h"
#include "tests/contract.h"
#include "tests/unit.h"

static json_t *seen;    /* set of record lines */
static json_t *excused; /* the same of unexercised.txt */

/* Adds the lines of a file to a set; what follows a "#" is left out. */
static void read_lines(json_t *set, const char *path)
{
    FILE *file = fopen(path, "re");
    char line[512], *end;

    if (!file) {
        unit_bail_out("%s: %s", path, strerror(errno));
    }
    while (fgets(line, sizeof(line), file)) {
        end = line + strcspn(line, "#\n");
        while (end > line && end[-1] == ' ') {
            end--;
        }
        *end = '\0';
        if (*line) {
            json_object_set_new(set, line, json_true());
        }
    }
    fclose(file);
}

static void read_records(void)
{
    const char *folder = contract_folder();
    const char *source = getenv("SOCKD_SRCDIR");
    struct dirent *entry;
    char path[2048];
    DIR *directory;

    if (seen) {
        return;
    }
    directory = folder ? opendir(folder) : NULL;
    if (!directory || !source) {
        unit_bail_out(
            "SOCKD_BUILDDIR and SOCKD_SRCDIR must say where records and sources are");
    }
    seen = json_object();
    excused = json_object();
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
            read_lines(seen, path);
        }
    }
    closedir(directory);
    snprintf(path, sizeof(path), "%s/tests/unexercised.txt", source);
    read_lines(excused, path);
}

static void check_line(const char *line)
{
    bool is_seen = json_object_get(seen, line);
    bool is_excused = json_object_get(excused, line);
    char optional[300];

    /* What a test can exercise on some machines only, and skips on others. */
    snprintf(optional, sizeof(optional), "%s where possible", line);
    if (json_object_get(excused, optional)) {
        json_object_del(excused, optional);
        return;
    }
    if (!is_seen && !is_excused && geteuid() != 0) {
        unit_skip("some tests are for root only");
    } else if (!is_seen && !is_excused) {
        UNIT_FAIL("no test has exercised: %s", line);
    } else if (is_seen && is_excused) {
        UNIT_FAIL("a test has exercised it, so it need not stand in unexercised.txt: %s",
                  line);
    }
    json_object_del(excused, line);
}

static void test_commands(void)
{
    char line[256];
    unsigned i;

    for (i = 0; i < COMMAND_COUNT; i++) {
        snprintf(line, sizeof(line), "command %s",
                 table_command((enum command_id)i)->name);
        check_line(line);
    }
}

static void test_params(void)
{
    char line[256];
    unsigned i, j;

    for (i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = table_command((enum command_id)i);

        for (j = 0; j < command->n_params; j++) {
            snprintf(line, sizeof(line), "param %s %s", command->name,
                     command->params[j].name);
            check_line(line);
        }
    }
}

static void test_errors(void)
{
    char line[256];
    unsigned i;

    for (i = ERROR_NONE + 1; i < ERROR_COUNT; i++) {
        snprintf(line, sizeof(line), "error %s", error_row((enum error_id)i)->identifier);
        check_line(line);
    }
}

static void test_results(void)
{
    char line[256];
    unsigned i, j;

    for (i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = table_command((enum command_id)i);

        for (j = 0; j < command->n_results; j++) {
            if (command->results[j].type != VALUE_INCLUDE) {
                snprintf(line, sizeof(line), "result %s %s", command->name,
                         command->results[j].name);
                check_line(line);
            }
        }
    }
}

/* Last: what the tests above have not taken out of the set does not exist. */
static void test_excuses(void)
{
    const char *line;
    json_t *value;

    json_object_foreach(excused, line, value)
    {
        UNIT_FAIL("unexercised.txt names something that does not exist: %s", line);
    }
    json_decref(seen);
    json_decref(excused);
}

static const struct unit_test tests[] = {
    {"every command was exercised", test_commands},
    {"every parameter was exercised", test_params},
    {"every error identifier was seen", test_errors},
    {"every member of a result was seen", test_results},
    {"every excuse names something that exists", test_excuses},
};

static void before(void)
{
    table_setup();
    read_records();
}

UNIT_MAIN_AROUND(tests, before, NULL)
