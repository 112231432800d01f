/* SPDX-License-Identifier: MIT */
/*
 * dns_flight.c - asks the servers in turn.
 *
 * Called by dns_question.c; calls dns_line.c and dns_answer.c. Thread: the resolver
 * thread.
 *
 * A server that answers with an error, that can't be reached or that writes nonsense is
 * not asked again for this question: the next one is, at once. One that is silent is
 * asked again in the next round, up to the number of tries. Servers that were silent a
 * short while ago are asked after the others.
 */
#include <config.h>
#include "daemon/net/dns_flight.h"
#include <stdlib.h>
#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/loop.h"
#include "daemon/net/dns_answer.h"
#include "daemon/net/dns_line.h"

enum { BUCKETS = 1024, LATE_FIRST_MS = 5000, LATE_LAST_MS = 300000, LATE_STEPS = 6 };

struct flight_server {
    struct dns_server *server; /* held */
    bool is_out;               /* it has had its say */
};

/* What was sent. It outlives a flight that is given up. */
struct flight_try {
    struct dns_try attempt; /* first: the line hands this back */
    struct dns_flight *flight;
};

/* Owner: the table of flights; it ends with its answer, or with the last who waits. */
struct dns_flight {
    struct dns_flight *next, **link; /* of the bucket */
    struct dns_name name;
    uint16_t type;
    unsigned repeat, timeout_ms;
    bool is_shared;
    bool is_ending; /* those who wait are being told */
    struct flight_server servers[DNS_SERVERS_MAX];
    unsigned n_servers;
    unsigned round, at; /* the next to ask: how often it was, and its place */
    struct flight_try *attempt;
    struct dns_answer *answer; /* the best so far: an error, until the end */
    enum dns_outcome outcome;
    struct later later;
    struct dns_wait *waits;
};

static struct dns_flight *buckets[BUCKETS];
static unsigned n_flights;

unsigned dns_flights(void) { return n_flights; }

void dns_flights_unshare(void)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (struct dns_flight *flight = buckets[i]; flight; flight = flight->next) {
            flight->is_shared = false;
        }
    }
}

static struct counters *counters(void) { return loop_counters(loop_self()); }

/* ---- The table ---- */

/* Strangers may choose names that meet in a bucket; the number of questions under way is
 * bounded, so that costs little. */
static struct dns_flight **bucket_of(const struct dns_name *name, uint16_t type)
{
    uint32_t hash = 2166136261u ^ type;

    for (unsigned i = 0; i < name->size; i++) {
        hash = (hash ^ name->wire[i]) * 16777619u;
    }
    return &buckets[hash % BUCKETS];
}

static struct dns_flight *find(const struct dns_name *lower, uint16_t type,
                               const struct dns_way *way)
{
    struct dns_flight *flight = *bucket_of(lower, type);

    while (flight != NULL &&
           (!flight->is_shared || flight->is_ending || flight->type != type ||
            flight->repeat != way->repeat || flight->timeout_ms != way->timeout_ms ||
            flight->n_servers != way->n_servers ||
            !dns_name_equal(&flight->name, lower))) {
        flight = flight->next;
    }
    return flight;
}

static void flight_free(struct dns_flight *flight)
{
    later_drop(&flight->later);
    if (flight->attempt != NULL) {
        flight->attempt->flight = NULL; /* freed when it comes back */
    }
    dns_answer_release(flight->answer);
    for (unsigned i = 0; i < flight->n_servers; i++) {
        dns_server_release(flight->servers[i].server);
    }
    *flight->link = flight->next;
    if (flight->next != NULL) {
        flight->next->link = flight->link;
    }
    n_flights--;
    free(flight);
}

/* ---- Those who wait ---- */

static void unlink_wait(struct dns_wait *wait)
{
    *wait->link = wait->next;
    if (wait->next != NULL) {
        wait->next->link = wait->link;
    }
    wait->flight = NULL;
}

void dns_wait_stop(struct dns_wait *wait)
{
    struct dns_flight *flight = wait->flight;

    if (flight == NULL) {
        return;
    }
    unlink_wait(wait);
    if (flight->waits == NULL && !flight->is_ending) {
        flight_free(flight);
    }
}

static void finish(struct dns_flight *flight)
{
    flight->is_ending = true;
    if (flight->answer != NULL) {
        flight->outcome = DNS_ANSWERED;
    }
    while (flight->waits != NULL) {
        struct dns_wait *wait = flight->waits;
        unlink_wait(wait);
        wait->done(wait, flight->outcome, flight->answer);
    }
    flight_free(flight);
}

/* ---- Servers ---- */

static void note_silence(struct dns_server *server)
{
    uint64_t now_ms = loop_now_ms(loop_self());

    if (now_ms < server->late_until_ms) {
        return;
    }
    unsigned steps = server->n_late < LATE_STEPS ? server->n_late : (unsigned)LATE_STEPS;
    uint64_t wait_ms = (uint64_t)LATE_FIRST_MS << steps;

    server->n_late++;
    server->late_until_ms = now_ms + (wait_ms < LATE_LAST_MS ? wait_ms : LATE_LAST_MS);
}

static void note_answer(struct dns_server *server)
{
    server->n_late = 0;
    server->late_until_ms = 0;
}

