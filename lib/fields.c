/* SPDX-License-Identifier: MIT */
/*
 * fields.c - C structs to JSON parameters and JSON results to C structs, from tables.
 *
 * Place: between request.c and the operations. Thread: any; it works on the caller's
 * memory and on results that nobody else knows yet.
 */
#include <config.h>

#include "lib/fields.h"

#include <stdlib.h>
#include <string.h>
#include "lib/internal.h"
#include "proto/text.h"

/* What lies in front of each thing that sockd_free() takes. */
struct result {
    struct block *blocks; /* more memory that goes with it */
    json_t *json;         /* that texts point into; NULL: none */
    max_align_t memory[]; /* what the caller sees */
};

struct block {
    struct block *next;
    max_align_t memory[];
};

static struct result *result_of(void *memory)
{
    return (struct result *)(void *)((char *)memory - offsetof(struct result, memory));
}

void *result_new(size_t size, json_t *json)
{
    struct result *result = calloc(1, sizeof(*result) + size);

    if (!result) {
        json_decref(json);
        return NULL;
    }
    result->json = json;
    return result->memory;
}

void *result_more(void *memory, size_t size)
{
    struct result *result = result_of(memory);
    struct block *block = calloc(1, sizeof(*block) + size);

    if (!block)
        return NULL;
    block->next = result->blocks;
    result->blocks = block;
    return block->memory;
}

void sockd_free(void *memory)
{
    struct result *result;

    if (!memory)
        return;
    result = result_of(memory);
    while (result->blocks) {
        struct block *block = result->blocks;

        result->blocks = block->next;
        free(block);
    }
    json_decref(result->json);
    free(result);
}

/* ---- Words ---- */

bool word_at(const char *words, int index, const char **word, size_t *size)
{
    while (words && index > 1) {
        words = strchr(words, '|');
        if (words)
            words++;
        index--;
    }
    if (!words || index < 1)
        return false;
    *word = words;
    *size = strcspn(words, "|");
    return true;
}

int word_index(const char *words, const char *word)
{
    const char *candidate;
    size_t size;

    for (int i = 1; word && word_at(words, i, &candidate, &size); i++) {
        if (strlen(word) == size && memcmp(candidate, word, size) == 0)
            return i;
    }
    return 0;
}

/* ---- Options to parameters ---- */

bool options_copy(void *own, const struct shape *shape, const void *options,
                  struct request *request, const char *name)
{
    size_t size;

    memcpy(own, shape->preset, shape->size);
    if (!options)
        return true;
    memcpy(&size, options, sizeof(size));
    if (size < sizeof(size) || size > shape->size) {
        /* 0: not begun with the macro. Too large: the program is newer than the library.
         */
        request_bad(request, name,
                    "begun with its ..._INIT, and not newer than the library");
        return false;
    }
    memcpy(own, options, size);
    return true;
}

/* Words that are booleans on the wire. */
static void write_switch(struct request *request, const char *name, const char *words,
                         int index)
{
    if (index == word_index(words, "false") || index == word_index(words, "true"))
        request_bool(request, name, index == word_index(words, "true"));
    else
        request_word(request, name, words, index);
}

void request_word(struct request *request, const char *name, const char *words, int index)
{
    const char *word;
    size_t size;

    if (!word_at(words, index, &word, &size)) {
        request_bad(request, name, words);
        return;
    }
    writer_key(&request->writer, name);
    writer_string(&request->writer, word, size);
}

static void write_ipv6(struct request *request, const char *name, int value)
{
    if (value == SOCKD_IPV6_ONLY)
        request_text(request, name, "ipv6");
    else if (value == SOCKD_IPV6_OFF || value == SOCKD_IPV6_PREFERRED)
        request_bool(request, name, value == SOCKD_IPV6_PREFERRED);
    else
        request_bad(request, name, "one of enum sockd_ipv6");
}

static void write_texts(struct request *request, const char *name,
                        const char *const *texts)
{
    writer_key(&request->writer, name);
    writer_begin_array(&request->writer);
    for (; *texts; texts++) {
        if (text_is_utf8(*texts, strlen(*texts)))
            writer_string(&request->writer, *texts, strlen(*texts));
        else
            request_bad(request, name, "UTF-8 texts");
    }
    writer_end_array(&request->writer);
}

