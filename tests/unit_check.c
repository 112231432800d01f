/* SPDX-License-Identifier: MIT */
/*
 * unit_check.c - check.c and counters.c: a failed check tells its place and aborts;
 * counter names.
 */
#include <config.h>

#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "tests/unit.h"

struct thing {
    unsigned magic;
};

/* Runs `run` in a child; its exit status as of waitpid(), and what it wrote to standard
 * error. */
static int run_child(void (*run)(void), char *text, size_t size)
{
    int ends[2], status = 0;
    size_t used = 0;
    ssize_t n;

    CU_ASSERT_FATAL(pipe(ends) == 0);
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        run();
        _exit(0);
    }
    close(ends[1]);
    while (used < size - 1 && (n = read(ends[0], text + used, size - 1 - used)) > 0) {
        used += (size_t)n;
    }
    text[used] = '\0';
    close(ends[0]);
    CU_ASSERT_FATAL(waitpid(child, &status, 0) == child);
    return status;
}

static void pass(void)
{
    struct thing thing = {42};
    void *pointer = &thing;
    struct thing *same = pointer;

    CHECK(1 + 1 == 2);
    CHECK_MAGIC(same, 42);
}

static void fail_condition(void)
{
    int two = 2;

    CHECK(two + two == 5);
}

static void fail_magic(void)
{
    struct thing thing = {43};
    struct thing *pointer = &thing;

    CHECK_MAGIC(pointer, 42);
}

static void test_check(void)
{
    char text[1024];

    CU_ASSERT_EQUAL(run_child(pass, text, sizeof text), 0);
    CU_ASSERT_STRING_EQUAL(text, "");
    int status = run_child(fail_condition, text, sizeof text);
    CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "sockd: check failed at "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "unit_check.c:"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, ": two + two == 5\n"));
    status = run_child(fail_magic, text, sizeof text);
    CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "magic == "));
}

static void test_memory(void)
{
    static const char zeros[64];
    char *memory = mem_new(sizeof zeros);

    CU_ASSERT(memcmp(memory, zeros, sizeof zeros) == 0);
    memset(memory, 'x', sizeof zeros);
    memory = mem_resize(memory, 100000);
    CU_ASSERT(memory[0] == 'x' && memory[63] == 'x');
    free(memory);
    struct thing *thing = MEM_NEW(struct thing);
    CU_ASSERT_EQUAL(thing->magic, 0);
    free(thing);
    char *text = mem_copy_text("text");
    CU_ASSERT_STRING_EQUAL(text, "text");
    free(text);
}

static bool is_wire_name(const char *name)
{
    for (const char *at = name; *at != '\0'; at++) {
        if (!islower((unsigned char)*at) && *at != '-') {
            return false;
        }
    }
    return *name != '\0';
}

static void test_counters(void)
{
    struct counters counters = {0};

    for (int i = 0; i < COUNTER_COUNT; i++) {
        CU_ASSERT(is_wire_name(counter_name((enum counter_id)i)));
        CU_ASSERT(strlen(counter_help((enum counter_id)i)) > 5);
        for (int j = 0; j < i; j++) {
            CU_ASSERT_STRING_NOT_EQUAL(counter_name((enum counter_id)i),
                                       counter_name((enum counter_id)j));
        }
    }
    CU_ASSERT_STRING_EQUAL(counter_name(COUNTER_BYTES_READ), "bytes-read");
    counters_add(&counters, COUNTER_BYTES_READ, 40);
    counters_add(&counters, COUNTER_BYTES_READ, 2);
    CU_ASSERT_EQUAL(counters_get(&counters, COUNTER_BYTES_READ), 42);
    CU_ASSERT_EQUAL(counters_get(&counters, COUNTER_BYTES_WRITTEN), 0);
}

static const struct unit_test tests[] = {
    {"a failed check tells its place and aborts", test_check},
    {"memory is zeroed, grown and copied", test_memory},
    {"counters have names and count", test_counters},
};

UNIT_MAIN(tests)
