/* SPDX-License-Identifier: MIT */
/*
 * mailbox.c - the queue of messages to one loop, and the eventfd that wakes it.
 *
 * mailbox_post() is called by any thread; the rest by loop.c in the loop's thread.
 *
 * The eventfd is watched edge-triggered, and each write to it makes an edge: its counter
 * need never be read, which saves a system call per batch. It would take 2^64 posts to
 * fill it.
 */
#include <config.h>
#include "daemon/base/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/loop.h"

/* Owner: its loop. Any thread may hold a pointer to the loop while the loop lives. */
struct mailbox {
    pthread_mutex_t lock;  /* guards first, last, is_closed */
    struct message *first; /* the queue, in the order of posting */
    struct message **last; /* where the next one is hung */
    bool is_closed;
    int fd; /* eventfd; constant */
};

struct mailbox *mailbox_new(void)
{
    struct mailbox *mailbox = MEM_NEW(struct mailbox);

    CHECK(pthread_mutex_init(&mailbox->lock, NULL) == 0);
    mailbox->last = &mailbox->first;
    mailbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    /* Loops are made at start only: without descriptors there is no daemon. */
    CHECK(mailbox->fd >= 0);
    return mailbox;
}

int mailbox_fd(const struct mailbox *mailbox) { return mailbox->fd; }

static void wake(int fd)
{
    const uint64_t one = 1;

    while (write(fd, &one, sizeof one) < 0) {
        CHECK(errno == EINTR);
    }
}

void mailbox_post(struct loop *to, struct message *message)
{
    struct mailbox *mailbox = loop_mailbox(to);

    message->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    if (mailbox->is_closed) {
        pthread_mutex_unlock(&mailbox->lock);
        message->drop(message);
        return;
    }
    bool was_empty = mailbox->first == NULL;
    *mailbox->last = message;
    mailbox->last = &message->next;
    pthread_mutex_unlock(&mailbox->lock);
    /* Outside the lock, so that the receiver does not wake only to wait for it. If the
     * receiver took the message meanwhile, it wakes once for nothing. */
    if (was_empty) {
        wake(mailbox->fd);
    }
}

static struct message *take_all(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    struct message *first = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    pthread_mutex_unlock(&mailbox->lock);
    return first;
}

void mailbox_deliver(struct mailbox *mailbox, struct loop *loop)
{
    uint64_t n_messages = 0;
    struct message *next;

    /* What is posted while these are delivered makes an edge of its own and comes in the
     * next round: messages cannot keep the loop from its descriptors. */
    for (struct message *message = take_all(mailbox); message != NULL; message = next) {
        next = message->next; /* deliver and drop free the message */
        if (loop_is_stopping(loop)) {
            /* The thread has ended what it had: nobody would end what this begins. */
            message->drop(message);
            continue;
        }
        message->deliver(message, loop);
        n_messages++;
    }
    counters_add(loop_counters(loop), COUNTER_MESSAGES, n_messages);
}

void mailbox_close(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->is_closed = true;
    pthread_mutex_unlock(&mailbox->lock);
}

void mailbox_free(struct mailbox *mailbox)
{
    if (mailbox == NULL) {
        return;
    }
    struct message *next;

    mailbox_close(mailbox);
    for (struct message *message = take_all(mailbox); message != NULL; message = next) {
        next = message->next;
        message->drop(message);
    }
    close(mailbox->fd);
    pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
}
