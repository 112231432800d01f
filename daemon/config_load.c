/* SPDX-License-Identifier: MIT */
/*
 * config_load.c - where the options come from: the command line and the configuration
 * file (read with inih).
 *
 * Called by the server; calls config.c. Thread: main.
 */
#include <config.h>
#include "daemon/config.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/log.h"
#include "daemon/control/section.h"

/* ---- The file -------------------------------------------------------------------------
 */

/* inih has room for 49 bytes of a name and cuts the rest. */
enum { MAX_SECTION = 48 };

/* inih calls the handler for each line that it read; it was not built to tell the number
 * of the line, so the reader counts. */
struct reading {
    struct config *config;
    FILE *file;
    const char *path;
    int line;
    bool was_seen[CONFIG_COUNT];
    bool has_failed;
    char *why;
};

static const char no_line[] = "a line is `name = value`, `[section]`, or a comment that "
                              "begins with # or ;";

static void fail(struct reading *reading, const char *sentence)
{
    if (!reading->has_failed) {
        reading->has_failed = true;
        (void)snprintf(reading->why, CONFIG_WHY_SIZE, "%.200s:%d: %.250s", reading->path,
                       reading->line, sentence);
    }
}

/* A line of [sockd]. */
static void take_option_line(struct reading *reading, const char *name, const char *value)
{
    char quoted[64], sentence[CONFIG_WHY_SIZE];
    enum config_id id;

    if (config_find(name, &id) == NULL) {
        (void)snprintf(sentence, sizeof sentence,
                       "no option is called %s; sockd.conf(5) lists them",
                       log_quote(quoted, sizeof quoted, name, strlen(name)));
        fail(reading, sentence);
    } else if (reading->was_seen[id]) {
        (void)snprintf(sentence, sizeof sentence, "%s is set twice", name);
        fail(reading, sentence);
    } else if (!config_set(reading->config, id, value, CONFIG_BY_FILE, sentence)) {
        fail(reading, sentence);
    } else {
        reading->was_seen[id] = true;
    }
}

/* The section of this kind and name; made when it is new. */
static struct section *find_section(struct reading *reading, const char *kind,
                                    size_t kind_size, const char *name)
{
    struct section **place = &reading->config->sections;

    for (; *place != NULL; place = &(*place)->next) {
        if (strlen((*place)->kind) == kind_size &&
            memcmp((*place)->kind, kind, kind_size) == 0 &&
            strcmp((*place)->name, name) == 0) {
            return *place;
        }
    }
    struct section *section = MEM_NEW(struct section);

    section->kind = mem_new(kind_size + 1);
    memcpy(section->kind, kind, kind_size);
    section->name = mem_copy_text(name);
    section->line = reading->line;
    *place = section;
    return section;
}

static bool is_kind(const char *text, size_t size)
{
    static const char *const kinds[] = {"context", "tunnel"};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strlen(kinds[i]) == size && memcmp(text, kinds[i], size) == 0) {
            return true;
        }
    }
    return false;
}

/* A header: its section is there even when no line follows it. What is indented may be
 * the rest of a value, and is left to take_entry(). */
static void take_header(struct reading *reading, const char *header, size_t size)
{
    char text[MAX_SECTION + 1], quoted[64], sentence[CONFIG_WHY_SIZE];

    if (size > MAX_SECTION) {
        fail(reading, "the name of a section or of a setting is too long");
        return;
    }
    memcpy(text, header, size);
    text[size] = '\0';
    size_t kind_size = strcspn(text, " \t");
    const char *object = text + kind_size + strspn(text + kind_size, " \t");

    if (strcmp(text, "sockd") == 0) {
        return;
    }
    if (!is_kind(text, kind_size) || object[0] == '\0') {
        (void)snprintf(sentence, sizeof sentence,
                       "there is no section %s: sections are [sockd], [context NAME] "
                       "and [tunnel NAME]",
                       log_quote(quoted, sizeof quoted, text, size));
        fail(reading, sentence);
        return;
    }
    (void)find_section(reading, text, kind_size, object);
}

