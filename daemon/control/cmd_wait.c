/* SPDX-License-Identifier: MIT */
/*
 * cmd_wait.c - wait-for-input-available, wait-for-io-available.
 *
 * Thread: the worker of the connection; the sockets are watched where they live, see
 * watch_group.h. The first worker that answers makes the others be asked for what they
 * have at that moment; when all have said it, the request ends.
 */
#include <config.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/handle.h"
#include "daemon/base/loop.h"
#include "daemon/control/handlers.h"
#include "daemon/control/request.h"
#include "daemon/control/watch_group.h"

enum { WAIT_BUCKETS = 256 };

enum status { STATUS_NOTHING, STATUS_READY, STATUS_ERROR };

/* The entries that live in one worker. */
struct part {
    unsigned worker;
    unsigned first, n; /* in wait->entries */
    bool is_asked, is_answered;
};

/* Owner: the request, in whose arena it lies. */
struct wait {
    struct wait *next, **link;
    struct request *request;
    int64_t id;
    bool is_io;                /* wait-for-io-available */
    struct watch_entry *asked; /* as the caller gave them; index is the place here */
    unsigned n_asked;
    struct watch_entry *entries; /* sorted by worker, each one once */
    unsigned n_entries;
    enum status *statuses; /* by index */
    struct part parts[HANDLE_MAX_WORKERS];
    unsigned n_parts, n_unanswered;
    bool is_collecting; /* something is ready, the others are asked what they have */
    struct timer timer;
};

static _Thread_local struct wait *waits[WAIT_BUCKETS];
static _Thread_local int64_t last_id;

static struct wait **wait_bucket(int64_t id)
{
    return &waits[(uint64_t)id / HANDLE_MAX_WORKERS % WAIT_BUCKETS];
}

static struct wait *wait_find(int64_t id)
{
    struct wait *wait = *wait_bucket(id);

    while (wait != NULL && wait->id != id) {
        wait = wait->next;
    }
    return wait;
}

/* ---- The end ---- */

/* Withdraws what is still watched. The caller ends the request. */
static void wait_over(struct wait *wait)
{
    timer_stop(&wait->timer);
    *wait->link = wait->next;
    if (wait->next != NULL) {
        wait->next->link = wait->link;
    }
    for (unsigned i = 0; i < wait->n_parts; i++) {
        const struct part *part = &wait->parts[i];
        if (part->is_asked && !part->is_answered) {
            watch_group_stop(wait->id, part->worker);
        }
    }
}

static void wait_fail(struct wait *wait, const struct error *error)
{
    wait_over(wait);
    request_fail(wait->request, error);
}

static void wait_cancel(struct request *request, const struct error *why)
{
    wait_fail(request_state(request), why);
}

static void write_status(struct writer *writer, const struct watch_entry *entry,
                         enum status status)
{
    static const char *const names[2][3] = {
        [OP_INPUT] = {NULL, "in", "in-error"},
        [OP_OUTPUT] = {NULL, "out", "out-error"},
    };

    writer_begin_array(writer);
    writer_int(writer, entry->handle);
    writer_text(writer, names[entry->direction][status]);
    writer_end_array(writer);
}

static void wait_finish(struct wait *wait)
{
    struct request *request = wait->request;

    wait_over(wait);
    struct writer *writer = request_reply(request);

    writer_result(writer, wait->is_io ? RESULT_WAIT_FOR_IO_AVAILABLE_READY
                                      : RESULT_WAIT_FOR_INPUT_AVAILABLE_READY);
    writer_begin_array(writer);
    for (unsigned i = 0; i < wait->n_asked; i++) {
        if (wait->statuses[i] == STATUS_NOTHING) {
            continue;
        }
        if (wait->is_io) {
            write_status(writer, &wait->asked[i], wait->statuses[i]);
        } else {
            writer_int(writer, wait->asked[i].handle);
        }
    }
    writer_end_array(writer);
    request_finish(request);
}

