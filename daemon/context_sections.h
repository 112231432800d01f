/* SPDX-License-Identifier: MIT */
/*
 * context_sections.h - the TLS contexts that the configuration names.
 *
 * Thread: main, before the workers run.
 */
#ifndef SOCKD_CONTEXT_SECTIONS_H
#define SOCKD_CONTEXT_SECTIONS_H

#include <stdbool.h>
#include "daemon/config.h"

/* Makes all of them; reads their files. False: `why` has file, line and sentence.
 * contexts_fini() ends them. */
bool context_sections_read(const struct config *config, char why[CONFIG_WHY_SIZE]);

#endif
