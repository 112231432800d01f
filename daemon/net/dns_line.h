/* SPDX-License-Identifier: MIT */
/*
 * dns_line.h - one name server, and the c-ares channels to it.
 *
 * A question goes over a line: a channel that knows this server only and asks it once.
 * c-ares does what is between one question and one response: sockets, the match of
 * number, question and source, TCP after a truncated answer, EDNS refused. Which server
 * is asked when is up to dns_flight.c. A line that has nothing to do closes its sockets,
 * so a question finds one without and gets a port that nobody can foretell; only when
 * many are under way do some of them share a port, for a while. How long it waits belongs
 * to a line; there are lines for a few such times, each twice as long as the one before,
 * and a question that is to end between two of these ends by a timer of its own.
 *
 * Thread: the resolver thread.
 */
#ifndef SOCKD_NET_DNS_LINE_H
#define SOCKD_NET_DNS_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "daemon/base/loop.h"

struct dns_line;
struct dns_name;

/* Owner: its holders; lines hold it while they are not freed. */
struct dns_server {
    struct dns_server *next, **link; /* all that there are */
    unsigned n_holds;
    struct sockaddr_storage address;
    uint64_t n_sent, n_received; /* messages; those received need not match a question */
    unsigned n_late;             /* tries without an answer since the last one with */
    uint64_t late_until_ms;      /* until then others are asked first */
    bool has_no_edns;            /* it refuses questions with it */
    bool is_closing;             /* no more questions: lines end when they are idle */
    struct dns_line *lines;
    unsigned n_lines, n_idle;
};

/* Before the first server. */
void dns_lines_start(void);
/* Ends what is still asked, with DNS_TRY_FAILED, and all lines; nobody holds a server any
 * more. */
void dns_lines_stop(void);

struct dns_server *dns_server_new(const struct sockaddr_storage *address);
struct dns_server *dns_server_hold(struct dns_server *server);
void dns_server_release(struct dns_server *server); /* NULL: no-op */
/* Its lines end: the idle ones at once, others when their questions do. */
void dns_server_close(struct dns_server *server);
enum dns_try_result {
    DNS_TRY_ANSWERED, /* `message` is a response to this question */
    DNS_TRY_LATE,     /* none came in time */
    DNS_TRY_FAILED,   /* the server can't be reached */
};

struct line_query;

/* One question to one server. Owner: whoever embeds it, but not its memory: */
struct dns_try {
    struct dns_server *server;
    struct line_query *query; /* NULL: it has ended */
    struct timer timer;       /* when the line would wait for longer */
    bool has_edns;
    /* Runs once, perhaps before dns_try_start() returns. `message` is valid meanwhile.
     * The try may be freed then, and not before. */
    void (*done)(struct dns_try *attempt, enum dns_try_result result,
                 const uint8_t *message, size_t size);
};

void dns_try_start(struct dns_try *attempt, struct dns_server *server,
                   const struct dns_name *name, uint16_t type, unsigned timeout_ms);

#endif
