/* SPDX-License-Identifier: MIT */
/*
 * honest_parts.h - what the files of the honest peer share: honest.c, its session, and
 * honest_queue.c, what it says on its way. Nobody else includes it.
 */
#ifndef SOCKD_TESTS_HONEST_PARTS_H
#define SOCKD_TESTS_HONEST_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum honest_kind {
    HONEST_DATA,
    HONEST_CLOSE,
    HONEST_MESSAGE,
    HONEST_FATAL,
    HONEST_DOUBTFUL,
    HONEST_BROKEN
};

/* Bytes on their way, usually a record. */
struct honest_piece {
    const uint8_t *bytes;
    size_t size, n_sent;
    size_t n_data;
    enum honest_kind kind;
    bool is_unfinished; /* the message goes on in the next one */
};

/* An empty queue in front of a descriptor. */
void honest_queue_start(int fd);
int honest_queue_fd(void); /* -1: closed */
/* Room at the end of its memory, for a record to be added; NULL: it is full. */
uint8_t *honest_queue_room(size_t size);
struct honest_piece *honest_queue_add(const uint8_t *bytes, size_t size,
                                      enum honest_kind kind, size_t n_data);
/* For a lot of bytes, and for answers that come with them. */
bool honest_queue_is_roomy(void);

#endif