static void wait_timed_out(void *arg)
{
    struct wait *wait = arg;

    counters_add(loop_counters(loop_self()), COUNTER_TIMEOUTS, 1);
    wait_finish(wait); /* nothing is ready: no error, as documented */
}

/* ---- Answers ---- */

static struct part *part_of(struct wait *wait, unsigned worker)
{
    for (unsigned i = 0; i < wait->n_parts; i++) {
        if (wait->parts[i].worker == worker) {
            return &wait->parts[i];
        }
    }
    return NULL;
}

/* The own worker last: it answers before this returns, and that may be the end. */
static void collect_others(struct wait *wait)
{
    unsigned own = (unsigned)loop_number(loop_self());
    const struct part *near = part_of(wait, own);

    wait->is_collecting = true;
    timer_stop(&wait->timer);
    for (unsigned i = 0; i < wait->n_parts; i++) {
        const struct part *part = &wait->parts[i];
        if (part != near && part->is_asked && !part->is_answered) {
            watch_group_collect(wait->id, part->worker);
        }
    }
    if (near != NULL && near->is_asked && !near->is_answered) {
        watch_group_collect(wait->id, own);
    }
}

static void answered(int64_t id, unsigned worker, const struct watch_answer *answer)
{
    struct wait *wait = wait_find(id);
    struct part *part = wait != NULL ? part_of(wait, worker) : NULL;

    if (part == NULL || part->is_answered) {
        return;
    }
    part->is_answered = true;
    wait->n_unanswered--;
    if (answer->error != NULL) {
        wait_fail(wait, answer->error);
        return;
    }
    for (unsigned i = 0; i < answer->n_ready; i++) {
        const struct watch_ready *ready = &answer->ready[i];
        wait->statuses[ready->index] = ready->is_error ? STATUS_ERROR : STATUS_READY;
    }
    if (wait->n_unanswered == 0) {
        wait_finish(wait);
    } else if (answer->n_ready > 0 && !wait->is_collecting) {
        collect_others(wait);
    }
}

/* ---- The beginning ---- */

static int compare_entries(const void *first, const void *second)
{
    const struct watch_entry *a = first, *b = second;
    unsigned worker_a = handle_worker(a->handle), worker_b = handle_worker(b->handle);

    if (worker_a != worker_b) {
        return worker_a < worker_b ? -1 : 1;
    }
    if (a->handle != b->handle) {
        return a->handle < b->handle ? -1 : 1;
    }
    if (a->direction != b->direction) {
        return a->direction < b->direction ? -1 : 1;
    }
    return (a->index > b->index) - (a->index < b->index);
}

/* Sorts the entries by worker and keeps the first of equal ones. */
static void sort_entries(struct wait *wait)
{
    unsigned n_kept = 0;

    memcpy(wait->entries, wait->asked, wait->n_asked * sizeof *wait->entries);
    qsort(wait->entries, wait->n_asked, sizeof *wait->entries, compare_entries);
    for (unsigned i = 0; i < wait->n_asked; i++) {
        const struct watch_entry *last = n_kept > 0 ? &wait->entries[n_kept - 1] : NULL;
        const struct watch_entry entry = wait->entries[i];
        if (last == NULL || last->handle != entry.handle ||
            last->direction != entry.direction) {
            wait->entries[n_kept++] = entry;
        }
    }
    wait->n_entries = n_kept;
}

/* False: a handle names a worker that there is not. */
static bool make_parts(struct wait *wait, struct error *error)
{
    for (unsigned i = 0; i < wait->n_entries; i++) {
        unsigned worker = handle_worker(wait->entries[i].handle);
        if (loop_of_worker(worker) == NULL) {
            error_set(error, ERROR_NO_SUCH_SOCKET, "no socket has the handle %lld",
                      (long long)wait->entries[i].handle);
            error->socket = wait->entries[i].handle;
            return false;
        }
        if (wait->n_parts == 0 || wait->parts[wait->n_parts - 1].worker != worker) {
            wait->parts[wait->n_parts++] = (struct part){.worker = worker, .first = i};
        }
        wait->parts[wait->n_parts - 1].n++;
    }
    wait->n_unanswered = wait->n_parts;
    return true;
}

