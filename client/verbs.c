/* SPDX-License-Identifier: MIT */
/*
 * verbs.c - the list of the everyday commands, in the order of the help.
 */
#include <config.h>
#include "client/verbs.h"

#include <string.h>

static const struct verb *const verbs[] = {
    &verb_connect, &verb_serve,   &verb_tunnel, &verb_cert, &verb_list,
    &verb_show,    &verb_clients, &verb_shell,  &verb_call, &verb_help,
};

const struct verb *verbs_at(size_t index)
{
    return index < sizeof(verbs) / sizeof(verbs[0]) ? verbs[index] : NULL;
}

void verbs_borrow(const struct verb *verb, const struct command *borrowed[ARGS_BORROWED])
{
    for (size_t i = 0; i < ARGS_BORROWED; i++) {
        const char *name = verb ? verb->borrows[i] : NULL;

        borrowed[i] = name ? table_find(name, strlen(name)) : NULL;
    }
}

const struct verb *verbs_find(const char *name)
{
    if (table_find(name, strlen(name)))
        return NULL;
    for (size_t i = 0; verbs_at(i); i++)
        if (strcmp(verbs_at(i)->command.name, name) == 0)
            return verbs_at(i);
    return NULL;
}
