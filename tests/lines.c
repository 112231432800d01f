/* SPDX-License-Identifier: MIT */
/*
 * lines.c - text lines to and from a daemon under test.
 *
 * Place: system tests of the protocol call it; it calls peer.c for the bytes. Thread:
 * that of the test.
 */
#include <config.h>
#include "tests/lines.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/contract.h"
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"

/* Owner: the list below, until it is closed or the test ends. */
struct lines {
    struct lines *next;
    int fd;
    char *data; /* received; those before `start` were heard */
    size_t start, size, room;
    unsigned n_settled;
};

static struct lines *all;

/* The descriptors are peer.c's, which closes them. */
static void free_all(void)
{
    while (all != NULL) {
        struct lines *lines = all;
        all = lines->next;
        free(lines->data);
        free(lines);
    }
}

struct lines *lines_open(const struct harness *harness)
{
    struct lines *lines = calloc(1, sizeof *lines);

    if (lines == NULL) {
        unit_bail_out("out of memory");
    }
    unit_after_each(free_all);
    lines->next = all;
    all = lines;
    lines->fd = peer_connect_file(harness_socket(harness));
    return lines;
}

int lines_descriptor(const struct lines *lines) { return lines->fd; }

void lines_close(struct lines *lines)
{
    struct lines **link = &all;

    peer_close(lines->fd);
    while (*link != lines) {
        link = &(*link)->next;
    }
    *link = lines->next;
    free(lines->data);
    free(lines);
}

void lines_say(struct lines *lines, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (size < 0) {
        unit_bail_out("out of memory");
    }
    contract_saw_line(text);
    text[size] = '\n'; /* in the place of the NUL */
    peer_write(lines->fd, text, (size_t)size + 1);
    free(text);
}

size_t lines_push(struct lines *lines, const char *bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n =
            send(lines->fd, bytes + done, size - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            break;
        }
        done += (size_t)n;
    }
    return done;
}

/* Receives more; false at the end. */
static bool receive(struct lines *lines)
{
    struct pollfd entry = {.fd = lines->fd, .events = POLLIN};

    if (lines->start > 0) {
        lines->size -= lines->start;
        memmove(lines->data, lines->data + lines->start, lines->size);
        lines->start = 0;
    }
    if (lines->room - lines->size < 65536) {
        lines->room = lines->room * 2 + 131072;
        lines->data = realloc(lines->data, lines->room);
        if (lines->data == NULL) {
            unit_bail_out("out of memory");
        }
    }
    if (poll(&entry, 1, HARNESS_WAIT_MS) <= 0) {
        UNIT_FAIL_NOW("waited in vain for a line");
    }
    ssize_t n = recv(lines->fd, lines->data + lines->size, lines->room - lines->size, 0);
    if (n < 0 && errno != ECONNRESET) {
        UNIT_FAIL_NOW("recv: %s", strerror(errno));
    }
    lines->size += n > 0 ? (size_t)n : 0;
    return n > 0;
}

const char *lines_hear(struct lines *lines)
{
    size_t searched = 0;

    for (;;) {
        size_t size = lines->size - lines->start - searched;
        char *begin = size > 0 ? lines->data + lines->start : NULL;
        char *end = size > 0 ? memchr(begin + searched, '\n', size) : NULL;

        if (end != NULL) {
            *end = '\0';
            lines->start = (size_t)(end - lines->data) + 1;
            contract_saw_line(begin);
            return begin;
        }
        searched += size;
        if (!receive(lines)) {
            if (lines->size > 0) {
                UNIT_FAIL_NOW("the connection ended within a line of %zu bytes",
                              lines->size);
            }
            return NULL;
        }
    }
}

void lines_expect(struct lines *lines, const char *text)
{
    const char *line = lines_hear(lines);

    if (line == NULL || strcmp(line, text) != 0) {
        UNIT_FAIL_NOW("expected %s, got %s", text, line != NULL ? line : "the end");
    }
}

void lines_expect_part(struct lines *lines, const char *part)
{
    const char *line = lines_hear(lines);

    if (line == NULL || strstr(line, part) == NULL) {
        UNIT_FAIL_NOW("expected %s in it, got %s", part, line != NULL ? line : "the end");
    }
}

void lines_expect_end(struct lines *lines)
{
    const char *line = lines_hear(lines);

    if (line != NULL) {
        UNIT_FAIL_NOW("expected the end, got %s", line);
    }
}

void lines_settle(struct lines *lines)
{
    char text[128];

    lines->n_settled++;
    lines_say(lines,
              "{\"jsonrpc\":\"2.0\",\"id\":\"settle-%u\",\"method\":\"ipaddrp\","
              "\"params\":{\"object\":1}}",
              lines->n_settled);
    (void)snprintf(
        text, sizeof text,
        "{\"jsonrpc\":\"2.0\",\"id\":\"settle-%u\",\"result\":{\"value\":true}}",
        lines->n_settled);
    lines_expect(lines, text);
}
