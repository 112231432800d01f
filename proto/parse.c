/* SPDX-License-Identifier: MIT */
/*
 * parse.c - one JSON text to a tree of jansson, in an arena.
 *
 * Place: message_parse(), for every line of a client. Jansson's own reader takes each
 * byte through several calls, which was most of the cost of a small request and made long
 * strings slow; its trees are kept, so nobody else sees a difference. It also took a raw
 * NUL after a number for the end of the text. A fuzz target holds the two readers against
 * each other.
 *
 * Thread: any.
 */
#include <config.h>

#include "proto/parse.h"

#include <stdint.h>
#include <string.h>
#include "proto/arena.h"
#include "proto/error.h"
#include "proto/text.h"

struct parser {
    const char *begin, *at, *end;
    unsigned depth; /* levels that may still be entered */
    unsigned max_depth;
    struct arena *arena;
    struct error *error;
};

static json_t *read_value(struct parser *parser);

static json_t *fail(struct parser *parser, const char *at, const char *what)
{
    (void)error_set(parser->error, ERROR_PARSE, "byte %zu: %s",
                    (size_t)(at - parser->begin), what);
    return NULL;
}

static json_t *fail_limit(struct parser *parser, const char *limit, int64_t value,
                          const char *message)
{
    (void)error_set_limit(parser->error, limit, value);
    (void)error_set_final(parser->error);
    (void)error_set_message(parser->error, message);
    return NULL;
}

/* What a constructor of jansson answered: NULL is out of memory. */
static json_t *made(struct parser *parser, json_t *json)
{
    if (!json)
        (void)error_set(parser->error, ERROR_INTERNAL, "out of memory");
    return json;
}

/* Gives a half-made tree back: the library parses without the hooks of the arena, so that
 * its trees are ordinary ones. With the hooks this frees nothing. */
static json_t *drop(json_t *json)
{
    json_decref(json);
    return NULL;
}

static void skip_space(struct parser *parser)
{
    while (parser->at < parser->end && (*parser->at == ' ' || *parser->at == '\t' ||
                                        *parser->at == '\r' || *parser->at == '\n'))
        parser->at++;
}

/* ---- Strings ---- */

/* Four hexadecimal digits; false: they are not there. */
static bool read_unit(const char **at, const char *end, uint32_t *unit)
{
    *unit = 0;
    if (end - *at < 4)
        return false;
    for (unsigned i = 0; i < 4; i++) {
        char c = *(*at)++;

        if (c >= '0' && c <= '9')
            *unit = *unit << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *unit = *unit << 4 | (uint32_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            *unit = *unit << 4 | (uint32_t)(c - 'A' + 10);
        else
            return false;
    }
    return true;
}

/* The character of \uXXXX, or of two of them that are a pair of surrogates. `*at` is
 * behind the first u. False: bad digits or a lone surrogate. */
static bool read_character(const char **at, const char *end, uint32_t *character)
{
    uint32_t low;

    if (!read_unit(at, end, character))
        return false;
    if (*character < 0xD800 || *character > 0xDFFF)
        return true;
    if (*character > 0xDBFF || end - *at < 2 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return false;
    *at += 2;
    if (!read_unit(at, end, &low) || low < 0xDC00 || low > 0xDFFF)
        return false;
    *character = 0x10000 + ((*character - 0xD800) << 10 | (low - 0xDC00));
    return true;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xC0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *to++ = (char)(0xE0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    } else {
        *to++ = (char)(0xF0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3F));
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    }
    return to;
}

/* Where the string ends whose inside begins at `at`: at its closing quote. NULL: nowhere.
 */
static const char *find_quote(const char *at, const char *end)
{
    for (;;) {
        at += text_plain_run(at, (size_t)(end - at));
        if (at == end)
            return NULL;
        if (*at == '"')
            return at;
        at += *at == '\\' && at + 1 < end ? 2 : 1;
    }
}

static bool read_escape(const char **at, const char *end, char **to)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter;
    uint32_t character;
    char c;

    if (*at == end)
        return false;
    c = *(*at)++;
    if (c == 'u') {
        if (!read_character(at, end, &character))
            return false;
        *to = put_utf8(*to, character);
        return true;
    }
    letter = c ? strchr(letters, c) : NULL;
    if (!letter)
        return false;
    *(*to)++ = meanings[letter - letters];
    return true;
}

/* A string that has escapes is put together in memory of the arena: never longer than its
 * text. */