/* Long because it is one switch over all types. */
static void write_field(struct request *request, const struct field *field,
                        const char *at)
{
    union {
        int number;
        int64_t large;
        double seconds;
        const char *text;
        const char *const *texts;
        struct {
            const void *bytes;
            size_t size;
        } data;
    } value;

    switch (field->type) {
    case MEMBER_FLAG:
        memcpy(&value.number, at, sizeof(value.number));
        if (value.number != SOCKD_UNSET)
            request_bool(request, field->name, value.number != 0);
        return;
    case MEMBER_INT:
        memcpy(&value.number, at, sizeof(value.number));
        if (value.number != SOCKD_UNSET)
            request_int(request, field->name, value.number);
        return;
    case MEMBER_LONG:
        memcpy(&value.large, at, sizeof(value.large));
        if (value.large != SOCKD_UNSET)
            request_int(request, field->name, value.large);
        return;
    case MEMBER_SECONDS:
        memcpy(&value.seconds, at, sizeof(value.seconds));
        if (!(value.seconds <= SOCKD_UNSET))
            request_seconds(request, field->name, value.seconds);
        return;
    case MEMBER_WORD:
        memcpy(&value.number, at, sizeof(value.number));
        if (value.number)
            request_word(request, field->name, field->words, value.number);
        return;
    case MEMBER_SWITCH:
        memcpy(&value.number, at, sizeof(value.number));
        if (value.number)
            write_switch(request, field->name, field->words, value.number);
        return;
    case MEMBER_IPV6:
        memcpy(&value.number, at, sizeof(value.number));
        if (value.number)
            write_ipv6(request, field->name, value.number);
        return;
    case MEMBER_TEXT:
        memcpy(&value.text, at, sizeof(value.text));
        if (value.text)
            request_text(request, field->name, value.text);
        return;
    case MEMBER_FILE:
        memcpy(&value.text, at, sizeof(value.text));
        if (value.text)
            pem_write(request, field->name, field->words, value.text);
        return;
    case MEMBER_SECRET:
        memcpy(&value.text, at, sizeof(value.text));
        if (value.text)
            request_secret(request, field->name, value.text);
        return;
    case MEMBER_TEXTS:
        memcpy(&value.texts, at, sizeof(value.texts));
        if (value.texts)
            write_texts(request, field->name, value.texts);
        return;
    case MEMBER_BYTES:
        memcpy(&value.data, at, sizeof(value.data));
        if (value.data.bytes || value.data.size)
            request_data(request, field->name, value.data.bytes, value.data.size);
        return;
    case MEMBER_BOOL:
    case MEMBER_COUNT:
    case MEMBER_SIZE:
    case MEMBER_PAIRS:
    case MEMBER_OBJECT:
    case MEMBER_OBJECTS:
    case MEMBER_COUNTERS:
        return; /* no options have these */
    }
}

void options_write(struct request *request, const struct shape *shape,
                   const void *options)
{
    for (unsigned i = 0; i < shape->n_fields; i++)
        write_field(request, &shape->fields[i],
                    (const char *)options + shape->fields[i].offset);
}

/* ---- Results to structs ---- */

/* Where a struct is filled: `result` is what further memory goes with. */
static bool read_struct(void *result, void *to, size_t room, const struct shape *shape,
                        const json_t *json);

static bool read_texts(void *result, char *at, const json_t *json)
{
    size_t n = json_array_size(json);
    const char **texts = result_more(result, (n + 1) * sizeof(*texts));

    if (!texts)
        return false;
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(json, i));

        texts[i] = text ? text : "";
    }
    memcpy(at - sizeof(n), &n, sizeof(n));
    memcpy(at, &texts, sizeof(void *));
    return true;
}

/* Each of them a list of a name and a value. */
static bool read_pairs(void *result, char *at, const json_t *json)
{
    size_t n = json_array_size(json);
    struct sockd_pair *pairs = result_more(result, (n + 1) * sizeof(*pairs));

    if (!pairs)
        return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(json, i);
        const char *name = json_string_value(json_array_get(pair, 0));
        const char *value = json_string_value(json_array_get(pair, 1));

        pairs[i].name = name ? name : "";
        pairs[i].value = value ? value : "";
    }
    memcpy(at - sizeof(n), &n, sizeof(n));
    memcpy(at, &pairs, sizeof(void *));
    return true;
}

