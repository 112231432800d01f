/* SPDX-License-Identifier: MIT */
/*
 * unit_config.c - config.c, config_load.c: values from text, the file, the command line,
 * and that the files in etc/ name exactly the options of the table.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/config.h"
#include "tests/unit.h"

static struct config config;
static char why[CONFIG_WHY_SIZE];
static char directory[64], path[128];

static void before(void)
{
    const char *variables[] = {"SOCKD_SOCKET", "XDG_RUNTIME_DIR", "HOME"};

    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        unsetenv(variables[i]);
    }
    why[0] = '\0';
    config_init(&config);
    (void)snprintf(directory, sizeof directory, "/tmp/sockd-config-XXXXXX");
    if (mkdtemp(directory) == NULL) {
        unit_bail_out("mkdtemp: %s", strerror(errno));
    }
    (void)snprintf(path, sizeof path, "%s/sockd.conf", directory);
    /* Neither a file of this machine nor one of this user may take part. */
    setenv("XDG_CONFIG_HOME", directory, 1);
}

static void after(void)
{
    config_fini(&config);
    (void)unlink(path); /* most tests make none */
    (void)rmdir(directory);
}

static bool set(enum config_id id, const char *text)
{
    return config_set(&config, id, text, CONFIG_BY_FILE, why);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "we");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT(fputs(text, file) >= 0);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static bool load(char *word, char *next, char *third)
{
    static char program[] = "sockd";
    char *argv[] = {program, word, next, third, NULL};
    int argc = 1;

    while (argv[argc] != NULL) {
        argc++;
    }
    config_fini(&config);
    return config_load(&config, argc, argv, why);
}

/* A command line of --config and the file of the test. */
static bool load_file(const char *text)
{
    static char option[] = "--config";

    write_file(text);
    return load(option, path, NULL);
}

static bool why_has(const char *text)
{
    if (strstr(why, text) != NULL) {
        return true;
    }
    unit_note("the sentence was: %s", why);
    return false;
}

/* ---- Values ---------------------------------------------------------------------------
 */

static void test_defaults(void)
{
    CU_ASSERT_EQUAL(config_number(&config, CONFIG_WORKERS), 0);
    CU_ASSERT_EQUAL(config_number(&config, CONFIG_MESSAGE_SIZE), 1048576);
    CU_ASSERT_EQUAL(config_number(&config, CONFIG_LOG_LEVEL), LOG_LEVEL_INFO);
    CU_ASSERT_EQUAL(config_seconds(&config, CONFIG_STOP_TIMEOUT), 5);
    CU_ASSERT_PTR_NULL(config_text(&config, CONFIG_SOCKET));
    CU_ASSERT_EQUAL(config.values[CONFIG_SOCKET_MODE].source, CONFIG_BY_DEFAULT);
    CU_ASSERT_EQUAL(config.action, CONFIG_RUN);
}

static void test_good_values(void)
{
    CU_ASSERT(set(CONFIG_WORKERS, "64"));
    CU_ASSERT_EQUAL(config_number(&config, CONFIG_WORKERS), 64);
    CU_ASSERT(set(CONFIG_MESSAGE_SIZE, "64K"));
    CU_ASSERT_EQUAL(config_number(&config, CONFIG_MESSAGE_SIZE), 65536);
    CU_ASSERT(set(CONFIG_REPLY_QUEUE_SIZE, "1G"));
    CU_ASSERT_EQUAL(config_number(&config, CONFIG_REPLY_QUEUE_SIZE), 1073741824);
    CU_ASSERT(set(CONFIG_STOP_TIMEOUT, "0.25"));
    CU_ASSERT_EQUAL(config_seconds(&config, CONFIG_STOP_TIMEOUT), 0.25);
    CU_ASSERT(set(CONFIG_SOCKET_MODE, "0666"));
    CU_ASSERT_EQUAL(config_number(&config, CONFIG_SOCKET_MODE), 0666);
    CU_ASSERT(set(CONFIG_LOG_LEVEL, "debug"));
    CU_ASSERT_EQUAL(config_number(&config, CONFIG_LOG_LEVEL), LOG_LEVEL_DEBUG);
    CU_ASSERT(set(CONFIG_SOCKET, "first"));
    CU_ASSERT(set(CONFIG_SOCKET, "second"));
    CU_ASSERT_STRING_EQUAL(config_text(&config, CONFIG_SOCKET), "second");
}

