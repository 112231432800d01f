/* SPDX-License-Identifier: MIT */
/*
 * main.c - the program sockd: its command line, then the server.
 *
 * Exit status: 0 when it stopped as asked, 1 when it could not start, 2 when the
 * configuration is wrong.
 */
#include <config.h>

#include <stdio.h>

#include "daemon/config.h"
#include "daemon/context_sections.h"
#include "daemon/control/contexts.h"
#include "daemon/net/tls_library.h"
#include "daemon/rights.h"
#include "daemon/server.h"
#include "daemon/signals.h"
#include "daemon/tunnels.h"

enum { EXIT_CONFIGURATION = 2 };

/* The contexts are made for the tunnels that name them, and for nothing else here. */
static bool check(const struct config *config, char why[CONFIG_WHY_SIZE])
{
    struct rights rights;
    bool is_good = rights_find(&rights, config, why) &&
                   context_sections_read(config, why) && tunnels_check(config, why);

    contexts_fini();
    return is_good;
}

static int act(const struct config *config)
{
    char why[CONFIG_WHY_SIZE];

    switch (config->action) {
    case CONFIG_VERSION:
        puts("sockd " PACKAGE_VERSION);
        return 0;
    case CONFIG_HELP:
        config_print_help();
        return 0;
    case CONFIG_CHECK:
        if (!check(config, why)) {
            fprintf(stderr, "sockd: %s\n", why);
            return EXIT_CONFIGURATION;
        }
        printf("The configuration is good. file=%s\n",
               config->file != NULL ? config->file : "none");
        return 0;
    case CONFIG_RUN:
        break;
    }
    if (!tls_library_guard()) {
        fputs("sockd: core files and debuggers can't be kept away from the keys\n",
              stderr);
    }
    if (!check(config, why)) {
        fprintf(stderr, "sockd: %s\n", why);
        return EXIT_CONFIGURATION;
    }
    return server_run(config);
}

int main(int argc, char **argv)
{
    struct config config;
    char why[CONFIG_WHY_SIZE];
    int status = EXIT_CONFIGURATION;

    signals_ignore_pipe();
    if (config_load(&config, argc, argv, why)) {
        status = act(&config);
    } else {
        fprintf(stderr, "sockd: %s\n", why);
    }
    config_fini(&config);
    return status;
}
