/* SPDX-License-Identifier: MIT */
/*
 * unit_placement.c - placement.c: near unless crowded, spread over all.
 */
#include <config.h>

#include "daemon/base/loop.h"
#include "daemon/base/placement.h"
#include "tests/unit.h"

enum { N_WORKERS = 3 };
static struct loop *loops[N_WORKERS];

static void before(void)
{
    for (int i = 0; i < N_WORKERS; i++) {
        loops[i] = loop_new("worker", i);
        loop_register(loops[i]);
    }
}

static void after(void)
{
    loop_unregister_all();
    for (int i = 0; i < N_WORKERS; i++) {
        placement_add((unsigned)i, -(int)placement_load((unsigned)i));
        loop_free(loops[i]);
    }
}

static void test_near(void)
{
    CU_ASSERT_EQUAL(placement_near(1), 1);
    placement_add(1, 50);
    CU_ASSERT_EQUAL(placement_load(1), 50);
    CU_ASSERT_EQUAL(placement_near(1), 1); /* fuller, but a hop would cost more */
    placement_add(1, 950);
    placement_add(2, 10);
    CU_ASSERT_EQUAL(placement_near(1), 0);
    placement_add(0, 20);
    CU_ASSERT_EQUAL(placement_near(1), 2);
    CU_ASSERT_EQUAL(placement_near(0), 0);
    placement_add(1, -950);
    CU_ASSERT_EQUAL(placement_near(1), 1);
}

static void test_spread(void)
{
    /* Ties are broken in turn, so that even short-lived sockets do not all meet in one
     * worker. */
    unsigned n_chosen[N_WORKERS] = {0};

    for (int i = 0; i < 30; i++) {
        n_chosen[placement_spread()]++;
    }
    for (int i = 0; i < N_WORKERS; i++) {
        CU_ASSERT_EQUAL(n_chosen[i], 10);
    }
    placement_add(0, 1);
    placement_add(2, 1);
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(placement_spread(), 1);
    }
}

static void test_balance(void)
{
    for (int i = 0; i < 300; i++) {
        placement_add(placement_spread(), 1);
    }
    for (unsigned i = 0; i < N_WORKERS; i++) {
        CU_ASSERT_EQUAL(placement_load(i), 100);
    }
}

static const struct unit_test tests[] = {
    {"near its asker unless that is crowded", test_near},
    {"spread to the least loaded, ties in turn", test_spread},
    {"accepted sockets balance", test_balance},
};

UNIT_MAIN_AROUND(tests, before, after)
