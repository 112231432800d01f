/* SPDX-License-Identifier: MIT */
/*
 * harness.c - starts sockd for a test, waits for READY=1, stops it and judges how it
 * ended.
 *
 * Place: system tests call it; wire.c and peer.c stand beside it. Thread: that of the
 * test.
 */
#include <config.h>
#include "tests/harness.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tests/evidence.h"
#include "tests/unit.h"

enum { MAX_ARGS = 64, MAX_ENV = 512, MAX_PATH = 256 };

/* Owner: the list below, until the end of the test. */
struct harness {
    struct harness *next;
    struct harness_options options;
    unsigned workers;
    pid_t pid;  /* 0: ended and waited for */
    int pidfd;  /* readable when the daemon has ended; -1: none */
    int notify; /* datagram socket that READY=1 comes to; -1: none */
    char directory[MAX_PATH / 2];
    char socket[MAX_PATH];
    char log[MAX_PATH];
    char config[MAX_PATH];
    char notify_path[MAX_PATH];
    char sanitizer[MAX_PATH]; /* start of the names of report files */
};

static struct harness *all;

static struct {
    bool is_set;
    uint64_t seed, state;
} chance;

/* ---- Time and chance ---- */

int64_t harness_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t harness_seed(void)
{
    const char *text = getenv("SOCKD_TEST_SEED");

    if (chance.is_set) {
        return chance.seed;
    }
    if (text) {
        chance.seed = strtoull(text, NULL, 10);
    } else if (getrandom(&chance.seed, sizeof(chance.seed), 0) != sizeof(chance.seed)) {
        unit_bail_out("getrandom: %s", strerror(errno));
    }
    chance.seed %= 1000000000; /* short enough to be typed again */
    chance.state = chance.seed;
    chance.is_set = true;
    unit_note("SOCKD_TEST_SEED=%llu", (unsigned long long)chance.seed);
    return chance.seed;
}