static void ask(struct wait *wait, struct part *part, bool is_once)
{
    part->is_asked = true;
    watch_group_start(wait->id, part->worker,
                      request_params(wait->request)->command->name,
                      request_caller(wait->request), wait->entries + part->first, part->n,
                      is_once || wait->is_collecting, answered);
}

/* The own worker first: it answers before the others have to be troubled. */
static void ask_all(struct wait *wait, double timeout)
{
    int64_t id = wait->id;
    struct part *near = part_of(wait, (unsigned)loop_number(loop_self()));

    if (near != NULL) {
        ask(wait, near, timeout == 0);
        if (wait_find(id) == NULL) {
            return;
        }
    }
    for (unsigned i = 0; i < wait->n_parts; i++) {
        if (!wait->parts[i].is_asked) {
            ask(wait, &wait->parts[i], timeout == 0);
        }
    }
    if (timeout > 0 && !wait->is_collecting) {
        timer_start(&wait->timer, loop_self(), timeout, wait_timed_out, wait);
    }
}

static void wait_start(struct wait *wait, double timeout)
{
    struct wait **bucket;
    struct error error;

    wait->id = ++last_id * HANDLE_MAX_WORKERS + loop_number(loop_self());
    sort_entries(wait);
    bucket = wait_bucket(wait->id);
    wait->next = *bucket;
    wait->link = bucket;
    if (wait->next != NULL) {
        wait->next->link = &wait->next;
    }
    *bucket = wait;
    request_wait(wait->request, wait_cancel, wait);
    if (!make_parts(wait, &error)) {
        wait_fail(wait, &error);
    } else if (wait->n_entries == 0) {
        wait_finish(wait);
    } else {
        ask_all(wait, timeout);
    }
}

static struct wait *wait_new(struct request *request, bool is_io, size_t n)
{
    struct wait *wait = request_alloc(request, sizeof *wait);

    wait->request = request;
    wait->is_io = is_io;
    wait->asked = request_alloc(request, (n + 1) * sizeof *wait->asked);
    wait->entries = request_alloc(request, (n + 1) * sizeof *wait->entries);
    wait->statuses = request_alloc(request, (n + 1) * sizeof *wait->statuses);
    return wait;
}

static void add_handles(struct wait *wait, const struct value *list,
                        enum op_direction direction)
{
    for (size_t i = 0; i < list->handles.n; i++) {
        wait->asked[wait->n_asked] =
            (struct watch_entry){.handle = list->handles.items[i],
                                 .index = wait->n_asked,
                                 .direction = direction};
        wait->n_asked++;
    }
}

void handle_wait_for_input_available(struct request *request)
{
    const struct params *params = request_params(request);
    const struct value *sockets =
        params_value(params, PARAM_WAIT_FOR_INPUT_AVAILABLE_SOCKETS);
    struct wait *wait = wait_new(request, false, sockets->handles.n);

    add_handles(wait, sockets, OP_INPUT);
    wait_start(wait, params_seconds(params, PARAM_WAIT_FOR_INPUT_AVAILABLE_TIMEOUT));
}

void handle_wait_for_io_available(struct request *request)
{
    const struct params *params = request_params(request);
    const struct value *input = params_value(params, PARAM_WAIT_FOR_IO_AVAILABLE_INPUT);
    const struct value *output = params_value(params, PARAM_WAIT_FOR_IO_AVAILABLE_OUTPUT);
    struct wait *wait = wait_new(request, true, input->handles.n + output->handles.n);

    add_handles(wait, input, OP_INPUT);
    add_handles(wait, output, OP_OUTPUT);
    wait_start(wait, params_seconds(params, PARAM_WAIT_FOR_IO_AVAILABLE_TIMEOUT));
}
