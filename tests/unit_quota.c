/* SPDX-License-Identifier: MIT */
/*
 * unit_quota.c - quota.c: limits per user and kind, from several threads.
 */
#include <config.h>

#include <pthread.h>
#include <stdint.h>

#include "daemon/base/quota.h"
#include "tests/unit.h"

static void before(void)
{
    quota_set_limit(QUOTA_CONNECTIONS, 0);
    quota_set_limit(QUOTA_SOCKETS, 0);
    quota_set_total(QUOTA_SOCKETS, 0);
}

static void test_limit(void)
{
    quota_set_limit(QUOTA_SOCKETS, 2);
    CU_ASSERT_EQUAL(quota_limit(QUOTA_SOCKETS), 2);
    CU_ASSERT_EQUAL(quota_limit(QUOTA_CONNECTIONS), 0);
    CU_ASSERT(quota_take(QUOTA_SOCKETS, 1000));
    CU_ASSERT(quota_take(QUOTA_SOCKETS, 1000));
    CU_ASSERT_FALSE(quota_take(QUOTA_SOCKETS, 1000));
    /* Neither another user nor another kind is concerned. */
    CU_ASSERT(quota_take(QUOTA_SOCKETS, 1001));
    CU_ASSERT(quota_take(QUOTA_CONNECTIONS, 1000));
    quota_give(QUOTA_SOCKETS, 1000);
    CU_ASSERT(quota_take(QUOTA_SOCKETS, 1000));
    CU_ASSERT_FALSE(quota_take(QUOTA_SOCKETS, 1000));
    /* A limit that sinks below what is held takes nothing away. */
    quota_set_limit(QUOTA_SOCKETS, 1);
    quota_give(QUOTA_SOCKETS, 1000);
    CU_ASSERT_FALSE(quota_take(QUOTA_SOCKETS, 1000));
    quota_give(QUOTA_SOCKETS, 1000);
    CU_ASSERT(quota_take(QUOTA_SOCKETS, 1000));
    quota_give(QUOTA_SOCKETS, 1000);
    quota_give(QUOTA_SOCKETS, 1001);
    quota_give(QUOTA_CONNECTIONS, 1000);
    quota_fini();
}

static void test_total(void)
{
    uint32_t limit = 0;

    quota_set_limit(QUOTA_SOCKETS, 2);
    quota_set_total(QUOTA_SOCKETS, 3);
    CU_ASSERT(quota_take(QUOTA_SOCKETS, 1));
    CU_ASSERT(quota_take(QUOTA_SOCKETS, 1));
    CU_ASSERT_FALSE(quota_take(QUOTA_SOCKETS, 1));
    CU_ASSERT_STRING_EQUAL(quota_refusal(QUOTA_SOCKETS, &limit), "sockets-per-user");
    CU_ASSERT_EQUAL(limit, 2);
    CU_ASSERT(quota_take(QUOTA_SOCKETS, 2));
    CU_ASSERT_FALSE(quota_take(QUOTA_SOCKETS, 3));
    CU_ASSERT_STRING_EQUAL(quota_refusal(QUOTA_SOCKETS, &limit), "sockets");
    CU_ASSERT_EQUAL(limit, 3);
    CU_ASSERT(quota_take(QUOTA_CONNECTIONS, 3));
    quota_give(QUOTA_SOCKETS, 1);
    CU_ASSERT(quota_take(QUOTA_SOCKETS, 3));
    quota_give(QUOTA_SOCKETS, 1);
    quota_give(QUOTA_SOCKETS, 2);
    quota_give(QUOTA_SOCKETS, 3);
    quota_give(QUOTA_CONNECTIONS, 3);
    quota_fini();
}

static void test_many_users(void)
{
    quota_set_limit(QUOTA_SOCKETS, 1);
    for (uid_t i = 0; i < 1000; i++) {
        CU_ASSERT(quota_take(QUOTA_SOCKETS, i * 7919 % 1000));
    }
    for (uid_t uid = 0; uid < 1000; uid++) {
        CU_ASSERT_FALSE(quota_take(QUOTA_SOCKETS, uid));
    }
    for (uid_t i = 0; i < 1000; i++) {
        quota_give(QUOTA_SOCKETS, i * 6007 % 1000);
    }
    CU_ASSERT(quota_take(QUOTA_SOCKETS, 500));
    quota_give(QUOTA_SOCKETS, 500);
    quota_fini();
}

static void *take_and_give(void *arg)
{
    uintptr_t n_taken = 0;

    for (int i = 0; i < 2000; i++) {
        uid_t uid = (uid_t)(i % 3);
        if (quota_take(QUOTA_CONNECTIONS, uid)) {
            n_taken++;
            quota_give(QUOTA_CONNECTIONS, uid);
        }
    }
    (void)arg;
    return (void *)n_taken;
}

static void test_threads(void)
{
    pthread_t threads[4];

    quota_set_limit(QUOTA_CONNECTIONS, 4);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, take_and_give, NULL) == 0);
    }
    for (int i = 0; i < 4; i++) {
        void *n_taken;
        pthread_join(threads[i], &n_taken);
        CU_ASSERT_EQUAL((uintptr_t)n_taken,
                        2000); /* no more than 4 at once: never refused */
    }
    for (int i = 0; i < 4; i++) {
        CU_ASSERT(quota_take(QUOTA_CONNECTIONS, 1));
    }
    CU_ASSERT_FALSE(quota_take(QUOTA_CONNECTIONS, 1));
    for (int i = 0; i < 4; i++) {
        quota_give(QUOTA_CONNECTIONS, 1);
    }
    quota_fini();
}

static const struct unit_test tests[] = {
    {"a limit is per user and kind", test_limit},
    {"a limit of all users together", test_total},
    {"many users", test_many_users},
    {"several threads", test_threads},
};

UNIT_MAIN_AROUND(tests, before, NULL)