static void test_bad_values(void)
{
    static const struct {
        enum config_id id;
        const char *text;
    } bad[] = {
        {CONFIG_WORKERS, "65"},
        {CONFIG_WORKERS, "-1"},
        {CONFIG_WORKERS, ""},
        {CONFIG_WORKERS, " 1"},
        {CONFIG_WORKERS, "1 "},
        {CONFIG_WORKERS, "1K"},
        {CONFIG_WORKERS, "two"},
        {CONFIG_WORKERS, "99999999999999999999"},
        {CONFIG_MESSAGE_SIZE, "1023"},
        {CONFIG_MESSAGE_SIZE, "65M"},
        {CONFIG_MESSAGE_SIZE, "1T"},
        {CONFIG_MESSAGE_SIZE, "1MB"},
        {CONFIG_MESSAGE_SIZE, "9223372036854775807G"},
        {CONFIG_STOP_TIMEOUT, "-1"},
        {CONFIG_STOP_TIMEOUT, "nan"},
        {CONFIG_STOP_TIMEOUT, "inf"},
        {CONFIG_STOP_TIMEOUT, "5s"},
        {CONFIG_SOCKET_MODE, "0888"},
        {CONFIG_SOCKET_MODE, "1000"},
        {CONFIG_LOG_LEVEL, "loud"},
        {CONFIG_SOCKET, ""},
    };
    char before_text[32], after_text[32];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        (void)snprintf(before_text, sizeof before_text, "%lld",
                       (long long)config_number(&config, bad[i].id));
        if (set(bad[i].id, bad[i].text)) {
            UNIT_FAIL("%s took \"%s\"", config_row(bad[i].id)->name, bad[i].text);
        }
        (void)snprintf(after_text, sizeof after_text, "%lld",
                       (long long)config_number(&config, bad[i].id));
        CU_ASSERT_STRING_EQUAL(before_text, after_text);
        CU_ASSERT(why_has(config_row(bad[i].id)->name));
        CU_ASSERT(why_has(" takes "));
    }
    CU_ASSERT_FALSE(set(CONFIG_WORKERS, "65"));
    CU_ASSERT_STRING_EQUAL(why, "workers takes a whole number from 0 to 64, not \"65\"");
}

/* ---- The file -------------------------------------------------------------------------
 */

static void test_file(void)
{
    CU_ASSERT_FATAL(load_file("# a comment\n"
                              "; another\n"
                              "[sockd]\n"
                              "  \n"
                              "workers = 3\n"
                              "socket=/run/x ; behind\n"
                              "stop-timeout : 1.5\n"));
    CU_ASSERT_EQUAL(config_number(&config, CONFIG_WORKERS), 3);
    CU_ASSERT_STRING_EQUAL(config_text(&config, CONFIG_SOCKET), "/run/x");
    CU_ASSERT_EQUAL(config_seconds(&config, CONFIG_STOP_TIMEOUT), 1.5);
    CU_ASSERT_STRING_EQUAL(config.file, path);
}

/* The sentence names file, line and fault. */
static void expect_bad_file(const char *text, int line, const char *fault)
{
    char place[160];

    (void)snprintf(place, sizeof place, "%s:%d: ", path, line);
    if (load_file(text)) {
        UNIT_FAIL("a bad file was taken: %s", text);
        return;
    }
    CU_ASSERT(why_has(place));
    CU_ASSERT(why_has(fault));
}

static void test_bad_files(void)
{
    char text[512];

    expect_bad_file("[sockd]\n\nworker = 3\n", 3, "no option is called \"worker\"");
    expect_bad_file("[sockd]\nworkers = many\n", 2, "workers takes a whole number");
    expect_bad_file("[sockd]\nworkers = 1\nworkers = 2\n", 3, "workers is set twice");
    expect_bad_file("[sockd]\nworkers = 1\n  2\n", 3, "workers is set twice");
    expect_bad_file("workers = 1\n", 1,
                    "sections are [sockd], [context NAME] and [tunnel NAME]");
    expect_bad_file("[other]\nworkers = 1\n", 1, "there is no section \"other\"");
    expect_bad_file("[sockd]\n[tunnels a]\n", 2, "there is no section \"tunnels a\"");
    expect_bad_file("[sockd]\n[tunnel]\n", 2, "there is no section \"tunnel\"");
    expect_bad_file("[sockd\nworkers = 1\n", 1, "a line is `name = value`");
    expect_bad_file("[sockd]\nworkers\n", 2, "a line is `name = value`");
    expect_bad_file("[sockd\n", 1, "a line is `name = value`");
    /* Only the first fault is told. */
    expect_bad_file("[sockd]\nfoo = 1\nbar = 2\n", 2, "\"foo\"");
    (void)snprintf(text, sizeof text, "[sockd]\nsocket = %0300d\n", 1);
    expect_bad_file(text, 2, "too long");
}

