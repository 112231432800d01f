/* SPDX-License-Identifier: MIT */
/*
 * words.c - a line of text taken apart into words, with quotes, escapes and variables.
 */
#include <config.h>
#include "client/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "client/draft.h"
#include "client/memory.h"
#include "client/problem.h"

struct splitter {
    const char *at, *end;
    struct draft word;
    bool is_in_word;      /* "" is a word too */
    bool is_typed;        /* see words_split_typed() */
    words_lookup *lookup; /* NULL: $ is an ordinary character */
    void *state;
    struct problem *problem;
};

void words_add(struct words *words, const void *bytes, size_t size)
{
    if (words->n == words->room) {
        words->room = words->room ? words->room * 2 : 16;
        words->items = memory_grow(words->items, words->room * sizeof(*words->items));
    }
    char *text = memory_new(size + 1);

    if (size)
        memcpy(text, bytes, size);
    words->items[words->n++] = (struct word){.text = text, .size = size};
}

void words_fini(struct words *words)
{
    for (size_t i = 0; i < words->n; i++)
        free(words->items[i].text);
    free(words->items);
    *words = (struct words){0};
}

static bool is_name_char(char c) { return isalnum((unsigned char)c) || c == '_'; }

static bool is_member_char(char c) { return isalnum((unsigned char)c) || c == '-'; }

/* Takes the characters that `test` accepts. For the caller to free(). */
static char *take_while(struct splitter *splitter, bool (*test)(char c))
{
    struct draft taken = {0};

    while (splitter->at < splitter->end && test(*splitter->at))
        draft_add_char(&taken, *splitter->at++);
    return draft_take(&taken);
}

/* `at` stands behind the $. */
static bool take_variable(struct splitter *splitter)
{
    bool is_braced = splitter->at < splitter->end && *splitter->at == '{';
    char *member = NULL;
    bool ok = true;

    splitter->at += is_braced;
    char *name = take_while(splitter, is_name_char);
    if (splitter->end - splitter->at >= 2 && splitter->at[0] == '.' &&
        isalpha((unsigned char)splitter->at[1])) {
        splitter->at++;
        member = take_while(splitter, is_member_char);
    }
    if (is_braced) {
        if (splitter->at < splitter->end && *splitter->at == '}')
            splitter->at++;
        else
            ok = problem_usage(splitter->problem, "${%s: the closing brace is missing",
                               name);
    }
    ok = ok && splitter->lookup(splitter->state, name, member, &splitter->word,
                                splitter->problem);
    free(name);
    free(member);
    return ok;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'         ? c - '0'
           : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                        : -1;
}

/* `at` stands behind the backslash, within double quotes. */
static bool take_escape(struct splitter *splitter)
{
    char c = *splitter->at++;

    if (c == 'x') {
        int high = splitter->end - splitter->at >= 2 ? hex_digit(splitter->at[0]) : -1;
        int low = high >= 0 ? hex_digit(splitter->at[1]) : -1;

        if (low < 0)
            return splitter->is_typed ||
                   problem_usage(splitter->problem, "\\x wants two hexadecimal digits");
        splitter->at += 2;
        draft_add_char(&splitter->word, (char)(high * 16 + low));
        return true;
    }
    static const char from[] = {'n', 'r', 't', '0'};
    static const char to[] = {'\n', '\r', '\t', '\0'};
    const char *found = memchr(from, c, sizeof(from));

    if (found)
        c = to[found - from];
    draft_add_char(&splitter->word, c);
    return true;
}

/* `at` stands behind the opening quote. */
static bool take_quoted(struct splitter *splitter, char quote)
{
    while (splitter->at < splitter->end) {
        char c = *splitter->at++;

        if (c == quote)
            return true;
        if (quote == '"' && c == '\\' && splitter->at < splitter->end) {
            if (!take_escape(splitter))
                return false;
        } else if (quote == '"' && c == '$' && splitter->lookup) {
            if (!take_variable(splitter))
                return false;
        } else {
            draft_add_char(&splitter->word, c);
        }
    }
    return splitter->is_typed ||
           problem_usage(splitter->problem, "the closing %c is missing", quote);
}

static void end_word(struct splitter *splitter, struct words *words)
{
    if (splitter->is_in_word)
        words_add(words, splitter->word.data, splitter->word.size);
    draft_fini(&splitter->word);
    splitter->is_in_word = false;
}

static bool split(struct splitter *splitter, struct words *words)
{
    while (splitter->at < splitter->end) {
        char c = *splitter->at++;

        if (isspace((unsigned char)c)) {
            end_word(splitter, words);
            continue;
        }
        if (c == '#' && !splitter->is_in_word && !splitter->is_typed)
            break;
        splitter->is_in_word = true;
        if (c == '\'' || c == '"') {
            if (!take_quoted(splitter, c))
                return false;
        } else if (c == '$' && splitter->lookup) {
            if (!take_variable(splitter))
                return false;
        } else if (c == '\\' && splitter->at < splitter->end) {
            draft_add_char(&splitter->word, *splitter->at++);
        } else {
            draft_add_char(&splitter->word, c);
        }
    }
    if (splitter->is_typed)
        splitter->is_in_word = true;
    end_word(splitter, words);
    return true;
}

bool words_split(struct words *words, const char *line, size_t size, words_lookup *lookup,
                 void *state, struct problem *problem)
{
    struct splitter splitter = {.at = line,
                                .end = line + size,
                                .lookup = lookup,
                                .state = state,
                                .problem = problem};
    bool ok = split(&splitter, words);

    draft_fini(&splitter.word);
    return ok;
}

void words_split_typed(struct words *words, const char *line, size_t size)
{
    struct problem ignored = {0};
    struct splitter splitter = {
        .at = line, .end = line + size, .is_typed = true, .problem = &ignored};

    (void)split(&splitter, words); /* a typed line has no problems */
    draft_fini(&splitter.word);
}