/* In the order given, but those that were silent lately come last. */
static void take_servers(struct dns_flight *flight, const struct dns_way *way)
{
    uint64_t now_ms = loop_now_ms(loop_self());

    for (int pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < way->n_servers; i++) {
            bool is_late = way->servers[i]->late_until_ms > now_ms;
            if (is_late == (pass == 1)) {
                flight->servers[flight->n_servers++].server =
                    dns_server_hold(way->servers[i]);
            }
        }
    }
}

/* ---- Tries ---- */

static void step(void *arg);

/* A response that settles the question; anything else leaves it to the next server. */
static bool is_settled(const struct dns_answer *answer)
{
    return answer->rcode == DNS_RCODE_NONE || answer->rcode == DNS_RCODE_NO_SUCH_DOMAIN;
}

static void take_answer(struct dns_flight *flight, const struct dns_try *attempt,
                        struct dns_answer *answer)
{
    struct flight_server *place = &flight->servers[flight->at];

    note_answer(attempt->server);
    if (answer == NULL) {
        counters_add(counters(), COUNTER_DNS_MALFORMED, 1);
        flight->outcome = DNS_MALFORMED;
        place->is_out = true;
        flight->at++;
        return;
    }
    bool refuses_edns = attempt->has_edns && !answer->had_edns &&
                        (answer->rcode == DNS_RCODE_FORMAT_ERROR ||
                         answer->rcode == DNS_RCODE_NOT_IMPLEMENTED);

    if (refuses_edns) {
        attempt->server->has_no_edns = true; /* the same server, once more */
        dns_answer_release(answer);
        return;
    }
    dns_answer_release(flight->answer);
    flight->answer = answer;
    place->is_out = true;
    flight->at++;
}

static void try_done(struct dns_try *attempt, enum dns_try_result result,
                     const uint8_t *message, size_t size)
{
    struct flight_try *mine = (struct flight_try *)attempt;
    struct dns_flight *flight = mine->flight;

    if (result != DNS_TRY_ANSWERED) {
        note_silence(attempt->server);
        counters_add(counters(), COUNTER_DNS_SILENT, 1);
    }
    if (flight == NULL) {
        free(mine);
        return;
    }
    flight->attempt = NULL;
    if (result == DNS_TRY_ANSWERED) {
        take_answer(flight, attempt,
                    dns_answer_parse(message, size, &flight->name, flight->type));
    } else {
        flight->servers[flight->at].is_out = result == DNS_TRY_FAILED;
        flight->outcome = result == DNS_TRY_FAILED ? DNS_UNREACHABLE : DNS_LATE;
        flight->at++;
    }
    free(mine);
    /* c-ares is still at work above us. */
    later_ask(&flight->later, loop_self(), step, flight);
}

/* The next server that may be asked. False: there is none any more. */
static bool find_next(struct dns_flight *flight)
{
    for (; flight->round < flight->repeat; flight->round++) {
        for (; flight->at < flight->n_servers; flight->at++) {
            if (!flight->servers[flight->at].is_out) {
                return true;
            }
        }
        flight->at = 0;
    }
    return false;
}

static void step(void *arg)
{
    struct dns_flight *flight = arg;

    if ((flight->answer != NULL && is_settled(flight->answer)) || !find_next(flight)) {
        finish(flight);
        return;
    }
    struct flight_try *attempt = MEM_NEW(struct flight_try);

    attempt->flight = flight;
    attempt->attempt.done = try_done;
    flight->attempt = attempt;
    counters_add(counters(), COUNTER_DNS_QUESTIONS, 1);
    dns_try_start(&attempt->attempt, flight->servers[flight->at].server, &flight->name,
                  flight->type, flight->timeout_ms);
}

/* ---- Joining ---- */

static struct dns_flight *flight_new(const struct dns_name *lower, uint16_t type,
                                     const struct dns_way *way)
{
    struct dns_flight *flight = MEM_NEW(struct dns_flight);
    struct dns_flight **bucket = bucket_of(lower, type);

    flight->name = *lower;
    flight->type = type;
    flight->repeat = way->repeat;
    flight->timeout_ms = way->timeout_ms;
    flight->is_shared = way->is_shared;
    flight->outcome = DNS_LATE;
    take_servers(flight, way);
    flight->next = *bucket;
    flight->link = bucket;
    if (*bucket != NULL) {
        (*bucket)->link = &flight->next;
    }
    *bucket = flight;
    n_flights++;
    later_ask(&flight->later, loop_self(), step, flight);
    return flight;
}

void dns_flight_join(struct dns_wait *wait, const struct dns_name *name, uint16_t type,
                     const struct dns_way *way,
                     void (*done)(struct dns_wait *wait, enum dns_outcome outcome,
                                  struct dns_answer *answer))
{
    struct dns_name lower = *name;

    CHECK(wait->flight == NULL && way->n_servers > 0 && way->repeat > 0);
    dns_name_lower(&lower);
    struct dns_flight *flight = way->is_shared ? find(&lower, type, way) : NULL;

    if (flight == NULL) {
        flight = flight_new(&lower, type, way);
    }
    wait->flight = flight;
    wait->done = done;
    wait->next = flight->waits;
    wait->link = &flight->waits;
    if (wait->next != NULL) {
        wait->next->link = &wait->next;
    }
    flight->waits = wait;
}
