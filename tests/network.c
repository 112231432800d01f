/* SPDX-License-Identifier: MIT */
/*
 * network.c - network namespaces, made and left by the thread of the test; ip(8) does the
 * rest.
 */
#include <config.h>
#include "tests/network.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/unit.h"

static int home = -1, near = -1, far = -1;

static int open_own(void)
{
    return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

static void enter(int fd)
{
    if (setns(fd, CLONE_NEWNET) != 0) {
        unit_bail_out("setns: %s", strerror(errno));
    }
}

/* For unit_after_each(). */
static void end(void)
{
    int *const all[] = {&near, &far, &home};

    if (home >= 0) {
        enter(home);
    }
    for (unsigned i = 0; i < 3; i++) {
        if (*all[i] >= 0) {
            (void)close(*all[i]);
        }
        *all[i] = -1;
    }
}

void network_go_far(void) { enter(far); }

void network_go_near(void) { enter(near); }

/* ---- ip(8) ---- */

enum { WORDS = 24, WORDS_SIZE = 256 };

/* Its exit status, or -1. */
static int run_ip(const char *words, bool is_quiet)
{
    char copy[WORDS_SIZE], *argv[WORDS + 1] = {NULL}, *rest = NULL;
    unsigned n = 0;
    int status;

    (void)snprintf(copy, sizeof copy, "ip %s", words);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL && n < WORDS;
         word = strtok_r(NULL, " ", &rest)) {
        argv[n++] = word;
    }
    pid_t pid = fork();

    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (is_quiet && null >= 0) {
            (void)dup2(null, STDERR_FILENO);
        }
        execvp(argv[0], argv);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status)
               ? WEXITSTATUS(status)
               : -1;
}

void network_ip(const char *words)
{
    int status = run_ip(words, false);

    if (status != 0) {
        UNIT_FAIL_NOW("ip %s: status %d", words, status);
    }
}

/* ---- Making ---- */

/* "near0" or "far0", with the last number of its addresses. */
static void set_up(const char *name, int number)
{
    char words[WORDS_SIZE];

    network_ip("link set lo up");
    (void)snprintf(words, sizeof words, "link set %s addrgenmode none", name);
    network_ip(words);
    (void)snprintf(words, sizeof words, "addr add fe80::%d/64 dev %s nodad", number,
                   name);
    network_ip(words);
    (void)snprintf(words, sizeof words, "addr add 10.9.0.%d/24 brd + dev %s", number,
                   name);
    network_ip(words);
    (void)snprintf(words, sizeof words, "link set %s up", name);
    network_ip(words);
}

static bool lay_cables(void)
{
    char words[WORDS_SIZE];

    for (int i = 0; i < 2; i++) {
        (void)snprintf(words, sizeof words,
                       "link add near%d type veth peer name far%d netns /proc/%ld/fd/%d",
                       i, i, (long)getpid(), far);
        if (run_ip(words, true) != 0) {
            return false;
        }
    }
    return true;
}

void network_tell_kernel(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, value, strlen(value)), (ssize_t)strlen(value));
    (void)close(fd);
}

/* Each error that comes back is sent, though it be one of many. */
static void let_far_forward(void)
{
    network_tell_kernel("/proc/sys/net/ipv4/ip_forward", "1");
    network_tell_kernel("/proc/sys/net/ipv4/icmp_ratemask", "0");
    network_tell_kernel("/proc/sys/net/ipv6/icmp/ratelimit", "0");
    network_ip("route add unreachable 10.10.0.0/24");
}

bool network_start(void)
{
    unit_after_each(end);
    home = open_own();
    if (home < 0 || unshare(CLONE_NEWNET) != 0) {
        (void)close(home); /* there is nothing to come home from; or no such descriptor */
        home = -1;
        unit_skip("no network namespaces here");
        return false;
    }
    far = open_own();
    if (far < 0 || unshare(CLONE_NEWNET) != 0 || (near = open_own()) < 0 ||
        !lay_cables()) {
        unit_skip("no ip(8), or no veth devices here");
        return false;
    }
    network_go_far();
    set_up("far0", 2);
    let_far_forward();
    network_go_near();
    set_up("near0", 1);
    network_ip("route add 10.10.0.0/15 via 10.9.0.2");
    return true;
}
