/* SPDX-License-Identifier: MIT */
/*
 * watch_group.c - the worker's side of waiting for several sockets.
 *
 * Called by cmd_wait.c; calls sock, stream and the mailbox. Thread: the worker of the
 * sockets, but for the functions that ask.
 */
#include <config.h>
#include "daemon/control/watch_group.h"
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/base/check.h"
#include "daemon/base/loop.h"
#include "daemon/base/mailbox.h"
#include "daemon/control/request.h"
#include "daemon/net/listener.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls_lobby.h"

enum { GROUP_BUCKETS = 256 };

enum order { ORDER_START, ORDER_COLLECT, ORDER_STOP };

/* Owner: the mailbox, then the function that delivers it. */
struct question {
    struct message message; /* first: the mailbox hands this back */
    enum order order;
    int64_t id;
    unsigned asker; /* worker */
    bool is_once;
    const char *name;
    struct caller caller;
    watch_answered *answered;
    unsigned n_entries;
    struct watch_entry entries[];
};

/* Owner: the mailbox, then the function that delivers it. */
struct answer {
    struct message message; /* first: the mailbox hands this back */
    int64_t id;
    unsigned worker;
    watch_answered *answered;
    bool has_error;
    struct error error;
    unsigned n_ready;
    struct watch_ready ready[];
};

struct watched {
    struct sock_watch watch; /* first: the sock hands this back */
    struct group *group;
    struct watch_entry entry;
};

/* Owner: this worker's table, by id. It has at least one watch, so it ends with its
 * sockets. */
struct group {
    struct group *next, **link;
    int64_t id;
    unsigned asker;
    watch_answered *answered;
    unsigned n_watched;
    struct watched watched[];
};

static _Thread_local struct group *groups[GROUP_BUCKETS];

/* ---- Readiness ---- */

static bool poll_ready(const struct sock *sock, enum op_direction direction,
                       bool *is_error)
{
    struct pollfd place = {.fd = sock->fd,
                           .events = direction == OP_INPUT ? POLLIN : POLLOUT};

    if (sock->fd < 0 || poll(&place, 1, 0) <= 0) {
        return false;
    }
    *is_error = (place.revents & (POLLERR | POLLNVAL)) != 0;
    return true;
}

static bool is_ready(struct sock *sock, enum op_direction direction, bool *is_error)
{
    *is_error = false;
    if (sock->state == SOCK_STATE_CONNECTING) {
        return false;
    }
    if (tls_lobby_of(sock) != NULL) {
        return tls_lobby_has_next(tls_lobby_of(sock));
    }
    if (sock->type == SOCK_TYPE_DATAGRAM || sock->kind == &listener_kind) {
        return poll_ready(sock, direction, is_error);
    }
    if (direction == OP_INPUT) {
        bool is_there = stream_input_ready(sock);
        *is_error = stream_input_failed(sock);
        return is_there || *is_error;
    }
    *is_error = stream_output_failed(sock);
    return *is_error || stream_output_ready(sock);
}

static struct sock *find_entry(const struct caller *caller,
                               const struct watch_entry *entry, struct error *error)
{
    struct sock *sock = sock_get(loop_self(), entry->handle, error);

    if (sock == NULL) {
        return NULL;
    }
    if (!caller_may(caller, sock->owner.uid, error)) {
        error->socket = entry->handle;
        return NULL;
    }
    if (entry->direction == OP_OUTPUT && sock->kind == &listener_kind) {
        (void)sock_wrong_kind(sock, "one that can be written to", error);
        return NULL;
    }
    return sock;
}

/* ---- Answers ---- */

static void answer_free(struct message *message) { free(message); }

static void answer_deliver(struct message *message, struct loop *loop)
{
    struct answer *answer = (struct answer *)message;
    struct watch_answer told = {
        .error = answer->has_error ? &answer->error : NULL,
        .ready = answer->ready,
        .n_ready = answer->n_ready,
    };

    (void)loop;
    answer->answered(answer->id, answer->worker, &told);
    free(answer);
}

static struct answer *answer_new(int64_t id, watch_answered *answered, unsigned room)
{
    struct answer *answer = mem_new(sizeof *answer + room * sizeof answer->ready[0]);

    answer->message.deliver = answer_deliver;
    answer->message.drop = answer_free;
    answer->id = id;
    answer->worker = (unsigned)loop_number(loop_self());
    answer->answered = answered;
    return answer;
}

/* Takes it over. */
static void answer_send(struct answer *answer, unsigned asker)
{
    struct loop *to = loop_of_worker(asker);

    if (to == loop_self()) {
        answer_deliver(&answer->message, to);
    } else {
        mailbox_post(to, &answer->message);
    }
}

static void answer_add(struct answer *answer, struct sock *sock,
                       const struct watch_entry *entry)
{
    bool is_error;

    if (is_ready(sock, entry->direction, &is_error)) {
        answer->ready[answer->n_ready++] =
            (struct watch_ready){.index = entry->index, .is_error = is_error};
    }
}

/* ---- Groups ---- */

