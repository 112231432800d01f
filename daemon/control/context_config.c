/* SPDX-License-Identifier: MIT */
/*
 * context_config.c - a section [context NAME] of the configuration becomes a TLS context.
 *
 * Called by the server before the workers run; calls contexts.c. So a section can do what
 * the command can, and is checked by the same rows. Thread: main.
 */
#include <config.h>
#include "daemon/control/context_config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/check.h"
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
    char wanted[128];

    for (char *name = strtok_r(copy, ", \t", &rest); name != NULL && is_good;
         name = strtok_r(NULL, ", \t", &rest)) {
        is_good = draft->n_users < MAX_USERS &&
                  users_find(name, &draft->users[draft->n_users++]);
        if (!is_good) {
            (void)snprintf(wanted, sizeof wanted,
                           "up to %d users of this system, with commas between, but "
                           "not '%.40s'",
                           MAX_USERS, name);
            (void)error_set_parameter(error, "users", wanted);
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
        return error_set_parameter(error, name, "no setting of this name");
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

static bool put(const struct draft *draft, const struct tls_config *given,
                const char *name, struct loop *loop, struct error *error)
{
    const struct context_spec spec = {
        .name = name,
        .owner = {.uid = geteuid(), .pid = getpid()},
        .is_configured = true,
        .users = draft->users,
        .n_users = draft->n_users,
    };
    struct tls_context *context = tls_context_new(given, error);
    struct tls_config config;

    if (context == NULL) {
        return false;
    }
    tls_config_copy(&config, given);
    if (contexts_add(loop, &spec, context, &config, error) != 0) {
        return true;
    }
    tls_config_fini(&config);
    tls_context_unref(context);
    return false;
}

static bool make(const struct draft *draft, const char *name, struct loop *loop,
                 struct error *error)
{
    struct arena arena = {0};
    struct params params;
    struct tls_config given;
    bool is_good = contexts_check_name(name, geteuid(), true, error) &&
                   params_check(&params, draft->command, draft->params, &arena, error) &&
                   tls_plan_config(&given, &params, draft->role, &arena, error) &&
                   put(draft, &given, name, loop, error);

    arena_wipe(&arena);
    return is_good;
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

bool context_config_read(const struct section *section, struct loop *loop, int *line,
                         struct error *error)
{
    struct draft draft = {.params = json_object()};

    CHECK(draft.params != NULL);
    *line = section->line;
    bool is_good = read_role(&draft, section, line, error);

    for (size_t i = 0; is_good && i < section->n_entries; i++) {
        *line = section->entries[i].line;
        is_good = take(&draft, &section->entries[i], error);
    }
    if (is_good) {
        *line = section->line;
        is_good = make(&draft, section->name, loop, error);
    }
    wipe(draft.params);
    return is_good;
}
