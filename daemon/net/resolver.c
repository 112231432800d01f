/* SPDX-License-Identifier: MIT */
/*
 * resolver.c - a look-up on its way: on the spot, name servers, the C library.
 *
 * Used by make-socket, send-to and the name commands; calls name_cache.c, dns_ask.c,
 * clib_lookup.c. Thread: the loop of the asker.
 */
#include <config.h>
#include "daemon/net/resolver.h"
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/net/address_order.h"
#include "daemon/net/clib_lookup.h"
#include "daemon/net/dns_answer.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/name_cache.h"
#include "proto/ipaddr.h"

enum { SERVICE_BUFFER = 2048 };

/* The C library does not say how long its answers are good for. */
#define CLIB_SECONDS 30.0

static struct resolve *resolve_of_ask(struct dns_ask *ask)
{
    return (struct resolve *)(void *)((char *)ask - offsetof(struct resolve, ask));
}

/* ---- What is known on the spot ---- */

/* False: this look-up is not kept. A name that the caller's own domains are tried for may
 * mean something else to others. */
static bool make_key(struct name_key *key, const struct resolve_plan *plan)
{
    if (plan->name == NULL) {
        name_key_address(key, &plan->ip);
        return true;
    }
    if (plan->suffixes != NULL && strchr(plan->name, '.') == NULL) {
        return false;
    }
    return name_key_host(key, plan->name, (unsigned)plan->family << 2 | plan->mode);
}

static void add_address(struct resolve_answer *answer, const struct value_ip *ip)
{
    if (answer->n < RESOLVER_MAX_ADDRESSES) {
        (void)endpoint_from_ip(&answer->addresses[answer->n++], ip, 0);
    }
}

static bool wants(enum resolve_family family, bool is_ipv6)
{
    return family == RESOLVE_ANY || (family == RESOLVE_V6) == is_ipv6;
}

static bool is_localhost(const struct value_ip *ip)
{
    static const struct value_ip ipv4 = {.bytes = {127, 0, 0, 1}};
    static const struct value_ip ipv6 = {.is_ipv6 = true, .bytes[15] = 1};

    return ipaddr_equal(ip, ip->is_ipv6 ? &ipv6 : &ipv4, false);
}

/* Most names do not end like this, which is faster to see than what they are. */
static bool may_be_localhost(const char *name)
{
    static const char end[] = "localhost";
    size_t size = strlen(name);

    size -= size > 0 && name[size - 1] == '.';
    return size >= sizeof end - 1 && (name[size - 1] | 0x20) == 't' &&
           strncasecmp(name + size - (sizeof end - 1), end, sizeof end - 1) == 0;
}

static bool answer_localhost(const struct resolve_plan *plan,
                             struct resolve_answer *answer)
{
    static const struct value_ip ipv6 = {.is_ipv6 = true, .bytes[15] = 1};
    static const struct value_ip ipv4 = {.bytes = {127, 0, 0, 1}};
    struct dns_name name;

    if (!may_be_localhost(plan->name) ||
        !dns_name_parse(&name, plan->name, strlen(plan->name)) ||
        dns_name_kind(&name) != DNS_KIND_LOCALHOST) {
        return false;
    }
    if (wants(plan->family, true)) {
        add_address(answer, &ipv6);
    }
    if (wants(plan->family, false)) {
        add_address(answer, &ipv4);
    }
    address_order(answer->addresses, answer->n);
    return true;
}

bool resolve_known_name(const struct value_ip *ip, char text[DNS_TEXT_SIZE])
{
    struct name_key key;

    if (is_localhost(ip)) {
        memcpy(text, "localhost", sizeof "localhost");
        return true;
    }
    name_key_address(&key, ip);
    return name_cache_find_name(&key, loop_now_ms(loop_self()), text);
}

