/* SPDX-License-Identifier: MIT */
/*
 * unit_lib_requests.c - every operation of libsockd: what it sends is held against the
 * table, what it makes of an answer against the answer.
 *
 * At the end the table is walked: each command must have been called by its own function,
 * with each of its parameters at least once.
 */
#include <config.h>
#include "lib/sockd.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/shapes.h"
#include "proto/arena.h"
#include "proto/error.h"
#include "proto/params.h"
#include "proto/table.h"
#include "tests/fake.h"
#include "tests/requests.h"
#include "tests/unit.h"

static bool was_sent[PARAM_COUNT];
static bool was_called[COMMAND_COUNT];
struct sockd *connection;

static void begin(void)
{
    arena_setup();
    table_setup();
    connection = fake_connect();
}

/* Checks the line that was taken last against the table, and remembers what it had. */
int64_t check_request(const char *method)
{
    int64_t id = fake_expect(method);
    const struct command *command = table_find(method, strlen(method));
    struct arena arena = {0};
    struct params params;
    struct error error;

    if (!command)
        UNIT_FAIL_NOW("%s is no command", method);
    was_called[command->id] = true;
    if (!params_check(&params, command, fake_params(), &arena, &error))
        UNIT_FAIL("%s: %s (%s)", method, error.message, error.parameter);
    arena_fini(&arena);
    for (unsigned i = 0; i < command->n_params; i++) {
        if (json_object_get(fake_params(), command->params[i].name))
            was_sent[command->params[i].id] = true;
    }
    return id;
}

/* Runs an operation, which must send `method`, and answers it. */
struct fake_call *operate(int (*run)(struct fake_call *), const char *method,
                          const char *answer)
{
    struct fake_call *call = fake_run(connection, run, NULL);
    int64_t id = check_request(method);

    fake_reply(id, answer);
    fake_join(call);
    if (call->status != SOCKD_OK)
        UNIT_FAIL("%s: %s", method, call->error.message);
    return call;
}

const char *sent_text(const char *name)
{
    const char *text = json_string_value(json_object_get(fake_params(), name));

    return text ? text : "";
}

json_int_t sent_int(const char *name)
{
    const json_t *value = json_object_get(fake_params(), name);

    return json_is_boolean(value) ? json_is_true(value) : json_integer_value(value);
}

struct requests_out out;

static void end(void)
{
    sockd_free(out.description);
    sockd_free(out.result);
    memset(&out, 0, sizeof(out));
    fake_reset();
    arena_thread_end();
}

/* ---- Arguments ---- */

