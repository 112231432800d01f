/* SPDX-License-Identifier: MIT */
/*
 * table.c - the table of commands as arrays, and look-ups in it.
 *
 * Place: every part of the project reads it. The rows of commands.def stand in the order
 * of the enumerations, so a command's parameters and results are slices of two long
 * arrays; table_setup() finds the slices, fills the hash tables for names and parses the
 * presets.
 *
 * Thread: any, after table_setup(); nothing changes then.
 */
#include <config.h>

#include "proto/table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "proto/arena.h"
#include "proto/error.h"

enum { NEED_OPTIONAL, NEED_REQUIRED };
enum { PLACE_OPTION, PLACE_WORD };

static struct command commands[COMMAND_COUNT] = {
#define COMMAND(ID, SUFFIX, NAME, THREAD, ACCESS, FLAGS, SINCE, SUMMARY, TEXT)           \
    {.id = COMMAND_##ID,                                                                 \
     .name = NAME,                                                                       \
     .thread = THREAD_##THREAD,                                                          \
     .access = ACCESS_##ACCESS,                                                          \
     .flags = FLAGS,                                                                     \
     .since = SINCE,                                                                     \
     .summary = SUMMARY,                                                                 \
     .text = TEXT},
#include "proto/commands.def"
};

static const struct param_row params[PARAM_COUNT] = {
#define PARAM(COMMAND, ID, NAME, TYPE, NEED, MIN, MAX, PRESET, SPEC, PLACE, HELP)        \
    {.id = PARAM_##COMMAND##_##ID,                                                       \
     .name = NAME,                                                                       \
     .type = VALUE_##TYPE,                                                               \
     .required = NEED_##NEED,                                                            \
     .min = MIN,                                                                         \
     .max = MAX,                                                                         \
     .preset = PRESET,                                                                   \
     .spec = SPEC,                                                                       \
     .is_word = PLACE_##PLACE,                                                           \
     .help = HELP},
#include "proto/commands.def"
};

static const struct result_row results[RESULT_COUNT] = {
#define RESULT(COMMAND, ID, NAME, TYPE, SPEC, HELP) {NAME, VALUE_##TYPE, SPEC, HELP},
#define FIELD(OBJECT, ID, NAME, TYPE, SPEC, HELP) {NAME, VALUE_##TYPE, SPEC, HELP},
#include "proto/commands.def"
};

static struct object_row objects[OBJECT_COUNT] = {
#define OBJECT(ID, NAME, HELP) {.name = NAME, .help = HELP},
#include "proto/commands.def"
};

/* The command of each parameter and result row; for the members of objects, the object.
 */
static const unsigned char param_commands[PARAM_COUNT] = {
#define PARAM(COMMAND, ID, NAME, TYPE, NEED, MIN, MAX, PRESET, SPEC, PLACE, HELP)        \
    COMMAND_##COMMAND,
#include "proto/commands.def"
};

enum { OBJECT_BASE = COMMAND_COUNT };
static const unsigned char result_holders[RESULT_COUNT] = {
#define RESULT(COMMAND, ID, NAME, TYPE, SPEC, HELP) COMMAND_##COMMAND,
#define FIELD(OBJECT, ID, NAME, TYPE, SPEC, HELP) OBJECT_BASE + OBJECT_##OBJECT,
#include "proto/commands.def"
};
_Static_assert(COMMAND_COUNT + OBJECT_COUNT <= 255,
               "the numbers of the holders fit a byte");

static const struct {
    const char *text;
    size_t size;
} result_keys[RESULT_COUNT] = {
#define RESULT(COMMAND, ID, NAME, TYPE, SPEC, HELP) {"\"" NAME "\":", sizeof(NAME) + 2},
#define FIELD(OBJECT, ID, NAME, TYPE, SPEC, HELP) {"\"" NAME "\":", sizeof(NAME) + 2},
#include "proto/commands.def"
};

static const unsigned char param_sizes[PARAM_COUNT] = {
#define PARAM(COMMAND, ID, NAME, TYPE, NEED, MIN, MAX, PRESET, SPEC, PLACE, HELP)        \
    sizeof(NAME) - 1,
#include "proto/commands.def"
};

static const unsigned char command_sizes[COMMAND_COUNT] = {
#define COMMAND(ID, SUFFIX, NAME, THREAD, ACCESS, FLAGS, SINCE, SUMMARY, TEXT)           \
    sizeof(NAME) - 1,
#include "proto/commands.def"
};

static struct value presets[PARAM_COUNT];

/* Open addressing; a slot holds the number of a row plus one. At most half of each is
 * used. */
enum { COMMAND_SLOTS = 256, PARAM_SLOTS = 1024 };
_Static_assert(COMMAND_COUNT <= COMMAND_SLOTS / 2, "a sparse table keeps look-ups short");
_Static_assert(PARAM_COUNT <= PARAM_SLOTS / 2, "a sparse table keeps look-ups short");
static unsigned char command_slots[COMMAND_SLOTS];
static uint16_t param_slots[PARAM_SLOTS];

