/* SPDX-License-Identifier: MIT */
/*
 * description.h - a sock as the description object of replies (OPERATIONS.md section 1).
 * Thread: the sock's home.
 */
#ifndef SOCKD_CONTROL_DESCRIPTION_H
#define SOCKD_CONTROL_DESCRIPTION_H

struct sock;
struct sock_owner;
struct writer;

/* The order is that of the words of FIELD_DESCRIPTION_STATE. */
enum description_state {
    DESCRIPTION_CONNECTING,
    DESCRIPTION_CONNECTED,
    DESCRIPTION_LISTENING,
    DESCRIPTION_OPEN,
    DESCRIPTION_ENDED,
    DESCRIPTION_CLOSING,
};

enum description_state description_state(const struct sock *sock);

/* The members of the description, into an open object. */
void description_write(struct writer *writer, const struct sock *sock);
/* The member `owner`. */
void description_write_owner(struct writer *writer, const struct sock_owner *owner);
/* Those that describe-socket adds: owner, worker, options, created, runtime. */
void description_write_more(struct writer *writer, const struct sock *sock);

#endif