static struct group **group_bucket(int64_t id)
{
    return &groups[((uint64_t)id / 64 + (uint64_t)id) % GROUP_BUCKETS];
}

static struct group *group_find(int64_t id)
{
    struct group *group = *group_bucket(id);

    while (group != NULL && group->id != id) {
        group = group->next;
    }
    return group;
}

static void group_free(struct group *group)
{
    for (unsigned i = 0; i < group->n_watched; i++) {
        sock_unwatch(&group->watched[i].watch);
    }
    *group->link = group->next;
    if (group->next != NULL) {
        group->next->link = group->link;
    }
    free(group);
}

/* Says what is ready now, and is no more. */
static void group_answer(struct group *group)
{
    struct answer *answer = answer_new(group->id, group->answered, group->n_watched);
    unsigned asker = group->asker;

    for (unsigned i = 0; i < group->n_watched; i++) {
        answer_add(answer, group->watched[i].watch.sock, &group->watched[i].entry);
    }
    group_free(group);
    answer_send(answer, asker);
}

static void group_check(struct sock_watch *watch)
{
    struct watched *watched = (struct watched *)watch;
    bool is_error;

    if (is_ready(watch->sock, watch->direction, &is_error)) {
        group_answer(watched->group);
    }
}

static void group_ended(struct sock_watch *watch, const struct error *error)
{
    struct group *group = ((struct watched *)watch)->group;
    struct answer *answer = answer_new(group->id, group->answered, 0);
    unsigned asker = group->asker;

    answer->has_error = true;
    answer->error = *error;
    group_free(group);
    answer_send(answer, asker);
}

static void group_new(const struct question *question, struct sock **socks)
{
    unsigned n = question->n_entries;
    struct group *group = mem_new(sizeof *group + n * sizeof group->watched[0]);
    struct group **bucket = group_bucket(question->id);

    group->id = question->id;
    group->asker = question->asker;
    group->answered = question->answered;
    group->n_watched = n;
    group->next = *bucket;
    group->link = bucket;
    if (group->next != NULL) {
        group->next->link = &group->next;
    }
    *bucket = group;
    for (unsigned i = 0; i < n; i++) {
        struct watched *watched = &group->watched[i];
        watched->group = group;
        watched->entry = question->entries[i];
        watched->watch.name = question->name;
        watched->watch.check = group_check;
        watched->watch.ended = group_ended;
        sock_watch(socks[i], &watched->watch, watched->entry.direction);
    }
}

/* ---- Questions ---- */

static void start_here(const struct question *question)
{
    unsigned n = question->n_entries;
    struct answer *answer = answer_new(question->id, question->answered, n);
    struct sock **socks = mem_new((n + 1) * sizeof *socks);

    for (unsigned i = 0; i < n && !answer->has_error; i++) {
        socks[i] = find_entry(&question->caller, &question->entries[i], &answer->error);
        answer->has_error = socks[i] == NULL;
    }
    for (unsigned i = 0; i < n && !answer->has_error; i++) {
        answer_add(answer, socks[i], &question->entries[i]);
    }
    if (answer->has_error || answer->n_ready > 0 || question->is_once) {
        answer_send(answer, question->asker);
    } else {
        free(answer);
        group_new(question, socks);
    }
    free(socks);
}

static void question_free(struct message *message) { free(message); }

static void question_deliver(struct message *message, struct loop *loop)
{
    struct question *question = (struct question *)message;
    struct group *group;

    (void)loop;
    if (question->order == ORDER_START) {
        start_here(question);
    } else if ((group = group_find(question->id)) != NULL) {
        if (question->order == ORDER_COLLECT) {
            group_answer(group);
        } else {
            group_free(group);
        }
    }
    free(question);
}

static struct question *question_new(enum order order, int64_t id, unsigned n_entries)
{
    struct question *question =
        mem_new(sizeof *question + n_entries * sizeof question->entries[0]);

    question->message.deliver = question_deliver;
    question->message.drop = question_free;
    question->order = order;
    question->id = id;
    question->asker = (unsigned)loop_number(loop_self());
    question->n_entries = n_entries;
    return question;
}

static void question_send(struct question *question, unsigned worker)
{
    struct loop *to = loop_of_worker(worker);

    if (to == loop_self()) {
        question_deliver(&question->message, to);
    } else {
        mailbox_post(to, &question->message);
    }
}

void watch_group_start(int64_t id, unsigned worker, const char *name,
                       const struct caller *caller, const struct watch_entry *entries,
                       unsigned n_entries, bool is_once, watch_answered *answered)
{
    struct question *question = question_new(ORDER_START, id, n_entries);

    question->is_once = is_once;
    question->name = name;
    question->caller = *caller;
    question->answered = answered;
    memcpy(question->entries, entries, n_entries * sizeof *entries);
    question_send(question, worker);
}

void watch_group_collect(int64_t id, unsigned worker)
{
    question_send(question_new(ORDER_COLLECT, id, 0), worker);
}

void watch_group_stop(int64_t id, unsigned worker)
{
    question_send(question_new(ORDER_STOP, id, 0), worker);
}
