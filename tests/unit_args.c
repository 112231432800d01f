/* SPDX-License-Identifier: MIT */
/*
 * unit_args.c - words of the command line to parameters, by the rows of real commands.
 */
#include <config.h>

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/args.h"
#include "client/problem.h"
#include "client/settings.h"
#include "client/verbs.h"
#include "client/words.h"
#include "proto/table.h"
#include "tests/unit.h"

static struct args args;
static struct settings settings;
static struct problem problem;

static void clean_up(void)
{
    args_fini(&args);
    settings_fini(&settings);
    problem_fini(&problem);
}

/* Parses the line, whose first word names a command or verb. */
static bool parse(const char *line)
{
    struct words words = {0};

    clean_up();
    table_setup();
    settings_init(&settings);
    CU_ASSERT_FATAL(words_split(&words, line, strlen(line), NULL, NULL, &problem));
    const struct verb *verb = verbs_find(words.items[0].text);

    args.command =
        verb ? &verb->command : table_find(words.items[0].text, words.items[0].size);
    verbs_borrow(verb, args.borrowed);
    args.letters = verb ? verb->letters : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(args.command);
    bool ok = args_parse(&args, &settings, words.items + 1, words.n - 1, &problem);

    words_fini(&words);
    return ok;
}

static void check_json(const json_t *json, const char *line, const char *expected)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

    if (!text || strcmp(text, expected) != 0)
        UNIT_FAIL("%s: %s is not %s", line, text ? text : "nothing", expected);
    free(text);
}

static void accepts(const char *line, const char *expected)
{
    if (parse(line))
        check_json(args.params, line, expected);
    else
        UNIT_FAIL("%s: refused: %s", line, problem.line);
}

static void refuses(const char *line, const char *because)
{
    if (parse(line))
        UNIT_FAIL("%s: accepted", line);
    else if (problem.status != STATUS_USAGE || !strstr(problem.line, because))
        UNIT_FAIL("%s: refused with status %d: %s", line, problem.status, problem.line);
}

static void test_words_and_options(void)
{
    accepts("hello", "{}");
    accepts("read 5", "{\"socket\":5}");
    accepts("read 5 --max 10", "{\"max\":10,\"socket\":5}");
    accepts("read --max=10 5", "{\"max\":10,\"socket\":5}");
    accepts("read --socket 5", "{\"socket\":5}");
    accepts("read --timeout 0.5 5", "{\"socket\":5,\"timeout\":0.5}");
    accepts("shutdown 5 input", "{\"direction\":\"input\",\"socket\":5}");
    accepts("shutdown --direction input 5", "{\"direction\":\"input\",\"socket\":5}");
    accepts("shutdown --socket 5 input", "{\"direction\":\"input\",\"socket\":5}");
    accepts("make-socket --remote-host a --remote-port http",
            "{\"remote-host\":\"a\",\"remote-port\":\"http\"}");
    accepts("make-socket --remote-port 80", "{\"remote-port\":80}");
    accepts("set-socket-options 5 --linger -1", "{\"linger\":-1,\"socket\":5}");
    accepts("interrupt 5 --reason=", "{\"reason\":\"\",\"socket\":5}");
    accepts("interrupt 5 --reason a=b", "{\"reason\":\"a=b\",\"socket\":5}");
    accepts("interrupt 5 --reason -- --", "{\"reason\":\"--\",\"socket\":5}");
    accepts("dotted-to-ipaddr -- --x", "{\"dotted\":\"--x\"}");
}

static void test_flags(void)
{
    accepts("close 5 --abort", "{\"abort\":true,\"socket\":5}");
    accepts("close 5 --no-abort", "{\"abort\":false,\"socket\":5}");
    accepts("close --abort=false 5", "{\"abort\":false,\"socket\":5}");
    accepts("close --abort 5", "{\"abort\":true,\"socket\":5}");
    accepts("make-socket --ipv6", "{\"ipv6\":true}");
    accepts("make-socket --ipv6=ipv6", "{\"ipv6\":\"ipv6\"}");
    accepts("make-socket --no-ipv6", "{\"ipv6\":false}");
    refuses("close 5 --abort=maybe", "--abort wants true or false");
    refuses("close 5 --no-abort=true", "--no-abort takes no value");
    refuses("read 5 --no-max", "no option --no-max");
}

static void test_lists(void)
{
    accepts("wait-for-input-available 1 2 3", "{\"sockets\":[1,2,3]}");
    accepts("wait-for-input-available 1,2 3", "{\"sockets\":[1,2,3]}");
    accepts("wait-for-io-available --input 1 --input 2 --output 3,4",
            "{\"input\":[1,2],\"output\":[3,4]}");
    accepts("ipaddrp '{\"ipv6\":\"::1\"}'", "{\"object\":{\"ipv6\":\"::1\"}}");
    accepts("ipaddrp text", "{\"object\":\"text\"}");
    refuses("ipaddrp '{broken'", "OBJECT wants any JSON value");
}