static void test_no_file(void)
{
    static char option[] = "--config";

    CU_ASSERT_FALSE(load(option, path, NULL));
    CU_ASSERT(why_has(path));
    CU_ASSERT(why_has(strerror(ENOENT)));
    CU_ASSERT_FALSE(load(option, directory, NULL));
    CU_ASSERT(why_has(strerror(EISDIR)));
}

static void test_usual_file(void)
{
    CU_ASSERT(load(NULL, NULL, NULL));
    if (geteuid() == 0) {
        unit_note("as root the file of the user does not count");
        return;
    }
    write_file("[sockd]\nworkers = 5\n");
    CU_ASSERT(load(NULL, NULL, NULL));
    CU_ASSERT_EQUAL(config_number(&config, CONFIG_WORKERS), 5);
}

/* ---- The command line -----------------------------------------------------------------
 */

static void test_arguments(void)
{
    char a[] = "--workers=2", b[] = "--log-level", c[] = "warn";

    CU_ASSERT_FATAL(load(a, b, c));
    CU_ASSERT_EQUAL(config_number(&config, CONFIG_WORKERS), 2);
    CU_ASSERT_EQUAL(config_number(&config, CONFIG_LOG_LEVEL), LOG_LEVEL_WARN);
    CU_ASSERT_EQUAL(config.values[CONFIG_WORKERS].source, CONFIG_BY_ARGUMENT);
}

static void test_arguments_win(void)
{
    char a[] = "--workers=2", b[] = "--config", bad[] = "--workers=200";

    write_file("[sockd]\nworkers = 3\nnesting = 64\n");
    CU_ASSERT_FATAL(load(a, b, path));
    CU_ASSERT_EQUAL(config_number(&config, CONFIG_WORKERS), 2);
    CU_ASSERT_EQUAL(config_number(&config, CONFIG_NESTING), 64);
    /* What does not count must be right all the same. */
    write_file("[sockd]\nworkers = many\n");
    CU_ASSERT_FALSE(load(a, b, path));
    CU_ASSERT_FALSE(load(bad, NULL, NULL));
    CU_ASSERT(why_has("--workers takes"));
}

static void test_bad_arguments(void)
{
    char unknown[] = "--sokcet", word[] = "start", missing[] = "--workers",
         single[] = "-workers", empty[] = "--", value[] = "1";

    CU_ASSERT_FALSE(load(unknown, value, NULL));
    CU_ASSERT(why_has("there is no option \"--sokcet\""));
    CU_ASSERT_FALSE(load(word, NULL, NULL));
    CU_ASSERT(why_has("\"start\""));
    CU_ASSERT_FALSE(load(missing, NULL, NULL));
    CU_ASSERT(why_has("a value is missing after \"--workers\""));
    CU_ASSERT_FALSE(load(single, value, NULL));
    CU_ASSERT_FALSE(load(empty, value, NULL));
}

static void test_actions(void)
{
    char check[] = "--check-config", version[] = "-V", help[] = "--help",
         unknown[] = "--nix";

    CU_ASSERT(load(check, NULL, NULL));
    CU_ASSERT_EQUAL(config.action, CONFIG_CHECK);
    CU_ASSERT(load(version, unknown, NULL));
    CU_ASSERT_EQUAL(config.action, CONFIG_VERSION);
    CU_ASSERT(load(help, unknown, NULL));
    CU_ASSERT_EQUAL(config.action, CONFIG_HELP);
    CU_ASSERT_FALSE(load(check, unknown, NULL));
}

/* ---- The path of the socket -----------------------------------------------------------
 */

static const char *socket_path(void)
{
    static char text[108];

    return config_socket_path(&config, text, sizeof text, why) ? text : NULL;
}

static void test_socket_path(void)
{
    if (geteuid() == 0) {
        CU_ASSERT_STRING_EQUAL(socket_path(), "/run/sockd/sockd.sock");
    } else {
        CU_ASSERT_PTR_NULL(socket_path());
        CU_ASSERT(why_has("XDG_RUNTIME_DIR is not set"));
        setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
        CU_ASSERT_STRING_EQUAL(socket_path(), "/run/user/1/sockd.sock");
    }
    CU_ASSERT(config_set(&config, CONFIG_SOCKET, "/file", CONFIG_BY_FILE, why));
    CU_ASSERT_STRING_EQUAL(socket_path(), "/file");
    setenv("SOCKD_SOCKET", "", 1);
    CU_ASSERT_STRING_EQUAL(socket_path(), "/file");
    setenv("SOCKD_SOCKET", "/environment", 1);
    CU_ASSERT_STRING_EQUAL(socket_path(), "/environment");
    CU_ASSERT(config_set(&config, CONFIG_SOCKET, "/line", CONFIG_BY_ARGUMENT, why));
    CU_ASSERT_STRING_EQUAL(socket_path(), "/line");
}

