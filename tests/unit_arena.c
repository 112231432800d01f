/* SPDX-License-Identifier: MIT */
/*
 * unit_arena.c - arena.c: alignment, sizes of all kinds, JSON trees, use from several
 * threads.
 */
#include <config.h>

#include <jansson.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/arena.h"
#include "tests/unit.h"

static void before(void) { arena_setup(); }

static void after(void) { arena_thread_end(); }

static void test_pieces_do_not_overlap(void)
{
    static unsigned char *pieces[3000];
    struct arena arena = {0};

    for (size_t i = 0; i < 3000; i++) {
        size_t size = i * 7 % 200;

        pieces[i] = arena_alloc(&arena, size);
        CU_ASSERT_PTR_NOT_NULL_FATAL(pieces[i]);
        CU_ASSERT_EQUAL((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        memset(pieces[i], (int)(i % 251), size);
    }
    for (size_t i = 0; i < 3000; i++) {
        for (size_t k = 0; k < i * 7 % 200; k++) {
            if (pieces[i][k] != i % 251) {
                UNIT_FAIL("piece %zu was overwritten at %zu", i, k);
                break;
            }
        }
    }
    arena_fini(&arena);
    CU_ASSERT_PTR_NULL(arena.chunks);
}

/* Sizes around those of a chunk; a large piece leaves the room of the newest chunk in
 * use. */
static void test_large_pieces(void)
{
    static const size_t sizes[] = {0,    1,    1008, 1024, 1025, 4000,
                                   4064, 4080, 4081, 4096, 4097, 1 << 20};
    struct arena arena = {0};
    char *before_large, *after_large;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char *memory = arena_zalloc(&arena, sizes[i]);

        CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
        for (size_t k = 0; k < sizes[i]; k++) {
            if (memory[k]) {
                UNIT_FAIL("size %zu: byte %zu is not zero", sizes[i], k);
                break;
            }
        }
        memset(memory, 0xAA, sizes[i]);
    }
    arena_fini(&arena);
    before_large = arena_alloc(&arena, 16);
    CU_ASSERT_PTR_NOT_NULL(arena_alloc(&arena, 100000));
    after_large = arena_alloc(&arena, 16);
    CU_ASSERT(after_large > before_large && after_large - before_large <= 64);
    arena_fini(&arena);
}

static void test_impossible_size(void)
{
    struct arena arena = {0};

    CU_ASSERT_PTR_NULL(arena_alloc(&arena, SIZE_MAX));
    CU_ASSERT_PTR_NULL(arena_alloc(&arena, SIZE_MAX - 40));
    CU_ASSERT_PTR_NOT_NULL(arena_alloc(&arena, 10));
    arena_fini(&arena);
}

static void test_tree(void)
{
    static const char text[] =
        "{\"list\":[1,2.5,\"three\",null,true,{\"four\":4}],\"x\":\"y\"}";
    struct arena arena = {0};
    json_error_t error;
    json_t *json, *list;

    for (unsigned round = 0; round < 100; round++) {
        json = arena_json(&arena, text, sizeof(text) - 1, 0, &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(json);
        list = json_object_get(json, "list");
        CU_ASSERT_EQUAL(json_array_size(list), 6);
        CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(list, 2)), "three");
        CU_ASSERT_EQUAL(
            json_integer_value(json_object_get(json_array_get(list, 5), "four")), 4);
        arena_fini(&arena);
    }
}

/* A parse that fails half way leaves what it had in the arena, where it is given back. */
static void test_bad_tree(void)
{
    static const char text[] = "{\"list\":[1,2,[3,[4,{\"a\":\"b\"}]],";
    struct arena arena = {0};
    json_error_t error;

    CU_ASSERT_PTR_NULL(arena_json(&arena, text, sizeof(text) - 1, 0, &error));
    CU_ASSERT(error.position > 0);
    arena_fini(&arena);
}

/* Trees outside of arenas are jansson's own as ever. */
static void test_usual_trees(void)
{
    json_t *json = json_pack("{s:[i,s]}", "a", 1, "b");
    char *text;

    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    text = json_dumps(json, JSON_COMPACT);
    CU_ASSERT_STRING_EQUAL(text, "{\"a\":[1,\"b\"]}");
    free(text);
    json_decref(json);
}

static void *work(void *unused)
{
    static const char text[] = "[[1,2,3],{\"a\":{\"b\":\"c\"}}]";
    uintptr_t n_bad = 0;

    (void)unused;
    for (unsigned i = 0; i < 2000; i++) {
        struct arena arena = {0};
        json_error_t error;
        json_t *json = arena_json(&arena, text, sizeof(text) - 1, 0, &error);

        n_bad += json_array_size(json) != 2;
        n_bad += arena_alloc(&arena, i % 5000) == NULL;
        arena_fini(&arena);
    }
    arena_thread_end();
    return (void *)n_bad;
}

static void test_threads(void)
{
    pthread_t threads[4];
    void *n_bad;

    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, work, NULL), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(pthread_join(threads[i], &n_bad), 0);
        CU_ASSERT_PTR_NULL(n_bad);
    }
}

static void *fill(void *arena)
{
    for (unsigned i = 0; i < 1000; i++) {
        if (!arena_alloc(arena, 100)) {
            return arena;
        }
    }
    return NULL;
}

/* Memory taken in one thread is given back in another. */
static void test_hand_over(void)
{
    struct arena arena = {0};
    pthread_t thread;
    void *result;

    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, fill, &arena), 0);
    CU_ASSERT_EQUAL(pthread_join(thread, &result), 0);
    CU_ASSERT_PTR_NULL(result);
    CU_ASSERT_PTR_NOT_NULL(arena_alloc(&arena, 100));
    arena_fini(&arena);
}

static const struct unit_test tests[] = {
    {"pieces do not overlap", test_pieces_do_not_overlap},
    {"large pieces and the bounds of chunks", test_large_pieces},
    {"an impossible size is refused", test_impossible_size},
    {"a tree lives in an arena", test_tree},
    {"a tree that cannot be parsed leaks nothing", test_bad_tree},
    {"usual trees are not concerned", test_usual_trees},
    {"several threads at once", test_threads},
    {"an arena moves between threads", test_hand_over},
};

UNIT_MAIN_AROUND(tests, before, after)
