/* SPDX-License-Identifier: MIT */
/*
 * handlers.h - the prototypes of all command handlers, expanded from the table.
 *
 * A row without a handler does not link; a handler without a row does not compile.
 */
#ifndef SOCKD_CONTROL_HANDLERS_H
#define SOCKD_CONTROL_HANDLERS_H

struct request;

#define COMMAND(ID, SUFFIX, NAME, THREAD, ACCESS, FLAGS, SINCE, SUMMARY, TEXT)           \
    void handle_##SUFFIX(struct request *request);
#include "proto/commands.def"

#endif