/* From the first and the last bytes of a name and its size: they tell the names of the
 * table apart well enough, and the search costs two loads and a multiplication. */
static unsigned hash_name(const char *name, size_t size, unsigned salt)
{
    uint64_t first = 0, last = 0, hash;

    if (size >= 8) {
        memcpy(&first, name, 8);
        memcpy(&last, name + size - 8, 8);
    } else if (size >= 4) {
        memcpy(&first, name, 4);
        memcpy(&last, name + size - 4, 4);
    } else if (size) {
        first = (unsigned char)name[0];
        last =
            (uint64_t)(unsigned char)name[size / 2] << 8 | (unsigned char)name[size - 1];
    }
    hash = (first ^ (last << 5 | last >> 59)) + size + ((uint64_t)salt << 17);
    hash *= UINT64_C(0x9E3779B97F4A7C15);
    return (unsigned)(hash >> 40);
}

static void fill_slots(void)
{
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        unsigned slot = hash_name(commands[i].name, command_sizes[i], 0);

        while (command_slots[slot % COMMAND_SLOTS])
            slot++;
        command_slots[slot % COMMAND_SLOTS] = (unsigned char)(i + 1);
    }
    for (unsigned i = 0; i < PARAM_COUNT; i++) {
        unsigned slot = hash_name(params[i].name, param_sizes[i], param_commands[i] + 1U);

        while (param_slots[slot % PARAM_SLOTS])
            slot++;
        param_slots[slot % PARAM_SLOTS] = (uint16_t)(i + 1);
    }
}

static void find_slices(void)
{
    for (unsigned i = 0; i < PARAM_COUNT; i++) {
        struct command *command = &commands[param_commands[i]];

        if (command->n_params++ == 0)
            command->params = &params[i];
    }
    for (unsigned i = 0; i < RESULT_COUNT; i++) {
        unsigned holder = result_holders[i];

        if (holder >= OBJECT_BASE) {
            struct object_row *object = &objects[holder - OBJECT_BASE];

            if (object->n_fields++ == 0)
                object->fields = &results[i];
        } else if (commands[holder].n_results++ == 0) {
            commands[holder].results = &results[i];
        }
    }
}

/* A preset that does not fit its own row is a fault of the table: nothing can run with
 * it. Presets may not be texts, which would have to outlive the JSON they come from. */
static void parse_preset(unsigned i)
{
    struct arena arena = {0};
    struct error error;
    json_error_t json_error;
    json_t *json;

    if (!params[i].preset)
        return;
    json = arena_json(&arena, params[i].preset, strlen(params[i].preset), JSON_DECODE_ANY,
                      &json_error);
    if (!json || !value_check(&presets[i], &params[i], json, &arena, &error))
        abort();
    if (!value_is_plain(&presets[i]))
        abort();
    arena_fini(&arena);
}

static void setup(void)
{
    arena_setup();
    find_slices();
    fill_slots();
    for (unsigned i = 0; i < PARAM_COUNT; i++)
        parse_preset(i);
}

void table_setup(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, setup); /* cannot fail with an initialised control */
}

const struct command *table_command(enum command_id id) { return &commands[id]; }

const struct command *table_find(const char *name, size_t size)
{
    for (unsigned slot = hash_name(name, size, 0);; slot++) {
        unsigned i = command_slots[slot % COMMAND_SLOTS];

        if (i == 0)
            return NULL;
        if (command_sizes[i - 1] == size && memcmp(commands[i - 1].name, name, size) == 0)
            return &commands[i - 1];
    }
}

const struct object_row *table_object(const char *name)
{
    for (unsigned i = 0; i < OBJECT_COUNT; i++) {
        if (strcmp(objects[i].name, name) == 0)
            return &objects[i];
    }
    return NULL;
}

const struct object_row *table_object_row(enum object_id id) { return &objects[id]; }

const struct param_row *table_param(enum param_id id) { return &params[id]; }

const struct result_row *table_result(enum result_id id) { return &results[id]; }

const struct value *table_preset(enum param_id id) { return &presets[id]; }

const char *table_result_key(enum result_id id, size_t *size)
{
    *size = result_keys[id].size;
    return result_keys[id].text;
}

const struct param_row *table_command_param(const struct command *command,
                                            const char *name, size_t size)
{
    for (unsigned slot = hash_name(name, size, command->id + 1U);; slot++) {
        unsigned i = param_slots[slot % PARAM_SLOTS];

        if (i == 0)
            return NULL;
        if (param_commands[i - 1] == command->id && param_sizes[i - 1] == size &&
            memcmp(params[i - 1].name, name, size) == 0)
            return &params[i - 1];
    }
}