static char *read_line(char *line, int size, void *arg)
{
    struct reading *reading = arg;

    if (fgets(line, size, reading->file) == NULL) {
        return NULL;
    }
    reading->line++;
    if (strchr(line, '\n') == NULL && !feof(reading->file)) {
        fail(reading, "the line is too long, or has a NUL in it");
    } else if (line[0] == '[' && strchr(line, ']') == NULL) {
        fail(reading, no_line);
    } else if (line[0] == '[') {
        take_header(reading, line + 1, strcspn(line + 1, "]"));
    }
    return line;
}

/* A line of a section that names an object, such as [tunnel web]. */
static void take_section_line(struct reading *reading, const char *header,
                              const char *name, const char *value)
{
    char quoted[64], sentence[CONFIG_WHY_SIZE];
    size_t kind_size = strcspn(header, " \t");
    const char *object = header + kind_size + strspn(header + kind_size, " \t");

    if (!is_kind(header, kind_size) || object[0] == '\0') {
        (void)snprintf(sentence, sizeof sentence,
                       "%s stands in section [%.40s]: sections are [sockd], [context "
                       "NAME] and [tunnel NAME]",
                       log_quote(quoted, sizeof quoted, name, strlen(name)), header);
        fail(reading, sentence);
        return;
    }
    /* What is longer has been cut by the reader of the file. */
    if (strlen(header) > MAX_SECTION || strlen(name) > MAX_SECTION) {
        fail(reading, "the name of a section or of a setting is too long");
        return;
    }
    struct section *section = find_section(reading, header, kind_size, object);

    for (size_t i = 0; i < section->n_entries; i++) {
        if (strcmp(section->entries[i].name, name) == 0) {
            (void)snprintf(sentence, sizeof sentence, "%s is set twice", name);
            fail(reading, sentence);
            return;
        }
    }
    section->entries =
        mem_resize(section->entries, (section->n_entries + 1) * sizeof *section->entries);
    section->entries[section->n_entries++] =
        (struct section_entry){.name = mem_copy_text(name),
                               .value = mem_copy_text(value),
                               .line = reading->line};
}

static int take_entry(void *arg, const char *section, const char *name, const char *value)
{
    struct reading *reading = arg;

    if (reading->has_failed) {
        return 0;
    }
    if (strcmp(section, "sockd") == 0) {
        take_option_line(reading, name, value);
    } else {
        take_section_line(reading, section, name, value);
    }
    return !reading->has_failed;
}

bool config_read_file(struct config *config, const char *path, char why[CONFIG_WHY_SIZE])
{
    struct reading reading = {.config = config, .path = path, .why = why};
    struct stat status;

    reading.file = fopen(path, "re");
    if (reading.file == NULL) {
        (void)snprintf(why, CONFIG_WHY_SIZE, "%.300s: %s", path, strerror(errno));
        return false;
    }
    if (fstat(fileno(reading.file), &status) == 0 && S_ISDIR(status.st_mode)) {
        (void)snprintf(why, CONFIG_WHY_SIZE, "%.300s: %s", path, strerror(EISDIR));
        (void)fclose(reading.file); /* nothing was written */
        return false;
    }
    int line = ini_parse_stream(read_line, &reading, take_entry, &reading);
    if (line != 0 && !reading.has_failed) {
        if (line > 0) {
            reading.line = line;
        }
        fail(&reading, no_line);
    }
    (void)fclose(reading.file); /* nothing was written */
    return !reading.has_failed;
}

/* The configuration file at its usual place, into `path`. False: there is none. */
static bool usual_file(char *path, size_t size)
{
    const char *directory = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int len;

    if (geteuid() == 0) {
        len = snprintf(path, size, "/etc/sockd/sockd.conf");
    } else if (directory != NULL && directory[0] == '/') {
        len = snprintf(path, size, "%s/sockd.conf", directory);
    } else if (home != NULL && home[0] == '/') {
        len = snprintf(path, size, "%s/.config/sockd.conf", home);
    } else {
        return false;
    }
    return len > 0 && (size_t)len < size && access(path, F_OK) == 0;
}

/* ---- The command line -----------------------------------------------------------------
 */

struct arguments {
    struct config *config;
    char **next;
    const char *file; /* of --config */
    char *why;
};

