/* SPDX-License-Identifier: MIT */
/*
 * arena.h - memory that belongs to one request and is given back in one step.
 *
 * A request's JSON tree, its decoded parameters and the state of a waiting operation are
 * cut from an arena, so that the common request costs no malloc() and ends without
 * walking a tree.
 *
 * Thread: an arena has one holder at a time; it may move between threads with its
 * request. Chunks come from and return to a small store of the running thread.
 */
#ifndef SOCKD_PROTO_ARENA_H
#define SOCKD_PROTO_ARENA_H

#include <jansson.h>
#include <stddef.h>

struct arena_chunk;

/* Owner: whoever embeds it. All zero is an empty arena. */
struct arena {
    struct arena_chunk *chunks; /* newest first */
    char *next;                 /* free room of the newest chunk */
    size_t room;
};

/* Installs the allocator hooks of jansson, on top of those that are there, and seeds its
 * hashes. Before any JSON of ours; again, from any thread: no-op. */
void arena_setup(void);

/* Memory of `size` bytes aligned for any object, valid until arena_fini(). NULL: out of
 * memory. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_zalloc(struct arena *arena, size_t size);

/* Parses one JSON text into a tree that lives in the arena. It must never be passed to
 * json_incref(), json_decref() or any changing function. After arena_setup() only. NULL:
 * see `error`. */
json_t *arena_json(struct arena *arena, const char *text, size_t size, size_t flags,
                   json_error_t *error);

/* Between these two, what jansson allocates in the running thread comes from the arena,
 * and what it frees stays there. They do not nest. */
void arena_enter(struct arena *arena);
void arena_leave(void);

/* Bytes of memory that it holds. */
size_t arena_size(const struct arena *arena);

/* Gives everything back. The arena is empty and usable again. */
void arena_fini(struct arena *arena);

/* The same, and leaves nothing of what was in it: for one that has held secrets. */
void arena_wipe(struct arena *arena);

/* Frees the chunks that the running thread keeps for reuse; when a thread ends. */
void arena_thread_end(void);

#endif