bool resolve_now(const struct resolve_plan *plan, struct resolve_answer *answer,
                 char text[DNS_TEXT_SIZE])
{
    struct value_ip known[RESOLVER_MAX_ADDRESSES];
    struct name_key key;

    answer->n = 0;
    answer->name = NULL;
    if (plan->name == NULL) {
        bool is_known = !plan->ignore_cache && resolve_known_name(&plan->ip, text);
        answer->name = is_known && text[0] != '\0' ? text : NULL;
        return is_known;
    }
    if (answer_localhost(plan, answer)) {
        return true;
    }
    if (plan->ignore_cache || !make_key(&key, plan)) {
        return false;
    }
    unsigned n =
        name_cache_find(&key, loop_now_ms(loop_self()), known, RESOLVER_MAX_ADDRESSES);

    for (unsigned i = 0; i < n; i++) {
        add_address(answer, &known[i]);
    }
    return n > 0;
}

/* ---- The end ---- */

static void clear(struct resolve *resolve)
{
    resolve->is_asked = false;
    later_drop(&resolve->later);
    timer_stop(&resolve->timer);
    dns_ask_cancel(&resolve->ask);
    clib_lookup_cancel(resolve);
}

void resolve_cancel(struct resolve *resolve)
{
    if (resolve->is_asked) {
        clear(resolve);
    }
}

static void fail(struct resolve *resolve, struct error *error)
{
    clear(resolve);
    error->action = "look up";
    resolve->done(resolve, NULL, error);
}

static void succeed(struct resolve *resolve, const struct resolve_answer *answer)
{
    clear(resolve);
    resolve->done(resolve, answer, NULL);
}

static void fail_not_found(struct resolve *resolve)
{
    struct error error;

    (void)error_set(&error, ERROR_HOST_NOT_FOUND, "no address for host '%.120s'",
                    resolve->plan.name);
    fail(resolve, &error);
}

/* Keeps what was found, and tells it. */
static void found(struct resolve *resolve, struct resolve_answer *answer, double seconds)
{
    struct value_ip addresses[RESOLVER_MAX_ADDRESSES];
    uint64_t now_ms = loop_now_ms(loop_self());
    struct name_key key;
    bool is_kept = make_key(&key, &resolve->plan);

    if (resolve->plan.name == NULL) {
        name_cache_put_name(&key, resolve->generation, answer->name, seconds, now_ms);
    } else {
        address_order(answer->addresses, answer->n);
        for (unsigned i = 0; i < answer->n; i++) {
            (void)endpoint_ip(&answer->addresses[i], &addresses[i]);
        }
        if (is_kept) {
            name_cache_put(&key, resolve->generation, addresses, answer->n, seconds,
                           now_ms);
        }
    }
    succeed(resolve, answer);
}

/* ---- The C library ---- */

static void clib_done(struct resolve *resolve, struct resolve_answer *answer,
                      struct error *error)
{
    if (error != NULL) {
        fail(resolve, error);
    } else {
        found(resolve, answer, CLIB_SECONDS);
    }
}

static void ask_clib(struct resolve *resolve)
{
    struct error error;

    if (!clib_lookup_start(resolve, clib_done, &error)) {
        fail(resolve, &error);
    }
}

/* ---- Name servers ---- */

static void add_records(struct resolve_answer *answer, const struct dns_answer *from)
{
    const struct dns_record *record;
    unsigned i = 0;

    while ((record = dns_answer_next(from, &i)) != NULL) {
        struct value_ip ip = {.is_ipv6 = record->type == DNS_TYPE_AAAA};
        memcpy(ip.bytes, dns_record_data(from, record), record->data_size);
        add_address(answer, &ip);
    }
}

/* The first record that is the name of a host. */
static bool read_name(const struct dns_answer *from, char text[DNS_TEXT_SIZE])
{
    const struct dns_record *record;
    unsigned i = 0;

    while ((record = dns_answer_next(from, &i)) != NULL) {
        struct dns_name name;
        size_t skip = 0;
        dns_record_data_name(from, record, &skip, &name);
        if (dns_name_is_host(&name)) {
            dns_name_format(&name, text);
            return true;
        }
    }
    return false;
}

