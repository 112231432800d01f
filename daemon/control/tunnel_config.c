/* SPDX-License-Identifier: MIT */
/*
 * tunnel_config.c - lines of the configuration to parameters of make-tunnel.
 *
 * `listen` and `connect` are places (proto/place.h), connect several with commas between
 * them; `listen.KEY` and `connect.KEY` are further parameters of make-socket for them.
 * Every other key is a parameter of make-tunnel. So a section can do what the command
 * can, and is checked by the same rows. Thread: any.
 */
#include <config.h>
#include "daemon/control/tunnel_config.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/log.h"
#include "daemon/control/request.h"
#include "daemon/control/section.h"
#include "daemon/control/tunnel_plan.h"
#include "daemon/net/resolver.h"
#include "daemon/net/tunnel.h"
#include "proto/arena.h"
#include "proto/params.h"
#include "proto/place.h"
#include "proto/table.h"

static bool add(json_t *to, const char *name, json_t *value, struct error *error)
{
    /* Of NULL, for which *error is set, nothing is added. */
    return value != NULL && (json_object_set_new(to, name, value) == 0 ||
                             error_set(error, ERROR_INTERNAL, "out of memory"));
}

static bool add_text(json_t *to, const struct command *command, const char *name,
                     const char *text, struct error *error)
{
    const struct param_row *row = table_command_param(command, name, strlen(name));

    if (row == NULL) {
        char quoted[64];
        return error_set(error, ERROR_INVALID_PARAMS,
                         "no option is called %s; sockd.conf(5) lists them",
                         log_quote(quoted, sizeof quoted, name, strlen(name)));
    }
    return add(to, name, value_from_text(row, text, error), error);
}

/* Adds the places in `text` to a list. */
static bool add_places(json_t *list, const char *text, bool is_listener,
                       struct error *error)
{
    for (;;) {
        size_t size = strcspn(text, ","), first = strspn(text, " \t"), last = size;
        while (last > first && (text[last - 1] == ' ' || text[last - 1] == '\t')) {
            last--;
        }
        first = first < last ? first : last;
        json_t *place = place_read(text + first, last - first, is_listener, error);
        if (place == NULL || json_array_append_new(list, place) != 0) {
            return false;
        }
        if (text[size] == '\0') {
            return true;
        }
        text += size + 1;
    }
}

struct draft {
    json_t *params;                     /* of make-tunnel */
    json_t *listen, *connect;           /* lists of places */
    json_t *listen_more, *connect_more; /* what each of them gets */
};

/* One line of the section. */
static bool take(struct draft *draft, const struct section_entry *entry,
                 struct error *error)
{
    const struct command *make_socket = table_command(COMMAND_MAKE_SOCKET);
    const char *name = entry->name;

    if (strcmp(name, "listen") == 0) {
        return add_places(draft->listen, entry->value, true, error);
    }
    if (strcmp(name, "connect") == 0) {
        return add_places(draft->connect, entry->value, false, error);
    }
    if (strncmp(name, "listen.", 7) == 0) {
        return add_text(draft->listen_more, make_socket, name + 7, entry->value, error) ||
               error_prefix_parameter(error, "listen.");
    }
    if (strncmp(name, "connect.", 8) == 0) {
        return add_text(draft->connect_more, make_socket, name + 8, entry->value,
                        error) ||
               error_prefix_parameter(error, "connect.");
    }
    if (strcmp(name, "name") == 0) {
        return error_set_parameter(error, name, "no value: it is that of the section");
    }
    return add_text(draft->params, table_command(COMMAND_MAKE_TUNNEL), name, entry->value,
                    error);
}

/* What the place says already, and a line of its own says as well. */
static bool merge(json_t *place, json_t *more, const char *prefix, struct error *error)
{
    const char *name;
    json_t *value;

    json_object_foreach(more, name, value)
    {
        if (json_object_get(place, name) != NULL) {
            char whole[128];
            (void)snprintf(whole, sizeof whole, "%s%s", prefix, name);
            (void)error_set(error, ERROR_INVALID_PARAMS,
                            "%s is set twice: the place says it, too", whole);
            return error_set_blame(error, whole);
        }
    }
    CHECK(json_object_update(place, more) == 0);
    return true;
}

static bool put_together(struct draft *draft, const struct section *section,
                         struct error *error)
{
    json_t *place;
    size_t i;

    if (json_array_size(draft->listen) != 1) {
        return error_set_parameter(error, "listen", "one place to listen at");
    }
    if (json_array_size(draft->connect) == 0) {
        return error_set(error, ERROR_INVALID_PARAMS,
                         "the section [tunnel %s] has no connect", section->name);
    }
    json_array_foreach(draft->connect, i, place)
    {
        if (!merge(place, draft->connect_more, "connect.", error)) {
            return false;
        }
    }
    place = json_array_get(draft->listen, 0);
    return merge(place, draft->listen_more, "listen.", error) &&
           add(draft->params, "listen", json_incref(place), error) &&
           add(draft->params, "connect", json_incref(draft->connect), error) &&
           add(draft->params, "name", json_string(section->name), error);
}

static bool make_plan(struct tunnel_plan *plan, const struct draft *draft,
                      struct error *error)
{
    const struct caller daemon = {
        .pid = getpid(),
        .uid = geteuid(),
        .gid = getegid(),
        .is_admin = true,
        .ipv6 = VALUE_IPV6_TRUE,
        .dns_mode = RESOLVE_BY_DNS | RESOLVE_BY_CLIB,
    };
    struct arena arena = {0};
    struct params params;
    bool is_good = params_check(&params, table_command(COMMAND_MAKE_TUNNEL),
                                draft->params, &arena, error) &&
                   tunnel_plan_read(plan, &params, &daemon, error);

    arena_fini(&arena);
    if (is_good && !tunnel_plan_find_names(plan, error)) {
        tunnel_plan_fini(plan);
        is_good = false;
    }
    return is_good;
}

bool tunnel_config_read(struct tunnel_plan *plan, const struct section *section,
                        int *line, struct error *error)
{
    struct draft draft = {json_object(), json_array(), json_array(), json_object(),
                          json_object()};
    bool is_good = true;

    CHECK(draft.params != NULL && draft.listen != NULL && draft.connect != NULL &&
          draft.listen_more != NULL && draft.connect_more != NULL);
    *line = section->line;
    for (size_t i = 0; is_good && i < section->n_entries; i++) {
        *line = section->entries[i].line;
        is_good = take(&draft, &section->entries[i], error);
    }
    if (is_good) {
        is_good = put_together(&draft, section, error) && make_plan(plan, &draft, error);
        *line = is_good ? section->line : section_line(section, error->parameter);
    }
    json_decref(draft.params);
    json_decref(draft.listen);
    json_decref(draft.connect);
    json_decref(draft.listen_more);
    json_decref(draft.connect_more);
    return is_good;
}
