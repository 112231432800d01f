/* SPDX-License-Identifier: MIT */
/*
 * handle.h - handle numbers and the per-worker table they index.
 *
 * A handle is serial * 64 + worker: it names its worker, is never reused, and stays below
 * 2^53 for readers of JSON. Serials of a table only grow, so the table is a sorted array:
 * look-up is a binary search, and pages of a list are found without walking it.
 */
#ifndef SOCKD_BASE_HANDLE_H
#define SOCKD_BASE_HANDLE_H

#include <stddef.h>
#include <stdint.h>

enum { HANDLE_MAX_WORKERS = 64 };

/* What a handle stands for; a look-up names the kind it wants. */
enum handle_kind {
    HANDLE_ANY,
    HANDLE_SOCK,
    HANDLE_CLIENT,  /* control connection */
    HANDLE_REQUEST, /* waiting request */
    HANDLE_CONTEXT, /* TLS context */
    HANDLE_TUNNEL,
    HANDLE_AWAY, /* a sock that works in another worker for a while */
    HANDLE_KINDS
};

struct handle_slot {
    int64_t handle;
    enum handle_kind kind;
    void *object; /* NULL: gone */
};

/* Thread: that of the worker. Owner: the worker. */
struct handle_table {
    int worker;
    int64_t last_serial;
    struct handle_slot *slots;
    size_t n_slots, room, n_gone;
    size_t n_guests; /* slots of handles that name another worker */
    size_t n_kind[HANDLE_KINDS];
};

static inline unsigned handle_worker(int64_t handle)
{
    return (unsigned)(handle & (HANDLE_MAX_WORKERS - 1));
}

void handle_table_init(struct handle_table *table, int worker);
/* The objects are not touched: their owners free them. */
void handle_table_fini(struct handle_table *table);
/* A new handle, larger than all before; worker w begins with 64 + w. */
int64_t handle_add(struct handle_table *table, enum handle_kind kind, void *object);
/* The object answers to this handle here, whose serial was given out before, in this
 * table or that of another worker. What has answered to it here no longer does. */
void handle_put(struct handle_table *table, int64_t handle, enum handle_kind kind,
                void *object);
/* The handle must be there, unless it is 0: then nothing happens (an object that never
 * got one). */
void handle_remove(struct handle_table *table, int64_t handle);
/* NULL: gone, of another kind, or never was. */
void *handle_find(const struct handle_table *table, int64_t handle,
                  enum handle_kind kind);
/* The first object of the kind whose handle is above `after`; NULL: none. For walking in
 * order: the table may change between calls. */
void *handle_next(const struct handle_table *table, int64_t after, enum handle_kind kind,
                  int64_t *handle);
/* Objects that are there, of one kind or of all. */
size_t handle_count(const struct handle_table *table, enum handle_kind kind);

#endif
