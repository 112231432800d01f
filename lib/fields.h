/* SPDX-License-Identifier: MIT */
/*
 * fields.h - C structs to JSON parameters and JSON results to C structs, both from
 * tables.
 *
 * Each struct of sockd.h that travels has one array of struct field; the operations hold
 * no other code for its members. Results are allocated here, with everything they point
 * to, as one thing that sockd_free() takes.
 */
#ifndef SOCKD_LIB_FIELDS_H
#define SOCKD_LIB_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/sockd.h"

struct request;
struct shape;

enum field_type {
    MEMBER_FLAG,    /* int: 0, 1 or SOCKD_UNSET */
    MEMBER_BOOL,    /* bool; results only */
    MEMBER_INT,     /* int, SOCKD_UNSET: absent */
    MEMBER_LONG,    /* int64_t, SOCKD_UNSET: absent */
    MEMBER_COUNT,   /* int64_t, 0: absent; results only */
    MEMBER_SIZE,    /* size_t; results only */
    MEMBER_SECONDS, /* double; SOCKD_UNSET: absent; null in results is SOCKD_FOREVER */
    MEMBER_WORD,    /* enum: place in `words`, from 1; 0: absent */
    MEMBER_SWITCH,  /* as WORD; "false" and "true" are booleans on the wire */
    MEMBER_IPV6,    /* enum sockd_ipv6 */
    MEMBER_TEXT,    /* const char *, NULL: absent */
    MEMBER_TEXTS,  /* const char *const *; options: ended by NULL; results: after a size_t
                    */
    MEMBER_FILE,   /* const char *: name of a file, read and sent; `words` is its kind as
                      in the table; options only */
    MEMBER_SECRET, /* as TEXT, and wiped afterwards; options only */
    MEMBER_PAIRS,  /* array of struct sockd_pair, after a size_t; results only */
    MEMBER_BYTES,  /* const void *, then a size_t; options only, with `encoding` */
    MEMBER_OBJECT, /* pointer to a struct of `shape`; results only */
    MEMBER_OBJECTS,  /* array of pointers to structs of `shape`, after a size_t; results
                        only */
    MEMBER_COUNTERS, /* array of struct sockd_counter, after a size_t; results only */
};

struct field {
    const char *name; /* on the wire */
    enum field_type type;
    size_t offset; /* in the struct */
    const char *words;
    const struct shape *shape;
};

/* A struct: its size and its fields. `preset` is what it begins as; NULL: all zero. */
struct shape {
    size_t size;
    const struct field *fields;
    unsigned n_fields;
    const void *preset;
};

#define MEMBER(STRUCT, NAME_IN_C, NAME, TYPE, ...)                                       \
    {                                                                                    \
        NAME, MEMBER_##TYPE, offsetof(struct STRUCT, NAME_IN_C), __VA_ARGS__             \
    }

/*
 * Copies the caller's struct, which may be NULL or older than the library, to `own`,
 * which is of `shape`. False: its size is none that can be; noted in the request as
 * parameter `name`.
 */
bool options_copy(void *own, const struct shape *shape, const void *options,
                  struct request *request, const char *name);
/* Writes the members that are set as parameters. */
void options_write(struct request *request, const struct shape *shape,
                   const void *options);

/*
 * Fills a caller's struct that begins with its size, which may be older than the library,
 * from a result. What the result does not have stays as the preset says.
 */
int answer_fill(void *answer, const struct shape *shape, const json_t *json,
                struct sockd_error *error);
/* Checks that size before anything is sent. */
void answer_check(struct request *request, const void *answer, const struct shape *shape,
                  const char *name);

/* Memory for sockd_free(), zeroed. It holds `json` (takes the reference over, also when
 * it fails). NULL: out of memory. */
void *result_new(size_t size, json_t *json);
/* More memory that goes with it. */
void *result_more(void *result, size_t size);
/* A struct of `shape` made from a result; takes the reference over. Texts point into it.
 */
int result_make(void *result, const struct shape *shape, json_t *json,
                struct sockd_error *error);

/* Sends the request and makes a struct of its result. Frees the request. `null_is_good`:
 * a result that is null gives NULL. `result` NULL: nobody wants it. */
int request_make(struct request *request, const struct shape *shape, bool null_is_good,
                 void *result);
/* Sends the request and fills a struct of the caller, which may be NULL. Frees the
 * request. */
int request_fill(struct request *request, const struct shape *shape, void *answer);

/* Sends the request and reads the members of its result into variables: `to[i]`, which
 * may be NULL, gets the member of fields[i], whose offset does not matter. Frees the
 * request. */
int request_read(struct request *request, const struct field *fields, void *const *to,
                 unsigned n);
/* Writes one word as a parameter. */
void request_word(struct request *request, const char *name, const char *words,
                  int index);

/* Place of a word in "a|b|c", from 1; 0: not in it. */
int word_index(const char *words, const char *word);
/* The word at a place; false: there is none. */
bool word_at(const char *words, int index, const char **word, size_t *size);

#endif
