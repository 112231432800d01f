/* SPDX-License-Identifier: MIT */
/*
 * dns_question.c - where the answer to one question comes from.
 *
 * Called by dns_search.c; calls dns_flight.c, dns_cache.c, dns_answer.c. Thread: the
 * resolver thread.
 */
#include <config.h>
#include "daemon/net/dns_question.h"
#include <string.h>
#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/net/dns.h"
#include "daemon/net/dns_answer.h"
#include "daemon/net/dns_cache.h"
#include "daemon/net/dns_line.h"

static void count(enum counter_id id) { counters_add(loop_counters(loop_self()), id, 1); }

static void release_servers(struct dns_question *question)
{
    for (unsigned i = 0; i < question->how.n_servers; i++) {
        dns_server_close(question->own_servers[i]);
        dns_server_release(question->own_servers[i]);
    }
    question->how.n_servers = 0;
}

void dns_question_stop(struct dns_question *question)
{
    dns_wait_stop(&question->wait);
    later_drop(&question->later);
    release_servers(question);
    dns_answer_release(question->answer);
    question->answer = NULL;
    question->is_asked = false;
}

static void finish(struct dns_question *question, enum dns_outcome outcome,
                   struct dns_answer *answer, uint32_t ttl)
{
    question->outcome = outcome;
    question->answer = answer;
    question->ttl = ttl;
    question->is_asked = false;
    release_servers(question);
    question->done(question);
}

static void run(void *arg);

/* ---- The answer of a server ---- */

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* An alias whose target the server has said nothing of. */
static bool must_follow(const struct dns_question *question,
                        const struct dns_answer *answer)
{
    return !question->how.is_whole && answer->rcode == DNS_RCODE_NONE &&
           answer->n_links > 0 && answer->n_wanted == 0 && !answer->is_final;
}

static void remember(const struct dns_question *question, struct dns_answer *answer,
                     uint32_t ttl, bool is_cached)
{
    uint64_t now_ms = loop_now_ms(loop_self());

    /* Answers of servers that were replaced meanwhile are not for those who come now. */
    if (question->how.is_direct || question->generation != dns_generation()) {
        return;
    }
    dns_cache_put(dns_cache_in_use(), &question->name, question->type, answer, ttl,
                  now_ms);
    if (question->n_links > 0 && !is_cached) {
        dns_cache_put(dns_cache_in_use(), &question->target, question->type, answer,
                      answer->ttl, now_ms);
    }
}

static void take_answer(struct dns_question *question, struct dns_answer *answer,
                        uint32_t answer_ttl, bool is_cached)
{
    if (!question->how.is_whole &&
        (answer->is_loop || question->n_links + answer->n_links > DNS_CHAIN_MAX)) {
        finish(question, DNS_LOOP, NULL, 0);
        return;
    }
    if (must_follow(question, answer)) {
        question->n_links += answer->n_links;
        question->link_ttl = least(question->link_ttl, answer->link_ttl);
        dns_answer_owner(answer, &question->target);
        later_ask(&question->later, loop_self(), run, question);
        return;
    }
    uint32_t ttl = least(question->link_ttl, answer_ttl);

    if (!is_cached || question->n_links > 0) {
        remember(question, answer, ttl, is_cached);
    }
    finish(question, DNS_ANSWERED, dns_answer_hold(answer), ttl);
}

static void answered(struct dns_wait *wait, enum dns_outcome outcome,
                     struct dns_answer *answer)
{
    struct dns_question *question = (struct dns_question *)wait;

    if (outcome == DNS_ANSWERED) {
        take_answer(question, answer, answer->ttl, false);
    } else {
        finish(question, outcome, NULL, 0);
    }
}

/* ---- Asking ---- */

static void plan_way(struct dns_question *question, struct dns_way *way)
{
    const struct dns_config *config = dns_config_in_force();
    const struct dns_how *how = &question->how;

    way->repeat = how->repeat > 0 ? how->repeat : config->attempts;
    way->timeout_ms =
        how->timeout_ms > 0 ? how->timeout_ms : (unsigned)(config->timeout * 1000);
    way->is_shared = !how->is_direct;
    if (how->n_servers > 0) {
        way->n_servers = how->n_servers;
        memcpy(way->servers, question->own_servers, sizeof way->servers);
        return;
    }
    struct dns_server *const *servers = dns_servers(&way->n_servers);

    memcpy(way->servers, servers, way->n_servers * sizeof way->servers[0]);
}

/* What needs no server. True: the question has its answer. */
static bool answer_here(struct dns_question *question)
{
    struct dns_answer *answer;
    uint32_t ttl;

    /* Who names a server wants to know what that says, whatever the name. */
    if (question->how.n_servers == 0 &&
        (answer = dns_answer_local(&question->target, question->type)) != NULL) {
        ttl = answer->ttl;
        take_answer(question, answer, ttl, true);
        dns_answer_release(answer);
        return true;
    }
    if (question->how.is_direct || question->how.is_fresh) {
        return false;
    }
    answer = dns_cache_find(dns_cache_in_use(), &question->target, question->type,
                            loop_now_ms(loop_self()), &ttl);
    if (answer == NULL) {
        count(COUNTER_DNS_CACHE_MISSES);
        return false;
    }
    count(COUNTER_DNS_CACHE_HITS);
    (void)dns_answer_hold(answer); /* the cache may let go of it meanwhile */
    take_answer(question, answer, ttl, true);
    dns_answer_release(answer);
    return true;
}

static void run(void *arg)
{
    struct dns_question *question = arg;
    struct dns_way way = {0};

    plan_way(question, &way);
    question->generation = dns_generation();
    if (answer_here(question)) {
        return;
    }
    if (way.n_servers == 0) {
        finish(question, DNS_NO_NAMESERVER, NULL, 0);
        return;
    }
    dns_flight_join(&question->wait, &question->target, question->type, &way, answered);
}

void dns_question_start(struct dns_question *question, const struct dns_name *name,
                        uint16_t type, const struct dns_how *how,
                        void (*done)(struct dns_question *question))
{
    CHECK(!question->is_asked && how->n_servers <= DNS_SERVERS_MAX);
    dns_answer_release(question->answer);
    question->answer = NULL;
    question->is_asked = true;
    question->name = question->target = *name;
    question->type = type;
    question->how = *how;
    question->how.is_direct |= how->n_servers > 0;
    question->how.servers = NULL; /* the caller's; copied here */
    for (unsigned i = 0; i < how->n_servers; i++) {
        question->own_servers[i] = dns_server_new(&how->servers[i]);
    }
    question->n_links = 0;
    question->link_ttl = UINT32_MAX;
    question->done = done;
    later_ask(&question->later, loop_self(), run, question);
}
