/* SPDX-License-Identifier: MIT */
/*
 * log.c - lines of the log: composed on the stack, each written by one write(2).
 *
 * Called from everywhere in the daemon; calls the C library and text.c. Thread: any.
 * There is no lock: the levels are atomic, and the kernel keeps one write of this size
 * together.
 */
#include <config.h>
#include "daemon/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "proto/text.h"

/* A line is not larger than PIPE_BUF, so it arrives in one piece in a pipe too. */
enum { LINE_SIZE = 4096, MESSAGE_SIZE = 2048, LINES_PER_SECOND = 10 };

static const struct {
    const char *name;
    int priority; /* as in syslog(3), for the journal */
} level_rows[] = {
    [LOG_LEVEL_ERROR] = {"error", 3},
    [LOG_LEVEL_WARN] = {"warn", 4},
    [LOG_LEVEL_INFO] = {"info", 6},
    [LOG_LEVEL_DEBUG] = {"debug", 7},
};
enum { N_LEVELS = sizeof level_rows / sizeof *level_rows };

static const char *const module_names[LOG_MODULE_COUNT] = {
    [LOG_DAEMON] = "daemon", [LOG_CONTROL] = "control", [LOG_NET] = "net",
    [LOG_TLS] = "tls",       [LOG_DNS] = "dns",
};

static _Atomic int levels[LOG_MODULE_COUNT] = {
    LOG_LEVEL_INFO, LOG_LEVEL_INFO, LOG_LEVEL_INFO, LOG_LEVEL_INFO, LOG_LEVEL_INFO};
static _Atomic bool is_journal;

/* systemd puts device and inode of the journal's stream into the environment; standard
 * error may have been redirected since, so both are compared. */
void log_setup(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;

    is_journal = stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
                 fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
                 status.st_ino == inode;
}

void log_set_level(enum log_module module, enum log_level level)
{
    CHECK(module < LOG_MODULE_COUNT && (unsigned)level < N_LEVELS);
    atomic_store_explicit(&levels[module], (int)level, memory_order_relaxed);
}

void log_set_all(enum log_level level)
{
    for (int module = 0; module < LOG_MODULE_COUNT; module++) {
        log_set_level((enum log_module)module, level);
    }
}

