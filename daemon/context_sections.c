/* SPDX-License-Identifier: MIT */
/*
 * context_sections.c - the TLS contexts that the configuration names.
 *
 * Called by main.c and the server; calls context_config.c. Thread: main.
 */
#include <config.h>
#include "daemon/context_sections.h"

#include <stdio.h>
#include <string.h>

#include "daemon/base/loop.h"
#include "daemon/control/context_config.h"
#include "daemon/control/section.h"
#include "proto/error.h"
#include "proto/table.h"

bool context_sections_read(const struct config *config, char why[CONFIG_WHY_SIZE])
{
    table_setup();
    for (const struct section *section = config->sections; section != NULL;
         section = section->next) {
        struct error error;
        int line;

        if (strcmp(section->kind, "context") == 0 &&
            !context_config_read(section, loop_of_worker(0), &line, &error)) {
            (void)snprintf(why, CONFIG_WHY_SIZE, "%.200s:%d: %.250s", config->file, line,
                           error.message);
            return false;
        }
    }
    return true;
}