static void test_wrong_lines(void)
{
    refuses("read", "SOCKET is missing");
    refuses("read x", "SOCKET wants a handle");
    refuses("read 5 6", "\"6\" is one too many");
    refuses("read 5 --max", "--max wants a value");
    refuses("read 5 --max ten", "--max wants an integer");
    refuses("read 5 --max 1 --max 2", "--max is given twice");
    refuses("read 5 --nonsense 1", "read: there is no option --nonsense");
    refuses("read 5 --nonsense=1", "read: there is no option --nonsense;");
    refuses("read 5 -q", "there is no option -q");
    refuses("shutdown 5 input --direction output", "is given twice");
    refuses("call", "METHOD is missing");
    refuses("read \"5\\0\"", "SOCKET wants a handle");
}

/* Data is sent as text where it is text, else as base64; "-" takes it from elsewhere. */
static void test_data(void)
{
    accepts("write 5 hello", "{\"data\":\"hello\",\"socket\":5}");
    accepts("write 5 \"a\\0b\"", "{\"data\":\"a\\u0000b\",\"socket\":5}");
    accepts("write 5 \"\\xff\\xfe\"",
            "{\"data\":\"//4=\",\"encoding\":\"base64\",\"socket\":5}");
    accepts("write 5 //4= --encoding base64",
            "{\"data\":\"//4=\",\"encoding\":\"base64\",\"socket\":5}");
    refuses("write --encoding latin-1 5 \"\\xff\"", "not valid UTF-8");
    refuses("write-char 5 \"\\xff\"", "not valid UTF-8");
    CU_ASSERT_FATAL(parse("write 5"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(args.input);
    CU_ASSERT_FALSE(args.is_input_asked);
    CU_ASSERT_STRING_EQUAL(args.input->name, "data");
    CU_ASSERT_FATAL(parse("write 5 -"));
    CU_ASSERT_TRUE(args.is_input_asked);
    CU_ASSERT(args_set_data(&args, args.input, "\xff", 1, &problem));
    check_json(args.params, "first piece",
               "{\"data\":\"/w==\",\"encoding\":\"base64\",\"socket\":5}");
}

static void test_data_order(void)
{
    refuses("write - -", "SOCKET wants a handle");
    CU_ASSERT_FATAL(parse("send-to 5 - --remote-port 7"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(args.input);
    CU_ASSERT(args_set_data(&args, args.input, "text", 4, &problem));
    check_json(args.params, "send-to",
               "{\"data\":\"text\",\"remote-port\":7,\"socket\":5}");
}

static void test_settings(void)
{
    CU_ASSERT_FATAL(parse("hello --json --timeout 3 --socket /x -v"));
    CU_ASSERT_TRUE(settings.is_json);
    CU_ASSERT_TRUE(settings.is_verbose);
    CU_ASSERT_DOUBLE_EQUAL(settings.timeout, 3, 0);
    CU_ASSERT_STRING_EQUAL(settings.socket_path, "/x");
    /* A parameter of the command goes before a setting of the same name. */
    CU_ASSERT_FATAL(parse("read --socket 5 --timeout 3 -s /x -t4"));
    check_json(args.params, "read", "{\"socket\":5,\"timeout\":3}");
    CU_ASSERT_DOUBLE_EQUAL(settings.timeout, 4, 0);
    CU_ASSERT_STRING_EQUAL(settings.socket_path, "/x");
    CU_ASSERT_FATAL(parse("read --help"));
    CU_ASSERT_TRUE(settings.wants_help);
    refuses("hello --timeout", "--timeout wants a value");
    refuses("hello --timeout -1", "--timeout wants a number of seconds");
    refuses("hello -s", "-s wants a value");
    refuses("hello --socket=", "--socket wants the path");
}

/* A verb takes its own options, then those of the command it stands on. */
static void test_verbs(void)
{
    CU_ASSERT_FATAL(parse("connect host 80 --until peer --nodelay --name x --no-input"));
    check_json(args.params, "connect",
               "{\"host\":\"host\",\"input\":false,\"port\":80,\"until\":\"peer\"}");
    check_json(args.borrowed_params[0], "connect", "{\"name\":\"x\",\"nodelay\":true}");
    CU_ASSERT_FATAL(parse("serve -ke 'cat -' 5000"));
    check_json(args.params, "serve",
               "{\"exec\":\"cat -\",\"keep\":true,\"port\":\"5000\"}");
    CU_ASSERT_FATAL(parse("serve -k -ecat 5000 --timeout 4"));
    check_json(args.params, "serve",
               "{\"exec\":\"cat\",\"keep\":true,\"port\":\"5000\"}");
    check_json(args.borrowed_params[0], "serve", "{\"timeout\":4}");
    refuses("ls --until peer", "ls: there is no option --until");
    refuses("hello -k", "no option -k");
    refuses("serve 5000 -e", "-e wants a value");
    for (size_t i = 0; verbs_at(i); i++) {
        const char *name = verbs_at(i)->command.name;

        CU_ASSERT_PTR_NULL(table_find(name, strlen(name)));
        CU_ASSERT_PTR_EQUAL(verbs_find(name), verbs_at(i));
    }
    CU_ASSERT_PTR_NULL(verbs_find("make-socket"));
    CU_ASSERT_PTR_NULL(verbs_find("nothing"));
}

/* Two commands lend their options: where both have one, the first takes it. */
static void test_verbs_of_two(void)
{
    CU_ASSERT_FATAL(parse("connect host 443 --tls --alpn h2 --no-verify --name x "
                          "--handshake-timeout 5 --socket path"));
    check_json(args.params, "connect", "{\"host\":\"host\",\"port\":443,\"tls\":true}");
    check_json(args.borrowed_params[0], "connect",
               "{\"handshake-timeout\":5,\"name\":\"x\"}");
    check_json(args.borrowed_params[1], "connect",
               "{\"alpn\":[\"h2\"],\"verify\":false}");
    CU_ASSERT_STRING_EQUAL(settings.socket_path, "path");
    CU_ASSERT_FATAL(parse("serve 0 --name x --server-name y --verify request"));
    check_json(args.borrowed_params[0], "serve", "{\"name\":\"x\"}");
    check_json(args.borrowed_params[1], "serve",
               "{\"server-name\":\"y\",\"verify\":\"request\"}");
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        UNIT_FAIL_NOW("%s cannot be written", path);
}

/* Some values stand in files; some are a word or a boolean. */
static void test_files_and_switches(void)
{
    char path[] = "/tmp/sockd-args-XXXXXX", line[200];
    int fd = mkstemp(path);

    CU_ASSERT_FATAL(fd >= 0);
    close(fd);
    write_file(path, "subject\n-----BEGIN X-----\nAAAA\n-----END X-----\n");
    snprintf(line, sizeof(line), "make-ssl-client-context --ca-file %s --crl-check",
             path);
    refuses(line, "--crl-check wants a value");
    snprintf(line, sizeof(line),
             "make-ssl-client-context --ca-file %s --crl-check yes --verify optional",
             path);
    accepts(line, "{\"ca-file\":\"-----BEGIN X-----\\nAAAA\\n-----END X-----\\n\","
                  "\"crl-check\":true,\"verify\":\"optional\"}");
    write_file(path, "sesame\nmore\n");
    snprintf(line, sizeof(line), "make-ssl-client-context --certificate-password=%s",
             path);
    accepts(line, "{\"certificate-password\":\"sesame\"}");
    snprintf(line, sizeof(line), "make-ssl-client-context --key %s", path);
    refuses(line, "there is no PEM text in it");
    unlink(path);
    refuses(line, "No such file");
    accepts("make-ssl-client-context --no-verify --no-crl-check",
            "{\"crl-check\":false,\"verify\":false}");
    refuses("make-ssl-client-context --no-verify=no", "--no-verify takes no value");
    accepts("make-socket --ssl-context 5,web --ssl-context 6",
            "{\"ssl-context\":[5,\"web\",6]}");
    accepts("describe-context web", "{\"context\":\"web\"}");
}

static void test_options_before(void)
{
    struct words words = {0};
    static const char line[] = "-j --timeout 2 --no-verbose -- hello --json";
    size_t n_taken;

    clean_up();
    settings_init(&settings);
    CU_ASSERT_FATAL(words_split(&words, line, sizeof(line) - 1, NULL, NULL, &problem));
    CU_ASSERT_FATAL(args_settings(&settings, words.items, words.n, &n_taken, &problem));
    CU_ASSERT_EQUAL(n_taken, 5);
    CU_ASSERT_TRUE(settings.is_json);
    CU_ASSERT_DOUBLE_EQUAL(settings.timeout, 2, 0);
    words_fini(&words);
    clean_up();
}

static const struct unit_test tests[] = {
    {"words and options", test_words_and_options},
    {"flags", test_flags},
    {"lists and objects", test_lists},
    {"wrong lines are told", test_wrong_lines},
    {"data of any kind", test_data},
    {"data from standard input", test_data_order},
    {"settings behind the command", test_settings},
    {"verbs", test_verbs},
    {"verbs that two commands lend to", test_verbs_of_two},
    {"files and switches", test_files_and_switches},
    {"settings before the command", test_options_before},
};
UNIT_MAIN(tests)
