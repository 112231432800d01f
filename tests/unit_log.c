/* SPDX-License-Identifier: MIT */
/*
 * unit_log.c - log.c: form of the lines, levels, escapes, rate.
 *
 * Standard error is replaced by one end of a socket that keeps messages apart, so that
 * each write is received by itself.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "tests/unit.h"

static int real_stderr = -1, reader = -1;

static void before(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        unit_bail_out("socketpair: %s", strerror(errno));
    }
    real_stderr = dup(STDERR_FILENO);
    reader = ends[0];
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    unsetenv("JOURNAL_STREAM");
    log_setup();
    log_set_all(LOG_LEVEL_INFO);
}

static void after(void)
{
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(reader);
}

/* The next line without its newline; "" when none was written. */
static const char *next_line(void)
{
    static char line[8192];
    ssize_t size = recv(reader, line, sizeof line - 1, MSG_DONTWAIT);

    if (size <= 0) {
        return "";
    }
    line[size] = '\0';
    CU_ASSERT(line[size - 1] == '\n');
    CU_ASSERT(strchr(line, '\n') == line + size - 1);
    line[size - 1] = '\0';
    return line;
}

/* The same without the time. */
static const char *next_sentence(void)
{
    const char *line = next_line();
    const char *blank = strchr(line, ' ');

    return blank != NULL ? blank + 1 : line;
}

static void test_form(void)
{
    int year, month, day, hour, minute, second, ms, end = 0;

    errno = ENOENT;
    log_line(LOG_NET, LOG_LEVEL_WARN, "A sentence. handle=%d", 65);
    CU_ASSERT_EQUAL(errno, ENOENT);
    const char *line = next_line();
    CU_ASSERT_EQUAL(sscanf(line, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year, &month, &day,
                           &hour, &minute, &second, &ms, &end),
                    7);
    CU_ASSERT_EQUAL(end, 24);
    CU_ASSERT_STRING_EQUAL(line + end, " warn net: A sentence. handle=65");
}

static void test_journal(void)
{
    struct stat status;
    char stream[64];

    CU_ASSERT_FATAL(fstat(STDERR_FILENO, &status) == 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_setup();
    log_set_all(LOG_LEVEL_DEBUG);
    log_line(LOG_DAEMON, LOG_LEVEL_ERROR, "one");
    CU_ASSERT_STRING_EQUAL(next_line(), "<3>daemon: one");
    log_line(LOG_TLS, LOG_LEVEL_WARN, "two");
    CU_ASSERT_STRING_EQUAL(next_line(), "<4>tls: two");
    log_line(LOG_CONTROL, LOG_LEVEL_INFO, "three");
    CU_ASSERT_STRING_EQUAL(next_line(), "<6>control: three");
    log_line(LOG_DNS, LOG_LEVEL_DEBUG, "four");
    CU_ASSERT_STRING_EQUAL(next_line(), "<7>dns: four");
    /* The journal of a parent, while standard error goes elsewhere. */
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino + 1);
    setenv("JOURNAL_STREAM", stream, 1);
    log_setup();
    log_line(LOG_DNS, LOG_LEVEL_INFO, "five");
    CU_ASSERT_STRING_EQUAL(next_sentence(), "info dns: five");
}

static void test_levels(void)
{
    enum log_level level = LOG_LEVEL_WARN;

    CU_ASSERT_FALSE(log_level_by_name("loud", &level));
    CU_ASSERT_EQUAL(level, LOG_LEVEL_WARN);
    for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
        CU_ASSERT(log_level_by_name(log_level_name((enum log_level)i), &level));
        CU_ASSERT_EQUAL((int)level, i);
    }
    log_set_level(LOG_NET, LOG_LEVEL_ERROR);
    CU_ASSERT_EQUAL(log_get_level(LOG_NET), LOG_LEVEL_ERROR);
    CU_ASSERT_EQUAL(log_get_level(LOG_DNS), LOG_LEVEL_INFO);
    log_line(LOG_NET, LOG_LEVEL_WARN, "not wanted");
    log_line(LOG_DNS, LOG_LEVEL_DEBUG, "not wanted");
    CU_ASSERT_STRING_EQUAL(next_line(), "");
    log_line(LOG_DNS, LOG_LEVEL_WARN, "wanted");
    CU_ASSERT_STRING_EQUAL(next_sentence(), "warn dns: wanted");
    CU_ASSERT_STRING_EQUAL(log_module_name(LOG_CONTROL), "control");
}

static void test_one_line_stays_one(void)
{
    char big[6000];

    log_line(LOG_NET, LOG_LEVEL_INFO, "a\nb\r\t\x1b[31m%c", 0x7f);
    CU_ASSERT_STRING_EQUAL(next_sentence(), "info net: a\\nb\\r\\t\\x1b[31m\\x7f");
    memset(big, 'x', sizeof big);
    big[sizeof big - 1] = '\0';
    log_line(LOG_NET, LOG_LEVEL_INFO, "%s", big);
    const char *line = next_line();
    CU_ASSERT(strlen(line) > 2000 && strlen(line) < 4096);
    CU_ASSERT_STRING_EQUAL(line + strlen(line) - 4, "x...");
    memset(big, 1, sizeof big - 1);
    log_line(LOG_NET, LOG_LEVEL_INFO, "%s", big);
    line = next_line();
    CU_ASSERT(strlen(line) > 4000 && strlen(line) < 4096);
    CU_ASSERT_STRING_EQUAL(line + strlen(line) - 7, "\\x01...");
    CU_ASSERT_STRING_EQUAL(next_line(), "");
}

