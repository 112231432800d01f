/* SPDX-License-Identifier: MIT */
/*
 * dns_rig.h - for tests of names: a name server of the suite, a daemon that asks it, and
 * the two files that the daemon reads in the place of the system's.
 *
 * Thread: the one that runs the test; everything ends with the test.
 */
#ifndef SOCKD_TESTS_DNS_RIG_H
#define SOCKD_TESTS_DNS_RIG_H

#include <jansson.h>
#include <stdbool.h>

struct harness;
struct nameserver;
struct wire;

/* Types of the DNS. */
enum {
    RR_A = 1,
    RR_NS = 2,
    RR_CNAME = 5,
    RR_SOA = 6,
    RR_PTR = 12,
    RR_MX = 15,
    RR_TXT = 16,
    RR_AAAA = 28,
    RR_SRV = 33,
    RR_CAA = 257,
};

struct dns_rig {
    struct nameserver *server;
    struct harness *harness;
    struct wire *wire;
};
extern struct dns_rig name_rig;

/* The daemon reads a resolv.conf that names the name server, and an empty file of hosts.
 */
void rig_start(void);
/* With further arguments of the daemon, two at the most; NULL: none. */
void rig_start_with(const char *option, const char *value);
/* Without any name server. */
void rig_start_alone(void);
/* Replaces a file, as an administrator's tool would. */
void rig_write_resolv_conf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void rig_write_hosts(const char *text);

/* dns-query with these parameters (as those of json_pack()). */
json_t *rig_query(const char *format, ...);
/* Whether the list `flags` of a result has this word. */
bool rig_has_flag(const json_t *result, const char *word);
/* A counter of `statistics`. */
json_int_t rig_counter(const char *name);
/* The member `answer`, as JSON text, must be this. */
void rig_expect_answer(const json_t *result, const char *wanted);
void rig_expect_member(const json_t *result, const char *member, const char *wanted);
/* lookup-hostname; the value as text. */
const char *rig_lookup(const char *name);

#endif
