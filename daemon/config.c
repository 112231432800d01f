/* SPDX-License-Identifier: MIT */
/*
 * config.c - the table of options, and values from text.
 *
 * Called by config_load.c and the server; calls log.c for the names of levels. Thread:
 * main.
 */
#include <config.h>
#include "daemon/config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/base/log.h"
#include "daemon/control/section.h"

static const struct config_row rows[CONFIG_COUNT] = {
#define OPTION(ID, NAME, TYPE, MIN, MAX, DEFAULT, UNIT, TEXT)                            \
    [CONFIG_##ID] = {NAME, CONFIG_TYPE_##TYPE, MIN, MAX, DEFAULT, UNIT, TEXT},
#include "daemon/config.def"
};

const struct config_row *config_row(enum config_id id)
{
    CHECK(id < CONFIG_COUNT);
    return &rows[id];
}

const struct config_row *config_find(const char *name, enum config_id *id)
{
    for (int i = 0; i < CONFIG_COUNT; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            *id = (enum config_id)i;
            return &rows[i];
        }
    }
    return NULL;
}

void config_describe(const struct config_row *row, char *text, size_t size)
{
    switch (row->type) {
    case CONFIG_TYPE_NUMBER:
        (void)snprintf(text, size, "a whole number from %.0f to %.0f", row->min,
                       row->max);
        break;
    case CONFIG_TYPE_SIZE:
        (void)snprintf(text, size,
                       "a number of bytes from %.0f to %.0f, with K, M or G if you like",
                       row->min, row->max);
        break;
    case CONFIG_TYPE_SECONDS:
        (void)snprintf(text, size, "a number of seconds from %.0f to %.0f", row->min,
                       row->max);
        break;
    case CONFIG_TYPE_MODE:
        (void)snprintf(text, size, "an octal number from 0 to %o", (unsigned)row->max);
        break;
    case CONFIG_TYPE_LEVEL:
        (void)snprintf(text, size, "one of error, warn, info, debug");
        break;
    case CONFIG_TYPE_TEXT:
        (void)snprintf(text, size, "a text (%s) of %.0f to %.0f bytes", row->unit,
                       row->min, row->max);
        break;
    }
}

/* ---- Values from text -----------------------------------------------------------------
 */

static bool read_number(const struct config_row *row, const char *text, int base,
                        int64_t *number)
{
    char *end;

    errno = 0;
    long long n = strtoll(text, &end, base);
    bool is_read = end != text && errno == 0 && text[0] >= '0' && text[0] <= '9';
    if (is_read && row->type == CONFIG_TYPE_SIZE && *end != '\0') {
        const char *suffix = strchr("KMG", *end);
        int shift = suffix != NULL ? (int)(suffix - "KMG" + 1) * 10 : 0;
        is_read = suffix != NULL && n <= (INT64_MAX >> shift);
        n = is_read ? n << shift : 0;
        end++;
    }
    if (!is_read || *end != '\0' || (double)n < row->min || (double)n > row->max) {
        return false;
    }
    *number = n;
    return true;
}

static bool read_seconds(const struct config_row *row, const char *text, double *seconds)
{
    char *end;
    double n = strtod(text, &end);

    if (end == text || *end != '\0' || !isfinite(n) || n < row->min || n > row->max) {
        return false;
    }
    *seconds = n;
    return true;
}

/* Outputs untouched on failure. */
static bool read_value(const struct config_row *row, const char *text,
                       struct config_value *value)
{
    enum log_level level;

    switch (row->type) {
    case CONFIG_TYPE_NUMBER:
    case CONFIG_TYPE_SIZE:
        return read_number(row, text, 10, &value->number);
    case CONFIG_TYPE_MODE:
        return read_number(row, text, 8, &value->number);
    case CONFIG_TYPE_SECONDS:
        return read_seconds(row, text, &value->seconds);
    case CONFIG_TYPE_LEVEL:
        if (!log_level_by_name(text, &level)) {
            return false;
        }
        value->number = level;
        return true;
    case CONFIG_TYPE_TEXT:
        if ((double)strlen(text) < row->min || (double)strlen(text) > row->max) {
            return false;
        }
        free(value->text);
        value->text = mem_copy_text(text);
        return true;
    }
    return false;
}

bool config_set(struct config *config, enum config_id id, const char *text,
                enum config_source source, char why[CONFIG_WHY_SIZE])
{
    const struct config_row *row = config_row(id);
    struct config_value value = {.source = source};
    char wanted[128], quoted[64];

    if (!read_value(row, text, &value)) {
        config_describe(row, wanted, sizeof wanted);
        log_quote(quoted, sizeof quoted, text, strlen(text));
        (void)snprintf(why, CONFIG_WHY_SIZE, "%s takes %s, not %s", row->name, wanted,
                       quoted);
        return false;
    }
    if (config->values[id].source > source) {
        free(value.text);
        return true;
    }
    free(config->values[id].text);
    config->values[id] = value;
    return true;
}

void config_init(struct config *config)
{
    memset(config, 0, sizeof *config);
    for (int i = 0; i < CONFIG_COUNT; i++) {
        if (rows[i].preset[0] != '\0') {
            CHECK(read_value(&rows[i], rows[i].preset, &config->values[i]));
        }
    }
}

static void free_section(struct section *section)
{
    for (size_t i = 0; i < section->n_entries; i++) {
        free(section->entries[i].name);
        free(section->entries[i].value);
    }
    free(section->entries);
    free(section->kind);
    free(section->name);
    free(section);
}

void config_fini(struct config *config)
{
    while (config->sections != NULL) {
        struct section *section = config->sections;
        config->sections = section->next;
        free_section(section);
    }
    for (int i = 0; i < CONFIG_COUNT; i++) {
        free(config->values[i].text);
        config->values[i].text = NULL;
    }
    free(config->file);
    config->file = NULL;
}

/* ---- Help -----------------------------------------------------------------------------
 */

static void print_wrapped(const char *text)
{
    enum { LEFT = 6, RIGHT = 78 };
    int column = 0;

    while (*text != '\0') {
        int len = (int)strcspn(text, " ");
        if (column == 0 || column + 1 + len > RIGHT) {
            printf("%s%*s", column == 0 ? "" : "\n", LEFT, "");
            column = LEFT;
        } else {
            putchar(' ');
            column++;
        }
        printf("%.*s", len, text);
        column += len;
        text += len + (text[len] == ' ');
    }
    putchar('\n');
}

void config_print_help(void)
{
    fputs("usage: sockd [--OPTION VALUE]...\n"
          "\n"
          "The socket daemon: owns sockets for local programs. sockd(8) tells more.\n"
          "\n"
          "  --config FILE\n"
          "      configuration file; default: /etc/sockd/sockd.conf for root and\n"
          "      $XDG_CONFIG_HOME/sockd.conf for others, if it exists\n"
          "  --check-config\n"
          "      check the configuration, and end\n"
          "  --version, -V\n"
          "  --help, -h\n"
          "\n"
          "Each option of the configuration file, see sockd.conf(5):\n"
          "\n",
          stdout);
    for (int i = 0; i < CONFIG_COUNT; i++) {
        printf("  --%s %s", rows[i].name, rows[i].unit);
        printf(rows[i].preset[0] != '\0' ? " (%s)\n" : "%s\n", rows[i].preset);
        print_wrapped(rows[i].text);
    }
}