static void check_quote(const char *text, size_t size, const char *wanted)
{
    char out[32];

    CU_ASSERT_STRING_EQUAL(log_quote(out, sizeof out, text, size), wanted);
}

static void test_quote(void)
{
    char small[16];

    check_quote("", 0, "\"\"");
    check_quote("plain text", 10, "\"plain text\"");
    check_quote("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
    check_quote("nul\0end", 7, "\"nul\\x00end\"");
    check_quote("\x1b\n", 2, "\"\\x1b\\n\"");
    check_quote("gr\xc3\xbc\xc3\x9f", 6, "\"gr\xc3\xbc\xc3\x9f\"");
    check_quote("\xe2\x82\xac\xf0\x9f\x98\x80", 7, "\"\xe2\x82\xac\xf0\x9f\x98\x80\"");
    check_quote("\xff\xc3", 2, "\"\\xff\\xc3\"");          /* never UTF-8, cut */
    check_quote("\xed\xa0\x80", 3, "\"\\xed\\xa0\\x80\""); /* surrogate */
    check_quote("\xc2\x9b", 2, "\"\\xc2\\x9b\"");          /* a control character, C1 */
    check_quote("\xf0\x9f", 2, "\"\\xf0\\x9f\"");
    check_quote("0123456789012345678901234567890123456789", 40,
                "\"01234567890123456789012345\"...");
    /* An escape is never split. */
    CU_ASSERT_STRING_EQUAL(log_quote(small, sizeof small, "12345678\x01", 9),
                           "\"12345678\"...");
}

static void test_rate(void)
{
    struct log_rate rate;
    long second;
    unsigned n_allowed;

    /* Should the second end in the midst, the count means nothing: once more. */
    do {
        rate = (struct log_rate){0};
        while (*next_line() != '\0') {
        }
        n_allowed = log_rate_allows(&rate, LOG_NET, LOG_LEVEL_INFO);
        second = rate.second;
        for (int i = 1; i < 25; i++) {
            n_allowed += log_rate_allows(&rate, LOG_NET, LOG_LEVEL_INFO);
        }
    } while (rate.second != second);
    CU_ASSERT_EQUAL(n_allowed, 10);
    CU_ASSERT_EQUAL(rate.n_held, 15);
    CU_ASSERT_STRING_EQUAL(next_line(), "");
    rate.second--; /* as if time went on */
    CU_ASSERT(log_rate_allows(&rate, LOG_NET, LOG_LEVEL_INFO));
    CU_ASSERT_STRING_EQUAL(next_sentence(),
                           "info net: Lines like the next one were held back. lines=15");
    CU_ASSERT_EQUAL(rate.n_held, 0);
}

static void test_rated_macro(void)
{
    unsigned n_lines = 0;

    for (int i = 0; i < 100; i++) {
        LOG_RATED(LOG_NET, LOG_LEVEL_INFO, "line %d", i);
        LOG_RATED(LOG_NET, LOG_LEVEL_DEBUG, "not wanted, and not counted");
    }
    while (*next_line() != '\0') {
        n_lines++;
    }
    /* More than 10 only if a second ended in the midst: then with a line that tells. */
    CU_ASSERT(n_lines >= 10 && n_lines < 50);
}

enum { N_THREADS = 4, N_LINES = 50 };

static void *write_lines(void *arg)
{
    for (int i = 0; i < N_LINES; i++) {
        log_line(LOG_DAEMON, LOG_LEVEL_INFO, "thread=%s line=%d", (const char *)arg, i);
        LOG_RATED(LOG_DAEMON, LOG_LEVEL_DEBUG, "not wanted");
    }
    return NULL;
}

static void test_threads(void)
{
    static const char *const names[N_THREADS] = {"a", "b", "c", "d"};
    int next[N_THREADS] = {0};
    pthread_t threads[N_THREADS];

    for (int i = 0; i < N_THREADS; i++) {
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, write_lines,
                                       (void *)(uintptr_t)names[i]) == 0);
    }
    for (int i = 0; i < N_THREADS * N_LINES; i++) {
        char line[256], name;
        int number;
        ssize_t size = recv(reader, line, sizeof line - 1, 0);
        CU_ASSERT_FATAL(size > 25);
        line[size] = '\0';
        CU_ASSERT_FATAL(
            sscanf(line + 25, "info daemon: thread=%c line=%d\n", &name, &number) == 2);
        CU_ASSERT_EQUAL(number, next[name - 'a']);
        next[name - 'a']++;
    }
    for (int i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_EQUAL(next[i], N_LINES);
    }
}

static const struct unit_test tests[] = {
    {"a line has time, level, module and sentence", test_form},
    {"the journal gets a priority instead", test_journal},
    {"levels are per module", test_levels},
    {"one line stays one line", test_one_line_stays_one},
    {"foreign text is quoted", test_quote},
    {"lines beyond the rate are held back and told", test_rate},
    {"LOG_RATED holds lines back", test_rated_macro},
    {"lines of several threads stay whole", test_threads},
};

UNIT_MAIN_AROUND(tests, before, after)
