/* SPDX-License-Identifier: MIT */
/*
 * value.h - the types a parameter or result can have: check JSON, parse command-line
 * text, name.
 *
 * All types live here and nowhere else. A checked value is plain C; jansson ends behind
 * it. Text and lists in a value point into the JSON tree or the arena it was checked
 * with.
 */
#ifndef SOCKD_PROTO_VALUE_H
#define SOCKD_PROTO_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct error;
struct param_row;
struct params;

enum value_type {
    VALUE_BOOL,
    VALUE_INT,        /* min..max */
    VALUE_SECONDS,    /* number, fractions allowed, not negative unless min says so */
    VALUE_STRING,     /* UTF-8 text, may hold NUL only where said */
    VALUE_ENUM,       /* one of the words of `spec` */
    VALUE_SWITCH,     /* one of the words of `spec`, of which "false" and "true" are the
                         booleans: "false|optional|required" */
    VALUE_IPV6,       /* false, true or "ipv6": `word` is an enum value_ipv6 */
    VALUE_DATA,       /* bytes: a string in the `encoding` given beside it (utf-8, base64,
                         latin-1) */
    VALUE_FILE,       /* text, as STRING, that people keep in files: a command line or a
                         configuration gives the name of one. `spec`: "file" all of it;
                         "directory" the certificates in it; "line" its first line, a secret */
    VALUE_HANDLE,     /* positive integer below 2^53 */
    VALUE_HANDLES,    /* list of handles */
    VALUE_REFERENCE,  /* handle of an object of the kind `spec`, or its name */
    VALUE_REFERENCES, /* list of these; one by itself is a list of one */
    VALUE_HOST,    /* name, dotted or colon form, 32-bit integer, {"ipv6", "scope-id"} */
    VALUE_PORT,    /* 0..65535 or a service name */
    VALUE_ADDRESS, /* IP address object, or its text form */
    VALUE_INTERFACE, /* number of a network interface, or its name; 0: none */
    VALUE_STRINGS,   /* list of strings; a single string is a list of one */
    VALUE_NAMES,     /* as STRINGS, each one of the words of `spec` */
    VALUE_ENDPOINTS, /* list of addresses, each with a port or without; one by itself is a
                        list of one */
    VALUE_ID,        /* id of a request: string or number */
    VALUE_JSON,      /* anything */
    VALUE_OBJECT,    /* object that takes the parameters of the command `spec` */
    VALUE_OBJECTS,   /* list of these; a single object is a list of one */
    VALUE_PAIRS,     /* results only: list of lists of two strings, a name and a value */
    VALUE_INCLUDE,   /* results only: the members of the OBJECT `spec` stand here */
};

/* Values of VALUE_IPV6: IPv4 only; IPv6 preferred (a look-up answers both); IPv6 only. */
enum value_ipv6 { VALUE_IPV6_FALSE, VALUE_IPV6_TRUE, VALUE_IPV6_ONLY };

struct value_text {
    const char *text; /* NUL-terminated; may hold further NUL bytes before `size` */
    size_t size;
};

/* An Internet address in binary form. */
struct value_ip {
    bool is_ipv6;
    uint8_t bytes[16]; /* network order; IPv4 uses the first four */
    uint32_t scope_id; /* IPv6: 0 is none */
};

/* An address, and a port that goes with it. */
struct value_endpoint {
    struct value_ip ip;
    int port; /* -1: none was given */
};

/* An object by its handle or by its name. */
struct value_reference {
    int64_t handle; /* 0: `name` holds it */
    struct value_text name;
};

struct value_host {
    bool is_address; /* `ip` holds it, no look-up is needed */
    struct value_ip ip;
    struct value_text name; /* as it was given, where it was text */
};

struct value {
    bool present; /* given by the caller, and not null */
    enum value_type type;
    union {
        bool boolean;
        int64_t integer; /* INT, HANDLE, INTERFACE */
        double seconds;
        unsigned word;          /* ENUM, SWITCH: index into the words of spec; IPV6: enum
                                   value_ipv6 */
        struct value_text text; /* STRING, FILE, DATA (decoded bytes) */
        struct value_reference reference;
        struct value_host host;
        struct {
            int number; /* -1: `service` must be looked up */
            struct value_text service;
        } port;
        struct value_ip ip;
        struct {
            const int64_t *items;
            size_t n;
        } handles;
        struct {
            const struct value_reference *items;
            size_t n;
        } references;
        struct {
            const struct value_text *items;
            size_t n;
        } strings;
        struct {
            const struct value_endpoint *items;
            size_t n;
        } endpoints;
        struct {
            struct params *items; /* OBJECT: one, OBJECTS: n */
            size_t n;
        } objects;
        json_t *json; /* ID, JSON: borrowed from the tree */
    };
};

/* Checks `json` against a row. DATA is decoded later, by params_check(), which knows
 * `encoding`. False: *error names the parameter and what it wants. */
bool value_check(struct value *value, const struct param_row *row, json_t *json,
                 struct arena *arena, struct error *error);

/* Whether the value holds all it says: no text, list, object or JSON that lives
 * elsewhere. */
bool value_is_plain(const struct value *value);

/* Turns command-line text into the JSON that value_check() takes: "yes" -> true, "10" ->
 * 10, "a,b" -> ["a","b"], JSON texts for OBJECT and JSON. That of a FILE is taken for
 * what the file holds: whoever may read the file does that before. NULL: *error says why.
 * New reference. */
json_t *value_from_text(const struct param_row *row, const char *text,
                        struct error *error);

/* "integer", "host", ... for help and introspection. */
const char *value_type_name(enum value_type type);

/* What a row takes, in words: "an integer from 1 to 65535", "one of stream, datagram". */
void value_describe(const struct param_row *row, char *text, size_t size);

/* Name of word number `index` of a "a|b|c" spec; NULL past the end. Size in *size. */
const char *value_word(const char *spec, unsigned index, size_t *size);
/* The number of the word that is the text. False: none is. */
bool value_find_word(const char *spec, struct value_text text, unsigned *index);

#endif