static void test_long_socket_path(void)
{
    char text[200];

    (void)snprintf(text, sizeof text, "/%0120d", 0);
    setenv("SOCKD_SOCKET", text, 1);
    CU_ASSERT_PTR_NULL(socket_path());
    CU_ASSERT(why_has("more than 107 bytes"));
    CU_ASSERT_FALSE(set(CONFIG_SOCKET, text));
}

/* ---- What stands in etc/ --------------------------------------------------------------
 */

static FILE *open_source(const char *name)
{
    const char *top = getenv("SOCKD_SRCDIR");
    char file_path[1024];

    (void)snprintf(file_path, sizeof file_path, "%s/etc/%s", top != NULL ? top : ".",
                   name);
    FILE *file = fopen(file_path, "re");
    if (file == NULL) {
        unit_bail_out("%s: %s (SOCKD_SRCDIR says where the sources are)", file_path,
                      strerror(errno));
    }
    return file;
}

/* sockd.conf has each option once, as "#name = default", and the defaults are right. */
static void test_example_file(void)
{
    FILE *file = open_source("sockd.conf");
    int n_seen[CONFIG_COUNT] = {0};
    char line[512];

    while (fgets(line, sizeof line, file) != NULL) {
        enum config_id id;
        char *sign = strstr(line, " = ");
        if (line[0] != '#' || line[1] == ' ' || line[1] == '\n') {
            CU_ASSERT(line[0] == '#' || line[0] == '\n' ||
                      strcmp(line, "[sockd]\n") == 0);
            continue;
        }
        CU_ASSERT_PTR_NOT_NULL_FATAL(sign);
        *sign = '\0';
        line[strcspn(line, "\n")] = '\0';
        sign[3 + strcspn(sign + 3, "\n")] = '\0';
        const struct config_row *row = config_find(line + 1, &id);
        if (row == NULL) {
            UNIT_FAIL("sockd.conf has \"%s\", which is no option", line + 1);
            continue;
        }
        n_seen[id]++;
        if (row->preset[0] != '\0' && strcmp(row->preset, sign + 3) != 0) {
            UNIT_FAIL("sockd.conf says %s = %s, the default is %s", row->name, sign + 3,
                      row->preset);
        }
        CU_ASSERT(set(id, sign + 3));
    }
    (void)fclose(file); /* nothing was written */
    for (int i = 0; i < CONFIG_COUNT; i++) {
        if (n_seen[i] != 1) {
            UNIT_FAIL("sockd.conf has %s %d times", config_row((enum config_id)i)->name,
                      n_seen[i]);
        }
    }
}

/* The manual has a paragraph for each option and for nothing else, in the same order, and
 * tells each fixed default. */
static void test_manual(void)
{
    FILE *file = open_source("sockd.conf.5");
    char line[512], name[64], wanted[80];
    const struct config_row *row = NULL;
    int n_rows = 0;
    bool has_default = true;

    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, ".It Cm %63s =", name) == 1) {
            enum config_id id;
            CU_ASSERT(has_default);
            row = config_find(name, &id);
            if (row == NULL || (int)id != n_rows) {
                UNIT_FAIL_NOW("sockd.conf.5 has \"%s\" at place %d", name, n_rows);
            }
            n_rows++;
            has_default = false;
        } else if (row != NULL && strncmp(line, "Default: ", 9) == 0) {
            (void)snprintf(wanted, sizeof wanted, "Default: %s.\n", row->preset);
            if (row->preset[0] != '\0' && strcmp(line, wanted) != 0) {
                UNIT_FAIL("sockd.conf.5: %s: %s", row->name, line);
            }
            has_default = true;
        }
    }
    (void)fclose(file); /* nothing was written */
    CU_ASSERT(has_default);
    CU_ASSERT_EQUAL(n_rows, CONFIG_COUNT);
}

static const struct unit_test tests[] = {
    {"options have defaults", test_defaults},
    {"good values are read", test_good_values},
    {"bad values are refused and named", test_bad_values},
    {"a file is read", test_file},
    {"a bad file is refused with its line", test_bad_files},
    {"a file that cannot be read is refused", test_no_file},
    {"the file at its usual place is read", test_usual_file},
    {"arguments are read", test_arguments},
    {"arguments win over the file", test_arguments_win},
    {"bad arguments are refused", test_bad_arguments},
    {"actions end the command line", test_actions},
    {"the path of the socket is found", test_socket_path},
    {"a socket path that is too long is refused", test_long_socket_path},
    {"sockd.conf has all options with their defaults", test_example_file},
    {"sockd.conf.5 has all options with their defaults", test_manual},
};

UNIT_MAIN_AROUND(tests, before, after)
