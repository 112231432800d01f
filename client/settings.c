/* SPDX-License-Identifier: MIT */
/*
 * settings.c - the options of sockctl itself, the same for all commands.
 */
#include <config.h>
#include "client/settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/memory.h"
#include "client/problem.h"

#define SETTING(NAME, TYPE, LETTER, HELP)                                                \
    {                                                                                    \
        .row = {.name = NAME, .type = TYPE, .help = HELP}, .letter = LETTER              \
    }

static const struct setting_row rows[] = {
    SETTING("socket", VALUE_STRING, 's',
            "path of the daemon's control socket. Absent: $SOCKD_SOCKET, else "
            "/run/sockd/sockd.sock, else $XDG_RUNTIME_DIR/sockd.sock"),
    SETTING("json", VALUE_BOOL, 'j',
            "print each result exactly as the daemon sent it, as one line of JSON"),
    SETTING("timeout", VALUE_SECONDS, 't',
            "seconds to wait for each reply. A command with a parameter of this name "
            "takes it "
            "as that when it stands behind the command"),
    SETTING(
        "hold", VALUE_BOOL, 0,
        "keep the control connection, and with it the sockets it made, until standard "
        "input ends or a signal comes"),
    SETTING("verbose", VALUE_BOOL, 'v',
            "print notes and the details of data on standard error"),
    SETTING("help", VALUE_BOOL, 'h', "explain sockctl, or the command"),
    SETTING("version", VALUE_BOOL, 'V', "print the version"),
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

void settings_init(struct settings *settings)
{
    *settings = (struct settings){.timeout = -1};
}

void settings_fini(struct settings *settings)
{
    free(settings->socket_path);
    settings->socket_path = NULL;
}

void settings_copy(struct settings *copy, const struct settings *settings)
{
    *copy = *settings;
    if (settings->socket_path)
        copy->socket_path = memory_need(strdup(settings->socket_path));
}

const struct setting_row *settings_at(size_t index)
{
    return index < N_ROWS ? &rows[index] : NULL;
}

const struct param_row *settings_find(const char *name, size_t size)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (strlen(rows[i].row.name) == size && memcmp(rows[i].row.name, name, size) == 0)
            return &rows[i].row;
    return NULL;
}

const struct param_row *settings_find_letter(char letter)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (letter != 0 && rows[i].letter == letter)
            return &rows[i].row;
    return NULL;
}

static bool set_timeout(struct settings *settings, const char *text,
                        struct problem *problem)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !isfinite(seconds) || seconds < 0)
        return problem_usage(problem, "--timeout wants a number of seconds, not \"%s\"",
                             text);
    settings->timeout = seconds;
    return true;
}

bool settings_set(struct settings *settings, const struct param_row *row,
                  const char *text, struct problem *problem)
{
    if (strcmp(row->name, "socket") == 0) {
        if (*text == '\0')
            return problem_usage(problem,
                                 "--socket wants the path of the control socket");
        free(settings->socket_path);
        settings->socket_path = memory_need(strdup(text));
        return true;
    }
    if (strcmp(row->name, "timeout") == 0)
        return set_timeout(settings, text, problem);

    static const struct {
        const char *name;
        size_t offset;
    } flags[] = {
        {"json", offsetof(struct settings, is_json)},
        {"hold", offsetof(struct settings, is_held)},
        {"verbose", offsetof(struct settings, is_verbose)},
        {"help", offsetof(struct settings, wants_help)},
        {"version", offsetof(struct settings, wants_version)},
    };
    bool value = strcmp(text, "true") == 0;

    if (!value && strcmp(text, "false") != 0)
        return problem_usage(problem, "--%s wants true or false, not \"%s\"", row->name,
                             text);
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (strcmp(row->name, flags[i].name) == 0)
            *(bool *)((char *)settings + flags[i].offset) = value;
    return true;
}
