/* SPDX-License-Identifier: MIT */
/*
 * unit_handle.c - handle.c: numbers that name their worker and never come again, look-up,
 * walks.
 */
#include <config.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "daemon/base/handle.h"
#include "tests/unit.h"

static int objects[20000]; /* only their addresses matter */

static void test_numbers(void)
{
    struct handle_table table;

    for (int worker = 0; worker < HANDLE_MAX_WORKERS; worker += 9) {
        handle_table_init(&table, worker);
        int64_t first = handle_add(&table, HANDLE_SOCK, &objects[0]);
        int64_t second = handle_add(&table, HANDLE_CLIENT, &objects[1]);
        CU_ASSERT_EQUAL(first, 64 + worker);
        CU_ASSERT_EQUAL(second, 128 + worker);
        CU_ASSERT_EQUAL(handle_worker(second), (unsigned)worker);
        handle_table_fini(&table);
    }
}

static void test_find(void)
{
    struct handle_table table;

    handle_table_init(&table, 5);
    CU_ASSERT_PTR_NULL(handle_find(&table, 69, HANDLE_ANY));
    int64_t sock = handle_add(&table, HANDLE_SOCK, &objects[0]);
    int64_t client = handle_add(&table, HANDLE_CLIENT, &objects[1]);
    int64_t other = handle_add(&table, HANDLE_SOCK, &objects[2]);
    CU_ASSERT_PTR_EQUAL(handle_find(&table, sock, HANDLE_SOCK), &objects[0]);
    CU_ASSERT_PTR_EQUAL(handle_find(&table, client, HANDLE_ANY), &objects[1]);
    CU_ASSERT_PTR_NULL(handle_find(&table, client, HANDLE_SOCK));
    CU_ASSERT_PTR_EQUAL(handle_find(&table, other, HANDLE_SOCK), &objects[2]);
    /* Numbers a client may have made up. */
    const int64_t wrong[] = {0,        -1,         -client,    INT64_MIN, INT64_MAX,
                             sock + 1, client - 1, other + 64, 5};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CU_ASSERT_PTR_NULL(handle_find(&table, wrong[i], HANDLE_ANY));
    }
    handle_remove(&table, client);
    CU_ASSERT_PTR_NULL(handle_find(&table, client, HANDLE_ANY));
    handle_remove(&table, 0);
    CU_ASSERT_EQUAL(handle_count(&table, HANDLE_ANY), 2);
    CU_ASSERT_EQUAL(handle_count(&table, HANDLE_SOCK), 2);
    CU_ASSERT_EQUAL(handle_count(&table, HANDLE_CLIENT), 0);
    handle_table_fini(&table);
}

static void test_never_again(void)
{
    struct handle_table table;
    int64_t last = 0;
    bool is_growing = true;

    handle_table_init(&table, 0);
    for (int i = 0; i < 1000; i++) {
        int64_t handle = handle_add(&table, HANDLE_REQUEST, &objects[i]);
        is_growing = is_growing && handle > last;
        last = handle;
        handle_remove(&table, handle);
    }
    CU_ASSERT(is_growing);
    CU_ASSERT_EQUAL(handle_count(&table, HANDLE_ANY), 0);
    CU_ASSERT_EQUAL(table.n_slots, 0);
    handle_table_fini(&table);
}

static void test_walk(void)
{
    struct handle_table table;
    int64_t handle = 0;
    int n_socks = 0, n_all = 0;

    handle_table_init(&table, 3);
    CU_ASSERT_PTR_NULL(handle_next(&table, 0, HANDLE_ANY, &handle));
    for (int i = 0; i < 100; i++) {
        handle_add(&table, i % 3 == 0 ? HANDLE_SOCK : HANDLE_CLIENT, &objects[i]);
    }
    for (int *object;
         (object = handle_next(&table, handle, HANDLE_SOCK, &handle)) != NULL;) {
        CU_ASSERT_EQUAL(object - objects, n_socks * 3);
        n_socks++;
    }
    CU_ASSERT_EQUAL(n_socks, 34);
    /* The walk goes on although the table changes under it, and sees what was added. */
    handle = INT64_MIN;
    while (handle_next(&table, handle, HANDLE_ANY, &handle) != NULL) {
        n_all++;
        handle_remove(&table, handle);
        if (n_all == 50) {
            handle_add(&table, HANDLE_SOCK, &objects[100]);
        }
    }
    CU_ASSERT_EQUAL(n_all, 101);
    CU_ASSERT_EQUAL(handle_count(&table, HANDLE_ANY), 0);
    handle = 77;
    CU_ASSERT_PTR_NULL(handle_next(&table, INT64_MAX, HANDLE_ANY, &handle));
    CU_ASSERT_EQUAL(handle, 77);
    handle_table_fini(&table);
}

enum { N_MODEL = 20000 };
static int64_t model[N_MODEL]; /* handle of objects[i]; 0: gone */

static int count_differences(const struct handle_table *table, int n)
{
    int n_different = 0;
    size_t n_there = 0;
    int64_t handle = 0;

    for (int i = 0; i < n; i++) {
        int64_t number = 64 * (int64_t)(i + 1) + 7;
        void *wanted = model[i] != 0 ? &objects[i] : NULL;
        n_different += handle_find(table, number, HANDLE_SOCK) != wanted;
        if (model[i] != 0) {
            n_there++;
            n_different += handle_next(table, handle, HANDLE_ANY, &handle) != wanted;
        }
    }
    n_different += handle_count(table, HANDLE_SOCK) != n_there;
    return n_different;
}

static void test_random_against_model(void)
{
    struct handle_table table;
    int n_different = 0, n = 0;

    handle_table_init(&table, 7);
    srand(4711);
    while (n < N_MODEL) {
        model[n] = handle_add(&table, HANDLE_SOCK, &objects[n]);
        n++;
        /* In turn the table grows for a while, then mostly shrinks. */
        for (int tries = n % 4000 < 2000 ? rand() % 2 : rand() % 8; tries > 0; tries--) {
            int i = rand() % n;
            handle_remove(&table, model[i]);
            model[i] = 0;
        }
        if (n % 500 == 0) {
            n_different += count_differences(&table, n);
        }
    }
    CU_ASSERT_EQUAL(n_different, 0);
    handle_table_fini(&table);
}

static void test_memory_follows_the_number(void)
{
    struct handle_table table;

    handle_table_init(&table, 0);
    for (int i = 0; i < 10000; i++) {
        model[i] = handle_add(&table, HANDLE_SOCK, &objects[i]);
    }
    CU_ASSERT(table.room >= 10000);
    for (int i = 0; i < 9990; i++) {
        handle_remove(&table, model[i]);
        CU_ASSERT_FATAL(table.n_gone <= table.n_slots / 2);
    }
    CU_ASSERT_EQUAL(handle_count(&table, HANDLE_SOCK), 10);
    CU_ASSERT(table.room < 500);
    CU_ASSERT_PTR_EQUAL(handle_find(&table, model[9995], HANDLE_SOCK), &objects[9995]);
    handle_table_fini(&table);
}

static const struct unit_test tests[] = {
    {"a number names its worker", test_numbers},
    {"look-up by number and kind", test_find},
    {"a number never comes again", test_never_again},
    {"a walk in order survives changes", test_walk},
    {"random changes agree with a model", test_random_against_model},
    {"memory follows the number of objects", test_memory_follows_the_number},
};

UNIT_MAIN(tests)
