/* SPDX-License-Identifier: MIT */
/*
 * arena.c - memory that belongs to one request; jansson's trees can be cut from it.
 *
 * Place: called for every request by the control connections, and by the library. Jansson
 * has one pair of allocator hooks for the process, so the hooks ask a thread-local
 * variable whether an arena is to be used: it is set only from arena_enter() to
 * arena_leave().
 *
 * Thread: any; the store of free chunks is the running thread's.
 */
#include <config.h>

#include "proto/arena.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_IS_CHECKED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_IS_CHECKED 1
#endif

/* With AddressSanitizer, what is not handed out is poisoned, and a gap stands behind each
 * piece, so that an overrun inside of a chunk is found as one of malloc()ed memory would
 * be. */
#ifdef ARENA_IS_CHECKED
#include <sanitizer/asan_interface.h>
#define ARENA_POISON(ADDRESS, SIZE) ASAN_POISON_MEMORY_REGION(ADDRESS, SIZE)
#define ARENA_UNPOISON(ADDRESS, SIZE) ASAN_UNPOISON_MEMORY_REGION(ADDRESS, SIZE)
enum { ARENA_GAP = 16 };
#else
#define ARENA_POISON(ADDRESS, SIZE) ((void)(ADDRESS), (void)(SIZE))
#define ARENA_UNPOISON(ADDRESS, SIZE) ((void)(ADDRESS), (void)(SIZE))
enum { ARENA_GAP = 0 };
#endif

enum {
    ARENA_ALIGN = alignof(max_align_t),
    CHUNK_SIZE = 4096, /* of a usual chunk, its head included */
    CHUNKS_KEPT = 64,  /* at most, by one thread */
    LARGE_SIZE = 1024, /* what does not fit and is larger gets a chunk of its own */
};

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* of the whole; CHUNK_SIZE: may be kept */
};

enum {
    CHUNK_HEAD =
        (sizeof(struct arena_chunk) + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN,
    CHUNK_ROOM = CHUNK_SIZE - CHUNK_HEAD,
};

static _Thread_local struct {
    struct arena_chunk *chunks;
    unsigned n;
} store;

/* Where jansson's memory comes from in this thread; NULL: from malloc(). */
static _Thread_local struct arena *current;

/* The hooks that were there before ours: a program that uses the library may have its
 * own. */
static json_malloc_t next_malloc;
static json_free_t next_free;

static void *hook_malloc(size_t size)
{
    return current ? arena_alloc(current, size) : next_malloc(size);
}

static void hook_free(void *memory)
{
    /* A tree in an arena is freed by arena_fini() alone. */
    if (!current)
        next_free(memory);
}

static void setup(void)
{
    json_get_alloc_funcs(&next_malloc, &next_free);
    json_set_alloc_funcs(hook_malloc, hook_free);
    json_object_seed(0);
}

void arena_setup(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, setup); /* cannot fail with an initialised control */
}

static struct arena_chunk *chunk_take(void)
{
    struct arena_chunk *chunk = store.chunks;

    if (chunk) {
        store.chunks = chunk->next;
        store.n--;
    } else {
        chunk = malloc(CHUNK_SIZE);
        if (!chunk)
            return NULL;
        chunk->size = CHUNK_SIZE;
    }
    ARENA_POISON((char *)chunk + CHUNK_HEAD, CHUNK_ROOM);
    return chunk;
}

static void chunk_give_back(struct arena_chunk *chunk)
{
    if (chunk->size != CHUNK_SIZE || store.n == CHUNKS_KEPT) {
        ARENA_UNPOISON(chunk, chunk->size);
        free(chunk);
        return;
    }
    chunk->next = store.chunks;
    store.chunks = chunk;
    store.n++;
    ARENA_POISON((char *)chunk + CHUNK_HEAD, CHUNK_ROOM);
}

/* Memory in a chunk of its own, behind the newest chunk, whose room stays in use. */
static void *alloc_large(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk;

    chunk = malloc(CHUNK_HEAD + size);
    if (!chunk)
        return NULL;
    chunk->size = CHUNK_HEAD + size;
    if (arena->chunks) {
        chunk->next = arena->chunks->next;
        arena->chunks->next = chunk;
    } else {
        chunk->next = NULL;
        arena->chunks = chunk;
    }
    return (char *)chunk + CHUNK_HEAD;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk;
    size_t needed;
    char *memory;

    /* Larger than any object can be; no sum below overflows. */
    if (size > PTRDIFF_MAX - CHUNK_SIZE)
        return NULL;
    if (size == 0)
        size = 1; /* NULL is kept for failure */
    needed = (size + ARENA_GAP + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (needed > arena->room) {
        if (needed > LARGE_SIZE)
            return alloc_large(arena, size);
        chunk = chunk_take();
        if (!chunk)
            return NULL;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
        arena->next = (char *)chunk + CHUNK_HEAD;
        arena->room = CHUNK_ROOM;
    }
    memory = arena->next;
    arena->next += needed;
    arena->room -= needed;
    ARENA_UNPOISON(memory, size);
    return memory;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    void *memory = arena_alloc(arena, size);

    if (memory)
        memset(memory, 0, size);
    return memory;
}

void arena_enter(struct arena *arena) { current = arena; }

void arena_leave(void) { current = NULL; }

json_t *arena_json(struct arena *arena, const char *text, size_t size, size_t flags,
                   json_error_t *error)
{
    json_t *json;

    arena_enter(arena);
    json = json_loadb(text, size, flags, error);
    arena_leave();
    return json;
}

size_t arena_size(const struct arena *arena)
{
    size_t size = 0;

    for (const struct arena_chunk *chunk = arena->chunks; chunk; chunk = chunk->next)
        size += chunk->size;
    return size;
}

void arena_fini(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunks;

    while (chunk) {
        struct arena_chunk *next = chunk->next;

        chunk_give_back(chunk);
        chunk = next;
    }
    memset(arena, 0, sizeof(*arena));
}

void arena_wipe(struct arena *arena)
{
    for (struct arena_chunk *chunk = arena->chunks; chunk; chunk = chunk->next) {
        ARENA_UNPOISON(chunk, chunk->size);
        explicit_bzero((char *)chunk + CHUNK_HEAD, chunk->size - CHUNK_HEAD);
    }
    arena_fini(arena);
}

void arena_thread_end(void)
{
    while (store.chunks) {
        struct arena_chunk *chunk = store.chunks;

        ARENA_UNPOISON(chunk, CHUNK_SIZE);
        store.chunks = chunk->next;
        free(chunk);
    }
    store.n = 0;
}