static void test_struct_sizes(void)
{
    struct sockd_make_socket_options options = SOCKD_MAKE_SOCKET_OPTIONS_INIT;
    struct sockd_socket_options now = {0};
    struct sockd_error error;

    options.struct_size = 0;
    CU_ASSERT_EQUAL(sockd_make_socket(connection, &options, 1, &out.description, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "options");
    options.struct_size = sizeof(options) + 8;
    CU_ASSERT_EQUAL(sockd_make_socket(connection, &options, 1, &out.description, &error),
                    SOCKD_E_INVALID_PARAMS);
    options = (struct sockd_make_socket_options)SOCKD_MAKE_SOCKET_OPTIONS_INIT;
    options.type = (enum sockd_type)9;
    CU_ASSERT_EQUAL(sockd_make_socket(connection, &options, 1, &out.description, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "type");
    CU_ASSERT_STRING_EQUAL(error.wanted, "stream|datagram");
    options.type = SOCKD_STREAM;
    options.remote_host = "\xff";
    CU_ASSERT_EQUAL(sockd_make_socket(connection, &options, 1, &out.description, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "remote-host");
    CU_ASSERT_EQUAL(sockd_make_socket(connection, NULL, 1, NULL, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(sockd_get_socket_options(connection, 1, 1, &now, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_STRING_EQUAL(error.parameter, "now");
    CU_ASSERT_EQUAL(sockd_read(connection, 1, NULL, 5, NULL, 1, &out.size, NULL, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(sockd_read(connection, 1, out.bytes, 5, NULL, 1, NULL, NULL, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(sockd_write(connection, 1, NULL, 5, NULL, 1, NULL, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(
        sockd_wait_for_input_available(connection, NULL, 1, 1, out.handles, NULL, &error),
        SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(sockd_shutdown(connection, 1, (enum sockd_direction)0, 1, &error),
                    SOCKD_E_INVALID_PARAMS);
    CU_ASSERT_EQUAL(
        sockd_read_line(connection, 1, out.bytes, 1, NULL, 1, NULL, NULL, &error),
        SOCKD_E_INVALID_PARAMS);
    fake_is_quiet();
}

/* ---- The table ---- */

/* Not sent, and why. */
static const enum param_id not_sent[] = {
    PARAM_MAKE_SOCKET_EOL,  /* obsolete: the daemon ignores it */
    PARAM_SEND_TO_ENCODING, /* with data that is no text only */
    PARAM_SEND_TO_SIZE,     /* it is the size of data */
    /* the documented library has it, and the daemon ignores it */
    PARAM_MAKE_SSL_CLIENT_CONTEXT_PREFER_SERVER_CIPHER_ORDER,
};

static bool is_excused(enum param_id id)
{
    for (size_t i = 0; i < sizeof(not_sent) / sizeof(not_sent[0]); i++) {
        if (not_sent[i] == id)
            return true;
    }
    return false;
}

static void test_table(void)
{
    for (int id = 0; id < COMMAND_COUNT; id++) {
        const struct command *command = table_command((enum command_id)id);
        char symbol[80];

        snprintf(symbol, sizeof(symbol), "sockd_%s", command->name);
        for (char *c = symbol; *c; c++) {
            if (*c == '-' || *c == '.')
                *c = '_';
        }
        if (!dlsym(RTLD_DEFAULT, symbol))
            UNIT_FAIL("%s has no function %s()", command->name, symbol);
        if (command->flags & COMMAND_PURE)
            continue; /* answered without a daemon */
        if (!was_called[id])
            UNIT_FAIL("no function has called %s", command->name);
        for (unsigned i = 0; i < command->n_params; i++) {
            if (!was_sent[command->params[i].id] && !is_excused(command->params[i].id))
                UNIT_FAIL("no function has sent %s of %s", command->params[i].name,
                          command->name);
        }
    }
}

/* The header as text, in which names are looked for. */
static char *read_header(void)
{
    const char *folder = getenv("SOCKD_SRCDIR");
    char path[1000];
    long size;
    char *text;
    FILE *file;

    snprintf(path, sizeof(path), "%s/lib/sockd.h", folder ? folder : ".");
    file = fopen(path, "r");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    text = calloc(1, (size_t)size + 1);
    if (text && fread(text, 1, (size_t)size, file) != (size_t)size)
        *text = 0;
    fclose(file);
    return text;
}

static bool has_word(const char *text, const char *word)
{
    static const char in_words[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    size_t size = strlen(word);

    for (const char *at = text; (at = strstr(at, word)) != NULL; at += size) {
        if (!strchr(in_words, at[-1]) && !strchr(in_words, at[size]))
            return true;
    }
    return false;
}

/* Members of results that have no name of their own in C, and what stands for them. */
static bool is_in_other_form(const char *name)
{
    static const char *const names[] = {
        "errno",        /* errno_name: errno is a macro */
        "values",       /* addresses, of a list of them */
        "others",       /* the records of answer behind the first */
        "class",        /* there is only one */
        "time_to_live", /* ttl */
        "openrpc",      /* the document is one text */
        "info",         "methods", "components",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

/* What a daemon can tell about a socket, a client, itself: all of it has its member. */
static void test_results(void)
{
    char *header = read_header();
    char name[64];

    if (!header) {
        unit_skip("lib/sockd.h is not there");
        return;
    }
    for (int id = 0; id < RESULT_COUNT; id++) {
        const struct result_row *row = table_result((enum result_id)id);

        snprintf(name, sizeof(name), "%s", row->name);
        for (char *c = name; *c; c++)
            *c = *c == '-' ? '_' : *c;
        if (*name && !is_in_other_form(name) && !has_word(header, name))
            UNIT_FAIL("%s of a result is not in sockd.h", row->name);
    }
    free(header);
}

/* The enums of the library follow the words of the table. */
static void test_words(void)
{
    static const struct {
        enum param_id id;
        const char *words;
    } rows[] = {
        {PARAM_MAKE_SOCKET_TYPE, TYPE_WORDS},
        {PARAM_MAKE_SOCKET_ADDRESS_FAMILY, FAMILY_WORDS},
        {PARAM_MAKE_SOCKET_CONNECT, CONNECT_WORDS},
        {PARAM_MAKE_SOCKET_FORMAT, FORMAT_WORDS},
        {PARAM_LIST_SOCKETS_STATE, STATE_WORDS},
        {PARAM_SHUTDOWN_DIRECTION, DIRECTION_WORDS},
        {PARAM_ATTACH_DETACH, DETACH_WORDS},
        {PARAM_LOOKUP_PORT_PROTOCOL, PROTOCOL_WORDS},
        {PARAM_SET_LOG_LEVEL_LEVEL, LOG_LEVEL_WORDS},
        {PARAM_DNS_QUERY_TYPE, DNS_TYPE_WORDS},
        {PARAM_MAKE_SSL_CLIENT_CONTEXT_VERIFY, VERIFY_WORDS},
    };
    const char *word;
    size_t size;
    char text[32];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CU_ASSERT_STRING_EQUAL(table_param(rows[i].id)->spec, rows[i].words);
    CU_ASSERT_STRING_EQUAL(table_result(FIELD_TLS_ROLE)->spec, TLS_ROLE_WORDS);
    CU_ASSERT_STRING_EQUAL(table_result(FIELD_TLS_STATE)->spec, TLS_STATE_WORDS);
    CU_ASSERT_STRING_EQUAL(table_result(FIELD_CONTEXT_CRL_CHECK)->spec, CRL_CHECK_WORDS);
    for (unsigned i = 0;
         (word = value_word(table_result(FIELD_RUNTIME_END)->spec, i, &size)) != NULL;
         i++) {
        snprintf(text, sizeof(text), "%.*s", (int)size, word);
        CU_ASSERT_PTR_NOT_NULL(strstr(END_WORDS, text));
    }
}

static const struct unit_test tests[] = {
    {"make-socket", test_make_socket},
    {"make-socket without options", test_make_socket_plain},
    {"accept-connection and attach", test_accept_connection},
    {"shutdown, close, md5", test_small_operations},
    {"socket options", test_options},
    {"a program built with an older header", test_older_program},
    {"socket-control", test_control},
    {"accessors", test_accessors},
    {"a text that does not fit", test_text_too_long},
    {"datagrams", test_datagrams},
    {"waiting for several sockets", test_waiting},
    {"read and peek", test_read},
    {"data that can't be", test_read_bad_data},
    {"read-line", test_read_line},
    {"single steps", test_single_steps},
    {"write", test_write},
    {"a large write", test_write_large},
    {"names", test_names},
    {"interfaces", test_interfaces},
    {"session defaults", test_session},
    {"questions to name servers", test_dns_queries},
    {"odd answers about the DNS", test_dns_odd_results},
    {"which name servers are asked", test_dns_configuration},
    {"relays", test_relays},
    {"tunnels", test_tunnels},
    {"the daemon's commands", test_daemon},
    {"describe-socket", test_describe},
    {"lists", test_lists},
    {"statistics", test_statistics},
    {"TLS contexts", test_contexts},
    {"TLS contexts described and listed", test_context_lists},
    {"TLS streams", test_tls_streams},
    {"the certificate of the peer", test_peer_certificate},
    {"sockets and tunnels with TLS", test_tls_sockets},
    {"files with certificates", test_files},
    {"files that are none", test_bad_files},
    {"bad structs and arguments", test_struct_sizes},
    {"every command and parameter has its counterpart", test_table},
    {"every member of a result has its counterpart", test_results},
    {"the words of the table", test_words},
};

UNIT_MAIN_AROUND(tests, begin, end)
