/* SPDX-License-Identifier: MIT */
/*
 * scatter.c - asks all workers, gathers their answers where the request waits.
 *
 * Called by the handlers of ALL commands. One message per worker carries question and
 * part there and back; the request is found again by its call. Thread: the request's
 * worker, and for `collect` each worker.
 */
#include <config.h>
#include "daemon/control/scatter.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/base/loop.h"
#include "daemon/base/mailbox.h"
#include "daemon/control/desk.h"
#include "daemon/control/request_life.h"

#define SCATTER_SECONDS 5.0

/* Owner: who has it: the mailbox, then the gathering. */
struct piece {
    struct message message;
    const struct scatter_plan *plan; /* constant */
    struct loop *asker;
    int64_t call; /* of the request */
    unsigned worker;
    bool is_collected;
    struct caller caller;
    alignas(max_align_t) unsigned char bytes[]; /* the part, then the question */
};

/* Owner: the request; ends with it. */
struct gathering {
    struct request *request;
    const struct scatter_plan *plan;
    struct timer timer;
    void *question;
    unsigned n_parts, n_missing;
    struct piece *pieces[]; /* by worker; NULL: not here yet */
};

static size_t part_room(const struct scatter_plan *plan)
{
    size_t align = alignof(max_align_t);

    return (plan->part_size + align - 1) / align * align;
}

static void free_piece(struct piece *piece)
{
    if (piece == NULL) {
        return;
    }
    if (piece->is_collected && piece->plan->part_fini != NULL) {
        piece->plan->part_fini(piece->bytes);
    }
    free(piece);
}

static void drop_piece(struct message *message) { free_piece((struct piece *)message); }

static void free_gathering(struct gathering *gathering)
{
    timer_stop(&gathering->timer);
    for (unsigned i = 0; i < gathering->n_parts; i++) {
        free_piece(gathering->pieces[i]);
    }
    free(gathering->question);
    free(gathering);
}

static void merge(struct gathering *gathering)
{
    void *parts[64];

    CHECK(gathering->n_parts <= sizeof parts / sizeof *parts);
    for (unsigned i = 0; i < gathering->n_parts; i++) {
        parts[i] = gathering->pieces[i] != NULL ? gathering->pieces[i]->bytes : NULL;
    }
    timer_stop(&gathering->timer);
    gathering->plan->merge(gathering->request, gathering->question, parts,
                           gathering->n_parts);
    free_gathering(gathering);
}

/* A worker did not answer in time; its answer will find nobody. */
static void on_deadline(void *arg) { merge(arg); }

static void cancelled(struct request *request, const struct error *why)
{
    struct gathering *gathering = request_state(request);

    request_fail(request, why);
    free_gathering(gathering);
}

static void take_piece(struct gathering *gathering, struct piece *piece)
{
    CHECK(gathering->pieces[piece->worker] == NULL);
    gathering->pieces[piece->worker] = piece;
    gathering->n_missing--;
    if (gathering->n_missing == 0) {
        merge(gathering);
    }
}

static void collect(struct piece *piece, struct loop *loop)
{
    piece->plan->collect(loop, &piece->caller, piece->bytes + part_room(piece->plan),
                         piece->bytes);
    piece->is_collected = true;
}

static void piece_returned(struct message *message, struct loop *loop)
{
    struct piece *piece = (struct piece *)message;
    struct request *request = desk_find(loop, piece->call);

    if (request == NULL) {
        free_piece(piece);
        return;
    }
    take_piece(request_state(request), piece);
}

static void piece_arrived(struct message *message, struct loop *loop)
{
    struct piece *piece = (struct piece *)message;

    collect(piece, loop);
    message->deliver = piece_returned;
    mailbox_post(piece->asker, message);
}

static struct piece *new_piece(const struct request *request,
                               const struct scatter_plan *plan, const void *question,
                               unsigned worker)
{
    struct piece *piece = mem_new(sizeof *piece + part_room(plan) + plan->question_size);

    piece->message.deliver = piece_arrived;
    piece->message.drop = drop_piece;
    piece->plan = plan;
    piece->asker = request->loop;
    piece->call = request->call;
    piece->worker = worker;
    piece->caller = request->caller;
    if (plan->question_size > 0) {
        memcpy(piece->bytes + part_room(plan), question, plan->question_size);
    }
    return piece;
}

void scatter_start(struct request *request, const struct scatter_plan *plan,
                   const void *question)
{
    unsigned n = loop_n_workers();
    struct gathering *gathering = mem_new(sizeof *gathering + n * sizeof(struct piece *));
    struct piece *own = NULL;

    gathering->request = request;
    gathering->plan = plan;
    gathering->n_parts = gathering->n_missing = n;
    gathering->question = mem_new(plan->question_size + 1);
    if (plan->question_size > 0) {
        memcpy(gathering->question, question, plan->question_size);
    }
    request_wait(request, cancelled, gathering);
    timer_start(&gathering->timer, request->loop, SCATTER_SECONDS, on_deadline,
                gathering);
    for (unsigned i = 0; i < n; i++) {
        struct piece *piece = new_piece(request, plan, question, i);
        if (loop_of_worker(i) == request->loop) {
            own = piece;
        } else {
            mailbox_post(loop_of_worker(i), &piece->message);
        }
    }
    /* The last, because it may end the request. */
    if (own != NULL) {
        collect(own, request->loop);
        take_piece(gathering, own);
    }
}