static void explain(const struct resolve *resolve, const struct dns_result *result,
                    struct error *error)
{
    static const char *const texts[] = {
        [DNS_ANSWERED] = "the name servers could not answer",
        [DNS_LATE] = "no name server has answered in time",
        [DNS_UNREACHABLE] = "no name server can be reached",
        [DNS_MALFORMED] = "the name servers answer what makes no sense",
        [DNS_NO_NAMESERVER] = "no name server is known",
        [DNS_LOOP] = "the name is an alias without end",
    };

    (void)error_set(error, ERROR_DNS_FAILURE, "looking up '%.100s': %s",
                    resolve->plan.name != NULL ? resolve->plan.name : "an address",
                    texts[result->outcome]);
}

/* Whether a result says for sure that there is nothing. */
static bool is_certain(const struct dns_result *result)
{
    return result->answer != NULL && (result->answer->rcode == DNS_RCODE_NONE ||
                                      result->answer->rcode == DNS_RCODE_NO_SUCH_DOMAIN);
}

/* The names of loopback addresses are no business of other machines, which the C library
 * would ask. */
static bool is_for_nobody_else(const struct resolve_plan *plan)
{
    return plan->name == NULL && !plan->ip.is_ipv6 && plan->ip.bytes[0] == 127;
}

/* Nothing was found there. */
static void go_on(struct resolve *resolve, const struct dns_result *results, unsigned n)
{
    struct resolve_answer none;
    struct error error;

    if (!is_for_nobody_else(&resolve->plan) &&
        ((resolve->plan.mode & RESOLVE_BY_CLIB) != 0 ||
         results[0].outcome == DNS_NO_NAMESERVER)) {
        ask_clib(resolve);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        if (!is_certain(&results[i])) {
            explain(resolve, &results[i], &error);
            fail(resolve, &error);
            return;
        }
    }
    if (resolve->plan.name != NULL) {
        fail_not_found(resolve);
        return;
    }
    none.n = 0;
    none.name = NULL;
    found(resolve, &none, results[0].ttl);
}

static void name_came(struct dns_ask *ask, const struct dns_result *results)
{
    struct resolve *resolve = resolve_of_ask(ask);
    struct resolve_answer answer;
    char text[DNS_TEXT_SIZE];

    if (results[0].answer != NULL && read_name(results[0].answer, text)) {
        answer.n = 0;
        answer.name = text;
        found(resolve, &answer, results[0].ttl);
    } else {
        go_on(resolve, results, 1);
    }
}

static void addresses_came(struct dns_ask *ask, const struct dns_result *results)
{
    struct resolve *resolve = resolve_of_ask(ask);
    unsigned n = resolve->plan.family == RESOLVE_ANY ? 2 : 1;
    double seconds = UINT32_MAX;
    struct resolve_answer answer;

    answer.n = 0;
    answer.name = NULL;
    for (unsigned i = 0; i < n; i++) {
        if (is_certain(&results[i])) {
            add_records(&answer, results[i].answer);
        }
        /* What is not certain may be there the next time. */
        double ttl = is_certain(&results[i]) ? results[i].ttl : 0;
        seconds = ttl < seconds ? ttl : seconds;
    }
    if (answer.n > 0) {
        found(resolve, &answer, seconds);
    } else {
        go_on(resolve, results, n);
    }
}

static void plan_addresses(struct dns_search_plan *search,
                           const struct resolve_plan *plan)
{
    search->n_types = 0;
    if (wants(plan->family, false)) {
        search->types[search->n_types++] = DNS_TYPE_A;
    }
    if (wants(plan->family, true)) {
        search->types[search->n_types++] = DNS_TYPE_AAAA;
    }
    search->is_absolute = plan->name[strlen(plan->name) - 1] == '.';
    search->has_search = true;
    search->suffixes = plan->suffixes;
}

/* What is looked up, as a name of the DNS. False: it is none. */
static bool read_question(const struct resolve_plan *plan, struct dns_name *name)
{
    if (plan->name == NULL) {
        dns_name_of_address(name, &plan->ip);
        return true;
    }
    return dns_name_parse(name, plan->name, strlen(plan->name));
}