/* splitmix64 (Steele, Lea, Flood 2014): any seed will do, 0 included. */
uint64_t harness_random(void)
{
    uint64_t z;

    harness_seed();
    z = chance.state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void harness_await(bool (*condition)(void *context), void *context, const char *what)
{
    int64_t deadline = harness_now_ms() + HARNESS_WAIT_MS;
    unsigned n = 0;

    while (!condition(context)) {
        if (harness_now_ms() > deadline) {
            UNIT_FAIL_NOW("waited in vain for: %s", what);
        }
        /* 0.1 ms at first, for what is about to happen; then 10 ms, for what takes a
         * while. */
        poll(NULL, 0, n < 20 ? 0 : n < 200 ? 1 : 10);
        n++;
    }
}

/* ---- Start ---- */

static void make_directory(struct harness *harness)
{
    const char *tmp = getenv("TMPDIR");
    FILE *config;

    snprintf(harness->directory, sizeof(harness->directory), "%s/sockd-test-XXXXXX",
             tmp && strlen(tmp) < 60 ? tmp : "/tmp");
    if (!mkdtemp(harness->directory)) {
        unit_bail_out("mkdtemp %s: %s", harness->directory, strerror(errno));
    }
    /* Tests of rights come as other users, who must be able to reach the socket. */
    if (chmod(harness->directory, 0755) < 0 ||
        (harness->options.uid != 0 &&
         chown(harness->directory, harness->options.uid, harness->options.gid) < 0)) {
        unit_bail_out("%s: %s", harness->directory, strerror(errno));
    }
    snprintf(harness->socket, sizeof(harness->socket), "%s/s", harness->directory);
    if (harness->options.socket) {
        snprintf(harness->socket, sizeof(harness->socket), "%s", harness->options.socket);
    }
    snprintf(harness->log, sizeof(harness->log), "%s/" EVIDENCE_LOG, harness->directory);
    snprintf(harness->notify_path, sizeof(harness->notify_path), "%s/notify",
             harness->directory);
    snprintf(harness->sanitizer, sizeof(harness->sanitizer), "%s/" EVIDENCE_REPORT,
             harness->directory);
    snprintf(harness->config, sizeof(harness->config), "%s/sockd.conf",
             harness->directory);
    config = fopen(harness->config, "we");
    if (!config ||
        fputs(harness->options.config ? harness->options.config : "", config) < 0 ||
        fclose(config) != 0) {
        unit_bail_out("%s: %s", harness->config, strerror(errno));
    }
}

static void open_notify(struct harness *harness)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", harness->notify_path);
    harness->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (harness->notify < 0 ||
        bind(harness->notify, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        chmod(harness->notify_path, 0777) < 0) {
        unit_bail_out("notify socket %s: %s", harness->notify_path, strerror(errno));
    }
}

/* Appends the words of SOCKD_WRAPPER. They live as long as the program. VALGRIND is what
 * `make check-valgrind` sets: then the daemon runs under it as the test does. */
static unsigned add_wrapper(char **argv, unsigned n)
{
    const char *wrapper = getenv("SOCKD_WRAPPER"), *valgrind = getenv("VALGRIND");
    static char words[1024];
    char *rest = words, *word;

    if (!wrapper && valgrind) {
        snprintf(words, sizeof(words), "%s -q --error-exitcode=97 --leak-check=full",
                 valgrind);
    } else {
        snprintf(words, sizeof(words), "%s", wrapper ? wrapper : "");
    }
    while ((word = strsep(&rest, " ")) && n < MAX_ARGS / 2) {
        if (*word) {
            argv[n++] = word;
        }
    }
    return n;
}

static const char *daemon_path(void)
{
    static char path[1024];
    const char *given = getenv("SOCKD_DAEMON");
    const char *build = getenv("SOCKD_BUILDDIR");

    if (given) {
        return given;
    }
    snprintf(path, sizeof(path), "%s/daemon/sockd", build ? build : ".");
    if (access(path, X_OK) < 0) {
        unit_bail_out("%s: %s (SOCKD_DAEMON or SOCKD_BUILDDIR says where it is)", path,
                      strerror(errno));
    }
    return path;
}

/* Our variables replace those of the same name. The text lives in `storage`. */
static void build_environment(const struct harness *harness, char **env,
                              char (*storage)[MAX_PATH * 2])
{
    const char *suppressed[] = {
        "NOTIFY_SOCKET=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "TSAN_OPTIONS=",
        "LISTEN_FDS=",    "LISTEN_PID=",   "SOCKD_SOCKET=",  "JOURNAL_STREAM="};
    const char *sanitizers[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"};
    const char *more;
    unsigned n = 0, i, j;

    for (i = 0; environ[i] && n < MAX_ENV - 8; i++) {
        for (j = 0; j < sizeof(suppressed) / sizeof(suppressed[0]); j++) {
            if (strncmp(environ[i], suppressed[j], strlen(suppressed[j])) == 0) {
                break;
            }
        }
        if (j == sizeof(suppressed) / sizeof(suppressed[0])) {
            env[n++] = environ[i];
        }
    }
    snprintf(storage[3], sizeof(storage[3]), "NOTIFY_SOCKET=%s", harness->notify_path);
    env[n++] = storage[3];
    for (j = 0; j < 3; j++) {
        more = getenv(sanitizers[j]);
        snprintf(storage[j], sizeof(storage[j]), "%s=%.200s:log_path=%s%s", sanitizers[j],
                 more ? more : "", harness->sanitizer,
                 j == 1 ? ":print_stacktrace=1" : "");
        env[n++] = storage[j];
    }
    env[n] = NULL;
}

static void run_child(const struct harness *harness, char **argv, char **env)
{
    sigset_t none;
    struct sigaction standard = {.sa_handler = SIG_DFL};
    int log, null;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    sigaction(SIGPIPE, &standard, NULL);
    log = open(harness->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (log < 0 || null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 ||
        dup2(log, 2) < 0) {
        _exit(98);
    }
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    if (harness->options.uid != 0 &&
        (setgid(harness->options.gid) < 0 || setuid(harness->options.uid) < 0)) {
        _exit(98);
    }
    execvpe(argv[0], argv, env);
    _exit(98);
}

static void spawn(struct harness *harness)
{
    char *argv[MAX_ARGS + 1], *env[MAX_ENV], workers[16];
    char storage[4][MAX_PATH * 2];
    const char *const *more;
    unsigned n = add_wrapper(argv, 0);

    snprintf(workers, sizeof(workers), "%u", harness->workers);
    argv[n++] = (char *)(uintptr_t)daemon_path();
    argv[n++] = (char *)(uintptr_t) "--socket";
    argv[n++] = harness->socket;
    argv[n++] = (char *)(uintptr_t) "--workers";
    argv[n++] = workers;
    argv[n++] = (char *)(uintptr_t) "--config";
    argv[n++] = harness->config;
    for (more = harness->options.args; more && *more && n < MAX_ARGS; more++) {
        argv[n++] = (char *)(uintptr_t)*more;
    }
    argv[n] = NULL;
    build_environment(harness, env, storage);
    fflush(stdout);
    harness->pid = fork();
    if (harness->pid < 0) {
        unit_bail_out("fork: %s", strerror(errno));
    }
    if (harness->pid == 0) {
        run_child(harness, argv, env);
    }
    /* Valgrind does not know it; then has_ended() looks from time to time. */
    harness->pidfd = (int)syscall(SYS_pidfd_open, harness->pid, 0);
}

/* Whether the daemon has ended, without waiting for it as a child. */
static bool has_ended(const struct harness *harness)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)harness->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == harness->pid;
}

static const char ready[] = "READY=1";

bool harness_is_told(const struct harness *harness, const char *line, int64_t wait_ms)
{
    int64_t deadline = harness_now_ms() + wait_ms;
    struct pollfd polled[2] = {{.fd = harness->notify, .events = POLLIN},
                               {.fd = harness->pidfd, .events = POLLIN}};
    char text[1024];
    ssize_t n;

    while (harness_now_ms() < deadline) {
        if (poll(polled, 2, harness->pidfd < 0 ? 20 : 1000) < 0 && errno != EINTR) {
            unit_bail_out("poll: %s", strerror(errno));
        }
        if (polled[0].revents & POLLIN) {
            n = recv(harness->notify, text, sizeof(text) - 1, 0);
            text[n > 0 ? n : 0] = '\0';
            if (strncmp(text, line, strlen(line)) == 0) {
                return true;
            }
        } else if (has_ended(harness)) {
            return false;
        }
    }
    return false;
}

void harness_await_notice(const struct harness *harness, const char *line)
{
    if (!harness_is_told(harness, line, HARNESS_WAIT_MS)) {
        unit_bail_out("the service manager was not told %s", line);
    }
}

static void clean_up(void);

static struct harness *prepare(const struct harness_options *options)
{
    struct harness *harness = calloc(1, sizeof(*harness));

    if (!harness) {
        unit_bail_out("out of memory");
    }
    unit_after_each(clean_up);
    if (options) {
        harness->options = *options;
    }
    harness->pidfd = -1;
    harness->workers = harness->options.workers ? harness->options.workers
                                                : 1 + (unsigned)(harness_random() % 4);
    harness->next = all;
    all = harness;
    make_directory(harness);
    open_notify(harness);
    spawn(harness);
    return harness;
}

struct harness *harness_start(const struct harness_options *options)
{
    struct harness *harness = prepare(options);

    if (!harness_is_told(harness, ready, HARNESS_WAIT_MS)) {
        UNIT_FAIL_NOW("sockd did not say READY=1");
    }
    return harness;
}

/* ---- Stop ---- */

/* Waits for the end; false when it does not come. *status as waitpid() gives it. */
static bool await_end(struct harness *harness, int *status)
{
    struct pollfd polled = {.fd = harness->pidfd, .events = POLLIN};
    int64_t deadline = harness_now_ms() + HARNESS_WAIT_MS;
    bool is_over;

    while (!(is_over = has_ended(harness)) && harness_now_ms() < deadline) {
        poll(&polled, 1, harness->pidfd < 0 ? 20 : 1000);
    }
    if (!is_over) {
        kill(harness->pid, SIGKILL);
    }
    while (waitpid(harness->pid, status, 0) < 0 && errno == EINTR) {
    }
    if (harness->pidfd >= 0) {
        close(harness->pidfd);
    }
    harness->pidfd = -1;
    harness->pid = 0;
    return is_over;
}

static void judge(struct harness *harness)
{
    int status = 0;

    if (!await_end(harness, &status)) {
        UNIT_FAIL("sockd did not end within %d s", HARNESS_WAIT_MS / 1000);
    } else if (WIFSIGNALED(status)) {
        UNIT_FAIL("sockd was ended by signal %d (%s)", WTERMSIG(status),
                  strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
        UNIT_FAIL("sockd ended with status %d", WEXITSTATUS(status));
    }
    if (access(harness->socket, F_OK) == 0) {
        UNIT_FAIL("sockd left its socket file behind");
    }
    if (evidence_has_reports(harness->directory)) {
        UNIT_FAIL("a sanitizer wrote a report about sockd");
    }
    if (!harness->options.expect_errors) {
        evidence_check_log(harness->log);
    }
}

void harness_stop_with(struct harness *harness, int signal_number)
{
    if (harness->pid != 0) {
        kill(harness->pid, signal_number);
        judge(harness);
    }
}

void harness_stop(struct harness *harness) { harness_stop_with(harness, SIGTERM); }

void harness_await_end(struct harness *harness)
{
    if (harness->pid != 0) {
        judge(harness);
    }
}

void harness_kill(struct harness *harness)
{
    int status;

    if (harness->pid != 0) {
        kill(harness->pid, SIGKILL);
        await_end(harness, &status);
    }
}

int harness_start_refused(const struct harness_options *options, const char *text)
{
    struct harness *harness = prepare(options);
    int status = 0;

    if (harness_is_told(harness, ready, HARNESS_WAIT_MS)) {
        UNIT_FAIL_NOW("sockd said READY=1 although it should have refused to start");
    }
    if (!await_end(harness, &status)) {
        UNIT_FAIL_NOW("sockd neither became ready nor ended");
    }
    if (!harness_log_has(harness, text)) {
        UNIT_FAIL("the log does not say \"%s\"", text);
    }
    if (evidence_has_reports(harness->directory)) {
        UNIT_FAIL("a sanitizer wrote a report about sockd");
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* After each test: what it left running is stopped and judged. */
static void clean_up(void)
{
    struct harness *harness;

    while ((harness = all)) {
        harness_stop(harness);
        if (unit_has_failed()) {
            evidence_show(harness->directory);
        } else {
            evidence_remove(harness->directory);
        }
        close(harness->notify);
        all = harness->next;
        free(harness);
    }
}

/* ---- Facts ---- */

pid_t harness_pid(const struct harness *harness) { return harness->pid; }

const char *harness_socket(const struct harness *harness) { return harness->socket; }

const char *harness_directory(const struct harness *harness)
{
    return harness->directory;
}

unsigned harness_workers(const struct harness *harness) { return harness->workers; }

int harness_n_descriptors(const struct harness *harness)
{
    char path[64];
    DIR *directory;
    struct dirent *entry;
    int n = 0;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)harness->pid);
    directory = opendir(path);
    if (!directory && errno == EACCES) {
        /* The daemon keeps its keys from debuggers, so its descriptors are for root to
         * see; their number is told by Linux from 6.2 on. */
        struct stat facts;
        if (stat(path, &facts) == 0 && facts.st_size > 0) {
            return (int)facts.st_size;
        }
        unit_skip("only root can count the descriptors of the daemon here");
        return 0;
    }
    if (!directory) {
        UNIT_FAIL_NOW("%s: %s", path, strerror(errno));
    }
    while ((entry = readdir(directory))) {
        n += entry->d_name[0] != '.';
    }
    closedir(directory);
    return n;
}

bool harness_keeps_freed_memory(void)
{
#ifdef WITH_SANITIZERS
    return true;
#else
    return getenv("VALGRIND") != NULL;
#endif
}

long harness_memory_kib(const struct harness *harness)
{
    char path[64];
    char *text, *line;
    long kib = -1;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)harness->pid);
    text = evidence_read_file(path);
    line = text ? strstr(text, "VmRSS:") : NULL;
    if (line) {
        kib = strtol(line + 6, NULL, 10);
    }
    free(text);
    return kib;
}

bool harness_log_has(const struct harness *harness, const char *text)
{
    char *log = evidence_read_file(harness->log);
    bool has = log && strstr(log, text);

    free(log);
    return has;
}

struct log_wish {
    const struct harness *harness;
    const char *text;
};

static bool log_wish_is_true(void *context)
{
    const struct log_wish *wish = context;

    return harness_log_has(wish->harness, wish->text);
}

void harness_await_log(const struct harness *harness, const char *text)
{
    struct log_wish wish = {.harness = harness, .text = text};

    harness_await(log_wish_is_true, &wish, text);
}