static bool unescape(struct parser *parser, const char *at, const char *end,
                     const char **text, size_t *size)
{
    char *begin = arena_alloc(parser->arena, (size_t)(end - at) + 1), *to = begin;

    if (!begin) {
        (void)made(parser, NULL);
        return false;
    }
    while (at < end) {
        size_t run = text_plain_run(at, (size_t)(end - at));

        memcpy(to, at, run);
        to += run;
        at += run;
        if (at == end)
            break;
        if (*at != '\\') {
            (void)fail(parser, at, "a raw control byte in a string");
            return false;
        }
        at++;
        if (!read_escape(&at, end, &to)) {
            (void)fail(parser, at - 1, "a bad escape in a string");
            return false;
        }
    }
    *to = 0;
    *text = begin;
    *size = (size_t)(to - begin);
    return true;
}

/* The string whose opening quote is next. The text is that of the line when it has no
 * escapes. */
static bool read_text(struct parser *parser, const char **text, size_t *size)
{
    const char *begin = ++parser->at;
    size_t run = text_plain_run(begin, (size_t)(parser->end - begin));
    const char *quote = begin + run;

    if (quote < parser->end && *quote == '"') {
        *text = begin;
        *size = run;
        parser->at = quote + 1;
        return true;
    }
    quote = find_quote(begin, parser->end);
    if (!quote) {
        (void)fail(parser, parser->end, "a string without end");
        return false;
    }
    parser->at = quote + 1;
    return unescape(parser, begin, quote, text, size);
}

static json_t *read_string(struct parser *parser)
{
    const char *text;
    size_t size;

    if (!read_text(parser, &text, &size))
        return NULL;
    return made(parser, json_stringn_nocheck(text, size));
}

/* ---- Numbers and words ---- */

static size_t count_digits(const char *at, const char *end)
{
    size_t n = 0;

    while (at + n < end && at[n] >= '0' && at[n] <= '9')
        n++;
    return n;
}

/* Where the number ends that begins at `at`; NULL: it is none. *is_real: it has more than
 * digits. */
static const char *scan_number(const char *at, const char *end, bool *is_real)
{
    size_t n;

    *is_real = false;
    if (*at == '-')
        at++;
    n = count_digits(at, end);
    if (n == 0 || (n > 1 && *at == '0'))
        return NULL;
    at += n;
    if (at < end && *at == '.') {
        *is_real = true;
        n = count_digits(++at, end);
        if (n == 0)
            return NULL;
        at += n;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        *is_real = true;
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        n = count_digits(at, end);
        if (n == 0)
            return NULL;
        at += n;
    }
    return at;
}

/* Real numbers are rare, and the locale makes them hard: jansson reads them. */
static json_t *read_real(struct parser *parser, const char *at, size_t size)
{
    json_error_t error;
    json_t *json = json_loadb(at, size, JSON_DECODE_ANY, &error);

    if (json)
        return json;
    if (json_error_code(&error) == json_error_numeric_overflow)
        return fail_limit(parser, "number-range", INT64_MAX, "a number is too large");
    return made(parser, NULL);
}

static json_t *read_number(struct parser *parser)
{
    const char *begin = parser->at, *digit;
    bool is_real, is_negative = *begin == '-';
    const char *end = scan_number(begin, parser->end, &is_real);
    uint64_t value = 0, limit = (uint64_t)INT64_MAX + is_negative;

    if (!end)
        return fail(parser, begin, "a bad number");
    parser->at = end;
    if (is_real)
        return read_real(parser, begin, (size_t)(end - begin));
    for (digit = begin + is_negative; digit < end; digit++) {
        uint64_t next = (uint64_t)(*digit - '0');

        if (value > (limit - next) / 10)
            return fail_limit(parser, "number-range", INT64_MAX, "a number is too large");
        value = value * 10 + next;
    }
    return made(parser,
                json_integer(is_negative ? (json_int_t)-value : (json_int_t)value));
}

static json_t *read_word(struct parser *parser, const char *word, size_t size,
                         json_t *json)
{
    if ((size_t)(parser->end - parser->at) < size || memcmp(parser->at, word, size) != 0)
        return fail(parser, parser->at, "no JSON value");
    parser->at += size;
    return json;
}

/* ---- Lists and objects ---- */

/* What follows a member: true when it is a comma; false with *is_end, or with the error
 * set. */
static bool read_comma(struct parser *parser, char closing, bool *is_end)
{
    skip_space(parser);
    *is_end = false;
    if (parser->at < parser->end && *parser->at == ',') {
        parser->at++;
        return true;
    }
    if (parser->at < parser->end && *parser->at == closing) {
        parser->at++;
        *is_end = true;
        return false;
    }
    (void)fail(parser, parser->at,
               closing == ']' ? "wanted is , or ]" : "wanted is , or }");
    return false;
}

