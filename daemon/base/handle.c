/* SPDX-License-Identifier: MIT */
/*
 * handle.c - the table from handle numbers to the objects of one worker.
 *
 * Called by worker, sock, connection and request; calls check.c only. Thread: the
 * worker's.
 *
 * Slots are appended with growing numbers, so the array is sorted by itself. A removed
 * slot stays as a tombstone (object NULL) until more than half of the slots are such, or
 * until it is the last one: adding and removing cost O(1) on the average.
 */
#include <config.h>
#include "daemon/base/handle.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"

enum { HANDLE_FIRST_ROOM = 32 };

/* Handles stay below 2^53. */
#define HANDLE_LAST_SERIAL ((INT64_C(1) << 53) / HANDLE_MAX_WORKERS - 1)

void handle_table_init(struct handle_table *table, int worker)
{
    CHECK(worker >= 0 && worker < HANDLE_MAX_WORKERS);
    *table = (struct handle_table){.worker = worker};
}

void handle_table_fini(struct handle_table *table)
{
    free(table->slots);
    *table = (struct handle_table){.worker = table->worker};
}

/* A new slot in its place: the last, but for guests from other workers and what is newer
 * than they are. */
static void insert(struct handle_table *table, int64_t handle, enum handle_kind kind,
                   void *object)
{
    size_t place = table->n_slots;

    if (table->n_slots == table->room) {
        table->room = table->room > 0 ? table->room * 2 : HANDLE_FIRST_ROOM;
        table->slots = mem_resize(table->slots, table->room * sizeof *table->slots);
    }
    while (place > 0 && table->slots[place - 1].handle > handle) {
        place--;
    }
    memmove(&table->slots[place + 1], &table->slots[place],
            (table->n_slots - place) * sizeof *table->slots);
    table->slots[place] = (struct handle_slot){handle, kind, object};
    table->n_slots++;
    table->n_kind[kind]++;
}

int64_t handle_add(struct handle_table *table, enum handle_kind kind, void *object)
{
    CHECK(kind != HANDLE_ANY && (unsigned)kind < HANDLE_KINDS);
    CHECK(object != NULL);
    CHECK(table->last_serial < HANDLE_LAST_SERIAL);
    table->last_serial++;
    int64_t handle = table->last_serial * HANDLE_MAX_WORKERS + table->worker;

    insert(table, handle, kind, object);
    return handle;
}

/* The slot of a handle, NULL if it has none; tombstones are found too. */
static struct handle_slot *find_slot(const struct handle_table *table, int64_t handle)
{
    struct handle_slot *slots = table->slots;
    size_t n = table->n_slots;

    if (n == 0 || handle < slots[0].handle || handle > slots[n - 1].handle) {
        return NULL;
    }
    size_t low = 0, high = n - 1;

    if (table->n_guests == 0) {
        /* Serials differ by one at least, so the distance from either end bounds the
         * place. Without gaps, the usual case, the bounds meet and nothing needs to be
         * searched. */
        size_t from_first = (size_t)((handle - slots[0].handle) / HANDLE_MAX_WORKERS);
        size_t from_last = (size_t)((slots[n - 1].handle - handle) / HANDLE_MAX_WORKERS);
        low = from_last < n ? n - 1 - from_last : 0;
        high = from_first < n ? from_first : n - 1;
    }

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slots[middle].handle < handle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return slots[low].handle == handle ? &slots[low] : NULL;
}

static bool is_guest(const struct handle_table *table, int64_t handle)
{
    return (int)handle_worker(handle) != table->worker;
}

static void compact(struct handle_table *table)
{
    size_t n = 0;

    table->n_guests = 0;
    for (size_t i = 0; i < table->n_slots; i++) {
        if (table->slots[i].object != NULL) {
            table->n_guests += is_guest(table, table->slots[i].handle);
            table->slots[n++] = table->slots[i];
        }
    }
    table->n_slots = n;
    table->n_gone = 0;
    if (table->room > HANDLE_FIRST_ROOM && n < table->room / 8) {
        table->room = n * 2 > HANDLE_FIRST_ROOM ? n * 2 : HANDLE_FIRST_ROOM;
        table->slots = mem_resize(table->slots, table->room * sizeof *table->slots);
    }
}

void handle_put(struct handle_table *table, int64_t handle, enum handle_kind kind,
                void *object)
{
    struct handle_slot *slot = find_slot(table, handle);

    CHECK(kind != HANDLE_ANY && (unsigned)kind < HANDLE_KINDS && object != NULL);
    if (slot == NULL) {
        table->n_guests += is_guest(table, handle);
        insert(table, handle, kind, object);
        return;
    }
    if (slot->object != NULL) {
        table->n_kind[slot->kind]--;
    } else {
        table->n_gone--;
    }
    slot->kind = kind;
    slot->object = object;
    table->n_kind[kind]++;
}

void handle_remove(struct handle_table *table, int64_t handle)
{
    if (handle == 0) {
        return;
    }
    struct handle_slot *slot = find_slot(table, handle);

    CHECK(slot != NULL && slot->object != NULL);
    slot->object = NULL;
    table->n_kind[slot->kind]--;
    table->n_gone++;
    /* Short-lived handles, those of requests, mostly go while they are the last. */
    while (table->n_slots > 0 && table->slots[table->n_slots - 1].object == NULL) {
        table->n_slots--;
        table->n_gone--;
        table->n_guests -= is_guest(table, table->slots[table->n_slots].handle);
    }
    if (table->n_gone > table->n_slots / 2 || table->n_slots == 0) {
        compact(table);
    }
}

void *handle_find(const struct handle_table *table, int64_t handle, enum handle_kind kind)
{
    const struct handle_slot *slot = find_slot(table, handle);

    if (slot == NULL || (kind != HANDLE_ANY && slot->kind != kind)) {
        return NULL;
    }
    return slot->object;
}

void *handle_next(const struct handle_table *table, int64_t after, enum handle_kind kind,
                  int64_t *handle)
{
    size_t low = 0, high = table->n_slots;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->slots[middle].handle <= after) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < table->n_slots; low++) {
        const struct handle_slot *slot = &table->slots[low];
        if (slot->object != NULL && (kind == HANDLE_ANY || slot->kind == kind)) {
            *handle = slot->handle;
            return slot->object;
        }
    }
    return NULL;
}

size_t handle_count(const struct handle_table *table, enum handle_kind kind)
{
    CHECK((unsigned)kind < HANDLE_KINDS);
    return kind == HANDLE_ANY ? table->n_slots - table->n_gone : table->n_kind[kind];
}