static bool read_counters(void *result, char *at, const json_t *json)
{
    size_t n = json_object_size(json), i = 0;
    struct sockd_counter *counters = result_more(result, (n + 1) * sizeof(*counters));

    if (!counters)
        return false;
    /* The iterator is not const in jansson, though nothing changes. */
    for (void *member = json_object_iter((json_t *)(uintptr_t)json); member && i < n;
         member = json_object_iter_next((json_t *)(uintptr_t)json, member), i++) {
        counters[i].name = json_object_iter_key(member);
        counters[i].value = json_integer_value(json_object_iter_value(member));
    }
    memcpy(at - sizeof(n), &n, sizeof(n));
    memcpy(at, &counters, sizeof(void *));
    return true;
}

static bool read_object(void *result, char *at, const struct shape *shape,
                        const json_t *json)
{
    void *object = result_more(result, shape->size);

    if (!object || !read_struct(result, object, shape->size, shape, json))
        return false;
    memcpy(at, &object, sizeof(void *));
    return true;
}

static bool read_objects(void *result, char *at, const struct shape *shape,
                         const json_t *json)
{
    size_t n = json_array_size(json);
    char *objects = result_more(result, (n + 1) * sizeof(void *));

    if (!objects)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!read_object(result, objects + i * sizeof(void *), shape,
                         json_array_get(json, i)))
            return false;
    }
    memcpy(at - sizeof(n), &n, sizeof(n));
    memcpy(at, &objects, sizeof(void *));
    return true;
}

static int read_switch(const char *words, const json_t *json)
{
    if (json_is_boolean(json))
        return word_index(words, json_is_true(json) ? "true" : "false");
    return word_index(words, json_string_value(json));
}

static int read_ipv6(const json_t *json)
{
    if (json_is_boolean(json))
        return json_is_true(json) ? SOCKD_IPV6_PREFERRED : SOCKD_IPV6_OFF;
    return json_is_string(json) ? SOCKD_IPV6_ONLY : 0;
}

/* Values of another type than promised count as absent. False: out of memory.
 * Long because it is one switch over all types. */
static bool read_field(void *result, const struct field *field, char *at,
                       const json_t *json)
{
    int number;
    int64_t large = json_integer_value(json);
    double seconds;
    const char *text;
    bool flag = json_is_true(json);
    size_t size;

    switch (field->type) {
    case MEMBER_FLAG:
    case MEMBER_INT:
        if (!json_is_boolean(json) && !json_is_integer(json))
            return true;
        number = json_is_boolean(json) ? flag : (int)large;
        memcpy(at, &number, sizeof(number));
        return true;
    case MEMBER_BOOL:
        memcpy(at, &flag, sizeof(flag));
        return true;
    case MEMBER_LONG:
    case MEMBER_COUNT:
        if (json_is_integer(json))
            memcpy(at, &large, sizeof(large));
        return true;
    case MEMBER_SIZE:
        size = large > 0 ? (size_t)large : 0;
        memcpy(at, &size, sizeof(size));
        return true;
    case MEMBER_SECONDS:
        seconds = json_is_number(json) ? json_number_value(json) : SOCKD_FOREVER;
        memcpy(at, &seconds, sizeof(seconds));
        return true;
    case MEMBER_WORD:
        number = word_index(field->words, json_string_value(json));
        memcpy(at, &number, sizeof(number));
        return true;
    case MEMBER_SWITCH:
        number = read_switch(field->words, json);
        memcpy(at, &number, sizeof(number));
        return true;
    case MEMBER_IPV6:
        number = read_ipv6(json);
        memcpy(at, &number, sizeof(number));
        return true;
    case MEMBER_TEXT:
        text = json_string_value(json);
        memcpy(at, &text, sizeof(text));
        return true;
    case MEMBER_TEXTS:
        return !json_is_array(json) || read_texts(result, at, json);
    case MEMBER_PAIRS:
        return !json_is_array(json) || read_pairs(result, at, json);
    case MEMBER_OBJECT:
        return !json_is_object(json) || read_object(result, at, field->shape, json);
    case MEMBER_OBJECTS:
        return !json_is_array(json) || read_objects(result, at, field->shape, json);
    case MEMBER_COUNTERS:
        return !json_is_object(json) || read_counters(result, at, json);
    case MEMBER_BYTES:
    case MEMBER_FILE:
    case MEMBER_SECRET:
        return true; /* no result has these */
    }
    return true;
}

