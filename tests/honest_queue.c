/* SPDX-License-Identifier: MIT */
/*
 * honest_queue.c - what an honest peer has said on its way, spoiled or not, and the
 * account of what the other side may make of it.
 *
 * Called by honest.c and fuzz targets. Thread: the one that runs the test.
 */
#include <config.h>
#include "tests/honest.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "tests/honest_parts.h"

enum {
    MAX_PIECES = 1024,
    ROOM = 2 * 1024 * 1024,
    LEAST_CUT = 4,
    MANY_MESSAGES = 90, /* above which the other side may call it a flood */
};

struct honest_account honest;

static struct {
    int fd; /* -1: closed */
    struct honest_piece pieces[MAX_PIECES];
    size_t n_pieces, first;
    uint8_t room[ROOM];
    size_t n_used;
    unsigned n_messages;
    bool is_next_broken; /* as the one before it is missing */
} queue;

static uint8_t patterns[2][HONEST_MAX_BYTES];

/* ---- Bytes ---- */

void honest_must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

const uint8_t *honest_pattern(bool is_ours)
{
    if (patterns[1][0] == 0) {
        for (size_t i = 0; i < HONEST_MAX_BYTES; i++) {
            patterns[0][i] = (uint8_t)(i * 7 ^ (i >> 8) * 29 ^ (i >> 16) * 113);
            patterns[1][i] = (uint8_t)(patterns[0][i] ^ 0xa5);
        }
    }
    return patterns[is_ours];
}

void honest_check(bool is_ours, size_t at, const void *bytes, size_t size)
{
    honest_must(at + size <= HONEST_MAX_BYTES &&
                    (size == 0 || memcmp(honest_pattern(is_ours) + at, bytes, size) == 0),
                "bytes that were not sent, or not in this order");
}

/* ---- The queue ---- */

static struct honest_piece *piece_at(size_t record)
{
    return record < queue.n_pieces - queue.first ? &queue.pieces[queue.first + record]
                                                 : NULL;
}

size_t honest_n_queued(void) { return queue.n_pieces - queue.first; }

uint8_t *honest_queue_room(size_t size)
{
    if (queue.first == queue.n_pieces) {
        queue.first = queue.n_pieces = queue.n_used = 0;
    }
    if (ROOM - queue.n_used < size || queue.n_pieces == MAX_PIECES) {
        return NULL;
    }
    return queue.room + queue.n_used;
}

struct honest_piece *honest_queue_add(const uint8_t *bytes, size_t size,
                                      enum honest_kind kind, size_t n_data)
{
    CHECK(bytes == queue.room + queue.n_used && queue.n_pieces < MAX_PIECES);
    queue.n_used += size;
    struct honest_piece *piece = &queue.pieces[queue.n_pieces++];

    *piece = (struct honest_piece){bytes, size, 0, n_data, kind, false};
    if (queue.is_next_broken) {
        queue.is_next_broken = false;
        piece->kind = HONEST_BROKEN;
    }
    return piece;
}

bool honest_queue_is_roomy(void)
{
    return queue.n_pieces < MAX_PIECES / 2 && queue.n_used < ROOM / 2;
}

void honest_queue_start(int fd)
{
    honest = (struct honest_account){0};
    queue.fd = fd;
    queue.n_pieces = queue.first = queue.n_used = 0;
    queue.n_messages = 0;
    queue.is_next_broken = false;
}

int honest_queue_fd(void) { return queue.fd; }

/* ---- What becomes of it ---- */

void honest_flip(size_t record, size_t at, uint8_t bits)
{
    struct honest_piece *piece = piece_at(record);

    /* Not twice, which might mend it. */
    if (piece == NULL || bits == 0 || piece->kind == HONEST_BROKEN) {
        return;
    }
    at = piece->n_sent + at % (piece->size - piece->n_sent);
    queue.room[(size_t)(piece->bytes - queue.room) + at] ^= bits;
    piece->kind = HONEST_BROKEN;
}

void honest_shorten(size_t record, size_t size)
{
    struct honest_piece *piece = piece_at(record);

    /* Of fewer bytes those that follow might take the place, by chance. */
    if (piece == NULL || size < LEAST_CUT || size >= piece->size - piece->n_sent) {
        return;
    }
    piece->size -= size;
    piece->kind = HONEST_BROKEN;
}

static void breaks_next(size_t record)
{
    struct honest_piece *next = piece_at(record);

    if (next != NULL) {
        next->kind = HONEST_BROKEN;
    } else {
        queue.is_next_broken = true;
    }
}

static bool is_spoiled(void)
{
    bool is_broken = queue.is_next_broken;

    for (size_t i = queue.first; i < queue.n_pieces; i++) {
        is_broken = is_broken || queue.pieces[i].kind == HONEST_BROKEN;
    }
    return is_broken;
}

void honest_drop(size_t record)
{
    struct honest_piece *piece = piece_at(record);

    /* Without the first one of two that are the same all is well. */
    if (piece == NULL || piece->n_sent > 0 || is_spoiled()) {
        return;
    }
    memmove(piece, piece + 1, (honest_n_queued() - record - 1) * sizeof *piece);
    queue.n_pieces--;
    breaks_next(record);
}

