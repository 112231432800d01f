/* SPDX-License-Identifier: MIT */
/*
 * verb_list.c - ls and clients: what the daemon holds, as tables.
 *
 * Run by run.c; calls list-sockets, page by page, and list-clients.
 */
#include <config.h>
#include "client/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/args.h"
#include "client/columns.h"
#include "client/draft.h"
#include "client/memory.h"
#include "client/output.h"
#include "client/problem.h"
#include "client/run.h"
#include "client/session.h"

enum { PAGE_SIZE = 1000 };

/* "host:port", "[host]:port" or the file name of one end; "" when it has none. */
static char *end_text(const json_t *socket, const char *end)
{
    char host_name[32], port_name[32], file_name[32];
    struct draft text = {0};

    (void)snprintf(host_name, sizeof(host_name), "%s-host", end);
    (void)snprintf(port_name, sizeof(port_name), "%s-port", end);
    (void)snprintf(file_name, sizeof(file_name), "%s-filename", end);
    char *host = columns_cell_text(json_object_get(socket, host_name));
    char *port = columns_cell_text(json_object_get(socket, port_name));
    char *file = columns_cell_text(json_object_get(socket, file_name));

    if (*host)
        draft_printf(&text, strchr(host, ':') ? "[%s]" : "%s", host);
    if (*port)
        draft_printf(&text, ":%s", port);
    draft_add_string(&text, file);
    free(host);
    free(port);
    free(file);
    return draft_take(&text);
}

static void print_sockets(const json_t *sockets)
{
    static const char *const headings[] = {"socket", "state", "type", "local",
                                           "remote", "owner", "name"};
    struct columns *columns =
        columns_new(headings, sizeof(headings) / sizeof(headings[0]));
    size_t i;
    const json_t *socket;

    json_array_foreach(sockets, i, socket)
    {
        columns_add(columns, columns_cell_text(json_object_get(socket, "socket")));
        columns_add(columns, columns_cell_text(json_object_get(socket, "state")));
        columns_add(columns, columns_cell_text(json_object_get(socket, "type")));
        columns_add(columns, end_text(socket, "local"));
        columns_add(columns, end_text(socket, "remote"));
        columns_add(columns, output_owner(json_object_get(socket, "owner")));
        columns_add(columns, columns_cell_text(json_object_get(socket, "name")));
    }
    columns_print(columns, stdout);
    columns_free(columns);
}

/* All pages, up to `limit` sockets (0: all). New reference; NULL: *problem. */
static json_t *collect_sockets(struct session *session, json_t *params, json_int_t limit,
                               struct problem *problem)
{
    json_t *all = memory_need(json_array());
    json_t *next = NULL;
    bool is_done = false;

    while (!is_done) {
        json_int_t wanted =
            limit > 0 ? limit - (json_int_t)json_array_size(all) : PAGE_SIZE;

        (void)json_object_set_new(params, "limit",
                                  json_integer(wanted < PAGE_SIZE ? wanted : PAGE_SIZE));
        json_t *page = session_call_json(session, "list-sockets", params, problem);

        if (!page) {
            json_decref(all);
            return NULL;
        }
        (void)json_array_extend(all, json_object_get(page, "sockets"));
        next = json_object_get(page, "next");
        is_done = !json_is_integer(next) ||
                  (limit > 0 && (json_int_t)json_array_size(all) >= limit);
        if (!is_done)
            (void)json_object_set(params, "after", next);
        json_decref(page);
    }
    return all;
}

static int run_list(struct context *context, struct args *args, struct problem *problem)
{
    struct session *session = run_session(context, problem);
    const json_t *limit = json_object_get(args->borrowed_params[0], "limit");
    json_t *sockets = session ? collect_sockets(session, args->borrowed_params[0],
                                                json_integer_value(limit), problem)
                              : NULL;

    if (!sockets)
        return problem->status;
    if (context->settings.is_json) {
        char *text = memory_need(json_dumps(sockets, JSON_COMPACT));

        (void)printf("{\"sockets\":%s}\n", text);
        free(text);
    } else {
        print_sockets(sockets);
    }
    json_decref(sockets);
    return STATUS_OK;
}

static int run_clients(struct context *context, struct args *args,
                       struct problem *problem)
{
    const struct command *command = table_command(COMMAND_LIST_CLIENTS);

    return run_call(context, command, args->params, problem);
}

const struct verb verb_list = {
    .command =
        {.name = "ls",
         .summary = "list sockets as a table",
         .text =
             "Shows all sockets that you may see: the handle, the state, the type, both "
             "ends, the owner as user/process, and the name. Asks for as many pages of "
             "list-sockets as there are; --limit ends the list earlier. With --json the "
             "list is one object with the member sockets."},
    .borrows = {"list-sockets"},
    .run = run_list,
};

const struct verb verb_clients = {
    .command = {.name = "clients",
                .summary = "list control connections as a table",
                .text = "The same as list-clients."},
    .run = run_clients,
};