static size_t field_size(const struct field *field)
{
    switch (field->type) {
    case MEMBER_FLAG:
    case MEMBER_INT:
    case MEMBER_WORD:
    case MEMBER_SWITCH:
    case MEMBER_IPV6:
        return sizeof(int);
    case MEMBER_BOOL:
        return sizeof(bool);
    case MEMBER_LONG:
    case MEMBER_COUNT:
    case MEMBER_SIZE:
    case MEMBER_SECONDS:
    case MEMBER_TEXT:
    case MEMBER_TEXTS:
    case MEMBER_FILE:
    case MEMBER_SECRET:
    case MEMBER_PAIRS:
    case MEMBER_BYTES:
    case MEMBER_OBJECT:
    case MEMBER_OBJECTS:
    case MEMBER_COUNTERS:
        break;
    }
    return sizeof(int64_t);
}

static bool read_struct(void *result, void *to, size_t room, const struct shape *shape,
                        const json_t *json)
{
    if (shape->preset)
        memcpy(to, shape->preset, room);
    for (unsigned i = 0; i < shape->n_fields; i++) {
        const struct field *field = &shape->fields[i];
        const json_t *member = json_object_get(json, field->name);

        if (!member || field->offset + field_size(field) > room)
            continue;
        if (!read_field(result, field, (char *)to + field->offset, member))
            return false;
    }
    return true;
}

void answer_check(struct request *request, const void *answer, const struct shape *shape,
                  const char *name)
{
    size_t size;

    if (!answer)
        return;
    memcpy(&size, answer, sizeof(size));
    if (size < sizeof(size) || size > shape->size)
        request_bad(request, name,
                    "begun with its ..._INIT, and not newer than the library");
}

int answer_fill(void *answer, const struct shape *shape, const json_t *json,
                struct sockd_error *error)
{
    size_t size;

    if (!json_is_object(json))
        return fail(error, SOCKD_E_BAD_REPLY, "the result is no object");
    memcpy(&size, answer, sizeof(size));
    (void)read_struct(NULL, answer, size, shape,
                      json);             /* allocates nothing for such structs */
    memcpy(answer, &size, sizeof(size)); /* the preset has its own */
    return SOCKD_OK;
}

int result_make(void *result, const struct shape *shape, json_t *json,
                struct sockd_error *error)
{
    void *made;

    if (!json_is_object(json)) {
        json_decref(json);
        return fail(error, SOCKD_E_BAD_REPLY, "the result is no object");
    }
    made = result_new(shape->size, json);
    if (!made)
        return fail_memory(error);
    if (!read_struct(made, made, shape->size, shape, json)) {
        sockd_free(made);
        return fail_memory(error);
    }
    memcpy(result, &made, sizeof(made)); /* a pointer of another type: see the contract */
    return SOCKD_OK;
}

int request_make(struct request *request, const struct shape *shape, bool null_is_good,
                 void *result)
{
    const void *none = NULL;
    json_t *json;
    int status = request_result(request, &json);

    if (status != SOCKD_OK)
        return status;
    if (!result || (null_is_good && json_is_null(json))) {
        json_decref(json);
        if (result)
            memcpy(result, &none, sizeof(none));
        return SOCKD_OK;
    }
    return result_make(result, shape, json, request->error);
}

int request_fill(struct request *request, const struct shape *shape, void *answer)
{
    json_t *json;
    int status = request_result(request, &json);

    if (status != SOCKD_OK)
        return status;
    if (answer)
        status = answer_fill(answer, shape, json, request->error);
    json_decref(json);
    return status;
}

int request_read(struct request *request, const struct field *fields, void *const *to,
                 unsigned n)
{
    json_t *json;
    int status = request_result(request, &json);

    if (status != SOCKD_OK)
        return status;
    if (!json_is_object(json))
        status = fail(request->error, SOCKD_E_BAD_REPLY, "the result is no object");
    for (unsigned i = 0; status == SOCKD_OK && i < n; i++) {
        const json_t *member = json_object_get(json, fields[i].name);

        if (to[i] && member)
            (void)read_field(NULL, &fields[i], to[i], member); /* plain values only */
    }
    json_decref(json);
    return status;
}