/* Whether the list or object that was just opened is closed at once. */
static bool is_empty(struct parser *parser, char closing)
{
    skip_space(parser);
    if (parser->at == parser->end || *parser->at != closing)
        return false;
    parser->at++;
    return true;
}

static json_t *read_list(struct parser *parser)
{
    json_t *list = made(parser, json_array());
    bool is_end = is_empty(parser, ']');

    while (list && !is_end) {
        json_t *json = read_value(parser);

        if (!json)
            return drop(list);
        if (json_array_append_new(list, json)) {
            (void)made(parser, NULL);
            return drop(list);
        }
        if (!read_comma(parser, ']', &is_end) && !is_end)
            return drop(list);
    }
    return list;
}

/* Sets a member under a name that does not end in NUL in the text. */
static bool set_member(struct parser *parser, json_t *object, const char *name,
                       size_t size, json_t *json)
{
    char small[64];
    char *copy = size < sizeof(small) ? small : arena_alloc(parser->arena, size + 1);
    size_t n = json_object_size(object);

    if (!copy)
        return made(parser, NULL);
    memcpy(copy, name, size);
    copy[size] = 0;
    if (json_object_set_new_nocheck(object, copy, json))
        return made(parser, NULL);
    if (json_object_size(object) == n)
        return fail_limit(parser, "duplicate-keys", 0,
                          "an object has the same member twice");
    return true;
}

static bool read_member(struct parser *parser, json_t *object)
{
    const char *begin, *name;
    size_t size;
    json_t *json;

    skip_space(parser);
    begin = parser->at;
    if (begin == parser->end || *begin != '"')
        return fail(parser, begin, "wanted is the name of a member in quotes");
    if (!read_text(parser, &name, &size))
        return false;
    if (memchr(name, 0, size))
        return fail(parser, begin, "NUL in the name of a member");
    skip_space(parser);
    if (parser->at == parser->end || *parser->at != ':')
        return fail(parser, parser->at, "wanted is :");
    parser->at++;
    json = read_value(parser);
    return json && set_member(parser, object, name, size, json);
}

static json_t *read_object(struct parser *parser)
{
    json_t *object = made(parser, json_object());
    bool is_end = is_empty(parser, '}');

    while (object && !is_end) {
        if (!read_member(parser, object))
            return drop(object);
        if (!read_comma(parser, '}', &is_end) && !is_end)
            return drop(object);
    }
    return object;
}

/* Goes one level down; the depth is bounded, and so is the stack. */
static json_t *read_nested(struct parser *parser)
{
    json_t *json;
    char c = *parser->at;

    if (parser->depth == 0) {
        (void)error_set_limit(parser->error, "nesting", parser->max_depth);
        (void)error_set_final(parser->error);
        return NULL;
    }
    parser->depth--;
    parser->at++;
    json = c == '{' ? read_object(parser) : read_list(parser);
    parser->depth++;
    return json;
}

static json_t *read_value(struct parser *parser)
{
    skip_space(parser);
    if (parser->at == parser->end)
        return fail(parser, parser->at, "the text ends where a value is wanted");
    switch (*parser->at) {
    case '{':
    case '[':
        return read_nested(parser);
    case '"':
        return read_string(parser);
    case 't':
        return read_word(parser, "true", 4, json_true());
    case 'f':
        return read_word(parser, "false", 5, json_false());
    case 'n':
        return read_word(parser, "null", 4, json_null());
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return read_number(parser);
    default:
        return fail(parser, parser->at, "no JSON value");
    }
}

bool parse_json(const char *text, size_t size, unsigned max_depth, struct arena *arena,
                json_t **out, struct error *error)
{
    struct parser parser = {
        .begin = text,
        .at = text,
        .end = text + size,
        .depth = max_depth,
        .max_depth = max_depth,
        .arena = arena,
        .error = error,
    };
    bool is_cut;
    size_t valid = text_utf8_prefix(text, size, &is_cut);
    json_t *json;

    if (valid < size)
        return fail(&parser, text + valid, "not UTF-8");
    arena_enter(arena);
    json = read_value(&parser);
    if (json) {
        skip_space(&parser);
        if (parser.at < parser.end) {
            (void)drop(json);
            json = fail(&parser, parser.at, "something follows the JSON text");
        }
    }
    arena_leave();
    if (json)
        *out = json;
    return json != NULL;
}
