/* SPDX-License-Identifier: MIT */
/*
 * program.c - runs programs of others with pipes.
 *
 * Called by system tests. Thread: the one that runs the test.
 */
#include <config.h>
#include "tests/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/unit.h"

enum { MAX_WORDS = 64 };

struct program {
    struct program *next;
    char name[32];
    pid_t pid;
    int in, out; /* -1: closed */
    bool has_ended;
    int status; /* of waitpid() */
    char *output;
    size_t size, room;
};

static struct program *all;

static void reap(struct program *program)
{
    while (waitpid(program->pid, &program->status, 0) < 0 && errno == EINTR) {
    }
    program->has_ended = true;
}

static void end_all(void)
{
    while (all != NULL) {
        struct program *program = all;
        all = program->next;
        if (!program->has_ended) {
            kill(program->pid, SIGKILL);
            reap(program);
        }
        if (unit_has_failed()) {
            unit_note("%s said: %s", program->name,
                      program->output != NULL ? program->output : "nothing");
        }
        if (program->in >= 0) {
            close(program->in);
        }
        if (program->out >= 0) {
            close(program->out);
        }
        free(program->output);
        free(program);
    }
}

/* ---- Starting ---- */

static const char *find(const char *name)
{
    static const char *const folders[] = {"/usr/bin", "/usr/sbin", "/usr/local/bin",
                                          "/usr/local/sbin", "/bin"};
    static char path[300];

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folders[i], name);
        if (access(path, X_OK) == 0) {
            return path;
        }
    }
    return NULL;
}

const char *program_find(const char *name)
{
    const char *path = find(name);

    if (path == NULL) {
        char reason[64];
        snprintf(reason, sizeof reason, "%s is not installed", name);
        unit_skip(reason);
    }
    return path;
}

static _Noreturn void become(const char *path, const char *const words[], int in, int out)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    char *copies[MAX_WORDS + 1] = {NULL};

    /* Also when the test ends in a way that nobody foresaw. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigaction(SIGPIPE, &standard, NULL);
    for (size_t i = 0; words[i] != NULL; i++) {
        copies[i] = strdup(words[i]);
    }
    if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
        dup2(out, STDERR_FILENO) >= 0) {
        execv(path, copies);
    }
    _exit(127);
}

struct program *program_start(const char *const words[])
{
    struct program *program = calloc(1, sizeof *program);
    const char *path = find(words[0]);
    int in[2], out[2];
    size_t n_words = 0;

    while (words[n_words] != NULL) {
        n_words++;
    }
    if (program == NULL || path == NULL || n_words > MAX_WORDS ||
        pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
        unit_bail_out("cannot run %s: %s", words[0], strerror(errno));
    }
    snprintf(program->name, sizeof program->name, "%s", words[0]);
    program->pid = fork();
    if (program->pid < 0) {
        unit_bail_out("fork: %s", strerror(errno));
    }
    if (program->pid == 0) {
        become(path, words, in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    program->in = in[1];
    program->out = out[0];
    (void)fcntl(program->in, F_SETFL, O_NONBLOCK); /* cannot fail for a pipe */
    (void)fcntl(program->out, F_SETFL, O_NONBLOCK);
    unit_after_each(end_all);
    program->next = all;
    all = program;
    return program;
}

struct program *program_run(const char *format, ...)
{
    const char *words[MAX_WORDS + 1];
    size_t n_words = 0;
    char *line, *rest;
    va_list args;

    va_start(args, format);
    if (vasprintf(&line, format, args) < 0) {
        unit_bail_out("out of memory");
    }
    va_end(args);
    rest = line;
    for (char *word; n_words < MAX_WORDS && (word = strsep(&rest, " ")) != NULL;) {
        if (word[0] != '\0') {
            words[n_words++] = word;
        }
    }
    words[n_words] = NULL;
    struct program *program = program_start(words);
    free(line);
    return program;
}

/* ---- Talking ---- */

