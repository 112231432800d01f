/* SPDX-License-Identifier: MIT */
/*
 * log.h - one line per event on standard error (with priority prefix under journald).
 *
 * A sentence, then key=value pairs. Foreign text is quoted and escaped with log_quote().
 * Thread: any; one write() per line. What a peer or client can cause goes through
 * LOG_RATED, which holds lines back beyond a rate and says how many.
 */
#ifndef SOCKD_BASE_LOG_H
#define SOCKD_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_module {
    LOG_DAEMON, /* start, stop, configuration, workers */
    LOG_CONTROL,
    LOG_NET,
    LOG_TLS,
    LOG_DNS,
    LOG_MODULE_COUNT
};

/* Before the first thread starts: finds out whether standard error is the journal. */
void log_setup(void);
void log_set_level(enum log_module module, enum log_level level);
void log_set_all(enum log_level level);
/* "error", "warn", "info", "debug"; false, and *level untouched, for any other name. */
bool log_level_by_name(const char *name, enum log_level *level);
const char *log_level_name(enum log_level level);
const char *log_module_name(enum log_module module);
enum log_level log_get_level(enum log_module module);
/* Levels are "info" until set, and may be set at any time from any thread. */
bool log_wants(enum log_module module, enum log_level level);

/* Writes nothing if the level is not wanted. Control bytes are escaped, long lines cut;
 * errno stays as it is. */
void log_line(enum log_module module, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* At most 10 lines of this place in a second; those held back are counted, and their
 * number is told before the next line of the place. */
#define LOG_RATED(module, level, ...)                                                    \
    do {                                                                                 \
        static struct log_rate log_rate_;                                                \
        if (log_wants(module, level) && log_rate_allows(&log_rate_, module, level)) {    \
            log_line(module, level, __VA_ARGS__);                                        \
        }                                                                                \
    } while (0)

struct log_rate {
    _Atomic long second;
    _Atomic unsigned n_lines, n_held;
};
/* For LOG_RATED: whether a line may be written now. All zero is a rate that saw no line
 * yet. */
bool log_rate_allows(struct log_rate *rate, enum log_module module, enum log_level level);

/* Quotes foreign text into `out` ("..." with escapes, cut to fit); returns `out`. Text
 * that was cut is followed by three dots. Bytes that are not UTF-8 are escaped. `size`:
 * at least 16. */
const char *log_quote(char *out, size_t size, const char *text, size_t text_size);

#endif
