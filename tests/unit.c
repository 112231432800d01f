/* SPDX-License-Identifier: MIT */
/*
 * unit.c - runs a table of tests under CUnit and reports in the Test Anything Protocol.
 *
 * Place: linked into every C test program. Thread: the one that runs main().
 */
#include <config.h>
#include "tests/unit.h"
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* State of the one run of this program. */
static struct {
    void (*before)(void);
    void (*after)(void);
    void (*hooks[8])(void);
    unsigned n_hooks;
    unsigned n_done, n_failed, n_skipped;
    unsigned n_records_before; /* failure records when the running test began */
    char skip[200];            /* reason; "": the running test was not skipped */
    char name[256];            /* of the program, for failures outside of a test */
} run;

void unit_note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("# ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    fflush(stdout);
}

void unit_bail_out(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("Bail out! ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    fflush(stdout);
    exit(99);
}

void unit_skip(const char *reason) { snprintf(run.skip, sizeof(run.skip), "%s", reason); }

__attribute__((format(printf, 3, 0))) static void
fail(const char *file, unsigned line, const char *format, va_list args, CU_BOOL fatal)
{
    char text[1024];

    vsnprintf(text, sizeof(text), format, args);
    CU_assertImplementation(CU_FALSE, line, text, file, "", fatal);
}

void unit_fail(const char *file, unsigned line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail(file, line, format, args, CU_FALSE);
    va_end(args);
}

void unit_fail_now(const char *file, unsigned line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail(file, line, format, args, CU_TRUE);
    va_end(args);
    abort(); /* not reached: CUnit leaves a fatal failure by longjmp */
}

int unit_has_failed(void)
{
    return CU_get_number_of_failure_records() > run.n_records_before;
}

void unit_after_each(void (*hook)(void))
{
    unsigned i;

    for (i = 0; i < run.n_hooks; i++) {
        if (run.hooks[i] == hook) {
            return;
        }
    }
    if (run.n_hooks == sizeof(run.hooks) / sizeof(run.hooks[0])) {
        unit_bail_out("more hooks than places for them");
    }
    run.hooks[run.n_hooks++] = hook;
}

static void on_setup(void)
{
    run.n_records_before = CU_get_number_of_failure_records();
    run.skip[0] = '\0';
    if (run.before) {
        run.before();
    }
}

static void on_teardown(void)
{
    unsigned i;

    if (run.after) {
        run.after();
    }
    for (i = run.n_hooks; i-- > 0;) {
        run.hooks[i]();
    }
}

/* CUnit hands the first failure of this test when there is one. */
static void on_complete(const CU_pTest test, const CU_pSuite suite,
                        const CU_pFailureRecord first)
{
    const struct CU_FailureRecord *record;

    (void)suite;
    run.n_done++;
    if (first) {
        run.n_failed++;
        printf("not ok %u - %s\n", run.n_done, test->pName);
    } else if (run.skip[0]) {
        run.n_skipped++;
        printf("ok %u - %s # SKIP %s\n", run.n_done, test->pName, run.skip);
    } else {
        printf("ok %u - %s\n", run.n_done, test->pName);
    }
    for (record = first; record; record = record->pNext) {
        printf("#   %s:%u: %s\n", record->strFileName ? record->strFileName : "?",
               record->uiLineNumber, record->strCondition ? record->strCondition : "?");
    }
    fflush(stdout);
}

/* write() and _exit() only: the program may hang anywhere, in malloc() too. */
static void on_alarm(int signal_number)
{
    static const char text[] = "\nBail out! the time limit of the test program ran out\n";

    (void)signal_number;
    if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0) {
        _exit(99);
    }
    _exit(99);
}

/* SOCKD_TEST_SECONDS widens the limit where everything is slow, as under valgrind. */
static void set_time_limit(void)
{
    const char *text = getenv("SOCKD_TEST_SECONDS");
    long seconds = text ? strtol(text, NULL, 10) : 0;
    struct sigaction action = {.sa_handler = on_alarm};

    sigaction(SIGALRM, &action, NULL);
    alarm(seconds > 0 ? (unsigned)seconds : UNIT_SECONDS);
}

static unsigned add_tests(CU_pSuite suite, const struct unit_test *tests, size_t n_tests,
                          const char *filter)
{
    unsigned n = 0;
    size_t i;

    for (i = 0; i < n_tests; i++) {
        if (filter && !strstr(tests[i].name, filter)) {
            continue;
        }
        if (!CU_add_test(suite, tests[i].name, tests[i].run)) {
            unit_bail_out("CUnit takes no test \"%s\": %s", tests[i].name,
                          CU_get_error_msg());
        }
        n++;
    }
    return n;
}

/* Under `make check` the reader of the output has counted the failed cases already, and
 * would take the status for one more. */
static int exit_status(unsigned n_tests)
{
    if (getenv("SOCKD_TAP_READER")) {
        return 0;
    }
    if (run.n_failed > 0) {
        return 1;
    }
    return run.n_skipped == n_tests ? 77 : 0;
}

int unit_main(const struct unit_test *tests, size_t n_tests, void (*before)(void),
              void (*after)(void), int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    CU_pSuite suite;
    unsigned n;

    snprintf(run.name, sizeof(run.name), "%s", slash ? slash + 1 : argv[0]);
    run.before = before;
    run.after = after;
    /* A peer that goes away is part of many tests, and is seen in the result of write().
     */
    sigaction(SIGPIPE, &ignore, NULL);
    set_time_limit();
    if (CU_initialize_registry() != CUE_SUCCESS) {
        unit_bail_out("CUnit: %s", CU_get_error_msg());
    }
    suite =
        CU_add_suite_with_setup_and_teardown(run.name, NULL, NULL, on_setup, on_teardown);
    if (!suite) {
        unit_bail_out("CUnit: %s", CU_get_error_msg());
    }
    n = add_tests(suite, tests, n_tests, argc > 1 ? argv[1] : NULL);
    if (n == 0) {
        unit_bail_out("no test has \"%s\" in its name", argc > 1 ? argv[1] : "");
    }
    printf("1..%u\n", n);
    fflush(stdout);
    CU_set_error_action(CUEA_IGNORE);
    CU_set_test_complete_handler(on_complete);
    CU_run_all_tests();
    CU_cleanup_registry();
    if (run.n_done != n) {
        unit_bail_out("%u of %u tests were run", run.n_done, n);
    }
    return exit_status(n);
}