static void keep(struct program *program, const char *bytes, size_t size)
{
    if (program->size + size + 1 > program->room) {
        program->room = 2 * (program->size + size) + 4096;
        program->output = realloc(program->output, program->room);
        if (program->output == NULL) {
            unit_bail_out("out of memory");
        }
    }
    for (size_t i = 0; i < size; i++) {
        /* s_client prints some, and a text would end there. */
        program->output[program->size++] = bytes[i] != '\0' ? bytes[i] : ' ';
    }
    program->output[program->size] = '\0';
}

/* Takes what there is. */
static void collect(struct program *program)
{
    char bytes[65536];

    while (program->out >= 0) {
        ssize_t n = read(program->out, bytes, sizeof bytes);
        if (n > 0) {
            keep(program, bytes, (size_t)n);
        } else if (n == 0) {
            close(program->out);
            program->out = -1;
        } else if (errno != EINTR) {
            return;
        }
    }
}

/* Waits until it has printed something, has ended, or can be told something. */
static void await_more(struct program *program, bool wants_room, const char *what)
{
    struct pollfd polled[] = {{.fd = program->out, .events = POLLIN},
                              {.fd = wants_room ? program->in : -1, .events = POLLOUT}};
    int n;

    do {
        n = poll(polled, 2, HARNESS_WAIT_MS);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        UNIT_FAIL_NOW("%s: waited in vain for %s", program->name, what);
    }
    collect(program);
}

void program_say(struct program *program, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t n = write(program->in, text, left);
        if (n >= 0) {
            text += n;
            left -= (size_t)n;
        } else if (errno == EAGAIN) {
            await_more(program, true, "its attention");
        } else if (errno != EINTR) {
            UNIT_FAIL_NOW("%s does not listen: %s", program->name, strerror(errno));
        }
    }
}

void program_end_input(struct program *program)
{
    close(program->in);
    program->in = -1;
}

const char *program_output(struct program *program)
{
    collect(program);
    return program->output != NULL ? program->output : "";
}

static unsigned count(const char *whole, const char *text)
{
    unsigned n = 0;

    while ((whole = strstr(whole, text)) != NULL) {
        whole += strlen(text);
        n++;
    }
    return n;
}

void program_await(struct program *program, const char *text)
{
    program_await_times(program, text, 1);
}

void program_await_times(struct program *program, const char *text, unsigned n)
{
    while (count(program_output(program), text) < n) {
        if (program->out < 0) {
            UNIT_FAIL_NOW("%s ended without a word of \"%s\"", program->name, text);
        }
        await_more(program, false, text);
    }
}

int program_status(struct program *program)
{
    if (!program->has_ended) {
        while (program->out >= 0) {
            await_more(program, false, "its end");
        }
        reap(program);
    }
    return WIFEXITED(program->status) ? WEXITSTATUS(program->status)
                                      : 128 + WTERMSIG(program->status);
}

void program_stop(struct program *program)
{
    if (!program->has_ended) {
        kill(program->pid, SIGTERM);
        (void)program_status(program); /* how it ends is its own affair */
    }
}

/* ---- Its port, from /proc ---- */

struct port_search {
    struct program *program;
    int port;
};

/* Whether a descriptor of the program is this socket. */
static bool has_socket(const struct program *program, unsigned long inode)
{
    char wanted[64], path[64], link[64];

    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    for (int fd = 0; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)program->pid, fd);
        ssize_t n = readlink(path, link, sizeof link - 1);
        if (n > 0) {
            link[n] = '\0';
            if (strcmp(link, wanted) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool finds_port(void *context)
{
    struct port_search *search = context;
    char line[512];

    collect(search->program);
    if (search->program->out < 0) {
        UNIT_FAIL_NOW("%s has ended instead of listening", search->program->name);
    }
    FILE *file = fopen("/proc/net/tcp", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        unsigned port, state;
        unsigned long inode;
        /* 0A: it listens. */
        if (sscanf(
                line,
                " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu",
                &port, &state, &inode) == 3 &&
            state == 0x0a && has_socket(search->program, inode)) {
            search->port = (int)port;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return search->port != 0;
}

int program_port(struct program *program)
{
    struct port_search search = {.program = program};

    harness_await(finds_port, &search, "a program that listens");
    return search.port;
}
