/* SPDX-License-Identifier: MIT */
/*
 * dns_search.c - tries names until one has what is wanted.
 *
 * Called by dns_ask.c and the commands; calls dns_question.c. Thread: the resolver
 * thread.
 *
 * The name as it is comes first, as documented for dns-lookup-hostname; both types are
 * asked for at the same time. When no server answers, the search ends: the next name
 * would only wait as long again.
 */
#include <config.h>
#include "daemon/net/dns_search.h"
#include <string.h>
#include "daemon/base/check.h"
#include "daemon/net/dns.h"
#include "daemon/net/dns_answer.h"
#include "daemon/net/suffixes.h"

/* Some servers never answer for a type that they do not know. Who has found addresses of
 * one family does not wait for the other as long as for none. */
#define PATIENCE 1.0

static void release_results(struct dns_result *results)
{
    for (unsigned i = 0; i < DNS_SEARCH_TYPES; i++) {
        dns_answer_release(results[i].answer);
        results[i] = (struct dns_result){0};
    }
}

void dns_search_stop(struct dns_search *search)
{
    timer_stop(&search->patience);
    for (unsigned i = 0; i < DNS_SEARCH_TYPES; i++) {
        dns_question_stop(&search->questions[i]);
    }
    release_results(search->results);
    release_results(search->first);
    suffixes_release(search->suffixes);
    search->suffixes = NULL;
    search->n_pending = 0;
}

static bool has_wanted(const struct dns_result *result)
{
    return result->answer != NULL && result->answer->n_wanted > 0;
}

static bool try_next(struct dns_search *search);

/* All types of this name have ended. */
static void conclude(struct dns_search *search)
{
    bool is_over = false;

    timer_stop(&search->patience);
    for (unsigned i = 0; i < search->n_types; i++) {
        is_over |=
            has_wanted(&search->results[i]) || search->results[i].outcome != DNS_ANSWERED;
    }
    if (!is_over && !search->has_first) {
        memcpy(search->first, search->results, sizeof search->first);
        memset(search->results, 0, sizeof search->results);
        search->has_first = true;
    }
    if (!is_over && try_next(search)) {
        return;
    }
    if (!is_over) {
        /* What the name itself came to says more than what the last suffix did. */
        release_results(search->results);
        memcpy(search->results, search->first, sizeof search->results);
        memset(search->first, 0, sizeof search->first);
    }
    search->done(search);
}

static void patience_ended(void *arg)
{
    struct dns_search *search = arg;

    for (unsigned i = 0; i < search->n_types; i++) {
        if (search->questions[i].is_asked) {
            dns_question_stop(&search->questions[i]);
            search->results[i].outcome = DNS_LATE;
        }
    }
    search->n_pending = 0;
    conclude(search);
}

static void answered(struct dns_question *question)
{
    struct dns_search *search = question->asker;
    size_t i = (size_t)(question - search->questions);

    search->results[i] = (struct dns_result){
        .outcome = question->outcome, .answer = question->answer, .ttl = question->ttl};
    question->answer = NULL;
    search->n_pending--;
    if (search->n_pending == 0) {
        conclude(search);
    } else if (has_wanted(&search->results[i])) {
        timer_start(&search->patience, loop_self(), PATIENCE, patience_ended, search);
    }
}

static void ask(struct dns_search *search, const struct dns_name *name)
{
    release_results(search->results);
    search->n_pending = search->n_types;
    for (unsigned i = 0; i < search->n_types; i++) {
        search->questions[i].asker = search;
        dns_question_start(&search->questions[i], name, search->types[i], &search->how,
                           answered);
    }
}

/* False: no suffix is left that fits. */
static bool try_next(struct dns_search *search)
{
    while (search->suffixes != NULL && search->n_tried < search->suffixes->n) {
        struct dns_name name = search->name;
        if (dns_name_append(&name, &search->suffixes->names[search->n_tried++])) {
            ask(search, &name);
            return true;
        }
    }
    return false;
}

void dns_search_start(struct dns_search *search, const struct dns_search_plan *plan,
                      void (*done)(struct dns_search *search))
{
    CHECK(search->n_pending == 0 && plan->n_types > 0 &&
          plan->n_types <= DNS_SEARCH_TYPES);
    search->name = plan->name;
    search->n_types = plan->n_types;
    memcpy(search->types, plan->types, sizeof search->types);
    search->how = plan->how;
    if (plan->how.n_servers > 0) {
        CHECK(plan->how.n_servers <= DNS_SERVERS_MAX);
        memcpy(search->servers, plan->how.servers,
               plan->how.n_servers * sizeof search->servers[0]);
        search->how.servers = search->servers;
    }
    search->n_tried = 0;
    search->has_first = false;
    search->done = done;
    if (plan->has_search && !plan->is_absolute && dns_name_n_labels(&plan->name) == 1) {
        search->suffixes = suffixes_hold(
            plan->suffixes != NULL ? plan->suffixes : dns_config_in_force()->search);
    }
    ask(search, &plan->name);
}
