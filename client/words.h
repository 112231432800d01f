/* SPDX-License-Identifier: MIT */
/*
 * words.h - a line of text taken apart into words, with quotes, escapes and variables.
 *
 * The shell reads its commands with it and the completion the line being typed. Words
 * hold bytes: NUL may be among them.
 */
#ifndef SOCKD_CLIENT_WORDS_H
#define SOCKD_CLIENT_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct draft;
struct problem;

struct word {
    char *text; /* a NUL that is not counted stands behind it */
    size_t size;
};

/* Owner: whoever embeds it; all zero is empty. */
struct words {
    struct word *items;
    size_t n, room;
};

void words_add(struct words *words, const void *bytes, size_t size);
void words_fini(struct words *words);

/*
 * Adds the value of the variable `name` ("" is the last result) or, with `member`, of
 * that member of it. False: *problem says why there is none.
 */
typedef bool words_lookup(void *state, const char *name, const char *member,
                          struct draft *out, struct problem *problem);

/*
 * Adds the words of the line. Blanks separate; '...' is taken as it is; "..." knows \n \r
 * \t \0 \xNN and takes the character after any other backslash; # at the beginning of a
 * word starts a comment. $NAME, $NAME.MEMBER, ${NAME.MEMBER}, $ and $.MEMBER are looked
 * up, but not within '...'. False: *problem says what is wrong.
 */
bool words_split(struct words *words, const char *line, size_t size, words_lookup *lookup,
                 void *state, struct problem *problem);

/* For a line that is still being typed: nothing is looked up, open quotes are no problem,
 * and the last word is the one being typed ("" after a blank). */
void words_split_typed(struct words *words, const char *line, size_t size);

#endif
