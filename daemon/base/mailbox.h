/* SPDX-License-Identifier: MIT */
/*
 * mailbox.h - the only way into another thread: a queue and an eventfd.
 *
 * A message owns its payload and ends in exactly one of deliver (in the receiver's
 * thread) or drop (the receiver is closing). Posting never blocks and never fails; it
 * wakes the receiver only when the queue was empty. The receiver takes the whole batch.
 * Order holds per sender and receiver. Messages carry handles, never pointers to objects
 * of a thread.
 */
#ifndef SOCKD_BASE_MAILBOX_H
#define SOCKD_BASE_MAILBOX_H

struct loop;
struct mailbox;

/* Embedded as first member of the sender's payload struct. */
struct message {
    struct message *next;
    void (*deliver)(struct message *message, struct loop *loop);
    void (*drop)(struct message *message);
};

/* Takes ownership. The message may be delivered, and freed, before this returns; deliver
 * is never called from within. Thread: any. */
void mailbox_post(struct loop *to, struct message *message);

/* For loop.c. */
struct mailbox *mailbox_new(void);
void mailbox_free(struct mailbox *mailbox); /* drops what is queued */
int mailbox_fd(const struct mailbox *mailbox);
void mailbox_deliver(struct mailbox *mailbox, struct loop *loop);
/* From now on every message posted is dropped at once. Thread: any. */
void mailbox_close(struct mailbox *mailbox);

#endif
