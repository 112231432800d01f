/* SPDX-License-Identifier: MIT */
/*
 * unit.h - the frame of every C test program: a table of CUnit tests, run one after the
 * other.
 *
 * A test program holds one table and ends in UNIT_MAIN(table):
 *
 *     static const struct unit_test tests[] = {
 *         {"an empty line is skipped", test_empty_line},
 *     };
 *     UNIT_MAIN(tests)
 *
 * The output is TAP, so that the build system counts tests and not programs. Exit status:
 * 0 all passed, 1 one failed, 77 all skipped, 99 the test itself could not be set up. An
 * argument runs only the tests whose name contains it. The whole program has a time limit
 * (UNIT_SECONDS).
 *
 * CU_ASSERT and its relatives may be used by the thread that runs the test, no other.
 */
#ifndef SOCKD_TESTS_UNIT_H
#define SOCKD_TESTS_UNIT_H

#include <CUnit/CUnit.h>
#include <stddef.h>

enum { UNIT_SECONDS = 300 };

struct unit_test {
    const char *name;
    void (*run)(void);
};

/* Runs the table; `before` and `after` (each may be NULL) surround every test. Returns
 * the exit status of the program. */
int unit_main(const struct unit_test *tests, size_t n_tests, void (*before)(void),
              void (*after)(void), int argc, char **argv);

/* Marks the running test as skipped; the test returns after it. `reason` is copied. */
void unit_skip(const char *reason);

/* Ends the program with status 99: the test cannot be run, which is not the code's fault.
 */
_Noreturn void unit_bail_out(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* A line for whoever reads the log ("# ..."). */
void unit_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A failed assertion of the running test with a sentence of its own; the second form ends
 * the test. For helpers that know more than an expression can say. */
void unit_fail(const char *file, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void unit_fail_now(const char *file, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define UNIT_FAIL(...) unit_fail(__FILE__, __LINE__, __VA_ARGS__)
#define UNIT_FAIL_NOW(...) unit_fail_now(__FILE__, __LINE__, __VA_ARGS__)

/* Whether the running test has failed so far. */
int unit_has_failed(void);

/* Runs after every test, be it passed, failed or left by a fatal assertion. For the
 * harness. */
void unit_after_each(void (*hook)(void));

#define UNIT_MAIN(TESTS) UNIT_MAIN_AROUND(TESTS, NULL, NULL)
#define UNIT_MAIN_AROUND(TESTS, BEFORE, AFTER)                                           \
    int main(int argc, char **argv)                                                      \
    {                                                                                    \
        return unit_main(TESTS, sizeof(TESTS) / sizeof((TESTS)[0]), BEFORE, AFTER, argc, \
                         argv);                                                          \
    }

#endif
