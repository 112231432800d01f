/* SPDX-License-Identifier: MIT */
/*
 * tls_choice.c - from the name in a ClientHello to a context.
 *
 * The names of all contexts are one sorted array. Called by the commands that make a
 * listener, and by tls_hello.c in every handshake. Thread: any.
 */
#include <config.h>
#include "daemon/net/tls_choice.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/net/tls_parts.h"

struct choice_name {
    const char *text; /* belongs to the context; "*.example.org" for a wildcard */
    unsigned context;
};

/* Owner: those who hold references. */
struct tls_choice {
    _Atomic unsigned n_refs;
    unsigned n_contexts, n_names;
    struct tls_context **contexts;
    struct choice_name *names; /* sorted; equal ones in the order of the contexts */
};

static int compare(const void *first, const void *second)
{
    const struct choice_name *one = first, *other = second;
    int order = strcmp(one->text, other->text);

    return order != 0 ? order
                      : (one->context > other->context) - (one->context < other->context);
}

struct tls_choice *tls_choice_new(struct tls_context *const *contexts,
                                  unsigned n_contexts, struct error *error)
{
    struct tls_choice *choice = MEM_NEW(struct tls_choice);

    CHECK(n_contexts > 0);
    choice->n_refs = 1;
    choice->contexts = mem_resize(NULL, n_contexts * sizeof *choice->contexts);
    for (unsigned i = 0; i < n_contexts; i++) {
        struct tls_context *context = contexts[i];

        if (context->role != TLS_SERVER) {
            tls_choice_unref(choice);
            (void)error_set_parameter(error, "ssl-context", "contexts of servers");
            return NULL;
        }
        choice->contexts[choice->n_contexts++] = tls_context_ref(context);
        choice->names =
            mem_resize(choice->names,
                       (choice->n_names + context->n_names + 1) * sizeof *choice->names);
        for (unsigned k = 0; k < context->n_names; k++) {
            choice->names[choice->n_names++] = (struct choice_name){context->names[k], i};
        }
    }
    qsort(choice->names, choice->n_names, sizeof *choice->names, compare);
    return choice;
}

struct tls_choice *tls_choice_ref(struct tls_choice *choice)
{
    choice->n_refs++;
    return choice;
}

void tls_choice_unref(struct tls_choice *choice)
{
    if (choice == NULL || --choice->n_refs > 0) {
        return;
    }
    for (unsigned i = 0; i < choice->n_contexts; i++) {
        tls_context_unref(choice->contexts[i]);
    }
    free(choice->contexts);
    free(choice->names);
    free(choice);
}

struct tls_context *tls_choice_default(const struct tls_choice *choice)
{
    return choice->contexts[0];
}

/* The first of the names that are equal. */
static struct tls_context *look_up(const struct tls_choice *choice, const char *text)
{
    unsigned low = 0, high = choice->n_names;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (strcmp(choice->names[middle].text, text) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == choice->n_names || strcmp(choice->names[low].text, text) != 0) {
        return NULL;
    }
    return choice->contexts[choice->names[low].context];
}

struct tls_context *tls_choice_find(const struct tls_choice *choice, const char *name,
                                    size_t size)
{
    char text[TLS_NAME_SIZE];

    if (size > 0 && name[size - 1] == '.') {
        size--;
    }
    if (size == 0 || size >= sizeof text || memchr(name, 0, size) != NULL) {
        return tls_choice_default(choice);
    }
    for (size_t i = 0; i < size; i++) {
        text[i] = (char)tolower((unsigned char)name[i]);
    }
    text[size] = 0;
    struct tls_context *found = look_up(choice, text);
    char *dot = strchr(text, '.');

    /* "www.example.org" is served by "*.example.org": one label, a whole one. A client
     * that asks for "*.example.org" itself asks for nothing that exists. */
    if (text[0] == '*') {
        found = NULL;
    } else if (found == NULL && dot != NULL && dot > text) {
        dot[-1] = '*';
        found = look_up(choice, dot - 1);
    }
    return found != NULL ? found : tls_choice_default(choice);
}