/* Before the record with that number. */
static struct honest_piece *make_place(size_t record)
{
    struct honest_piece *piece = piece_at(record);

    if (queue.n_pieces == MAX_PIECES || piece == NULL || piece->n_sent > 0) {
        return NULL;
    }
    memmove(piece + 1, piece, (honest_n_queued() - record) * sizeof *piece);
    queue.n_pieces++;
    return piece;
}

void honest_repeat(size_t record)
{
    struct honest_piece *piece = piece_at(record);
    struct honest_piece copy = piece != NULL ? *piece : (struct honest_piece){0};

    if (piece != NULL && record + 1 == honest_n_queued() && copy.n_sent == 0 &&
        queue.n_pieces < MAX_PIECES) {
        copy.kind = HONEST_BROKEN;
        queue.pieces[queue.n_pieces++] = copy;
    } else if (piece != NULL && make_place(record) != NULL) {
        breaks_next(record + 1);
    }
}

void honest_insert(size_t record, const uint8_t *bytes, size_t size)
{
    uint8_t *room = honest_queue_room(size);

    if (room == NULL || size == 0) {
        return;
    }
    memcpy(room, bytes, size);
    /* TLS 1.3 lets a ChangeCipherSpec pass wherever it comes. */
    room[0] ^= room[0] == SSL3_RT_CHANGE_CIPHER_SPEC;
    if (piece_at(record) == NULL) {
        (void)honest_queue_add(room, size, HONEST_BROKEN, 0);
        return;
    }
    struct honest_piece *piece = make_place(record);

    if (piece != NULL) {
        *piece = (struct honest_piece){room, size, 0, 0, HONEST_BROKEN, false};
        queue.n_used += size;
    }
}

/* ---- Sending ---- */

/* A part of it has gone out; it may have been spoiled since the one before. */
static void note_part(const struct honest_piece *piece)
{
    honest.is_inside = true;
    if (!honest.is_closed && !honest.is_fatal) {
        honest.is_broken = honest.is_broken || piece->kind == HONEST_BROKEN;
        honest.is_doubtful = honest.is_doubtful || piece->kind == HONEST_DOUBTFUL;
    }
}

/* The last byte of it has gone out. */
static void note_end(const struct honest_piece *piece)
{
    honest.is_inside = false;
    if (honest.is_closed || honest.is_fatal || honest.is_broken) {
        return;
    }
    honest.is_in_message = piece->is_unfinished;
    if (piece->kind == HONEST_MESSAGE && ++queue.n_messages > MANY_MESSAGES) {
        honest.is_doubtful = true;
    }
    honest.possible += piece->n_data;
    if (!honest.is_doubtful) {
        honest.certain = honest.possible;
    }
    honest.is_closed = piece->kind == HONEST_CLOSE;
    honest.is_fatal = piece->kind == HONEST_FATAL;
}

static bool send_piece(struct honest_piece *piece, size_t *size)
{
    size_t n = piece->size - piece->n_sent;

    n = n < *size ? n : *size;
    ssize_t sent =
        send(queue.fd, piece->bytes + piece->n_sent, n, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent <= 0) {
        return false;
    }
    note_part(piece);
    piece->n_sent += (size_t)sent;
    *size -= (size_t)sent;
    if (piece->n_sent < piece->size) {
        return false;
    }
    note_end(piece);
    queue.first++;
    return true;
}

bool honest_send(size_t size)
{
    size_t left = size;

    if (queue.fd < 0 || honest.is_cut) {
        return false;
    }
    while (queue.first < queue.n_pieces && left > 0 &&
           send_piece(&queue.pieces[queue.first], &left)) {
    }
    return left < size;
}

void honest_cut(void)
{
    if (queue.fd >= 0) {
        (void)shutdown(queue.fd, SHUT_WR);
        honest.is_cut = true;
    }
}

void honest_go(void)
{
    if (queue.fd >= 0) {
        (void)close(queue.fd);
        queue.fd = -1;
        honest.is_cut = honest.is_gone = true;
    }
}

/* ---- Judgements ---- */

bool honest_may_fail(void)
{
    return honest.is_broken || honest.is_fatal || honest.is_doubtful || honest.is_gone;
}

static bool is_all(size_t delivered)
{
    return delivered >= honest.certain && delivered <= honest.possible;
}

bool honest_may_end(size_t delivered, bool allows_truncation)
{
    if (!is_all(delivered) || honest.is_fatal ||
        (honest.is_broken && !honest.is_closed)) {
        return false;
    }
    return honest.is_closed || (allows_truncation && honest.is_cut && !honest.is_inside);
}

bool honest_may_be_cut(size_t delivered)
{
    return is_all(delivered) && honest.is_cut &&
           (!honest.is_closed || honest.is_doubtful);
}

bool honest_is_well(void)
{
    return !honest_may_fail() && !honest.is_in_message && !honest_heard.has_failed;
}