bool log_level_by_name(const char *name, enum log_level *level)
{
    for (int i = 0; i < N_LEVELS; i++) {
        if (strcmp(name, level_rows[i].name) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

const char *log_level_name(enum log_level level)
{
    CHECK((unsigned)level < N_LEVELS);
    return level_rows[level].name;
}

const char *log_module_name(enum log_module module)
{
    CHECK(module < LOG_MODULE_COUNT);
    return module_names[module];
}

enum log_level log_get_level(enum log_module module)
{
    CHECK(module < LOG_MODULE_COUNT);
    return (enum log_level)atomic_load_explicit(&levels[module], memory_order_relaxed);
}

bool log_wants(enum log_module module, enum log_level level)
{
    return level <= log_get_level(module);
}

/* Writes the escape of one byte (at most 4 characters and a NUL); returns its length. */
static size_t escape_byte(char *out, unsigned char byte)
{
    switch (byte) {
    case '\n':
        memcpy(out, "\\n", 3);
        return 2;
    case '\r':
        memcpy(out, "\\r", 3);
        return 2;
    case '\t':
        memcpy(out, "\\t", 3);
        return 2;
    default:
        return (size_t)snprintf(out, 5, "\\x%02x", byte);
    }
}

static bool is_control(unsigned char byte) { return byte < 0x20 || byte == 0x7f; }

/* What stands before the sentence; returns its length. */
static size_t put_head(char *line, size_t size, enum log_module module,
                       enum log_level level)
{
    const char *name = module_names[module];
    int len;

    if (is_journal) {
        len = snprintf(line, size, "<%d>%s: ", level_rows[level].priority, name);
    } else {
        struct timespec now;
        struct tm date;
        char time[32];

        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &date);
        strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &date);
        len = snprintf(line, size, "%s.%03dZ %s %s: ", time, (int)(now.tv_nsec / 1000000),
                       level_rows[level].name, name);
    }
    return len < 0 ? 0 : (size_t)len;
}

void log_line(enum log_module module, enum log_level level, const char *format, ...)
{
    if (!log_wants(module, level)) {
        return;
    }
    int kept_errno = errno;
    char message[MESSAGE_SIZE], line[LINE_SIZE];
    size_t size = put_head(line, sizeof line, module, level);
    va_list arguments;

    va_start(arguments, format);
    int len = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    size_t message_size = len < 0 ? 0 : (size_t)len;
    bool is_cut = message_size >= sizeof message;

    if (is_cut) {
        message_size = sizeof message - 1;
    }
    /* Room is left for one escape, the dots of a cut line and the newline. */
    for (size_t i = 0; i < message_size; i++) {
        if (size > sizeof line - 10) {
            is_cut = true;
            break;
        }
        unsigned char byte = (unsigned char)message[i];
        if (is_control(byte)) {
            size += escape_byte(line + size, byte);
        } else {
            line[size++] = (char)byte;
        }
    }
    if (is_cut) {
        memcpy(line + size, "...", 3);
        size += 3;
    }
    line[size++] = '\n';
    /* A log that cannot be written must not stop the daemon, and there is no one to tell.
     */
    ssize_t written = write(STDERR_FILENO, line, size);
    (void)written;
    errno = kept_errno;
}

bool log_rate_allows(struct log_rate *rate, enum log_module module, enum log_level level)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    long second = atomic_load(&rate->second);
    /* The thread that sees the new second first begins it. Others that come between its
     * steps may count a line in the wrong second: harmless. */
    if (second != now.tv_sec &&
        atomic_compare_exchange_strong(&rate->second, &second, now.tv_sec)) {
        atomic_store(&rate->n_lines, 0);
        unsigned n_held = atomic_exchange(&rate->n_held, 0);
        if (n_held > 0) {
            log_line(module, level, "Lines like the next one were held back. lines=%u",
                     n_held);
        }
    }
    if (atomic_fetch_add(&rate->n_lines, 1) < LINES_PER_SECOND) {
        return true;
    }
    atomic_fetch_add(&rate->n_held, 1);
    return false;
}

/* The next piece of a text as it stands between quotes; returns how many bytes it stands
 * for. */
static size_t quote_piece(char piece[8], const unsigned char *text, size_t size)
{
    if (*text == '"' || *text == '\\') {
        piece[0] = '\\';
        piece[1] = (char)*text;
        piece[2] = '\0';
        return 1;
    }
    if (*text < 0x80 && !is_control(*text)) {
        piece[0] = (char)*text;
        piece[1] = '\0';
        return 1;
    }
    size_t length = *text >= 0xf0 ? 4 : *text >= 0xe0 ? 3 : 2;
    /* U+0080 to U+009F are control characters as well, to terminals that know them. */
    bool is_c1 = *text == 0xc2 && size > 1 && text[1] < 0xa0;
    if (*text >= 0x80 && !is_c1 && length <= size && text_is_utf8(text, length)) {
        memcpy(piece, text, length);
        piece[length] = '\0';
        return length;
    }
    (void)escape_byte(piece, *text);
    return 1;
}

const char *log_quote(char *out, size_t size, const char *text, size_t text_size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t at = 0, used = 0;

    CHECK(size >= 16);
    out[used++] = '"';
    while (at < text_size) {
        char piece[8];
        size_t taken = quote_piece(piece, bytes + at, text_size - at);
        size_t len = strlen(piece);

        if (used + len + sizeof "\"..." > size) {
            break;
        }
        memcpy(out + used, piece, len);
        used += len;
        at += taken;
    }
    snprintf(out + used, size - used, "%s", at < text_size ? "\"..." : "\"");
    return out;
}
