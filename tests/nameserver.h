/* SPDX-License-Identifier: MIT */
/*
 * nameserver.h - a name server for tests, honest or hostile as it is told: it answers by
 * rules, over UDP and TCP on one port of loopback that the kernel chose.
 *
 * It runs in a thread of its own until the end of the test. What there is no rule for
 * does not exist (NXDOMAIN, to be remembered for 60 seconds).
 *
 * Thread: every function is called by the one that runs the test.
 */
#ifndef SOCKD_TESTS_NAMESERVER_H
#define SOCKD_TESTS_NAMESERVER_H

#include <stdbool.h>
#include <stdint.h>

/* Owner: nameserver.c; ends with the test. */
struct nameserver;
struct nameserver_rule;

/* "127.0.0.1" or "::1". */
struct nameserver *nameserver_start(const char *host);
int nameserver_port(const struct nameserver *server);
/* "127.0.0.1:port" or "[::1]:port". */
const char *nameserver_text(const struct nameserver *server);

/* What it does wrong, or late. Forged answers come first, with the address 203.0.113.66,
 * and the honest one right behind them. */
enum nameserver_trick {
    TRICK_NONE = 0,
    TRICK_WRONG_ID = 1 << 0,
    TRICK_WRONG_NAME = 1 << 1,   /* another question is repeated */
    TRICK_WRONG_TYPE = 1 << 2,   /* the same name, another type */
    TRICK_WRONG_SOURCE = 1 << 3, /* from another port */
    TRICK_EMPTY = 1 << 4,        /* a datagram without a byte */
    TRICK_SHORT = 1 << 5,        /* a datagram that ends in the header */
    TRICK_SILENT = 1 << 6,       /* no answer */
    TRICK_SILENT_ONCE = 1 << 7,  /* none to the first question */
    TRICK_HOLD = 1 << 8,         /* none before nameserver_release() */
    TRICK_TRUNCATE = 1 << 9,     /* cut off over UDP, whole over TCP */
    TRICK_OVERSIZED = 1 << 10,   /* over UDP more than was agreed on, with junk behind */
    TRICK_NO_EDNS = 1 << 11,     /* FORMERR for questions with an OPT record */
    TRICK_CLOSE_TCP = 1 << 12,   /* TCP connections are closed at once */
    TRICK_BAD_POINTER = 1 << 13, /* a record whose name points at itself */
    TRICK_BAD_LENGTH = 1 << 14,  /* a record that says to be longer than the message */
    TRICK_BAD_COUNT = 1 << 15,   /* more records announced than there are */
};

/* The rule for a name and a type (a number of the DNS; 0: every type). With nothing added
 * it answers that there is no such record. */
struct nameserver_rule *nameserver_add(struct nameserver *server, const char *name,
                                       int type);
void nameserver_trick(struct nameserver_rule *rule, unsigned tricks);
void nameserver_rcode(struct nameserver_rule *rule, int rcode);
/* A record of the answer ('a'), authority ('u') or additional ('d') section. `data` by
 * type: an address; a name; "10 mail.test"; "1 2 80 www.test"; text; "mname rname
 * minimum"; "0 issue ca.test"; for others hexadecimal digits. */
void nameserver_record(struct nameserver_rule *rule, char section, const char *owner,
                       int type, unsigned ttl, const char *data);
/* The most common: one record of the answer for the name and type of the rule. */
void nameserver_says(struct nameserver *server, const char *name, int type, unsigned ttl,
                     const char *data);

/* Questions for this name that came so far (NULL: for any), and of these over TCP. */
unsigned nameserver_n_asked(struct nameserver *server, const char *name);
unsigned nameserver_n_tcp(struct nameserver *server, const char *name);
/* Ports that questions over UDP came from, each counted once. */
unsigned nameserver_n_ports(struct nameserver *server);
/* Waits until a name was asked for so often. */
void nameserver_await(struct nameserver *server, const char *name, unsigned n);
/* Answers what TRICK_HOLD held back, and what comes from now on at once. */
void nameserver_release(struct nameserver *server);

#endif
