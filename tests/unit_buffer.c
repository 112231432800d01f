/* SPDX-License-Identifier: MIT */
/*
 * unit_buffer.c - buffer.c: bytes come out as they went in, memory goes with the last of
 * them.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "daemon/base/buffer.h"
#include "tests/unit.h"

static void test_add_and_consume(void)
{
    struct buffer buffer = {0};

    CU_ASSERT_PTR_NULL(buffer_bytes(&buffer));
    buffer_add(&buffer, "hello ", 6);
    buffer_add(&buffer, "world", 5);
    buffer_add(&buffer, NULL, 0);
    CU_ASSERT_EQUAL_FATAL(buffer.size, 11);
    CU_ASSERT(memcmp(buffer_bytes(&buffer), "hello world", 11) == 0);
    buffer_consume(&buffer, 6);
    CU_ASSERT_EQUAL_FATAL(buffer.size, 5);
    CU_ASSERT(memcmp(buffer_bytes(&buffer), "world", 5) == 0);
    buffer_fini(&buffer);
}

static void test_empty_has_no_memory(void)
{
    struct buffer buffer = {0};

    buffer_add(&buffer, "abc", 3);
    CU_ASSERT_PTR_NOT_NULL(buffer.memory);
    buffer_consume(&buffer, 3);
    CU_ASSERT_PTR_NULL(buffer.memory);
    CU_ASSERT_EQUAL(buffer.room, 0);
    /* A read that brought nothing. */
    memset(buffer_reserve(&buffer, 100), 'x', 100);
    buffer_added(&buffer, 0);
    CU_ASSERT_PTR_NULL(buffer.memory);
    buffer_consume(&buffer, 0);
    buffer_fini(&buffer);
    buffer_fini(&buffer);
}

static void test_doubling(void)
{
    struct buffer buffer = {0};

    buffer_add(&buffer, "a", 1);
    CU_ASSERT_EQUAL(buffer.room, 512);
    memset(buffer_reserve(&buffer, 512), 'b', 512);
    buffer_added(&buffer, 512);
    CU_ASSERT_EQUAL(buffer.room, 1024);
    memset(buffer_reserve(&buffer, 5000), 'c', 5000);
    buffer_added(&buffer, 5000);
    CU_ASSERT_EQUAL(buffer.room, 8192);
    CU_ASSERT_EQUAL(buffer_bytes(&buffer)[0], 'a');
    CU_ASSERT_EQUAL(buffer_bytes(&buffer)[512], 'b');
    CU_ASSERT_EQUAL(buffer_bytes(&buffer)[5512], 'c');
    buffer_fini(&buffer);
}

static void test_consumed_room_is_used_again(void)
{
    struct buffer buffer = {0};

    /* A queue that is never longer than 400 bytes must stay in its first 512. */
    memset(buffer_reserve(&buffer, 300), 'x', 300);
    buffer_added(&buffer, 300);
    for (int i = 0; i < 1000; i++) {
        memset(buffer_reserve(&buffer, 100), 'y', 100);
        buffer_added(&buffer, 100);
        buffer_consume(&buffer, 100);
    }
    CU_ASSERT_EQUAL(buffer.size, 300);
    CU_ASSERT(buffer.room <= 1024);
    buffer_fini(&buffer);
}

static void test_add_front(void)
{
    struct buffer buffer = {0};

    buffer_add_front(&buffer, "tail", 4);
    buffer_add_front(&buffer, "head ", 5);
    CU_ASSERT_EQUAL_FATAL(buffer.size, 9);
    CU_ASSERT(memcmp(buffer_bytes(&buffer), "head tail", 9) == 0);
    buffer_consume(&buffer, 5);
    /* What was taken goes back into the room it left. */
    buffer_add_front(&buffer, "HEAD ", 5);
    buffer_add_front(&buffer, NULL, 0);
    CU_ASSERT_EQUAL(buffer.start, 0);
    CU_ASSERT(memcmp(buffer_bytes(&buffer), "HEAD tail", 9) == 0);
    char big[2000];
    memset(big, 'z', sizeof big);
    buffer_add_front(&buffer, big, sizeof big);
    CU_ASSERT_EQUAL_FATAL(buffer.size, 2009);
    CU_ASSERT_EQUAL(buffer_bytes(&buffer)[1999], 'z');
    CU_ASSERT(memcmp(buffer_bytes(&buffer) + 2000, "HEAD tail", 9) == 0);
    buffer_fini(&buffer);
}

enum { MODEL_SIZE = 20000 };

/* The same bytes in the plainest form there is. */
struct model {
    uint8_t bytes[MODEL_SIZE];
    size_t size;
};

static void change_both(struct buffer *buffer, struct model *model)
{
    uint8_t bytes[700];
    size_t n = (size_t)rand() % sizeof bytes;

    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)rand();
    }
    switch (rand() % 5) {
    case 0:
    case 1:
        if (model->size + n <= MODEL_SIZE) {
            buffer_add(buffer, bytes, n);
            memcpy(model->bytes + model->size, bytes, n);
            model->size += n;
        }
        break;
    case 2:
        if (model->size + n <= MODEL_SIZE) {
            buffer_add_front(buffer, bytes, n);
            memmove(model->bytes + n, model->bytes, model->size);
            memcpy(model->bytes, bytes, n);
            model->size += n;
        }
        break;
    default:
        n = n < model->size ? n : model->size;
        buffer_consume(buffer, n);
        memmove(model->bytes, model->bytes + n, model->size - n);
        model->size -= n;
        break;
    }
}

static void test_random_against_model(void)
{
    static struct model model;
    struct buffer buffer = {0};
    int n_different = 0;

    srand(20240229);
    for (int i = 0; i < 20000; i++) {
        change_both(&buffer, &model);
        if (buffer.size != model.size ||
            (model.size > 0 &&
             memcmp(buffer_bytes(&buffer), model.bytes, model.size) != 0) ||
            (model.size == 0 && buffer.memory != NULL)) {
            n_different++;
        }
    }
    CU_ASSERT_EQUAL(n_different, 0);
    buffer_fini(&buffer);
}

static const struct unit_test tests[] = {
    {"bytes come out in the order they went in", test_add_and_consume},
    {"an empty buffer has no memory", test_empty_has_no_memory},
    {"room grows by doubling from 512", test_doubling},
    {"room that was consumed is used again", test_consumed_room_is_used_again},
    {"bytes are put back to the front", test_add_front},
    {"random changes agree with a model", test_random_against_model},
};

UNIT_MAIN(tests)
