/* SPDX-License-Identifier: MIT */
/*
 * evidence.c - reads, judges and shows what a daemon under test left behind.
 *
 * Place: harness.c calls it. Thread: that of the test.
 */
#include <config.h>
#include "tests/evidence.h"
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit.h"

char *evidence_read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t size = 0, room = 0, n;

    if (!file) {
        return NULL;
    }
    do {
        if (room - size < 4096) {
            room = room ? room * 2 : 8192;
            text = realloc(text, room);
            if (!text) {
                unit_bail_out("out of memory");
            }
        }
        n = fread(text + size, 1, room - size - 1, file);
        size += n;
    } while (n > 0);
    text[size] = '\0';
    fclose(file);
    return text;
}

/* A line of the log that an operator must act on: "TIME error MODULE: ...". */
static bool is_error_line(const char *line)
{
    const char *second = strchr(line, ' ');

    return (second && strncmp(second, " error ", 7) == 0) ||
           strstr(line, "check failed at");
}

void evidence_check_log(const char *path)
{
    char *text = evidence_read_file(path), *rest = text, *line;

    while (rest && (line = strsep(&rest, "\n"))) {
        if (is_error_line(line)) {
            UNIT_FAIL("sockd logged an error: %s", line);
        }
    }
    free(text);
}

static void show_file(const char *title, const char *path)
{
    char *text = evidence_read_file(path), *rest = text, *line;

    unit_note("---- %s: %s", title, path);
    while (rest && (line = strsep(&rest, "\n"))) {
        if (*line || rest) {
            unit_note("%s", line);
        }
    }
    free(text);
}

/* Shows the reports if asked to; returns how many there are. */
static unsigned each_report(const char *directory, bool is_shown)
{
    DIR *stream = opendir(directory);
    struct dirent *entry;
    char path[1024];
    unsigned n = 0;

    while (stream && (entry = readdir(stream))) {
        if (strncmp(entry->d_name, EVIDENCE_REPORT, strlen(EVIDENCE_REPORT)) != 0) {
            continue;
        }
        n++;
        if (is_shown) {
            snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
            show_file("report", path);
        }
    }
    if (stream) {
        closedir(stream);
    }
    return n;
}

bool evidence_has_reports(const char *directory)
{
    return each_report(directory, false) > 0;
}

void evidence_show(const char *directory)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/" EVIDENCE_LOG, directory);
    show_file("log", path);
    each_report(directory, true);
    unit_note("kept: %s", directory);
}

static int remove_entry(const char *path, const struct stat *status, int type,
                        struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

void evidence_remove(const char *directory)
{
    nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