static bool refuse(struct arguments *arguments, const char *what, const char *name)
{
    char quoted[128];

    (void)snprintf(arguments->why, CONFIG_WHY_SIZE, "%s %s", what,
                   log_quote(quoted, sizeof quoted, name, strlen(name)));
    return false;
}

/* One option with its value, which follows a `=` or is the next word. */
static bool take_option(struct arguments *arguments, const char *word)
{
    struct config *config = arguments->config;
    const char *sign = strchr(word, '='), *value;
    size_t size = sign != NULL ? (size_t)(sign - word) : strlen(word);
    char name[64];
    enum config_id id = CONFIG_COUNT;

    if (size < 3 || size >= sizeof name || strncmp(word, "--", 2) != 0) {
        return refuse(arguments, "there is no option", word);
    }
    memcpy(name, word + 2, size - 2);
    name[size - 2] = '\0';
    if (strcmp(name, "config") != 0 && config_find(name, &id) == NULL) {
        return refuse(arguments, "there is no option", word);
    }
    value = sign != NULL ? sign + 1 : *arguments->next;
    if (value == NULL) {
        return refuse(arguments, "a value is missing after", word);
    }
    arguments->next += sign == NULL;
    if (id == CONFIG_COUNT) {
        arguments->file = value;
        return true;
    }
    char why[CONFIG_WHY_SIZE];
    if (!config_set(config, id, value, CONFIG_BY_ARGUMENT, why)) {
        (void)snprintf(arguments->why, CONFIG_WHY_SIZE, "--%.500s", why);
        return false;
    }
    return true;
}

static bool take_word(struct arguments *arguments, const char *word)
{
    static const struct {
        const char *name;
        enum config_action action;
    } actions[] = {
        {"--check-config", CONFIG_CHECK},
        {"--version", CONFIG_VERSION},
        {"-V", CONFIG_VERSION},
        {"--help", CONFIG_HELP},
        {"-h", CONFIG_HELP},
    };

    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(word, actions[i].name) == 0) {
            arguments->config->action = actions[i].action;
            return true;
        }
    }
    return take_option(arguments, word);
}

bool config_load(struct config *config, int argc, char **argv, char why[CONFIG_WHY_SIZE])
{
    struct arguments arguments = {.config = config, .next = argv, .why = why};
    char path[4096];

    config_init(config);
    arguments.next += argc > 0;
    while (*arguments.next != NULL) {
        const char *word = *arguments.next++;
        if (!take_word(&arguments, word)) {
            return false;
        }
        if (config->action == CONFIG_HELP || config->action == CONFIG_VERSION) {
            return true;
        }
    }
    if (arguments.file == NULL && usual_file(path, sizeof path)) {
        arguments.file = path;
    }
    if (arguments.file == NULL) {
        return true;
    }
    config->file = mem_copy_text(arguments.file);
    return config_read_file(config, config->file, why);
}

/* ---- The path of the control socket ---------------------------------------------------
 */

bool config_socket_path(const struct config *config, char *path, size_t size,
                        char why[CONFIG_WHY_SIZE])
{
    const struct config_value *option = &config->values[CONFIG_SOCKET];
    const char *environment = getenv("SOCKD_SOCKET");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int len;

    if (environment != NULL && environment[0] == '\0') {
        environment = NULL;
    }
    if (option->text != NULL &&
        (option->source == CONFIG_BY_ARGUMENT || environment == NULL)) {
        len = snprintf(path, size, "%s", option->text);
    } else if (environment != NULL) {
        len = snprintf(path, size, "%s", environment);
    } else if (geteuid() == 0) {
        len = snprintf(path, size, "/run/sockd/sockd.sock");
    } else if (runtime != NULL && runtime[0] == '/') {
        len = snprintf(path, size, "%s/sockd.sock", runtime);
    } else {
        /* A place that everybody may write to would let others take the name first. */
        (void)snprintf(why, CONFIG_WHY_SIZE,
                       "XDG_RUNTIME_DIR is not set, so there is no safe place for the "
                       "control socket: give --socket PATH, or set SOCKD_SOCKET");
        return false;
    }
    if (len < 0 || (size_t)len >= size) {
        (void)snprintf(why, CONFIG_WHY_SIZE,
                       "the path of the control socket has more than %zu bytes: %.200s",
                       size - 1, path);
        return false;
    }
    return true;
}