/* Asks the resolver thread: for name servers, if it may ask these, and the file. */
static void ask_resolver(struct resolve *resolve, const struct dns_name *name,
                         bool asks_servers)
{
    const struct resolve_plan *plan = &resolve->plan;
    struct dns_ask_plan ask = {
        .search.name = *name,
        .search.how.is_fresh = plan->ignore_cache,
        .asks_servers = asks_servers,
        .asks_hosts = (plan->mode & RESOLVE_BY_CLIB) != 0,
        .uid = plan->uid,
    };
    struct error error;

    if (plan->name != NULL) {
        plan_addresses(&ask.search, plan);
    } else {
        ask.search.types[0] = DNS_TYPE_PTR;
        ask.search.n_types = 1;
    }
    if (!dns_ask_start(&resolve->ask, &ask,
                       plan->name != NULL ? addresses_came : name_came, &error)) {
        fail(resolve, &error);
    }
}

/* ---- The beginning ---- */

static void ran_out(void *arg)
{
    struct resolve *resolve = arg;
    struct error error;

    (void)error_set(&error, ERROR_TIMEOUT, "the name was not found in time");
    fail(resolve, &error);
}

/* The part of the time that name servers may take is over. */
static void servers_ran_out(void *arg)
{
    struct resolve *resolve = arg;
    struct dns_name name;

    timer_start(&resolve->timer, loop_self(), resolve->timeout, ran_out, resolve);
    if (resolve->job != NULL) {
        return; /* it came to that earlier */
    }
    dns_ask_cancel(&resolve->ask);
    if (loop_of_resolver() != NULL && read_question(&resolve->plan, &name)) {
        ask_resolver(resolve, &name, false);
    } else {
        ask_clib(resolve);
    }
}

static void begin(void *arg)
{
    struct resolve *resolve = arg;
    const struct resolve_plan *plan = &resolve->plan;
    struct resolve_answer answer;
    char text[DNS_TEXT_SIZE];
    struct dns_name name;

    if (resolve_now(plan, &answer, text)) {
        counters_add(loop_counters(loop_self()), COUNTER_LOOKUPS_CACHED, 1);
        succeed(resolve, &answer);
        return;
    }
    bool is_name = read_question(plan, &name);

    /* The C library would ask a name server for these. */
    if (is_name && dns_name_kind(&name) == DNS_KIND_NOWHERE) {
        fail_not_found(resolve);
    } else if (is_name && loop_of_resolver() != NULL) {
        ask_resolver(resolve, &name, (plan->mode & RESOLVE_BY_DNS) != 0);
    } else {
        ask_clib(resolve);
    }
}

void resolve_start(struct resolve *resolve, const struct resolve_plan *plan,
                   double timeout, resolve_done *done)
{
    struct loop *loop = loop_self();
    bool is_halved = plan->mode == (RESOLVE_BY_DNS | RESOLVE_BY_CLIB);

    CHECK(!resolve->is_asked && plan->mode != 0);
    resolve->is_asked = true;
    resolve->plan = *plan;
    resolve->done = done;
    resolve->generation = name_cache_generation();
    counters_add(loop_counters(loop), COUNTER_LOOKUPS, 1);
    if (timeout >= 0) {
        resolve->timeout = timeout / 2;
        timer_start(&resolve->timer, loop, is_halved ? timeout / 2 : timeout,
                    is_halved ? servers_ran_out : ran_out, resolve);
    }
    later_ask(&resolve->later, loop, begin, resolve);
}

/* ---- Services ---- */

bool resolve_port(const char *service, const char *protocol, uint16_t *port,
                  struct error *error)
{
    struct servent entry, *found_entry = NULL;
    char buffer[SERVICE_BUFFER];

    if (getservbyname_r(service, protocol, &entry, buffer, sizeof buffer, &found_entry) !=
            0 ||
        !found_entry) {
        return error_set(error, ERROR_SERVICE_NOT_FOUND, "no %s service '%.120s'",
                         protocol, service);
    }
    *port = ntohs((uint16_t)found_entry->s_port);
    return true;
}
