/* SPDX-License-Identifier: MIT */
/*
 * context_config.c - a section [context NAME] of the configuration becomes a TLS context.
 *
 * Called by the server before the workers run, and by reload.c for the files; calls
 * contexts.c. So a section can do what the command can, and is checked by the same rows.
 * Thread: main, or a job thread.
 */
#include <config.h>
#include "daemon/control/context_config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/log.h"
#include "daemon/base/users.h"
#include "daemon/control/contexts.h"
#include "daemon/control/secret_file.h"
#include "daemon/control/section.h"
#include "daemon/control/tls_plan.h"
#include "daemon/net/tls_context.h"
#include "proto/arena.h"
#include "proto/params.h"
#include "proto/table.h"
#include "proto/value.h"

enum { MAX_USERS = 256 };

/* What was read of a section. */
struct draft {
    enum tls_role role;
    const struct command *command; /* whose parameters the keys are */
    json_t *params;
    uid_t users[MAX_USERS];
    unsigned n_users;
};

/* ---- Keys ---- */

/* Names or numbers, with commas or spaces between them. */
static bool read_users(struct draft *draft, const char *text, struct error *error)
{
    char *copy = mem_copy_text(text), *rest = NULL;
    bool is_good = true;
    char quoted[64];

    for (char *name = strtok_r(copy, ", \t", &rest); name != NULL && is_good;
         name = strtok_r(NULL, ", \t", &rest)) {
        if (draft->n_users == MAX_USERS) {
            is_good = error_set(error, ERROR_INVALID_PARAMS,
                                "users names more than %d users", MAX_USERS);
        } else if (!users_find(name, &draft->users[draft->n_users++])) {
            is_good = error_set(error, ERROR_INVALID_PARAMS, "users names no user: %s",
                                log_quote(quoted, sizeof quoted, name, strlen(name)));
        }
    }
    free(copy);
    return is_good;
}

static bool add(json_t *params, const char *name, json_t *value, struct error *error)
{
    /* Of NULL, for which *error is set, nothing is added. */
    return value != NULL && (json_object_set_new(params, name, value) == 0 ||
                             error_set(error, ERROR_INTERNAL, "out of memory"));
}

static bool take(struct draft *draft, const struct section_entry *entry,
                 struct error *error)
{
    const char *name = entry->name;
    const struct param_row *row = table_command_param(draft->command, name, strlen(name));

    if (strcmp(name, "role") == 0) {
        return true; /* was read before the others */
    }
    if (strcmp(name, "users") == 0) {
        return read_users(draft, entry->value, error);
    }
    if (strcmp(name, "name") == 0) {
        return error_set_parameter(error, name, "no value: it is that of the section");
    }
    if (row == NULL) {
        char quoted[64];
        return error_set(error, ERROR_INVALID_PARAMS,
                         "no option is called %s; sockd.conf(5) lists them",
                         log_quote(quoted, sizeof quoted, name, strlen(name)));
    }
    return add(draft->params, name,
               row->type == VALUE_FILE ? secret_file_read(row, entry->value, error)
                                       : value_from_text(row, entry->value, error),
               error);
}

static bool read_role(struct draft *draft, const struct section *section, int *line,
                      struct error *error)
{
    bool is_client = false;

    for (size_t i = 0; i < section->n_entries; i++) {
        const struct section_entry *entry = &section->entries[i];
        if (strcmp(entry->name, "role") == 0) {
            is_client = strcmp(entry->value, "client") == 0;
            if (!is_client && strcmp(entry->value, "server") != 0) {
                *line = entry->line;
                return error_set_parameter(error, "role", "server or client");
            }
        }
    }
    draft->role = is_client ? TLS_CLIENT : TLS_SERVER;
    draft->command = table_command(is_client ? COMMAND_MAKE_SSL_CLIENT_CONTEXT
                                             : COMMAND_MAKE_SSL_SERVER_CONTEXT);
    return true;
}

/* ---- The context ---- */

static bool build(const struct draft *draft, struct tls_context **context,
                  struct tls_config *config, struct error *error)
{
    struct arena arena = {0};
    struct params params;
    struct tls_config given;
    bool is_good = params_check(&params, draft->command, draft->params, &arena, error) &&
                   tls_plan_config(&given, &params, draft->role, &arena, error);

    *context = is_good ? tls_context_new(&given, error) : NULL;
    if (*context != NULL) {
        tls_config_copy(config, &given);
    }
    arena_wipe(&arena);
    return *context != NULL;
}

/* The texts of keys lie in the tree. */
static void wipe(json_t *params)
{
    const char *name;
    json_t *value;

    json_object_foreach(params, name, value)
    {
        if (json_is_string(value)) {
            explicit_bzero((void *)(uintptr_t)json_string_value(value),
                           json_string_length(value));
        }
    }
    json_decref(params);
}

/* What `draft` points to is wiped by the caller, whatever the result. */
static bool read_section(struct draft *draft, const struct section *section,
                         struct tls_context **context, struct tls_config *config,
                         int *line, struct error *error)
{
    CHECK(draft->params != NULL);
    *line = section->line;
    bool is_good = read_role(draft, section, line, error);

    for (size_t i = 0; is_good && i < section->n_entries; i++) {
        *line = section->entries[i].line;
        is_good = take(draft, &section->entries[i], error);
    }
    if (is_good) {
        is_good = build(draft, context, config, error);
        *line = is_good ? section->line : section_line(section, error->parameter);
    }
    return is_good;
}

bool context_config_build(const struct section *section, struct tls_context **context,
                          struct tls_config *config, int *line, struct error *error)
{
    struct draft draft = {.params = json_object()};
    bool is_good = read_section(&draft, section, context, config, line, error);

    wipe(draft.params);
    return is_good;
}

bool context_config_read(const struct section *section, struct loop *loop, int *line,
                         struct error *error)
{
    struct draft draft = {.params = json_object()};
    struct tls_context *context;
    struct tls_config config;

    *line = section->line;
    bool is_good = contexts_check_name(section->name, geteuid(), true, error) &&
                   read_section(&draft, section, &context, &config, line, error);
    const struct context_spec spec = {
        .name = section->name,
        .owner = {.uid = geteuid(), .pid = getpid()},
        .is_configured = true,
        .users = draft.users,
        .n_users = draft.n_users,
    };

    wipe(draft.params);
    if (!is_good) {
        return false;
    }
    if (contexts_add(loop, &spec, context, &config, error) == 0) {
        tls_config_fini(&config);
        tls_context_unref(context);
        return false;
    }
    return true;
}
