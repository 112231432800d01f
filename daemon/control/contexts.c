/* SPDX-License-Identifier: MIT */
/*
 * contexts.c - the table of TLS contexts that can be named.
 *
 * Called by the commands and by the reader of the configuration; calls tls_offer.c.
 * Thread: any.
 *
 * The table is an array in the order of the handles. Several workers give them, so a new
 * one is put into its place. Contexts are few: names are looked for from the beginning.
 */
#include <config.h>
#include "daemon/control/contexts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/base/check.h"
#include "daemon/base/handle.h"
#include "daemon/base/loop.h"
#include "daemon/base/quota.h"
#include "daemon/control/request.h"
#include "daemon/net/tls_offer.h"

/* Owner: the table. */
struct entry {
    int64_t handle;
    char *name; /* NULL: none */
    struct sock_owner owner;
    bool is_configured;
    uid_t *users;
    unsigned n_users;
    unsigned version;
    int64_t created, updated;
    struct tls_published *published;
    struct tls_config config; /* what it was made of: an update begins with it */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static struct entry **entries;
static size_t n_entries;

static void entry_free(struct entry *entry)
{
    if (!entry->is_configured) {
        quota_give(QUOTA_CONTEXTS, entry->owner.uid);
    }
    tls_published_unref(entry->published);
    tls_config_fini(&entry->config);
    free(entry->name);
    free(entry->users);
    free(entry);
}

/* ---- Rights ---- */

static bool is_own(const struct entry *entry, const struct caller *caller)
{
    return caller->is_admin || (!entry->is_configured && caller->uid == entry->owner.uid);
}

static bool may_use(const struct entry *entry, const struct caller *caller)
{
    for (unsigned i = 0; i < entry->n_users; i++) {
        if (entry->users[i] == caller->uid) {
            return true;
        }
    }
    return is_own(entry, caller);
}

static bool refuse(const struct entry *entry, struct error *error)
{
    const char *rule = entry->is_configured ? "context-users" : "own-user";

    (void)error_set(error, ERROR_PERMISSION_DENIED,
                    entry->is_configured
                        ? "the configuration does not let this user do that with it"
                        : "the context belongs to another user");
    memcpy(error->subject, rule, strlen(rule) + 1);
    return false;
}

/* ---- Finding; within the lock ---- */

static size_t place_of(int64_t handle)
{
    size_t low = 0, high = n_entries;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entries[middle]->handle < handle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct entry *find_handle(int64_t handle)
{
    size_t place = place_of(handle);

    return place < n_entries && entries[place]->handle == handle ? entries[place] : NULL;
}

static struct entry *find_name(const char *name, uid_t uid, bool is_configured)
{
    for (size_t i = 0; i < n_entries; i++) {
        struct entry *entry = entries[i];
        if (entry->name != NULL && strcmp(entry->name, name) == 0 &&
            entry->is_configured == is_configured &&
            (is_configured || entry->owner.uid == uid)) {
            return entry;
        }
    }
    return NULL;
}

/* A user's own names come before those of the configuration. */
static struct entry *find(const struct value_reference *reference,
                          const struct caller *caller, struct error *error)
{
    struct entry *entry = NULL;

    if (reference->handle != 0) {
        entry = find_handle(reference->handle);
    } else {
        entry = find_name(reference->name.text, caller->uid, false);
        entry = entry != NULL ? entry : find_name(reference->name.text, 0, true);
    }
    if (entry == NULL && reference->handle != 0) {
        (void)error_set(error, ERROR_NO_SUCH_CONTEXT, "no context has the handle %lld",
                        (long long)reference->handle);
    } else if (entry == NULL) {
        (void)error_set(error, ERROR_NO_SUCH_CONTEXT, "no context has the name %s",
                        reference->name.text);
    } else if (!may_use(entry, caller)) {
        (void)refuse(entry, error);
        entry = NULL;
    }
    return entry;
}

static struct entry *find_own(const struct value_reference *reference,
                              const struct caller *caller, struct error *error)
{
    struct entry *entry = find(reference, caller, error);

    if (entry != NULL && !is_own(entry, caller)) {
        (void)refuse(entry, error);
        entry = NULL;
    }
    return entry;
}

static void take_out(struct entry *entry)
{
    size_t place = place_of(entry->handle);

    n_entries--;
    memmove(entries + place, entries + place + 1, (n_entries - place) * sizeof *entries);
}

/* ---- Adding ---- */

static bool is_name_free(const char *name, uid_t uid, bool is_configured,
                         struct error *error)
{
    if (find_name(name, uid, is_configured) != NULL) {
        return error_set_parameter(error, "name", "a name that no other context has");
    }
    return true;
}

bool contexts_check_name(const char *name, uid_t uid, bool is_configured,
                         struct error *error)
{
    /* A command line could not tell it from a handle. */
    if (strspn(name, "0123456789") == strlen(name)) {
        return error_set_parameter(error, "name", "a name that is no number");
    }
    pthread_mutex_lock(&lock);
    bool is_free = is_name_free(name, uid, is_configured, error);

    pthread_mutex_unlock(&lock);
    return is_free;
}

static struct entry *entry_new(const struct context_spec *spec,
                               struct tls_context *context, struct tls_config *config)
{
    struct entry *entry = MEM_NEW(struct entry);

    entry->name = spec->name != NULL ? mem_copy_text(spec->name) : NULL;
    entry->owner = spec->owner;
    entry->is_configured = spec->is_configured;
    entry->users = mem_resize(NULL, (spec->n_users + 1) * sizeof *entry->users);
    entry->n_users = spec->n_users;
    if (spec->n_users > 0) {
        memcpy(entry->users, spec->users, spec->n_users * sizeof *entry->users);
    }
    entry->created = (int64_t)time(NULL);
    entry->published = tls_published_new(context);
    entry->config = *config;
    *config = (struct tls_config){0};
    return entry;
}

/* The number is all that is wanted of the table of the worker. */
static int64_t new_handle(struct loop *loop)
{
    if (loop == NULL) {
        return (int64_t)n_entries + 1;
    }
    int64_t handle = handle_add(loop_handles(loop), HANDLE_CONTEXT, &entries);

    handle_remove(loop_handles(loop), handle);
    return handle;
}

int64_t contexts_add(struct loop *loop, const struct context_spec *spec,
                     struct tls_context *context, struct tls_config *config,
                     struct error *error)
{
    if (!spec->is_configured && !quota_take(QUOTA_CONTEXTS, spec->owner.uid)) {
        uint32_t limit;
        const char *name = quota_refusal(QUOTA_CONTEXTS, &limit);
        (void)error_set_limit(error, name, limit);
        return 0;
    }
    int64_t handle = new_handle(loop);

    pthread_mutex_lock(&lock);
    bool is_free = spec->name == NULL ||
                   is_name_free(spec->name, spec->owner.uid, spec->is_configured, error);
    if (is_free) {
        struct entry *entry = entry_new(spec, context, config);
        size_t place = place_of(handle);
        entry->handle = handle;
        entries = mem_resize(entries, (n_entries + 1) * sizeof(struct entry *));
        memmove(entries + place + 1, entries + place,
                (n_entries - place) * sizeof *entries);
        entries[place] = entry;
        n_entries++;
    }
    pthread_mutex_unlock(&lock);
    if (!is_free && !spec->is_configured) {
        quota_give(QUOTA_CONTEXTS, spec->owner.uid);
    }
    return is_free ? handle : 0;
}

/* ---- Use ---- */

struct tls_published *contexts_find(const struct value_reference *reference,
                                    const struct caller *caller, struct error *error)
{
    pthread_mutex_lock(&lock);
    const struct entry *entry = find(reference, caller, error);
    struct tls_published *published =
        entry != NULL ? tls_published_ref(entry->published) : NULL;

    pthread_mutex_unlock(&lock);
    return published;
}

struct tls_offer *contexts_offer(const struct value *value, const struct caller *caller,
                                 const char *parameter, struct error *error)
{
    struct tls_published *places[TLS_OFFER_MAX] = {NULL};
    struct tls_offer *offer = NULL;
    unsigned n = 0;

    CHECK(value->references.n <= TLS_OFFER_MAX);
    while (n < value->references.n &&
           (places[n] = contexts_find(&value->references.items[n], caller, error)) !=
               NULL) {
        n++;
    }
    if (n == value->references.n) {
        offer = tls_offer_new(places, n, parameter, error);
    }
    while (n > 0) {
        tls_published_unref(places[--n]);
    }
    return offer;
}

/* The context is fetched outside of the lock, by finish_view(). */
static struct tls_published *begin_view(const struct entry *entry,
                                        struct context_view *view)
{
    *view = (struct context_view){
        .handle = entry->handle,
        .owner = entry->owner,
        .created = entry->created,
        .updated = entry->updated,
    };
    if (entry->name != NULL) {
        size_t size = strnlen(entry->name, CONTEXT_NAME_SIZE - 1);
        memcpy(view->name, entry->name, size);
    }
    return tls_published_ref(entry->published);
}

static void finish_view(struct context_view *view, struct tls_published *published)
{
    view->context = tls_published_get(published);
    tls_published_unref(published);
}

void context_view_fini(struct context_view *view)
{
    tls_context_unref(view->context);
    view->context = NULL;
}

bool contexts_view(const struct value_reference *reference, const struct caller *caller,
                   struct context_view *view, struct error *error)
{
    struct tls_published *published = NULL;

    pthread_mutex_lock(&lock);
    const struct entry *entry = find(reference, caller, error);

    if (entry != NULL) {
        published = begin_view(entry, view);
    }
    pthread_mutex_unlock(&lock);
    if (published != NULL) {
        finish_view(view, published);
    }
    return published != NULL;
}

bool contexts_next(int64_t after, const struct caller *caller, struct context_view *view)
{
    struct tls_published *published = NULL;

    pthread_mutex_lock(&lock);
    for (size_t i = place_of(after + 1); i < n_entries && published == NULL; i++) {
        if (may_use(entries[i], caller)) {
            published = begin_view(entries[i], view);
        }
    }
    pthread_mutex_unlock(&lock);
    if (published != NULL) {
        finish_view(view, published);
    }
    return published != NULL;
}

/* ---- Change ---- */

bool contexts_edit(const struct value_reference *reference, const struct caller *caller,
                   int64_t *handle, unsigned *version, struct tls_config *config,
                   struct error *error)
{
    pthread_mutex_lock(&lock);
    const struct entry *entry = find_own(reference, caller, error);

    if (entry != NULL) {
        *handle = entry->handle;
        *version = entry->version;
        tls_config_copy(config, &entry->config);
    }
    pthread_mutex_unlock(&lock);
    return entry != NULL;
}

/* Within the lock: takes over *config; what was there goes to *old. The context follows
 * outside of it. */
static struct tls_published *swap(struct entry *entry, struct tls_config *config,
                                  struct tls_config *old)
{
    *old = entry->config;
    entry->config = *config;
    *config = (struct tls_config){0};
    entry->version++;
    entry->updated = (int64_t)time(NULL);
    return tls_published_ref(entry->published);
}

static bool finish_swap(struct tls_published *published, struct tls_context *context,
                        struct tls_config *old)
{
    if (published == NULL) {
        return false;
    }
    tls_published_replace(published, context);
    tls_published_unref(published);
    tls_config_fini(old);
    return true;
}

bool contexts_replace(int64_t handle, unsigned version, struct tls_context *context,
                      struct tls_config *config, struct error *error)
{
    struct tls_published *published = NULL;
    struct tls_config old = {0};

    pthread_mutex_lock(&lock);
    struct entry *entry = find_handle(handle);

    if (entry == NULL) {
        (void)error_set(error, ERROR_NO_SUCH_CONTEXT, "the context was closed meanwhile");
    } else if (entry->version != version) {
        (void)error_set(error, ERROR_BUSY, "the context was updated meanwhile");
    } else {
        published = swap(entry, config, &old);
    }
    pthread_mutex_unlock(&lock);
    return finish_swap(published, context, &old);
}

bool contexts_renew(const char *name, struct tls_context *context,
                    struct tls_config *config)
{
    struct tls_published *published = NULL;
    struct tls_config old = {0};

    pthread_mutex_lock(&lock);
    struct entry *entry = find_name(name, 0, true);

    if (entry != NULL) {
        published = swap(entry, config, &old);
    }
    pthread_mutex_unlock(&lock);
    return finish_swap(published, context, &old);
}

/* ---- The end ---- */

bool contexts_close(const struct value_reference *reference, const struct caller *caller,
                    struct error *error)
{
    pthread_mutex_lock(&lock);
    struct entry *entry = find_own(reference, caller, error);

    if (entry != NULL) {
        take_out(entry);
    }
    pthread_mutex_unlock(&lock);
    if (entry == NULL) {
        return false;
    }
    entry_free(entry);
    return true;
}

void contexts_close_client(int64_t client)
{
    struct entry *entry;

    do {
        entry = NULL;
        pthread_mutex_lock(&lock);
        for (size_t i = 0; i < n_entries && entry == NULL; i++) {
            if (!entries[i]->is_configured && entries[i]->owner.client == client) {
                entry = entries[i];
                take_out(entry);
            }
        }
        pthread_mutex_unlock(&lock);
        if (entry != NULL) {
            entry_free(entry);
        }
    } while (entry != NULL);
}

void contexts_maintain(void)
{
    static const struct caller everybody = {.is_admin = true};
    struct context_view view;
    int64_t handle = 0;

    while (contexts_next(handle, &everybody, &view)) {
        handle = view.handle;
        tls_context_maintain(view.context);
        context_view_fini(&view);
    }
}

void contexts_fini(void)
{
    for (size_t i = 0; i < n_entries; i++) {
        entry_free(entries[i]);
    }
    free(entries);
    entries = NULL;
    n_entries = 0;
}
