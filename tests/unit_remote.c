/* SPDX-License-Identifier: MIT */
/*
 * unit_remote.c - rows made from the daemon's own description are those of the table, and
 * commands of a newer daemon can be used.
 */
#include <config.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "client/args.h"
#include "client/problem.h"
#include "client/remote.h"
#include "client/settings.h"
#include "client/words.h"
#include "proto/describe.h"
#include "proto/table.h"
#include "tests/unit.h"

static void same_text(const char *name, const char *a, const char *b)
{
    if (strcmp(a ? a : "(none)", b ? b : "(none)") != 0)
        UNIT_FAIL("%s: %s is not %s", name, a ? a : "(none)", b ? b : "(none)");
}

static void compare_params(const struct command *made, const struct command *known)
{
    CU_ASSERT_EQUAL_FATAL(made->n_params, known->n_params);
    for (unsigned i = 0; i < known->n_params; i++) {
        const struct param_row *a = &made->params[i], *b = &known->params[i];

        same_text(known->name, a->name, b->name);
        same_text(b->name, a->help, b->help);
        same_text(b->name, a->spec, b->spec);
        same_text(b->name, a->preset, b->preset);
        CU_ASSERT_EQUAL(a->type, b->type);
        CU_ASSERT_EQUAL(a->required, b->required);
        CU_ASSERT_EQUAL(a->is_word, b->is_word);
        if (b->type == VALUE_INT)
            CU_ASSERT(a->min == b->min && a->max == b->max);
    }
}

/* Every command of the table, by way of the document that rpc.discover answers. */
static void test_round_trip(void)
{
    size_t size;

    table_setup();
    const char *text = describe_document(&size);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        const struct command *known = table_command((enum command_id)i);
        struct remote remote = {0};
        struct problem problem = {0};
        json_t *document = json_loadb(text, size, 0, NULL);

        CU_ASSERT_FATAL(remote_read(&remote, document, known->name, &problem));
        same_text("name", remote.command.name, known->name);
        same_text(known->name, remote.command.summary, known->summary);
        same_text(known->name, remote.command.text, known->text);
        CU_ASSERT_EQUAL(remote.command.flags | COMMAND_PURE, known->flags | COMMAND_PURE);
        compare_params(&remote.command, known);
        CU_ASSERT(remote.command.n_results >= known->n_results);
        remote_fini(&remote);
    }
}

static const char newer[] =
    "{\"methods\":[{\"name\":\"fly\",\"summary\":\"fly\",\"params\":["
    "{\"name\":\"speed\",\"required\":true,\"x-type\":\"integer\",\"x-place\":\"word\"},"
    "{\"name\":\"how\",\"x-type\":\"word\",\"x-spec\":\"low|high\"},"
    "{\"name\":\"strange\",\"x-type\":\"of the future\"},"
    "{\"name\":\"blind\",\"x-type\":\"word\"},"
    "{\"name\":\"lights\",\"x-type\":\"boolean\"}]},{\"name\":\"bare\"}]}";

static void test_newer_daemon(void)
{
    struct remote remote = {0};
    struct problem problem = {0};
    struct settings settings;
    struct words words = {0};
    struct args args = {.command = &remote.command};
    static const char line[] = "7 --how low --strange '{\"a\":1}' --no-lights --blind x";

    table_setup();
    settings_init(&settings);
    CU_ASSERT_FATAL(remote_read(&remote, json_loads(newer, 0, NULL), "fly", &problem));
    CU_ASSERT_FATAL(words_split(&words, line, sizeof(line) - 1, NULL, NULL, &problem));
    CU_ASSERT_FATAL(args_parse(&args, &settings, words.items, words.n, &problem));
    char *text = json_dumps(args.params, JSON_COMPACT | JSON_SORT_KEYS);

    CU_ASSERT_STRING_EQUAL(
        text, "{\"blind\":\"x\",\"how\":\"low\",\"lights\":false,\"speed\":7,"
              "\"strange\":{\"a\":1}}");
    free(text);
    args_fini(&args);
    words_fini(&words);
    remote_fini(&remote);

    CU_ASSERT_FATAL(remote_read(&remote, json_loads(newer, 0, NULL), "bare", &problem));
    CU_ASSERT_EQUAL(remote.command.n_params, 0);
    remote_fini(&remote);
}

static void test_unknown(void)
{
    struct remote remote = {0};
    struct problem problem = {0};
    static const char *const documents[] = {newer, "{}", "[]", "{\"methods\":7}",
                                            "{\"methods\":[7,{}]}"};

    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        CU_ASSERT_FALSE(
            remote_read(&remote, json_loads(documents[i], 0, NULL), "swim", &problem));
        CU_ASSERT_EQUAL(problem.status, STATUS_USAGE);
        CU_ASSERT_PTR_NOT_NULL(strstr(problem.line, "\"swim\""));
        CU_ASSERT_PTR_NULL(remote.document);
    }
    problem_fini(&problem);
}

static const struct unit_test tests[] = {
    {"the description gives back the table", test_round_trip},
    {"a command of a newer daemon", test_newer_daemon},
    {"unknown commands and broken descriptions", test_unknown},
};
UNIT_MAIN(tests)
